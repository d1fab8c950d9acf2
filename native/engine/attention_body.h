// Queries against keys and values. What a `Machine` has to know besides halves() of products_body.h:
//
//   kMostQueries, kMixedVectors   queries, and 16 numbers of values for each, whose sums fit into registers
//   kFewQueries                   from more on, keys and values are turned into float32 once for all queries
#pragma once

#include "kernels.h"
#include "lanes16.h"

namespace engine {
namespace {

constexpr float kNoScore = -1e30f;

IN_PLACE Floats numbers_at(const std::uint16_t* halves) {
  return Machine::halves(reinterpret_cast<const std::uint8_t*>(halves));
}

IN_PLACE Floats numbers_at(const float* numbers) { return load(numbers); }

// What stands behind the last position that a query sees gets no share.
IN_PLACE Floats seen_of(const Floats& scores, std::size_t group, std::size_t num_positions) {
  const std::size_t first = group * kLanes;
  if (first + kLanes <= num_positions) return scores;
  return first_of(scores, num_positions > first ? num_positions - first : 0, kNoScore);
}

// What will be read a few microseconds later may be asked for now: of keys and values in float16.
#if defined(__wasm__)
template <class Number>
constexpr bool kBrings = false;
#else
template <class Number>
constexpr bool kBrings = sizeof(Number) == sizeof(std::uint16_t);
#endif

IN_PLACE void bring(const std::uint16_t* later) { __builtin_prefetch(later, 0, 2); }

// Two sums, over even and over odd numbers of the queries; sixteen keys a group, from `keys` on.
template <int kQueries, int kGroups, class Number>
IN_PLACE void score_groups(const Attention& job, const Number* keys, std::size_t query,
                           std::size_t group) {
  Floats totals[kQueries][kGroups][2];
  for (auto& some : totals) make_zero(some);
  const std::uint16_t* values = job.values + group * kLanes * job.width;
  for (std::size_t e = 0; e < job.width; e += 2) {
    if constexpr (kBrings<Number>) {
      // As many bytes as the keys: a line for every two numbers of sixteen positions.
      for (int g = 0; g < kGroups; ++g) {
        bring(values + (static_cast<std::size_t>(g) * job.width + e) * kLanes);
      }
    }
    for (std::size_t part = 0; part < 2; ++part) {
      for (int g = 0; g < kGroups; ++g) {
        const std::size_t row = static_cast<std::size_t>(g) * job.width + e + part;
        const Floats key = numbers_at(keys + row * kLanes);
        for (int q = 0; q < kQueries; ++q) {
          totals[q][g][part] = totals[q][g][part] + times(key, job.queries[query + q] + e + part);
        }
      }
    }
  }
  for (int q = 0; q < kQueries; ++q) {
    float* scores = job.scores + (query + q) * job.scores_stride;
    for (int g = 0; g < kGroups; ++g) {
      const Floats total = totals[q][g][0] + totals[q][g][1];
      store(scores + (group + g) * kLanes,
            seen_of(total, group + g, job.num_positions[query + q]));
    }
  }
}

// From scores to shares that are still to be divided by their sum.
IN_PLACE float share_positions(float* scores, std::size_t num_positions) {
  const std::size_t groups = num_tiles(num_positions, kLanes);
  Floats highest = every(kNoScore);
  for (std::size_t g = 0; g < groups; ++g) highest = larger(highest, load(scores + g * kLanes));
  const Floats top = every(largest(highest));
  Floats total = every(0.0f);
  for (std::size_t g = 0; g < groups; ++g) {
    const Floats share = exponential(load(scores + g * kLanes) - top);
    total = total + share;
    store(scores + g * kLanes, share);
  }
  return sum(total);
}

// Adds the values of positions first to last - 1, which all queries see, 16 * kVectors numbers of each from
// column on. `values` are those of position first.
template <int kQueries, int kVectors, class Number>
IN_PLACE void add_common(const Attention& job, const Number* values, std::size_t query,
                         std::size_t column, std::size_t first, std::size_t last) {
  Floats totals[kQueries][kVectors];
  for (int q = 0; q < kQueries; ++q) {
    for (int v = 0; v < kVectors; ++v) {
      totals[q][v] = load(job.mixed[query + q] + column + v * kLanes);
    }
  }
  const float* shares = job.scores + query * job.scores_stride;
  const Number* row = values + column;
  const std::uint16_t* next = job.next_keys + first * job.width + column;
  for (std::size_t p = first; p < last; ++p, row += job.width, next += job.width) {
    if constexpr (kBrings<Number>) {
      for (int v = 0; v < kVectors; v += 2) bring(next + v * kLanes);
    }
    Floats some[kVectors];
    for (int v = 0; v < kVectors; ++v) some[v] = numbers_at(row + v * kLanes);
    for (int q = 0; q < kQueries; ++q) {
      for (int v = 0; v < kVectors; ++v) {
        totals[q][v] = totals[q][v] + times(some[v], shares + q * job.scores_stride + p);
      }
    }
  }
  for (int q = 0; q < kQueries; ++q) {
    for (int v = 0; v < kVectors; ++v) {
      store(job.mixed[query + q] + column + v * kLanes, totals[q][v]);
    }
  }
}

// The same for positions that one query sees; `values` are those of position first.
template <class Number>
IN_PLACE void add_own(const Attention& job, const Number* values, std::size_t query,
                      std::size_t first, std::size_t last) {
  const float* shares = job.scores + query * job.scores_stride;
  for (std::size_t column = 0; column < job.width; column += kLanes) {
    Floats total = load(job.mixed[query] + column);
    const Number* row = values + column;
    for (std::size_t p = first; p < last; ++p, row += job.width) {
      total = total + times(numbers_at(row), shares + p);
    }
    store(job.mixed[query] + column, total);
  }
}

// Positions first to last - 1: those that all queries see are read once, the others by each query that sees
// them. `values` are those of position first.
template <int kQueries, int kVectors, class Number>
IN_PLACE void add_values(const Attention& job, const Number* values, std::size_t query,
                         std::size_t first, std::size_t last) {
  std::size_t common = last;
  for (int q = 0; q < kQueries; ++q) {
    const std::size_t own = job.num_positions[query + q];
    common = own < common ? own : common;
  }
  common = common > first ? common : first;
  std::size_t column = 0;
  for (; column + kVectors * kLanes <= job.width; column += kVectors * kLanes) {
    add_common<kQueries, kVectors>(job, values, query, column, first, common);
  }
  for (; column < job.width; column += kLanes) {
    add_common<kQueries, 1>(job, values, query, column, first, common);
  }
  if (common == last) return;
  for (std::size_t q = query; q < query + kQueries; ++q) {
    const std::size_t end = job.num_positions[q] < last ? job.num_positions[q] : last;
    if (end > common) add_own(job, values + (common - first) * job.width, q, common, end);
  }
}

// Softmax of the scores of one query, but for a factor that is returned.
IN_PLACE float share(const Attention& job, std::size_t query) {
  float* scores = job.scores + query * job.scores_stride;
  return 1.0f / share_positions(scores, job.num_positions[query]);
}

IN_PLACE void scale_mixed(const Attention& job, std::size_t query, float factor) {
  for (std::size_t i = 0; i < job.width; i += kLanes) {
    float* to = job.mixed[query] + i;
    store(to, load(to) * every(factor));
  }
}

// ---- a few queries: keys and values as they stand ----

template <int kQueries, int kGroups, int kVectors>
IN_PLACE void attend_together(const Attention& job, std::size_t query) {
  std::size_t most = 0;
  for (int q = 0; q < kQueries; ++q) {
    const std::size_t own = job.num_positions[query + q];
    most = own > most ? own : most;
  }
  const std::size_t groups = num_tiles(most, kLanes), group_size = job.width * kLanes;
  std::size_t group = 0;
  for (; group + kGroups <= groups; group += kGroups) {
    score_groups<kQueries, kGroups>(job, job.keys + group * group_size, query, group);
  }
  for (; group < groups; ++group) {
    score_groups<kQueries, 1>(job, job.keys + group * group_size, query, group);
  }
  float factors[kQueries];
  for (int q = 0; q < kQueries; ++q) factors[q] = share(job, query + q);
  add_values<kQueries, kVectors>(job, job.values, query, 0, most);
  for (int q = 0; q < kQueries; ++q) scale_mixed(job, query + q, factors[q]);
}

// ---- many queries: sixteen keys, or values of sixteen positions, in float32 at a time ----

IN_PLACE void widen(const std::uint16_t* halves, std::size_t count, float* numbers) {
  for (std::size_t i = 0; i < count; i += kLanes) store(numbers + i, numbers_at(halves + i));
}

// Whether one of the queries sees a position.
template <int kQueries>
IN_PLACE bool is_seen(const Attention& job, std::size_t query, std::size_t position) {
  bool is_any = false;
  for (int q = 0; q < kQueries; ++q) is_any = is_any || job.num_positions[query + q] > position;
  return is_any;
}

// As many queries together as there are, from kQueries down to one.
template <int kQueries>
IN_PLACE void score_many(const Attention& job, std::size_t query, std::size_t group) {
  for (; query + kQueries <= job.num_queries; query += kQueries) {
    if (!is_seen<kQueries>(job, query, group * kLanes)) continue;
    score_groups<kQueries, 1>(job, job.numbers, query, group);
  }
  if constexpr (kQueries > 1) score_many<kQueries / 2>(job, query, group);
}

template <int kQueries>
IN_PLACE void mix_many(const Attention& job, std::size_t query, std::size_t first, std::size_t last) {
  for (; query + kQueries <= job.num_queries; query += kQueries) {
    if (!is_seen<kQueries>(job, query, first)) continue;
    add_values<kQueries, Machine::kMixedVectors>(job, job.numbers, query, first, last);
  }
  if constexpr (kQueries > 1) mix_many<kQueries / 2>(job, query, first, last);
}

void attend_many(const Attention& job) {
  constexpr int kMost = Machine::kMostQueries;
  std::size_t most = 0;
  for (std::size_t q = 0; q < job.num_queries; ++q) {
    most = job.num_positions[q] > most ? job.num_positions[q] : most;
  }
  const std::size_t groups = num_tiles(most, kLanes), group_size = job.width * kLanes;
  for (std::size_t group = 0; group < groups; ++group) {
    widen(job.keys + group * group_size, group_size, job.numbers);
    score_many<kMost>(job, 0, group);
  }
  float factors[kMostQueries];
  for (std::size_t q = 0; q < job.num_queries; ++q) factors[q] = share(job, q);
  for (std::size_t first = 0; first < most; first += kLanes) {
    const std::size_t last = most - first < kLanes ? most : first + kLanes;
    widen(job.values + first * job.width, (last - first) * job.width, job.numbers);
    mix_many<kMost>(job, 0, first, last);
  }
  for (std::size_t q = 0; q < job.num_queries; ++q) scale_mixed(job, q, factors[q]);
}

// Softmax(queries keys) values. Source: Vaswani et al. 2017, arXiv:1706.03762, equation 1.
void attend(const Attention& job) {
  for (std::size_t q = 0; q < job.num_queries; ++q) {
    __builtin_memset(job.mixed[q], 0, job.width * sizeof(float));
  }
  if (job.num_queries > Machine::kFewQueries) return attend_many(job);
  if constexpr (Machine::kFewQueries > 0) {
    std::size_t query = 0;
    for (; query + 2 <= job.num_queries; query += 2) attend_together<2, 1, 2>(job, query);
    if (query < job.num_queries) attend_together<1, 2, 4>(job, query);
  }
}

}  // namespace
}  // namespace engine
