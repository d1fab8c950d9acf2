#include "self_test.h"

#include "hashing.h"

namespace engine {
namespace {

constexpr std::size_t kMostIds = 64;
// Counted up when the kernels compute other bits: older files are read, but have nothing to compare.
constexpr char kGoldenHash[] = "sparrow.golden.hash_2";

}  // namespace

bool golden_hash(Decoder& decoder, const std::int32_t* ids, std::size_t count,
                 std::uint64_t& hash) {
  Session session;
  Room<float> logits;
  if (!decoder.start(session) || !logits.make(decoder.logits_stride())) return false;
  decoder.read(session, ids, count, logits.data());
  hash = hash_of(logits.data(), decoder.vocab_size() * sizeof(float));
  return true;
}

SelfTest self_test(const Gguf& file, Decoder& decoder) {
  const Gguf::Entry* entry = file.entry("sparrow.golden.ids");
  const Gguf::Entry* expected = file.entry(kGoldenHash);
  if (entry == nullptr || expected == nullptr) return SelfTest::kAbsent;
  const bool is_whole = entry->is_array && entry->kind == Gguf::Kind::kInt32 && entry->count > 0 &&
                        entry->count <= kMostIds && !expected->is_array &&
                        expected->kind == Gguf::Kind::kUint64;
  if (!is_whole) return SelfTest::kFailed;
  std::int32_t ids[kMostIds];
  __builtin_memcpy(ids, entry->value, entry->count * sizeof(std::int32_t));
  for (std::size_t i = 0; i < entry->count; ++i) {
    if (ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= decoder.vocab_size()) return SelfTest::kFailed;
  }
  std::uint64_t wanted, found;
  __builtin_memcpy(&wanted, expected->value, sizeof wanted);
  const bool is_equal = golden_hash(decoder, ids, entry->count, found) && found == wanted;
  return is_equal ? SelfTest::kPassed : SelfTest::kFailed;
}

}  // namespace engine
