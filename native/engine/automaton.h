// Automata that read a text byte by byte, made deterministic as far as they are used; the twin of
// sparrowlm/text/patterns/automaton.py.
//
// Source: Thompson 1968, "Regular expression search algorithm"; Rabin and Scott 1959 (subsets);
// Cox 2010, "Regular expression matching in the wild" (UTF-8 ranges, a bounded cache of subsets).
#pragma once

#include "complaint.h"
#include "pattern_tree.h"

namespace engine {

class Automaton {
 public:
  // No text goes on so; there is no room for one more state, see keep_only().
  static constexpr std::int32_t kDead = -1, kFull = -2;
  static constexpr std::uint32_t kNever = 0xFFFFFFFFu;

  bool make(const PatternTree& tree, PatternTree::Part whole, Complaint& complaint);
  // The state where every text begins; kFull: no room.
  std::int32_t start();
  // The state after one more byte, kDead or kFull.
  std::int32_t step(std::int32_t state, unsigned char byte);
  std::int32_t read(std::int32_t state, Text bytes);
  // Whether a text may end here, and whether it may go on.
  bool is_end(std::int32_t state) const { return states_[at(state)].is_end; }
  bool can_go_on(std::int32_t state) const { return states_[at(state)].can_go_on; }
  // Bytes of the shortest way from here to an end, kNever where there is none; the longest of all
  // shortest ways.
  std::uint32_t left(std::int32_t state) const { return states_[at(state)].left; }
  std::uint32_t longest_left() const { return longest_left_; }
  // Forgets all states but one, whose new number it returns; kFull: no memory.
  std::int32_t keep_only(std::int32_t state);
  std::size_t num_states() const { return states_.size(); }
  // Edges looked at since the beginning: a measure of time.
  std::uint64_t work() const { return work_; }

 private:
  using Number = std::uint32_t;
  // As in Python, before subsets are made.
  static constexpr std::size_t kMostNodes = 200'000, kMostEdges = 1'000'000;
  static constexpr std::size_t kMostBytes = std::size_t{32} << 20;  // of subsets and their steps
  static constexpr std::int32_t kUnknown = -3;

  struct Edge {
    Number from, to;
    std::uint8_t first, last;
    bool is_free;  // reads nothing
  };
  struct State {
    std::uint64_t hash;
    Number begin, count;  // of its nodes
    std::uint32_t left;
    bool is_end, can_go_on;
  };
  struct Task {
    PatternTree::Part part;
    Number begin, end;
  };

  static std::size_t at(std::int32_t state) { return static_cast<std::size_t>(state); }
  Number node();
  void edge(Number from, Number to, std::uint8_t first, std::uint8_t last, bool is_free = false);
  bool connect(const PatternTree& tree, PatternTree::Part whole);
  void expand(const PatternTree& tree, const Task& task);
  void expand_repeat(const PatternTree::Node& node, PatternTree::Part part, const Task& task);
  void later(PatternTree::Part part, Number begin, Number end);
  void characters(std::uint32_t first, std::uint32_t last, Number begin, Number end);
  void same_length(std::uint32_t first, std::uint32_t last, int length, Number begin, Number end);
  void letters(Text bytes, Number begin, Number end);
  bool sort_edges();
  bool find_ways();
  void find_classes();
  void reach(Number node);
  std::int32_t number();
  bool grow_slots();
  void forget();

  std::size_t num_nodes_ = 0;
  Number end_ = 0;
  Growing<Edge> edges_;
  Growing<Task> tasks_;
  bool has_room_ = true;
  Room<Number> starts_, free_starts_;  // of a node's edges among all that read and all that do not
  Room<Edge> reading_;
  Room<Number> free_;
  Room<std::uint32_t> left_;  // of nodes
  std::uint32_t longest_left_ = 0;
  std::uint8_t class_of_[256];  // bytes that no edge tells apart
  std::size_t num_classes_ = 0;

  Growing<State> states_;
  Growing<Number> members_;
  Growing<std::int32_t> steps_;  // [states][classes]
  Room<std::int32_t> slots_;     // of the hashes; 0 is free, else a state + 1
  Room<Number> stamps_;
  Number stamp_ = 0;
  Growing<Number> found_, waiting_;  // the subset that is made
  bool found_end_ = false, found_edges_ = false;
  std::uint64_t work_ = 0;
};

}  // namespace engine
