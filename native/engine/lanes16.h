// Sixteen numbers at a time on any machine, in parts as wide as its registers: what is done to
// them, and in which order, does not depend on the width. A file that includes this says how many
// float32 a register holds (kRegisterFloats: 4, 8 or 16).
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "packed.h"

#define IN_PLACE inline __attribute__((always_inline))

namespace engine {
namespace {

constexpr std::size_t kLanes = kTileRows;
constexpr std::size_t kParts = kLanes / kRegisterFloats;

// Not to be named by auto, which would forget that addresses need no alignment.
typedef float FloatPart __attribute__((vector_size(4 * kRegisterFloats), aligned(4), may_alias));
typedef std::int32_t IntPart
    __attribute__((vector_size(4 * kRegisterFloats), aligned(4), may_alias));
typedef std::uint16_t HalfPart
    __attribute__((vector_size(2 * kRegisterFloats), aligned(2), may_alias));

typedef std::int8_t BytePart __attribute__((vector_size(kRegisterFloats), aligned(1), may_alias));

struct Ints {
  IntPart part[kParts];
};

struct Floats {
  FloatPart part[kParts];
};

template <class Vector, class Work>
IN_PLACE Vector in_parts(const Work& work) {
  Vector result;
  for (std::size_t i = 0; i < kParts; ++i) result.part[i] = work(i);
  return result;
}

IN_PLACE Floats every(float value) {
  return in_parts<Floats>([&](std::size_t) { return value - FloatPart{}; });
}

IN_PLACE Ints every(std::int32_t value) {
  return in_parts<Ints>([&](std::size_t) { return value - IntPart{}; });
}

// What `= {}` would zero in memory first.
template <std::size_t kRows, std::size_t kColumns>
IN_PLACE void make_zero(Floats (&table)[kRows][kColumns]) {
  for (auto& row : table) {
    for (Floats& entry : row) entry = every(0.0f);
  }
}

IN_PLACE Floats load(const float* from) {
  return in_parts<Floats>([&](std::size_t i) {
    return *reinterpret_cast<const FloatPart*>(from + i * kRegisterFloats);
  });
}

IN_PLACE Ints load(const std::int8_t* from) {
  return in_parts<Ints>([&](std::size_t i) {
    return __builtin_convertvector(
        *reinterpret_cast<const BytePart*>(from + i * kRegisterFloats), IntPart);
  });
}

// bfloat16: the upper half of a float32.
IN_PLACE Floats load(const std::uint16_t* from) {
  return in_parts<Floats>([&](std::size_t i) {
    const HalfPart halves = *reinterpret_cast<const HalfPart*>(from + i * kRegisterFloats);
    return reinterpret_cast<FloatPart>(__builtin_convertvector(halves, IntPart) << 16);
  });
}

IN_PLACE void store(float* to, const Floats& value) {
  for (std::size_t i = 0; i < kParts; ++i) {
    *reinterpret_cast<FloatPart*>(to + i * kRegisterFloats) = value.part[i];
  }
}

IN_PLACE Floats operator+(const Floats& a, const Floats& b) {
  return in_parts<Floats>([&](std::size_t i) { return a.part[i] + b.part[i]; });
}

IN_PLACE Floats operator-(const Floats& a, const Floats& b) {
  return in_parts<Floats>([&](std::size_t i) { return a.part[i] - b.part[i]; });
}

IN_PLACE Floats operator*(const Floats& a, const Floats& b) {
  return in_parts<Floats>([&](std::size_t i) { return a.part[i] * b.part[i]; });
}

// x * every(*one). AVX-512 multiplies what stands in memory as fast as what stands in a register, but
// bringing it there takes the time of a product, and compilers like to.
IN_PLACE Floats times(const Floats& x, const float* one) {
#if defined(__AVX512F__)
  Floats product;
  __asm__("vmulps %2%{1to16%}, %1, %0" : "=v"(product.part[0]) : "v"(x.part[0]), "m"(*one));
  return product;
#else
  return x * every(*one);
#endif
}

IN_PLACE Floats operator/(const Floats& a, const Floats& b) {
  return in_parts<Floats>([&](std::size_t i) { return a.part[i] / b.part[i]; });
}

IN_PLACE Ints operator+(const Ints& a, const Ints& b) {
  return in_parts<Ints>([&](std::size_t i) { return a.part[i] + b.part[i]; });
}

// a > b ? a : b and a < b ? a : b, whatever a and b are; GCC knows no instruction for it that is as
// wide as AVX-512.
IN_PLACE FloatPart larger(FloatPart a, FloatPart b) {
#if defined(__AVX512F__)
  return reinterpret_cast<FloatPart>(
      _mm512_max_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#else
  return a > b ? a : b;
#endif
}

IN_PLACE FloatPart smaller(FloatPart a, FloatPart b) {
#if defined(__AVX512F__)
  return reinterpret_cast<FloatPart>(
      _mm512_min_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#else
  return a < b ? a : b;
#endif
}

IN_PLACE Floats larger(const Floats& a, const Floats& b) {
  return in_parts<Floats>([&](std::size_t i) { return larger(a.part[i], b.part[i]); });
}

IN_PLACE Floats smaller(const Floats& a, const Floats& b) {
  return in_parts<Floats>([&](std::size_t i) { return smaller(a.part[i], b.part[i]); });
}

// To float16, ties to even; what is too large becomes the largest one.
// Source: IEEE 754-2008, binary16.
IN_PLACE HalfPart halves_of(FloatPart value) {
  const IntPart sign_bit = ~0x7FFFFFFF - IntPart{};
  const IntPart sign = reinterpret_cast<IntPart>(value) & sign_bit;
  const FloatPart x =
      smaller(reinterpret_cast<FloatPart>(reinterpret_cast<IntPart>(value) & ~sign_bit),
              65504.0f - FloatPart{});
#if defined(__AVX512F__)
  const auto whole = reinterpret_cast<__m512>(reinterpret_cast<IntPart>(x) | sign);
  return reinterpret_cast<HalfPart>(_mm512_cvtps_ph(whole, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
  const auto whole = reinterpret_cast<__m256>(reinterpret_cast<IntPart>(x) | sign);
  return reinterpret_cast<HalfPart>(_mm256_cvtps_ph(whole, _MM_FROUND_TO_NEAREST_INT));
#else
  const FloatPart least_normal = 6.103515625e-5f - FloatPart{};
  const IntPart plain = reinterpret_cast<IntPart>(x);
  const IntPart normal = (plain - (112 << 23) + 0xFFF + ((plain >> 13) & 1)) >> 13;
  // Below the least normal number: a half has its last place at 2^-24.
  const IntPart small = reinterpret_cast<IntPart>(x + 0.5f) - 0x3F000000;
  const IntPart is_small = x < least_normal;
  const IntPart half = (is_small & small) | (~is_small & normal) | (sign >> 16 & 0x8000);
  return __builtin_convertvector(half & 0xFFFF, HalfPart);
#endif
}

IN_PLACE void store_halves(std::uint16_t* to, const Floats& value) {
  for (std::size_t i = 0; i < kParts; ++i) {
    *reinterpret_cast<HalfPart*>(to + i * kRegisterFloats) = halves_of(value.part[i]);
  }
}

IN_PLACE Floats magnitude(const Floats& x) {
  return in_parts<Floats>([&](std::size_t i) {
    return reinterpret_cast<FloatPart>(reinterpret_cast<IntPart>(x.part[i]) & 0x7FFFFFFF);
  });
}

IN_PLACE Floats floats_of(const Ints& x) {
  return in_parts<Floats>(
      [&](std::size_t i) { return __builtin_convertvector(x.part[i], FloatPart); });
}

// The first count lanes; the others become the filling.
IN_PLACE Floats first_of(const Floats& x, std::size_t count, float filling) {
  alignas(64) static constexpr std::int32_t kNumbers[kLanes] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                                8, 9, 10, 11, 12, 13, 14, 15};
  const IntPart border = static_cast<std::int32_t>(count) - IntPart{};
  return in_parts<Floats>([&](std::size_t i) {
    const IntPart numbers = *reinterpret_cast<const IntPart*>(kNumbers + i * kRegisterFloats);
    const IntPart is_kept = numbers < border;
    return is_kept ? x.part[i] : filling - FloatPart{};
  });
}

// Halves the lanes until one is left: lane i is joined with lane i + 8, then i + 4, i + 2, i + 1.
template <class Value, class Vector, class Join>
IN_PLACE Value joined(const Vector& x, const Join& join) {
  typedef Value Eight __attribute__((vector_size(8 * sizeof(Value))));
  typedef Value Four __attribute__((vector_size(4 * sizeof(Value))));
  Eight eight[2];
  __builtin_memcpy(eight, &x, sizeof eight);
  const Eight half = join(eight[0], eight[1]);
  Four four[2];
  __builtin_memcpy(four, &half, sizeof four);
  const Four quarter = join(four[0], four[1]);
  const Four turned = {quarter[2], quarter[3], quarter[0], quarter[1]};
  const Four pair = join(quarter, turned);
  const Four last = {pair[1], pair[0], pair[1], pair[0]};
  return join(pair, last)[0];
}

IN_PLACE float sum(const Floats& x) {
  return joined<float>(x, [](auto a, auto b) { return a + b; });
}

IN_PLACE float largest(const Floats& x) {
  return joined<float>(x, [](auto a, auto b) { return a > b ? a : b; });
}

IN_PLACE std::int32_t sum(const Ints& x) {
  return joined<std::int32_t>(x, [](auto a, auto b) { return a + b; });
}

// Adding 1.5 * 2^23 leaves no digits behind the point: x is rounded, ties to even, and what has been
// added to its bits is the whole number. For x within 2^22.
constexpr float kNoDigits = 12582912.0f;
constexpr std::int32_t kNoDigitsBits = 0x4B400000;

IN_PLACE Ints nearest_whole(const Floats& x) {
  return in_parts<Ints>([&](std::size_t i) {
    return reinterpret_cast<IntPart>(x.part[i] + kNoDigits) - kNoDigitsBits;
  });
}

// e to the power of x, to two units in the last place; 0 below -87.
// Source: Moshier, Cephes, expf (range reduction by log 2 in two parts, polynomial of degree 5).
IN_PLACE FloatPart exponential(FloatPart x) {
  const FloatPart low = -87.0f - FloatPart{}, high = 88.0f - FloatPart{};
  const IntPart is_zero = x < low;
  x = smaller(high, larger(low, x));
  const FloatPart shifted = x * 1.44269504088896341f + kNoDigits, turns = shifted - kNoDigits;
  const FloatPart r = (x - turns * 0.693359375f) + turns * 2.12194440e-4f;
  FloatPart p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const IntPart power = (reinterpret_cast<IntPart>(shifted) - (kNoDigitsBits - 127)) << 23;
  const FloatPart result = p * reinterpret_cast<FloatPart>(power);
  return is_zero ? FloatPart{} : result;
}

// The natural logarithm of a number above 0, to two units in the last place.
// Source: Moshier, Cephes, logf.
IN_PLACE FloatPart logarithm(FloatPart x) {
  const IntPart bits = reinterpret_cast<IntPart>(x);
  IntPart power = (bits >> 23) - 126;
  // A half to below one; below the root of a half it is doubled.
  FloatPart m = reinterpret_cast<FloatPart>((bits & 0x007FFFFF) | 0x3F000000);
  const FloatPart root = 0.707106781186547524f - FloatPart{};
  const IntPart is_low = m < root;
  power += is_low;  // true is -1
  m = (is_low ? m + m : m) - 1.0f;
  FloatPart p = m * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  const FloatPart square = m * m, turns = __builtin_convertvector(power, FloatPart);
  FloatPart result = p * m * square + turns * -2.12194440e-4f;
  result = result - square * 0.5f;
  return (m + result) + turns * 0.693359375f;
}

IN_PLACE Floats logarithm(const Floats& x) {
  return in_parts<Floats>([&](std::size_t i) { return logarithm(x.part[i]); });
}

IN_PLACE Floats exponential(const Floats& x) {
  return in_parts<Floats>([&](std::size_t i) { return exponential(x.part[i]); });
}

// 1 / (1 + e^-x).
IN_PLACE Floats sigmoid(const Floats& x) {
  return every(1.0f) / (every(1.0f) + exponential(every(0.0f) - x));
}

// To two units in the last place; near 0 a polynomial, for there 1 - 1 loses digits.
// Source: Moshier, Cephes, tanhf.
IN_PLACE FloatPart hyperbolic_tangent(FloatPart x) {
  const FloatPart square = x * x;
  FloatPart p = square * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * square - 5.37397155531e-2f;
  p = p * square + 1.33314422036e-1f;
  p = p * square - 3.33332819422e-1f;
  const FloatPart near = p * square * x + x;
  const IntPart sign = reinterpret_cast<IntPart>(x) & ~0x7FFFFFFF;
  const FloatPart size = reinterpret_cast<FloatPart>(reinterpret_cast<IntPart>(x) & 0x7FFFFFFF);
  const FloatPart far = 1.0f - 2.0f / (exponential(size + size) + 1.0f);
  const FloatPart border = 0.625f - FloatPart{};
  const IntPart is_near = size < border;
  return is_near ? near : reinterpret_cast<FloatPart>(reinterpret_cast<IntPart>(far) | sign);
}

IN_PLACE Floats hyperbolic_tangent(const Floats& x) {
  return in_parts<Floats>([&](std::size_t i) { return hyperbolic_tangent(x.part[i]); });
}

}  // namespace
}  // namespace engine
