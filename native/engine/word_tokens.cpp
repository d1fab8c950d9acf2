// The word tokenizer: the cut with the highest product of word probabilities.
//
// Source: Kudo 2018, arXiv:1804.10959, section 3.2 (unigram model), Viterbi.
#include "tokenizer.h"
#include "utf8.h"

namespace engine {
namespace {

constexpr std::size_t kMostCharacters = 512;

bool is_white(std::uint32_t code) {
  return (code >= 9 && code <= 13) || code == 0x20 || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

// A piece: "<", or characters that are no white space with at most one space in front, or one
// white-space character: <| ?[^\s<]{1,512}|\s
std::size_t piece_size(Text text, std::size_t place) {
  const CodePoint first = code_point_at(text, place);
  if (first.code == '<') return 1;
  std::size_t end = place + first.size, count = 0;
  if (is_white(first.code)) {
    if (first.code != ' ') return first.size;
  } else {
    count = 1;
  }
  while (end < text.size && count < kMostCharacters) {
    const CodePoint next = code_point_at(text, end);
    if (next.code == '<' || (next.is_valid && is_white(next.code))) break;
    end += next.size;
    ++count;
  }
  return end - place;
}

// The best way to the end of a byte.
struct Way {
  double score;
  std::size_t begin;
  std::int32_t id;  // -1: unknown character
  bool is_found;
};

}  // namespace

bool Tokenizer::encode_words(Text text, Ids& ids) const {
  for (std::size_t place = 0; place < text.size;) {
    const std::size_t size = piece_size(text, place);
    if (!encode_word({text.data + place, size}, ids)) return false;
    place += size;
  }
  return true;
}

bool Tokenizer::encode_word(Text word, Ids& ids) const {
  Room<Way> ways;
  if (!ways.make(word.size + 1)) return false;
  ways[0].is_found = true;
  const auto offer = [&](std::size_t begin, std::size_t end, std::int32_t id, double score) {
    const double whole = ways[begin].score + score;
    if (!ways[end].is_found || whole > ways[end].score) ways[end] = {whole, begin, id, true};
  };
  for (std::size_t begin = 0; begin < word.size;) {
    const std::size_t first = code_point_at(word, begin).size;
    bool is_known = false;
    for (std::size_t end = begin; end < word.size && end - begin < longest_;) {
      end += code_point_at(word, end).size;
      const std::int32_t id = ids_.find({word.data + begin, end - begin});
      if (id < 0) continue;
      offer(begin, end, id, static_cast<double>(scores_[static_cast<std::size_t>(id)]));
      is_known = is_known || end - begin == first;
    }
    if (!is_known) offer(begin, begin + first, -1, static_cast<double>(unknown_score_));
    begin += first;
  }
  Growing<std::size_t> ends;
  for (std::size_t end = word.size; end > 0; end = ways[end].begin) {
    if (!ends.push(end)) return false;
  }
  for (std::size_t i = ends.size(); i > 0; --i) {
    const Way& way = ways[ends[i - 1]];
    const Text part{word.data + way.begin, ends[i - 1] - way.begin};
    if (!(way.id >= 0 ? ids.push(way.id) : push_bytes(part, ids))) return false;
  }
  return true;
}

}  // namespace engine
