// What a text may look like, as a tree from which an automaton is made; the twin of
// sparrowlm/text/patterns/tree.py.
#pragma once

#include "gguf.h"

namespace engine {

// Parts are numbers of nodes; a node may be a part of several others. Whoever builds a tree asks
// has_room() at the end: without memory the nodes are wrong, but none points outside.
class PatternTree {
 public:
  using Part = std::uint32_t;
  static constexpr std::uint32_t kAnyNumber = 0xFFFFFFFFu, kLastCharacter = 0x10FFFF;
  // All bounds of what a pattern from outside may take.
  static constexpr std::size_t kMostNodes = 1u << 20, kMostRanges = 400'000;

  enum class Kind : std::uint8_t { kCharacters, kLetters, kSequence, kChoice, kRepeat };
  struct Range {
    std::uint32_t first, last;
  };
  // Of characters the ranges, of letters the bytes, of others the parts that begin at `begin`.
  struct Node {
    Kind kind;
    std::uint32_t begin, count;
    std::uint32_t least, most;  // of a repeat; kAnyNumber for any number
  };

  void clear();
  bool has_room() const { return has_room_; }

  // One text as it is, whose bytes are copied.
  Part literal(Text text);
  // One character out of ranges in any order, which are changed; half characters are left out.
  Part characters(Growing<Range>& ranges, bool is_negated = false);
  Part repeat(Part part, std::uint32_t least, std::uint32_t most);
  // Parts that come one by one: whatever was added since mark() becomes one node.
  std::size_t mark() const { return open_.size(); }
  void add(Part part) { keep(open_.push(part)); }
  Part sequence(std::size_t mark) { return close(Kind::kSequence, mark); }
  Part choice(std::size_t mark) { return close(Kind::kChoice, mark); }

  const Node& node(Part part) const { return nodes_[part]; }
  const Range* ranges(const Node& node) const { return ranges_.data() + node.begin; }
  const Part* parts(const Node& node) const { return parts_.data() + node.begin; }
  Text letters(const Node& node) const { return {letters_.data() + node.begin, node.count}; }

 private:
  Part put(const Node& node);
  Part close(Kind kind, std::size_t mark);
  void keep(bool is_done) { has_room_ = has_room_ && is_done; }
  void put_range(std::size_t begin, Range range);

  Growing<Node> nodes_;
  Growing<Range> ranges_;
  Growing<Part> parts_, open_;
  Growing<char> letters_;
  bool has_room_ = true;
};

}  // namespace engine
