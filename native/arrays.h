// NumPy arrays as C++ sees them, and back.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace nb = nanobind;

template <class Value>
using InputVector = nb::ndarray<const Value, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class Value>
using InputMatrix = nb::ndarray<const Value, nb::numpy, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class Value>
using OutputVector = nb::ndarray<Value, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class Value>
using OutputMatrix = nb::ndarray<Value, nb::numpy, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Hands a vector over to Python without copying it.
template <class Value>
nb::ndarray<nb::numpy, Value, nb::ndim<1>> as_array(std::vector<Value>&& values) {
  auto* kept = new std::vector<Value>(std::move(values));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<Value>*>(p); });
  return nb::ndarray<nb::numpy, Value, nb::ndim<1>>(kept->data(), {kept->size()}, owner);
}

// The same for rows of width numbers that begin every stride numbers.
template <class Value>
nb::ndarray<nb::numpy, Value, nb::ndim<2>> as_rows(std::vector<Value>&& values, std::size_t width,
                                                   std::size_t stride) {
  auto* kept = new std::vector<Value>(std::move(values));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<Value>*>(p); });
  const std::size_t sizes[] = {kept->size() / stride, width};
  const std::int64_t strides[] = {static_cast<std::int64_t>(stride), 1};
  return nb::ndarray<nb::numpy, Value, nb::ndim<2>>(kept->data(), 2, sizes, owner, strides);
}

template <class Value>
nb::ndarray<nb::numpy, Value, nb::ndim<2>> as_rows(std::vector<Value>&& values,
                                                   std::size_t width) {
  return as_rows(std::move(values), width, width);
}
