#include "sparrow_tasks.h"

#include "../engine/task_model.h"
#include "../run/mapped_file.h"

struct sparrow_task {
  MappedFile file;
  engine::TaskModel model;
  engine::Complaint complaint;
  engine::Growing<engine::Filling> fillings;
  engine::Growing<sparrow_filling> shown;
  engine::Growing<sparrow_span> spans;
  std::size_t num_gaps = 0;
  bool is_open = false;
};

namespace {

const char* kernels_of(const sparrow_settings* settings) {
  return settings != nullptr && settings->kernels != nullptr ? settings->kernels : "";
}

engine::Text text_of(const char* text) { return {text, __builtin_strlen(text)}; }

engine::Classifier* classifier_of(sparrow_task* task) {
  return task->is_open ? task->model.classifier() : nullptr;
}

engine::Tagger* tagger_of(sparrow_task* task) {
  return task->is_open ? task->model.tagger() : nullptr;
}

engine::TextEncoder* encoder_of(sparrow_task* task) {
  return task->is_open ? task->model.encoder() : nullptr;
}

}  // namespace

sparrow_task* sparrow_task_open(const char* path, const sparrow_settings* settings) {
  auto* task = engine::made<sparrow_task>();
  if (task == nullptr) return nullptr;
  if (!task->file.open(path)) {
    task->complaint.say("there is no such file: ", path);
  } else {
    task->is_open = task->model.open(task->file.bytes(), task->file.size(), kernels_of(settings),
                                     task->complaint);
  }
  return task;
}

sparrow_task* sparrow_task_open_bytes(const void* bytes, size_t size,
                                      const sparrow_settings* settings) {
  auto* task = engine::made<sparrow_task>();
  if (task == nullptr) return nullptr;
  task->is_open = task->model.open(static_cast<const std::uint8_t*>(bytes), size,
                                   kernels_of(settings), task->complaint);
  return task;
}

void sparrow_task_close(sparrow_task* task) {
  if (task == nullptr) return;
  task->~sparrow_task();
  std::free(task);
}

int sparrow_task_is_open(const sparrow_task* task) { return task->is_open; }

const char* sparrow_task_complaint(const sparrow_task* task) { return task->complaint.text(); }

size_t sparrow_num_labels(sparrow_task* task) {
  const engine::Classifier* classifier = classifier_of(task);
  return classifier == nullptr ? 0 : classifier->num_labels();
}

const char* sparrow_label(sparrow_task* task, size_t number, size_t* size) {
  const engine::Text label = number < sparrow_num_labels(task)
                                 ? classifier_of(task)->label(number)
                                 : engine::Text{};
  *size = label.size;
  return label.data;
}

int sparrow_classify(sparrow_task* task, const char* text, sparrow_class* found) {
  engine::Classifier* classifier = classifier_of(task);
  if (classifier == nullptr) return 0;
  task->complaint = engine::Complaint();
  const float* shares = classifier->classify(text_of(text), task->complaint);
  if (shares == nullptr) return 0;
  const std::size_t likeliest = classifier->likeliest();
  *found = {classifier->num_labels(), shares, likeliest, classifier->is_given(likeliest)};
  return 1;
}

int sparrow_is_given(sparrow_task* task, size_t label) {
  return label < sparrow_num_labels(task) && classifier_of(task)->is_given(label);
}

int sparrow_is_tagger(sparrow_task* task) { return tagger_of(task) != nullptr; }

int sparrow_tag(sparrow_task* task, const char* text, const sparrow_span** spans, size_t* count) {
  engine::Tagger* tagger = tagger_of(task);
  *count = 0;
  if (tagger == nullptr) return 0;
  task->complaint = engine::Complaint();
  task->spans.clear();
  if (!tagger->tag(text_of(text), task->complaint)) return 0;
  for (std::size_t i = 0; i < tagger->num_spans(); ++i) {
    const engine::FoundSpan& one = tagger->span(i);
    if (!task->spans.push({one.begin, one.end, one.first_byte, one.last_byte, one.label.data,
                           one.label.size, one.probability})) {
      return task->complaint.say("there is not enough memory");
    }
  }
  *spans = task->spans.data();
  *count = task->spans.size();
  return 1;
}

size_t sparrow_num_intents(sparrow_task* task) {
  const engine::Tagger* tagger = tagger_of(task);
  return tagger == nullptr ? 0 : tagger->num_intents();
}

const char* sparrow_intent(sparrow_task* task, size_t number, size_t* size, double* probability) {
  if (number >= sparrow_num_intents(task)) return nullptr;
  const engine::Text intent = tagger_of(task)->intent(number);
  *size = intent.size;
  *probability = tagger_of(task)->intent_probabilities()[number];
  return intent.data;
}

size_t sparrow_width(sparrow_task* task) {
  const engine::TextEncoder* encoder = encoder_of(task);
  return encoder == nullptr ? 0 : encoder->width();
}

int sparrow_embed(sparrow_task* task, const char* text, const float** vector) {
  engine::TextEncoder* encoder = encoder_of(task);
  *vector = encoder == nullptr ? nullptr : encoder->vector(text_of(text));
  return *vector != nullptr;
}

int sparrow_read_gaps(sparrow_task* task, const char* text, size_t* num_gaps) {
  engine::TextEncoder* encoder = encoder_of(task);
  task->num_gaps = *num_gaps = 0;
  if (encoder == nullptr) return task->complaint.say("the model has no encoder");
  task->complaint = engine::Complaint();
  if (!encoder->read_gaps(text_of(text), *num_gaps, task->complaint)) return 0;
  task->num_gaps = *num_gaps;
  return 1;
}

int sparrow_fill(sparrow_task* task, size_t gap, size_t most, const sparrow_filling** found,
                 size_t* count) {
  *count = 0;
  if (gap >= task->num_gaps || !encoder_of(task)->fill(gap, most, task->fillings)) return 0;
  task->shown.clear();
  for (std::size_t i = 0; i < task->fillings.size(); ++i) {
    const engine::Text piece = encoder_of(task)->piece(task->fillings[i].id);
    if (!task->shown.push({piece.data, piece.size, task->fillings[i].probability})) return 0;
  }
  *found = task->shown.data();
  *count = task->shown.size();
  return 1;
}
