// From rows of numbers to tiles.
#pragma once

#include "packed.h"

namespace engine {

// Packs row-major numbers of the matrix's own format (float32, float16, bfloat16).
//
// tiles has room for Matrix::bytes(); what lies behind the last row and column becomes 0.
void pack_floats(const std::uint8_t* values, const Matrix& matrix, std::uint8_t* tiles);

// Packs codes that mean code * scale.
//
// codes    [rows][columns], -127 to 127, or -2^(bits - 1) to 2^(bits - 1) - 1 below 8 bits
// scales   [rows][blocks], float16
//
// Returns false where a code is outside of its range or a scale is not finite.
bool pack_codes(const std::int8_t* codes, const std::uint16_t* scales, const Matrix& matrix,
                std::uint8_t* tiles);

// The blocks of GGUF files, row by row: a float16 scale and 32 codes.
enum class Blocks { kQ8_0, kQ5_0, kQ4_0 };

// Packs them without loss as 8, 5 or 4 bits (but for the code -128, which becomes -127).
void pack_blocks(Blocks blocks, const std::uint8_t* from, const Matrix& matrix,
                 std::uint8_t* tiles);

}  // namespace engine
