// ARM with NEON: phones, boards, Apple's computers. With the dot products of ARMv8.2 (compiled apart,
// kernels_neon_dotprod.cpp) a step of four rows is one instruction.
#include <arm_neon.h>
#include <cstddef>

namespace engine {
constexpr std::size_t kRegisterFloats = 4;
}

#include "steps.h"

namespace engine {
namespace {

struct Machine {
  static constexpr int kMostRows = 4, kMostGroups = 1;
  static constexpr bool kSharesPrograms = false;
  static constexpr int kMostQueries = 2, kFewQueries = 3, kMixedVectors = 2;

  template <Format kFormat>
  static constexpr std::int32_t offset() {
    return offset_of(kFormat);
  }

  static IN_PLACE Floats halves(const std::uint8_t* from) {
    return in_parts<Floats>([&](std::size_t i) {
      const float16x4_t four = vreinterpret_f16_u8(vld1_u8(from + 8 * i));
      return reinterpret_cast<FloatPart>(vcvt_f32_f16(four));
    });
  }

  // Field number kField of kBits bits in every byte, moved to bit kTo.
  template <int kField, int kBits, int kTo>
  static IN_PLACE uint8x16_t field(uint8x16_t vector) {
    constexpr int shift = kField * kBits - kTo;
    if constexpr (shift > 0) vector = vshrq_n_u8(vector, shift);
    if constexpr (shift < 0) vector = vshlq_n_u8(vector, -shift);
    return vandq_u8(vector, vdupq_n_u8(((1 << kBits) - 1) << kTo));
  }

  static IN_PLACE uint8x16_t vector(const std::uint8_t* codes, int number, int part) {
    return vld1q_u8(codes + number * kVectorBytes + 16 * part);
  }

  template <Format kFormat, int kStep>
  static IN_PLACE int8x16_t step(const std::uint8_t* codes, int part) {
    if constexpr (kFormat == Format::kInt8) {
      return vreinterpretq_s8_u8(vector(codes, kStep, part));
    } else if constexpr (kFormat == Format::kInt3) {
      return vreinterpretq_s8_u8(vorrq_u8(field<kStep % 4, 2, 0>(vector(codes, kStep / 4, part)),
                                          field<kStep, 1, 2>(vector(codes, 2, part))));
    } else {
      uint8x16_t code = field<kStep % 2, 4, 0>(vector(codes, kStep / 2, part));
      if constexpr (kFormat == Format::kInt5) {
        code = vorrq_u8(code, field<kStep, 1, 4>(vector(codes, 4, part)));
      }
      if constexpr (kFormat == Format::kInt6) {
        code = vorrq_u8(code, field<kStep % 4, 2, 4>(vector(codes, 4 + kStep / 4, part)));
      }
      return vreinterpretq_s8_u8(code);
    }
  }

  static IN_PLACE int8x16_t inputs(const std::int8_t* from) {
    std::int32_t four;
    __builtin_memcpy(&four, from, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
  }

  static IN_PLACE int32x4_t with_products(int32x4_t sum, int8x16_t weights, int8x16_t inputs) {
#if defined(WITH_DOT_PRODUCTS)
    return vdotq_s32(sum, weights, inputs);
#else
    const int16x8_t low = vmull_s8(vget_low_s8(weights), vget_low_s8(inputs));
    const int16x8_t high = vmull_s8(vget_high_s8(weights), vget_high_s8(inputs));
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
  }

  template <Format kFormat, int kNum, int kStep>
  static IN_PLACE void add_step(const std::uint8_t* codes, const std::int8_t* rows,
                                std::size_t stride, Ints (&sums)[kNum]) {
    int8x16_t fours[kNum];
    for (int n = 0; n < kNum; ++n) fours[n] = inputs(rows + n * stride + 4 * kStep);
    for (int part = 0; part < 4; ++part) {
      const int8x16_t weights = step<kFormat, kStep>(codes, part);
      for (int n = 0; n < kNum; ++n) {
        const auto before = reinterpret_cast<int32x4_t>(sums[n].part[part]);
        sums[n].part[part] =
            reinterpret_cast<IntPart>(with_products(before, weights, fours[n]));
      }
    }
  }

  template <Format kFormat, int kNum>
  static IN_PLACE void add_tile(const std::uint8_t* codes, const std::int8_t* rows,
                                std::size_t stride, Ints (&sums)[kNum]) {
    add_all_steps<Machine, kFormat, kNum>(codes, rows, stride, sums);
  }
};

}  // namespace
}  // namespace engine

#include "kernels_body.h"

namespace engine {
#if defined(WITH_DOT_PRODUCTS)
extern const Kernels kNeonDot;
const Kernels kNeonDot = table_of("neon-dotprod");
#else
extern const Kernels kNeon;
const Kernels kNeon = table_of("neon");
#endif
}  // namespace engine
