// x86 with AVX2 and F16C: most laptops. Eight rows in a register, two registers for sixteen.
#include <cstddef>

namespace engine {
constexpr std::size_t kRegisterFloats = 8;
}

#include "codes256.h"

namespace engine {
namespace {

struct Machine : Codes256 {
  static constexpr int kMostRows = 4, kMostGroups = 1;
  static constexpr bool kSharesPrograms = false;
  static constexpr int kMostQueries = 2, kFewQueries = 3, kMixedVectors = 2;

  template <Format kFormat>
  static constexpr std::int32_t offset() {
    return offset_of(kFormat);
  }

  // Pairs of products fit 16 bits: 2 * 127 * 127 where both are signed (and the sign of one is
  // given to the other), 2 * 127 * (2^bits - 1) where codes are unsigned. So many steps may be
  // added up before they are widened to 32 bits.
  template <Format kFormat>
  static constexpr int steps_in_16_bits() {
    return kFormat == Format::kInt8 ? 1
           : kFormat == Format::kInt6 ? 2
           : kFormat == Format::kInt5 ? 4
                                      : 8;
  }

  template <Format kFormat>
  static IN_PLACE __m256i pairs(__m256i weights, __m256i inputs) {
    if constexpr (kFormat == Format::kInt8) {
      return _mm256_maddubs_epi16(_mm256_abs_epi8(inputs), _mm256_sign_epi8(weights, inputs));
    } else {
      return _mm256_maddubs_epi16(weights, inputs);
    }
  }

  static IN_PLACE void add(IntPart& sum, __m256i value) {
    sum = reinterpret_cast<IntPart>(_mm256_add_epi32(reinterpret_cast<__m256i>(sum), value));
  }

  template <Format kFormat, int kNum, int kStep>
  static IN_PLACE void add_steps(const std::uint8_t* codes, const std::int8_t* rows,
                               std::size_t stride, Ints (&sums)[kNum]) {
    constexpr int count = steps_in_16_bits<kFormat>();
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i low[kNum], high[kNum];
    add_pairs<kFormat, kNum, kStep, kStep + count>(codes, rows, stride, low, high);
    for (int n = 0; n < kNum; ++n) {
      add(sums[n].part[0], _mm256_madd_epi16(low[n], ones));
      add(sums[n].part[1], _mm256_madd_epi16(high[n], ones));
    }
    if constexpr (kStep + count < static_cast<int>(kSteps)) {
      add_steps<kFormat, kNum, kStep + count>(codes, rows, stride, sums);
    }
  }

  template <Format kFormat, int kNum, int kStep, int kLast, bool kIsFirst = true>
  static IN_PLACE void add_pairs(const std::uint8_t* codes, const std::int8_t* rows,
                               std::size_t stride, __m256i (&low)[kNum], __m256i (&high)[kNum]) {
    const __m256i first = step<kFormat, kStep>(codes, 0), second = step<kFormat, kStep>(codes, 1);
    for (int n = 0; n < kNum; ++n) {
      const __m256i inputs = four(rows + n * stride + 4 * kStep);
      const __m256i one = pairs<kFormat>(first, inputs), two = pairs<kFormat>(second, inputs);
      low[n] = kIsFirst ? one : _mm256_add_epi16(low[n], one);
      high[n] = kIsFirst ? two : _mm256_add_epi16(high[n], two);
    }
    if constexpr (kStep + 1 < kLast) {
      add_pairs<kFormat, kNum, kStep + 1, kLast, false>(codes, rows, stride, low, high);
    }
  }

  template <Format kFormat, int kNum>
  static IN_PLACE void add_tile(const std::uint8_t* codes, const std::int8_t* rows,
                              std::size_t stride, Ints (&sums)[kNum]) {
    add_steps<kFormat, kNum, 0>(codes, rows, stride, sums);
  }
};

}  // namespace
}  // namespace engine

#include "kernels_body.h"

namespace engine {
extern const Kernels kAvx2;
const Kernels kAvx2 = table_of("avx2");

#if defined(WITH_AVX_VNNI)
void avx_vnni_product(const Product& job, std::size_t first, std::size_t last);

namespace {

void faster_product(const Product& job, std::size_t first, std::size_t last) {
  if (is_integer(job.matrix->format)) return avx_vnni_product(job, first, last);
  product(job, first, last);
}

}  // namespace

extern const Kernels kAvxVnni;
const Kernels kAvxVnni = table_of("avx-vnni", faster_product);
#endif
}  // namespace engine
