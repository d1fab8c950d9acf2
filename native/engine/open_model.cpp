#include "open_model.h"

namespace engine {

OpenModel::~OpenModel() {
  if (writer_ != nullptr) writer_->~Writer();
  std::free(writer_);
  if (decoder_ != nullptr) decoder_->destroy();
  std::free(decoder_);
}

bool OpenModel::is_as_made(Complaint& complaint) {
  return self_test() != SelfTest::kFailed ||
         complaint.say("this machine computes other numbers than the file's maker did: the file is "
                       "damaged, or the kernels ", kernels(), " are wrong here");
}

bool OpenModel::open(const std::uint8_t* bytes, std::size_t size, const char* kernels,
                     Complaint& complaint) {
  kernels_ = kernels_called(kernels);
  if (kernels_ == nullptr) return complaint.say("this machine does not have the kernels ", kernels);
  if (!model_.open(bytes, size, complaint) ||
      !tokenizer_.open(model_.file(), model_.vocab_size(), complaint)) {
    return false;
  }
  decoder_ = model_.decoder(*kernels_, crew_, kRowsAtOnce);
  if (decoder_ != nullptr) {
    Mixture* mixture = nullptr;
    if (Mixture::is_in(model_.file())) {
      mixture = &mixture_;
      if (!mixture_.open(model_.file(), model_.vocab_size(), *kernels_, complaint)) {
        return false;
      }
    }
    writer_ = made<Writer>(tokenizer_, characters_, *decoder_, mixture, *kernels_);
  }
  const bool is_made = writer_ != nullptr && characters_.make(tokenizer_) && decoder_->make() &&
                       writer_->make();
  return is_made || complaint.say("there is not enough memory");
}

}  // namespace engine
