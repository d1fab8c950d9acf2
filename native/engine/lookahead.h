// Ids that will probably come are read together with the one that has come; those that come indeed
// need no reading of their own.
//
// What is guessed: the text continues as it did after the last place where its end stood before,
// else as the counting model has seen it most often. Rows read together have the same bits as rows
// read alone, so what is written does not change, whatever way ids are drawn. How many are guessed,
// or none, follows from how often guesses were right and from the times that reading took. Where the
// state cannot be turned back (recurrent networks) nothing is guessed.
// Source: Leviathan, Kalman, Matias 2023, arXiv:2211.17192, section 2 (here the guess has no
// probabilities); Saxena 2023, "Prompt Lookup Decoding" (the guess from the text itself).
#pragma once

#include "ngram.h"
#include "session.h"

namespace engine {

class Lookahead {
 public:
  static constexpr std::size_t kMostRows = 8;

  // ngram: null, or what also guesses; then read needs the place after the id.
  Lookahead(Decoder& decoder, Session& session, const Ngram* ngram = nullptr)
      : decoder_(decoder), session_(session), ngram_(ngram) {}

  // Most rows read together, 1 to kMostRows; 1 guesses nothing.
  void limit(std::size_t most_rows) { most_rows_ = most_rows; }
  // Reads as many as it can together, whether or not that pays.
  void insist() { insists_ = true; }
  // Reads one id and gives the scores of what follows it. False: no memory.
  bool read(std::int32_t id, float* logits, const Ngram::Place* place = nullptr);
  // The session forgets what was only guessed: before anybody else uses it.
  void settle();

  std::size_t num_guessed() const { return num_guessed_; }
  std::size_t num_right() const { return num_right_; }

 private:
  static constexpr std::size_t kLeastMatch = 3;
  enum Source { kText, kCounts, kNumSources };

  void watch(std::int32_t id);
  void guess(std::int32_t id, const Ngram::Place* place);
  std::size_t choose() const;
  void note(std::size_t num_rows, double seconds);

  Decoder& decoder_;
  Session& session_;
  const Ngram* ngram_;
  std::size_t most_rows_ = kMostRows;
  bool insists_ = false;
  std::int32_t ids_[kMostRows] = {};  // the one that came, then the guesses
  std::size_t num_guesses_ = 0;       // made
  std::size_t num_read_ = 0, num_used_ = 0;  // of them, read and come true
  Source source_ = kText;
  double right_[kNumSources] = {0.7, 0.3};  // how often a guess is right
  double seconds_[kMostRows + 1] = {};      // of reading so many rows; 0: not known
  Room<float> rows_;
  std::size_t num_guessed_ = 0, num_right_ = 0;
};

}  // namespace engine
