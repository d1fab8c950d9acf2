#include "text_encoder.h"

#include "angles.h"

namespace engine {
namespace {

constexpr std::size_t kLeastRows = 256, kCharactersOfToken = 64;
constexpr char kGap[] = "[MASK]";
constexpr std::size_t kGapSize = sizeof kGap - 1;

std::size_t find_gap(Text text, std::size_t from) {
  for (std::size_t place = from; place + kGapSize <= text.size; ++place) {
    if (__builtin_memcmp(text.data + place, kGap, kGapSize) == 0) return place;
  }
  return text.size;
}

bool is_before(const Filling& a, const Filling& b) {
  return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
}

}  // namespace

TextEncoder::~TextEncoder() {
  if (encoder_ != nullptr) encoder_->~Encoder();
  std::free(encoder_);
}

bool TextEncoder::open(const Gguf& file, const Kernels& kernels, Complaint& complaint) {
  std::uint64_t is_uncased = 0;
  Text kind;
  kernels_ = &kernels;
  if (!file_.open(file, complaint) ||
      !tokenizer_.open(file, file_.shape().vocab_size, complaint)) {
    return false;
  }
  is_uncased_ = file.number("sparrow.tokenizer.is_uncased", is_uncased) && is_uncased != 0;
  is_character_ = file.text("sparrow.tokenizer.kind", kind) && kind.is("character");
  const Shape& shape = file_.shape();
  const std::size_t rows = shape.context > kLeastRows ? shape.context : kLeastRows;
  encoder_ = made<Encoder>(shape, file_.weights(), file_.tables(), kernels, crew_, rows);
  const std::size_t columns = num_tiles(shape.width, kTileColumns) * kTileColumns;
  const bool is_made = encoder_ != nullptr && encoder_->make() && pooled_.make(2 * shape.width) &&
                       row_.make(columns);
  return is_made || complaint.say("there is not enough memory");
}

bool TextEncoder::encode(const std::uint32_t* codes, std::size_t count, Ids& ids) {
  spelled_.clear();
  if (is_uncased_) {
    read_.clear();
    if (!uncased(codes, count, read_)) return false;
    codes = read_.data();
    count = read_.size();
  }
  return engine::encode(codes, count, spelled_) &&
         tokenizer_.encode({spelled_.data(), spelled_.size()}, ids);
}

// The separator and the ids; of a text that is too long the middle is left out.
bool TextEncoder::read_ends(Text text) {
  const std::size_t room = file_.shape().context - 1, longest = kCharactersOfToken * room;
  codes_.clear();
  ids_.clear();
  sequence_.clear();
  if (!decode(text, codes_)) return false;
  std::size_t count = codes_.size();
  if (count > longest) {
    const std::size_t half = longest / 2;
    for (std::size_t i = 0; i < half; ++i) codes_[half + i] = codes_[count - half + i];
    count = 2 * half;
  }
  if (!encode(codes_.data(), count, ids_) || !sequence_.push(0)) return false;
  const std::size_t size = ids_.size(), last = room / 2, first = room - last;
  for (std::size_t i = 0; i < size; ++i) {
    const bool is_kept = size <= room || i < first || i >= size - last;
    if (is_kept && !sequence_.push(ids_[i])) return false;
  }
  return true;
}

const float* TextEncoder::states(const std::int32_t* ids, std::size_t count, const float* added) {
  if (!states_.reserve(count * width())) return nullptr;
  const auto length = static_cast<std::int32_t>(count);
  encoder_->read(ids, &length, 1, added, states_.data());
  return states_.data();
}

void TextEncoder::pool(const float* states, std::size_t count, float* found) const {
  const std::size_t width = this->width();
  float *mean = found, *most = found + width;
  __builtin_memcpy(mean, states, width * sizeof(float));
  __builtin_memcpy(most, states, width * sizeof(float));
  for (std::size_t place = 1; place < count; ++place) {
    const float* state = states + place * width;
    for (std::size_t d = 0; d < width; ++d) {
      mean[d] += state[d];
      if (most[d] < state[d]) most[d] = state[d];
    }
  }
  for (std::size_t d = 0; d < width; ++d) mean[d] /= static_cast<float>(count);
}

const float* TextEncoder::pooled(Text text) {
  if (!read_ends(text)) return nullptr;
  const float* found = states(sequence_.data(), sequence_.size(), nullptr);
  if (found == nullptr) return nullptr;
  pool(found, sequence_.size(), pooled_.data());
  return pooled_.data();
}

const float* TextEncoder::vector(Text text) {
  if (pooled(text) == nullptr) return nullptr;
  double squares = 0.0;
  for (std::size_t d = 0; d < width(); ++d) {
    squares += static_cast<double>(pooled_[d]) * static_cast<double>(pooled_[d]);
  }
  const auto length = static_cast<float>(__builtin_sqrt(squares));
  const float scale = length > 1e-12f ? length : 1e-12f;
  for (std::size_t d = 0; d < width(); ++d) pooled_[d] /= scale;
  return pooled_.data();
}

bool TextEncoder::read_gaps(Text text, std::size_t& num_gaps, Complaint& complaint) {
  sequence_.clear();
  gaps_.clear();
  bool is_done = sequence_.push(0);
  for (std::size_t place = 0; is_done; place += kGapSize) {
    const std::size_t end = find_gap(text, place);
    std::size_t size = end - place;
    // A word is one id with the space before it, so the gap stands for both.
    if (end < text.size && !is_character_ && size > 0 && text.data[end - 1] == ' ') --size;
    codes_.clear();
    is_done = decode({text.data + place, size}, codes_) &&
              encode(codes_.data(), codes_.size(), sequence_);
    if (end == text.size || !is_done) break;
    is_done = gaps_.push(sequence_.size()) && sequence_.push(0);
    place = end;
  }
  num_gaps = gaps_.size();
  if (!is_done) return complaint.say("there is not enough memory");
  if (num_gaps == 0) return complaint.say("the text has no gap: write [MASK] for what is hidden");
  if (sequence_.size() > file_.shape().context) {
    return complaint.say("the text is longer than the model can read");
  }
  const bool is_read = states(sequence_.data(), sequence_.size(), nullptr) != nullptr;
  return is_read || complaint.say("there is not enough memory");
}

bool TextEncoder::fill(std::size_t gap, std::size_t most, Growing<Filling>& found) {
  const std::size_t count = file_.shape().vocab_size, width = this->width();
  if (scores_.size() == 0 && !scores_.make(count)) return false;
  const float* state = states_.data() + gaps_[gap] * width;
  double top = -1e300, total = 0.0;
  for (std::size_t id = 0; id < count; ++id) {
    kernels_->row(file_.weights().embedding, id, row_.data());
    double sum = 0.0;
    for (std::size_t d = 0; d < width; ++d) {
      sum += static_cast<double>(row_[d]) * static_cast<double>(state[d]);
    }
    scores_[id] = static_cast<float>(sum);
    if (sum > top) top = sum;
  }
  for (std::size_t id = 0; id < count; ++id) {
    total += exponential(static_cast<double>(scores_[id]) - top);
  }
  found.clear();
  for (std::size_t id = 1; id < count; ++id) {
    const Filling one{static_cast<std::int32_t>(id),
                      exponential(static_cast<double>(scores_[id]) - top) / total};
    if (found.size() == most && (most == 0 || !is_before(one, found[most - 1]))) continue;
    if (found.size() < most && !found.push(one)) return false;
    std::size_t place = found.size() - 1;
    for (; place > 0 && is_before(one, found[place - 1]); --place) found[place] = found[place - 1];
    found[place] = one;
  }
  return true;
}

}  // namespace engine
