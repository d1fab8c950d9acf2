// A tile is eight steps of four columns, unrolled: which bits of a code are a step's is known when the
// kernels are compiled.
#pragma once

#include "lanes16.h"

namespace engine {
namespace {

// Calls Machine::add_step<format, N, step> for every step of a tile.
template <class Machine, Format kFormat, int kNum, int kStep = 0>
IN_PLACE void add_all_steps(const std::uint8_t* codes, const std::int8_t* rows, std::size_t stride,
                            Ints (&sums)[kNum]) {
  Machine::template add_step<kFormat, kNum, kStep>(codes, rows, stride, sums);
  if constexpr (kStep + 1 < static_cast<int>(kSteps)) {
    add_all_steps<Machine, kFormat, kNum, kStep + 1>(codes, rows, stride, sums);
  }
}

}  // namespace
}  // namespace engine
