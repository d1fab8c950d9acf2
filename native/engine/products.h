// Products of matrices and rows of numbers, shared out among the threads of a crew.
#pragma once

#include "crew.h"
#include "kernels.h"
#include "memory.h"

namespace engine {

constexpr std::size_t padded(std::size_t count, std::size_t size) {
  return num_tiles(count, size) * size;
}

// Room for rows of numbers that a matrix is multiplied with.
struct Buffers {
  Room<float> values, scales;
  Room<std::int8_t> codes;
  Room<std::int32_t> sums;
  Inputs inputs;

  // False: no memory.
  bool make(std::size_t columns, std::size_t num_rows);
  float* row(std::size_t number) { return inputs.values + number * inputs.width(); }
  // The inputs from a row on.
  Inputs from(std::size_t row) const;
};

// Whether one of the matrices is multiplied with inputs that are rounded to codes.
bool need_codes(const Product* products, std::size_t count);

// Some products of the same inputs, which are rounded first where one of the matrices needs it and
// nobody has done it.
void multiply(const Kernels& kernels, Crew& crew, const Product* products, std::size_t count,
              bool are_codes_there = false);

}  // namespace engine
