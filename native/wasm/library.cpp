// The functions of the C library that the engine and the compiler call, where there is none.
//
// Memory: pieces in powers of two, given back to the list of their size; above a page they are as
// long as asked for. Pages are taken when they are needed, none ahead.
#include <stddef.h>
#include <stdint.h>
#include <wasm_simd128.h>

extern "C" {

extern unsigned char __heap_base;

void* memcpy(void* to, const void* from, size_t count) {
  auto* a = static_cast<unsigned char*>(to);
  const auto* b = static_cast<const unsigned char*>(from);
  for (; count >= 16; count -= 16, a += 16, b += 16) wasm_v128_store(a, wasm_v128_load(b));
  for (size_t i = 0; i < count; ++i) a[i] = b[i];
  return to;
}

void* memmove(void* to, const void* from, size_t count) {
  auto* a = static_cast<unsigned char*>(to);
  const auto* b = static_cast<const unsigned char*>(from);
  if (a < b || a >= b + count) {
    for (size_t i = 0; i < count; ++i) a[i] = b[i];
  } else {
    while (count-- > 0) a[count] = b[count];
  }
  return to;
}

void* memset(void* to, int value, size_t count) {
  auto* a = static_cast<unsigned char*>(to);
  const v128_t many = wasm_i8x16_splat(static_cast<int8_t>(value));
  for (; count >= 16; count -= 16, a += 16) wasm_v128_store(a, many);
  for (size_t i = 0; i < count; ++i) a[i] = static_cast<unsigned char>(value);
  return to;
}

int memcmp(const void* a, const void* b, size_t count) {
  const auto *x = static_cast<const unsigned char*>(a), *y = static_cast<const unsigned char*>(b);
  for (size_t i = 0; i < count; ++i) {
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  }
  return 0;
}

size_t strlen(const char* text) {
  size_t count = 0;
  while (text[count] != '\0') ++count;
  return count;
}

}  // extern "C"

namespace {

constexpr size_t kHeader = 16, kPage = 65536, kNumLists = 32, kFirstList = 5;  // 32 bytes

struct Piece {
  size_t bytes;  // header included
  size_t list;
  Piece* next;
};

Piece* given_back[kNumLists];
uintptr_t next_place = 0;

bool has_room(uintptr_t end) {
  const size_t have = __builtin_wasm_memory_size(0) * kPage;
  if (end <= have) return true;
  return __builtin_wasm_memory_grow(0, (end - have + kPage - 1) / kPage) != static_cast<size_t>(-1);
}

// The list whose pieces all have so many bytes, or the first whose power of two is larger.
size_t list_of(size_t bytes) {
  size_t list = kFirstList;
  while ((static_cast<size_t>(1) << list) < bytes) ++list;
  return list;
}

Piece* new_piece(size_t bytes, size_t list) {
  if (next_place == 0) {
    next_place = (reinterpret_cast<uintptr_t>(&__heap_base) + kHeader - 1) / kHeader * kHeader;
  }
  if (bytes > SIZE_MAX - next_place || !has_room(next_place + bytes)) return nullptr;
  auto* piece = reinterpret_cast<Piece*>(next_place);
  next_place += bytes;
  piece->bytes = bytes;
  piece->list = list;
  return piece;
}

Piece* piece_of(void* memory) {
  return reinterpret_cast<Piece*>(static_cast<unsigned char*>(memory) - kHeader);
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
  if (size > 0x7FFFFF00u) return nullptr;
  const size_t wanted = size + kHeader, list = list_of(wanted);
  Piece* piece = given_back[list];
  if (piece != nullptr) {
    given_back[list] = piece->next;
  } else if (wanted > kPage) {
    // Whatever is given back here has at least the power of two below.
    piece = new_piece((wanted + kHeader - 1) / kHeader * kHeader, list - 1);
  } else {
    piece = new_piece(static_cast<size_t>(1) << list, list);
  }
  return piece == nullptr ? nullptr : reinterpret_cast<unsigned char*>(piece) + kHeader;
}

void free(void* old) {
  if (old == nullptr) return;
  Piece* piece = piece_of(old);
  piece->next = given_back[piece->list];
  given_back[piece->list] = piece;
}

void* calloc(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) return nullptr;
  void* made = malloc(count * size);
  return made == nullptr ? nullptr : memset(made, 0, count * size);
}

void* realloc(void* old, size_t size) {
  void* made = malloc(size);
  if (made == nullptr || old == nullptr) return made;
  const size_t had = piece_of(old)->bytes - kHeader;
  memcpy(made, old, had < size ? had : size);
  free(old);
  return made;
}

// The product of two numbers of 128 bits, which the compiler calls by this name.
unsigned __int128 __multi3(unsigned __int128 a, unsigned __int128 b) {
  const auto low_a = static_cast<uint64_t>(a), low_b = static_cast<uint64_t>(b);
  const uint64_t a0 = low_a & 0xFFFFFFFFu, a1 = low_a >> 32;
  const uint64_t b0 = low_b & 0xFFFFFFFFu, b1 = low_b >> 32;
  const uint64_t first = a0 * b0, middle = a1 * b0 + (first >> 32);
  const uint64_t other = a0 * b1 + (middle & 0xFFFFFFFFu);
  const uint64_t low = (other << 32) | (first & 0xFFFFFFFFu);
  const uint64_t high = a1 * b1 + (middle >> 32) + (other >> 32) +
                        static_cast<uint64_t>(a >> 64) * low_b +
                        low_a * static_cast<uint64_t>(b >> 64);
  return static_cast<unsigned __int128>(high) << 64 | low;
}

}  // extern "C"
