// All tokens by their bytes, and which of them an automaton can read from a state.
#pragma once

#include "automaton.h"

namespace engine {

class TokenTree {
 public:
  // pieces: the bytes of every token, none for the separator, which is the first; they stay where
  // they are. False: no memory.
  bool make(const Text* pieces, std::size_t count);
  bool is_made() const { return order_.size() > 0; }
  std::size_t size() const { return order_.size(); }

  // One byte an id, 1 where the automaton reads the token's bytes and may then end within
  // most_left bytes more; the separator where it may end now. False: no room for the states on the
  // way, or more work than is done for one mask.
  bool mark(Automaton& automaton, std::int32_t state, std::uint32_t most_left, std::uint8_t* mask);

  static constexpr std::uint64_t kMostWork = std::uint64_t{20} << 20;  // for one mask

 private:
  void sort();

  const Text* pieces_ = nullptr;
  Room<std::int32_t> order_;    // ids by their bytes, which are a tree so
  Room<std::uint32_t> shared_;  // how many bytes each shares with the one before
  Room<std::uint32_t> fewer_;   // the next one that shares fewer
  Room<std::int32_t> path_;     // states behind the bytes of the token that is read
};

}  // namespace engine
