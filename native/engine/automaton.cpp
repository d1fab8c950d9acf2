#include "automaton.h"

#include "hashing.h"
#include "pattern.h"

namespace engine {
namespace {

constexpr std::size_t kFirstSlots = 1024;
constexpr std::uint32_t kLargest[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};  // of 1 to 4 bytes

// One character as UTF-8 of so many bytes.
void spell(std::uint32_t code, int length, std::uint8_t* bytes) {
  for (int i = length - 1; i > 0; --i, code >>= 6) {
    bytes[i] = static_cast<std::uint8_t>(0x80u | (code & 0x3Fu));
  }
  constexpr std::uint32_t kLeads[] = {0, 0xC0, 0xE0, 0xF0};
  bytes[0] = static_cast<std::uint8_t>(kLeads[length - 1] | code);
}

std::uint64_t mixed(std::uint64_t value) {
  value = (value + 1) * 0x9E3779B97F4A7C15u;
  return (value ^ value >> 29) * 0xBF58476D1CE4E5B9u;
}

}  // namespace

// ---- nodes and edges ----

bool Automaton::make(const PatternTree& tree, PatternTree::Part whole, Complaint& complaint) {
  edges_.clear();
  tasks_.clear();
  num_nodes_ = 0;
  has_room_ = true;
  const bool is_made = tree.has_room() && connect(tree, whole) && find_ways() && sort_edges() &&
                       stamps_.make(num_nodes_) && slots_.make(kFirstSlots);
  if (!is_made) return complaint.say(kTooLarge);
  stamp_ = 0;
  work_ = 0;
  forget();
  find_classes();
  return true;
}

Automaton::Number Automaton::node() {
  has_room_ = has_room_ && num_nodes_ < kMostNodes;
  return static_cast<Number>(has_room_ ? num_nodes_++ : 0);
}

void Automaton::edge(Number from, Number to, std::uint8_t first, std::uint8_t last, bool is_free) {
  has_room_ = has_room_ && edges_.size() < kMostEdges && edges_.push({from, to, first, last, is_free});
}

void Automaton::later(PatternTree::Part part, Number begin, Number end) {
  has_room_ = has_room_ && tasks_.size() < kMostEdges && tasks_.push({part, begin, end});
}

// Without recursion: quantifiers may stand in one another as deep as they like.
bool Automaton::connect(const PatternTree& tree, PatternTree::Part whole) {
  const Number begin = node();
  end_ = node();
  later(whole, begin, end_);
  while (has_room_ && tasks_.size() > 0) {
    const Task task = tasks_[tasks_.size() - 1];
    tasks_.cut(tasks_.size() - 1);
    expand(tree, task);
  }
  return has_room_;
}

void Automaton::expand(const PatternTree& tree, const Task& task) {
  const PatternTree::Node& whole = tree.node(task.part);
  const PatternTree::Part* parts = tree.parts(whole);
  Number begin = task.begin;
  switch (whole.kind) {
    case PatternTree::Kind::kCharacters:
      for (std::uint32_t i = 0; i < whole.count; ++i) {
        const PatternTree::Range range = tree.ranges(whole)[i];
        characters(range.first, range.last, begin, task.end);
      }
      return;
    case PatternTree::Kind::kLetters: return letters(tree.letters(whole), begin, task.end);
    case PatternTree::Kind::kSequence:
      for (std::uint32_t i = 0; i < whole.count && has_room_; ++i) {
        const Number behind = node();
        later(parts[i], begin, behind);
        begin = behind;
      }
      return edge(begin, task.end, 0, 0, true);
    case PatternTree::Kind::kChoice:
      for (std::uint32_t i = 0; i < whole.count && has_room_; ++i) later(parts[i], begin, task.end);
      return;
    case PatternTree::Kind::kRepeat: return expand_repeat(whole, parts[0], task);
  }
}

void Automaton::expand_repeat(const PatternTree::Node& repeat, PatternTree::Part part,
                              const Task& task) {
  Number begin = task.begin;
  const auto once = [&] {
    const Number behind = node();
    later(part, begin, behind);
    begin = behind;
  };
  for (std::uint32_t i = 0; i < repeat.least && has_room_; ++i) once();
  if (repeat.most == PatternTree::kAnyNumber) {
    const Number loop = node(), back = node();
    edge(begin, loop, 0, 0, true);
    later(part, loop, back);
    edge(back, loop, 0, 0, true);
    return edge(loop, task.end, 0, 0, true);
  }
  for (std::uint32_t i = repeat.least; i < repeat.most && has_room_; ++i) {
    edge(begin, task.end, 0, 0, true);
    once();
  }
  edge(begin, task.end, 0, 0, true);
}

void Automaton::letters(Text bytes, Number begin, Number end) {
  for (std::size_t i = 0; i < bytes.size && has_room_; ++i) {
    const Number behind = node();
    const auto byte = static_cast<std::uint8_t>(bytes.data[i]);
    edge(begin, behind, byte, byte);
    begin = behind;
  }
  edge(begin, end, 0, 0, true);
}

void Automaton::characters(std::uint32_t first, std::uint32_t last, Number begin, Number end) {
  for (int length = 1; length <= 4 && first <= last; ++length) {
    const std::uint32_t largest = kLargest[length - 1];
    if (first > largest) continue;
    same_length(first, last < largest ? last : largest, length, begin, end);
    first = largest + 1;
  }
}

// Split until all bytes behind a differing one run over their whole range.
void Automaton::same_length(std::uint32_t first, std::uint32_t last, int length, Number begin,
                            Number end) {
  for (int shift = 6; shift < 6 * length && has_room_; shift += 6) {
    const std::uint32_t mask = (1u << shift) - 1;
    if (first >> shift == last >> shift) continue;
    std::uint32_t middle = 0;  // where the second half begins
    if ((first & mask) != 0) middle = (first | mask) + 1;
    else if ((last & mask) != mask) middle = last & ~mask;
    if (middle == 0) continue;
    same_length(first, middle - 1, length, begin, end);
    return same_length(middle, last, length, begin, end);
  }
  std::uint8_t low[4], high[4];
  spell(first, length, low);
  spell(last, length, high);
  for (int i = 0; i + 1 < length; ++i) {
    const Number behind = node();
    edge(begin, behind, low[i], high[i]);
    begin = behind;
  }
  edge(begin, end, low[length - 1], high[length - 1]);
}

// Walks from the end against all edges, level by level: an edge that reads nothing costs nothing.
bool Automaton::find_ways() {
  Room<Number> starts, order;
  Growing<Number> levels[2];
  if (!left_.make(num_nodes_) || !starts.make(num_nodes_ + 2) || !order.make(edges_.size() + 1)) {
    return false;
  }
  for (std::size_t i = 0; i < edges_.size(); ++i) ++starts[edges_[i].to + 2];
  for (std::size_t n = 2; n < num_nodes_ + 2; ++n) starts[n] += starts[n - 1];
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    order[starts[edges_[i].to + 1]++] = static_cast<Number>(i);
  }
  for (std::size_t n = 0; n < num_nodes_; ++n) left_[n] = kNever;
  longest_left_ = 0;
  bool has_room = levels[0].push(end_);
  for (std::uint32_t length = 0; levels[length % 2].size() > 0; ++length) {
    Growing<Number>& level = levels[length % 2];
    while (level.size() > 0) {
      const Number node = level[level.size() - 1];
      level.cut(level.size() - 1);
      if (left_[node] != kNever) continue;
      left_[node] = longest_left_ = length;
      for (Number i = starts[node]; i < starts[node + 1]; ++i) {
        const Edge& edge = edges_[order[i]];
        if (left_[edge.from] != kNever) continue;
        has_room = levels[(length + !edge.is_free) % 2].push(edge.from) && has_room;
      }
    }
  }
  return has_room;
}

// Puts the edges of every node behind one another.
bool Automaton::sort_edges() {
  std::size_t num_free = 0;
  if (!starts_.make(num_nodes_ + 2) || !free_starts_.make(num_nodes_ + 2)) return false;
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    const Edge& edge = edges_[i];
    ++(edge.is_free ? free_starts_ : starts_)[edge.from + 2];
    num_free += edge.is_free;
  }
  for (std::size_t n = 2; n < num_nodes_ + 2; ++n) {
    starts_[n] += starts_[n - 1];
    free_starts_[n] += free_starts_[n - 1];
  }
  if (!reading_.make(edges_.size() - num_free + 1) || !free_.make(num_free + 1)) return false;
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    const Edge& edge = edges_[i];
    if (edge.is_free) free_[free_starts_[edge.from + 1]++] = edge.to;
    else reading_[starts_[edge.from + 1]++] = edge;
  }
  edges_.clear();
  return true;
}

void Automaton::find_classes() {
  bool begins[257] = {true};
  for (std::size_t i = 0; i < starts_[num_nodes_]; ++i) {
    begins[reading_[i].first] = true;
    begins[reading_[i].last + 1] = true;
  }
  num_classes_ = 0;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    num_classes_ += begins[byte] ? 1 : 0;
    class_of_[byte] = static_cast<std::uint8_t>(num_classes_ - 1);
  }
}

// ---- subsets ----

void Automaton::forget() {
  states_.clear();
  members_.clear();
  steps_.clear();
  for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i] = 0;
}

// Adds a node and whatever is reached from it without a byte. Nodes that read nothing are not kept.
void Automaton::reach(Number node) {
  if (stamps_[node] == stamp_) return;
  stamps_[node] = stamp_;
  has_room_ = has_room_ && waiting_.push(node);
  while (has_room_ && waiting_.size() > 0) {
    const Number one = waiting_[waiting_.size() - 1];
    waiting_.cut(waiting_.size() - 1);
    const bool reads = starts_[one] < starts_[one + 1];
    found_end_ = found_end_ || one == end_;
    found_edges_ = found_edges_ || reads;
    if (reads || one == end_) has_room_ = has_room_ && found_.push(one);
    work_ += 1 + free_starts_[one + 1] - free_starts_[one];
    for (Number i = free_starts_[one]; i < free_starts_[one + 1]; ++i) {
      const Number to = free_[i];
      if (stamps_[to] == stamp_) continue;
      stamps_[to] = stamp_;
      has_room_ = has_room_ && waiting_.push(to);
    }
  }
}

bool Automaton::grow_slots() {
  const std::size_t size = 2 * slots_.size();
  if (!slots_.make(size)) return false;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    std::size_t slot = states_[i].hash & (size - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (size - 1);
    slots_[slot] = static_cast<std::int32_t>(i + 1);
  }
  return true;
}

// The state of the nodes in found_, which bear the stamp.
std::int32_t Automaton::number() {
  if (!has_room_) return kFull;
  std::uint64_t hash = mixed(found_.size());
  for (std::size_t i = 0; i < found_.size(); ++i) hash += mixed(found_[i]);
  std::size_t slot = hash & (slots_.size() - 1);
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    const State& other = states_[static_cast<std::size_t>(slots_[slot] - 1)];
    if (other.hash != hash || other.count != found_.size()) continue;
    Number same = 0;
    while (same < other.count && stamps_[members_[other.begin + same]] == stamp_) ++same;
    if (same == other.count) return slots_[slot] - 1;
  }
  const std::size_t bytes = (members_.size() + found_.size()) * sizeof(Number) +
                            (states_.size() + 1) * (sizeof(State) + num_classes_ * sizeof(Number));
  if (bytes > kMostBytes) return kFull;
  const auto state = static_cast<std::int32_t>(states_.size());
  std::uint32_t left = kNever;
  for (std::size_t i = 0; i < found_.size(); ++i) {
    if (left_[found_[i]] < left) left = left_[found_[i]];
  }
  const State made{hash, static_cast<Number>(members_.size()), static_cast<Number>(found_.size()),
                   left, found_end_, found_edges_};
  bool is_done = states_.push(made);
  for (std::size_t i = 0; i < found_.size(); ++i) is_done = is_done && members_.push(found_[i]);
  for (std::size_t i = 0; i < num_classes_; ++i) is_done = is_done && steps_.push(kUnknown);
  if (!is_done) return kFull;
  slots_[slot] = state + 1;
  if (2 * states_.size() > slots_.size() && !grow_slots()) return kFull;
  return state;
}

std::int32_t Automaton::start() {
  found_.clear(), waiting_.clear();
  found_end_ = found_edges_ = false;
  has_room_ = true;
  ++stamp_;
  reach(0);
  return number();
}

std::int32_t Automaton::step(std::int32_t state, unsigned char byte) {
  const std::size_t place = at(state) * num_classes_ + class_of_[byte];
  if (steps_[place] != kUnknown) return steps_[place];
  found_.clear(), waiting_.clear();
  found_end_ = found_edges_ = false;
  has_room_ = true;
  bool is_alive = false;
  // After so many steps stamps begin anew.
  if (++stamp_ == 0) {
    for (std::size_t i = 0; i < stamps_.size(); ++i) stamps_[i] = 0;
    stamp_ = 1;
  }
  const State from = states_[at(state)];
  for (Number i = 0; i < from.count; ++i) {
    const Number node = members_[from.begin + i];
    work_ += 1 + starts_[node + 1] - starts_[node];
    for (Number e = starts_[node]; e < starts_[node + 1]; ++e) {
      const Edge& edge = reading_[e];
      if (byte < edge.first || byte > edge.last) continue;
      is_alive = true;
      reach(edge.to);
    }
  }
  const std::int32_t next = is_alive ? number() : kDead;
  if (next != kFull) steps_[place] = next;
  return next;
}

std::int32_t Automaton::read(std::int32_t state, Text bytes) {
  for (std::size_t i = 0; i < bytes.size && state >= 0; ++i) {
    state = step(state, static_cast<unsigned char>(bytes.data[i]));
  }
  return state;
}

std::int32_t Automaton::keep_only(std::int32_t state) {
  const State kept = states_[at(state)];
  found_.clear();
  has_room_ = true;
  for (Number i = 0; i < kept.count; ++i) {
    has_room_ = has_room_ && found_.push(members_[kept.begin + i]);
  }
  found_end_ = kept.is_end;
  found_edges_ = kept.can_go_on;
  forget();
  return number();
}

}  // namespace engine
