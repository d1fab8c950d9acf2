// Memory that belongs to one place: begins at a multiple of 64 bytes, never throws, never copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace engine {

template <class Value>
class Room {
 public:
  Room() = default;
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  Room(Room&& other) noexcept { *this = static_cast<Room&&>(other); }
  Room& operator=(Room&& other) noexcept {
    if (this == &other) return *this;
    clear();
    whole_ = other.whole_;
    values_ = other.values_;
    size_ = other.size_;
    other.whole_ = nullptr;
    other.values_ = nullptr;
    other.size_ = 0;
    return *this;
  }
  ~Room() { clear(); }

  // Makes room for count values, all bits 0; what was there is gone. False: no memory.
  bool make(std::size_t count) { return make_aligned(count, kAlignment); }

  // The same for what is large, stays and is read as a whole again and again: where the system has
  // large pages it lies in them. Read from the last cache, that is one and a half times as fast.
  bool make_large(std::size_t count) {
    if (count < kLargePage / sizeof(Value)) return make(count);
    // The last page becomes a whole one where most of it is used: hundreds of small ones take a
    // millisecond to be given.
    const std::size_t tail = count * sizeof(Value) % kLargePage;
    const std::size_t more = tail > kLargePage / 4 ? kLargePage - tail : 0;
    if (!make_aligned(count, kLargePage, more)) return false;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    // A wish: without large pages everything is as it was.
    madvise(values_, count * sizeof(Value) + more, MADV_HUGEPAGE);
#endif
    return true;
  }

  Value* data() { return values_; }
  const Value* data() const { return values_; }
  std::size_t size() const { return size_; }
  Value& operator[](std::size_t place) { return values_[place]; }
  const Value& operator[](std::size_t place) const { return values_[place]; }

 private:
  static constexpr std::size_t kAlignment = 64, kLargePage = std::size_t{1} << 21;

  // more: bytes behind the values.
  bool make_aligned(std::size_t count, std::size_t alignment, std::size_t more = 0) {
    clear();
    whole_ = count > (SIZE_MAX - alignment - more) / sizeof(Value)
                 ? nullptr
                 : std::calloc(count * sizeof(Value) + alignment + more, 1);
    if (whole_ == nullptr) return false;
    const auto address = reinterpret_cast<std::uintptr_t>(whole_);
    values_ = reinterpret_cast<Value*>((address + alignment - 1) / alignment * alignment);
    size_ = count;
    return true;
  }

  // Browsers have no <type_traits>.
  static constexpr bool is_plain() {
#if defined(__clang__)
    return __is_trivially_destructible(Value);
#else
    return __has_trivial_destructor(Value);
#endif
  }

  // Values that own something, such as other rooms, give it back; all bits 0 own nothing.
  void clear() {
    if constexpr (!is_plain()) {
      for (std::size_t i = 0; i < size_; ++i) values_[i].~Value();
    }
    std::free(whole_);
    whole_ = nullptr;
    values_ = nullptr;
    size_ = 0;
  }

  void* whole_ = nullptr;
  Value* values_ = nullptr;
  std::size_t size_ = 0;
};

// An object that lives until the program ends; null: no memory. Without the library of C++ there is
// no other `new`.
template <class Value, class... Arguments>
Value* made(Arguments&&... arguments) {
  void* place = std::malloc(sizeof(Value));
  return place == nullptr ? nullptr : new (place) Value(static_cast<Arguments&&>(arguments)...);
}

// Values that come one by one.
template <class Value>
class Growing {
 public:
  Growing() = default;
  Growing(const Growing&) = delete;
  Growing& operator=(const Growing&) = delete;
  ~Growing() { std::free(values_); }

  // False: no memory; what was there stays.
  bool reserve(std::size_t count) {
    if (count <= room_) return true;
    std::size_t room = room_ * 2 > 16 ? room_ * 2 : 16;
    if (room < count) room = count;
    if (room > SIZE_MAX / sizeof(Value)) return false;
    void* wider = std::realloc(values_, room * sizeof(Value));
    if (wider == nullptr) return false;
    values_ = static_cast<Value*>(wider);
    room_ = room;
    return true;
  }
  bool push(const Value& value) {
    if (!reserve(size_ + 1)) return false;
    values_[size_++] = value;
    return true;
  }
  void clear() { size_ = 0; }
  void cut(std::size_t size) { size_ = size < size_ ? size : size_; }

  Value* data() { return values_; }
  const Value* data() const { return values_; }
  std::size_t size() const { return size_; }
  Value& operator[](std::size_t place) { return values_[place]; }
  const Value& operator[](std::size_t place) const { return values_[place]; }

 private:
  Value* values_ = nullptr;
  std::size_t size_ = 0, room_ = 0;
};

}  // namespace engine
