// A tagger: a conditional random field, a network, or both, and the blend that weighs them (the twin
// of sparrowlm/tasks/tag/model.py, blending.py and decoding.py).
//
// What sparrow.json says of it stands in settings that begin with "sparrow.task." here
// (sparrowlm/export/gguf_tag.py).
#pragma once

#include "crf.h"
#include "tag_network.h"
#include "user_entries.h"

namespace engine {

struct FoundSpan {
  std::size_t begin, end;             // characters
  std::size_t first_byte, last_byte;  // of the text, the last one not among them
  Text label;
  double probability;
};

class Tagger {
 public:
  // encoder: open already, or null where the file has none.
  bool open(const Gguf& file, TextEncoder* encoder, Complaint& complaint);

  // Finds the spans of a text, which stay until the next call. False, with a complaint.
  bool tag(Text text, Complaint& complaint);
  std::size_t num_spans() const { return spans_.size(); }
  const FoundSpan& span(std::size_t number) const { return spans_[number]; }
  // What the text wants; no intents where the tagger knows none.
  std::size_t num_intents() const { return intents_.size(); }
  Text intent(std::size_t number) const { return intents_[number]; }
  const double* intent_probabilities() const { return shares_.data(); }
  std::size_t likeliest_intent() const;

 private:
  using Column = UnitColumns::Column;
  using Columns = Growing<Column>;

  bool read_settings(const Gguf& file, Complaint& complaint);
  bool read_columns(const Gguf& file, const char* key, Columns& columns) const;
  bool read_entries(const Gguf& file);
  bool read_blend(const Gguf& file);
  bool read_floor(const Gguf& file, Complaint& complaint);
  bool read_network(const Gguf& file, TextEncoder* encoder, Complaint& complaint);
  bool read_words(const Gguf& file, Complaint& complaint);
  bool make_edges(Complaint& complaint);
  void add_edges(const float* edges, double weight);

  bool score();
  bool fill_columns(const Columns& columns);
  bool add_floor();
  bool add_network();
  bool decode();
  bool make_room();
  bool write_spans();
  bool write_own();
  bool write_span(std::size_t first, std::size_t stop, Text label, double probability);
  bool is_outranked(std::size_t first, std::size_t stop) const;
  double certainty(std::size_t first, std::size_t stop) const;
  bool find_bytes(Text text);
  void share_intents();

  LabelSet labels_;
  Room<Text> types_, intents_;
  bool joins_runs_ = true, has_floor_ = false, has_network_ = false, is_floor_first_ = true;
  bool lacks_words_ = false;
  double floor_weight_ = 0.0, network_weight_ = 0.0;
  double bias_ = 0.0, slope_ = 1.0, offset_ = 0.0, intent_weight_ = 1.0;
  Columns floor_columns_, network_columns_;
  ChineseWords words_;
  ChineseTags tags_;
  Gazetteer gazetteer_;
  UserEntries entries_;
  Templates templates_;
  CrfWeights weights_;
  TagNetwork network_;
  Room<double> edges_, factors_;
  bool is_moderate_ = true;

  Units units_;
  UnitColumns makers_;
  Numbers columns_;
  Growing<float> scores_, part_, sure_;
  Growing<double> penalties_, sums_;
  Growing<std::int64_t> from_;
  Growing<std::uint16_t> links_;
  Growing<std::int32_t> chosen_;
  Growing<std::uint32_t> features_;
  Growing<UserEntries::Found> own_;
  Growing<std::size_t> bytes_;
  Growing<FoundSpan> spans_;
  Room<double> shares_;
};

}  // namespace engine
