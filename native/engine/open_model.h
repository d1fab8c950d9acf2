// A model that is ready to write: all that belongs together.
#pragma once

#include "generation.h"
#include "model.h"
#include "scoring.h"
#include "self_test.h"

namespace engine {

class OpenModel {
 public:
  // num_threads: 0 for as many as pay.
  explicit OpenModel(std::size_t num_threads) : crew_(num_threads), model_(crew_) {}
  ~OpenModel();
  OpenModel(const OpenModel&) = delete;
  OpenModel& operator=(const OpenModel&) = delete;

  // The bytes must stay where they are. kernels: a name, or "" for the fastest.
  bool open(const std::uint8_t* bytes, std::size_t size, const char* kernels,
            Complaint& complaint);

  void when_packed(WeightReader::Packed packed, void* context) { model_.when_packed(packed, context); }

  const Model& model() const { return model_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  std::size_t num_threads() const { return crew_.num_used(); }
  const char* kernels() const { return kernels_->name; }
  Decoder& decoder() { return *decoder_; }
  Writer& writer() { return *writer_; }
  // Null where the decoder answers alone.
  Mixture* mixture() { return Mixture::is_in(model_.file()) ? &mixture_ : nullptr; }
  // How surprised the model is by a text; what is being written goes on as if nothing were.
  bool score(Text text, Score& score, Complaint& complaint) {
    return Scorer(tokenizer_, *decoder_, mixture(), *kernels_).score(text, score, complaint);
  }
  // Whether this machine computes what the file's maker did, where the file says that.
  bool is_as_made(Complaint& complaint);
  SelfTest self_test() { return engine::self_test(model_.file(), *decoder_); }

 private:
  static constexpr std::size_t kRowsAtOnce = 64;

  Crew crew_;
  Model model_;
  Tokenizer tokenizer_;
  Characters characters_;
  const Kernels* kernels_ = nullptr;
  Mixture mixture_;
  Decoder* decoder_ = nullptr;
  Writer* writer_ = nullptr;
};

}  // namespace engine
