/* Drives src/text for the Python judges. Texts come on standard input, each as a 32-bit length (little-endian, as this
 * machine's) and its bytes; numbers go out the same way.
 *   text_probe encode DIR [MAX_TOKENS]     per text: n, then n ids, n begins, n ends
 *   text_probe speed DIR [PASSES [THREADS]]   one JSON line: bytes, tokens, seconds on the wall of each pass over all
 *                                             texts, each thread with a cache of words that lives through all passes
 *   text_probe train DIR SIZE MIN_FREQUENCY LOWERCASE   builds a vocabulary, saves it, prints processor seconds
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
  fn_word_cache *cache;
  FN_TRY(fn_word_cache_create(&cache, err));
  fn_status status = read_texts(&t) ? FN_OK : fn_err_no_memory(err, "texts");
  for (fn_str text; status == FN_OK && next_text(&t, &text);) {
    status = fn_tokenizer_encode_cached(&tokens, tokenizer, cache, text, max_tokens, err);
    uint32_t n = (uint32_t)tokens.n;
    fwrite(&n, sizeof n, 1, stdout);
    if (n == 0) continue;
    fwrite(tokens.ids, sizeof *tokens.ids, n, stdout);
    fwrite(tokens.begin, sizeof *tokens.begin, n, stdout);
    fwrite(tokens.end, sizeof *tokens.end, n, stdout);
  }
  fn_word_cache_destroy(cache);
  fn_tokens_deinit(&tokens);
  fn_buf_deinit(&t.data);
  fn_tokenizer_destroy(tokenizer);
  return status;
}

/* Texts as a batch: tasks of TASK_TEXTS, each keeping its ids, over threads that have a cache each. */
enum { TASK_TEXTS = 64 };

typedef struct batch {
  const fn_tokenizer *tokenizer;
  const fn_str *texts;
  size_t n;
  fn_tokens *tokens;      /* [threads] */
  fn_word_cache **caches; /* [threads] */
  int32_t **ids;          /* [n] */
  size_t *n_ids;          /* [n] */
} batch;

static void encode_task(void *arg, size_t task, int worker) {
  batch *b = arg;
  fn_tokens *tokens = &b->tokens[worker];
  for (size_t i = task * TASK_TEXTS; i < b->n && i < (task + 1) * TASK_TEXTS; i++) {
    if (fn_tokenizer_encode_cached(tokens, b->tokenizer, b->caches[worker], b->texts[i], 0, NULL) != FN_OK) return;
    b->n_ids[i] = tokens->n;
    b->ids[i] = malloc(tokens->n * sizeof *tokens->ids + 1);
    if (b->ids[i] && tokens->n) memcpy(b->ids[i], tokens->ids, tokens->n * sizeof *tokens->ids);
  }
}

/* Seconds on the wall for each pass, the caches kept from one to the next. */
static fn_status speed(const char *dir, int passes, int n_threads, fn_err *err) {
  fn_tokenizer *tokenizer;
  fn_pool *pool;
  uint64_t begin = fn_clock_ns();
  FN_TRY(fn_tokenizer_load(&tokenizer, dir, err));
  double load = (double)(fn_clock_ns() - begin) / 1e9;
  FN_TRY(fn_pool_create(&pool, n_threads, err));
  texts t;
  if (!read_texts(&t)) return fn_err_no_memory(err, "texts");
  batch b = {.tokenizer = tokenizer};
  size_t n_bytes = 0, n_ids = 0;
  for (fn_str text; next_text(&t, &text); b.n++) n_bytes += text.length;
  fn_str *list = fn_mem_calloc(b.n, sizeof *list);
  b.texts = list;
  b.ids = fn_mem_calloc(b.n, sizeof *b.ids);
  b.n_ids = fn_mem_calloc(b.n, sizeof *b.n_ids);
  b.tokens = fn_mem_calloc((size_t)n_threads, sizeof *b.tokens);
  b.caches = fn_mem_calloc((size_t)n_threads, sizeof(fn_word_cache *));
  if (!list || !b.ids || !b.n_ids || !b.tokens || !b.caches) return fn_err_no_memory(err, "texts");
  t.at = 0;
  for (size_t i = 0; i < b.n; i++) (void)next_text(&t, &list[i]);
  for (int i = 0; i < n_threads; i++) FN_TRY(fn_word_cache_create(&b.caches[i], err));
  printf("{\"bytes\": %zu, \"load_seconds\": %.6f, \"seconds\": [", n_bytes, load);
  for (int pass = 0; pass < passes; pass++) {
    for (size_t i = 0; i < b.n; i++) free(b.ids[i]), b.ids[i] = NULL;
    begin = fn_clock_ns();
    fn_pool_run(pool, (b.n + TASK_TEXTS - 1) / TASK_TEXTS, encode_task, &b);
    printf("%s%.6f", pass ? ", " : "", (double)(fn_clock_ns() - begin) / 1e9);
  }
  for (size_t i = 0; i < b.n; i++) n_ids += b.n_ids[i], free(b.ids[i]);
  printf("], \"tokens\": %zu}\n", n_ids);
  for (int i = 0; i < n_threads; i++) fn_word_cache_destroy(b.caches[i]), fn_tokens_deinit(&b.tokens[i]);
  free(list), free(b.ids), free(b.n_ids), free(b.tokens), free(b.caches);
  fn_buf_deinit(&t.data);
  fn_pool_destroy(pool);
  fn_tokenizer_destroy(tokenizer);
  return FN_OK;
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
  if (strcmp(verb, "speed") == 0 && argc > 2) {
    int64_t threads = 1;
    if (argc > 4 && !fn_str_to_int64(&threads, fn_str_from(argv[4]))) threads = 1;
    return speed(argv[2], number > 0 ? (int)number : 1, (int)threads, err);
  }
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
