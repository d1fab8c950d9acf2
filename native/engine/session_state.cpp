// What a session has read, as bytes that another process can go on from.
//
//   0   "SPARROWS"         8   version (u32), 0 (u32)     16  identity of the model (u64)
//   24  number of ids      32  hash of everything from byte 40 on (u64)
//   40  ids (i32)          ..  keys and values (float16), head by head, whole tiles of positions
#include "hashing.h"
#include "session.h"

namespace engine {
namespace {

constexpr char kMagic[] = "SPARROWS";
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kHeaderBytes = 40;

struct Header {
  char magic[8];
  std::uint32_t version, nothing;
  std::uint64_t identity, count, hash;
};
static_assert(sizeof(Header) == kHeaderBytes);

std::size_t numbers_of_head(const Shape& shape, std::size_t count) {
  return num_tiles(count, kTileRows) * kTileRows * shape.head_width;
}

std::size_t all_bytes(const Shape& shape, std::size_t count) {
  return kHeaderBytes + count * sizeof(std::int32_t) +
         2 * shape.num_layers * shape.num_kv_heads * numbers_of_head(shape, count) * sizeof(std::uint16_t);
}

template <class Visit>
void every_head(Memory& memory, const Shape& shape, const Visit& visit) {
  for (std::size_t layer = 0; layer < shape.num_layers; ++layer) {
    for (std::size_t head = 0; head < shape.num_kv_heads; ++head) {
      visit(memory.keys(layer, head));
      visit(memory.values(layer, head));
    }
  }
}

}  // namespace

std::size_t Session::saved_bytes(const Shape& shape) const { return all_bytes(shape, length()); }

void Session::save(const Shape& shape, std::uint64_t identity, std::uint8_t* to) {
  const std::size_t size = numbers_of_head(shape, length()) * sizeof(std::uint16_t);
  std::uint8_t* place = to + kHeaderBytes;
  __builtin_memcpy(place, ids_.data(), length() * sizeof(std::int32_t));
  place += length() * sizeof(std::int32_t);
  every_head(memory_, shape, [&](const std::uint16_t* numbers) {
    __builtin_memcpy(place, numbers, size);
    place += size;
  });
  Header header{{}, kVersion, 0, identity, length(), 0};
  __builtin_memcpy(header.magic, kMagic, sizeof header.magic);
  header.hash = hash_of(to + kHeaderBytes, saved_bytes(shape) - kHeaderBytes);
  __builtin_memcpy(to, &header, sizeof header);
}

bool Session::restore(const Shape& shape, std::uint64_t identity, const std::uint8_t* from,
                      std::size_t size, Complaint& complaint) {
  Header header;
  if (size < kHeaderBytes) return complaint.say("this is no saved state");
  __builtin_memcpy(&header, from, sizeof header);
  if (__builtin_memcmp(header.magic, kMagic, sizeof header.magic) != 0) {
    return complaint.say("this is no saved state");
  }
  if (header.version != kVersion) return complaint.say("the state is of another version");
  if (header.identity != identity) return complaint.say("the state is of another model");
  if (header.count > shape.context || size != all_bytes(shape, header.count) ||
      hash_of(from + kHeaderBytes, size - kHeaderBytes) != header.hash) {
    return complaint.say("the state is damaged");
  }
  const auto count = static_cast<std::size_t>(header.count);
  const std::uint8_t* place = from + kHeaderBytes;
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t id;
    __builtin_memcpy(&id, place + i * sizeof id, sizeof id);
    if (id < 0 || static_cast<std::size_t>(id) >= shape.vocab_size) {
      return complaint.say("the state is damaged");
    }
  }
  if (!make(shape)) return complaint.say("there is not enough memory");
  __builtin_memcpy(ids_.data(), place, count * sizeof(std::int32_t));
  place += count * sizeof(std::int32_t);
  const std::size_t bytes = numbers_of_head(shape, count) * sizeof(std::uint16_t);
  every_head(memory_, shape, [&](std::uint16_t* numbers) {
    __builtin_memcpy(numbers, place, bytes);
    place += bytes;
  });
  memory_.length = count;
  return true;
}

}  // namespace engine
