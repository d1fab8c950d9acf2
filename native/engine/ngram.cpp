#include "ngram.h"

#include "names.h"
#include "searching.h"

namespace engine {
namespace {

constexpr std::uint8_t kException = 255;
constexpr std::int64_t kNone = -1;
constexpr std::size_t kStride = 64;

}  // namespace

std::uint32_t Ngram::Counts::at(std::size_t place) const {
  if (place >= size) return 0;
  if (small[place] != kException) return small[place];
  const std::size_t low =
      first_place(0, num_places, [&](std::size_t at) { return places[at] >= place; });
  return low < num_places && places[low] == place ? values[low] : kException;
}

bool Ngram::read_counts(const ArrayFile& file, std::size_t n, const char* name, std::size_t size,
                        Counts& counts) const {
  const Name key = Name().add(n + 1).add(".").add(name);
  Array small, places, values;
  if (!file.find(key.text(), 'u', 1, small) || small.count != size) return false;
  counts.small = small.data;
  counts.size = size;
  const bool has_more = file.find(Name(key).add(".places").text(), 'u', 4, places) &&
                        file.find(Name(key).add(".values").text(), 'u', 4, values) &&
                        places.count == values.count;
  if (has_more) {
    counts.places = places.as<std::uint32_t>();
    counts.values = values.as<std::uint32_t>();
    counts.num_places = places.count;
  }
  return true;
}

bool Ngram::read_level(const ArrayFile& file, std::size_t n) {
  Level& level = levels_[n];
  level.size = vocab_size_;
  if (n > 0) {
    const Name key = Name().add(n + 1).add(".tokens");
    bool is_found = false;
    for (std::size_t bytes = 1; bytes <= 4 && !is_found; bytes *= 2) {
      is_found = file.find(key.text(), 'u', bytes, level.tokens);
    }
    if (!is_found) return false;
    level.size = level.tokens.count;
  }
  const bool is_top = n + 1 == order_;
  if (!read_counts(file, n, "counts", level.size, level.counts)) return false;
  level.weights = level.counts;
  if (is_top) return true;
  if (!read_counts(file, n, "adjusted", level.size, level.weights) ||
      !read_counts(file, n, "num_children", level.size, level.children)) {
    return false;
  }
  read_counts(file, n, "lost", level.size, level.lost);  // only where something was pruned
  return true;
}

// The children of every 64th n-gram; in between they are counted on the way.
bool Ngram::read_starts(std::size_t n) {
  Level& level = levels_[n];
  if (!level.starts.make(level.size / kStride + 1)) return false;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < level.size; ++i) {
    if (i % kStride == 0) level.starts[i / kStride] = static_cast<std::uint32_t>(sum);
    sum += level.children.at(i);
  }
  return sum == levels_[n + 1].size;
}

bool Ngram::open(const std::uint8_t* bytes, std::size_t size, std::size_t vocab_size,
                 Complaint& complaint) {
  const auto refuse = [&] { return complaint.say("the n-gram model of the file is damaged"); };
  ArrayFile file;
  std::size_t own_size;
  Array discounts;
  if (!file.open(bytes, size, "ngram", complaint)) return false;
  if (!file.number("order", order_) || order_ < 1 || order_ > kMostOrders ||
      !file.number("vocab_size", own_size) || own_size != vocab_size ||
      !file.find("discounts", 'f', 8, discounts) || discounts.count != 3 * order_) {
    return refuse();
  }
  vocab_size_ = vocab_size;
  __builtin_memcpy(discounts_, discounts.data, discounts.count * sizeof(double));
  for (std::size_t n = 0; n < order_; ++n) {
    if (!read_level(file, n)) return refuse();
  }
  for (std::size_t n = 0; n + 1 < order_; ++n) {
    if (!read_starts(n)) return refuse();
  }
  for (std::size_t id = 0; id < vocab_size; ++id) num_events_ += levels_[0].counts.at(id);
  unigram_ = sums(0, 0);
  return true;
}

Ngram::Place Ngram::start() const {
  Place place;
  for (std::int64_t& context : place.contexts) context = kNone;
  place.contexts[0] = 0;
  return place;
}

Ngram::Range Ngram::children(std::size_t n, std::int64_t context) const {
  if (n == 0) return {0, vocab_size_};
  const Level& level = levels_[n - 1];
  const auto at = static_cast<std::size_t>(context);
  std::size_t first = level.starts[at / kStride];
  for (std::size_t i = at / kStride * kStride; i < at; ++i) first += level.children.at(i);
  return {first, first + level.children.at(at)};
}

std::uint32_t Ngram::token(const Level& level, std::size_t place) const {
  switch (level.tokens.item) {
    case 1: return level.tokens.as<std::uint8_t>()[place];
    case 2: return level.tokens.as<std::uint16_t>()[place];
    default: return level.tokens.as<std::uint32_t>()[place];
  }
}

std::int64_t Ngram::child(std::size_t n, std::int64_t context, std::int32_t id) const {
  if (n == 0) return id;
  if (context == kNone) return kNone;
  const Range range = children(n, context);
  const std::size_t low = first_place(range.first, range.end, [&](std::size_t place) {
    return token(levels_[n], place) >= static_cast<std::uint32_t>(id);
  });
  const bool is_there =
      low < range.end && token(levels_[n], low) == static_cast<std::uint32_t>(id);
  return is_there ? static_cast<std::int64_t>(low) : kNone;
}

void Ngram::advance(Place& place, std::int32_t id) const {
  // A separator is the first id of every context that holds it.
  const std::size_t longest = id == 0 ? 1 : order_ - 1;
  for (std::size_t n = order_ - 1; n > 0; --n) {
    place.contexts[n] = n <= longest ? child(n - 1, place.contexts[n - 1], id) : kNone;
  }
}

std::int32_t Ngram::likeliest(const Place& place) const {
  for (std::size_t n = order_ - 1; n > 0; --n) {
    if (place.contexts[n] == kNone) continue;
    const Range range = children(n, place.contexts[n]);
    std::size_t best = range.first;
    for (std::size_t i = range.first; i < range.end; ++i) {
      if (levels_[n].counts.at(i) > levels_[n].counts.at(best)) best = i;
    }
    if (range.first == range.end) continue;
    const std::uint32_t id = token(levels_[n], best);
    return id < vocab_size_ ? static_cast<std::int32_t>(id) : -1;
  }
  return -1;
}

Ngram::Sums Ngram::sums(std::size_t n, std::int64_t context) const {
  Sums found;
  if (context == kNone) return found;
  const Range range = children(n, context);
  for (std::size_t i = range.first; i < range.end; ++i) {
    const std::uint32_t a = levels_[n].weights.at(i);
    found.mass += a;
    found.ones += a == 1;
    found.twos += a == 2;
    found.more += a >= 3;
  }
  if (n > 0) found.lost = levels_[n - 1].lost.at(static_cast<std::size_t>(context));
  found.mass += found.lost;
  return found;
}

void Ngram::add_order(std::size_t n, const Sums& sums, Range range, double* row) const {
  const double* discounts = discounts_[n];
  const auto mass = static_cast<double>(sums.mass);
  const double free = (discounts[0] * static_cast<double>(sums.ones) +
                       discounts[1] * static_cast<double>(sums.twos)) +
                      (discounts[2] * static_cast<double>(sums.more) +
                       static_cast<double>(sums.lost));
  const double weight = free / mass;
  for (std::size_t v = 0; v < vocab_size_; ++v) row[v] *= weight;
  const double lowered[4] = {0.0, discounts[0], discounts[1], discounts[2]};
  for (std::size_t i = range.first; i < range.end; ++i) {
    const std::uint32_t a = levels_[n].weights.at(i);
    const std::size_t id = n == 0 ? i : token(levels_[n], i);
    if (id < vocab_size_) row[id] += (static_cast<double>(a) - lowered[a < 3 ? a : 3]) / mass;
  }
}

void Ngram::predict(const Place& place, double* rows, float* counts, float* kinds) const {
  for (std::size_t n = 0; n < order_; ++n) {
    double* row = rows + n * vocab_size_;
    const std::int64_t context = place.contexts[n];
    if (n == 0) {
      for (std::size_t v = 0; v < vocab_size_; ++v) row[v] = 1.0 / static_cast<double>(vocab_size_);
    } else {
      __builtin_memcpy(row, row - vocab_size_, vocab_size_ * sizeof(double));
    }
    const Sums found = n == 0 ? unigram_ : sums(n, context);
    kinds[n] = static_cast<float>(found.ones + found.twos + found.more);
    counts[n] = 0.0f;
    if (n == 0) {
      counts[n] = static_cast<float>(num_events_);
    } else if (context != kNone) {
      counts[n] = static_cast<float>(levels_[n - 1].counts.at(static_cast<std::size_t>(context)));
    }
    if (found.mass > 0) add_order(n, found, children(n, context), row);
  }
}

}  // namespace engine
