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
#if defined(WITH_AMX)
const Kernels* amx_kernels(const Kernels& others);
#endif
#elif defined(__aarch64__)
extern const Kernels kNeon;
extern const Kernels kNeonDot;
#endif

namespace {

#if defined(__x86_64__)
// What CPUID and the operating system say. Not the compiler's own __builtin_cpu_supports: the
// library behind it is missing in some toolchains (zig's says no to everything).
struct Instructions {
  bool has_avx2 = false;  // with conversions from float16
  bool has_avx_vnni = false;
  bool has_avx512_vnni = false;
  bool has_amx = false;  // tiles of bytes
};

constexpr bool has_all(std::uint64_t word, std::uint64_t bits) { return (word & bits) == bits; }

// The registers that the operating system keeps for every thread.
std::uint64_t kept_registers() {
  std::uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<std::uint64_t>(high) << 32 | low;
}

// Intel's manual, volume 2, CPUID: leaf 1 in ECX, leaf 7 in EBX, ECX and EDX, leaf 7.1 in EAX.
Instructions known_instructions() {
  constexpr unsigned kSaves = 1u << 27, kAvx = 1u << 28, kFloat16 = 1u << 29, kAvx2 = 1u << 5;
  constexpr unsigned kFoundation = 1u << 16, kWords64 = 1u << 17, kBytes = 1u << 30;
  constexpr unsigned kLengths = 1u << 31, kVnni = 1u << 11, kAvxVnni = 1u << 4;
  constexpr unsigned kTiles = 1u << 24 | 1u << 25;
  constexpr std::uint64_t kRegisters256 = 0x6, kRegisters512 = 0xE6, kTileRegisters = 3u << 17;
  Instructions known;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !has_all(c, kSaves | kAvx | kFloat16)) return known;
  const std::uint64_t kept = kept_registers();
  if (!has_all(kept, kRegisters256) || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return known;
  known.has_avx2 = has_all(b, kAvx2);
  known.has_avx512_vnni = has_all(b, kFoundation | kWords64 | kBytes | kLengths) &&
                          has_all(c, kVnni) && has_all(kept, kRegisters512);
  known.has_amx = known.has_avx512_vnni && has_all(d, kTiles) && has_all(kept, kTileRegisters);
  if (a == 0) return known;
  __cpuid_count(7, 1, a, b, c, d);
  known.has_avx_vnni = known.has_avx2 && has_all(a, kAvxVnni);
  return known;
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
  const Instructions known = known_instructions();
#if defined(WITH_AMX)
  const Kernels* amx = known.has_amx ? amx_kernels(kAvx512Vnni) : nullptr;
  if (amx != nullptr) found[count++] = amx;
#endif
  if (known.has_avx512_vnni) found[count++] = &kAvx512Vnni;
#if defined(WITH_AVX_VNNI)
  if (known.has_avx_vnni) found[count++] = &kAvxVnni;
#endif
  if (known.has_avx2) found[count++] = &kAvx2;
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
