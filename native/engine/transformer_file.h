// A Transformer out of a GGUF file.
//
//   general.architecture   "qwen3" (as llama.cpp reads it) or "sparrow"
//   <architecture>.*       sizes, under llama.cpp's names
//   tensors                under llama.cpp's names
#pragma once

#include "transformer.h"
#include "weight_reader.h"

namespace engine {

class TransformerFile {
 public:
  bool open(const Gguf& file, WeightReader& reader, Complaint& complaint);

  const Shape& shape() const { return shape_; }
  const Weights& weights() const { return weights_; }
  // See Model::identity.
  std::uint64_t identity() const;

 private:
  bool read_shape(const Gguf& file, Complaint& complaint);
  bool read_weights(const Gguf& file, WeightReader& reader, Complaint& complaint);
  bool read_layer(const Gguf& file, WeightReader& reader, std::size_t number,
                  Complaint& complaint);
  bool make_turns(const Gguf& file, Complaint& complaint);

  Text architecture_;
  Shape shape_;
  Weights weights_;
  TurnTables turns_;
};

}  // namespace engine
