// Hashes of all runs of a sequence at once (the twin of sparrowlm/foundation/hashing.py).
//
// Source: Karp and Rabin 1987, "Efficient randomized pattern-matching algorithms".
#pragma once

#include "memory.h"
#include "ngram_keys.h"

namespace engine {

class RunHashes {
 public:
  // value(place): a number of each of count places, well mixed. False: no memory.
  template <class Value>
  bool make(std::size_t count, const Value& value) {
    if (!sums_.reserve(count + 1) || !backs_.reserve(count + 1)) return false;
    std::uint64_t sum = 0, power = 1, back = 1;
    for (std::size_t place = 0; place < count; ++place) {
      sums_.data()[place] = sum;
      backs_.data()[place] = back;
      sum += value(place) * power;
      power *= kRunBase;
      back *= kRunBack;
    }
    sums_.data()[count] = sum;
    backs_.data()[count] = back;
    return true;
  }
  // Equal for equal runs wherever they stand, never 0.
  std::uint64_t of(std::size_t begin, std::size_t end) const {
    const std::uint64_t raw = (sums_[end] - sums_[begin]) * backs_[begin];
    return ngram_keys::mixed(raw + (end - begin));
  }

 private:
  static constexpr std::uint64_t kRunBase = 0x2545F4914F6CDD1Du;
  static constexpr std::uint64_t kRunBack = ngram_keys::inverse(kRunBase);
  static_assert(kRunBase * kRunBack == 1, "an inverse");

  Growing<std::uint64_t> sums_, backs_;
};

}  // namespace engine
