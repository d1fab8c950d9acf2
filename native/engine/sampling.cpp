#include "sampling.h"

#include "angles.h"

namespace engine {
namespace {

constexpr float kNever = -1e30f;

// Returns how many scores there are with those behind the last id, which nothing can reach.
std::size_t pad(float* logits, std::size_t vocab_size) {
  const std::size_t padded = num_tiles(vocab_size, kTileRows) * kTileRows;
  for (std::size_t v = vocab_size; v < padded; ++v) logits[v] = kNever;
  return padded;
}

}  // namespace

float log_total(const Kernels& kernels, float* logits, std::size_t vocab_size, float* spare) {
  const std::size_t padded = pad(logits, vocab_size);
  const float top = kernels.largest(logits, padded);
  return static_cast<float>(logarithm(kernels.shares(logits, padded, top, 1.0f, spare))) + top;
}

std::size_t likeliest(const float* logits, std::size_t vocab_size, std::size_t count,
                      std::int32_t* ids) {
  std::size_t found = 0;
  for (std::size_t v = 0; v < vocab_size; ++v) {
    std::size_t place = found;
    while (place > 0 && logits[ids[place - 1]] < logits[v]) --place;
    if (place == count) continue;
    if (found < count) ++found;
    for (std::size_t i = found - 1; i > place; --i) ids[i] = ids[i - 1];
    ids[place] = static_cast<std::int32_t>(v);
  }
  return found;
}

std::int32_t likeliest(const Kernels& kernels, float* logits, std::size_t vocab_size) {
  const std::size_t padded = pad(logits, vocab_size);
  const float top = kernels.largest(logits, padded);
  std::size_t id = 0;
  while (id + 1 < vocab_size && logits[id] != top) ++id;
  return static_cast<std::int32_t>(id);
}

bool Sampler::make(std::size_t vocab_size) {
  vocab_size_ = vocab_size;
  padded_ = num_tiles(vocab_size, kTileRows) * kTileRows;
  return shares_.make(padded_) && near_.make(vocab_size);
}

std::int32_t Sampler::draw(float* logits, const Sampling& sampling, const std::uint8_t* allowed,
                           const std::int32_t* recent, std::size_t num_recent, double chance) {
  pad(logits, vocab_size_);
  if (allowed != nullptr) {
    for (std::size_t v = 0; v < vocab_size_; ++v) logits[v] = allowed[v] ? logits[v] : kNever;
  }
  if (sampling.repetition_penalty != 1.0f && num_recent > 0) {
    const std::size_t count = num_recent < kRecent ? num_recent : kRecent;
    penalise(logits, sampling.repetition_penalty, recent + num_recent - count, count);
  }
  if (sampling.temperature == 0.0f) return likeliest(kernels_, logits, vocab_size_);
  const float top = kernels_.largest(logits, padded_);
  kernels_.shares(logits, padded_, top, 1.0f / sampling.temperature, shares_.data());
  // Where a damaged file makes all scores lower still, what lies behind the last id has a share.
  for (std::size_t v = vocab_size_; v < padded_; ++v) shares_[v] = 0.0f;
  const bool is_cut = (sampling.top_k > 0 && sampling.top_k < vocab_size_) ||
                      sampling.top_p < 1.0f || sampling.min_p > 0.0f;
  return is_cut ? draw_from_likeliest(sampling, chance) : draw_from_all(chance);
}

// Source: Keskar et al. 2019, arXiv:1909.05858, section 4.1, on logarithms of probabilities.
void Sampler::penalise(float* logits, float penalty, const std::int32_t* recent,
                       std::size_t count) {
  const float whole = log_total(kernels_, logits, vocab_size_, shares_.data());
  for (std::size_t v = 0; v < vocab_size_; ++v) {
    if (logits[v] != kNever) logits[v] -= whole;
  }
  for (std::size_t i = 0; i < count; ++i) {
    bool is_first = true;
    for (std::size_t before = 0; before < i; ++before) is_first &= recent[before] != recent[i];
    float& logit = logits[recent[i]];
    if (is_first && logit != kNever) logit *= penalty;
  }
}

// The block is found first, then the id within it.
std::int32_t Sampler::draw_from_all(double chance) const {
  const double wanted = chance * total();
  double reached = 0.0;
  std::size_t begin = 0, end = 0;
  for (std::size_t first = 0; first < padded_; first += kBlock) {
    const std::size_t last = padded_ - first < kBlock ? padded_ : first + kBlock;
    const double block = sum_of(first, last);
    if (block == 0.0) continue;
    begin = first;
    end = last;
    if (reached + block > wanted) break;
    reached += block;
  }
  // Rounding may point behind the last id that has any share.
  std::size_t id = begin;
  for (std::size_t v = begin; v < end; ++v) {
    if (shares_[v] == 0.0f) continue;
    id = v;
    reached += static_cast<double>(shares_[v]);
    if (reached > wanted) break;
  }
  return static_cast<std::int32_t>(id);
}

// Those of the ids whose share has bits from lowest to highest - 1: as bits, shares are ordered too.
std::size_t Sampler::gather(std::uint32_t lowest, std::uint32_t highest) {
  std::size_t count = 0;
  for (std::size_t v = 0; v < vocab_size_; ++v) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, &shares_[v], sizeof bits);
    if (bits - lowest < highest - lowest) {
      near_[count++] = {shares_[v], static_cast<std::int32_t>(v)};
    }
  }
  return count;
}

// Leaves out all ids but the likeliest: the fewest that are `most` of them, or have the sum. The
// last share to be kept is sought by halves, until few ids are left to be sorted.
void Sampler::keep_likeliest(std::size_t most, double sum) {
  constexpr std::size_t kFew = 64;
  std::uint32_t lowest = 1, highest = 0x40000000;  // above 0, and 2.0
  std::size_t kept = 0, reaching = vocab_size_;
  double reached = 0.0;
  while (highest - lowest > 1 && reaching - kept > kFew) {
    const std::uint32_t middle = lowest + (highest - lowest) / 2;
    float least;
    __builtin_memcpy(&least, &middle, sizeof least);
    std::size_t number = 0;
    const double above = kernels_.above(shares_.data(), padded_, least, number);
    if (number >= most || above >= sum) {
      lowest = middle;
      reaching = number;
    } else {
      highest = middle;
      kept = number;
      reached = above;
    }
  }
  const std::size_t count = gather(lowest, highest);
  const bool are_equal = highest - lowest == 1;
  float end = 0.0f;
  std::size_t i = 0;
  while (i < count) {
    // The larger share first, the lower id of equals.
    std::size_t best = i;
    for (std::size_t j = i + 1; j < count && !are_equal; ++j) {
      if (near_[j].share > near_[best].share) best = j;
    }
    const Near found = near_[best];
    for (; best > i; --best) near_[best] = near_[best - 1];
    near_[i++] = found;
    end = found.share;
    reached += static_cast<double>(end);
    if (++kept >= most || reached >= sum) break;
  }
  kernels_.cut(shares_.data(), padded_, end);
  for (; i < count; ++i) {
    if (near_[i].share == end) shares_[static_cast<std::size_t>(near_[i].id)] = 0.0f;
  }
}

double Sampler::sum_of(std::size_t first, std::size_t last) const {
  std::size_t number = 0;
  return kernels_.above(shares_.data() + first, last - first, 0.0f, number);
}

double Sampler::total() const { return sum_of(0, padded_); }

std::int32_t Sampler::draw_from_likeliest(const Sampling& sampling, double chance) {
  constexpr double kAnySum = 1e300;
  if (sampling.top_k > 0 && sampling.top_k < vocab_size_) keep_likeliest(sampling.top_k, kAnySum);
  // Of the k likeliest ids the probabilities are taken anew.
  if (sampling.top_p < 1.0f) {
    keep_likeliest(vocab_size_, static_cast<double>(sampling.top_p) * total());
  }
  // The likeliest has a share of 1.
  if (sampling.min_p > 0.0f) kernels_.cut(shares_.data(), padded_, sampling.min_p);
  // Drawn in the order of ids, as from all.
  return draw_from_all(chance);
}

}  // namespace engine
