#include "guide.h"

#include "pattern.h"

namespace engine {

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
  if (is_active_ && !tree_.is_made() && !sort_tokens()) {
    is_active_ = false;
    return complaint.say("there is not enough memory");
  }
  return is_active_;
}

bool Guide::sort_tokens() {
  const std::size_t count = tokenizer_.size();
  const std::size_t fitting = kMostBytes / count;
  return masks_.make((fitting > 2 ? fitting : 2) * count) && mask_that_ends_.make(count) &&
         tree_.make(tokenizer_.pieces(), count);
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

// How far from its end the pattern may be after the next token. A token has at least one byte, so
// that as many tokens are enough for as many bytes.
std::uint32_t Guide::most_left(std::size_t num_tokens) const {
  const bool is_near = num_tokens <= automaton_.longest_left();
  const bool is_late = automaton_.left(state_) > num_tokens;  // it is cut off in any case
  return is_near && !is_late ? static_cast<std::uint32_t>(num_tokens - 1) : Automaton::kNever;
}

bool Guide::first(Text begun, std::size_t num_tokens, std::uint8_t* allowed) {
  has_given_up_ = !sort_out(begun, most_left(num_tokens), allowed);
  return !has_given_up_;
}

bool Guide::sort_out(Text begun, std::uint32_t most_left, std::uint8_t* allowed) {
  const std::uint64_t most = automaton_.work() + TokenTree::kMostWork;
  for (std::size_t id = 0; id < tokenizer_.size(); ++id) {
    const Text piece = tokenizer_.piece(static_cast<std::int32_t>(id));
    if (!allowed[id]) continue;
    // A token that only repeats the prompt says nothing yet, but may be all there is.
    std::int32_t after = state_;
    if (piece.size > begun.size) {
      const Text behind{piece.data + begun.size, piece.size - begun.size};
      if (!read(behind, after) || automaton_.work() > most) return false;
    }
    allowed[id] = after != Automaton::kDead && automaton_.left(after) <= most_left;
  }
  allowed[0] = 0;
  return true;
}

const std::uint8_t* Guide::allowed(std::size_t num_tokens) {
  const std::uint8_t* mask = mask_now(most_left(num_tokens));
  has_given_up_ = mask == nullptr;
  return mask;
}

// Those that are of one place in one text alone are not kept.
const std::uint8_t* Guide::mask_now(std::uint32_t most_left) {
  const std::size_t count = tokenizer_.size();
  const bool is_kept = most_left == Automaton::kNever;
  const auto state = static_cast<std::size_t>(state_);
  if (is_kept && state < mask_of_.size() && mask_of_[state] >= 0) {
    return masks_.data() + static_cast<std::size_t>(mask_of_[state]) * count;
  }
  if ((num_masks_ + 1) * count > masks_.size()) mask_of_.clear(), num_masks_ = 0;
  for (bool is_again = false;; is_again = true) {
    std::uint8_t* mask = is_kept ? masks_.data() + num_masks_ * count : mask_that_ends_.data();
    if (tree_.mark(automaton_, state_, most_left, mask)) {
      if (is_kept && !keep_mask()) return nullptr;
      return mask;
    }
    if (is_again || !forget()) return nullptr;
  }
}

bool Guide::keep_mask() {
  while (mask_of_.size() <= static_cast<std::size_t>(state_)) {
    if (!mask_of_.push(-1)) return false;
  }
  mask_of_[static_cast<std::size_t>(state_)] = static_cast<std::int32_t>(num_masks_++);
  return true;
}

bool Guide::follow(Text bytes) {
  std::int32_t after;
  has_given_up_ = !read(bytes, after) || after < 0;
  if (!has_given_up_) state_ = after;
  return !has_given_up_;
}

}  // namespace engine
