// The user's dictionary of a tagger: entries that outrank every model (the twin of
// sparrowlm/tasks/tag/dictionary.py).
#pragma once

#include "label_set.h"
#include "run_hashes.h"
#include "units.h"

namespace engine {

class UserEntries {
 public:
  struct Found {
    std::size_t first, stop;  // units
    Text label;
    std::size_t type;  // LabelSet::kNoType: the model does not know it
  };

  // False: damaged, or no memory.
  bool open(const Room<Text>& words, const Room<Text>& labels, const Room<Text>& types);
  bool is_empty() const { return entries_.size() == 0; }
  // The longest entries from left to right that begin and end where units do. False: no memory.
  bool find(const Units& units, Growing<Found>& found);
  // Writes kForbidden for all labels that the entries leave no room for, else 0: [units][labels].
  static void forbid(const Units& units, const Growing<Found>& found, const LabelSet& labels,
                     double* penalties);

 private:
  struct Entry {
    std::uint64_t hash;
    std::size_t begin, size;  // in spelled_
    Text label;
    std::size_t type;
  };
  const Entry* entry_of(std::uint64_t hash, const std::uint32_t* codes, std::size_t size) const;
  void sort();

  Codes spelled_;
  Growing<Entry> entries_;
  std::size_t longest_ = 0;
  RunHashes runs_;
};

}  // namespace engine
