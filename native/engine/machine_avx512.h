// Sums of products of codes with AVX-512 and its byte products (VNNI): sixteen rows in one register.
#pragma once

#include <cstddef>
#include <immintrin.h>

namespace engine {
constexpr std::size_t kRegisterFloats = 16;
}

#include "lanes16.h"

namespace engine {
namespace {

struct Machine {
  static constexpr int kMostRows = 4, kMostGroups = 2;
  static constexpr bool kSharesPrograms = false;
  static constexpr int kMostQueries = 8, kFewQueries = 3, kMixedVectors = 2;

  // A signed weight is read as unsigned, which adds 128 to it.
  template <Format kFormat>
  static constexpr std::int32_t offset() {
    return kFormat == Format::kInt8 ? 128 : offset_of(kFormat);
  }

  static IN_PLACE Floats halves(const std::uint8_t* from) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)))};
  }

  static IN_PLACE __m512i vector(const std::uint8_t* codes, int number) {
    return _mm512_loadu_si512(codes + number * kVectorBytes);
  }

  template <Format kFormat, int kStep>
  static IN_PLACE __m512i step(const std::uint8_t* codes) {
    if constexpr (kFormat == Format::kInt8) {
      return _mm512_xor_si512(vector(codes, kStep), _mm512_set1_epi8(static_cast<char>(0x80)));
    } else if constexpr (kFormat == Format::kInt3) {
      return _mm512_or_si512(two<kStep>(codes), field<kStep, 1, 2>(vector(codes, 2)));
    } else if constexpr (kFormat == Format::kInt4) {
      return nibble<kStep>(codes);
    } else if constexpr (kFormat == Format::kInt5) {
      return _mm512_or_si512(nibble<kStep>(codes), field<kStep, 1, 4>(vector(codes, 4)));
    } else {
      return _mm512_or_si512(nibble<kStep>(codes),
                             field<kStep % 4, 2, 4>(vector(codes, 4 + kStep / 4)));
    }
  }

  template <int kStep>
  static IN_PLACE __m512i nibble(const std::uint8_t* codes) {
    return field<kStep % 2, 4, 0>(vector(codes, kStep / 2));
  }

  template <int kStep>
  static IN_PLACE __m512i two(const std::uint8_t* codes) {
    return field<kStep % 4, 2, 0>(vector(codes, kStep / 4));
  }

  // Field number kField of kBits bits in every byte, moved to bit kTo.
  template <int kField, int kBits, int kTo>
  static IN_PLACE __m512i field(__m512i vector) {
    constexpr int shift = kField * kBits - kTo;
    const __m512i mask = _mm512_set1_epi8(static_cast<char>(((1 << kBits) - 1) << kTo));
    if constexpr (shift > 0) vector = _mm512_srli_epi32(vector, shift);
    if constexpr (shift < 0) vector = _mm512_slli_epi32(vector, -shift);
    return _mm512_and_si512(vector, mask);
  }

  template <Format kFormat, int kNum, int kGroups, int kStep>
  static IN_PLACE void add_step(const std::uint8_t* codes, std::size_t apart,
                                const std::int8_t* rows, std::size_t stride,
                                Ints (&sums)[kGroups][kNum]) {
    __m512i weights[kGroups];
    for (int g = 0; g < kGroups; ++g) {
      weights[g] = step<kFormat, kStep>(codes + static_cast<std::size_t>(g) * apart);
    }
    for (int n = 0; n < kNum; ++n) {
      std::int32_t four;
      __builtin_memcpy(&four, rows + n * stride + 4 * kStep, sizeof four);
      const __m512i inputs = _mm512_set1_epi32(four);
      for (int g = 0; g < kGroups; ++g) {
        // By value: parts may begin anywhere, __m512i may not.
        const auto before = reinterpret_cast<__m512i>(sums[g][n].part[0]);
        sums[g][n].part[0] =
            reinterpret_cast<IntPart>(_mm512_dpbusd_epi32(before, weights[g], inputs));
      }
    }
  }

  template <Format kFormat, int kNum, int kGroups, int kStep = 0>
  static IN_PLACE void add_tiles(const std::uint8_t* codes, std::size_t apart,
                                 const std::int8_t* rows, std::size_t stride,
                                 Ints (&sums)[kGroups][kNum]) {
    add_step<kFormat, kNum, kGroups, kStep>(codes, apart, rows, stride, sums);
    if constexpr (kStep + 1 < static_cast<int>(kSteps)) {
      add_tiles<kFormat, kNum, kGroups, kStep + 1>(codes, apart, rows, stride, sums);
    }
  }
};

}  // namespace
}  // namespace engine
