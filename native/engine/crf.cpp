#include "crf.h"

#include "feature_hash.h"

namespace engine {
namespace {

constexpr std::size_t kStride = 8;
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
  std::uint64_t hash = feature_hash::begun(number);
  for (std::size_t i = starts_[number]; i < starts_[number + 1]; ++i) {
    const Part part = parts_[i];
    // Before the first place: around the end of the numbers, behind the last.
    const std::size_t at = place + static_cast<std::size_t>(static_cast<std::ptrdiff_t>(part.offset));
    const bool is_inside = at >= first && at < last;
    const std::uint64_t value = is_inside ? columns[part.column * num_units + at] : feature_hash::kOutside;
    if (value == 0) return 0;
    hash = feature_hash::longer(hash, value);
  }
  return feature_hash::ended(hash);
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
    place += unsigned_at(row_sizes_, row);
    if (place > labels_.count) return false;
  }
  for (std::size_t entry = 0; entry < labels_.count; ++entry) {
    if (unsigned_at(labels_, entry) >= num_labels) return false;
  }
  scales_ = scales.as<float>();
  edges_ = edges.as<float>();
  return place == labels_.count && weights_.count == labels_.count;
}

// A row's entries begin behind those of the rows before it, of which every eighth is known.
template <class Size>
CrfWeights::Run CrfWeights::run_of(std::size_t row) const {
  const Size* sizes = row_sizes_.as<Size>();
  std::size_t begin = starts_[row / kStride];
  for (std::size_t one = row - row % kStride; one < row; ++one) begin += sizes[one];
  return {begin, begin + sizes[row]};
}

CrfWeights::Run CrfWeights::run_at(std::size_t row) const {
  if (row_sizes_.item == 1) return run_of<std::uint8_t>(row);
  return row_sizes_.item == 2 ? run_of<std::uint16_t>(row) : run_of<std::uint32_t>(row);
}

// Leaves where the entries of all known features are in runs_; returns how many these are. Memory is
// asked for before it is needed, for there is more of it than any cache holds.
std::size_t CrfWeights::find_rows(const std::uint32_t* features, std::size_t count) {
  std::size_t *found = found_.data(), num_found = 0;
  for (std::size_t i = 0; i < count; ++i) rows_.expect(features[i]);
  for (std::size_t i = 0; i < count; ++i) rows_.expect_soon(features[i]);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = features[i] == 0 ? SortedKeys::kNowhere : rows_.find(features[i]);
    if (row == SortedKeys::kNowhere) continue;
    __builtin_prefetch(row_sizes_.data + row * row_sizes_.item);
    __builtin_prefetch(starts_.data() + row / kStride);
    found[num_found++] = row;
  }
  for (std::size_t i = 0; i < num_found; ++i) {
    const Run run = run_at(found[i]);
    __builtin_prefetch(labels_.data + run.begin * labels_.item);
    __builtin_prefetch(weights_.data + run.begin * weights_.item);
    runs_.data()[i] = run;
  }
  return num_found;
}

template <class Label, class Weight, class Sum>
void CrfWeights::add(std::size_t count, Sum* sums) const {
  const Label* labels = labels_.as<Label>();
  const Weight* weights = weights_.as<Weight>();
  for (std::size_t i = 0; i < count; ++i) {
    const Run run = runs_[i];
    for (std::size_t entry = run.begin; entry < run.end; ++entry) {
      sums[labels[entry]] += static_cast<Sum>(weights[entry]);
    }
  }
}

template <class Weight, class Sum>
void CrfWeights::add_all(std::size_t count, Sum* sums) const {
  for (std::size_t y = 0; y < num_labels_; ++y) sums[y] = 0;
  if (labels_.item == 1) return add<std::uint8_t, Weight>(count, sums);
  if (labels_.item == 2) return add<std::uint16_t, Weight>(count, sums);
  add<std::uint32_t, Weight>(count, sums);
}

bool CrfWeights::score(const std::uint32_t* features, std::size_t count, float* scores) {
  if (!found_.reserve(count) || !runs_.reserve(count)) return false;
  const std::size_t num_found = find_rows(features, count);
  const bool is_whole = weights_.kind == 'i';
  if (is_whole) add_all<std::int8_t>(num_found, whole_sums_.data());
  else add_all<float>(num_found, sums_.data());
  for (std::size_t y = 0; y < num_labels_; ++y) {
    scores[y] = (is_whole ? static_cast<float>(whole_sums_[y]) : sums_[y]) * scales_[y];
  }
  return true;
}

}  // namespace engine
