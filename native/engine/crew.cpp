#include "crew.h"

#include <cstdint>
#include <cstdlib>

#if defined(__wasm__) || defined(_WIN32)

namespace engine {

Crew::Crew(std::size_t) : size_(1), num_used_(1), is_open_(false), hands_(nullptr) {}
Crew::~Crew() = default;
void Crew::gather(std::size_t) {}
void Crew::use(std::size_t) {}
std::size_t usable_processors() { return 1; }
void Crew::run(Work work, void* job) { work(job, 0, 1); }
void Crew::run_loosely(Work work, void* job, std::size_t num_parts) {
  for (std::size_t part = 0; part < num_parts; ++part) work(job, part, num_parts);
}

}  // namespace engine

#else

#include <atomic>
#include <new>
#include <pthread.h>
#if defined(__linux__)
#include <sched.h>
#else
#include <unistd.h>
#endif

namespace engine {
namespace {

// Looks before a thread lies down: some fifty microseconds.
constexpr int kLooks = 4000;
constexpr std::size_t kMostThreads = 256;
constexpr std::uint64_t kRoundStep = 1024;
constexpr std::size_t kLoosely = kRoundStep - 1;
constexpr unsigned kPartBits = 40;
constexpr std::uint64_t kPartMask = (std::uint64_t{1} << kPartBits) - 1;

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

  // The number of the round, and in its lower bits how many share it: whoever was not called must
  // not take the next round's number of parts for this one's.
  std::atomic<std::uint64_t> round{0};
  std::atomic<std::size_t> num_busy{0}, num_asleep{0};
  std::atomic<bool> is_over{false};
  Work work = nullptr;
  void* job = nullptr;
  // Of rounds whose parts belong to nobody: the next part and the number of parts, both with the
  // number of the round above kPartBits, so that whoever is late takes none of another round.
  std::atomic<std::uint64_t> next_part{0}, end_part{0};
  std::atomic<std::size_t> num_done{0};
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t bell = PTHREAD_COND_INITIALIZER;
  Hand hands[kMostThreads];

  void wait_for(std::uint64_t last) {
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

  void help() {
    for (;;) {
      const std::uint64_t part = next_part.fetch_add(1), end = end_part.load();
      if (part >> kPartBits != end >> kPartBits || part >= end) return;
      work(job, part & kPartMask, end & kPartMask);
      num_done.fetch_add(1, std::memory_order_release);
    }
  }

  void serve(std::size_t part) {
    for (std::uint64_t seen = 0;;) {
      wait_for(seen);
      if (is_over.load()) return;
      seen = round.load(std::memory_order_acquire);
      const std::size_t count = seen % kRoundStep;
      if (count == kLoosely) help();
      if (count == kLoosely || part >= count) continue;
      work(job, part, count);
      num_busy.fetch_sub(1, std::memory_order_release);
    }
  }

  static void* begin(void* hand) {
    auto& own = *static_cast<Hand*>(hand);
    own.hands->serve(own.part);
    return nullptr;
  }

  void ring(std::size_t num_parts) {
    const std::uint64_t number = round.load(std::memory_order_relaxed) / kRoundStep + 1;
    round.store(number * kRoundStep + num_parts);
    if (num_asleep.load() == 0) return;
    // Whoever is about to lie down holds the lock until he has looked once more.
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&bell);
    pthread_mutex_unlock(&lock);
  }
};

Crew::Crew(std::size_t num_threads)
    : size_(1), num_used_(1), is_open_(num_threads == 0), hands_(nullptr) {
  if (num_threads > 1) gather(num_threads);
}

void Crew::gather(std::size_t num_threads) {
  if (num_threads > kMostThreads) num_threads = kMostThreads;
  if (num_threads < 2 || hands_ != nullptr) return;
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
  num_used_ = size_;
}

void Crew::use(std::size_t num_threads) {
  num_used_ = num_threads < 1 ? 1 : num_threads < size_ ? num_threads : size_;
}

Crew::~Crew() {
  if (hands_ == nullptr) return;
  hands_->is_over.store(true);
  hands_->ring(0);
  for (std::size_t part = 1; part < size_; ++part) pthread_join(hands_->hands[part].thread, nullptr);
  std::free(hands_);
}

void Crew::run(Work work, void* job) {
  if (num_used_ < 2) return work(job, 0, 1);
  hands_->work = work;
  hands_->job = job;
  hands_->num_busy.store(num_used_ - 1, std::memory_order_relaxed);
  hands_->ring(num_used_);
  work(job, 0, num_used_);
  while (hands_->num_busy.load(std::memory_order_acquire) != 0) rest();
}

// Whoever comes too late finds no part that is left.
void Crew::run_loosely(Work work, void* job, std::size_t num_parts) {
  if (size_ < 2) {
    for (std::size_t part = 0; part < num_parts; ++part) work(job, part, num_parts);
    return;
  }
  hands_->work = work;
  hands_->job = job;
  hands_->num_done.store(0);
  const std::uint64_t round = (hands_->end_part.load() >> kPartBits) + 1;
  hands_->end_part.store(round << kPartBits | num_parts);
  hands_->next_part.store(round << kPartBits);
  hands_->ring(kLoosely);
  hands_->help();
  while (hands_->num_done.load(std::memory_order_acquire) != num_parts) rest();
}

// OMP_NUM_THREADS is where people say that other programs need processors too.
std::size_t usable_processors() {
  std::size_t count = 1;
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) count = static_cast<std::size_t>(CPU_COUNT(&set));
#else
  const long found = sysconf(_SC_NPROCESSORS_ONLN);
  if (found > 0) count = static_cast<std::size_t>(found);
#endif
  const char* asked = std::getenv("OMP_NUM_THREADS");
  const long most = asked == nullptr ? 0 : std::strtol(asked, nullptr, 10);
  return most > 0 && static_cast<std::size_t>(most) < count ? static_cast<std::size_t>(most) : count;
}

}  // namespace engine

#endif
