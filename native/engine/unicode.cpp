#include "unicode.h"

#include "letters.h"
#include "searching.h"
#include "unicode_classes.h"
#include "utf8.h"

namespace engine {
namespace {

constexpr std::uint32_t kDottedI = 0x130;  // whose small letter is an i and a dot
constexpr std::uint32_t kDot = 0x307, kSigma = 0x3A3, kSmallSigma = 0x3C3, kFinalSigma = 0x3C2;
constexpr std::uint32_t kReplacement = 0xFFFD;

template <std::size_t kCount>
bool is_within(std::uint32_t code, const std::uint32_t (&ranges)[kCount][2]) {
  return CodeRanges{ranges, kCount}.has(code);
}

bool is_plain_letter(std::uint32_t code) { return (code | 0x20u) >= 'a' && (code | 0x20u) <= 'z'; }

bool is_cased(std::uint32_t code) {
  return code < 0x80 ? is_plain_letter(code) : is_within(code, kCased);
}

bool is_ignorable(std::uint32_t code) {
  if (code >= 0x80) return is_within(code, kIgnorable);
  return code == '\'' || code == '.' || code == ':' || code == '^' || code == '`';
}

// Unicode's rule of the final sigma: behind a letter and before none.
bool is_final(const std::uint32_t* codes, std::size_t count, std::size_t place) {
  std::size_t before = place, after = place + 1;
  while (before > 0 && is_ignorable(codes[before - 1])) --before;
  if (before == 0 || !is_cased(codes[before - 1])) return false;
  while (after < count && is_ignorable(codes[after])) ++after;
  return after == count || !is_cased(codes[after]);
}

}  // namespace

bool is_letter(std::uint32_t code) {
  return code < 0x80 ? is_plain_letter(code) : letters().has(code);
}

bool is_number(std::uint32_t code) {
  return code < 0x80 ? code >= '0' && code <= '9' : numbers().has(code);
}

bool is_decimal(std::uint32_t code) {
  return code < 0x80 ? code >= '0' && code <= '9' : digits().has(code);
}

bool is_capital(std::uint32_t code) {
  return code < 0x80 ? code >= 'A' && code <= 'Z' : is_within(code, kCapitals);
}

bool is_mark(std::uint32_t code) { return code >= 0x80 && is_within(code, kMarks); }

bool is_punctuation(std::uint32_t code) {
  if (code >= 0x80) return is_within(code, kPunctuation);
  // Of ASCII all signs but $ + < = > ^ ` | ~.
  const bool is_sign = code > 0x20 && code < 0x7F && !is_plain_letter(code) && !is_number(code);
  return is_sign && code != '$' && code != '+' && !(code >= '<' && code <= '>') && code != '^' &&
         code != '`' && code != '|' && code != '~';
}

bool is_white(std::uint32_t code) {
  return (code >= 9 && code <= 13) || (code >= 0x1C && code <= 0x20) || code == 0x85 ||
         code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

std::uint32_t small(std::uint32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 0x20 : code;
  // The last run that begins at the code or before it.
  const auto wanted = static_cast<std::int32_t>(code);
  const std::size_t low = first_place(0, sizeof kSmall / sizeof kSmall[0], [&](std::size_t place) {
    return kSmall[place][0] > wanted;
  });
  if (low == 0) return code;
  const std::int32_t* run = kSmall[low - 1];
  const bool is_in = wanted <= run[1] && (wanted - run[0]) % run[2] == 0;
  return is_in ? static_cast<std::uint32_t>(wanted + run[3]) : code;
}

std::uint32_t narrow(std::uint32_t code) {
  const bool is_wide = (code >= 0xFF10 && code <= 0xFF19) || (code >= 0xFF21 && code <= 0xFF3A) ||
                       (code >= 0xFF41 && code <= 0xFF5A);
  return is_wide ? code - 0xFEE0 : code;
}

bool decode(Text text, Codes& codes) {
  for (std::size_t place = 0; place < text.size;) {
    const CodePoint point = code_point_at(text, place);
    if (!codes.push(point.is_valid ? point.code : kReplacement)) return false;
    place += point.size;
  }
  return true;
}

bool encode(const std::uint32_t* codes, std::size_t count, Growing<char>& text) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t code = codes[i];
    const auto tail = [&](unsigned shift) {
      return text.push(static_cast<char>(0x80u | (code >> shift & 0x3Fu)));
    };
    bool is_done;
    if (code < 0x80) {
      is_done = text.push(static_cast<char>(code));
    } else if (code < 0x800) {
      is_done = text.push(static_cast<char>(0xC0u | code >> 6)) && tail(0);
    } else if (code < 0x10000) {
      is_done = text.push(static_cast<char>(0xE0u | code >> 12)) && tail(6) && tail(0);
    } else {
      is_done = text.push(static_cast<char>(0xF0u | code >> 18)) && tail(12) && tail(6) && tail(0);
    }
    if (!is_done) return false;
  }
  return true;
}

bool is_ascii_word(std::uint32_t code) {
  return code < 0x80 && (is_letter(code) || is_number(code));
}

bool lowered(const std::uint32_t* codes, std::size_t count, Codes& small_codes) {
  bool is_longer = false;
  for (std::size_t i = 0; i < count; ++i) is_longer = is_longer || codes[i] == kDottedI;
  for (std::size_t i = 0; i < count; ++i) {
    const bool ends = codes[i] == kSigma && !is_longer && is_final(codes, count, i);
    if (!small_codes.push(ends ? kFinalSigma : small(codes[i]))) return false;
  }
  return true;
}

bool uncased(const std::uint32_t* codes, std::size_t count, Codes& read) {
  if (count == 0) return true;
  const auto is_leading = [](std::uint32_t code) {
    return code == ' ' || code == '\t' || code == '\r' || code == '\n' || code == 0xA0 ||
           code == 0x3000;
  };
  std::size_t place = 0;
  while (place < count && is_leading(codes[place])) ++place;
  if (!read.push(' ')) return false;
  for (; place < count; ++place) {
    if (codes[place] == kDottedI) {
      if (!read.push('i') || !read.push(kDot)) return false;
    } else if (!read.push(codes[place] == kSigma ? kSmallSigma : small(codes[place]))) {
      return false;
    }
  }
  return true;
}

}  // namespace engine
