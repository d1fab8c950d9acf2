// A model that understands texts: an encoder, a classifier, or a tagger.
#pragma once

#include "classifier.h"
#include "tagger.h"

namespace engine {

class TaskModel {
 public:
  // Whether a file is one of these, so that it is not taken for a decoder's.
  static bool is_in(const Gguf& file);
  // Whether bytes are such a file.
  static bool are(const std::uint8_t* bytes, std::size_t size);

  // The bytes must stay where they are.
  bool open(const std::uint8_t* bytes, std::size_t size, const char* kernels,
            Complaint& complaint);
  Text kind() const { return kind_; }
  const char* kernels() const { return kernels_->name; }
  // Null: the model has none.
  TextEncoder* encoder() { return has_encoder_ ? &encoder_ : nullptr; }
  Classifier* classifier() { return is_classifier_ ? &classifier_ : nullptr; }
  Tagger* tagger() { return is_tagger_ ? &tagger_ : nullptr; }

 private:
  Gguf file_;
  Text kind_;
  const Kernels* kernels_ = nullptr;
  TextEncoder encoder_;
  Classifier classifier_;
  Tagger tagger_;
  bool has_encoder_ = false, is_classifier_ = false, is_tagger_ = false;
};

}  // namespace engine
