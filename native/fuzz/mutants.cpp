// Opens damaged copies of a GGUF file and lets those that still open write a little, and score a text.
//
//   mutants FILE COUNT SEED
//
// Says how many opened. Leaves by itself with an error where a mutant takes more than a second;
// crashes, errors found by sanitizers and limits of memory are for whoever starts it to see.
#include "../engine/open_model.h"
#include "../engine/task_model.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

namespace {

using engine::Growing;

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  // Source: Steele, Lea and Flood 2014 (SplitMix64).
  std::uint64_t next() {
    std::uint64_t value = state_ += 0x9E3779B97F4A7C15u;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
  }
  std::size_t below(std::size_t limit) { return next() % limit; }

 private:
  std::uint64_t state_;
};

constexpr std::uint64_t kNumbers[] = {
    0,          1,          2,           3,          7,          16,         31,         32,
    255,        256,        0x7FFF,      0xFFFF,     0x10000,    0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
    0x100000000, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF};

// Where the settings end and the weights begin: most mutants are damaged before it.
std::size_t head_size(const std::uint8_t* bytes, std::size_t size) {
  engine::Gguf file;
  engine::Complaint complaint;
  if (!file.open(bytes, size, complaint)) return size;
  // Of what understands texts the headers of the parts inside count too.
  if (engine::TaskModel::is_in(file)) {
    std::size_t end = 0;
    for (const char* name : {"file/encoder.bin", "file/linear.bin", "file/crf.bin", "words/chinese",
                             "words/tags"}) {
      const engine::Gguf::Tensor* tensor = file.tensor(name);
      if (tensor == nullptr) continue;
      const auto begin = static_cast<std::size_t>(tensor->data - bytes) + 4096;
      if (begin > end) end = begin;
    }
    return end < size ? end : size;
  }
  const std::uint8_t* first = bytes + size;
  for (const char* name : {"token_embd.weight", "output_norm.weight", "file/ngram.bin"}) {
    const engine::Gguf::Tensor* tensor = file.tensor(name);
    if (tensor != nullptr && tensor->data < first) first = tensor->data;
  }
  return static_cast<std::size_t>(first - bytes);
}

void damage(std::uint8_t* bytes, std::size_t& size, std::size_t head, Random& random) {
  const std::size_t count = 1 + random.below(4);
  for (std::size_t i = 0; i < count && size > 16; ++i) {
    const std::size_t range = random.below(10) < 8 && head < size ? head : size;
    const std::size_t place = random.below(range - 8);
    const std::uint64_t number = kNumbers[random.below(sizeof kNumbers / sizeof *kNumbers)];
    switch (random.below(8)) {
      case 0: bytes[place] ^= static_cast<std::uint8_t>(1u << random.below(8)); break;
      case 1: bytes[place] = static_cast<std::uint8_t>(random.next()); break;
      case 2: std::memcpy(bytes + place, &number, 4); break;
      case 3: std::memcpy(bytes + place, &number, 8); break;
      case 4: size = place; break;
      case 5: {
        const std::size_t other = random.below(range - 8);
        const std::size_t room = size - (place > other ? place : other);
        std::memmove(bytes + place, bytes + other, random.below(room < 64 ? room : 64));
        break;
      }
      case 6: std::memset(bytes + place, 0xFF, random.below(8)); break;
      default: {
        std::uint64_t whole;
        std::memcpy(&whole, bytes + place, 8);
        whole += random.below(33) - 16;
        std::memcpy(bytes + place, &whole, 8);
      }
    }
  }
}

// Saves what was read, and lets another session go on from it.
void saved_and_restored(engine::OpenModel& open) {
  engine::Decoder& decoder = open.decoder();
  engine::Session& session = open.writer().session();
  engine::Session other;
  engine::Complaint complaint;
  engine::Room<std::uint8_t> bytes;
  engine::Room<float> logits;
  const std::size_t size = decoder.saved_bytes(session);
  if (!bytes.make(size) || !logits.make(2 * decoder.logits_stride())) return;
  decoder.save(session, open.model().identity(), bytes.data());
  if (!decoder.restore(other, open.model().identity(), bytes.data(), size, complaint)) return;
  engine::Session* both[] = {&session, &other};
  const std::int32_t ids[] = {0, static_cast<std::int32_t>(decoder.vocab_size() - 1)};
  decoder.read_one_each(both, ids, 2, logits.data());
}

// Lets a model that understands texts answer. True: it opened.
bool answered(const std::uint8_t* bytes, std::size_t size) {
  // Not on the stack: a detector of overflows has less of it.
  auto* model = engine::made<engine::TaskModel>();
  if (model == nullptr) return false;
  engine::Complaint complaint;
  static const char text[] = "The c\xe4\xbd\xa0\xe7\xa0\x94\xe7\xa9\xb6\xe7\x94\x9f 1 [MASK]";
  const engine::Text asked{text, sizeof text - 1};
  const bool is_open = model->open(bytes, size, "", complaint);
  if (is_open && model->classifier() != nullptr) {
    if (model->classifier()->classify(asked, complaint) != nullptr) model->classifier()->is_given(0);
  }
  if (is_open && model->tagger() != nullptr) model->tagger()->tag(asked, complaint);
  if (is_open && model->encoder() != nullptr) {
    std::size_t num_gaps;
    Growing<engine::Filling> found;
    model->encoder()->vector(asked);
    if (model->encoder()->read_gaps(asked, num_gaps, complaint)) {
      model->encoder()->fill(0, 3, found);
    }
  }
  model->~TaskModel();
  std::free(model);
  return is_open;
}

// True: it opened.
bool tried(const std::uint8_t* bytes, std::size_t size, std::uint64_t seed) {
  if (engine::TaskModel::are(bytes, size)) return answered(bytes, size);
  engine::OpenModel open(1);
  engine::Complaint complaint;
  if (!open.open(bytes, size, "", complaint)) return false;
  engine::Wish wish;
  wish.seed = seed;
  wish.most_tokens = 4;
  Growing<char> text;
  static const char prompt[] = "The c\xe4\xbd\xa0 1";
  bool goes_on = open.writer().begin({prompt, sizeof prompt - 1}, wish);
  while (goes_on) goes_on = open.writer().advance(text);
  engine::Score score;
  open.score({prompt, sizeof prompt - 1}, score, complaint);
  open.self_test();
  saved_and_restored(open);
  return true;
}

std::uint8_t* read_whole(const char* path, std::size_t& size) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return nullptr;
  std::fseek(file, 0, SEEK_END);
  size = static_cast<std::size_t>(std::ftell(file));
  std::rewind(file);
  auto* bytes = static_cast<std::uint8_t*>(std::malloc(size));
  if (bytes != nullptr && std::fread(bytes, 1, size, file) != size) size = 0;
  std::fclose(file);
  return bytes;
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) {
    std::fprintf(stderr, "mutants FILE COUNT SEED\n");
    return 2;
  }
  std::size_t size = 0;
  std::uint8_t* whole = read_whole(words[1], size);
  if (whole == nullptr || size < 64 || !tried(whole, size, 0)) {
    std::fprintf(stderr, "%s does not open\n", words[1]);
    return 2;
  }
  const std::size_t head = head_size(whole, size);
  const auto num_mutants = static_cast<std::size_t>(std::atoll(words[2]));
  const auto first = static_cast<std::uint64_t>(std::atoll(words[3]));
  std::size_t num_open = 0;
  double slowest = 0.0;
  for (std::size_t i = 0; i < num_mutants; ++i) {
    Random random(first + i * 0x10001u);
    // A copy of exactly the mutant's length: who reads behind it is found out.
    std::size_t length = size;
    auto* damaged = static_cast<std::uint8_t*>(std::malloc(size));
    std::memcpy(damaged, whole, size);
    damage(damaged, length, head, random);
    auto* mutant = static_cast<std::uint8_t*>(std::malloc(length == 0 ? 1 : length));
    std::memcpy(mutant, damaged, length);
    std::free(damaged);
    timespec began, ended;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
    num_open += tried(mutant, length, i) ? 1 : 0;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
    std::free(mutant);
    const double seconds = static_cast<double>(ended.tv_sec - began.tv_sec) +
                           1e-9 * static_cast<double>(ended.tv_nsec - began.tv_nsec);
    if (seconds > slowest) slowest = seconds;
    if (seconds > 1.0) {
      std::fprintf(stderr, "mutant %zu took %.1f s\n", i, seconds);
      return 1;
    }
  }
  std::printf("%zu of %zu opened, slowest %.3f s\n", num_open, num_mutants, slowest);
  std::free(whole);
  return 0;
}
