// Texts through an encoder: vectors, and what may stand in a gap (the twin of
// sparrowlm/runtime/encoding.py and text/tokenizers/sequences.py).
#pragma once

#include "encoder_file.h"
#include "tokenizer.h"
#include "unicode.h"

namespace engine {

struct Filling {
  std::int32_t id;
  double probability;
};

class TextEncoder {
 public:
  TextEncoder() : crew_(1) {}
  ~TextEncoder();
  TextEncoder(const TextEncoder&) = delete;
  TextEncoder& operator=(const TextEncoder&) = delete;

  bool open(const Gguf& file, const Kernels& kernels, Complaint& complaint);
  const EncoderFile& file() const { return file_; }
  std::size_t width() const { return file_.shape().width; }
  const Kernels& kernels() const { return *kernels_; }
  Text piece(std::int32_t id) const { return tokenizer_.piece(id); }

  // The ids of a text, nothing before them; false: no memory, as in all that follow.
  bool encode(const std::uint32_t* codes, std::size_t count, Ids& ids);
  // The mean and the largest of a text's states: 2 * width numbers that stay until the next call.
  const float* pooled(Text text);
  // A vector of length one: width numbers that stay until the next call. Null: no memory.
  const float* vector(Text text);
  // States of ids: rows of width numbers, which stay until the next call. Null: no memory.
  const float* states(const std::int32_t* ids, std::size_t count, const float* added);
  // The mean and the largest of rows of width numbers.
  void pool(const float* states, std::size_t count, float* found) const;

  // Reads a text with gaps, "[MASK]" each. False, with a complaint: there is none, or the text is
  // too long, or there is no memory.
  bool read_gaps(Text text, std::size_t& num_gaps, Complaint& complaint);
  // What may stand in a gap, likeliest first, at most `most`; false: no memory.
  bool fill(std::size_t gap, std::size_t most, Growing<Filling>& found);

 private:
  bool read_ends(Text text);

  EncoderFile file_;
  Tokenizer tokenizer_;
  bool is_uncased_ = false, is_character_ = false;
  const Kernels* kernels_ = nullptr;
  Crew crew_;
  Encoder* encoder_ = nullptr;
  Codes codes_, read_;
  Growing<char> spelled_;
  Ids ids_, sequence_;
  Growing<std::size_t> gaps_;
  Growing<float> states_;
  Room<float> pooled_, row_, scores_;
};

}  // namespace engine
