#include "tokenizer.h"

#include "hashing.h"
#include "pretokens.h"
#include "utf8.h"

namespace engine {
namespace {

// Source: Fowler, Noll and Vo, FNV-1a, 64 bits.
std::uint64_t spread_hash(Text key) {
  const std::uint64_t hash = hash_of(key.data, key.size);
  return hash ^ hash >> 32;
}

bool same(Text a, Text b) {
  return a.size == b.size && (a.size == 0 || __builtin_memcmp(a.data, b.data, a.size) == 0);
}

std::size_t power_above(std::size_t count) {
  std::size_t power = 16;
  while (power < 2 * count) power *= 2;
  return power;
}

Text part(Text text, std::size_t first, std::size_t size) { return {text.data + first, size}; }

std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

std::size_t spread(std::uint64_t pair) {
  pair *= 0x9E3779B97F4A7C15u;
  return static_cast<std::size_t>(pair ^ pair >> 32);
}

// GPT-2's signs: printable Latin-1 signs are their own bytes, the others follow from 256 on.
bool is_printable(std::uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

int byte_of_sign(std::uint32_t code) {
  if (code < 256) return is_printable(code) ? static_cast<int>(code) : -1;
  std::uint32_t rank = 256;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    if (!is_printable(byte) && rank++ == code) return static_cast<int>(byte);
  }
  return -1;
}

constexpr std::size_t kFirstByteId = 1, kNumBytes = 256;
// Up to so many bytes looking at all pairs after every merge is faster than keeping order.
constexpr std::size_t kLongPiece = 96;

}  // namespace

bool Index::make(const Room<Text>& texts) {
  texts_ = texts.data();
  return slots_.make(power_above(texts.size()));
}

std::size_t Index::slot_of(Text text) const {
  const std::size_t mask = slots_.size() - 1;
  auto slot = static_cast<std::size_t>(spread_hash(text)) & mask;
  while (slots_[slot] != 0 && !same(texts_[slots_[slot] - 1], text)) slot = (slot + 1) & mask;
  return slot;
}

void Index::put(std::size_t number) {
  std::int32_t& slot = slots_[slot_of(texts_[number])];
  if (slot == 0) slot = static_cast<std::int32_t>(number) + 1;
}

std::int32_t Index::find(Text text) const { return slots_[slot_of(text)] - 1; }

bool Tokenizer::open(const Gguf& file, std::size_t vocab_size, Complaint& complaint) {
  return read_kind(file, complaint) && read_pieces(file, vocab_size, complaint) &&
         (kind_ != Kind::kBytePairs || read_merges(file, complaint));
}

bool Tokenizer::read_kind(const Gguf& file, Complaint& complaint) {
  Text name, pre;
  if (file.text("sparrow.tokenizer.kind", name)) {
    if (name.is("bpe")) kind_ = Kind::kBytePairs;
    else if (name.is("character")) kind_ = Kind::kCharacter;
    else if (name.is("word")) kind_ = Kind::kWord;
    else return complaint.say("the tokenizer is ", name.data, name.size, ", which is unknown here");
    return true;
  }
  const bool is_known = file.text("tokenizer.ggml.model", name) && name.is("gpt2") &&
                        file.text("tokenizer.ggml.pre", pre) && pre.is("qwen2");
  return is_known || complaint.say("the tokenizer is not read here, only byte pairs cut as qwen2");
}

// Writes the bytes of a token behind those of the ones before.
bool Tokenizer::spell(Text token, std::size_t id, char*& to, Complaint& complaint) {
  char* const begin = to;
  if (kind_ != Kind::kBytePairs && id >= kFirstByteId && id < kFirstByteId + kNumBytes) {
    *to++ = static_cast<char>(id - kFirstByteId);
  } else if (id != 0) {
    for (std::size_t place = 0; place < token.size;) {
      const CodePoint point = code_point_at(token, place);
      if (kind_ == Kind::kBytePairs) {
        const int byte = point.is_valid ? byte_of_sign(point.code) : -1;
        if (byte < 0) return complaint.say("a token is no sequence of bytes");
        *to++ = static_cast<char>(byte);
      } else if (point.code == 0x2581) {
        *to++ = ' ';
      } else {
        __builtin_memcpy(to, token.data + place, point.size);
        to += point.size;
      }
      place += point.size;
    }
  }
  pieces_[id] = {begin, static_cast<std::size_t>(to - begin)};
  return true;
}

bool Tokenizer::read_pieces(const Gguf& file, std::size_t vocab_size, Complaint& complaint) {
  if (!file.texts("tokenizer.ggml.tokens", pieces_)) return complaint.say("there are no tokens");
  const std::size_t count = pieces_.size();
  if (count != vocab_size) return complaint.say("the tokenizer and the model differ in size");
  if (count < kFirstByteId + kNumBytes) return complaint.say("there are fewer tokens than bytes");
  std::size_t bytes = count;
  for (std::size_t id = 0; id < count; ++id) bytes += pieces_[id].size;
  if (!spelled_.make(bytes) || !ids_.make(pieces_)) return complaint.say("there is not enough memory");
  char* to = spelled_.data();
  for (std::size_t id = 0; id < count; ++id) {
    if (!spell(pieces_[id], id, to, complaint)) return false;
    if (pieces_[id].size > longest_) longest_ = pieces_[id].size;
    // Bytes are found apart, where the others are words and characters.
    const bool is_byte = kind_ != Kind::kBytePairs && id < kFirstByteId + kNumBytes;
    if (id != 0 && !is_byte) ids_.put(id);
  }
  for (std::size_t byte = 0; byte < kNumBytes; ++byte) {
    const char sign = static_cast<char>(byte);
    byte_ids_[byte] = kind_ == Kind::kBytePairs ? ids_.find({&sign, 1})
                                                : static_cast<std::int32_t>(kFirstByteId + byte);
    if (byte_ids_[byte] < 0) return complaint.say("a byte has no token");
  }
  if (kind_ != Kind::kWord) return true;
  const std::uint8_t* scores = file.floats("tokenizer.ggml.scores", count);
  if (scores == nullptr || !scores_.make(count)) return complaint.say("there are no scores of words");
  __builtin_memcpy(scores_.data(), scores, count * sizeof(float));
  // Source: the unigram model of the tokenizers library: an unknown character costs 10 nats more
  // than the least likely token.
  for (std::size_t id = 0; id < count; ++id) {
    if (scores_[id] < unknown_score_) unknown_score_ = scores_[id];
  }
  unknown_score_ -= 10.0f;
  return true;
}

bool Tokenizer::read_merges(const Gguf& file, Complaint& complaint) {
  Room<Text> lines;
  Index names;
  Room<Text> tokens;
  // A vocabulary of bytes alone has none.
  if (file.entry("tokenizer.ggml.merges") != nullptr &&
      !file.texts("tokenizer.ggml.merges", lines)) {
    return complaint.say("the merges are damaged");
  }
  if (!file.texts("tokenizer.ggml.tokens", tokens)) return complaint.say("there are no tokens");
  if (!merges_.make(power_above(lines.size())) || !names.make(tokens)) {
    return complaint.say("there is not enough memory");
  }
  for (std::size_t id = 0; id < tokens.size(); ++id) names.put(id);
  Growing<char> joined;
  for (std::size_t rank = 0; rank < lines.size(); ++rank) {
    const Text line = lines[rank];
    std::size_t space = 1;
    while (space < line.size && line.data[space] != ' ') ++space;
    if (space + 1 >= line.size) return complaint.say("a merge is damaged");
    const Text first = part(line, 0, space), second = part(line, space + 1, line.size - space - 1);
    joined.clear();
    for (std::size_t i = 0; i < line.size; ++i) {
      if (i != space && !joined.push(line.data[i])) return complaint.say("there is not enough memory");
    }
    const std::int32_t left = names.find(first), right = names.find(second);
    if (left == 0) continue;  // of the separator: stands for none, see export/gguf_tokens.py
    const std::int32_t result = names.find({joined.data(), joined.size()});
    if (left < 0 || right < 0 || result < 0) return complaint.say("a merge is of unknown tokens");
    const std::size_t mask = merges_.size() - 1;
    std::size_t slot = spread(pair_of(left, right)) & mask;
    while (merges_[slot].result != 0 && merges_[slot].pair != pair_of(left, right)) {
      slot = (slot + 1) & mask;
    }
    if (merges_[slot].result == 0) {
      merges_[slot] = {pair_of(left, right), static_cast<std::int32_t>(rank), result};
    }
  }
  return true;
}

const Tokenizer::Merge* Tokenizer::merge_of(std::int32_t left, std::int32_t right) const {
  const std::uint64_t pair = pair_of(left, right);
  const std::size_t mask = merges_.size() - 1;
  for (std::size_t slot = spread(pair) & mask;; slot = (slot + 1) & mask) {
    const Merge& merge = merges_[slot];
    if (merge.result == 0) return nullptr;
    if (merge.pair == pair) return &merge;
  }
}

bool Tokenizer::encode(Text text, Ids& ids) const {
  switch (kind_) {
    case Kind::kCharacter: return encode_characters(text, ids);
    case Kind::kWord: return encode_words(text, ids);
    case Kind::kBytePairs: return encode_pairs(text, ids);
  }
  return false;
}

bool Tokenizer::push_bytes(Text text, Ids& ids) const {
  for (std::size_t i = 0; i < text.size; ++i) {
    if (!ids.push(byte_ids_[static_cast<unsigned char>(text.data[i])])) return false;
  }
  return true;
}

bool Tokenizer::encode_characters(Text text, Ids& ids) const {
  for (std::size_t place = 0; place < text.size;) {
    const std::size_t size = code_point_at(text, place).size;
    const Text one = part(text, place, size);
    const std::int32_t id = ids_.find(one);
    if (!(id >= 0 ? ids.push(id) : push_bytes(one, ids))) return false;
    place += size;
  }
  return true;
}

// ---- byte pairs ----

bool Tokenizer::encode_pairs(Text text, Ids& ids) const {
  for (std::size_t place = 0; place < text.size;) {
    const std::size_t size = pretoken_at(text, place);
    if (!encode_piece(part(text, place, size), ids)) return false;
    place += size;
  }
  return true;
}

// Merges the pair of the lowest rank, the first of equals, until none is left.
bool Tokenizer::encode_piece(Text piece, Ids& ids) const {
  const std::size_t begin = ids.size();
  if (!push_bytes(piece, ids)) return false;
  if (piece.size > kLongPiece) return merge_long(ids, begin);
  for (;;) {
    const Merge* best = nullptr;
    std::size_t best_place = 0;
    for (std::size_t place = begin; place + 1 < ids.size(); ++place) {
      const Merge* merge = merge_of(ids[place], ids[place + 1]);
      if (merge != nullptr && (best == nullptr || merge->rank < best->rank)) {
        best = merge;
        best_place = place;
      }
    }
    if (best == nullptr) return true;
    ids[best_place] = best->result;
    for (std::size_t place = best_place + 1; place + 1 < ids.size(); ++place) {
      ids[place] = ids[place + 1];
    }
    ids.cut(ids.size() - 1);
  }
}

}  // namespace engine
