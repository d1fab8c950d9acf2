// What the training kernels have in common. They do what lies between the matrix products of a
// training step, each in one pass over memory. Addresses come in as integers (NumPy knows no
// bfloat16); the Python side, models/fused_transformer.py, checks shapes and types, and the twin
// without compiled code is the plain network in models/transformer.py.
//
// Shape letters: N rows (batch times time), D width, B batch, T time, H query heads, K key heads,
// E head width, F feed-forward width, V vocabulary.
#pragma once

#include "arrays.h"
#include "lanes.h"
#include "team.h"

using lanes::BFloat16;
using lanes::Bits;
using lanes::every;
using lanes::Lanes;
using lanes::load;
using lanes::store;
using lanes::Whole;

constexpr std::size_t kLanes = lanes::kCount;
using Address = std::uintptr_t;

template <class Value>
IN_EVERY_CLONE Value* at(Address address) {
  return reinterpret_cast<Value*>(address);
}

// Compiles a kernel for both precisions and every instruction set, and defines run_<kernel>, which
// hands its rows out to the threads.
#define FOR_BOTH_PRECISIONS(Job, kernel)                                                       \
  RUNS_ON_WHAT_IS_THERE                                                                        \
  void kernel##_float32(const Job& job, std::size_t chunk, std::size_t begin, std::size_t end) { \
    kernel<float>(job, chunk, begin, end);                                                     \
  }                                                                                            \
  RUNS_ON_WHAT_IS_THERE                                                                        \
  void kernel##_bfloat16(const Job& job, std::size_t chunk, std::size_t begin, std::size_t end) { \
    kernel<BFloat16>(job, chunk, begin, end);                                                  \
  }                                                                                            \
  void run_##kernel(const Job& job, std::size_t count, bool is_bfloat16, unsigned threads) {   \
    nb::gil_scoped_release unlocked;                                                           \
    const auto work = is_bfloat16 ? &kernel##_bfloat16 : &kernel##_float32;                    \
    team::for_rows(count, threads, [&](std::size_t c, std::size_t b, std::size_t e) {          \
      work(job, c, b, e);                                                                      \
    });                                                                                        \
  }

// Adds up what the chunks have summed: num_parts rows of width numbers.
void add_parts(const float* parts, std::size_t num_parts, std::size_t width, float* to);
