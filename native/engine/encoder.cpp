#include "encoder.h"

namespace engine {
namespace {

constexpr std::uint64_t kMultiplier = 0x5851F42D4C957F2Du;
constexpr std::uint64_t kMask = 0x7FFFFFFFFFFFu;

// The row of the n-gram that ends at a place; before the first id stand zeros.
std::size_t bucket(const std::int32_t* ids, std::size_t place, std::size_t order,
                   std::size_t num_buckets) {
  auto key = static_cast<std::uint64_t>(ids[place]);
  for (std::size_t back = 1; back < order; ++back) {
    key *= kMultiplier;
    if (back <= place) key += static_cast<std::uint64_t>(ids[place - back]);
  }
  key *= kMultiplier;
  return static_cast<std::size_t>((key & kMask) >> 17) % num_buckets;
}

std::size_t whole_tiles(std::size_t length) { return num_tiles(length, kTileRows) * kTileRows; }

}  // namespace

Encoder::Encoder(const Shape& shape, const Weights& weights, const NgramTables& tables,
                 const Kernels& kernels, Crew& crew, std::size_t most_rows)
    : shape_(shape), tables_(tables), kernels_(kernels),
      transformer_(shape, weights, kernels, crew, most_rows) {}

bool Encoder::make() {
  const std::size_t rows = transformer_.most_rows();
  // Every text begins at a tile of its own: short ones leave some of theirs empty.
  return transformer_.make() && memory_.make(shape_, 4 * rows + kTileRows) && places_.make(rows) &&
         sums_.make(rows * num_tiles(tables_.width, kTileColumns) * kTileColumns);
}

void Encoder::read(const std::int32_t* ids, const std::int32_t* lengths, std::size_t num_texts,
                   const float* added, float* states) {
  std::size_t num_rows = 0, kept = 0;
  for (std::size_t text = 0; text < num_texts; ++text) {
    const auto length = static_cast<std::size_t>(lengths[text]);
    if (num_rows + length > transformer_.most_rows() ||
        kept + whole_tiles(length) > memory_.capacity()) {
      read_rows(num_rows, added, states);
      if (added != nullptr) added += num_rows * shape_.width;
      states += num_rows * shape_.width;
      num_rows = kept = 0;
    }
    enter(ids, length, num_rows);
    for (std::size_t place = 0; place < length; ++place) {
      places_[num_rows + place] = {&memory_, place, length, kept};
    }
    ids += length;
    num_rows += length;
    kept += whole_tiles(length);
  }
  read_rows(num_rows, added, states);
}

// Writes embeddings and the sums of table rows of one text.
void Encoder::enter(const std::int32_t* ids, std::size_t length, std::size_t row) {
  transformer_.ask_for(static_cast<std::size_t>(ids[0]));
  for (std::size_t place = 0; place < length; ++place) {
    if (place + 1 < length) transformer_.ask_for(static_cast<std::size_t>(ids[place + 1]));
    transformer_.embed(static_cast<std::size_t>(ids[place]), row + place);
  }
  if (tables_.num_orders == 0) return;
  const std::size_t stride = num_tiles(tables_.width, kTileColumns) * kTileColumns;
  float* sums = sums_.data() + row * stride;
  __builtin_memset(sums, 0, length * stride * sizeof(float));
  for (std::size_t index = 0; index < tables_.num_orders; ++index) add_rows(ids, length, index, sums);
}

// Every n-gram counts at all the places that it holds. Tables are larger than caches: rows are asked for
// some n-grams before they are needed.
void Encoder::add_rows(const std::int32_t* ids, std::size_t length, std::size_t index,
                       float* sums) {
  constexpr std::size_t kAhead = 8;
  const std::size_t width = tables_.width, order = tables_.orders[index];
  const std::size_t stride = num_tiles(width, kTileColumns) * kTileColumns;
  std::size_t numbers[kAhead];
  for (std::size_t end = 0; end < length + kAhead; ++end) {
    std::size_t& kept = numbers[end % kAhead];
    if (end >= kAhead) {
      const std::size_t place = end - kAhead, begin = place + 1 >= order ? place + 1 - order : 0;
      kernels_.add_codes(tables_.rows[index] + kept * width, tables_.scales[index][kept], width,
                         sums + begin * stride, stride, place + 1 - begin);
    }
    if (end >= length) continue;
    kept = bucket(ids, end, order, tables_.num_buckets);
    __builtin_prefetch(tables_.scales[index] + kept);
    for (std::size_t byte = 0; byte < width; byte += 64) {
      __builtin_prefetch(tables_.rows[index] + kept * width + byte);
    }
  }
}

void Encoder::read_rows(std::size_t num_rows, const float* added, float* states) {
  if (num_rows == 0) return;
  const std::size_t stride = transformer_.stride(), width = shape_.width;
  float* stream = transformer_.states();
  if (tables_.num_orders != 0) {
    Inputs inputs;
    inputs.blocks = num_tiles(tables_.width, kTileColumns);
    inputs.values = sums_.data();
    const Product up{&tables_.up, &inputs, num_rows, stream, stride, true};
    kernels_.product(up, 0, tables_.up.groups());
  }
  for (std::size_t row = 0; row < num_rows && added != nullptr; ++row) {
    for (std::size_t d = 0; d < width; ++d) stream[row * stride + d] += added[row * width + d];
  }
  transformer_.read(places_.data(), num_rows);
  for (std::size_t row = 0; row < num_rows; ++row) {
    __builtin_memcpy(states + row * width, stream + row * stride, width * sizeof(float));
  }
}

}  // namespace engine
