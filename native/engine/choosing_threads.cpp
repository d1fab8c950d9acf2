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
  is_timed_ = false;
  if (!crew_.is_open() || crew_.size() == 1) return;
  if (count > 1) {
    // Whoever had the processors a moment ago may be gone.
    constexpr std::size_t kReadsUntilAsked = 256;
    if (!are_free_ && num_shared_++ % kReadsUntilAsked == 0) are_free_ = ask();
    return crew_.use(are_free_ ? crew_.size() : chosen_);
  }
  is_timed_ = count == 1 && !is_done_;
  crew_.use(is_timed_ ? tried_ : chosen_);
  if (is_timed_) began_ = seconds_now();
}

// Whether all threads work at once: where another program has their processor, they come when it
// lets them, and a product that waits for them takes many times as long as alone. The first round
// wakes them.
bool ThreadChoice::ask() {
  constexpr int kRounds = 4;
  constexpr double kSeconds = 20e-6, kMostSeconds = 4 * kSeconds;
  const auto work = [](void*, std::size_t, std::size_t) {
    const double began = seconds_now();
    while (seconds_now() - began < kSeconds) {
    }
  };
  crew_.use(crew_.size());
  for (int round = 0; round < kRounds; ++round) {
    const double began = seconds_now();
    crew_.run(work, nullptr);
    if (round > 0 && seconds_now() - began > kMostSeconds) return false;
  }
  return true;
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
