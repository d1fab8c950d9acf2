// An encoder out of the files of a model directory that a GGUF file holds (the twin of
// sparrowlm/runtime/encoder_files.py):
//
//   sparrow.encoder.*         its sizes
//   file/encoder.bin          n-gram tables, the task's own weights, and the Transformer's, or
//   file/model.safetensors    the Transformer's in float16
#pragma once

#include "array_file.h"
#include "encoder.h"

namespace engine {

class EncoderFile {
 public:
  static bool is_in(const Gguf& file) { return file.tensor("file/encoder.bin") != nullptr; }

  bool open(const Gguf& file, Complaint& complaint);

  const Shape& shape() const { return shape_; }
  const Weights& weights() const { return weights_; }
  const NgramTables& tables() const { return tables_; }

  // A weight of the task's own as numbers, row by row, of a known number; false: it is not there.
  bool head(const char* name, std::size_t count, Room<float>& values) const;
  // A table of the task's own, of rows of 8 bits with a scale each: its rows are count / width.
  struct Table {
    Room<std::int8_t> codes;
    Room<float> scales;
    std::size_t width = 0;
  };
  bool table(const char* name, std::size_t width, Table& table) const;
  // How many numbers a weight has; 0: it is not there.
  std::size_t head_count(const char* name) const;

 private:
  bool read_shape(const Gguf& file, Complaint& complaint);
  bool read_body(Complaint& complaint);
  bool read_layer(std::size_t number, Complaint& complaint);
  bool read_tables(const Gguf& file, Complaint& complaint);
  bool matrix(const char* name, std::size_t rows, std::size_t columns, Matrix& matrix);
  bool matrix_of_rows(const char* name, Matrix& matrix);
  bool matrix_of_tiles(const char* name, Matrix& matrix);
  bool any_tiles(const char* name, Matrix& matrix) const;
  bool vector(const char* name, std::size_t count, const float*& values);
  bool table_of_tiles(const char* name, Table& table) const;
  bool in_safetensors(const char* name, Array& array) const;
  Array floats(const char* name) const;
  std::uint8_t* room_for_tiles(std::size_t bytes);
  float* room_for_numbers(std::size_t count);

  ArrayFile arrays_;
  Text header_;  // of the safetensors, empty where there are none
  const std::uint8_t* body_ = nullptr;
  std::size_t body_bytes_ = 0;
  Shape shape_;
  Weights weights_;
  TurnTables turns_;
  NgramTables tables_;
  double rope_base_ = 0.0;
  Room<Room<std::uint8_t>> tiles_;
  Room<Room<float>> numbers_;
  Table tables_kept_[kMostOrders];
  std::size_t num_tiles_ = 0, num_numbers_ = 0;
};

}  // namespace engine
