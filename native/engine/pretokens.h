// How a text is cut before byte pairs are merged: Qwen2's expression, by hand.
//
//   (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}
//   | ?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
#pragma once

#include "gguf.h"

namespace engine {

// The length of the piece that begins at place < text.size, in bytes.
std::size_t pretoken_at(Text text, std::size_t place);

}  // namespace engine
