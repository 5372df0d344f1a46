/* Drives src/linear for tests/light/test_linear.py.
 *   linear_probe train ROWS.jsonl DIR THREADS [key=value …]   one JSON line for each C, then a summary
 *   linear_probe predict ROWS.jsonl DIR                       one logit a row
 * A row: {"title": s, "text": s, "label": 0|1, "weight": x, "split": "train"|"validation"}. */
#include "linear/linear.h"

#include <stdlib.h>

typedef struct rows {
  fn_linear_row *train, *validation;
  size_t n_train, n_validation, capacity_train, capacity_validation;
  fn_arena arena;
} rows;

static fn_str copy_text(fn_arena *arena, const json_t *row, const char *key) {
  const json_t *value = json_object_get(row, key);
  size_t n = json_string_length(value);
  return fn_str_make(fn_arena_strndup(arena, n > 0 ? json_string_value(value) : "", n), n);
}

static fn_status add_row(rows *to, const json_t *row, fn_err *err) {
  const char *split = json_string_value(json_object_get(row, "split"));
  bool validation = split != NULL && strcmp(split, "validation") == 0;
  const json_t *weight = json_object_get(row, "weight");
  fn_linear_row parsed = {copy_text(&to->arena, row, "title"), copy_text(&to->arena, row, "text"),
                          (int32_t)json_integer_value(json_object_get(row, "label")),
                          weight ? json_number_value(weight) : 1.0};
  size_t *n = validation ? &to->n_validation : &to->n_train;
  size_t *capacity = validation ? &to->capacity_validation : &to->capacity_train;
  void *array = validation ? to->validation : to->train;
  FN_TRY(fn_mem_grow(&array, capacity, *n + 1, sizeof parsed, 1 << 24, "rows", err));
  if (validation) {
    to->validation = array;
  } else {
    to->train = array;
  }
  ((fn_linear_row *)array)[(*n)++] = parsed;
  return FN_OK;
}

static fn_status read_rows(rows *to, const char *path, fn_err *err) {
  fn_map map;
  FN_TRY(fn_map_open(&map, path, err));
  const char *at = (const char *)map.data, *end = at + map.length;
  fn_status status = FN_OK;
  while (at < end && status == FN_OK) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    if (stop == NULL) stop = end;
    json_t *row = NULL;
    status = fn_json_parse(&row, fn_str_make(at, (size_t)(stop - at)), path, err);
    if (status == FN_OK) status = add_row(to, row, err);
    json_decref(row);
    at = stop + 1;
  }
  fn_map_close(&map);
  return status;
}

static bool show_trial(void *arg, const fn_linear_trial *t) {
  fn_buf *buf = arg;
  fn_json_writer w;
  fn_buf_reset(buf);
  fn_json_begin(&w, buf, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "family", t->family);
  fn_json_double(&w, "c", t->c);
  fn_json_double(&w, "validation_loss", t->validation_loss);
  fn_json_double(&w, "train_loss", t->train_loss);
  fn_json_int(&w, "n_newton", t->n_newton);
  fn_json_int(&w, "n_products", t->n_products);
  fn_json_bool(&w, "converged", t->converged);
  fn_json_double(&w, "seconds", t->seconds);
  fn_json_end(&w);
  return puts(buf->data) >= 0 && fflush(stdout) == 0;
}

static fn_status train(const char *path, const char *dir, const char *threads, char **settings, int n_settings,
                       fn_err *err) {
  static const fn_option_table *const tables[] = {&fn_linear_option_table};
  fn_config *config;
  fn_linear_options options;
  rows r = {0};
  fn_arena_init(&r.arena);
  FN_TRY(fn_config_create(&config, tables, 1, NULL, err));
  for (int i = 0; i < n_settings; i++) FN_TRY(fn_config_override(config, settings[i], err));
  FN_TRY(fn_config_fill(&options, config, &fn_linear_option_table, err));
  FN_TRY(read_rows(&r, path, err));
  fn_pool *pool;
  FN_TRY(fn_pool_create(&pool, (int)strtol(threads, NULL, 10), err));
  uint64_t start = fn_clock_ns();
  fn_linear *linear;
  FN_AUTO_BUF fn_buf line;
  fn_buf_init(&line, 0);
  FN_TRY(fn_linear_train(&linear, r.train, r.n_train, r.validation, r.n_validation, FN_TEXT_TITLE_TEXT, &options,
                         show_trial, &line, pool, err));
  double seconds = (double)(fn_clock_ns() - start) * 1e-9;
  FN_TRY(fn_dir_create(dir, err));
  FN_TRY(fn_linear_save(linear, dir, err));
  fn_linear_info info;
  fn_linear_get_info(&info, linear);
  printf("{\"word_c\": %g, \"char_c\": %g, \"seconds\": %.3f}\n", info.word_c, info.char_c, seconds);
  fn_linear_destroy(linear);
  fn_pool_destroy(pool);
  fn_config_destroy(config);
  free(r.train);
  free(r.validation);
  fn_arena_deinit(&r.arena);
  return FN_OK;
}

static fn_status predict(const char *path, const char *dir, fn_err *err) {
  rows r = {0};
  fn_arena_init(&r.arena);
  fn_linear *linear;
  fn_linear_scratch *scratch;
  FN_TRY(fn_linear_load(&linear, dir, err));
  FN_TRY(fn_linear_scratch_create(&scratch, linear, err));
  FN_TRY(read_rows(&r, path, err));
  if (r.n_validation > 0) return fn_err_set(err, FN_E_INVALID, "rows to predict must have no split or train");
  for (size_t i = 0; i < r.n_train; i++) {
    double logit = 0.0;
    FN_TRY(fn_linear_predict(&logit, linear, scratch, r.train[i].title, r.train[i].text, err));
    printf("%.17g\n", logit);
  }
  fn_linear_scratch_destroy(scratch);
  fn_linear_destroy(linear);
  free(r.train);
  fn_arena_deinit(&r.arena);
  return FN_OK;
}

int main(int argc, char **argv) {
  fn_err err = {0};
  fn_status status = FN_E_INVALID;
  if (argc >= 5 && strcmp(argv[1], "train") == 0) {
    status = train(argv[2], argv[3], argv[4], argv + 5, argc - 5, &err);
  } else if (argc == 4 && strcmp(argv[1], "predict") == 0) {
    status = predict(argv[2], argv[3], &err);
  } else {
    (void)fn_err_set(&err, status, "usage: linear_probe train ROWS DIR THREADS [key=value …] | predict ROWS DIR");
  }
  if (status != FN_OK) fprintf(stderr, "linear_probe: %s\n", err.message);
  return fn_status_exit_code(status);
}
