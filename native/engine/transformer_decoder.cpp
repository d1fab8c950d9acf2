#include "transformer_decoder.h"

namespace engine {
namespace {

template <class Visit>
void every_head(Memory& memory, const Shape& shape, const Visit& visit) {
  for (std::size_t layer = 0; layer < shape.num_layers; ++layer) {
    for (std::size_t head = 0; head < shape.num_kv_heads; ++head) {
      visit(memory.keys(layer, head));
      visit(memory.values(layer, head));
    }
  }
}

std::size_t bytes_of_head(const Shape& shape, std::size_t length) {
  return padded(length, kTileRows) * shape.head_width * sizeof(std::uint16_t);
}

}  // namespace

TransformerDecoder::TransformerDecoder(const Shape& shape, const Weights& weights,
                                       const Kernels& kernels, Crew& crew, std::size_t most_rows)
    : Decoder(shape.vocab_size, most_rows), shape_(shape),
      transformer_(shape, weights, kernels, crew, most_rows), threads_(crew) {}

bool TransformerDecoder::make() {
  return transformer_.make() && places_.make(most_rows()) && rows_.make(most_rows());
}

bool TransformerDecoder::start(Session& session) const {
  session.length_ = 0;
  return session.memory_.make(shape_, shape_.context) && session.ids_.make(shape_.context);
}

bool TransformerDecoder::copy(const Session& from, Session& to) const {
  if (!start(to) || !to.memory_.copy(from.memory_, from.length_, shape_)) return false;
  __builtin_memcpy(to.ids_.data(), from.ids_.data(), from.length_ * sizeof(std::int32_t));
  to.length_ = from.length_;
  return true;
}

std::size_t TransformerDecoder::keep(Session& session, const std::int32_t* ids,
                                     std::size_t count) const {
  std::size_t known = 0;
  while (known + 1 < count && known < session.length_ && session.ids_[known] == ids[known]) {
    ++known;
  }
  return session.length_ = known;
}

std::size_t TransformerDecoder::room_ahead(const Session& session) const {
  return shape_.context - session.length_;
}

void TransformerDecoder::place(Session& session, std::int32_t id, std::size_t row) {
  const std::size_t position = session.length_;
  session.ids_[position] = id;
  session.length_ = position + 1;
  places_[row] = {&session.memory_, position, position + 1, 0};
  transformer_.embed(static_cast<std::size_t>(id), row);
}

void TransformerDecoder::read_piece(Session& session, const std::int32_t* ids, std::size_t count,
                                    std::size_t wanted, float* logits) {
  for (std::size_t done = 0; done < count;) {
    const std::size_t left = count - done, num = left < most_rows() ? left : most_rows();
    for (std::size_t row = 0; row < num; ++row) place(session, ids[done + row], row);
    threads_.begin(num);
    transformer_.read(places_.data(), num);
    done += num;
    // Ids whose scores are wanted are the last ones of all.
    const std::size_t after = count - done;
    const std::size_t scored = wanted > after ? (wanted - after < num ? wanted - after : num) : 0;
    for (std::size_t i = 0; i < scored; ++i) rows_[i] = num - scored + i;
    if (scored > 0) transformer_.score(rows_.data(), scored, logits);
    threads_.end();
    logits += scored * logits_stride();
  }
}

void TransformerDecoder::roll(Session& session) {
  if (session.length() < shape_.context) return;
  const std::size_t kept = shape_.context / 2, first = shape_.context - kept;
  __builtin_memmove(session.ids_.data(), session.ids_.data() + first, kept * sizeof(std::int32_t));
  session.length_ = 0;
  // Reading writes every id where it stands already.
  read_piece(session, session.ids_.data(), kept, 0, nullptr);
}

void TransformerDecoder::read_all(Session& session, const std::int32_t* ids, std::size_t count,
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
void TransformerDecoder::read(Session& session, const std::int32_t* ids, std::size_t count,
                              float* logits) {
  const std::size_t context = shape_.context, stride = context - context / 2;
  const std::size_t before = session.length(), whole = before + count;
  if (whole <= context) return read_piece(session, ids, count, 1, logits);
  const std::size_t skipped = num_tiles(whole - context, stride) * stride;
  session.length_ = 0;
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

void TransformerDecoder::read_one_each(Session* const* sessions, const std::int32_t* ids,
                                       std::size_t count, float* logits) {
  for (std::size_t i = 0; i < count; ++i) roll(*sessions[i]);
  for (std::size_t i = 0; i < count; ++i) {
    place(*sessions[i], ids[i], i);
    rows_[i] = i;
  }
  threads_.begin(count);
  transformer_.read(places_.data(), count);
  transformer_.score(rows_.data(), count, logits);
  threads_.end();
}

// ids (i32), then keys and values (float16), head by head, whole tiles of positions.
std::size_t TransformerDecoder::body_bytes(std::size_t length) const {
  return length * sizeof(std::int32_t) +
         2 * shape_.num_layers * shape_.num_kv_heads * bytes_of_head(shape_, length);
}

void TransformerDecoder::save_body(Session& session, std::uint8_t* to) const {
  const std::size_t bytes = bytes_of_head(shape_, session.length_);
  __builtin_memcpy(to, session.ids_.data(), session.length_ * sizeof(std::int32_t));
  to += session.length_ * sizeof(std::int32_t);
  every_head(session.memory_, shape_, [&](const std::uint16_t* numbers) {
    __builtin_memcpy(to, numbers, bytes);
    to += bytes;
  });
}

bool TransformerDecoder::restore_body(Session& session, std::size_t length,
                                      const std::uint8_t* from, Complaint& complaint) const {
  if (!are_ids(from, length)) return complaint.say("the state is damaged");
  if (!start(session)) return complaint.say("there is not enough memory");
  const std::size_t bytes = bytes_of_head(shape_, length);
  __builtin_memcpy(session.ids_.data(), from, length * sizeof(std::int32_t));
  from += length * sizeof(std::int32_t);
  every_head(session.memory_, shape_, [&](std::uint16_t* numbers) {
    __builtin_memcpy(numbers, from, bytes);
    from += bytes;
  });
  session.length_ = length;
  return true;
}

}  // namespace engine
