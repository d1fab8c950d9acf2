#include "user_entries.h"

#include "searching.h"

namespace engine {

using ngram_keys::mixed;

bool UserEntries::open(const Room<Text>& words, const Room<Text>& labels, const Room<Text>& types) {
  if (words.size() != labels.size()) return false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t begin = spelled_.size();
    if (!decode(words[i], spelled_)) return false;
    const std::size_t size = spelled_.size() - begin;
    std::size_t type = LabelSet::kNoType;
    for (std::size_t t = 0; t < types.size(); ++t) {
      const bool is_same = types[t].size == labels[i].size &&
                           __builtin_memcmp(types[t].data, labels[i].data, types[t].size) == 0;
      if (is_same) type = t;
    }
    const std::uint32_t* codes = spelled_.data() + begin;
    if (!runs_.make(size, [&](std::size_t place) { return mixed(codes[place]); })) return false;
    if (size > 0 && !entries_.push({runs_.of(0, size), begin, size, labels[i], type})) return false;
    if (size > longest_) longest_ = size;
  }
  sort();
  return true;
}

// A heap; equal hashes need no order.
void UserEntries::sort() {
  Entry* entries = entries_.data();
  const auto sink = [&](std::size_t place, std::size_t count) {
    for (std::size_t child = 2 * place + 1; child < count; child = 2 * place + 1) {
      if (child + 1 < count && entries[child + 1].hash > entries[child].hash) ++child;
      if (entries[place].hash >= entries[child].hash) return;
      const Entry kept = entries[place];
      entries[place] = entries[child];
      entries[child] = kept;
      place = child;
    }
  };
  for (std::size_t place = entries_.size() / 2; place-- > 0;) sink(place, entries_.size());
  for (std::size_t count = entries_.size(); count > 1; --count) {
    const Entry kept = entries[0];
    entries[0] = entries[count - 1];
    entries[count - 1] = kept;
    sink(0, count - 1);
  }
}

const UserEntries::Entry* UserEntries::entry_of(std::uint64_t hash, const std::uint32_t* codes,
                                                std::size_t size) const {
  std::size_t low = first_place(0, entries_.size(),
                                [&](std::size_t place) { return entries_[place].hash >= hash; });
  for (; low < entries_.size() && entries_[low].hash == hash; ++low) {
    const Entry& entry = entries_[low];
    const std::uint32_t* own = spelled_.data() + entry.begin;
    if (entry.size == size && __builtin_memcmp(own, codes, size * sizeof *own) == 0) return &entry;
  }
  return nullptr;
}

bool UserEntries::find(const Units& units, Growing<Found>& found) {
  const Codes& codes = units.codes();
  found.clear();
  if (is_empty()) return true;
  if (!runs_.make(codes.size(), [&](std::size_t place) { return mixed(codes[place]); })) return false;
  for (std::size_t first = 0; first < units.size();) {
    const std::size_t begin = units[first].begin;
    const Entry* longest = nullptr;
    std::size_t stop = first + 1;
    for (std::size_t last = first; last < units.size(); ++last) {
      const std::size_t size = units[last].end - begin;
      if (size > longest_) break;
      const Entry* entry = entry_of(runs_.of(begin, begin + size), codes.data() + begin, size);
      if (entry == nullptr) continue;
      longest = entry;
      stop = last + 1;
    }
    if (longest != nullptr && !found.push({first, stop, longest->label, longest->type})) return false;
    first = stop;
  }
  return true;
}

void UserEntries::forbid(const Units& units, const Growing<Found>& found, const LabelSet& labels,
                         double* penalties) {
  const std::size_t count = labels.size();
  for (std::size_t i = 0; i < units.size() * count; ++i) penalties[i] = 0.0;
  std::size_t chain = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Found& one = found[i];
    const bool is_span = one.type != LabelSet::kNoType || !labels.has_outside();
    const std::size_t type = one.type == LabelSet::kNoType ? 0 : one.type;
    for (std::size_t unit = one.first; unit < one.stop; ++unit) {
      while (units.bound(chain + 1) <= unit) ++chain;
      const bool is_first = unit == one.first || unit == units.bound(chain);
      const bool is_last = unit + 1 == one.stop || unit + 1 == units.bound(chain + 1);
      const std::size_t wanted = is_span ? labels.label(type, is_first, is_last) : 0;
      for (std::size_t y = 0; y < count; ++y) {
        penalties[unit * count + y] = y == wanted ? 0.0 : LabelSet::kForbidden;
      }
    }
    // Nothing may lengthen an entry.
    const bool is_followed = one.stop < units.size() && one.stop != units.bound(chain + 1);
    for (std::size_t y = 0; labels.is_bio() && is_followed && y < count; ++y) {
      if (labels.prefix(y) == 'I') penalties[one.stop * count + y] = LabelSet::kForbidden;
    }
  }
}

}  // namespace engine
