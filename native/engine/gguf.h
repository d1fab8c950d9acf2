// The reader of GGUF files. Every count is checked against the bytes that are left before anything
// is read or allocated; nothing is copied but the tables of entries and tensors.
//
// Source: the format's description in ggml, version 3 (and 2, which differs in nothing read here).
#pragma once

#include "complaint.h"
#include "memory.h"

namespace engine {

struct Text {
  const char* data = nullptr;
  std::size_t size = 0;

  bool is(const char* other) const;
};

class Gguf {
 public:
  enum class Kind : std::uint32_t {
    kUint8 = 0, kInt8, kUint16, kInt16, kUint32, kInt32, kFloat32, kBool, kString, kArray,
    kUint64, kInt64, kFloat64,
  };
  // Tensor types that are read here.
  enum class Type : std::uint32_t {
    kFloat32 = 0, kFloat16 = 1, kQ4_0 = 2, kQ5_0 = 6, kQ8_0 = 8, kBytes = 24, kInt32 = 26,
    kBFloat16 = 30,
  };

  struct Entry {
    Text key;
    Kind kind;  // of the elements, where it is an array
    bool is_array;
    std::size_t count;          // 1, or the array's
    const std::uint8_t* value;  // of a string: its length
  };

  struct Tensor {
    Text name;
    Type type;
    std::size_t num_dimensions;
    std::size_t sizes[4];  // the first one is the length of a row
    const std::uint8_t* data;
    std::size_t bytes;

    std::size_t rows() const { return sizes[1] * sizes[2] * sizes[3]; }
  };

  // The bytes must stay where they are.
  bool open(const std::uint8_t* bytes, std::size_t size, Complaint& complaint);

  const Entry* entry(const char* key) const;
  const Tensor* tensor(const char* name) const;
  std::size_t num_tensors() const { return tensors_.size(); }

  // Whole number of any type, not negative.
  bool number(const char* key, std::uint64_t& value) const;
  bool real(const char* key, double& value) const;
  bool text(const char* key, Text& value) const;
  // Array of strings: their places.
  bool texts(const char* key, Room<Text>& values) const;
  // Array of float32; null where it is none, or of another length.
  const std::uint8_t* floats(const char* key, std::size_t count) const;

 private:
  class Cursor;
  bool read_entry(Cursor& cursor, Entry& entry, Complaint& complaint) const;
  bool read_tensor(Cursor& cursor, Tensor& tensor, Complaint& complaint) const;
  bool place_tensors(std::size_t data_begin, Complaint& complaint);

  const std::uint8_t* bytes_ = nullptr;
  std::size_t size_ = 0;
  Room<Entry> entries_;
  Room<Tensor> tensors_;
};

}  // namespace engine
