#include "recent.h"

#include "angles.h"

namespace engine {

bool RecentText::make(std::size_t vocab_size) {
  vocab_size_ = vocab_size;
  const bool is_made = ids_.make(kMost) && before_.make(kMost) && last_.make(vocab_size) &&
                       counts_.make(vocab_size);
  if (is_made) clear();
  return is_made;
}

void RecentText::clear() {
  length_ = 0;
  for (std::size_t id = 0; id < vocab_size_; ++id) last_[id] = kNowhere;
}

bool RecentText::copy(const RecentText& other) {
  if (!make(other.vocab_size_)) return false;
  for (std::size_t i = 0; i < other.length_; ++i) push(other.ids_[i]);
  return true;
}

void RecentText::push(std::int32_t id) {
  const auto own = static_cast<std::size_t>(id);
  ids_[length_] = id;
  before_[length_] = last_[own];
  last_[own] = static_cast<std::uint32_t>(length_++);
}

// The older half goes.
void RecentText::forget() {
  const std::size_t kept = length_ - kForgotten;
  for (std::size_t i = 0; i < kept; ++i) ids_[i] = ids_[kForgotten + i];
  clear();
  for (std::size_t i = 0; i < kept; ++i) push(ids_[i]);
}

void RecentText::read(std::int32_t id) {
  if (id == 0) return clear();
  push(id);
  if (length_ == kMost) forget();
}

// Counts what followed the last `order` ids; returns the sum.
std::size_t RecentText::count(std::size_t order) {
  for (std::size_t id = 0; id < vocab_size_; ++id) counts_[id] = 0;
  std::size_t total = 0;
  if (order == 0) {
    for (std::size_t i = 0; i < length_; ++i) ++counts_[static_cast<std::size_t>(ids_[i])];
    return length_;
  }
  const std::size_t end = length_ - 1;
  for (std::uint32_t p = before_[end]; p != kNowhere; p = before_[p]) {
    bool is_alike = p + 1 >= order;
    for (std::size_t back = 1; back < order && is_alike; ++back) {
      is_alike = ids_[p - back] == ids_[end - back];
    }
    if (!is_alike) continue;
    ++counts_[static_cast<std::size_t>(ids_[p + 1])];
    ++total;
  }
  return total;
}

// Source: Witten and Bell 1991, the rule in models/recent_text.py.
void RecentText::predict(double* row, float* features) {
  constexpr double kUnseen = 0.5;
  for (std::size_t v = 0; v < vocab_size_; ++v) row[v] = 1.0 / static_cast<double>(vocab_size_);
  for (std::size_t i = 0; i < kNumFeatures; ++i) features[i] = 0.0f;
  for (std::size_t order = 0; order < kOrders && order <= length_; ++order) {
    const std::size_t total = count(order);
    if (total == 0) return;
    std::size_t kinds = 0;
    for (std::size_t v = 0; v < vocab_size_; ++v) kinds += counts_[v] != 0;
    const double escape = order == 0 ? kUnseen : static_cast<double>(kinds);
    const double whole = static_cast<double>(total) + escape;
    for (std::size_t v = 0; v < vocab_size_; ++v) {
      row[v] = (static_cast<double>(counts_[v]) + escape * row[v]) / whole;
    }
    features[2 * order] = static_cast<float>(logarithm(1.0 + static_cast<double>(total)));
    features[2 * order + 1] = static_cast<float>(logarithm(1.0 + static_cast<double>(kinds)));
  }
}

}  // namespace engine
