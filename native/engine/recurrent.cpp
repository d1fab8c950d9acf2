#include "recurrent.h"

namespace engine {

const char* RecurrentShape::complaint() const {
  constexpr std::size_t kMost = 1u << 20;
  const std::size_t sizes[] = {vocab_size, embedding_width, state_width, num_layers};
  for (const std::size_t size : sizes) {
    if (size == 0 || size > kMost) return "a size is 0 or above 2^20";
  }
  return nullptr;
}

Recurrent::Recurrent(const RecurrentShape& shape, const RecurrentWeights& weights,
                     const Kernels& kernels, Crew& crew, std::size_t most_rows)
    : shape_(shape), weights_(weights), kernels_(kernels), crew_(crew), most_rows_(most_rows) {}

bool Recurrent::make() {
  // The last gate is read in whole vectors.
  gates_stride_ = padded(shape_.gates_width(), kTileRows) + kTileRows;
  return gates_.make(gates_stride_ * most_rows_) &&
         embedded_.make(shape_.embedding_width, most_rows_) &&
         hidden_.make(shape_.state_width, most_rows_) &&
         states_.make(shape_.state_width, most_rows_) &&
         back_.make(shape_.embedding_width, most_rows_);
}

void Recurrent::read(float* const* states, const std::int32_t* ids, std::size_t num_times,
                     std::size_t num_texts) {
  for (std::size_t row = 0; row < num_times * num_texts; ++row) {
    kernels_.row(weights_.embedding, static_cast<std::size_t>(ids[row]), embedded_.row(row));
  }
  for (std::size_t number = 0; number < shape_.num_layers; ++number) {
    const Inputs& inputs = number == 0 ? embedded_.inputs : states_.inputs;
    advance(number, inputs, states, num_times, num_texts);
  }
}

// Leaves the layer's states of all rows in states_, which may also be the inputs: they are read
// before any of them is written.
void Recurrent::advance(std::size_t number, const Inputs& inputs, float* const* states,
                        std::size_t num_times, std::size_t num_texts) {
  const RecurrentLayer& layer = weights_.layers[number];
  const std::size_t num_rows = num_times * num_texts;
  const std::size_t bytes = shape_.state_stride() * sizeof(float);
  for (std::size_t row = 0; row < num_rows; ++row) {
    __builtin_memcpy(gates_.data() + row * gates_stride_, layer.bias,
                     shape_.gates_width() * sizeof(float));
  }
  const Product from_input{&layer.input, &inputs, num_rows, gates_.data(), gates_stride_, true};
  multiply(kernels_, crew_, &from_input, 1);
  for (std::size_t text = 0; text < num_texts; ++text) {
    __builtin_memcpy(hidden_.row(text), part(states[text], number), bytes);
  }
  for (std::size_t row = 0; row < num_rows; row += num_texts) {
    float* gates = gates_.data() + row * gates_stride_;
    const Product from_state{&layer.state, &hidden_.inputs, num_texts, gates, gates_stride_, true};
    multiply(kernels_, crew_, &from_state, 1);
    for (std::size_t text = 0; text < num_texts; ++text) {
      float* hidden = hidden_.row(text);
      step(gates + text * gates_stride_, hidden, part(states[text], number));
      __builtin_memcpy(states_.row(row + text), hidden, bytes);
    }
  }
  for (std::size_t text = 0; text < num_texts; ++text) {
    __builtin_memcpy(part(states[text], number), hidden_.row(text), bytes);
  }
}

void Recurrent::step(float* gates, float* hidden, float* state) {
  if (shape_.is_lstm) {
    kernels_.lstm(gates, shape_.state_width, state + shape_.state_stride(), hidden);
  } else {
    kernels_.elman(gates, shape_.state_width, hidden);
  }
}

void Recurrent::score(std::size_t first, std::size_t num_rows, float* logits) {
  const Inputs states = states_.from(first);
  const Product to_embedding{&weights_.projection, &states, num_rows,
                             back_.inputs.values,  back_.inputs.width(), false};
  multiply(kernels_, crew_, &to_embedding, 1);
  for (std::size_t row = 0; row < num_rows; ++row) {
    __builtin_memcpy(logits + row * logits_stride(), weights_.output_bias,
                     logits_stride() * sizeof(float));
  }
  const Product scores{&weights_.embedding, &back_.inputs, num_rows,
                       logits,              logits_stride(), true};
  multiply(kernels_, crew_, &scores, 1);
}

}  // namespace engine
