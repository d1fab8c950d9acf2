// Chinese words as rjieba cuts them: the likeliest path through the words of a dictionary, and a
// hidden Markov model for what is in none.
//
// The file is made by native/make_chinese_words.py, which says what stands in it.
//
// Source: Sun Junyi's jieba (the method); Rabiner 1989, "A tutorial on hidden Markov models".
#pragma once

#include "array_file.h"
#include "unicode.h"

namespace engine {

using Lengths = Growing<std::size_t>;

// As rjieba has it.
bool is_ideograph(std::uint32_t code);

class ChineseWords {
 public:
  bool open(const std::uint8_t* bytes, std::size_t size, Complaint& complaint);
  bool is_open() const { return num_nodes_ > 0; }
  std::size_t num_words() const { return num_words_; }
  // The number of the word that some characters are, kNoWord where they are none.
  static constexpr std::size_t kNoWord = static_cast<std::size_t>(-1);
  std::size_t number_of(const std::uint32_t* codes, std::size_t count) const;

  // Appends the lengths of the words of a text. False: no memory.
  bool cut(const std::uint32_t* codes, std::size_t count, Lengths& words);
  // Calls found(length, node) for every word of the dictionary that begins here, shorter ones first.
  template <class Found>
  void words_at(const std::uint32_t* codes, std::size_t count, const Found& found) const {
    std::size_t node = kRoot;
    for (std::size_t i = 0; i < count && step(node, codes[i]); ++i) {
      if (bit(words_, node)) found(i + 1, node);
    }
  }

 private:
  static constexpr std::size_t kRoot = static_cast<std::size_t>(-1), kStates = 4;
  enum State : std::uint8_t { kBegin, kEnd, kMiddle, kSingle };

  struct Step {
    double score;
    std::size_t end;
  };

  // One for every node, sixty-four a word.
  using Bits = Room<std::uint64_t>;
  static bool bit(const Bits& bits, std::size_t place) { return bits[place / 64] >> place % 64 & 1; }
  // Goes on to a child; false: there is none.
  bool step(std::size_t& node, std::uint32_t code) const;
  bool read_tree(const ArrayFile& file);
  bool read_frequencies(const ArrayFile& file);
  bool read_hidden(const ArrayFile& file);
  std::size_t parents_before(std::size_t node) const;
  double log_of(std::size_t node) const;

  bool cut_block(const std::uint32_t* codes, std::size_t count, Lengths& words);
  bool cut_run(const std::uint32_t* codes, std::size_t count, Lengths& words);
  bool cut_unknown(const std::uint32_t* codes, std::size_t count, Lengths& words);
  bool cut_signs(const std::uint32_t* codes, std::size_t count, Lengths& words);
  bool cut_others(const std::uint32_t* codes, std::size_t count, Lengths& words);
  double emission(std::uint32_t code, std::size_t state) const;

  std::size_t num_nodes_ = 0, num_words_ = 0;
  Room<std::uint16_t> symbol_of_;  // of every character; kNoSymbol where it is in no word
  Room<std::uint32_t> firsts_;     // of every symbol: the root's child, and 1; 0: there is none
  const std::uint16_t* symbols_ = nullptr;
  Bits parents_, words_;
  Room<std::uint32_t> group_starts_;  // of the children of each node that has some
  Room<std::uint32_t> parent_counts_, word_counts_;  // before every 64th node
  Room<std::uint16_t> ranks_;
  Room<double> logs_;
  double log_total_ = 0.0;

  const std::uint16_t* signs_ = nullptr;
  std::size_t num_signs_ = 0;
  Room<std::int32_t> emissions_;
  double begins_[kStates] = {}, moves_[kStates][kStates] = {};

  Growing<Step> steps_;
  Growing<double> scores_;
  Growing<std::uint8_t> from_, path_;
};

}  // namespace engine
