#include "classifier.h"

#include "angles.h"
#include "names.h"

namespace engine {
namespace {

constexpr std::size_t kMostLabels = 1 << 16;
constexpr char kWords[] = "words/chinese";

double sigmoid(double x) {
  const double shrunk = exponential(x < 0.0 ? x : -x);
  return x < 0.0 ? shrunk / (1.0 + shrunk) : 1.0 / (1.0 + shrunk);
}

double at_least(double value, double least) { return value > least ? value : least; }

}  // namespace

bool Classifier::open(const Gguf& file, TextEncoder* encoder, Complaint& complaint) {
  encoder_ = encoder;
  if (!read_settings(file, complaint) || !read_linear(file, complaint) ||
      !read_encoder(complaint) || !read_detector(file, complaint)) {
    return false;
  }
  for (std::size_t i = 0; i < num_weighed_; ++i) {
    if (!has_[order_[i]]) return complaint.say("a part of the classifier is missing");
  }
  const std::size_t count = num_labels();
  const bool is_made = scores_[kLinear].make(count) && scores_[kEncoder].make(count) &&
                       logits_.make(count) && probabilities_.make(count);
  return is_made || complaint.say("there is not enough memory");
}

bool Classifier::read_settings(const Gguf& file, Complaint& complaint) {
  Room<Text> parts;
  std::uint64_t several = 0;
  const auto refuse = [&] { return complaint.say("a setting of the classifier is damaged"); };
  if (!file.texts("sparrow.task.labels", labels_) || labels_.size() == 0 ||
      labels_.size() > kMostLabels || !file.texts("sparrow.task.parts", parts) ||
      parts.size() == 0 || parts.size() > kNumParts ||
      !file.real("sparrow.task.offset", offset_) ||
      !file.real("sparrow.task.threshold", threshold_) ||
      !file.number("sparrow.task.several", several)) {
    return refuse();
  }
  has_several_ = several != 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool is_linear = parts[i].is("linear");
    if (!is_linear && !parts[i].is("encoder")) return refuse();
    order_[i] = is_linear ? kLinear : kEncoder;
    const Name key = Name().add("sparrow.task.weight.").add(is_linear ? "linear" : "encoder");
    if (!file.real(key.text(), weights_[i])) return refuse();
  }
  num_weighed_ = parts.size();
  if (file.entry("sparrow.task.words") != nullptr && !file.texts("sparrow.task.words", words_)) {
    return refuse();
  }
  return true;
}

bool Classifier::read_detector(const Gguf& file, Complaint& complaint) {
  std::uint64_t label = 0, count = 0;
  if (!file.number("sparrow.task.detector.label", label)) return true;
  const auto refuse = [&] { return complaint.say("a setting of the classifier is damaged"); };
  const std::size_t expected = 3 + 2 * static_cast<std::size_t>(has_[kLinear] + has_[kEncoder]);
  if (label >= num_labels() || num_labels() < 3 ||
      !file.number("sparrow.task.detector.signs", count) || count != expected ||
      !file.real("sparrow.task.detector.offset", detector_offset_) ||
      !file.real("sparrow.task.detector.threshold", detector_threshold_)) {
    return refuse();
  }
  rejected_ = static_cast<std::size_t>(label);
  num_signs_ = expected;
  for (std::size_t i = 0; i < expected; ++i) {
    const auto key = [i](const char* what) {
      return Name().add("sparrow.task.detector.").add(what).add(".").add(i);
    };
    if (!file.real(key("mean").text(), means_[i]) || !file.real(key("scale").text(), scales_[i]) ||
        !file.real(key("weight").text(), signs_weights_[i])) {
      return refuse();
    }
  }
  has_detector_ = true;
  return true;
}

bool Classifier::read_linear(const Gguf& file, Complaint& complaint) {
  const Gguf::Tensor* linear = file.tensor("file/linear.bin");
  if (linear == nullptr) return true;
  const Gguf::Tensor* chinese = file.tensor(kWords);
  if (chinese != nullptr && !chinese_.open(chinese->data, chinese->bytes, complaint)) return false;
  if (!linear_.open(linear->data, linear->bytes, words_, chinese == nullptr ? nullptr : &chinese_,
                    complaint)) {
    return false;
  }
  const std::size_t columns = linear_.num_columns();
  has_[kLinear] = true;
  const bool fits = columns == num_labels() || (columns == 1 && num_labels() == 2);
  return fits || complaint.say("the n-grams are of other labels");
}

bool Classifier::read_encoder(Complaint& complaint) {
  if (encoder_ == nullptr) return true;
  has_[kEncoder] = true;
  const EncoderFile& file = encoder_->file();
  const bool is_read = file.head("head.weight", 2 * encoder_->width() * num_labels(), head_) &&
                       file.head("head.bias", num_labels(), head_bias_);
  return is_read || complaint.say("the encoder is of other labels");
}

bool Classifier::score_linear(Text text) {
  float* scores = scores_[kLinear].data();
  if (!linear_.score(text, scores)) return false;
  // Two labels that share one column.
  if (linear_.num_columns() == 1 && num_labels() == 2) {
    scores[1] = scores[0];
    scores[0] = -scores[0];
  }
  return true;
}

bool Classifier::score_encoder(Text text) {
  const float* pooled = encoder_->pooled(text);
  if (pooled == nullptr) return false;
  const std::size_t width = 2 * encoder_->width();
  for (std::size_t label = 0; label < num_labels(); ++label) {
    const float* row = head_.data() + label * width;
    double sum = 0.0;
    for (std::size_t d = 0; d < width; ++d) {
      sum += static_cast<double>(row[d]) * static_cast<double>(pooled[d]);
    }
    scores_[kEncoder][label] = static_cast<float>(sum) + head_bias_[label];
  }
  return true;
}

void Classifier::share(const float* logits) {
  const std::size_t count = num_labels();
  double top = static_cast<double>(logits[0]), total = 0.0;
  for (std::size_t i = 1; i < count; ++i) {
    if (static_cast<double>(logits[i]) > top) top = static_cast<double>(logits[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const double logit = static_cast<double>(logits[i]);
    probabilities_[i] = static_cast<float>(has_several_ ? sigmoid(logit) : exponential(logit - top));
    total += static_cast<double>(probabilities_[i]);
  }
  for (std::size_t i = 0; i < count && !has_several_; ++i) {
    probabilities_[i] = static_cast<float>(static_cast<double>(probabilities_[i]) / total);
  }
}

// The evidence that a text belongs nowhere, against what was allowed.
bool Classifier::is_refused(const float* logits) {
  const std::size_t count = num_labels();
  double top = -1e300, total = 0.0, first = 0.0, second = 0.0, entropy = 0.0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i != rejected_) top = at_least(static_cast<double>(logits[i]), top);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (i != rejected_) total += exponential(static_cast<double>(logits[i]) - top);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (i == rejected_) continue;
    const double given = exponential(static_cast<double>(logits[i]) - top) / total;
    entropy -= given * logarithm(at_least(given, 1e-12));
    if (given > first) {
      second = first;
      first = given;
    } else if (given > second) {
      second = given;
    }
  }
  double signs[kMostSigns] = {logarithm(first), first - second, entropy};
  std::size_t place = 3;
  // By name: "encoder" before "linear".
  constexpr Part kByName[] = {kEncoder, kLinear};
  for (const Part part : kByName) {
    if (!has_[part]) continue;
    double most = -1e300;
    for (std::size_t i = 0; i < count; ++i) {
      if (i != rejected_) most = at_least(static_cast<double>(scores_[part][i]), most);
    }
    signs[place++] = most;
    signs[place++] = static_cast<double>(scores_[part][rejected_]);
  }
  double sum = 0.0;
  for (std::size_t i = 0; i < num_signs_; ++i) {
    sum += (signs[i] - means_[i]) / scales_[i] * signs_weights_[i];
  }
  return sum + detector_offset_ > detector_threshold_;
}

// A text that belongs nowhere gets the label that says so, every other text never.
void Classifier::refuse_or_share() {
  const std::size_t count = num_labels();
  double wanted = 0.0, others = 0.0;
  if (is_refused(logits_.data())) {
    wanted = at_least(static_cast<double>(probabilities_[rejected_]), 0.5);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (i != rejected_) others += static_cast<double>(probabilities_[i]);
  }
  const double factor = (1.0 - wanted) / at_least(others, 1e-12);
  for (std::size_t i = 0; i < count; ++i) {
    probabilities_[i] = static_cast<float>(static_cast<double>(probabilities_[i]) * factor);
  }
  probabilities_[rejected_] = static_cast<float>(wanted);
}

const float* Classifier::classify(Text text, Complaint& complaint) {
  if ((has_[kLinear] && !score_linear(text)) || (has_[kEncoder] && !score_encoder(text))) {
    complaint.say(has_[kLinear] && linear_.lacks_words()
                      ? "the file has no dictionary of Chinese words; write one that has: "
                        "sparrow export FILE.gguf -o OTHER.gguf"
                      : "there is not enough memory");
    return nullptr;
  }
  const std::size_t count = num_labels();
  for (std::size_t i = 0; i < count; ++i) logits_[i] = static_cast<float>(offset_);
  for (std::size_t part = 0; part < num_weighed_; ++part) {
    const auto weight = static_cast<float>(weights_[part]);
    const float* scores = scores_[order_[part]].data();
    for (std::size_t i = 0; i < count; ++i) logits_[i] += scores[i] * weight;
  }
  share(logits_.data());
  if (has_detector_) refuse_or_share();
  likeliest_ = 0;
  for (std::size_t i = 1; i < count; ++i) {
    if (probabilities_[i] > probabilities_[likeliest_]) likeliest_ = i;
  }
  return probabilities_.data();
}

bool Classifier::is_given(std::size_t label) const {
  if (!has_several_ && label != likeliest_) return false;
  return static_cast<double>(probabilities_[label]) >= threshold_;
}

}  // namespace engine
