#include "tagger.h"

#include "angles.h"
#include "label_lattice.h"
#include "utf8.h"

namespace engine {
namespace {

constexpr double kClosest = 1e-6;
constexpr char kWords[] = "words/chinese", kTags[] = "words/tags";

bool is_in_front(const FoundSpan& a, const FoundSpan& b) {
  return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
}

}  // namespace

bool Tagger::open(const Gguf& file, TextEncoder* encoder, Complaint& complaint) {
  if (!read_settings(file, complaint) || !read_floor(file, complaint) ||
      !read_network(file, encoder, complaint) || !read_words(file, complaint)) {
    return false;
  }
  return make_edges(complaint);
}

bool Tagger::read_settings(const Gguf& file, Complaint& complaint) {
  Text scheme;
  std::uint64_t joins_runs = 0;
  const bool has_intents = file.entry("sparrow.task.intents") != nullptr;
  const bool is_read =
      file.text("sparrow.task.scheme", scheme) && file.texts("sparrow.task.types", types_) &&
      labels_.open(scheme, types_.size()) && file.number("sparrow.task.joins_runs", joins_runs) &&
      (!has_intents || file.texts("sparrow.task.intents", intents_)) && read_blend(file) &&
      read_columns(file, "sparrow.task.columns", floor_columns_) &&
      read_columns(file, "sparrow.task.network_columns", network_columns_) && read_entries(file) &&
      (intents_.size() == 0 || shares_.make(intents_.size()));
  joins_runs_ = joins_runs != 0;
  return is_read || complaint.say("a setting of the tagger is damaged, or there is not enough memory");
}

bool Tagger::read_blend(const Gguf& file) {
  Room<Text> parts;
  if (!file.texts("sparrow.task.parts", parts) || parts.size() == 0 || parts.size() > 2) return false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool is_floor = parts[i].is("floor");
    if (!is_floor && !parts[i].is("network")) return false;
    if (i == 0) is_floor_first_ = is_floor;
    (is_floor ? has_floor_ : has_network_) = true;
    if (!file.real(is_floor ? "sparrow.task.weight.floor" : "sparrow.task.weight.network",
                   is_floor ? floor_weight_ : network_weight_)) {
      return false;
    }
  }
  return file.real("sparrow.task.bias", bias_) && file.real("sparrow.task.slope", slope_) &&
         file.real("sparrow.task.offset", offset_) &&
         file.real("sparrow.task.intent_weight", intent_weight_);
}

bool Tagger::read_columns(const Gguf& file, const char* key, Columns& columns) const {
  Room<Text> names;
  if (file.entry(key) == nullptr) return true;
  if (!file.texts(key, names)) return false;
  for (std::size_t i = 0; i < names.size(); ++i) {
    Column column;
    if (!UnitColumns::read_name(names[i], column) || !columns.push(column)) return false;
  }
  return true;
}

bool Tagger::read_entries(const Gguf& file) {
  Room<Text> words, labels;
  if (file.entry("sparrow.task.entries") == nullptr) return true;
  return file.texts("sparrow.task.entries", words) &&
         file.texts("sparrow.task.entry_labels", labels) && entries_.open(words, labels, types_);
}

bool Tagger::read_floor(const Gguf& file, Complaint& complaint) {
  const Gguf::Tensor* tensor = file.tensor("file/crf.bin");
  ArrayFile arrays;
  Room<Text> templates;
  if (tensor == nullptr) return complaint.say("a part of the tagger is missing");
  if (!arrays.open(tensor->data, tensor->bytes, "tag-floor", complaint)) return false;
  bool is_read = gazetteer_.open(arrays);
  if (has_floor_) {
    is_read = is_read && file.texts("sparrow.task.templates", templates) &&
              templates_.open(templates, floor_columns_.size()) &&
              weights_.open(arrays, labels_.size());
  }
  return is_read || complaint.say("the tagger's features are damaged, or there is not enough memory");
}

bool Tagger::read_network(const Gguf& file, TextEncoder* encoder, Complaint& complaint) {
  std::uint64_t hides_rare = 0;
  if (encoder == nullptr) return !has_network_ || complaint.say("the tagger's network is missing");
  file.number("sparrow.task.hides_rare", hides_rare);
  return network_.open(*encoder, labels_.size(), intents_.size(), hides_rare != 0,
                       network_columns_.size(), complaint);
}

bool Tagger::read_words(const Gguf& file, Complaint& complaint) {
  const Gguf::Tensor *words = file.tensor(kWords), *tags = file.tensor(kTags);
  bool needs_words = false, needs_tags = false, is_known = true;
  const Columns* const every[] = {&floor_columns_, &network_columns_};
  for (const Columns* columns : every) {
    for (std::size_t i = 0; i < columns->size(); ++i) {
      needs_words = needs_words || UnitColumns::needs_words((*columns)[i]);
      needs_tags = needs_tags || UnitColumns::needs_tags((*columns)[i]);
      is_known = is_known && (gazetteer_.is_open() || !UnitColumns::is_gazetteer((*columns)[i]));
    }
  }
  if (!is_known) return complaint.say("the gazetteer of the tagger is missing");
  lacks_words_ = (needs_words && words == nullptr) || (needs_tags && tags == nullptr);
  if (lacks_words_ || !needs_words) {
    makers_.use(nullptr, nullptr, &gazetteer_);
    return true;
  }
  if (!words_.open(words->data, words->bytes, complaint) ||
      (needs_tags && !tags_.open(tags->data, tags->bytes, words_, complaint))) {
    return false;
  }
  makers_.use(&words_, &tags_, &gazetteer_);
  return true;
}

void Tagger::add_edges(const float* edges, double weight) {
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    edges_[i] = edges_[i] + weight * static_cast<double>(edges[i]);
  }
}

// What is forbidden, what the parts say, and what lies outside costs something.
bool Tagger::make_edges(Complaint& complaint) {
  const std::size_t L = labels_.size(), square = L * L;
  if (!edges_.make(square + 2 * L) || !factors_.make(square + 2 * L)) {
    return complaint.say("there is not enough memory");
  }
  const auto allow = [&](std::size_t place, bool is_allowed) {
    edges_[place] = is_allowed ? 0.0 : LabelSet::kForbidden;
  };
  for (std::size_t y = 0; y < L; ++y) {
    for (std::size_t z = 0; z < L; ++z) allow(y * L + z, labels_.may_follow(y, z));
    allow(square + y, labels_.may_begin(y));
    allow(square + L + y, labels_.may_end(y));
  }
  if (has_floor_ && is_floor_first_) add_edges(weights_.edges(), floor_weight_);
  if (has_network_) add_edges(network_.edges(), network_weight_);
  if (has_floor_ && !is_floor_first_) add_edges(weights_.edges(), floor_weight_);
  for (std::size_t y = 0; labels_.has_outside() && y <= L; ++y) edges_[y * L] -= bias_;
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    factors_[i] = exponential(edges_[i]);
    is_moderate_ = is_moderate_ && factors_[i] < label_lattice::kMostFactor;
  }
  return true;
}

bool Tagger::tag(Text text, Complaint& complaint) {
  if (lacks_words_) {
    return complaint.say("the file has no dictionary of Chinese words; write one that has: "
                         "sparrow export FILE.gguf -o OTHER.gguf");
  }
  spans_.clear();
  const bool is_done = units_.cut(text, joins_runs_) && entries_.find(units_, own_) && score() &&
                       decode() && find_bytes(text) && write_spans() && write_own();
  if (is_done) share_intents();
  return is_done || complaint.say("there is not enough memory");
}

bool Tagger::score() {
  const std::size_t count = units_.size() * labels_.size();
  if (!scores_.reserve(count) || !part_.reserve(count)) return false;
  for (std::size_t i = 0; i < count; ++i) scores_.data()[i] = 0.0f;
  for (std::size_t k = 0; k < intents_.size(); ++k) shares_[k] = 0.0;
  makers_.begin(units_);
  if (is_floor_first_) return add_floor() && add_network();
  return add_network() && add_floor();
}

bool Tagger::fill_columns(const Columns& columns) {
  const std::size_t count = units_.size();
  if (!columns_.reserve(columns.size() * count)) return false;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (!makers_.fill(columns[i], columns_.data() + i * count)) return false;
  }
  return true;
}

bool Tagger::add_floor() {
  const std::size_t L = labels_.size();
  const auto weight = static_cast<float>(floor_weight_);
  if (!has_floor_) return true;
  const std::size_t count = templates_.size();
  if (!fill_columns(floor_columns_) || !features_.reserve(count)) return false;
  for (std::size_t chain = 0; chain < units_.num_chains(); ++chain) {
    const std::size_t first = units_.bound(chain), last = units_.bound(chain + 1);
    for (std::size_t unit = first; unit < last; ++unit) {
      for (std::size_t i = 0; i < count; ++i) {
        features_.data()[i] =
            templates_.feature(i, columns_.data(), units_.size(), first, last, unit);
      }
      if (!weights_.score(features_.data(), count, part_.data())) return false;
      for (std::size_t y = 0; y < L; ++y) scores_.data()[unit * L + y] += part_.data()[y] * weight;
    }
  }
  return true;
}

bool Tagger::add_network() {
  const std::size_t count = units_.size() * labels_.size();
  const auto weight = static_cast<float>(network_weight_);
  if (!network_.is_open() || (!has_network_ && intents_.size() == 0)) return true;
  if (!fill_columns(network_columns_) ||
      !network_.score(units_, columns_.data(), part_.data(), shares_.data())) {
    return false;
  }
  for (std::size_t i = 0; has_network_ && i < count; ++i) scores_.data()[i] += part_.data()[i] * weight;
  return true;
}

bool Tagger::make_room() {
  const std::size_t L = labels_.size(), count = units_.size();
  std::size_t longest = 1;
  for (std::size_t chain = 0; chain < units_.num_chains(); ++chain) {
    const std::size_t length = units_.bound(chain + 1) - units_.bound(chain);
    if (length > longest) longest = length;
  }
  return sums_.reserve(3 * L * (longest + 1)) && from_.reserve(L) && links_.reserve(longest * L) &&
         sure_.reserve(count * L) && chosen_.reserve(count) &&
         (own_.size() == 0 || penalties_.reserve(count * L));
}

bool Tagger::decode() {
  const std::size_t L = labels_.size();
  if (!make_room()) return false;
  if (own_.size() > 0) UserEntries::forbid(units_, own_, labels_, penalties_.data());
  for (std::size_t number = 0; number < units_.num_chains(); ++number) {
    const std::size_t first = units_.bound(number), length = units_.bound(number + 1) - first;
    const double* penalties = own_.size() == 0 ? nullptr : penalties_.data() + first * L;
    const label_lattice::Chain chain{edges_.data(), L, scores_.data() + first * L, penalties, length};
    double* sums = sums_.data();
    label_lattice::find_best(chain, {sums, sums + L, from_.data(), links_.data()},
                             chosen_.data() + first);
    float* sure = sure_.data() + first * L;
    const label_lattice::SumRoom room{sums, sums + L, sums + L + length * L,
                                      sums + L + 2 * length * L};
    if (is_moderate_ && label_lattice::fill_quickly<quick_exponential>(chain, factors_.data(), room, sure)) {
      continue;
    }
    label_lattice::fill_in_logarithms<quick_exponential, logarithm>(chain, room, sure);
  }
  return true;
}

// Where every character begins in the text's bytes, and where the text ends.
bool Tagger::find_bytes(Text text) {
  bytes_.clear();
  for (std::size_t place = 0; place < text.size; place += code_point_at(text, place).size) {
    if (!bytes_.push(place)) return false;
  }
  return bytes_.push(text.size);
}

// How probable it is that a span is right whose least probable label is so probable.
//
// Source: Platt 1999.
double Tagger::certainty(std::size_t first, std::size_t stop) const {
  const std::size_t L = labels_.size();
  float least = 1.0f;
  for (std::size_t unit = first; unit < stop; ++unit) {
    const auto label = static_cast<std::size_t>(chosen_.data()[unit]);
    const float own = sure_.data()[unit * L + label];
    if (own < least) least = own;
  }
  const double kept = static_cast<double>(least);
  const double p = kept < kClosest ? kClosest : kept > 1.0 - kClosest ? 1.0 - kClosest : kept;
  return 1.0 / (1.0 + quick_exponential(-(slope_ * logarithm(p / (1.0 - p)) + offset_)));
}

bool Tagger::is_outranked(std::size_t first, std::size_t stop) const {
  for (std::size_t i = 0; i < own_.size(); ++i) {
    if (own_[i].first < stop && first < own_[i].stop) return true;
  }
  return false;
}

bool Tagger::write_span(std::size_t first, std::size_t stop, Text label, double probability) {
  const std::size_t begin = units_[first].begin, end = units_[stop - 1].end;
  return spans_.push({begin, end, bytes_[begin], bytes_[end], label, probability});
}

bool Tagger::write_spans() {
  for (std::size_t unit = 0; unit < units_.size();) {
    const auto label_of = [&](std::size_t place) {
      return static_cast<std::size_t>(chosen_.data()[place]);
    };
    const std::size_t first = unit++, label = label_of(first);
    const char prefix = labels_.prefix(label);
    if (prefix != 'B' && prefix != 'S') continue;
    bool is_open = prefix == 'B';
    while (is_open && unit < units_.size()) {
      const char next = labels_.prefix(label_of(unit));
      if (next == 'O' || next == 'B' || next == 'S') break;
      is_open = next != 'E';
      ++unit;
    }
    if (!is_outranked(first, unit) &&
        !write_span(first, unit, types_[labels_.type(label)], certainty(first, unit))) {
      return false;
    }
  }
  return true;
}

// The user's, each in its place.
bool Tagger::write_own() {
  for (std::size_t i = 0; i < own_.size(); ++i) {
    if (!write_span(own_[i].first, own_[i].stop, own_[i].label, 1.0)) return false;
    for (std::size_t place = spans_.size() - 1; place > 0; --place) {
      if (!is_in_front(spans_[place], spans_[place - 1])) break;
      const FoundSpan kept = spans_[place];
      spans_[place] = spans_[place - 1];
      spans_[place - 1] = kept;
    }
  }
  return true;
}

void Tagger::share_intents() {
  double top = -1e300, total = 0.0;
  for (std::size_t k = 0; k < intents_.size(); ++k) {
    shares_[k] *= intent_weight_;
    if (shares_[k] > top) top = shares_[k];
  }
  for (std::size_t k = 0; k < intents_.size(); ++k) total += shares_[k] = exponential(shares_[k] - top);
  for (std::size_t k = 0; k < intents_.size(); ++k) shares_[k] /= total;
}

std::size_t Tagger::likeliest_intent() const {
  std::size_t likeliest = 0;
  for (std::size_t k = 1; k < intents_.size(); ++k) {
    if (shares_[k] > shares_[likeliest]) likeliest = k;
  }
  return likeliest;
}

}  // namespace engine
