/* Runs by a filter: the clauses become SQL whose values are all parameters; then parameters, tags and metrics of the
 * runs found, some dozens of runs at a time. */
#include "track/filter.h"
#include "track/tracking_internal.h"

#include <stdlib.h>

enum {
  MAX_JOINED = 6,      /* columns that come with the runs themselves */
  MAX_PATTERN = 16384, /* bytes; SQLite takes 50,000, and three may come of one */
  RUNS_AT_ONCE = 40,   /* whose parameters are fetched by one statement */
  COLUMNS_AT_ONCE = 16,
  MAX_RUNS = 1000000,
};

/* A statement under way. */
typedef struct statement {
  fn_tracking *tracking;
  fn_buf text;
  fn_sql_value values[FN_SQL_MAX_VALUES];
  size_t n;
  bool full;
  fn_arena arena;
} statement;

static void statement_init(statement *s, fn_tracking *t) {
  s->tracking = t;
  fn_buf_init(&s->text, 1 << 20);
  s->n = 0;
  s->full = false;
  fn_arena_init(&s->arena);
}

static void statement_deinit(statement *s) {
  fn_buf_deinit(&s->text);
  fn_arena_deinit(&s->arena);
}

static void put(statement *s, const char *text) {
  fn_buf_append_str(&s->text, text);
}

/* "$7", with its value. */
static void put_value(statement *s, fn_sql_value value) {
  if (s->n == FN_SQL_MAX_VALUES) {
    s->full = true;
    return;
  }
  s->values[s->n++] = value;
  fn_buf_printf(&s->text, "$%zu", s->n);
}

static fn_status statement_run(statement *s, fn_sql_row row, void *arg, fn_err *err) {
  const char *text = NULL;
  if (s->full) return fn_err_set(err, FN_E_LIMIT, "a search has over %d values", (int)FN_SQL_MAX_VALUES);
  FN_TRY(fn_buf_check(&s->text, "a statement", err));
  FN_TRY(fn_tracking_text(&text, s->tracking, fn_buf_str(&s->text), err));
  return fn_sql_query(s->tracking->sql, text, s->values, s->n, row, arg, err);
}

static bool is_sqlite(const statement *s) {
  return fn_sql_get_kind(s->tracking->sql) == FN_SQL_SQLITE;
}

/* "(SELECT …)": the texts as rows. One value, however many they are. */
static fn_status put_list(statement *s, const fn_str *texts, size_t n, fn_err *err) {
  FN_AUTO_BUF fn_buf json;
  fn_buf_init(&json, 0);
  for (size_t i = 0; i < n; i++) {
    fn_buf_append_char(&json, i ? ',' : '[');
    fn_buf_append_json(&json, texts[i]);
  }
  fn_buf_append_str(&json, n ? "]" : "[]");
  FN_TRY(fn_buf_check(&json, "a list of values", err));
  const char *kept = fn_arena_strndup(&s->arena, json.data, json.length);
  if (!kept) return fn_err_no_memory(err, "a list of values");
  put(s, is_sqlite(s) ? "(SELECT value FROM json_each(" : "(SELECT json_array_elements_text(CAST(");
  put_value(s, fn_sql_str(fn_str_make(kept, json.length)));
  put(s, is_sqlite(s) ? "))" : " AS json)))");
  return FN_OK;
}

/* ---- comparisons ---- */

/* LIKE tells upper and lower case apart, and knows % and _ alone: SQLite has GLOB for that. */
static fn_status put_like(statement *s, const char *column, fn_str pattern, fn_err *err) {
  if (!is_sqlite(s)) {
    fn_buf_printf(&s->text, "%s LIKE ", column);
    put_value(s, fn_sql_str(pattern));
    put(s, " ESCAPE ''");
    return FN_OK;
  }
  char *glob = fn_arena_alloc(&s->arena, pattern.length + 1, 3);
  size_t n = 0;
  if (!glob) return fn_err_no_memory(err, "a pattern");
  for (size_t i = 0; i < pattern.length; i++) {
    const char c = pattern.data[i];
    const bool special = c == '*' || c == '?' || c == '[';
    if (special) glob[n++] = '[';
    glob[n++] = c == '%' ? '*' : c == '_' ? '?' : c;
    if (special) glob[n++] = ']';
  }
  fn_buf_printf(&s->text, "%s GLOB ", column);
  put_value(s, fn_sql_str(fn_str_make(glob, n)));
  return FN_OK;
}

static fn_status put_string_test(statement *s, const char *column, const fn_clause *c, fn_err *err) {
  const bool is_pattern = c->comparator == FN_COMPARE_LIKE || c->comparator == FN_COMPARE_ILIKE;
  if (is_pattern && c->strings[0].length > MAX_PATTERN)
    return fn_err_set(err, FN_E_LIMIT, "filter: a pattern has %zu bytes; %d are accepted", c->strings[0].length,
                      (int)MAX_PATTERN);
  switch (c->comparator) {
  case FN_COMPARE_LIKE: return put_like(s, column, c->strings[0], err);
  case FN_COMPARE_ILIKE:
    fn_buf_printf(&s->text, "%s %s ", column, is_sqlite(s) ? "LIKE" : "ILIKE");
    put_value(s, fn_sql_str(c->strings[0]));
    if (!is_sqlite(s)) put(s, " ESCAPE ''");
    return FN_OK;
  case FN_COMPARE_IN:
  case FN_COMPARE_NOT_IN:
    fn_buf_printf(&s->text, "%s %s ", column, c->comparator == FN_COMPARE_IN ? "IN" : "NOT IN");
    return put_list(s, c->strings, c->n_strings, err);
  default:
    fn_buf_printf(&s->text, "%s %s ", column, c->comparator == FN_COMPARE_EQ ? "=" : "<>");
    put_value(s, fn_sql_str(c->strings[0]));
    return FN_OK;
  }
}

/* A value that is NaN is unequal to every number, and neither above nor below one. */
static void put_number_test(statement *s, const char *column, const fn_clause *c, bool is_time) {
  static const char *const marks[] = {"=", "<>", ">", ">=", "<", "<="};
  if (c->comparator == FN_COMPARE_NE) fn_buf_printf(&s->text, "(%s IS NULL OR ", column);
  if (is_time)
    fn_buf_printf(&s->text, "CAST(%s AS DOUBLE PRECISION) %s ", column, marks[c->comparator]);
  else
    fn_buf_printf(&s->text, "%s %s ", column, marks[c->comparator]);
  put_value(s, is_time ? fn_sql_double(c->number) : fn_track_number(c->number));
  if (c->comparator == FN_COMPARE_NE) put(s, ")");
}

/* Status by its name. MLflow knows no INTERRUPTED, but here it is one. */
static void put_status_name(statement *s, const char *column) {
  put(s, "CASE ");
  put(s, column);
  for (int i = 0; i < FN_N_RUN_STATUSES; i++) fn_buf_printf(&s->text, " WHEN %d THEN '%s'", i, fn_run_status_names[i]);
  put(s, " END");
}

typedef struct gone {
  int64_t numbers[256];
  size_t n;
} gone;

static fn_status column_of(fn_buf *out, const fn_field *f, const gone *g, statement *s, fn_err *err) {
  static const char *const names[FN_N_ATTRIBUTES] = {"r.id",
                                                     "r.name",
                                                     NULL,
                                                     "r.author",
                                                     "('runs:/' || r.id)",
                                                     "r.start_ms",
                                                     "CASE WHEN r.end_ms > 0 THEN r.end_ms END"};
  if (names[f->attribute]) {
    fn_buf_append_str(out, names[f->attribute]);
  } else {
    /* A run whose process is gone, in a store that must not be written. */
    statement part;
    statement_init(&part, s->tracking);
    put(&part, "(");
    FN_AUTO_BUF fn_buf status;
    fn_buf_init(&status, 1 << 16);
    if (g->n) {
      fn_buf_append_str(&status, "(CASE WHEN r.number IN (");
      for (size_t i = 0; i < g->n; i++) fn_buf_printf(&status, "%s%lld", i ? "," : "", (long long)g->numbers[i]);
      fn_buf_printf(&status, ") THEN %d ELSE r.status END)", FN_RUN_INTERRUPTED);
    } else {
      fn_buf_append_str(&status, "r.status");
    }
    put_status_name(&part, status.data ? status.data : "r.status");
    put(&part, ")");
    fn_buf_append(out, part.text.data, part.text.length);
    statement_deinit(&part);
  }
  return fn_buf_check(out, "a statement", err);
}

static const char *table_of(fn_field_kind kind) {
  return kind == FN_FIELD_METRIC ? "metrics" : kind == FN_FIELD_PARAM ? "params" : "tags";
}

/* What a run was trained on is told by tags. */
static fn_str key_of(const fn_field *f) {
  if (f->kind != FN_FIELD_DATASET) return f->key;
  return fn_str_from(fn_str_is(f->key, "name")     ? "fakenews.data.name"
                     : fn_str_is(f->key, "digest") ? "fakenews.data.hash"
                                                   : "fakenews.data.context");
}

static fn_status put_clause(statement *s, const fn_clause *c, const gone *g, fn_err *err) {
  put(s, " AND ");
  if (c->field.kind == FN_FIELD_ATTRIBUTE) {
    FN_AUTO_BUF fn_buf column;
    fn_buf_init(&column, 1 << 16);
    FN_TRY(column_of(&column, &c->field, g, s, err));
    if (!fn_field_is_number(&c->field)) return put_string_test(s, column.data, c, err);
    put_number_test(s, column.data, c, true);
    return FN_OK;
  }
  fn_buf_printf(&s->text,
                "r.number %s (SELECT run FROM %s WHERE key = ", c->comparator == FN_COMPARE_IS_NULL ? "NOT IN" : "IN",
                table_of(c->field.kind));
  put_value(s, fn_sql_str(key_of(&c->field)));
  if (c->comparator >= FN_COMPARE_IS_NULL) {
    put(s, ")");
    return FN_OK;
  }
  put(s, " AND ");
  if (c->field.kind == FN_FIELD_METRIC)
    put_number_test(s, "latest", c, false);
  else
    FN_TRY(put_string_test(s, "value", c, err));
  put(s, ")");
  return FN_OK;
}

/* ---- order ---- */

typedef struct ordering {
  fn_field field;
  bool descending;
} ordering;

static bool same_field(const fn_field *a, const fn_field *b) {
  if (a->kind != b->kind) return false;
  return a->kind == FN_FIELD_ATTRIBUTE ? a->attribute == b->attribute : fn_str_equal(a->key, b->key);
}

static fn_status read_orders(ordering **out, statement *s, const fn_run_query *q, fn_err *err) {
  if (q->n_order_by > 8) return fn_err_set(err, FN_E_LIMIT, "order: %zu fields; 8 are accepted", q->n_order_by);
  ordering *orders = fn_arena_alloc(&s->arena, q->n_order_by + 1, sizeof *orders);
  if (!orders) return fn_err_no_memory(err, "the order");
  for (size_t i = 0; i < q->n_order_by; i++) {
    FN_TRY(fn_filter_parse_order(&orders[i].field, &orders[i].descending, &s->arena, fn_str_from(q->order_by[i]), err));
    for (size_t j = 0; j < i; j++)
      if (same_field(&orders[i].field, &orders[j].field))
        return fn_err_set(err, FN_E_INVALID, "order: \"%.100s\" names a field that stands before it already",
                          q->order_by[i]);
  }
  *out = orders;
  return FN_OK;
}

static void put_joins(statement *s, const ordering *orders, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (orders[i].field.kind == FN_FIELD_ATTRIBUTE) continue;
    fn_buf_printf(&s->text, " LEFT JOIN %s o%zu ON o%zu.run = r.number AND o%zu.key = ", table_of(orders[i].field.kind),
                  i, i, i);
    put_value(s, fn_sql_str(key_of(&orders[i].field)));
  }
}

/* What a run does not have comes last in both directions, and NaN before that. */
static fn_status put_orders(statement *s, const ordering *orders, size_t n, const gone *g, fn_err *err) {
  const char *bytes = is_sqlite(s) ? "" : " COLLATE \"C\"";
  put(s, " ORDER BY ");
  for (size_t i = 0; i < n; i++) {
    const fn_field *f = &orders[i].field;
    const char *direction = orders[i].descending ? "DESC" : "ASC";
    if (f->kind == FN_FIELD_METRIC) {
      fn_buf_printf(&s->text,
                    "CASE WHEN o%zu.run IS NULL THEN 2 WHEN o%zu.latest IS NULL THEN 1 ELSE 0 END, o%zu.latest %s, ", i,
                    i, i, direction);
    } else if (f->kind != FN_FIELD_ATTRIBUTE) {
      fn_buf_printf(&s->text, "CASE WHEN o%zu.run IS NULL THEN 1 ELSE 0 END, o%zu.value%s %s, ", i, i, bytes,
                    direction);
    } else {
      FN_AUTO_BUF fn_buf column;
      fn_buf_init(&column, 1 << 16);
      FN_TRY(column_of(&column, f, g, s, err));
      fn_buf_printf(&s->text, "CASE WHEN %s IS NULL THEN 1 ELSE 0 END, %s%s %s, ", column.data, column.data,
                    fn_field_is_number(f) ? "" : bytes, direction);
    }
  }
  fn_buf_printf(&s->text, "r.start_ms DESC, r.id%s", bytes);
  return FN_OK;
}

/* ---- the runs found ---- */

typedef struct found {
  fn_run_info info;
  int64_t number;
  fn_run_view joined; /* what came with it */
} found;

/* Few columns are joined to the runs; of many, or of all, there are statements of their own. */
typedef struct joining {
  fn_field fields[MAX_JOINED]; /* in order of key */
  const char *keys[MAX_JOINED];
  size_t n;
} joining;

typedef struct finding {
  fn_tracking *tracking;
  found *runs;
  size_t n, capacity;
  fn_arena arena;
  const gone *gone;
  const joining *joining;
} finding;

static const char columns[] =
    "r.number, r.id, r.parent, r.experiment, e.name, r.name, r.author, r.folder, r.status, r.start_ms, r.end_ms,"
    " r.deleted";
enum { N_COLUMNS = 12, METRIC_VALUES = 6 };

static void copy_id(char out[FN_RUN_ID_LENGTH], fn_str text) {
  const size_t n = text.length < FN_RUN_ID_LENGTH ? text.length : 0;
  if (n) memcpy(out, text.data, n);
  out[n] = '\0';
}

static bool is_gone(const gone *g, int64_t number) {
  for (size_t i = 0; i < g->n; i++)
    if (g->numbers[i] == number) return true;
  return false;
}

static const char *keep_text(finding *f, const fn_sql_value *v) {
  return fn_arena_strndup(&f->arena, v->bytes.data ? v->bytes.data : "", v->bytes.length);
}

static fn_run_metric read_metric(const char *key, const fn_sql_value *v) {
  return (fn_run_metric){.key = key,
                         .last = fn_track_number_read(&v[0]),
                         .last_step = v[1].integer,
                         .last_ms = v[2].integer,
                         .min = fn_track_number_read(&v[3]),
                         .max = fn_track_number_read(&v[4]),
                         .n = v[5].integer};
}

/* v: of each joined metric six values, of the others one; NULL where the run has none. */
static fn_status take_joined(found *r, finding *f, const fn_sql_value *v, fn_err *err) {
  const size_t n = f->joining->n;
  fn_track_pair *params = fn_arena_alloc(&f->arena, n, sizeof *params);
  fn_track_pair *tags = fn_arena_alloc(&f->arena, n, sizeof *tags);
  fn_run_metric *metrics = fn_arena_alloc(&f->arena, n, sizeof *metrics);
  fn_run_view *view = &r->joined;
  if (!params || !tags || !metrics) return fn_err_no_memory(err, "runs");
  for (size_t i = 0; i < n; i++) {
    const char *key = f->joining->keys[i];
    if (f->joining->fields[i].kind == FN_FIELD_METRIC) {
      if (v[5].type != FN_SQL_NULL) metrics[view->n_metrics++] = read_metric(key, v);
      v += METRIC_VALUES;
      continue;
    }
    if (v->type != FN_SQL_NULL) {
      const fn_track_pair pair = {key, keep_text(f, v)};
      if (!pair.value) return fn_err_no_memory(err, "runs");
      if (f->joining->fields[i].kind == FN_FIELD_PARAM)
        params[view->n_params++] = pair;
      else
        tags[view->n_tags++] = pair;
    }
    v++;
  }
  view->params = params;
  view->tags = tags;
  view->metrics = metrics;
  return FN_OK;
}

static fn_status take_run(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  finding *f = arg;
  if (n < N_COLUMNS) return FN_OK;
  void *list = f->runs;
  FN_TRY(fn_mem_grow(&list, &f->capacity, f->n + 1, sizeof *f->runs, MAX_RUNS, "runs", err));
  f->runs = list;
  found *r = &f->runs[f->n];
  *r = (found){.number = v[0].integer};
  copy_id(r->info.id, v[1].bytes);
  copy_id(r->info.parent, v[2].bytes);
  r->info.experiment = v[3].integer;
  r->info.experiment_name = keep_text(f, &v[4]);
  r->info.name = keep_text(f, &v[5]);
  r->info.user = keep_text(f, &v[6]);
  r->info.folder = keep_text(f, &v[7]);
  if (!r->info.experiment_name || !r->info.name || !r->info.user || !r->info.folder)
    return fn_err_no_memory(err, "runs");
  const int64_t status = v[8].integer;
  r->info.status = status >= 0 && status < FN_N_RUN_STATUSES ? (fn_run_status)status : FN_RUN_FAILED;
  if (is_gone(f->gone, r->number)) r->info.status = FN_RUN_INTERRUPTED;
  r->info.start_ms = v[9].integer;
  r->info.end_ms = v[10].integer;
  r->info.deleted = v[11].integer != 0;
  if (f->joining->n) FN_TRY(take_joined(r, f, v + N_COLUMNS, err));
  f->n++;
  return FN_OK;
}

/* ---- their parameters, tags and metrics ---- */

/* One row of any of the three tables. */
typedef struct item {
  int64_t run;
  const char *key, *value;
  fn_run_metric metric;
} item;

typedef struct items {
  item *list;
  size_t n, capacity;
  fn_arena *arena;
} items;

static fn_status take_item(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  items *s = arg;
  void *list = s->list;
  if (n < 3) return FN_OK;
  FN_TRY(fn_mem_grow(&list, &s->capacity, s->n + 1, sizeof *s->list, (size_t)1 << 28, "parameters", err));
  s->list = list;
  item *it = &s->list[s->n];
  *it = (item){.run = v[0].integer, .key = fn_arena_strndup(s->arena, v[1].bytes.data, v[1].bytes.length)};
  if (!it->key) return fn_err_no_memory(err, "parameters");
  if (n == 3) {
    it->value = fn_arena_strndup(s->arena, v[2].bytes.data ? v[2].bytes.data : "", v[2].bytes.length);
    if (!it->value) return fn_err_no_memory(err, "parameters");
  } else {
    it->metric = read_metric(it->key, v + 2);
  }
  s->n++;
  return FN_OK;
}

typedef struct columns_asked {
  fn_str metrics[COLUMNS_AT_ONCE], params[COLUMNS_AT_ONCE], tags[COLUMNS_AT_ONCE];
  size_t n_metrics, n_params, n_tags;
  bool all;
} columns_asked;

static fn_status read_columns(columns_asked *out, fn_arena *arena, const fn_run_query *q, fn_err *err) {
  columns_asked c = {.all = !q->columns || q->n_columns > COLUMNS_AT_ONCE};
  for (size_t i = 0; i < q->n_columns; i++) {
    fn_field field;
    FN_TRY(fn_filter_parse_column(&field, arena, fn_str_from(q->columns[i]), err));
    if (c.all || field.kind == FN_FIELD_ATTRIBUTE) continue;
    if (field.kind == FN_FIELD_METRIC)
      c.metrics[c.n_metrics++] = field.key;
    else if (field.kind == FN_FIELD_PARAM)
      c.params[c.n_params++] = field.key;
    else
      c.tags[c.n_tags++] = key_of(&field);
  }
  *out = c;
  return FN_OK;
}

static fn_status fetch(items *out, fn_tracking *t, const char *what, const char *table, const found *runs, size_t n,
                       const fn_str *keys, size_t n_keys, bool all, fn_err *err) {
  if (!all && n_keys == 0) return FN_OK;
  statement s;
  statement_init(&s, t);
  fn_buf_printf(&s.text, "SELECT %s FROM %s WHERE run IN (", what, table);
  for (size_t i = 0; i < n; i++) {
    if (i) put(&s, ", ");
    put_value(&s, fn_sql_int(runs[i].number));
  }
  put(&s, ")");
  for (size_t i = 0; i < n_keys; i++) {
    put(&s, i ? ", " : " AND key IN (");
    put_value(&s, fn_sql_str(keys[i]));
  }
  put(&s, n_keys ? ") ORDER BY run, key" : " ORDER BY run, key");
  if (!is_sqlite(&s)) put(&s, " COLLATE \"C\"");
  const fn_status status = statement_run(&s, take_item, out, err);
  statement_deinit(&s);
  return status;
}

/* The items of a run out of the sorted list; *at moves on. As pairs, or as metrics. */
static fn_status pairs_of(const fn_track_pair **out, size_t *n_out, size_t *at, const items *s, int64_t run,
                          fn_arena *arena, fn_err *err) {
  size_t end = *at;
  while (end < s->n && s->list[end].run == run) end++;
  fn_track_pair *pairs = fn_arena_alloc(arena, end - *at + 1, sizeof *pairs);
  if (!pairs) return fn_err_no_memory(err, "parameters");
  for (size_t i = *at; i < end; i++) pairs[i - *at] = (fn_track_pair){s->list[i].key, s->list[i].value};
  *n_out = end - *at;
  *out = pairs;
  *at = end;
  return FN_OK;
}

static fn_status metrics_of(const fn_run_metric **out, size_t *n_out, size_t *at, const items *s, int64_t run,
                            fn_arena *arena, fn_err *err) {
  size_t end = *at;
  while (end < s->n && s->list[end].run == run) end++;
  fn_run_metric *metrics = fn_arena_alloc(arena, end - *at + 1, sizeof *metrics);
  if (!metrics) return fn_err_no_memory(err, "metrics");
  for (size_t i = *at; i < end; i++) metrics[i - *at] = s->list[i].metric;
  *n_out = end - *at;
  *out = metrics;
  *at = end;
  return FN_OK;
}

static int by_number(const void *a, const void *b) {
  const found *x = *(const found *const *)a, *y = *(const found *const *)b;
  return x->number < y->number ? -1 : x->number > y->number;
}

typedef struct portion {
  items params, tags, metrics;
  fn_arena arena;
} portion;

static fn_status fetch_portion(portion *p, fn_tracking *t, const found *runs, size_t n, const columns_asked *c,
                               fn_err *err) {
  FN_TRY(fetch(&p->params, t, "run, key, value", "params", runs, n, c->params, c->n_params, c->all, err));
  FN_TRY(fetch(&p->tags, t, "run, key, value", "tags", runs, n, c->tags, c->n_tags, c->all, err));
  return fetch(&p->metrics, t, "run, key, latest, latest_step, latest_ms, lowest, highest, points", "metrics", runs, n,
               c->metrics, c->n_metrics, c->all, err);
}

/* The answers come in order of the runs' numbers, the runs in the order asked for. */
static fn_status emit_portion(portion *p, fn_tracking *t, const found *runs, size_t n, const columns_asked *c,
                              fn_run_emit emit, void *arg, fn_err *err) {
  const found *sorted[RUNS_AT_ONCE];
  fn_run_view views[RUNS_AT_ONCE];
  size_t params = 0, tags = 0, metrics = 0;
  FN_TRY(fetch_portion(p, t, runs, n, c, err));
  for (size_t i = 0; i < n; i++) sorted[i] = &runs[i];
  qsort(sorted, n, sizeof sorted[0], by_number);
  for (size_t i = 0; i < n; i++) {
    fn_run_view *v = &views[sorted[i] - runs];
    const int64_t run = sorted[i]->number;
    v->info = sorted[i]->info;
    FN_TRY(pairs_of(&v->params, &v->n_params, &params, &p->params, run, &p->arena, err));
    FN_TRY(pairs_of(&v->tags, &v->n_tags, &tags, &p->tags, run, &p->arena, err));
    FN_TRY(metrics_of(&v->metrics, &v->n_metrics, &metrics, &p->metrics, run, &p->arena, err));
  }
  for (size_t i = 0; i < n; i++) FN_TRY(emit(arg, &views[i], err));
  return FN_OK;
}

static fn_status emit_runs(fn_tracking *t, const finding *f, const fn_run_query *q, fn_run_emit emit, void *arg,
                           fn_err *err) {
  const bool whole = q->bare || f->joining->n > 0;
  for (size_t i = 0; whole && i < f->n; i++) {
    fn_run_view view = f->runs[i].joined;
    view.info = f->runs[i].info;
    FN_TRY(emit(arg, &view, err));
  }
  for (size_t i = 0; !whole && i < f->n; i += RUNS_AT_ONCE) {
    const size_t n = f->n - i < RUNS_AT_ONCE ? f->n - i : RUNS_AT_ONCE;
    portion p = {.arena = {NULL, 0}};
    fn_arena_init(&p.arena);
    p.params.arena = p.tags.arena = p.metrics.arena = &p.arena;
    columns_asked c;
    fn_status status = read_columns(&c, &p.arena, q, err);
    if (status == FN_OK) status = emit_portion(&p, t, f->runs + i, n, &c, emit, arg, err);
    free(p.params.list);
    free(p.tags.list);
    free(p.metrics.list);
    fn_arena_deinit(&p.arena);
    FN_TRY(status);
  }
  return FN_OK;
}

/* ---- a search ---- */

static fn_status put_experiments(statement *s, const fn_run_query *q, fn_err *err) {
  if (q->n_experiments == 0) return FN_OK;
  fn_str *names = fn_arena_alloc(&s->arena, q->n_experiments, sizeof *names);
  if (!names) return fn_err_no_memory(err, "names of experiments");
  for (size_t i = 0; i < q->n_experiments; i++) names[i] = fn_str_from(q->experiments[i]);
  put(s, " AND e.name IN ");
  return put_list(s, names, q->n_experiments, err);
}

static fn_status read_joining(joining *out, fn_arena *arena, const fn_run_query *q, fn_err *err) {
  out->n = 0;
  if (q->bare || q->n_columns > MAX_JOINED) return FN_OK;
  for (size_t i = 0; i < q->n_columns; i++) {
    fn_field field;
    FN_TRY(fn_filter_parse_column(&field, arena, fn_str_from(q->columns[i]), err));
    if (field.kind == FN_FIELD_ATTRIBUTE) continue;
    const fn_str key = key_of(&field);
    const char *text = fn_arena_strndup(arena, key.data, key.length);
    size_t at = out->n;
    if (!text) return fn_err_no_memory(err, "columns");
    while (at > 0 && strcmp(out->keys[at - 1], text) > 0) at--;
    memmove(&out->keys[at + 1], &out->keys[at], (out->n - at) * sizeof out->keys[0]);
    memmove(&out->fields[at + 1], &out->fields[at], (out->n - at) * sizeof out->fields[0]);
    out->keys[at] = text;
    out->fields[at] = field;
    out->n++;
  }
  return FN_OK;
}

static void put_joining_columns(statement *s, const joining *j) {
  for (size_t i = 0; i < j->n; i++) {
    if (j->fields[i].kind == FN_FIELD_METRIC)
      fn_buf_printf(&s->text, ", c%zu.latest, c%zu.latest_step, c%zu.latest_ms, c%zu.lowest, c%zu.highest, c%zu.points",
                    i, i, i, i, i, i);
    else
      fn_buf_printf(&s->text, ", c%zu.value", i);
  }
}

static void put_joining_tables(statement *s, const joining *j) {
  for (size_t i = 0; i < j->n; i++) {
    fn_buf_printf(&s->text, " LEFT JOIN %s c%zu ON c%zu.run = r.number AND c%zu.key = ", table_of(j->fields[i].kind), i,
                  i, i);
    put_value(s, fn_sql_text(j->keys[i]));
  }
}

static fn_status build(statement *s, const fn_run_query *q, const joining *j, const gone *g, fn_err *err) {
  fn_filter *filter = fn_arena_alloc(&s->arena, 1, sizeof *filter);
  ordering *orders = NULL;
  if (!filter) return fn_err_no_memory(err, "a filter");
  FN_TRY(fn_filter_parse(filter, &s->arena, fn_str_from(q->filter ? q->filter : ""), err));
  FN_TRY(read_orders(&orders, s, q, err));
  fn_buf_printf(&s->text, "SELECT %s", columns);
  put_joining_columns(s, j);
  put(s, " FROM runs r JOIN experiments e ON e.id = r.experiment");
  put_joining_tables(s, j);
  put_joins(s, orders, q->n_order_by);
  put(s, q->deleted ? " WHERE 1 = 1" : " WHERE r.deleted = 0");
  FN_TRY(put_experiments(s, q, err));
  for (size_t i = 0; i < filter->n; i++) FN_TRY(put_clause(s, &filter->clauses[i], g, err));
  FN_TRY(put_orders(s, orders, q->n_order_by, g, err));
  put(s, " LIMIT ");
  put_value(s, fn_sql_int(q->max ? (int64_t)q->max : MAX_RUNS));
  return FN_OK;
}

/* Runs `s`, whose columns are `columns`, and hands over what it finds. */
static fn_status answer(statement *s, const fn_run_query *q, const joining *j, const gone *g, fn_run_emit emit,
                        void *arg, fn_err *err) {
  finding f = {.tracking = s->tracking, .gone = g, .joining = j};
  fn_arena_init(&f.arena);
  fn_status status = statement_run(s, take_run, &f, err);
  if (status == FN_OK) status = emit_runs(s->tracking, &f, q, emit, arg, err);
  fn_arena_deinit(&f.arena);
  free(f.runs);
  return status;
}

fn_status fn_tracking_search(fn_tracking *t, const fn_run_query *query, fn_run_emit emit, void *arg, fn_err *err) {
  gone g;
  joining j;
  columns_asked c;
  FN_TRY(fn_tracking_reap(g.numbers, &g.n, FN_COUNT_OF(g.numbers), t, err));
  statement s;
  statement_init(&s, t);
  fn_status status = read_columns(&c, &s.arena, query, err);
  if (status == FN_OK) status = read_joining(&j, &s.arena, query, err);
  if (status == FN_OK) status = build(&s, query, &j, &g, err);
  if (status == FN_OK) status = answer(&s, query, &j, &g, emit, arg, err);
  statement_deinit(&s);
  return status;
}

fn_status fn_tracking_get_run(fn_tracking *t, const char *id, fn_run_emit emit, void *arg, fn_err *err) {
  gone g;
  fn_run_row row;
  const fn_run_query all = {.max = 1};
  const joining none = {.n = 0};
  FN_TRY(fn_tracking_reap(g.numbers, &g.n, FN_COUNT_OF(g.numbers), t, err));
  FN_TRY(fn_tracking_row(&row, t, id, err));
  statement s;
  statement_init(&s, t);
  fn_buf_printf(&s.text, "SELECT %s FROM runs r JOIN experiments e ON e.id = r.experiment WHERE r.number = ", columns);
  put_value(&s, fn_sql_int(row.number));
  const fn_status status = answer(&s, &all, &none, &g, emit, arg, err);
  statement_deinit(&s);
  return status;
}
