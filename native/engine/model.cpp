#include "model.h"

#include "angles.h"
#include "hashing.h"
#include "names.h"
#include "packing.h"

namespace engine {
namespace {

constexpr std::size_t kMatricesOfLayer = 7, kVectorsOfLayer = 4;
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

bool Model::open(const std::uint8_t* bytes, std::size_t size, Complaint& complaint) {
  return file_.open(bytes, size, complaint) && read_shape(complaint) && read_weights(complaint);
}

std::size_t Model::num_bytes() const {
  std::size_t size = weights_.embedding.bytes();
  for (std::size_t number = 0; number < shape_.num_layers; ++number) {
    const Layer& layer = weights_.layers[number];
    const Matrix* const all[] = {&layer.query, &layer.key, &layer.value, &layer.out,
                                 &layer.gate,  &layer.up,  &layer.down};
    for (const Matrix* matrix : all) size += matrix->bytes();
  }
  return size;
}

std::uint64_t Model::identity() const {
  const std::uint64_t sizes[] = {
      shape_.vocab_size, shape_.width,      shape_.num_layers,  shape_.num_heads,
      shape_.num_kv_heads, shape_.head_width, shape_.inner_width, shape_.context};
  std::uint64_t hash = hash_of(sizes, sizeof sizes);
  const Layer& last = weights_.layers[shape_.num_layers - 1];
  const Matrix* const some[] = {&weights_.embedding, &last.query, &last.down};
  for (const Matrix* matrix : some) {
    const std::size_t bytes = matrix->bytes();
    hash = hash_of(matrix->tiles, bytes < kHashedBytes ? bytes : kHashedBytes, hash);
  }
  return hash_of(weights_.final_norm, shape_.width * sizeof(float), hash);
}

bool Model::read_shape(Complaint& complaint) {
  Text architecture;
  if (!file_.text("general.architecture", architecture) ||
      !(architecture.is("qwen3") || architecture.is("sparrow"))) {
    return complaint.say("the architecture is ", architecture.data, architecture.size,
                         ", read here are qwen3 and sparrow");
  }
  const auto size_of = [&](const char* key, std::size_t& size) {
    std::uint64_t value;
    const Name name = Name().add(architecture.data, architecture.size).add(key);
    if (!file_.number(name.text(), value)) {
      return complaint.say("there is no setting ", name.text());
    }
    size = static_cast<std::size_t>(value);
    return true;
  };
  const Gguf::Tensor* embedding = file_.tensor("token_embd.weight");
  if (embedding == nullptr) return complaint.say("there is no tensor token_embd.weight");
  double epsilon;
  const bool is_read =
      size_of(".context_length", shape_.context) && size_of(".embedding_length", shape_.width) &&
      size_of(".block_count", shape_.num_layers) &&
      size_of(".feed_forward_length", shape_.inner_width) &&
      size_of(".attention.head_count", shape_.num_heads) &&
      size_of(".attention.head_count_kv", shape_.num_kv_heads) &&
      size_of(".attention.key_length", shape_.head_width);
  if (!is_read) return false;
  const Name key = Name()
                       .add(architecture.data, architecture.size)
                       .add(".attention.layer_norm_rms_epsilon");
  if (!file_.real(key.text(), epsilon)) return complaint.say("there is no setting ", key.text());
  shape_.epsilon = static_cast<float>(epsilon);
  std::uint64_t vocab_size = embedding->rows();
  if (embedding->type == Gguf::Type::kBytes) {
    if (!size_of(".vocab_size", shape_.vocab_size)) return false;
  } else {
    shape_.vocab_size = static_cast<std::size_t>(vocab_size);
  }
  const char* wrong = shape_.complaint();
  return wrong == nullptr || complaint.say(wrong);
}

bool Model::read_weights(Complaint& complaint) {
  const std::size_t layers = shape_.num_layers;
  // Tables are made before anything is allocated for layers that the file cannot hold.
  if (layers > file_.num_tensors()) return complaint.say("layers are missing");
  if (!unpacked_.make(layers * kMatricesOfLayer + 1) ||
      !floats_.make(layers * kVectorsOfLayer + 3) || !weights_.layers.make(layers)) {
    return complaint.say("there is not enough memory");
  }
  if (!matrix("token_embd.weight", shape_.vocab_size, shape_.width, weights_.embedding,
              complaint) ||
      !vector("output_norm.weight", shape_.width, weights_.final_norm, complaint)) {
    return false;
  }
  for (std::size_t number = 0; number < layers; ++number) {
    if (!read_layer(number, complaint)) return false;
  }
  return pack(complaint) && turn_tables(complaint);
}

bool Model::read_layer(std::size_t number, Complaint& complaint) {
  Layer& layer = weights_.layers[number];
  const std::size_t width = shape_.width, head = shape_.head_width, inner = shape_.inner_width;
  const std::size_t queries = shape_.query_width(), keys = shape_.key_width();
  const auto name = [number](const char* part) {
    return Name().add("blk.").add(number).add(".").add(part).add(".weight");
  };
  const auto has_matrix = [&](const char* part, std::size_t rows, std::size_t columns, Matrix& to) {
    return matrix(name(part).text(), rows, columns, to, complaint);
  };
  const auto has_vector = [&](const char* part, std::size_t size, const float*& to) {
    return vector(name(part).text(), size, to, complaint);
  };
  return has_vector("attn_norm", width, layer.attention_norm) &&
         has_matrix("attn_q", queries, width, layer.query) &&
         has_matrix("attn_k", keys, width, layer.key) &&
         has_matrix("attn_v", keys, width, layer.value) &&
         has_vector("attn_q_norm", head, layer.query_norm) &&
         has_vector("attn_k_norm", head, layer.key_norm) &&
         has_matrix("attn_output", width, queries, layer.out) &&
         has_vector("ffn_norm", width, layer.feed_forward_norm) &&
         has_matrix("ffn_gate", inner, width, layer.gate) &&
         has_matrix("ffn_up", inner, width, layer.up) &&
         has_matrix("ffn_down", width, inner, layer.down);
}

bool Model::matrix(const char* name, std::size_t rows, std::size_t columns, Matrix& matrix,
                   Complaint& complaint) {
  const Gguf::Tensor* tensor = file_.tensor(name);
  if (tensor == nullptr) return complaint.say("there is no tensor ", name);
  matrix = {Format::kFloat32, rows, columns, tensor->data};
  if (tensor->type == Gguf::Type::kBytes) {
    const bool fits = reinterpret_cast<std::uintptr_t>(tensor->data) % alignof(float) == 0 &&
                      packed_format(tensor->sizes[0], matrix.format) &&
                      tensor->sizes[1] == matrix.blocks() &&
                      tensor->sizes[2] == matrix.groups() && tensor->sizes[3] == 1;
    return fits || complaint.say("the tensor ", name, " has another size");
  }
  Blocks blocks = Blocks::kQ8_0;
  const bool has_blocks = block_format(tensor->type, matrix.format, blocks);
  if (!(has_blocks || float_format(tensor->type, matrix.format)) || tensor->sizes[0] != columns ||
      tensor->rows() != rows) {
    return complaint.say("the tensor ", name, " has another size or type");
  }
  unpacked_[num_unpacked_++] = {tensor, &matrix};
  return true;
}

// All of them in one piece, in the order in which they are read for every token.
bool Model::pack(Complaint& complaint) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < num_unpacked_; ++i) size += room_of(*unpacked_[i].matrix);
  if (!packed_.make_large(size)) return complaint.say("there is not enough memory");
  std::uint8_t* tiles = packed_.data();
  for (std::size_t i = 0; i < num_unpacked_; ++i) {
    Matrix& matrix = *unpacked_[i].matrix;
    const Gguf::Tensor& tensor = *unpacked_[i].tensor;
    Format format;
    Blocks blocks = Blocks::kQ8_0;
    if (block_format(tensor.type, format, blocks)) {
      pack_blocks(blocks, tensor.data, matrix, tiles);
    } else {
      pack_floats(tensor.data, matrix, tiles);
    }
    matrix.tiles = tiles;
    tiles += room_of(matrix);
    if (when_packed_ != nullptr) when_packed_(packed_context_, tensor.data, tensor.bytes);
  }
  return true;
}

// Copied, for a file may begin anywhere and these are read as float32.
bool Model::vector(const char* name, std::size_t size, const float*& values,
                   Complaint& complaint) {
  const Gguf::Tensor* tensor = file_.tensor(name);
  if (tensor == nullptr) return complaint.say("there is no tensor ", name);
  if (tensor->type != Gguf::Type::kFloat32 || tensor->sizes[0] != size || tensor->rows() != 1) {
    return complaint.say("the tensor ", name, " has another size or type");
  }
  Room<float>& kept = floats_[num_floats_++];
  if (!kept.make(num_tiles(size, kTileColumns) * kTileColumns)) {
    return complaint.say("there is not enough memory");
  }
  __builtin_memcpy(kept.data(), tensor->data, size * sizeof(float));
  values = kept.data();
  return true;
}

bool Model::turn_tables(Complaint& complaint) {
  const std::size_t half = shape_.head_width / 2, count = shape_.context * half;
  Room<float>&cosines = floats_[num_floats_], &sines = floats_[num_floats_ + 1];
  if (!cosines.make(count) || !sines.make(count)) {
    return complaint.say("there is not enough memory");
  }
  Text architecture;
  file_.text("general.architecture", architecture);
  double base = 10'000.0;
  const Name key = Name().add(architecture.data, architecture.size).add(".rope.freq_base");
  if (file_.entry(key.text()) != nullptr && !(file_.real(key.text(), base) && base >= 1.0)) {
    return complaint.say("the setting ", key.text(), " is damaged");
  }
  engine::turn_tables(shape_.context, half, base, cosines.data(), sines.data());
  weights_.cosines = cosines.data();
  weights_.sines = sines.data();
  return true;
}

}  // namespace engine
