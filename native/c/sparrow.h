/* Small language models in C: open a GGUF file, continue texts, read scores.
 *
 * One sparrow_model belongs to one thread at a time. Texts are UTF-8. Functions that can fail say
 * so; sparrow_complaint() has the sentence. Nothing here writes to standard output or error, opens
 * a connection, or keeps anything when the model is closed.
 *
 *     sparrow_model *model = sparrow_open("small.gguf", NULL);
 *     if (!sparrow_is_open(model)) { puts(sparrow_complaint(model)); ... }
 *     sparrow_wishes wishes = sparrow_default_wishes();
 *     sparrow_begin(model, "Once upon a time", &wishes);
 *     const char *piece;
 *     size_t size;
 *     while (sparrow_next_piece(model, &piece, &size)) fwrite(piece, 1, size, stdout);
 *     sparrow_close(model);
 */
#ifndef SPARROW_H
#define SPARROW_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sparrow_model sparrow_model;

typedef struct {
  size_t num_threads;  /* 0: as many as are faster here */
  const char *kernels; /* "", the fastest; or a name: "portable", "avx2", ... */
} sparrow_settings;

typedef struct {
  float temperature;        /* 0 takes the likeliest token; 0.8 */
  size_t top_k;             /* 0 keeps all */
  float top_p;              /* 1 keeps all */
  float min_p;              /* 0 keeps all */
  float repetition_penalty; /* 1; above it avoids the last 64 tokens */
  uint64_t seed;            /* 0 to 2^63 - 1: the same seed gives the same text everywhere */
  size_t max_tokens;        /* 200 */
} sparrow_wishes;

typedef struct {
  size_t num_characters;   /* code points; a byte that belongs to none counts for itself */
  size_t num_tokens;
  double nats;             /* the sum of all surprisals */
  const int32_t *ids;      /* of the tokens */
  const float *surprisals; /* of every token: -ln p in nats, given all before it */
} sparrow_surprise;

/* Opens a file, or bytes that stay where they are until the model is closed. settings may be NULL.
 * NULL: there is not enough memory. Else ask sparrow_is_open(). */
sparrow_model *sparrow_open(const char *path, const sparrow_settings *settings);
sparrow_model *sparrow_open_bytes(const void *bytes, size_t size, const sparrow_settings *settings);
void sparrow_close(sparrow_model *model); /* NULL is allowed */

int sparrow_is_open(const sparrow_model *model);
/* What is wrong, in one sentence; "" where nothing is. */
const char *sparrow_complaint(const sparrow_model *model);
/* The instruction set that runs. */
const char *sparrow_kernels(const sparrow_model *model);
/* 1: this machine computes what the file's maker did, to the last bit; 0: it does not;
 * -1: the file has nothing to compare with. */
int sparrow_self_test(sparrow_model *model);

sparrow_wishes sparrow_default_wishes(void);
/* Texts end before a stop string; they stay until they are cleared. 0: no memory. */
int sparrow_add_stop(sparrow_model *model, const char *text);
void sparrow_clear_stops(sparrow_model *model);

/* What texts may look like, until it is cleared: one of some choices, or what a regular expression
 * matches as a whole (as Python's re.fullmatch; no anchors, references or looking around). Texts end
 * where that does. 0: it cannot be used, see sparrow_complaint(), and any text is allowed. */
int sparrow_set_choices(sparrow_model *model, const char *const *choices, size_t count);
int sparrow_set_pattern(sparrow_model *model, const char *pattern);
int sparrow_set_schema(sparrow_model *model, const char *schema); /* JSON of a JSON schema */
/* Where a pattern takes too much work at some place the text ends there, not as the pattern does:
 * then sparrow_complaint() says so after the end of the text. */
void sparrow_clear_pattern(sparrow_model *model);
/* Keeps, from now on, the probabilities of what is drawn. 0: no memory. */
int sparrow_keep_log_probabilities(sparrow_model *model);
/* The token drawn last and natural logarithms of the model's own probabilities there (before
 * temperature, penalties and patterns), sparrow_vocabulary_size() of them; they stay until the next
 * call of sparrow_next_piece(). NULL: that call drew nothing, or they are not kept. */
const float *sparrow_last_log_probabilities(sparrow_model *model, int32_t *id);

/* Reads a prompt; what the text before had in common with it is not read again (with a recurrent
 * network, where it begins with all of that text). wishes may be NULL. 0: no memory. */
int sparrow_begin(sparrow_model *model, const char *prompt, const sparrow_wishes *wishes);
/* Draws one token. 0: the text has ended and nothing is left. *piece are whole characters, not
 * closed by a zero byte, and stay until the next call; *size may be 0. */
int sparrow_next_piece(sparrow_model *model, const char **piece, size_t *size);

/* What has been read and written so far, for later or for another process: sparrow_begin() does not
 * read again what a restored state has in common with its prompt. to has room for
 * sparrow_state_size() bytes. Restoring a state that is damaged or of another model changes
 * nothing. 0: see sparrow_complaint(). */
size_t sparrow_state_size(sparrow_model *model);
void sparrow_save_state(sparrow_model *model, void *to);
int sparrow_restore_state(sparrow_model *model, const void *from, size_t size);

/* The ids of a text; they stay until the next call. 0: no memory. */
int sparrow_encode(sparrow_model *model, const char *text, const int32_t **ids, size_t *count);
/* The bytes of a token, not closed by a zero byte; none for the separator and for unknown ids. */
const char *sparrow_token(const sparrow_model *model, int32_t id, size_t *size);
size_t sparrow_vocabulary_size(const sparrow_model *model);
/* Natural logarithms of the probabilities of what follows some ids (which begin with 0, the
 * separator), sparrow_vocabulary_size() of them. 0: no memory, or an id is out of range. */
int sparrow_predict(sparrow_model *model, const int32_t *ids, size_t count, float *log_probabilities);
/* The ids of the count likeliest tokens, likeliest first (of equals the lower id), out of what
 * sparrow_predict() or sparrow_last_log_probabilities() gave. Returns how many: fewer than count
 * where the vocabulary is smaller. */
size_t sparrow_likeliest(const sparrow_model *model, const float *log_probabilities, size_t count,
                         int32_t *ids);
/* How surprised the model is by a text behind a separator. Bits per character are nats / ln 2 /
 * num_characters, the perplexity of a token is exp(nats / num_tokens): the figures of `sparrow
 * score`. Texts of any length: what is beyond the context is read in the same windows as there. ids
 * and surprisals stay until the next call. 0: the text is empty, or there is not enough memory; see
 * sparrow_complaint(). */
int sparrow_score(sparrow_model *model, const char *text, sparrow_surprise *surprise);

#ifdef __cplusplus
}
#endif

#endif
