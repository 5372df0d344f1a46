/* Drives src/text for the Python judges. Texts come on standard input, each as a 32-bit length (little-endian, as this
 * machine's) and its bytes; numbers go out the same way.
 *   text_probe encode DIR [MAX_TOKENS]     per text: n, then n ids, n begins, n ends
 *   text_probe speed DIR [REPEATS]         one JSON line: bytes, tokens, processor seconds of encoding (best of
 * REPEATS) text_probe train DIR SIZE MIN_FREQUENCY LOWERCASE   builds a vocabulary, saves it, prints processor seconds
 *   text_probe save DIR OUT                loads and saves
 *   text_probe info DIR                    one JSON line
 *   text_probe cut                         lines "first second n_special max_tokens" on standard input, lengths out */
#include "text/text.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

typedef struct texts {
  fn_buf data;
  size_t at;
} texts;

static bool next_text(void *arg, fn_str *text_out) {
  texts *t = arg;
  uint32_t length;
  if (t->data.length - t->at < sizeof length) return false;
  memcpy(&length, t->data.data + t->at, sizeof length);
  t->at += sizeof length;
  if (t->data.length - t->at < length) return false;
  *text_out = fn_str_make(t->data.data + t->at, length);
  t->at += length;
  return true;
}

static bool read_texts(texts *t) {
  fn_buf_init(&t->data, (size_t)1 << 31);
  t->at = 0;
  size_t n;
  do {
    if (!fn_buf_reserve(&t->data, 1 << 20)) return false;
    n = fread(t->data.data + t->data.length, 1, 1 << 20, stdin);
    t->data.length += n;
  } while (n > 0);
  return true;
}

static fn_status encode(const char *dir, size_t max_tokens, fn_err *err) {
  fn_tokenizer *tokenizer;
  FN_TRY(fn_tokenizer_load(&tokenizer, dir, err));
  texts t;
  fn_tokens tokens = {0};
  fn_status status = read_texts(&t) ? FN_OK : fn_err_no_memory(err, "texts");
  for (fn_str text; status == FN_OK && next_text(&t, &text);) {
    status = fn_tokenizer_encode(&tokens, tokenizer, text, max_tokens, err);
    uint32_t n = (uint32_t)tokens.n;
    fwrite(&n, sizeof n, 1, stdout);
    if (n == 0) continue;
    fwrite(tokens.ids, sizeof *tokens.ids, n, stdout);
    fwrite(tokens.begin, sizeof *tokens.begin, n, stdout);
    fwrite(tokens.end, sizeof *tokens.end, n, stdout);
  }
  fn_tokens_deinit(&tokens);
  fn_buf_deinit(&t.data);
  fn_tokenizer_destroy(tokenizer);
  return status;
}

static fn_status speed(const char *dir, int repeats, fn_err *err) {
  fn_tokenizer *tokenizer;
  clock_t begin = clock(), best = LONG_MAX; /* processor time: a busy machine does not count */
  FN_TRY(fn_tokenizer_load(&tokenizer, dir, err));
  double load = (double)(clock() - begin) / CLOCKS_PER_SEC;
  texts t;
  fn_tokens tokens = {0};
  size_t n_bytes = 0, n_tokens = 0;
  fn_status status = read_texts(&t) ? FN_OK : fn_err_no_memory(err, "texts");
  for (int i = 0; i < repeats && status == FN_OK; i++) {
    n_bytes = n_tokens = t.at = 0;
    begin = clock();
    for (fn_str text; status == FN_OK && next_text(&t, &text);) {
      status = fn_tokenizer_encode(&tokens, tokenizer, text, 0, err);
      n_tokens += tokens.n;
      n_bytes += text.length;
    }
    clock_t took = clock() - begin;
    if (took < best) best = took;
  }
  printf("{\"bytes\": %zu, \"tokens\": %zu, \"seconds\": %.6f, \"load_seconds\": %.6f}\n", n_bytes, n_tokens,
         (double)best / CLOCKS_PER_SEC, load);
  fn_tokens_deinit(&tokens);
  fn_buf_deinit(&t.data);
  fn_tokenizer_destroy(tokenizer);
  return status;
}

static fn_status train(char **arguments, fn_err *err) {
  int64_t size = 0, min_frequency = 0;
  if (!fn_str_to_int64(&size, fn_str_from(arguments[1])) || !fn_str_to_int64(&min_frequency, fn_str_from(arguments[2])))
    return fn_err_set(err, FN_E_INVALID, "SIZE and MIN_FREQUENCY must be numbers");
  texts t;
  if (!read_texts(&t)) return fn_err_no_memory(err, "texts");
  fn_tokenizer *tokenizer = NULL;
  clock_t begin = clock();
  fn_status status = fn_tokenizer_train(&tokenizer, next_text, &t, (int32_t)size, (int)min_frequency,
                                        strcmp(arguments[3], "1") == 0, err);
  if (status == FN_OK) printf("%.6f\n", (double)(clock() - begin) / CLOCKS_PER_SEC);
  fn_buf_deinit(&t.data);
  if (status == FN_OK) status = fn_tokenizer_save(tokenizer, arguments[0], err);
  fn_tokenizer_destroy(tokenizer);
  return status;
}

static fn_status save(const char *dir, const char *out, fn_err *err) {
  fn_tokenizer *tokenizer;
  FN_TRY(fn_tokenizer_load(&tokenizer, dir, err));
  fn_status status = fn_tokenizer_save(tokenizer, out, err);
  fn_tokenizer_destroy(tokenizer);
  return status;
}

static fn_status info(const char *dir, fn_err *err) {
  fn_tokenizer *tokenizer;
  FN_TRY(fn_tokenizer_load(&tokenizer, dir, err));
  const fn_tokenizer_info *i = fn_tokenizer_get_info(tokenizer);
  char hash[33];
  fn_hash_format(hash, i->hash);
  printf("{\"vocab_size\": %d, \"cls\": %d, \"sep\": %d, \"pad\": %d, \"unk\": %d, \"mask\": %d, \"lowercase\": %s, "
         "\"hash\": \"%s\"}\n",
         i->vocab_size, i->cls_id, i->sep_id, i->pad_id, i->unk_id, i->mask_id, i->lowercase ? "true" : "false", hash);
  fn_tokenizer_destroy(tokenizer);
  return FN_OK;
}

static fn_status cut(void) {
  for (size_t first, second, n_special, max; scanf("%zu %zu %zu %zu", &first, &second, &n_special, &max) == 4;) {
    fn_pair_cut(&first, &second, n_special, max);
    printf("%zu %zu\n", first, second);
  }
  return FN_OK;
}

static fn_status run(int argc, char **argv, fn_err *err) {
  const char *verb = argc > 1 ? argv[1] : "";
  int64_t number = 0;
  if (argc > 3 && !fn_str_to_int64(&number, fn_str_from(argv[3]))) number = 0;
  if (strcmp(verb, "encode") == 0 && argc > 2) return encode(argv[2], (size_t)number, err);
  if (strcmp(verb, "speed") == 0 && argc > 2) return speed(argv[2], number > 0 ? (int)number : 1, err);
  if (strcmp(verb, "train") == 0 && argc > 5) return train(argv + 2, err);
  if (strcmp(verb, "save") == 0 && argc > 3) return save(argv[2], argv[3], err);
  if (strcmp(verb, "info") == 0 && argc > 2) return info(argv[2], err);
  if (strcmp(verb, "cut") == 0) return cut();
  return fn_err_set(err, FN_E_INVALID, "usage: see the head of text_probe.c");
}

int main(int argc, char **argv) {
  fn_err err = {0};
  fn_status status = run(argc, argv, &err);
  if (status != FN_OK) fprintf(stderr, "%s\n", err.message);
  return fn_status_exit_code(status);
}
