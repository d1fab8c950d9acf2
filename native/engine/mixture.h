// Counting model, recent text and network as one: p = sum over k of w_k p_k; the twin of
// sparrowlm/runtime/mixture_engine.py.
#pragma once

#include "gate.h"
#include "kernels.h"
#include "ngram.h"
#include "recent.h"

namespace engine {

class Mixture {
 public:
  const Ngram& ngram() const { return ngram_; }
  // What a text has left behind in the two experts that are no network.
  struct Memory {
    Ngram::Place place;
    RecentText recent;
  };

  // file: with the parts "file/ngram.bin" and "file/gate.safetensors".
  bool open(const Gguf& file, std::size_t vocab_size, const Kernels& kernels,
            Complaint& complaint);
  static bool is_in(const Gguf& file) { return file.tensor("file/gate.safetensors") != nullptr; }

  // False: no memory.
  bool start(Memory& memory) const;
  void read(Memory& memory, std::int32_t id) const;
  // Turns the network's scores (padded to a multiple of 16) into logarithms of the mixture's
  // probabilities.
  void mix(Memory& memory, float* logits);

 private:
  void describe_network(const float* logits, float* features);

  Ngram ngram_;
  Gate gate_;
  const Kernels* kernels_ = nullptr;
  std::size_t vocab_size_ = 0;
  Room<double> rows_, recent_row_;
  Room<float> features_, weights_, shares_;
  double total_ = 1.0;
  float top_ = 0.0f;
};

}  // namespace engine
