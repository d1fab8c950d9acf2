// A classifier: n-grams, an encoder, or both, and the blend that weighs them (the twin of
// sparrowlm/tasks/classify/model.py, blending.py and rejecting.py).
//
// What sparrow.json says of it stands in settings that begin with "sparrow.task." here
// (sparrowlm/export/gguf_tasks.py).
#pragma once

#include "linear_features.h"
#include "text_encoder.h"

namespace engine {

class Classifier {
 public:
  static constexpr std::size_t kNoLabel = static_cast<std::size_t>(-1);

  // encoder: open already, or null where the file has none.
  bool open(const Gguf& file, TextEncoder* encoder, Complaint& complaint);

  std::size_t num_labels() const { return labels_.size(); }
  Text label(std::size_t number) const { return labels_[number]; }
  bool has_several() const { return has_several_; }
  // Probabilities of all labels, which stay until the next call. Null, with a complaint: the
  // text has Chinese words and the file no dictionary, or there is no memory.
  const float* classify(Text text, Complaint& complaint);
  // Of what classify() found: whether a label is given, and the likeliest one.
  bool is_given(std::size_t label) const;
  std::size_t likeliest() const { return likeliest_; }

 private:
  enum Part { kLinear, kEncoder, kNumParts };
  static constexpr std::size_t kMostSigns = 3 + 2 * kNumParts;

  bool read_settings(const Gguf& file, Complaint& complaint);
  bool read_detector(const Gguf& file, Complaint& complaint);
  bool read_linear(const Gguf& file, Complaint& complaint);
  bool read_encoder(Complaint& complaint);
  bool score_linear(Text text);
  bool score_encoder(Text text);
  void share(const float* logits);
  bool is_refused(const float* logits);
  void refuse_or_share();

  Room<Text> labels_, words_;
  Part order_[kNumParts] = {};
  double weights_[kNumParts] = {};
  std::size_t num_weighed_ = 0;
  bool has_[kNumParts] = {};
  double offset_ = 0.0, threshold_ = 0.0;
  bool has_several_ = false, has_detector_ = false;

  std::size_t rejected_ = 0, num_signs_ = 0;
  double means_[kMostSigns] = {}, scales_[kMostSigns] = {}, signs_weights_[kMostSigns] = {};
  double detector_offset_ = 0.0, detector_threshold_ = 0.0;

  LinearModel linear_;
  ChineseWords chinese_;
  TextEncoder* encoder_ = nullptr;
  Room<float> head_, head_bias_, scores_[kNumParts], logits_, probabilities_;
  std::size_t likeliest_ = 0;
};

}  // namespace engine
