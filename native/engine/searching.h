// Looking for something among what stands in rising order.
#pragma once

#include <cstddef>

namespace engine {

// The first place from low to high - 1 where has_come(place) is true, high where it nowhere is; once
// true it must stay true.
template <class HasCome>
std::size_t first_place(std::size_t low, std::size_t high, const HasCome& has_come) {
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (has_come(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace engine
