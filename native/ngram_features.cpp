// The distinct n-grams of texts (the twin of text/ngram_features.py): every n-gram a 32-bit key.
#include "arrays.h"

#include <algorithm>

namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u;
constexpr std::uint64_t kPair = 0xD6E8FEB86659FD93u;
constexpr std::uint32_t kWordBit = 1u << 31, kBoundary = 0x20;

// The end of SplitMix64 (foundation/hashing.py), never 0.
std::uint64_t mixed(std::uint64_t value) {
  value += kGolden;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  value ^= value >> 31;
  return value == 0 ? 1 : value;
}

// 1 / value modulo 2^64, of an odd value: every step doubles the number of right bits.
constexpr std::uint64_t inverse(std::uint64_t value) {
  std::uint64_t found = value;
  for (int step = 0; step < 6; ++step) found *= 2 - value * found;
  return found;
}
constexpr std::uint64_t kBase = inverse(kGolden);
static_assert(kBase * kGolden == 1);

std::uint32_t key_of(std::uint64_t hash) { return static_cast<std::uint32_t>(mixed(hash) >> 32); }

// Hashes of the runs that begin at one place, each a sign longer than the one before.
class GrowingRun {
 public:
  std::uint64_t longer(std::uint64_t value) {
    sum_ += value * power_;
    power_ *= kBase;
    return mixed(sum_ + ++length_);
  }

 private:
  std::uint64_t sum_ = 0, power_ = 1, length_ = 0;
};

struct Settings {
  const std::uint8_t* white;  // of codes below num_white
  std::size_t num_white;
  std::size_t most_characters, most_words;

  bool is_white(std::uint32_t code) const { return code < num_white && white[code] != 0; }
};

struct Text {
  const std::uint32_t* codes;
  std::size_t size;
};

struct Found {
  std::vector<std::int64_t> rows;
  std::vector<std::uint32_t> keys;
  std::vector<float> counts;
};

class Counter {
 public:
  explicit Counter(const Settings& settings) : settings_(settings) {}

  void count(Text text, const std::int64_t* word_lengths, std::size_t num_words, std::int64_t row,
             Found& found) {
    keys_.clear();
    if (settings_.most_characters > 0) add_characters(text);
    if (settings_.most_words > 0) add_words(text, word_lengths, num_words);
    std::sort(keys_.begin(), keys_.end());
    for (std::size_t i = 0; i < keys_.size();) {
      std::size_t end = i + 1;
      while (end < keys_.size() && keys_[end] == keys_[i]) ++end;
      found.rows.push_back(row);
      found.keys.push_back(keys_[i]);
      found.counts.push_back(static_cast<float>(end - i));
      i = end;
    }
  }

 private:
  // A boundary before, after, and for every run of white space.
  void bound(Text text) {
    signs_.assign(1, kBoundary);
    for (std::size_t i = 0; i < text.size; ++i) {
      const bool is_white = settings_.is_white(text.codes[i]);
      if (is_white && signs_.back() == kBoundary) continue;
      signs_.push_back(is_white ? kBoundary : text.codes[i]);
    }
    if (signs_.back() != kBoundary) signs_.push_back(kBoundary);
    values_.resize(signs_.size());
    for (std::size_t i = 0; i < signs_.size(); ++i) values_[i] = mixed(signs_[i]);
  }

  // A substring may begin or end with a boundary but not hold one inside, nor be one.
  void add_characters(Text text) {
    bound(text);
    for (std::size_t first = 0; first < signs_.size(); ++first) {
      GrowingRun run;
      const bool begins_with_boundary = signs_[first] == kBoundary;
      for (std::size_t i = first; i < signs_.size() && i < first + settings_.most_characters; ++i) {
        const std::uint64_t hash = run.longer(values_[i]);
        const bool ends_with_boundary = signs_[i] == kBoundary;
        const bool is_alone = i == first && begins_with_boundary;
        const bool are_two = i == first + 1 && begins_with_boundary && ends_with_boundary;
        if (!is_alone && !are_two) keys_.push_back(key_of(hash) & ~kWordBit);
        if (ends_with_boundary && i > first) break;
      }
    }
  }

  void add_words(Text text, const std::int64_t* lengths, std::size_t num_words) {
    std::uint64_t before = 0;  // no hash is 0
    const std::uint32_t* codes = text.codes;
    for (std::size_t word = 0; word < num_words; ++word) {
      const auto length = static_cast<std::size_t>(lengths[word]);
      GrowingRun run;
      std::uint64_t hash = 0;
      bool is_white = length > 0;
      for (std::size_t i = 0; i < length; ++i) {
        is_white = is_white && settings_.is_white(codes[i]);
        hash = run.longer(mixed(codes[i]));
      }
      codes += length;
      if (is_white) continue;
      keys_.push_back(key_of(hash) | kWordBit);
      if (before != 0 && settings_.most_words > 1) {
        keys_.push_back(key_of(before * kPair + hash) | kWordBit);
      }
      before = hash;
    }
  }

  const Settings& settings_;
  std::vector<std::uint32_t> signs_, keys_;
  std::vector<std::uint64_t> values_;
};

// Rows, keys and counts of the distinct n-grams of texts that stand one behind the other.
auto ngram_features(InputVector<std::uint32_t> codes, InputVector<std::int64_t> text_lengths,
                    InputVector<std::int64_t> word_lengths, InputVector<std::int64_t> num_words,
                    InputVector<std::uint8_t> white, std::size_t most_characters,
                    std::size_t most_words) {
  Found found;
  {
    nb::gil_scoped_release unlocked;
    const Settings settings{white.data(), white.size(), most_characters, most_words};
    Counter counter(settings);
    const std::uint32_t* text = codes.data();
    const std::int64_t* words = word_lengths.data();
    for (std::size_t row = 0; row < text_lengths.size(); ++row) {
      const auto size = static_cast<std::size_t>(text_lengths.data()[row]);
      const auto count = static_cast<std::size_t>(num_words.data()[row]);
      counter.count({text, size}, words, count, static_cast<std::int64_t>(row), found);
      text += size;
      words += count;
    }
  }
  return nb::make_tuple(as_array(std::move(found.rows)), as_array(std::move(found.keys)),
                        as_array(std::move(found.counts)));
}

}  // namespace

void define_ngram_features(nb::module_& module) {
  module.def("ngram_features", &ngram_features, nb::arg("codes"), nb::arg("text_lengths"),
             nb::arg("word_lengths"), nb::arg("num_words"), nb::arg("white"),
             nb::arg("most_characters"), nb::arg("most_words"));
}
