#include "segmenter.h"

namespace engine {
namespace {

bool is_han(std::uint32_t code) {
  return (code >= 0x3400 && code <= 0x4DBF) || (code >= 0x4E00 && code <= 0x9FFF) ||
         (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x20000 && code <= 0x3FFFD);
}

bool is_katakana(std::uint32_t code) {
  return (code >= 0x30A1 && code <= 0x30FA) || code == 0x30FC;
}

// A letter or number of a writing with spaces.
bool is_alphabetic(std::uint32_t code) {
  return (is_letter(code) || is_number(code)) && !is_han(code) && !(code >= 0x3041 && code <= 0x30FF);
}

// A run with a Chinese character; 0: none begins here.
std::size_t chinese_run(const std::uint32_t* codes, std::size_t count) {
  const std::size_t before = run(codes, count, is_ascii_word);
  if (before == count || !is_han(codes[before])) return 0;
  return run(codes, count, [](std::uint32_t code) { return is_han(code) || is_ascii_word(code); });
}

// A word of an alphabet, apostrophes inside.
std::size_t alphabetic_run(const std::uint32_t* codes, std::size_t count) {
  std::size_t length = run(codes, count, is_alphabetic);
  while (length > 0 && length < count && (codes[length] == '\'' || codes[length] == 0x2019)) {
    const std::size_t more =
        run(codes + length + 1, count - length - 1,
            [](std::uint32_t code) { return is_alphabetic(code) && !is_decimal(code); });
    if (more == 0) break;
    length += 1 + more;
  }
  return length;
}

}  // namespace

bool Segmenter::open(const Room<Text>& words, ChineseWords* chinese) {
  chinese_ = chinese;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t begin = spelled_.size();
    if (!decode(words[i], spelled_)) return false;
    if (spelled_.size() > begin && !user_words_.push({begin, spelled_.size() - begin})) return false;
  }
  return true;
}

bool Segmenter::cut(const std::uint32_t* codes, std::size_t count, Lengths& words) {
  std::size_t done = 0;
  for (std::size_t place = 0; place < count && user_words_.size() > 0;) {
    const std::size_t size = user_word_at(codes, count, place);
    if (size == 0) {
      ++place;
      continue;
    }
    if (!cut_plain(codes + done, place - done, words) || !words.push(size)) return false;
    done = place += size;
  }
  return cut_plain(codes + done, count - done, words);
}

// The longest one; a word of an alphabet only where it is a whole word.
std::size_t Segmenter::user_word_at(const std::uint32_t* codes, std::size_t count,
                                    std::size_t place) const {
  std::size_t longest = 0;
  for (std::size_t i = 0; i < user_words_.size(); ++i) {
    const Word& word = user_words_[i];
    if (word.size <= longest || word.size > count - place) continue;
    const std::uint32_t* own = spelled_.data() + word.begin;
    if (__builtin_memcmp(own, codes + place, word.size * sizeof *own) != 0) continue;
    const std::size_t end = place + word.size;
    const bool is_inside =
        (place > 0 && is_alphabetic(codes[place - 1]) && is_alphabetic(codes[place])) ||
        (end < count && is_alphabetic(codes[end - 1]) && is_alphabetic(codes[end]));
    if (!is_inside) longest = word.size;
  }
  return longest;
}

bool Segmenter::cut_plain(const std::uint32_t* codes, std::size_t count, Lengths& words) {
  // How far the letters and digits reach that lead to no Chinese character: asked once.
  std::size_t no_chinese_before = 0;
  for (std::size_t place = 0; place < count;) {
    const std::uint32_t* here = codes + place;
    const std::size_t left = count - place;
    std::size_t length = place >= no_chinese_before ? chinese_run(here, left) : 0;
    if (length > 0) {
      lacks_words_ = chinese_ == nullptr;
      if (lacks_words_ || !chinese_->cut(here, length, words)) return false;
      place += length;
      continue;
    }
    no_chinese_before = place + run(here, left, is_ascii_word);
    length = run(here, left, is_katakana);
    if (length == 0 && *here >= 0x3041 && *here <= 0x309F) length = 1;
    if (length == 0) length = alphabetic_run(here, left);
    if (!words.push(length == 0 ? 1 : length)) return false;
    place += length == 0 ? 1 : length;
  }
  return true;
}

}  // namespace engine
