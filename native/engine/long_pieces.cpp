// Merging the byte pairs of long pieces: a million letters without a space take a second, not days.
#include "tokenizer.h"

namespace engine {
namespace {

constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

// A pair that could be merged when it was found; stale where its ids have changed since.
struct Candidate {
  std::int32_t rank, result;
  std::size_t place;  // of the left one
  std::int32_t left, right;
};

bool is_before(const Candidate& a, const Candidate& b) {
  return a.rank != b.rank ? a.rank < b.rank : a.place < b.place;
}

class Heap {
 public:
  bool push(const Candidate& one) {
    if (!values_.push(one)) return false;
    for (std::size_t place = values_.size() - 1; place > 0;) {
      const std::size_t above = (place - 1) / 2;
      if (!is_before(values_[place], values_[above])) break;
      swap(place, above);
      place = above;
    }
    return true;
  }

  bool pop(Candidate& best) {
    if (values_.size() == 0) return false;
    best = values_[0];
    values_[0] = values_[values_.size() - 1];
    values_.cut(values_.size() - 1);
    for (std::size_t place = 0;;) {
      std::size_t first = place;
      for (std::size_t child = 2 * place + 1; child <= 2 * place + 2; ++child) {
        if (child < values_.size() && is_before(values_[child], values_[first])) first = child;
      }
      if (first == place) return true;
      swap(place, first);
      place = first;
    }
  }

 private:
  void swap(std::size_t a, std::size_t b) {
    const Candidate moved = values_[a];
    values_[a] = values_[b];
    values_[b] = moved;
  }

  Growing<Candidate> values_;
};

}  // namespace

// The same order as encode_piece: the lowest rank first, of equals the leftmost.
bool Tokenizer::merge_long(Ids& ids, std::size_t begin) const {
  const std::size_t count = ids.size() - begin;
  std::int32_t* values = ids.data() + begin;
  Room<std::size_t> before, after;
  Heap heap;
  if (!before.make(count) || !after.make(count)) return false;
  const auto offer = [&](std::size_t place) {
    if (place == kNowhere || after[place] == kNowhere) return true;
    const std::int32_t left = values[place], right = values[after[place]];
    const Merge* merge = merge_of(left, right);
    return merge == nullptr || heap.push({merge->rank, merge->result, place, left, right});
  };
  for (std::size_t i = 0; i < count; ++i) {
    before[i] = i == 0 ? kNowhere : i - 1;
    after[i] = i + 1 == count ? kNowhere : i + 1;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!offer(i)) return false;
  }
  Candidate best;
  while (heap.pop(best)) {
    const std::size_t place = best.place, next = values[place] < 0 ? kNowhere : after[place];
    if (next == kNowhere || values[place] != best.left || values[next] != best.right) continue;
    values[place] = best.result;
    values[next] = -1;  // gone
    after[place] = after[next];
    if (after[place] != kNowhere) before[after[place]] = place;
    if (!offer(before[place]) || !offer(place)) return false;
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (values[i] >= 0) values[kept++] = values[i];
  }
  ids.cut(begin + kept);
  return true;
}

}  // namespace engine
