// Which kernels this machine can run.
#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace engine {

#if defined(__wasm__)
extern const Kernels kWasm;
#else
extern const Kernels kPortable;
#endif
#if defined(__x86_64__)
extern const Kernels kAvx2;
extern const Kernels kAvxVnni;
extern const Kernels kAvx512Vnni;
#elif defined(__aarch64__)
extern const Kernels kNeon;
extern const Kernels kNeonDot;
#endif

namespace {

#if defined(WITH_AVX_VNNI)
// CPUID leaf 7, subleaf 1, EAX bit 4: compilers of 2022 do not know the name.
bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || a < 1) return false;
  __cpuid_count(7, 1, a, b, c, d);
  return (a & 1u << 4) != 0;
}
#endif

#if defined(__aarch64__)
bool has_dot_products() {
#if defined(__APPLE__)
  return true;  // every one of Apple's own
#elif defined(__linux__)
  constexpr unsigned long kDotProducts = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kDotProducts) != 0;
#else
  return false;
#endif
}
#endif

}  // namespace

std::size_t runnable_kernels(const Kernels** tables, std::size_t most) {
  const Kernels* found[8];
  std::size_t count = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vnni")) {
    found[count++] = &kAvx512Vnni;
  }
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
#if defined(WITH_AVX_VNNI)
  if (has_avx2 && has_avx_vnni()) found[count++] = &kAvxVnni;
#endif
  if (has_avx2) found[count++] = &kAvx2;
#elif defined(__aarch64__)
  if (has_dot_products()) found[count++] = &kNeonDot;
  found[count++] = &kNeon;
#endif
#if defined(__wasm__)
  found[count++] = &kWasm;
#else
  found[count++] = &kPortable;
#endif
  if (count > most) count = most;
  for (std::size_t i = 0; i < count; ++i) tables[i] = found[i];
  return count;
}

const Kernels& best_kernels() {
  const Kernels* best = nullptr;
  runnable_kernels(&best, 1);
  return *best;
}

const Kernels* kernels_called(const char* name) {
  if (*name == '\0') return &best_kernels();
  const Kernels* tables[8];
  const std::size_t count = runnable_kernels(tables, 8);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = __builtin_strlen(tables[i]->name) + 1;
    if (__builtin_strlen(name) + 1 == size && __builtin_memcmp(tables[i]->name, name, size) == 0) {
      return tables[i];
    }
  }
  return nullptr;
}

}  // namespace engine
