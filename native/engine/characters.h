// Which tokens may follow so that the bytes stay UTF-8: no half characters are ever drawn.
#pragma once

#include "tokenizer.h"

namespace engine {

// Where a text stands inside a character: table 3-7 of the Unicode Standard.
enum class Opened : std::uint8_t {
  kNothing, kOneLeft, kTwoLeft, kThreeLeft,
  kAfterE0, kAfterED, kAfterF0, kAfterF4,  // whose second byte has a range of its own
  kBroken,
};

constexpr std::size_t kNumOpened = 8;

Opened after_byte(Opened state, unsigned char byte);
Opened after_bytes(Opened state, Text bytes);

class Characters {
 public:
  // False: no memory.
  bool make(const Tokenizer& tokenizer);
  // One byte an id, 1 where it may follow.
  const std::uint8_t* allowed(Opened state) const {
    return masks_.data() + static_cast<std::size_t>(state) * count_;
  }

 private:
  Room<std::uint8_t> masks_;
  std::size_t count_ = 0;
};

}  // namespace engine
