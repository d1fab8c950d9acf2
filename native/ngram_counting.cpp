// Counts the n-grams of one order (the twin of counting.py's _blocks).
//
// Events are sorted in two steps: first by their context, whose numbers are dense (counting sort),
// then by their last id inside each context. Memory: 8 bytes per event, 4 per context.
#include "arrays.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace {

using Entry = std::uint64_t;  // last id in the upper half, position in the lower

constexpr std::size_t kSmallContext = 64;
constexpr unsigned kRadixBits = 11;
constexpr std::size_t kRadixSize = std::size_t{1} << kRadixBits;

// Sorts a context's events by last id; those with equal ids stay in the order of the text.
void sort_by_id(Entry* entries, std::size_t size, std::uint32_t largest_id,
                std::vector<Entry>& spare) {
  if (size <= kSmallContext) {
    std::sort(entries, entries + size);
    return;
  }
  if (spare.size() < size) spare.resize(size);
  Entry* from = entries;
  Entry* to = spare.data();
  for (unsigned shift = 0; shift < 32 && (largest_id >> shift) != 0; shift += kRadixBits) {
    std::array<std::size_t, kRadixSize> starts{};
    const unsigned whole_shift = 32 + shift;
    for (std::size_t i = 0; i < size; ++i) {
      ++starts[(from[i] >> whole_shift) & (kRadixSize - 1)];
    }
    std::size_t sum = 0;
    for (auto& start : starts) sum += std::exchange(start, sum);
    for (std::size_t i = 0; i < size; ++i) {
      to[starts[(from[i] >> whole_shift) & (kRadixSize - 1)]++] = from[i];
    }
    std::swap(from, to);
  }
  if (from != entries) std::memcpy(entries, from, size * sizeof(Entry));
}

struct Counted {
  std::vector<std::uint32_t> parents, tokens, counts, suffixes;
};

template <class Id>
Counted count(const Id* ids, const std::uint32_t* nodes, const std::uint8_t* available,
              std::size_t num_ids, unsigned context_length, std::size_t num_parents,
              std::uint32_t* new_nodes) {
  std::vector<std::uint32_t> starts(num_parents + 1, 0);
  std::uint32_t largest_id = 0;
  for (std::size_t t = 1; t < num_ids; ++t) {
    if (available[t - 1] >= context_length) ++starts[nodes[t - 1] + 1];
    largest_id = std::max<std::uint32_t>(largest_id, ids[t]);
  }
  for (std::size_t p = 0; p < num_parents; ++p) starts[p + 1] += starts[p];
  std::vector<Entry> entries(starts[num_parents]);
  for (std::size_t t = 1; t < num_ids; ++t) {
    if (available[t - 1] >= context_length) {
      entries[starts[nodes[t - 1]]++] = (static_cast<Entry>(ids[t]) << 32) | t;
    }
  }
  // Filling moved every start to the next one's place.
  Counted found;
  std::vector<Entry> spare;
  std::size_t first = 0;
  for (std::size_t p = 0; p < num_parents; ++p) {
    const std::size_t end = starts[p];
    sort_by_id(entries.data() + first, end - first, largest_id, spare);
    for (std::size_t i = first; i < end;) {
      const std::uint32_t token = static_cast<std::uint32_t>(entries[i] >> 32);
      const auto node = static_cast<std::uint32_t>(found.tokens.size());
      std::size_t j = i;
      for (; j < end && (entries[j] >> 32) == token; ++j) {
        new_nodes[static_cast<std::uint32_t>(entries[j])] = node;
      }
      found.parents.push_back(static_cast<std::uint32_t>(p));
      found.tokens.push_back(token);
      found.counts.push_back(static_cast<std::uint32_t>(j - i));
      found.suffixes.push_back(nodes[static_cast<std::uint32_t>(entries[i])]);
      i = j;
    }
    first = end;
  }
  return found;
}

template <class Id>
nb::tuple count_level(InputVector<Id> ids, InputVector<std::uint32_t> nodes,
                      InputVector<std::uint8_t> available, unsigned order,
                      std::size_t num_parents, OutputVector<std::uint32_t> new_nodes) {
  Counted found;
  {
    nb::gil_scoped_release unlocked;
    found = count(ids.data(), nodes.data(), available.data(), ids.size(), order - 1, num_parents,
                  new_nodes.data());
  }
  return nb::make_tuple(as_array(std::move(found.parents)), as_array(std::move(found.tokens)),
                        as_array(std::move(found.counts)), as_array(std::move(found.suffixes)));
}

}  // namespace

void define_ngram_counting(nb::module_& module) {
  const char* doc = "Count the n-grams of one order; returns parents, tokens, counts, suffixes.";
  module.def("count_level", &count_level<std::uint8_t>, doc);
  module.def("count_level", &count_level<std::uint16_t>, doc);
  module.def("count_level", &count_level<std::uint32_t>, doc);
}
