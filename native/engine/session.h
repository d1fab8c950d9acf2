// Texts that a decoder is reading or writing.
//
// The window rule: a memory that holds `context` ids is rebuilt from its last context / 2 before
// another one enters, positions counted from 0 again.
#pragma once

#include "complaint.h"
#include "transformer.h"

namespace engine {

class Session {
 public:
  // False: no memory.
  bool make(const Shape& shape);

  std::size_t length() const { return memory_.length; }
  const std::int32_t* ids() const { return ids_.data(); }
  // Forgets all but the first length ids.
  void cut(std::size_t length);
  bool copy(const Session& other, const Shape& shape);

  // What has been read, for another process with the same model (see Model::identity). to has room
  // for saved_bytes(). Restoring refuses what is damaged or of another model and changes nothing
  // then.
  std::size_t saved_bytes(const Shape& shape) const;
  void save(const Shape& shape, std::uint64_t identity, std::uint8_t* to);
  bool restore(const Shape& shape, std::uint64_t identity, const std::uint8_t* from,
               std::size_t size, Complaint& complaint);

 private:
  friend class Decoder;
  Memory memory_;
  Room<std::int32_t> ids_;
};

// Where nobody has said how many threads work: calls as many as a model of that size may need.
void gather_for(Crew& crew, std::size_t num_bytes);

class Decoder {
 public:
  // most_rows: ids read at once, of one text or of several.
  Decoder(const Shape& shape, const Weights& weights, const Kernels& kernels, Crew& crew,
          std::size_t most_rows);
  // False: no memory.
  bool make();

  // Where nobody has said how many: lets as many work as read one id fastest. False: no memory.
  bool choose_threads();
  std::size_t logits_stride() const { return transformer_.logits_stride(); }
  std::size_t most_rows() const { return transformer_.most_rows(); }

  // Reads ids (each below vocab_size) and gives the scores of what follows the last one.
  void read(Session& session, const std::int32_t* ids, std::size_t count, float* logits);
  // The same, with the scores of what follows each: count rows of logits_stride().
  void read_all(Session& session, const std::int32_t* ids, std::size_t count, float* logits);
  // One id for each of count sessions (at most most_rows()); logits a row for each.
  void read_one_each(Session* const* sessions, const std::int32_t* ids, std::size_t count,
                     float* logits);

 private:
  // Makes room for one more id.
  void roll(Session& session);
  // Reads ids that fit the window; logits of the last `wanted` of them.
  void read_piece(Session& session, const std::int32_t* ids, std::size_t count, std::size_t wanted,
                  float* logits);
  void place(Session& session, std::int32_t id, std::size_t row);

  const Shape& shape_;
  Transformer transformer_;
  Room<Place> places_;
  Room<std::size_t> rows_;
};

}  // namespace engine
