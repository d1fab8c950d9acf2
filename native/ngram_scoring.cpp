// Looks events up and scores them (the twin of table.py, statistics.py and scoring.py).
// Whole numbers are exact, floating-point operations in the order of Python: the same bits.
#include "arrays.h"

#include <algorithm>
#include <array>
#include <thread>
#include <tuple>

namespace {

constexpr std::int64_t kNone = -1;
constexpr std::uint8_t kException = 255;
constexpr std::uint32_t kWideContext = 8;  // as in table.py
constexpr std::int64_t kSeparator = 0;
constexpr std::size_t kMostThreads = 8;
constexpr std::size_t kLeastIdsPerThread = 20000;

struct SmallCounts {
  const std::uint8_t* small = nullptr;
  const std::uint32_t* places = nullptr;
  const std::uint32_t* values = nullptr;
  std::size_t num_places = 0;

  std::int64_t at(std::size_t i) const {
    if (small[i] != kException) return small[i];
    const auto* place = std::lower_bound(places, places + num_places, i);
    return values[place - places];
  }
};

struct Sums {
  std::int64_t mass = 0, ones = 0, twos = 0, more = 0, lost = 0;

  std::int64_t num_continuations() const { return ones + twos + more; }
  void count(std::int64_t a) {
    mass += a;
    ones += a == 1;
    twos += a == 2;
    more += a >= 3;
  }
};

struct Level {
  const void* tokens = nullptr;
  std::size_t num_tokens = 0;
  SmallCounts counts, weights, lost;
  const std::uint32_t* starts = nullptr;  // of the contexts one shorter
  const std::uint32_t* wide_places = nullptr;
  std::size_t num_wide = 0;
  std::array<const std::int64_t*, 5> wide_sums{};
};

// What is known about one event at one order; see EventStatistics.
struct Statistics {
  std::int64_t count = 0, adjusted = 0, context_count = 0;
  Sums sums;
  bool is_separated = false;
};

class NgramTable {
 public:
  explicit NgramTable(nb::object table) {
    vocab_size_ = nb::cast<std::size_t>(table.attr("vocab_size"));
    num_events_ = nb::cast<std::int64_t>(table.attr("num_events"));
    const auto order = nb::cast<std::size_t>(table.attr("order"));
    nb::object levels = table.attr("levels");
    levels_.resize(order);
    for (std::size_t n = 0; n < order; ++n) {
      nb::object source = levels[n];
      Level& level = levels_[n];
      level.counts = small_counts(source.attr("counts"));
      level.weights = small_counts(source.attr("weights"));
      if (!source.attr("lost").is_none()) level.lost = small_counts(source.attr("lost"));
      if (!source.attr("tokens").is_none()) read_tokens(source.attr("tokens"), level);
      level.starts = data<std::uint32_t>(table.attr("starts")(n)).first;
      nb::object wide = table.attr("wide")(n);
      std::tie(level.wide_places, level.num_wide) = data<std::uint32_t>(wide[0]);
      const char* names[] = {"mass", "ones", "twos", "more", "lost"};
      for (int k = 0; k < 5; ++k) {
        level.wide_sums[k] = data<std::int64_t>(wide[1].attr(names[k])).first;
      }
    }
  }

  std::size_t order() const { return levels_.size(); }
  std::size_t vocab_size() const { return vocab_size_; }
  unsigned token_bytes() const { return token_bytes_; }
  const Level& level(std::size_t n) const { return levels_[n]; }

  template <class Token>
  std::int64_t child(std::size_t n, std::int64_t context, std::int64_t id) const {
    if (n == 0) return id;
    if (context == kNone) return kNone;
    const Level& level = levels_[n];
    const auto* tokens = static_cast<const Token*>(level.tokens);
    std::uint32_t place = level.starts[context];
    std::uint32_t size = level.starts[context + 1] - place;
    if (size == 0) return kNone;
    // Halving without branches: which way it goes cannot be foretold.
    while (size > 1) {
      const std::uint32_t half = size / 2;
      place += tokens[place + half - 1] < static_cast<Token>(id) ? half : 0;
      size -= half;
    }
    return tokens[place] == static_cast<Token>(id) ? std::int64_t{place} : kNone;
  }

  Sums sums(std::size_t n, std::int64_t context) const {
    Sums found;
    if (context == kNone) return found;
    const Level& level = levels_[n];
    const std::uint32_t first = level.starts[context], end = level.starts[context + 1];
    if (end - first > kWideContext) {
      const auto* place = std::lower_bound(level.wide_places, level.wide_places + level.num_wide,
                                           static_cast<std::uint32_t>(context));
      const auto at = place - level.wide_places;
      const auto& wide = level.wide_sums;
      return {wide[0][at], wide[1][at], wide[2][at], wide[3][at], wide[4][at]};
    }
    for (std::uint32_t i = first; i < end; ++i) found.count(level.weights.at(i));
    if (n > 0 && levels_[n - 1].lost.small != nullptr) found.lost = levels_[n - 1].lost.at(context);
    found.mass += found.lost;
    return found;
  }

  std::int64_t context_count(std::size_t n, std::int64_t context) const {
    if (n == 0) return num_events_;
    return context == kNone ? 0 : levels_[n - 1].counts.at(context);
  }

 private:
  template <class Value>
  std::pair<const Value*, std::size_t> data(nb::object array) {
    kept_.push_back(array);
    auto view = nb::cast<InputVector<Value>>(array);
    return {view.data(), view.size()};
  }

  SmallCounts small_counts(nb::object source) {
    SmallCounts counts;
    counts.small = data<std::uint8_t>(source.attr("small")).first;
    std::tie(counts.places, counts.num_places) = data<std::uint32_t>(source.attr("places"));
    counts.values = data<std::uint32_t>(source.attr("values")).first;
    return counts;
  }

  void read_tokens(nb::object array, Level& level) {
    token_bytes_ = nb::cast<unsigned>(array.attr("itemsize"));
    if (token_bytes_ == 1) {
      std::tie(level.tokens, level.num_tokens) = data<std::uint8_t>(array);
    } else if (token_bytes_ == 2) {
      std::tie(level.tokens, level.num_tokens) = data<std::uint16_t>(array);
    } else {
      std::tie(level.tokens, level.num_tokens) = data<std::uint32_t>(array);
    }
  }

  std::vector<Level> levels_;
  std::vector<nb::object> kept_;  // the arrays that the pointers above look into
  std::size_t vocab_size_ = 0;
  std::int64_t num_events_ = 0;
  unsigned token_bytes_ = 1;
};

int class_of(std::int64_t a) { return static_cast<int>(std::min<std::int64_t>(a, 3)); }

double back_off(const Sums& sums, const double* discounts) {
  const double free = (discounts[0] * static_cast<double>(sums.ones) +
                       discounts[1] * static_cast<double>(sums.twos)) +
                      (discounts[2] * static_cast<double>(sums.more) +
                       static_cast<double>(sums.lost));
  return free / static_cast<double>(sums.mass);
}

double kept(std::int64_t a, std::int64_t mass, const double* discounts) {
  const int kind = class_of(a);
  const double discount = kind == 0 ? 0.0 : discounts[kind - 1];
  return (static_cast<double>(a) - discount) / static_cast<double>(mass);
}

// See without_the_event in statistics.py.
Statistics reduced(const Statistics& one, const Statistics* above) {
  std::int64_t loss = 1;
  if (above != nullptr) {
    const bool is_single = above->sums.mass > 0 ? above->count <= 1 : one.count <= 1;
    loss = is_single || one.is_separated;
  }
  Statistics left = one;
  const bool is_there = one.count > 0;
  left.adjusted =
      is_there ? std::max<std::int64_t>(one.adjusted - loss, one.count > 1 ? 1 : 0) : 0;
  const std::int64_t from_lost = is_there ? 0 : std::min(one.sums.lost, loss);
  left.count -= is_there;
  left.context_count = std::max<std::int64_t>(one.context_count - 1, 0);
  left.sums.mass -= (one.adjusted - left.adjusted) + from_lost;
  left.sums.lost -= from_lost;
  const int before = class_of(one.adjusted), after = class_of(left.adjusted);
  left.sums.ones += (after == 1) - (before == 1);
  left.sums.twos += (after == 2) - (before == 2);
  left.sums.more += (after == 3) - (before == 3);
  return left;
}

// The contexts that end where the text stands: of length 0 to N - 1, kNone where there is none.
template <class Token>
class Walk {
 public:
  explicit Walk(const NgramTable& table) : table_(table), contexts_(table.order() + 1, kNone) {
    contexts_[0] = 0;
  }

  std::int64_t context(std::size_t n) const { return contexts_[n]; }

  // Goes past an id whose n-grams of orders 1 to N were found before.
  void advance(std::int64_t id, const std::vector<std::int64_t>& nodes) {
    const std::size_t longest = id == kSeparator ? 1 : table_.order() - 1;
    for (std::size_t n = 1; n < table_.order(); ++n) {
      contexts_[n] = n <= longest ? nodes[n - 1] : kNone;
    }
  }

  void find(std::int64_t id, std::vector<std::int64_t>& nodes) const {
    for (std::size_t n = 0; n < table_.order(); ++n) {
      nodes[n] = table_.child<Token>(n, contexts_[n], id);
    }
  }

 private:
  const NgramTable& table_;
  std::vector<std::int64_t> contexts_;
};

struct Scores {
  float *probabilities, *context_counts, *num_continuations;
};

template <class Token>
void score_part(const NgramTable& table, const double* discounts, const std::int64_t* ids,
                std::size_t begin, std::size_t end, bool leave_one_out, Scores scores) {
  const std::size_t order = table.order();
  Walk<Token> walk(table);
  std::vector<Statistics> found(order);
  std::vector<std::int64_t> nodes(order);
  for (std::size_t t = begin - std::min(begin, order - 1); t < begin; ++t) {
    walk.find(ids[t], nodes);
    walk.advance(ids[t], nodes);
  }
  for (std::size_t t = begin; t < end; ++t) {
    walk.find(ids[t], nodes);
    for (std::size_t n = 0; n < order; ++n) {
      const std::int64_t node = nodes[n];
      Statistics& one = found[n];
      one = Statistics{};
      one.sums = table.sums(n, walk.context(n));
      one.context_count = table.context_count(n, walk.context(n));
      if (node != kNone) {
        one.count = table.level(n).counts.at(node);
        one.adjusted = n + 1 < order ? table.level(n).weights.at(node) : one.count;
      }
      one.is_separated = n > 0 && t >= n && ids[t - n] == kSeparator;
    }
    double lower = 1.0 / static_cast<double>(table.vocab_size());
    for (std::size_t n = 0; n < order; ++n) {
      const Statistics* above = n + 1 < order ? &found[n + 1] : nullptr;
      const Statistics one = leave_one_out ? reduced(found[n], above) : found[n];
      if (one.sums.mass > 0) {
        const double own = kept(one.adjusted, one.sums.mass, discounts + 3 * n);
        lower = own + back_off(one.sums, discounts + 3 * n) * lower;
      }
      const std::size_t at = t * order + n;
      scores.probabilities[at] = static_cast<float>(lower);
      scores.context_counts[at] = static_cast<float>(one.context_count);
      scores.num_continuations[at] = static_cast<float>(one.sums.num_continuations());
    }
    walk.advance(ids[t], nodes);
  }
}

// Turns the distribution of order n into that of order n + 1 (orders counted from 1).
template <class Token>
void add_order(const NgramTable& table, const double* discounts, const Walk<Token>& walk,
               std::size_t n, double* row) {
  const std::int64_t context = walk.context(n);
  const Sums sums = table.sums(n, context);
  if (sums.mass == 0) return;
  const double weight = back_off(sums, discounts + 3 * n);
  for (std::size_t v = 0; v < table.vocab_size(); ++v) row[v] *= weight;
  const Level& level = table.level(n);
  for (std::uint32_t i = level.starts[context]; i < level.starts[context + 1]; ++i) {
    const std::size_t id = n == 0 ? i : static_cast<const Token*>(level.tokens)[i];
    row[id] += kept(level.weights.at(i), sums.mass, discounts + 3 * n);
  }
}

// Divides a long text among the cores; no context reaches further back than N - 1 ids.
template <class Token>
void score_text(const NgramTable& table, const double* discounts, const std::int64_t* ids,
                std::size_t num_ids, bool leave_one_out, Scores scores) {
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const std::size_t num_parts =
      std::max<std::size_t>(1, std::min({cores, kMostThreads, num_ids / kLeastIdsPerThread}));
  std::vector<std::thread> others;
  const auto edge = [&](std::size_t part) { return num_ids * part / num_parts; };
  for (std::size_t part = 1; part < num_parts; ++part) {
    others.emplace_back([&, part] {
      score_part<Token>(table, discounts, ids, edge(part), edge(part + 1), leave_one_out, scores);
    });
  }
  score_part<Token>(table, discounts, ids, 0, edge(1), leave_one_out, scores);
  for (auto& other : others) other.join();
}

template <class Token>
void fill_distribution(const NgramTable& table, const double* discounts, const Walk<Token>& walk,
                       double* row) {
  const std::size_t vocab_size = table.vocab_size();
  std::fill(row, row + vocab_size, 1.0 / static_cast<double>(vocab_size));
  for (std::size_t n = 0; n < table.order(); ++n) add_order(table, discounts, walk, n, row);
}

template <class Work>
void with_token_type(const NgramTable& table, Work work) {
  nb::gil_scoped_release unlocked;
  if (table.token_bytes() == 1) {
    work(std::uint8_t{});
  } else if (table.token_bytes() == 2) {
    work(std::uint16_t{});
  } else {
    work(std::uint32_t{});
  }
}

void score(const NgramTable& table, InputMatrix<double> discounts, InputVector<std::int64_t> ids,
           bool leave_one_out, OutputMatrix<float> probabilities,
           OutputMatrix<float> context_counts, OutputMatrix<float> num_continuations) {
  const Scores scores{probabilities.data(), context_counts.data(), num_continuations.data()};
  with_token_type(table, [&](auto token) {
    score_text<decltype(token)>(table, discounts.data(), ids.data(), ids.size(), leave_one_out,
                                scores);
  });
}

// The distribution after every id from `first` on; the ids before it are context only.
void distributions(const NgramTable& table, InputMatrix<double> discounts,
                   InputVector<std::int64_t> ids, std::size_t first, OutputMatrix<double> rows) {
  with_token_type(table, [&](auto token) {
    Walk<decltype(token)> walk(table);
    std::vector<std::int64_t> nodes(table.order());
    for (std::size_t t = 0; t < ids.size(); ++t) {
      walk.find(ids.data()[t], nodes);
      walk.advance(ids.data()[t], nodes);
      if (t < first) continue;
      fill_distribution(table, discounts.data(), walk,
                        rows.data() + (t - first) * table.vocab_size());
    }
  });
}

using OutputRows = nb::ndarray<float, nb::numpy, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

// What follows each of several contexts, at every order. The contexts stand one behind the other
// in `ids`; each ends where `ends` says.
void predict(const NgramTable& table, InputMatrix<double> discounts,
             InputVector<std::int64_t> ids, InputVector<std::int64_t> ends, OutputRows rows,
             OutputMatrix<float> context_counts, OutputMatrix<float> num_continuations) {
  with_token_type(table, [&](auto token) {
    const std::size_t order = table.order(), vocab_size = table.vocab_size();
    std::vector<std::int64_t> nodes(order);
    std::vector<double> row(vocab_size);
    float* out = rows.data();
    std::int64_t t = 0;
    for (std::size_t b = 0; b < ends.size(); ++b) {
      Walk<decltype(token)> walk(table);
      for (; t < ends.data()[b]; ++t) {
        walk.find(ids.data()[t], nodes);
        walk.advance(ids.data()[t], nodes);
      }
      std::fill(row.begin(), row.end(), 1.0 / static_cast<double>(vocab_size));
      for (std::size_t n = 0; n < order; ++n, out += vocab_size) {
        add_order(table, discounts.data(), walk, n, row.data());
        std::transform(row.begin(), row.end(), out, [](double p) { return static_cast<float>(p); });
        const std::size_t at = b * order + n;
        const auto context = walk.context(n);
        context_counts.data()[at] = static_cast<float>(table.context_count(n, context));
        num_continuations.data()[at] =
            static_cast<float>(table.sums(n, context).num_continuations());
      }
    }
  });
}

}  // namespace

void define_ngram_scoring(nb::module_& module) {
  nb::class_<NgramTable>(module, "NgramTable").def(nb::init<nb::object>());
  module.def("score", &score, "Score every id of a text at every order.");
  module.def("predict", &predict, "Fill the distributions of all orders after several contexts.");
  module.def("distributions", &distributions, "Fill the distributions after every id.");
}
