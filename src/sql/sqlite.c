/* SQLite: WAL, so that readers never wait for the writer; synchronous=FULL, so that a commit is on the disk. */
#include "sql/driver.h"
#include "sql/libraries.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct prepared {
  const char *text; /* by address */
  sqlite3_stmt *statement;
  int index[FN_SQL_MAX_VALUES]; /* of $1 …: SQLite numbers them by their first appearance */
} prepared;

typedef struct connection {
  const fn_sqlite *lib;
  sqlite3 *db;
  char where[300];
  char *path;
  struct stat file; /* what was opened; st_ino 0: no file */
  bool immutable;   /* read without locks, since none can be made: see open_immutable */
  prepared list[FN_SQL_MAX_PREPARED];
  size_t n;
} connection;

/* What of SQLite's codes may pass by itself: locks, space, the disk. */
static fn_status status_of(int code) {
  switch (code & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
  case SQLITE_FULL:
  case SQLITE_IOERR:
  case SQLITE_CANTOPEN:
  case SQLITE_READONLY:
  case SQLITE_PROTOCOL: return FN_E_IO;
  case SQLITE_NOMEM: return FN_E_NO_MEMORY;
  case SQLITE_NOTADB:
  case SQLITE_CONSTRAINT:
  case SQLITE_TOOBIG:
  case SQLITE_MISMATCH: return FN_E_INVALID;
  default: return FN_E_INTERNAL;
  }
}

/* Why the folder of a file takes no others, as an errno; 0: it does. SQLite makes files beside a database, even to read
 * it. */
static int why_closed(const char *path) {
  FN_AUTO_FREE char *folder = fn_str_dup(fn_str_make(path, (size_t)(fn_path_base(path) - path)));
  return folder && access(*folder ? folder : ".", W_OK) != 0 ? errno : 0;
}

static fn_status fail(const connection *c, int code, fn_err *err) {
  const char *text = c->db ? c->lib->errmsg(c->db) : c->lib->errstr(code);
  const int kind = code & 0xff;
  int why = 0;
  if ((kind == SQLITE_CANTOPEN || kind == SQLITE_READONLY) && fn_path_exists(c->path))
    why = access(c->path, W_OK) != 0 ? errno : why_closed(c->path);
  if (fn_path_is_dir(c->path))
    return fn_err_set(err, FN_E_INVALID, "%s: a folder; the name of a database is accepted", c->where);
  if (why != 0 && access(c->path, R_OK) != 0)
    return fn_err_set(err, FN_E_IO, "%s: cannot be read: this user may not (SQLite: %s)", c->where, text);
  if (code == SQLITE_IOERR_SHMSIZE) /* also to read */
    return fn_err_set(err, FN_E_IO, "%s: the disk is full: no index of its log can be made beside it (SQLite: %s)",
                      c->where, text);
  if (why == 0) return fn_err_set(err, status_of(code), "%s: SQLite: %s (%d)", c->where, text, code);
  return fn_err_set(err, FN_E_IO, "%s: cannot be changed: %s (SQLite: %s)", c->where,
                    why == EROFS ? "the file system is read-only" : "this user may not write the file or its folder",
                    text);
}

static fn_status script(void *handle, const char *text, fn_err *err) {
  const connection *c = handle;
  const int code = c->lib->exec(c->db, text, NULL, NULL, NULL);
  return code == SQLITE_OK ? FN_OK : fail(c, code, err);
}

static void close_connection(void *handle) {
  connection *c = handle;
  for (size_t i = 0; i < c->n; i++) c->lib->finalize(c->list[i].statement);
  if (c->db) c->lib->close_v2(c->db);
  free(c->path);
  free(c);
}

/* Turning WAL on takes the file alone, and SQLite then may say "busy" without having waited: others that do the same at
 * this moment are soon done. */
static fn_status set_wal(connection *c, int64_t busy_ms, fn_err *err) {
  for (int64_t waited_ms = 0;; waited_ms += 10) {
    const int code = c->lib->exec(c->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
    if (code == SQLITE_OK) return FN_OK;
    if ((code & 0xff) != SQLITE_BUSY || waited_ms >= busy_ms) return fail(c, code, err);
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
}

static fn_status set_up(connection *c, const fn_sql_options *options, fn_err *err) {
  c->lib->extended_result_codes(c->db, 1);
  c->lib->busy_timeout(c->db, (int)options->busy_ms);
  if (options->read_only) return FN_OK;
  FN_TRY(set_wal(c, options->busy_ms, err));
  return script(c, "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA journal_size_limit=67108864", err);
}

static bool is_in_place(const void *handle) {
  const connection *c = handle;
  struct stat file;
  return c->file.st_ino == 0 ||
         (stat(c->path, &file) == 0 && file.st_dev == c->file.st_dev && file.st_ino == c->file.st_ino);
}

/* A new database is its owner's alone: it holds what people sent. SQLite gives its other files the same mode. Nothing
 * that exists is opened, since closing a descriptor drops the locks that this process has on the file. */
static void make_private(const char *path) {
  if (*path == ':') return; /* :memory: */
  const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) close(fd); /* what goes wrong SQLite says better */
}

static fn_status open_file(connection *c, const char *name, int mode, fn_err *err) {
  const int code = c->lib->open_v2(name, &c->db, mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
  return code == SQLITE_OK ? FN_OK : fail(c, code, err);
}

/* Changes that stand in the log and not yet in the file. */
static bool has_log(const connection *c) {
  struct stat log;
  FN_AUTO_BUF fn_buf name;
  fn_buf_init(&name, strlen(c->path) + 8);
  fn_buf_printf(&name, "%s-wal", c->path);
  return fn_buf_check(&name, "a path", NULL) != FN_OK || (stat(name.data, &log) == 0 && log.st_size > 0);
}

/* Whether what is read without locks is still what was opened: a user who may write could have begun to. */
static fn_status check_still(const connection *c, fn_err *err) {
  struct stat now;
  if (!c->immutable ||
      (stat(c->path, &now) == 0 && now.st_size == c->file.st_size && now.st_ino == c->file.st_ino &&
       now.st_mtim.tv_sec == c->file.st_mtim.tv_sec && now.st_mtim.tv_nsec == c->file.st_mtim.tv_nsec && !has_log(c)))
    return FN_OK;
  return fn_err_set(err, FN_E_IO, "%s: was changed while it was read; ask again", c->where);
}

/* A read-only file system, an image, a snapshot: the index of the log cannot be made there, and SQLite then reads
 * nothing. Without a log the file alone is whole, and "immutable" reads it as it stands. */
static fn_status open_immutable(connection *c, fn_err *err) {
  FN_AUTO_BUF fn_buf name;
  fn_buf_init(&name, 3 * strlen(c->path) + 32);
  const int code = c->lib->exec(c->db, "SELECT 1 FROM sqlite_master LIMIT 1", NULL, NULL, NULL);
  if ((code & 0xff) != SQLITE_CANTOPEN && (code & 0xff) != SQLITE_READONLY) return FN_OK;
  if (has_log(c))
    return fn_err_set(
        err, FN_E_IO,
        "%s: its folder may not be written, and %s-wal holds changes that SQLite cannot read without: copy "
        "the folder to where it may be written, or let whoever wrote it end",
        c->where, c->path);
  fn_buf_append_str(&name, "file:");
  for (const char *p = c->path; *p; p++)
    fn_buf_printf(&name, strchr("?#%", *p) ? "%%%02X" : "%c", (unsigned)(unsigned char)*p);
  fn_buf_append_str(&name, "?immutable=1");
  FN_TRY(fn_buf_check(&name, "a path", err));
  c->lib->close_v2(c->db);
  c->db = NULL;
  c->immutable = true;
  return open_file(c, name.data, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
}

static fn_status open_path(connection *c, const fn_sql_options *options, fn_err *err) {
  if (*c->path == 0) return fn_err_set(err, FN_E_INVALID, "sqlite: needs a path after it");
  if (options->read_only && !fn_path_exists(c->path))
    return fn_err_set(err, FN_E_NOT_FOUND, "%s: no such file", c->path);
  if (!options->read_only) make_private(c->path);
  /* One thread at a time uses it: no mutexes inside. */
  FN_TRY(open_file(c, c->path, options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                   err));
  if (stat(c->path, &c->file) != 0) c->file.st_ino = 0; /* ":memory:" */
  if (options->read_only && why_closed(c->path) != 0) FN_TRY(open_immutable(c, err));
  return set_up(c, options, err);
}

static fn_status open_connection(void **handle_out, const char *url, const char *where, const fn_sql_options *options,
                                 fn_err *err) {
  connection *c = fn_mem_calloc(1, sizeof *c);
  if (!c) return fn_err_no_memory(err, "a database connection");
  snprintf(c->where, sizeof c->where, "%s", where);
  c->path = fn_str_dup(fn_str_from(fn_sql_path(url)));
  fn_status status = c->path ? fn_sqlite_get(&c->lib, err) : fn_err_no_memory(err, "a database connection");
  if (status == FN_OK) status = open_path(c, options, err);
  if (status != FN_OK) {
    close_connection(c);
    return status;
  }
  *handle_out = c;
  return FN_OK;
}

static fn_status find_indices(prepared *p, const connection *c, fn_err *err) {
  const int n = c->lib->bind_parameter_count(p->statement);
  if (n > (int)FN_COUNT_OF(p->index))
    return fn_err_set(err, FN_E_LIMIT, "a statement has over %d values", (int)FN_SQL_MAX_VALUES);
  for (int i = 0; i < (int)FN_COUNT_OF(p->index); i++) {
    char name[16];
    snprintf(name, sizeof name, "$%d", i + 1);
    p->index[i] = i < n ? c->lib->bind_parameter_index(p->statement, name) : 0;
  }
  return FN_OK;
}

static fn_status prepare(const prepared **out, connection *c, const char *text, fn_err *err) {
  for (size_t i = 0; i < c->n; i++)
    if (c->list[i].text == text) return *out = &c->list[i], FN_OK;
  if (c->n == FN_SQL_MAX_PREPARED) /* whoever has so many is slow, not wrong */
    c->lib->finalize(c->list[--c->n].statement);
  prepared *p = &c->list[c->n];
  const int code = c->lib->prepare_v3(c->db, text, -1, SQLITE_PREPARE_PERSISTENT, &p->statement, NULL);
  if (code != SQLITE_OK) return fail(c, code, err);
  const fn_status status = find_indices(p, c, err);
  if (status != FN_OK) {
    c->lib->finalize(p->statement);
    return status;
  }
  p->text = text;
  c->n++;
  *out = p;
  return FN_OK;
}

static int bind_one(const connection *c, sqlite3_stmt *s, int at, const fn_sql_value *v) {
  const char *data = v->bytes.data ? v->bytes.data : "";
  switch (v->type) {
  case FN_SQL_INT: return c->lib->bind_int64(s, at, v->integer);
  case FN_SQL_DOUBLE: return isfinite(v->real) ? c->lib->bind_double(s, at, v->real) : c->lib->bind_null(s, at);
  case FN_SQL_TEXT: return c->lib->bind_text64(s, at, data, v->bytes.length, NULL, SQLITE_UTF8);
  case FN_SQL_BLOB: return c->lib->bind_blob64(s, at, data, v->bytes.length, NULL);
  case FN_SQL_NULL: break;
  }
  return c->lib->bind_null(s, at);
}

static fn_status bind(const connection *c, const prepared *p, const fn_sql_value *values, size_t n, fn_err *err) {
  for (size_t i = 0; i < n; i++) {
    if (i >= FN_COUNT_OF(p->index) || p->index[i] == 0)
      return fn_err_set(err, FN_E_INVALID, "%s: value %zu has no place in: %.200s", c->where, i + 1, p->text);
    const int code = bind_one(c, p->statement, p->index[i], &values[i]);
    if (code != SQLITE_OK) return fail(c, code, err);
  }
  return FN_OK;
}

static fn_sql_value value_of(const connection *c, sqlite3_stmt *s, int i) {
  switch (c->lib->column_type(s, i)) {
  case SQLITE_INTEGER: return fn_sql_int(c->lib->column_int64(s, i));
  case SQLITE_FLOAT: return fn_sql_double(c->lib->column_double(s, i));
  case SQLITE_TEXT: {
    const char *text = (const char *)c->lib->column_text(s, i);
    return fn_sql_str(fn_str_make(text, (size_t)c->lib->column_bytes(s, i)));
  }
  case SQLITE_BLOB: {
    const void *data = c->lib->column_blob(s, i);
    return fn_sql_blob(data, (size_t)c->lib->column_bytes(s, i));
  }
  default: return fn_sql_null();
  }
}

static fn_status give_row(const connection *c, sqlite3_stmt *s, fn_sql_row row, void *arg, fn_err *err) {
  fn_sql_value values[FN_SQL_MAX_COLUMNS];
  const int n = c->lib->column_count(s);
  if (n > (int)FN_COUNT_OF(values))
    return fn_err_set(err, FN_E_INVALID, "an answer has over %d columns", (int)FN_SQL_MAX_COLUMNS);
  for (int i = 0; i < n; i++) values[i] = value_of(c, s, i);
  return row ? row(arg, values, (size_t)n, err) : FN_OK;
}

/* All of one statement; reset at the end, so that no lock stays. */
static fn_status step_all(const connection *c, const prepared *p, fn_sql_row row, void *arg, fn_err *err) {
  fn_status status = FN_OK;
  for (;;) {
    const int code = c->lib->step(p->statement);
    if (code == SQLITE_DONE) break;
    status = code == SQLITE_ROW ? give_row(c, p->statement, row, arg, err) : fail(c, code, err);
    if (status != FN_OK) break;
  }
  c->lib->reset(p->statement);
  c->lib->clear_bindings(p->statement);
  return status;
}

static fn_status query(void *handle, const char *text, const fn_sql_value *values, size_t n, fn_sql_row row, void *arg,
                       fn_err *err) {
  connection *c = handle;
  const prepared *p = NULL;
  FN_TRY(prepare(&p, c, text, err));
  FN_TRY(bind(c, p, values, n, err));
  FN_TRY(step_all(c, p, row, arg, err));
  return check_still(c, err);
}

static fn_status run(void *handle, const char *text, const fn_sql_value *values, size_t n, int64_t *n_changed_out,
                     fn_err *err) {
  const connection *c = handle;
  FN_TRY(query(handle, text, values, n, NULL, NULL, err));
  if (n_changed_out) *n_changed_out = c->lib->changes64(c->db);
  return FN_OK;
}

static fn_status run_many(void *handle, const char *text, const fn_sql_value *values, size_t n, size_t n_rows,
                          int64_t *n_changed_out, fn_err *err) {
  for (size_t i = 0; i < n_rows; i++)
    FN_TRY(run(handle, text, values + i * n, n, n_changed_out ? &n_changed_out[i] : NULL, err));
  return FN_OK;
}

static fn_status begin(void *handle, fn_err *err) {
  return run(handle, "BEGIN IMMEDIATE", NULL, 0, NULL, err);
}
/* Rows in a file that was unlinked meanwhile are gone with it: looked at afterwards too. */
static fn_status commit(void *handle, fn_err *err) {
  const connection *c = handle;
  bool in_place = is_in_place(c);
  if (in_place) {
    FN_TRY(run(handle, "COMMIT", NULL, 0, NULL, err));
    in_place = is_in_place(c);
  }
  return in_place ? FN_OK : fn_err_set(err, FN_E_IO, "%s: the file was removed or replaced", c->where);
}
static void rollback(void *handle) {
  const connection *c = handle;
  /* A full disk or an I/O error may have rolled back already. */
  if (!c->lib->get_autocommit(c->db)) (void)script(handle, "ROLLBACK", NULL);
}

const fn_sql_driver fn_sql_sqlite = {
    .kind = FN_SQL_SQLITE,
    .open = open_connection,
    .close = close_connection,
    .run = run,
    .run_many = run_many,
    .query = query,
    .script = script,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .in_place = is_in_place,
};
