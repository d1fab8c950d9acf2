// Which tokens keep a text within a pattern; the twin of sparrowlm/runtime/guides.py.
#pragma once

#include "token_tree.h"
#include "tokenizer.h"

namespace engine {

class Guide {
 public:
  explicit Guide(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // Each replaces what was there; false: the complaint says why, and any text is allowed.
  bool choose(const Text* choices, std::size_t count, Complaint& complaint);
  bool match(Text pattern, Complaint& complaint);
  bool follow_schema(Text schema, Complaint& complaint);
  void clear() { is_active_ = false; }

  bool is_active() const { return is_active_; }
  // A text begins. False: no memory.
  bool begin();
  // Leaves, of the tokens that repeat the end of a prompt, those that may come, so that the text can
  // still end as its pattern does within so many tokens, this one counted.
  bool first(Text begun, std::size_t num_tokens, std::uint8_t* allowed);
  // One byte an id, 1 where it may follow now; null: the pattern takes more than there is room for.
  // Where the pattern could not end within so many tokens of one byte, those that lead to its end
  // in time are allowed alone.
  const std::uint8_t* allowed(std::size_t num_tokens);
  // Reads the bytes of an allowed token.
  bool follow(Text bytes);
  bool is_over() const { return !automaton_.can_go_on(state_); }
  // Says whether the last text ended for want of room, not because its pattern does.
  bool has_given_up() const { return has_given_up_; }
  static constexpr const char kGivenUp[] =
      "at one place of the text the pattern takes more work than is done for a token; "
      "make it simpler";

 private:
  static constexpr std::size_t kMostBytes = std::size_t{16} << 20;  // of masks

  bool make(PatternTree& tree, PatternTree::Part whole, Complaint& complaint);
  bool sort_tokens();
  bool forget();
  bool sort_out(Text begun, std::uint32_t most_left, std::uint8_t* allowed);
  const std::uint8_t* mask_now(std::uint32_t most_left);
  bool keep_mask();
  std::uint32_t most_left(std::size_t num_tokens) const;
  bool read(Text bytes, std::int32_t& after);

  const Tokenizer& tokenizer_;
  Automaton automaton_;
  bool is_active_ = false, has_given_up_ = false;
  std::int32_t state_ = 0;
  TokenTree tree_;
  Room<std::uint8_t> masks_, mask_that_ends_;
  Growing<std::int32_t> mask_of_;   // of a state, -1 where there is none
  std::size_t num_masks_ = 0;
};

}  // namespace engine
