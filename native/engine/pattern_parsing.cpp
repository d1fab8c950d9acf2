#include "names.h"
#include "pattern.h"
#include "unicode_classes.h"
#include "utf8.h"

namespace engine {
namespace {

using Part = PatternTree::Part;
using Range = PatternTree::Range;

constexpr std::uint32_t kMostRepeats = 1000;
constexpr int kDeepest = 50, kMostQuantifiers = 50;
constexpr std::size_t kLongest = 1 << 16, kMostInClass = 100'000;
constexpr std::uint32_t kNone = 0xFFFFFFFFu;  // the end of the source

bool is_letter_or_number(std::uint32_t code) {
  if (code >= 0x80) return letters().has(code) || numbers().has(code);
  const std::uint32_t lower = code | 0x20u;
  return (code >= '0' && code <= '9') || (lower >= 'a' && lower <= 'z');
}

int hex_value(std::uint32_t code) {
  if (code >= '0' && code <= '9') return static_cast<int>(code - '0');
  const std::uint32_t lower = code | 0x20u;
  return lower >= 'a' && lower <= 'f' ? static_cast<int>(lower - 'a') + 10 : -1;
}

// Reads from left to right; after a refusal everything returns quickly.
class Parser {
 public:
  Parser(Text source, PatternTree& tree, Complaint& complaint)
      : source_(source), tree_(tree), complaint_(complaint) {}

  bool parse(Part& found) {
    if (source_.size > kLongest) return complaint_.say(kTooLarge);
    found = alternatives(0);
    if (!is_wrong_ && next() != kNone) refuse();
    if (!is_wrong_ && !tree_.has_room()) complaint_.say(kTooLarge), is_wrong_ = true;
    return !is_wrong_;
  }

 private:
  std::uint32_t next() {
    if (is_wrong_ || place_ >= source_.size) return kNone;
    const CodePoint point = code_point_at(source_, place_);
    if (!point.is_valid) return refuse(), kNone;
    return point.code;
  }

  std::uint32_t advance() {
    const std::uint32_t code = next();
    if (code == kNone) return refuse();
    place_ += code_point_at(source_, place_).size;
    return code;
  }

  bool take(std::uint32_t wanted) {
    if (next() != wanted) return false;
    advance();
    return true;
  }

  // Names the character of the place; the first refusal stays.
  std::uint32_t refuse() {
    if (is_wrong_) return kNone;
    is_wrong_ = true;
    std::size_t characters = 1;
    for (std::size_t i = 0; i < place_ && i < source_.size; ++i) {
      characters += (static_cast<unsigned char>(source_.data[i]) & 0xC0u) != 0x80u;
    }
    const Name where = Name().add("the pattern cannot be used: see place ").add(characters);
    complaint_.say(where.text(), "; known are characters, classes, groups, | and ? * + {m,n}; ",
                   "whole texts are meant, so leave ^ and $ out");
    return kNone;
  }

  Part alternatives(int depth) {
    if (depth > kDeepest) refuse();
    const std::size_t mark = tree_.mark();
    do {
      tree_.add(sequence(depth));
    } while (take('|'));
    return tree_.choice(mark);
  }

  Part sequence(int depth) {
    const std::size_t mark = tree_.mark();
    for (std::uint32_t code = next(); code != kNone && code != '|' && code != ')'; code = next()) {
      tree_.add(quantified(atom(depth)));
    }
    return tree_.sequence(mark);
  }

  Part atom(int depth) {
    if (take('(')) {
      if (take('?') && !take(':')) refuse();
      if (is_wrong_) return 0;
      const Part inside = alternatives(depth + 1);
      if (!take(')')) refuse();
      return inside;
    }
    if (take('[')) return character_class();
    ranges_.clear();
    if (take('.')) {
      push({'\n', '\n'});
      return tree_.characters(ranges_, true);
    }
    switch (next()) {
      case '|': case ')': case '*': case '+': case '?': case '{': case '}': case '^': case '$':
        return refuse(), 0;
      default:
        return sign() ? tree_.characters(ranges_) : 0;
    }
  }

  // Puts one character or class, behind a backslash or as it is, into ranges_.
  bool sign() {
    std::uint32_t code = advance();
    if (code == '\\') {
      code = advance();
      const std::uint32_t lower = code | 0x20u;
      if (code < 0x80 && (lower == 'd' || lower == 'w' || lower == 's')) {
        return named_class(lower, lower != code), !is_wrong_;
      }
      code = is_wrong_ ? kNone : escaped(code);
    }
    if (!is_wrong_) push({code, code});
    return !is_wrong_;
  }

  std::uint32_t escaped(std::uint32_t code) {
    switch (code) {
      case 'n': return '\n';
      case 't': return '\t';
      case 'r': return '\r';
      case 'f': return '\f';
      case 'v': return '\v';
      case 'x': return hex(2);
      case 'u': return hex(4);
      case 'U': return hex(8);
      default: return is_letter_or_number(code) ? refuse() : code;
    }
  }

  std::uint32_t hex(int count) {
    std::uint32_t code = 0;
    for (int i = 0; i < count; ++i) {
      const int value = hex_value(next());
      if (value < 0) return refuse();
      code = code << 4 | static_cast<std::uint32_t>(value);
      advance();
    }
    return code > PatternTree::kLastCharacter ? refuse() : code;
  }

  void named_class(std::uint32_t name, bool is_negated) {
    const std::size_t begin = ranges_.size();
    if (name == 's') push_all(spaces());
    if (name != 's') push({'0', '9'});
    if (name == 'd') push_all(digits());
    if (name == 'w') {
      push({'A', 'Z'}), push({'_', '_'}), push({'a', 'z'});
      push_all(letters()), push_all(numbers());
    }
    if (!is_negated) return;
    // The tree sorts and turns round; what it found is read back.
    Growing<Range> named;
    for (std::size_t i = begin; i < ranges_.size(); ++i) {
      if (!named.push(ranges_[i])) refuse_size();
    }
    ranges_.cut(begin);
    const PatternTree::Node node = tree_.node(tree_.characters(named, true));
    for (std::uint32_t i = 0; !is_wrong_ && i < node.count; ++i) push(tree_.ranges(node)[i]);
  }

  Part character_class() {
    ranges_.clear();
    const bool is_negated = take('^');
    bool is_first = true;
    while (!is_wrong_ && (is_first || !take(']'))) {
      is_first = false;
      class_member();
    }
    return is_wrong_ ? 0 : tree_.characters(ranges_, is_negated);
  }

  void class_member() {
    const std::size_t begin = ranges_.size();
    sign();
    const std::size_t middle = ranges_.size();
    const bool is_range = next() == '-' &&
                          !(place_ + 1 < source_.size && source_.data[place_ + 1] == ']');
    if (!is_range) return;
    const std::size_t dash = place_;
    advance();
    sign();
    if (is_wrong_) return;
    const bool is_one_each = middle == begin + 1 && ranges_.size() == middle + 1;
    const Range ends{ranges_[begin].first, ranges_[ranges_.size() - 1].last};
    const auto is_half = [](std::uint32_t code) { return code >= 0xD800 && code <= 0xDFFF; };
    if (!is_one_each || ends.first > ends.last || is_half(ends.first) || is_half(ends.last)) {
      place_ = dash;
      refuse();
      return;
    }
    ranges_.cut(begin);
    push(ends);
  }

  Part quantified(Part part) {
    for (int count = 0; !is_wrong_; ++count) {
      std::uint32_t least = 0, most = PatternTree::kAnyNumber;
      const std::uint32_t quantifier = next();
      if (quantifier != '?' && quantifier != '*' && quantifier != '+' && quantifier != '{') {
        return part;
      }
      if (count == kMostQuantifiers) return refuse(), 0;
      advance();
      if (quantifier == '?') most = 1;
      if (quantifier == '+') least = 1;
      if (quantifier == '{') counts(least, most);
      take('?');  // lazy: the same texts
      if (!is_wrong_) part = tree_.repeat(part, least, most);
    }
    return 0;
  }

  // {m}, {m,} or {m,n} behind its brace.
  void counts(std::uint32_t& least, std::uint32_t& most) {
    const bool has_least = number(least);
    most = least;
    if (take(',') && !number(most)) most = PatternTree::kAnyNumber;
    const bool is_any = most == PatternTree::kAnyNumber;
    const bool is_known = least <= kMostRepeats && (is_any || (least <= most && most <= kMostRepeats));
    if (!has_least || !take('}') || !is_known) refuse();
  }

  bool number(std::uint32_t& value) {
    const std::size_t begin = place_;
    value = 0;
    for (std::uint32_t code = next(); code >= '0' && code <= '9'; code = next()) {
      value = value > kMostRepeats ? value : value * 10 + (code - '0');
      advance();
    }
    return place_ > begin;
  }

  void refuse_size() {
    if (!is_wrong_) complaint_.say(kTooLarge);
    is_wrong_ = true;
  }

  void push(Range range) {
    if (ranges_.size() >= kMostInClass || !ranges_.push(range)) refuse_size();
  }

  void push_all(CodeRanges all) {
    for (std::size_t i = 0; i < all.count; ++i) push({all.ranges[i][0], all.ranges[i][1]});
  }

  Text source_;
  PatternTree& tree_;
  Complaint& complaint_;
  Growing<Range> ranges_;  // of the class that is read
  std::size_t place_ = 0;
  bool is_wrong_ = false;
};

}  // namespace

bool parse_pattern(Text source, PatternTree& tree, Part& found, Complaint& complaint) {
  return Parser(source, tree, complaint).parse(found);
}

}  // namespace engine
