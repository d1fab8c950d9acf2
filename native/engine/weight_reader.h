// Matrices and vectors out of a GGUF file, as the kernels read them.
//
//   a matrix   F32, F16, BF16, Q8_0, Q5_0 or Q4_0, which are packed when the file is opened, or
//              bytes (I8) of sizes [bytes of a tile, blocks, groups], which are used where they lie
//   a vector   F32
#pragma once

#include "crew.h"
#include "gguf.h"
#include "packed.h"

namespace engine {

class WeightReader {
 public:
  // crew: its threads pack; as many are called as a model of that size may need.
  explicit WeightReader(Crew& crew) : crew_(crew) {}
  // Called for bytes that have been packed and will not be read again: whoever mapped them may let
  // them go.
  using Packed = void (*)(void* context, const std::uint8_t* bytes, std::size_t size);
  void when_packed(Packed packed, void* context) {
    when_packed_ = packed;
    packed_context_ = context;
  }

  // The most that will be read. False: no memory.
  bool make(std::size_t num_matrices, std::size_t num_vectors);
  // matrix must stay where it is until pack() has been called.
  bool matrix(const Gguf& file, const char* name, std::size_t rows, std::size_t columns,
              Matrix& matrix, Complaint& complaint);
  // Copied, for a file may begin anywhere and these are read as float32; filled up with zeros to a
  // multiple of 32.
  bool vector(const Gguf& file, const char* name, std::size_t size, const float*& values,
              Complaint& complaint);
  // Numbers that stand in no file, all 0. Null: no memory.
  float* numbers(std::size_t count);
  // Puts all matrices that are not yet in tiles into one piece, in the order in which they were
  // asked for.
  bool pack(Complaint& complaint);
  // Of all matrices that were asked for.
  std::size_t num_bytes() const { return num_bytes_; }

 private:
  struct Unpacked {
    const Gguf::Tensor* tensor;
    Matrix* matrix;
  };
  // Rows of a matrix, whole groups of tiles.
  struct Chunk {
    const Gguf::Tensor* tensor;
    Matrix rows;
    const std::uint8_t* from;
    std::size_t bytes;
    std::uint8_t* tiles;
  };
  bool cut(std::uint8_t* tiles, Growing<Chunk>& chunks) const;
  void pack_chunk(const Chunk& chunk) const;
  void tell(const Chunk* chunks, std::size_t count) const;

  Packed when_packed_ = nullptr;
  void* packed_context_ = nullptr;
  Crew& crew_;
  Room<Unpacked> unpacked_;
  Room<std::uint8_t> packed_;
  Room<Room<float>> floats_;
  std::size_t num_unpacked_ = 0, num_floats_ = 0, num_bytes_ = 0;
};

// A size among the settings of a file, "<architecture>.<key>".
bool read_size(const Gguf& file, Text architecture, const char* key, std::size_t& size,
               Complaint& complaint);
// The number of ids: rows of the embedding, or a setting where it stands in tiles.
bool read_vocab_size(const Gguf& file, Text architecture, std::size_t& size, Complaint& complaint);
// The hash of a matrix's first bytes, behind another.
std::uint64_t hash_of_matrix(const Matrix& matrix, std::uint64_t before);

}  // namespace engine
