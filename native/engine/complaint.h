// What is wrong with a file or a wish, in one sentence; no exceptions, for browsers have none.
#pragma once

#include <cstddef>

namespace engine {

class Complaint {
 public:
  // Keeps the first one; the parts are joined. Returns false, to be returned.
  bool say(const char* first, const char* second = "", const char* third = "") {
    if (length_ > 0) return false;
    add(first), add(second), add(third);
    text_[length_] = '\0';
    return false;
  }
  bool say(const char* first, const char* text, std::size_t length, const char* last) {
    if (length_ > 0) return false;
    add(first);
    for (std::size_t i = 0; i < length && i < 64; ++i) put(text[i]);
    add(last);
    text_[length_] = '\0';
    return false;
  }
  const char* text() const { return text_; }

 private:
  void add(const char* from) {
    while (*from != '\0') put(*from++);
  }
  void put(char letter) {
    if (length_ + 1 < sizeof text_) text_[length_++] = letter;
  }

  char text_[240] = "";
  std::size_t length_ = 0;
};

}  // namespace engine
