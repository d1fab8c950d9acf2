// The weights of the experts, from what is known before the id; the twin of
// sparrowlm/models/mixture.py.
#pragma once

#include "gguf.h"

namespace engine {

class Gate {
 public:
  // The bytes of gate.safetensors.
  bool open(const std::uint8_t* bytes, std::size_t size, std::size_t num_features,
            std::size_t num_experts, Complaint& complaint);
  // features   [num_features]
  // weights    [num_experts], a distribution
  void weigh(const float* features, float* weights);

 private:
  bool read(Text header, const std::uint8_t* data, std::size_t size, const char* name,
            std::size_t count, Room<float>& values) const;

  std::size_t num_features_ = 0, num_hidden_ = 0, num_experts_ = 0;
  Room<float> mean_, scale_, hidden_, hidden_bias_, output_, output_bias_, states_;
};

}  // namespace engine
