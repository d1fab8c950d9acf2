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
  Room<float> up, head;
  const bool is_there =
      inner_ > 0 && file.table(kTable, inner_, table_) && table_.scales.size() >= 2 &&
      file.head(kUp, width_ * inner_, up) &&
      file.head("head.weight", num_labels * (width_ + inner_), head) &&
      file.head("head.bias", num_labels, head_bias_) &&
      file.head("chain.edges", num_labels * (num_labels + 2), edges_) &&
      (num_intents == 0 || (file.head("intent.weight", num_intents * 2 * width_, intents_) &&
                            file.head("intent.bias", num_intents, intents_bias_)));
  if (!is_there) return complaint.say("a weight of the tagger's network is missing or of another size");
  if (file.shape().context <= kMostUnits) {
    return complaint.say("the network of the tagger reads too short texts");
  }
  if (!pooled_.make(2 * width_) || !up_.make(up.data(), width_, inner_) ||
      !head_.make(head.data(), num_labels, width_ + inner_)) {
    return complaint.say("there is not enough memory");
  }
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
  __builtin_memset(sums, 0, up_.input_stride() * sizeof(float));
  for (std::size_t column = 0; column < num_columns_; ++column) {
    const std::uint64_t number = columns[column * num_units + unit];
    const std::uint64_t hash = ngram_keys::mixed(number + (column + 1) * ngram_keys::kGolden) >> 20;
    const std::size_t row = number == 0 ? 0 : hash % (table_.scales.size() - 1) + 1;
    const std::int8_t* codes = table_.codes.data() + row * inner_;
    encoder_->kernels().add_codes(codes, table_.scales[row], inner_, sums, inner_, 1);
  }
}

// The separator, then one id a unit; nothing is added to the separator.
bool TagNetwork::read_chain(const Units& units, std::size_t chain, const std::uint64_t* columns) {
  const std::size_t first = units.bound(chain), count = units.bound(chain + 1) - first;
  const std::size_t stride = up_.input_stride();
  ids_.clear();
  if (!ids_.push(0) || !sums_.reserve(count * stride) || !added_.reserve((count + 1) * width_)) {
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!push_id(units, first + i)) return false;
    sum_rows(columns, units.size(), first + i, sums_.data() + i * stride);
  }
  // Widths are multiples of 16, so that products stand one behind the other.
  __builtin_memset(added_.data(), 0, (count + 1) * width_ * sizeof(float));
  up_.add(encoder_->kernels(), sums_.data(), count, added_.data() + width_);
  return true;
}

// From states and sums to scores of labels.
bool TagNetwork::score_chain(const float* states, std::size_t num_units, float* labels) {
  const std::size_t from = head_.input_stride(), to = head_.output_stride();
  if (!known_.reserve(num_units * from) || !scores_.reserve(num_units * to)) return false;
  __builtin_memset(known_.data(), 0, num_units * from * sizeof(float));
  for (std::size_t i = 0; i < num_units; ++i) {
    float *known = known_.data() + i * from, *scores = scores_.data() + i * to;
    __builtin_memcpy(known, states + i * width_, width_ * sizeof(float));
    __builtin_memcpy(known + width_, sums_.data() + i * up_.input_stride(), inner_ * sizeof(float));
    __builtin_memcpy(scores, head_bias_.data(), num_labels_ * sizeof(float));
  }
  head_.add(encoder_->kernels(), known_.data(), num_units, scores_.data());
  for (std::size_t i = 0; i < num_units; ++i) {
    __builtin_memcpy(labels + i * num_labels_, scores_.data() + i * to, num_labels_ * sizeof(float));
  }
  return true;
}

bool TagNetwork::score(const Units& units, const std::uint64_t* columns, float* labels,
                       double* intents) {
  for (std::size_t chain = 0; chain < units.num_chains(); ++chain) {
    const std::size_t first = units.bound(chain), count = units.bound(chain + 1) - first;
    if (!read_chain(units, chain, columns)) return false;
    const float* states = encoder_->states(ids_.data(), ids_.size(), added_.data());
    if (states == nullptr) return false;
    if (!score_chain(states + width_, count, labels + first * num_labels_)) return false;
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
