// The hash of a feature of a tagger: a template's number, then the values of its columns one after
// the other (the twin of sparrowlm/models/crf/templates.py; for Python's extension and the engine).
#pragma once

#include "ngram_keys.h"

namespace feature_hash {

constexpr std::uint64_t kOutside = 0xD1B54A32D192ED03u;  // stands before and after a chain

inline std::uint64_t begun(std::uint64_t number) { return (number + 1) * ngram_keys::kGolden; }

inline std::uint64_t longer(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * ngram_keys::kGolden;
  return hash ^ (hash >> 29);
}

// Never 0, which stands for a feature that is absent.
inline std::uint32_t ended(std::uint64_t hash) {
  const auto top = static_cast<std::uint32_t>((hash * ngram_keys::kGolden) >> 32);
  return top == 0 ? 1 : top;
}

}  // namespace feature_hash
