// Best labels and marginals of label chains for Python; see engine/label_lattice.h.
#include "arrays.h"
#include "engine/label_lattice.h"

#include <algorithm>
#include <cmath>

namespace {

using label_lattice::Chain;

double exponential(double x) { return std::exp(x); }
double logarithm(double x) { return std::log(x); }

RUNS_ON_WHAT_IS_THERE void find_path(const Chain& chain, label_lattice::PathRoom room,
                                     std::int32_t* labels) {
  label_lattice::find_best(chain, room, labels);
}

RUNS_ON_WHAT_IS_THERE bool fill_rows(const Chain& chain, const double* factors,
                                     label_lattice::SumRoom room, float* marginals) {
  return label_lattice::fill_quickly<exponential>(chain, factors, room, marginals);
}

// All sentences of some matrices, one behind the other.
class Sentences {
 public:
  Sentences(const InputMatrix<float>& scores, const InputVector<std::int64_t>& starts,
            const InputVector<double>& edges, const nb::object& penalties)
      : scores_(scores), starts_(starts), edges_(edges) {
    if (!penalties.is_none()) penalties_ = nb::cast<InputMatrix<double>>(penalties).data();
    for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
      longest_ = std::max(longest_, static_cast<std::size_t>(starts.data()[s + 1] - starts.data()[s]));
    }
  }

  std::size_t num_labels() const { return scores_.shape(1); }
  std::size_t most_scores() const { return longest_ * num_labels(); }
  // Calls work(chain, first place) for every one that is not empty.
  template <class Work>
  void for_each(const Work& work) const {
    for (std::size_t s = 0; s + 1 < starts_.size(); ++s) {
      const auto first = static_cast<std::size_t>(starts_.data()[s]);
      const auto length = static_cast<std::size_t>(starts_.data()[s + 1]) - first;
      const std::size_t L = num_labels();
      const double* penalty = penalties_ == nullptr ? nullptr : penalties_ + first * L;
      if (length == 0) continue;
      work(Chain{edges_.data(), L, scores_.data() + first * L, penalty, length}, first);
    }
  }

 private:
  const InputMatrix<float>& scores_;
  const InputVector<std::int64_t>& starts_;
  const InputVector<double>& edges_;
  const double* penalties_ = nullptr;
  std::size_t longest_ = 0;
};

void viterbi(InputMatrix<float> scores, InputVector<std::int64_t> starts, InputVector<double> edges,
             nb::object penalties, OutputVector<std::int32_t> labels) {
  const Sentences sentences(scores, starts, edges, penalties);
  const std::size_t L = sentences.num_labels();
  nb::gil_scoped_release unlocked;
  std::vector<double> best(L), next(L);
  std::vector<std::int64_t> from(L);
  std::vector<std::uint16_t> links(sentences.most_scores());
  sentences.for_each([&](const Chain& chain, std::size_t first) {
    find_path(chain, {best.data(), next.data(), from.data(), links.data()}, labels.data() + first);
  });
}

void marginals(InputMatrix<float> scores, InputVector<std::int64_t> starts,
               InputVector<double> edges, nb::object penalties, OutputMatrix<float> found) {
  const Sentences sentences(scores, starts, edges, penalties);
  const std::size_t L = sentences.num_labels(), size = sentences.most_scores();
  nb::gil_scoped_release unlocked;
  std::vector<double> factors(edges.size()), sums(L), psi(size), alpha(size), beta(std::max(size, L));
  bool is_moderate = true;
  for (std::size_t k = 0; k < factors.size(); ++k) {
    factors[k] = std::exp(edges.data()[k]);
    is_moderate &= factors[k] < label_lattice::kMostFactor;
  }
  const label_lattice::SumRoom room{sums.data(), psi.data(), alpha.data(), beta.data()};
  sentences.for_each([&](const Chain& chain, std::size_t first) {
    float* rows = found.data() + first * L;
    if (is_moderate && fill_rows(chain, factors.data(), room, rows)) return;
    label_lattice::fill_in_logarithms<exponential, logarithm>(chain, room, rows);
  });
}

}  // namespace

void define_crf_lattice(nb::module_& module) {
  module.def("crf_viterbi", &viterbi, nb::arg("scores"), nb::arg("starts"), nb::arg("edges"),
             nb::arg("penalties").none(), nb::arg("labels"));
  module.def("crf_marginals", &marginals, nb::arg("scores"), nb::arg("starts"), nb::arg("edges"),
             nb::arg("penalties").none(), nb::arg("found"));
}
