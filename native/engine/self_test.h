// Does this machine compute what the machine computed that wrote the file?
//
//   sparrow.golden.ids    ids to read
//   sparrow.golden.hash   FNV-1a (64 bits) of the scores of what follows them, as float32
//
// Not one bit may differ: integers are summed exactly, float32 in one order everywhere.
#pragma once

#include "gguf.h"
#include "session.h"

namespace engine {

enum class SelfTest { kAbsent, kPassed, kFailed };

SelfTest self_test(const Gguf& file, Decoder& decoder);

// The hash of the scores of what follows some ids (each below vocab_size). False: no memory.
bool golden_hash(Decoder& decoder, const std::int32_t* ids, std::size_t count,
                 std::uint64_t& hash);

}  // namespace engine
