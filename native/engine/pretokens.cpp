#include "pretokens.h"

#include "unicode_classes.h"
#include "utf8.h"

namespace engine {
namespace {

enum class Class { kLetter, kNumber, kSpace, kOther, kEnd };

struct Sign {
  std::uint32_t code;
  std::size_t size;
  Class kind;
};

bool is_space(std::uint32_t code) {
  return (code >= 9 && code <= 13) || code == 0x20 || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

Class class_of(std::uint32_t code) {
  if (code < 0x80) {
    const std::uint32_t lower = code | 0x20u;
    if (lower >= 'a' && lower <= 'z') return Class::kLetter;
    if (code >= '0' && code <= '9') return Class::kNumber;
    return is_space(code) ? Class::kSpace : Class::kOther;
  }
  if (is_space(code)) return Class::kSpace;
  if (letters().has(code)) return Class::kLetter;
  return numbers().has(code) ? Class::kNumber : Class::kOther;
}

Sign sign_at(Text text, std::size_t place) {
  if (place >= text.size) return {0, 0, Class::kEnd};
  const CodePoint point = code_point_at(text, place);
  return {point.code, point.size, point.is_valid ? class_of(point.code) : Class::kOther};
}

bool is_line_end(const Sign& sign) {
  return sign.kind == Class::kSpace && (sign.code == '\r' || sign.code == '\n');
}

template <class Condition>
std::size_t run(Text text, std::size_t place, const Condition& holds) {
  for (Sign sign = sign_at(text, place); sign.kind != Class::kEnd && holds(sign);
       sign = sign_at(text, place)) {
    place += sign.size;
  }
  return place;
}

// 's 't 're 've 'm 'll 'd, in either case; the long s is an s without case.
std::size_t contraction(Text text, std::size_t place) {
  const Sign first = sign_at(text, place + 1);
  if (first.code == 0x17F) return 1 + first.size;
  if (first.kind != Class::kLetter || first.code >= 0x80) return 0;
  const std::uint32_t one = first.code | 0x20u;
  if (one == 's' || one == 't' || one == 'm' || one == 'd') return 2;
  const Sign second = sign_at(text, place + 2);
  if (second.kind != Class::kLetter || second.code >= 0x80) return 0;
  const std::uint32_t two = second.code | 0x20u;
  const bool is_one = (one == 'r' && two == 'e') || (one == 'v' && two == 'e') ||
                      (one == 'l' && two == 'l');
  return is_one ? 3 : 0;
}

std::size_t spaces(Text text, std::size_t place) {
  const auto is_white = [](const Sign& sign) { return sign.kind == Class::kSpace; };
  const std::size_t end = run(text, place, is_white);
  // Up to the last line end among them.
  std::size_t after_line = 0, last = place;
  for (std::size_t at = place; at < end;) {
    const Sign sign = sign_at(text, at);
    last = at;
    at += sign.size;
    if (is_line_end(sign)) after_line = at;
  }
  if (after_line != 0) return after_line - place;
  // All but the last one, which belongs to what follows; a single one stands alone.
  if (end < text.size && last > place) return last - place;
  return end - place;
}

}  // namespace

std::size_t pretoken_at(Text text, std::size_t place) {
  const auto is_letter = [](const Sign& sign) { return sign.kind == Class::kLetter; };
  const Sign first = sign_at(text, place), second = sign_at(text, place + first.size);
  if (first.kind == Class::kOther && first.code == '\'') {
    if (const std::size_t size = contraction(text, place)) return size;
  }
  if (is_letter(first)) return run(text, place, is_letter) - place;
  const bool may_lead = first.kind != Class::kNumber && !is_line_end(first);
  if (may_lead && is_letter(second)) return run(text, place + first.size, is_letter) - place;
  if (first.kind == Class::kNumber) return first.size;
  const bool is_blank = first.kind == Class::kSpace && first.code == ' ';
  const std::size_t begin = is_blank && second.kind == Class::kOther ? place + 1 : place;
  if (begin != place || first.kind == Class::kOther) {
    const std::size_t end =
        run(text, begin, [](const Sign& sign) { return sign.kind == Class::kOther; });
    return run(text, end, is_line_end) - place;
  }
  return spaces(text, place);
}

}  // namespace engine
