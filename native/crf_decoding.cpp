// What a trained conditional random field makes of new text (the twin of models/crf/templates.py,
// rows.py and weights.py): hashes of templates, rows of hashes, scores. Whole numbers are exact;
// scores are added in the order of NumPy: the same bits.
#include "arrays.h"
#include "engine/feature_hash.h"

#include <algorithm>

namespace {

constexpr std::uint64_t kOdd = ngram_keys::kGolden;
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
        std::uint64_t hash = feature_hash::begun(f);
        bool is_there = true;
        for (auto p = part_starts.data()[f]; p < part_starts.data()[f + 1]; ++p) {
          const std::int64_t at = i + parts.data()[2 * p + 1];
          const bool is_inside = at >= first && at < last;
          const std::uint64_t value =
              is_inside ? values[at * C + parts.data()[2 * p]] : feature_hash::kOutside;
          is_there &= value != 0;
          hash = feature_hash::longer(hash, value);
        }
        row[f] = is_there ? feature_hash::ended(hash) : 0u;
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

}  // namespace

void define_crf_decoding(nb::module_& module) {
  module.def("hash_templates", &hash_templates);
  nb::class_<RowIndex>(module, "RowIndex")
      .def(nb::init<InputVector<std::uint32_t>>())
      .def("find", &RowIndex::find);
  module.def("crf_emissions", &emissions<float, float>);
  module.def("crf_emissions_int8", &emissions<std::int8_t, std::int32_t>);
}
