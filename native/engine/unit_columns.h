// Numbers of the units of a text: what a tagger looks at (the twin of
// sparrowlm/tasks/tag/features.py, lexicon.py, lattice.py and gazetteer.py).
#pragma once

#include "chinese_tags.h"
#include "run_hashes.h"
#include "units.h"

namespace engine {

using Numbers = Growing<std::uint64_t>;

// Sequences of units with a label each, as they stand in the file of a tagger.
class Gazetteer {
 public:
  // False: damaged. Whether there is one: is_open().
  bool open(const ArrayFile& file);
  bool is_open() const { return hashes_ != nullptr; }
  // Writes a number per unit, for the longest entry that it lies in; 0 where there is none.
  bool fill(const Units& units, const Numbers& lower, std::uint64_t* column);

 private:
  std::size_t find(std::uint64_t hash) const;

  const std::uint32_t* hashes_ = nullptr;
  const std::uint8_t* labels_ = nullptr;
  std::size_t count_ = 0;
  RunHashes runs_;
  Growing<std::size_t> hits_;
};

class UnitColumns {
 public:
  // What a column is called; false: it is unknown here.
  struct Column {
    std::uint8_t kind;
    std::uint8_t length;  // of a prefix or suffix
  };
  static bool read_name(Text name, Column& column);
  static bool needs_words(Column column);
  static bool needs_tags(Column column);
  static bool is_gazetteer(Column column) { return column.kind == kGazetteer; }

  // Either may be null, where no column needs it.
  void use(ChineseWords* words, ChineseTags* tags, Gazetteer* gazetteer);
  // The units of a text, which stay as they are until the next call.
  void begin(const Units& units);
  // Writes a number per unit. False: no memory.
  bool fill(Column column, std::uint64_t* numbers);

 private:
  enum Kind : std::uint8_t {
    kUnit, kLower, kKind, kShape, kCapital, kWord, kPlace, kTag, kPlaceTag, kWordBefore, kWordAfter,
    kWordLength, kRepeats, kBegins, kEnds, kAround, kWordBegins, kWordEnds, kWordInside, kTagBegins,
    kTagEnds, kTagInside, kNamePlaces, kGazetteer, kPrefix, kSuffix, kNumKinds,
  };
  // A word of a cut, and one of the dictionary anywhere in the text.
  struct Word {
    std::size_t begin, end;
    std::uint64_t tag;
  };
  struct Known {
    std::size_t begin, length;
    std::uint64_t tag, hash;
  };
  // The longest word of the dictionary that begins and ends at a character and lies around it.
  struct Around {
    std::uint32_t begins, ends, inside;  // places in known_, and 1; 0: none
    std::uint32_t names;                 // bits: which kinds of names begin, go on and end here
  };

  static const char* name_of(Kind kind);
  bool prepare(Column column);
  bool lower();
  bool cut(bool with_tags);
  bool add_tags();
  bool find_known(bool with_tags);
  bool add_known(std::size_t place, std::size_t length, bool with_tags);
  void write_known();
  void write_one(std::size_t number);

  std::uint64_t number(Column column, std::size_t unit) const;
  std::uint64_t of_shape(const Units::Unit& unit) const;
  std::uint64_t of_capital(const Units::Unit& unit) const;
  std::uint64_t of_repeats(std::size_t unit) const;
  std::uint64_t of_affix(Column column, const Units::Unit& unit) const;
  std::uint64_t of_cut(Kind kind, const Units::Unit& unit) const;
  std::uint64_t of_known(Kind kind, const Units::Unit& unit) const;
  std::uint64_t place_in(const Word& word, std::size_t character) const;

  ChineseWords* words_ = nullptr;
  ChineseTags* tags_ = nullptr;
  Gazetteer* gazetteer_ = nullptr;

  const Units* units_ = nullptr;
  bool is_lowered_ = false, has_unit_runs_ = false, is_cut_ = false, has_tags_ = false;
  bool has_known_ = false, has_known_tags_ = false;
  Codes lowered_;
  RunHashes runs_, lowered_runs_;
  Growing<std::uint32_t> word_of_;  // of every character
  Growing<Word> cut_;
  Growing<Known> known_;
  Growing<Around> around_;
  Lengths lengths_;
  Numbers lower_numbers_;
};

}  // namespace engine
