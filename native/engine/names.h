// Names of settings and tensors, put together without allocating.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engine {

class Name {
 public:
  Name& add(const char* text, std::size_t size) {
    for (std::size_t i = 0; i < size && size_ + 1 < sizeof text_; ++i) text_[size_++] = text[i];
    text_[size_] = '\0';
    return *this;
  }
  Name& add(const char* text) { return add(text, __builtin_strlen(text)); }
  Name& add(std::uint64_t number) {
    char digits[20];
    std::size_t count = 0;
    do {
      digits[count++] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    while (count > 0) add(&digits[--count], 1);
    return *this;
  }
  const char* text() const { return text_; }

 private:
  char text_[96] = "";
  std::size_t size_ = 0;
};

}  // namespace engine
