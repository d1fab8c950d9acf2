// A matrix of float32 in tiles, multiplied with rows of numbers.
#pragma once

#include "kernels.h"
#include "memory.h"
#include "packing.h"

namespace engine {

class Linear {
 public:
  // weights: row by row. False: no memory.
  bool make(const float* weights, std::size_t rows, std::size_t columns) {
    Matrix matrix{Format::kFloat32, rows, columns, nullptr};
    if (!tiles_.make(matrix.bytes())) return false;
    pack_floats(reinterpret_cast<const std::uint8_t*>(weights), matrix, tiles_.data());
    matrix.tiles = tiles_.data();
    matrix_ = matrix;
    return true;
  }

  // From one row of inputs to the next; what stands behind the columns has to be 0.
  std::size_t input_stride() const { return matrix_.blocks() * kTileColumns; }
  // From one row of outputs to the next; what stands behind the rows becomes 0.
  std::size_t output_stride() const { return matrix_.groups() * kTileRows; }

  // Adds products of num_rows rows of inputs to outputs.
  void add(const Kernels& kernels, float* inputs, std::size_t num_rows, float* outputs) const {
    Inputs some;
    some.blocks = matrix_.blocks();
    some.values = inputs;
    kernels.product({&matrix_, &some, num_rows, outputs, output_stride(), true}, 0, matrix_.groups());
  }

 private:
  Room<std::uint8_t> tiles_;
  Matrix matrix_;
};

}  // namespace engine
