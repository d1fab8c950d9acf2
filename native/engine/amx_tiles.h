// The eight tile registers of AMX: sixteen rows of 64 bytes each.
//
// With EMULATED_TILES they are ordinary memory, so that what is written for them can be tried on any
// machine. Registers are named by literals: the compilers' own names are macros.
//
// Source: Intel's architecture instruction set extensions programming reference, chapter 3.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engine {
namespace {

constexpr std::size_t kTileRegisters = 8;

// Rows and bytes of a row of every register, as LDTILECFG reads them.
struct TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  constexpr void set(std::size_t number, std::size_t num_rows, std::size_t num_bytes) {
    rows[number] = static_cast<std::uint8_t>(num_rows);
    row_bytes[number] = static_cast<std::uint16_t>(num_bytes);
  }
};
static_assert(sizeof(TileShapes) == 64, "a line of memory");

}  // namespace
}  // namespace engine

#if defined(EMULATED_TILES)

namespace engine {
namespace {

struct EmulatedTiles {
  TileShapes shapes;
  std::uint8_t bytes[kTileRegisters][16][64];

  void load(int number, const void* from, std::size_t stride) {
    for (std::size_t row = 0; row < shapes.rows[number]; ++row) {
      __builtin_memcpy(bytes[number][row], static_cast<const std::uint8_t*>(from) + row * stride,
                       shapes.row_bytes[number]);
    }
  }
  void store(int number, void* to, std::size_t stride) const {
    for (std::size_t row = 0; row < shapes.rows[number]; ++row) {
      __builtin_memcpy(static_cast<std::uint8_t*>(to) + row * stride, bytes[number][row],
                       shapes.row_bytes[number]);
    }
  }
  // sums[m][n] += left[m][4 k + i] * right[k][4 n + i], over k and i; left is signed.
  template <class Right>
  void multiply(int sums, int left, int right) {
    for (std::size_t m = 0; m < shapes.rows[sums]; ++m) {
      for (std::size_t n = 0; n < shapes.row_bytes[sums] / 4u; ++n) {
        std::int32_t sum;
        __builtin_memcpy(&sum, &bytes[sums][m][4 * n], sizeof sum);
        for (std::size_t k = 0; k < shapes.row_bytes[left]; ++k) {
          const auto a = static_cast<std::int8_t>(bytes[left][m][k]);
          sum += a * static_cast<Right>(bytes[right][k / 4][4 * n + k % 4]);
        }
        __builtin_memcpy(&bytes[sums][m][4 * n], &sum, sizeof sum);
      }
    }
  }
};

thread_local EmulatedTiles emulated;

}  // namespace
}  // namespace engine

#define TILE_SHAPES(wanted) emulated.shapes = wanted
#define TILE_RELEASE() static_cast<void>(0)
#define TILE_ZERO(number) __builtin_memset(emulated.bytes[number], 0, sizeof emulated.bytes[number])
#define TILE_LOAD(number, from, stride) emulated.load(number, from, stride)
#define TILE_STORE(number, to, stride) emulated.store(number, to, stride)
#define TILE_SIGNED(sums, left, right) emulated.multiply<std::int8_t>(sums, left, right)
#define TILE_UNSIGNED(sums, left, right) emulated.multiply<std::uint8_t>(sums, left, right)

#else

#include <immintrin.h>

#define TILE_SHAPES(wanted) _tile_loadconfig(&wanted)
#define TILE_RELEASE() _tile_release()
#define TILE_ZERO(number) _tile_zero(number)
#define TILE_LOAD(number, from, stride) _tile_loadd(number, from, stride)
#define TILE_STORE(number, to, stride) _tile_stored(number, to, stride)
#define TILE_SIGNED(sums, left, right) _tile_dpbssd(sums, left, right)
#define TILE_UNSIGNED(sums, left, right) _tile_dpbsud(sums, left, right)

#endif
