#include "session.h"

#include "clock.h"

namespace engine {

bool Session::make(const Shape& shape) {
  return memory_.make(shape, shape.context) && ids_.make(shape.context);
}

void Session::cut(std::size_t length) {
  if (length < memory_.length) memory_.length = length;
}

bool Session::copy(const Session& other, const Shape& shape) {
  if (!make(shape) || !memory_.copy(other.memory_, shape)) return false;
  __builtin_memcpy(ids_.data(), other.ids_.data(), other.length() * sizeof(std::int32_t));
  return true;
}

Decoder::Decoder(const Shape& shape, const Weights& weights, const Kernels& kernels, Crew& crew,
                 std::size_t most_rows)
    : shape_(shape), transformer_(shape, weights, kernels, crew, most_rows) {}

bool Decoder::make() {
  return transformer_.make() && places_.make(most_rows()) && rows_.make(most_rows());
}

// Where a token takes microseconds, threads would wait for one another longer than they work.
void gather_for(Crew& crew, std::size_t num_bytes) {
  constexpr std::size_t kLeastBytes = 4'000'000, kMostThreads = 8;
  if (!crew.is_open() || num_bytes < kLeastBytes) return;
  const std::size_t count = usable_processors();
  crew.gather(count < kMostThreads ? count : kMostThreads);
}

// A thread more has to save this share of the time: it works beside others, and waits for them.
bool Decoder::choose_threads() {
  constexpr double kLeastGain = 1.2;
  constexpr std::size_t kTries = 3;
  Crew& crew = transformer_.crew();
  if (!crew.is_open() || crew.size() == 1) return true;
  Session session;
  Room<float> logits;
  if (!session.make(shape_) || !logits.make(logits_stride())) return false;
  const auto seconds = [&](std::size_t num_threads) {
    crew.use(num_threads);
    double best = 1e30;
    for (std::size_t i = 0; i < kTries; ++i) {
      session.cut(0);
      const std::int32_t id = 0;
      const double began = seconds_now();
      read(session, &id, 1, logits.data());
      const double taken = seconds_now() - began;
      best = taken < best ? taken : best;
    }
    return best;
  };
  std::size_t chosen = 1;
  seconds(1);  // what comes from the file comes once
  double fastest = seconds(1);
  for (std::size_t count = 2; count <= crew.size(); count *= 2) {
    const double taken = seconds(count);
    if (taken * kLeastGain > fastest) break;
    fastest = taken;
    chosen = count;
  }
  crew.use(chosen);
  return true;
}

void Decoder::place(Session& session, std::int32_t id, std::size_t row) {
  const std::size_t position = session.memory_.length;
  session.ids_[position] = id;
  session.memory_.length = position + 1;
  places_[row] = {&session.memory_, position, position + 1, 0};
  transformer_.embed(static_cast<std::size_t>(id), row);
}

void Decoder::read_piece(Session& session, const std::int32_t* ids, std::size_t count,
                         std::size_t wanted, float* logits) {
  for (std::size_t done = 0; done < count;) {
    const std::size_t left = count - done, num = left < most_rows() ? left : most_rows();
    for (std::size_t row = 0; row < num; ++row) place(session, ids[done + row], row);
    transformer_.read(places_.data(), num);
    done += num;
    // Ids whose scores are wanted are the last ones of all.
    const std::size_t after = count - done;
    const std::size_t scored = wanted > after ? (wanted - after < num ? wanted - after : num) : 0;
    if (scored == 0) continue;
    for (std::size_t i = 0; i < scored; ++i) rows_[i] = num - scored + i;
    transformer_.score(rows_.data(), scored, logits);
    logits += scored * logits_stride();
  }
}

void Decoder::roll(Session& session) {
  if (session.length() < shape_.context) return;
  const std::size_t kept = shape_.context / 2, first = shape_.context - kept;
  __builtin_memmove(session.ids_.data(), session.ids_.data() + first, kept * sizeof(std::int32_t));
  session.memory_.length = 0;
  // Reading writes every id where it stands already.
  read_piece(session, session.ids_.data(), kept, 0, nullptr);
}

void Decoder::read_all(Session& session, const std::int32_t* ids, std::size_t count,
                       float* logits) {
  while (count > 0) {
    roll(session);
    const std::size_t room = shape_.context - session.length(), num = count < room ? count : room;
    read_piece(session, ids, num, num, logits);
    ids += num;
    count -= num;
    logits += num * logits_stride();
  }
}

// Windows that will have been left behind when the last id is read need no work.
void Decoder::read(Session& session, const std::int32_t* ids, std::size_t count, float* logits) {
  const std::size_t context = shape_.context, stride = context - context / 2;
  const std::size_t before = session.length(), whole = before + count;
  if (whole <= context) return read_piece(session, ids, count, 1, logits);
  const std::size_t skipped = num_tiles(whole - context, stride) * stride;
  session.memory_.length = 0;
  if (skipped < before) {
    const std::size_t kept = before - skipped;
    __builtin_memmove(session.ids_.data(), session.ids_.data() + skipped,
                      kept * sizeof(std::int32_t));
    read_piece(session, session.ids_.data(), kept, 0, nullptr);
    return read_piece(session, ids, count, 1, logits);
  }
  const std::size_t first = skipped - before;
  read_piece(session, ids + first, count - first, 1, logits);
}

void Decoder::read_one_each(Session* const* sessions, const std::int32_t* ids, std::size_t count,
                            float* logits) {
  for (std::size_t i = 0; i < count; ++i) roll(*sessions[i]);
  for (std::size_t i = 0; i < count; ++i) {
    place(*sessions[i], ids[i], i);
    rows_[i] = i;
  }
  transformer_.read(places_.data(), count);
  transformer_.score(rows_.data(), count, logits);
}

}  // namespace engine
