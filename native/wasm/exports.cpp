// What a browser calls: bytes of a model, a prompt, pieces of text. Nothing is imported.
#include "../engine/open_model.h"

#include <cstdlib>

#define EXPORT(name) extern "C" __attribute__((export_name(name)))

namespace {

struct Page {
  engine::OpenModel open{1};
  engine::Complaint complaint;
  engine::Growing<char> text;
  engine::Ids ids;
  engine::Wish wish;
};

}  // namespace

EXPORT("allocate") void* sparrow_allocate(std::size_t size) { return std::malloc(size); }
EXPORT("release") void sparrow_release(void* memory) { std::free(memory); }

// The bytes stay the page's; null: no memory. Ask complaint() whether it can be used.
EXPORT("open") Page* sparrow_open(const std::uint8_t* bytes, std::size_t size) {
  Page* page = engine::made<Page>();
  if (page == nullptr) return page;
  if (page->open.open(bytes, size, "", page->complaint)) page->open.is_as_made(page->complaint);
  return page;
}

EXPORT("keep_scores") int sparrow_keep_scores(Page* page) {
  return page->open.writer().keep_scores();
}
// Null: nothing was drawn, or scores are not kept.
EXPORT("log_probabilities") const float* sparrow_log_probabilities(Page* page) {
  return page->open.writer().log_probabilities();
}
EXPORT("last_id") std::int32_t sparrow_last_id(Page* page) {
  return page->open.writer().last_id();
}

EXPORT("complaint") const char* sparrow_complaint(const Page* page) {
  return page->complaint.text();
}

// seed in two halves: JavaScript has no whole numbers of 64 bits without ceremony.
EXPORT("wish")
void sparrow_wish(Page* page, float temperature, std::size_t top_k, float top_p, float min_p,
                  float repetition_penalty, std::uint32_t seed_low, std::uint32_t seed_high,
                  std::size_t most_tokens) {
  page->wish.sampling = {temperature, top_k, top_p, min_p, repetition_penalty};
  page->wish.seed = static_cast<std::uint64_t>(seed_high & 0x7FFFFFFFu) << 32 | seed_low;
  page->wish.most_tokens = most_tokens;
}

EXPORT("clear_stops") void sparrow_clear_stops(Page* page) { page->open.writer().stops().clear(); }

EXPORT("add_stop") int sparrow_add_stop(Page* page, const char* text, std::size_t size) {
  return page->open.writer().stops().add({text, size});
}

// What texts may look like, until it is cleared. 0: complaint() says why not, and any text may come.
EXPORT("clear_form") void sparrow_clear_form(Page* page) { page->open.writer().guide().clear(); }

// Choices one behind the other, a zero byte between them.
EXPORT("set_choices") int sparrow_set_choices(Page* page, const char* text, std::size_t size) {
  engine::Growing<engine::Text> choices;
  page->complaint = {};
  for (std::size_t begin = 0, end = 0; end <= size; ++end) {
    if (end < size && text[end] != '\0') continue;
    if (!choices.push({text + begin, end - begin})) {
      return page->complaint.say("there is not enough memory");
    }
    begin = end + 1;
  }
  return page->open.writer().guide().choose(choices.data(), choices.size(), page->complaint);
}

EXPORT("set_pattern") int sparrow_set_pattern(Page* page, const char* text, std::size_t size) {
  page->complaint = {};
  return page->open.writer().guide().match({text, size}, page->complaint);
}

EXPORT("set_schema") int sparrow_set_schema(Page* page, const char* text, std::size_t size) {
  page->complaint = {};
  return page->open.writer().guide().follow_schema({text, size}, page->complaint);
}

// Whether the last text ended for want of room and not because its form does.
EXPORT("has_given_up") int sparrow_has_given_up(Page* page) {
  const engine::Guide& guide = page->open.writer().guide();
  return guide.is_active() && guide.has_given_up();
}

// 0 absent, 1 passed, 2 failed.
EXPORT("self_test") int sparrow_self_test(Page* page) {
  return static_cast<int>(page->open.self_test());
}

EXPORT("begin") int sparrow_begin(Page* page, const char* text, std::size_t size) {
  return page->open.writer().begin({text, size}, page->wish);
}

// Draws one token; 0 at the end of the text. What is new stands at text() then, also at the end.
EXPORT("advance") int sparrow_advance(Page* page) {
  page->text.clear();
  return page->open.writer().advance(page->text);
}

EXPORT("text") const char* sparrow_text(const Page* page) { return page->text.data(); }
EXPORT("text_size") std::size_t sparrow_text_size(const Page* page) { return page->text.size(); }
EXPORT("num_drawn") std::size_t sparrow_num_drawn(Page* page) {
  return page->open.writer().num_drawn();
}

EXPORT("encode") std::size_t sparrow_encode(Page* page, const char* text, std::size_t size) {
  page->ids.clear();
  page->open.tokenizer().encode({text, size}, page->ids);
  return page->ids.size();
}
EXPORT("ids") const std::int32_t* sparrow_ids(const Page* page) { return page->ids.data(); }
