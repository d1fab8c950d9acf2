#include "recurrent_decoder.h"

namespace engine {

RecurrentDecoder::RecurrentDecoder(const RecurrentShape& shape, const RecurrentWeights& weights,
                                   const Kernels& kernels, Crew& crew, std::size_t most_rows)
    : Decoder(shape.vocab_size, most_rows), recurrent_(shape, weights, kernels, crew, most_rows),
      threads_(crew) {}

bool RecurrentDecoder::make() { return recurrent_.make() && states_.make(most_rows()); }

bool RecurrentDecoder::start(Session& session) const {
  session.length_ = 0;
  session.read_ = kHashOfNothing;
  return session.state_.make(recurrent_.shape().state_size());
}

bool RecurrentDecoder::copy(const Session& from, Session& to) const {
  if (!start(to)) return false;
  __builtin_memcpy(to.state_.data(), from.state_.data(), state_bytes());
  to.length_ = from.length_;
  to.read_ = from.read_;
  return true;
}

// All that was read must be the beginning of what comes: no state lies in between.
std::size_t RecurrentDecoder::keep(Session& session, const std::int32_t* ids,
                                   std::size_t count) const {
  if (session.length_ < count && session.read_ == hash_of(ids, session.length_ * sizeof *ids)) {
    return session.length_;
  }
  __builtin_memset(session.state_.data(), 0, state_bytes());
  session.read_ = kHashOfNothing;
  return session.length_ = 0;
}

void RecurrentDecoder::note(Session& session, const std::int32_t* ids, std::size_t count) {
  session.read_ = hash_of(ids, count * sizeof *ids, session.read_);
  session.length_ += count;
}

void RecurrentDecoder::read_piece(Session& session, const std::int32_t* ids, std::size_t count,
                                  std::size_t wanted, float* logits) {
  float* state = session.state_.data();
  for (std::size_t done = 0; done < count;) {
    const std::size_t left = count - done, num = left < most_rows() ? left : most_rows();
    // Step after step waits for all threads, however many ids there are.
    threads_.begin(num == 1 ? 1 : 0);
    recurrent_.read(&state, ids + done, num, 1);
    done += num;
    // Ids whose scores are wanted are the last ones of all.
    const std::size_t after = count - done;
    const std::size_t scored = wanted > after ? (wanted - after < num ? wanted - after : num) : 0;
    if (scored > 0) recurrent_.score(num - scored, scored, logits);
    threads_.end();
    logits += scored * logits_stride();
  }
  note(session, ids, count);
}

void RecurrentDecoder::read(Session& session, const std::int32_t* ids, std::size_t count,
                            float* logits) {
  read_piece(session, ids, count, 1, logits);
}

void RecurrentDecoder::read_all(Session& session, const std::int32_t* ids, std::size_t count,
                                float* logits) {
  read_piece(session, ids, count, count, logits);
}

void RecurrentDecoder::read_one_each(Session* const* sessions, const std::int32_t* ids,
                                     std::size_t count, float* logits) {
  for (std::size_t i = 0; i < count; ++i) {
    states_[i] = sessions[i]->state_.data();
    note(*sessions[i], &ids[i], 1);
  }
  threads_.begin(count);
  recurrent_.read(states_.data(), ids, 1, count);
  recurrent_.score(0, count, logits);
  threads_.end();
}

// The hash of the ids that were read (u64), then the state (float32).
std::size_t RecurrentDecoder::body_bytes(std::size_t) const {
  return sizeof(std::uint64_t) + state_bytes();
}

void RecurrentDecoder::save_body(Session& session, std::uint8_t* to) const {
  __builtin_memcpy(to, &session.read_, sizeof session.read_);
  __builtin_memcpy(to + sizeof session.read_, session.state_.data(), state_bytes());
}

bool RecurrentDecoder::restore_body(Session& session, std::size_t length, const std::uint8_t* from,
                                    Complaint& complaint) const {
  if (!start(session)) return complaint.say("there is not enough memory");
  __builtin_memcpy(&session.read_, from, sizeof session.read_);
  __builtin_memcpy(session.state_.data(), from + sizeof session.read_, state_bytes());
  session.length_ = length;
  return true;
}

}  // namespace engine
