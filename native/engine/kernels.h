// The loops of a network, compiled once for every instruction set. Integers are summed exactly and
// float32 in one order, without fused multiply-add: every table of kernels gives the same bits.
#pragma once

#include "packed.h"

namespace engine {

// outputs[n, r] = sum over c of matrix[r, c] * inputs[n, c], written or added.
struct Product {
  const Matrix* matrix;
  const Inputs* inputs;
  std::size_t num_rows;  // N, of the inputs
  float* outputs;
  std::size_t stride;  // from one row of outputs to the next, >= 16 * groups
  bool is_added;
};

// Queries that are answered together because they ask the same keys.
constexpr std::size_t kMostQueries = 32;

// Queries against keys and values of one head, both float16.
struct Attention {
  std::size_t num_queries = 0;               // 1 to kMostQueries
  const float* queries[kMostQueries];        // width numbers each, scaled
  float* mixed[kMostQueries];                // width numbers each
  std::size_t num_positions[kMostQueries];   // that each sees, >= 1
  const std::uint16_t* keys;                 // [positions / 16][width][16]
  const std::uint16_t* values;               // [positions][width]
  const std::uint16_t* next_keys = nullptr;  // which will be asked next, brought meanwhile; or null
  std::size_t width;                         // multiple of 16
  float* scores;                             // kMostQueries rows of scores_stride
  std::size_t scores_stride;                 // at least the positions, rounded up to 16
  float* numbers;                            // room for 16 * width
};

// values = x / sqrt(mean(x * x) + epsilon) * weight, row by row; values may be x.
// Source: Zhang and Sennrich 2019, arXiv:1910.07467, equation 4.
struct Norm {
  const float* x;
  std::size_t apart;  // from one row of x to the next
  std::size_t num_rows;
  const float* weight;
  std::size_t width;  // of a row, multiple of 16
  float epsilon;
  float* values;
  std::size_t values_apart;
};

struct Kernels {
  const char* name;

  // Row groups first to last - 1 of a product.
  void (*product)(const Product& job, std::size_t first, std::size_t last);
  // Rounds rows of inputs.values to codes.
  void (*round)(const Inputs& inputs, std::size_t num_rows);
  void (*norm)(const Norm& job);
  // Turns head_width numbers by cosines and sines, first half against second half.
  void (*turn)(float* x, const float* cosines, const float* sines, std::size_t head_width,
               float scale);
  void (*attend)(const Attention& job);
  // Rounds count (a multiple of 16) numbers to float16; beyond its range stands the largest one.
  void (*halve)(const float* values, std::size_t count, std::uint16_t* halves);
  // values = silu(gate) * up; width a multiple of 16.
  void (*gate)(const float* gate, const float* up, std::size_t width, float* values);
  // One step of an LSTM. gates are what its four gates (input, forget, candidate, output) are asked,
  // width numbers each and 16 more that may be read; cell and hidden have room for a multiple of 16,
  // what lies behind width becomes 0.
  void (*lstm)(const float* gates, std::size_t width, float* cell, float* hidden);
  // One step of a simple recurrent network: hidden = tanh(sums), in the same way.
  void (*elman)(const float* sums, std::size_t width, float* hidden);
  // The largest of count (a multiple of 16) numbers.
  float (*largest)(const float* values, std::size_t count);
  // shares = e^((values - top) * scale); returns their sum. count is a multiple of 16.
  double (*shares)(const float* values, std::size_t count, float top, float scale, float* shares);
  // The sum of those of count (a multiple of 16) numbers that are at least `least`, and how many
  // they are.
  double (*above)(const float* values, std::size_t count, float least, std::size_t& number);
  // Those that are below `least` become 0.
  void (*cut)(float* values, std::size_t count, float least);
  // The natural logarithms of the first counted of count (a multiple of 16) numbers above 0, in
  // place.
  void (*logarithms)(float* values, std::size_t count, std::size_t counted);
  // Adds codes * scale to each of num_rows rows of sums, which are `apart` numbers apart.
  void (*add_codes)(const std::int8_t* codes, float scale, std::size_t width, float* sums,
                    std::size_t apart, std::size_t num_rows);
  // One row of a matrix as numbers, 32 * blocks of them.
  void (*row)(const Matrix& matrix, std::size_t index, float* values);
};

// All tables that this machine can run, fastest first; the last one is "portable".
std::size_t runnable_kernels(const Kernels** tables, std::size_t most);
const Kernels& best_kernels();
// Null: this machine has none of that name. "" are the fastest.
const Kernels* kernels_called(const char* name);

}  // namespace engine
