// The encoder as Python sees it.
#include "arrays.h"

#include "engine/angles.h"
#include "engine/encoder.h"
#include "engine/packing.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <tuple>

namespace {

using Bytes = nb::ndarray<const std::uint8_t, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
// Format, rows, columns, tiles.
using StoredMatrix = std::tuple<std::uint32_t, std::size_t, std::size_t, Bytes>;
using StoredTable = std::tuple<InputMatrix<std::int8_t>, InputVector<float>>;

constexpr std::size_t kMatricesOfLayer = 7, kVectorsOfLayer = 4, kLeastRows = 256;

// An encoder and what runs it. Several threads may read at once, each with buffers of its own.
class NativeEncoder {
 public:
  // sizes     vocab_size, width, layers, heads, heads of keys, head width, inner width, context
  // matrices  the embedding; of each layer query, key, value, out, gate, up, down
  // vectors   the last norm; of each layer the norms of attention, queries, keys, feed-forward
  // orders    of the n-gram tables, with their rows, and the matrix from their width to the
  //           Transformer's (none without tables)
  NativeEncoder(const std::vector<std::size_t>& sizes, float epsilon, double rope_base,
                const std::vector<StoredMatrix>& matrices,
                const std::vector<InputVector<float>>& vectors,
                const std::vector<std::size_t>& orders, const std::vector<StoredTable>& tables,
                const std::vector<StoredMatrix>& up, const std::string& kernels)
      : matrices_(matrices), tables_kept_(tables), up_(up), crew_(1) {
    const engine::Kernels* found = engine::kernels_called(kernels.c_str());
    if (found == nullptr) throw std::invalid_argument("no such kernels on this machine: " + kernels);
    kernels_ = found;
    if (sizes.size() != 8) throw std::invalid_argument("eight sizes");
    shape_ = {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6], sizes[7],
              epsilon};
    if (shape_.complaint() != nullptr) throw std::invalid_argument(shape_.complaint());
    if (!(rope_base >= 1.0)) throw std::invalid_argument("the base of the angles is below 1");
    take_weights(vectors);
    turn(rope_base);
    take_tables(orders);
  }

  std::string kernels() const { return kernels_->name; }

  // States of texts that stand one behind the other: rows of width numbers.
  auto read(InputVector<std::int32_t> ids, InputVector<std::int32_t> lengths,
            InputMatrix<float> added) {
    check(ids, lengths, added);
    std::vector<float> states(ids.size() * shape_.width);
    read_states(ids, lengths, added.shape(0) == 0 ? nullptr : added.data(), states.data());
    return as_rows(std::move(states), shape_.width);
  }

  // The mean and the largest of every text's states, side by side: rows of 2 * width numbers.
  auto pooled(InputVector<std::int32_t> ids, InputVector<std::int32_t> lengths) {
    check(ids, lengths);
    const std::size_t width = shape_.width;
    // Not a vector, which would write zeros first.
    const std::unique_ptr<float[]> states(new float[ids.size() * width]);
    std::vector<float> found(lengths.size() * 2 * width);
    read_states(ids, lengths, nullptr, states.get());
    const float* row = states.get();
    for (std::size_t text = 0; text < lengths.size(); ++text) {
      float *mean = found.data() + 2 * text * width, *most = mean + width;
      const auto length = static_cast<std::size_t>(lengths.data()[text]);
      std::copy(row, row + width, mean);
      std::copy(row, row + width, most);
      for (std::size_t place = 1; place < length; ++place) {
        const float* state = row + place * width;
        for (std::size_t d = 0; d < width; ++d) {
          mean[d] += state[d];
          most[d] = std::max(most[d], state[d]);
        }
      }
      for (std::size_t d = 0; d < width; ++d) mean[d] /= static_cast<float>(length);
      row += length * width;
    }
    return as_rows(std::move(found), 2 * width);
  }

 private:
  struct Buffers {
    engine::Encoder encoder;
  };
  using Worker = std::unique_ptr<Buffers>;

  void read_states(const InputVector<std::int32_t>& ids, const InputVector<std::int32_t>& lengths,
                   const float* added, float* states) {
    nb::gil_scoped_release unlocked;
    Worker worker = taken();
    worker->encoder.read(ids.data(), lengths.data(), lengths.size(), added, states);
    const std::lock_guard<std::mutex> held(lock_);
    idle_.push_back(std::move(worker));
  }

  Worker taken() {
    {
      const std::lock_guard<std::mutex> held(lock_);
      if (!idle_.empty()) {
        Worker worker = std::move(idle_.back());
        idle_.pop_back();
        return worker;
      }
    }
    const std::size_t most_rows = std::max(kLeastRows, shape_.context);
    Worker worker(new Buffers{{shape_, weights_, tables_, *kernels_, crew_, most_rows}});
    if (!worker->encoder.make()) throw std::bad_alloc();
    return worker;
  }

  void check(const InputVector<std::int32_t>& ids, const InputVector<std::int32_t>& lengths,
             const InputMatrix<float>& added) const {
    check(ids, lengths);
    if (added.shape(0) != 0 && (added.shape(0) != ids.size() || added.shape(1) != shape_.width)) {
      throw std::invalid_argument("what is added is a row for each id");
    }
  }

  void check(const InputVector<std::int32_t>& ids,
             const InputVector<std::int32_t>& lengths) const {
    std::size_t total = 0;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const auto length = static_cast<std::size_t>(lengths.data()[i]);
      if (length == 0 || length > shape_.context) {
        throw std::invalid_argument("a text has no id, or more than the context");
      }
      total += length;
    }
    if (total != ids.size()) throw std::invalid_argument("the lengths are not those of the ids");
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids.data()[i] < 0 || static_cast<std::size_t>(ids.data()[i]) >= shape_.vocab_size) {
        throw std::invalid_argument("an id is outside of the vocabulary");
      }
    }
  }

  engine::Matrix matrix(const StoredMatrix& stored, std::size_t rows, std::size_t columns) const {
    const auto& [format, stored_rows, stored_columns, tiles] = stored;
    if (!engine::is_format(format) || stored_rows != rows || stored_columns != columns) {
      throw std::invalid_argument("a matrix has another size or an unknown format");
    }
    const engine::Matrix found{static_cast<engine::Format>(format), rows, columns, tiles.data()};
    if (tiles.size() != found.bytes()) throw std::invalid_argument("a matrix is not whole");
    return found;
  }

  void take_weights(const std::vector<InputVector<float>>& vectors) {
    const std::size_t width = shape_.width, inner = shape_.inner_width;
    if (matrices_.size() != 1 + kMatricesOfLayer * shape_.num_layers ||
        vectors.size() != 1 + kVectorsOfLayer * shape_.num_layers) {
      throw std::invalid_argument("a matrix or a vector is missing");
    }
    vectors_ = std::vector<engine::Room<float>>(vectors.size());
    weights_.embedding = matrix(matrices_[0], shape_.vocab_size, width);
    weights_.final_norm = kept(vectors[0], 0, width);
    if (!weights_.layers.make(shape_.num_layers)) throw std::bad_alloc();
    for (std::size_t number = 0; number < shape_.num_layers; ++number) {
      const StoredMatrix* own = matrices_.data() + 1 + kMatricesOfLayer * number;
      const std::size_t first = 1 + kVectorsOfLayer * number;
      engine::Layer& layer = weights_.layers[number];
      layer.query = matrix(own[0], shape_.query_width(), width);
      layer.key = matrix(own[1], shape_.key_width(), width);
      layer.value = matrix(own[2], shape_.key_width(), width);
      layer.out = matrix(own[3], width, shape_.query_width());
      layer.gate = matrix(own[4], inner, width);
      layer.up = matrix(own[5], inner, width);
      layer.down = matrix(own[6], width, inner);
      layer.attention_norm = kept(vectors[first], first, width);
      layer.query_norm = kept(vectors[first + 1], first + 1, shape_.head_width);
      layer.key_norm = kept(vectors[first + 2], first + 2, shape_.head_width);
      layer.feed_forward_norm = kept(vectors[first + 3], first + 3, width);
    }
  }

  const float* kept(const InputVector<float>& values, std::size_t place, std::size_t size) {
    engine::Room<float>& room = vectors_[place];
    if (values.size() != size) throw std::invalid_argument("a vector has another size");
    if (!room.make(engine::num_tiles(size, engine::kTileColumns) * engine::kTileColumns)) {
      throw std::bad_alloc();
    }
    std::copy(values.data(), values.data() + size, room.data());
    return room.data();
  }

  void turn(double rope_base) {
    if (!turns_.make(shape_.context, shape_.head_width / 2, rope_base)) throw std::bad_alloc();
    weights_.turns = &turns_;
  }

  void take_tables(const std::vector<std::size_t>& orders) {
    if (orders.size() != tables_kept_.size() || orders.size() > engine::kMostOrders ||
        up_.size() != (orders.empty() ? 0 : 1)) {
      throw std::invalid_argument("one table for each order");
    }
    tables_.num_orders = orders.size();
    for (std::size_t index = 0; index < orders.size(); ++index) {
      const auto& [rows, scales] = tables_kept_[index];
      if (index == 0) {
        tables_.num_buckets = rows.shape(0);
        tables_.width = rows.shape(1);
      }
      if (orders[index] < 2 || rows.shape(0) == 0 || rows.shape(0) != tables_.num_buckets ||
          rows.shape(1) != tables_.width || scales.size() != rows.shape(0)) {
        throw std::invalid_argument("the tables are not alike");
      }
      tables_.orders[index] = orders[index];
      tables_.rows[index] = rows.data();
      tables_.scales[index] = scales.data();
    }
    if (!orders.empty()) {
      tables_.up = matrix(up_[0], shape_.width, tables_.width);
      if (engine::is_integer(tables_.up.format)) {
        throw std::invalid_argument("the matrix behind the tables is of floats");
      }
    }
  }

  std::vector<StoredMatrix> matrices_;
  std::vector<StoredTable> tables_kept_;
  std::vector<StoredMatrix> up_;
  std::vector<engine::Room<float>> vectors_;
  engine::TurnTables turns_;
  engine::Shape shape_;
  engine::Weights weights_;
  engine::NgramTables tables_;
  const engine::Kernels* kernels_;
  engine::Crew crew_;
  std::mutex lock_;  // of the idle buffers
  std::vector<Worker> idle_;
};

auto packed_floats(InputMatrix<float> values) {
  const engine::Matrix matrix{engine::Format::kFloat32, values.shape(0), values.shape(1), nullptr};
  std::vector<std::uint8_t> tiles(matrix.bytes());
  engine::pack_floats(reinterpret_cast<const std::uint8_t*>(values.data()), matrix, tiles.data());
  return as_array(std::move(tiles));
}

}  // namespace

void define_encoder(nb::module_& module) {
  nb::class_<NativeEncoder>(module, "Encoder")
      .def(nb::init<const std::vector<std::size_t>&, float, double,
                    const std::vector<StoredMatrix>&, const std::vector<InputVector<float>>&,
                    const std::vector<std::size_t>&, const std::vector<StoredTable>&,
                    const std::vector<StoredMatrix>&, const std::string&>(),
           nb::arg("sizes"), nb::arg("epsilon"), nb::arg("rope_base"), nb::arg("matrices"),
           nb::arg("vectors"), nb::arg("orders"), nb::arg("tables"), nb::arg("up"),
           nb::arg("kernels") = "")
      .def_prop_ro("kernels", &NativeEncoder::kernels)
      .def("read", &NativeEncoder::read, nb::arg("ids"), nb::arg("lengths"), nb::arg("added"))
      .def("pooled", &NativeEncoder::pooled, nb::arg("ids"), nb::arg("lengths"));
  module.def("packed_floats", &packed_floats, nb::arg("values"));
}
