#include "sorted_keys.h"

#include "names.h"
#include "searching.h"

namespace engine {
namespace {

constexpr std::size_t kHalves = 1 << 16, kFew = 12;

template <class Key>
std::size_t place_among(const Key* keys, std::size_t low, std::size_t high, Key key) {
  const std::size_t found =
      first_place(low, high, [&](std::size_t place) { return keys[place] >= key; });
  return found < high && keys[found] == key ? found : SortedKeys::kNowhere;
}

}  // namespace

bool SortedKeys::open(const ArrayFile& file, const char* name) {
  Array keys;
  if (!file.find(Name().add(name).add("s").text(), 'u', 4, keys)) return open_halves(file, name);
  keys_ = keys.as<std::uint32_t>();
  size_ = keys.count;
  return true;
}

bool SortedKeys::open_halves(const ArrayFile& file, const char* name) {
  Array counts, lows;
  const Name counts_name = Name().add(name).add("_counts");
  const bool has_counts = file.find(counts_name.text(), 'u', 1, counts) ||
                          file.find(counts_name.text(), 'u', 2, counts) ||
                          file.find(counts_name.text(), 'u', 4, counts);
  if (!has_counts || counts.count != kHalves ||
      !file.find(Name().add(name).add("_lows").text(), 'u', 2, lows) || !starts_.make(kHalves + 1)) {
    return false;
  }
  std::size_t place = 0;
  for (std::size_t half = 0; half < kHalves; ++half) {
    std::uint32_t count = 0;
    __builtin_memcpy(&count, counts.data + half * counts.item, counts.item);
    if (count > lows.count - place) return false;
    starts_[half] = static_cast<std::uint32_t>(place);
    place += count;
  }
  starts_[kHalves] = static_cast<std::uint32_t>(place);
  lows_ = lows.as<std::uint16_t>();
  size_ = place;
  return place == lows.count;
}

std::size_t SortedKeys::find(std::uint32_t key) const {
  if (lows_ == nullptr) return place_among(keys_, 0, size_, key);
  const std::size_t begin = starts_[key >> 16], end = starts_[(key >> 16) + 1];
  const auto low = static_cast<std::uint16_t>(key);
  if (end - begin > kFew) return place_among(lows_, begin, end, low);
  // Of a few all are looked at: which one it will be is nothing to be guessed.
  std::size_t found = kNowhere;
  for (std::size_t place = begin; place < end; ++place) found = lows_[place] == low ? place : found;
  return found;
}

}  // namespace engine
