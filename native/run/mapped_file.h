// The bytes of a file, mapped into memory, so that only what is used is read.
#pragma once

#include <cstddef>
#include <cstdint>

class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  bool open(const char* path);
  const std::uint8_t* bytes() const { return bytes_; }
  std::size_t size() const { return size_; }
  // Whole pages within some of the bytes may go; they come back when they are touched. Its form is
  // engine::Model::Packed, with the file as the context.
  static void release(void* file, const std::uint8_t* bytes, std::size_t size);

 private:
  const std::uint8_t* bytes_ = nullptr;
  std::size_t size_ = 0;
};
