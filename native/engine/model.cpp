#include "model.h"

#include "ngram_decoder.h"
#include "recurrent_decoder.h"
#include "transformer_decoder.h"

namespace engine {
namespace {

constexpr char kCounts[] = "file/ngram.bin";
constexpr std::size_t kHashedBytes = 1 << 16, kMostIds = 1 << 20;

}  // namespace

bool Model::open(const std::uint8_t* bytes, std::size_t size, Complaint& complaint) {
  if (!file_.open(bytes, size, complaint)) return false;
  if (RecurrentFile::is_in(file_)) {
    kind_ = Kind::kRecurrent;
    return recurrent_.open(file_, reader_, complaint);
  }
  if (file_.tensor("token_embd.weight") == nullptr) {
    if (file_.tensor(kCounts) != nullptr && file_.entry("sparrow.vocab_size") != nullptr) {
      kind_ = Kind::kNgram;
      return open_ngram(complaint);
    }
    if (file_.entry("sparrow.manifest") != nullptr) {
      return complaint.say("this model is run by sparrow in Python only; ",
                           "export it again if it is an LSTM, RNN or n-gram model");
    }
  }
  return transformer_.open(file_, reader_, complaint);
}

bool Model::open_ngram(Complaint& complaint) {
  const Gguf::Tensor& counts = *file_.tensor(kCounts);
  if (!read_size(file_, {"sparrow", 7}, "vocab_size", ngram_vocab_size_, complaint)) return false;
  if (ngram_vocab_size_ == 0 || ngram_vocab_size_ > kMostIds) {
    return complaint.say("a size is 0 or above 2^20");
  }
  return ngram_.open(counts.data, counts.bytes, ngram_vocab_size_, complaint);
}

std::size_t Model::vocab_size() const {
  switch (kind_) {
    case Kind::kRecurrent: return recurrent_.shape().vocab_size;
    case Kind::kNgram: return ngram_vocab_size_;
    default: return transformer_.shape().vocab_size;
  }
}

std::uint64_t Model::identity() const {
  switch (kind_) {
    case Kind::kRecurrent: return recurrent_.identity();
    case Kind::kNgram: {
      const Gguf::Tensor& counts = *file_.tensor(kCounts);
      const std::size_t hashed = counts.bytes < kHashedBytes ? counts.bytes : kHashedBytes;
      const std::uint64_t size = counts.bytes;
      return hash_of(counts.data, hashed, hash_of(&size, sizeof size));
    }
    default: return transformer_.identity();
  }
}

Decoder* Model::decoder(const Kernels& kernels, Crew& crew, std::size_t most_rows) const {
  switch (kind_) {
    case Kind::kRecurrent:
      return made<RecurrentDecoder>(recurrent_.shape(), recurrent_.weights(), kernels, crew,
                                    most_rows);
    case Kind::kNgram:
      return made<NgramDecoder>(ngram_, ngram_vocab_size_, kernels, most_rows);
    default:
      return made<TransformerDecoder>(transformer_.shape(), transformer_.weights(), kernels, crew,
                                      most_rows);
  }
}

}  // namespace engine
