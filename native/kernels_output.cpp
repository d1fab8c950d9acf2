// The gate of the feed-forward part, and the loss.
#include "kernels.h"

#include <cmath>

namespace {

// ---- gated feed-forward: silu(gate) * up (Shazeer 2020, arXiv:2002.05202) ----

struct GateJob {
  Address both, gated, grad_gated, grad_both;  // (N, 2 F) gate then up, (N, F), the same again
  std::size_t width;
};

template <class Value>
IN_EVERY_CLONE void gate_forward(const GateJob& job, std::size_t, std::size_t begin,
                                 std::size_t end) {
  const std::size_t width = job.width;
  for (std::size_t n = begin; n < end; ++n) {
    const Value* gate = at<const Value>(job.both) + n * 2 * width;
    Value* to = at<Value>(job.gated) + n * width;
    for (std::size_t f = 0; f < width; f += kLanes) {
      const Lanes g = load(gate + f);
      store(to + f, g / (1.0f + lanes::exponential(-g)) * load(gate + width + f));
    }
  }
}

template <class Value>
IN_EVERY_CLONE void gate_backward(const GateJob& job, std::size_t, std::size_t begin,
                                  std::size_t end) {
  const std::size_t width = job.width;
  for (std::size_t n = begin; n < end; ++n) {
    const Value* gate = at<const Value>(job.both) + n * 2 * width;
    const Value* grad = at<const Value>(job.grad_gated) + n * width;
    Value* to = at<Value>(job.grad_both) + n * 2 * width;
    for (std::size_t f = 0; f < width; f += kLanes) {
      const Lanes g = load(gate + f), up = load(gate + width + f), change = load(grad + f);
      const Lanes sigmoid = 1.0f / (1.0f + lanes::exponential(-g));
      store(to + f, change * up * sigmoid * (1.0f + g * (1.0f - sigmoid)));
      store(to + width + f, change * g * sigmoid);
    }
  }
}

FOR_BOTH_PRECISIONS(GateJob, gate_forward)
FOR_BOTH_PRECISIONS(GateJob, gate_backward)

// ---- cross-entropy: the logits are overwritten by their gradient ----

struct LossJob {
  Address logits, targets, losses;  // (N, V), int64 (N), float32 (N)
  std::size_t vocab_size;
  float scale;
};

template <class Value>
IN_EVERY_CLONE void loss_and_gradient(const LossJob& job, std::size_t, std::size_t begin,
                                      std::size_t end) {
  const std::size_t count = job.vocab_size;
  for (std::size_t n = begin; n < end; ++n) {
    Value* row = at<Value>(job.logits) + n * count;
    const auto target = static_cast<std::size_t>(at<const std::int64_t>(job.targets)[n]);
    const float at_target = lanes::to_float(row[target]);
    const RowSoftmax<Value> softmax(row, count);
    const float share = job.scale / softmax.sum;
    at<float>(job.losses)[n] = std::log(softmax.sum) + softmax.highest - at_target;
    const float own = std::exp(at_target - softmax.highest) * share - job.scale;
    softmax.write(row, share);
    Value kept[kLanes];
    store(kept, every(own));
    row[target] = kept[0];
  }
}

FOR_BOTH_PRECISIONS(LossJob, loss_and_gradient)

}  // namespace

void define_output_kernels(nb::module_& module) {
  module.def("gate_forward", [](Address both, Address gated, std::size_t rows, std::size_t width,
                                bool is_bfloat16, unsigned threads) {
    run_gate_forward({both, gated, 0, 0, width}, rows, is_bfloat16, threads);
  }, "silu(gate) * up.");

  module.def("gate_backward", [](Address both, Address grad_gated, Address grad_both,
                                 std::size_t rows, std::size_t width, bool is_bfloat16,
                                 unsigned threads) {
    run_gate_backward({both, 0, grad_gated, grad_both, width}, rows, is_bfloat16, threads);
  }, "The gradient of gate_forward.");

  module.def("loss_and_gradient", [](Address logits, Address targets, Address losses,
                                     std::size_t rows, std::size_t vocab_size, float scale,
                                     bool is_bfloat16, unsigned threads) {
    run_loss_and_gradient({logits, targets, losses, vocab_size, scale}, rows, is_bfloat16,
                          threads);
  }, "Cross-entropy per row; the logits become their gradient times scale.");
}
