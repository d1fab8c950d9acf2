#include "angles.h"

#include <cstdint>

namespace engine {
namespace {

constexpr double kLog2 = 0.693147180559945309417232121458;

// Taylor's series for |x| <= pi / 4, whose next term would be below 2^-60.
double sine_near_zero(double x) {
  const double s = x * x;
  double sum = 0.0;
  for (int k = 19; k >= 3; k -= 2) sum = (sum + 1.0) * (-s / (k * (k - 1)));
  return x * (1.0 + sum);
}

double cosine_near_zero(double x) {
  const double s = x * x;
  double sum = 0.0;
  for (int k = 20; k >= 2; k -= 2) sum = (sum + 1.0) * (-s / (k * (k - 1)));
  return 1.0 + sum;
}

// ln of a number of 1 to 2, by the series of artanh.
double log_near_one(double x) {
  const double t = (x - 1.0) / (x + 1.0), s = t * t;
  double sum = 0.0;
  for (int k = 41; k >= 1; k -= 2) sum = sum * s + 1.0 / k;
  return 2.0 * t * sum;
}

double exponential_near_zero(double x) {
  double sum = 1.0;
  for (int k = 20; k >= 1; --k) sum = 1.0 + sum * x / k;
  return sum;
}

// Multiplies by a power of two.
double scaled(double x, int exponent) {
  const auto bits = static_cast<std::uint64_t>(1023 + exponent) << 52;
  double factor;
  __builtin_memcpy(&factor, &bits, sizeof factor);
  return x * factor;
}

}  // namespace

Turn turn_of(double angle) {
  // Source: Cody and Waite 1980: pi / 2 in two parts, the first with 33 bits, so that its product
  // with a number of quarters is exact.
  const double first = 1.57079632673412561417e+00, second = 6.07710050650619224932e-11;
  const auto quarters = static_cast<std::int64_t>(angle * 0.636619772367581343076 + 0.5);
  const auto count = static_cast<double>(quarters);
  const double rest = (angle - count * first) - count * second;
  const double sine = sine_near_zero(rest), cosine = cosine_near_zero(rest);
  switch (quarters & 3) {
    case 0: return {cosine, sine};
    case 1: return {-sine, cosine};
    case 2: return {-cosine, -sine};
    default: return {sine, -cosine};
  }
}

double logarithm(double x) {
  std::uint64_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const int twos = static_cast<int>(bits >> 52 & 2047) - 1023;
  return twos * kLog2 + log_near_one(scaled(x, -twos));
}

double exponential(double x) {
  if (x > 700.0) return 1.0e304;
  if (x < -700.0) return 0.0;
  const double whole = x / kLog2;
  const int turns = static_cast<int>(whole < 0.0 ? whole - 0.5 : whole + 0.5);
  return scaled(exponential_near_zero(x - turns * kLog2), turns);
}

double quick_exponential(double x) {
  constexpr double kInverses[] = {1.0,       1.0 / 2,  1.0 / 6,    1.0 / 24,    1.0 / 120,
                                  1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880,
                                  1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600,
                                  1.0 / 6227020800.0};  // 1 / n!, n from 1
  if (x > 700.0) return 1.0e304;
  if (x < -700.0) return 0.0;
  const double whole = x * (1.0 / kLog2);
  const int turns = static_cast<int>(whole < 0.0 ? whole - 0.5 : whole + 0.5);
  // The logarithm of two in two parts, the first of few bits: the rest keeps its last places.
  constexpr double kFirst = 6.93147180369123816490e-01, kSecond = 1.90821492927058770002e-10;
  const double rest = (x - turns * kFirst) - turns * kSecond;
  double sum = 0.0;
  for (std::size_t k = sizeof kInverses / sizeof *kInverses; k-- > 0;) sum = kInverses[k] + sum * rest;
  return scaled(1.0 + sum * rest, turns);
}

double power(double base, double exponent) { return exponential(exponent * logarithm(base)); }

bool TurnTables::make(std::size_t context, std::size_t half, double base) {
  context_ = context;
  half_ = half;
  base_ = base;
  reached_ = 0;
  return cosines_.make(context * half) && sines_.make(context * half);
}

void TurnTables::extend(std::size_t count) {
  constexpr std::size_t kStep = 64;
  const std::size_t wanted = (count + kStep - 1) / kStep * kStep;
  const std::size_t end = wanted < context_ ? wanted : context_;
  for (std::size_t e = 0; e < half_; ++e) {
    const auto frequency =
        static_cast<float>(power(base_, -static_cast<double>(e) / static_cast<double>(half_)));
    for (std::size_t position = reached_; position < end; ++position) {
      const float angle = static_cast<float>(position) * frequency;
      const Turn turn = turn_of(static_cast<double>(angle));
      cosines_[position * half_ + e] = static_cast<float>(turn.cosine);
      sines_[position * half_ + e] = static_cast<float>(turn.sine);
    }
  }
  reached_ = end;
}

}  // namespace engine
