// sparrow-run: a model in one GGUF file, run without Python.
#include "../engine/angles.h"
#include "../engine/open_model.h"
#include "answers.h"
#include "mapped_file.h"
#include "options.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

enum Code { kDone = 0, kFailed = 1, kWrongUse = 2 };

bool speaks_chinese() {
  const char* const names[] = {"SPARROW_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return std::strncmp(value, "zh", 2) == 0;
  }
  return false;
}

Code fail(Code code, const char* english, const char* chinese, const char* detail) {
  std::fprintf(stderr, "sparrow-run: %s: %s\n", speaks_chinese() ? chinese : english, detail);
  return code;
}

bool read_input(engine::Growing<char>& text) {
  char buffer[1 << 14];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, stdin)) {
    for (std::size_t i = 0; i < count; ++i) {
      if (!text.push(buffer[i])) return false;
    }
  }
  return true;
}

double now() {
  std::timespec time;
  std::timespec_get(&time, TIME_UTC);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Another one at every start.
std::uint64_t some_seed() {
  std::uint64_t seed = 0;
  if (std::FILE* file = std::fopen("/dev/urandom", "rb")) {
    const bool is_read = std::fread(&seed, sizeof seed, 1, file) == 1;
    std::fclose(file);
    if (is_read) return seed >> 1;
  }
  std::timespec time;
  std::timespec_get(&time, TIME_UTC);
  return static_cast<std::uint64_t>(time.tv_sec) * 1000000007u ^
         static_cast<std::uint64_t>(time.tv_nsec);
}

class Program {
 public:
  Program(MappedFile& file, const Options& options) : file_(file), open_(options.num_threads) {}

  Code open(bool is_there, const Options& options) {
    if (engine::kernels_called(options.kernels) == nullptr) {
      return fail(kWrongUse, "this machine does not have these kernels", "本机没有这种内核",
                  options.kernels);
    }
    if (!is_there) {
      return fail(kFailed, "there is no such file", "没有这个文件", options.model);
    }
    engine::Complaint complaint;
    open_.when_packed(MappedFile::release, &file_);
    const bool is_open = open_.open(file_.bytes(), file_.size(), options.kernels, complaint);
    if (!is_open || !(options.tests_itself || open_.is_as_made(complaint))) {
      return fail(kFailed, "the file cannot be used", "无法使用该文件", complaint.text());
    }
    return kDone;
  }

  Code test() {
    switch (open_.self_test()) {
      case engine::SelfTest::kPassed:
        std::printf("%s: %s\n", open_.kernels(), speaks_chinese() ? "每一位都相同" : "the same, to the last bit");
        return kDone;
      case engine::SelfTest::kAbsent:
        return fail(kFailed, "the file has nothing to compare with", "文件里没有可比较的数",
                    open_.kernels());
      default:
        return fail(kFailed, "other numbers than those in the file", "与文件里的数不同",
                    open_.kernels());
    }
  }

  Code print_ids(engine::Text prompt) {
    engine::Ids ids;
    if (!open_.tokenizer().encode(prompt, ids)) return kFailed;
    for (std::size_t i = 0; i < ids.size(); ++i) std::printf(i == 0 ? "%d" : " %d", ids[i]);
    std::printf("\n");
    return kDone;
  }

  // What the text may look like.
  bool guide(const Options& options, engine::Complaint& complaint) {
    const auto text_of = [](const char* word) { return engine::Text{word, std::strlen(word)}; };
    const int num_forms = (options.pattern != nullptr) + (options.schema != nullptr) +
                          (options.num_choices > 0);
    if (num_forms > 1) {
      return complaint.say("--choices, --pattern and --json-schema exclude each other");
    }
    engine::Guide& guide = open_.writer().guide();
    if (options.pattern != nullptr) return guide.match(text_of(options.pattern), complaint);
    if (options.schema != nullptr) {
      MappedFile file;
      if (!file.open(options.schema)) return guide.follow_schema(text_of(options.schema), complaint);
      return guide.follow_schema({reinterpret_cast<const char*>(file.bytes()), file.size()}, complaint);
    }
    if (options.num_choices == 0) return true;
    engine::Text choices[256];
    for (std::size_t i = 0; i < options.num_choices; ++i) choices[i] = text_of(options.choices[i]);
    return guide.choose(choices, options.num_choices, complaint);
  }

  Code write(engine::Text prompt, const Options& options) {
    engine::Complaint complaint;
    if (!guide(options, complaint)) {
      return fail(kWrongUse, "the form cannot be used", "无法使用该形式", complaint.text());
    }
    engine::Room<std::int32_t> likeliest;
    if (!likeliest.make(options.num_likeliest)) return kFailed;
    if (options.shows_logs && !open_.writer().keep_scores()) return kFailed;
    for (std::size_t i = 0; i < options.num_stops; ++i) {
      open_.writer().stops().add({options.stops[i], std::strlen(options.stops[i])});
    }
    if (!options.looks_ahead) open_.writer().lookahead().limit(1);
    const double began = now();
    if (!open_.writer().begin(prompt, options.wish)) return kFailed;
    const double read = now();
    engine::Growing<char> text;
    bool goes_on = true;
    while (goes_on) {
      text.clear();
      goes_on = open_.writer().advance(text);
      if (options.shows_logs) show_log(goes_on, text, likeliest);
      else std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    }
    if (!options.shows_logs) std::printf("\n");
    if (options.shows_speed) show_speed(read - began, now() - read);
    const engine::Guide& guide = open_.writer().guide();
    if (!guide.is_active() || !guide.has_given_up()) return kDone;
    return fail(kFailed, "the text is not whole", "文本不完整", engine::Guide::kGivenUp);
  }

  // One line of JSON, as `sparrow score --json` writes it; above it one for every token where they
  // are asked for.
  Code score(engine::Text text, const Options& options) {
    engine::Score score;
    engine::Complaint complaint;
    if (options.num_likeliest > 0) {
      return fail(kWrongUse, "no figures", "无法评分", "--score takes --log-probabilities alone");
    }
    if (!open_.score(text, score, complaint)) {
      return fail(kFailed, "no figures", "无法评分", complaint.text());
    }
    const std::size_t num_tokens = score.num_tokens();
    for (std::size_t i = 0; options.shows_logs && i < num_tokens; ++i) {
      const std::int32_t id = score.ids[i + 1];
      show_token(id, -score.surprisals[i], open_.tokenizer().piece(id));
      std::printf("}\n");
    }
    const double for_one = score.nats / static_cast<double>(score.num_characters);
    const double for_token = num_tokens > 0 ? score.nats / static_cast<double>(num_tokens) : 0.0;
    std::printf("{\"bits_per_character\": %.9g, \"nats_per_character\": %.9g, "
                "\"perplexity_per_token\": ", for_one / engine::logarithm(2.0), for_one);
    std::printf(for_token < 700.0 ? "%.9g" : "Infinity", engine::exponential(for_token));
    std::printf(", \"num_characters\": %zu, \"num_tokens\": %zu}\n", score.num_characters, num_tokens);
    return kDone;
  }

 private:
  // {"id":5,"log_probability":-1.2,"text":"what is certain now","likeliest":[...]}
  void show_log(bool is_drawn, const engine::Growing<char>& text,
                engine::Room<std::int32_t>& likeliest) {
    engine::Writer& writer = open_.writer();
    const engine::Text certain{text.data(), text.size()};
    if (!is_drawn) {
      if (text.size() == 0) return;
      std::printf("{\"text\":");
      print_text(certain);
      std::printf("}\n");
      return;
    }
    const float* logs = writer.log_probabilities();
    show_token(writer.last_id(), logs[writer.last_id()], certain);
    const std::size_t count = engine::likeliest(logs, open_.model().vocab_size(), likeliest.size(),
                                                likeliest.data());
    for (std::size_t i = 0; i < count; ++i) {
      std::printf(i == 0 ? ",\"likeliest\":[" : "},");
      show_token(likeliest[i], logs[likeliest[i]], open_.tokenizer().piece(likeliest[i]));
    }
    std::printf(count > 0 ? "}]}\n" : "}\n");
  }

  // An object without its end.
  static void show_token(std::int32_t id, float log, engine::Text text) {
    std::printf("{\"id\":%d,\"log_probability\":%.7g,\"text\":", id, static_cast<double>(log));
    print_text(text);
  }

  void show_speed(double reading, double writing) {
    const auto per_second = [](std::size_t count, double seconds) {
      return seconds > 0.0 ? static_cast<double>(count) / seconds : 0.0;
    };
    std::fprintf(stderr,
                 "%zu tokens read, %.0f a second; %zu tokens written, %.0f a second; %s, %zu"
                 " thread(s)\n",
                 open_.writer().num_read(), per_second(open_.writer().num_read(), reading),
                 open_.writer().num_drawn(), per_second(open_.writer().num_drawn(), writing),
                 open_.kernels(), open_.num_threads());
    const engine::Lookahead& ahead = open_.writer().lookahead();
    if (ahead.num_guessed() == 0) return;
    std::fprintf(stderr, "%zu tokens guessed and read ahead, %zu of them right\n",
                 ahead.num_guessed(), ahead.num_right());
  }

  MappedFile& file_;
  engine::OpenModel open_;
};

// A model that understands texts; its answers go to standard output.
class Understanding {
 public:
  Code run(const MappedFile& file, engine::Text text, bool are_lines, const Options& options) {
    engine::Complaint complaint;
    if (!model_.open(file.bytes(), file.size(), options.kernels, complaint)) {
      return fail(kFailed, "the file cannot be used", "无法使用该文件", complaint.text());
    }
    if (options.scores) {
      return fail(kFailed, "no figures", "无法评分", "the model does not complete texts");
    }
    if (options.tests_itself) {
      return fail(kFailed, "the file has nothing to compare with", "文件里没有可比较的数",
                  model_.kernels());
    }
    if (answer(model_, text, are_lines, options, complaint)) return kDone;
    return fail(kFailed, "no answer", "无法回答", complaint.text());
  }

 private:
  engine::TaskModel model_;
};

}  // namespace

int main(int count, char** words) {
#if defined(__GLIBC__)
  // What is large comes from the system, zeros already: glibc would write them once more.
  mallopt(M_MMAP_THRESHOLD, 1 << 16);
#endif
  Options options;
  options.wish.seed = some_seed() & 0x7FFFFFFFFFFFFFFFu;
  const char* wrong = "";
  if (!read_options(count, words, options, wrong)) {
    return fail(kWrongUse, "this is not understood, see --help", "看不懂，见 --help", wrong);
  }
  if (options.shows_help || options.model == nullptr) {
    std::fputs(speaks_chinese() ? kHelpChinese : kHelp, options.shows_help ? stdout : stderr);
    return options.shows_help ? kDone : kWrongUse;
  }
  engine::Growing<char> input;
  if (options.prompt == nullptr && !options.tests_itself && !read_input(input)) return kFailed;
  engine::Text prompt = options.prompt != nullptr
                            ? engine::Text{options.prompt, std::strlen(options.prompt)}
                            : engine::Text{input.data(), input.size()};
  // A file's mark of UTF-8 is no part of the text that is scored, as in `sparrow score`.
  if (options.scores && options.prompt == nullptr && prompt.size >= 3 &&
      std::memcmp(prompt.data, "\xEF\xBB\xBF", 3) == 0) {
    prompt = {prompt.data + 3, prompt.size - 3};
  }
  // Ends with the process: nothing has to be given back.
  auto* file = engine::made<MappedFile>();
  if (file == nullptr) return kFailed;
  const bool is_there = file->open(options.model);
  if (is_there && engine::TaskModel::are(file->bytes(), file->size())) {
    auto* understanding = engine::made<Understanding>();
    if (understanding == nullptr) return kFailed;
    return understanding->run(*file, prompt, options.prompt == nullptr, options);
  }
  auto* program = engine::made<Program>(*file, options);
  if (program == nullptr) return kFailed;
  const Code code = program->open(is_there, options);
  if (code != kDone) return code;
  if (options.tests_itself) return program->test();
  if (options.scores) return program->score(prompt, options);
  return options.shows_ids ? program->print_ids(prompt) : program->write(prompt, options);
}
