// Best labels and marginals of label chains (the twin of models/crf/lattice.py).
//
// Source: Viterbi 1967; Rabiner 1989, "A tutorial on hidden Markov models", section III.
#include "arrays.h"
#include "lanes.h"

#include <algorithm>
#include <cmath>

namespace {

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

// Forward and backward, in probabilities divided by their sum at every position; where weights or
// penalties are too large for that, in logarithms, which takes a hundred times as long.
class Marginals {
 public:
  Marginals(const double* edges, std::size_t L)
      : edges_(edges), L_(L), factors_(L * L + 2 * L), sums_(L) {
    for (std::size_t k = 0; k < factors_.size(); ++k) {
      factors_[k] = std::exp(edges[k]);
      is_moderate_ &= factors_[k] < kMostFactor;
    }
  }

  void fill(const float* scores, const double* penalties, std::size_t length, float* marginals) {
    if (!is_moderate_ || !fill_quickly(scores, penalties, length, marginals)) {
      fill_in_logarithms(scores, penalties, length, marginals);
    }
  }

 private:
  static constexpr double kMostFactor = 1e60, kLeastSum = 1e-60;

  RUNS_ON_WHAT_IS_THERE bool fill_quickly(const float* scores, const double* penalties,
                                          std::size_t length, float* marginals) {
    const double *T = factors_.data(), *begin = T + L_ * L_, *end = begin + L_;
    alpha_.resize(std::max(alpha_.size(), length * L_));
    psi_.resize(std::max(psi_.size(), length * L_));
    beta_.assign(end, end + L_);
    for (std::size_t t = 0; t < length; ++t) {
      double *e = psi_.data() + t * L_, *a = alpha_.data() + t * L_;
      for (std::size_t y = 0; y < L_; ++y) {
        e[y] = static_cast<double>(scores[t * L_ + y]);
        if (penalties != nullptr) e[y] += penalties[t * L_ + y];
      }
      const double most = *std::max_element(e, e + L_);
      for (std::size_t y = 0; y < L_; ++y) e[y] = std::exp(e[y] - most);
      if (t == 0) {
        std::copy(begin, begin + L_, a);
      } else {
        std::fill(a, a + L_, 0.0);
        for (std::size_t i = 0; i < L_; ++i) {
          const double weight = a[i - L_], *row = T + i * L_;
          for (std::size_t j = 0; j < L_; ++j) a[j] += weight * row[j];
        }
      }
      if (!share(a, e)) return false;
    }
    for (std::size_t t = length; t-- > 0;) {
      double *a = alpha_.data() + t * L_, *e = psi_.data() + t * L_;
      double sum = 0;
      for (std::size_t y = 0; y < L_; ++y) sum += a[y] * beta_[y];
      if (!(sum > kLeastSum)) return false;
      for (std::size_t y = 0; y < L_; ++y) {
        marginals[t * L_ + y] = static_cast<float>(a[y] * beta_[y] / sum);
        sums_[y] = beta_[y] * e[y];
      }
      double all = 0;
      for (std::size_t i = 0; i < L_; ++i) {
        const double* row = T + i * L_;
        double product = 0;
        for (std::size_t j = 0; j < L_; ++j) product += row[j] * sums_[j];
        beta_[i] = product;
        all += product;
      }
      if (!(all > kLeastSum)) return false;
      for (std::size_t i = 0; i < L_; ++i) beta_[i] /= all;
    }
    return true;
  }

  // Multiplies by the factors and makes the sum one; false where nothing is left.
  IN_EVERY_CLONE bool share(double* values, const double* factors) const {
    double sum = 0;
    for (std::size_t y = 0; y < L_; ++y) sum += (values[y] *= factors[y]);
    if (!(sum > kLeastSum)) return false;
    for (std::size_t y = 0; y < L_; ++y) values[y] /= sum;
    return true;
  }

  void fill_in_logarithms(const float* scores, const double* penalties, std::size_t length,
                          float* marginals) {
    psi_.resize(length * L_);
    for (std::size_t k = 0; k < length * L_; ++k) {
      psi_[k] = static_cast<double>(scores[k]) + (penalties == nullptr ? 0.0 : penalties[k]);
    }
    alpha_.resize(length * L_);
    beta_.resize(std::max(beta_.size(), length * L_));
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
  bool is_moderate_ = true;
  std::vector<double> factors_, sums_, psi_, alpha_, beta_;
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

void define_crf_lattice(nb::module_& module) {
  module.def("crf_viterbi", &viterbi, nb::arg("scores"), nb::arg("starts"), nb::arg("edges"),
             nb::arg("penalties").none(), nb::arg("labels"));
  module.def("crf_marginals", &marginals, nb::arg("scores"), nb::arg("starts"), nb::arg("edges"),
             nb::arg("penalties").none(), nb::arg("found"));
}
