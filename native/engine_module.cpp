// The engine as Python sees it.
#include "arrays.h"

#include "engine/characters.h"
#include "engine/choosing_threads.h"
#include "engine/lookahead.h"
#include "engine/model.h"
#include "engine/open_model.h"
#include "engine/packing.h"
#include "engine/sampling.h"
#include "engine/self_test.h"
#include "engine/session.h"
#include "engine/tokenizer.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <tuple>

namespace {

using engine::Format;
using Bytes = nb::ndarray<const std::uint8_t, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

const engine::Kernels& kernels_called(const std::string& name) {
  const engine::Kernels* tables[8];
  const std::size_t count = engine::runnable_kernels(tables, 8);
  if (name.empty()) return *tables[0];
  for (std::size_t i = 0; i < count; ++i) {
    if (name == tables[i]->name) return *tables[i];
  }
  throw std::invalid_argument("no such kernels on this machine: " + name);
}

// What a draw asks for: temperature, top-k, top-p, min-p, repetition penalty, chance, permissions of
// every id (none: all), the ids before, ids whose scores are shifted and by how much.
using Wish = std::tuple<float, std::size_t, float, float, float, double, InputVector<bool>,
                        InputVector<std::int32_t>, InputVector<std::int32_t>, InputVector<float>>;

void check_ids(const std::int32_t* ids, std::size_t count, std::size_t vocab_size) {
  for (std::size_t i = 0; i < count; ++i) {
    if (ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= vocab_size) {
      throw std::invalid_argument("an id is outside of the vocabulary");
    }
  }
}

// Draws ids; keeps the room it needs.
class NativeSampler {
 public:
  explicit NativeSampler(std::size_t vocab_size)
      : sampler_(engine::best_kernels()), logits_((vocab_size + 15) / 16 * 16),
        vocab_size_(vocab_size) {
    if (!sampler_.make(vocab_size)) throw std::bad_alloc();
  }

  void check(std::size_t num_scores, const Wish& wish) const {
    const auto& allowed = std::get<6>(wish);
    if (num_scores != vocab_size_ || (allowed.size() != 0 && allowed.size() != vocab_size_)) {
      throw std::invalid_argument("scores and permissions of every id");
    }
    const auto &recent = std::get<7>(wish), &shifted = std::get<8>(wish);
    check_ids(recent.data(), recent.size(), vocab_size_);
    check_ids(shifted.data(), shifted.size(), vocab_size_);
    if (shifted.size() != std::get<9>(wish).size()) {
      throw std::invalid_argument("one shift for each id");
    }
  }

  std::int32_t draw(InputVector<float> logits, const Wish& wish) {
    check(logits.size(), wish);
    return draw(logits.data(), wish);
  }

  // Of what has been checked; without Python's lock.
  std::int32_t draw(const float* logits, const Wish& wish) {
    const auto& [temperature, top_k, top_p, min_p, penalty, chance, allowed, recent, shifted,
                 shifts] = wish;
    std::copy(logits, logits + vocab_size_, logits_.begin());
    for (std::size_t i = 0; i < shifted.size(); ++i) {
      logits_[static_cast<std::size_t>(shifted.data()[i])] += shifts.data()[i];
    }
    const auto* mask =
        allowed.size() == 0 ? nullptr : reinterpret_cast<const std::uint8_t*>(allowed.data());
    return sampler_.draw(logits_.data(), {temperature, top_k, top_p, min_p, penalty}, mask,
                         recent.data(), recent.size(), chance);
  }

 private:
  engine::Sampler sampler_;
  std::vector<float> logits_;
  std::size_t vocab_size_;
};

struct Destroyed {
  void operator()(engine::Decoder* decoder) const {
    decoder->destroy();
    std::free(decoder);
  }
};

// A model, and what runs it. The bytes belong to the array, which is kept.
class NativeDecoder {
 public:
  NativeDecoder(Bytes bytes, const std::string& kernels, std::size_t num_threads,
                std::size_t most_rows)
      : bytes_(bytes), kernels_(kernels_called(kernels)), crew_(num_threads), model_(crew_) {
    engine::Complaint complaint;
    if (!model_.open(bytes_.data(), bytes_.size(), complaint)) {
      throw std::invalid_argument(complaint.text());
    }
    decoder_.reset(model_.decoder(kernels_, crew_, most_rows));
    if (decoder_ == nullptr || !decoder_->make()) throw std::bad_alloc();
  }

  std::size_t vocab_size() const { return model_.vocab_size(); }
  std::size_t most_rows() const { return decoder_->most_rows(); }
  std::string kernels() const { return kernels_.name; }
  std::size_t num_threads() const { return crew_.num_used(); }

  std::unique_ptr<engine::Session> start() const {
    auto session = std::make_unique<engine::Session>();
    if (!decoder_->start(*session)) throw std::bad_alloc();
    return session;
  }

  std::unique_ptr<engine::Session> branch(const engine::Session& session) const {
    auto copy = std::make_unique<engine::Session>();
    if (!decoder_->copy(session, *copy)) throw std::bad_alloc();
    return copy;
  }

  nb::bytes save(engine::Session& session) const {
    std::vector<std::uint8_t> bytes(decoder_->saved_bytes(session));
    decoder_->save(session, model_.identity(), bytes.data());
    return nb::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  std::unique_ptr<engine::Session> restore(nb::bytes saved) const {
    auto session = std::make_unique<engine::Session>();
    engine::Complaint complaint;
    const auto* from = reinterpret_cast<const std::uint8_t*>(saved.c_str());
    if (!decoder_->restore(*session, model_.identity(), from, saved.size(), complaint)) {
      throw std::invalid_argument(complaint.text());
    }
    return session;
  }

  auto read(engine::Session& session, InputVector<std::int32_t> ids, bool is_last_only) {
    check(ids);
    const std::size_t num_rows = is_last_only ? 1 : ids.size();
    std::vector<float> logits(num_rows * decoder_->logits_stride());
    {
      nb::gil_scoped_release unlocked;
      const std::lock_guard<std::mutex> held(lock_);
      if (is_last_only) {
        decoder_->read(session, ids.data(), ids.size(), logits.data());
      } else {
        decoder_->read_all(session, ids.data(), ids.size(), logits.data());
      }
    }
    return rows_of(std::move(logits));
  }

  auto read_one_each(const std::vector<engine::Session*>& sessions, InputVector<std::int32_t> ids) {
    check(ids);
    if (sessions.size() != ids.size() || ids.size() > decoder_->most_rows()) {
      throw std::invalid_argument("one id for each session, at most most_rows");
    }
    std::vector<float> logits = rooms_->take(ids.size() * decoder_->logits_stride());
    {
      nb::gil_scoped_release unlocked;
      const std::lock_guard<std::mutex> held(lock_);
      decoder_->read_one_each(sessions.data(), ids.data(), ids.size(), logits.data());
    }
    return lent_rows(rooms_, std::move(logits), ids.size(), vocab_size(), decoder_->logits_stride());
  }

  // One id for each row of scores, drawn side by side.
  std::vector<std::int32_t> draw_each(InputMatrix<float> logits, const std::vector<Wish>& wishes) {
    if (logits.shape(0) != wishes.size()) throw std::invalid_argument("one wish for each row");
    std::vector<std::int32_t> ids(wishes.size());
    Draws draws{this, logits.data(), &wishes, ids.data()};
    nb::gil_scoped_release unlocked;
    const std::lock_guard<std::mutex> held(lock_);
    while (samplers_.size() < crew_.size()) {
      samplers_.push_back(std::make_unique<NativeSampler>(vocab_size()));
    }
    for (const Wish& wish : wishes) samplers_[0]->check(logits.shape(1), wish);
    crew_.run(&NativeDecoder::draw_part, &draws);
    return ids;
  }

  std::unique_ptr<engine::Lookahead> look_ahead(engine::Session& session) const {
    return std::make_unique<engine::Lookahead>(*decoder_, session);
  }

  auto read_ahead(engine::Lookahead& ahead, std::int32_t id) {
    check(&id, 1);
    std::vector<float> logits(decoder_->logits_stride());
    {
      nb::gil_scoped_release unlocked;
      const std::lock_guard<std::mutex> held(lock_);
      if (!ahead.read(id, logits.data())) throw std::bad_alloc();
    }
    return rows_of(std::move(logits));
  }

  // How many ids may be read now and taken back.
  std::size_t room_ahead(const engine::Session& session) const {
    return decoder_->room_ahead(session);
  }

  // Takes the last ids back: of those read since room_ahead said that there was room for them.
  void cut(engine::Session& session, std::size_t count) const {
    if (count > session.length()) throw std::invalid_argument("more ids than were read");
    decoder_->cut(session, count);
  }

  // "absent", "passed" or "failed".
  std::string self_test() {
    nb::gil_scoped_release unlocked;
    const std::lock_guard<std::mutex> held(lock_);
    switch (engine::self_test(model_.file(), *decoder_)) {
      case engine::SelfTest::kAbsent: return "absent";
      case engine::SelfTest::kPassed: return "passed";
      default: return "failed";
    }
  }

  std::uint64_t golden_hash(InputVector<std::int32_t> ids) {
    check(ids);
    std::uint64_t hash = 0;
    if (!engine::golden_hash(*decoder_, ids.data(), ids.size(), hash)) {
      throw std::bad_alloc();
    }
    return hash;
  }

  // Takes the likeliest id, again and again.
  auto continue_greedily(engine::Session& session, std::int32_t first, std::size_t count) {
    std::vector<float> logits(decoder_->logits_stride());
    std::vector<std::int32_t> ids;
    {
      nb::gil_scoped_release unlocked;
      const std::lock_guard<std::mutex> held(lock_);
      std::int32_t id = first;
      for (std::size_t i = 0; i < count; ++i) {
        decoder_->read(session, &id, 1, logits.data());
        id = engine::likeliest(kernels_, logits.data(), vocab_size());
        ids.push_back(id);
      }
    }
    return as_array(std::move(ids));
  }

 private:
  struct Draws {
    NativeDecoder* self;
    const float* logits;
    const std::vector<Wish>* wishes;
    std::int32_t* ids;
  };

  static void draw_part(void* job, std::size_t part, std::size_t num_parts) {
    const auto& all = *static_cast<const Draws*>(job);
    const std::size_t width = all.self->vocab_size();
    for (std::size_t i = part; i < all.wishes->size(); i += num_parts) {
      all.ids[i] = all.self->samplers_[part]->draw(all.logits + i * width, (*all.wishes)[i]);
    }
  }

  void check(const InputVector<std::int32_t>& ids) const { check(ids.data(), ids.size()); }

  void check(const std::int32_t* ids, std::size_t count) const {
    if (count == 0) throw std::invalid_argument("at least one id");
    check_ids(ids, count, vocab_size());
  }

  // Scores without the filling behind the last id.
  nb::ndarray<nb::numpy, float, nb::ndim<2>> rows_of(std::vector<float>&& logits) const {
    return as_rows(std::move(logits), vocab_size(), decoder_->logits_stride());
  }

  Bytes bytes_;
  std::mutex lock_;  // of the decoder's buffers and threads
  std::vector<std::unique_ptr<NativeSampler>> samplers_;
  std::shared_ptr<RowRooms> rooms_ = std::make_shared<RowRooms>();
  const engine::Kernels& kernels_;
  engine::Crew crew_;
  engine::Model model_;
  std::unique_ptr<engine::Decoder, Destroyed> decoder_;
};

// A whole model: prompts in, texts out.
class NativeModel {
 public:
  explicit NativeModel(Bytes bytes) : bytes_(bytes), open_(1) {
    engine::Complaint complaint;
    if (!open_.open(bytes_.data(), bytes_.size(), "", complaint)) {
      throw std::invalid_argument(complaint.text());
    }
  }

  nb::bytes generate(nb::bytes prompt, std::size_t most_tokens, std::uint64_t seed,
                     float temperature) {
    engine::Wish wish;
    wish.sampling.temperature = temperature;
    wish.seed = seed;
    wish.most_tokens = most_tokens;
    engine::Growing<char> text;
    {
      nb::gil_scoped_release unlocked;
      const std::lock_guard<std::mutex> held(lock_);
      bool goes_on = open_.writer().begin({prompt.c_str(), prompt.size()}, wish);
      while (goes_on) goes_on = open_.writer().advance(text);
    }
    return nb::bytes(text.data(), text.size());
  }

 private:
  Bytes bytes_;
  std::mutex lock_;
  engine::OpenModel open_;
};

// The tokenizer of a file.
class NativeTokenizer {
 public:
  explicit NativeTokenizer(Bytes bytes) : bytes_(bytes) {
    engine::Complaint complaint;
    engine::Gguf file;
    if (!file.open(bytes_.data(), bytes_.size(), complaint)) {
      throw std::invalid_argument(complaint.text());
    }
    const engine::Gguf::Entry* tokens = file.entry("tokenizer.ggml.tokens");
    if (!tokenizer_.open(file, tokens == nullptr ? 0 : tokens->count, complaint)) {
      throw std::invalid_argument(complaint.text());
    }
  }

  std::size_t size() const { return tokenizer_.size(); }

  auto encode(nb::bytes text) const {
    engine::Ids ids;
    if (!tokenizer_.encode({text.c_str(), text.size()}, ids)) throw std::bad_alloc();
    return as_array(std::vector<std::int32_t>(ids.data(), ids.data() + ids.size()));
  }

  nb::bytes piece(std::size_t id) const {
    if (id >= size()) throw std::invalid_argument("an id is outside of the vocabulary");
    const engine::Text piece = tokenizer_.piece(static_cast<std::int32_t>(id));
    return nb::bytes(piece.data, piece.size);
  }

 private:
  Bytes bytes_;
  engine::Tokenizer tokenizer_;
};

std::vector<std::string> kernel_names() {
  const engine::Kernels* tables[8];
  const std::size_t count = engine::runnable_kernels(tables, 8);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.emplace_back(tables[i]->name);
  return names;
}

auto packed_codes(InputMatrix<std::int8_t> codes, InputMatrix<std::uint16_t> scales,
                  std::uint32_t bits) {
  engine::Matrix matrix{static_cast<Format>(bits), codes.shape(0), codes.shape(1), nullptr};
  if (!engine::is_format(bits) || !engine::is_integer(matrix.format)) {
    throw std::invalid_argument("bits are 3, 4, 5, 6 or 8");
  }
  if (scales.shape(0) != matrix.rows || scales.shape(1) != matrix.blocks()) {
    throw std::invalid_argument("one scale for each block of 32 columns");
  }
  std::vector<std::uint8_t> tiles(matrix.bytes());
  if (!engine::pack_codes(codes.data(), scales.data(), matrix, tiles.data())) {
    throw std::invalid_argument("a code is out of range, or a scale not finite");
  }
  return as_array(std::move(tiles));
}

}  // namespace

void define_engine(nb::module_& module) {
  nb::class_<engine::Session>(module, "Session")
      .def_prop_ro("length", &engine::Session::length);
  nb::class_<engine::Lookahead>(module, "Lookahead")
      .def_prop_ro("num_guessed", &engine::Lookahead::num_guessed)
      .def_prop_ro("num_right", &engine::Lookahead::num_right)
      .def("limit", &engine::Lookahead::limit)
      .def("insist", &engine::Lookahead::insist)
      .def("settle", &engine::Lookahead::settle);
  nb::class_<NativeDecoder>(module, "Decoder")
      .def(nb::init<Bytes, const std::string&, std::size_t, std::size_t>(), nb::arg("file"),
           nb::arg("kernels") = "", nb::arg("num_threads") = 1, nb::arg("most_rows") = 64)
      .def_prop_ro("vocab_size", &NativeDecoder::vocab_size)
      .def_prop_ro("most_rows", &NativeDecoder::most_rows)
      .def_prop_ro("kernels", &NativeDecoder::kernels)
      .def_prop_ro("num_threads", &NativeDecoder::num_threads)
      .def("start", &NativeDecoder::start)
      .def("branch", &NativeDecoder::branch)
      .def("save", &NativeDecoder::save)
      .def("restore", &NativeDecoder::restore)
      .def("read", &NativeDecoder::read, nb::arg("session"), nb::arg("ids"),
           nb::arg("is_last_only") = true)
      .def("read_one_each", &NativeDecoder::read_one_each)
      .def("room_ahead", &NativeDecoder::room_ahead)
      .def("cut", &NativeDecoder::cut)
      .def("draw_each", &NativeDecoder::draw_each, nb::arg("logits"), nb::arg("wishes"))
      .def("look_ahead", &NativeDecoder::look_ahead, nb::keep_alive<0, 1>(), nb::keep_alive<0, 2>())
      .def("read_ahead", &NativeDecoder::read_ahead)
      .def("self_test", &NativeDecoder::self_test)
      .def("golden_hash", &NativeDecoder::golden_hash)
      .def("continue_greedily", &NativeDecoder::continue_greedily);
  nb::class_<NativeModel>(module, "Model")
      .def(nb::init<Bytes>(), nb::arg("file"))
      .def("generate", &NativeModel::generate, nb::arg("prompt"), nb::arg("most_tokens") = 200,
           nb::arg("seed") = 0, nb::arg("temperature") = 0.8f);
  nb::class_<NativeTokenizer>(module, "Tokenizer")
      .def(nb::init<Bytes>(), nb::arg("file"))
      .def_prop_ro("size", &NativeTokenizer::size)
      .def("encode", &NativeTokenizer::encode)
      .def("piece", &NativeTokenizer::piece);
  nb::class_<NativeSampler>(module, "Sampler")
      .def(nb::init<std::size_t>(), nb::arg("vocab_size"))
      .def("draw", nb::overload_cast<InputVector<float>, const Wish&>(&NativeSampler::draw),
           nb::arg("logits"), nb::arg("wish"));
  module.def("kernel_names", &kernel_names);
  module.def("packed_codes", &packed_codes, nb::arg("codes"), nb::arg("scales"), nb::arg("bits"));
}
