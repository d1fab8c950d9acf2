// The distinct n-grams of texts (the twin of text/ngram_features.py): every n-gram a 32-bit key.
#include "arrays.h"

#include "engine/ngram_keys.h"

#include <algorithm>

namespace {

using namespace ngram_keys;

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
