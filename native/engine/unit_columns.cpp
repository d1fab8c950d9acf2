#include "unit_columns.h"

#include "searching.h"

namespace engine {
namespace {

using ngram_keys::mixed;

constexpr std::uint64_t kBegin = 1, kMiddle = 2, kEnd = 3, kSingle = 4;
constexpr std::uint64_t kTagSalt = 30, kNameSalt = 31, kKindBase = std::uint64_t{1} << 40;
constexpr std::size_t kLongestShown = 7, kLongestEntry = 8, kPlacesOfName = 3;
constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

std::uint64_t coded(std::uint64_t number, std::uint64_t value) {
  return mixed(value + (number << 56));
}

std::size_t at_most(std::size_t value, std::size_t most) { return value < most ? value : most; }

// As sparrowlm/tasks/tag/lexicon.py numbers them: nr, ns, nt, nz.
constexpr std::uint64_t kNameTags[] = {'n' + ('r' << 8) + 1, 'n' + ('s' << 8) + 1,
                                       'n' + ('t' << 8) + 1, 'n' + ('z' << 8) + 1};

bool is_of_letters(std::uint32_t code) { return is_ascii_word(code) || code == '+' || code == '#'; }

// "prefix_3": true, and the number.
bool has_length(Text name, const char* base, std::uint8_t& length) {
  const std::size_t size = __builtin_strlen(base);
  if (name.size != size + 1 || __builtin_memcmp(name.data, base, size) != 0) return false;
  length = static_cast<std::uint8_t>(name.data[size] - '0');
  return length >= 1 && length <= 9;
}

}  // namespace

bool Gazetteer::open(const ArrayFile& file) {
  Array hashes, labels;
  if (!file.find("gazetteer_hashes", 'u', 4, hashes)) return true;
  if (!file.find("gazetteer_labels", 'u', 1, labels) || labels.count != hashes.count) return false;
  hashes_ = hashes.as<std::uint32_t>();
  labels_ = labels.data;
  count_ = hashes.count;
  return true;
}

std::size_t Gazetteer::find(std::uint64_t hash) const {
  const auto wanted = static_cast<std::uint32_t>(hash >> 32);
  const std::size_t low =
      first_place(0, count_, [&](std::size_t place) { return hashes_[place] >= wanted; });
  return low < count_ && hashes_[low] == wanted ? low : kNowhere;
}

// No entry reaches over the end of a chain; of equally long ones the first that holds a unit counts.
bool Gazetteer::fill(const Units& units, const Numbers& lower, std::uint64_t* column) {
  const std::size_t count = units.size();
  for (std::size_t unit = 0; unit < count; ++unit) column[unit] = 0;
  if (count_ == 0) return true;
  if (!runs_.make(count, [&](std::size_t unit) { return lower[unit]; }) || !hits_.reserve(count)) {
    return false;
  }
  std::size_t* hits = hits_.data();
  for (std::size_t length = 1; length <= kLongestEntry; ++length) {
    for (std::size_t chain = 0; chain < units.num_chains(); ++chain) {
      const std::size_t end = units.bound(chain + 1);
      for (std::size_t unit = units.bound(chain); unit < end; ++unit) {
        hits[unit] = unit + length <= end ? find(runs_.of(unit, unit + length)) : kNowhere;
      }
    }
    for (std::size_t inside = 0; inside < length; ++inside) {
      const std::uint64_t place = length == 1 ? 3 : inside == 0 ? 0 : 1 + (inside == length - 1);
      for (std::size_t unit = 0; unit + length <= count; ++unit) {
        if (hits[unit] == kNowhere) continue;
        const std::uint64_t code = labels_[hits[unit]] * 16u + place * 4 + at_most(length, 4) - 1;
        column[unit + inside] = mixed(code + 1);
      }
    }
  }
  return true;
}

const char* UnitColumns::name_of(Kind kind) {
  static constexpr const char* kNames[] = {
      "unit", "lower", "kind", "shape", "capital", "word", "place", "tag", "place_tag",
      "word_before", "word_after", "word_length", "repeats", "begins", "ends", "around",
      "word_begins", "word_ends", "word_inside", "tag_begins", "tag_ends", "tag_inside",
      "name_places", "gazetteer"};
  return kNames[kind];
}

bool UnitColumns::read_name(Text name, Column& column) {
  for (std::uint8_t kind = 0; kind < kPrefix; ++kind) {
    if (!name.is(name_of(static_cast<Kind>(kind)))) continue;
    column = {kind, 0};
    return true;
  }
  column.kind = kPrefix;
  if (has_length(name, "prefix_", column.length)) return true;
  column.kind = kSuffix;
  return has_length(name, "suffix_", column.length);
}

bool UnitColumns::needs_words(Column column) {
  return column.kind >= kWord && column.kind < kGazetteer && column.kind != kRepeats;
}

bool UnitColumns::needs_tags(Column column) {
  return column.kind == kTag || column.kind == kPlaceTag ||
         (column.kind >= kWordBegins && column.kind <= kNamePlaces);
}

void UnitColumns::use(ChineseWords* words, ChineseTags* tags, Gazetteer* gazetteer) {
  words_ = words;
  tags_ = tags;
  gazetteer_ = gazetteer;
}

void UnitColumns::begin(const Units& units) {
  units_ = &units;
  is_lowered_ = has_unit_runs_ = is_cut_ = has_tags_ = has_known_ = has_known_tags_ = false;
}

bool UnitColumns::fill(Column column, std::uint64_t* numbers) {
  const std::size_t count = units_->size();
  if (!prepare(column)) return false;
  if (column.kind == kGazetteer) return gazetteer_->fill(*units_, lower_numbers_, numbers);
  for (std::size_t unit = 0; unit < count; ++unit) numbers[unit] = number(column, unit);
  return true;
}

bool UnitColumns::prepare(Column column) {
  if ((column.kind == kUnit || column.kind == kRepeats) && !has_unit_runs_) {
    const Codes& read = units_->read();
    if (!runs_.make(read.size(), [&](std::size_t place) { return mixed(read[place]); })) return false;
    has_unit_runs_ = true;
  }
  if (!lower()) return false;
  if (needs_words(column) && column.kind < kRepeats && !cut(needs_tags(column))) return false;
  if (column.kind >= kBegins && column.kind < kGazetteer) return find_known(needs_tags(column));
  return true;
}

bool UnitColumns::lower() {
  if (is_lowered_) return true;
  const Codes& read = units_->read();
  lowered_.clear();
  lower_numbers_.clear();
  if (!lowered(read.data(), read.size(), lowered_) ||
      !lowered_runs_.make(read.size(), [&](std::size_t place) { return mixed(lowered_[place]); })) {
    return false;
  }
  for (std::size_t unit = 0; unit < units_->size(); ++unit) {
    const Units::Unit& one = (*units_)[unit];
    if (!lower_numbers_.push(lowered_runs_.of(one.begin, one.end))) return false;
  }
  is_lowered_ = true;
  return true;
}

bool UnitColumns::cut(bool with_tags) {
  const Codes& read = units_->read();
  if (!is_cut_) {
    lengths_.clear();
    cut_.clear();
    word_of_.clear();
    if (!words_->cut(read.data(), read.size(), lengths_)) return false;
    for (std::size_t number = 0, begin = 0; number < lengths_.size(); ++number) {
      const std::size_t end = begin + lengths_[number];
      if (!cut_.push({begin, end, 0})) return false;
      for (; begin < end; ++begin) {
        if (!word_of_.push(static_cast<std::uint32_t>(number))) return false;
      }
    }
    is_cut_ = true;
  }
  return !with_tags || has_tags_ || add_tags();
}

bool UnitColumns::add_tags() {
  for (std::size_t number = 0; number < cut_.size(); ++number) {
    Word& word = cut_[number];
    const std::uint32_t* codes = units_->read().data() + word.begin;
    if (!tags_->tag_of(codes, word.end - word.begin, word.tag)) return false;
  }
  has_tags_ = true;
  return true;
}

// Every word of two characters or more, wherever it stands. A run of letters is one too; a Chinese
// word only where its first character is a word itself.
bool UnitColumns::find_known(bool with_tags) {
  if (has_known_ && (has_known_tags_ || !with_tags)) return true;
  const Codes& read = units_->read();
  const std::size_t count = read.size();
  known_.clear();
  std::size_t block = 0, letters = 0;  // where they end
  for (std::size_t place = 0; place < count; ++place) {
    const std::uint32_t* here = read.data() + place;
    if (is_of_letters(*here) && place >= letters) {
      letters = place + run(here, count - place, is_of_letters);
      if (!add_known(place, letters - place, with_tags)) return false;
    }
    if (!is_ideograph(*here)) continue;
    if (place >= block) block = place + run(here, count - place, is_ideograph);
    bool is_placed = false, is_done = true;
    words_->words_at(here, block - place, [&](std::size_t length, std::size_t) {
      is_placed = is_placed || length == 1;
      is_done = is_done && (!is_placed || add_known(place, length, with_tags));
    });
    if (!is_done) return false;
  }
  if (!around_.reserve(count)) return false;
  has_known_ = true;
  has_known_tags_ = with_tags;
  write_known();
  return true;
}

bool UnitColumns::add_known(std::size_t place, std::size_t length, bool with_tags) {
  if (length < 2) return true;
  std::uint64_t tag = 0;
  if (with_tags && !tags_->tag_alone(units_->read().data() + place, length, tag)) return false;
  return known_.push({place, length, tag, lowered_runs_.of(place, place + length)});
}

// They come by their beginnings, shorter ones first. The longest one counts everywhere; of equally
// long ones the first has the inside.
void UnitColumns::write_known() {
  const std::size_t count = units_->read().size();
  for (std::size_t place = 0; place < count; ++place) around_.data()[place] = {0, 0, 0, 0};
  for (std::size_t number = 0; number < known_.size(); ++number) write_one(number);
}

void UnitColumns::write_one(std::size_t number) {
  const Known& word = known_[number];
  const auto shown = static_cast<std::uint32_t>(number + 1);
  const auto is_longer = [&](std::uint32_t other) {
    return other == 0 || word.length > known_[other - 1].length;
  };
  Around *first = around_.data() + word.begin, *last = first + word.length - 1;
  std::uint32_t name = 0;
  for (std::size_t kind = 0; kind < 4; ++kind) {
    if (word.tag == kNameTags[kind]) name = 1u << kind * kPlacesOfName;
  }
  first->begins = shown;
  first->names |= name;
  if (is_longer(last->ends)) last->ends = shown;
  last->names |= name << 2;
  for (Around* one = first + 1; one < last; ++one) {
    if (is_longer(one->inside)) one->inside = shown;
    one->names |= name << 1;
  }
}

std::uint64_t UnitColumns::number(Column column, std::size_t number) const {
  const Units::Unit& unit = (*units_)[number];
  const auto kind = static_cast<Kind>(column.kind);
  switch (kind) {
    case kUnit: return runs_.of(unit.begin, unit.end);
    case kLower: return lower_numbers_[number];
    case kKind:
      return coded(1, static_cast<std::uint64_t>(units_->kind(unit.begin)) * 8 +
                          at_most(unit.end - unit.begin, 5));
    case kShape: return of_shape(unit);
    case kCapital: return of_capital(unit);
    case kRepeats: return of_repeats(number);
    case kPrefix: case kSuffix: return of_affix(column, unit);
    default: return kind < kRepeats ? of_cut(kind, unit) : of_known(kind, unit);
  }
}

// The kinds of all characters, repeated ones once.
std::uint64_t UnitColumns::of_shape(const Units::Unit& unit) const {
  std::uint64_t total = 0, num_new = 0;
  for (std::size_t place = unit.begin; place < unit.end; ++place) {
    const auto kind = static_cast<std::uint64_t>(units_->kind(place));
    if (place > unit.begin && units_->kind(place) == units_->kind(place - 1)) continue;
    total += mixed(kind + kKindBase) * (mixed(num_new + 7) | 1);
    ++num_new;
  }
  return mixed(total * 8 + at_most(unit.end - unit.begin, 6));
}

std::uint64_t UnitColumns::of_capital(const Units::Unit& unit) const {
  std::size_t count = 0;
  for (std::size_t place = unit.begin; place < unit.end; ++place) {
    count += units_->kind(place) == CharacterKind::kUpper;
  }
  const bool is_first = units_->kind(unit.begin) == CharacterKind::kUpper;
  const bool are_all = count == unit.end - unit.begin;
  return coded(2, is_first * 4u + are_all * 2u + (count > 0));
}

std::uint64_t UnitColumns::of_repeats(std::size_t number) const {
  const auto own = [&](std::size_t unit) {
    return runs_.of((*units_)[unit].begin, (*units_)[unit].end);
  };
  const bool is_next = number >= 1 && own(number) == own(number - 1);
  const bool is_second = number >= 2 && own(number) == own(number - 2);
  return coded(11, is_next + 2u * is_second);
}

std::uint64_t UnitColumns::of_affix(Column column, const Units::Unit& unit) const {
  if (unit.end - unit.begin <= column.length || is_cjk(units_->kind(unit.begin))) return 0;
  if (column.kind == kPrefix) {
    return lowered_runs_.of(unit.begin, unit.begin + column.length) ^ (12u + column.length);
  }
  return lowered_runs_.of(unit.end - column.length, unit.end) ^ (20u + column.length);
}

std::uint64_t UnitColumns::place_in(const Word& word, std::size_t character) const {
  if (word.end - word.begin == 1) return kSingle;
  return character == word.begin ? kBegin : character + 1 == word.end ? kEnd : kMiddle;
}

// Of the word of the cut that a unit's last character lies in.
std::uint64_t UnitColumns::of_cut(Kind kind, const Units::Unit& unit) const {
  const std::size_t number = word_of_[unit.end - 1];
  const Word& word = cut_[number];
  const auto run_of = [&](std::size_t other) {
    return lowered_runs_.of(cut_[other].begin, cut_[other].end);
  };
  // Beside the first word and the last stands a line break.
  const auto line_break = [] { return mixed(mixed('\n') + 1); };
  switch (kind) {
    case kWord: return run_of(number);
    case kPlace: return coded(4, place_in(word, unit.end - 1));
    case kTag: return coded(5, word.tag);
    case kPlaceTag: return coded(6, word.tag * 8 + place_in(word, unit.end - 1));
    case kWordBefore: return number == 0 ? line_break() : run_of(number - 1);
    case kWordAfter: return number + 1 == cut_.size() ? line_break() : run_of(number + 1);
    default: return coded(7, at_most(word.end - word.begin, 6));
  }
}

// Of the words of the dictionary around a unit's last character.
std::uint64_t UnitColumns::of_known(Kind kind, const Units::Unit& unit) const {
  const Around& around = around_.data()[unit.end - 1];
  const auto shown = [&](std::uint32_t place) {
    return place == 0 ? 1 : at_most(known_[place - 1].length, kLongestShown);
  };
  const auto hash_of = [&](std::uint32_t place) { return place == 0 ? 0 : known_[place - 1].hash; };
  const auto tag_of = [&](std::uint32_t place) -> std::uint64_t {
    if (place == 0) return 0;
    const Known& word = known_[place - 1];
    return coded(kTagSalt, word.tag * 8 + at_most(word.length, 5));
  };
  switch (kind) {
    case kBegins: return coded(8, shown(around.begins));
    case kEnds: return coded(9, shown(around.ends));
    case kAround: return coded(10, shown(around.inside));
    case kWordBegins: return hash_of(around.begins);
    case kWordEnds: return hash_of(around.ends);
    case kWordInside: return hash_of(around.inside);
    case kTagBegins: return tag_of(around.begins);
    case kTagEnds: return tag_of(around.ends);
    case kTagInside: return tag_of(around.inside);
    default: return around.names == 0 ? 0 : coded(kNameSalt, around.names);
  }
}

}  // namespace engine
