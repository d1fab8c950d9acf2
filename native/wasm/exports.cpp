// What a browser calls: bytes of a model, a prompt, pieces of text. Nothing is imported.
#include "../engine/generation.h"
#include "../engine/model.h"
#include "../engine/self_test.h"

#include <cstdlib>

#define EXPORT(name) extern "C" __attribute__((export_name(name)))

namespace {

struct Page {
  engine::Model model;
  engine::Tokenizer tokenizer;
  engine::Characters characters;
  engine::Crew crew{1};
  engine::Decoder* decoder = nullptr;
  engine::Writer* writer = nullptr;
  engine::Complaint complaint;
  engine::Growing<char> text;
  engine::Ids ids;
  engine::Wish wish;
};

bool open(Page& page, const std::uint8_t* bytes, std::size_t size) {
  if (!page.model.open(bytes, size, page.complaint) ||
      !page.tokenizer.open(page.model.file(), page.model.shape().vocab_size, page.complaint)) {
    return false;
  }
  const engine::Kernels& kernels = engine::best_kernels();
  page.decoder = engine::made<engine::Decoder>(page.model.shape(), page.model.weights(), kernels, page.crew,
                                       std::size_t{32});
  if (page.decoder == nullptr) return page.complaint.say("there is not enough memory");
  page.writer = engine::made<engine::Writer>(page.tokenizer, page.characters, *page.decoder,
                                     page.model.shape(), kernels);
  const bool is_made = page.writer != nullptr && page.characters.make(page.tokenizer) &&
                       page.decoder->make() && page.writer->make();
  return is_made || page.complaint.say("there is not enough memory");
}

}  // namespace

EXPORT("allocate") void* sparrow_allocate(std::size_t size) { return std::malloc(size); }
EXPORT("release") void sparrow_release(void* memory) { std::free(memory); }

// The bytes stay the page's; null: no memory. Ask complaint() whether it can be used.
EXPORT("open") Page* sparrow_open(const std::uint8_t* bytes, std::size_t size) {
  Page* page = engine::made<Page>();
  if (page != nullptr) open(*page, bytes, size);
  return page;
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

EXPORT("clear_stops") void sparrow_clear_stops(Page* page) { page->writer->stops().clear(); }

EXPORT("add_stop") int sparrow_add_stop(Page* page, const char* text, std::size_t size) {
  return page->writer->stops().add({text, size});
}

// 0 absent, 1 passed, 2 failed.
EXPORT("self_test") int sparrow_self_test(Page* page) {
  return static_cast<int>(
      engine::self_test(page->model.file(), page->model.shape(), *page->decoder));
}

EXPORT("begin") int sparrow_begin(Page* page, const char* text, std::size_t size) {
  return page->writer->begin({text, size}, page->wish);
}

// Draws one token; 0 at the end of the text. What is new stands at text() then, also at the end.
EXPORT("advance") int sparrow_advance(Page* page) {
  page->text.clear();
  return page->writer->advance(page->text);
}

EXPORT("text") const char* sparrow_text(const Page* page) { return page->text.data(); }
EXPORT("text_size") std::size_t sparrow_text_size(const Page* page) { return page->text.size(); }
EXPORT("num_drawn") std::size_t sparrow_num_drawn(const Page* page) {
  return page->writer->num_drawn();
}

EXPORT("encode") std::size_t sparrow_encode(Page* page, const char* text, std::size_t size) {
  page->ids.clear();
  page->tokenizer.encode({text, size}, page->ids);
  return page->ids.size();
}
EXPORT("ids") const std::int32_t* sparrow_ids(const Page* page) { return page->ids.data(); }
