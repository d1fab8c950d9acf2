// Any machine, in plain C++.
#include <cstddef>

namespace engine {
constexpr std::size_t kRegisterFloats = 4;
}

#include "lanes16.h"

namespace engine {
namespace {

struct Machine {
  static constexpr int kMostRows = 2, kMostGroups = 1;
  static constexpr bool kSharesPrograms = false;
  static constexpr int kMostQueries = 1, kFewQueries = 0, kMixedVectors = 1;

  template <Format kFormat>
  static constexpr std::int32_t offset() {
    return offset_of(kFormat);
  }

  static inline Floats halves(const std::uint8_t* from) {
    float values[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) {
      std::uint16_t half;
      __builtin_memcpy(&half, from + 2 * i, sizeof half);
      values[i] = from_half(half);
    }
    return load(values);
  }

  // The codes of one step: four columns of each row.
  template <Format kFormat>
  static inline void read_step(const std::uint8_t* codes, std::size_t step,
                               std::int32_t (&weights)[kVectorBytes]) {
    const auto field = [&](std::size_t vector, std::size_t place, std::size_t shift, int mask) {
      return codes[vector * kVectorBytes + place] >> shift & mask;
    };
    for (std::size_t i = 0; i < kVectorBytes; ++i) {
      std::int32_t code;
      if constexpr (kFormat == Format::kInt8) {
        code = static_cast<std::int8_t>(codes[step * kVectorBytes + i]);
      } else if constexpr (kFormat == Format::kInt3) {
        code = field(step / 4, i, step % 4 * 2, 3) | field(2, i, step, 1) << 2;
      } else {
        code = field(step / 2, i, step % 2 * 4, 15);
        if constexpr (kFormat == Format::kInt5) code |= field(4, i, step, 1) << 4;
        if constexpr (kFormat == Format::kInt6) {
          code |= field(4 + step / 4, i, step % 4 * 2, 3) << 4;
        }
      }
      weights[i] = code;
    }
  }

  template <Format kFormat, int kNum>
  static inline void add_tile(const std::uint8_t* codes, const std::int8_t* rows,
                              std::size_t stride, Ints (&sums)[kNum]) {
    for (std::size_t step = 0; step < kSteps; ++step) {
      std::int32_t weights[kVectorBytes];
      read_step<kFormat>(codes, step, weights);
      for (int n = 0; n < kNum; ++n) {
        const std::int8_t* four = rows + n * stride + 4 * step;
        for (std::size_t i = 0; i < kTileRows; ++i) {
          const std::int32_t* w = weights + 4 * i;
          reinterpret_cast<std::int32_t*>(&sums[n])[i] += w[0] * four[0] + w[1] * four[1] + w[2] * four[2] + w[3] * four[3];
        }
      }
    }
  }
};

}  // namespace
}  // namespace engine

#include "kernels_body.h"

namespace engine {
extern const Kernels kPortable;
const Kernels kPortable = table_of("portable");
}  // namespace engine
