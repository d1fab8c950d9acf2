// Text to ids and back, out of the settings of a GGUF file.
//
//   sparrow.tokenizer.kind    "bpe", "character" or "word"; without it tokenizer.ggml.model
//                             "gpt2" with tokenizer.ggml.pre "qwen2" is "bpe"
//   tokenizer.ggml.tokens     bpe: bytes as GPT-2's signs; else the text, a space as U+2581, ids 1
//                             to 256 the bytes
//   tokenizer.ggml.merges     bpe
//   tokenizer.ggml.scores     word: natural logarithms of probabilities
//
// Id 0 is the separator. Bytes that are no UTF-8 become byte tokens.
#pragma once

#include "gguf.h"

namespace engine {

using Ids = Growing<std::int32_t>;

// From bytes to a number; the bytes stay where they are.
class Index {
 public:
  // texts stay where they are.
  bool make(const Room<Text>& texts);
  void put(std::size_t number);         // the first of equal texts stays
  std::int32_t find(Text text) const;   // its number, -1: unknown

 private:
  std::size_t slot_of(Text text) const;
  const Text* texts_ = nullptr;
  Room<std::int32_t> slots_;  // 0 is free, else a number + 1
};

class Tokenizer {
 public:
  // vocab_size: what the model has.
  bool open(const Gguf& file, std::size_t vocab_size, Complaint& complaint);

  std::size_t size() const { return pieces_.size(); }
  // The bytes of a token, none for the separator.
  Text piece(std::int32_t id) const { return pieces_[static_cast<std::size_t>(id)]; }
  const Text* pieces() const { return pieces_.data(); }
  // Appends the ids of a text. False: no memory.
  bool encode(Text text, Ids& ids) const;

 private:
  enum class Kind { kBytePairs, kCharacter, kWord };
  struct Merge {
    std::uint64_t pair;  // left id, right id
    std::int32_t rank, result;
  };

  bool read_kind(const Gguf& file, Complaint& complaint);
  bool read_pieces(const Gguf& file, std::size_t vocab_size, Complaint& complaint);
  bool read_merges(const Gguf& file, Complaint& complaint);
  bool spell(Text token, std::size_t id, char*& to, Complaint& complaint);
  const Merge* merge_of(std::int32_t left, std::int32_t right) const;

  bool encode_characters(Text text, Ids& ids) const;
  bool encode_words(Text text, Ids& ids) const;
  bool encode_word(Text word, Ids& ids) const;
  bool encode_pairs(Text text, Ids& ids) const;
  bool encode_piece(Text piece, Ids& ids) const;
  bool merge_long(Ids& ids, std::size_t begin) const;
  bool push_bytes(Text text, Ids& ids) const;

  Kind kind_ = Kind::kBytePairs;
  Room<Text> pieces_;
  Room<char> spelled_;
  Room<float> scores_;
  float unknown_score_ = 0.0f;
  std::size_t longest_ = 0;
  Index ids_;
  std::int32_t byte_ids_[256];
  Room<Merge> merges_;
};

}  // namespace engine
