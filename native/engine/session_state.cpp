// What a session has read, as bytes that another process can go on from.
//
//   0   "SPARROWS"         8   version (u32), 0 (u32)     16  identity of the model (u64)
//   24  number of ids      32  hash of everything from byte 40 on (u64)
//   40  what the kind of decoder goes on from, see their restore_body
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

}  // namespace

// Functions without a body end up here where there is no library of C++; nobody calls one.
extern "C" __attribute__((weak)) void __cxa_pure_virtual() { __builtin_trap(); }

std::size_t Decoder::saved_bytes(const Session& session) const {
  return kHeaderBytes + body_bytes(session.length());
}

void Decoder::save(Session& session, std::uint64_t identity, std::uint8_t* to) const {
  save_body(session, to + kHeaderBytes);
  Header header{{}, kVersion, 0, identity, session.length(), 0};
  __builtin_memcpy(header.magic, kMagic, sizeof header.magic);
  header.hash = hash_of(to + kHeaderBytes, body_bytes(session.length()));
  __builtin_memcpy(to, &header, sizeof header);
}

bool Decoder::restore(Session& session, std::uint64_t identity, const std::uint8_t* from,
                      std::size_t size, Complaint& complaint) const {
  Header header;
  if (size < kHeaderBytes) return complaint.say("this is no saved state");
  __builtin_memcpy(&header, from, sizeof header);
  if (__builtin_memcmp(header.magic, kMagic, sizeof header.magic) != 0) {
    return complaint.say("this is no saved state");
  }
  if (header.version != kVersion) return complaint.say("the state is of another version");
  if (header.identity != identity) return complaint.say("the state is of another model");
  const std::uint8_t* body = from + kHeaderBytes;
  const std::size_t bytes = size - kHeaderBytes;
  if (header.count > most_length() ||
      bytes != body_bytes(static_cast<std::size_t>(header.count)) ||
      hash_of(body, bytes) != header.hash) {
    return complaint.say("the state is damaged");
  }
  return restore_body(session, static_cast<std::size_t>(header.count), body, complaint);
}

bool Decoder::are_ids(const std::uint8_t* from, std::size_t count) const {
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t id;
    __builtin_memcpy(&id, from + i * sizeof id, sizeof id);
    if (id < 0 || static_cast<std::size_t>(id) >= vocab_size()) return false;
  }
  return true;
}

}  // namespace engine
