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
  // tokenizer: open, and stays where it is. False: no memory.
  bool make(const Tokenizer& tokenizer);
  // One byte an id, 1 where it may follow; found out when it is first asked for.
  const std::uint8_t* allowed(Opened state);

 private:
  const Tokenizer* tokenizer_ = nullptr;
  Room<std::uint8_t> masks_;
  bool is_known_[kNumOpened] = {};
};

}  // namespace engine
