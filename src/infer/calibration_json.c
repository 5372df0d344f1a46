/* A calibration as JSON: parse and format. */
#include "infer/calibration.h"

#include <math.h>

static const char schema[] = "fakenews.calibration/1";
static const char *const mode_names[] = {"title", "text", "title+text"}; /* by fn_text_mode */
static const char *const long_names[] = {"cut", "windows"};
static const char *const input_names[] = {"article", "headline"};

enum { MAX_TEMPERATURE = 1000 };

/* ---- parse ---- */

static fn_status check_keys(const json_t *object, const char *const *known, size_t n, const char *place, fn_err *err) {
  const char *key;
  json_t *value;
  if (!json_is_object(object)) return fn_err_set(err, FN_E_INVALID, "%s must be an object", place);
  json_object_foreach((json_t *)(uintptr_t)object, key, value) { /* the macro takes no const */
    bool found = false;
    for (size_t i = 0; i < n && !found; i++) found = strcmp(key, known[i]) == 0;
    if (!found) return fn_err_set(err, FN_E_INVALID, "%s: %.60s is no key of a calibration", place, key);
  }
  return FN_OK;
}

static fn_status read_name(int *out, const json_t *object, const char *key, const char *const *names, size_t n,
                           const char *place, fn_err *err) {
  const char *text;
  FN_TRY(fn_json_get_string(&text, object, key, NULL, place, err));
  for (size_t i = 0; i < n; i++) {
    if (strcmp(text, names[i]) == 0) return *out = (int)i, FN_OK;
  }
  FN_AUTO_BUF fn_buf list;
  fn_buf_init(&list, 256);
  for (size_t i = 0; i < n; i++) fn_buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
  return fn_err_set(err, FN_E_INVALID, "%s: %s must be one of %s, not \"%.60s\"", place, key,
                    list.data ? list.data : "", text);
}

/* NaN for null. */
static fn_status read_number(double *out, const json_t *object, const char *key, double min, double max, bool nullable,
                             const char *place, fn_err *err) {
  const json_t *value = json_object_get(object, key);
  if (nullable && json_is_null(value)) return *out = (double)NAN, FN_OK;
  return fn_json_get_double(out, object, key, min, max, NULL, place, err);
}

static fn_status read_label(char *out, size_t size, const json_t *object, const char *key, const char *place,
                            fn_err *err) {
  const char *text;
  FN_TRY(fn_json_get_string(&text, object, key, NULL, place, err));
  if (strlen(text) >= size) {
    return fn_err_set(err, FN_E_INVALID, "%s: %s has more than %zu bytes", place, key, size - 1);
  }
  snprintf(out, size, "%s", text);
  return FN_OK;
}

static fn_status read_array(const json_t **out, const json_t *object, const char *key, size_t min, size_t max,
                            const char *place, fn_err *err) {
  const json_t *array = json_object_get(object, key);
  if (json_is_array(array) && json_array_size(array) >= min && json_array_size(array) <= max) {
    return *out = array, FN_OK;
  }
  return fn_err_set(err, FN_E_INVALID, "%s: %s must be an array of %zu to %zu values", place, key, min, max);
}

static fn_status read_figures(fn_calibrate_figures *f, const json_t *object, const char *key, const char *place,
                              fn_err *err) {
  static const char *const keys[] = {"nll", "ece", "auc", "accuracy"};
  char where[256];
  const json_t *figures = json_object_get(object, key);
  snprintf(where, sizeof where, "%s.%s", place, key);
  FN_TRY(check_keys(figures, keys, FN_COUNT_OF(keys), where, err));
  FN_TRY(read_number(&f->nll, figures, "nll", 0.0, 1e9, false, where, err));
  FN_TRY(read_number(&f->ece, figures, "ece", 0.0, 1.0, false, where, err));
  FN_TRY(read_number(&f->auc, figures, "auc", 0.0, 1.0, true, where, err));
  return read_number(&f->accuracy, figures, "accuracy", 0.0, 1.0, false, where, err);
}

static fn_status read_scaling(fn_calibration_set *set, const json_t *object, const char *place, fn_err *err) {
  fn_scaling *s = &set->scaling;
  const json_t *temperatures, *edges, *weights = json_object_get(object, "weights");
  char where[256];
  snprintf(where, sizeof where, "%s.weights", place);
  FN_TRY(check_keys(weights, fn_half_names, FN_N_HALVES, where, err));
  for (int half = 0; half < FN_N_HALVES; half++) {
    bool used = set->part == FN_PART_BOTH || strcmp(fn_half_names[half], fn_part_names[set->part]) == 0;
    if (used) {
      FN_TRY(fn_json_get_double(&s->weights[s->k++], weights, fn_half_names[half], 0.0, 1e9, NULL, where, err));
    } else if (json_object_get(weights, fn_half_names[half])) {
      return fn_err_set(err, FN_E_INVALID, "%s: %s has no place in part %s", where, fn_half_names[half],
                        fn_part_names[set->part]);
    }
  }
  FN_TRY(fn_json_get_double(&s->bias, object, "bias", -1e9, 1e9, NULL, place, err));
  FN_TRY(read_array(&temperatures, object, "temperatures", 1, FN_SCALING_MAX_BUCKETS, place, err));
  s->n_buckets = (int32_t)json_array_size(temperatures);
  FN_TRY(read_array(&edges, object, "edges", (size_t)s->n_buckets - 1, (size_t)s->n_buckets - 1, place, err));
  for (int32_t b = 0; b < s->n_buckets; b++) {
    const json_t *value = json_array_get(temperatures, (size_t)b);
    s->temperatures[b] = json_number_value(value);
    if (!json_is_number(value) || !(s->temperatures[b] > 0.0) || s->temperatures[b] > MAX_TEMPERATURE) {
      return fn_err_set(err, FN_E_INVALID, "%s: temperatures[%d] must be a number in (0,%d]", place, (int)b,
                        MAX_TEMPERATURE);
    }
    if (b == 0) continue;
    const json_t *edge = json_array_get(edges, (size_t)b - 1);
    s->edges[b - 1] = json_integer_value(edge);
    if (!json_is_integer(edge) || s->edges[b - 1] <= (b > 1 ? s->edges[b - 2] : 0)) {
      return fn_err_set(err, FN_E_INVALID, "%s: edges[%d] must be a whole number above %s", place, (int)b - 1,
                        b > 1 ? "the one before" : "0");
    }
  }
  return FN_OK;
}

static fn_status read_set(fn_calibration_set *out, const json_t *object, const char *place, fn_err *err) {
  static const char *const keys[] = {"part",
                                     "input",
                                     "weights",
                                     "bias",
                                     "edges",
                                     "temperatures",
                                     "unsure_below",
                                     "target",
                                     "target_reached",
                                     "novelty_above",
                                     "bytes_per_token_below",
                                     "rows",
                                     "groups",
                                     "before",
                                     "after",
                                     "coverage",
                                     "accuracy"};
  fn_calibration_set s = {0};
  int part, input;
  FN_TRY(check_keys(object, keys, FN_COUNT_OF(keys), place, err));
  FN_TRY(read_name(&part, object, "part", fn_part_names, 3, place, err));
  FN_TRY(read_name(&input, object, "input", input_names, 2, place, err));
  s.part = (fn_part)part;
  s.headline = input == 1;
  FN_TRY(read_scaling(&s, object, place, err));
  FN_TRY(fn_json_get_double(&s.unsure, object, "unsure_below", 0.5, 1.0, NULL, place, err));
  FN_TRY(read_number(&s.target, object, "target", 0.5, 1.0, true, place, err));
  FN_TRY(fn_json_get_bool(&s.target_reached, object, "target_reached", NULL, place, err));
  FN_TRY(read_number(&s.unlike.novelty_above, object, "novelty_above", 0.0, 1.0, true, place, err));
  FN_TRY(read_number(&s.unlike.bytes_per_token_below, object, "bytes_per_token_below", 0.0, 1e9, true, place, err));
  FN_TRY(fn_json_get_int(&s.n_rows, object, "rows", 0, INT64_MAX, NULL, place, err));
  FN_TRY(fn_json_get_int(&s.n_groups, object, "groups", 0, INT64_MAX, NULL, place, err));
  FN_TRY(read_figures(&s.before, object, "before", place, err));
  FN_TRY(read_figures(&s.after, object, "after", place, err));
  FN_TRY(read_number(&s.coverage, object, "coverage", 0.0, 1.0, true, place, err));
  FN_TRY(read_number(&s.accuracy, object, "accuracy", 0.0, 1.0, true, place, err));
  *out = s;
  return FN_OK;
}

static fn_status read_sets(fn_calibration *c, const json_t *root, const char *name, fn_err *err) {
  const json_t *sets;
  FN_TRY(read_array(&sets, root, "sets", 1, FN_COUNT_OF(c->sets), name, err));
  for (size_t i = 0; i < json_array_size(sets); i++) {
    char place[200];
    snprintf(place, sizeof place, "%.160s: sets[%zu]", name, i);
    FN_TRY(read_set(&c->sets[i], json_array_get(sets, i), place, err));
    for (size_t j = 0; j < i; j++) {
      if (c->sets[j].part != c->sets[i].part || c->sets[j].headline != c->sets[i].headline) continue;
      return fn_err_set(err, FN_E_INVALID, "%s: part %s with input %s stands twice", place,
                        fn_part_names[c->sets[i].part], input_names[c->sets[i].headline]);
    }
    c->n_sets++;
  }
  return FN_OK;
}

static fn_status read_all(fn_calibration *c, const json_t *root, const char *name, fn_err *err) {
  static const char *const keys[] = {"schema", "model",      "data",  "grouped_by", "text",
                                     "long",   "max_tokens", "prior", "quantile",   "sets"};
  const char *version;
  int mode, long_texts;
  double tokens;
  if (!json_is_object(root)) return fn_err_set(err, FN_E_INVALID, "%s: a calibration is a JSON object", name);
  FN_TRY(fn_json_get_string(&version, root, "schema", NULL, name, err));
  if (strcmp(version, schema) != 0) {
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: schema \"%.60s\" is not known; accepted is \"%s\"", name, version,
                      schema);
  }
  FN_TRY(check_keys(root, keys, FN_COUNT_OF(keys), name, err));
  FN_TRY(read_label(c->model, sizeof c->model, root, "model", name, err));
  FN_TRY(read_label(c->data, sizeof c->data, root, "data", name, err));
  FN_TRY(read_label(c->grouped_by, sizeof c->grouped_by, root, "grouped_by", name, err));
  FN_TRY(read_name(&mode, root, "text", mode_names, FN_COUNT_OF(mode_names), name, err));
  FN_TRY(read_name(&long_texts, root, "long", long_names, FN_COUNT_OF(long_names), name, err));
  FN_TRY(read_number(&tokens, root, "max_tokens", 8.0, 65536.0, true, name, err));
  FN_TRY(fn_json_get_double(&c->prior, root, "prior", 1e-6, 1.0 - 1e-6, NULL, name, err));
  FN_TRY(fn_json_get_double(&c->quantile, root, "quantile", 0.0, 1.0, NULL, name, err));
  c->mode = (fn_text_mode)mode;
  c->windows = long_texts == 1;
  c->max_tokens = isnan(tokens) ? 0 : (int32_t)tokens;
  return read_sets(c, root, name, err);
}

fn_status fn_calibration_parse(fn_calibration *calibration_out, fn_str text, const char *name, fn_err *err) {
  FN_AUTO_JSON json_t *root = NULL;
  fn_calibration c = {0};
  if (text.length > FN_CALIBRATION_MAX_BYTES) {
    return fn_err_set(err, FN_E_LIMIT, "%s: a calibration of more than %zu bytes", name, FN_CALIBRATION_MAX_BYTES);
  }
  FN_TRY(fn_json_parse(&root, text, name, err));
  FN_TRY(read_all(&c, root, name, err));
  *calibration_out = c;
  return FN_OK;
}

/* ---- format ---- */

static void write_figures(fn_json_writer *w, const char *key, const fn_calibrate_figures *f) {
  fn_json_object(w, key);
  fn_json_double(w, "nll", f->nll);
  fn_json_double(w, "ece", f->ece);
  fn_json_double(w, "auc", f->auc);
  fn_json_double(w, "accuracy", f->accuracy);
  fn_json_end(w);
}

static void write_set(fn_json_writer *w, const fn_calibration_set *s) {
  fn_json_object(w, NULL);
  fn_json_text(w, "part", fn_part_names[s->part]);
  fn_json_text(w, "input", input_names[s->headline]);
  fn_json_object(w, "weights");
  for (int half = 0, at = 0; half < FN_N_HALVES; half++) {
    if (s->part != FN_PART_BOTH && strcmp(fn_half_names[half], fn_part_names[s->part]) != 0) continue;
    fn_json_double(w, fn_half_names[half], s->scaling.weights[at++]);
  }
  fn_json_end(w);
  fn_json_double(w, "bias", s->scaling.bias);
  fn_json_array(w, "edges");
  for (int32_t b = 0; b + 1 < s->scaling.n_buckets; b++) fn_json_int(w, NULL, s->scaling.edges[b]);
  fn_json_end(w);
  fn_json_array(w, "temperatures");
  for (int32_t b = 0; b < s->scaling.n_buckets; b++) fn_json_double(w, NULL, s->scaling.temperatures[b]);
  fn_json_end(w);
  fn_json_double(w, "unsure_below", s->unsure);
  fn_json_double(w, "target", s->target);
  fn_json_bool(w, "target_reached", s->target_reached);
  fn_json_double(w, "novelty_above", s->unlike.novelty_above);
  fn_json_double(w, "bytes_per_token_below", s->unlike.bytes_per_token_below);
  fn_json_int(w, "rows", s->n_rows);
  fn_json_int(w, "groups", s->n_groups);
  write_figures(w, "before", &s->before);
  write_figures(w, "after", &s->after);
  fn_json_double(w, "coverage", s->coverage);
  fn_json_double(w, "accuracy", s->accuracy);
  fn_json_end(w);
}

void fn_calibration_format(fn_buf *out, const fn_calibration *c) {
  fn_json_writer w;
  fn_json_begin(&w, out, 2);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "schema", schema);
  fn_json_text(&w, "model", c->model);
  fn_json_text(&w, "data", c->data);
  fn_json_text(&w, "grouped_by", c->grouped_by);
  fn_json_text(&w, "text", mode_names[c->mode]);
  fn_json_text(&w, "long", long_names[c->windows]);
  if (c->max_tokens > 0) {
    fn_json_int(&w, "max_tokens", c->max_tokens);
  } else {
    fn_json_null(&w, "max_tokens");
  }
  fn_json_double(&w, "prior", c->prior);
  fn_json_double(&w, "quantile", c->quantile);
  fn_json_array(&w, "sets");
  for (size_t i = 0; i < c->n_sets; i++) write_set(&w, &c->sets[i]);
  fn_json_end(&w);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}
