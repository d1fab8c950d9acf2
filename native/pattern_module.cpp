// Patterns for Python: automata from the trees of sparrowlm/text/patterns, masks of tokens.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "arrays.h"
#include "token_marks.h"

namespace nb = nanobind;

namespace {

using engine::PatternTree;

// The bytes of all tokens.
class Tokens {
 public:
  explicit Tokens(const std::vector<nb::bytes>& pieces) {
    if (pieces.empty()) throw std::invalid_argument("no tokens");
    std::size_t total = 0;
    for (const nb::bytes& piece : pieces) total += piece.size();
    letters_.resize(total + 1);
    char* to = letters_.data();
    for (const nb::bytes& piece : pieces) {
      std::memcpy(to, piece.c_str(), piece.size());
      texts_.push_back({to, piece.size()});
      to += piece.size();
    }
    marks_ = std::make_unique<TokenMarks>(texts_);
  }

  TokenMarks& marks() { return *marks_; }

 private:
  std::vector<char> letters_;
  std::vector<engine::Text> texts_;
  std::unique_ptr<TokenMarks> marks_;
};

// Reads a tree that was written down part by part, each behind its own parts:
//   0 n first last ...   a character out of n ranges
//   1 n / 2 n            the n parts before, one after the other / one of them
//   3 least most         the part before so many times; -1: any number
//   4 n byte ...         a text of n bytes
class Parts {
 public:
  explicit Parts(InputVector<std::int32_t> program) : program_(program) {
    while (place_ < program_.size()) put();
    if (!tree.has_room()) throw std::bad_alloc();
    if (found_.size() != 1) throw std::invalid_argument("one part is the whole");
  }

  PatternTree tree;
  PatternTree::Part whole() const { return found_[0]; }

 private:
  void put() {
    switch (next()) {
      case 0: return put_characters();
      case 1: return put_several([this](std::size_t mark) { return tree.sequence(mark); });
      case 2: return put_several([this](std::size_t mark) { return tree.choice(mark); });
      case 3: return put_repeat();
      case 4: return put_text();
      default: throw std::invalid_argument("parts are of kind 0 to 4");
    }
  }

  std::int32_t next() {
    if (place_ == program_.size()) throw std::invalid_argument("a part is cut off");
    return program_.data()[place_++];
  }

  std::size_t count(std::size_t most) {
    const std::int32_t number = next();
    if (number < 0 || static_cast<std::size_t>(number) > most) {
      throw std::invalid_argument("more parts than there are");
    }
    return static_cast<std::size_t>(number);
  }

  void put_characters() {
    engine::Growing<PatternTree::Range> ranges;
    for (std::size_t left = count(program_.size()); left > 0; --left) {
      const std::int32_t first = next(), last = next();
      if (first < 0 || last < first || last > 0x10FFFF) throw std::invalid_argument("a range");
      const PatternTree::Range range{static_cast<std::uint32_t>(first),
                                     static_cast<std::uint32_t>(last)};
      if (!ranges.push(range)) throw std::bad_alloc();
    }
    found_.push_back(tree.characters(ranges));
  }

  template <class Close>
  void put_several(Close close) {
    const std::size_t num_parts = count(found_.size());
    const std::size_t mark = tree.mark();
    for (std::size_t i = found_.size() - num_parts; i < found_.size(); ++i) tree.add(found_[i]);
    found_.resize(found_.size() - num_parts);
    found_.push_back(close(mark));
  }

  void put_text() {
    std::vector<char> letters(count(program_.size()));
    for (char& letter : letters) {
      const std::int32_t byte = next();
      if (byte < 0 || byte > 0xFF) throw std::invalid_argument("a byte");
      letter = static_cast<char>(byte);
    }
    found_.push_back(tree.literal({letters.data(), letters.size()}));
  }

  void put_repeat() {
    if (found_.empty()) throw std::invalid_argument("nothing to repeat");
    const auto least = static_cast<std::uint32_t>(count(0x7FFFFFFF));
    const std::int32_t most = next();
    found_.back() = tree.repeat(found_.back(), least,
                                most < 0 ? PatternTree::kAnyNumber : static_cast<std::uint32_t>(most));
  }

  InputVector<std::int32_t> program_;
  std::size_t place_ = 0;
  std::vector<PatternTree::Part> found_;
};

// States are numbers, -1 where no text goes on so, -2 where there is no room for one more.
class Pattern {
 public:
  explicit Pattern(InputVector<std::int32_t> program) {
    Parts parts(program);
    engine::Complaint complaint;
    if (!automaton_.make(parts.tree, parts.whole(), complaint)) {
      throw std::invalid_argument(complaint.text());
    }
    if (automaton_.start() < 0) throw std::bad_alloc();
  }

  std::int32_t start() { return automaton_.start(); }

  std::int32_t read(std::int32_t state, nb::bytes bytes) {
    check(state);
    return automaton_.read(state, {bytes.c_str(), bytes.size()});
  }

  // Reads a token; with room for num_tokens more, also which of the allowed ones may be the next, or
  // nothing where there is no room for the states.
  nb::tuple go_on(Tokens& tokens, std::int32_t state, nb::bytes bytes, std::uint32_t num_tokens,
                  InputVector<bool> allowed) {
    if (allowed.size() != tokens.marks().size()) throw std::invalid_argument("all tokens");
    const std::int32_t next = read(state, bytes);
    const std::vector<std::uint8_t>* mask =
        next < 0 ? nullptr : mask_after(tokens, next, num_tokens);
    if (mask == nullptr) return nb::make_tuple(next, nb::none());
    std::vector<std::uint8_t> both(mask->size());
    const auto* one = mask->data();
    const auto* other = reinterpret_cast<const std::uint8_t*>(allowed.data());
    auto* __restrict to = both.data();
    for (std::size_t i = 0, size = both.size(); i < size; ++i) to[i] = one[i] & other[i];
    return nb::make_tuple(next, as_array(std::move(both)));
  }

  bool is_end(std::int32_t state) const { return check(state), automaton_.is_end(state); }
  bool can_go_on(std::int32_t state) const { return check(state), automaton_.can_go_on(state); }
  std::uint32_t left(std::int32_t state) const { return check(state), automaton_.left(state); }
  std::uint32_t longest_left() const { return automaton_.longest_left(); }

  // A truth value an id: whether it may follow, where so many tokens may come, itself counted.
  // Nothing where there is no room.
  nb::object mask(Tokens& tokens, std::int32_t state, std::uint32_t num_tokens) {
    check(state);
    const std::vector<std::uint8_t>* found = mask_after(tokens, state, num_tokens);
    if (found == nullptr) return nb::none();
    return nb::cast(as_array(std::vector<std::uint8_t>(*found)));
  }

 private:
  static constexpr std::size_t kMostMaskBytes = std::size_t{4} << 20;

  // Where the form could not end within as many tokens of one byte, those that lead to its end in
  // time; see most_left in sparrowlm/runtime/guides.py. Null: no room.
  const std::vector<std::uint8_t>* mask_after(Tokens& tokens, std::int32_t state,
                                              std::uint32_t num_tokens) {
    const bool has_time =
        num_tokens > automaton_.longest_left() || automaton_.left(state) > num_tokens;
    return has_time ? known_mask(tokens, state)
                    : made_mask(tokens, state, num_tokens - 1, marks_);
  }

  // Python's lock is kept: threads may share what is read here.
  const std::vector<std::uint8_t>* made_mask(Tokens& tokens, std::int32_t state,
                                             std::uint32_t most_left,
                                             std::vector<std::uint8_t>& marks) {
    marks.resize(tokens.marks().size());
    const bool is_made =
        tokens.marks().mark(automaton_, steps_, state, most_left, marks.data());
    return is_made ? &marks : nullptr;
  }

  // Of a text that has time to end; those found out are kept.
  const std::vector<std::uint8_t>* known_mask(Tokens& tokens, std::int32_t state) {
    if (&tokens != masks_of_) masks_.clear();
    masks_of_ = &tokens;
    const auto found = masks_.find(state);
    if (found != masks_.end()) return &found->second;
    if ((masks_.size() + 1) * tokens.marks().size() > kMostMaskBytes) masks_.clear();
    std::vector<std::uint8_t>& mask = masks_[state];
    if (made_mask(tokens, state, engine::Automaton::kNever, mask) != nullptr) return &mask;
    masks_.erase(state);
    return nullptr;
  }

  void check(std::int32_t state) const {
    if (state < 0 || static_cast<std::size_t>(state) >= automaton_.num_states()) {
      throw std::invalid_argument("there is no such state");
    }
  }

  engine::Automaton automaton_;
  SimpleSteps steps_;
  std::vector<std::uint8_t> marks_;
  std::unordered_map<std::int32_t, std::vector<std::uint8_t>> masks_;
  const Tokens* masks_of_ = nullptr;
};

}  // namespace

void define_patterns(nb::module_& module) {
  nb::class_<Tokens>(module, "TokenTree").def(nb::init<const std::vector<nb::bytes>&>());
  nb::class_<Pattern>(module, "Pattern")
      .def(nb::init<InputVector<std::int32_t>>())
      .def("start", &Pattern::start)
      .def("read", &Pattern::read)
      .def("go_on", &Pattern::go_on)
      .def("is_end", &Pattern::is_end)
      .def("can_go_on", &Pattern::can_go_on)
      .def("left", &Pattern::left)
      .def_prop_ro("longest_left", &Pattern::longest_left)
      .def("mask", &Pattern::mask);
}
