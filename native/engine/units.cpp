#include "units.h"

namespace engine {
namespace {

using Kind = CharacterKind;

constexpr std::size_t kSoftLimit = 256, kHardLimit = 512;
constexpr std::uint32_t kNumerals[] = {0x3007, 0x96F6, 0x4E00, 0x4E8C, 0x4E09, 0x56DB, 0x4E94,
                                       0x516D, 0x4E03, 0x516B, 0x4E5D, 0x5341, 0x767E, 0x5343,
                                       0x4E07, 0x4EBF, 0x4E24};  // 〇零一二三四五六七八九十百千万亿两
constexpr std::uint32_t kSentenceEnds[] = {0x3002, 0xFF01, 0xFF1F, '!', '?', 0xFF1B, ';', 0x2026};

template <std::size_t kCount>
bool holds(const std::uint32_t (&codes)[kCount], std::uint32_t code) {
  for (const std::uint32_t one : codes) {
    if (one == code) return true;
  }
  return false;
}

bool is_between(std::uint32_t code, std::uint32_t first, std::uint32_t last) {
  return code >= first && code <= last;
}

Kind kind_of(std::uint32_t code) {
  if (is_white(code)) return Kind::kSpace;
  if (holds(kNumerals, code)) return Kind::kNumeral;
  if (is_between(code, 0x3400, 0x9FFF) || is_between(code, 0xF900, 0xFAFF) ||
      is_between(code, 0x20000, 0x3FFFD) || code == 0x3005) {
    return Kind::kHan;
  }
  if (is_between(code, 0x3041, 0x30FF) || is_between(code, 0x31F0, 0x31FF)) return Kind::kKana;
  if (is_between(code, 0xAC00, 0xD7A3) || is_between(code, 0x1100, 0x11FF) ||
      is_between(code, 0x3130, 0x318F)) {
    return Kind::kHangul;
  }
  if (is_capital(code)) return Kind::kUpper;
  if (is_letter(code) || is_mark(code)) return Kind::kLower;
  if (is_number(code)) return Kind::kDigit;
  return is_punctuation(code) ? Kind::kPunctuation : Kind::kSymbol;
}

// 0: no unit; 1: a unit by itself; others form runs.
int run_of(Kind kind) {
  switch (kind) {
    case Kind::kSpace: return 0;
    case Kind::kUpper: case Kind::kLower: return 2;
    case Kind::kDigit: return 3;
    default: return 1;
  }
}

}  // namespace

bool is_cjk(CharacterKind kind) {
  return kind == Kind::kHan || kind == Kind::kKana || kind == Kind::kHangul ||
         kind == Kind::kNumeral;
}

bool Units::cut(Text text, bool joins_runs) {
  codes_.clear();
  read_.clear();
  kinds_.clear();
  units_.clear();
  bounds_.clear();
  return decode(text, codes_) && cut_characters(joins_runs) && cut_chains();
}

bool Units::cut_characters(bool joins_runs) {
  int before = 0;
  for (std::size_t place = 0; place < codes_.size(); ++place) {
    const std::uint32_t code = narrow(codes_[place]);
    const Kind kind = kind_of(code);
    const int run = run_of(kind);
    if (!read_.push(code) || !kinds_.push(kind)) return false;
    if (run > 1 && run == before && joins_runs) {
      units_[units_.size() - 1].end = place + 1;
    } else if (run > 0 && !units_.push({place, place + 1})) {
      return false;
    }
    before = run;
  }
  return true;
}

bool Units::cut_chains() {
  std::size_t first = 0;
  if (!bounds_.push(0)) return false;
  while (size() - first > kSoftLimit) {
    first = end_of_sentence(first);
    if (first < size() && !bounds_.push(first)) return false;
  }
  return bounds_[bounds_.size() - 1] == size() || bounds_.push(size());
}

std::size_t Units::end_of_sentence(std::size_t first) const {
  const std::size_t last = first + kHardLimit < size() ? first + kHardLimit : size();
  for (std::size_t place = first + kSoftLimit; place < last; ++place) {
    if (holds(kSentenceEnds, read_[units_[place - 1].end - 1])) return place;
  }
  return last;
}

}  // namespace engine
