#include "transformer.h"

namespace engine {

const char* Shape::complaint() const {
  constexpr std::size_t kMost = 1u << 20, kMostAngles = 1u << 22;
  const std::size_t sizes[] = {vocab_size, width, num_layers, num_heads, num_kv_heads, head_width,
                               inner_width, context};
  for (const std::size_t size : sizes) {
    if (size == 0 || size > kMost) return "a size is 0 or above 2^20";
  }
  if (width % kTileRows != 0) return "the width is no multiple of 16";
  if (head_width % kTileRows != 0) return "the width of a head is no multiple of 16";
  if (num_heads % num_kv_heads != 0) return "heads of keys do not divide heads of queries";
  if (num_heads * head_width > kMost) return "the heads are too wide";
  // Angles are tabled when the file is opened, which must not take seconds.
  if (context * (head_width / 2) > kMostAngles) return "the context is too long";
  if (!(epsilon >= 0.0f && epsilon < 1.0f)) return "epsilon is not within 0 to 1";
  return nullptr;
}

bool Memory::make(const Shape& shape, std::size_t capacity) {
  capacity_ = padded(capacity, kTileRows);
  num_heads_ = shape.num_kv_heads;
  head_width_ = shape.head_width;
  return numbers_.make(2 * shape.num_layers * num_heads_ * capacity_ * head_width_);
}

bool Memory::copy(const Memory& other, std::size_t length, const Shape& shape) {
  if (capacity_ < length) return false;
  const std::size_t count = padded(length, kTileRows) * head_width_;
  for (std::size_t half = 0; half < 2 * shape.num_layers; ++half) {
    for (std::size_t head = 0; head < num_heads_; ++head) {
      const std::size_t from = (half * num_heads_ + head) * other.capacity_ * head_width_;
      __builtin_memcpy(place(half, head), other.numbers_.data() + from, count * sizeof(std::uint16_t));
    }
  }
  return true;
}

Transformer::Transformer(const Shape& shape, const Weights& weights, const Kernels& kernels,
                         Crew& crew, std::size_t most_rows)
    : shape_(shape), weights_(weights), kernels_(kernels), crew_(crew), most_rows_(most_rows) {}

bool Transformer::make() {
  stride_ = padded(shape_.width, kTileColumns);
  query_stride_ = shape_.query_width();
  key_stride_ = shape_.key_width();
  inner_stride_ = padded(shape_.inner_width, kTileRows);
  return stream_.make(stride_ * most_rows_) && queries_.make(query_stride_ * most_rows_) &&
         keys_.make(key_stride_ * most_rows_) && values_.make(key_stride_ * most_rows_) &&
         gates_.make(inner_stride_ * most_rows_) && ups_.make(inner_stride_ * most_rows_) &&
         scores_.make(attention_room() * crew_.size()) &&
         normed_.make(shape_.width, most_rows_) && mixed_.make(query_stride_, most_rows_) &&
         inner_.make(shape_.inner_width, most_rows_);
}

void Transformer::ask_for(std::size_t id) const {
  const std::size_t bytes = weights_.embedding.group_bytes();
  const std::uint8_t* group = weights_.embedding.tiles + id / kTileRows * bytes;
  for (std::size_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch(group + byte);
}

// Scores, and keys or values in float32, of one thread.
std::size_t Transformer::attention_room() const {
  return kMostQueries * padded(shape_.context, kTileRows) + kTileRows * shape_.head_width;
}

void Transformer::embed(std::size_t id, std::size_t row) {
  kernels_.row(weights_.embedding, id, stream_.data() + row * stride_);
}

void Transformer::read(const Place* places, std::size_t num_rows) {
  for (std::size_t row = 0; row < num_rows; ++row) weights_.turns->reach(places[row].position + 1);
  for (std::size_t number = 0; number < shape_.num_layers; ++number) {
    const Layer& layer = weights_.layers[number];
    attend(layer, number, places, num_rows);
    feed_forward(layer, num_rows);
  }
  kernels_.norm({stream_.data(), stride_, num_rows, weights_.final_norm, shape_.width,
                 shape_.epsilon, stream_.data(), stride_});
}

void Transformer::score(const std::size_t* rows, std::size_t num_rows, float* logits) {
  for (std::size_t i = 0; i < num_rows; ++i) {
    __builtin_memcpy(normed_.row(i), stream_.data() + rows[i] * stride_,
                     shape_.width * sizeof(float));
  }
  const Product product{&weights_.embedding, &normed_.inputs, num_rows,
                        logits, logits_stride(), false};
  multiply(kernels_, crew_, &product, 1);
}

// work(first, last) for rows first to last - 1: several threads share what is worth it.
template <class Work>
void Transformer::each_row(std::size_t num_rows, const Work& work) {
#if !defined(__wasm__)
  constexpr std::size_t kWorthIt = 4;
  struct Job {
    const Work* work;
    std::size_t num_rows;
  } job{&work, num_rows};
  if (num_rows >= kWorthIt) {
    return crew_.run(
        [](void* all, std::size_t part, std::size_t num_parts) {
          const Job& shared = *static_cast<const Job*>(all);
          (*shared.work)(shared.num_rows * part / num_parts,
                         shared.num_rows * (part + 1) / num_parts);
        },
        &job);
  }
#endif
  work(0, num_rows);
}

// Products of the states, normed.
void Transformer::multiply_normed(const float* weight, const Product* products,
                                  std::size_t count) {
  const bool is_rounded = need_codes(products, count);
  each_row(products[0].num_rows, [&](std::size_t first, std::size_t last) {
    kernels_.norm({stream_.data() + first * stride_, stride_, last - first, weight, shape_.width,
                   shape_.epsilon, normed_.row(first), normed_.inputs.width()});
    if (is_rounded) kernels_.round(normed_.from(first), last - first);
  });
  multiply(kernels_, crew_, products, count, true);
}

void Transformer::attend(const Layer& layer, std::size_t number, const Place* places,
                         std::size_t num_rows) {
  const Product products[] = {
      {&layer.query, &normed_.inputs, num_rows, queries_.data(), query_stride_, false},
      {&layer.key, &normed_.inputs, num_rows, keys_.data(), key_stride_, false},
      {&layer.value, &normed_.inputs, num_rows, values_.data(), key_stride_, false}};
  multiply_normed(layer.attention_norm, products, 3);
  each_row(num_rows, [&](std::size_t first, std::size_t last) {
    norm_heads(queries_.data(), query_stride_, layer.query_norm, first, last);
    norm_heads(keys_.data(), key_stride_, layer.key_norm, first, last);
    for (std::size_t row = first; row < last; ++row) remember(number, places[row], row);
  });
  Heads heads{this, places, number, num_rows};
  crew_.run(
      [](void* job, std::size_t part, std::size_t num_parts) {
        const auto& all = *static_cast<const Heads*>(job);
        Transformer& self = *all.self;
        const std::size_t count = all.num_rows * self.shape_.num_kv_heads;
        self.attend_heads(all.layer, all.places, all.num_rows, count * part / num_parts,
                          count * (part + 1) / num_parts, self.scores_.data() + part * self.attention_room());
      },
      &heads);
  const Product out{&layer.out, &mixed_.inputs, num_rows, stream_.data(), stride_, true};
  multiply(kernels_, crew_, &out, 1);
}

// Of rows first to last - 1, whose heads stand one behind the other.
void Transformer::norm_heads(float* heads, std::size_t apart, const float* weight,
                             std::size_t first, std::size_t last) {
  const std::size_t width = shape_.head_width, num_heads = (last - first) * (apart / width);
  heads += first * apart;
  kernels_.norm({heads, width, num_heads, weight, width, shape_.epsilon, heads, width});
}

// Turns queries and keys, and keeps keys and values.
void Transformer::remember(std::size_t number, const Place& place, std::size_t row) {
  constexpr std::size_t kPiece = 64;
  const std::size_t width = shape_.head_width, position = place.position;
  const std::size_t kept_at = place.first + position;
  const std::size_t column = kept_at / kTileRows * kTileRows * width + kept_at % kTileRows;
  const float *cosines = weights_.turns->cosines(position), *sines = weights_.turns->sines(position);
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(width));
  // A key lies in as many lines of memory as it has pairs of numbers: all are asked for at once.
  for (std::size_t head = 0; head < shape_.num_kv_heads; ++head) {
    const std::uint16_t* kept = place.memory->keys(number, head) + column;
    for (std::size_t e = 0; e < width; e += 2) __builtin_prefetch(kept + e * kTileRows, 1);
  }
  for (std::size_t head = 0; head < shape_.num_heads; ++head) {
    float* query = queries_.data() + row * query_stride_ + head * width;
    kernels_.turn(query, cosines, sines, width, scale);
  }
  for (std::size_t head = 0; head < shape_.num_kv_heads; ++head) {
    float* key = keys_.data() + row * key_stride_ + head * width;
    kernels_.turn(key, cosines, sines, width, 1.0f);
    std::uint16_t* kept = place.memory->keys(number, head) + column;
    for (std::size_t first = 0; first < width; first += kPiece) {
      std::uint16_t halves[kPiece];
      const std::size_t count = width - first < kPiece ? width - first : kPiece;
      kernels_.halve(key + first, count, halves);
      for (std::size_t e = 0; e < count; ++e) kept[(first + e) * kTileRows] = halves[e];
    }
    kernels_.halve(values_.data() + row * key_stride_ + head * width, width,
                   place.memory->values(number, head) + kept_at * width);
  }
}

// Units first to last - 1, each a head of keys for one row; the rows of a head are neighbours.
// Queries of one text that ask the same head are answered together.
void Transformer::attend_heads(std::size_t number, const Place* places, std::size_t num_rows,
                               std::size_t first, std::size_t last, float* scores) {
  const std::size_t width = shape_.head_width, group = shape_.num_heads / shape_.num_kv_heads;
  Attention job;
  job.width = width;
  job.scores = scores;
  job.scores_stride = padded(shape_.context, kTileRows);
  job.numbers = scores + kMostQueries * job.scores_stride;
  for (std::size_t unit = first; unit < last; ++unit) {
    const std::size_t head = unit / num_rows, row = unit % num_rows;
    const Place& place = places[row];
    job.keys = job.next_keys = place.memory->keys(number, head) + place.first * width;
    job.values = place.memory->values(number, head) + place.first * width;
    for (std::size_t i = 0; i < group; ++i) {
      const std::size_t asked = (head * group + i) * width;
      job.queries[job.num_queries] = queries_.data() + row * query_stride_ + asked;
      job.mixed[job.num_queries] = mixed_.row(row) + asked;
      job.num_positions[job.num_queries] = place.num_visible;
      if (++job.num_queries == kMostQueries) answer(job);
    }
    const bool goes_on = unit + 1 < last && row + 1 < num_rows &&
                         places[row + 1].memory == place.memory &&
                         places[row + 1].first == place.first;
    if (goes_on) continue;
    const std::size_t next = unit + 1 < last ? unit + 1 : unit;
    job.next_keys = places[next % num_rows].memory->keys(number, next / num_rows) +
                    places[next % num_rows].first * width;
    answer(job);
  }
}

void Transformer::answer(Attention& job) {
  if (job.num_queries > 0) kernels_.attend(job);
  job.num_queries = 0;
}

void Transformer::feed_forward(const Layer& layer, std::size_t num_rows) {
  const Product products[] = {
      {&layer.gate, &normed_.inputs, num_rows, gates_.data(), inner_stride_, false},
      {&layer.up, &normed_.inputs, num_rows, ups_.data(), inner_stride_, false}};
  multiply_normed(layer.feed_forward_norm, products, 2);
  const Product down{&layer.down, &inner_.inputs, num_rows, stream_.data(), stride_, true};
  const bool is_rounded = need_codes(&down, 1);
  each_row(num_rows, [&](std::size_t first, std::size_t last) {
    for (std::size_t row = first; row < last; ++row) {
      kernels_.gate(gates_.data() + row * inner_stride_, ups_.data() + row * inner_stride_,
                    inner_stride_, inner_.row(row));
    }
    if (is_rounded) kernels_.round(inner_.from(first), last - first);
  });
  multiply(kernels_, crew_, &down, 1, true);
}

}  // namespace engine
