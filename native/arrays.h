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
