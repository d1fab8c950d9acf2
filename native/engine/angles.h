// Sines, cosines and powers in double precision, the same bits on every machine: the mathematical
// libraries of operating systems differ in their last places.
#pragma once

#include "memory.h"

namespace engine {

struct Turn {
  double cosine, sine;
};

// Both of an angle of 0 to 10^6 (radians).
Turn turn_of(double angle);

double exponential(double x);  // 0 below -700
// The same without divisions, several times as fast: within two units of its last place.
double quick_exponential(double x);
double logarithm(double x);  // natural, of a number above 0
// base to the power of exponent; base above 0.
double power(double base, double exponent);

// The angles of positions, [context][half] each: frequency e is base^(-e / half). Angles are rounded
// to float32 first, as the training does. They are computed when a text first comes so far.
//
// Source: Su et al. 2021, arXiv:2104.09864, equation 34.
class TurnTables {
 public:
  // False: no memory.
  bool make(std::size_t context, std::size_t half, double base);
  // Positions below count, at most the context, may be asked about from now on.
  void reach(std::size_t count) {
    if (count > reached_) extend(count);
  }
  const float* cosines(std::size_t position) const { return cosines_.data() + position * half_; }
  const float* sines(std::size_t position) const { return sines_.data() + position * half_; }

 private:
  void extend(std::size_t count);

  Room<float> cosines_, sines_;
  std::size_t context_ = 0, half_ = 0, reached_ = 0;
  double base_ = 0.0;
};

}  // namespace engine
