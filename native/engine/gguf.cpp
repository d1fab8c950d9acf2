#include "gguf.h"

namespace engine {
namespace {

constexpr std::size_t kMostTensors = 1u << 16, kMostEntries = 1u << 16, kLongestName = 256;
constexpr std::size_t kMostRowLength = 1u << 24, kMostRows = 1u << 28;

template <class Value>
Value read_as(const std::uint8_t* from) {
  Value value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

std::size_t bytes_of(Gguf::Kind kind) {
  switch (kind) {
    case Gguf::Kind::kUint8: case Gguf::Kind::kInt8: case Gguf::Kind::kBool: return 1;
    case Gguf::Kind::kUint16: case Gguf::Kind::kInt16: return 2;
    case Gguf::Kind::kUint32: case Gguf::Kind::kInt32: case Gguf::Kind::kFloat32: return 4;
    case Gguf::Kind::kUint64: case Gguf::Kind::kInt64: case Gguf::Kind::kFloat64: return 8;
    default: return 0;
  }
}

struct Blocks {
  std::size_t length, bytes;
};

Blocks blocks_of(Gguf::Type type) {
  switch (type) {
    case Gguf::Type::kFloat32: case Gguf::Type::kInt32: return {1, 4};
    case Gguf::Type::kFloat16: case Gguf::Type::kBFloat16: return {1, 2};
    case Gguf::Type::kBytes: return {1, 1};
    case Gguf::Type::kQ4_0: return {32, 18};
    case Gguf::Type::kQ5_0: return {32, 22};
    case Gguf::Type::kQ8_0: return {32, 34};
  }
  return {0, 0};
}

}  // namespace

bool Text::is(const char* other) const {
  std::size_t i = 0;
  for (; i < size && other[i] != '\0'; ++i) {
    if (data[i] != other[i]) return false;
  }
  return i == size && other[i] == '\0';
}

// Where reading stands; false as soon as bytes are missing.
class Gguf::Cursor {
 public:
  Cursor(const std::uint8_t* bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  std::size_t place() const { return place_; }
  std::size_t left() const { return size_ - place_; }
  const std::uint8_t* here() const { return bytes_ + place_; }

  bool skip(std::size_t count) {
    if (count > left()) return false;
    place_ += count;
    return true;
  }

  template <class Value>
  bool take(Value& value) {
    if (left() < sizeof value) return false;
    value = read_as<Value>(here());
    return skip(sizeof value);
  }

  bool take(Text& text) {
    std::uint64_t size;
    if (!take(size) || size > left()) return false;
    text = {reinterpret_cast<const char*>(here()), static_cast<std::size_t>(size)};
    return skip(text.size);
  }

  bool skip_values(Kind kind, std::uint64_t count) {
    if (kind != Kind::kString) {
      const std::size_t each = bytes_of(kind);
      return each != 0 && count <= left() / each && skip(static_cast<std::size_t>(count) * each);
    }
    if (count > left() / sizeof(std::uint64_t)) return false;
    Text text;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!take(text)) return false;
    }
    return true;
  }

 private:
  const std::uint8_t* bytes_;
  std::size_t size_, place_ = 0;
};

bool Gguf::read_entry(Cursor& cursor, Entry& entry, Complaint& complaint) const {
  std::uint32_t kind;
  std::uint64_t count = 1;
  if (!cursor.take(entry.key) || entry.key.size > kLongestName || !cursor.take(kind)) {
    return complaint.say("the file ends within its settings");
  }
  entry.is_array = static_cast<Kind>(kind) == Kind::kArray;
  if (entry.is_array && !(cursor.take(kind) && cursor.take(count))) {
    return complaint.say("the file ends within its settings");
  }
  entry.kind = static_cast<Kind>(kind);
  entry.count = static_cast<std::size_t>(count);
  entry.value = cursor.here();
  if (!cursor.skip_values(entry.kind, count)) {
    return complaint.say("the setting ", entry.key.data, entry.key.size, " is damaged");
  }
  return true;
}

bool Gguf::read_tensor(Cursor& cursor, Tensor& tensor, Complaint& complaint) const {
  std::uint32_t num_dimensions, type;
  if (!cursor.take(tensor.name) || tensor.name.size > kLongestName || !cursor.take(num_dimensions) ||
      num_dimensions < 1 || num_dimensions > 4) {
    return complaint.say("the list of tensors is damaged");
  }
  const auto refuse = [&](const char* why) {
    return complaint.say("the tensor ", tensor.name.data, tensor.name.size, why);
  };
  tensor.num_dimensions = num_dimensions;
  for (std::size_t& size : tensor.sizes) size = 1;
  for (std::size_t i = 0; i < num_dimensions; ++i) {
    std::uint64_t size;
    if (!cursor.take(size)) return refuse(" is damaged");
    if (size < 1 || size > (i == 0 ? kMostRowLength : kMostRows)) return refuse(" has a size out of range");
    tensor.sizes[i] = static_cast<std::size_t>(size);
  }
  std::uint64_t offset;
  if (!cursor.take(type) || !cursor.take(offset)) return refuse(" is damaged");
  tensor.type = static_cast<Type>(type);
  const Blocks blocks = blocks_of(tensor.type);
  if (blocks.length == 0) return refuse(" has a type that is not read here");
  if (tensor.sizes[0] % blocks.length != 0) return refuse(" has rows that do not fill their blocks");
  std::size_t rows = 1;
  for (std::size_t i = 1; i < 4; ++i) {
    if (tensor.sizes[i] > size_ / rows) return refuse(" is larger than the file");
    rows *= tensor.sizes[i];
  }
  const std::size_t row_bytes = tensor.sizes[0] / blocks.length * blocks.bytes;
  if (rows > size_ / row_bytes) return refuse(" is larger than the file");
  tensor.bytes = rows * row_bytes;
  // Until all lengths are known the place counts from the beginning of the data.
  tensor.data = bytes_;
  if (offset > size_) return refuse(" lies outside of the file");
  tensor.data += offset;
  return true;
}

bool Gguf::place_tensors(std::size_t data_begin, Complaint& complaint) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    Tensor& tensor = tensors_[i];
    const auto offset = static_cast<std::size_t>(tensor.data - bytes_);
    if (data_begin > size_ || offset > size_ - data_begin ||
        tensor.bytes > size_ - data_begin - offset) {
      return complaint.say("the tensor ", tensor.name.data, tensor.name.size, " lies outside of the file");
    }
    tensor.data += data_begin;
  }
  return true;
}

bool Gguf::open(const std::uint8_t* bytes, std::size_t size, Complaint& complaint) {
  bytes_ = bytes;
  size_ = size;
  Cursor cursor(bytes, size);
  std::uint32_t magic, version;
  std::uint64_t num_tensors, num_entries;
  if (!cursor.take(magic) || magic != 0x46554747u) return complaint.say("this is no GGUF file");
  if (!cursor.take(version) || version < 2 || version > 3) {
    return complaint.say("this version of GGUF is not read here, only 2 and 3");
  }
  // An entry has 13 bytes and more, a tensor 32.
  if (!cursor.take(num_tensors) || !cursor.take(num_entries) || num_tensors > kMostTensors ||
      num_entries > kMostEntries || num_entries > cursor.left() / 13 ||
      num_tensors > cursor.left() / 32) {
    return complaint.say("the numbers of tensors and settings are damaged");
  }
  if (!entries_.make(static_cast<std::size_t>(num_entries)) ||
      !tensors_.make(static_cast<std::size_t>(num_tensors))) {
    return complaint.say("there is not enough memory");
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (!read_entry(cursor, entries_[i], complaint)) return false;
  }
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (!read_tensor(cursor, tensors_[i], complaint)) return false;
  }
  std::uint64_t alignment = 32;
  if (entry("general.alignment") != nullptr &&
      (!number("general.alignment", alignment) || alignment < 1 || alignment > 65536)) {
    return complaint.say("the setting general.alignment is damaged");
  }
  const auto step = static_cast<std::size_t>(alignment);
  return place_tensors((cursor.place() + step - 1) / step * step, complaint);
}

const Gguf::Entry* Gguf::entry(const char* key) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].key.is(key)) return &entries_[i];
  }
  return nullptr;
}

const Gguf::Tensor* Gguf::tensor(const char* name) const {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (tensors_[i].name.is(name)) return &tensors_[i];
  }
  return nullptr;
}

bool Gguf::number(const char* key, std::uint64_t& value) const {
  const Entry* found = entry(key);
  if (found == nullptr || found->is_array) return false;
  std::int64_t whole;
  switch (found->kind) {
    case Kind::kUint8: case Kind::kBool: whole = read_as<std::uint8_t>(found->value); break;
    case Kind::kInt8: whole = read_as<std::int8_t>(found->value); break;
    case Kind::kUint16: whole = read_as<std::uint16_t>(found->value); break;
    case Kind::kInt16: whole = read_as<std::int16_t>(found->value); break;
    case Kind::kUint32: whole = read_as<std::uint32_t>(found->value); break;
    case Kind::kInt32: whole = read_as<std::int32_t>(found->value); break;
    case Kind::kUint64: case Kind::kInt64: whole = read_as<std::int64_t>(found->value); break;
    default: return false;
  }
  value = static_cast<std::uint64_t>(whole);
  return whole >= 0;
}

bool Gguf::real(const char* key, double& value) const {
  const Entry* found = entry(key);
  if (found == nullptr || found->is_array) return false;
  if (found->kind == Kind::kFloat32) {
    value = static_cast<double>(read_as<float>(found->value));
  } else if (found->kind == Kind::kFloat64) {
    value = read_as<double>(found->value);
  } else {
    std::uint64_t whole;
    if (!number(key, whole)) return false;
    value = static_cast<double>(whole);
  }
  return value == value;
}

bool Gguf::text(const char* key, Text& value) const {
  const Entry* found = entry(key);
  if (found == nullptr || found->is_array || found->kind != Kind::kString) return false;
  Cursor cursor(found->value, size_ - static_cast<std::size_t>(found->value - bytes_));
  return cursor.take(value);
}

bool Gguf::texts(const char* key, Room<Text>& values) const {
  const Entry* found = entry(key);
  if (found == nullptr || !found->is_array || found->kind != Kind::kString) return false;
  Cursor cursor(found->value, size_ - static_cast<std::size_t>(found->value - bytes_));
  if (!values.make(found->count)) return false;
  for (std::size_t i = 0; i < found->count; ++i) {
    if (!cursor.take(values[i])) return false;
  }
  return true;
}

const std::uint8_t* Gguf::floats(const char* key, std::size_t count) const {
  const Entry* found = entry(key);
  const bool is_it = found != nullptr && found->is_array && found->kind == Kind::kFloat32 &&
                     found->count == count;
  return is_it ? found->value : nullptr;
}

}  // namespace engine
