// Functions that the compiler makes several times, each for other instructions.
#pragma once

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define RUNS_ON_WHAT_IS_THERE \
  __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define RUNS_ON_WHAT_IS_THERE
#endif
// Inlined, so that it becomes part of each of the clones above.
#define IN_EVERY_CLONE inline __attribute__((always_inline))
