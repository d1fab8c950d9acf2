// Texts that a decoder is reading or writing, whatever computes their scores.
#pragma once

#include "complaint.h"
#include "hashing.h"
#include "ngram.h"
#include "transformer.h"

namespace engine {

// What has been read of a text; every kind of decoder uses the parts that it goes on from.
class Session {
 public:
  // Ids read; of a Transformer those that stand in its window.
  std::size_t length() const { return length_; }
  // The ids that stand in a window; none where there is no window.
  const std::int32_t* ids() const { return ids_.data(); }

 private:
  friend class TransformerDecoder;
  friend class RecurrentDecoder;
  friend class NgramDecoder;

  std::size_t length_ = 0;
  // Of a Transformer the ids of its window, of a counting model the last ones.
  Room<std::int32_t> ids_;
  Memory memory_;      // of a Transformer: keys and values
  Room<float> state_;  // of a recurrent network
  std::uint64_t read_ = kHashOfNothing;  // the hash of all ids that led to this state
  Ngram::Place place_ = {};              // of a counting model
};

// Reads ids and gives the scores of what follows. A session belongs to the decoder that started it.
class Decoder {
 public:
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // False: no memory.
  virtual bool make() = 0;
  // Without the library of C++ nothing else destroys an object whose class is not known; its place
  // stays the caller's.
  virtual void destroy() = 0;

  std::size_t vocab_size() const { return vocab_size_; }
  // From one row of scores to the next: vocab_size() rounded up to 16.
  std::size_t logits_stride() const { return padded(vocab_size_, kTileRows); }
  // Ids read at once, of one text or of several.
  std::size_t most_rows() const { return most_rows_; }

  // Both make the session they are given anew. False: no memory.
  virtual bool start(Session& session) const = 0;
  virtual bool copy(const Session& from, Session& to) const = 0;
  // Forgets what is not needed to go on from ids; returns how many of them need not be read again,
  // less than count.
  virtual std::size_t keep(Session& session, const std::int32_t* ids, std::size_t count) const = 0;
  // Ids that one state may read while a text is scored: longer ones begin anew in between.
  virtual std::size_t scoring_window() const { return SIZE_MAX; }
  // How many ids may be read now and taken back by cut(); none where a state cannot be turned back.
  virtual std::size_t room_ahead(const Session& session) const = 0;
  // Takes the last count ids back, of those that were read ahead.
  virtual void cut(Session& session, std::size_t count) const = 0;

  // Reads ids (each below vocab_size) and gives the scores of what follows the last one.
  virtual void read(Session& session, const std::int32_t* ids, std::size_t count,
                    float* logits) = 0;
  // The same, with the scores of what follows each: count rows of logits_stride().
  virtual void read_all(Session& session, const std::int32_t* ids, std::size_t count,
                        float* logits) = 0;
  // One id for each of count sessions (at most most_rows()); logits a row for each.
  virtual void read_one_each(Session* const* sessions, const std::int32_t* ids, std::size_t count,
                             float* logits) = 0;

  // What has been read, for another process with the same model (see Model::identity). to has room
  // for saved_bytes(). Restoring refuses what is damaged or of another model and changes nothing
  // then.
  std::size_t saved_bytes(const Session& session) const;
  void save(Session& session, std::uint64_t identity, std::uint8_t* to) const;
  bool restore(Session& session, std::uint64_t identity, const std::uint8_t* from,
               std::size_t size, Complaint& complaint) const;

 protected:
  Decoder(std::size_t vocab_size, std::size_t most_rows)
      : vocab_size_(vocab_size), most_rows_(most_rows) {}
  ~Decoder() = default;

  // The longest session that can be saved, and the bytes of one behind the header.
  virtual std::size_t most_length() const = 0;
  virtual std::size_t body_bytes(std::size_t length) const = 0;
  virtual void save_body(Session& session, std::uint8_t* to) const = 0;
  // from has body_bytes(length), which are those that were saved by somebody.
  virtual bool restore_body(Session& session, std::size_t length, const std::uint8_t* from,
                            Complaint& complaint) const = 0;
  // Says whether count ids out of a saved session belong to the vocabulary.
  bool are_ids(const std::uint8_t* from, std::size_t count) const;

 private:
  std::size_t vocab_size_, most_rows_;
};

}  // namespace engine
