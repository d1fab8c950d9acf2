// What a browser calls of models that understand texts: classifiers, taggers, encoders. The twin of
// native/c/sparrow_tasks.cpp; nothing is imported, answers stay until the next question.
#include "../engine/task_model.h"

#include <cstdlib>

#define EXPORT(name) extern "C" __attribute__((export_name(name)))

namespace {

struct Task {
  engine::TaskModel model;
  engine::Complaint complaint;
  engine::Growing<engine::Filling> fillings;
};

// What a text that is handed out has: an address and a size.
std::size_t shown_size = 0;

const char* show(engine::Text text) {
  shown_size = text.size;
  return text.data;
}

}  // namespace

EXPORT("allocate") void* sparrow_allocate(std::size_t size) { return std::malloc(size); }
EXPORT("release") void sparrow_release(void* memory) { std::free(memory); }

// The bytes stay the task's; null: no memory. Ask complaint() whether it can be used.
EXPORT("open") Task* sparrow_open(const std::uint8_t* bytes, std::size_t size) {
  Task* task = engine::made<Task>();
  if (task != nullptr) task->model.open(bytes, size, "", task->complaint);
  return task;
}

EXPORT("complaint") const char* sparrow_complaint(const Task* task) {
  return task->complaint.text();
}

EXPORT("shown_size") std::size_t sparrow_shown_size() { return shown_size; }

// 0 an encoder alone, 1 a classifier, 2 a tagger.
EXPORT("kind") int sparrow_kind(Task* task) {
  if (task->model.classifier() != nullptr) return 1;
  return task->model.tagger() != nullptr ? 2 : 0;
}

// ---- classifiers ----

EXPORT("num_labels") std::size_t sparrow_num_labels(Task* task) {
  return task->model.classifier()->num_labels();
}

EXPORT("label") const char* sparrow_label(Task* task, std::size_t number) {
  return show(task->model.classifier()->label(number));
}

// The probabilities of all labels; null: see complaint().
EXPORT("classify")
const float* sparrow_classify(Task* task, const char* text, std::size_t size) {
  task->complaint = {};
  return task->model.classifier()->classify({text, size}, task->complaint);
}

EXPORT("is_given") int sparrow_is_given(Task* task, std::size_t label) {
  return task->model.classifier()->is_given(label);
}

// ---- taggers ----

// The number of spans, -1: see complaint().
EXPORT("tag") int sparrow_tag(Task* task, const char* text, std::size_t size) {
  task->complaint = {};
  engine::Tagger& tagger = *task->model.tagger();
  return tagger.tag({text, size}, task->complaint) ? static_cast<int>(tagger.num_spans()) : -1;
}

EXPORT("span_first") std::size_t sparrow_span_first(Task* task, std::size_t number) {
  return task->model.tagger()->span(number).first_byte;
}

EXPORT("span_last") std::size_t sparrow_span_last(Task* task, std::size_t number) {
  return task->model.tagger()->span(number).last_byte;
}

EXPORT("span_label") const char* sparrow_span_label(Task* task, std::size_t number) {
  return show(task->model.tagger()->span(number).label);
}

EXPORT("span_probability") double sparrow_span_probability(Task* task, std::size_t number) {
  return task->model.tagger()->span(number).probability;
}

EXPORT("num_intents") std::size_t sparrow_num_intents(Task* task) {
  return task->model.tagger()->num_intents();
}

EXPORT("intent") const char* sparrow_intent(Task* task, std::size_t number) {
  return show(task->model.tagger()->intent(number));
}

EXPORT("intent_probabilities") const double* sparrow_intent_probabilities(Task* task) {
  return task->model.tagger()->intent_probabilities();
}

// ---- encoders ----

EXPORT("width") std::size_t sparrow_width(Task* task) {
  engine::TextEncoder* encoder = task->model.encoder();
  return encoder == nullptr ? 0 : encoder->width();
}

// A vector of length one; null: no memory.
EXPORT("embed") const float* sparrow_embed(Task* task, const char* text, std::size_t size) {
  return task->model.encoder()->vector({text, size});
}

// The number of gaps, -1: see complaint().
EXPORT("read_gaps") int sparrow_read_gaps(Task* task, const char* text, std::size_t size) {
  std::size_t num_gaps = 0;
  task->complaint = {};
  const bool is_read = task->model.encoder()->read_gaps({text, size}, num_gaps, task->complaint);
  return is_read ? static_cast<int>(num_gaps) : -1;
}

// How many fillings were found, -1: no memory.
EXPORT("fill") int sparrow_fill(Task* task, std::size_t gap, std::size_t most) {
  const bool is_filled = task->model.encoder()->fill(gap, most, task->fillings);
  return is_filled ? static_cast<int>(task->fillings.size()) : -1;
}

EXPORT("filling") const char* sparrow_filling(Task* task, std::size_t number) {
  return show(task->model.encoder()->piece(task->fillings[number].id));
}

EXPORT("filling_probability") double sparrow_filling_probability(Task* task, std::size_t number) {
  return task->fillings[number].probability;
}
