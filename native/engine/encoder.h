// Texts that are read in both directions: ids in, a state for every position out.
//
// What enters the Transformer is the embedding of an id and what tables know of the n-grams that
// hold its place, each hashed to a row (sparrowlm/models/ngram_buckets.py).
#pragma once

#include "transformer.h"

namespace engine {

constexpr std::size_t kMostOrders = 8;

struct NgramTables {
  std::size_t num_orders = 0;
  std::size_t orders[kMostOrders] = {};  // lengths of the n-grams, each >= 2
  std::size_t num_buckets = 0;           // rows of every table
  std::size_t width = 0;
  const std::int8_t* rows[kMostOrders] = {};   // [buckets][width]
  const float* scales[kMostOrders] = {};       // [buckets]
  Matrix up;                                   // from width to the Transformer's
};

class Encoder {
 public:
  // most_rows: positions read at once, at least the context.
  Encoder(const Shape& shape, const Weights& weights, const NgramTables& tables,
          const Kernels& kernels, Crew& crew, std::size_t most_rows);
  // False: no memory.
  bool make();

  // Reads texts that stand one behind the other.
  //
  // ids      of all texts, each below vocab_size
  // lengths  of each text, 1 to context
  // added    null, or rows of width numbers, added to what enters the Transformer
  // states   room for rows of width numbers
  void read(const std::int32_t* ids, const std::int32_t* lengths, std::size_t num_texts,
            const float* added, float* states);

 private:
  void enter(const std::int32_t* ids, std::size_t length, std::size_t row);
  void add_rows(const std::int32_t* ids, std::size_t length, std::size_t index, float* sums);
  void read_rows(std::size_t num_rows, const float* added, float* states);

  const Shape& shape_;
  const NgramTables& tables_;
  const Kernels& kernels_;
  Transformer transformer_;
  Memory memory_;
  Room<Place> places_;
  Room<float> sums_;
};

}  // namespace engine
