/* A run by its name, and the points of its metrics. */
#include "track/tracking_internal.h"

#include <endian.h>
#include <stdlib.h>

/* ---- history ---- */

enum { MAX_SETS = 100000 };

/* Keys of the rows of a run. */
typedef struct key_set {
  int64_t id;
  char **keys; /* [n], of the arena */
  size_t n;
} key_set;

typedef struct walk {
  const char *key;
  fn_metric_emit emit;
  void *arg;
  key_set *sets;
  size_t n_sets, capacity;
  fn_arena arena;
} walk;

static fn_status take_keys(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  walk *w = arg;
  if (n != 2) return FN_OK;
  void *list = w->sets;
  FN_TRY(fn_mem_grow(&list, &w->capacity, w->n_sets + 1, sizeof *w->sets, MAX_SETS, "sets of metrics", err));
  w->sets = list;
  key_set *s = &w->sets[w->n_sets];
  *s = (key_set){.id = v[0].integer};
  const fn_str text = v[1].bytes;
  size_t n_keys = 1;
  for (size_t i = 0; i < text.length; i++) n_keys += text.data[i] == '\n';
  s->keys = fn_arena_alloc(&w->arena, n_keys, sizeof *s->keys);
  if (!s->keys) return fn_err_no_memory(err, "metrics");
  for (size_t at = 0; s->n < n_keys; s->n++) {
    const char *end = text.length > at ? memchr(text.data + at, '\n', text.length - at) : NULL;
    const size_t length = end ? (size_t)(end - text.data) - at : text.length - at;
    s->keys[s->n] = fn_arena_strndup(&w->arena, text.data + at, length);
    if (!s->keys[s->n]) return fn_err_no_memory(err, "metrics");
    at += length + 1;
  }
  w->n_sets++;
  return FN_OK;
}

static fn_status walk_step(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  const walk *w = arg;
  const key_set *s = NULL;
  for (size_t i = 0; n == 4 && i < w->n_sets && !s; i++)
    if (w->sets[i].id == v[2].integer) s = &w->sets[i];
  if (!s || v[3].bytes.length != s->n * sizeof(uint64_t)) return FN_OK;
  for (size_t i = 0; i < s->n; i++) {
    if (w->key && strcmp(w->key, s->keys[i]) != 0) continue;
    uint64_t bits;
    memcpy(&bits, v[3].bytes.data + i * sizeof bits, sizeof bits);
    bits = le64toh(bits);
    fn_metric_point point = {.key = s->keys[i], .step = v[0].integer, .time_ms = v[1].integer};
    memcpy(&point.value, &bits, sizeof bits);
    FN_TRY(w->emit(w->arg, &point, err));
  }
  return FN_OK;
}

static fn_status walk_history(walk *w, fn_tracking *t, const char *id, fn_err *err) {
  fn_run_row row;
  FN_TRY(fn_tracking_row(&row, t, id, err));
  const fn_sql_value run = fn_sql_int(row.number);
  FN_TRY(fn_sql_query(t->sql, "SELECT key_set, keys FROM metric_keys WHERE run = $1", &run, 1, take_keys, w, err));
  return fn_sql_query(t->sql,
                      "SELECT step, time_ms, key_set, data FROM metric_steps WHERE run = $1"
                      " ORDER BY step, time_ms, key_set, hash",
                      &run, 1, walk_step, w, err);
}

fn_status fn_tracking_history(fn_tracking *t, const char *id, const char *key, fn_metric_emit emit, void *arg,
                              fn_err *err) {
  walk w = {.key = key, .emit = emit, .arg = arg};
  fn_arena_init(&w.arena);
  const fn_status status = walk_history(&w, t, id, err);
  fn_arena_deinit(&w.arena);
  free(w.sets);
  return status;
}

/* ---- a run by what a person calls it ---- */

enum { MAX_CANDIDATES = 5 };

typedef struct finding {
  char ids[MAX_CANDIDATES][FN_RUN_ID_LENGTH];
  size_t n;
  fn_buf names;
} finding;

static fn_status take_candidate(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  finding *f = arg;
  (void)err;
  if (n != 2 || f->n == MAX_CANDIDATES || v[0].bytes.length != FN_RUN_ID_LENGTH - 1) return FN_OK;
  for (size_t i = 0; i < f->n; i++)
    if (memcmp(f->ids[i], v[0].bytes.data, FN_RUN_ID_LENGTH - 1) == 0) return FN_OK; /* by its id and by its name */
  memcpy(f->ids[f->n], v[0].bytes.data, FN_RUN_ID_LENGTH - 1);
  f->ids[f->n++][FN_RUN_ID_LENGTH - 1] = '\0';
  fn_buf_printf(&f->names, "%s%.12s %.*s", f->n > 1 ? ", " : "", v[0].bytes.data,
                v[1].bytes.length > 60 ? 60 : (int)v[1].bytes.length, v[1].bytes.data);
  return FN_OK;
}

static bool is_hex(const char *text) {
  return text[strspn(text, "0123456789abcdef")] == '\0';
}

/* deleted: among hidden runs alone. The name of a run, the part of runs/<UTC time>-<name> that was given to the
 * training, or the folder. */
static fn_status find_by_name(finding *f, fn_tracking *t, const char *name, bool deleted, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int(deleted)};
  FN_TRY(fn_sql_query(t->sql,
                      "SELECT id, name FROM runs WHERE name = $1 AND deleted = $2 ORDER BY start_ms DESC LIMIT 5",
                      values, 2, take_candidate, f, err));
  if (f->n == 0)
    FN_TRY(fn_sql_query(t->sql,
                        "SELECT id, name FROM runs WHERE substr(name, 20, 2) = 'Z-' AND substr(name, 22) = $1 AND"
                        " deleted = $2 ORDER BY start_ms DESC LIMIT 5",
                        values, 2, take_candidate, f, err));
  if (f->n > 0 || !fn_path_exists(name)) return FN_OK;
  FN_AUTO_FREE char *folder = NULL;
  FN_TRY(fn_path_real(&folder, name, err));
  const fn_sql_value path[] = {fn_sql_text(folder), fn_sql_int(deleted)};
  return fn_sql_query(t->sql,
                      "SELECT id, name FROM runs WHERE folder = $1 AND deleted = $2 ORDER BY start_ms DESC LIMIT 1",
                      path, 2, take_candidate, f, err);
}

/* A name of digits may be the beginning of another run's id: both are candidates then, for which one is meant is not
 * known, and `runs rm --purge` takes what it is given. A whole id is that run. A hidden run answers to its name where
 * no other does: `runs rm --restore` is given what `runs rm` was. */
static fn_status find(finding *f, fn_tracking *t, const char *name, fn_err *err) {
  const fn_sql_value value = fn_sql_text(name);
  const fn_sql_value prefix[] = {value, fn_sql_int((int64_t)strlen(name))};
  if (strcmp(name, "latest") == 0)
    FN_TRY(fn_sql_query(t->sql,
                        "SELECT id, name FROM runs WHERE deleted = 0 ORDER BY start_ms DESC, number DESC LIMIT 1", NULL,
                        0, take_candidate, f, err));
  if (is_hex(name) && strlen(name) >= 4)
    FN_TRY(fn_sql_query(t->sql,
                        "SELECT id, name FROM runs WHERE substr(id, 1, CAST($2 AS INTEGER)) = $1 ORDER BY start_ms DESC"
                        " LIMIT 5",
                        prefix, 2, take_candidate, f, err));
  if (f->n == 0 || strlen(name) < FN_RUN_ID_LENGTH - 1) FN_TRY(find_by_name(f, t, name, false, err));
  return f->n == 0 ? find_by_name(f, t, name, true, err) : FN_OK;
}

fn_status fn_tracking_find(char id_out[FN_RUN_ID_LENGTH], fn_tracking *t, const char *name, fn_err *err) {
  finding f = {.n = 0};
  fn_buf_init(&f.names, 4096);
  fn_status status = find(&f, t, name, err);
  if (status == FN_OK && f.n == 0)
    status = fn_err_set(
        err, FN_E_NOT_FOUND,
        "no run \"%.100s\": accepted are an id or its first digits, a name, a run folder, or latest (which began last)",
        name);
  if (status == FN_OK && f.n > 1)
    status = fn_err_set(err, FN_E_INVALID, "\"%.100s\" fits several runs: %s%s; give more of the id", name,
                        f.names.data, f.n == MAX_CANDIDATES ? ", …" : "");
  if (status == FN_OK) memcpy(id_out, f.ids[0], FN_RUN_ID_LENGTH);
  fn_buf_deinit(&f.names);
  return status;
}
