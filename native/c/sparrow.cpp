#include "sparrow.h"

#include "../engine/open_model.h"
#include "../run/mapped_file.h"

struct sparrow_model {
  explicit sparrow_model(std::size_t num_threads) : open(num_threads) {}

  MappedFile file;
  engine::OpenModel open;
  engine::Complaint complaint;
  engine::Growing<char> text;
  engine::Ids ids;
  engine::Session session;
  engine::Room<float> logits;
  engine::Score score;
  bool is_open = false, has_ended = true;
};

namespace {

const sparrow_settings kSettings = {0, ""};

sparrow_model* started(const sparrow_settings* settings) {
  return engine::made<sparrow_model>(settings->num_threads);
}

void open_bytes(sparrow_model* model, const void* bytes, std::size_t size,
                const sparrow_settings* settings) {
  const char* kernels = settings->kernels != nullptr ? settings->kernels : "";
  model->is_open =
      model->open.open(static_cast<const std::uint8_t*>(bytes), size, kernels, model->complaint) &&
      model->open.is_as_made(model->complaint);
}

engine::Text text_of(const char* text) { return {text, __builtin_strlen(text)}; }

}  // namespace

sparrow_model* sparrow_open(const char* path, const sparrow_settings* settings) {
  if (settings == nullptr) settings = &kSettings;
  sparrow_model* model = started(settings);
  if (model == nullptr) return nullptr;
  if (!model->file.open(path)) {
    model->complaint.say("there is no such file: ", path);
  } else {
    model->open.when_packed(MappedFile::release, &model->file);
    open_bytes(model, model->file.bytes(), model->file.size(), settings);
  }
  return model;
}

sparrow_model* sparrow_open_bytes(const void* bytes, size_t size,
                                  const sparrow_settings* settings) {
  if (settings == nullptr) settings = &kSettings;
  sparrow_model* model = started(settings);
  if (model != nullptr) open_bytes(model, bytes, size, settings);
  return model;
}

void sparrow_close(sparrow_model* model) {
  if (model == nullptr) return;
  model->~sparrow_model();
  std::free(model);
}

int sparrow_is_open(const sparrow_model* model) { return model->is_open; }

const char* sparrow_complaint(const sparrow_model* model) { return model->complaint.text(); }

const char* sparrow_kernels(const sparrow_model* model) { return model->open.kernels(); }

int sparrow_self_test(sparrow_model* model) {
  switch (model->open.self_test()) {
    case engine::SelfTest::kPassed: return 1;
    case engine::SelfTest::kFailed: return 0;
    default: return -1;
  }
}

sparrow_wishes sparrow_default_wishes(void) { return {0.8f, 0, 1.0f, 0.0f, 1.0f, 0, 200}; }

int sparrow_add_stop(sparrow_model* model, const char* text) {
  return model->open.writer().stops().add(text_of(text));
}

void sparrow_clear_stops(sparrow_model* model) { model->open.writer().stops().clear(); }

int sparrow_set_choices(sparrow_model* model, const char* const* choices, size_t count) {
  engine::Room<engine::Text> texts;
  model->complaint = {};
  if (!texts.make(count)) return model->complaint.say("there is not enough memory");
  for (size_t i = 0; i < count; ++i) texts[i] = text_of(choices[i]);
  return model->open.writer().guide().choose(texts.data(), count, model->complaint);
}

int sparrow_set_pattern(sparrow_model* model, const char* pattern) {
  model->complaint = {};
  return model->open.writer().guide().match(text_of(pattern), model->complaint);
}

int sparrow_set_schema(sparrow_model* model, const char* schema) {
  model->complaint = {};
  return model->open.writer().guide().follow_schema(text_of(schema), model->complaint);
}

void sparrow_clear_pattern(sparrow_model* model) { model->open.writer().guide().clear(); }

int sparrow_keep_log_probabilities(sparrow_model* model) {
  return model->open.writer().keep_scores();
}

const float* sparrow_last_log_probabilities(sparrow_model* model, int32_t* id) {
  if (model->has_ended) return nullptr;
  const float* logs = model->open.writer().log_probabilities();
  if (logs != nullptr) *id = model->open.writer().last_id();
  return logs;
}

int sparrow_begin(sparrow_model* model, const char* prompt, const sparrow_wishes* wishes) {
  const sparrow_wishes chosen = wishes != nullptr ? *wishes : sparrow_default_wishes();
  engine::Wish wish;
  wish.sampling = {chosen.temperature, chosen.top_k, chosen.top_p, chosen.min_p,
                   chosen.repetition_penalty};
  wish.seed = chosen.seed;
  wish.most_tokens = chosen.max_tokens;
  model->has_ended = !model->open.writer().begin(text_of(prompt), wish);
  return !model->has_ended;
}

int sparrow_next_piece(sparrow_model* model, const char** piece, size_t* size) {
  model->text.clear();
  if (!model->has_ended) model->has_ended = !model->open.writer().advance(model->text);
  *piece = model->text.data();
  *size = model->text.size();
  const engine::Guide& guide = model->open.writer().guide();
  if (model->has_ended && guide.is_active() && guide.has_given_up()) {
    model->complaint = {};
    model->complaint.say(engine::Guide::kGivenUp);
  }
  // What a stop string held back comes with the end.
  return !model->has_ended || *size > 0;
}

size_t sparrow_state_size(sparrow_model* model) {
  return model->open.decoder().saved_bytes(model->open.writer().session());
}

void sparrow_save_state(sparrow_model* model, void* to) {
  model->open.decoder().save(model->open.writer().session(), model->open.model().identity(),
                             static_cast<std::uint8_t*>(to));
}

int sparrow_restore_state(sparrow_model* model, const void* from, size_t size) {
  return model->open.decoder().restore(
      model->open.writer().session(), model->open.model().identity(),
      static_cast<const std::uint8_t*>(from), size, model->complaint);
}

int sparrow_encode(sparrow_model* model, const char* text, const int32_t** ids, size_t* count) {
  model->ids.clear();
  const bool is_done = model->open.tokenizer().encode(text_of(text), model->ids);
  *ids = model->ids.data();
  *count = model->ids.size();
  return is_done;
}

const char* sparrow_token(const sparrow_model* model, int32_t id, size_t* size) {
  const bool is_known = id >= 0 && static_cast<std::size_t>(id) < model->open.tokenizer().size();
  const engine::Text piece = is_known ? model->open.tokenizer().piece(id) : engine::Text{};
  *size = piece.size;
  return piece.data;
}

size_t sparrow_vocabulary_size(const sparrow_model* model) {
  return model->open.model().vocab_size();
}

int sparrow_predict(sparrow_model* model, const int32_t* ids, size_t count,
                    float* log_probabilities) {
  engine::Decoder& decoder = model->open.decoder();
  const std::size_t vocab_size = decoder.vocab_size();
  for (std::size_t i = 0; i < count; ++i) {
    if (ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= vocab_size) return 0;
  }
  if (count == 0) return 0;
  if (model->logits.size() == 0 &&
      !(decoder.start(model->session) && model->logits.make(2 * decoder.logits_stride()))) {
    return 0;
  }
  decoder.keep(model->session, ids, 0);
  float *logits = model->logits.data(), *shares = logits + decoder.logits_stride();
  decoder.read(model->session, ids, count, logits);
  if (engine::Mixture* mixture = model->open.mixture()) {
    engine::Mixture::Memory memory;
    if (!mixture->start(memory)) return 0;
    for (std::size_t i = 0; i < count; ++i) mixture->read(memory, ids[i]);
    mixture->mix(memory, logits);
  }
  const engine::Kernels& kernels = *engine::kernels_called(model->open.kernels());
  const float whole = engine::log_total(kernels, logits, vocab_size, shares);
  for (std::size_t v = 0; v < vocab_size; ++v) log_probabilities[v] = logits[v] - whole;
  return 1;
}

size_t sparrow_likeliest(const sparrow_model* model, const float* log_probabilities, size_t count,
                         int32_t* ids) {
  return engine::likeliest(log_probabilities, sparrow_vocabulary_size(model), count, ids);
}

int sparrow_score(sparrow_model* model, const char* text, sparrow_surprise* surprise) {
  engine::Score& score = model->score;
  model->complaint = {};
  if (!model->open.score(text_of(text), score, model->complaint)) return 0;
  *surprise = {score.num_characters, score.num_tokens(), score.nats, score.ids.data() + 1,
               score.surprisals.data()};
  return 1;
}
