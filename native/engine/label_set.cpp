#include "label_set.h"

namespace engine {
namespace {

constexpr std::size_t kMostTypes = 1024;

bool goes_on(char prefix) { return prefix == 'I' || prefix == 'M' || prefix == 'E'; }

}  // namespace

bool LabelSet::open(Text scheme, std::size_t num_types) {
  has_outside_ = !scheme.is("BMES");
  prefixes_ = scheme.is("BIOES") ? "BIES" : scheme.is("BIO") ? "BI" : scheme.is("BMES") ? "BMES" : "";
  num_prefixes_ = __builtin_strlen(prefixes_);
  num_types_ = num_types;
  return num_prefixes_ > 0 && num_types > 0 && num_types <= kMostTypes;
}

char LabelSet::prefix(std::size_t label) const {
  if (has_outside_ && label == 0) return 'O';
  return prefixes_[(label - has_outside_) % num_prefixes_];
}

std::size_t LabelSet::type(std::size_t label) const {
  return has_outside_ && label == 0 ? kNoType : (label - has_outside_) / num_prefixes_;
}

std::size_t LabelSet::label(std::size_t type, bool is_first, bool is_last) const {
  const std::size_t place = is_bio() ? !is_first : is_first && is_last ? 3 : is_first ? 0 : 1 + is_last;
  return has_outside_ + type * num_prefixes_ + place;
}

bool LabelSet::may_follow(std::size_t before, std::size_t after) const {
  const char a = prefix(before), b = prefix(after);
  const bool is_open = a == 'B' || a == 'I' || a == 'M', is_same = type(before) == type(after);
  if (is_bio()) return !goes_on(b) || (is_open && is_same);
  return is_open ? goes_on(b) && is_same : !goes_on(b);
}

bool LabelSet::may_begin(std::size_t label) const {
  const char one = prefix(label);
  return one == 'O' || one == 'B' || one == 'S';
}

bool LabelSet::may_end(std::size_t label) const {
  const char one = prefix(label);
  return is_bio() || one == 'O' || one == 'E' || one == 'S';
}

}  // namespace engine
