// A Transformer as a decoder.
//
// The window rule: a memory that holds `context` ids is rebuilt from its last context / 2 before
// another one enters, positions counted from 0 again.
#pragma once

#include "choosing_threads.h"
#include "session.h"

namespace engine {

class TransformerDecoder final : public Decoder {
 public:
  TransformerDecoder(const Shape& shape, const Weights& weights, const Kernels& kernels,
                     Crew& crew, std::size_t most_rows);
  bool make() override;
  void destroy() override { this->~TransformerDecoder(); }

  bool start(Session& session) const override;
  bool copy(const Session& from, Session& to) const override;
  std::size_t keep(Session& session, const std::int32_t* ids, std::size_t count) const override;
  std::size_t room_ahead(const Session& session) const override;
  void cut(Session& session, std::size_t count) const override { session.length_ -= count; }

  void read(Session& session, const std::int32_t* ids, std::size_t count, float* logits) override;
  void read_all(Session& session, const std::int32_t* ids, std::size_t count,
                float* logits) override;
  void read_one_each(Session* const* sessions, const std::int32_t* ids, std::size_t count,
                     float* logits) override;

 protected:
  std::size_t most_length() const override { return shape_.context; }
  std::size_t body_bytes(std::size_t length) const override;
  void save_body(Session& session, std::uint8_t* to) const override;
  bool restore_body(Session& session, std::size_t length, const std::uint8_t* from,
                    Complaint& complaint) const override;

 private:
  // Makes room for one more id.
  void roll(Session& session);
  // Reads ids that fit the window; logits of the last `wanted` of them.
  void read_piece(Session& session, const std::int32_t* ids, std::size_t count, std::size_t wanted,
                  float* logits);
  void place(Session& session, std::int32_t id, std::size_t row);

  const Shape& shape_;
  Transformer transformer_;
  ThreadChoice threads_;
  Room<Place> places_;
  Room<std::size_t> rows_;
};

}  // namespace engine
