#include "tag_network.h"

namespace engine {
namespace {

constexpr std::size_t kMostUnits = 512;  // of a chain, see units.cpp
constexpr std::size_t kLongestCharacters = 64;
constexpr char kTable[] = "columns.table", kUp[] = "columns.up";

// sum of products, and what it begins with.
float product(const float* a, const float* b, std::size_t count, float sum) {
  for (std::size_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

bool TagNetwork::open(TextEncoder& encoder, std::size_t num_labels, std::size_t num_intents,
                      bool hides_rare, std::size_t num_columns, Complaint& complaint) {
  const EncoderFile& file = encoder.file();
  width_ = encoder.width();
  inner_ = file.head_count(kUp) / width_;
  num_labels_ = num_labels;
  num_intents_ = num_intents;
  num_columns_ = num_columns;
  hides_rare_ = hides_rare;
  const bool is_there =
      inner_ > 0 && file.table(kTable, inner_, table_) && table_.scales.size() >= 2 &&
      file.head(kUp, width_ * inner_, up_) &&
      file.head("head.weight", num_labels * (width_ + inner_), head_) &&
      file.head("head.bias", num_labels, head_bias_) &&
      file.head("chain.edges", num_labels * (num_labels + 2), edges_) &&
      (num_intents == 0 || (file.head("intent.weight", num_intents * 2 * width_, intents_) &&
                            file.head("intent.bias", num_intents, intents_bias_)));
  if (!is_there) return complaint.say("a weight of the tagger's network is missing or of another size");
  if (file.shape().context <= kMostUnits) {
    return complaint.say("the network of the tagger reads too short texts");
  }
  if (!pooled_.make(2 * width_)) return complaint.say("there is not enough memory");
  encoder_ = &encoder;
  return true;
}

// A unit of several ids reads as hidden, or as its first id.
bool TagNetwork::push_id(const Units& units, std::size_t unit) {
  const std::size_t begin = units[unit].begin, end = units[unit].end;
  const std::size_t last = end - begin > kLongestCharacters ? begin + kLongestCharacters : end;
  surface_.clear();
  one_.clear();
  if (begin > 0 && units.read()[begin - 1] == ' ' && !surface_.push(' ')) return false;
  for (std::size_t place = begin; place < last; ++place) {
    if (!surface_.push(units.read()[place])) return false;
  }
  if (!encoder_->encode(surface_.data(), surface_.size(), one_)) return false;
  const bool is_hidden = one_.size() == 0 || (hides_rare_ && one_.size() > 1);
  return ids_.push(is_hidden ? 0 : one_[0]);
}

// Row 0 is nothing's; equal numbers of different columns have different rows.
void TagNetwork::sum_rows(const std::uint64_t* columns, std::size_t num_units, std::size_t unit,
                          float* sums) {
  for (std::size_t w = 0; w < inner_; ++w) sums[w] = 0.0f;
  for (std::size_t column = 0; column < num_columns_; ++column) {
    const std::uint64_t number = columns[column * num_units + unit];
    const std::uint64_t hash = ngram_keys::mixed(number + (column + 1) * ngram_keys::kGolden) >> 20;
    const std::size_t row = number == 0 ? 0 : hash % (table_.scales.size() - 1) + 1;
    const std::int8_t* codes = table_.codes.data() + row * inner_;
    const float scale = table_.scales[row];
    for (std::size_t w = 0; w < inner_; ++w) sums[w] += static_cast<float>(codes[w]) * scale;
  }
}

// The separator, then one id a unit; nothing is added to the separator.
bool TagNetwork::read_chain(const Units& units, std::size_t chain, const std::uint64_t* columns) {
  const std::size_t first = units.bound(chain), count = units.bound(chain + 1) - first;
  ids_.clear();
  if (!ids_.push(0) || !sums_.reserve(count * inner_) || !added_.reserve((count + 1) * width_)) {
    return false;
  }
  for (std::size_t d = 0; d < width_; ++d) added_.data()[d] = 0.0f;
  for (std::size_t i = 0; i < count; ++i) {
    float* sums = sums_.data() + i * inner_;
    if (!push_id(units, first + i)) return false;
    sum_rows(columns, units.size(), first + i, sums);
    for (std::size_t d = 0; d < width_; ++d) {
      added_.data()[(i + 1) * width_ + d] = product(up_.data() + d * inner_, sums, inner_, 0.0f);
    }
  }
  return true;
}

void TagNetwork::score_unit(const float* state, const float* sums, float* scores) const {
  for (std::size_t y = 0; y < num_labels_; ++y) {
    const float* row = head_.data() + y * (width_ + inner_);
    const float said = product(row, state, width_, head_bias_[y]);
    scores[y] = product(row + width_, sums, inner_, said);
  }
}

bool TagNetwork::score(const Units& units, const std::uint64_t* columns, float* labels,
                       double* intents) {
  for (std::size_t chain = 0; chain < units.num_chains(); ++chain) {
    const std::size_t first = units.bound(chain), count = units.bound(chain + 1) - first;
    if (!read_chain(units, chain, columns)) return false;
    const float* states = encoder_->states(ids_.data(), ids_.size(), added_.data());
    if (states == nullptr) return false;
    for (std::size_t i = 0; i < count; ++i) {
      score_unit(states + (i + 1) * width_, sums_.data() + i * inner_,
                 labels + (first + i) * num_labels_);
    }
    if (num_intents_ > 0) encoder_->pool(states, ids_.size(), pooled_.data());
    for (std::size_t k = 0; k < num_intents_; ++k) {
      const float* row = intents_.data() + k * 2 * width_;
      const float said = product(row, pooled_.data(), 2 * width_, intents_bias_[k]);
      intents[k] += static_cast<double>(said) / static_cast<double>(units.num_chains());
    }
  }
  return true;
}

}  // namespace engine
