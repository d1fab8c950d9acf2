// What the text so far says about what comes next; the twin of sparrowlm/models/recent_text.py.
#pragma once

#include "memory.h"

namespace engine {

class RecentText {
 public:
  static constexpr std::size_t kOrders = 4, kNumFeatures = 2 * kOrders;

  // False: no memory.
  bool make(std::size_t vocab_size);
  void clear();
  void read(std::int32_t id);
  bool copy(const RecentText& other);
  // row        [vocab_size], the distribution of what follows
  // features   [kNumFeatures]: ln(1 + n_m), ln(1 + k_m)
  void predict(double* row, float* features);

 private:
  static constexpr std::size_t kForgotten = 4096, kMost = 2 * kForgotten;
  static constexpr std::uint32_t kNowhere = 0xFFFFFFFFu;

  void push(std::int32_t id);
  void forget();
  std::size_t count(std::size_t order);

  std::size_t vocab_size_ = 0, length_ = 0;
  Room<std::int32_t> ids_;
  Room<std::uint32_t> before_;  // the place of the same id before
  Room<std::uint32_t> last_;    // of every id: its last place
  Room<std::uint32_t> counts_;
};

}  // namespace engine
