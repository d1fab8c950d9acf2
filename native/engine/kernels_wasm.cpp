// WebAssembly with 128-bit vectors: four rows in a register, four registers for sixteen.
#include <cstddef>
#include <wasm_simd128.h>

namespace engine {
constexpr std::size_t kRegisterFloats = 4;
}

#include "lanes16.h"

namespace engine {
namespace {

struct Machine {
  static constexpr int kMostRows = 2, kMostGroups = 1;
  static constexpr bool kSharesPrograms = true;
  static constexpr int kMostQueries = 1, kFewQueries = 0, kMixedVectors = 1;

  template <Format kFormat>
  static constexpr std::int32_t offset() {
    return offset_of(kFormat);
  }

  static IN_PLACE Floats halves(const std::uint8_t* from) {
    return in_parts<Floats>([&](std::size_t i) {
      const v128_t bits = wasm_u32x4_load16x4(from + 8 * i);
      const v128_t magnitude = wasm_i32x4_shl(wasm_v128_and(bits, wasm_i32x4_splat(0x7FFF)), 13);
      const v128_t sign = wasm_i32x4_shl(wasm_v128_and(bits, wasm_i32x4_splat(0x8000)), 16);
      const v128_t value = wasm_f32x4_mul(magnitude, wasm_f32x4_splat(5.192296858534828e33f));
      return reinterpret_cast<FloatPart>(wasm_v128_or(value, sign));
    });
  }

  static IN_PLACE v128_t vector(const std::uint8_t* codes, int number, int part) {
    return wasm_v128_load(codes + number * kVectorBytes + 16 * part);
  }

  template <Format kFormat, int kStep>
  static IN_PLACE v128_t step(const std::uint8_t* codes, int part) {
    if constexpr (kFormat == Format::kInt8) {
      return vector(codes, kStep, part);
    } else {
      const v128_t both = vector(codes, kStep / 2, part);
      const v128_t nibble = kStep % 2 == 0 ? both : wasm_u32x4_shr(both, 4);
      return wasm_v128_and(nibble, wasm_i8x16_splat(15));
    }
  }

  // Four columns of an input, twice, as 16 bits.
  static IN_PLACE v128_t inputs(const std::int8_t* from) {
    return wasm_i16x8_extend_low_i8x16(wasm_v128_load32_splat(from));
  }

  template <Format kFormat, int kNum, int kStep>
  static IN_PLACE void add_step(const std::uint8_t* codes, const std::int8_t* rows,
                                std::size_t stride, v128_t (&low)[kNum][4],
                                v128_t (&high)[kNum][4]) {
    v128_t fours[kNum];
    for (int n = 0; n < kNum; ++n) fours[n] = inputs(rows + n * stride + 4 * kStep);
    for (int part = 0; part < 4; ++part) {
      const v128_t weights = step<kFormat, kStep>(codes, part);
      const v128_t first = wasm_i16x8_extend_low_i8x16(weights);
      const v128_t second = wasm_i16x8_extend_high_i8x16(weights);
      for (int n = 0; n < kNum; ++n) {
        low[n][part] = wasm_i32x4_add(low[n][part], wasm_i32x4_dot_i16x8(first, fours[n]));
        high[n][part] = wasm_i32x4_add(high[n][part], wasm_i32x4_dot_i16x8(second, fours[n]));
      }
    }
  }

  // Codes of 3, 5 and 6 bits become bytes first, once for all rows: programs of their own for them were a
  // tenth of the file that a browser loads.
  static __attribute__((noinline)) void unpack(Format format, const std::uint8_t* codes,
                                               std::uint8_t* bytes) {
    const int low = format == Format::kInt3 ? 2 : 4, high = static_cast<int>(format) - low;
    const auto mask_of = [](int bits) {
      return wasm_i8x16_splat(static_cast<std::int8_t>((1 << bits) - 1));
    };
    const v128_t low_mask = mask_of(low), high_mask = mask_of(high);
    for (int place = 0; place < 4 * static_cast<int>(kSteps); ++place) {
      const int step = place / 4, part = place % 4;
      const v128_t lower = vector(codes, step * low / 8, part);
      const v128_t upper = vector(codes, low + step * high / 8, part);
      const v128_t first = wasm_v128_and(wasm_u32x4_shr(lower, step * low % 8), low_mask);
      const v128_t second = wasm_v128_and(wasm_u32x4_shr(upper, step * high % 8), high_mask);
      wasm_v128_store(bytes + 16 * place, wasm_v128_or(first, wasm_i32x4_shl(second, low)));
    }
  }

  template <int kNum>
  static IN_PLACE void add_any(Format format, const std::uint8_t* codes, const std::int8_t* rows,
                               std::size_t stride, Ints (&sums)[kNum]) {
    alignas(16) std::uint8_t bytes[kSteps * kVectorBytes];
    if (format != Format::kInt8) unpack(format, codes, bytes);
    add_tile<Format::kInt8, kNum>(format == Format::kInt8 ? codes : bytes, rows, stride, sums);
  }

  template <Format kFormat, int kNum>
  static IN_PLACE void add_tile(const std::uint8_t* codes, const std::int8_t* rows,
                                std::size_t stride, Ints (&sums)[kNum]) {
    v128_t low[kNum][4] = {}, high[kNum][4] = {};
    add_step<kFormat, kNum, 0>(codes, rows, stride, low, high);
    add_step<kFormat, kNum, 1>(codes, rows, stride, low, high);
    add_step<kFormat, kNum, 2>(codes, rows, stride, low, high);
    add_step<kFormat, kNum, 3>(codes, rows, stride, low, high);
    add_step<kFormat, kNum, 4>(codes, rows, stride, low, high);
    add_step<kFormat, kNum, 5>(codes, rows, stride, low, high);
    add_step<kFormat, kNum, 6>(codes, rows, stride, low, high);
    add_step<kFormat, kNum, 7>(codes, rows, stride, low, high);
    // Each row has its sum in two neighbouring lanes.
    for (int n = 0; n < kNum; ++n) {
      for (int part = 0; part < 4; ++part) {
        const v128_t even = wasm_i32x4_shuffle(low[n][part], high[n][part], 0, 2, 4, 6);
        const v128_t odd = wasm_i32x4_shuffle(low[n][part], high[n][part], 1, 3, 5, 7);
        sums[n].part[part] += reinterpret_cast<IntPart>(wasm_i32x4_add(even, odd));
      }
    }
  }
};

}  // namespace
}  // namespace engine

#include "kernels_body.h"

namespace engine {
extern const Kernels kWasm;
const Kernels kWasm = table_of("wasm-simd128");
}  // namespace engine
