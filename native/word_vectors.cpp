// Skip-gram and CBOW with negative sampling: the loop over one block of a text.
//
// All contexts of one word share its negative samples, so that a handful of output rows serve the
// whole window from the fastest cache. Sums run in sixteen lanes in a fixed order and without fused
// operations: the same bits on every machine, whatever instructions it has.
//
// Source: Mikolov et al. 2013, "Distributed representations of words and phrases and their
// compositionality"; Ji et al. 2016, "Parallelizing word2vec in shared and distributed memory"
// (shared negatives); Bojanowski et al. 2017, "Enriching word vectors with subword information".
#include "arrays.h"
#include "lanes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace {

constexpr std::size_t kLanes = lanes::kCount;
constexpr std::uint32_t kBreak = 0;  // the separator: no window reaches over it

using lanes::Lanes;

// Splitmix64: one addition and three multiplications for 64 random bits.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  std::uint32_t below(std::uint32_t limit) {
    return static_cast<std::uint32_t>(((next() >> 32) * limit) >> 32);
  }

 private:
  std::uint64_t state_;
};

// 1 / (1 + exp(-x)) from a table, straight lines between its points.
class Sigmoid {
 public:
  Sigmoid() {
    for (int i = 0; i <= kSize + 1; ++i) {
      values_[i] = static_cast<float>(1 / (1 + std::exp(kReach - 2.0 * kReach * i / kSize)));
    }
  }

  float operator()(float x) const {
    const float limit = kReach - 1e-3f;
    const float place = (std::min(std::max(x, -limit), limit) + kReach) * (kSize / (2 * kReach));
    const int i = static_cast<int>(place);
    return values_[i] + (place - static_cast<float>(i)) * (values_[i + 1] - values_[i]);
  }

 private:
  static constexpr float kReach = 10;
  static constexpr int kSize = 4096;
  float values_[kSize + 2];
};

const Sigmoid kSigmoid;

// What stays the same for a whole training.
struct Setting {
  float* inputs;
  float* outputs;
  std::size_t width;  // floats per row, a multiple of kLanes
  const std::uint32_t* part_starts;  // per id, where its input rows stand in parts
  const std::uint32_t* parts;
  const std::uint32_t* noise_limits;  // alias method: keep the column below its limit,
  const std::uint32_t* noise_others;  // else take this id
  std::uint32_t vocab_size;
  std::uint32_t window;
  std::uint32_t num_negatives;
  bool is_bag;  // CBOW
};

class Loop {
 public:
  explicit Loop(const Setting& setting)
      : set_(setting),
        rows_(setting.num_negatives + 1),
        slopes_(setting.num_negatives + 1),
        gathered_((setting.num_negatives + 1) * setting.width),
        hidden_(setting.width),
        change_(setting.width) {}

  void draw_targets(std::uint32_t word, Random& random) {
    num_rows_ = 0;
    rows_[num_rows_++] = word;
    for (std::uint32_t k = 0; k < set_.num_negatives; ++k) {
      const std::uint64_t bits = random.next();
      const auto column = static_cast<std::uint32_t>(((bits >> 32) * set_.vocab_size) >> 32);
      const bool is_own = static_cast<std::uint32_t>(bits) < set_.noise_limits[column];
      const std::uint32_t other = is_own ? column : set_.noise_others[column];
      if (other != word) rows_[num_rows_++] = other;
    }
  }

  const Setting& set_;
  std::size_t num_rows_ = 0;
  std::vector<std::uint32_t> rows_;
  std::vector<float> slopes_;
  std::vector<float> gathered_;  // changes of the output rows, added at the end of a window
  std::vector<float> hidden_;
  std::vector<float> change_;
};

// Predicts the targets from one hidden vector; adds to gathered_, and writes to change what the
// hidden vector should move by.
RUNS_ON_WHAT_IS_THERE
void predict(Loop& loop, const float* hidden, float rate, float* change) {
  const Setting& set = loop.set_;
  const std::size_t width = set.width;
  for (std::size_t j = 0; j < loop.num_rows_; ++j) {
    const float* row = set.outputs + loop.rows_[j] * width;
    Lanes sum{};
    for (std::size_t d = 0; d < width; d += kLanes) {
      sum += *reinterpret_cast<const Lanes*>(hidden + d) * *reinterpret_cast<const Lanes*>(row + d);
    }
    float parts[kLanes];
    std::memcpy(parts, &sum, sizeof parts);
    for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
      for (std::size_t i = 0; i < half; ++i) parts[i] += parts[i + half];
    }
    loop.slopes_[j] = rate * ((j == 0 ? 1.0f : 0.0f) - kSigmoid(parts[0]));
  }
  for (std::size_t d = 0; d < width; d += kLanes) {
    const Lanes here = *reinterpret_cast<const Lanes*>(hidden + d);
    Lanes moved{};
    for (std::size_t j = 0; j < loop.num_rows_; ++j) {
      const float* row = set.outputs + loop.rows_[j] * width + d;
      Lanes* gathered = reinterpret_cast<Lanes*>(loop.gathered_.data() + j * width + d);
      moved += loop.slopes_[j] * *reinterpret_cast<const Lanes*>(row);
      *gathered += loop.slopes_[j] * here;
    }
    *reinterpret_cast<Lanes*>(change + d) = moved;
  }
}

RUNS_ON_WHAT_IS_THERE
void add(float* to, const float* from, float factor, std::size_t width) {
  for (std::size_t d = 0; d < width; d += kLanes) {
    *reinterpret_cast<Lanes*>(to + d) += factor * *reinterpret_cast<const Lanes*>(from + d);
  }
}

void settle_outputs(Loop& loop) {
  const std::size_t width = loop.set_.width;
  for (std::size_t j = 0; j < loop.num_rows_; ++j) {
    add(loop.set_.outputs + loop.rows_[j] * width, loop.gathered_.data() + j * width, 1.0f, width);
  }
  std::fill(loop.gathered_.begin(), loop.gathered_.end(), 0.0f);
}

// One word from one neighbour after another.
void skip_gram(Loop& loop, const std::uint32_t* words, std::size_t first, std::size_t last,
               std::size_t centre, float rate) {
  const Setting& set = loop.set_;
  for (std::size_t i = first; i <= last; ++i) {
    if (i == centre) continue;
    const std::uint32_t begin = set.part_starts[words[i]], end = set.part_starts[words[i] + 1];
    float* own = set.inputs + set.parts[begin] * set.width;
    if (end - begin == 1) {
      predict(loop, own, rate, loop.change_.data());
      add(own, loop.change_.data(), 1.0f, set.width);
      continue;
    }
    std::fill(loop.hidden_.begin(), loop.hidden_.end(), 0.0f);
    const float share = 1.0f / static_cast<float>(end - begin);
    for (std::uint32_t p = begin; p < end; ++p) {
      add(loop.hidden_.data(), set.inputs + set.parts[p] * set.width, share, set.width);
    }
    predict(loop, loop.hidden_.data(), rate, loop.change_.data());
    for (std::uint32_t p = begin; p < end; ++p) {
      add(set.inputs + set.parts[p] * set.width, loop.change_.data(), 1.0f, set.width);
    }
  }
}

// One word from the mean of its neighbours.
void bag_of_words(Loop& loop, const std::uint32_t* words, std::size_t first, std::size_t last,
                  std::size_t centre, float rate) {
  const Setting& set = loop.set_;
  std::fill(loop.hidden_.begin(), loop.hidden_.end(), 0.0f);
  const float neighbour_share = 1.0f / static_cast<float>(last - first);
  for (std::size_t i = first; i <= last; ++i) {
    if (i == centre) continue;
    const std::uint32_t begin = set.part_starts[words[i]], end = set.part_starts[words[i] + 1];
    const float share = neighbour_share / static_cast<float>(end - begin);
    for (std::uint32_t p = begin; p < end; ++p) {
      add(loop.hidden_.data(), set.inputs + set.parts[p] * set.width, share, set.width);
    }
  }
  predict(loop, loop.hidden_.data(), rate, loop.change_.data());
  for (std::size_t i = first; i <= last; ++i) {
    if (i == centre) continue;
    for (std::uint32_t p = set.part_starts[words[i]]; p < set.part_starts[words[i] + 1]; ++p) {
      // Undivided, as in the authors' program: a bag then learns as fast as a pair.
      add(set.inputs + set.parts[p] * set.width, loop.change_.data(), 1.0f, set.width);
    }
  }
}

void train_words(Loop& loop, const std::vector<std::uint32_t>& words, Random& random,
                 float first_rate, float last_rate) {
  const Setting& set = loop.set_;
  const std::size_t num_words = words.size();
  std::size_t start = 0;  // of the run between two breaks
  std::size_t stop = 0;
  for (std::size_t i = 0; i < num_words; ++i) {
    if (words[i] == kBreak) continue;
    if (i >= stop) {
      for (start = i; start > 0 && words[start - 1] != kBreak;) --start;
      for (stop = i; stop < num_words && words[stop] != kBreak;) ++stop;
    }
    const std::size_t reach = 1 + random.below(set.window);
    const std::size_t first = i - std::min(reach, i - start);
    const std::size_t last = std::min(i + reach, stop - 1);
    if (first == last) continue;
    const float done = static_cast<float>(i) / static_cast<float>(num_words);
    const float rate = first_rate + (last_rate - first_rate) * done;
    loop.draw_targets(words[i], random);
    if (set.is_bag) {
      bag_of_words(loop, words.data(), first, last, i, rate);
    } else {
      skip_gram(loop, words.data(), first, last, i, rate);
    }
    settle_outputs(loop);
  }
}

template <class Id>
void train_word_block(InputVector<Id> ids, InputVector<std::uint32_t> keep_limits,
                      InputVector<std::uint32_t> noise_limits,
                      InputVector<std::uint32_t> noise_others,
                      InputVector<std::uint32_t> part_starts, InputVector<std::uint32_t> parts,
                      OutputMatrix<float> inputs, OutputMatrix<float> outputs,
                      std::uint32_t window, std::uint32_t num_negatives, bool is_bag,
                      float first_rate, float last_rate, std::uint64_t seed) {
  Setting set{inputs.data(),        outputs.data(), outputs.shape(1),
              part_starts.data(),   parts.data(),   noise_limits.data(),
              noise_others.data(),  static_cast<std::uint32_t>(noise_limits.size()),
              window,               num_negatives,  is_bag};
  nb::gil_scoped_release unlocked;
  Random random(seed);
  std::vector<std::uint32_t> words;
  words.reserve(ids.size());
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const std::uint32_t id = ids.data()[t];
    // Frequent words are left out now and then, which also widens the windows of the others.
    if (id == kBreak || static_cast<std::uint32_t>(random.next() >> 32) <= keep_limits.data()[id]) {
      words.push_back(id);
    }
  }
  Loop loop(set);
  train_words(loop, words, random, first_rate, last_rate);
}

}  // namespace

void define_word_vectors(nb::module_& module) {
  const char* doc = "Train word vectors on one block of ids, in place.";
  module.def("train_word_block", &train_word_block<std::uint16_t>, doc);
  module.def("train_word_block", &train_word_block<std::uint32_t>, doc);
}
