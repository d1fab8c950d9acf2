#include "crf.h"

namespace engine {
namespace {

constexpr std::uint64_t kOdd = ngram_keys::kGolden;
constexpr std::uint64_t kOutside = 0xD1B54A32D192ED03u;  // stands before and after a chain
constexpr std::size_t kStride = 16;
constexpr std::int32_t kFarthest = 64;

std::size_t unsigned_at(const Array& array, std::size_t place) {
  std::uint32_t value = 0;
  __builtin_memcpy(&value, array.data + place * array.item, array.item);
  return value;
}

bool find_unsigned(const ArrayFile& file, const char* name, Array& array) {
  return file.find(name, 'u', 1, array) || file.find(name, 'u', 2, array) ||
         file.find(name, 'u', 4, array);
}

// A number, perhaps negative; false: there is none.
bool read_number(Text text, std::size_t& place, std::int32_t& value) {
  const bool is_negative = place < text.size && text.data[place] == '-';
  place += is_negative;
  const std::size_t begin = place;
  for (value = 0; place < text.size && text.data[place] >= '0' && text.data[place] <= '9'; ++place) {
    value = value * 10 + (text.data[place] - '0');
    if (value > 1 << 16) return false;
  }
  if (is_negative) value = -value;
  return place > begin;
}

}  // namespace

bool Templates::open(const Room<Text>& written, std::size_t num_columns) {
  if (!starts_.push(0)) return false;
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (!read(written[i], num_columns) || !starts_.push(parts_.size())) return false;
  }
  return true;
}

bool Templates::read(Text written, std::size_t num_columns) {
  for (std::size_t place = 0; place < written.size;) {
    std::int32_t column, offset;
    if (!read_number(written, place, column) || column < 0 || place == written.size ||
        written.data[place++] != ':' || !read_number(written, place, offset) ||
        static_cast<std::size_t>(column) >= num_columns || offset > kFarthest ||
        offset < -kFarthest || !parts_.push({static_cast<std::uint32_t>(column), offset})) {
      return false;
    }
    if (place < written.size && written.data[place++] != ' ') return false;
  }
  return true;
}

std::uint32_t Templates::feature(std::size_t number, const std::uint64_t* columns,
                                 std::size_t num_units, std::size_t first, std::size_t last,
                                 std::size_t place) const {
  std::uint64_t hash = (number + 1) * kOdd;
  for (std::size_t i = starts_[number]; i < starts_[number + 1]; ++i) {
    const Part part = parts_[i];
    // Before the first place: around the end of the numbers, behind the last.
    const std::size_t at = place + static_cast<std::size_t>(static_cast<std::ptrdiff_t>(part.offset));
    const bool is_inside = at >= first && at < last;
    const std::uint64_t value = is_inside ? columns[part.column * num_units + at] : kOutside;
    if (value == 0) return 0;
    hash = (hash ^ value) * kOdd;
    hash ^= hash >> 29;
  }
  const auto top = static_cast<std::uint32_t>((hash * kOdd) >> 32);
  return top == 0 ? 1 : top;
}

bool CrfWeights::open(const ArrayFile& file, std::size_t num_labels) {
  Array scales, edges;
  num_labels_ = num_labels;
  if (!rows_.open(file, "fingerprint") || !find_unsigned(file, "row_sizes", row_sizes_) ||
      !find_unsigned(file, "entry_labels", labels_) || !file.find("scales", 'f', 4, scales) ||
      !file.find("edges", 'f', 4, edges) || row_sizes_.count != rows_.size() ||
      scales.count != num_labels || edges.count / (num_labels + 2) != num_labels ||
      edges.count % (num_labels + 2) != 0 || !sums_.make(num_labels) ||
      !whole_sums_.make(num_labels) || !starts_.make(rows_.size() / kStride + 1)) {
    return false;
  }
  if (!file.find("entry_weights", 'i', 1, weights_) &&
      !file.find("entry_weights", 'f', 4, weights_)) {
    return false;
  }
  std::size_t place = 0;
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    if (row % kStride == 0) starts_[row / kStride] = static_cast<std::uint32_t>(place);
    place += size_of(row);
    if (place > labels_.count) return false;
  }
  for (std::size_t entry = 0; entry < labels_.count; ++entry) {
    if (unsigned_at(labels_, entry) >= num_labels) return false;
  }
  scales_ = scales.as<float>();
  edges_ = edges.as<float>();
  return place == labels_.count && weights_.count == labels_.count;
}

std::size_t CrfWeights::size_of(std::size_t row) const { return unsigned_at(row_sizes_, row); }

std::size_t CrfWeights::entries_before(std::size_t row) const {
  std::size_t place = starts_[row / kStride];
  for (std::size_t one = row - row % kStride; one < row; ++one) place += size_of(one);
  return place;
}

void CrfWeights::begin() {
  for (std::size_t y = 0; y < num_labels_; ++y) {
    sums_[y] = 0.0f;
    whole_sums_[y] = 0;
  }
}

void CrfWeights::add(std::uint32_t feature) {
  const std::size_t row = feature == 0 ? SortedKeys::kNowhere : rows_.find(feature);
  if (row == SortedKeys::kNowhere) return;
  const std::size_t begin = entries_before(row), end = begin + size_of(row);
  for (std::size_t entry = begin; entry < end; ++entry) {
    const std::size_t label = unsigned_at(labels_, entry);
    if (weights_.kind == 'i') {
      whole_sums_[label] += weights_.as<std::int8_t>()[entry];
    } else {
      sums_[label] += weights_.as<float>()[entry];
    }
  }
}

void CrfWeights::end(float* scores) const {
  for (std::size_t y = 0; y < num_labels_; ++y) {
    scores[y] = (static_cast<float>(whole_sums_[y]) + sums_[y]) * scales_[y];
  }
}

}  // namespace engine
