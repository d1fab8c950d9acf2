#include "choosing_threads.h"

#include "clock.h"

namespace engine {

// Where a token takes microseconds, threads would wait for one another longer than they work.
void gather_for(Crew& crew, std::size_t num_bytes) {
  constexpr std::size_t kLeastBytes = 4'000'000, kMostThreads = 8;
  if (!crew.is_open() || num_bytes < kLeastBytes) return;
  const std::size_t count = usable_processors();
  crew.gather(count < kMostThreads ? count : kMostThreads);
}

void ThreadChoice::begin(std::size_t count) {
  constexpr std::size_t kMany = 16;
  is_timed_ = false;
  if (!crew_.is_open() || crew_.size() == 1) return;
  if (count >= kMany) return crew_.use(crew_.size());
  is_timed_ = count == 1 && !is_done_;
  crew_.use(is_timed_ ? tried_ : chosen_);
  if (is_timed_) began_ = seconds_now();
}

// The first time counts for nothing: what comes from the file comes once, and threads wake up.
void ThreadChoice::end() {
  constexpr std::size_t kTries = 4;
  if (!is_timed_) return;
  const double taken = seconds_now() - began_;
  if (num_tries_++ > 0 && taken < best_) best_ = taken;
  if (num_tries_ == kTries) compare();
}

// A thread more has to save a share of the time: it works beside others, and waits for them.
void ThreadChoice::compare() {
  constexpr double kLeastGain = 1.2;
  if (best_ * kLeastGain > fastest_) {
    is_done_ = true;
    return;
  }
  fastest_ = best_;
  chosen_ = tried_;
  tried_ *= 2;
  is_done_ = tried_ > crew_.size();
  num_tries_ = 0;
  best_ = kForever;
}

}  // namespace engine
