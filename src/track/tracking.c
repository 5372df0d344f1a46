/* Schema, experiments, the life of a run. */
#include "track/tracking_internal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

const char *const fn_run_status_names[FN_N_RUN_STATUSES] = {"RUNNING", "SCHEDULED", "FINISHED",
                                                            "FAILED",  "KILLED",    "INTERRUPTED"};

void fn_run_id_make(char out[FN_RUN_ID_LENGTH], const unsigned char random[16]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < 16; i++) {
    out[2 * i] = digits[random[i] >> 4];
    out[2 * i + 1] = digits[random[i] & 15];
  }
  out[FN_RUN_ID_LENGTH - 1] = '\0';
}

bool fn_run_id_is_valid(const char *text) {
  return strlen(text) == FN_RUN_ID_LENGTH - 1 && strspn(text, "0123456789abcdef") == FN_RUN_ID_LENGTH - 1;
}

/* ---- schema ---- */

/* Runs have a number beside their id: 8 bytes in every row instead of 32. What a filter asks for stands in an index of
 * its own with the value in it (SQLite), so that ten thousand runs are a few hundred pages to read and not ten
 * thousand. `latest`, `lowest`, `highest`: NULL is NaN, ±1.797…e308 an infinity. A row of metric_steps is one step: the
 * doubles of the keys of key_set, little-endian; hash tells rows with the same numbers from others of the same moment.
 */
#define TABLES(number, clustered)                                                                                      \
  "CREATE TABLE experiments (id " number ", name TEXT NOT NULL UNIQUE, created_ms BIGINT NOT NULL);"                   \
  "INSERT INTO experiments (id, name, created_ms) VALUES (0, 'Default', 0);"                                           \
  "CREATE TABLE runs ("                                                                                                \
  " number " number ", id TEXT NOT NULL UNIQUE, parent TEXT NOT NULL, experiment BIGINT NOT NULL, name TEXT NOT NULL," \
  " author TEXT NOT NULL, folder TEXT NOT NULL, status BIGINT NOT NULL, start_ms BIGINT NOT NULL,"                     \
  " end_ms BIGINT NOT NULL, deleted BIGINT NOT NULL, host TEXT NOT NULL, space TEXT NOT NULL, pid BIGINT NOT NULL,"    \
  " started BIGINT NOT NULL, heard_ms BIGINT NOT NULL);"                                                               \
  "CREATE INDEX runs_start ON runs (start_ms, id);"                                                                    \
  "CREATE INDEX runs_status ON runs (status);"                                                                         \
  "CREATE TABLE params (run BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, "               \
  "key))" clustered ";"                                                                                                \
  "CREATE TABLE tags (run BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key))" clustered  \
  ";"                                                                                                                  \
  "CREATE TABLE metrics ("                                                                                             \
  " run BIGINT NOT NULL, key TEXT NOT NULL, latest DOUBLE PRECISION, latest_step BIGINT NOT NULL,"                     \
  " latest_ms BIGINT NOT NULL, lowest DOUBLE PRECISION, highest DOUBLE PRECISION, points BIGINT NOT NULL,"             \
  " PRIMARY KEY (run, key))" clustered ";"                                                                             \
  "CREATE TABLE metric_keys (run BIGINT NOT NULL, key_set BIGINT NOT NULL, keys TEXT NOT NULL,"                        \
  " PRIMARY KEY (run, key_set));"                                                                                      \
  "CREATE TABLE metric_steps ("                                                                                        \
  " run BIGINT NOT NULL, step BIGINT NOT NULL, time_ms BIGINT NOT NULL, key_set BIGINT NOT NULL, hash BIGINT NOT "     \
  "NULL,"                                                                                                              \
  " data BYTEA NOT NULL, PRIMARY KEY (run, step, time_ms, key_set, hash));"                                            \
  "CREATE TABLE artifacts (owner TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, n_bytes BIGINT NOT NULL,"    \
  " PRIMARY KEY (owner, path));"                                                                                       \
  "CREATE INDEX artifacts_content ON artifacts (sha256);"

/* Since version 2: a row for each setting of track.artifacts that files were put with; place 0: not known. */
#define PLACES(number)                                                                                                 \
  "CREATE TABLE places (id " number ", host TEXT NOT NULL, uri TEXT NOT NULL, UNIQUE (host, uri));"                    \
  "ALTER TABLE artifacts ADD COLUMN place BIGINT NOT NULL DEFAULT 0"

/* PostgreSQL has no room for a value of 6,000 bytes in an index, and keeps its pages in memory anyway. */
static const char *const steps_sqlite[] = {
    TABLES("INTEGER PRIMARY KEY", " WITHOUT ROWID") "CREATE INDEX params_key ON params (key, run, value);"
                                                    "CREATE INDEX tags_key ON tags (key, run, value);"
                                                    "CREATE INDEX metrics_key ON metrics (key, run, latest)",
    PLACES("INTEGER PRIMARY KEY"),
};
static const char *const steps_postgresql[] = {
    TABLES("BIGSERIAL PRIMARY KEY", "") "CREATE INDEX params_key ON params (key, run);"
                                        "CREATE INDEX tags_key ON tags (key, run);"
                                        "CREATE INDEX metrics_key ON metrics (key, run)",
    PLACES("BIGSERIAL PRIMARY KEY"),
};

/* ---- open, close ---- */

void fn_tracking_close(fn_tracking *t) {
  if (!t) return;
  fn_sql_close(t->sql);
  fn_store_close(t->store);
  fn_store_close(t->other);
  fn_arena_deinit(&t->texts);
  free(t->made);
  free(t->artifacts);
  free(t->folder);
  free(t);
}

/* The folder of a SQLite file that is to be made. */
static fn_status make_folder(const char *url, fn_err *err) {
  fn_sql_kind kind;
  if (!fn_sql_kind_of(&kind, url) || kind != FN_SQL_SQLITE) return FN_OK;
  const char *path = fn_sql_path(url);
  const char *slash = strrchr(path, '/');
  if (!slash || slash == path) return FN_OK;
  FN_AUTO_FREE char *folder = fn_str_dup(fn_str_make(path, (size_t)(slash - path)));
  return folder ? fn_dir_create(folder, err) : fn_err_no_memory(err, "a path");
}

/* None for what is no file, ":memory:". */
static void find_folder(fn_tracking *t, const char *url) {
  if (fn_path_real(&t->folder, fn_sql_path(url), NULL) != FN_OK) return;
  char *slash = strrchr(t->folder, '/');
  if (slash) *slash = '\0';
}

static fn_status open_database(fn_tracking *t, const fn_tracking_options *o, fn_err *err) {
  const fn_sql_options options = {.read_only = o->read_only,
                                  .busy_ms = o->busy_ms,
                                  .timeout_ms = o->timeout_ms,
                                  .go_on = o->go_on,
                                  .go_on_arg = o->go_on_arg};
  if (!o->read_only) FN_TRY(make_folder(o->url, err));
  const fn_status status = fn_sql_open(&t->sql, o->url, &options, err);
  if (status == FN_E_NOT_FOUND)
    return fn_err_set(
        err, status,
        "%s: no runs and no registry are kept here; give the command in the folder of the trainings, or name "
        "their database: track.url=PATH",
        o->url);
  FN_TRY(status);
  if (fn_sql_get_kind(t->sql) == FN_SQL_SQLITE) find_folder(t, o->url);
  enum { VERSION = FN_COUNT_OF(steps_sqlite) };
  t->schema = VERSION;
  if (o->read_only) { /* an older program's may stand where nothing can be changed */
    FN_TRY(fn_sql_schema(&t->schema, t->sql, "tracking", VERSION, err));
    if (t->schema > 0) return FN_OK;
  }
  return fn_sql_get_kind(t->sql) == FN_SQL_SQLITE
             ? fn_sql_migrate(t->sql, "tracking", steps_sqlite, VERSION, err)
             : fn_sql_migrate(t->sql, "tracking", steps_postgresql, FN_COUNT_OF(steps_postgresql), err);
}

fn_status fn_tracking_open(fn_tracking **tracking_out, const fn_tracking_options *options, fn_err *err) {
  fn_tracking *t = fn_mem_calloc(1, sizeof *t);
  if (!t) return fn_err_no_memory(err, "the store of runs");
  fn_arena_init(&t->texts);
  fn_process_self(&t->self);
  t->clock = fn_run_clock_make(0);
  t->read_only = options->read_only;
  t->store_options = options->store;
  t->artifacts = fn_str_dup(fn_str_from(options->artifacts));
  const fn_status status = t->artifacts ? open_database(t, options, err) : fn_err_no_memory(err, "a path");
  if (status != FN_OK) {
    fn_tracking_close(t);
    return status;
  }
  *tracking_out = t;
  return FN_OK;
}

fn_sql *fn_tracking_sql(fn_tracking *tracking) {
  return tracking->sql;
}

fn_status fn_tracking_text(const char **text_out, fn_tracking *t, fn_str text, fn_err *err) {
  const fn_hash128 hash = fn_hash_bytes(text.data, text.length);
  for (size_t i = 0; i < t->n_made; i++)
    if (t->made[i].hash.high == hash.high && t->made[i].hash.low == hash.low) return *text_out = t->made[i].text, FN_OK;
  void *list = t->made;
  FN_TRY(fn_mem_grow(&list, &t->made_capacity, t->n_made + 1, sizeof *t->made, 100000, "statements", err));
  t->made = list;
  const char *copy = fn_arena_strndup(&t->texts, text.data, text.length);
  if (!copy) return fn_err_no_memory(err, "a statement");
  t->made[t->n_made].hash = hash;
  t->made[t->n_made++].text = copy;
  *text_out = copy;
  return FN_OK;
}

fn_status fn_tracking_transact(fn_tracking *t, fn_track_body body, void *arg, fn_err *err) {
  FN_TRY(fn_sql_begin(t->sql, err));
  fn_status status = body(t, arg, err);
  if (status == FN_OK) status = fn_sql_commit(t->sql, err);
  fn_sql_rollback(t->sql);
  return status;
}

static fn_status change_nothing(fn_tracking *t, void *arg, fn_err *err) {
  (void)arg;
  return fn_sql_run(t->sql, "UPDATE experiments SET name = name WHERE id = -1", NULL, 0, NULL, err);
}

fn_status fn_tracking_check_writable(fn_tracking *t, fn_err *err) {
  return fn_tracking_transact(t, change_nothing, NULL, err);
}

fn_sql_value fn_track_number(double value) {
  if (isinf(value)) return fn_sql_double(value > 0 ? DBL_MAX : -DBL_MAX);
  return isnan(value) ? fn_sql_null() : fn_sql_double(value);
}

double fn_track_number_read(const fn_sql_value *value) {
  if (value->type == FN_SQL_INT) return (double)value->integer;
  if (value->type != FN_SQL_DOUBLE) return (double)NAN;
  if (value->real >= DBL_MAX) return (double)INFINITY;
  return value->real <= -DBL_MAX ? -(double)INFINITY : value->real;
}

static bool is_key_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_/.- :", c) ||
         (unsigned char)c >= 0x80;
}

fn_status fn_track_check_key(const char *key, const char *what, fn_err *err) {
  const size_t n = strlen(key);
  if (n == 0 || n > FN_TRACK_MAX_KEY)
    return fn_err_set(err, FN_E_INVALID, "%s: the name has %zu bytes; 1 to %d are accepted", what, n, FN_TRACK_MAX_KEY);
  for (size_t i = 0; i < n; i++)
    if (!is_key_char(key[i]))
      return fn_err_set(err, FN_E_INVALID,
                        "%s \"%.100s\": byte %zu; letters, digits, _ - . : / and spaces are accepted", what, key,
                        i + 1);
  if (!fn_utf8_valid(fn_str_make(key, n), NULL)) return fn_err_set(err, FN_E_INVALID, "%s: not UTF-8", what);
  for (const char *part = key;; part += strcspn(part, "/") + 1) {
    const size_t length = strcspn(part, "/");
    if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
      return fn_err_set(err, FN_E_INVALID, "%s \"%.100s\": no part between / may be empty, \".\" or \"..\"", what, key);
    if (part[length] == '\0') return FN_OK;
  }
}

/* ---- experiments ---- */

fn_status fn_track_check_experiment(const char *name, fn_err *err) {
  const size_t length = strlen(name);
  bool fine = length > 0 && length <= 500 && fn_utf8_valid(fn_str_from(name), NULL);
  for (const char *p = name; fine && *p; p++) fine = (unsigned char)*p >= 0x20 && *p != 0x7f;
  return fine ? FN_OK
              : fn_err_set(err, FN_E_INVALID,
                           "the name of an experiment has 1 to 500 bytes of UTF-8 without control characters");
}

fn_status fn_tracking_experiment(int64_t *id_out, fn_tracking *t, const char *name, bool create, fn_err *err) {
  static const char select[] = "SELECT id FROM experiments WHERE name = $1";
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int(fn_clock_unix_ms())};
  int64_t id = -1;
  FN_TRY(fn_track_check_experiment(name, err));
  FN_TRY(fn_sql_query(t->sql, select, values, 1, fn_sql_take_int, &id, err));
  if (id < 0 && create) {
    FN_TRY(fn_sql_run(t->sql,
                      "INSERT INTO experiments (name, created_ms) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
                      values, 2, NULL, err));
    FN_TRY(fn_sql_query(t->sql, select, values, 1, fn_sql_take_int, &id, err));
  }
  if (id < 0) return fn_err_set(err, FN_E_NOT_FOUND, "no experiment \"%.200s\"", name);
  *id_out = id;
  return FN_OK;
}

/* ---- the life of a run ---- */

static fn_status take_row(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  (void)err;
  if (n == 3) *(fn_run_row *)arg = (fn_run_row){v[0].integer, v[1].integer, v[2].integer != 0};
  return FN_OK;
}

fn_status fn_tracking_row(fn_run_row *row_out, fn_tracking *t, const char *id, fn_err *err) {
  const fn_sql_value value = fn_sql_text(id);
  fn_run_row row = {.number = -1};
  FN_TRY(
      fn_sql_query(t->sql, "SELECT number, status, deleted FROM runs WHERE id = $1", &value, 1, take_row, &row, err));
  if (row.number < 0) return fn_err_set(err, FN_E_NOT_FOUND, "no run %.40s", id);
  *row_out = row;
  return FN_OK;
}

fn_status fn_tracking_row_active(fn_run_row *row_out, fn_tracking *t, const char *id, fn_err *err) {
  fn_run_row row = {.number = -1};
  FN_TRY(fn_tracking_row(&row, t, id, err));
  if (row.deleted) return fn_err_set(err, FN_E_INVALID, "run %.40s is deleted; it takes nothing more", id);
  *row_out = row;
  return FN_OK;
}

/* The time by which a run is heard of: the server's, which all machines share, where there is one. */
static fn_status store_now(int64_t *now_out, fn_tracking *t, fn_err *err) {
  *now_out = fn_clock_unix_ms();
  if (fn_sql_get_kind(t->sql) == FN_SQL_SQLITE) return FN_OK;
  return fn_sql_query(t->sql, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)", NULL, 0,
                      fn_sql_take_int, now_out, err);
}

static fn_status begin_run(fn_tracking *t, void *arg, fn_err *err) {
  const fn_run_info *run = arg;
  int64_t now = 0;
  FN_TRY(store_now(&now, t, err));
  const fn_sql_value values[] = {fn_sql_text(run->id),
                                 fn_sql_text(run->parent),
                                 fn_sql_int(run->experiment),
                                 fn_sql_text(run->name),
                                 fn_sql_text(run->user),
                                 fn_sql_text(run->folder),
                                 fn_sql_int(FN_RUN_RUNNING),
                                 fn_sql_int(run->start_ms),
                                 fn_sql_int(0),
                                 fn_sql_text(t->self.host),
                                 fn_sql_text(t->self.space),
                                 fn_sql_int(t->self.pid),
                                 fn_sql_int(t->self.started),
                                 fn_sql_int(now)};
  int64_t n = 0;
  FN_TRY(fn_sql_run(t->sql,
                    "INSERT INTO runs (id, parent, experiment, name, author, folder, status, start_ms, end_ms, deleted,"
                    " host, space, pid, started, heard_ms)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12, $13, $14)"
                    " ON CONFLICT (id) DO NOTHING",
                    values, FN_COUNT_OF(values), &n, err));
  if (n == 1) return FN_OK;
  fn_run_row row;
  FN_TRY(fn_tracking_row_active(&row, t, run->id, err));
  const fn_sql_value again[] = {values[0],  values[5],  values[6],  values[8], values[9],
                                values[10], values[11], values[12], values[13]};
  return fn_sql_run(t->sql,
                    "UPDATE runs SET folder = $2, status = $3, end_ms = $4, host = $5, space = $6, pid = $7,"
                    " started = $8, heard_ms = $9 WHERE id = $1",
                    again, FN_COUNT_OF(again), NULL, err);
}

fn_status fn_tracking_run_begin(fn_tracking *t, const fn_run_info *run, fn_err *err) {
  fn_run_info r = *run;
  if (!fn_run_id_is_valid(run->id) || (run->parent[0] && !fn_run_id_is_valid(run->parent)))
    return fn_err_set(err, FN_E_INVALID, "the id of a run has 32 lower-case hexadecimal digits");
  if (!r.name) r.name = "";
  if (!r.user) r.user = "";
  if (!r.folder) r.folder = "";
  if (r.experiment_name && *r.experiment_name)
    FN_TRY(fn_tracking_experiment(&r.experiment, t, r.experiment_name, true, err));
  return fn_tracking_transact(t, begin_run, &r, err);
}

/* The clock of a machine may be set back between the start of a run and what is known of its end. */
#define NOT_BEFORE(end) "CASE WHEN start_ms > " end " THEN start_ms ELSE " end " END"

fn_status fn_tracking_run_end(fn_tracking *t, const char *id, fn_run_status status, int64_t end_ms, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(id), fn_sql_int(status), fn_sql_int(end_ms)};
  int64_t n = 0;
  FN_TRY(fn_sql_run(t->sql, "UPDATE runs SET status = $2, end_ms = " NOT_BEFORE("$3") " WHERE id = $1", values, 3, &n,
                    err));
  return n ? FN_OK : fn_err_set(err, FN_E_NOT_FOUND, "no run %.40s", id);
}

fn_status fn_tracking_beat(fn_tracking *t, const char *id, fn_err *err) {
  int64_t now = 0;
  FN_TRY(store_now(&now, t, err));
  /* Of our own clock the later: neither one set back nor one that was wrong at the start makes the run look silent. */
  const int64_t counted = fn_run_clock_ms(&t->clock);
  if (fn_sql_get_kind(t->sql) == FN_SQL_SQLITE && counted > now) now = counted;
  const fn_sql_value values[] = {fn_sql_text(id), fn_sql_int(now), fn_sql_int(FN_RUN_RUNNING),
                                 fn_sql_int(FN_RUN_INTERRUPTED)};
  /* Somebody on another machine may have taken the run for dead: it is not. */
  return fn_sql_run(t->sql,
                    "UPDATE runs SET heard_ms = $2, end_ms = CASE WHEN status = $4 THEN 0 ELSE end_ms END,"
                    " status = CASE WHEN status = $4 THEN $3 ELSE status END WHERE id = $1",
                    values, 4, NULL, err);
}

/* ---- runs whose process is gone ---- */

enum { MAX_REAPED = 256 }; /* at once */

typedef struct reaping {
  const fn_process *self;
  int64_t now, numbers[MAX_REAPED], heard[MAX_REAPED];
  size_t n, max;
} reaping;

static void copy_text(char *out, size_t size, fn_str text) {
  const size_t n = text.length < size ? text.length : size - 1;
  if (n) memcpy(out, text.data, n);
  out[n] = '\0';
}

static fn_status look_at(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  reaping *r = arg;
  fn_process process = {.pid = v[3].integer, .started = v[4].integer};
  (void)err;
  if (n != 6 || r->n == r->max) return FN_OK;
  copy_text(process.host, sizeof process.host, v[1].bytes);
  copy_text(process.space, sizeof process.space, v[2].bytes);
  const fn_process_life life = fn_process_look(&process, r->self);
  if (life == FN_PROCESS_ALIVE) return FN_OK;
  if (life == FN_PROCESS_ELSEWHERE && r->now - v[5].integer < FN_TRACK_STALE_MS) return FN_OK;
  r->numbers[r->n] = v[0].integer;
  r->heard[r->n++] = v[5].integer;
  return FN_OK;
}

/* Those that were found are dead by what was heard of them; one that was heard of meanwhile is not. */
static fn_status end_dead(size_t *n_ended, fn_tracking *t, const reaping *r, fn_err *err) {
  enum { N = 4 };
  fn_sql_value values[MAX_REAPED * N];
  int64_t changed[MAX_REAPED];
  *n_ended = 0;
  if (r->n == 0) return FN_OK;
  for (size_t i = 0; i < r->n; i++) {
    const fn_sql_value row[N] = {fn_sql_int(r->numbers[i]), fn_sql_int(r->heard[i]), fn_sql_int(FN_RUN_INTERRUPTED),
                                 fn_sql_int(FN_RUN_RUNNING)};
    memcpy(values + i * N, row, sizeof row);
  }
  FN_TRY(fn_sql_run_many(
      t->sql,
      "UPDATE runs SET status = $3, end_ms = " NOT_BEFORE("$2") " WHERE number = $1 AND status = $4 AND heard_ms = $2",
      values, N, r->n, changed, err));
  for (size_t i = 0; i < r->n; i++) *n_ended += changed[i] > 0;
  return FN_OK;
}

fn_status fn_tracking_reap(int64_t *gone_out, size_t *n_out, size_t max, fn_tracking *t, fn_err *err) {
  const fn_sql_value running = fn_sql_int(FN_RUN_RUNNING);
  int64_t now = 0;
  *n_out = 0;
  FN_TRY(store_now(&now, t, err));
  for (size_t n_ended = MAX_REAPED; n_ended == MAX_REAPED;) {
    reaping r = {.self = &t->self, .now = now, .max = t->read_only && max < MAX_REAPED ? max : MAX_REAPED};
    FN_TRY(fn_sql_query(t->sql,
                        "SELECT number, host, space, pid, started, heard_ms FROM runs WHERE status = $1 ORDER BY number"
                        " LIMIT 10000",
                        &running, 1, look_at, &r, err));
    if (t->read_only) {
      memcpy(gone_out, r.numbers, r.n * sizeof *r.numbers);
      *n_out = r.n;
      return FN_OK;
    }
    FN_TRY(end_dead(&n_ended, t, &r, err));
  }
  return FN_OK;
}
