/* Two small models in a temporary folder: DIR/bert (random weights, a vocabulary of whole words) and DIR/linear. */
#ifndef FN_TESTS_INFER_MODELS_H
#define FN_TESTS_INFER_MODELS_H

#include "infer/infer.h"
#include "infer/packed.h"
#include "linear/linear.h"
#include "model/config.h"

#include <stdlib.h>

#define MODEL_WORDS 40

/* Word i of the vocabulary: letters only, so that it is one token. */
static inline void word_of(char out[8], size_t i) {
  out[0] = 'w';
  out[1] = (char)('a' + i / 26 % 26);
  out[2] = (char)('a' + i % 26);
  out[3] = '\0';
}

/* n words, a function of seed; malloc'd by the arena. */
static inline fn_str words_of(fn_arena *arena, uint64_t seed, size_t n) {
  fn_rng rng = fn_rng_make(seed, 77);
  fn_buf buf;
  fn_buf_init(&buf, 0);
  for (size_t i = 0; i < n; i++) {
    char word[8];
    word_of(word, (size_t)fn_rng_below(&rng, MODEL_WORDS));
    fn_buf_printf(&buf, "%s%s", i ? " " : "", word);
  }
  fn_str text = fn_str_make(fn_arena_strndup(arena, buf.data ? buf.data : "", buf.length), buf.length);
  fn_buf_deinit(&buf);
  return text;
}

static inline bool make_file(const char *dir, const char *name, const char *text, size_t length) {
  char *path = fn_path_join(dir, name);
  bool ok = path && fn_file_write(path, text, length, NULL) == FN_OK;
  free(path);
  return ok;
}

/* usage known: text mode and limit stand in config.json. */
static inline bool make_bert(const char *dir, bool usage) {
  fn_buf vocab;
  fn_buf_init(&vocab, 0);
  fn_buf_append_str(&vocab, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
  for (size_t i = 0; i < MODEL_WORDS; i++) {
    char word[8];
    word_of(word, i);
    fn_buf_printf(&vocab, "%s\n", word);
  }
  fn_model_config c;
  fn_model_config_init(&c);
  c.vocab_size = MODEL_WORDS + 5;
  c.hidden_size = 32;
  c.num_hidden_layers = 2;
  c.num_attention_heads = 2;
  c.intermediate_size = 48;
  c.max_position_embeddings = 64;
  c.initializer_range = 0.4; /* answers that differ */
  if (usage) c.usage = (fn_model_usage){.known = true, .text = FN_TEXT_TITLE_TEXT, .max_tokens = 24};
  fn_device *device = NULL;
  fn_model *model = NULL;
  fn_device_options options = FN_DEVICE_OPTIONS_INIT;
  options.n_threads = 1;
  bool ok = fn_dir_create(dir, NULL) == FN_OK && make_file(dir, "vocab.txt", vocab.data, vocab.length) &&
            fn_device_create(&device, &options, NULL) == FN_OK &&
            fn_model_create(&model, &c, device, 5, NULL) == FN_OK && fn_model_save(model, dir, NULL) == FN_OK;
  fn_model_destroy(model);
  fn_device_destroy(device);
  fn_buf_deinit(&vocab);
  return ok;
}

static inline bool make_linear(const char *dir) {
  enum { N = 60 };
  fn_arena arena;
  fn_linear_row rows[N];
  fn_linear_options options;
  fn_linear *linear = NULL;
  static const char *const one[] = {"4"};
  fn_arena_init(&arena);
  for (size_t i = 0; i < N; i++) {
    rows[i] = (fn_linear_row){words_of(&arena, i, 4), words_of(&arena, 1000 + i, 20), i % 2 == 1, 1.0};
  }
  bool ok = fn_options_default(&options, &arena, &fn_linear_option_table, NULL) == FN_OK;
  options.hash_bits = 10;
  options.c_grid = (fn_config_list){one, 1};
  ok = ok &&
       fn_linear_train(&linear, rows, N, NULL, 0, FN_TEXT_TITLE_TEXT, &options, NULL, NULL, NULL, NULL) == FN_OK &&
       fn_dir_create(dir, NULL) == FN_OK && fn_linear_save(linear, dir, NULL) == FN_OK;
  fn_linear_destroy(linear);
  fn_arena_deinit(&arena);
  return ok;
}

/* Packs the directories that are given (NULL: not that half). */
static inline bool make_packed(const char *path, const char *bert_dir, const char *linear_dir, bool int8,
                               const char *calibration) {
  fn_model *model = NULL;
  fn_tokenizer *tokenizer = NULL;
  fn_linear *linear = NULL;
  fn_device *device = NULL;
  fn_device_options options = FN_DEVICE_OPTIONS_INIT;
  options.n_threads = 1;
  bool ok = fn_device_create(&device, &options, NULL) == FN_OK;
  if (ok && bert_dir != NULL)
    ok = fn_model_load(&model, bert_dir, NULL, false, 0, device, NULL, NULL) == FN_OK &&
         fn_tokenizer_load(&tokenizer, bert_dir, NULL) == FN_OK;
  if (ok && linear_dir != NULL) ok = fn_linear_load(&linear, linear_dir, NULL) == FN_OK;
  const fn_packed_source source = {.encoder = model,
                                   .tokenizer = tokenizer,
                                   .linear = linear,
                                   .int8 = int8,
                                   .name = "small",
                                   .card = "{\"licence\":\"none\"}",
                                   .calibration = calibration};
  ok = ok && fn_packed_write(path, &source, NULL) == FN_OK;
  fn_linear_destroy(linear);
  fn_tokenizer_destroy(tokenizer);
  fn_model_destroy(model);
  fn_device_destroy(device);
  return ok;
}

#endif
