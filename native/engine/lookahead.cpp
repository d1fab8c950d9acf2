#include "lookahead.h"

#include "clock.h"

namespace engine {
namespace {

constexpr double kMemory = 0.9;          // of what was measured before
constexpr double kForgetting = 0.999;    // of times that were not measured again
constexpr double kLeastGain = 1.1;       // guessing that gains less is not worth the doubt
constexpr double kCostOfRow = 0.15;      // of one read beside another, before it was measured
constexpr std::size_t kTried[] = {2, 4, 8};

}  // namespace

bool Lookahead::read(std::int32_t id, float* logits, const Ngram::Place* place) {
  const std::size_t stride = decoder_.logits_stride();
  watch(id);
  if (num_used_ < num_read_ && ids_[num_used_ + 1] == id) {
    ++num_used_;
    ++num_right_;
    __builtin_memcpy(logits, rows_.data() + num_used_ * stride, stride * sizeof(float));
    return true;
  }
  settle();
  guess(id, place);
  const std::size_t num_rows = choose();
  if (num_rows > 1 && rows_.size() == 0 && !rows_.make(kMostRows * stride)) return false;
  const double began = seconds_now();
  if (num_rows == 1) {
    decoder_.read(session_, &id, 1, logits);
  } else {
    decoder_.read_all(session_, ids_, num_rows, rows_.data());
    __builtin_memcpy(logits, rows_.data(), stride * sizeof(float));
    num_read_ = num_rows - 1;
    num_guessed_ += num_read_;
  }
  note(num_rows, seconds_now() - began);
  return true;
}

void Lookahead::settle() {
  decoder_.cut(session_, num_read_ - num_used_);
  num_read_ = num_used_ = num_guesses_ = 0;
}

// Guesses count whether or not they were read.
void Lookahead::watch(std::int32_t id) {
  if (num_used_ >= num_guesses_) return;
  const double is_right = ids_[num_used_ + 1] == id ? 1.0 : 0.0;
  right_[source_] = kMemory * right_[source_] + (1.0 - kMemory) * is_right;
}

void Lookahead::guess(std::int32_t id, const Ngram::Place* place) {
  num_guesses_ = 0;
  ids_[0] = id;
  const std::size_t length = session_.length();
  // Without a clock nothing is guessed: in browsers rows together cost what they cost alone.
  if (most_rows_ == 1 || !kHasClock || decoder_.room_ahead(session_) < most_rows_) return;
  const std::int32_t* ids = session_.ids();
  const auto is_match = [&](std::size_t end) {
    if (ids[end] != id) return false;
    for (std::size_t back = 1; back < kLeastMatch; ++back) {
      if (ids[end - back] != ids[length - back]) return false;
    }
    return true;
  };
  source_ = kText;
  for (std::size_t end = length; end-- > kLeastMatch - 1;) {
    if (!is_match(end)) continue;
    for (std::size_t i = end + 1; i < length && num_guesses_ + 1 < most_rows_; ++i) {
      ids_[++num_guesses_] = ids[i];
    }
    if (num_guesses_ > 0) return;
  }
  if (ngram_ == nullptr || place == nullptr) return;
  source_ = kCounts;
  Ngram::Place after = *place;
  for (std::int32_t next; num_guesses_ + 1 < most_rows_; ngram_->advance(after, next)) {
    next = ngram_->likeliest(after);
    // Nothing is read behind the end of a text.
    if (next <= 0) return;
    ids_[++num_guesses_] = next;
  }
}

// The number of rows that gives most ids in a time.
std::size_t Lookahead::choose() const {
  if (insists_) return num_guesses_ + 1;
  if (seconds_[1] == 0.0) return 1;
  std::size_t best = 1;
  double most = kLeastGain;
  for (const std::size_t num_rows : kTried) {
    if (num_rows > num_guesses_ + 1) break;
    double expected = 0.0, chance = 1.0;
    for (std::size_t i = 0; i < num_rows; ++i, chance *= right_[source_]) expected += chance;
    const double guessed = 1.0 + kCostOfRow * static_cast<double>(num_rows - 1);
    const double known = seconds_[num_rows] / seconds_[1];
    const double gain = expected / (known > 0.0 ? known : guessed);
    if (gain <= most) continue;
    most = gain;
    best = num_rows;
  }
  return best;
}

void Lookahead::note(std::size_t num_rows, double seconds) {
  double& known = seconds_[num_rows];
  known = known == 0.0 ? seconds : kMemory * known + (1.0 - kMemory) * seconds;
  for (const std::size_t other : kTried) {
    if (other != num_rows) seconds_[other] *= kForgetting;
  }
}

}  // namespace engine
