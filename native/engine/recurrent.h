// The simple recurrent network and the LSTM; the twin of sparrowlm/runtime/recurrent_engine.py.
//
// Rows read together have the bits of rows read alone: what enters a layer is one matrix product
// for all ids, what its state adds is one for all texts, time after time.
#pragma once

#include "products.h"

namespace engine {

struct RecurrentShape {
  bool is_lstm = false;
  std::size_t vocab_size = 0;
  std::size_t embedding_width = 0;
  std::size_t state_width = 0;
  std::size_t num_layers = 0;

  // Rows of a layer's matrices: of an LSTM those of the input, forget, candidate and output gates.
  std::size_t gates_width() const { return (is_lstm ? 4 : 1) * state_width; }
  // Numbers of one text's state: of every layer the hidden one, and an LSTM's cell.
  std::size_t state_size() const { return num_layers * (is_lstm ? 2 : 1) * state_stride(); }
  std::size_t state_stride() const { return padded(state_width, kTileColumns); }
  // Null, or what is wrong with it.
  const char* complaint() const;
};

struct RecurrentLayer {
  Matrix input;                 // to the gates, from the embedding or the layer below
  Matrix state;                 // to the gates, from the layer's own state
  const float* bias = nullptr;  // of the gates
};

struct RecurrentWeights {
  Matrix embedding;  // also the output
  Room<RecurrentLayer> layers;
  Matrix projection;                   // from the state back to an embedding
  const float* output_bias = nullptr;  // vocab_size numbers, filled up to a multiple of 32
};

class Recurrent {
 public:
  // most_rows: ids read at once, of one text or of several.
  Recurrent(const RecurrentShape& shape, const RecurrentWeights& weights, const Kernels& kernels,
            Crew& crew, std::size_t most_rows);
  // False: no memory.
  bool make();

  const RecurrentShape& shape() const { return shape_; }
  std::size_t logits_stride() const { return weights_.embedding.groups() * kTileRows; }

  // Reads num_times ids of each of num_texts texts, together at most most_rows.
  //
  // states  of each text, state_size() numbers, changed; all 0 where nothing was read
  // ids     [num_times][num_texts]
  void read(float* const* states, const std::int32_t* ids, std::size_t num_times,
            std::size_t num_texts);
  // Scores of all ids after num_rows of the ids just read, from the one at `first` on.
  void score(std::size_t first, std::size_t num_rows, float* logits);

 private:
  void advance(std::size_t number, const Inputs& inputs, float* const* states,
               std::size_t num_times, std::size_t num_texts);
  void step(float* gates, float* hidden, float* state);
  // Hidden numbers of a layer; behind them an LSTM's cell.
  float* part(float* state, std::size_t number) const {
    return state + number * (shape_.is_lstm ? 2 : 1) * shape_.state_stride();
  }

  const RecurrentShape& shape_;
  const RecurrentWeights& weights_;
  const Kernels& kernels_;
  Crew& crew_;
  std::size_t most_rows_;
  std::size_t gates_stride_ = 0;
  Room<float> gates_;
  Buffers embedded_, hidden_, states_, back_;
};

}  // namespace engine
