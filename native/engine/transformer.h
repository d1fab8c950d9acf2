// A Transformer in the shape that Hugging Face calls Qwen3: decoder and encoder.
//
// Every number is a function of a row's own text: rows read together, one after the other, by one
// thread or by several, have the same bits.
#pragma once

#include "angles.h"
#include "products.h"

namespace engine {

struct Shape {
  std::size_t vocab_size = 0;
  std::size_t width = 0;        // multiple of 16
  std::size_t num_layers = 0;
  std::size_t num_heads = 0;
  std::size_t num_kv_heads = 0;  // divides num_heads
  std::size_t head_width = 0;   // multiple of 16
  std::size_t inner_width = 0;  // of the feed-forward part
  std::size_t context = 0;      // positions
  float epsilon = 1e-6f;

  std::size_t query_width() const { return num_heads * head_width; }
  std::size_t key_width() const { return num_kv_heads * head_width; }
  // Null, or what is wrong with it.
  const char* complaint() const;
};

struct Layer {
  const float* attention_norm = nullptr;    // width
  Matrix query, key, value;                 // from width
  const float* query_norm = nullptr;        // head_width
  const float* key_norm = nullptr;
  Matrix out;                               // to width
  const float* feed_forward_norm = nullptr;
  Matrix gate, up;                          // from width
  Matrix down;                              // to width
};

struct Weights {
  Matrix embedding;  // also the output
  Room<Layer> layers;
  const float* final_norm = nullptr;
  TurnTables* turns = nullptr;
};

// Keys and values of one text, as float16: half as much to read for every token.
class Memory {
 public:
  // False: no memory. capacity is rounded up to 16.
  bool make(const Shape& shape, std::size_t capacity);
  std::size_t capacity() const { return capacity_; }

  std::uint16_t* keys(std::size_t layer, std::size_t head) { return place(2 * layer, head); }
  std::uint16_t* values(std::size_t layer, std::size_t head) { return place(2 * layer + 1, head); }
  // Copies the first length positions of another memory of the same shape.
  bool copy(const Memory& other, std::size_t length, const Shape& shape);

 private:
  std::uint16_t* place(std::size_t half_layer, std::size_t head) {
    return numbers_.data() + (half_layer * num_heads_ + head) * capacity_ * head_width_;
  }

  Room<std::uint16_t> numbers_;
  std::size_t capacity_ = 0, num_heads_ = 0, head_width_ = 0;
};

// One position to read.
struct Place {
  Memory* memory;
  std::size_t position;    // where it stands in its text
  std::size_t num_visible;  // how many positions it sees, itself included
  std::size_t first = 0;   // where its text begins in the memory, a multiple of 16
};

class Transformer {
 public:
  // most_rows: positions read at once, >= 1; a text whose positions see each other needs as many.
  Transformer(const Shape& shape, const Weights& weights, const Kernels& kernels, Crew& crew,
              std::size_t most_rows);
  // False: no memory.
  bool make();

  const Shape& shape() const { return shape_; }
  Crew& crew() { return crew_; }
  std::size_t most_rows() const { return most_rows_; }
  // Where the embeddings of up to most_rows() places are written before reading; after it, their
  // states stand there, normed. Rows of stride() numbers.
  float* states() { return stream_.data(); }
  std::size_t stride() const { return stride_; }
  void embed(std::size_t id, std::size_t row);
  // Lets the memory bring what embed(id) will need.
  void ask_for(std::size_t id) const;
  // All positions of a text that see each other must be read in one call.
  void read(const Place* places, std::size_t num_rows);
  // Scores of all ids after the states of some rows: num_rows rows of logits_stride() numbers.
  void score(const std::size_t* rows, std::size_t num_rows, float* logits);
  std::size_t logits_stride() const { return weights_.embedding.groups() * kTileRows; }

 private:
  struct Heads {
    Transformer* self;
    const Place* places;
    std::size_t layer, num_rows;
  };

  void attend(const Layer& layer, std::size_t number, const Place* places, std::size_t num_rows);
  void feed_forward(const Layer& layer, std::size_t num_rows);
  std::size_t attention_room() const;
  template <class Work>
  void each_row(std::size_t num_rows, const Work& work);
  void multiply_normed(const float* weight, const Product* products, std::size_t count);
  void norm_heads(float* heads, std::size_t apart, const float* weight, std::size_t first,
                  std::size_t last);
  void remember(std::size_t number, const Place& place, std::size_t row);
  void attend_heads(std::size_t number, const Place* places, std::size_t num_rows,
                    std::size_t first, std::size_t last, float* scores);
  void answer(Attention& job);

  const Shape& shape_;
  const Weights& weights_;
  const Kernels& kernels_;
  Crew& crew_;
  std::size_t most_rows_;
  std::size_t stride_ = 0, query_stride_ = 0, key_stride_ = 0, inner_stride_ = 0;
  Room<float> stream_, queries_, keys_, values_, gates_, ups_, scores_;
  Buffers normed_, mixed_, inner_;
};

}  // namespace engine
