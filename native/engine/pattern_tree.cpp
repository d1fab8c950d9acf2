#include "pattern_tree.h"

namespace engine {
namespace {

using Range = PatternTree::Range;

constexpr std::uint32_t kFirstHalf = 0xD800, kLastHalf = 0xDFFF;

void sink(Range* ranges, std::size_t place, std::size_t count) {
  for (std::size_t child = 2 * place + 1; child < count; child = 2 * place + 1) {
    if (child + 1 < count && ranges[child + 1].first > ranges[child].first) ++child;
    if (ranges[child].first <= ranges[place].first) return;
    const Range moved = ranges[place];
    ranges[place] = ranges[child];
    ranges[child] = moved;
    place = child;
  }
}

void sort(Range* ranges, std::size_t count) {
  for (std::size_t place = count / 2; place > 0; --place) sink(ranges, place - 1, count);
  for (std::size_t end = count; end > 1; --end) {
    const Range largest = ranges[0];
    ranges[0] = ranges[end - 1];
    ranges[end - 1] = largest;
    sink(ranges, 0, end - 1);
  }
}

}  // namespace

void PatternTree::clear() {
  nodes_.clear(), ranges_.clear(), parts_.clear(), open_.clear(), letters_.clear();
  has_room_ = true;
}

PatternTree::Part PatternTree::put(const Node& node) {
  keep(nodes_.size() < kMostNodes && nodes_.push(node));
  // Where nothing could be put the first node stands for it: has_room() says so.
  return has_room_ ? static_cast<Part>(nodes_.size() - 1) : 0;
}

PatternTree::Part PatternTree::literal(Text text) {
  const std::size_t begin = letters_.size();
  for (std::size_t i = 0; i < text.size; ++i) keep(letters_.push(text.data[i]));
  return put({Kind::kLetters, static_cast<std::uint32_t>(begin),
              static_cast<std::uint32_t>(letters_.size() - begin), 0, 0});
}

// Joins it with the one before where nothing lies between.
void PatternTree::put_range(std::size_t begin, Range range) {
  if (range.first > range.last) return;
  if (ranges_.size() > begin && range.first <= ranges_[ranges_.size() - 1].last + 1) {
    Range& before = ranges_[ranges_.size() - 1];
    if (range.last > before.last) before.last = range.last;
    return;
  }
  keep(ranges_.size() < kMostRanges && ranges_.push(range));
}

PatternTree::Part PatternTree::characters(Growing<Range>& ranges, bool is_negated) {
  const std::size_t begin = ranges_.size();
  const auto put_whole = [&](Range range) {
    put_range(begin, {range.first, range.last < kFirstHalf ? range.last : kFirstHalf - 1});
    put_range(begin, {range.first > kLastHalf ? range.first : kLastHalf + 1, range.last});
  };
  sort(ranges.data(), ranges.size());
  std::uint32_t next = 0;  // the first that no range has had
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (!is_negated) {
      put_whole(ranges[i]);
    } else if (ranges[i].first > next) {
      put_whole({next, ranges[i].first - 1});
    }
    if (ranges[i].last >= next) next = ranges[i].last + 1;
  }
  if (is_negated && next <= kLastCharacter) put_whole({next, kLastCharacter});
  return put({Kind::kCharacters, static_cast<std::uint32_t>(begin),
              static_cast<std::uint32_t>(ranges_.size() - begin), 0, 0});
}

PatternTree::Part PatternTree::repeat(Part part, std::uint32_t least, std::uint32_t most) {
  const auto begin = static_cast<std::uint32_t>(parts_.size());
  keep(parts_.push(part));
  return put({Kind::kRepeat, begin, 1, least, most});
}

PatternTree::Part PatternTree::close(Kind kind, std::size_t mark) {
  const std::size_t count = open_.size() - mark;
  if (count == 1) {
    const Part only = open_[mark];
    open_.cut(mark);
    return only;
  }
  const std::size_t begin = parts_.size();
  for (std::size_t i = 0; i < count; ++i) keep(parts_.push(open_[mark + i]));
  open_.cut(mark);
  return put({kind, static_cast<std::uint32_t>(begin),
              static_cast<std::uint32_t>(parts_.size() - begin), 0, 0});
}

}  // namespace engine
