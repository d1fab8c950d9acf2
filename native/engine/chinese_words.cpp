#include "chinese_words.h"

#include "searching.h"

namespace engine {
namespace {

constexpr std::uint16_t kNoSymbol = 0xFFFF;
constexpr std::size_t kMostCodes = 1 << 16, kEscape = 255;
constexpr double kLeast = -3.14e100;
constexpr std::int32_t kUnknown = -0x7FFFFFFF - 1;

// What stands in words, whatever the dictionary has.
bool is_wordlike(std::uint32_t code) {
  return is_ideograph(code) || is_ascii_word(code) || code == '+' || code == '#' || code == '&' ||
         code == '.' || code == '_' || code == '%' || code == '-';
}

bool joins_letters(std::uint32_t code) { return code == '.' || code == '_' || code == '-'; }

// What the hidden Markov model knows.
bool is_sign(std::uint32_t code) { return code >= 0x4E00 && code <= 0x9FD5; }

// Without an instruction for it, which not every machine has.
std::size_t ones_of(std::uint64_t word) {
  constexpr std::uint64_t kPairs = 0x5555555555555555u, kFours = 0x3333333333333333u;
  word -= word >> 1 & kPairs;
  word = (word & kFours) + (word >> 2 & kFours);
  return ((word + (word >> 4)) & 0x0F0F0F0F0F0F0F0Fu) * 0x0101010101010101u >> 56;
}

// Counts the bits before every word.
bool count_bits(const Room<std::uint64_t>& bits, Room<std::uint32_t>& before, std::size_t& total) {
  if (!before.make(bits.size())) return false;
  total = 0;
  for (std::size_t word = 0; word < bits.size(); ++word) {
    before[word] = static_cast<std::uint32_t>(total);
    total += ones_of(bits[word]);
  }
  return true;
}

bool copy_bits(const std::uint8_t* bytes, std::size_t num_bits, Room<std::uint64_t>& bits) {
  if (!bits.make(num_bits / 64 + 1)) return false;
  __builtin_memcpy(bits.data(), bytes, (num_bits + 7) / 8);
  const std::uint64_t mask = (std::uint64_t{1} << num_bits % 64) - 1;
  bits[num_bits / 64] &= mask;
  return true;
}

std::size_t bits_before(const Room<std::uint64_t>& bits, const Room<std::uint32_t>& counts,
                        std::size_t place) {
  const std::uint64_t mask = (std::uint64_t{1} << place % 64) - 1;
  return counts[place / 64] + ones_of(bits[place / 64] & mask);
}

}  // namespace

bool is_ideograph(std::uint32_t code) {
  return (code >= 0x3400 && code <= 0x4DBF) || (code >= 0x4E00 && code <= 0x9FFF) ||
         (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x20000 && code <= 0x2A6DF) ||
         (code >= 0x2A700 && code <= 0x2EBEF) || (code >= 0x2F800 && code <= 0x2FA1F);
}

bool ChineseWords::open(const std::uint8_t* bytes, std::size_t size, Complaint& complaint) {
  ArrayFile file;
  if (!file.open(bytes, size, "chinese-words", complaint)) return false;
  const bool is_read = read_tree(file) && read_frequencies(file) && read_hidden(file);
  if (!is_read) num_nodes_ = 0;
  return is_read || complaint.say("the dictionary of Chinese words in the file is damaged, or "
                                  "there is not enough memory");
}

bool ChineseWords::read_tree(const ArrayFile& file) {
  Array chars, symbols, lasts, parents, words;
  if (!file.find("chars", 'u', 2, chars) || !file.find("symbols", 'u', 2, symbols) ||
      !file.find("lasts", 'u', 1, lasts) || !file.find("parents", 'u', 1, parents) ||
      !file.find("words", 'u', 1, words)) {
    return false;
  }
  const std::size_t count = symbols.count, num_bytes = (count + 7) / 8;
  if (count == 0 || chars.count >= kNoSymbol || lasts.count < num_bytes ||
      parents.count < num_bytes || words.count < num_bytes || !symbol_of_.make(kMostCodes)) {
    return false;
  }
  for (std::size_t code = 0; code < kMostCodes; ++code) symbol_of_[code] = kNoSymbol;
  for (std::size_t i = 0; i < chars.count; ++i) {
    symbol_of_[chars.as<std::uint16_t>()[i]] = static_cast<std::uint16_t>(i);
  }
  symbols_ = symbols.as<std::uint16_t>();
  num_nodes_ = count;
  std::size_t num_parents, group = 0;
  if (!copy_bits(parents.data, count, parents_) || !copy_bits(words.data, count, words_) ||
      !count_bits(parents_, parent_counts_, num_parents) ||
      !count_bits(words_, word_counts_, num_words_) || !group_starts_.make(num_parents + 2) ||
      !firsts_.make(chars.count)) {
    return false;
  }
  for (std::size_t node = 0; node < count; ++node) {
    if ((lasts.data[node / 8] >> node % 8 & 1) == 0) continue;
    if (group > num_parents) return false;
    group_starts_[++group] = static_cast<std::uint32_t>(node + 1);
  }
  if (group != num_parents + 1) return false;
  for (std::size_t node = 0; node < group_starts_[1]; ++node) {
    if (symbols_[node] >= chars.count) return false;
    firsts_[symbols_[node]] = static_cast<std::uint32_t>(node + 1);
  }
  return true;
}

bool ChineseWords::read_frequencies(const ArrayFile& file) {
  Array ranks, rare, logs, total;
  if (!file.find("ranks", 'u', 1, ranks) || !file.find("rare", 'u', 2, rare) ||
      !file.find("logs", 'f', 8, logs) || !file.find("log_total", 'f', 8, total) ||
      ranks.count != num_words_ || total.count != 1 || !ranks_.make(num_words_) ||
      !logs_.make(logs.count)) {
    return false;
  }
  __builtin_memcpy(logs_.data(), logs.data, logs.count * sizeof(double));
  __builtin_memcpy(&log_total_, total.data, sizeof log_total_);
  std::size_t num_rare = 0;
  for (std::size_t word = 0; word < num_words_; ++word) {
    std::uint16_t rank = ranks.data[word];
    if (rank == kEscape) {
      if (num_rare == rare.count) return false;
      rank = rare.as<std::uint16_t>()[num_rare++];
    }
    if (rank >= logs.count) return false;
    ranks_[word] = rank;
  }
  return true;
}

bool ChineseWords::read_hidden(const ArrayFile& file) {
  Array signs, emissions, begins, moves;
  if (!file.find("signs", 'u', 2, signs) || !file.find("emissions", 'i', 4, emissions) ||
      !file.find("begins", 'f', 8, begins) || !file.find("moves", 'f', 8, moves) ||
      emissions.count != kStates * signs.count || begins.count != kStates ||
      moves.count != kStates * kStates || !emissions_.make(emissions.count)) {
    return false;
  }
  signs_ = signs.as<std::uint16_t>();
  num_signs_ = signs.count;
  __builtin_memcpy(emissions_.data(), emissions.data, emissions.count * sizeof(std::int32_t));
  __builtin_memcpy(begins_, begins.data, sizeof begins_);
  __builtin_memcpy(moves_, moves.data, sizeof moves_);
  return true;
}

bool ChineseWords::step(std::size_t& node, std::uint32_t code) const {
  if (code >= kMostCodes || symbol_of_[code] == kNoSymbol) return false;
  const std::uint16_t symbol = symbol_of_[code];
  if (node == kRoot) {
    const std::uint32_t first = firsts_[symbol];
    node = first - 1;
    return first != 0;
  }
  if (!bit(parents_, node)) return false;
  const std::size_t group = 1 + bits_before(parents_, parent_counts_, node);
  const std::size_t end = group_starts_[group + 1];
  node = first_place(group_starts_[group], end,
                     [&](std::size_t place) { return symbols_[place] >= symbol; });
  return node < end && symbols_[node] == symbol;
}

double ChineseWords::log_of(std::size_t node) const {
  return logs_[ranks_[bits_before(words_, word_counts_, node)]];
}

std::size_t ChineseWords::number_of(const std::uint32_t* codes, std::size_t count) const {
  std::size_t node = kRoot;
  for (std::size_t i = 0; i < count; ++i) {
    if (!step(node, codes[i])) return kNoWord;
  }
  return count > 0 && bit(words_, node) ? bits_before(words_, word_counts_, node) : kNoWord;
}

bool ChineseWords::cut(const std::uint32_t* codes, std::size_t count, Lengths& words) {
  for (std::size_t place = 0; place < count;) {
    const std::size_t length = run(codes + place, count - place, is_wordlike);
    if (length > 0) {
      if (!cut_block(codes + place, length, words)) return false;
      place += length;
      continue;
    }
    const bool ends_line = codes[place] == '\r' && place + 1 < count && codes[place + 1] == '\n';
    if (!words.push(ends_line ? 2 : 1)) return false;
    place += ends_line ? 2 : 1;
  }
  return true;
}

// The path of the highest product of frequencies; of equal ones the longer first word.
bool ChineseWords::cut_block(const std::uint32_t* codes, std::size_t count, Lengths& words) {
  if (!steps_.reserve(count + 1)) return false;
  Step* steps = steps_.data();
  steps[count] = {0.0, 0};
  for (std::size_t place = count; place-- > 0;) {
    bool is_known = false;
    words_at(codes + place, count - place, [&](std::size_t length, std::size_t node) {
      const double score = log_of(node) - log_total_ + steps[place + length].score;
      if (!is_known || score >= steps[place].score) steps[place] = {score, place + length};
      is_known = true;
    });
    if (!is_known) steps[place] = {0.0 - log_total_ + steps[place + 1].score, place + 1};
  }
  // Single characters side by side may be a word that nobody knows.
  for (std::size_t place = 0; place < count;) {
    std::size_t end = place;
    while (end < count && steps[end].end == end + 1) ++end;
    if (end > place) {
      if (!cut_run(codes + place, end - place, words)) return false;
      place = end;
      continue;
    }
    if (!words.push(steps[place].end - place)) return false;
    place = steps[place].end;
  }
  return true;
}

bool ChineseWords::cut_run(const std::uint32_t* codes, std::size_t count, Lengths& words) {
  if (count > 1 && number_of(codes, count) == kNoWord) return cut_unknown(codes, count, words);
  for (std::size_t i = 0; i < count; ++i) {
    if (!words.push(1)) return false;
  }
  return true;
}

bool ChineseWords::cut_unknown(const std::uint32_t* codes, std::size_t count, Lengths& words) {
  for (std::size_t place = 0; place < count;) {
    const bool are_signs = is_sign(codes[place]);
    const std::size_t length = run(codes + place, count - place, [&](std::uint32_t code) {
      return is_sign(code) == are_signs;
    });
    const bool is_done = are_signs ? cut_signs(codes + place, length, words)
                                   : cut_others(codes + place, length, words);
    if (!is_done) return false;
    place += length;
  }
  return true;
}

// [a-zA-Z0-9]+(?:[._-][a-zA-Z0-9]+)*%? and what stands between.
bool ChineseWords::cut_others(const std::uint32_t* codes, std::size_t count, Lengths& words) {
  for (std::size_t place = 0; place < count;) {
    const std::uint32_t* here = codes + place;
    const std::size_t left = count - place;
    std::size_t length = run(here, left, [](std::uint32_t code) { return !is_ascii_word(code); });
    if (length == 0) {
      length = run(here, left, is_ascii_word);
      while (length < left && joins_letters(here[length])) {
        const std::size_t more = run(here + length + 1, left - length - 1, is_ascii_word);
        if (more == 0) break;
        length += 1 + more;
      }
      if (length < left && here[length] == '%') ++length;
    }
    if (!words.push(length)) return false;
    place += length;
  }
  return true;
}

double ChineseWords::emission(std::uint32_t code, std::size_t state) const {
  const std::size_t low =
      first_place(0, num_signs_, [&](std::size_t place) { return signs_[place] >= code; });
  if (low == num_signs_ || signs_[low] != code) return kLeast;
  const std::int32_t value = emissions_[kStates * low + state];
  return value == kUnknown ? kLeast : static_cast<double>(value) / 1e6;
}

// Viterbi; of equal ways the state with the higher number.
bool ChineseWords::cut_signs(const std::uint32_t* codes, std::size_t count, Lengths& words) {
  static constexpr State kBefore[kStates][2] = {
      {kEnd, kSingle}, {kBegin, kMiddle}, {kBegin, kMiddle}, {kEnd, kSingle}};
  if (count == 1) return words.push(1);
  if (!scores_.reserve(kStates * count) || !from_.reserve(kStates * count) ||
      !path_.reserve(count)) {
    return false;
  }
  double* scores = scores_.data();
  std::uint8_t *from = from_.data(), *path = path_.data();
  for (std::size_t y = 0; y < kStates; ++y) scores[y] = begins_[y] + emission(codes[0], y);
  for (std::size_t t = 1; t < count; ++t) {
    const double* before = scores + kStates * (t - 1);
    for (std::size_t y = 0; y < kStates; ++y) {
      const double shown = emission(codes[t], y);
      const State low = kBefore[y][0], high = kBefore[y][1];
      const double first = before[low] + moves_[low][y] + shown;
      const double second = before[high] + moves_[high][y] + shown;
      const bool is_first = first > second;
      scores[kStates * t + y] = is_first ? first : second;
      from[kStates * t + y] = is_first ? low : high;
    }
  }
  const double* last = scores + kStates * (count - 1);
  path[count - 1] = last[kEnd] > last[kSingle] ? kEnd : kSingle;
  for (std::size_t t = count - 1; t > 0; --t) path[t - 1] = from[kStates * t + path[t]];
  std::size_t begin = 0, done = 0;
  for (std::size_t t = 0; t < count; ++t) {
    if (path[t] == kBegin) begin = t;
    if (path[t] != kEnd && path[t] != kSingle) continue;
    const std::size_t first = path[t] == kSingle ? t : begin;
    if (!words.push(t + 1 - first)) return false;
    done = t + 1;
  }
  return done == count || words.push(count - done);
}

}  // namespace engine
