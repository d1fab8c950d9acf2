// A recurrent network out of a GGUF file.
//
//   sparrow.recurrent.cell           "rnn" or "lstm"
//   sparrow.embedding_length         width of an embedding
//   sparrow.recurrent.state_length   width of a layer's state
//   sparrow.block_count              layers
//   token_embd.weight                [vocabulary][embedding], also the output
//   rnn.N.input.weight               [gates][embedding, or state of the layer below]
//   rnn.N.state.weight               [gates][state]; an LSTM's gates are input, forget, candidate
//                                    and output, one behind the other
//   rnn.N.bias                       [gates]
//   rnn.projection.weight            [embedding][state]
//   output.bias                      [vocabulary]
#pragma once

#include "recurrent.h"
#include "weight_reader.h"

namespace engine {

class RecurrentFile {
 public:
  static bool is_in(const Gguf& file) { return file.entry("sparrow.recurrent.cell") != nullptr; }
  bool open(const Gguf& file, WeightReader& reader, Complaint& complaint);

  const RecurrentShape& shape() const { return shape_; }
  const RecurrentWeights& weights() const { return weights_; }
  // See Model::identity.
  std::uint64_t identity() const;

 private:
  bool read_shape(const Gguf& file, Complaint& complaint);
  bool read_weights(const Gguf& file, WeightReader& reader, Complaint& complaint);
  bool read_layer(const Gguf& file, WeightReader& reader, std::size_t number,
                  Complaint& complaint);

  RecurrentShape shape_;
  RecurrentWeights weights_;
};

}  // namespace engine
