/* PostgreSQL through libpq. Integers and doubles travel as decimal text, so that the server finds the type by the
 * place; texts and bytes travel as they are. */
#include "sql/driver.h"
#include "sql/libraries.h"

#include <math.h>
#include <poll.h>
#include <stdlib.h>

enum {
  CHUNK = 128,     /* rows sent before answers are read: both sides' buffers hold so many */
  SLICE_MS = 100,  /* between two looks at whether to go on */
  GRACE_MS = 1000, /* the server's own limit ends a statement first, with a better message */
  OID_BOOL = 16,
  OID_BYTEA = 17,
  OID_INT8 = 20,
  OID_INT2 = 21,
  OID_INT4 = 23,
  OID_FLOAT4 = 700,
  OID_FLOAT8 = 701,
};

typedef struct connection {
  const fn_pq *lib;
  PGconn *db; /* NULL: not connected */
  char *url, where[300];
  fn_sql_options options;
  bool in_transaction;
  bool silent;          /* the connection was broken because no answer came: nothing is tried again at once */
  uint64_t deadline_ns; /* of the statement that runs */
  const char *prepared[FN_SQL_MAX_PREPARED]; /* by address; statement i is called "s<i>" */
  size_t n_prepared;
} connection;

/* Values of one statement in libpq's form. */
typedef struct parameters {
  const char *values[FN_SQL_MAX_VALUES];
  int lengths[FN_SQL_MAX_VALUES], formats[FN_SQL_MAX_VALUES];
  char numbers[FN_SQL_MAX_VALUES][32];
} parameters;

static void ignore_notice(void *arg, const char *message) {
  (void)arg;
  (void)message;
}

static bool is_broken(const connection *c) {
  return !c->db || c->lib->status(c->db) != CONNECTION_OK;
}

/* libpq's texts have several lines. */
typedef struct one_line {
  char text[700];
} one_line;

static one_line one_line_of(const char *message) {
  one_line out = {""};
  size_t n = 0;
  for (const char *p = message; *p && n + 1 < sizeof out.text; p++) {
    const bool is_space = strchr(" \t\r\n", *p) != NULL;
    if (!is_space)
      out.text[n++] = *p;
    else if (n > 0 && p[1] && !strchr(" \t\r\n", p[1]))
      out.text[n++] = ' ';
  }
  return out;
}

static fn_status fail_connection(const connection *c, fn_err *err) {
  const one_line message = one_line_of(c->db ? c->lib->errorMessage(c->db) : "not connected");
  return fn_err_set(err, FN_E_IO, "%s: PostgreSQL: %s", c->where, message.text);
}

/* By SQLSTATE: what may pass is FN_E_IO (also a right that the role lacks, and may be granted); values that are refused
 * (data exceptions, constraints) FN_E_INVALID.
 */
static fn_status status_of(const char *state) {
  static const char *const passing[] = {"08", "40", "53", "57", "58", "25006", "42501", "55P03"};
  if (!state) return FN_E_IO;
  for (size_t i = 0; i < FN_COUNT_OF(passing); i++)
    if (strncmp(state, passing[i], strlen(passing[i])) == 0) return FN_E_IO;
  return strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ? FN_E_INVALID : FN_E_INTERNAL;
}

static fn_status fail_result(const connection *c, const PGresult *r, fn_err *err) {
  if (!r || is_broken(c)) return fail_connection(c, err);
  const char *state = c->lib->resultErrorField(r, PG_DIAG_SQLSTATE);
  const char *primary = c->lib->resultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
  const char *detail = c->lib->resultErrorField(r, PG_DIAG_MESSAGE_DETAIL);
  /* Without the place in the statement, which is the program's own. */
  const one_line message = one_line_of(primary ? primary : c->lib->resultErrorMessage(r));
  const one_line more = one_line_of(detail ? detail : "");
  return fn_err_set(err, status_of(state), "%s: PostgreSQL: %s%s%s", c->where, message.text, *more.text ? ": " : "",
                    more.text);
}

static bool is_done(const connection *c, const PGresult *r) {
  const ExecStatusType s = c->lib->resultStatus(r);
  return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK;
}

/* ---- answers, never waited for longer than a statement may take ---- */

static bool goes_on(const connection *c) {
  return !c->options.go_on || c->options.go_on(c->options.go_on_arg);
}

static void start_clock(connection *c) {
  c->silent = false;
  c->deadline_ns = fn_clock_ns() + (uint64_t)(c->options.timeout_ms + GRACE_MS) * 1000000ull;
}

/* What runs on the server is not known any more. A transaction stays one, so that its rest is not done alone. */
static fn_status break_off(connection *c, fn_err *err) {
  c->lib->finish(c->db);
  c->db = NULL;
  c->n_prepared = 0;
  c->silent = true;
  return fn_err_set(err, FN_E_IO, "%s: PostgreSQL: the server does not answer; the connection was given up", c->where);
}

/* Until an answer, or that there is none, can be taken without waiting. */
static fn_status await(connection *c, fn_err *err) {
  for (;;) {
    const int unsent = c->lib->flush(c->db);
    if (unsent < 0) return fail_connection(c, err);
    if (!c->lib->isBusy(c->db)) return FN_OK;
    const uint64_t now = fn_clock_ns();
    if (now >= c->deadline_ns || !goes_on(c)) return break_off(c, err);
    const uint64_t left_ms = (c->deadline_ns - now) / 1000000 + 1;
    struct pollfd fd = {.fd = c->lib->socket(c->db), .events = (short)(POLLIN | (unsent ? POLLOUT : 0))};
    if (fd.fd < 0) return FN_OK; /* the answer is that it broke */
    poll(&fd, 1, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS);
    if ((fd.revents & ~POLLOUT) && !c->lib->consumeInput(c->db)) return FN_OK;
  }
}

static fn_status next_answer(PGresult **out, connection *c, fn_err *err) {
  FN_TRY(await(c, err));
  *out = c->lib->getResult(c->db);
  return FN_OK;
}

/* All answers to what was sent: the last one, or the first that is a failure. To be cleared; NULL: the connection
 * broke. */
static fn_status collect(PGresult **out, connection *c, int sent, fn_err *err) {
  PGresult *kept = NULL;
  *out = NULL;
  if (sent != 1) return fail_connection(c, err);
  for (PGresult *r = NULL;;) {
    const fn_status status = next_answer(&r, c, err);
    if (status != FN_OK) {
      c->lib->clear(kept);
      return status;
    }
    if (!r) break;
    const bool failed = kept && !is_done(c, kept);
    c->lib->clear(failed ? r : kept);
    if (!failed) kept = r;
  }
  if (is_done(c, kept)) return *out = kept, FN_OK;
  const fn_status status = fail_result(c, kept, err);
  c->lib->clear(kept);
  return status;
}

static fn_status simple(connection *c, const char *text, fn_err *err) {
  PGresult *r;
  start_clock(c);
  FN_TRY(collect(&r, c, c->lib->sendQuery(c->db, text), err));
  c->lib->clear(r);
  return FN_OK;
}

static void disconnect(connection *c) {
  if (c->db) c->lib->finish(c->db);
  c->db = NULL;
  c->n_prepared = 0;
  c->in_transaction = false;
}

static fn_status set_up(connection *c, fn_err *err) {
  char text[400];
  /* Whatever is the server's habit: doubles whole, bytes in hexadecimal, and a commit is one that survives. */
  snprintf(text, sizeof text,
           "SET extra_float_digits = 3; SET bytea_output = hex; SET statement_timeout = %lld; SET lock_timeout = %lld; "
           "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
           (long long)c->options.timeout_ms, (long long)c->options.busy_ms);
  return simple(c, text, err);
}

static fn_status fail_to_join(const connection *c, fn_err *err) {
  const one_line message = one_line_of(c->db ? c->lib->errorMessage(c->db) : "not connected");
  if (!strstr(message.text, "timeout expired")) return fail_connection(c, err);
  return fn_err_set(err, FN_E_IO,
                    "%s: PostgreSQL: %s (connect_timeout=SECONDS in the address: each of the host's may take so long)",
                    c->where, message.text);
}

static fn_status join(connection *c, fn_err *err) {
  disconnect(c);
  if (!goes_on(c)) return fn_err_set(err, FN_E_IO, "%s: PostgreSQL: there is no more time to connect", c->where);
  char seconds[24], milliseconds[24];
  snprintf(seconds, sizeof seconds, "%lld", (long long)(c->options.busy_ms + 999) / 1000);
  snprintf(milliseconds, sizeof milliseconds, "%lld", (long long)c->options.timeout_ms);
  /* What the URL says stands behind and wins. */
  const char *const keys[] = {"connect_timeout",     "tcp_user_timeout", "keepalives_idle",
                              "keepalives_interval", "keepalives_count", "application_name",
                              "client_encoding",     "dbname",           NULL};
  const char *const values[] = {seconds, milliseconds, "10", "5", "3", "fakenews", "UTF8", c->url, NULL};
  c->db = c->lib->connectdbParams(keys, values, 1);
  fn_status status = is_broken(c) ? fail_to_join(c, err) : FN_OK;
  if (status == FN_OK) {
    c->lib->setNoticeProcessor(c->db, ignore_notice, NULL);
    status = c->lib->setnonblocking(c->db, 1) == 0 ? set_up(c, err) : fail_connection(c, err);
  }
  if (status != FN_OK) disconnect(c);
  return status;
}

/* What the other side said since the last answer, most likely that it hangs up: before a statement is sent, which may
 * then not be sent a second time. */
static void listen_to(connection *c) {
  enum { MAX_READS = 8 }; /* why it hangs up, then that it does; or a remark */
  for (int i = 0; i < MAX_READS && !is_broken(c); i++) {
    struct pollfd fd = {.fd = c->lib->socket(c->db), .events = POLLIN};
    if (fd.fd < 0 || poll(&fd, 1, 0) <= 0) return;
    if (!c->lib->consumeInput(c->db)) disconnect(c);
    if (c->db) (void)c->lib->isBusy(c->db); /* takes in what was read */
  }
}

/* A connection that broke is made anew, but never in a transaction, whose first half is gone. */
static fn_status ensure(connection *c, fn_err *err) {
  if (!c->in_transaction) listen_to(c);
  if (!is_broken(c)) return FN_OK;
  if (c->in_transaction) return fail_connection(c, err);
  return join(c, err);
}

static void close_connection(void *handle) {
  connection *c = handle;
  disconnect(c);
  free(c->url);
  free(c);
}

static fn_status open_connection(void **handle_out, const char *url, const char *where, const fn_sql_options *options,
                                 fn_err *err) {
  const fn_pq *lib;
  FN_TRY(fn_pq_get(&lib, err));
  connection *c = fn_mem_calloc(1, sizeof *c);
  if (!c) return fn_err_no_memory(err, "a database connection");
  c->lib = lib;
  c->options = *options;
  snprintf(c->where, sizeof c->where, "%s", where);
  c->url = fn_str_dup(fn_str_from(url));
  const fn_status status = c->url ? join(c, err) : fn_err_no_memory(err, "a database connection");
  if (status != FN_OK) {
    close_connection(c);
    return status;
  }
  *handle_out = c;
  return FN_OK;
}

static fn_status script(void *handle, const char *text, fn_err *err) {
  connection *c = handle;
  FN_TRY(ensure(c, err));
  return simple(c, text, err);
}

/* *name is the prepared statement's; "" when there are too many to keep. */
static fn_status prepare(char name[24], connection *c, const char *text, fn_err *err) {
  for (size_t i = 0; i < c->n_prepared; i++)
    if (c->prepared[i] == text) return snprintf(name, 24, "s%zu", i), FN_OK;
  name[0] = 0;
  if (c->n_prepared < FN_SQL_MAX_PREPARED) snprintf(name, 24, "s%zu", c->n_prepared);
  PGresult *r;
  start_clock(c);
  FN_TRY(collect(&r, c, c->lib->sendPrepare(c->db, name, text, 0, NULL), err));
  c->lib->clear(r);
  if (name[0]) c->prepared[c->n_prepared++] = text;
  return FN_OK;
}

static fn_status fill(parameters *p, const connection *c, const fn_sql_value *values, size_t n, fn_err *err) {
  if (n > FN_SQL_MAX_VALUES)
    return fn_err_set(err, FN_E_LIMIT, "a statement has over %d values", (int)FN_SQL_MAX_VALUES);
  for (size_t i = 0; i < n; i++) {
    const fn_sql_value *v = &values[i];
    p->values[i] = p->numbers[i];
    p->lengths[i] = 0;
    p->formats[i] = 0;
    if (v->type == FN_SQL_INT) {
      snprintf(p->numbers[i], sizeof p->numbers[i], "%lld", (long long)v->integer);
    } else if (v->type == FN_SQL_DOUBLE && isfinite(v->real)) {
      snprintf(p->numbers[i], sizeof p->numbers[i], "%.17g", v->real);
    } else if (v->type == FN_SQL_TEXT || v->type == FN_SQL_BLOB) {
      if (v->bytes.length > (size_t)1 << 29)
        return fn_err_set(err, FN_E_LIMIT, "%s: a value of %zu bytes is over the limit", c->where, v->bytes.length);
      p->values[i] = v->bytes.length ? v->bytes.data : "";
      p->lengths[i] = (int)v->bytes.length;
      p->formats[i] = 1;
    } else {
      p->values[i] = NULL;
    }
  }
  return FN_OK;
}

static int digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "\x0aff" to bytes. */
static size_t decode_hex(char *out, const char *text, size_t length) {
  size_t n = 0;
  for (size_t i = 2; i + 1 < length; i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high >= 0 && low >= 0) out[n++] = (char)(high * 16 + low);
  }
  return n;
}

static fn_status take_value(fn_sql_value *out, const connection *c, const PGresult *r, int row, int i, fn_arena *arena,
                            fn_err *err) {
  const fn_str text = fn_str_make(c->lib->getvalue(r, row, i), (size_t)c->lib->getlength(r, row, i));
  *out = fn_sql_null();
  if (c->lib->getisnull(r, row, i)) return FN_OK;
  switch (c->lib->ftype(r, i)) {
  case OID_INT2:
  case OID_INT4:
  case OID_INT8: out->type = fn_str_to_int64(&out->integer, text) ? FN_SQL_INT : FN_SQL_NULL; return FN_OK;
  case OID_FLOAT4:
  case OID_FLOAT8: out->type = fn_str_to_double(&out->real, text) ? FN_SQL_DOUBLE : FN_SQL_NULL; return FN_OK;
  case OID_BOOL: *out = fn_sql_int(fn_str_is(text, "t")); return FN_OK;
  case OID_BYTEA: {
    char *bytes = fn_arena_alloc(arena, text.length + 1, 1);
    if (!bytes) return fn_err_no_memory(err, "a row");
    *out = fn_sql_blob(bytes, decode_hex(bytes, text.data, text.length));
    return FN_OK;
  }
  default: *out = fn_sql_str(text); return FN_OK;
  }
}

static fn_status give_rows(const connection *c, const PGresult *r, fn_sql_row row, void *arg, fn_err *err) {
  const int n_rows = c->lib->ntuples(r), n = c->lib->nfields(r);
  fn_sql_value values[FN_SQL_MAX_COLUMNS];
  if (n > FN_SQL_MAX_COLUMNS)
    return fn_err_set(err, FN_E_INVALID, "an answer has over %d columns", (int)FN_SQL_MAX_COLUMNS);
  fn_status status = FN_OK;
  for (int k = 0; k < n_rows && row && status == FN_OK; k++) {
    fn_arena arena;
    fn_arena_init(&arena);
    for (int i = 0; i < n && status == FN_OK; i++) status = take_value(&values[i], c, r, k, i, &arena, err);
    if (status == FN_OK) status = row(arg, values, (size_t)n, err);
    fn_arena_deinit(&arena);
  }
  return status;
}

static int64_t count_of(const connection *c, PGresult *r) {
  int64_t n = 0;
  return fn_str_to_int64(&n, fn_str_from(c->lib->cmdTuples(r))) ? n : 0;
}

/* The answer of one statement, to be cleared. */
static fn_status execute(PGresult **out, connection *c, const char *text, const fn_sql_value *values, size_t n,
                         fn_err *err) {
  char name[24];
  parameters p;
  FN_TRY(ensure(c, err));
  FN_TRY(fill(&p, c, values, n, err));
  FN_TRY(prepare(name, c, text, err));
  start_clock(c);
  return collect(out, c, c->lib->sendQueryPrepared(c->db, name, (int)n, p.values, p.lengths, p.formats, 0), err);
}

static fn_status run(void *handle, const char *text, const fn_sql_value *values, size_t n, int64_t *n_changed_out,
                     fn_err *err) {
  connection *c = handle;
  PGresult *r = NULL;
  FN_TRY(execute(&r, c, text, values, n, err));
  if (n_changed_out) *n_changed_out = count_of(c, r);
  c->lib->clear(r);
  return FN_OK;
}

static fn_status query(void *handle, const char *text, const fn_sql_value *values, size_t n, fn_sql_row row, void *arg,
                       fn_err *err) {
  connection *c = handle;
  PGresult *r = NULL;
  const bool alone = !c->in_transaction;
  fn_status status = execute(&r, c, text, values, n, err);
  /* The server was started anew since the last call: reading again does no harm. */
  if (status == FN_E_IO && alone && is_broken(c) && !c->silent) status = execute(&r, c, text, values, n, err);
  FN_TRY(status);
  status = give_rows(c, r, row, arg, err);
  c->lib->clear(r);
  return status;
}

/* Answers of n statements that were sent, up to the mark at their end. */
static fn_status read_answers(connection *c, size_t n, int64_t *n_changed_out, fn_err *err) {
  fn_status status = FN_OK;
  for (size_t i = 0; i <= n;) {
    PGresult *r = NULL;
    start_clock(c);
    FN_TRY(next_answer(&r, c, err));
    if (!r && is_broken(c)) return fail_connection(c, err);
    if (!r) continue; /* between two statements */
    const ExecStatusType s = c->lib->resultStatus(r);
    if (s == PGRES_PIPELINE_SYNC)
      i = n + 1;
    else if (is_done(c, r) && n_changed_out && i < n)
      n_changed_out[i] = count_of(c, r);
    else if (!is_done(c, r) && s != PGRES_PIPELINE_ABORTED && status == FN_OK)
      status = fail_result(c, r, err);
    i++;
    c->lib->clear(r);
  }
  return status;
}

static fn_status send_chunk(connection *c, const char *name, const fn_sql_value *values, size_t n, size_t n_rows,
                            int64_t *n_changed_out, fn_err *err) {
  for (size_t i = 0; i < n_rows; i++) {
    parameters p;
    FN_TRY(fill(&p, c, values + i * n, n, err));
    if (c->lib->sendQueryPrepared(c->db, name, (int)n, p.values, p.lengths, p.formats, 0) != 1)
      return fail_connection(c, err);
  }
  if (c->lib->pipelineSync(c->db) != 1) return fail_connection(c, err);
  return read_answers(c, n_rows, n_changed_out, err);
}

static fn_status run_many(void *handle, const char *text, const fn_sql_value *values, size_t n, size_t n_rows,
                          int64_t *n_changed_out, fn_err *err) {
  connection *c = handle;
  char name[24];
  FN_TRY(ensure(c, err));
  FN_TRY(prepare(name, c, text, err));
  if (c->lib->enterPipelineMode(c->db) != 1) return fail_connection(c, err);
  fn_status status = FN_OK;
  for (size_t i = 0; i < n_rows && status == FN_OK; i += CHUNK) {
    const size_t k = n_rows - i < CHUNK ? n_rows - i : CHUNK;
    status = send_chunk(c, name, values + i * n, n, k, n_changed_out ? n_changed_out + i : NULL, err);
  }
  /* Where answers are still under way the connection cannot be used any more. */
  if (c->db && c->lib->exitPipelineMode(c->db) != 1) disconnect(c);
  return status;
}

static fn_status begin(void *handle, fn_err *err) {
  connection *c = handle;
  FN_TRY(ensure(c, err));
  fn_status status = simple(c, "BEGIN", err);
  if (status == FN_E_IO && is_broken(c) && !c->silent) { /* it broke while nothing was done on it */
    FN_TRY(join(c, err));
    status = simple(c, "BEGIN", err);
  }
  if (status == FN_OK) c->in_transaction = true;
  return status;
}

/* COMMIT of a transaction that failed before says ROLLBACK and no error. */
static fn_status commit(void *handle, fn_err *err) {
  connection *c = handle;
  if (is_broken(c)) return fail_connection(c, err);
  if (c->lib->transactionStatus(c->db) != PQTRANS_INTRANS)
    return fn_err_set(err, FN_E_INVALID, "%s: PostgreSQL: a statement of this transaction failed", c->where);
  FN_TRY(simple(c, "COMMIT", err));
  c->in_transaction = false;
  return FN_OK;
}

static void rollback(void *handle) {
  connection *c = handle;
  c->in_transaction = false;
  if (is_broken(c) || c->lib->transactionStatus(c->db) == PQTRANS_IDLE) return;
  if (simple(c, "ROLLBACK", NULL) != FN_OK) disconnect(c);
}

const fn_sql_driver fn_sql_postgresql = {
    .kind = FN_SQL_POSTGRESQL,
    .open = open_connection,
    .close = close_connection,
    .run = run,
    .run_many = run_many,
    .query = query,
    .script = script,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .lock_schema = "SELECT pg_advisory_xact_lock(7023481120231)",
};
