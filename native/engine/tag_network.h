// The network of a tagger: units in, scores of labels and intents out (the twin of
// sparrowlm/tasks/tag/network.py and inputs.py).
#pragma once

#include "linear.h"
#include "text_encoder.h"
#include "unit_columns.h"

namespace engine {

class TagNetwork {
 public:
  // encoder: open. num_columns: of the numbers that enter.
  bool open(TextEncoder& encoder, std::size_t num_labels, std::size_t num_intents, bool hides_rare,
            std::size_t num_columns, Complaint& complaint);
  bool is_open() const { return encoder_ != nullptr; }
  // Transitions, begin and end.
  const float* edges() const { return edges_.data(); }

  // columns: one behind the other. Writes scores of labels, [units][labels], and adds the mean of
  // the chains' scores to those of intents. False: no memory.
  bool score(const Units& units, const std::uint64_t* columns, float* labels, double* intents);

 private:
  bool read_chain(const Units& units, std::size_t chain, const std::uint64_t* columns);
  bool push_id(const Units& units, std::size_t unit);
  void sum_rows(const std::uint64_t* columns, std::size_t num_units, std::size_t unit, float* sums);
  bool score_chain(const float* states, std::size_t num_units, float* labels);

  TextEncoder* encoder_ = nullptr;
  std::size_t num_labels_ = 0, num_intents_ = 0, num_columns_ = 0, width_ = 0, inner_ = 0;
  bool hides_rare_ = false;
  EncoderFile::Table table_;
  Linear up_, head_;  // from sums to what enters; from states and sums to scores
  Room<float> head_bias_, edges_, intents_, intents_bias_, pooled_;
  Codes surface_;
  Ids ids_, one_;
  Growing<float> sums_, added_, known_, scores_;
};

}  // namespace engine
