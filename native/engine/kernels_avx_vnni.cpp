// x86 with AVX-VNNI: laptops since 2021 that have no AVX-512. Four products in one instruction; what is no
// product of codes is done with AVX2.
#include <cstddef>

namespace engine {
constexpr std::size_t kRegisterFloats = 8;
}

#include "codes256.h"
#include "steps.h"

namespace engine {
namespace {

struct Machine : Codes256 {
  static constexpr int kMostRows = 4, kMostGroups = 1;
  static constexpr bool kSharesPrograms = false;

  // A signed weight is read as unsigned, which adds 128 to it.
  template <Format kFormat>
  static constexpr std::int32_t offset() {
    return kFormat == Format::kInt8 ? 128 : offset_of(kFormat);
  }

  template <Format kFormat, int kStep>
  static IN_PLACE __m256i unsigned_step(const std::uint8_t* codes, int which) {
    const __m256i code = step<kFormat, kStep>(codes, which);
    if constexpr (kFormat != Format::kInt8) return code;
    return _mm256_xor_si256(code, _mm256_set1_epi8(static_cast<char>(0x80)));
  }

  static IN_PLACE void add(IntPart& sum, __m256i weights, __m256i inputs) {
    const auto before = reinterpret_cast<__m256i>(sum);
    sum = reinterpret_cast<IntPart>(_mm256_dpbusd_avx_epi32(before, weights, inputs));
  }

  template <Format kFormat, int kNum, int kStep>
  static IN_PLACE void add_step(const std::uint8_t* codes, const std::int8_t* rows,
                                 std::size_t stride, Ints (&sums)[kNum]) {
    const __m256i first = unsigned_step<kFormat, kStep>(codes, 0);
    const __m256i second = unsigned_step<kFormat, kStep>(codes, 1);
    for (int n = 0; n < kNum; ++n) {
      const __m256i inputs = four(rows + n * stride + 4 * kStep);
      add(sums[n].part[0], first, inputs);
      add(sums[n].part[1], second, inputs);
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

#include "products_body.h"

namespace engine {
void avx_vnni_product(const Product& job, std::size_t first, std::size_t last) {
  product_of_integers(job, first, last);
}
}  // namespace engine
