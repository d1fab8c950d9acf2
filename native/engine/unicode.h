// What Unicode says of code points, and texts as rows of them.
//
// The tables are those of the Python that built the engine, so that both read texts alike.
#pragma once

#include "gguf.h"

namespace engine {

using Codes = Growing<std::uint32_t>;

bool is_letter(std::uint32_t code);
bool is_number(std::uint32_t code);
bool is_decimal(std::uint32_t code);
bool is_capital(std::uint32_t code);  // title case too
bool is_mark(std::uint32_t code);
bool is_punctuation(std::uint32_t code);
bool is_white(std::uint32_t code);  // str.isspace
bool is_ascii_word(std::uint32_t code);  // a letter or digit of ASCII
// The small letter, the code itself where there is none or where it is more than one code point.
std::uint32_t small(std::uint32_t code);
// Full-width letters and digits as ordinary ones (sparrowlm/text/width.py).
std::uint32_t narrow(std::uint32_t code);

// How many code points from the first on are of a kind.
template <class Holds>
std::size_t run(const std::uint32_t* codes, std::size_t count, const Holds& holds) {
  std::size_t length = 0;
  while (length < count && holds(codes[length])) ++length;
  return length;
}

// Appends the code points of a text; a byte that belongs to no character is U+FFFD. False: no
// memory, as in all that follow.
bool decode(Text text, Codes& codes);
// Appends UTF-8.
bool encode(const std::uint32_t* codes, std::size_t count, Growing<char>& text);
// Lower case as Python's str.lower() has it, final sigmas included, where it is as long as the
// text; else letter by letter, what has no single small letter as it is.
bool lowered(const std::uint32_t* codes, std::size_t count, Codes& small_codes);
// What an uncased tokenizer reads (sparrowlm/text/tokenizers/uncased.py).
bool uncased(const std::uint32_t* codes, std::size_t count, Codes& read);

}  // namespace engine
