// Best labels and marginals of one chain of labels (the twin of sparrowlm/models/crf/lattice.py), for
// the extension of Python and the engine alike; whoever calls brings the room.
//
// Source: Viterbi 1967; Rabiner 1989, "A tutorial on hidden Markov models", section III.
#pragma once

#include <cstddef>
#include <cstdint>

#include "clones.h"

namespace label_lattice {

// Transitions [L][L], then begin [L] and end [L]; what is forbidden costs a lot and is never absent,
// so that there is always a path. scores, penalties (or null), marginals: [length][L].
struct Chain {
  const double* edges;
  std::size_t num_labels;
  const float* scores;
  const double* penalties;
  std::size_t length;

  const double* begin() const { return edges + num_labels * num_labels; }
  const double* end() const { return begin() + num_labels; }
};

struct PathRoom {
  double *best, *next;   // [L]
  std::int64_t* from;    // [L]
  std::uint16_t* links;  // [length][L]
};

struct SumRoom {
  double* sums;            // [L]
  double *psi, *alpha, *beta;  // [length][L]
};

IN_EVERY_CLONE std::size_t place_of_most(const double* values, std::size_t count) {
  std::size_t place = 0;
  for (std::size_t i = 1; i < count; ++i) {
    if (values[i] > values[place]) place = i;
  }
  return place;
}

IN_EVERY_CLONE void add(const double* more, std::size_t count, double* values) {
  for (std::size_t i = 0; i < count; ++i) values[i] += more[i];
}

// Long chains keep their precision: the best score is taken off everywhere.
IN_EVERY_CLONE void advance(const Chain& chain, const float* scores, PathRoom room,
                            std::uint16_t* links) {
  const std::size_t L = chain.num_labels;
  double *best = room.best, *next = room.next;
  std::int64_t* from = room.from;
  const double most = best[place_of_most(best, L)];
  for (std::size_t j = 0; j < L; ++j) {
    next[j] = (best[0] - most) + chain.edges[j];
    from[j] = 0;
  }
  for (std::size_t i = 1; i < L; ++i) {
    const double before = best[i] - most, *row = chain.edges + i * L;
    for (std::size_t j = 0; j < L; ++j) {
      const double score = before + row[j];
      from[j] = score > next[j] ? static_cast<std::int64_t>(i) : from[j];
      next[j] = score > next[j] ? score : next[j];
    }
  }
  for (std::size_t j = 0; j < L; ++j) {
    links[j] = static_cast<std::uint16_t>(from[j]);
    best[j] = next[j] + static_cast<double>(scores[j]);
  }
}

// Of equal paths the one with the smallest numbers.
IN_EVERY_CLONE void find_best(const Chain& chain, PathRoom room, std::int32_t* labels) {
  const std::size_t L = chain.num_labels;
  const double* begin = chain.begin();
  for (std::size_t y = 0; y < L; ++y) room.best[y] = begin[y] + static_cast<double>(chain.scores[y]);
  if (chain.penalties != nullptr) add(chain.penalties, L, room.best);
  for (std::size_t t = 1; t < chain.length; ++t) {
    advance(chain, chain.scores + t * L, room, room.links + t * L);
    if (chain.penalties != nullptr) add(chain.penalties + t * L, L, room.best);
  }
  add(chain.end(), L, room.best);
  auto label = static_cast<std::uint16_t>(place_of_most(room.best, L));
  for (std::size_t t = chain.length; t-- > 0;) {
    labels[t] = label;
    if (t > 0) label = room.links[t * L + label];
  }
}

constexpr double kMostFactor = 1e60, kLeastSum = 1e-60;

IN_EVERY_CLONE double score_at(const Chain& chain, std::size_t place) {
  const double score = static_cast<double>(chain.scores[place]);
  return chain.penalties == nullptr ? score : score + chain.penalties[place];
}

// Multiplies by factors and makes the sum one; false where nothing is left.
IN_EVERY_CLONE bool share(const double* factors, std::size_t count, double* values) {
  double sum = 0;
  for (std::size_t y = 0; y < count; ++y) sum += (values[y] *= factors[y]);
  if (!(sum > kLeastSum)) return false;
  for (std::size_t y = 0; y < count; ++y) values[y] /= sum;
  return true;
}

template <double (*Exponential)(double)>
IN_EVERY_CLONE bool go_forward(const Chain& chain, const double* factors, SumRoom room) {
  const std::size_t L = chain.num_labels;
  for (std::size_t t = 0; t < chain.length; ++t) {
    double *e = room.psi + t * L, *a = room.alpha + t * L;
    for (std::size_t y = 0; y < L; ++y) e[y] = score_at(chain, t * L + y);
    const double most = e[place_of_most(e, L)];
    for (std::size_t y = 0; y < L; ++y) e[y] = Exponential(e[y] - most);
    for (std::size_t y = 0; y < L; ++y) a[y] = t == 0 ? factors[L * L + y] : 0.0;
    for (std::size_t i = 0; t > 0 && i < L; ++i) {
      const double weight = a[i - L], *row = factors + i * L;
      for (std::size_t j = 0; j < L; ++j) a[j] += weight * row[j];
    }
    if (!share(e, L, a)) return false;
  }
  return true;
}

// In probabilities divided by their sum at every place; false: weights are too large for that.
//
// factors: the edges' exponentials, none above kMostFactor.
template <double (*Exponential)(double)>
IN_EVERY_CLONE bool fill_quickly(const Chain& chain, const double* factors, SumRoom room,
                                 float* marginals) {
  const std::size_t L = chain.num_labels;
  if (!go_forward<Exponential>(chain, factors, room)) return false;
  double* beta = room.beta;
  for (std::size_t y = 0; y < L; ++y) beta[y] = factors[L * L + L + y];
  for (std::size_t t = chain.length; t-- > 0;) {
    const double *a = room.alpha + t * L, *e = room.psi + t * L;
    double sum = 0, all = 0;
    for (std::size_t y = 0; y < L; ++y) sum += a[y] * beta[y];
    if (!(sum > kLeastSum)) return false;
    for (std::size_t y = 0; y < L; ++y) {
      marginals[t * L + y] = static_cast<float>(a[y] * beta[y] / sum);
      room.sums[y] = beta[y] * e[y];
    }
    for (std::size_t i = 0; i < L; ++i) {
      const double* row = factors + i * L;
      double product = 0;
      for (std::size_t j = 0; j < L; ++j) product += row[j] * room.sums[j];
      beta[i] = product;
      all += product;
    }
    if (!(all > kLeastSum)) return false;
    for (std::size_t i = 0; i < L; ++i) beta[i] /= all;
  }
  return true;
}

template <double (*Exponential)(double), double (*Logarithm)(double)>
double log_sum(const double* values, std::size_t count) {
  const double most = values[place_of_most(values, count)];
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    // Nothing below this changes the sum.
    if (values[i] > most - 40) sum += Exponential(values[i] - most);
  }
  return most + Logarithm(sum);
}

// In logarithms, which takes a hundred times as long and holds whatever there is.
template <double (*Exponential)(double), double (*Logarithm)(double)>
void fill_in_logarithms(const Chain& chain, SumRoom room, float* marginals) {
  const std::size_t L = chain.num_labels, length = chain.length;
  double *alpha = room.alpha, *beta = room.beta, *psi = room.psi, *sums = room.sums;
  const auto total = [&] { return log_sum<Exponential, Logarithm>(sums, L); };
  for (std::size_t k = 0; k < length * L; ++k) psi[k] = score_at(chain, k);
  for (std::size_t y = 0; y < L; ++y) alpha[y] = chain.begin()[y] + psi[y];
  for (std::size_t t = 1; t < length; ++t) {
    for (std::size_t j = 0; j < L; ++j) {
      for (std::size_t i = 0; i < L; ++i) sums[i] = alpha[(t - 1) * L + i] + chain.edges[i * L + j];
      alpha[t * L + j] = total() + psi[t * L + j];
    }
  }
  for (std::size_t y = 0; y < L; ++y) beta[(length - 1) * L + y] = chain.end()[y];
  for (std::size_t t = length - 1; t-- > 0;) {
    for (std::size_t i = 0; i < L; ++i) {
      for (std::size_t j = 0; j < L; ++j) {
        sums[j] = chain.edges[i * L + j] + psi[(t + 1) * L + j] + beta[(t + 1) * L + j];
      }
      beta[t * L + i] = total();
    }
  }
  for (std::size_t t = 0; t < length; ++t) {
    for (std::size_t y = 0; y < L; ++y) sums[y] = alpha[t * L + y] + beta[t * L + y];
    const double all = total();
    for (std::size_t y = 0; y < L; ++y) {
      marginals[t * L + y] =
          static_cast<float>(Exponential(alpha[t * L + y] + beta[t * L + y] - all));
    }
  }
}

}  // namespace label_lattice
