// The residual sum with dropout, and RMSNorm.
#include "kernels.h"

#include <cmath>

namespace {

// Which activations are dropped: a function of seed and place, so that nothing has to be kept.
struct Dropout {
  std::uint32_t seed = 0;
  std::uint32_t limit = 0;  // share dropped, times 2^32
  float scale = 1.0f;

  // Source: Appleby, MurmurHash3, the 32-bit finaliser.
  IN_EVERY_CLONE Lanes apply(Lanes value, std::size_t place) const {
    if (limit == 0) return value;
    Bits hash{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    hash = (hash + static_cast<std::uint32_t>(place)) * 0x9E3779B1u + seed;
    hash = (hash ^ (hash >> 16)) * 0x85EBCA6Bu;
    hash = (hash ^ (hash >> 13)) * 0xC2B2AE35u;
    hash = hash ^ (hash >> 16);
    const Whole is_kept = hash >= limit;
    return is_kept ? value * scale : Lanes{};
  }
};

Dropout dropout_of(float share, std::uint32_t seed) {
  if (share <= 0.0f) return {};
  return {seed, static_cast<std::uint32_t>(share * 4294967296.0), 1.0f / (1.0f - share)};
}

// ---- residual sum and RMSNorm (Zhang and Sennrich 2019, equation 4) ----

struct NormJob {
  Address residual, addend, weight, sum, normed, inverse;  // addend 0: nothing is added
  Address grad_normed, grad_sum, grad_residual, grad_addend, grad_weight_parts;
  std::size_t width;
  float epsilon;
  Dropout dropout;
};

template <class Value>
IN_EVERY_CLONE void norm_forward(const NormJob& job, std::size_t, std::size_t begin,
                                 std::size_t end) {
  const std::size_t width = job.width;
  const float* weight = at<const float>(job.weight);
  for (std::size_t n = begin; n < end; ++n) {
    const Value* row = at<const Value>(job.residual) + n * width;
    Lanes squares{};
    if (job.addend != 0) {
      const Value* addend = at<const Value>(job.addend) + n * width;
      Value* sum = at<Value>(job.sum) + n * width;
      for (std::size_t d = 0; d < width; d += kLanes) {
        store(sum + d, load(row + d) + job.dropout.apply(load(addend + d), n * width + d));
      }
      row = sum;
    }
    for (std::size_t d = 0; d < width; d += kLanes) squares += load(row + d) * load(row + d);
    const float mean = lanes::sum(squares) / static_cast<float>(width);
    const float inverse = 1.0f / std::sqrt(mean + job.epsilon);
    at<float>(job.inverse)[n] = inverse;
    Value* normed = at<Value>(job.normed) + n * width;
    for (std::size_t d = 0; d < width; d += kLanes) {
      store(normed + d, load(row + d) * inverse * load(weight + d));
    }
  }
}

template <class Value>
IN_EVERY_CLONE void norm_backward(const NormJob& job, std::size_t chunk, std::size_t begin,
                                  std::size_t end) {
  const std::size_t width = job.width;
  const float* weight = at<const float>(job.weight);
  float* weight_part = at<float>(job.grad_weight_parts) + chunk * width;
  for (std::size_t n = begin; n < end; ++n) {
    const Value* row = at<const Value>(job.sum) + n * width;
    const Value* grad = at<const Value>(job.grad_normed) + n * width;
    const float inverse = at<const float>(job.inverse)[n];
    Lanes products{};
    for (std::size_t d = 0; d < width; d += kLanes) {
      const Lanes both = load(grad + d) * load(row + d);
      products += both * load(weight + d);
      store(weight_part + d, load(weight_part + d) + both * inverse);
    }
    const float mean = lanes::sum(products) / static_cast<float>(width);
    const float pull = mean * inverse * inverse * inverse;
    Value* to = at<Value>(job.grad_residual) + n * width;
    for (std::size_t d = 0; d < width; d += kLanes) {
      Lanes change = load(grad + d) * load(weight + d) * inverse - load(row + d) * pull;
      if (job.grad_sum != 0) change += load(at<const Value>(job.grad_sum) + n * width + d);
      store(to + d, change);
      if (job.grad_addend != 0) {
        store(at<Value>(job.grad_addend) + n * width + d,
              job.dropout.apply(change, n * width + d));
      }
    }
  }
}

FOR_BOTH_PRECISIONS(NormJob, norm_forward)
FOR_BOTH_PRECISIONS(NormJob, norm_backward)

}  // namespace

RUNS_ON_WHAT_IS_THERE
void add_parts(const float* parts, std::size_t num_parts, std::size_t width, float* to) {
  for (std::size_t d = 0; d < width; d += kLanes) {
    Lanes sum{};
    for (std::size_t c = 0; c < num_parts; ++c) sum += load(parts + c * width + d);
    store(to + d, sum);
  }
}

void define_norm_kernels(nb::module_& module) {
  module.def("use_team", [](Address parallel, Address thread, Address num_threads) {
    auto& doors = team::doors();
    doors.parallel = reinterpret_cast<decltype(doors.parallel)>(parallel);
    doors.thread = reinterpret_cast<decltype(doors.thread)>(thread);
    doors.num_threads = reinterpret_cast<decltype(doors.num_threads)>(num_threads);
  }, "Name the OpenMP runtime whose threads the kernels share (three addresses of functions).");

  module.def("norm_forward", [](Address residual, Address addend, Address weight, Address sum,
                                Address normed, Address inverse, std::size_t rows,
                                std::size_t width, float epsilon, float dropout,
                                std::uint32_t seed, bool is_bfloat16, unsigned threads) {
    NormJob job{};
    job.residual = residual; job.addend = addend; job.weight = weight; job.sum = sum;
    job.normed = normed; job.inverse = inverse; job.width = width; job.epsilon = epsilon;
    job.dropout = dropout_of(dropout, seed);
    run_norm_forward(job, rows, is_bfloat16, threads);
  }, "sum = residual + dropout(addend); normed = sum / rms(sum) * weight.");

  module.def("norm_backward", [](Address grad_normed, Address grad_sum, Address sum,
                                 Address inverse, Address weight, Address grad_residual,
                                 Address grad_addend, Address grad_weight, std::size_t rows,
                                 std::size_t width, float dropout, std::uint32_t seed,
                                 bool is_bfloat16, unsigned threads) {
    std::vector<float> parts(team::num_chunks(rows) * width, 0.0f);
    NormJob job{};
    job.grad_normed = grad_normed; job.grad_sum = grad_sum; job.sum = sum; job.inverse = inverse;
    job.weight = weight; job.grad_residual = grad_residual; job.grad_addend = grad_addend;
    job.grad_weight_parts = reinterpret_cast<Address>(parts.data()); job.width = width;
    job.dropout = dropout_of(dropout, seed);
    run_norm_backward(job, rows, is_bfloat16, threads);
    add_parts(parts.data(), team::num_chunks(rows), width, at<float>(grad_weight));
  }, "The gradients of norm_forward.");
}
