// A look at JSON whose writer is known; no tree is built.
#pragma once

#include "gguf.h"

namespace engine {

// Reads what json.dumps writes without white space.
class Scanner {
 public:
  explicit Scanner(Text text) : text_(text) {}

  // Goes behind the first place where these letters stand.
  bool find(const char* wanted) {
    const std::size_t size = __builtin_strlen(wanted);
    for (; place_ + size <= text_.size; ++place_) {
      if (__builtin_memcmp(text_.data + place_, wanted, size) == 0) {
        place_ += size;
        return true;
      }
    }
    return false;
  }

  bool take(char letter) {
    if (place_ >= text_.size || text_.data[place_] != letter) return false;
    ++place_;
    return true;
  }

  bool take(const char* letters) {
    while (*letters != '\0') {
      if (!take(*letters++)) return false;
    }
    return true;
  }

  // What stands before the next quotation mark, which is taken too.
  bool text(Text& found) {
    const std::size_t begin = place_;
    if (!find("\"")) return false;
    found = {text_.data + begin, place_ - begin - 1};
    return true;
  }

  bool number(std::size_t& value) {
    constexpr std::size_t kMost = std::size_t{1} << 31;
    const std::size_t begin = place_;
    for (value = 0; place_ < text_.size && text_.data[place_] >= '0' && text_.data[place_] <= '9';
         ++place_) {
      value = value * 10 + static_cast<std::size_t>(text_.data[place_] - '0');
      if (value > kMost) return false;
    }
    return place_ > begin;
  }

 private:
  Text text_;
  std::size_t place_ = 0;
};

}  // namespace engine
