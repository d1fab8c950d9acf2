#include "crew.h"

#include <cstdlib>

#if defined(__wasm__) || defined(_WIN32)

namespace engine {

Crew::Crew(std::size_t) : size_(1), hands_(nullptr) {}
Crew::~Crew() = default;
void Crew::run(Work work, void* job) { work(job, 0, 1); }

}  // namespace engine

#else

#include <atomic>
#include <new>
#include <pthread.h>

namespace engine {
namespace {

// Looks before a thread lies down: some fifty microseconds.
constexpr int kLooks = 4000;
constexpr std::size_t kMostThreads = 256;

inline void rest() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

// Posix threads and no library of C++, which the small programs are built without.
struct Crew::Hands {
  struct Hand {
    Hands* hands;
    std::size_t part;
    pthread_t thread;
  };

  std::atomic<unsigned> round{0};
  std::atomic<std::size_t> num_busy{0}, num_asleep{0};
  std::atomic<bool> is_over{false};
  Work work = nullptr;
  void* job = nullptr;
  std::size_t num_parts = 1;
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t bell = PTHREAD_COND_INITIALIZER;
  Hand hands[kMostThreads];

  void wait_for(unsigned last) {
    for (int look = 0; look < kLooks; ++look) {
      if (round.load(std::memory_order_acquire) != last) return;
      rest();
    }
    pthread_mutex_lock(&lock);
    num_asleep.fetch_add(1);
    while (round.load() == last) pthread_cond_wait(&bell, &lock);
    num_asleep.fetch_sub(1);
    pthread_mutex_unlock(&lock);
  }

  void serve(std::size_t part) {
    for (unsigned seen = 0;; ++seen) {
      wait_for(seen);
      if (is_over.load()) return;
      work(job, part, num_parts);
      num_busy.fetch_sub(1, std::memory_order_release);
    }
  }

  static void* begin(void* hand) {
    auto& own = *static_cast<Hand*>(hand);
    own.hands->serve(own.part);
    return nullptr;
  }

  void ring() {
    round.fetch_add(1);
    if (num_asleep.load() == 0) return;
    // Whoever is about to lie down holds the lock until he has looked once more.
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&bell);
    pthread_mutex_unlock(&lock);
  }
};

Crew::Crew(std::size_t num_threads) : size_(1), hands_(nullptr) {
  if (num_threads > kMostThreads) num_threads = kMostThreads;
  if (num_threads < 2) return;
  void* room = std::malloc(sizeof(Hands));
  if (room == nullptr) return;
  hands_ = new (room) Hands;
  for (std::size_t part = 1; part < num_threads; ++part) {
    Hands::Hand& hand = hands_->hands[part];
    hand.hands = hands_;
    hand.part = part;
    // Where the system gives no more threads, those that there are do the work.
    if (pthread_create(&hand.thread, nullptr, Hands::begin, &hand) != 0) break;
    size_ = part + 1;
  }
  hands_->num_parts = size_;
}

Crew::~Crew() {
  if (hands_ == nullptr) return;
  hands_->is_over.store(true);
  hands_->ring();
  for (std::size_t part = 1; part < size_; ++part) pthread_join(hands_->hands[part].thread, nullptr);
  std::free(hands_);
}

void Crew::run(Work work, void* job) {
  if (size_ < 2) return work(job, 0, 1);
  hands_->work = work;
  hands_->job = job;
  hands_->num_busy.store(size_ - 1, std::memory_order_relaxed);
  hands_->ring();
  work(job, 0, size_);
  while (hands_->num_busy.load(std::memory_order_acquire) != 0) rest();
}

}  // namespace engine

#endif
