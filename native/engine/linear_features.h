// Texts as bags of n-grams and the linear model over them (the twin of
// sparrowlm/text/ngram_features.py and models/sparse_linear.py).
#pragma once

#include "segmenter.h"
#include "sorted_keys.h"

namespace engine {

class LinearModel {
 public:
  // words: the user's.
  bool open(const std::uint8_t* bytes, std::size_t size, const Room<Text>& words,
            ChineseWords* chinese, Complaint& complaint);
  std::size_t num_columns() const { return bias_.size(); }
  // Why score() could not.
  bool lacks_words() const { return segmenter_.lacks_words(); }
  // Writes num_columns() scores. False: no memory.
  bool score(Text text, float* scores);

 private:
  bool read_weights(const ArrayFile& file);
  bool add_characters();
  bool add_words();
  bool sort_keys();
  float value(std::size_t place, std::size_t column) const;

  std::size_t most_characters_ = 0, most_words_ = 0;
  Segmenter segmenter_;
  SortedKeys keys_;
  Room<float> bias_, frequencies_, scales_;  // scales: none where weights are floats
  Array weights_;
  std::size_t row_bytes_ = 0;

  struct Known {
    std::size_t place;
    float value;
    bool is_word;
  };
  Codes folded_, signs_;
  Lengths lengths_;
  Growing<std::uint32_t> found_, sorted_;
  Growing<Known> known_;
  Room<float> sums_;
};

}  // namespace engine
