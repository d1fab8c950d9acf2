// The threads that another library already keeps. Two pools in one process fight for the cores:
// while one waits for work it spins, and the other runs at half its speed. So the caller hands in
// the doors of the OpenMP runtime that torch has loaded, and nothing is linked here.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace team {

// What GOMP_parallel, omp_get_thread_num and omp_get_num_threads are, in libgomp and its twins.
struct Doors {
  void (*parallel)(void (*)(void*), void*, unsigned, unsigned) = nullptr;
  int (*thread)() = nullptr;
  int (*num_threads)() = nullptr;
};

inline Doors& doors() {
  static Doors found;
  return found;
}

// Sums over rows are kept per chunk, and chunks do not depend on the number of threads: the same
// bits with one thread and with eight.
constexpr std::size_t kMostChunks = 32;

inline std::size_t num_chunks(std::size_t count) { return std::min(count, kMostChunks); }

template <class Work>
struct Shift {
  const Work& work;
  std::size_t count;

  void chunks(std::size_t first, std::size_t last) const {
    const std::size_t all = num_chunks(count);
    for (std::size_t c = first; c < last; ++c) work(c, count * c / all, count * (c + 1) / all);
  }

  static void one_thread(void* data) {
    const auto& shift = *static_cast<const Shift*>(data);
    const auto all = num_chunks(shift.count);
    const auto id = static_cast<std::size_t>(doors().thread());
    const auto threads = static_cast<std::size_t>(doors().num_threads());
    shift.chunks(all * id / threads, all * (id + 1) / threads);
  }
};

// Calls work(chunk, first row, row after the last) for all rows.
template <class Work>
void for_rows(std::size_t count, unsigned num_threads, const Work& work) {
  if (count == 0) return;
  Shift<Work> shift{work, count};
  if (num_threads < 2 || doors().parallel == nullptr) {
    shift.chunks(0, num_chunks(count));
  } else {
    doors().parallel(&Shift<Work>::one_thread, &shift, num_threads, 0);
  }
}

}  // namespace team
