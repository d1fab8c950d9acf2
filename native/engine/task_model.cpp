#include "task_model.h"

namespace engine {
namespace {

constexpr char kKind[] = "sparrow.task.kind";

}  // namespace

bool TaskModel::is_in(const Gguf& file) {
  return file.tensor("token_embd.weight") == nullptr &&
         (file.entry(kKind) != nullptr || file.tensor("file/encoder.bin") != nullptr ||
          file.tensor("file/linear.bin") != nullptr || file.tensor("file/crf.bin") != nullptr);
}

bool TaskModel::are(const std::uint8_t* bytes, std::size_t size) {
  Gguf file;
  Complaint complaint;
  return file.open(bytes, size, complaint) && is_in(file);
}

bool TaskModel::open(const std::uint8_t* bytes, std::size_t size, const char* kernels,
                     Complaint& complaint) {
  kernels_ = kernels_called(kernels);
  if (kernels_ == nullptr) return complaint.say("this machine does not have the kernels ", kernels);
  if (!file_.open(bytes, size, complaint)) return false;
  if (!file_.text(kKind, kind_)) {
    return complaint.say("the file was written before such models ran without Python: ",
                         "export the model again");
  }
  is_classifier_ = kind_.is("classify");
  is_tagger_ = kind_.is("tag") || kind_.is("intent") || kind_.is("segment");
  if (!is_classifier_ && !is_tagger_ && !kind_.is("encoder")) {
    return complaint.say("a model of the kind ", kind_.data, kind_.size,
                         " runs in Python only: sparrow predict MODEL TEXT");
  }
  if (EncoderFile::is_in(file_)) {
    if (!encoder_.open(file_, *kernels_, complaint)) return false;
    has_encoder_ = true;
  }
  if (is_tagger_) return tagger_.open(file_, encoder(), complaint);
  if (is_classifier_) return classifier_.open(file_, encoder(), complaint);
  return has_encoder_ || complaint.say("the file holds no encoder");
}

}  // namespace engine
