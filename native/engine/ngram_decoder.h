// A counting model alone as a decoder; its scores are natural logarithms of probabilities, as in
// sparrowlm/runtime/ngram_engine.py.
#pragma once

#include "session.h"

namespace engine {

class NgramDecoder final : public Decoder {
 public:
  NgramDecoder(const Ngram& ngram, std::size_t vocab_size, const Kernels& kernels,
               std::size_t most_rows)
      : Decoder(vocab_size, most_rows), ngram_(ngram), kernels_(kernels) {}
  bool make() override;
  void destroy() override { this->~NgramDecoder(); }

  bool start(Session& session) const override;
  bool copy(const Session& from, Session& to) const override;
  // Reading is nothing but looking up: it begins anew.
  std::size_t keep(Session& session, const std::int32_t* ids, std::size_t count) const override;
  // No row of scores is cheaper beside another.
  std::size_t room_ahead(const Session&) const override { return 0; }
  void cut(Session&, std::size_t) const override {}

  void read(Session& session, const std::int32_t* ids, std::size_t count, float* logits) override;
  void read_all(Session& session, const std::int32_t* ids, std::size_t count,
                float* logits) override;
  void read_one_each(Session* const* sessions, const std::int32_t* ids, std::size_t count,
                     float* logits) override;

 protected:
  std::size_t most_length() const override { return SIZE_MAX; }
  std::size_t body_bytes(std::size_t length) const override;
  void save_body(Session& session, std::uint8_t* to) const override;
  bool restore_body(Session& session, std::size_t length, const std::uint8_t* from,
                    Complaint& complaint) const override;

 private:
  // The ids at the end of a text that can matter.
  std::size_t num_kept(std::size_t length) const {
    return length < ngram_.order() ? length : ngram_.order() - 1;
  }
  void advance(Session& session, std::int32_t id) const;
  void score(const Session& session, float* logits);

  const Ngram& ngram_;
  const Kernels& kernels_;
  Room<double> rows_;
  float counts_[Ngram::kMostOrders] = {}, kinds_[Ngram::kMostOrders] = {};
};

}  // namespace engine
