/* Parameters, tags and metrics of a run, written. */
#include "track/tracking_internal.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_POINTS = 1 << 22 };

/* ---- parameters and tags ---- */

typedef struct pairs {
  const char *id;
  const fn_track_pair *items;
  size_t n;
} pairs;

static fn_status check_text(fn_str text, const char *key, fn_err *err) {
  return fn_utf8_valid(text, NULL) ? FN_OK : fn_err_set(err, FN_E_INVALID, "the value of \"%.100s\" is not UTF-8", key);
}

typedef struct comparison {
  fn_str wanted;
  const char *key, *id;
} comparison;

static fn_status compare_param(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  const comparison *c = arg;
  if (n != 1 || fn_str_equal(v[0].bytes, c->wanted)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "parameter \"%.100s\" of run %.40s was set to \"%.*s\" and cannot become \"%.*s\": parameters are "
                    "written once",
                    c->key, c->id, v[0].bytes.length > 100 ? 100 : (int)v[0].bytes.length, v[0].bytes.data,
                    c->wanted.length > 100 ? 100 : (int)c->wanted.length, c->wanted.data);
}

static fn_status log_param(fn_tracking *t, int64_t run, const char *id, const fn_track_pair *p, fn_err *err) {
  const fn_str value = fn_utf8_head(p->value, FN_TRACK_MAX_PARAM);
  const fn_sql_value values[] = {fn_sql_int(run), fn_sql_text(p->key), fn_sql_str(value)};
  int64_t n = 0;
  FN_TRY(fn_track_check_key(p->key, "parameter", err));
  FN_TRY(check_text(value, p->key, err));
  FN_TRY(fn_sql_run(t->sql,
                    "INSERT INTO params (run, key, value) VALUES ($1, $2, $3) ON CONFLICT (run, key) DO NOTHING",
                    values, 3, &n, err));
  if (n == 1) return FN_OK;
  comparison c = {value, p->key, id};
  return fn_sql_query(t->sql, "SELECT value FROM params WHERE run = $1 AND key = $2", values, 2, compare_param, &c,
                      err);
}

static fn_status log_params(fn_tracking *t, void *arg, fn_err *err) {
  const pairs *p = arg;
  fn_run_row row;
  FN_TRY(fn_tracking_row_active(&row, t, p->id, err));
  for (size_t i = 0; i < p->n; i++) FN_TRY(log_param(t, row.number, p->id, &p->items[i], err));
  return FN_OK;
}

fn_status fn_tracking_log_params(fn_tracking *t, const char *id, const fn_track_pair *params, size_t n, fn_err *err) {
  pairs p = {id, params, n};
  return fn_tracking_transact(t, log_params, &p, err);
}

static fn_status set_tags(fn_tracking *t, void *arg, fn_err *err) {
  const pairs *p = arg;
  fn_run_row row;
  FN_TRY(fn_tracking_row_active(&row, t, p->id, err));
  for (size_t i = 0; i < p->n; i++) {
    const fn_str value = fn_utf8_head(p->items[i].value, FN_TRACK_MAX_TAG);
    const fn_sql_value values[] = {fn_sql_int(row.number), fn_sql_text(p->items[i].key), fn_sql_str(value)};
    FN_TRY(fn_track_check_key(p->items[i].key, "tag", err));
    FN_TRY(check_text(value, p->items[i].key, err));
    FN_TRY(fn_sql_run(t->sql,
                      "INSERT INTO tags (run, key, value) VALUES ($1, $2, $3)"
                      " ON CONFLICT (run, key) DO UPDATE SET value = excluded.value",
                      values, 3, NULL, err));
    if (strcmp(p->items[i].key, "mlflow.runName") == 0) /* one name, wherever it is set */
      FN_TRY(fn_sql_run(t->sql, "UPDATE runs SET name = $3 WHERE number = $1 AND name <> $2 AND name <> $3",
                        (const fn_sql_value[]){values[0], fn_sql_text(""), values[2]}, 3, NULL, err));
  }
  return FN_OK;
}

fn_status fn_tracking_set_tags(fn_tracking *t, const char *id, const fn_track_pair *tags, size_t n, fn_err *err) {
  pairs p = {id, tags, n};
  return fn_tracking_transact(t, set_tags, &p, err);
}

/* ---- metrics ---- */

/* What a batch adds to the summary of a key. */
typedef struct summary {
  const char *key;
  size_t group; /* the latest group that has the key, plus 1 */
  double last, min, max;
  int64_t step, time_ms, n;
} summary;

/* Points of one moment with different keys: one row. */
typedef struct group {
  size_t begin, end; /* points */
  int64_t key_set;
  uint64_t hash;
  size_t data; /* offset of the doubles */
} group;

typedef struct batch {
  const char *id;
  const fn_metric_point *points;
  size_t n;
  summary *keys; /* [n_keys] in order of appearance */
  size_t n_keys;
  uint32_t *key_of; /* [n] index into keys */
  group *groups;
  size_t n_groups;
  uint64_t *data;   /* [n] values, little-endian bits */
  int64_t *written; /* [n_groups] */
} batch;

static void batch_deinit(batch *b) {
  free(b->keys);
  free(b->key_of);
  free(b->groups);
  free(b->data);
  free(b->written);
}

/* Gives every point the index of its key. A table of slots with linear probing. */
static fn_status number_keys(batch *b, fn_err *err) {
  size_t n_slots = 16;
  while (n_slots < 2 * b->n) n_slots *= 2;
  FN_AUTO_FREE uint32_t *slots = fn_mem_calloc(n_slots, sizeof *slots); /* index + 1 */
  if (!slots) return fn_err_no_memory(err, "metrics");
  for (size_t i = 0; i < b->n; i++) {
    const char *key = b->points[i].key;
    size_t at = fn_hash64(key, strlen(key), 0) & (n_slots - 1);
    while (slots[at] && strcmp(b->keys[slots[at] - 1].key, key) != 0) at = (at + 1) & (n_slots - 1);
    if (!slots[at]) {
      FN_TRY(fn_track_check_key(key, "metric", err));
      b->keys[b->n_keys++].key = key;
      slots[at] = (uint32_t)b->n_keys;
    }
    b->key_of[i] = slots[at] - 1;
  }
  return FN_OK;
}

/* Their steps count something else than those of the training: they stay apart, so that these can be cut. */
static bool is_system(const char *key) {
  return strncmp(key, "system/", 7) == 0;
}

static void make_groups(batch *b) {
  for (size_t i = 0; i < b->n; i++) {
    const fn_metric_point *p = &b->points[i];
    summary *k = &b->keys[b->key_of[i]];
    group *g = b->n_groups ? &b->groups[b->n_groups - 1] : NULL;
    if (!g || b->points[g->begin].step != p->step || b->points[g->begin].time_ms != p->time_ms ||
        k->group == b->n_groups || is_system(p->key) != is_system(b->points[g->begin].key)) {
      g = &b->groups[b->n_groups++];
      *g = (group){.begin = i, .data = i};
    }
    k->group = b->n_groups;
    g->end = i + 1;
    uint64_t bits;
    memcpy(&bits, &p->value, sizeof bits);
    b->data[i] = htole64(bits);
  }
}

static fn_status write_key_sets(batch *b, fn_tracking *t, int64_t run, fn_err *err) {
  FN_AUTO_BUF fn_buf keys;
  fn_buf_init(&keys, 0);
  int64_t latest = 0;
  for (size_t i = 0; i < b->n_groups; i++) {
    group *g = &b->groups[i];
    fn_buf_reset(&keys);
    for (size_t p = g->begin; p < g->end; p++) {
      if (p > g->begin) fn_buf_append_char(&keys, '\n');
      fn_buf_append_str(&keys, b->points[p].key);
    }
    FN_TRY(fn_buf_check(&keys, "names of metrics", err));
    g->key_set = (int64_t)fn_hash64(keys.data, keys.length, 0);
    g->hash = fn_hash64(&b->data[g->data], (g->end - g->begin) * sizeof(uint64_t), 0);
    if (i > 0 && g->key_set == latest) continue;
    latest = g->key_set;
    const fn_sql_value values[] = {fn_sql_int(run), fn_sql_int(latest), fn_sql_str(fn_buf_str(&keys))};
    FN_TRY(fn_sql_run(t->sql,
                      "INSERT INTO metric_keys (run, key_set, keys) VALUES ($1, $2, $3)"
                      " ON CONFLICT (run, key_set) DO NOTHING",
                      values, 3, NULL, err));
  }
  return FN_OK;
}

static fn_status write_steps(batch *b, fn_tracking *t, int64_t run, fn_err *err) {
  enum { COLUMNS = 6 };
  FN_AUTO_FREE fn_sql_value *values = fn_mem_alloc(b->n_groups, COLUMNS * sizeof *values);
  if (!values) return fn_err_no_memory(err, "metrics");
  for (size_t i = 0; i < b->n_groups; i++) {
    const group *g = &b->groups[i];
    fn_sql_value *v = values + COLUMNS * i;
    v[0] = fn_sql_int(run);
    v[1] = fn_sql_int(b->points[g->begin].step);
    v[2] = fn_sql_int(b->points[g->begin].time_ms);
    v[3] = fn_sql_int(g->key_set);
    v[4] = fn_sql_int((int64_t)g->hash);
    v[5] = fn_sql_blob(&b->data[g->data], (g->end - g->begin) * sizeof(uint64_t));
  }
  return fn_sql_run_many(t->sql,
                         "INSERT INTO metric_steps (run, step, time_ms, key_set, hash, data)"
                         " VALUES ($1, $2, $3, $4, $5, $6)"
                         " ON CONFLICT (run, step, time_ms, key_set, hash) DO NOTHING",
                         values, COLUMNS, b->n_groups, b->written, err);
}

static bool is_later(const summary *k, const fn_metric_point *p) {
  if (k->n == 0) return true;
  if (p->step != k->step) return p->step > k->step;
  if (p->time_ms != k->time_ms) return p->time_ms > k->time_ms;
  return isnan(k->last) || p->value >= k->last; /* the greater value of the same moment, as LATER has it */
}

static void sum_up(summary *k, const fn_metric_point *p) {
  if (is_later(k, p)) k->last = p->value, k->step = p->step, k->time_ms = p->time_ms;
  if (k->n == 0) k->min = k->max = (double)NAN;
  if (!isnan(p->value)) {
    if (isnan(k->min) || p->value < k->min) k->min = p->value;
    if (isnan(k->max) || p->value > k->max) k->max = p->value;
  }
  k->n++;
}

/* The later one of what is there and what comes; the greater one at the same moment. */
#define LATER                                                                                                          \
  "excluded.latest_step > metrics.latest_step OR (excluded.latest_step = metrics.latest_step AND"                      \
  " (excluded.latest_ms > metrics.latest_ms OR (excluded.latest_ms = metrics.latest_ms AND"                            \
  " (metrics.latest IS NULL OR excluded.latest >= metrics.latest))))"

static fn_status write_summaries(const summary *keys, size_t n_keys, fn_tracking *t, int64_t run, fn_err *err) {
  enum { COLUMNS = 8 };
  static const char upsert[] =
      "INSERT INTO metrics (run, key, latest, latest_step, latest_ms, lowest, highest, points)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (run, key) DO UPDATE SET"
      " latest = CASE WHEN " LATER " THEN excluded.latest ELSE metrics.latest END,"
      " latest_step = CASE WHEN " LATER " THEN excluded.latest_step ELSE metrics.latest_step END,"
      " latest_ms = CASE WHEN " LATER " THEN excluded.latest_ms ELSE metrics.latest_ms END,"
      " lowest = CASE WHEN metrics.lowest IS NULL OR excluded.lowest < metrics.lowest"
      " THEN excluded.lowest ELSE metrics.lowest END,"
      " highest = CASE WHEN metrics.highest IS NULL OR excluded.highest > metrics.highest"
      " THEN excluded.highest ELSE metrics.highest END,"
      " points = metrics.points + excluded.points";
  FN_AUTO_FREE fn_sql_value *values = fn_mem_alloc(n_keys, COLUMNS * sizeof *values);
  if (!values) return fn_err_no_memory(err, "metrics");
  size_t n = 0;
  for (size_t i = 0; i < n_keys; i++) {
    const summary *k = &keys[i];
    if (k->n == 0) continue;
    fn_sql_value *v = values + COLUMNS * n++;
    v[0] = fn_sql_int(run);
    v[1] = fn_sql_text(k->key);
    v[2] = fn_track_number(k->last);
    v[3] = fn_sql_int(k->step);
    v[4] = fn_sql_int(k->time_ms);
    v[5] = fn_track_number(k->min);
    v[6] = fn_track_number(k->max);
    v[7] = fn_sql_int(k->n);
  }
  return n ? fn_sql_run_many(t->sql, upsert, values, COLUMNS, n, NULL, err) : FN_OK;
}

static fn_status write_batch(fn_tracking *t, void *arg, fn_err *err) {
  batch *b = arg;
  fn_run_row row;
  FN_TRY(fn_tracking_row_active(&row, t, b->id, err));
  FN_TRY(write_key_sets(b, t, row.number, err));
  FN_TRY(write_steps(b, t, row.number, err));
  for (size_t i = 0; i < b->n_groups; i++)
    for (size_t p = b->groups[i].begin; b->written[i] && p < b->groups[i].end; p++)
      sum_up(&b->keys[b->key_of[p]], &b->points[p]);
  return write_summaries(b->keys, b->n_keys, t, row.number, err);
}

static fn_status log_metrics(batch *b, fn_tracking *t, fn_err *err) {
  b->keys = fn_mem_calloc(b->n, sizeof *b->keys);
  b->key_of = fn_mem_alloc(b->n, sizeof *b->key_of);
  b->groups = fn_mem_alloc(b->n, sizeof *b->groups);
  b->data = fn_mem_alloc(b->n, sizeof *b->data);
  b->written = fn_mem_calloc(b->n, sizeof *b->written);
  if (!b->keys || !b->key_of || !b->groups || !b->data || !b->written) return fn_err_no_memory(err, "metrics");
  FN_TRY(number_keys(b, err));
  make_groups(b);
  return fn_tracking_transact(t, write_batch, b, err);
}

fn_status fn_tracking_log_metrics(fn_tracking *t, const char *id, const fn_metric_point *points, size_t n,
                                  fn_err *err) {
  if (n == 0) return FN_OK;
  if (n > MAX_POINTS) return fn_err_set(err, FN_E_LIMIT, "%zu points at once; %d are accepted", n, (int)MAX_POINTS);
  batch b = {.id = id, .points = points, .n = n};
  const fn_status status = log_metrics(&b, t, err);
  batch_deinit(&b);
  return status;
}

/* ---- cutting ---- */

typedef struct cutting {
  const char *id;
  int64_t step;
  summary *keys;
  size_t n, capacity;
  uint32_t *slots; /* [n_slots] index into keys, plus 1 */
  size_t n_slots;
  fn_arena names;
} cutting;

static size_t slot_of(const cutting *c, const char *key) {
  size_t at = fn_hash64(key, strlen(key), 0) & (c->n_slots - 1);
  while (c->slots[at] && strcmp(c->keys[c->slots[at] - 1].key, key) != 0) at = (at + 1) & (c->n_slots - 1);
  return at;
}

static fn_status add_key(cutting *c, const char *key, fn_err *err) {
  void *list = c->keys;
  FN_TRY(fn_mem_grow(&list, &c->capacity, c->n + 1, sizeof *c->keys, 1 << 20, "metrics", err));
  c->keys = list;
  c->keys[c->n] = (summary){.key = fn_arena_strndup(&c->names, key, strlen(key))};
  if (!c->keys[c->n].key) return fn_err_no_memory(err, "metrics");
  if (2 * (c->n + 1) > c->n_slots) {
    const size_t n_slots = c->n_slots ? 2 * c->n_slots : 256;
    uint32_t *slots = fn_mem_calloc(n_slots, sizeof *slots);
    if (!slots) return fn_err_no_memory(err, "metrics");
    free(c->slots);
    c->slots = slots;
    c->n_slots = n_slots;
    for (size_t i = 0; i < c->n; i++) c->slots[slot_of(c, c->keys[i].key)] = (uint32_t)i + 1;
  }
  c->slots[slot_of(c, key)] = (uint32_t)c->n + 1;
  c->n++;
  return FN_OK;
}

static fn_status sum_point(void *arg, const fn_metric_point *point, fn_err *err) {
  cutting *c = arg;
  if (c->n == 0 || !c->slots[slot_of(c, point->key)]) FN_TRY(add_key(c, point->key, err));
  sum_up(&c->keys[c->slots[slot_of(c, point->key)] - 1], point);
  return FN_OK;
}

/* Key sets of which all keys count steps of the training. */
#define CUT_ROWS                                                                                                       \
  "run = $1 AND step > $2 AND key_set IN (SELECT key_set FROM metric_keys WHERE run = $1 AND keys NOT LIKE "           \
  "'system/%')"

static fn_status cut_metrics(fn_tracking *t, void *arg, fn_err *err) {
  cutting *c = arg;
  fn_run_row row;
  FN_TRY(fn_tracking_row_active(&row, t, c->id, err));
  const fn_sql_value values[] = {fn_sql_int(row.number), fn_sql_int(c->step)};
  int64_t n = 0;
  FN_TRY(fn_sql_run(t->sql, "DELETE FROM metric_steps WHERE " CUT_ROWS, values, 2, &n, err));
  if (n == 0) return FN_OK;
  FN_TRY(fn_tracking_history(t, c->id, NULL, sum_point, c, err));
  FN_TRY(fn_sql_run(t->sql, "DELETE FROM metrics WHERE run = $1", values, 1, NULL, err));
  return write_summaries(c->keys, c->n, t, row.number, err);
}

fn_status fn_tracking_cut_metrics(fn_tracking *t, const char *id, int64_t step, fn_err *err) {
  cutting c = {.id = id, .step = step};
  fn_arena_init(&c.names);
  const fn_status status = fn_tracking_transact(t, cut_metrics, &c, err);
  fn_arena_deinit(&c.names);
  free(c.keys);
  free(c.slots);
  return status;
}
