/* Models that understand texts, in C: classifiers, taggers and encoders in one GGUF file.
 *
 * The rules are those of sparrow.h: one sparrow_task belongs to one thread at a time, texts are
 * UTF-8, what is handed out stays until the next call of the same model. Answers are those of
 * `sparrow predict`, `sparrow embed` and `sparrow fill`, up to the rounding of float32.
 *
 *     sparrow_task *task = sparrow_task_open("topics.gguf", NULL);
 *     if (!sparrow_task_is_open(task)) { puts(sparrow_task_complaint(task)); ... }
 *     sparrow_class found;
 *     if (sparrow_classify(task, "The match ended 3:1", &found)) {
 *       size_t size;
 *       const char *label = sparrow_label(task, found.likeliest, &size);
 *       printf("%.*s %.3f\n", (int)size, label, found.probabilities[found.likeliest]);
 *     }
 *     sparrow_task_close(task);
 */
#ifndef SPARROW_TASKS_H
#define SPARROW_TASKS_H

#include "sparrow.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sparrow_task sparrow_task;

typedef struct {
  size_t num_labels;
  const float *probabilities; /* of every label, in the order of sparrow_label() */
  size_t likeliest;
  int is_sure; /* 0: the model would rather not say; see sparrow_is_given() where several may be */
} sparrow_class;

typedef struct {
  const char *piece; /* not closed by a zero byte */
  size_t size;
  double probability;
} sparrow_filling;

typedef struct {
  size_t start, end;           /* characters; the end is behind the last one */
  size_t first_byte, end_byte; /* the same in the bytes of the text */
  const char *label;           /* not closed by a zero byte */
  size_t label_size;
  double probability;          /* that it is right; 1 for entries of the user's dictionary */
} sparrow_span;

/* NULL: there is not enough memory. Else ask sparrow_task_is_open(). settings may be NULL; only
 * its kernels count. Bytes stay where they are until the model is closed. */
sparrow_task *sparrow_task_open(const char *path, const sparrow_settings *settings);
sparrow_task *sparrow_task_open_bytes(const void *bytes, size_t size,
                                      const sparrow_settings *settings);
void sparrow_task_close(sparrow_task *task); /* NULL is allowed */
int sparrow_task_is_open(const sparrow_task *task);
/* What is wrong, in one sentence; "" where nothing is. */
const char *sparrow_task_complaint(const sparrow_task *task);

/* Classifiers; 0 where the model is none, or cannot answer: see sparrow_task_complaint(). */
size_t sparrow_num_labels(sparrow_task *task);
const char *sparrow_label(sparrow_task *task, size_t number, size_t *size);
int sparrow_classify(sparrow_task *task, const char *text, sparrow_class *found);
/* Whether the last text has a label: one at most, or several where texts may have several. */
int sparrow_is_given(sparrow_task *task, size_t label);

/* Taggers: the spans of a text, and words where the model is one of segmentation; 0 where the model
 * is no tagger, or cannot answer: see sparrow_task_complaint(). */
int sparrow_is_tagger(sparrow_task *task);
int sparrow_tag(sparrow_task *task, const char *text, const sparrow_span **spans, size_t *count);
/* What the text of the last sparrow_tag() wants, and how probable that is: number 0 is the first of
 * sparrow_num_intents() intents. NULL where there is none. */
size_t sparrow_num_intents(sparrow_task *task);
const char *sparrow_intent(sparrow_task *task, size_t number, size_t *size, double *probability);

/* Models with an encoder: a vector of length one; 0 where there is none, or no memory. */
size_t sparrow_width(sparrow_task *task);
int sparrow_embed(sparrow_task *task, const char *text, const float **vector);
/* Encoders alone: reads a text with gaps, each written [MASK]. 0: see sparrow_task_complaint(). */
int sparrow_read_gaps(sparrow_task *task, const char *text, size_t *num_gaps);
/* What may stand in a gap of that text, likeliest first, at most `most`; *count says how many. */
int sparrow_fill(sparrow_task *task, size_t gap, size_t most, const sparrow_filling **found,
                 size_t *count);

#ifdef __cplusplus
}
#endif

#endif
