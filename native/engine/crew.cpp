#include "crew.h"

#if defined(__wasm__)

namespace engine {

Crew::Crew(std::size_t) : size_(1), hands_(nullptr) {}
Crew::~Crew() = default;
void Crew::run(Work work, void* job) { work(job, 0, 1); }

}  // namespace engine

#else

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace engine {
namespace {

// Looks before a thread lies down: some fifty microseconds.
constexpr int kLooks = 4000;

inline void rest() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

struct Crew::Hands {
  std::atomic<unsigned> round{0};
  std::atomic<std::size_t> num_busy{0};
  std::atomic<bool> is_over{false};
  Work work = nullptr;
  void* job = nullptr;
  std::mutex lock;
  std::condition_variable bell;
  std::atomic<std::size_t> num_asleep{0};
  std::vector<std::thread> threads;

  void wait_for(unsigned last) {
    for (int look = 0; look < kLooks; ++look) {
      if (round.load(std::memory_order_acquire) != last) return;
      rest();
    }
    std::unique_lock<std::mutex> held(lock);
    num_asleep.fetch_add(1);
    bell.wait(held, [&] { return round.load() != last; });
    num_asleep.fetch_sub(1);
  }

  void serve(std::size_t part, std::size_t num_parts) {
    for (unsigned seen = 0;; ++seen) {
      wait_for(seen);
      if (is_over.load()) return;
      work(job, part, num_parts);
      num_busy.fetch_sub(1, std::memory_order_release);
    }
  }

  void ring() {
    round.fetch_add(1);
    if (num_asleep.load() == 0) return;
    // Whoever is about to lie down holds the lock until he has looked once more.
    { const std::lock_guard<std::mutex> held(lock); }
    bell.notify_all();
  }
};

Crew::Crew(std::size_t num_threads) : size_(num_threads), hands_(nullptr) {
  if (size_ < 2) return;
  hands_ = new Hands;
  for (std::size_t part = 1; part < size_; ++part) {
    hands_->threads.emplace_back([this, part] { hands_->serve(part, size_); });
  }
}

Crew::~Crew() {
  if (hands_ == nullptr) return;
  hands_->is_over.store(true);
  hands_->ring();
  for (auto& thread : hands_->threads) thread.join();
  delete hands_;
}

void Crew::run(Work work, void* job) {
  if (hands_ == nullptr) return work(job, 0, 1);
  hands_->work = work;
  hands_->job = job;
  hands_->num_busy.store(size_ - 1, std::memory_order_relaxed);
  hands_->ring();
  work(job, 0, size_);
  while (hands_->num_busy.load(std::memory_order_acquire) != 0) rest();
}

}  // namespace engine

#endif
