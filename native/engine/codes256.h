// Codes of a tile in registers of 256 bits: eight rows in one, two for sixteen.
#pragma once

#include <immintrin.h>

#include "lanes16.h"

namespace engine {
namespace {

struct Codes256 {
  static IN_PLACE Floats halves(const std::uint8_t* from) {
    const auto* both = reinterpret_cast<const __m128i*>(from);
    return {_mm256_cvtph_ps(_mm_loadu_si128(both)), _mm256_cvtph_ps(_mm_loadu_si128(both + 1))};
  }

  static IN_PLACE __m256i half(const std::uint8_t* codes, int vector, int which) {
    return _mm256_loadu_si256(
        reinterpret_cast<const __m256i*>(codes + vector * kVectorBytes + which * 32));
  }

  // Field number kField of kBits bits in every byte, moved to bit kTo.
  template <int kField, int kBits, int kTo>
  static IN_PLACE __m256i field(__m256i vector) {
    constexpr int shift = kField * kBits - kTo;
    const __m256i mask = _mm256_set1_epi8(static_cast<char>(((1 << kBits) - 1) << kTo));
    if constexpr (shift > 0) vector = _mm256_srli_epi32(vector, shift);
    if constexpr (shift < 0) vector = _mm256_slli_epi32(vector, -shift);
    return _mm256_and_si256(vector, mask);
  }

  template <Format kFormat, int kStep>
  static IN_PLACE __m256i step(const std::uint8_t* codes, int which) {
    if constexpr (kFormat == Format::kInt8) {
      return half(codes, kStep, which);
    } else if constexpr (kFormat == Format::kInt3) {
      return _mm256_or_si256(field<kStep % 4, 2, 0>(half(codes, kStep / 4, which)),
                             field<kStep, 1, 2>(half(codes, 2, which)));
    } else {
      const __m256i low = field<kStep % 2, 4, 0>(half(codes, kStep / 2, which));
      if constexpr (kFormat == Format::kInt4) return low;
      if constexpr (kFormat == Format::kInt5) {
        return _mm256_or_si256(low, field<kStep, 1, 4>(half(codes, 4, which)));
      }
      return _mm256_or_si256(low, field<kStep % 4, 2, 4>(half(codes, 4 + kStep / 4, which)));
    }
  }

  static IN_PLACE __m256i four(const std::int8_t* from) {
    std::int32_t bytes;
    __builtin_memcpy(&bytes, from, sizeof bytes);
    return _mm256_set1_epi32(bytes);
  }
};

}  // namespace
}  // namespace engine
