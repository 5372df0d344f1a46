/* Directories of weights: what we save loads again, what others save loads too, and what does not fit is named tensor
 * by tensor. A full disk leaves the old state. */
#include "model/allocate.h"
#include "model/weights.h"
#include "same_config.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static char root[64];
static fn_device *device;
static fn_model_config config;

static const char *under(const char *tail) {
  static char paths[16][256];
  static unsigned turn;
  char *path = paths[turn++ % 16];
  snprintf(path, 256, "%s/%s", root, tail);
  return path;
}

/* Fresh copy of the saved model "good" under another name. */
static const char *copy_dir(const char *name) {
  fn_err err = {0};
  const char *dir = under(name);
  assert_int_equal(fn_dir_remove(dir, &err), FN_OK);
  assert_int_equal(fn_dir_create(dir, &err), FN_OK);
  static const char *const files[] = {"config.json", "model.safetensors"};
  for (size_t i = 0; i < FN_COUNT_OF(files); i++) {
    char from[256], to[256];
    snprintf(from, sizeof from, "%s/%s", under("good"), files[i]);
    snprintf(to, sizeof to, "%s/%s", dir, files[i]);
    FN_AUTO_BUF fn_buf text;
    fn_buf_init(&text, 0);
    assert_int_equal(fn_file_read(&text, from, 1 << 26, &err), FN_OK);
    assert_int_equal(fn_file_write(to, text.data, text.length, &err), FN_OK);
  }
  return dir;
}

/* Rewrites the tensors of dir/model.safetensors to dir/file: edit may rename or change each view (name in a buffer of
 * 128 bytes) and says whether to keep it. extra NULL or one more tensor. */
typedef bool (*edit)(char *name, fn_tensor_view *view);
static void rewrite(const char *dir, const char *file, edit change, const fn_tensor_view *extra) {
  fn_err err = {0};
  char from[256], to[256];
  snprintf(from, sizeof from, "%s/model.safetensors", dir);
  snprintf(to, sizeof to, "%s/%s", dir, file);
  FN_AUTO_SAFETENSORS fn_safetensors *in = NULL;
  assert_int_equal(fn_safetensors_open(&in, from, &err), FN_OK);
  static fn_tensor_view views[200];
  static char names[200][128];
  size_t n = 0;
  for (size_t i = 0; i < fn_safetensors_n(in); i++) {
    views[n] = *fn_safetensors_get(in, i);
    snprintf(names[n], sizeof names[n], "%s", views[n].name);
    if (!change || change(names[n], &views[n])) {
      views[n].name = names[n];
      n++;
    }
  }
  if (extra) views[n++] = *extra;
  if (fn_safetensors_write(to, views, n, NULL, 0, &err) != FN_OK) fail_msg("%s", err.message);
}

static void replace_in(const char *dir, const char *file, const char *from, const char *to) {
  fn_err err = {0};
  char path[256];
  snprintf(path, sizeof path, "%s/%s", dir, file);
  FN_AUTO_BUF fn_buf text;
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&text, 0);
  fn_buf_init(&out, 0);
  assert_int_equal(fn_file_read(&text, path, 1 << 20, &err), FN_OK);
  char *at = strstr(text.data, from);
  assert_non_null(at);
  fn_buf_append(&out, text.data, (size_t)(at - text.data));
  fn_buf_append_str(&out, to);
  fn_buf_append_str(&out, at + strlen(from));
  assert_int_equal(fn_file_write(path, out.data, out.length, &err), FN_OK);
}

static void loads(const char *dir, bool allow_new_head, bool expect_new_head, fn_model **model_out) {
  fn_err err = {0};
  bool new_head = !expect_new_head;
  if (fn_model_load(model_out, dir, NULL, allow_new_head, 77, device, &new_head, &err) != FN_OK)
    fail_msg("%s", err.message);
  assert_int_equal(new_head, expect_new_head);
}

static void refuses(const char *dir, bool allow_new_head, fn_status expected, const char *says) {
  fn_err err = {0};
  fn_model *model = NULL;
  fn_status status = fn_model_load(&model, dir, NULL, allow_new_head, 77, device, NULL, &err);
  if (status != expected || !strstr(err.message, says))
    fail_msg("%s: %s\n  expected %s: … %s", fn_status_name(status), err.message, fn_status_name(expected), says);
  assert_null(model);
}

static const fn_parameter *find(const fn_model *model, const char *name) {
  for (size_t i = 0; i < fn_model_n_parameters(model); i++) {
    if (strcmp(fn_model_parameter(model, i)->name, name) == 0) return fn_model_parameter(model, i);
  }
  fail_msg("no parameter %s", name);
  return NULL;
}

static bool is_pooler_or_head(const fn_parameter *p) {
  return p->is_head || strncmp(p->name, "bert.pooler", 11) == 0;
}

/* Values of the two models agree bit for bit; those of a drawn head are compared with fresh. */
static void same_values(const fn_model *a, const fn_model *b, const fn_model *head) {
  for (size_t i = 0; i < fn_model_n_parameters(a); i++) {
    const fn_parameter *p = fn_model_parameter(a, i);
    const fn_model *other = head && is_pooler_or_head(p) ? head : b;
    const float *x = fn_model_values_const(a) + p->offset;
    const float *y = fn_model_values_const(other) + find(other, p->name)->offset;
    if (memcmp(x, y, p->n * sizeof *x) != 0) fail_msg("%s differs", p->name);
  }
}

static fn_model *good; /* what the directory "good" holds */

static int set_up(void **state) {
  (void)state;
  fn_err err = {0};
  snprintf(root, sizeof root, "/tmp/fn-load-XXXXXX");
  if (!mkdtemp(root)) return 1;
  const fn_device_options options = {.backend = FN_BACKEND_REFERENCE, .n_threads = 1};
  assert_int_equal(fn_device_create(&device, &options, &err), FN_OK);
  fn_model_config_init(&config);
  config.vocab_size = 50;
  config.hidden_size = 12;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 3;
  config.intermediate_size = 20;
  config.max_position_embeddings = 16;
  assert_int_equal(fn_model_create(&good, &config, device, 5, &err), FN_OK);
  /* Norms and biases start as ones and zeros: make them tell apart. */
  for (size_t i = 0; i < fn_model_n_parameters(good); i++) {
    const fn_parameter *p = fn_model_parameter(good, i);
    if (p->n_dims > 1) continue;
    for (size_t k = 0; k < p->n; k++) fn_model_values(good)[p->offset + k] += (float)(i * 100 + k) / 1024.0f;
  }
  assert_int_equal(fn_dir_create(under("good"), &err), FN_OK);
  assert_int_equal(fn_model_save(good, under("good"), &err), FN_OK);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  fn_err err = {0};
  fn_model_destroy(good);
  fn_device_destroy(device);
  return fn_dir_remove(root, &err) == FN_OK ? 0 : 1;
}

static void test_saved_loads_the_same(void **state) {
  (void)state;
  fn_model *model;
  loads(under("good"), false, false, &model);
  same_values(model, good, NULL);
  same_config(fn_model_get_config(model), &config);
  fn_err err = {0};
  assert_int_equal(fn_dir_create(under("again"), &err), FN_OK);
  assert_int_equal(fn_model_save(model, under("again"), &err), FN_OK);
  static const char *const files[] = {"config.json", "model.safetensors"};
  for (size_t i = 0; i < 2; i++) {
    char a[256], b[256];
    fn_hash128 x, y;
    snprintf(a, sizeof a, "%s/%s", under("good"), files[i]);
    snprintf(b, sizeof b, "%s/%s", under("again"), files[i]);
    assert_int_equal(fn_hash_file(&x, a, &err), FN_OK);
    assert_int_equal(fn_hash_file(&y, b, &err), FN_OK);
    assert_true(x.high == y.high && x.low == y.low);
  }
  fn_model_destroy(model);
}

static bool to_bare_encoder(char *name, fn_tensor_view *view) {
  (void)view;
  if (strncmp(name, "bert.", 5) != 0 || strncmp(name, "bert.pooler", 11) == 0) return false;
  memmove(name, name + 5, strlen(name + 5) + 1);
  return true;
}

/* As sentence-transformers saves an encoder: no prefix, no pooler, no head, position_ids as a buffer. */
static void test_bare_encoder(void **state) {
  (void)state;
  fn_err err = {0};
  const char *dir = copy_dir("bare");
  static int64_t positions[16];
  const fn_tensor_view buffer = {
      .name = "embeddings.position_ids", .dtype = FN_I64, .n_dims = 2, .shape = {1, 16}, .data = positions};
  rewrite(dir, "model.safetensors", to_bare_encoder, &buffer);
  refuses(dir, false, FN_E_INVALID, "missing: bert.pooler.dense.weight [12, 12]");
  refuses(dir, false, FN_E_INVALID, "missing: classifier");
  fn_model *model, *fresh;
  loads(dir, true, true, &model);
  assert_int_equal(fn_model_create(&fresh, &config, device, 77, &err), FN_OK);
  same_values(model, good, fresh);
  fn_model_destroy(fresh);
  fn_model_destroy(model);
}

static bool to_old_names(char *name, fn_tensor_view *view) {
  (void)view;
  char *at = strstr(name, "LayerNorm.weight");
  if (at) memcpy(at, "LayerNorm.gamma\0", 17);
  at = strstr(name, "LayerNorm.bias");
  if (at) memcpy(at, "LayerNorm.beta\0", 15);
  return true;
}

/* As the first BERT checkpoints: gamma and beta, with the heads of pretraining left in. */
static void test_old_names_and_leftovers(void **state) {
  (void)state;
  const char *dir = copy_dir("old");
  static const float seven[7];
  const fn_tensor_view extra = {
      .name = "cls.predictions.bias", .dtype = FN_F32, .n_dims = 1, .shape = {7}, .data = seven};
  rewrite(dir, "model.safetensors", to_old_names, &extra);
  fn_model *model;
  loads(dir, false, false, &model);
  same_values(model, good, NULL);
  fn_model_destroy(model);
}

static void test_other_tasks_head(void **state) {
  (void)state;
  const char *dir = copy_dir("task");
  static const float seven[7];
  const fn_tensor_view extra = {.name = "qa_outputs.bias", .dtype = FN_F32, .n_dims = 1, .shape = {7}, .data = seven};
  rewrite(dir, "model.safetensors", NULL, &extra);
  refuses(dir, false, FN_E_INVALID, "\n  unexpected: qa_outputs.bias");
  fn_model *model;
  loads(dir, true, false, &model);
  fn_model_destroy(model);
}

static uint16_t halves[4096];
static bool to_half(char *name, fn_tensor_view *view) {
  if (strcmp(name, "bert.embeddings.word_embeddings.weight") != 0) return true;
  for (size_t i = 0; i < view->n; i++) halves[i] = (uint16_t)(0x3f80 + i % 64); /* BF16 1.0 … */
  view->dtype = FN_BF16;
  view->data = halves;
  return true;
}

static bool to_integers(char *name, fn_tensor_view *view) {
  if (strcmp(name, "classifier.bias") == 0) view->dtype = FN_I32;
  return true;
}

static void test_dtypes(void **state) {
  (void)state;
  const char *dir = copy_dir("half");
  rewrite(dir, "model.safetensors", to_half, NULL);
  fn_model *model;
  loads(dir, false, false, &model);
  const float *values = fn_model_values_const(model) + find(model, "bert.embeddings.word_embeddings.weight")->offset;
  assert_true(values[0] == 1.0f && values[1] == 1.0078125f);
  fn_model_destroy(model);
  dir = copy_dir("integers");
  rewrite(dir, "model.safetensors", to_integers, NULL);
  refuses(dir, false, FN_E_UNSUPPORTED, "tensor \"classifier.bias\" is I32; weights may be F32, F16, BF16 or F64");
}

static void test_shapes_tensor_by_tensor(void **state) {
  (void)state;
  const char *dir = copy_dir("vocab");
  replace_in(dir, "config.json", "\"vocab_size\": 50", "\"vocab_size\": 49");
  refuses(dir, true, FN_E_INVALID,
          "config.json:\n  shape: bert.embeddings.word_embeddings.weight is [50, 12], config.json asks for [49, 12]");
  dir = copy_dir("feed-forward");
  replace_in(dir, "config.json", "\"intermediate_size\": 20", "\"intermediate_size\": 24");
  refuses(dir, true, FN_E_INVALID,
          "shape: bert.encoder.layer.1.output.dense.weight is [12, 20], config.json asks for [12, 24]");
  dir = copy_dir("hidden"); /* nearly all disagree: eight are listed */
  replace_in(dir, "config.json", "\"hidden_size\": 12", "\"hidden_size\": 15");
  refuses(dir, false, FN_E_INVALID, "config.json asks for [50, 15]");
  refuses(dir, false, FN_E_INVALID, "\n  and ");
  dir = copy_dir("layers");
  replace_in(dir, "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
  refuses(dir, true, FN_E_INVALID, "\n  unexpected: bert.encoder.layer.1.");
  dir = copy_dir("more-layers");
  replace_in(dir, "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
  refuses(dir, true, FN_E_INVALID, "\n  missing: bert.encoder.layer.2.");
}

static void test_other_head_on_request(void **state) {
  (void)state;
  fn_err err = {0};
  fn_model *model = NULL, *fresh;
  fn_model_config wanted = config;
  bool new_head = false;
  wanted.head_size = 9;
  wanted.hidden_dropout_prob = 0.25;
  assert_int_equal(fn_model_load(&model, under("good"), &wanted, false, 77, device, NULL, &err), FN_E_INVALID);
  assert_non_null(
      strstr(err.message, "its head (labels real, fake; size 0) is not the one asked for (labels real, fake; size 9)"));
  assert_null(model);
  assert_int_equal(fn_model_load(&model, under("good"), &wanted, true, 77, device, &new_head, &err), FN_OK);
  assert_true(new_head);
  assert_true(fn_model_get_config(model)->hidden_dropout_prob == 0.25);
  assert_int_equal(fn_model_create(&fresh, &wanted, device, 77, &err), FN_OK);
  for (size_t i = 0; i < fn_model_n_parameters(model); i++) {
    const fn_parameter *p = fn_model_parameter(model, i);
    const fn_model *source = p->is_head ? fresh : good;
    assert_memory_equal(fn_model_values_const(model) + p->offset,
                        fn_model_values_const(source) + find(source, p->name)->offset, p->n * sizeof(float));
  }
  /* And the two-layer head is saved and found again. */
  assert_int_equal(fn_dir_create(under("two-layer"), &err), FN_OK);
  assert_int_equal(fn_model_save(model, under("two-layer"), &err), FN_OK);
  fn_model *again;
  loads(under("two-layer"), false, false, &again);
  same_values(again, model, NULL);
  fn_model_destroy(again);
  fn_model_destroy(fresh);
  fn_model_destroy(model);
}

/* A head whose labels stand in another order would begin with every answer turned round. */
static void test_other_labels(void **state) {
  (void)state;
  fn_err err = {0};
  static const struct {
    const char *in_file;
    bool new_head;
  } cases[] = {{"\"0\": \"REAL\",\n    \"1\": \"Fake\"", false},
               {"\"0\": \"LABEL_0\",\n    \"1\": \"LABEL_1\"", false},
               {"\"0\": \"fake\",\n    \"1\": \"real\"", true},
               {"\"0\": \"negative\",\n    \"1\": \"positive\"", true}};
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    const char *dir = copy_dir("labels");
    replace_in(dir, "config.json", "\"0\": \"real\",\n    \"1\": \"fake\"", cases[i].in_file);
    fn_model *model = NULL;
    bool new_head = false;
    assert_ok(fn_model_load(&model, dir, &config, true, 77, device, &new_head, &err));
    assert_int_equal(new_head, cases[i].new_head);
    assert_string_equal(fn_model_get_config(model)->labels[0], "real");
    fn_model_destroy(model);
    model = NULL;
    fn_status status = fn_model_load(&model, dir, &config, false, 77, device, NULL, &err);
    assert_int_equal(status, cases[i].new_head ? FN_E_INVALID : FN_OK);
    fn_model_destroy(model);
  }
}

static bool to_nan(char *name, fn_tensor_view *view) {
  static float values[12];
  if (strcmp(name, "bert.encoder.layer.1.output.LayerNorm.bias") != 0) return true;
  values[3] = NAN;
  view->data = values;
  return true;
}

static void test_not_finite(void **state) {
  (void)state;
  const char *dir = copy_dir("nan");
  rewrite(dir, "model.safetensors", to_nan, NULL);
  refuses(
      dir, false, FN_E_INVALID,
      "tensor \"bert.encoder.layer.1.output.LayerNorm.bias\" holds a value that is not a finite number (element 3)");
}

static bool first_shard(char *name, fn_tensor_view *view) {
  (void)view;
  return strstr(name, "layer.1") == NULL;
}
static bool second_shard(char *name, fn_tensor_view *view) {
  (void)view;
  return strstr(name, "layer.1") != NULL;
}

static bool second_shard_changed(char *name, fn_tensor_view *view) {
  static float zeros[4096];
  view->data = zeros;
  return second_shard(name, view);
}

static void write_index(const char *dir, const char *first, const char *second) {
  fn_err err = {0};
  char path[256];
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  fn_buf_append_str(&text, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");
  for (size_t i = 0; i < fn_model_n_parameters(good); i++) {
    const char *name = fn_model_parameter(good, i)->name;
    fn_buf_printf(&text, "%s\"%s\":\"%s\"", i ? "," : "", name, strstr(name, "layer.1") ? second : first);
  }
  fn_buf_append_str(&text, "}}");
  snprintf(path, sizeof path, "%s/model.safetensors.index.json", dir);
  assert_int_equal(fn_file_write(path, text.data, text.length, &err), FN_OK);
}

static void test_shards(void **state) {
  (void)state;
  char path[256];
  const char *dir = copy_dir("shards");
  rewrite(dir, "a.safetensors", first_shard, NULL);
  rewrite(dir, "b.safetensors", second_shard, NULL);
  snprintf(path, sizeof path, "%s/model.safetensors", dir);
  unlink(path);
  write_index(dir, "a.safetensors", "b.safetensors");
  fn_model *model;
  loads(dir, false, false, &model);
  same_values(model, good, NULL);
  fn_model_destroy(model);
  fn_err err = {0};
  fn_hash128 before, after, single, file;
  assert_ok(fn_weights_hash(&before, dir, &err));
  rewrite(under("good"), "../shards/b.safetensors", second_shard_changed, NULL);
  assert_ok(fn_weights_hash(&after, dir, &err));
  assert_true(before.low != after.low);
  assert_ok(fn_weights_hash(&single, under("good"), &err));
  assert_ok(fn_hash_file(&file, under("good/model.safetensors"), &err));
  assert_true(single.low == file.low && single.high == file.high);
  write_index(dir, "a.safetensors", "a.safetensors");
  refuses(dir, false, FN_E_INVALID, "is not in a.safetensors, where weight_map has it");
  write_index(dir, "a.safetensors", "c.safetensors");
  refuses(dir, false, FN_E_NOT_FOUND, "c.safetensors");
  write_index(dir, "a.safetensors", "../good/model.safetensors");
  refuses(dir, false, FN_E_INVALID, "shards are .safetensors files in the same directory");
}

static void test_no_weights(void **state) {
  (void)state;
  fn_err err = {0};
  char path[256];
  const char *dir = copy_dir("none");
  snprintf(path, sizeof path, "%s/model.safetensors", dir);
  unlink(path);
  refuses(dir, true, FN_E_NOT_FOUND, "no model.safetensors in it");
  snprintf(path, sizeof path, "%s/pytorch_model.bin", dir);
  assert_int_equal(fn_file_write(path, "", 0, &err), FN_OK);
  refuses(dir, true, FN_E_UNSUPPORTED, "save_pretrained(");
  snprintf(path, sizeof path, "%s/model.safetensors", dir);
  assert_int_equal(fn_file_write(path, "12345", 5, &err), FN_OK);
  refuses(dir, true, FN_E_INVALID, "model.safetensors: 5 bytes long");
}

/* A limit on file sizes takes the place of a full disk. */
static void test_disk_full(void **state) {
  (void)state;
  fn_err err = {0};
  const char *dir = copy_dir("full");
  struct rlimit old, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  for (rlim_t limit = 0; limit <= 8192; limit += 4096) {
    small = (struct rlimit){limit, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    float first = fn_model_values(good)[0];
    fn_model_values(good)[0] = 1;
    fn_status status = fn_model_save(good, dir, &err);
    fn_model_values(good)[0] = first;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, FN_E_IO);
    assert_int_equal(fn_status_exit_code(status), 1);
    assert_non_null(strstr(err.message, "cannot be written"));
    char **names;
    size_t n;
    assert_int_equal(fn_dir_list(&names, &n, dir, &err), FN_OK);
    assert_int_equal(n, 2); /* nothing left behind */
    free(names);
    fn_model *model;
    loads(dir, false, false, &model);
    same_values(model, good, NULL);
    fn_model_destroy(model);
  }
  signal(SIGXFSZ, handler);
  assert_int_equal(fn_model_save(good, "/nonexistent/model", &err), FN_E_NOT_FOUND);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_saved_loads_the_same),
      cmocka_unit_test(test_bare_encoder),
      cmocka_unit_test(test_old_names_and_leftovers),
      cmocka_unit_test(test_other_tasks_head),
      cmocka_unit_test(test_dtypes),
      cmocka_unit_test(test_shapes_tensor_by_tensor),
      cmocka_unit_test(test_other_head_on_request),
      cmocka_unit_test(test_other_labels),
      cmocka_unit_test(test_not_finite),
      cmocka_unit_test(test_shards),
      cmocka_unit_test(test_no_weights),
      cmocka_unit_test(test_disk_full),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
