#include "ngram_decoder.h"

namespace engine {
namespace {

constexpr float kLeast = 1e-30f;

}  // namespace

bool NgramDecoder::make() { return rows_.make(ngram_.order() * vocab_size()); }

bool NgramDecoder::start(Session& session) const {
  session.length_ = 0;
  session.place_ = ngram_.start();
  return session.ids_.size() > 0 || session.ids_.make(Ngram::kMostOrders);
}

bool NgramDecoder::copy(const Session& from, Session& to) const {
  if (!start(to)) return false;
  __builtin_memcpy(to.ids_.data(), from.ids_.data(), from.ids_.size() * sizeof(std::int32_t));
  to.length_ = from.length_;
  to.place_ = from.place_;
  return true;
}

std::size_t NgramDecoder::keep(Session& session, const std::int32_t*, std::size_t) const {
  session.length_ = 0;
  session.place_ = ngram_.start();
  return 0;
}

void NgramDecoder::advance(Session& session, std::int32_t id) const {
  ngram_.advance(session.place_, id);
  std::int32_t* ids = session.ids_.data();
  const std::size_t before = num_kept(session.length_), after = num_kept(++session.length_);
  if (after == 0) return;
  if (after == before) __builtin_memmove(ids, ids + 1, (after - 1) * sizeof *ids);
  ids[after - 1] = id;
}

void NgramDecoder::score(const Session& session, float* logits) {
  ngram_.predict(session.place_, rows_.data(), counts_, kinds_);
  const double* row = rows_.data() + (ngram_.order() - 1) * vocab_size();
  for (std::size_t v = 0; v < vocab_size(); ++v) {
    const auto probability = static_cast<float>(row[v]);
    logits[v] = probability > kLeast ? probability : kLeast;
  }
  kernels_.logarithms(logits, logits_stride(), vocab_size());
}

void NgramDecoder::read(Session& session, const std::int32_t* ids, std::size_t count,
                        float* logits) {
  for (std::size_t i = 0; i < count; ++i) advance(session, ids[i]);
  score(session, logits);
}

void NgramDecoder::read_all(Session& session, const std::int32_t* ids, std::size_t count,
                            float* logits) {
  for (std::size_t i = 0; i < count; ++i) {
    advance(session, ids[i]);
    score(session, logits + i * logits_stride());
  }
}

void NgramDecoder::read_one_each(Session* const* sessions, const std::int32_t* ids,
                                 std::size_t count, float* logits) {
  for (std::size_t i = 0; i < count; ++i) {
    advance(*sessions[i], ids[i]);
    score(*sessions[i], logits + i * logits_stride());
  }
}

// The last ids (i32), from which the place follows.
std::size_t NgramDecoder::body_bytes(std::size_t length) const {
  return num_kept(length) * sizeof(std::int32_t);
}

void NgramDecoder::save_body(Session& session, std::uint8_t* to) const {
  __builtin_memcpy(to, session.ids_.data(), body_bytes(session.length_));
}

bool NgramDecoder::restore_body(Session& session, std::size_t length, const std::uint8_t* from,
                                Complaint& complaint) const {
  const std::size_t kept = num_kept(length);
  if (!are_ids(from, kept)) return complaint.say("the state is damaged");
  if (!start(session)) return complaint.say("there is not enough memory");
  for (std::size_t i = 0; i < kept; ++i) {
    std::int32_t id;
    __builtin_memcpy(&id, from + i * sizeof id, sizeof id);
    advance(session, id);
  }
  session.length_ = length;
  return true;
}

}  // namespace engine
