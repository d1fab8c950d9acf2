// Ascending 32-bit keys as they stand in a file (the twin of sparrowlm/models/sorted_keys.py), found
// where they lie.
#pragma once

#include "array_file.h"

namespace engine {

class SortedKeys {
 public:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  // name: of a key; "key" finds keys, or key_counts and key_lows.
  bool open(const ArrayFile& file, const char* name);
  std::size_t size() const { return size_; }
  // Both ask for memory that find() will look at, the second for what the first one leads to.
  void expect(std::uint32_t key) const {
    if (lows_ != nullptr) __builtin_prefetch(starts_.data() + (key >> 16));
  }
  void expect_soon(std::uint32_t key) const {
    if (lows_ != nullptr) __builtin_prefetch(lows_ + starts_[key >> 16]);
  }
  // The place of a key, kNowhere where it is none of them.
  std::size_t find(std::uint32_t key) const;

 private:
  bool open_halves(const ArrayFile& file, const char* name);

  std::size_t size_ = 0;
  const std::uint32_t* keys_ = nullptr;  // or
  const std::uint16_t* lows_ = nullptr;
  Room<std::uint32_t> starts_;  // of every upper half, and size_
};

}  // namespace engine
