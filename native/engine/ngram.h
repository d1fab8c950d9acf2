// The counting model: interpolated modified Kneser-Ney, every order an expert of the mixture.
//
// The twin of sparrowlm/models/ngram; see there for the formula and its sources.
#pragma once

#include "array_file.h"

namespace engine {

class Ngram {
 public:
  static constexpr std::size_t kMostOrders = 16;

  // Where a text stands: the contexts of length 0 to N - 1 that end here, -1 where there is none.
  struct Place {
    std::int64_t contexts[kMostOrders];
  };

  bool open(const std::uint8_t* bytes, std::size_t size, std::size_t vocab_size,
            Complaint& complaint);

  std::size_t order() const { return order_; }
  Place start() const;
  void advance(Place& place, std::int32_t id) const;
  // What followed the longest known context most often; -1 where no context is known.
  std::int32_t likeliest(const Place& place) const;
  // rows         [order][vocab_size], the distribution of every order
  // counts       [order], how often the context was seen
  // kinds        [order], how many different ids followed it
  void predict(const Place& place, double* rows, float* counts, float* kinds) const;

 private:
  struct Counts {
    const std::uint8_t* small = nullptr;
    const std::uint32_t* places = nullptr;
    const std::uint32_t* values = nullptr;
    std::size_t size = 0, num_places = 0;

    std::uint32_t at(std::size_t place) const;
  };

  struct Level {
    std::size_t size = 0;
    Array tokens;  // none at order 1
    Counts counts, weights, children, lost;
    Room<std::uint32_t> starts;  // of the children of every 64th n-gram
  };

  struct Range {
    std::size_t first, end;
  };

  struct Sums {
    std::int64_t mass = 0, ones = 0, twos = 0, more = 0, lost = 0;
  };

  bool read_counts(const ArrayFile& file, std::size_t n, const char* name, std::size_t size,
                   Counts& counts) const;
  bool read_level(const ArrayFile& file, std::size_t n);
  bool read_starts(std::size_t n);
  Range children(std::size_t n, std::int64_t context) const;
  std::int64_t child(std::size_t n, std::int64_t context, std::int32_t id) const;
  std::uint32_t token(const Level& level, std::size_t place) const;
  Sums sums(std::size_t n, std::int64_t context) const;
  void add_order(std::size_t n, const Sums& sums, Range range, double* row) const;

  std::size_t order_ = 0, vocab_size_ = 0;
  std::int64_t num_events_ = 0;
  double discounts_[kMostOrders][3];
  Level levels_[kMostOrders];
  Sums unigram_;
};

}  // namespace engine
