// How surprised a model is by a text, token by token; the twin of sparrowlm/runtime/scoring.py.
#pragma once

#include "mixture.h"
#include "session.h"
#include "tokenizer.h"

namespace engine {

struct Score {
  Ids ids;                         // the separator, which is given, and the tokens
  Room<float> surprisals;          // of every token: -ln p, given all ids before it
  std::size_t num_characters = 0;  // a byte that belongs to none counts for itself
  double nats = 0.0;               // the sum of the surprisals

  std::size_t num_tokens() const { return surprisals.size(); }
};

class Scorer {
 public:
  // mixture: null where the decoder answers alone.
  Scorer(const Tokenizer& tokenizer, Decoder& decoder, Mixture* mixture, const Kernels& kernels)
      : tokenizer_(tokenizer), decoder_(decoder), mixture_(mixture), kernels_(kernels) {}

  // Scores a text of at least one byte, however long.
  bool score(Text text, Score& score, Complaint& complaint);

 private:
  bool read(Score& score);
  void read_piece(Score& score, std::size_t first, std::size_t count);

  const Tokenizer& tokenizer_;
  Decoder& decoder_;
  Mixture* mixture_;
  const Kernels& kernels_;
  Session session_;
  Mixture::Memory memory_;
  Room<float> logits_;
};

}  // namespace engine
