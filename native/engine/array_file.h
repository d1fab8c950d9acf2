// Named arrays out of the bytes of a file of sparrowlm/models/array_file.py: mapped, not copied.
//
// The header is JSON as that module writes it; whatever looks otherwise is refused. Bytes are not
// checked against the file's digest here: every place is, so that damage gives wrong numbers and
// nothing worse.
#pragma once

#include "gguf.h"

namespace engine {

struct Array {
  const std::uint8_t* data = nullptr;
  std::size_t count = 0;  // of numbers, all axes together
  std::size_t item = 0;   // bytes of each
  char kind = ' ';        // 'u', 'i', 'f'

  template <class Value>
  const Value* as() const {
    return reinterpret_cast<const Value*>(data);
  }
};

class ArrayFile {
 public:
  // kind: what the file must be.
  bool open(const std::uint8_t* bytes, std::size_t size, const char* kind, Complaint& complaint);
  // False: there is none, or one of another type.
  bool find(const char* name, char kind, std::size_t item, Array& array) const;
  // A whole number of the metadata.
  bool number(const char* name, std::size_t& value) const;

 private:
  struct Named {
    Text name;
    Array array;
  };

  Text metadata_;
  Room<Named> arrays_;
};

}  // namespace engine
