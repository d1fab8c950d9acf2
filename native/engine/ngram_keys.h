// The keys of n-grams of characters and words (the twin of sparrowlm/text/ngram_features.py).
#pragma once

#include <cstdint>

namespace ngram_keys {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u, kPair = 0xD6E8FEB86659FD93u;
constexpr std::uint32_t kWordBit = 1u << 31, kBoundary = 0x20;

// The end of SplitMix64 (sparrowlm/foundation/hashing.py), never 0.
inline std::uint64_t mixed(std::uint64_t value) {
  value += kGolden;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  value ^= value >> 31;
  return value == 0 ? 1 : value;
}

// 1 / value modulo 2^64, of an odd value: every step doubles the number of right bits.
constexpr std::uint64_t inverse(std::uint64_t value) {
  std::uint64_t found = value;
  for (int step = 0; step < 6; ++step) found *= 2 - value * found;
  return found;
}
constexpr std::uint64_t kBase = inverse(kGolden);
static_assert(kBase * kGolden == 1, "an inverse");

inline std::uint32_t key_of(std::uint64_t hash) {
  return static_cast<std::uint32_t>(mixed(hash) >> 32);
}

// Hashes of the runs that begin at one place, each a sign longer than the one before.
class GrowingRun {
 public:
  std::uint64_t longer(std::uint64_t value) {
    sum_ += value * power_;
    power_ *= kBase;
    return mixed(sum_ + ++length_);
  }

 private:
  std::uint64_t sum_ = 0, power_ = 1, length_ = 0;
};

}  // namespace ngram_keys
