// Which characters are letters, numbers, digits and white space.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engine {

struct CodeRanges {
  const std::uint32_t (*ranges)[2];
  std::size_t count;

  bool has(std::uint32_t code) const;
};

// All ascending, of codes from 0x80 on; digits are Unicode's decimal ones.
CodeRanges letters();
CodeRanges numbers();
CodeRanges digits();
// The white space of str.isspace, ASCII included.
CodeRanges spaces();

}  // namespace engine
