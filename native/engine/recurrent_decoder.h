// A recurrent network as a decoder. Its state is small and always whole: it can be copied and
// saved, but not turned back, so that nothing is guessed ahead.
#pragma once

#include "choosing_threads.h"
#include "recurrent.h"
#include "session.h"

namespace engine {

class RecurrentDecoder final : public Decoder {
 public:
  RecurrentDecoder(const RecurrentShape& shape, const RecurrentWeights& weights,
                   const Kernels& kernels, Crew& crew, std::size_t most_rows);
  bool make() override;
  void destroy() override { this->~RecurrentDecoder(); }

  bool start(Session& session) const override;
  bool copy(const Session& from, Session& to) const override;
  std::size_t keep(Session& session, const std::int32_t* ids, std::size_t count) const override;
  // As in sparrowlm/runtime/windows.py, where windows run side by side.
  std::size_t scoring_window() const override { return 1024; }
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
  // Reads ids; logits of the last `wanted` of them.
  void read_piece(Session& session, const std::int32_t* ids, std::size_t count, std::size_t wanted,
                  float* logits);
  std::size_t state_bytes() const { return recurrent_.shape().state_size() * sizeof(float); }
  static void note(Session& session, const std::int32_t* ids, std::size_t count);

  Recurrent recurrent_;
  ThreadChoice threads_;
  Room<float*> states_;
};

}  // namespace engine
