#include "packing.h"

namespace engine {
namespace {

// Writes one code into the bits that packed.h gives it.
void put_code(Format format, std::uint8_t* codes, std::size_t row, std::size_t column,
              std::uint32_t code) {
  const std::size_t step = column / 4, place = row * 4 + column % 4;
  const auto put = [&](std::size_t vector, std::size_t shift, std::uint32_t bits) {
    codes[vector * kVectorBytes + place] |= static_cast<std::uint8_t>(bits << shift);
  };
  const auto nibble = [&] { put(step / 2, step % 2 * 4, code & 15); };
  switch (format) {
    case Format::kInt8:
      put(step, 0, code & 255);
      break;
    case Format::kInt6:
      nibble();
      put(4 + step / 4, step % 4 * 2, code >> 4);
      break;
    case Format::kInt5:
      nibble();
      put(4, step, code >> 4);
      break;
    case Format::kInt4:
      nibble();
      break;
    case Format::kInt3:
      put(step / 4, step % 4 * 2, code & 3);
      put(2, step, code >> 2);
      break;
    default:
      break;
  }
}

bool is_finite_half(std::uint16_t half) { return (half & 0x7C00u) != 0x7C00u; }

// Rows behind the last one have codes too, for below 8 bits zero bits do not mean zero; their
// scales are 0.
std::int32_t code_at(const std::int8_t* codes, const Matrix& matrix, std::size_t row,
                     std::size_t column) {
  return row < matrix.rows && column < matrix.columns ? codes[row * matrix.columns + column] : 0;
}

bool pack_tile(const std::int8_t* codes, const std::uint16_t* scales, const Matrix& matrix,
               std::size_t first_row, std::size_t block, std::uint8_t* tile) {
  const std::int32_t offset = offset_of(matrix.format);
  const std::int32_t least = matrix.format == Format::kInt8 ? -127 : -offset;
  const std::int32_t most = matrix.format == Format::kInt8 ? 127 : offset - 1;
  for (std::size_t i = 0; i < kTileRows; ++i) {
    const std::size_t row = first_row + i;
    const std::uint16_t scale = row < matrix.rows ? scales[row * matrix.blocks() + block] : 0;
    if (!is_finite_half(scale)) return false;
    __builtin_memcpy(tile + 2 * i, &scale, sizeof scale);
    for (std::size_t c = 0; c < kTileColumns; ++c) {
      const std::int32_t code = code_at(codes, matrix, row, block * kTileColumns + c);
      if (code < least || code > most) return false;
      put_code(matrix.format, tile + kScaleBytes, i, c, static_cast<std::uint32_t>(code + offset));
    }
  }
  return true;
}

std::size_t block_bytes(Blocks blocks) {
  return blocks == Blocks::kQ8_0 ? 34 : blocks == Blocks::kQ5_0 ? 22 : 18;
}

std::uint32_t four_bytes(const std::uint8_t* from) {
  std::uint32_t bytes;
  __builtin_memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

void put_four(std::uint8_t* to, std::uint32_t bytes) {
  __builtin_memcpy(to, &bytes, sizeof bytes);
}

// Whether one of four bytes is 0. Source: Warren, Hacker's Delight, section 6-1.
bool has_zero(std::uint32_t bytes) { return ((bytes - 0x01010101u) & ~bytes & 0x80808080u) != 0; }

// Eight bits: four codes of a row lie together in both.
void pack_eight(const std::uint8_t* codes, std::uint8_t* to) {
  for (std::size_t step = 0; step < kSteps; ++step) {
    std::uint32_t four = four_bytes(codes + 4 * step);
    if (has_zero(four ^ 0x80808080u)) {
      for (std::uint32_t shift = 0; shift < 32; shift += 8) {
        if ((four >> shift & 255u) == 0x80u) four += 1u << shift;
      }
    }
    put_four(to + step * kVectorBytes, four);
  }
}

// Columns 0 to 15 are the low halves of 16 bytes, 16 to 31 the high ones; a vector of ours holds
// two steps of four columns.
void pack_nibbles(const std::uint8_t* nibbles, std::uint8_t* to) {
  constexpr std::uint32_t kLow = 0x0F0F0F0Fu;
  for (std::size_t half = 0; half < 2; ++half) {
    const std::uint32_t first = four_bytes(nibbles + 8 * half);
    const std::uint32_t second = four_bytes(nibbles + 8 * half + 4);
    put_four(to + half * kVectorBytes, (first & kLow) | (second & kLow) << 4);
    put_four(to + (half + 2) * kVectorBytes, (first >> 4 & kLow) | (second & ~kLow));
  }
}

// The fifth bits of 32 columns: bit j of byte i is that of column 4 j + i.
void pack_fifth_bits(std::uint32_t bits, std::uint8_t* to) {
  for (std::uint32_t i = 0; i < 4; ++i) {
    std::uint32_t every_fourth = bits >> i & 0x11111111u;
    every_fourth = (every_fourth | every_fourth >> 3) & 0x03030303u;
    every_fourth = (every_fourth | every_fourth >> 6) & 0x000F000Fu;
    to[i] = static_cast<std::uint8_t>(every_fourth | every_fourth >> 12);
  }
}

void pack_block(Blocks blocks, const std::uint8_t* from, std::uint8_t* tile, std::size_t row) {
  __builtin_memcpy(tile + 2 * row, from, 2);
  std::uint8_t* codes = tile + kScaleBytes + 4 * row;
  if (blocks == Blocks::kQ8_0) return pack_eight(from + 2, codes);
  if (blocks == Blocks::kQ4_0) return pack_nibbles(from + 2, codes);
  pack_nibbles(from + 6, codes);
  pack_fifth_bits(four_bytes(from + 2), codes + 4 * kVectorBytes);
}

}  // namespace

void pack_floats(const std::uint8_t* values, const Matrix& matrix, std::uint8_t* tiles) {
  const std::size_t each = matrix.format == Format::kFloat32 ? 4 : 2;
  __builtin_memset(tiles, 0, matrix.bytes());
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    std::uint8_t* to = tiles + row / kTileRows * matrix.group_bytes() + row % kTileRows * each;
    for (std::size_t c = 0; c < matrix.columns; ++c) {
      __builtin_memcpy(to + c * kTileRows * each, values, each);
      values += each;
    }
  }
}

bool pack_codes(const std::int8_t* codes, const std::uint16_t* scales, const Matrix& matrix,
                std::uint8_t* tiles) {
  __builtin_memset(tiles, 0, matrix.bytes());
  for (std::size_t group = 0; group < matrix.groups(); ++group) {
    std::uint8_t* tile = tiles + group * matrix.group_bytes();
    for (std::size_t block = 0; block < matrix.blocks(); ++block) {
      if (!pack_tile(codes, scales, matrix, group * kTileRows, block, tile)) return false;
      tile += tile_bytes(matrix.format);
    }
  }
  return true;
}

void pack_blocks(Blocks blocks, const std::uint8_t* from, const Matrix& matrix,
                 std::uint8_t* tiles) {
  const std::size_t each = block_bytes(blocks);
  if (matrix.rows % kTileRows != 0) __builtin_memset(tiles, 0, matrix.bytes());
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    std::uint8_t* tile = tiles + row / kTileRows * matrix.group_bytes();
    for (std::size_t b = 0; b < matrix.blocks(); ++b, tile += tile_bytes(matrix.format)) {
      pack_block(blocks, from, tile, row % kTileRows);
      from += each;
    }
  }
}

}  // namespace engine
