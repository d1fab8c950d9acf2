// What a trained conditional random field does with new text (the twin of models/crf/templates.py,
// rows.py, lattice.py and weights.py): hashes of templates, rows of hashes, scores, the best
// labels, marginals. Whole numbers are exact; scores are added in the order of NumPy: same bits.
//
// Source: Viterbi 1967; Rabiner 1989, "A tutorial on hidden Markov models", section III.
#include "arrays.h"
#include "lanes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace {

constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ull;
constexpr std::uint64_t kOutside = 0xD1B54A32D192ED03ull;  // stands before and after a sentence
constexpr std::int32_t kNothing = -1;
constexpr std::size_t kAhead = 16;  // slots fetched before they are needed

#if defined(__GNUC__) || defined(__clang__)
inline void fetch(const void* address) { __builtin_prefetch(address); }
#else
inline void fetch(const void*) {}
#endif

// parts: per template the (column, offset) pairs one behind the other; part_starts: [T + 1].
void hash_templates(InputMatrix<std::uint64_t> columns, InputVector<std::int64_t> starts,
                    InputVector<std::int32_t> parts, InputVector<std::int64_t> part_starts,
                    OutputMatrix<std::uint32_t> hashes) {
  nb::gil_scoped_release unlocked;
  const std::size_t C = columns.shape(1), F = hashes.shape(1);
  const std::uint64_t* values = columns.data();
  for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
    const std::int64_t first = starts.data()[s], last = starts.data()[s + 1];
    for (std::int64_t i = first; i < last; ++i) {
      std::uint32_t* row = hashes.data() + i * F;
      for (std::size_t f = 0; f < F; ++f) {
        std::uint64_t hash = (f + 1) * kOdd;
        bool is_there = true;
        for (auto p = part_starts.data()[f]; p < part_starts.data()[f + 1]; ++p) {
          const std::int64_t at = i + parts.data()[2 * p + 1];
          const bool is_inside = at >= first && at < last;
          const std::uint64_t value =
              is_inside ? values[at * C + parts.data()[2 * p]] : kOutside;
          is_there &= value != 0;
          hash = (hash ^ value) * kOdd;
          hash ^= hash >> 29;
        }
        const auto top = static_cast<std::uint32_t>((hash * kOdd) >> 32);
        row[f] = is_there ? std::max(top, 1u) : 0u;
      }
    }
  }
}

// Open addressing: the slot after the one that the hash names, until an empty one.
class RowIndex {
 public:
  explicit RowIndex(InputVector<std::uint32_t> fingerprints) {
    nb::gil_scoped_release unlocked;
    while ((std::size_t{1} << bits_) < 2 * fingerprints.size()) ++bits_;
    slots_.assign(std::size_t{1} << bits_, Slot{0, kNothing});
    for (std::size_t r = 0; r < fingerprints.size(); ++r) {
      const std::uint32_t value = fingerprints.data()[r];
      if (value == 0) continue;
      std::size_t place = home(value);
      while (slots_[place].fingerprint != 0) place = (place + 1) & (slots_.size() - 1);
      slots_[place] = {value, static_cast<std::int32_t>(r)};
    }
  }

  void find(InputVector<std::uint32_t> hashes, OutputVector<std::int32_t> rows) const {
    nb::gil_scoped_release unlocked;
    const std::uint32_t* values = hashes.data();
    const std::size_t size = hashes.size();
    for (std::size_t k = 0; k < size; ++k) {
      if (k + kAhead < size) fetch(&slots_[home(values[k + kAhead])]);
      rows.data()[k] = row_of(values[k]);
    }
  }

 private:
  struct Slot {
    std::uint32_t fingerprint;
    std::int32_t row;
  };

  std::size_t home(std::uint32_t value) const {
    return static_cast<std::size_t>((value * std::uint64_t{kOdd}) >> (64 - bits_));
  }

  std::int32_t row_of(std::uint32_t value) const {
    if (value == 0) return kNothing;
    for (std::size_t place = home(value);; place = (place + 1) & (slots_.size() - 1)) {
      const Slot slot = slots_[place];
      if (slot.fingerprint == value) return slot.row;
      if (slot.fingerprint == 0) return kNothing;
    }
  }

  unsigned bits_ = 4;
  std::vector<Slot> slots_;
};

// The emission weights of one model; see weights.py.
template <class Weight>
struct Entries {
  const std::int64_t* row_starts;
  const std::uint16_t* labels;
  const Weight* weights;
  std::size_t num_labels;
};

// Every row has a weight for every label. kLabels: how many there are, known beforehand.
template <std::size_t kLabels, class Weight, class Sum>
void add_full_rows(const std::int32_t* features, std::size_t size, std::size_t F,
                   const Entries<Weight>& all, const float* scales, float* scores) {
  for (std::size_t first = 0; first < size; first += F, scores += kLabels) {
    Sum sums[kLabels] = {};
    for (std::size_t k = first; k < first + F; ++k) {
      if (k + kAhead < size && features[k + kAhead] >= 0) {
        fetch(all.weights + static_cast<std::size_t>(features[k + kAhead]) * kLabels);
      }
      if (features[k] < 0) continue;
      const Weight* weight = all.weights + static_cast<std::size_t>(features[k]) * kLabels;
      for (std::size_t y = 0; y < kLabels; ++y) sums[y] += static_cast<Sum>(weight[y]);
    }
    for (std::size_t y = 0; y < kLabels; ++y) scores[y] = static_cast<float>(sums[y]) * scales[y];
  }
}

template <class Weight, class Sum>
void add_rows(const std::int32_t* features, std::size_t size, std::size_t F,
              const Entries<Weight>& all, const float* scales, float* scores) {
  const std::size_t L = all.num_labels;
  std::vector<Sum> sums(L);
  for (std::size_t first = 0; first < size; first += F, scores += L) {
    std::fill(sums.begin(), sums.end(), Sum{0});
    for (std::size_t k = first; k < first + F; ++k) {
      if (k + 2 * kAhead < size && features[k + 2 * kAhead] >= 0) {
        fetch(all.row_starts + features[k + 2 * kAhead]);
      }
      if (k + kAhead < size && features[k + kAhead] >= 0) {
        const auto next = all.row_starts[features[k + kAhead]];
        fetch(all.labels + next);
        fetch(all.weights + next);
      }
      if (features[k] < 0) continue;
      const auto end = all.row_starts[features[k] + 1];
      for (auto e = all.row_starts[features[k]]; e < end; ++e) {
        sums[all.labels[e]] += static_cast<Sum>(all.weights[e]);
      }
    }
    for (std::size_t y = 0; y < L; ++y) scores[y] = static_cast<float>(sums[y]) * scales[y];
  }
}

template <class Weight, class Sum>
void emissions(InputMatrix<std::int32_t> features, InputVector<std::int64_t> row_starts,
               InputVector<std::uint16_t> labels, InputVector<Weight> weights,
               InputVector<float> scales, OutputMatrix<float> scores) {
  nb::gil_scoped_release unlocked;
  const std::size_t L = scales.size();
  const bool is_full = weights.size() == (row_starts.size() - 1) * L;
  const std::size_t F = features.shape(1), size = features.shape(0) * F;
  const Entries<Weight> all{row_starts.data(), labels.data(), weights.data(), L};
  const auto add = is_full && L == 4 ? &add_full_rows<4, Weight, Sum> : &add_rows<Weight, Sum>;
  add(features.data(), size, F, all, scales.data(), scores.data());
}

// Best labels of every sentence. The penalties of what is forbidden are inside the edges and the
// scores, so that there is always a path. edges: transitions [L, L], begin [L], end [L].
class Viterbi {
 public:
  Viterbi(const double* edges, std::size_t L)
      : edges_(edges), L_(L), best_(L), next_(L), from_(L) {}

  RUNS_ON_WHAT_IS_THERE void decode(const float* scores, const double* penalties,
                                    std::size_t length, std::int32_t* labels) {
    const double *begin = edges_ + L_ * L_, *end = begin + L_;
    links_.resize(std::max(links_.size(), length * L_));
    for (std::size_t y = 0; y < L_; ++y) best_[y] = begin[y] + static_cast<double>(scores[y]);
    if (penalties != nullptr) add(penalties);
    for (std::size_t t = 1; t < length; ++t) {
      advance(scores + t * L_, links_.data() + t * L_);
      if (penalties != nullptr) add(penalties + t * L_);
    }
    for (std::size_t y = 0; y < L_; ++y) best_[y] += end[y];
    auto label = static_cast<std::uint16_t>(std::max_element(best_.begin(), best_.end()) - best_.begin());
    for (std::size_t t = length; t-- > 0;) {
      labels[t] = label;
      if (t > 0) label = links_[t * L_ + label];
    }
  }

 private:
  IN_EVERY_CLONE void add(const double* penalties) {
    for (std::size_t y = 0; y < L_; ++y) best_[y] += penalties[y];
  }

  // Long sentences keep their precision: the best score is taken off everywhere.
  IN_EVERY_CLONE void advance(const float* scores, std::uint16_t* links) {
    double* next = next_.data();
    std::int64_t* from = from_.data();
    const double most = *std::max_element(best_.begin(), best_.end());
    for (std::size_t j = 0; j < L_; ++j) {
      next[j] = (best_[0] - most) + edges_[j];
      from[j] = 0;
    }
    for (std::size_t i = 1; i < L_; ++i) {
      const double before = best_[i] - most, *row = edges_ + i * L_;
      for (std::size_t j = 0; j < L_; ++j) {
        const double score = before + row[j];
        from[j] = score > next[j] ? static_cast<std::int64_t>(i) : from[j];
        next[j] = score > next[j] ? score : next[j];
      }
    }
    for (std::size_t j = 0; j < L_; ++j) {
      links[j] = static_cast<std::uint16_t>(from[j]);
      best_[j] = next[j] + static_cast<double>(scores[j]);
    }
  }

  const double* edges_;
  std::size_t L_;
  std::vector<double> best_, next_;
  std::vector<std::int64_t> from_;
  std::vector<std::uint16_t> links_;
};

void viterbi(InputMatrix<float> scores, InputVector<std::int64_t> starts, InputVector<double> edges,
             nb::object penalties, OutputVector<std::int32_t> labels) {
  const std::size_t L = scores.shape(1);
  const double* penalty = nullptr;
  if (!penalties.is_none()) penalty = nb::cast<InputMatrix<double>>(penalties).data();
  nb::gil_scoped_release unlocked;
  Viterbi decoder(edges.data(), L);
  for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
    const auto first = static_cast<std::size_t>(starts.data()[s]);
    const auto length = static_cast<std::size_t>(starts.data()[s + 1]) - first;
    if (length == 0) continue;
    decoder.decode(scores.data() + first * L, penalty == nullptr ? nullptr : penalty + first * L,
                   length, labels.data() + first);
  }
}

// Forward and backward in logarithms: any weights and any penalties. Slower than probabilities, and
// only used to say how sure a model is.
class Marginals {
 public:
  Marginals(const double* edges, std::size_t L) : edges_(edges), L_(L), sums_(L) {}

  void fill(const float* scores, const double* penalties, std::size_t length, float* marginals) {
    psi_.resize(length * L_);
    for (std::size_t k = 0; k < length * L_; ++k) {
      psi_[k] = static_cast<double>(scores[k]) + (penalties == nullptr ? 0.0 : penalties[k]);
    }
    alpha_.resize(length * L_);
    beta_.resize(length * L_);
    const double *begin = edges_ + L_ * L_, *end = begin + L_;
    for (std::size_t y = 0; y < L_; ++y) alpha_[y] = begin[y] + psi_[y];
    for (std::size_t t = 1; t < length; ++t) {
      for (std::size_t j = 0; j < L_; ++j) {
        for (std::size_t i = 0; i < L_; ++i) sums_[i] = alpha_[(t - 1) * L_ + i] + edges_[i * L_ + j];
        alpha_[t * L_ + j] = log_sum() + psi_[t * L_ + j];
      }
    }
    std::copy(end, end + L_, beta_.begin() + static_cast<std::ptrdiff_t>((length - 1) * L_));
    for (std::size_t t = length - 1; t-- > 0;) {
      for (std::size_t i = 0; i < L_; ++i) {
        for (std::size_t j = 0; j < L_; ++j) {
          sums_[j] = edges_[i * L_ + j] + psi_[(t + 1) * L_ + j] + beta_[(t + 1) * L_ + j];
        }
        beta_[t * L_ + i] = log_sum();
      }
    }
    for (std::size_t t = 0; t < length; ++t) {
      for (std::size_t y = 0; y < L_; ++y) sums_[y] = alpha_[t * L_ + y] + beta_[t * L_ + y];
      const double all = log_sum();
      for (std::size_t y = 0; y < L_; ++y) {
        marginals[t * L_ + y] = static_cast<float>(std::exp(sums_[y] - all));
      }
    }
  }

 private:
  double log_sum() const {
    const double most = *std::max_element(sums_.begin(), sums_.end());
    double sum = 0;
    for (const double value : sums_) {
      // Nothing below this changes the sum.
      if (value > most - 40) sum += std::exp(value - most);
    }
    return most + std::log(sum);
  }

  const double* edges_;
  std::size_t L_;
  std::vector<double> sums_, psi_, alpha_, beta_;
};

void marginals(InputMatrix<float> scores, InputVector<std::int64_t> starts,
               InputVector<double> edges, nb::object penalties, OutputMatrix<float> found) {
  const std::size_t L = scores.shape(1);
  const double* penalty = nullptr;
  if (!penalties.is_none()) penalty = nb::cast<InputMatrix<double>>(penalties).data();
  nb::gil_scoped_release unlocked;
  Marginals work(edges.data(), L);
  for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
    const auto first = static_cast<std::size_t>(starts.data()[s]);
    const auto length = static_cast<std::size_t>(starts.data()[s + 1]) - first;
    if (length == 0) continue;
    work.fill(scores.data() + first * L, penalty == nullptr ? nullptr : penalty + first * L, length,
              found.data() + first * L);
  }
}

}  // namespace

void define_crf_decoding(nb::module_& module) {
  module.def("hash_templates", &hash_templates);
  nb::class_<RowIndex>(module, "RowIndex")
      .def(nb::init<InputVector<std::uint32_t>>())
      .def("find", &RowIndex::find);
  module.def("crf_emissions", &emissions<float, float>);
  module.def("crf_emissions_int8", &emissions<std::int8_t, std::int32_t>);
  module.def("crf_viterbi", &viterbi, nb::arg("scores"), nb::arg("starts"), nb::arg("edges"),
             nb::arg("penalties").none(), nb::arg("labels"));
  module.def("crf_marginals", &marginals, nb::arg("scores"), nb::arg("starts"), nb::arg("edges"),
             nb::arg("penalties").none(), nb::arg("found"));
}
