#include "weight_reader.h"

#include "choosing_threads.h"
#include "hashing.h"
#include "names.h"
#include "packing.h"

namespace engine {
namespace {

constexpr std::size_t kHashedBytes = 1 << 16;
constexpr Format kFormats[] = {Format::kFloat32, Format::kBFloat16, Format::kFloat16,
                               Format::kInt3,    Format::kInt4,     Format::kInt5,
                               Format::kInt6,    Format::kInt8};

// What a tensor of bytes holds: the bytes of a tile say it. Two formats of floats share theirs, and
// of those only bfloat16 is written so.
bool packed_format(std::size_t bytes, Format& format) {
  for (const Format one : kFormats) {
    if (tile_bytes(one) == bytes) {
      format = one;
      return true;
    }
  }
  return false;
}

bool float_format(Gguf::Type type, Format& format) {
  switch (type) {
    case Gguf::Type::kFloat32: format = Format::kFloat32; return true;
    case Gguf::Type::kFloat16: format = Format::kFloat16; return true;
    case Gguf::Type::kBFloat16: format = Format::kBFloat16; return true;
    default: return false;
  }
}

bool block_format(Gguf::Type type, Format& format, Blocks& blocks) {
  switch (type) {
    case Gguf::Type::kQ8_0: format = Format::kInt8; blocks = Blocks::kQ8_0; return true;
    case Gguf::Type::kQ5_0: format = Format::kInt5; blocks = Blocks::kQ5_0; return true;
    case Gguf::Type::kQ4_0: format = Format::kInt4; blocks = Blocks::kQ4_0; return true;
    default: return false;
  }
}

// Every matrix begins at a line of the cache.
std::size_t room_of(const Matrix& matrix) { return num_tiles(matrix.bytes(), 64) * 64; }

}  // namespace

bool WeightReader::make(std::size_t num_matrices, std::size_t num_vectors) {
  return unpacked_.make(num_matrices) && floats_.make(num_vectors);
}

bool WeightReader::matrix(const Gguf& file, const char* name, std::size_t rows,
                          std::size_t columns, Matrix& matrix, Complaint& complaint) {
  const Gguf::Tensor* tensor = file.tensor(name);
  if (tensor == nullptr) return complaint.say("there is no tensor ", name);
  matrix = {Format::kFloat32, rows, columns, tensor->data};
  if (tensor->type == Gguf::Type::kBytes) {
    const bool fits = reinterpret_cast<std::uintptr_t>(tensor->data) % alignof(float) == 0 &&
                      packed_format(tensor->sizes[0], matrix.format) &&
                      tensor->sizes[1] == matrix.blocks() &&
                      tensor->sizes[2] == matrix.groups() && tensor->sizes[3] == 1;
    if (fits) num_bytes_ += matrix.bytes();
    return fits || complaint.say("the tensor ", name, " has another size");
  }
  Blocks blocks = Blocks::kQ8_0;
  const bool has_blocks = block_format(tensor->type, matrix.format, blocks);
  if (!(has_blocks || float_format(tensor->type, matrix.format)) || tensor->sizes[0] != columns ||
      tensor->rows() != rows) {
    return complaint.say("the tensor ", name, " has another size or type");
  }
  num_bytes_ += matrix.bytes();
  unpacked_[num_unpacked_++] = {tensor, &matrix};
  return true;
}

bool WeightReader::vector(const Gguf& file, const char* name, std::size_t size,
                          const float*& values, Complaint& complaint) {
  const Gguf::Tensor* tensor = file.tensor(name);
  if (tensor == nullptr) return complaint.say("there is no tensor ", name);
  if (tensor->type != Gguf::Type::kFloat32 || tensor->sizes[0] != size || tensor->rows() != 1) {
    return complaint.say("the tensor ", name, " has another size or type");
  }
  float* kept = numbers(num_tiles(size, kTileColumns) * kTileColumns);
  if (kept == nullptr) return complaint.say("there is not enough memory");
  __builtin_memcpy(kept, tensor->data, size * sizeof(float));
  values = kept;
  return true;
}

float* WeightReader::numbers(std::size_t count) {
  Room<float>& kept = floats_[num_floats_++];
  return kept.make(count) ? kept.data() : nullptr;
}

bool WeightReader::cut(std::uint8_t* tiles, Growing<Chunk>& chunks) const {
  constexpr std::size_t kChunkBytes = 1 << 17;
  for (std::size_t i = 0; i < num_unpacked_; ++i) {
    const Gguf::Tensor& tensor = *unpacked_[i].tensor;
    const Matrix& matrix = *unpacked_[i].matrix;
    const std::size_t row_bytes = tensor.bytes / matrix.rows;
    const std::size_t num_rows = num_tiles(kChunkBytes / row_bytes + 1, kTileRows) * kTileRows;
    for (std::size_t row = 0; row < matrix.rows; row += num_rows) {
      const std::size_t left = matrix.rows - row, count = left < num_rows ? left : num_rows;
      Chunk chunk{&tensor, matrix, tensor.data + row * row_bytes, count * row_bytes,
                  tiles + row / kTileRows * matrix.group_bytes()};
      chunk.rows.rows = count;
      if (!chunks.push(chunk)) return false;
    }
    tiles += room_of(matrix);
  }
  return true;
}

void WeightReader::pack_chunk(const Chunk& chunk) const {
  Format format;
  Blocks blocks = Blocks::kQ8_0;
  if (block_format(chunk.tensor->type, format, blocks)) {
    pack_blocks(blocks, chunk.from, chunk.rows, chunk.tiles);
  } else {
    pack_floats(chunk.from, chunk.rows, chunk.tiles);
  }
}

// Says once for many neighbours that they are packed: giving pages back stops all threads for a moment.
void WeightReader::tell(const Chunk* chunks, std::size_t count) const {
  constexpr std::size_t kPadding = 64;  // between tensors
  for (std::size_t first = 0, last = 0; first < count; first = last) {
    const std::uint8_t* end = chunks[first].from + chunks[first].bytes;
    for (last = first + 1; last < count; ++last) {
      const std::uint8_t* next = chunks[last].from;
      if (next < end || static_cast<std::size_t>(next - end) > kPadding) break;
      end = next + chunks[last].bytes;
    }
    const std::uint8_t* begin = chunks[first].from;
    when_packed_(packed_context_, begin, static_cast<std::size_t>(end - begin));
  }
}

bool WeightReader::pack(Complaint& complaint) {
  struct Job {
    const WeightReader* self;
    Growing<Chunk> chunks;
    Room<std::uint32_t> done;  // chunks of every group
  } job{this, {}, {}};
  std::size_t size = 0;
  for (std::size_t i = 0; i < num_unpacked_; ++i) size += room_of(*unpacked_[i].matrix);
  constexpr std::size_t kGroup = 32;
  if (!packed_.make_large(size) || !cut(packed_.data(), job.chunks) ||
      !job.done.make(num_tiles(job.chunks.size(), kGroup))) {
    return complaint.say("there is not enough memory");
  }
  const auto pack_one = [](void* all, std::size_t number, std::size_t) {
    auto& every = *static_cast<Job*>(all);
    every.self->pack_chunk(every.chunks[number]);
    if (every.self->when_packed_ == nullptr) return;
    const std::size_t first = number / kGroup * kGroup, left = every.chunks.size() - first;
    const std::size_t count = left < kGroup ? left : kGroup;
    std::uint32_t* done = &every.done[number / kGroup];
    if (__atomic_add_fetch(done, 1u, __ATOMIC_ACQ_REL) == count) {
      every.self->tell(every.chunks.data() + first, count);
    }
  };
  gather_for(crew_, num_bytes_);
  crew_.run_loosely(pack_one, &job, job.chunks.size());
  std::uint8_t* tiles = packed_.data();
  for (std::size_t i = 0; i < num_unpacked_; ++i) {
    unpacked_[i].matrix->tiles = tiles;
    tiles += room_of(*unpacked_[i].matrix);
  }
  return true;
}

bool read_size(const Gguf& file, Text architecture, const char* key, std::size_t& size,
               Complaint& complaint) {
  std::uint64_t value;
  const Name name = Name().add(architecture.data, architecture.size).add(".").add(key);
  if (!file.number(name.text(), value)) return complaint.say("there is no setting ", name.text());
  size = value > SIZE_MAX ? SIZE_MAX : static_cast<std::size_t>(value);
  return true;
}

bool read_vocab_size(const Gguf& file, Text architecture, std::size_t& size,
                     Complaint& complaint) {
  const Gguf::Tensor* embedding = file.tensor("token_embd.weight");
  if (embedding == nullptr) return complaint.say("there is no tensor token_embd.weight");
  if (embedding->type == Gguf::Type::kBytes) {
    return read_size(file, architecture, "vocab_size", size, complaint);
  }
  size = embedding->rows();
  return true;
}

std::uint64_t hash_of_matrix(const Matrix& matrix, std::uint64_t before) {
  const std::size_t bytes = matrix.bytes();
  return hash_of(matrix.tiles, bytes < kHashedBytes ? bytes : kHashedBytes, before);
}

}  // namespace engine
