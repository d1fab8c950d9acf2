// Training of linear-chain conditional random fields (the twin of models/crf/objective.py and
// stochastic.py): the negative log-likelihood with its gradient, and one epoch of AdaGrad.
//
// Probabilities instead of logarithms, divided by their sum at every position, so that nothing
// overflows. Sums over sentences are kept per chunk, and chunks do not depend on the number of
// threads; a feature's gradient is one sum over the places where it occurs: the same bits with one
// thread and with eight.
//
// Source: Lafferty, McCallum, Pereira 2001, "Conditional random fields"; Sutton, McCallum 2012,
// "An introduction to conditional random fields", sections 4.1 and 5.1; Duchi, Hazan, Singer 2011,
// "Adaptive subgradient methods" (AdaGrad).
#include "arrays.h"
#include "lanes.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

namespace {

constexpr std::size_t kChunks = 64;
constexpr std::size_t kRowsAtOnce = 4096;
constexpr std::size_t kSentencesPerEdge = 8;  // as in stochastic.py

// The arrays of a problem; see CrfProblem in models/crf/problem.py for their shapes.
struct Data {
  const std::int32_t* features;
  const std::int64_t* starts;
  const std::int32_t* labels;
  const std::int64_t* row_starts;
  const std::uint16_t* entry_labels;
  std::size_t num_positions, num_templates, num_sentences, num_rows, num_labels;
  bool is_dense;  // every row has every label

  std::size_t num_entries() const { return static_cast<std::size_t>(row_starts[num_rows]); }
  std::size_t edge_size() const { return num_labels * num_labels + 2 * num_labels; }
};

// Parameters behind the entries: transitions [L, L], begin [L], end [L].
struct Edges {
  const double *transitions, *begin, *end;
  Edges(const double* weights, std::size_t L)
      : transitions(weights), begin(weights + L * L), end(begin + L) {}
};

template <class Weight>
RUNS_ON_WHAT_IS_THERE void add_scores_of(const Data& data, const std::int32_t* features,
                                         const Weight* weights, std::size_t length,
                                         double* scores) {
  const std::size_t L = data.num_labels, F = data.num_templates;
  std::fill(scores, scores + length * L, 0.0);
  for (std::size_t i = 0; i < length; ++i) {
    double* row = scores + i * L;
    for (std::size_t f = 0; f < F; ++f) {
      const std::int32_t feature = features[i * F + f];
      if (feature < 0) continue;
      const auto begin = data.row_starts[feature], end = data.row_starts[feature + 1];
      if (data.is_dense) {
        for (std::size_t y = 0; y < L; ++y) row[y] += static_cast<double>(weights[begin + y]);
      } else {
        for (auto e = begin; e < end; ++e) row[data.entry_labels[e]] += static_cast<double>(weights[e]);
      }
    }
  }
}

// What forward and backward need; grows to the longest sentence.
struct Room {
  std::vector<double> scores, alpha, beta, scale, shift, factors, message;
  void fit(std::size_t length, std::size_t L) {
    for (auto* one : {&scores, &alpha, &beta}) one->resize(std::max(one->size(), length * L));
    scale.resize(std::max(scale.size(), length));
    shift.resize(std::max(shift.size(), length));
    message.resize(L);
  }
};

void exponentials(const double* weights, std::size_t L, std::vector<double>& factors) {
  factors.resize(L * L + 2 * L);
  for (std::size_t k = 0; k < factors.size(); ++k) factors[k] = std::exp(weights[k]);
}

// alpha and beta of one sentence, alpha summing to one everywhere. Returns log Z. The scores become
// exponentials.
RUNS_ON_WHAT_IS_THERE double forward_backward(std::size_t length, std::size_t L, Room& room) {
  const double *T = room.factors.data(), *begin = T + L * L, *end = begin + L;
  double *psi = room.scores.data(), *alpha = room.alpha.data(), *beta = room.beta.data();
  double* message = room.message.data();
  double log_z = 0;
  for (std::size_t t = 0; t < length; ++t) {
    double* e = psi + t * L;
    const double most = *std::max_element(e, e + L);
    for (std::size_t y = 0; y < L; ++y) e[y] = std::exp(e[y] - most);
    double* a = alpha + t * L;
    if (t == 0) {
      std::copy(begin, begin + L, a);
    } else {
      std::fill(a, a + L, 0.0);
      const double* before = a - L;
      for (std::size_t i = 0; i < L; ++i) {
        const double weight = before[i], *row = T + i * L;
        for (std::size_t j = 0; j < L; ++j) a[j] += weight * row[j];
      }
    }
    double sum = 0;
    for (std::size_t y = 0; y < L; ++y) sum += (a[y] *= e[y]);
    const double scale = 1 / sum;
    for (std::size_t y = 0; y < L; ++y) a[y] *= scale;
    room.scale[t] = scale;
    log_z += std::log(sum) + most;
  }
  double last = 0;
  const double* a = alpha + (length - 1) * L;
  for (std::size_t y = 0; y < L; ++y) last += a[y] * end[y];
  log_z += std::log(last);
  double* b = beta + (length - 1) * L;
  for (std::size_t y = 0; y < L; ++y) b[y] = end[y] / last;
  for (std::size_t t = length - 1; t-- > 0;) {
    const double *after = beta + (t + 1) * L, *e = psi + (t + 1) * L, scale = room.scale[t + 1];
    for (std::size_t y = 0; y < L; ++y) message[y] = after[y] * e[y] * scale;
    b = beta + t * L;
    for (std::size_t i = 0; i < L; ++i) {
      const double* row = T + i * L;
      double sum = 0;
      for (std::size_t j = 0; j < L; ++j) sum += row[j] * message[j];
      b[i] = sum;
    }
  }
  return log_z;
}

// Adds alpha x message outer products: times the factors, the expected transitions.
RUNS_ON_WHAT_IS_THERE void add_pairs(std::size_t length, std::size_t L, Room& room, double* pairs) {
  double* message = room.message.data();
  for (std::size_t t = 1; t < length; ++t) {
    const double *b = room.beta.data() + t * L, *e = room.scores.data() + t * L;
    const double* a = room.alpha.data() + (t - 1) * L;
    for (std::size_t y = 0; y < L; ++y) message[y] = b[y] * e[y] * room.scale[t];
    for (std::size_t i = 0; i < L; ++i) {
      const double weight = a[i];
      double* row = pairs + i * L;
      for (std::size_t j = 0; j < L; ++j) row[j] += weight * message[j];
    }
  }
}

// The score of the given labels, before the scores are made exponentials.
double score_of_labels(const double* scores, const std::int32_t* labels, std::size_t length,
                       std::size_t L, const Edges& edges) {
  double sum = edges.begin[labels[0]] + edges.end[labels[length - 1]];
  for (std::size_t t = 0; t < length; ++t) {
    sum += scores[t * L + labels[t]];
    if (t > 0) sum += edges.transitions[labels[t - 1] * L + labels[t]];
  }
  return sum;
}

// One sentence: marginals minus what was seen into errors [length, L], pairs likewise (before the
// factors) into edges. Returns its negative log-likelihood.
template <class Error>
double one_sentence(const Data& data, const std::int32_t* labels, std::size_t length,
                    const Edges& edges, Room& room, Error* errors, double* pairs,
                    double* seen) {
  const std::size_t L = data.num_labels;
  const double gold = score_of_labels(room.scores.data(), labels, length, L, edges);
  const double log_z = forward_backward(length, L, room);
  for (std::size_t t = 0; t < length; ++t) {
    for (std::size_t y = 0; y < L; ++y) {
      const double p = room.alpha[t * L + y] * room.beta[t * L + y];
      errors[t * L + y] = static_cast<Error>(p - (static_cast<std::size_t>(labels[t]) == y));
    }
    if (t > 0) seen[labels[t - 1] * L + labels[t]] -= 1;
  }
  add_pairs(length, L, room, pairs);
  for (std::size_t y = 0; y < L; ++y) {
    seen[L * L + y] += static_cast<double>(errors[y]);
    seen[L * L + L + y] += static_cast<double>(errors[(length - 1) * L + y]);
  }
  return log_z - gold;
}

template <class Work>
void share(std::size_t num_chunks, unsigned num_threads, const Work& work) {
  std::atomic<std::size_t> next{0};
  const auto run = [&] {
    for (std::size_t c; (c = next.fetch_add(1)) < num_chunks;) work(c);
  };
  std::vector<std::thread> others;
  for (unsigned k = 1; k < std::min<std::size_t>(num_threads, num_chunks); ++k) others.emplace_back(run);
  run();
  for (auto& other : others) other.join();
}

class CrfProblem {
 public:
  CrfProblem(InputMatrix<std::int32_t> features, InputVector<std::int64_t> starts,
             InputVector<std::int32_t> labels, InputVector<std::int64_t> row_starts,
             InputVector<std::uint16_t> entry_labels, std::size_t num_labels)
      : features_(features), starts_(starts), labels_(labels), row_starts_(row_starts),
        entry_labels_(entry_labels) {
    data_ = {features.data(), starts.data(), labels.data(), row_starts.data(),
             entry_labels.data(), features.shape(0), features.shape(1), starts.size() - 1,
             row_starts.size() - 1, num_labels, false};
    data_.is_dense = data_.num_entries() == data_.num_rows * num_labels;
    nb::gil_scoped_release unlocked;
    find_occurrences();
  }

  double objective(InputVector<double> weights, OutputVector<double> gradient,
                   unsigned num_threads) {
    nb::gil_scoped_release unlocked;
    const std::size_t L = data_.num_labels, size = data_.edge_size();
    const double* w = weights.data();
    const double* edge_weights = w + data_.num_entries();
    errors_.resize(data_.num_positions * L);
    std::vector<double> losses(kChunks, 0.0), pairs(kChunks * L * L, 0.0);
    std::vector<double> seen(kChunks * size, 0.0), factors;
    exponentials(edge_weights, L, factors);
    share(kChunks, num_threads, [&](std::size_t c) {
      Room room;
      room.factors = factors;
      for (std::size_t s = edge(c); s < edge(c + 1); ++s) {
        const auto first = static_cast<std::size_t>(data_.starts[s]);
        const auto last = static_cast<std::size_t>(data_.starts[s + 1]);
        if (first == last) continue;
        room.fit(last - first, L);
        add_scores_of(data_, data_.features + first * data_.num_templates, w, last - first,
                      room.scores.data());
        losses[c] += one_sentence(data_, data_.labels + first, last - first,
                                  Edges(edge_weights, L), room, errors_.data() + first * L,
                                  pairs.data() + c * L * L, seen.data() + c * size);
      }
    });
    double* edge_gradient = gradient.data() + data_.num_entries();
    std::fill(edge_gradient, edge_gradient + size, 0.0);
    double loss = 0;
    for (std::size_t c = 0; c < kChunks; ++c) {
      loss += losses[c];
      for (std::size_t k = 0; k < L * L; ++k) edge_gradient[k] += pairs[c * L * L + k] * factors[k];
      for (std::size_t k = 0; k < size; ++k) edge_gradient[k] += seen[c * size + k];
    }
    sum_errors(gradient.data(), num_threads);
    return loss;
  }

  // AdaGrad over the sentences in the order given; L2 is caught up when a row is met again. There
  // are L * L transitions: they move once in several sentences.
  // weights, squares: [P]; times: [R + 1], the step at which a row (last: the edges) was decayed.
  double adagrad_epoch(OutputVector<float> weights, OutputVector<float> squares,
                       OutputVector<std::int64_t> times, InputVector<std::int64_t> order,
                       double rate, double decay, std::int64_t first_step) {
    nb::gil_scoped_release unlocked;
    const std::size_t L = data_.num_labels, E = data_.num_entries(), size = data_.edge_size();
    float *w = weights.data(), *g2 = squares.data();
    std::vector<double> edges(size), pairs(L * L), seen(size);
    std::vector<float> errors;
    Room room;
    double loss = 0;
    std::int64_t step = first_step;
    const auto refresh = [&] {
      std::copy(w + E, w + E + size, edges.begin());
      exponentials(edges.data(), L, room.factors);
      std::fill(pairs.begin(), pairs.end(), 0.0);
      std::fill(seen.begin(), seen.end(), 0.0);
    };
    refresh();
    for (std::size_t k = 0; k < order.size(); ++k, ++step) {
      const auto first = static_cast<std::size_t>(data_.starts[order.data()[k]]);
      const auto last = static_cast<std::size_t>(data_.starts[order.data()[k] + 1]);
      if (first < last) {
        room.fit(last - first, L);
        errors.resize(std::max(errors.size(), (last - first) * L));
        const std::int32_t* features = data_.features + first * data_.num_templates;
        catch_up(w, g2, times.data(), features, last - first, rate, decay, step);
        add_scores_of(data_, features, w, last - first, room.scores.data());
        loss += one_sentence(data_, data_.labels + first, last - first, Edges(edges.data(), L), room,
                             errors.data(), pairs.data(), seen.data());
        update_rows(w, g2, features, errors.data(), last - first, rate);
      }
      const std::size_t waiting = k % kSentencesPerEdge + 1;
      if (waiting < kSentencesPerEdge && k + 1 < order.size()) continue;
      for (std::size_t e = 0; e < size; ++e) {
        double g = seen[e] + decay * static_cast<double>(waiting) * edges[e];
        if (e < L * L) g += pairs[e] * room.factors[e];
        descend(w[E + e], g2[E + e], static_cast<float>(g), static_cast<float>(rate));
      }
      refresh();
    }
    return loss;
  }

 private:
  static void descend(float& weight, float& square, float gradient, float rate) {
    if (gradient == 0.0f) return;
    square += gradient * gradient;
    weight -= rate * gradient / std::sqrt(square);
  }

  std::size_t edge(std::size_t chunk) const { return data_.num_sentences * chunk / kChunks; }

  void catch_up(float* w, const float* g2, std::int64_t* times, const std::int32_t* features,
                std::size_t length, double rate, double decay, std::int64_t step) const {
    for (std::size_t k = 0; k < length * data_.num_templates; ++k) {
      const std::int32_t row = features[k];
      if (row < 0) continue;
      const std::int64_t missed = step - times[row];
      if (missed == 0) continue;
      times[row] = step;
      const auto lost = static_cast<float>(rate * decay * static_cast<double>(missed));
      for (auto e = data_.row_starts[row]; e < data_.row_starts[row + 1]; ++e) {
        if (w[e] != 0.0f) w[e] /= 1.0f + lost / std::sqrt(g2[e]);
      }
    }
  }

  void update_rows(float* w, float* g2, const std::int32_t* features, const float* errors,
                   std::size_t length, double rate) const {
    const std::size_t F = data_.num_templates, L = data_.num_labels;
    for (std::size_t i = 0; i < length; ++i) {
      const float* error = errors + i * L;
      for (std::size_t f = 0; f < F; ++f) {
        const std::int32_t row = features[i * F + f];
        if (row < 0) continue;
        for (auto e = data_.row_starts[row]; e < data_.row_starts[row + 1]; ++e) {
          descend(w[e], g2[e], error[data_.entry_labels[e]], static_cast<float>(rate));
        }
      }
    }
  }

  // Where each row occurs, in the order of the text.
  void find_occurrences() {
    const std::size_t F = data_.num_templates, size = data_.num_positions * F;
    places_.assign(data_.num_rows + 1, 0);
    for (std::size_t k = 0; k < size; ++k) {
      if (data_.features[k] >= 0) ++places_[data_.features[k] + 1];
    }
    for (std::size_t r = 0; r < data_.num_rows; ++r) places_[r + 1] += places_[r];
    occurrences_.resize(places_.back());
    std::vector<std::size_t> next(places_.begin(), places_.end() - 1);
    for (std::size_t k = 0; k < size; ++k) {
      const std::int32_t row = data_.features[k];
      if (row >= 0) occurrences_[next[row]++] = static_cast<std::uint32_t>(k / F);
    }
  }

  void sum_errors(double* gradient, unsigned num_threads) const {
    share((data_.num_rows + kRowsAtOnce - 1) / kRowsAtOnce, num_threads, [&](std::size_t c) {
      const std::size_t end = std::min(data_.num_rows, (c + 1) * kRowsAtOnce);
      for (std::size_t r = c * kRowsAtOnce; r < end; ++r) sum_row(r, gradient);
    });
  }

  void sum_row(std::size_t r, double* gradient) const {
    const std::size_t L = data_.num_labels;
    const auto begin = data_.row_starts[r], end = data_.row_starts[r + 1];
    std::fill(gradient + begin, gradient + end, 0.0);
    for (std::size_t k = places_[r]; k < places_[r + 1]; ++k) {
      const float* error = errors_.data() + occurrences_[k] * L;
      if (data_.is_dense) {
        for (std::size_t y = 0; y < L; ++y) gradient[begin + y] += static_cast<double>(error[y]);
      } else {
        for (auto e = begin; e < end; ++e) gradient[e] += static_cast<double>(error[data_.entry_labels[e]]);
      }
    }
  }

  InputMatrix<std::int32_t> features_;
  InputVector<std::int64_t> starts_;
  InputVector<std::int32_t> labels_;
  InputVector<std::int64_t> row_starts_;
  InputVector<std::uint16_t> entry_labels_;
  Data data_;
  std::vector<std::size_t> places_;
  std::vector<std::uint32_t> occurrences_;
  std::vector<float> errors_;
};

}  // namespace

void define_crf_training(nb::module_& module) {
  nb::class_<CrfProblem>(module, "CrfProblem")
      .def(nb::init<InputMatrix<std::int32_t>, InputVector<std::int64_t>, InputVector<std::int32_t>,
                    InputVector<std::int64_t>, InputVector<std::uint16_t>, std::size_t>())
      .def("objective", &CrfProblem::objective)
      .def("adagrad_epoch", &CrfProblem::adagrad_epoch);
}
