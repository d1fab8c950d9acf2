// How many threads read a model's ids, where nobody has said it.
#pragma once

#include "crew.h"

namespace engine {

// Calls as many as a model of that size may need.
void gather_for(Crew& crew, std::size_t num_bytes);

// Found out while ids are read, one by one: first by one thread, then by more and more, as long as
// one more saves a share of the time. What is read does not depend on it.
class ThreadChoice {
 public:
  explicit ThreadChoice(Crew& crew) : crew_(crew) {}

  // Both around every read of count ids. Several at once are shared by all threads, where these come
  // when they are called. 0: ids that wait for one another.
  void begin(std::size_t count);
  void end();

 private:
  void compare();
  bool ask();

  Crew& crew_;
  std::size_t tried_ = 1, chosen_ = 1, num_tries_ = 0, num_shared_ = 0;
  bool is_timed_ = false, is_done_ = false, are_free_ = false;
  double began_ = 0.0, best_ = kForever, fastest_ = kForever;

  static constexpr double kForever = 1e30;
};

}  // namespace engine
