// A text in units: what a label is given to (the twin of sparrowlm/tasks/tag/units.py).
#pragma once

#include "unicode.h"

namespace engine {

enum class CharacterKind : std::uint8_t {
  kSpace, kHan, kKana, kHangul, kUpper, kLower, kDigit, kPunctuation, kSymbol, kNumeral,
};

bool is_cjk(CharacterKind kind);

class Units {
 public:
  struct Unit {
    std::size_t begin, end;  // characters
  };

  // joins_runs: whether runs of letters and digits are one unit. False: no memory.
  bool cut(Text text, bool joins_runs);

  std::size_t size() const { return units_.size(); }
  const Unit& operator[](std::size_t number) const { return units_[number]; }
  // The text, and the same as models read it: full-width letters and digits as ordinary ones.
  const Codes& codes() const { return codes_; }
  const Codes& read() const { return read_; }
  CharacterKind kind(std::size_t character) const { return kinds_[character]; }
  // A text is one chain of labels, a long one several: chain c has the units from bound(c) to
  // bound(c + 1).
  std::size_t num_chains() const { return bounds_.size() - 1; }
  std::size_t bound(std::size_t chain) const { return bounds_[chain]; }

 private:
  bool cut_characters(bool joins_runs);
  bool cut_chains();
  std::size_t end_of_sentence(std::size_t first) const;

  Codes codes_, read_;
  Growing<CharacterKind> kinds_;
  Growing<Unit> units_;
  Growing<std::size_t> bounds_;
};

}  // namespace engine
