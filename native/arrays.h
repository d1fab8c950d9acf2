// NumPy arrays as C++ sees them, and back.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <memory>
#include <mutex>
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

// Rooms for rows that are handed over to Python again and again: the system takes large ones back and
// gives them anew page by page, which costs as much as filling them.
class RowRooms {
 public:
  // Of at least that size; what stands in it is left from before.
  std::vector<float> take(std::size_t size) {
    const std::lock_guard<std::mutex> held(lock_);
    std::vector<float> room;
    if (!kept_.empty()) {
      room = std::move(kept_.back());
      kept_.pop_back();
    }
    if (room.size() < size) room.resize(size);
    return room;
  }

  void give(std::vector<float>&& room) {
    const std::lock_guard<std::mutex> held(lock_);
    if (kept_.size() < kMostKept) kept_.push_back(std::move(room));
  }

 private:
  static constexpr std::size_t kMostKept = 2;

  std::mutex lock_;
  std::vector<std::vector<float>> kept_;
};

// The first num_rows of a room, which goes back when nobody in Python needs it any more.
inline nb::ndarray<nb::numpy, float, nb::ndim<2>> lent_rows(std::shared_ptr<RowRooms> rooms,
                                                           std::vector<float>&& room,
                                                           std::size_t num_rows, std::size_t width,
                                                           std::size_t stride) {
  struct Lent {
    std::shared_ptr<RowRooms> rooms;
    std::vector<float> room;
    ~Lent() { rooms->give(std::move(room)); }
  };
  auto* lent = new Lent{std::move(rooms), std::move(room)};
  nb::capsule owner(lent, [](void* p) noexcept { delete static_cast<Lent*>(p); });
  const std::size_t sizes[] = {num_rows, width};
  const std::int64_t strides[] = {static_cast<std::int64_t>(stride), 1};
  return nb::ndarray<nb::numpy, float, nb::ndim<2>>(lent->room.data(), 2, sizes, owner, strides);
}

template <class Value>
nb::ndarray<nb::numpy, Value, nb::ndim<2>> as_rows(std::vector<Value>&& values,
                                                   std::size_t width) {
  return as_rows(std::move(values), width, width);
}
