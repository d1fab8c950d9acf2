#include "scoring.h"

#include "sampling.h"
#include "utf8.h"

namespace engine {

bool Scorer::score(Text text, Score& score, Complaint& complaint) {
  if (text.size == 0) return complaint.say("there is nothing to score: the text is empty");
  score.num_characters = 0;
  for (std::size_t place = 0; place < text.size; ++score.num_characters) {
    place += code_point_at(text, place).size;
  }
  score.ids.clear();
  const bool is_read = score.ids.push(0) && tokenizer_.encode(text, score.ids) &&
                       score.surprisals.make(score.ids.size() - 1) && read(score);
  if (!is_read) return complaint.say("there is not enough memory");
  score.nats = 0.0;
  for (std::size_t i = 0; i < score.num_tokens(); ++i) {
    score.nats += static_cast<double>(score.surprisals[i]);
  }
  return true;
}

// In the windows of sparrowlm/runtime/windows.py; a Transformer keeps to its own while it reads.
bool Scorer::read(Score& score) {
  const std::size_t most = decoder_.scoring_window(), count = score.num_tokens();
  const std::size_t window = most < count ? most : count, warm = window < count ? window / 2 : 0;
  // The last rows are room for what becomes of a row.
  if (!logits_.make((decoder_.most_rows() + 1) * decoder_.logits_stride())) return false;
  if (mixture_ != nullptr && !mixture_->start(memory_)) return false;
  for (std::size_t begin = 0, done = 0; done < count; begin += window - warm) {
    const std::size_t end = begin + window < count ? begin + window : count;
    if (!decoder_.start(session_)) return false;
    // What only warms the state up was scored in the window before.
    if (done > begin) decoder_.read(session_, &score.ids[begin], done - begin, logits_.data());
    while (done < end) {
      const std::size_t left = end - done;
      const std::size_t num = left < decoder_.most_rows() ? left : decoder_.most_rows();
      read_piece(score, done, num);
      done += num;
    }
  }
  return true;
}

// Reads ids and takes down how surprising those are that follow them.
void Scorer::read_piece(Score& score, std::size_t first, std::size_t count) {
  const std::size_t stride = decoder_.logits_stride();
  float* const spare = logits_.data() + decoder_.most_rows() * stride;
  decoder_.read_all(session_, &score.ids[first], count, logits_.data());
  for (std::size_t row = 0; row < count; ++row) {
    float* logits = logits_.data() + row * stride;
    if (mixture_ != nullptr) {
      mixture_->read(memory_, score.ids[first + row]);
      mixture_->mix(memory_, logits);
    }
    const float whole = log_total(kernels_, logits, decoder_.vocab_size(), spare);
    const auto next = static_cast<std::size_t>(score.ids[first + row + 1]);
    score.surprisals[first + row] = whole - logits[next];
  }
}

}  // namespace engine
