#include "answers.h"

#include "../engine/utf8.h"

#include <cstdio>

using engine::Text;

void print_text(Text text) {
  std::fputc('"', stdout);
  for (std::size_t place = 0; place < text.size;) {
    const engine::CodePoint point = engine::code_point_at(text, place);
    if (!point.is_valid) {
      std::fputs("\xEF\xBF\xBD", stdout);
    } else if (point.code < 0x20 || point.code == 0x7F) {
      std::printf("\\u%04x", static_cast<unsigned>(point.code));
    } else {
      if (point.code == '"' || point.code == '\\') std::fputc('\\', stdout);
      std::fwrite(text.data + place, 1, point.size, stdout);
    }
    place += point.size;
  }
  std::fputc('"', stdout);
}

namespace {

// The place of the likeliest label behind some that were printed: smaller, or as large and later.
std::size_t next_label(const float* shares, std::size_t count, std::size_t before, bool is_first) {
  std::size_t best = count;
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_behind = is_first || shares[i] < shares[before] ||
                           (shares[i] == shares[before] && i > before);
    if (is_behind && (best == count || shares[i] > shares[best])) best = i;
  }
  return best;
}

bool print_class(engine::Classifier& classifier, Text text, engine::Complaint& complaint) {
  const float* shares = classifier.classify(text, complaint);
  if (shares == nullptr) return false;
  const std::size_t count = classifier.num_labels(), best = classifier.likeliest();
  std::printf("{\"text\": ");
  print_text(text);
  std::printf(", \"label\": ");
  if (static_cast<bool>(classifier.is_given(best))) {
    print_text(classifier.label(best));
  } else {
    std::printf("null");
  }
  std::printf(", \"probability\": %.9g, \"labels\": [", static_cast<double>(shares[best]));
  bool is_first = true;
  std::size_t label = 0;
  const char* between = "";
  for (std::size_t i = 0; i < count; ++i, is_first = false) {
    label = next_label(shares, count, label, is_first);
    if (label == count) break;
    if (!classifier.is_given(label)) continue;
    std::printf("%s", between);
    print_text(classifier.label(label));
    between = ", ";
  }
  std::printf("], \"probabilities\": {");
  is_first = true;
  for (std::size_t i = 0; i < count; ++i, is_first = false) {
    label = next_label(shares, count, label, is_first);
    if (label == count) break;
    std::printf(is_first ? "" : ", ");
    print_text(classifier.label(label));
    std::printf(": %.9g", static_cast<double>(shares[label]));
  }
  std::printf("}}\n");
  return true;
}

void print_span(const engine::FoundSpan& span, Text text) {
  std::printf("{\"start\": %zu, \"end\": %zu, \"label\": ", span.begin, span.end);
  print_text(span.label);
  std::printf(", \"text\": ");
  print_text({text.data + span.first_byte, span.last_byte - span.first_byte});
  std::printf(", \"probability\": %.9g}", span.probability);
}

bool print_tags(engine::Tagger& tagger, Text text, engine::Complaint& complaint) {
  if (!tagger.tag(text, complaint)) return false;
  std::printf("{\"text\": ");
  print_text(text);
  std::printf(", \"spans\": [");
  for (std::size_t i = 0; i < tagger.num_spans(); ++i) {
    std::printf("%s", i == 0 ? "" : ", ");
    print_span(tagger.span(i), text);
  }
  std::printf("]");
  if (tagger.num_intents() > 0) {
    const std::size_t intent = tagger.likeliest_intent();
    std::printf(", \"intent\": ");
    print_text(tagger.intent(intent));
    std::printf(", \"intent_probability\": %.9g", tagger.intent_probabilities()[intent]);
  }
  std::printf("}\n");
  return true;
}

bool print_vector(engine::TextEncoder& encoder, Text text, engine::Complaint& complaint) {
  const float* vector = encoder.vector(text);
  if (vector == nullptr) return complaint.say("there is not enough memory");
  std::printf("{\"text\": ");
  print_text(text);
  std::printf(", \"vector\": [");
  for (std::size_t d = 0; d < encoder.width(); ++d) {
    std::printf("%s%.9g", d == 0 ? "" : ", ", static_cast<double>(vector[d]));
  }
  std::printf("]}\n");
  return true;
}

bool print_fillings(engine::TextEncoder& encoder, Text text, std::size_t most,
                    engine::Complaint& complaint) {
  std::size_t num_gaps;
  engine::Growing<engine::Filling> found;
  if (!encoder.read_gaps(text, num_gaps, complaint)) return false;
  std::printf("[");
  for (std::size_t gap = 0; gap < num_gaps; ++gap) {
    if (!encoder.fill(gap, most, found)) return complaint.say("there is not enough memory");
    std::printf(gap == 0 ? "[" : ", [");
    for (std::size_t i = 0; i < found.size(); ++i) {
      std::printf(i == 0 ? "{\"piece\": " : ", {\"piece\": ");
      print_text(encoder.piece(found[i].id));
      std::printf(", \"probability\": %.9g}", found[i].probability);
    }
    std::printf("]");
  }
  std::printf("]\n");
  return true;
}

bool answer_one(engine::TaskModel& model, Text text, const Options& options,
                engine::Complaint& complaint) {
  engine::TextEncoder* encoder = model.encoder();
  if (!options.embeds && model.classifier() != nullptr) {
    return print_class(*model.classifier(), text, complaint);
  }
  if (!options.embeds && model.tagger() != nullptr) {
    return print_tags(*model.tagger(), text, complaint);
  }
  if (encoder == nullptr) return complaint.say("the model has no encoder");
  if (options.embeds) return print_vector(*encoder, text, complaint);
  return print_fillings(*encoder, text, options.most_fillings, complaint);
}

}  // namespace

bool answer(engine::TaskModel& model, Text text, bool are_lines, const Options& options,
            engine::Complaint& complaint) {
  if (!are_lines) return answer_one(model, text, options, complaint);
  for (std::size_t begin = 0; begin < text.size;) {
    std::size_t end = begin;
    while (end < text.size && text.data[end] != '\n') ++end;
    std::size_t size = end - begin;
    if (size > 0 && text.data[end - 1] == '\r') --size;
    if (!answer_one(model, {text.data + begin, size}, options, complaint)) return false;
    begin = end + 1;
  }
  return true;
}
