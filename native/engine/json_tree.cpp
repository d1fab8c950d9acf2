#include "json_tree.h"

#include "utf8.h"

namespace engine {
namespace {

bool same(Text a, Text b) {
  return a.size == b.size && (a.size == 0 || __builtin_memcmp(a.data, b.data, a.size) == 0);
}

bool append(Growing<char>& to, Text text) {
  for (std::size_t i = 0; i < text.size; ++i) {
    if (!to.push(text.data[i])) return false;
  }
  return true;
}

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

}  // namespace

bool JsonTree::read(Text source) {
  source_ = source;
  place_ = 0;
  values_.clear();
  letters_.clear();
  if (source.size > kLongest || !values_.push({})) return false;
  if (value(0) == 0) return false;
  skip();
  return place_ == source_.size;
}

void JsonTree::skip() {
  while (place_ < source_.size) {
    const char letter = source_.data[place_];
    if (letter != ' ' && letter != '\n' && letter != '\r' && letter != '\t') return;
    ++place_;
  }
}

bool JsonTree::take(char letter) {
  skip();
  if (place_ >= source_.size || source_.data[place_] != letter) return false;
  ++place_;
  return true;
}

bool JsonTree::is_next(const char* word) {
  const std::size_t size = __builtin_strlen(word);
  if (source_.size - place_ < size || __builtin_memcmp(source_.data + place_, word, size) != 0) {
    return false;
  }
  place_ += size;
  return true;
}

// The place of a value, 0 where there is none.
std::uint32_t JsonTree::value(int depth) {
  skip();
  if (depth > kDeepest || place_ >= source_.size || values_.size() > kMostValues) return 0;
  const auto place = static_cast<std::uint32_t>(values_.size());
  Value found{};
  if (!values_.push(found)) return 0;
  bool is_read = true;
  if (take('{')) {
    found.kind = Kind::kObject;
  } else if (take('[')) {
    found.kind = Kind::kArray;
  } else if (take('"')) {
    found.kind = Kind::kString;
    is_read = string(found.begin, found.size);
  } else if (is_next("null")) {
    found.kind = Kind::kNull;
  } else if (is_next("false")) {
    found.kind = Kind::kFalse;
  } else if (is_next("true")) {
    found.kind = Kind::kTrue;
  } else {
    is_read = number(found);
  }
  values_[place] = found;
  const bool is_object = found.kind == Kind::kObject;
  if (is_object || found.kind == Kind::kArray) is_read = members(place, is_object, depth);
  return is_read ? place : 0;
}

// Of members of the same name the last one counts, at the place of the first.
bool JsonTree::members(std::uint32_t place, bool is_object, int depth) {
  const char end = is_object ? '}' : ']';
  if (take(end)) return true;
  std::uint32_t last = 0;
  do {
    std::uint32_t begin = 0, size = 0;
    if (is_object && !(take('"') && string(begin, size) && take(':'))) return false;
    const std::uint32_t inner = value(depth + 1);
    if (inner == 0) return false;
    values_[inner].name_begin = begin;
    values_[inner].name_size = size;
    std::uint32_t other = is_object ? values_[place].first : 0;
    while (other != 0 && !same(name(values_[other]), name(values_[inner]))) {
      other = values_[other].next;
    }
    if (other != 0) {
      const std::uint32_t next = values_[other].next;
      values_[other] = values_[inner];
      values_[other].next = next;
      continue;
    }
    (last == 0 ? values_[place].first : values_[last].next) = inner;
    last = inner;
    ++values_[place].count;
  } while (take(','));
  return take(end);
}

bool JsonTree::string(std::uint32_t& begin, std::uint32_t& size) {
  begin = static_cast<std::uint32_t>(letters_.size());
  while (place_ < source_.size) {
    const CodePoint point = code_point_at(source_, place_);
    if (!point.is_valid || point.code < 0x20) return false;
    place_ += point.size;
    if (point.code == '"') {
      size = static_cast<std::uint32_t>(letters_.size()) - begin;
      return true;
    }
    if (!(point.code == '\\' ? escaped() : put_code(point.code))) return false;
  }
  return false;
}

bool JsonTree::escaped() {
  if (place_ >= source_.size) return false;
  switch (source_.data[place_++]) {
    case '"': return letters_.push('"');
    case '\\': return letters_.push('\\');
    case '/': return letters_.push('/');
    case 'b': return letters_.push('\b');
    case 'f': return letters_.push('\f');
    case 'n': return letters_.push('\n');
    case 'r': return letters_.push('\r');
    case 't': return letters_.push('\t');
    case 'u': break;
    default: return false;
  }
  std::uint32_t code, second;
  if (!hex(code)) return false;
  if (code < 0xD800 || code > 0xDFFF) return put_code(code);
  // Half characters come in twos; alone they are no text.
  if (code > 0xDBFF || !is_next("\\u") || !hex(second) || second < 0xDC00 || second > 0xDFFF) {
    return false;
  }
  return put_code(0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00));
}

bool JsonTree::hex(std::uint32_t& code) {
  code = 0;
  for (int i = 0; i < 4; ++i, ++place_) {
    if (place_ >= source_.size) return false;
    const char letter = source_.data[place_], lower = static_cast<char>(letter | 0x20);
    if (is_digit(letter)) code = code << 4 | static_cast<std::uint32_t>(letter - '0');
    else if (lower >= 'a' && lower <= 'f') code = code << 4 | static_cast<std::uint32_t>(lower - 'a' + 10);
    else return false;
  }
  return true;
}

bool JsonTree::put_code(std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { return letters_.push(static_cast<char>(byte)); };
  const auto more = [&](int shift) { return put(0x80u | (code >> shift & 0x3Fu)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) return put(0xC0u | code >> 6) && more(0);
  if (code < 0x10000) return put(0xE0u | code >> 12) && more(6) && more(0);
  return put(0xF0u | code >> 18) && more(12) && more(6) && more(0);
}

bool JsonTree::has_digits() {
  const std::size_t begin = place_;
  while (place_ < source_.size && is_digit(source_.data[place_])) ++place_;
  return place_ > begin;
}

bool JsonTree::number(Value& value) {
  const std::size_t begin = place_;
  value.kind = Kind::kNumber;
  is_next("-");
  if (!is_next("0") && !has_digits()) return false;
  if (is_next(".") && !has_digits()) return false;
  if (is_next("e") || is_next("E")) {
    if (!is_next("-")) is_next("+");
    if (!has_digits()) return false;
  }
  value.begin = static_cast<std::uint32_t>(letters_.size());
  value.size = static_cast<std::uint32_t>(place_ - begin);
  return append(letters_, {source_.data + begin, value.size});
}

const JsonTree::Value* JsonTree::member(const Value& object, const char* wanted) const {
  for (std::uint32_t i = object.first; i != 0; i = values_[i].next) {
    if (name(values_[i]).is(wanted)) return &values_[i];
  }
  return nullptr;
}

bool JsonTree::count(const Value& value, std::uint32_t& found) const {
  if (value.kind != Kind::kNumber) return false;
  constexpr std::uint32_t kMost = 1'000'000'000;
  std::uint64_t whole = 0;
  const Text digits = text(value);
  for (std::size_t i = 0; i < digits.size; ++i) {
    if (!is_digit(digits.data[i])) return false;
    whole = whole > kMost ? whole : whole * 10 + static_cast<std::uint64_t>(digits.data[i] - '0');
  }
  found = whole > kMost ? kMost : static_cast<std::uint32_t>(whole);
  return true;
}

bool JsonTree::write_string(Text text, Growing<char>& to) {
  constexpr char kHex[] = "0123456789abcdef", kNamed[] = "\"\\\b\f\n\r\t", kNames[] = "\"\\bfnrt";
  if (!to.push('"')) return false;
  for (std::size_t i = 0; i < text.size; ++i) {
    const char letter = text.data[i];
    std::size_t named = 0;
    while (named < 7 && kNamed[named] != letter) ++named;
    const auto byte = static_cast<unsigned char>(letter);
    const char code[] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15u]};
    const char name[] = {'\\', kNames[named]};
    if (!(named < 7     ? append(to, {name, 2})
          : byte < 0x20 ? append(to, {code, 6})
                        : to.push(letter))) {
      return false;
    }
  }
  return to.push('"');
}

// As Python's repr: a decimal number of at most 15 digits is the shortest one of its float.
bool JsonTree::write_real(Text text, Growing<char>& to) const {
  char digits[16];
  std::size_t count = 0, place = 0;
  long point = 0, exponent = 0;
  bool is_behind = false;
  const bool is_negative = text.data[0] == '-';
  for (place = is_negative ? 1 : 0; place < text.size && (text.data[place] | 0x20) != 'e'; ++place) {
    const char letter = text.data[place];
    if (letter == '.') {
      is_behind = true;
      continue;
    }
    if (count == 0 && letter == '0') {
      point -= is_behind;
      continue;
    }
    if (count == 15 && letter != '0') return false;
    point += !is_behind;
    if (count < 15) digits[count++] = letter;
  }
  bool is_small = false;
  for (++place; place < text.size; ++place) {
    if (text.data[place] == '-') is_small = true;
    if (is_digit(text.data[place]) && exponent < 100'000) {
      exponent = exponent * 10 + (text.data[place] - '0');
    }
  }
  while (count > 0 && digits[count - 1] == '0') --count;
  point = count == 0 ? 1 : point + (is_small ? -exponent : exponent);
  if (count == 0) digits[count++] = '0';
  if (point < -290 || point > 300) return false;
  bool is_done = !is_negative || to.push('-');
  const auto zeros = [&](long many) {
    for (; many > 0; --many) is_done = is_done && to.push('0');
  };
  const auto put = [&](std::size_t first, std::size_t last) {
    for (; first < last; ++first) is_done = is_done && to.push(digits[first]);
  };
  const auto whole = static_cast<long>(count);
  if (point > 16 || point < -3) {
    put(0, 1);
    if (count > 1) is_done = is_done && to.push('.'), put(1, count);
    long power = point - 1;
    is_done = is_done && to.push('e') && to.push(power < 0 ? '-' : '+');
    if (power < 0) power = -power;
    if (power >= 100) is_done = is_done && to.push(static_cast<char>('0' + power / 100));
    return is_done && to.push(static_cast<char>('0' + power / 10 % 10)) &&
           to.push(static_cast<char>('0' + power % 10));
  }
  if (point <= 0) {
    is_done = is_done && append(to, {"0.", 2});
    zeros(-point);
    put(0, count);
  } else if (whole <= point) {
    put(0, count);
    zeros(point - whole);
    is_done = is_done && append(to, {".0", 2});
  } else {
    put(0, static_cast<std::size_t>(point));
    is_done = is_done && to.push('.');
    put(static_cast<std::size_t>(point), count);
  }
  return is_done;
}

bool JsonTree::write(const Value& value, Growing<char>& to) const {
  const Text letters = text(value);
  switch (value.kind) {
    case Kind::kNull: return append(to, {"null", 4});
    case Kind::kFalse: return append(to, {"false", 5});
    case Kind::kTrue: return append(to, {"true", 4});
    case Kind::kString: return write_string(letters, to);
    case Kind::kNumber:
      for (std::size_t i = 0; i < letters.size; ++i) {
        const char letter = letters.data[i];
        if (letter == '.' || letter == 'e' || letter == 'E') return write_real(letters, to);
      }
      return letters.is("-0") ? to.push('0') : append(to, letters);
    default: break;
  }
  const bool is_object = value.kind == Kind::kObject;
  if (!to.push(is_object ? '{' : '[')) return false;
  for (std::uint32_t i = value.first; i != 0; i = values_[i].next) {
    if (i != value.first && !to.push(',')) return false;
    if (is_object && !(write_string(name(values_[i]), to) && to.push(':'))) return false;
    if (!write(values_[i], to)) return false;
  }
  return to.push(is_object ? '}' : ']');
}

}  // namespace engine
