#include "recurrent_file.h"

#include "hashing.h"
#include "names.h"

namespace engine {

bool RecurrentFile::open(const Gguf& file, WeightReader& reader, Complaint& complaint) {
  return read_shape(file, complaint) && read_weights(file, reader, complaint);
}

std::uint64_t RecurrentFile::identity() const {
  const std::uint64_t sizes[] = {shape_.is_lstm ? 1u : 0u, shape_.vocab_size,
                                 shape_.embedding_width, shape_.state_width, shape_.num_layers};
  std::uint64_t hash = hash_of(sizes, sizeof sizes);
  const RecurrentLayer& last = weights_.layers[shape_.num_layers - 1];
  const Matrix* const some[] = {&weights_.embedding, &last.input, &last.state,
                                &weights_.projection};
  for (const Matrix* matrix : some) hash = hash_of_matrix(*matrix, hash);
  return hash_of(weights_.output_bias, shape_.vocab_size * sizeof(float), hash);
}

bool RecurrentFile::read_shape(const Gguf& file, Complaint& complaint) {
  Text cell;
  if (!file.text("sparrow.recurrent.cell", cell) || !(cell.is("rnn") || cell.is("lstm"))) {
    return complaint.say("the recurrent network is ", cell.data, cell.size,
                         ", read here are rnn and lstm");
  }
  shape_.is_lstm = cell.is("lstm");
  constexpr Text kOwn{"sparrow", 7};
  const bool is_read =
      read_vocab_size(file, kOwn, shape_.vocab_size, complaint) &&
      read_size(file, kOwn, "embedding_length", shape_.embedding_width, complaint) &&
      read_size(file, kOwn, "recurrent.state_length", shape_.state_width, complaint) &&
      read_size(file, kOwn, "block_count", shape_.num_layers, complaint);
  if (!is_read) return false;
  const char* wrong = shape_.complaint();
  return wrong == nullptr || complaint.say(wrong);
}

bool RecurrentFile::read_weights(const Gguf& file, WeightReader& reader, Complaint& complaint) {
  const std::size_t layers = shape_.num_layers;
  if (layers > file.num_tensors()) return complaint.say("layers are missing");
  if (!reader.make(2 * layers + 2, layers + 1) || !weights_.layers.make(layers)) {
    return complaint.say("there is not enough memory");
  }
  if (!reader.matrix(file, "token_embd.weight", shape_.vocab_size, shape_.embedding_width,
                     weights_.embedding, complaint)) {
    return false;
  }
  for (std::size_t number = 0; number < layers; ++number) {
    if (!read_layer(file, reader, number, complaint)) return false;
  }
  return reader.matrix(file, "rnn.projection.weight", shape_.embedding_width, shape_.state_width,
                       weights_.projection, complaint) &&
         reader.vector(file, "output.bias", shape_.vocab_size, weights_.output_bias, complaint) &&
         reader.pack(complaint);
}

bool RecurrentFile::read_layer(const Gguf& file, WeightReader& reader, std::size_t number,
                               Complaint& complaint) {
  RecurrentLayer& layer = weights_.layers[number];
  const auto name = [number](const char* part) {
    return Name().add("rnn.").add(number).add(part);
  };
  const std::size_t gates = shape_.gates_width();
  const std::size_t inputs = number == 0 ? shape_.embedding_width : shape_.state_width;
  return reader.matrix(file, name(".input.weight").text(), gates, inputs, layer.input,
                       complaint) &&
         reader.matrix(file, name(".state.weight").text(), gates, shape_.state_width, layer.state,
                       complaint) &&
         reader.vector(file, name(".bias").text(), gates, layer.bias, complaint);
}

}  // namespace engine
