// Which tokens an automaton can read from a state, fast where it takes letters alike.
//
// Within a string of JSON, and wherever else any text may stand, one letter leads where every other
// leads. Most tokens consist of nothing but such characters: how many they are is all that counts.
#pragma once

#include "engine/token_tree.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

// The states after any one simple character, found out once for each state of an automaton.
class SimpleSteps {
 public:
  static constexpr std::int32_t kDiffers = -4;  // not the same for all of them

  // Letters, digits and the space of ASCII, and U+3000 to U+9FFF. kFull: no room for the states.
  std::int32_t after(engine::Automaton& automaton, std::int32_t state) {
    const auto place = static_cast<std::size_t>(state);
    if (place >= known_.size()) known_.resize(automaton.num_states(), kUnknown);
    if (known_[place] != kUnknown) return known_[place];
    const std::int32_t found = found_out(automaton, state);
    if (found != engine::Automaton::kFull) known_[place] = found;
    return found;
  }

 private:
  static constexpr std::int32_t kUnknown = -3;

  // Where all bytes from first to last lead, whatever comes before the answer is kUnknown.
  static std::int32_t common(engine::Automaton& automaton, std::int32_t state, unsigned first,
                             unsigned last, std::int32_t before = kUnknown) {
    if (state < 0) return state;
    for (unsigned byte = first; byte <= last; ++byte) {
      const std::int32_t next = automaton.step(state, static_cast<unsigned char>(byte));
      if (next == engine::Automaton::kFull) return next;
      if (before != kUnknown && next != before) return kDiffers;
      before = next;
    }
    return before;
  }

  static std::int32_t found_out(engine::Automaton& automaton, std::int32_t state) {
    std::int32_t letter = common(automaton, state, ' ', ' ');
    for (const char* range = "09AZaz"; *range != '\0' && letter > kUnknown; range += 2) {
      letter = common(automaton, state, static_cast<unsigned char>(range[0]),
                      static_cast<unsigned char>(range[1]), letter);
    }
    if (letter == kDiffers || letter == engine::Automaton::kFull) return letter;
    const std::int32_t lead = common(automaton, state, 0xE3, 0xE9);
    const std::int32_t middle = common(automaton, lead, 0x80, 0xBF);
    const std::int32_t wide = common(automaton, middle, 0x80, 0xBF);
    return wide == letter || wide == engine::Automaton::kFull ? wide : kDiffers;
  }

  std::vector<std::int32_t> known_;
};

class TokenMarks {
 public:
  // pieces: as of a TokenTree.
  explicit TokenMarks(const std::vector<engine::Text>& pieces) : num_simple_(pieces.size()) {
    if (!whole_.make(pieces.data(), pieces.size())) throw std::bad_alloc();
    for (std::size_t id = 0; id < pieces.size(); ++id) {
      const std::size_t count = id == 0 ? 0 : num_characters(pieces[id]);
      num_simple_[id] = static_cast<std::uint16_t>(std::min(count, kMostCharacters));
      longest_ = std::max<std::size_t>(longest_, num_simple_[id]);
      if (count > 0 && count <= kMostCharacters) continue;
      num_simple_[id] = 0;
      others_.push_back(static_cast<std::int32_t>(id));
      other_pieces_.push_back(pieces[id]);
    }
    if (!rest_.make(other_pieces_.data(), other_pieces_.size())) throw std::bad_alloc();
    marks_.resize(others_.size());
  }

  std::size_t size() const { return num_simple_.size(); }

  // See TokenTree::mark.
  bool mark(engine::Automaton& automaton, SimpleSteps& steps, std::int32_t state,
            std::uint32_t most_left, std::uint8_t* mask) {
    std::uint8_t is_near[kMostCharacters + 1] = {};
    std::int32_t at = state;
    // Tokens of up to so many characters are allowed, and no longer ones: nearly always.
    std::size_t num_near = 0, num_in_row = 0;
    for (std::size_t count = 1; count <= longest_; ++count) {
      const std::int32_t next = steps.after(automaton, at);
      if (next == engine::Automaton::kFull) return false;
      if (next == SimpleSteps::kDiffers) return whole_.mark(automaton, state, most_left, mask);
      if (next == engine::Automaton::kDead) break;
      is_near[count] = automaton.left(next) <= most_left;
      num_near += is_near[count];
      num_in_row += is_near[count] && num_in_row + 1 == count;
      at = next;
    }
    if (!rest_.mark(automaton, state, most_left, marks_.data())) return false;
    if (num_near == num_in_row) {
      std::memcpy(mask, up_to(num_near).data(), size());
    } else {
      for (std::size_t id = 0; id < size(); ++id) mask[id] = is_near[num_simple_[id]];
    }
    for (std::size_t i = 0; i < others_.size(); ++i) mask[others_[i]] = marks_[i];
    return true;
  }

 private:
  static constexpr std::size_t kMostCharacters = 64;

  // 0: something else stands in it too.
  static std::size_t num_characters(engine::Text piece) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < piece.size; ++count) {
      const auto byte = static_cast<unsigned char>(piece.data[i]);
      const bool is_plain = byte == ' ' || (byte >= '0' && byte <= '9') ||
                            (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
      const bool is_wide = byte >= 0xE3 && byte <= 0xE9 && i + 2 < piece.size &&
                           goes_on(piece.data[i + 1]) && goes_on(piece.data[i + 2]);
      if (!is_plain && !is_wide) return 0;
      i += is_plain ? 1 : 3;
    }
    return count;
  }

  // Simple tokens of up to so many characters; made when they are asked for.
  const std::vector<std::uint8_t>& up_to(std::size_t count) {
    std::vector<std::uint8_t>& found = up_to_[count];
    if (found.empty()) {
      found.resize(size());
      for (std::size_t id = 0; id < size(); ++id) {
        found[id] = num_simple_[id] > 0 && num_simple_[id] <= count;
      }
    }
    return found;
  }

  static bool goes_on(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

  engine::TokenTree whole_, rest_;
  std::vector<std::uint16_t> num_simple_;  // characters of each token; 0: not only simple ones
  std::size_t longest_ = 0;
  std::vector<std::int32_t> others_;  // ids of those that are not simple, the separator first
  std::vector<engine::Text> other_pieces_;
  std::vector<std::uint8_t> marks_;
  std::vector<std::uint8_t> up_to_[kMostCharacters + 1];
};
