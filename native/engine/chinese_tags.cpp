#include "chinese_tags.h"

#include "searching.h"

namespace engine {
namespace {

constexpr double kNever = -3.14e100;
constexpr std::uint16_t kNobody = 0xFFFF;
constexpr std::uint8_t kEscape = 15;

bool copy_doubles(const ArrayFile& file, const char* name, Room<double>& values) {
  Array array;
  if (!file.find(name, 'f', 8, array) || !values.make(array.count)) return false;
  __builtin_memcpy(values.data(), array.data, array.count * sizeof(double));
  return true;
}

bool is_ascii_digit(std::uint32_t code) { return code >= '0' && code <= '9'; }

std::size_t bytes_of(std::uint32_t code) {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

}  // namespace

bool ChineseTags::open(const std::uint8_t* bytes, std::size_t size, ChineseWords& words,
                       Complaint& complaint) {
  ArrayFile file;
  if (!file.open(bytes, size, "chinese-tags", complaint)) return false;
  words_ = &words;
  const bool is_read = read_words(file) && read_signs(file) && read_states(file);
  if (!is_read) words_ = nullptr;
  return is_read || complaint.say("the parts of speech in the file are damaged, or there is not "
                                  "enough memory");
}

bool ChineseTags::read_words(const ArrayFile& file) {
  Array names, tags, rare, kinds, hidden;
  const std::size_t count = words_->num_words();
  if (!file.find("names", 'u', 8, names) || !file.find("word_tags", 'u', 1, tags) ||
      !file.find("rare", 'u', 1, rare) || !file.find("kinds", 'u', 1, kinds) ||
      !file.find("hidden", 'u', 1, hidden) || tags.count != (count + 1) / 2 ||
      kinds.count != kNumKinds || hidden.count != kTags || !names_.make(names.count) ||
      !tags_.make(count) || !alone_.make(count / 4 + 1)) {
    return false;
  }
  __builtin_memcpy(names_.data(), names.data, names.count * sizeof(std::uint64_t));
  std::size_t num_rare = 0;
  for (std::size_t word = 0; word < count; ++word) {
    std::uint8_t tag = tags.data[word / 2] >> 4 * (word % 2) & 15;
    if (tag == kEscape) {
      if (num_rare == rare.count) return false;
      tag = rare.data[num_rare++];
    }
    if (tag >= names.count) return false;
    tags_[word] = tag;
  }
  bool is_known = true;
  for (std::size_t i = 0; i < kNumKinds; ++i) is_known &= (kinds_[i] = kinds.data[i]) < names.count;
  for (std::size_t i = 0; i < kTags; ++i) is_known &= (hidden_[i] = hidden.data[i]) < names.count;
  return is_known;
}

bool ChineseTags::read_signs(const ArrayFile& file) {
  Array signs, counts, states, ranks;
  if (!file.find("signs", 'u', 2, signs) || !file.find("counts", 'u', 1, counts) ||
      !file.find("states", 'u', 1, states) || !file.find("ranks", 'u', 2, ranks) ||
      !copy_doubles(file, "values", values_) || counts.count != signs.count ||
      ranks.count != states.count || !sign_starts_.make(signs.count + 1)) {
    return false;
  }
  std::size_t place = 0;
  for (std::size_t i = 0; i < signs.count; ++i) {
    sign_starts_[i] = static_cast<std::uint32_t>(place);
    place += counts.data[i];
  }
  sign_starts_[signs.count] = static_cast<std::uint32_t>(place);
  if (place != states.count) return false;
  for (std::size_t i = 0; i < ranks.count; ++i) {
    if (ranks.as<std::uint16_t>()[i] >= values_.size()) return false;
  }
  signs_ = signs.as<std::uint16_t>();
  num_signs_ = signs.count;
  states_ = states.data;
  ranks_ = ranks.as<std::uint16_t>();
  return true;
}

bool ChineseTags::read_states(const ArrayFile& file) {
  Array counts, moves;
  if (!copy_doubles(file, "begins", begins_) || !copy_doubles(file, "move_values", move_values_) ||
      !file.find("move_counts", 'u', 1, counts) || !file.find("moves", 'u', 1, moves) ||
      begins_.size() != kStates || counts.count != kStates || moves.count != move_values_.size()) {
    return false;
  }
  std::uint32_t place = 0;
  for (std::size_t state = 0; state < kStates; ++state) {
    move_starts_[state] = place;
    place += counts.data[state];
  }
  move_starts_[kStates] = place;
  moves_ = moves.data;
  return place == moves.count;
}

ChineseTags::Sign ChineseTags::sign(std::uint32_t code) const {
  const std::size_t low =
      first_place(0, num_signs_, [&](std::size_t place) { return signs_[place] >= code; });
  if (low == num_signs_ || signs_[low] != code) return {nullptr, nullptr, 0};
  const std::size_t begin = sign_starts_[low];
  return {states_ + begin, ranks_ + begin, sign_starts_[low + 1] - begin};
}

bool ChineseTags::tag_of(const std::uint32_t* codes, std::size_t count, std::uint64_t& tag) {
  const std::size_t number = words_->number_of(codes, count);
  std::size_t place = 0;
  if (number != ChineseWords::kNoWord) {
    place = tags_[number];
  } else if (!guess(codes, count, place)) {
    return false;
  }
  tag = names_[place];
  return true;
}

bool ChineseTags::tag_alone(const std::uint32_t* codes, std::size_t count, std::uint64_t& tag) {
  enum : unsigned { kUnasked, kWhole, kCut };
  const std::size_t number = words_->number_of(codes, count);
  const bool is_word = number != ChineseWords::kNoWord;
  unsigned known = kUnasked;
  if (is_word) known = alone_[number / 4] >> 2 * (number % 4) & 3;
  if (known == kUnasked) {
    lengths_.clear();
    if (!words_->cut(codes, count, lengths_)) return false;
    known = lengths_.size() == 1 ? kWhole : kCut;
    if (is_word) alone_[number / 4] |= static_cast<std::uint8_t>(known << 2 * (number % 4));
  }
  tag = 0;
  return known == kCut || tag_of(codes, count, tag);
}

bool ChineseTags::guess(const std::uint32_t* codes, std::size_t count, std::size_t& name) {
  std::size_t num_ascii = 0, num_digits = 0;
  bool is_chinese = false;
  for (std::size_t i = 0; i < count; ++i) {
    num_digits += is_ascii_digit(codes[i]);
    num_ascii += is_ascii_word(codes[i]);
    is_chinese = is_chinese || is_ideograph(codes[i]);
  }
  name = kinds_[num_ascii == 0 ? kNoKind : num_ascii == num_digits ? kNumber : kLatin];
  if (num_ascii > 0 || !is_chinese) return true;
  if (count == 1) {
    name = guess_single(codes[0]);
    return true;
  }
  bool is_possible = true;
  if (!walk(codes, count, is_possible)) return false;
  if (is_possible) name = longest_of_path(codes, count);
  return true;
}

// Of equal states the last one.
std::size_t ChineseTags::guess_single(std::uint32_t code) const {
  const Sign here = sign(code);
  double most = kNever;
  std::size_t name = kinds_[kNoKind];
  for (std::size_t i = 0; i < here.count; ++i) {
    const std::size_t state = here.states[i];
    const double score = begins_[state] + values_[here.ranks[i]];
    if (state / kTags != kSingle || !(score > kNever) || score < most) continue;
    most = score;
    name = hidden_[state % kTags];
  }
  return name;
}

// Viterbi; of equal ways the state with the lower number. Leaves the states in path_.
bool ChineseTags::walk(const std::uint32_t* codes, std::size_t count, bool& is_possible) {
  if (!from_.reserve(count * kStates) || !path_.reserve(count)) return false;
  for (double& score : scores_) score = kNever;
  Sign before = sign(codes[0]);
  for (std::size_t i = 0; i < before.count; ++i) {
    scores_[before.states[i]] = begins_[before.states[i]] + values_[before.ranks[i]];
  }
  for (std::size_t place = 1; place < count; ++place) {
    const Sign here = sign(codes[place]);
    step(place, before, here);
    before = here;
  }
  std::size_t best = kStates;
  double most = kNever;
  for (std::size_t state = kEnd * kTags; state < kStates; ++state) {
    if (scores_[state] > most) {
      most = scores_[state];
      best = state;
    }
  }
  is_possible = best != kStates;
  for (std::size_t place = count; is_possible && place-- > 0;) {
    path_.data()[place] = static_cast<std::uint8_t>(best);
    if (place == 0) break;
    const std::uint16_t from = from_.data()[place * kStates + best];
    is_possible = from != kNobody;
    best = from;
  }
  return true;
}

void ChineseTags::step(std::size_t place, const Sign& before, const Sign& here) {
  std::uint16_t* from = from_.data() + place * kStates;
  double emitted[kStates];
  for (std::size_t state = 0; state < kStates; ++state) {
    next_[state] = emitted[state] = kNever;
    from[state] = kNobody;
  }
  for (std::size_t i = 0; i < here.count; ++i) emitted[here.states[i]] = values_[here.ranks[i]];
  for (std::size_t i = 0; i < before.count; ++i) {
    const std::size_t state = before.states[i];
    const double score = scores_[state];
    if (!(score > kNever)) continue;
    for (std::size_t move = move_starts_[state]; move < move_starts_[state + 1]; ++move) {
      const std::size_t to = moves_[move];
      if (!(move_values_[move] > kNever)) continue;
      const double whole = score + move_values_[move] + emitted[to];
      if (!(whole > next_[to])) continue;
      next_[to] = whole;
      from[to] = static_cast<std::uint16_t>(state);
    }
  }
  __builtin_memcpy(scores_, next_, sizeof scores_);
}

// The part of speech of the path's longest word in bytes; of equal ones of the last.
std::size_t ChineseTags::longest_of_path(const std::uint32_t* codes, std::size_t count) const {
  std::size_t most = 0, name = kinds_[kNoKind], size = 0;
  for (std::size_t place = 0; place < count; ++place) {
    const std::size_t state = path_.data()[place], where = state / kTags;
    size = where == kBegin || where == kSingle ? bytes_of(codes[place]) : size + bytes_of(codes[place]);
    if ((where != kEnd && where != kSingle) || size < most) continue;
    most = size;
    name = hidden_[state % kTags];
  }
  return name;
}

}  // namespace engine
