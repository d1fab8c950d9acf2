// Parts of speech as rjieba gives them: those of its dictionary, and a hidden Markov model for the
// words that are not in it.
//
// The file is made by native/make_chinese_tags.py, which says what stands in it.
//
// Source: Sun Junyi's jieba (the method); Rabiner 1989, "A tutorial on hidden Markov models".
#pragma once

#include "chinese_words.h"

namespace engine {

class ChineseTags {
 public:
  // words: open, with the words that the file was made for.
  bool open(const std::uint8_t* bytes, std::size_t size, ChineseWords& words, Complaint& complaint);
  bool is_open() const { return words_ != nullptr; }

  // The number of the part of speech of a word of a cut. False: no memory, as in what follows.
  bool tag_of(const std::uint32_t* codes, std::size_t count, std::uint64_t& tag);
  // The same of a word that stands alone; 0 where it would be cut.
  bool tag_alone(const std::uint32_t* codes, std::size_t count, std::uint64_t& tag);

 private:
  static constexpr std::size_t kPlaces = 4, kTags = 64, kStates = kPlaces * kTags;
  enum Place : std::size_t { kBegin, kMiddle, kEnd, kSingle };
  enum Kind : std::size_t { kNoKind, kNumber, kLatin, kNumKinds };

  struct Sign {
    const std::uint8_t* states;
    const std::uint16_t* ranks;
    std::size_t count;  // 0: nobody knows it
  };

  bool read_words(const ArrayFile& file);
  bool read_signs(const ArrayFile& file);
  bool read_states(const ArrayFile& file);
  Sign sign(std::uint32_t code) const;
  std::uint64_t name(std::size_t place) const { return names_[place]; }
  bool guess(const std::uint32_t* codes, std::size_t count, std::size_t& name);
  std::size_t guess_single(std::uint32_t code) const;
  bool walk(const std::uint32_t* codes, std::size_t count, bool& is_possible);
  void step(std::size_t place, const Sign& before, const Sign& here);
  std::size_t longest_of_path(const std::uint32_t* codes, std::size_t count) const;

  ChineseWords* words_ = nullptr;
  Room<std::uint64_t> names_;
  Room<std::uint8_t> tags_;   // of the dictionary's words
  Room<std::uint8_t> alone_;  // what is known of them alone: two bits each
  std::size_t kinds_[kNumKinds] = {}, hidden_[kTags] = {};

  const std::uint16_t *signs_ = nullptr, *ranks_ = nullptr;
  const std::uint8_t* states_ = nullptr;
  std::size_t num_signs_ = 0;
  Room<std::uint32_t> sign_starts_;
  Room<double> values_, begins_, move_values_;
  const std::uint8_t* moves_ = nullptr;
  std::uint32_t move_starts_[kStates + 1] = {};

  double scores_[kStates] = {}, next_[kStates] = {};
  Growing<std::uint16_t> from_;  // [characters][states]
  Growing<std::uint8_t> path_;
  Lengths lengths_;
};

}  // namespace engine
