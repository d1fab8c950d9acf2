// JSON as a pattern; see sparrowlm/text/patterns/json_schema.py for what is known.
#include "json_tree.h"
#include "pattern.h"

namespace engine {
namespace {

using Part = PatternTree::Part;
using Value = JsonTree::Value;
using Kind = JsonTree::Kind;

constexpr char kCharacter[] = R"((?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}))";
constexpr char kInteger[] = "-?(?:0|[1-9][0-9]{0,14})";
constexpr char kNumber[] = R"(-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?(?:[eE][+-]?[0-9]{1,2})?)";
constexpr const char* kTypes[] = {"object", "array", "string", "number", "integer", "boolean", "null"};
constexpr const char* kKeywords[] = {
    "type", "properties", "required", "items", "minItems", "maxItems", "enum", "const", "anyOf",
    "oneOf", "minLength", "maxLength", "pattern", "additionalProperties", "title", "description",
    "default", "examples", "$schema", "$id", "format"};
constexpr std::uint32_t kMostItems = 64;
constexpr int kDeepest = 16, kFreeDepth = 3;
constexpr std::uint32_t kAny = PatternTree::kAnyNumber;

Text text_of(const char* text) { return {text, __builtin_strlen(text)}; }

class Maker {
 public:
  Maker(const JsonTree& json, PatternTree& tree, Complaint& complaint)
      : json_(json), tree_(tree), complaint_(complaint) {}

  bool make(Part& found) {
    found = value(json_.root(), 0);
    if (!is_wrong_ && !tree_.has_room()) complaint_.say(kTooLarge), is_wrong_ = true;
    return !is_wrong_;
  }

 private:
  Part refuse(const char* what, Text received = {}) {
    is_wrong_ = true;
    Complaint name;
    name.say(what, received.data, received.size, "");
    complaint_.say("the JSON schema cannot be used: ", name.text());
    return 0;
  }

  Part fixed(const char* text) { return tree_.literal(text_of(text)); }
  Part parsed(const char* pattern) {
    Part found = 0;
    is_wrong_ = !parse_pattern(text_of(pattern), tree_, found, complaint_) || is_wrong_;
    return found;
  }
  template <class... Parts>
  Part row(Parts... parts) {
    const std::size_t mark = tree_.mark();
    (tree_.add(parts), ...);
    return tree_.sequence(mark);
  }
  template <class... Parts>
  Part one_of(Parts... parts) {
    const std::size_t mark = tree_.mark();
    (tree_.add(parts), ...);
    return tree_.choice(mark);
  }

  Part value(const Value& schema, int depth) {
    if (is_wrong_) return 0;
    if (depth > kDeepest) return refuse("nesting");
    const bool is_object = schema.kind == Kind::kObject;
    if (schema.kind == Kind::kTrue || (is_object && schema.count == 0)) return anything(kFreeDepth);
    if (!is_object) return refuse("schema");
    if (!are_keywords_known(schema)) return 0;
    if (const Value* one = json_.member(schema, "const")) return written(*one);
    if (const Value* list = json_.member(schema, "enum")) {
      return each(*list, "enum", [&](const Value& one) { return written(one); });
    }
    constexpr const char* kEither[] = {"anyOf", "oneOf"};
    for (const char* name : kEither) {
      if (const Value* list = json_.member(schema, name)) {
        return each(*list, name, [&](const Value& one) { return value(one, depth + 1); });
      }
    }
    return typed(schema, depth);
  }

  bool are_keywords_known(const Value& schema) {
    for (std::uint32_t i = schema.first; i != 0; i = json_.at(i).next) {
      bool is_known = false;
      for (const char* keyword : kKeywords) is_known |= json_.name(json_.at(i)).is(keyword);
      if (!is_known) return refuse("keyword ", json_.name(json_.at(i))), false;
    }
    return true;
  }

  template <class Work>
  Part each(const Value& list, const char* name, const Work& work) {
    if (list.kind != Kind::kArray) return refuse(name);
    const std::size_t mark = tree_.mark();
    for (std::uint32_t i = list.first; i != 0; i = json_.at(i).next) tree_.add(work(json_.at(i)));
    return tree_.choice(mark);
  }

  Part typed(const Value& schema, int depth) {
    const Value* type = json_.member(schema, "type");
    if (type == nullptr) {
      if (json_.member(schema, "properties") != nullptr) return of_type({"object", 6}, schema, depth);
      const std::size_t mark = tree_.mark();
      for (const char* name : kTypes) tree_.add(of_type(text_of(name), schema, depth));
      return tree_.choice(mark);
    }
    if (type->kind == Kind::kString) return of_type(json_.text(*type), schema, depth);
    if (type->count == 0) return refuse("type");
    return each(*type, "type", [&](const Value& one) {
      return one.kind == Kind::kString ? of_type(json_.text(one), schema, depth) : refuse("type");
    });
  }

  Part of_type(Text type, const Value& schema, int depth) {
    if (is_wrong_) return 0;
    if (type.is("object")) return object(schema, depth);
    if (type.is("array")) return array(schema, depth);
    if (type.is("string")) return string(schema);
    if (type.is("number")) return parsed(kNumber);
    if (type.is("integer")) return parsed(kInteger);
    if (type.is("boolean")) return one_of(fixed("true"), fixed("false"));
    return type.is("null") ? fixed("null") : refuse("type ", type);
  }

  Part object(const Value& schema, int depth) {
    const Value* properties = json_.member(schema, "properties");
    if (properties != nullptr && properties->kind != Kind::kObject) return refuse("properties");
    if (properties == nullptr || properties->count == 0) return free_object(kFreeDepth - 1);
    const Value* required = json_.member(schema, "required");
    if (required != nullptr && required->kind != Kind::kArray) return refuse("required");
    Growing<std::uint32_t> places;
    for (std::uint32_t i = properties->first; i != 0; i = json_.at(i).next) {
      if (!places.push(i)) return refuse("memory");
    }
    // behind: what may come after at least one member; whole: what may come at the beginning.
    Part behind = row(), whole = behind;
    for (std::size_t i = places.size(); i-- > 0 && !is_wrong_;) {
      const Value& inside = json_.at(places[i]);
      Growing<char> name;
      if (!JsonTree::write_string(json_.name(inside), name) || !name.push(':')) return refuse("memory");
      const Part named = tree_.literal({name.data(), name.size()});
      const Part member = row(named, value(inside, depth + 1));
      const bool is_required = is_among(required, json_.name(inside));
      const Part with_comma = row(fixed(","), member), first = row(member, behind);
      whole = is_required ? first : one_of(first, whole);
      behind = row(is_required ? with_comma : tree_.repeat(with_comma, 0, 1), behind);
    }
    return row(fixed("{"), whole, fixed("}"));
  }

  bool is_among(const Value* required, Text name) const {
    if (required == nullptr) return true;
    for (std::uint32_t i = required->first; i != 0; i = json_.at(i).next) {
      const Text one = json_.text(json_.at(i));
      if (json_.at(i).kind == Kind::kString && one.size == name.size &&
          __builtin_memcmp(one.data, name.data, name.size) == 0) {
        return true;
      }
    }
    return false;
  }

  // Whole numbers that a schema may give or leave out.
  bool bounds(const Value& schema, const char* least_name, const char* most_name,
              std::uint32_t& least, std::uint32_t& most) {
    const Value* low = json_.member(schema, least_name);
    const Value* high = json_.member(schema, most_name);
    if (high != nullptr && high->kind == Kind::kNull) high = nullptr;
    least = 0, most = kAny;
    if (low != nullptr && !json_.count(*low, least)) return refuse(least_name), false;
    if (high != nullptr && !(json_.count(*high, most) && least <= most)) {
      return refuse(most_name), false;
    }
    return true;
  }

  Part array(const Value& schema, int depth) {
    const Value* items = json_.member(schema, "items");
    const Part item = items != nullptr ? value(*items, depth + 1) : anything(kFreeDepth);
    std::uint32_t least, most;
    if (is_wrong_ || !bounds(schema, "minItems", "maxItems", least, most)) return 0;
    if (least > kMostItems) return refuse("minItems");
    return most != kAny && most > kMostItems ? refuse("maxItems") : listed(item, least, most);
  }

  Part listed(Part item, std::uint32_t least, std::uint32_t most) {
    if (most == 0) return fixed("[]");
    const Part rest = tree_.repeat(row(fixed(","), item), least > 0 ? least - 1 : 0,
                                   most == kAny ? kAny : most - 1);
    const Part some = row(fixed("["), item, rest, fixed("]"));
    return least > 0 ? some : one_of(fixed("[]"), some);
  }

  Part string(const Value& schema) {
    if (const Value* pattern = json_.member(schema, "pattern")) {
      if (pattern->kind != Kind::kString) return refuse("pattern");
      Text source = json_.text(*pattern);
      if (source.size > 0 && source.data[0] == '^') source = {source.data + 1, source.size - 1};
      if (source.size > 0 && source.data[source.size - 1] == '$') --source.size;
      Part inside = 0;
      if (!parse_pattern(source, tree_, inside, complaint_)) return is_wrong_ = true, 0;
      return row(fixed("\""), inside, fixed("\""));
    }
    std::uint32_t least, most;
    if (!bounds(schema, "minLength", "maxLength", least, most)) return 0;
    return text(least, most);
  }

  Part text(std::uint32_t least, std::uint32_t most) {
    return row(fixed("\""), tree_.repeat(parsed(kCharacter), least, most), fixed("\""));
  }

  Part anything(int depth) {
    const Part plain = one_of(text(0, kAny), parsed(kNumber), fixed("true"), fixed("false"),
                              fixed("null"));
    return depth == 0 ? plain
                      : one_of(plain, listed(anything(depth - 1), 0, kAny), free_object(depth - 1));
  }

  Part free_object(int depth) {
    const Part member = row(text(0, kAny), fixed(":"), anything(depth));
    const Part rest = tree_.repeat(row(fixed(","), member), 0, kAny);
    return one_of(fixed("{}"), row(fixed("{"), member, rest, fixed("}")));
  }

  Part written(const Value& value) {
    Growing<char> letters;
    if (!json_.write(value, letters)) return refuse("a number of more than 15 digits");
    return tree_.literal({letters.data(), letters.size()});
  }

  const JsonTree& json_;
  PatternTree& tree_;
  Complaint& complaint_;
  bool is_wrong_ = false;
};

}  // namespace

bool parse_schema(Text source, PatternTree& tree, Part& found, Complaint& complaint) {
  JsonTree json;
  if (!json.read(source)) return complaint.say("the JSON schema is no JSON, or too large");
  return Maker(json, tree, complaint).make(found);
}

}  // namespace engine
