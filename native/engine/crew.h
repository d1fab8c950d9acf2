// Threads that share the work of one product. They wait by looking, not by sleeping: a product
// takes microseconds, waking a thread takes more.
#pragma once

#include <cstddef>

namespace engine {

class Crew {
 public:
  using Work = void (*)(void* job, std::size_t part, std::size_t num_parts);

  // num_threads >= 1, the caller included; 0 leaves it to gather and use.
  explicit Crew(std::size_t num_threads);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Threads that there are, and how many of them share the work.
  std::size_t size() const { return size_; }
  std::size_t num_used() const { return num_used_; }
  bool is_open() const { return is_open_; }
  // Calls threads up to that number, once.
  void gather(std::size_t num_threads);
  void use(std::size_t num_threads);
  // Calls work for every part, each on a thread of its own, and returns when all are done.
  void run(Work work, void* job);
  // Calls work for every part, on whichever of all threads comes first to it, and returns when all
  // are done: for long parts, beside other programs; who is late is not waited for.
  void run_loosely(Work work, void* job, std::size_t num_parts);

 private:
  struct Hands;
  std::size_t size_, num_used_;
  bool is_open_;  // nobody has said how many
  Hands* hands_;
};

// Processors that this process may use.
std::size_t usable_processors();

}  // namespace engine
