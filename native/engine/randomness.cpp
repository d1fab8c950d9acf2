#include "randomness.h"

#include "names.h"

namespace engine {
namespace {

// ---- BLAKE2b, one block, no key ----

constexpr std::uint64_t kStart[8] = {
    0x6A09E667F3BCC908u, 0xBB67AE8584CAA73Bu, 0x3C6EF372FE94F82Bu, 0xA54FF53A5F1D36F1u,
    0x510E527FADE682D1u, 0x9B05688C2B3E6C1Fu, 0x1F83D9ABFB41BD6Bu, 0x5BE0CD19137E2179u};
constexpr std::uint8_t kOrders[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

std::uint64_t turned(std::uint64_t x, unsigned count) {
  return x >> count | x << ((64 - count) & 63);
}

void mix(std::uint64_t* v, std::size_t a, std::size_t b, std::size_t c, std::size_t d,
         std::uint64_t x, std::uint64_t y) {
  v[a] += v[b] + x;
  v[d] = turned(v[d] ^ v[a], 32);
  v[c] += v[d];
  v[b] = turned(v[b] ^ v[c], 24);
  v[a] += v[b] + y;
  v[d] = turned(v[d] ^ v[a], 16);
  v[c] += v[d];
  v[b] = turned(v[b] ^ v[c], 63);
}

// The first 8 bytes of the digest of 8 bytes; at most 128 bytes go in.
std::uint64_t blake2b(const char* data, std::size_t size) {
  constexpr std::uint64_t kParameters = 0x01010000u ^ 8u;
  std::uint64_t block[16] = {};
  __builtin_memcpy(block, data, size);
  std::uint64_t v[16];
  for (std::size_t i = 0; i < 8; ++i) v[i] = v[i + 8] = kStart[i];
  v[0] ^= kParameters;
  v[12] ^= size;
  v[14] = ~v[14];
  for (std::size_t round = 0; round < 12; ++round) {
    const std::uint8_t* order = kOrders[round % 10];
    for (std::size_t i = 0; i < 8; ++i) {
      const std::size_t a = i % 4, step = i / 4;  // columns, then diagonals
      mix(v, a, 4 + (a + step) % 4, 8 + (a + 2 * step) % 4, 12 + (a + 3 * step) % 4,
          block[order[2 * i]], block[order[2 * i + 1]]);
    }
  }
  return kStart[0] ^ kParameters ^ v[0] ^ v[8];
}

// ---- NumPy's SeedSequence ----

constexpr std::size_t kPool = 4;

class SeedPool {
 public:
  explicit SeedPool(std::uint64_t seed) {
    const std::uint32_t words[2] = {static_cast<std::uint32_t>(seed),
                                    static_cast<std::uint32_t>(seed >> 32)};
    const std::size_t count = words[1] != 0 ? 2 : 1;
    std::uint32_t multiplier = 0x43B0D7E5u;
    for (std::size_t i = 0; i < kPool; ++i) pool_[i] = hashed(i < count ? words[i] : 0, multiplier);
    for (std::size_t from = 0; from < kPool; ++from) {
      for (std::size_t to = 0; to < kPool; ++to) {
        if (from != to) pool_[to] = joined(pool_[to], hashed(pool_[from], multiplier));
      }
    }
  }

  void fill(std::uint64_t (&state)[4]) const {
    std::uint32_t multiplier = 0x8B51F9DDu;
    for (std::size_t i = 0; i < 8; ++i) {
      std::uint32_t word = pool_[i % kPool] ^ multiplier;
      multiplier *= 0x58F38DEDu;
      word *= multiplier;
      word ^= word >> 16;
      const std::uint64_t wide = word;
      state[i / 2] = i % 2 == 0 ? wide : state[i / 2] | wide << 32;
    }
  }

 private:
  static std::uint32_t hashed(std::uint32_t word, std::uint32_t& multiplier) {
    word ^= multiplier;
    multiplier *= 0x931E8875u;
    word *= multiplier;
    return word ^ word >> 16;
  }

  static std::uint32_t joined(std::uint32_t x, std::uint32_t y) {
    const std::uint32_t result = 0xCA01F9DDu * x - 0x4973F715u * y;
    return result ^ result >> 16;
  }

  std::uint32_t pool_[kPool];
};

constexpr unsigned __int128 kMultiplier =
    static_cast<unsigned __int128>(0x2360ED051FC65DA4u) << 64 | 0x4385DF649FCCF645u;

}  // namespace

std::uint64_t derived_seed(std::uint64_t seed, const char* purpose) {
  const Name name = Name().add(seed).add(":").add(purpose);
  return blake2b(name.text(), __builtin_strlen(name.text())) & 0x7FFFFFFFFFFFFFFFu;
}

Chance::Chance(std::uint64_t seed) {
  std::uint64_t words[4];
  SeedPool(seed).fill(words);
  const auto both = [&](std::size_t i) {
    return static_cast<unsigned __int128>(words[i]) << 64 | words[i + 1];
  };
  increment_ = both(2) << 1 | 1;
  state_ = increment_ + both(0);
  state_ = state_ * kMultiplier + increment_;
}

double Chance::next() {
  state_ = state_ * kMultiplier + increment_;
  const auto high = static_cast<std::uint64_t>(state_ >> 64);
  const std::uint64_t bits = turned(high ^ static_cast<std::uint64_t>(state_),
                                    static_cast<unsigned>(high >> 58));
  return static_cast<double>(bits >> 11) * (1.0 / 9007199254740992.0);
}

}  // namespace engine
