/* Continue a text, as a program of somebody else would.
 *
 *     cc example.c -I. -L. -lsparrow -lpthread -lm -o example
 *     ./example small.gguf "Once upon a time" 1
 *
 * Writes the likeliest first tokens with their probabilities, then a continuation.
 */
#include "sparrow.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUM_SHOWN = 3 };

static void show_likeliest(sparrow_model *model, const char *prompt) {
  const int32_t *found;
  size_t count, size = sparrow_vocabulary_size(model);
  float *logs = malloc(size * sizeof *logs);
  int32_t *ids = NULL;
  if (logs == NULL || !sparrow_encode(model, prompt, &found, &count)) goto done;
  ids = malloc((count + 1) * sizeof *ids);
  if (ids == NULL) goto done;
  ids[0] = 0; /* every text begins behind a separator */
  for (size_t i = 0; i < count; ++i) ids[i + 1] = found[i];
  if (!sparrow_predict(model, ids, count + 1, logs)) goto done;
  int32_t best[NUM_SHOWN];
  size = sparrow_likeliest(model, logs, NUM_SHOWN, best);
  for (size_t rank = 0; rank < size; ++rank) {
    size_t length;
    const char *token = sparrow_token(model, best[rank], &length);
    printf("%6.4f  %.*s\n", exp(logs[best[rank]]), (int)length, token);
  }
done:
  free(ids);
  free(logs);
}

int main(int count, char **words) {
  if (count < 3) {
    fprintf(stderr, "usage: example MODEL.gguf PROMPT [SEED [PATTERN]]\n");
    return 2;
  }
  sparrow_model *model = sparrow_open(words[1], NULL);
  if (model == NULL || !sparrow_is_open(model)) {
    fprintf(stderr, "example: %s\n", model ? sparrow_complaint(model) : "no memory");
    sparrow_close(model);
    return 1;
  }
  show_likeliest(model, words[2]);
  sparrow_wishes wishes = sparrow_default_wishes();
  wishes.seed = count > 3 ? strtoull(words[3], NULL, 10) : 0;
  wishes.max_tokens = 60;
  /* argv[4]: what the text may look like; beside it the log-probabilities of its tokens */
  if (count > 4 && !(sparrow_set_pattern(model, words[4]) && sparrow_keep_log_probabilities(model))) {
    fprintf(stderr, "example: %s\n", sparrow_complaint(model));
    return 2;
  }
  const char *piece;
  size_t size;
  double total = 0;
  int32_t id;
  printf("%s", words[2]);
  if (sparrow_begin(model, words[2], &wishes)) {
    while (sparrow_next_piece(model, &piece, &size)) {
      fwrite(piece, 1, size, stdout);
      const float *logs = sparrow_last_log_probabilities(model, &id);
      if (logs != NULL) total += logs[id];
    }
  }
  printf("\n");
  if (count > 4) printf("%.4f nats\n", -total);
  sparrow_close(model);
  return 0;
}
