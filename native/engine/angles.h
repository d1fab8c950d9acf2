// Sines, cosines and powers in double precision, the same bits on every machine: the mathematical
// libraries of operating systems differ in their last places.
#pragma once

#include <cstddef>

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
// to float32 first, as the training does.
//
// Source: Su et al. 2021, arXiv:2104.09864, equation 34.
void turn_tables(std::size_t context, std::size_t half, double base, float* cosines, float* sines);

}  // namespace engine
