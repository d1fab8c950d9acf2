#include "options.h"

#include <cstdlib>
#include <cstring>

const char kHelp[] =
    "sparrow-run MODEL.gguf [PROMPT]    continue a text with a small language model\n"
    "\n"
    "Without PROMPT, or with -, the prompt is read from standard input.\n"
    "\n"
    "  -n, --max-tokens N        draw at most N tokens (200)\n"
    "  -t, --temperature X       1 as learnt, less is more cautious, 0 the likeliest (0.8)\n"
    "      --top-k K             draw from the K likeliest tokens\n"
    "      --top-p P             draw from the likeliest tokens that make up P, 0 to 1\n"
    "      --min-p P             leave out what is less than P times as likely as the likeliest\n"
    "      --repetition-penalty X   above 1 avoids the last 64 tokens (1)\n"
    "      --choices A B ...     write one of these\n"
    "      --pattern REGEX       write what matches this regular expression as a whole\n"
    "      --json-schema SCHEMA  write JSON of this schema: a file or the schema itself\n"
    "      --log-probabilities [N]  a JSON line for every token, with its natural log-probability\n"
    "                            and those of the N likeliest ones there\n"
    "      --score               how surprising the text is: figures of sparrow score --json; with\n"
    "                            --log-probabilities those of its tokens too\n"
    "  -s, --seed N              the same seed gives the same text (another one every time)\n"
    "      --stop TEXT           end before TEXT; may be given several times\n"
    "      --threads N           left out: as many as are faster here, measured in milliseconds\n"
    "      --kernels NAME        portable, avx2, ...: the text is the same with all of them\n"
    "      --no-guesses          read token after token: slower where texts repeat themselves\n"
    "      --ids                 print the prompt's token ids and end\n"
    "      --self-test           does this machine compute what the file's maker did?\n"
    "      --speed               tokens per second, on standard error\n"
    "      --                    what follows is text, also where it begins with -\n"
    "  -h, --help                this page\n"
    "\n"
    "With a classifier, tagger or encoder, one line of JSON for every text, as sparrow predict,\n"
    "sparrow embed and sparrow fill write it; standard input holds one text a line:\n"
    "      --embed               print the text's vector\n"
    "  -k N                      print N words for every [MASK] (5)\n"
    "\n"
    "Example: sparrow-run stories.gguf \"Once upon a time\" -n 100 --seed 1\n";

const char kHelpChinese[] =
    "sparrow-run 模型.gguf [开头]    用小语言模型续写\n"
    "\n"
    "不写开头，或写 -，则从标准输入读取。\n"
    "\n"
    "  -n, --max-tokens N        最多生成 N 个词元（200）\n"
    "  -t, --temperature X       1 为所学，越小越稳，0 取最可能（0.8）\n"
    "      --top-k K             只在最可能的 K 个词元里抽取\n"
    "      --top-p P             只在概率合计为 P 的最可能词元里抽取，0 到 1\n"
    "      --min-p P             去掉概率不到最大者 P 倍的词元\n"
    "      --repetition-penalty X   大于 1 时避免重复最近 64 个词元（1）\n"
    "      --choices 甲 乙 ...   只写其中之一\n"
    "      --pattern 表达式      整段文本符合该正则表达式\n"
    "      --json-schema 模式    写符合该模式的 JSON：文件，或模式本身\n"
    "      --log-probabilities [N]  每个词元输出一行 JSON，含其概率的自然对数，以及最可能的 N 个词元\n"
    "      --score               给文本打分，数字同 sparrow score --json；加 --log-probabilities\n"
    "                            则每个词元也输出一行\n"
    "  -s, --seed N              同一种子得到同一文本（默认每次不同）\n"
    "      --stop 文本           遇到它之前结束；可多次给出\n"
    "      --threads N           不写则取本机最快的数目（打开时实测几毫秒）\n"
    "      --kernels 名称        portable、avx2 等：结果都一样\n"
    "      --no-guesses          逐个词元读取：文本有重复时较慢，结果相同\n"
    "      --ids                 只打印开头的词元编号\n"
    "      --self-test           本机算出的与制作此文件的机器一样吗？\n"
    "      --speed               在标准错误输出每秒词元数\n"
    "      --                    其后都是文本，以 - 开头也是\n"
    "  -h, --help                本页\n"
    "\n"
    "模型若是分类、标注模型或编码器，则每段文本输出一行 JSON，与 sparrow predict、sparrow embed、\n"
    "sparrow fill 相同；标准输入每行一段：\n"
    "      --embed               输出文本的向量\n"
    "  -k N                      每个 [MASK] 输出 N 个候选（5）\n"
    "\n"
    "例：sparrow-run 故事.gguf \"从前\" -n 100 --seed 1\n";

namespace {

bool is(const char* word, const char* one, const char* other = "") {
  return std::strcmp(word, one) == 0 || (*other != '\0' && std::strcmp(word, other) == 0);
}

bool read_number(const char* text, double least, double most, double& value) {
  char* end = nullptr;
  value = std::strtod(text, &end);
  return end != text && *end == '\0' && value >= least && value <= most;
}

bool read_whole(const char* text, unsigned long long most, unsigned long long& value) {
  char* end = nullptr;
  if (*text == '-') return false;
  value = std::strtoull(text, &end, 10);
  return end != text && *end == '\0' && value <= most;
}

bool read_value(const char* name, const char* text, Options& options) {
  engine::Sampling& sampling = options.wish.sampling;
  double number = 0.0;
  unsigned long long whole = 0;
  if (is(name, "--max-tokens", "-n")) {
    if (!read_whole(text, 1u << 30, whole)) return false;
    options.wish.most_tokens = static_cast<std::size_t>(whole);
  } else if (is(name, "--temperature", "-t")) {
    if (!read_number(text, 0.0, 1e6, number)) return false;
    sampling.temperature = static_cast<float>(number);
  } else if (is(name, "--top-k")) {
    if (!read_whole(text, 1u << 30, whole) || whole < 1) return false;
    sampling.top_k = static_cast<std::size_t>(whole);
  } else if (is(name, "-k")) {
    if (!read_whole(text, 1u << 16, whole) || whole < 1) return false;
    options.most_fillings = static_cast<std::size_t>(whole);
  } else if (is(name, "--top-p")) {
    if (!read_number(text, 1e-9, 1.0, number)) return false;
    sampling.top_p = static_cast<float>(number);
  } else if (is(name, "--min-p")) {
    if (!read_number(text, 0.0, 1.0, number)) return false;
    sampling.min_p = static_cast<float>(number);
  } else if (is(name, "--repetition-penalty")) {
    if (!read_number(text, 1e-9, 1e6, number)) return false;
    sampling.repetition_penalty = static_cast<float>(number);
  } else if (is(name, "--seed", "-s")) {
    if (!read_whole(text, 0x7FFFFFFFFFFFFFFFull, whole)) return false;
    options.wish.seed = whole;
  } else if (is(name, "--threads")) {
    if (!read_whole(text, 256, whole) || whole < 1) return false;
    options.num_threads = static_cast<std::size_t>(whole);
  } else if (is(name, "--json-schema")) {
    options.schema = text;
  } else if (is(name, "--pattern")) {
    options.pattern = text;
  } else if (is(name, "--kernels")) {
    options.kernels = text;
  } else if (is(name, "--stop") && options.num_stops < 16) {
    options.stops[options.num_stops++] = text;
  } else {
    return false;
  }
  return true;
}

// A number that may be left out; place becomes that of the last word that was read.
void read_likeliest(int count, char** words, int& place, Options& options) {
  unsigned long long whole = 0;
  options.shows_logs = true;
  if (place + 1 == count || words[place + 1][0] < '0' || words[place + 1][0] > '9') return;
  if (!read_whole(words[place + 1], 1u << 16, whole)) return;
  options.num_likeliest = static_cast<std::size_t>(whole);
  ++place;
}

// All words up to the next option; place becomes that of the last one.
bool read_choices(int count, char** words, int& place, Options& options) {
  const std::size_t before = options.num_choices;
  while (place + 1 < count && words[place + 1][0] != '-' && options.num_choices < 256) {
    options.choices[options.num_choices++] = words[++place];
  }
  return options.num_choices > before;
}

}  // namespace

bool read_options(int count, char** words, Options& options, const char*& wrong) {
  options.wish.sampling.temperature = 0.8f;
  bool is_prompt_read = false, is_text = false;
  for (int i = 1; i < count; ++i) {
    const char* word = words[i];
    wrong = word;
    const bool is_option = word[0] == '-' && word[1] != '\0' && !is_text;
    if (is_option && is(word, "--")) {
      is_text = true;
    } else if (!is_option) {
      if (options.model == nullptr) {
        options.model = word;
      } else if (!is_prompt_read) {
        is_prompt_read = true;
        options.prompt = is(word, "-") && !is_text ? nullptr : word;
      } else {
        return false;
      }
    } else if (is(word, "--help", "-h")) {
      options.shows_help = true;
    } else if (is(word, "--speed")) {
      options.shows_speed = true;
    } else if (is(word, "--self-test")) {
      options.tests_itself = true;
    } else if (is(word, "--no-guesses")) {
      options.looks_ahead = false;
    } else if (is(word, "--log-probabilities")) {
      read_likeliest(count, words, i, options);
    } else if (is(word, "--score")) {
      options.scores = true;
    } else if (is(word, "--choices")) {
      if (!read_choices(count, words, i, options)) return false;
    } else if (is(word, "--embed")) {
      options.embeds = true;
    } else if (is(word, "--ids")) {
      options.shows_ids = true;
    } else {
      if (i + 1 >= count || !read_value(word, words[i + 1], options)) return false;
      ++i;
    }
  }
  return true;
}
