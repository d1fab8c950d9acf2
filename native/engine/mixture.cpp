#include "mixture.h"

#include "angles.h"

namespace engine {
namespace {

constexpr std::size_t kNetworkFeatures = 3;
constexpr double kLeast = 1e-30;

}  // namespace

bool Mixture::open(const Gguf& file, std::size_t vocab_size, const Kernels& kernels,
                   Complaint& complaint) {
  const Gguf::Tensor* counts = file.tensor("file/ngram.bin");
  const Gguf::Tensor* gate = file.tensor("file/gate.safetensors");
  if (counts == nullptr || gate == nullptr) return complaint.say("a part of the mixture is missing");
  kernels_ = &kernels;
  vocab_size_ = vocab_size;
  if (!ngram_.open(counts->data, counts->bytes, vocab_size, complaint)) return false;
  const std::size_t order = ngram_.order();
  const std::size_t num_features = 3 * order + RecentText::kNumFeatures + kNetworkFeatures;
  if (!gate_.open(gate->data, gate->bytes, num_features, order + 2, complaint)) return false;
  const bool is_made = rows_.make(order * vocab_size) && recent_row_.make(vocab_size) &&
                       features_.make(num_features) && weights_.make(order + 2) &&
                       shares_.make(num_tiles(vocab_size, kTileRows) * kTileRows);
  return is_made || complaint.say("there is not enough memory");
}

bool Mixture::start(Memory& memory) const {
  memory.place = ngram_.start();
  return memory.recent.make(vocab_size_);
}

void Mixture::read(Memory& memory, std::int32_t id) const {
  ngram_.advance(memory.place, id);
  memory.recent.read(id);
}

// Entropy, highest and second highest logarithm of a probability; leaves the shares behind.
void Mixture::describe_network(const float* logits, float* features) {
  const std::size_t padded = num_tiles(vocab_size_, kTileRows) * kTileRows;
  top_ = kernels_->largest(logits, padded);
  total_ = kernels_->shares(logits, padded, top_, 1.0f, shares_.data());
  const double whole = logarithm(total_);
  double entropy = 0.0;
  float first = -1e30f, second = -1e30f;
  for (std::size_t v = 0; v < vocab_size_; ++v) {
    const float logit = logits[v];
    entropy += static_cast<double>(shares_[v]) * (whole - static_cast<double>(logit - top_));
    if (logit > first) {
      second = first;
      first = logit;
    } else if (logit > second) {
      second = logit;
    }
  }
  features[0] = static_cast<float>(entropy / total_);
  features[1] = static_cast<float>(static_cast<double>(second - top_) - whole);
  features[2] = static_cast<float>(static_cast<double>(first - top_) - whole);
}

void Mixture::mix(Memory& memory, float* logits) {
  const std::size_t order = ngram_.order();
  const std::size_t padded = num_tiles(vocab_size_, kTileRows) * kTileRows;
  for (std::size_t v = vocab_size_; v < padded; ++v) logits[v] = -1e30f;
  float *counts = features_.data(), *kinds = counts + order, *is_known = kinds + order;
  float *recent = is_known + order, *network = recent + RecentText::kNumFeatures;
  ngram_.predict(memory.place, rows_.data(), counts, kinds);
  for (std::size_t n = 0; n < order; ++n) {
    is_known[n] = counts[n] > 0.0f ? 1.0f : 0.0f;
    counts[n] = static_cast<float>(logarithm(1.0 + static_cast<double>(counts[n])));
    kinds[n] = static_cast<float>(logarithm(1.0 + static_cast<double>(kinds[n])));
  }
  memory.recent.predict(recent_row_.data(), recent);
  describe_network(logits, network);
  gate_.weigh(features_.data(), weights_.data());
  const double of_recent = static_cast<double>(weights_[order]);
  const double of_network = static_cast<double>(weights_[order + 1]) / total_;
  for (std::size_t v = 0; v < vocab_size_; ++v) {
    double mixed = of_recent * recent_row_[v] + of_network * static_cast<double>(shares_[v]);
    for (std::size_t n = 0; n < order; ++n) {
      mixed += static_cast<double>(weights_[n]) * rows_[n * vocab_size_ + v];
    }
    logits[v] = static_cast<float>(mixed > kLeast ? mixed : kLeast);
  }
  kernels_->logarithms(logits, padded, vocab_size_);
}

}  // namespace engine
