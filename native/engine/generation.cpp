#include "generation.h"

#include "names.h"

namespace engine {
namespace {

bool begins_with(Text text, Text start) {
  return text.size >= start.size &&
         (start.size == 0 || __builtin_memcmp(text.data, start.data, start.size) == 0);
}

bool append(Growing<char>& to, const char* from, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!to.push(from[i])) return false;
  }
  return true;
}

// Takes the first count bytes away.
void drop(Growing<char>& text, std::size_t count) {
  if (count == 0) return;
  __builtin_memmove(text.data(), text.data() + count, text.size() - count);
  text.cut(text.size() - count);
}

// The bytes at the end that are no whole character yet.
std::size_t num_open(const Growing<char>& bytes) {
  const std::size_t size = bytes.size();
  for (std::size_t back = 1; back <= 3 && back <= size; ++back) {
    const auto byte = static_cast<unsigned char>(bytes[size - back]);
    if (byte < 0x80) return 0;
    if (byte >= 0xC0) {
      const std::size_t whole = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
      return back < whole ? back : 0;
    }
  }
  return 0;
}

}  // namespace

// ---- stop strings ----

bool StopWatch::add(Text stop) {
  if (stop.size == 0) return true;
  return append(letters_, stop.data, stop.size) && ends_.push(letters_.size());
}

void StopWatch::clear() {
  ends_.clear();
  letters_.clear();
}

Text StopWatch::stop(std::size_t number) const {
  const std::size_t begin = number == 0 ? 0 : ends_[number - 1];
  return {letters_.data() + begin, ends_[number] - begin};
}

void StopWatch::begin() {
  held_.clear();
  has_stopped_ = false;
}

std::size_t StopWatch::place_of(Text stop) const {
  for (std::size_t place = 0; place + stop.size <= held_.size(); ++place) {
    if (begins_with({held_.data() + place, held_.size() - place}, stop)) return place;
  }
  return held_.size();
}

std::size_t StopWatch::num_undecided() const {
  std::size_t longest = 0;
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    const Text whole = stop(i);
    std::size_t length = whole.size - 1 < held_.size() ? whole.size - 1 : held_.size();
    for (; length > longest; --length) {
      const Text end{held_.data() + held_.size() - length, length};
      if (begins_with(whole, end)) longest = length;
    }
  }
  return longest;
}

bool StopWatch::feed(Text text, Growing<char>& released) {
  if (has_stopped_) return true;
  if (!append(held_, text.data, text.size)) return false;
  std::size_t first = held_.size();
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    const std::size_t place = place_of(stop(i));
    if (place < first) {
      first = place;
      has_stopped_ = true;
    }
  }
  const std::size_t count = has_stopped_ ? first : held_.size() - num_undecided();
  if (!append(released, held_.data(), count)) return false;
  drop(held_, has_stopped_ ? held_.size() : count);
  return true;
}

bool StopWatch::finish(Growing<char>& released) {
  const bool is_done = append(released, held_.data(), held_.size());
  held_.clear();
  return is_done;
}

// ---- writing ----

bool Writer::make() {
  return sampler_.make(decoder_.vocab_size()) && decoder_.start(session_) &&
         logits_.make(decoder_.logits_stride()) && first_.make(decoder_.vocab_size());
}

// The end of a prompt may lie inside a token: where the last one could have been longer, it is
// taken back, and the continuation must begin with its bytes.
bool Writer::take_back() {
  begun_ = {};
  if (ids_.size() < 2) return false;
  const Text last = tokenizer_.piece(ids_[ids_.size() - 1]);
  const std::uint8_t* allowed = characters_.allowed(Opened::kNothing);
  bool has_longer = false;
  for (std::size_t id = 0; id < tokenizer_.size(); ++id) {
    const Text piece = tokenizer_.piece(static_cast<std::int32_t>(id));
    first_[id] = allowed[id] && piece.size > 0 && begins_with(piece, last);
    has_longer = has_longer || (first_[id] && piece.size > last.size);
  }
  if (!has_longer) return false;
  begun_ = last;
  ids_.cut(ids_.size() - 1);
  return true;
}

bool Writer::is_anything_allowed(const std::uint8_t* allowed) const {
  for (std::size_t id = 0; allowed != nullptr && id < tokenizer_.size(); ++id) {
    if (allowed[id]) return true;
  }
  return false;
}

const float* Writer::log_probabilities() {
  if (num_drawn_ == 0 || scores_.size() == 0) return nullptr;
  if (are_logs_) return scores_.data();
  const std::size_t size = decoder_.vocab_size();
  const float whole =
      log_total(kernels_, scores_.data(), size, scores_.data() + decoder_.logits_stride());
  for (std::size_t v = 0; v < size; ++v) scores_[v] -= whole;
  are_logs_ = true;
  return scores_.data();
}

bool Writer::begin(Text prompt, const Wish& wish) {
  wish_ = wish;
  const Name purpose = Name().add("sample ").add(wish.sample);
  chance_ = Chance(derived_seed(wish.seed, purpose.text()));
  watch_.begin();
  open_.clear();
  ids_.clear();
  if (!ids_.push(0) || !tokenizer_.encode(prompt, ids_)) return false;
  num_prompt_ = ids_.size() - 1;
  const bool is_taken_back = take_back();
  num_repeated_ = begun_.size;
  opened_ = Opened::kNothing;
  num_drawn_ = 0;
  is_first_ = is_taken_back;
  is_over_ = wish.most_tokens == 0;
  if (guide_.is_active()) {
    if (!guide_.begin()) return false;
    // A pattern that cannot be followed any further ends the text.
    if (is_taken_back && !guide_.first(begun_, wish.most_tokens, first_.data())) is_over_ = true;
  }
  // What the session has read of these very ids stays; the last one is read in any case.
  ahead_.settle();
  const std::size_t known = decoder_.keep(session_, ids_.data(), ids_.size());
  num_read_ = ids_.size() - known;
  decoder_.read(session_, ids_.data() + known, num_read_, logits_.data());
  if (mixture_ == nullptr) return true;
  if (!mixture_->start(memory_)) return false;
  for (std::size_t i = 0; i < ids_.size(); ++i) mixture_->read(memory_, ids_[i]);
  mixture_->mix(memory_, logits_.data());
  return true;
}

bool Writer::advance(Growing<char>& text) {
  if (is_over_) return false;
  const std::uint8_t* allowed = is_first_ ? first_.data() : characters_.allowed(opened_);
  if (guide_.is_active()) {
    if (!is_first_) allowed = guide_.allowed(wish_.most_tokens - num_drawn_);
    if (!is_anything_allowed(allowed)) {
      is_over_ = true;
      return watch_.finish(text), false;
    }
  }
  if (scores_.size() > 0) {
    __builtin_memcpy(scores_.data(), logits_.data(), decoder_.vocab_size() * sizeof(float));
    are_logs_ = false;
  }
  const double chance = wish_.sampling.temperature == 0.0f ? 0.0 : chance_.next();
  const std::int32_t id = sampler_.draw(logits_.data(), wish_.sampling, allowed, ids_.data() + 1,
                                        ids_.size() - 1, chance);
  is_first_ = false;
  const Text piece = tokenizer_.piece(id);
  const Opened opened = after_bytes(opened_, piece);
  // In a damaged vocabulary nothing may be allowed at all: then what was drawn does not fit.
  if (id == 0 || opened == Opened::kBroken || piece.size < num_repeated_) {
    is_over_ = true;
    return watch_.finish(text), false;
  }
  ++num_drawn_;
  opened_ = opened;
  if (!ids_.push(id) ||
      !append(open_, piece.data + num_repeated_, piece.size - num_repeated_)) {
    return false;
  }
  const Text fresh{piece.data + num_repeated_, piece.size - num_repeated_};
  if (guide_.is_active() && !guide_.follow(fresh)) return false;
  num_repeated_ = 0;
  const std::size_t whole = open_.size() - num_open(open_);
  if (!watch_.feed({open_.data(), whole}, text)) return false;
  drop(open_, whole);
  is_over_ = watch_.has_stopped() || num_drawn_ >= wish_.most_tokens ||
             (guide_.is_active() && guide_.is_over());
  if (is_over_) {
    // A character left open here is dropped: half of it is no text.
    if (!watch_.has_stopped()) watch_.finish(text);
    return true;
  }
  if (mixture_ == nullptr) return ahead_.read(id, logits_.data());
  mixture_->read(memory_, id);
  if (!ahead_.read(id, logits_.data(), &memory_.place)) return false;
  mixture_->mix(memory_, logits_.data());
  return true;
}

}  // namespace engine
