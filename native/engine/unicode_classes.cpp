#include "unicode_classes.h"

#include "letters.h"

namespace engine {
namespace {

constexpr std::uint32_t kSpaces[][2] = {
    {9, 13}, {28, 32}, {0x85, 0x85}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A},
    {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};

template <std::size_t kCount>
CodeRanges all(const std::uint32_t (&ranges)[kCount][2]) {
  return {ranges, kCount};
}

}  // namespace

bool CodeRanges::has(std::uint32_t code) const {
  std::size_t low = 0, high = count;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (code > ranges[middle][1]) {
      low = middle + 1;
    } else if (code < ranges[middle][0]) {
      high = middle;
    } else {
      return true;
    }
  }
  return false;
}

CodeRanges letters() { return all(kLetters); }
CodeRanges numbers() { return all(kNumbers); }
CodeRanges digits() { return all(kDecimals); }
CodeRanges spaces() { return all(kSpaces); }

}  // namespace engine
