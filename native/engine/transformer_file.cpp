#include "transformer_file.h"

#include "angles.h"
#include "hashing.h"
#include "names.h"

namespace engine {
namespace {

constexpr std::size_t kMatricesOfLayer = 7, kVectorsOfLayer = 4;

}  // namespace

bool TransformerFile::open(const Gguf& file, WeightReader& reader, Complaint& complaint) {
  return read_shape(file, complaint) && read_weights(file, reader, complaint);
}

std::uint64_t TransformerFile::identity() const {
  const std::uint64_t sizes[] = {
      shape_.vocab_size, shape_.width,      shape_.num_layers,  shape_.num_heads,
      shape_.num_kv_heads, shape_.head_width, shape_.inner_width, shape_.context};
  std::uint64_t hash = hash_of(sizes, sizeof sizes);
  const Layer& last = weights_.layers[shape_.num_layers - 1];
  const Matrix* const some[] = {&weights_.embedding, &last.query, &last.down};
  for (const Matrix* matrix : some) hash = hash_of_matrix(*matrix, hash);
  return hash_of(weights_.final_norm, shape_.width * sizeof(float), hash);
}

bool TransformerFile::read_shape(const Gguf& file, Complaint& complaint) {
  if (!file.text("general.architecture", architecture_) ||
      !(architecture_.is("qwen3") || architecture_.is("sparrow"))) {
    return complaint.say("the architecture is ", architecture_.data, architecture_.size,
                         ", read here are qwen3 and sparrow");
  }
  const auto size_of = [&](const char* key, std::size_t& size) {
    return read_size(file, architecture_, key, size, complaint);
  };
  double epsilon;
  const bool is_read =
      read_vocab_size(file, architecture_, shape_.vocab_size, complaint) &&
      size_of("context_length", shape_.context) && size_of("embedding_length", shape_.width) &&
      size_of("block_count", shape_.num_layers) &&
      size_of("feed_forward_length", shape_.inner_width) &&
      size_of("attention.head_count", shape_.num_heads) &&
      size_of("attention.head_count_kv", shape_.num_kv_heads) &&
      size_of("attention.key_length", shape_.head_width);
  if (!is_read) return false;
  const Name key = Name()
                       .add(architecture_.data, architecture_.size)
                       .add(".attention.layer_norm_rms_epsilon");
  if (!file.real(key.text(), epsilon)) return complaint.say("there is no setting ", key.text());
  shape_.epsilon = static_cast<float>(epsilon);
  const char* wrong = shape_.complaint();
  return wrong == nullptr || complaint.say(wrong);
}

bool TransformerFile::read_weights(const Gguf& file, WeightReader& reader, Complaint& complaint) {
  const std::size_t layers = shape_.num_layers;
  // Tables are made before anything is allocated for layers that the file cannot hold.
  if (layers > file.num_tensors()) return complaint.say("layers are missing");
  if (!reader.make(layers * kMatricesOfLayer + 1, layers * kVectorsOfLayer + 1) ||
      !weights_.layers.make(layers)) {
    return complaint.say("there is not enough memory");
  }
  if (!reader.matrix(file, "token_embd.weight", shape_.vocab_size, shape_.width,
                     weights_.embedding, complaint) ||
      !reader.vector(file, "output_norm.weight", shape_.width, weights_.final_norm, complaint)) {
    return false;
  }
  for (std::size_t number = 0; number < layers; ++number) {
    if (!read_layer(file, reader, number, complaint)) return false;
  }
  return reader.pack(complaint) && make_turns(file, complaint);
}

bool TransformerFile::read_layer(const Gguf& file, WeightReader& reader, std::size_t number,
                                 Complaint& complaint) {
  Layer& layer = weights_.layers[number];
  const std::size_t width = shape_.width, head = shape_.head_width, inner = shape_.inner_width;
  const std::size_t queries = shape_.query_width(), keys = shape_.key_width();
  const auto name = [number](const char* part) {
    return Name().add("blk.").add(number).add(".").add(part).add(".weight");
  };
  const auto has_matrix = [&](const char* part, std::size_t rows, std::size_t columns, Matrix& to) {
    return reader.matrix(file, name(part).text(), rows, columns, to, complaint);
  };
  const auto has_vector = [&](const char* part, std::size_t size, const float*& to) {
    return reader.vector(file, name(part).text(), size, to, complaint);
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

bool TransformerFile::make_turns(const Gguf& file, Complaint& complaint) {
  double base = 10'000.0;
  const Name key = Name().add(architecture_.data, architecture_.size).add(".rope.freq_base");
  if (file.entry(key.text()) != nullptr && !(file.real(key.text(), base) && base >= 1.0)) {
    return complaint.say("the setting ", key.text(), " is damaged");
  }
  weights_.turns = &turns_;
  return turns_.make(shape_.context, shape_.head_width / 2, base) ||
         complaint.say("there is not enough memory");
}

}  // namespace engine
