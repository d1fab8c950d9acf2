// Labels of units and the spans that they write (the twin of sparrowlm/tasks/tag/schemes.py).
#pragma once

#include "gguf.h"

namespace engine {

class LabelSet {
 public:
  static constexpr double kForbidden = -1e12;  // as sparrowlm/models/crf/constraints.py has it
  static constexpr std::size_t kNoType = static_cast<std::size_t>(-1);

  // scheme: BIOES, BIO, or BMES, in which nothing is outside. False: it is none of these, or there
  // are no types, or too many.
  bool open(Text scheme, std::size_t num_types);
  std::size_t size() const { return has_outside_ + num_types_ * num_prefixes_; }
  bool has_outside() const { return has_outside_; }
  bool is_bio() const { return num_prefixes_ == 2; }
  // 'O' where a label is outside.
  char prefix(std::size_t label) const;
  std::size_t type(std::size_t label) const;
  // The label of a unit of a span.
  std::size_t label(std::size_t type, bool is_first, bool is_last) const;

  bool may_follow(std::size_t before, std::size_t after) const;
  bool may_begin(std::size_t label) const;
  bool may_end(std::size_t label) const;

 private:
  const char* prefixes_ = "";
  std::size_t num_prefixes_ = 0, num_types_ = 0;
  bool has_outside_ = false;
};

}  // namespace engine
