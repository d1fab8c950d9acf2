// A prompt goes in, text comes out as it is made: whole characters, nothing of a stop string.
#pragma once

#include "characters.h"
#include "guide.h"
#include "lookahead.h"
#include "mixture.h"
#include "randomness.h"
#include "sampling.h"
#include "session.h"
#include "tokenizer.h"

namespace engine {

// Lets text pass until a stop string appears; what could be the beginning of one is held back.
class StopWatch {
 public:
  // The bytes are copied. False: no memory.
  bool add(Text stop);
  void clear();
  // Appends what is certainly outside of every stop string. False: no memory.
  bool feed(Text text, Growing<char>& released);
  bool finish(Growing<char>& released);
  bool has_stopped() const { return has_stopped_; }
  void begin();

 private:
  std::size_t num_undecided() const;
  std::size_t place_of(Text stop) const;
  Text stop(std::size_t number) const;

  // Where each stop string ends among the letters of all.
  Growing<std::size_t> ends_;
  Growing<char> letters_;
  Growing<char> held_;
  bool has_stopped_ = false;
};

struct Wish {
  Sampling sampling;
  std::uint64_t seed = 0;
  std::uint64_t sample = 0;  // number of the sample: with one seed each gives another text
  std::size_t most_tokens = 200;
};

class Writer {
 public:
  // mixture: null where the decoder answers alone.
  Writer(const Tokenizer& tokenizer, Characters& characters, Decoder& decoder,
         Mixture* mixture, const Kernels& kernels)
      : tokenizer_(tokenizer), characters_(characters), decoder_(decoder), mixture_(mixture),
        sampler_(kernels), kernels_(kernels), guide_(tokenizer),
        ahead_(decoder, session_, mixture == nullptr ? nullptr : &mixture->ngram()) {}

  // False: no memory.
  bool make();
  StopWatch& stops() { return watch_; }
  // What texts may look like; they end where the pattern does.
  Guide& guide() { return guide_; }
  // What has been read: a state that is restored here is not read again by begin.
  Session& session() {
    ahead_.settle();
    return session_;
  }
  // Guesses change how long it takes, not what is written.
  Lookahead& lookahead() { return ahead_; }
  // Keeps the scores of what is drawn, see log_probabilities(); costs a copy for every token.
  bool keep_scores() { return scores_.size() > 0 || scores_.make(2 * decoder_.logits_stride()); }
  // Natural logarithms of the model's own probabilities where the last id was drawn, before
  // temperature and pattern; null: nothing was drawn, or they were not kept.
  const float* log_probabilities();
  std::int32_t last_id() const { return ids_[ids_.size() - 1]; }
  // Reads a prompt, of which what the session has read already is not read again.
  bool begin(Text prompt, const Wish& wish);
  // Draws one id and appends the text that is certain now. False at the end of the text.
  bool advance(Growing<char>& text);

  std::size_t num_prompt_tokens() const { return num_prompt_; }
  std::size_t num_read() const { return num_read_; }  // of them, not known from before
  std::size_t num_drawn() const { return num_drawn_; }

 private:
  bool take_back();
  bool is_anything_allowed(const std::uint8_t* allowed) const;

  const Tokenizer& tokenizer_;
  Characters& characters_;
  Decoder& decoder_;
  Mixture* mixture_;
  Sampler sampler_;
  const Kernels& kernels_;
  Guide guide_;
  Mixture::Memory memory_;
  Session session_;
  Lookahead ahead_;
  StopWatch watch_;
  Wish wish_;
  Chance chance_{0};
  Ids ids_;  // the separator, the prompt, what was drawn
  Growing<char> open_;
  Room<float> logits_, scores_;
  Room<std::uint8_t> first_;
  Text begun_;  // bytes of a token taken back from the end of the prompt
  Opened opened_ = Opened::kNothing;
  std::size_t num_prompt_ = 0, num_read_ = 0, num_drawn_ = 0, num_repeated_ = 0;
  bool is_first_ = true, is_over_ = false;
  bool are_logs_ = false;  // scores_ were turned into logarithms of probabilities
};

}  // namespace engine
