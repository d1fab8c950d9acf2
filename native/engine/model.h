// A model out of the bytes of a GGUF file: a Transformer (transformer_file.h), a recurrent network
// (recurrent_file.h), or a counting model alone, which is the part "file/ngram.bin".
#pragma once

#include "ngram.h"
#include "recurrent_file.h"
#include "session.h"
#include "transformer_file.h"

namespace engine {

class Model {
 public:
  // crew: see WeightReader.
  explicit Model(Crew& crew) : reader_(crew) {}
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // The bytes must stay where they are.
  bool open(const std::uint8_t* bytes, std::size_t size, Complaint& complaint);
  // See WeightReader.
  void when_packed(WeightReader::Packed packed, void* context) {
    reader_.when_packed(packed, context);
  }

  const Gguf& file() const { return file_; }
  std::size_t vocab_size() const;
  // Of all matrices.
  std::size_t num_bytes() const { return reader_.num_bytes(); }
  // A number that tells models apart: of the sizes and the first weights.
  std::uint64_t identity() const;
  // What reads ids, still to be made; null: no memory. Whoever gets it destroys and frees it,
  // before the model goes.
  Decoder* decoder(const Kernels& kernels, Crew& crew, std::size_t most_rows) const;

 private:
  enum class Kind { kTransformer, kRecurrent, kNgram };

  bool open_ngram(Complaint& complaint);

  Kind kind_ = Kind::kTransformer;
  Gguf file_;
  WeightReader reader_;
  TransformerFile transformer_;
  RecurrentFile recurrent_;
  Ngram ngram_;
  std::size_t ngram_vocab_size_ = 0;
};

}  // namespace engine
