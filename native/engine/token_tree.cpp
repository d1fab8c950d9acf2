#include "token_tree.h"

namespace engine {
namespace {

std::size_t num_shared(Text a, Text b) {
  std::size_t count = 0;
  while (count < a.size && count < b.size && a.data[count] == b.data[count]) ++count;
  return count;
}

bool is_before(Text a, Text b) {
  const std::size_t shared = num_shared(a, b);
  if (shared == a.size || shared == b.size) return a.size < b.size;
  return static_cast<unsigned char>(a.data[shared]) < static_cast<unsigned char>(b.data[shared]);
}

}  // namespace

bool TokenTree::make(const Text* pieces, std::size_t count) {
  pieces_ = pieces;
  if (!order_.make(count) || !shared_.make(count + 1) || !fewer_.make(count)) return false;
  for (std::size_t i = 0; i < count; ++i) order_[i] = static_cast<std::int32_t>(i);
  std::size_t longest = 0;
  sort();
  for (std::size_t i = 0; i < count; ++i) {
    const Text piece = pieces[order_[i]];
    if (piece.size > longest) longest = piece.size;
    if (i == 0) continue;
    shared_[i] = static_cast<std::uint32_t>(num_shared(piece, pieces[order_[i - 1]]));
  }
  // From behind: whoever is passed over shares at least as much with the one before it.
  for (std::size_t i = count; i > 0;) {
    std::size_t next = i--;
    while (next < count && shared_[next] >= shared_[i]) next = fewer_[next];
    fewer_[i] = static_cast<std::uint32_t>(next);
  }
  return path_.make(longest + 1);
}

// Source: Shell 1959, "A high-speed sorting procedure"; distances after Knuth.
void TokenTree::sort() {
  const std::size_t count = order_.size();
  std::size_t distance = 1;
  while (distance < count / 3) distance = 3 * distance + 1;
  for (; distance > 0; distance /= 3) {
    for (std::size_t i = distance; i < count; ++i) {
      const std::int32_t moved = order_[i];
      std::size_t to = i;
      for (; to >= distance && is_before(pieces_[moved], pieces_[order_[to - distance]]);
           to -= distance) {
        order_[to] = order_[to - distance];
      }
      order_[to] = moved;
    }
  }
}

bool TokenTree::mark(Automaton& automaton, std::int32_t state, std::uint32_t most_left,
                     std::uint8_t* mask) {
  const std::uint64_t most = automaton.work() + kMostWork;
  __builtin_memset(mask, 0, size());
  path_[0] = state;
  for (std::size_t i = 0; i < size();) {
    const Text piece = pieces_[order_[i]];
    std::size_t depth = shared_[i];  // bytes that were read, of this one or of the one before
    while (depth < piece.size) {
      const std::int32_t next =
          automaton.step(path_[depth], static_cast<unsigned char>(piece.data[depth]));
      if (next == Automaton::kFull || automaton.work() > most) return false;
      if (next == Automaton::kDead) break;
      path_[++depth] = next;
    }
    mask[order_[i]] = piece.size > 0 && depth == piece.size && automaton.left(path_[depth]) <= most_left;
    // Whoever shares more than was read is dead where this one is.
    for (++i; i < size() && shared_[i] > depth;) i = fewer_[i];
  }
  mask[0] = automaton.is_end(state);
  return true;
}

}  // namespace engine
