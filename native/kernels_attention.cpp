// What attention needs beside its products: heads normalised, turned and sorted; masked softmax.
#include "kernels.h"

#include <cmath>

namespace {

// ---- queries, keys and values: normalised, turned (Su et al. 2021), sorted by heads ----

struct HeadsJob {
  Address joined;                // (N, (H + 2 K) E)
  Address query, key, value;     // (B, H or K, T, E)
  Address query_weight, key_weight, cosine, sine;  // (E), (E), (T, E / 2) twice
  Address inverse;               // (N, H + K)
  Address grad_joined, grad_query_weight_parts, grad_key_weight_parts;
  std::size_t length, num_heads, num_key_heads, head_width;
  float epsilon, query_scale;

  IN_EVERY_CLONE std::size_t place(std::size_t n, std::size_t head, std::size_t heads) const {
    return head_place(n, head, heads, length, head_width);
  }
};

template <class Value>
IN_EVERY_CLONE void heads_forward(const HeadsJob& job, std::size_t, std::size_t begin,
                                  std::size_t end) {
  const std::size_t width = job.head_width, half = width / 2;
  const std::size_t turned = job.num_heads + job.num_key_heads;
  for (std::size_t n = begin; n < end; ++n) {
    const Value* from = at<const Value>(job.joined) + n * (turned + job.num_key_heads) * width;
    const float* cosine = at<const float>(job.cosine) + (n % job.length) * half;
    const float* sine = at<const float>(job.sine) + (n % job.length) * half;
    for (std::size_t head = 0; head < turned; ++head, from += width) {
      const bool is_query = head < job.num_heads;
      const float* weight = at<const float>(is_query ? job.query_weight : job.key_weight);
      Value* to = is_query ? at<Value>(job.query) + job.place(n, head, job.num_heads)
                           : at<Value>(job.key) +
                                 job.place(n, head - job.num_heads, job.num_key_heads);
      Lanes squares{};
      for (std::size_t e = 0; e < width; e += kLanes) squares += load(from + e) * load(from + e);
      const float mean = lanes::sum(squares) / static_cast<float>(width);
      const float inverse = 1.0f / std::sqrt(mean + job.epsilon);
      at<float>(job.inverse)[n * turned + head] = inverse;
      const float scale = inverse * (is_query ? job.query_scale : 1.0f);
      for (std::size_t e = 0; e < half; e += kLanes) {
        const Lanes a = load(from + e) * load(weight + e) * scale;
        const Lanes b = load(from + half + e) * load(weight + half + e) * scale;
        store(to + e, a * load(cosine + e) - b * load(sine + e));
        store(to + half + e, b * load(cosine + e) + a * load(sine + e));
      }
    }
    for (std::size_t head = 0; head < job.num_key_heads; ++head, from += width) {
      std::memcpy(at<Value>(job.value) + job.place(n, head, job.num_key_heads), from,
                  width * sizeof(Value));
    }
  }
}

template <class Value>
IN_EVERY_CLONE void heads_backward(const HeadsJob& job, std::size_t chunk, std::size_t begin,
                                   std::size_t end) {
  const std::size_t width = job.head_width, half = width / 2;
  const std::size_t turned = job.num_heads + job.num_key_heads;
  const std::size_t row_width = (turned + job.num_key_heads) * width;
  for (std::size_t n = begin; n < end; ++n) {
    const Value* from = at<const Value>(job.joined) + n * row_width;
    Value* to = at<Value>(job.grad_joined) + n * row_width;
    const float* cosine = at<const float>(job.cosine) + (n % job.length) * half;
    const float* sine = at<const float>(job.sine) + (n % job.length) * half;
    for (std::size_t head = 0; head < turned; ++head, from += width, to += width) {
      const bool is_query = head < job.num_heads;
      const float* weight = at<const float>(is_query ? job.query_weight : job.key_weight);
      float* part = at<float>(is_query ? job.grad_query_weight_parts : job.grad_key_weight_parts) +
                    chunk * width;
      const Value* grad = is_query ? at<const Value>(job.query) + job.place(n, head, job.num_heads)
                                   : at<const Value>(job.key) +
                                         job.place(n, head - job.num_heads, job.num_key_heads);
      const float inverse = at<const float>(job.inverse)[n * turned + head];
      const float scale = is_query ? job.query_scale : 1.0f;
      Lanes products{};
      for (std::size_t e = 0; e < half; e += kLanes) {
        const Lanes c = load(cosine + e) * scale, s = load(sine + e) * scale;
        const Lanes first = load(grad + e), second = load(grad + half + e);
        const Lanes a = (first * c + second * s) * load(from + e);
        const Lanes b = (second * c - first * s) * load(from + half + e);
        products += a * load(weight + e) + b * load(weight + half + e);
        store(part + e, load(part + e) + a * inverse);
        store(part + half + e, load(part + half + e) + b * inverse);
      }
      const float mean = lanes::sum(products) / static_cast<float>(width);
      const float pull = mean * inverse * inverse * inverse;
      for (std::size_t e = 0; e < half; e += kLanes) {
        const Lanes c = load(cosine + e) * (scale * inverse), s = load(sine + e) * (scale * inverse);
        const Lanes first = load(grad + e), second = load(grad + half + e);
        store(to + e, (first * c + second * s) * load(weight + e) - load(from + e) * pull);
        store(to + half + e,
              (second * c - first * s) * load(weight + half + e) - load(from + half + e) * pull);
      }
    }
    for (std::size_t head = 0; head < job.num_key_heads; ++head, to += width) {
      std::memcpy(to, at<const Value>(job.value) + job.place(n, head, job.num_key_heads),
                  width * sizeof(Value));
    }
  }
}

FOR_BOTH_PRECISIONS(HeadsJob, heads_forward)
FOR_BOTH_PRECISIONS(HeadsJob, heads_backward)

// ---- (B, H, T, E) to (N, H E) and back ----

struct SortJob {
  Address by_head, by_row;
  std::size_t length, num_heads, head_width;
  bool is_to_rows;
};

template <class Value>
IN_EVERY_CLONE void sort_heads(const SortJob& job, std::size_t, std::size_t begin,
                               std::size_t end) {
  const std::size_t width = job.head_width, heads = job.num_heads;
  for (std::size_t n = begin; n < end; ++n) {
    for (std::size_t head = 0; head < heads; ++head) {
      Value* sorted = at<Value>(job.by_head) + head_place(n, head, heads, job.length, width);
      Value* row = at<Value>(job.by_row) + (n * heads + head) * width;
      if (job.is_to_rows) {
        std::memcpy(row, sorted, width * sizeof(Value));
      } else {
        std::memcpy(sorted, row, width * sizeof(Value));
      }
    }
  }
}

FOR_BOTH_PRECISIONS(SortJob, sort_heads)

// ---- softmax over what a position may see, in place ----

struct SoftmaxJob {
  Address scores, probabilities;  // rows of length numbers; row r belongs to time r % length
  std::size_t length;
  Address seen;  // (B), int32: every row of a sequence sees so many positions; 0: causal
  std::size_t rows_per_sequence;

  IN_EVERY_CLONE std::size_t count(std::size_t row) const {
    if (!seen) return row % length + 1;
    return static_cast<std::size_t>(at<const std::int32_t>(seen)[row / rows_per_sequence]);
  }
};

template <class Value>
IN_EVERY_CLONE void softmax_forward(const SoftmaxJob& job, std::size_t, std::size_t begin,
                                    std::size_t end) {
  const std::size_t length = job.length;
  for (std::size_t r = begin; r < end; ++r) {
    Value* row = at<Value>(job.scores) + r * length;
    const std::size_t count = job.count(r);
    const RowSoftmax<Value> softmax(row, count);
    softmax.write(row, 1.0f / softmax.sum);
    std::memset(row + count, 0, (length - count) * sizeof(Value));
  }
}

template <class Value>
IN_EVERY_CLONE void softmax_backward(const SoftmaxJob& job, std::size_t, std::size_t begin,
                                     std::size_t end) {
  const std::size_t length = job.length;
  for (std::size_t r = begin; r < end; ++r) {
    Value* grad = at<Value>(job.scores) + r * length;
    const Value* row = at<const Value>(job.probabilities) + r * length;
    const std::size_t count = job.count(r), whole = count / kLanes * kLanes;
    Lanes rest{}, rest_grad{};
    if (whole < count) {
      rest = lanes::load_some(row + whole, count - whole, 0.0f);
      rest_grad = lanes::load_some(grad + whole, count - whole, 0.0f);
    }
    Lanes products = rest * rest_grad;
    for (std::size_t i = 0; i < whole; i += kLanes) products += load(row + i) * load(grad + i);
    const float mean = lanes::sum(products);
    for (std::size_t i = 0; i < whole; i += kLanes) {
      store(grad + i, load(row + i) * (load(grad + i) - mean));
    }
    if (whole < count) lanes::store_some(grad + whole, rest * (rest_grad - mean), count - whole);
    std::memset(grad + count, 0, (length - count) * sizeof(Value));
  }
}

FOR_BOTH_PRECISIONS(SoftmaxJob, softmax_forward)
FOR_BOTH_PRECISIONS(SoftmaxJob, softmax_backward)

}  // namespace

void define_attention_kernels(nb::module_& module) {
  module.def("heads_forward", [](Address joined, Address query, Address key, Address value,
                                 Address query_weight, Address key_weight, Address cosine,
                                 Address sine, Address inverse, std::size_t rows,
                                 std::size_t length, std::size_t num_heads,
                                 std::size_t num_key_heads, std::size_t head_width, float epsilon,
                                 float query_scale, bool is_bfloat16, unsigned threads) {
    HeadsJob job{joined, query, key, value, query_weight, key_weight, cosine, sine, inverse,
                 0, 0, 0, length, num_heads, num_key_heads, head_width, epsilon, query_scale};
    run_heads_forward(job, rows, is_bfloat16, threads);
  }, "Normalise and turn queries and keys; sort all three by heads.");

  module.def("heads_backward", [](Address joined, Address grad_query, Address grad_key,
                                  Address grad_value, Address query_weight, Address key_weight,
                                  Address cosine, Address sine, Address inverse,
                                  Address grad_joined, Address grad_query_weight,
                                  Address grad_key_weight, std::size_t rows, std::size_t length,
                                  std::size_t num_heads, std::size_t num_key_heads,
                                  std::size_t head_width, float query_scale, bool is_bfloat16,
                                  unsigned threads) {
    const std::size_t chunks = team::num_chunks(rows);
    std::vector<float> parts(2 * chunks * head_width, 0.0f);
    float* key_parts = parts.data() + chunks * head_width;
    HeadsJob job{joined, grad_query, grad_key, grad_value, query_weight, key_weight, cosine, sine,
                 inverse, grad_joined, reinterpret_cast<Address>(parts.data()),
                 reinterpret_cast<Address>(key_parts), length, num_heads, num_key_heads,
                 head_width, 0.0f, query_scale};
    run_heads_backward(job, rows, is_bfloat16, threads);
    add_parts(parts.data(), chunks, head_width, at<float>(grad_query_weight));
    add_parts(key_parts, chunks, head_width, at<float>(grad_key_weight));
  }, "The gradients of heads_forward.");

  module.def("sort_heads", [](Address by_head, Address by_row, std::size_t rows,
                              std::size_t length, std::size_t num_heads, std::size_t head_width,
                              bool is_to_rows, bool is_bfloat16, unsigned threads) {
    run_sort_heads({by_head, by_row, length, num_heads, head_width, is_to_rows}, rows,
                   is_bfloat16, threads);
  }, "(B, H, T, E) to (N, H E), or back.");

  module.def("softmax_forward", [](Address scores, std::size_t rows, std::size_t length,
                                   Address seen, std::size_t rows_per_sequence, bool is_bfloat16,
                                   unsigned threads) {
    run_softmax_forward({scores, 0, length, seen, rows_per_sequence}, rows, is_bfloat16, threads);
  }, "Softmax over rows, in place; causal where seen is 0.");

  module.def("softmax_backward", [](Address grad, Address probabilities, std::size_t rows,
                                    std::size_t length, Address seen,
                                    std::size_t rows_per_sequence, bool is_bfloat16,
                                    unsigned threads) {
    run_softmax_backward({grad, probabilities, length, seen, rows_per_sequence}, rows,
                         is_bfloat16, threads);
  }, "The gradient of softmax_forward, in place.");
}
