#include "linear_features.h"

#include "angles.h"
#include "ngram_keys.h"
#include "packed.h"

namespace engine {
namespace {

using namespace ngram_keys;

constexpr std::size_t kMostColumns = 1 << 16, kMostCharacters = 64;

// As sparrowlm/text/ngram_features.py folds: one sign for every character.
std::uint32_t folded(std::uint32_t code) {
  const bool is_wide = code >= 0xFF01 && code < 0xFF5F;
  const bool has_case = (code >= 0x41 && code < 0x590) || (code >= 0x10A0 && code < 0x1400) ||
                        (code >= 0x1C80 && code < 0x2190);
  if (is_wide) return small(code - 0xFEE0);
  return has_case ? small(code) : code;
}

// Numbers of float16, or bytes that are even steps between two ends.
bool read_numbers(const ArrayFile& file, const char* name, const char* ends_name,
                  std::size_t count, bool are_powers, Room<float>& numbers) {
  Array array, ends;
  if (file.find(name, 'f', 2, array)) {
    if (array.count != count || !numbers.make(count)) return false;
    for (std::size_t i = 0; i < count; ++i) numbers[i] = from_half(array.as<std::uint16_t>()[i]);
    return true;
  }
  if (!file.find(name, 'u', 1, array) || array.count != count ||
      !file.find(ends_name, 'f', 4, ends) || ends.count != 2 || !numbers.make(count)) {
    return false;
  }
  float low, high;
  __builtin_memcpy(&low, ends.data, sizeof low);
  __builtin_memcpy(&high, ends.data + 4, sizeof high);
  for (std::size_t i = 0; i < count; ++i) {
    const float step = low + (high - low) * (static_cast<float>(array.data[i]) / 255.0f);
    const bool is_in_range = step > -100.0f && step < 100.0f;
    if (!is_in_range) return false;
    numbers[i] = are_powers ? static_cast<float>(power(2.0, static_cast<double>(step))) : step;
  }
  return true;
}

}  // namespace

bool LinearModel::open(const std::uint8_t* bytes, std::size_t size, const Room<Text>& words,
                       ChineseWords* chinese, Complaint& complaint) {
  ArrayFile file;
  if (!file.open(bytes, size, "sparse-linear", complaint)) return false;
  const bool is_read = file.number("most_characters", most_characters_) &&
                       file.number("most_words", most_words_) &&
                       most_characters_ <= kMostCharacters && keys_.open(file, "key") &&
                       read_weights(file) && segmenter_.open(words, chinese);
  return is_read || complaint.say("the n-grams of the file are damaged, or there is not enough "
                                  "memory");
}

bool LinearModel::read_weights(const ArrayFile& file) {
  Array bias;
  if (!file.find("bias", 'f', 4, bias) || bias.count == 0 || bias.count > kMostColumns ||
      !bias_.make(bias.count) || !sums_.make(bias.count)) {
    return false;
  }
  __builtin_memcpy(bias_.data(), bias.data, bias.count * sizeof(float));
  const std::size_t count = keys_.size(), columns = bias.count;
  if (file.find("weights", 'u', 1, weights_)) {
    row_bytes_ = (columns + 1) / 2;
  } else if (file.find("weights", 'i', 1, weights_)) {
    row_bytes_ = columns;
  } else if (file.find("weights", 'f', 4, weights_)) {
    row_bytes_ = columns * sizeof(float);
  } else {
    return false;
  }
  if (weights_.count * weights_.item != count * row_bytes_) return false;
  return read_numbers(file, "idf", "idf.ends", count, false, frequencies_) &&
         (weights_.kind == 'f' ||
          read_numbers(file, "scales", "scales.ends", count, true, scales_));
}

float LinearModel::value(std::size_t place, std::size_t column) const {
  const std::uint8_t* row = weights_.data + place * row_bytes_;
  if (weights_.kind == 'u') {
    const std::uint8_t both = row[column / 2];
    return static_cast<float>((column % 2 == 0 ? both & 15 : both >> 4) - 8);
  }
  if (weights_.kind == 'i') return static_cast<float>(static_cast<std::int8_t>(row[column]));
  float weight;
  __builtin_memcpy(&weight, row + column * sizeof weight, sizeof weight);
  return weight;
}

// A substring may begin or end with a boundary but not hold one inside, nor be one.
bool LinearModel::add_characters() {
  signs_.clear();
  if (!signs_.push(kBoundary)) return false;
  for (std::size_t i = 0; i < folded_.size(); ++i) {
    const bool is_bound = is_white(folded_[i]);
    if (is_bound && signs_[signs_.size() - 1] == kBoundary) continue;
    if (!signs_.push(is_bound ? kBoundary : folded_[i])) return false;
  }
  if (signs_[signs_.size() - 1] != kBoundary && !signs_.push(kBoundary)) return false;
  const std::size_t count = signs_.size();
  for (std::size_t first = 0; first < count; ++first) {
    GrowingRun run;
    const bool begins = signs_[first] == kBoundary;
    for (std::size_t i = first; i < count && i < first + most_characters_; ++i) {
      const std::uint64_t hash = run.longer(mixed(signs_[i]));
      const bool ends = signs_[i] == kBoundary;
      const bool is_empty = begins && (i == first || (i == first + 1 && ends));
      if (!is_empty && !found_.push(key_of(hash) & ~kWordBit)) return false;
      if (ends && i > first) break;
    }
  }
  return true;
}

bool LinearModel::add_words() {
  lengths_.clear();
  if (!segmenter_.cut(folded_.data(), folded_.size(), lengths_)) return false;
  std::uint64_t before = 0;  // no hash is 0
  const std::uint32_t* codes = folded_.data();
  for (std::size_t word = 0; word < lengths_.size(); ++word) {
    GrowingRun run;
    std::uint64_t hash = 0;
    bool is_blank = true;
    for (std::size_t i = 0; i < lengths_[word]; ++i) {
      is_blank = is_blank && is_white(codes[i]);
      hash = run.longer(mixed(codes[i]));
    }
    codes += lengths_[word];
    if (is_blank) continue;
    if (!found_.push(key_of(hash) | kWordBit)) return false;
    if (before != 0 && most_words_ > 1 && !found_.push(key_of(before * kPair + hash) | kWordBit)) {
      return false;
    }
    before = hash;
  }
  return true;
}

// By digits of 8 bits, the lowest first.
bool LinearModel::sort_keys() {
  const std::size_t count = found_.size();
  if (!sorted_.reserve(count)) return false;
  std::uint32_t *from = found_.data(), *to = sorted_.data();
  for (unsigned shift = 0; shift < 32; shift += 8) {
    std::size_t starts[257] = {};
    for (std::size_t i = 0; i < count; ++i) ++starts[(from[i] >> shift & 255) + 1];
    for (std::size_t digit = 0; digit < 256; ++digit) starts[digit + 1] += starts[digit];
    for (std::size_t i = 0; i < count; ++i) to[starts[from[i] >> shift & 255]++] = from[i];
    std::uint32_t* kept = from;
    from = to;
    to = kept;
  }
  return true;
}

bool LinearModel::score(Text text, float* scores) {
  folded_.clear();
  found_.clear();
  known_.clear();
  if (!decode(text, folded_)) return false;
  for (std::size_t i = 0; i < folded_.size(); ++i) folded_[i] = folded(folded_[i]);
  if ((most_characters_ > 0 && !add_characters()) || (most_words_ > 0 && !add_words()) ||
      !sort_keys()) {
    return false;
  }
  double squares[2] = {0.0, 0.0};
  for (std::size_t i = 0; i < found_.size();) {
    const std::uint32_t key = found_[i];
    std::size_t end = i;
    while (end < found_.size() && found_[end] == key) ++end;
    const std::size_t place = keys_.find(key);
    if (place != SortedKeys::kNowhere) {
      const auto log = static_cast<float>(logarithm(static_cast<double>(end - i)));
      const float one = (1.0f + log) * frequencies_[place];
      const bool is_word = (key & kWordBit) != 0;
      squares[is_word] += static_cast<double>(one) * static_cast<double>(one);
      if (!known_.push({place, one, is_word})) return false;
    }
    i = end;
  }
  const float sizes[2] = {static_cast<float>(__builtin_sqrt(squares[0])),
                          static_cast<float>(__builtin_sqrt(squares[1]))};
  const std::size_t columns = num_columns();
  for (std::size_t c = 0; c < columns; ++c) sums_[c] = 0.0f;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    const Known& one = known_[i];
    const float scale = scales_.size() > 0 ? scales_[one.place] : 1.0f;
    const float share = one.value / sizes[one.is_word] * scale;
    for (std::size_t c = 0; c < columns; ++c) sums_[c] += value(one.place, c) * share;
  }
  for (std::size_t c = 0; c < columns; ++c) scores[c] = bias_[c] + sums_[c];
  return true;
}

}  // namespace engine
