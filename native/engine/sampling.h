// From scores to one id: repetition penalty, temperature, top-k, top-p, min-p, in this order.
#pragma once

#include "kernels.h"
#include "memory.h"

namespace engine {

struct Sampling {
  float temperature = 1.0f;         // 0 takes the likeliest id, the lowest of equals
  std::size_t top_k = 0;            // 0 keeps all
  float top_p = 1.0f;               // 1 keeps all
  float min_p = 0.0f;               // 0 keeps all
  float repetition_penalty = 1.0f;  // multiplies logarithms of probabilities
};

// The id with the highest score, the lowest of equals; logits have room for a multiple of 16.
std::int32_t likeliest(const Kernels& kernels, float* logits, std::size_t vocab_size);

// What scores are above the natural logarithms of their probabilities. Both have room for a
// multiple of 16; what stands in spare is lost.
float log_total(const Kernels& kernels, float* logits, std::size_t vocab_size, float* spare);

// The ids of the highest scores, highest first, the lower id of equals; at most count of them.
// Returns how many.
std::size_t likeliest(const float* logits, std::size_t vocab_size, std::size_t count,
                      std::int32_t* ids);

class Sampler {
 public:
  static constexpr std::size_t kRecent = 64;  // ids that count as repetitions

  explicit Sampler(const Kernels& kernels) : kernels_(kernels) {}
  // False: no memory.
  bool make(std::size_t vocab_size);

  // logits    padded to a multiple of 16, changed
  // allowed   one byte an id, or null
  // recent    ids before, of which the last 64 count
  // chance    0 to below 1
  std::int32_t draw(float* logits, const Sampling& sampling, const std::uint8_t* allowed,
                    const std::int32_t* recent, std::size_t num_recent, double chance);

 private:
  // Shares are added up in blocks of so many.
  static constexpr std::size_t kBlock = 256;

  struct Near {
    float share;
    std::int32_t id;
  };

  void penalise(float* logits, float penalty, const std::int32_t* recent, std::size_t count);
  std::int32_t draw_from_all(double chance) const;
  std::int32_t draw_from_likeliest(const Sampling& sampling, double chance);
  void keep_likeliest(std::size_t most, double sum);
  std::size_t gather(std::uint32_t lowest, std::uint32_t highest);
  double sum_of(std::size_t first, std::size_t last) const;
  double total() const;

  const Kernels& kernels_;
  std::size_t vocab_size_ = 0, padded_ = 0;
  Room<float> shares_;
  Room<Near> near_;  // the ids around the last one to be kept, the lower id first
};

}  // namespace engine
