// A model out of the bytes of a GGUF file.
//
//   general.architecture   "qwen3" (as llama.cpp reads it) or "sparrow"
//   <architecture>.*       sizes, under llama.cpp's names
//   tensors                under llama.cpp's names; a matrix is F32, F16, BF16, Q8_0, Q5_0 or Q4_0,
//                          which are packed when the file is opened, or bytes (I8) of sizes
//                          [bytes of a tile, blocks, groups], which are used where they lie
#pragma once

#include "gguf.h"
#include "transformer.h"

namespace engine {

class Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // The bytes must stay where they are.
  bool open(const std::uint8_t* bytes, std::size_t size, Complaint& complaint);
  // Called for bytes that have been packed and will not be read again: whoever mapped them may let
  // them go.
  using Packed = void (*)(void* context, const std::uint8_t* bytes, std::size_t size);
  void when_packed(Packed packed, void* context) {
    when_packed_ = packed;
    packed_context_ = context;
  }

  const Gguf& file() const { return file_; }
  const Shape& shape() const { return shape_; }
  const Weights& weights() const { return weights_; }
  // Of all matrices.
  std::size_t num_bytes() const;
  // A number that tells models apart: of the sizes and the first weights.
  std::uint64_t identity() const;

 private:
  bool read_shape(Complaint& complaint);
  bool read_weights(Complaint& complaint);
  bool read_layer(std::size_t number, Complaint& complaint);
  bool matrix(const char* name, std::size_t rows, std::size_t columns, Matrix& matrix,
              Complaint& complaint);
  bool pack(Complaint& complaint);
  bool vector(const char* name, std::size_t size, const float*& values, Complaint& complaint);
  bool turn_tables(Complaint& complaint);

  // A matrix that is not yet in tiles.
  struct Unpacked {
    const Gguf::Tensor* tensor;
    Matrix* matrix;
  };

  Packed when_packed_ = nullptr;
  void* packed_context_ = nullptr;
  Gguf file_;
  Shape shape_;
  Weights weights_;
  Room<Unpacked> unpacked_;
  Room<std::uint8_t> packed_;
  Room<Room<float>> floats_;
  std::size_t num_unpacked_ = 0, num_floats_ = 0;
};

}  // namespace engine
