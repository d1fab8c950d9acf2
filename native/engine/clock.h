// How long something took. In browsers nobody says: there is no clock.
#pragma once

#if !defined(__wasm__)
#include <ctime>
#endif

namespace engine {

#if defined(__wasm__)
constexpr bool kHasClock = false;
inline double seconds_now() { return 0.0; }
#else
constexpr bool kHasClock = true;
inline double seconds_now() {
  timespec time;
  timespec_get(&time, TIME_UTC);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}
#endif

}  // namespace engine
