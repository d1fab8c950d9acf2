// Words of Chinese and of languages with spaces (the twin of sparrowlm/text/segmentation.py).
#pragma once

#include "chinese_words.h"

namespace engine {

class Segmenter {
 public:
  // words: the user's, which are never cut. Null: no Chinese words in the file.
  bool open(const Room<Text>& words, ChineseWords* chinese);
  // Appends the lengths of the words. False: no memory, or Chinese where there is no dictionary.
  bool cut(const std::uint32_t* codes, std::size_t count, Lengths& words);
  // Whether a text was met that cannot be cut.
  bool lacks_words() const { return lacks_words_; }

 private:
  struct Word {
    std::size_t begin, size;  // in spelled_
  };

  bool cut_plain(const std::uint32_t* codes, std::size_t count, Lengths& words);
  std::size_t user_word_at(const std::uint32_t* codes, std::size_t count, std::size_t place) const;

  ChineseWords* chinese_ = nullptr;
  bool lacks_words_ = false;
  Codes spelled_;
  Growing<Word> user_words_;
};

}  // namespace engine
