// Threads that share the work of one product. They wait by looking, not by sleeping: a product
// takes microseconds, waking a thread takes more.
#pragma once

#include <cstddef>

namespace engine {

class Crew {
 public:
  using Work = void (*)(void* job, std::size_t part, std::size_t num_parts);

  // num_threads >= 1, the caller included.
  explicit Crew(std::size_t num_threads);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  std::size_t size() const { return size_; }
  // Calls work for every part, each on a thread of its own, and returns when all are done.
  void run(Work work, void* job);

 private:
  struct Hands;
  std::size_t size_;
  Hands* hands_;
};

}  // namespace engine
