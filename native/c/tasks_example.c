/* What a text is about, the names in it, its vector, or what fills its gaps: what the model can say.
 *
 *     cc tasks_example.c libsparrow.a -lpthread -lm -o tasks
 *     ./tasks topics.gguf "The match ended 3:1"
 */
#include "sparrow_tasks.h"

#include <stdio.h>
#include <string.h>

static int classify(sparrow_task *task, const char *text) {
  sparrow_class found;
  if (!sparrow_classify(task, text, &found)) return 0;
  for (size_t i = 0; i < found.num_labels; ++i) {
    size_t size;
    const char *label = sparrow_label(task, i, &size);
    const char *chosen = sparrow_is_given(task, i) ? " *" : "";
    printf("%.*s %.6f%s\n", (int)size, label, found.probabilities[i], chosen);
  }
  return 1;
}

static int tag(sparrow_task *task, const char *text) {
  const sparrow_span *spans;
  size_t count;
  if (!sparrow_tag(task, text, &spans, &count)) return 0;
  for (size_t i = 0; i < count; ++i) {
    const sparrow_span *one = &spans[i];
    printf("%.*s %.*s %.6f\n", (int)one->label_size, one->label,
           (int)(one->end_byte - one->first_byte), text + one->first_byte, one->probability);
  }
  for (size_t i = 0; i < sparrow_num_intents(task); ++i) {
    size_t size;
    double probability;
    const char *intent = sparrow_intent(task, i, &size, &probability);
    printf("%.*s %.6f\n", (int)size, intent, probability);
  }
  return 1;
}

static int fill(sparrow_task *task, const char *text) {
  size_t num_gaps;
  if (!sparrow_read_gaps(task, text, &num_gaps)) return 0;
  for (size_t gap = 0; gap < num_gaps; ++gap) {
    const sparrow_filling *found;
    size_t count;
    if (!sparrow_fill(task, gap, 3, &found, &count)) return 0;
    for (size_t i = 0; i < count; ++i) {
      printf("%.*s %.6f\n", (int)found[i].size, found[i].piece, found[i].probability);
    }
  }
  return 1;
}

static int embed(sparrow_task *task, const char *text) {
  const float *vector;
  if (!sparrow_embed(task, text, &vector)) return 0;
  for (size_t i = 0; i < sparrow_width(task); ++i) printf("%.6f\n", vector[i]);
  return 1;
}

int main(int count, char **words) {
  if (count != 3) {
    fprintf(stderr, "usage: %s MODEL.gguf TEXT\n", words[0]);
    return 2;
  }
  sparrow_task *task = sparrow_task_open(words[1], NULL);
  if (task == NULL) return 1;
  int is_done = sparrow_task_is_open(task);
  if (is_done && sparrow_num_labels(task) > 0) {
    is_done = classify(task, words[2]);
  } else if (is_done && sparrow_is_tagger(task)) {
    is_done = tag(task, words[2]);
  } else if (is_done) {
    const int has_gaps = strstr(words[2], "[MASK]") != NULL;
    is_done = has_gaps ? fill(task, words[2]) : embed(task, words[2]);
  }
  if (!is_done) fprintf(stderr, "%s: %s\n", words[1], sparrow_task_complaint(task));
  sparrow_task_close(task);
  return is_done ? 0 : 1;
}
