#include "guide.h"

#include "pattern.h"

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

bool Guide::choose(const Text* choices, std::size_t count, Complaint& complaint) {
  PatternTree tree;
  const std::size_t mark = tree.mark();
  for (std::size_t i = 0; i < count; ++i) tree.add(tree.literal(choices[i]));
  return make(tree, tree.choice(mark), complaint);
}

bool Guide::match(Text pattern, Complaint& complaint) {
  PatternTree tree;
  PatternTree::Part whole = 0;
  is_active_ = false;
  return parse_pattern(pattern, tree, whole, complaint) && make(tree, whole, complaint);
}

bool Guide::follow_schema(Text schema, Complaint& complaint) {
  PatternTree tree;
  PatternTree::Part whole = 0;
  is_active_ = false;
  return parse_schema(schema, tree, whole, complaint) && make(tree, whole, complaint);
}

bool Guide::make(PatternTree& tree, PatternTree::Part whole, Complaint& complaint) {
  is_active_ = automaton_.make(tree, whole, complaint);
  // Masks are of states, and those are others now.
  mask_of_.clear();
  num_masks_ = 0;
  if (is_active_ && order_.size() == 0 && !sort_tokens()) {
    is_active_ = false;
    return complaint.say("there is not enough memory");
  }
  return is_active_;
}

// Merges runs of twice the length, again and again.
bool Guide::sort_tokens() {
  const std::size_t count = tokenizer_.size();
  const std::size_t fitting = kMostBytes / count;
  Room<std::int32_t> other;
  std::size_t longest = 0;
  if (!order_.make(count) || !other.make(count) || !shared_.make(count) ||
      !masks_.make((fitting > 2 ? fitting : 2) * count)) {
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) order_[i] = static_cast<std::int32_t>(i);
  for (std::size_t run = 1; run < count; run *= 2) {
    for (std::size_t begin = 0; begin < count; begin += 2 * run) {
      const std::size_t middle = begin + run < count ? begin + run : count;
      const std::size_t end = middle + run < count ? middle + run : count;
      std::size_t left = begin, right = middle;
      for (std::size_t to = begin; to < end; ++to) {
        const bool takes_left =
            left < middle && (right == end || !is_before(tokenizer_.piece(order_[right]),
                                                         tokenizer_.piece(order_[left])));
        other[to] = order_[takes_left ? left++ : right++];
      }
    }
    Room<std::int32_t> sorted = static_cast<Room<std::int32_t>&&>(other);
    other = static_cast<Room<std::int32_t>&&>(order_);
    order_ = static_cast<Room<std::int32_t>&&>(sorted);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Text piece = tokenizer_.piece(order_[i]);
    if (piece.size > longest) longest = piece.size;
    if (i == 0) continue;
    shared_[i] = static_cast<std::uint32_t>(num_shared(piece, tokenizer_.piece(order_[i - 1])));
  }
  return path_.make(longest + 1);
}

bool Guide::begin() {
  has_given_up_ = false;
  state_ = automaton_.start();
  if (state_ >= 0) return true;
  // The states of the texts before fill the room.
  state_ = 0;
  if (!forget()) return false;
  state_ = automaton_.start();
  return state_ >= 0;
}

// Gives room for other states and masks; those that are needed again are made again.
bool Guide::forget() {
  state_ = automaton_.keep_only(state_);
  mask_of_.clear();
  num_masks_ = 0;
  return state_ >= 0;
}

bool Guide::read(Text bytes, std::int32_t& after) {
  after = automaton_.read(state_, bytes);
  if (after != Automaton::kFull) return true;
  if (!forget()) return false;
  after = automaton_.read(state_, bytes);
  return after != Automaton::kFull;
}

bool Guide::first(Text begun, std::uint8_t* allowed) {
  has_given_up_ = !sort_out(begun, allowed);
  return !has_given_up_;
}

bool Guide::sort_out(Text begun, std::uint8_t* allowed) {
  const std::uint64_t most = automaton_.work() + kMostWork;
  for (std::size_t id = 0; id < tokenizer_.size(); ++id) {
    const Text piece = tokenizer_.piece(static_cast<std::int32_t>(id));
    // A token that only repeats the prompt says nothing yet, but may be all there is.
    if (!allowed[id] || piece.size <= begun.size) continue;
    std::int32_t after;
    const Text behind{piece.data + begun.size, piece.size - begun.size};
    if (!read(behind, after) || automaton_.work() > most) return false;
    allowed[id] = after != Automaton::kDead;
  }
  allowed[0] = 0;
  return true;
}

// Walks the tree of tokens along with the automaton. False: no room for the states on the way.
bool Guide::mark(std::uint8_t* mask) {
  const std::uint64_t most = automaton_.work() + kMostWork;
  std::size_t depth = 0;  // bytes of the token before that were read
  path_[0] = state_;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const Text piece = tokenizer_.piece(order_[i]);
    auto& is_allowed = mask[order_[i]];
    is_allowed = 0;
    if (shared_[i] > depth) continue;  // dead where the one before is
    depth = shared_[i];
    while (depth < piece.size) {
      const std::int32_t next =
          automaton_.step(path_[depth], static_cast<unsigned char>(piece.data[depth]));
      if (next == Automaton::kFull || automaton_.work() > most) return false;
      if (next == Automaton::kDead) break;
      path_[++depth] = next;
    }
    is_allowed = piece.size > 0 && depth == piece.size;
  }
  mask[0] = automaton_.is_end(state_);
  return true;
}

const std::uint8_t* Guide::allowed() {
  const std::uint8_t* mask = mask_now();
  has_given_up_ = mask == nullptr;
  return mask;
}

const std::uint8_t* Guide::mask_now() {
  const std::size_t count = tokenizer_.size();
  const auto state = static_cast<std::size_t>(state_);
  if (state < mask_of_.size() && mask_of_[state] >= 0) {
    return masks_.data() + static_cast<std::size_t>(mask_of_[state]) * count;
  }
  if ((num_masks_ + 1) * count > masks_.size()) mask_of_.clear(), num_masks_ = 0;
  std::uint8_t* mask = masks_.data() + num_masks_ * count;
  if (!mark(mask)) {
    if (!forget()) return nullptr;
    mask = masks_.data();
    if (!mark(mask)) return nullptr;
  }
  while (mask_of_.size() <= static_cast<std::size_t>(state_)) {
    if (!mask_of_.push(-1)) return nullptr;
  }
  mask_of_[static_cast<std::size_t>(state_)] = static_cast<std::int32_t>(num_masks_++);
  return mask;
}

bool Guide::follow(Text bytes) {
  std::int32_t after;
  has_given_up_ = !read(bytes, after) || after < 0;
  if (!has_given_up_) state_ = after;
  return !has_given_up_;
}

}  // namespace engine
