// Matrices as the kernels read them, and what they are multiplied with.
//
// A matrix is cut into tiles of 16 rows and 32 columns; the tiles of 16 rows stand one behind the
// other, so that a product reads memory from front to back and every lane of a vector belongs to
// one row. Rows and columns that fill the last tiles up are zeros.
//
// A tile of integers: 16 scales (float16), one a row, then the codes:
//   8 bits      8 steps of 64 bytes; step j holds columns 4j to 4j + 3 of each row, signed,
//               -127 to 127
//   4 bits      4 vectors of 64 bytes; the low halves of vector v are step 2v, the high halves
//               step 2v + 1
//   2 bits      2 vectors; bits 2f and 2f + 1 of vector v are step 4v + f
//   1 bit       1 vector; bit j is step j
//   6, 5, 3     the 4 (or 2) lower bits as above, behind them the 2 (or 1) higher ones
// Below 8 bits a code is unsigned and means code - 2^(bits - 1).
//
// A tile of floats: column by column, 16 rows each. Files of float16 keep it, bfloat16 likewise.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engine {

constexpr std::size_t kTileRows = 16;
constexpr std::size_t kTileColumns = 32;
constexpr std::size_t kSteps = 8;
constexpr std::size_t kVectorBytes = 64;
constexpr std::size_t kScaleBytes = 2 * kTileRows;

enum class Format : std::uint8_t {
  kFloat32 = 0,
  kBFloat16 = 1,
  kFloat16 = 2,
  kInt3 = 3,
  kInt4 = 4,
  kInt5 = 5,
  kInt6 = 6,
  kInt8 = 8,
};

constexpr bool is_integer(Format format) { return format >= Format::kInt3; }

constexpr bool is_format(std::uint32_t number) {
  return number <= 6 || number == 8;
}

// What a code has to be lowered by.
constexpr std::int32_t offset_of(Format format) {
  return format == Format::kInt8 || !is_integer(format)
             ? 0
             : 1 << (static_cast<std::uint32_t>(format) - 1);
}

constexpr std::size_t tile_bytes(Format format) {
  const std::size_t values = kTileRows * kTileColumns;
  if (format == Format::kFloat32) return 4 * values;
  if (!is_integer(format)) return 2 * values;
  return kScaleBytes + kVectorBytes * static_cast<std::size_t>(format);
}

constexpr std::size_t num_tiles(std::size_t count, std::size_t size) {
  return (count + size - 1) / size;
}

struct Matrix {
  Format format = Format::kFloat32;
  std::size_t rows = 0;
  std::size_t columns = 0;
  const std::uint8_t* tiles = nullptr;

  std::size_t groups() const { return num_tiles(rows, kTileRows); }
  std::size_t blocks() const { return num_tiles(columns, kTileColumns); }
  std::size_t group_bytes() const { return blocks() * tile_bytes(format); }
  std::size_t bytes() const { return groups() * group_bytes(); }
};

// Source: IEEE 754-2008, binary16; exact for every finite number.
inline float from_half(std::uint16_t half) {
  const std::uint32_t magnitude_bits = (half & 0x7FFFu) << 13;
  float value;
  __builtin_memcpy(&value, &magnitude_bits, sizeof value);
  value *= 5.192296858534828e33f;  // 2^112: the exponents' different middles
  return half & 0x8000u ? -value : value;
}

inline float from_bfloat16(std::uint16_t upper) {
  const std::uint32_t bits = static_cast<std::uint32_t>(upper) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

// Rows of numbers that a matrix is multiplied with, in blocks of 32: as they are, and rounded to
// 8 bits with one scale a block.
struct Inputs {
  std::size_t blocks = 0;        // of one row
  float* values = nullptr;       // rows of 32 * blocks
  std::int8_t* codes = nullptr;  // the same, -127 to 127
  float* scales = nullptr;       // rows of blocks
  std::int32_t* sums = nullptr;  // of a block's codes; rows of blocks

  std::size_t width() const { return blocks * kTileColumns; }
};

}  // namespace engine
