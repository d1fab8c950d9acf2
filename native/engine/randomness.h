// The very numbers that NumPy draws for the same seed, so that a text has the same continuation
// whoever runs the model.
//
// Source: O'Neill 2014, PCG (XSL-RR, 128 bits); NumPy's SeedSequence; BLAKE2b: RFC 7693.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engine {

// The seed that belongs to one purpose: BLAKE2b of "<seed>:<purpose>", 8 bytes, 63 bits of them.
std::uint64_t derived_seed(std::uint64_t seed, const char* purpose);

class Chance {
 public:
  explicit Chance(std::uint64_t seed);
  double next();  // 0 to below 1

 private:
  unsigned __int128 state_, increment_;
};

}  // namespace engine
