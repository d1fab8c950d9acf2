// JSON from outside as a tree of values; every size is bounded.
#pragma once

#include "gguf.h"

namespace engine {

class JsonTree {
 public:
  enum class Kind : std::uint8_t { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };
  struct Value {
    Kind kind;
    std::uint32_t name_begin, name_size;  // of a member of an object
    std::uint32_t begin, size;            // bytes of a string or a number
    std::uint32_t first, next, count;     // of an array or object: members; 0 ends a list
  };

  // False: it is no JSON, or too large.
  bool read(Text source);
  const Value& root() const { return values_[1]; }
  const Value& at(std::uint32_t place) const { return values_[place]; }
  const Value* member(const Value& object, const char* name) const;
  Text name(const Value& value) const { return {letters_.data() + value.name_begin, value.name_size}; }
  // Of a string its characters, of a number as it is written.
  Text text(const Value& value) const { return {letters_.data() + value.begin, value.size}; }
  // A whole number from 0 to 10^9; what is larger counts as that. False: it is none.
  bool count(const Value& value, std::uint32_t& found) const;
  // Appends the value as json.dumps writes it without white space. False: no memory, or a number
  // of more than 15 digits or beyond 10^300.
  bool write(const Value& value, Growing<char>& to) const;
  static bool write_string(Text text, Growing<char>& to);

 private:
  static constexpr std::size_t kLongest = 1 << 20, kMostValues = 10'000;
  static constexpr int kDeepest = 48;

  std::uint32_t value(int depth);
  bool members(std::uint32_t place, bool is_object, int depth);
  bool string(std::uint32_t& begin, std::uint32_t& size);
  bool escaped();
  bool hex(std::uint32_t& code);
  bool number(Value& value);
  bool put_code(std::uint32_t code);
  bool is_next(const char* word);
  void skip();
  bool take(char letter);
  bool has_digits();
  bool write_real(Text text, Growing<char>& to) const;

  Text source_;
  std::size_t place_ = 0;
  Growing<Value> values_;
  Growing<char> letters_;
};

}  // namespace engine
