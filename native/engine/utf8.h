// Code points out of bytes.
#pragma once

#include "gguf.h"

namespace engine {

struct CodePoint {
  std::uint32_t code;
  std::size_t size;  // bytes, 1 to 4; a byte that belongs to no character counts for itself
  bool is_valid;
};

// The character that begins at place < text.size.
inline CodePoint code_point_at(Text text, std::size_t place) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text.data[place + i]));
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  const CodePoint broken{first, 1, false};
  if (first < 0xC2 || first > 0xF4 || size > text.size - place) return broken;
  std::uint32_t code = first & (0x7Fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return broken;
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  const std::uint32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
  const bool is_valid = code >= least && code <= 0x10FFFF && !(code >= 0xD800 && code < 0xE000);
  return is_valid ? CodePoint{code, size, true} : broken;
}

}  // namespace engine
