// What a conditional random field makes of columns: hashes of templates, rows of hashes, scores (the
// twin of sparrowlm/models/crf/templates.py, rows.py and weights.py).
#pragma once

#include "sorted_keys.h"
#include "unit_columns.h"

namespace engine {

class Templates {
 public:
  // Each is written "0:-1 3:0": columns and how far away. False: damaged, or no memory.
  bool open(const Room<Text>& written, std::size_t num_columns);
  std::size_t size() const { return starts_.size() == 0 ? 0 : starts_.size() - 1; }
  // The feature of a template at a place of a chain from first to last; 0: it is absent. columns:
  // one behind the other, num_units numbers each.
  std::uint32_t feature(std::size_t number, const std::uint64_t* columns, std::size_t num_units,
                        std::size_t first, std::size_t last, std::size_t place) const;

 private:
  struct Part {
    std::uint32_t column;
    std::int32_t offset;
  };
  bool read(Text written, std::size_t num_columns);

  Growing<Part> parts_;
  Growing<std::size_t> starts_;
};

class CrfWeights {
 public:
  // False: damaged, or no memory.
  bool open(const ArrayFile& file, std::size_t num_labels);
  std::size_t num_labels() const { return num_labels_; }
  const float* edges() const { return edges_; }

  // Writes the sums over the features of a unit, 0 where one is absent. False: no memory.
  bool score(const std::uint32_t* features, std::size_t count, float* scores);

 private:
  struct Run {
    std::size_t begin, end;  // entries
  };
  template <class Size>
  Run run_of(std::size_t row) const;
  Run run_at(std::size_t row) const;
  std::size_t find_rows(const std::uint32_t* features, std::size_t count);
  template <class Label, class Weight, class Sum>
  void add(std::size_t count, Sum* sums) const;
  template <class Weight, class Sum>
  void add_all(std::size_t count, Sum* sums) const;

  std::size_t num_labels_ = 0;
  SortedKeys rows_;
  Array row_sizes_, labels_, weights_;
  Room<std::uint32_t> starts_;  // of every eighth row
  Growing<std::size_t> found_;
  Growing<Run> runs_;
  const float *scales_ = nullptr, *edges_ = nullptr;
  Room<float> sums_;
  Room<std::int64_t> whole_sums_;
};

}  // namespace engine
