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

#include <limits>

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

// Where a head of row n begins in (B, H, T, E), as a number of values.
IN_EVERY_CLONE std::size_t head_place(std::size_t n, std::size_t head, std::size_t num_heads,
                                      std::size_t length, std::size_t width) {
  return (((n / length) * num_heads + head) * length + n % length) * width;
}

// Softmax over the first count numbers of a row: their maximum and the sum of the exponentials,
// then the shares, written over the row.
template <class Value>
struct RowSoftmax {
  std::size_t count, whole;  // whole: the part that fills all lanes
  float highest, sum;
  Lanes rest;  // exponentials of the others

  IN_EVERY_CLONE RowSoftmax(const Value* row, std::size_t count_)
      : count(count_), whole(count_ / kLanes * kLanes) {
    const float least = -std::numeric_limits<float>::infinity();
    rest = every(least);
    if (whole < count) rest = lanes::load_some(row + whole, count - whole, least);
    Lanes top = rest;
    for (std::size_t i = 0; i < whole; i += kLanes) top = lanes::larger(top, load(row + i));
    highest = lanes::largest(top);
    rest = lanes::exponential(rest - highest);
    Lanes total = rest;
    for (std::size_t i = 0; i < whole; i += kLanes) {
      total += lanes::exponential(load(row + i) - highest);
    }
    sum = lanes::sum(total);
  }

  IN_EVERY_CLONE void write(Value* row, float share) const {
    for (std::size_t i = 0; i < whole; i += kLanes) {
      store(row + i, lanes::exponential(load(row + i) - highest) * share);
    }
    if (whole < count) lanes::store_some(row + whole, rest * share, count - whole);
  }
};

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
