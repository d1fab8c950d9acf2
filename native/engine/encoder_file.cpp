#include "encoder_file.h"

#include "angles.h"
#include "kernels.h"
#include "names.h"
#include "packing.h"
#include "scanner.h"
#include "weight_reader.h"

namespace engine {
namespace {

constexpr std::size_t kMatricesOfLayer = 7, kVectorsOfLayer = 4, kMostLayers = 256;
constexpr Text kPrefix{"sparrow.encoder", 15};

Name part_of(const char* name, const char* suffix) { return Name().add(name).add(suffix); }

float number_at(const Array& array, std::size_t place) {
  if (array.item == 2) {
    std::uint16_t half;
    __builtin_memcpy(&half, array.data + 2 * place, sizeof half);
    return from_half(half);
  }
  float value;
  __builtin_memcpy(&value, array.data + 4 * place, sizeof value);
  return value;
}

bool is_finite_half(std::uint16_t half) { return (half & 0x7C00u) != 0x7C00u; }

}  // namespace

bool EncoderFile::open(const Gguf& file, Complaint& complaint) {
  const Gguf::Tensor* parts = file.tensor("file/encoder.bin");
  if (parts == nullptr) return complaint.say("the file holds no encoder");
  if (!arrays_.open(parts->data, parts->bytes, "encoder-parts", complaint)) return false;
  const Gguf::Tensor* body = file.tensor("file/model.safetensors");
  if (body != nullptr) {
    std::uint64_t size = 0;
    if (body->bytes >= sizeof size) __builtin_memcpy(&size, body->data, sizeof size);
    if (size == 0 || size > body->bytes - sizeof size) {
      return complaint.say("the encoder's weights are damaged");
    }
    const auto length = static_cast<std::size_t>(size);
    header_ = {reinterpret_cast<const char*>(body->data + sizeof size), length};
    body_ = body->data + sizeof size + length;
    body_bytes_ = body->bytes - sizeof size - length;
  }
  return read_shape(file, complaint) && read_body(complaint) && read_tables(file, complaint);
}

bool EncoderFile::read_shape(const Gguf& file, Complaint& complaint) {
  const auto size_of = [&](const char* key, std::size_t& size) {
    return read_size(file, kPrefix, key, size, complaint);
  };
  double epsilon;
  if (!size_of("vocab_size", shape_.vocab_size) || !size_of("width", shape_.width) ||
      !size_of("layers", shape_.num_layers) || !size_of("heads", shape_.num_heads) ||
      !size_of("key_heads", shape_.num_kv_heads) || !size_of("head_width", shape_.head_width) ||
      !size_of("inner_width", shape_.inner_width) || !size_of("context", shape_.context)) {
    return false;
  }
  if (!file.real("sparrow.encoder.epsilon", epsilon) ||
      !file.real("sparrow.encoder.rope_base", rope_base_) || !(rope_base_ >= 1.0)) {
    return complaint.say("a setting of the encoder is missing");
  }
  shape_.epsilon = static_cast<float>(epsilon);
  const char* wrong = shape_.complaint();
  if (wrong != nullptr) return complaint.say("the encoder does not run here: ", wrong);
  return shape_.num_layers <= kMostLayers || complaint.say("layers are missing");
}

bool EncoderFile::read_body(Complaint& complaint) {
  const std::size_t layers = shape_.num_layers;
  const auto refuse = [&] {
    return complaint.say("a weight of the encoder is missing or of another size");
  };
  if (!tiles_.make(layers * kMatricesOfLayer + 2) || !weights_.layers.make(layers) ||
      !numbers_.make(layers * kVectorsOfLayer + 1)) {
    return complaint.say("there is not enough memory");
  }
  if (!matrix("model.embed_tokens.weight", shape_.vocab_size, shape_.width, weights_.embedding) ||
      !vector("model.norm.weight", shape_.width, weights_.final_norm)) {
    return refuse();
  }
  for (std::size_t number = 0; number < layers; ++number) {
    if (!read_layer(number, complaint)) return refuse();
  }
  weights_.turns = &turns_;
  return turns_.make(shape_.context, shape_.head_width / 2, rope_base_) ||
         complaint.say("there is not enough memory");
}

bool EncoderFile::read_layer(std::size_t number, Complaint&) {
  Layer& layer = weights_.layers[number];
  const std::size_t width = shape_.width, inner = shape_.inner_width, head = shape_.head_width;
  const auto has_matrix = [&](const char* part, std::size_t rows, std::size_t columns, Matrix& to) {
    const Name name = Name().add("model.layers.").add(number).add(part).add(".weight");
    return matrix(name.text(), rows, columns, to);
  };
  const auto has_vector = [&](const char* part, std::size_t size, const float*& to) {
    const Name name = Name().add("model.layers.").add(number).add(part).add(".weight");
    return vector(name.text(), size, to);
  };
  return has_vector(".input_layernorm", width, layer.attention_norm) &&
         has_matrix(".self_attn.q_proj", shape_.query_width(), width, layer.query) &&
         has_matrix(".self_attn.k_proj", shape_.key_width(), width, layer.key) &&
         has_matrix(".self_attn.v_proj", shape_.key_width(), width, layer.value) &&
         has_vector(".self_attn.q_norm", head, layer.query_norm) &&
         has_vector(".self_attn.k_norm", head, layer.key_norm) &&
         has_matrix(".self_attn.o_proj", width, shape_.query_width(), layer.out) &&
         has_vector(".post_attention_layernorm", width, layer.feed_forward_norm) &&
         has_matrix(".mlp.gate_proj", inner, width, layer.gate) &&
         has_matrix(".mlp.up_proj", inner, width, layer.up) &&
         has_matrix(".mlp.down_proj", width, inner, layer.down);
}

bool EncoderFile::read_tables(const Gguf& file, Complaint& complaint) {
  const auto refuse = [&] { return complaint.say("the encoder's n-gram tables are damaged"); };
  std::size_t count, width;
  if (!read_size(file, kPrefix, "num_orders", count, complaint)) return false;
  if (count > kMostOrders) return refuse();
  if (count == 0) return true;
  if (!read_size(file, kPrefix, "table_width", width, complaint)) return false;
  tables_.width = width;
  for (std::size_t index = 0; index < count; ++index) {
    const Name key = Name().add("order.").add(index), name = Name().add("ngrams.table.").add(index);
    Table& table = tables_kept_[index];
    if (!read_size(file, kPrefix, key.text(), tables_.orders[index], complaint)) return false;
    if (tables_.orders[index] < 2 || tables_.orders[index] > shape_.vocab_size + 64 ||
        !this->table(name.text(), width, table)) {
      return refuse();
    }
    if (index == 0) tables_.num_buckets = table.scales.size();
    if (table.scales.size() == 0 || table.scales.size() != tables_.num_buckets) return refuse();
    tables_.rows[index] = table.codes.data();
    tables_.scales[index] = table.scales.data();
  }
  tables_.num_orders = count;
  const bool has_up = matrix("ngrams.up", shape_.width, width, tables_.up) &&
                      !is_integer(tables_.up.format);
  return has_up || refuse();
}

std::uint8_t* EncoderFile::room_for_tiles(std::size_t bytes) {
  if (num_tiles_ == tiles_.size()) return nullptr;
  Room<std::uint8_t>& room = tiles_[num_tiles_++];
  return room.make_large(bytes) ? room.data() : nullptr;
}

float* EncoderFile::room_for_numbers(std::size_t count) {
  if (num_numbers_ == numbers_.size()) return nullptr;
  Room<float>& room = numbers_[num_numbers_++];
  return room.make(count) ? room.data() : nullptr;
}

// "name":{"dtype":"F16","shape":[..],"data_offsets":[0,148]}
bool EncoderFile::in_safetensors(const char* name, Array& array) const {
  Scanner scanner(header_);
  const Name key = Name().add("\"").add(name).add("\":{\"dtype\":\"F");
  std::size_t bits, begin, end;
  if (!scanner.find(key.text()) || !scanner.number(bits) || (bits != 16 && bits != 32) ||
      !scanner.find("\"data_offsets\":[") || !scanner.number(begin) || !scanner.take(',') ||
      !scanner.number(end) || begin > end || end > body_bytes_) {
    return false;
  }
  array = {body_ + begin, (end - begin) / (bits / 8), bits / 8, 'f'};
  return true;
}

// Numbers of float16 or float32, from wherever they stand; no data: there are none.
Array EncoderFile::floats(const char* name) const {
  Array found;
  const bool is_body = __builtin_memcmp(name, "model.", 6) == 0;
  if (header_.size > 0 && is_body) {
    if (!in_safetensors(name, found)) return Array{};
  } else if (!arrays_.find(name, 'f', 2, found) && !arrays_.find(name, 'f', 4, found)) {
    return Array{};
  }
  return found;
}

bool EncoderFile::vector(const char* name, std::size_t count, const float*& values) {
  const Array found = floats(name);
  float* kept = room_for_numbers(num_tiles(count, kTileColumns) * kTileColumns);
  if (found.data == nullptr || found.count != count || kept == nullptr) return false;
  for (std::size_t i = 0; i < count; ++i) kept[i] = number_at(found, i);
  values = kept;
  return true;
}

bool EncoderFile::matrix(const char* name, std::size_t rows, std::size_t columns,
                         Matrix& matrix) {
  matrix = {Format::kFloat32, rows, columns, nullptr};
  if (rows > SIZE_MAX / 64 / (columns + kTileColumns)) return false;
  if (header_.size == 0 || __builtin_memcmp(name, "model.", 6) != 0) {
    if (matrix_of_tiles(name, matrix) || matrix_of_rows(name, matrix)) return true;
  }
  const Array found = floats(name);
  if (found.data == nullptr || found.count != rows * columns) return false;
  matrix.format = found.item == 2 ? Format::kFloat16 : Format::kFloat32;
  std::uint8_t* tiles = room_for_tiles(matrix.bytes());
  if (tiles == nullptr) return false;
  pack_floats(found.data, matrix, tiles);
  matrix.tiles = tiles;
  return true;
}

bool EncoderFile::matrix_of_tiles(const char* name, Matrix& matrix) {
  Matrix found;
  if (!any_tiles(name, found) || found.rows != matrix.rows || found.columns != matrix.columns) {
    return false;
  }
  matrix = found;
  return true;
}

// A matrix that stands as tiles, of whatever size.
bool EncoderFile::any_tiles(const char* name, Matrix& matrix) const {
  constexpr std::int32_t kMost = 1 << 24;
  Array tiles, form;
  if (!arrays_.find(part_of(name, ".tiles").text(), 'u', 1, tiles) ||
      !arrays_.find(part_of(name, ".form").text(), 'i', 4, form) || form.count != 3) {
    return false;
  }
  std::int32_t said[3];  // bits, rows, columns
  __builtin_memcpy(said, form.data, sizeof said);
  if (said[0] < 3 || !is_format(static_cast<std::uint32_t>(said[0])) || said[1] < 1 ||
      said[1] > kMost || said[2] < 1 || said[2] > kMost) {
    return false;
  }
  matrix = {static_cast<Format>(said[0]), static_cast<std::size_t>(said[1]),
            static_cast<std::size_t>(said[2]), tiles.data};
  return matrix.bytes() == tiles.count;
}

bool EncoderFile::matrix_of_rows(const char* name, Matrix& matrix) {
  Array codes, scales;
  if (!arrays_.find(name, 'i', 1, codes) ||
      !arrays_.find(part_of(name, ".scales").text(), 'f', 2, scales) ||
      scales.count != matrix.rows || codes.count != matrix.rows * matrix.columns) {
    return false;
  }
  Matrix found = matrix;
  found.format = Format::kInt8;
  Room<std::uint16_t> every;
  std::uint8_t* tiles = room_for_tiles(found.bytes());
  if (tiles == nullptr || !every.make(found.rows * found.blocks())) return false;
  for (std::size_t row = 0; row < found.rows; ++row) {
    for (std::size_t block = 0; block < found.blocks(); ++block) {
      every[row * found.blocks() + block] = scales.as<std::uint16_t>()[row];
    }
  }
  if (!pack_codes(codes.as<std::int8_t>(), every.data(), found, tiles)) return false;
  found.tiles = tiles;
  matrix = found;
  return true;
}

bool EncoderFile::table(const char* name, std::size_t width, Table& table) const {
  Array codes, scales;
  table.width = width;
  if (width == 0) return false;
  if (arrays_.find(name, 'i', 1, codes) &&
      arrays_.find(part_of(name, ".scales").text(), 'f', 2, scales) &&
      codes.count / width == scales.count && codes.count % width == 0) {
    if (!table.codes.make(codes.count) || !table.scales.make(scales.count)) return false;
    __builtin_memcpy(table.codes.data(), codes.data, codes.count);
    for (std::size_t i = 0; i < scales.count; ++i) table.scales[i] = number_at(scales, i);
    return true;
  }
  return table_of_tiles(name, table);
}

// A number is a code times its row's scale, so that the code comes back by rounding.
bool EncoderFile::table_of_tiles(const char* name, Table& table) const {
  Matrix matrix;
  Room<float> row;
  if (!any_tiles(name, matrix) || matrix.columns != table.width ||
      !row.make(matrix.blocks() * kTileColumns) || !table.scales.make(matrix.rows) ||
      !table.codes.make(matrix.rows * table.width)) {
    return false;
  }
  const Kernels& kernels = *kernels_called("portable");
  for (std::size_t number = 0; number < matrix.rows; ++number) {
    const std::uint8_t* tile = matrix.tiles + number / kTileRows * matrix.group_bytes();
    std::uint16_t half;
    __builtin_memcpy(&half, tile + 2 * (number % kTileRows), sizeof half);
    const float scale = is_finite_half(half) ? from_half(half) : 0.0f;
    kernels.row(matrix, number, row.data());
    for (std::size_t w = 0; w < table.width; ++w) {
      const float code = scale == 0.0f ? 0.0f : row[w] / scale;
      const float kept = code > 127.0f ? 127.0f : code < -127.0f ? -127.0f : code;
      table.codes[number * table.width + w] =
          static_cast<std::int8_t>(kept < 0.0f ? kept - 0.5f : kept + 0.5f);
    }
    table.scales[number] = scale;
  }
  return true;
}

std::size_t EncoderFile::head_count(const char* name) const {
  Array found;
  Matrix tiles;
  if (arrays_.find(name, 'f', 2, found) || arrays_.find(name, 'f', 4, found) ||
      arrays_.find(name, 'i', 1, found)) {
    return found.count;
  }
  return any_tiles(name, tiles) ? tiles.rows * tiles.columns : 0;
}

bool EncoderFile::head(const char* name, std::size_t count, Room<float>& values) const {
  if (!values.make(count)) return false;
  Matrix tiles;
  Room<float> row;
  if (any_tiles(name, tiles)) {
    if (tiles.rows * tiles.columns != count || !row.make(tiles.blocks() * kTileColumns)) return false;
    for (std::size_t number = 0; number < tiles.rows; ++number) {
      kernels_called("portable")->row(tiles, number, row.data());
      __builtin_memcpy(values.data() + number * tiles.columns, row.data(),
                       tiles.columns * sizeof(float));
    }
    return true;
  }
  const Array found = floats(name);
  if (found.data == nullptr || found.count != count) return false;
  for (std::size_t i = 0; i < count; ++i) values[i] = number_at(found, i);
  return true;
}

}  // namespace engine
