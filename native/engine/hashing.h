// FNV-1a of 64 bits: the same everywhere, no protection against intent.
//
// Source: Fowler, Noll and Vo, "The FNV non-cryptographic hash algorithm", RFC 9923.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engine {

constexpr std::uint64_t kHashOfNothing = 0xCBF29CE484222325u;

// The hash of bytes that stand behind others, whose hash is `before`.
inline std::uint64_t hash_of(const void* bytes, std::size_t size,
                             std::uint64_t before = kHashOfNothing) {
  const auto* values = static_cast<const std::uint8_t*>(bytes);
  for (std::size_t i = 0; i < size; ++i) before = (before ^ values[i]) * 0x100000001B3u;
  return before;
}

}  // namespace engine
