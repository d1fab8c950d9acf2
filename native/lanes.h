// Sixteen numbers at a time, float32 or bfloat16 in memory, float32 in between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/clones.h"

namespace lanes {

constexpr std::size_t kCount = 16;

// Not to be named by auto, which would forget that addresses need no alignment.
typedef float Lanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef std::uint32_t Bits __attribute__((vector_size(64), aligned(4), may_alias));
typedef std::int32_t Whole __attribute__((vector_size(64), aligned(4), may_alias));
typedef std::uint16_t Halves __attribute__((vector_size(32), aligned(2), may_alias));

struct BFloat16 {
  std::uint16_t bits;
};

IN_EVERY_CLONE Lanes load(const float* from) { return *reinterpret_cast<const Lanes*>(from); }

IN_EVERY_CLONE Lanes load(const BFloat16* from) {
  const Bits wide = __builtin_convertvector(*reinterpret_cast<const Halves*>(from), Bits) << 16;
  return reinterpret_cast<Lanes>(wide);
}

IN_EVERY_CLONE void store(float* to, Lanes value) { *reinterpret_cast<Lanes*>(to) = value; }

// Rounds to the nearest, ties to even.
IN_EVERY_CLONE void store(BFloat16* to, Lanes value) {
  const Bits bits = reinterpret_cast<Bits>(value);
  const Bits rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  *reinterpret_cast<Halves*>(to) = __builtin_convertvector(rounded, Halves);
}

IN_EVERY_CLONE float to_float(float value) { return value; }

IN_EVERY_CLONE float to_float(BFloat16 value) {
  const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// The first count of sixteen numbers; the others are filling.
template <class Value>
IN_EVERY_CLONE Lanes load_some(const Value* from, std::size_t count, float filling) {
  float kept[kCount];
  for (std::size_t i = 0; i < kCount; ++i) kept[i] = i < count ? to_float(from[i]) : filling;
  return load(kept);
}

template <class Value>
IN_EVERY_CLONE void store_some(Value* to, Lanes value, std::size_t count) {
  Value kept[kCount];
  store(kept, value);
  std::memcpy(to, kept, count * sizeof(Value));
}

IN_EVERY_CLONE Lanes every(float value) { return value - Lanes{}; }

IN_EVERY_CLONE Lanes larger(Lanes a, Lanes b) { return a > b ? a : b; }

// Halves the lanes until one is left: the same order on every machine.
IN_EVERY_CLONE float sum(Lanes value) {
  float parts[kCount];
  store(parts, value);
  for (std::size_t half = kCount / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) parts[i] += parts[i + half];
  }
  return parts[0];
}

IN_EVERY_CLONE float largest(Lanes value) {
  float parts[kCount];
  store(parts, value);
  for (std::size_t half = kCount / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) {
      parts[i] = parts[i] > parts[i + half] ? parts[i] : parts[i + half];
    }
  }
  return parts[0];
}

// e to the power of x, to two units in the last place; 0 below -87.
// Source: Moshier, Cephes, expf (range reduction by log 2 in two parts, polynomial of degree 5).
IN_EVERY_CLONE Lanes exponential(Lanes x) {
  const Lanes low = every(-87.0f), high = every(88.0f);
  const Whole is_zero = x < low;
  x = x < low ? low : x;
  x = x > high ? high : x;
  const float rounder = 12582912.0f;  // adding 1.5 * 2^23 leaves no digits behind the point
  const Lanes turns = (x * 1.44269504088896341f + rounder) - rounder;
  const Lanes r = (x - turns * 0.693359375f) + turns * 2.12194440e-4f;
  Lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const Whole power = (__builtin_convertvector(turns, Whole) + 127) << 23;
  const Lanes result = p * reinterpret_cast<Lanes>(power);
  return is_zero ? Lanes{} : result;
}

}  // namespace lanes
