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

// A thread more has to save a share of the time: it works beside others, and waits for them.
bool choose_threads(Decoder& decoder, Crew& crew) {
  constexpr double kLeastGain = 1.2;
  constexpr std::size_t kTries = 3;
  if (!crew.is_open() || crew.size() == 1) return true;
  Session session;
  Room<float> logits;
  if (!decoder.start(session) || !logits.make(decoder.logits_stride())) return false;
  const auto seconds = [&](std::size_t num_threads) {
    crew.use(num_threads);
    double best = 1e30;
    for (std::size_t i = 0; i < kTries; ++i) {
      const std::int32_t id = 0;
      const double began = seconds_now();
      decoder.read(session, &id, 1, logits.data());
      const double taken = seconds_now() - began;
      best = taken < best ? taken : best;
    }
    return best;
  };
  std::size_t chosen = 1;
  seconds(1);  // what comes from the file comes once
  double fastest = seconds(1);
  for (std::size_t count = 2; count <= crew.size(); count *= 2) {
    const double taken = seconds(count);
    if (taken * kLeastGain > fastest) break;
    fastest = taken;
    chosen = count;
  }
  crew.use(chosen);
  return true;
}

}  // namespace engine
