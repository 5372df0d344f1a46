/* The packed file: what goes in comes out, the same bytes each time, and nothing damaged is taken. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "infer/packed.h"
#include "models.h"

static char root[] = "/tmp/fn-packed-XXXXXX";
static char *bert_dir, *linear_dir, *both_path, *f32_path, *again_path;
static fn_arena arena;
static fn_infer_options defaults;
static fn_device *device;

/* Packs the two directories; parts: 1 encoder, 2 linear. */
static bool pack(const char *path, int parts, bool int8, const char *calibration) {
  return make_packed(path, parts & 1 ? bert_dir : NULL, parts & 2 ? linear_dir : NULL, int8, calibration);
}

static int set_up(void **state) {
  (void)state;
  fn_device_options options = FN_DEVICE_OPTIONS_INIT;
  options.n_threads = 2;
  fn_arena_init(&arena);
  if (mkdtemp(root) == NULL) return -1;
  bert_dir = fn_path_join(root, "bert");
  linear_dir = fn_path_join(root, "linear");
  both_path = fn_path_join(root, "both.fnm");
  f32_path = fn_path_join(root, "f32.fnm");
  again_path = fn_path_join(root, "again.fnm");
  bool ok = make_bert(bert_dir, true) && make_linear(linear_dir) &&
            fn_options_default(&defaults, &arena, &fn_infer_option_table, NULL) == FN_OK &&
            fn_device_create(&device, &options, NULL) == FN_OK && pack(both_path, 3, true, NULL) &&
            pack(f32_path, 1, false, NULL);
  return ok ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  fn_device_destroy(device);
  free(bert_dir);
  free(linear_dir);
  free(both_path);
  free(f32_path);
  free(again_path);
  fn_arena_deinit(&arena);
  return fn_dir_remove(root, NULL) == FN_OK ? 0 : -1;
}

enum { N = 40 };
static void make_articles(fn_article *articles) {
  for (size_t i = 0; i < N; i++)
    articles[i] = (fn_article){.title = words_of(&arena, i, i % 5), .text = words_of(&arena, 100 + i, i * i % 97 + 1)};
}

static void classify(fn_prediction *out, const char *path, int part, const fn_article *articles) {
  fn_classifier *c = NULL;
  fn_session *s = NULL;
  fn_err err = {0};
  fn_infer_options o = defaults;
  o.part = part;
  if (fn_classifier_load(&c, path, &err) != FN_OK) fail_msg("%s", err.message);
  if (fn_session_create(&s, c, &o, device, &err) != FN_OK) fail_msg("%s", err.message);
  if (fn_session_classify(out, s, articles, N, &err) != FN_OK) fail_msg("%s", err.message);
  fn_session_destroy(s);
  fn_classifier_destroy(c);
}

static void test_f32_keeps_every_bit(void **state) {
  (void)state;
  fn_article articles[N];
  fn_prediction before[N], after[N];
  make_articles(articles);
  classify(before, bert_dir, FN_INFER_BOTH, articles);
  classify(after, f32_path, FN_INFER_BOTH, articles);
  for (size_t i = 0; i < N; i++) {
    assert_memory_equal(before[i].logits, after[i].logits, sizeof before[i].logits);
    assert_int_equal(before[i].n_tokens, after[i].n_tokens);
    assert_true(before[i].truncated == after[i].truncated);
  }
}

static void test_halves(void **state) {
  (void)state;
  fn_article articles[N];
  fn_prediction bert[N], linear[N], both[N], encoder[N], other[N];
  make_articles(articles);
  classify(bert, bert_dir, FN_INFER_BOTH, articles);
  classify(linear, linear_dir, FN_INFER_BOTH, articles);
  classify(both, both_path, FN_INFER_BOTH, articles);
  classify(encoder, both_path, FN_INFER_ENCODER, articles);
  classify(other, both_path, FN_INFER_LINEAR, articles);
  double spread = 0.0, moved = 0.0, worst_linear = 0.0;
  for (size_t i = 0; i < N; i++) {
    assert_true(isnan(encoder[i].linear_logit) && isnan(other[i].encoder_logit));
    assert_true(both[i].encoder_logit == encoder[i].encoder_logit && both[i].linear_logit == other[i].linear_logit);
    assert_true(both[i].logits[1] - both[i].logits[0] == 0.5 * (both[i].encoder_logit + both[i].linear_logit));
    spread = fmax(spread, fabs(bert[i].encoder_logit - bert[0].encoder_logit));
    moved += fabs(bert[i].encoder_logit - encoder[i].encoder_logit) / N;
    worst_linear = fmax(worst_linear, fabs(linear[i].linear_logit - other[i].linear_logit));
    assert_int_equal(both[i].n_tokens, bert[i].n_tokens);
    assert_int_equal(other[i].n_tokens, linear[i].n_tokens);
  }
  assert_true(moved > 0.0 && moved < 0.08 * spread); /* eight bits: near, and not the same */
  assert_true(worst_linear < 0.05);
}

static void read_all(fn_buf *out, const char *path) {
  fn_buf_init(out, 1 << 26);
  assert_int_equal(fn_file_read(out, path, 1 << 26, NULL), FN_OK);
}

static void test_same_bytes(void **state) {
  (void)state;
  fn_buf first, second;
  assert_true(pack(again_path, 3, true, NULL));
  read_all(&first, both_path);
  read_all(&second, again_path);
  assert_int_equal(first.length, second.length);
  assert_memory_equal(first.data, second.data, first.length);
  fn_buf_deinit(&first);
  fn_buf_deinit(&second);
}

static void test_aligned_and_described(void **state) {
  (void)state;
  fn_safetensors *file = NULL;
  assert_int_equal(fn_safetensors_open(&file, both_path, NULL), FN_OK);
  assert_string_equal(fn_safetensors_metadata(file, "format"), FN_PACKED_FORMAT);
  for (size_t i = 0; i < fn_safetensors_n(file); i++) {
    const fn_tensor_view *v = fn_safetensors_get(file, i);
    if (!fn_str_starts_with(fn_str_from(v->name), FN_SAFETENSORS_PAD)) assert_int_equal((uintptr_t)v->data % 64, 0);
  }
  const fn_tensor_view *v = fn_safetensors_find(file, "bert.encoder.layer.1.intermediate.dense.weight");
  assert_true(v && v->dtype == FN_U8 && v->n_dims == 4 && v->shape[0] == 3 && v->shape[1] == 8);
  fn_safetensors_close(file);
}

static void test_rewrite(void **state) {
  (void)state;
  fn_packed *p = NULL;
  fn_article articles[N];
  fn_prediction before[N], after[N];
  make_articles(articles);
  assert_true(pack(again_path, 3, true, "{\"version\":0}"));
  classify(before, both_path, FN_INFER_ENCODER, articles);
  assert_int_equal(fn_packed_open(&p, again_path, NULL), FN_OK);
  assert_string_equal(fn_packed_get_info(p)->calibration, "{\"version\":0}");
  char old[33];
  memcpy(old, fn_packed_get_info(p)->checksum, sizeof old);
  assert_int_equal(fn_packed_rewrite(again_path, p, NULL, "{\"a\":1}", NULL), FN_OK);
  fn_packed_close(p);
  assert_int_equal(fn_packed_open(&p, again_path, NULL), FN_OK);
  assert_string_equal(fn_packed_get_info(p)->card, "{\"a\":1}");
  assert_string_equal(fn_packed_get_info(p)->calibration, "{\"version\":0}");
  assert_string_not_equal(fn_packed_get_info(p)->checksum, old);
  assert_int_equal(fn_packed_verify(p, NULL), FN_OK);
  fn_packed_close(p);
  assert_true(pack(again_path, 3, true, NULL));
  classify(after, again_path, FN_INFER_ENCODER, articles);
  for (size_t i = 0; i < N; i++) assert_memory_equal(before[i].logits, after[i].logits, sizeof before[i].logits);
}

/* Opens every part, as a classifier would. */
static fn_status open_all(const void *data, size_t length, fn_err *err) {
  fn_packed *p = NULL;
  fn_tokenizer *tokenizer = NULL;
  fn_linear *linear = NULL;
  fn_model *model = NULL;
  fn_device *int8 = NULL;
  const fn_device_options options = {.backend = FN_BACKEND_INT8, .max_level = fn_cpu_level_detect(), .n_threads = 1};
  fn_status status = fn_packed_parse(&p, data, length, "file", err);
  if (status == FN_OK) status = fn_device_create(&int8, &options, err);
  if (status == FN_OK) status = fn_packed_tokenizer(&tokenizer, p, err);
  if (status == FN_OK) status = fn_packed_linear(&linear, p, err);
  if (status == FN_OK) status = fn_packed_model(&model, p, int8, err);
  if (status == FN_OK) status = fn_packed_verify(p, err);
  fn_model_destroy(model);
  fn_linear_destroy(linear);
  fn_tokenizer_destroy(tokenizer);
  fn_device_destroy(int8);
  fn_packed_close(p);
  return status;
}

/* Each byte in turn has a bit turned (of the data, every 97th); pads apart, nothing of it is taken, and the message
 * names the file. */
static void test_damage(void **state) {
  (void)state;
  fn_buf file;
  read_all(&file, both_path);
  unsigned char *copy = fn_mem_slab(file.length);
  assert_non_null(copy);
  memcpy(copy, file.data, file.length);
  fn_err err = {0};
  assert_int_equal(open_all(copy, file.length, &err), FN_OK);
  size_t header = 8 + (size_t)copy[0] + ((size_t)copy[1] << 8) + ((size_t)copy[2] << 16), taken = 0;
  for (size_t i = 0; i < file.length; i += i < header ? 7 : 97) {
    copy[i] ^= (unsigned char)(1u << i % 8);
    err = (fn_err){0};
    fn_status status = open_all(copy, file.length, &err);
    if (status == FN_OK) {
      taken++;
      assert_true(i >= header && file.data[i] == 0);
    } else {
      assert_non_null(strstr(err.message, "file"));
    }
    copy[i] ^= (unsigned char)(1u << i % 8);
  }
  assert_true(taken < 20); /* zeros between tensors */
  for (size_t n = 0; n < file.length; n += n < header ? 5 : 1009) {
    err = (fn_err){0};
    assert_int_not_equal(open_all(copy, n, &err), FN_OK);
    assert_non_null(strstr(err.message, "file"));
  }
  free(copy);
  fn_buf_deinit(&file);
}

/* A trie whose tokens end within a code point, as no vocabulary's do, must not make more pieces than there is room for.
 */
static void test_broken_trie(void **state) {
  (void)state;
  enum { EDGES = 256, LETTERS = 1000 };
  static uint32_t edges[EDGES][2];
  static const int32_t values[] = {-1, 0, 1, 2};
  const uint32_t index[] = {0};
  const char strings[] = "[UNK]\0[CLS]\0[SEP]";
  /* from the root every byte of U+1D400 is a token of its own */
  static const unsigned char bytes[] = {0xF0, 0x9D, 0x90, 0x80};
  memset(edges, 0, sizeof edges);
  for (size_t i = 0; i < FN_COUNT_OF(bytes); i++) {
    uint32_t at = (bytes[i] * 0x9E3779B1u) >> 24;
    while (edges[at][0] != 0) at = (at + 1) % EDGES;
    edges[at][0] = bytes[i];
    edges[at][1] = 0x80000000u | 1u;
  }
  const fn_tokenizer_tables tables = {strings, sizeof strings, index, 1, &edges[0][0], EDGES, values, 4};
  const char *json =
      "{\"type\":\"wordpiece\",\"unicode\":\"\",\"hash\":\"00000000000000000000000000000000\",\"n_tokens\":3,"
      "\"n_model\":3,\"max_chars\":1000,\"model_max_length\":0,\"prefix\":\"\",\"clean_text\":true,"
      "\"handle_chinese_chars\":true,\"lowercase\":false,\"strip_accents\":false,\"strip_accents_is_null\":false,"
      "\"unk\":{\"token\":\"[UNK]\",\"id\":0},\"cls\":{\"token\":\"[CLS]\",\"id\":1},\"sep\":{\"token\":\"[SEP]\","
      "\"id\":2},"
      "\"pad\":{\"token\":\"\",\"id\":-1},\"mask\":{\"token\":\"\",\"id\":-1},\"added\":[]}";
  fn_tokenizer *t = NULL;
  fn_err err = {0};
  fn_tokens tokens = {0};
  if (fn_tokenizer_open_packed(&t, &tables, fn_str_from(json), "file", &err) != FN_OK) fail_msg("%s", err.message);
  static char text[4 * LETTERS];
  for (size_t i = 0; i < LETTERS; i++) memcpy(text + 4 * i, bytes, 4);
  assert_int_equal(fn_tokenizer_encode(&tokens, t, fn_str_make(text, sizeof text), 0, NULL), FN_OK);
  assert_int_equal(tokens.n, 1); /* unknown, as one word */
  fn_tokens_deinit(&tokens);
  fn_tokenizer_destroy(t);
}

static void test_refused(void **state) {
  (void)state;
  fn_err err = {0};
  fn_classifier *c = NULL;
  fn_session *s = NULL;
  FN_AUTO_FREE char *weights = fn_path_join(bert_dir, "model.safetensors");
  assert_int_equal(fn_classifier_load(&c, weights, &err), FN_E_INVALID);
  assert_non_null(strstr(err.message, "not a packed model"));
  const fn_packed_source none = {.name = "x"};
  assert_int_equal(fn_packed_write(again_path, &none, &err), FN_E_INVALID);
  fn_infer_options o = defaults;
  o.part = FN_INFER_LINEAR;
  assert_int_equal(fn_classifier_load(&c, f32_path, &err), FN_OK);
  assert_int_equal(fn_session_create(&s, c, &o, device, &err), FN_E_INVALID);
  assert_non_null(strstr(err.message, "infer.part"));
  fn_classifier_destroy(c);
}

/* Tokens through the tables of the file are those of the directory, also for words that it does not hold. */
static void test_tokenizer(void **state) {
  (void)state;
  static const char *const texts[] = {"waa wab, WAC wad!", "waawab w\xc3\xa9 [MASK] waa\xff", "", "  \n ",
                                      "\xe4\xb8\xad\xe6\x96\x87 wbb wzz [CLS]wcc"};
  fn_packed *p = NULL;
  fn_tokenizer *a = NULL, *b = NULL;
  assert_int_equal(fn_packed_open(&p, both_path, NULL), FN_OK);
  assert_int_equal(fn_packed_tokenizer(&a, p, NULL), FN_OK);
  assert_int_equal(fn_tokenizer_load(&b, bert_dir, NULL), FN_OK);
  const fn_tokenizer_info *x = fn_tokenizer_get_info(a), *y = fn_tokenizer_get_info(b);
  assert_memory_equal(&x->hash, &y->hash, sizeof x->hash);
  assert_true(x->vocab_size == y->vocab_size && x->mask_id == y->mask_id && x->lowercase == y->lowercase);
  for (int32_t id = -1; id <= x->vocab_size; id++) {
    const char *s = fn_tokenizer_token(a, id), *t = fn_tokenizer_token(b, id);
    assert_true((s == NULL) == (t == NULL));
    if (s) assert_string_equal(s, t);
  }
  for (size_t i = 0; i < FN_COUNT_OF(texts); i++) {
    fn_tokens u = {0}, v = {0};
    assert_int_equal(fn_tokenizer_encode(&u, a, fn_str_from(texts[i]), 0, NULL), FN_OK);
    assert_int_equal(fn_tokenizer_encode(&v, b, fn_str_from(texts[i]), 0, NULL), FN_OK);
    assert_int_equal(u.n, v.n);
    for (size_t k = 0; k < u.n; k++)
      assert_true(u.ids[k] == v.ids[k] && u.begin[k] == v.begin[k] && u.end[k] == v.end[k]);
    fn_tokens_deinit(&u);
    fn_tokens_deinit(&v);
  }
  FN_AUTO_FREE char *saved = fn_path_join(root, "saved");
  fn_tokenizer *c = NULL;
  assert_int_equal(fn_tokenizer_save(a, saved, NULL), FN_OK);
  assert_int_equal(fn_tokenizer_load(&c, saved, NULL), FN_OK);
  assert_memory_equal(&fn_tokenizer_get_info(c)->hash, &y->hash, sizeof y->hash);
  fn_tokenizer_destroy(c);
  fn_tokenizer_destroy(a);
  fn_tokenizer_destroy(b);
  fn_packed_close(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_f32_keeps_every_bit),
      cmocka_unit_test(test_halves),
      cmocka_unit_test(test_same_bytes),
      cmocka_unit_test(test_aligned_and_described),
      cmocka_unit_test(test_rewrite),
      cmocka_unit_test(test_damage),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_broken_trie),
      cmocka_unit_test(test_tokenizer),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
