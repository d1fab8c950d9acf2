// Makes patterns and JSON schemas out of pieces and at random, and lets a model write within them.
//
//   patterns FILE COUNT SEED
//
// Says how many could be used. Leaves by itself with an error where one takes more than a second.
#include "../engine/open_model.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

using engine::Growing;

constexpr const char* kPieces[] = {
    "a", ".", "\\w", "\\D", "\\s", "[", "]", "[^", "-", "(", ")", "(?:", "|", "?", "*", "+", "{",
    "}", "{2}", "{3,}", "{100}", "{0,1000}", "\\", "\\x4", "\\u4e2d", "\\U0001f600", "\xe4\xbd\xa0",
    "\xe4", "{\"type\":", "\"string\"", "\"object\"", "\"array\"", "\"number\"", "\"properties\":",
    "\"items\":", "\"enum\":", "\"const\":", "\"anyOf\":", "\"minLength\":", "\"maxItems\":",
    "\"pattern\":", "\"required\":", "{}", "[]", "{\"a\":", ",", ":", "\"", "1", "1e9", "-0.0",
    "1.5e-300", "null", "true", "[\"a\",1]", "\\ud83d\\ude00", "^", "$", "\n", "((a?){50}){50}"};
constexpr const char* kWhole[] = {
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"maxLength\":5},\"b\":{}}}",
    "{\"type\":\"array\",\"items\":{\"enum\":[1.5,\"x\",null]},\"minItems\":2}",
    "{\"anyOf\":[{\"const\":{\"a\":[1]}},{\"type\":[\"integer\",\"null\"]}]}",
    "(ab|[^c-x]{2,5})*\\w+\\.?", "(\\w?){60}", "((.?){9}){9}[a-z\xe4\xbd\xa0-\xe5\x9b\xbd]"};

std::uint64_t state;
// Source: Steele, Lea and Flood 2014 (SplitMix64).
std::size_t below(std::size_t limit) {
  std::uint64_t value = state += 0x9E3779B97F4A7C15u;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return static_cast<std::size_t>((value ^ (value >> 31)) % limit);
}

void put(Growing<char>& text, const char* letters) {
  while (*letters != '\0') text.push(*letters++);
}

void make(Growing<char>& text) {
  text.clear();
  if (below(2) == 0) {
    put(text, kWhole[below(sizeof kWhole / sizeof *kWhole)]);
    for (std::size_t i = below(4); i > 0; --i) {
      const std::size_t place = below(text.size());
      if (below(4) == 0) text.cut(place + 1);
      else text[place] = static_cast<char>(below(3) == 0 ? below(256) : text[below(text.size())]);
    }
    return;
  }
  for (std::size_t i = below(24); i > 0; --i) put(text, kPieces[below(sizeof kPieces / sizeof *kPieces)]);
}

bool tried(engine::OpenModel& open, engine::Text text) {
  engine::Guide& guide = open.writer().guide();
  engine::Complaint complaint;
  const bool is_schema = below(2) == 0;
  if (!(is_schema ? guide.follow_schema(text, complaint) : guide.match(text, complaint))) {
    if (complaint.text()[0] == '\0') std::abort();  // a refusal says why
    return false;
  }
  engine::Wish wish;
  wish.seed = below(1000);
  wish.most_tokens = 6;
  Growing<char> written;
  bool goes_on = open.writer().begin({"The c", below(6)}, wish);
  while (goes_on) goes_on = open.writer().advance(written);
  return true;
}

double now() {
  std::timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

int main(int count, char** words) {
  std::FILE* file = count == 4 ? std::fopen(words[1], "rb") : nullptr;
  if (file == nullptr) return std::fprintf(stderr, "patterns FILE COUNT SEED\n"), 2;
  std::fseek(file, 0, SEEK_END);
  const auto size = static_cast<std::size_t>(std::ftell(file));
  std::rewind(file);
  auto* bytes = static_cast<std::uint8_t*>(std::malloc(size));
  if (bytes == nullptr || std::fread(bytes, 1, size, file) != size) return 2;
  std::fclose(file);
  std::size_t num_used = 0;
  double slowest = 0.0;
  {
    engine::OpenModel open(1);
    engine::Complaint complaint;
    if (!open.open(bytes, size, "", complaint)) return 2;
    const auto num_texts = static_cast<std::size_t>(std::atoll(words[2]));
    for (std::size_t i = 0; i < num_texts; ++i) {
      state = static_cast<std::uint64_t>(std::atoll(words[3])) + i * 0x10001u;
      Growing<char> text;
      make(text);
      // A copy of exactly its length: who reads behind it is found out.
      auto* copy = static_cast<char*>(std::malloc(text.size() + (text.size() == 0)));
      for (std::size_t k = 0; k < text.size(); ++k) copy[k] = text[k];
      const double began = now();
      num_used += tried(open, {copy, text.size()}) ? 1 : 0;
      const double seconds = now() - began;
      if (seconds > slowest) slowest = seconds;
      if (seconds > 1.0) {
        std::fprintf(stderr, "text %zu took %.1f s: %.*s\n", i, seconds,
                     static_cast<int>(text.size()), text.data());
        return 1;
      }
      std::free(copy);
    }
    std::printf("%zu of %zu used, slowest %.3f s\n", num_used, num_texts, slowest);
  }
  std::free(bytes);
  return 0;
}
