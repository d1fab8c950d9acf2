// Sines, cosines and powers in double precision, the same bits on every machine: the mathematical
// libraries of operating systems differ in their last places.
#pragma once

namespace engine {

struct Turn {
  double cosine, sine;
};

// Both of an angle of 0 to 10^6 (radians).
Turn turn_of(double angle);

double exponential(double x);  // 0 below -700
double logarithm(double x);  // natural, of a number above 0
// base to the power of exponent; base above 0.
double power(double base, double exponent);

}  // namespace engine
