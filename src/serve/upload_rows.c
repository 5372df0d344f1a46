#define _GNU_SOURCE /* O_TMPFILE, mkostemp */
/* Rows of an upload in, answers out: what the upload's thread does. */
#include "serve/answer_json.h"
#include "serve/upload_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void fn_upload_fail(fn_upload *u, int status, const char *code, const char *format, ...) {
  fn_upload_failure *f = &u->failure;
  if (f->status != 0) return; /* the first counts */
  va_list args;
  va_start(args, format);
  vsnprintf(f->message, sizeof f->message, format, args);
  va_end(args);
  f->status = status;
  snprintf(f->code, sizeof f->code, "%s", code);
}

static void fail_err(fn_upload *u, const fn_err *err) {
  int status = fn_status_http(err->status);
  if (err->status == FN_E_NOT_FOUND || err->status == FN_E_UNSUPPORTED) status = 422; /* a column, not the path */
  if (err->status == FN_E_CANCELLED) status = 503;
  fn_upload_fail(u, status, fn_status_name(err->status), "%s", err->message);
}

static void fail_missing_file(fn_upload *u, fn_validation kind) {
  if (u->failure.status != 0) return;
  fn_upload_fail(u, 422, "no_file", "the form has no file in field \"file\"");
  if (u->options.form != FN_UPLOAD_TITLES) return;
  u->failure.in_words = true;
  u->failure.validation = (fn_validation_error){.kind = kind, .loc = {"body", "file"}, .index = -1};
}

/* ---- the output */

/* An unnamed file in the folder for temporary files. */
static fn_status open_file(int *fd_out, const char *folder, fn_err *err) {
  int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) { /* a file system without O_TMPFILE */
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/fakenews-upload-XXXXXX", folder) >= sizeof path)
      return fn_err_set(err, FN_E_IO, "TMPDIR is too long");
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) unlink(path);
  }
  if (fd < 0) return fn_err_errno(err, errno, "%s: no temporary file can be made (TMPDIR)", folder);
  *fd_out = fd;
  return FN_OK;
}

static fn_status write_out(fn_upload *u, fn_err *err) {
  fn_upload_output *o = &u->output;
  const char *folder = fn_server_get_options(u->server)->tmp_dir;
  FN_TRY(fn_buf_check(&o->buf, "answers", err));
  if (o->fd < 0 && open_file(&o->fd, folder, err) != FN_OK) return fn_err_set(err, FN_E_IO, "%s", err->message);
  for (size_t at = 0; at < o->buf.length;) {
    const ssize_t n = write(o->fd, o->buf.data + at, o->buf.length - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        fn_upload_fail(u, 507, "disk_full", "%s has no room for the answers (TMPDIR)", folder);
      return fn_err_set(err, FN_E_IO, "%s: the answers cannot be written (TMPDIR)", folder);
    }
    at += (size_t)n;
  }
  o->n_written += o->buf.length;
  fn_buf_reset(&o->buf);
  return FN_OK;
}

static fn_status finish_output(fn_upload *u, fn_err *err) {
  if (u->output.fd >= 0) return write_out(u, err);
  return fn_buf_check(&u->output.buf, "answers", err);
}

/* ---- the body: the file in it, byte by byte */

static void take_name(fn_upload *u, fn_str name) {
  size_t begin = 0, n = 0;
  for (size_t i = 0; i < name.length; i++) {
    if (name.data[i] == '/' || name.data[i] == '\\') begin = i + 1;
  }
  for (size_t i = begin; i < name.length && n + 1 < sizeof u->name; i++) {
    const char c = name.data[i];
    if (c >= ' ' && c < 127 && c != '"') u->name[n++] = c;
  }
  u->name[n] = '\0';
}

static fn_status on_part(void *arg, const fn_multipart_part *part, fn_err *err) {
  fn_upload *u = arg;
  const bool titles = u->options.form == FN_UPLOAD_TITLES;
  if (u->file_seen || !fn_str_is(part->name, "file")) return FN_OK;
  if (part->file_name.data == NULL) {
    fail_missing_file(u, FN_VALIDATION_NO_UPLOAD);
    return fn_err_set(err, FN_E_INVALID, "no file");
  }
  take_name(u, part->file_name);
  u->file_seen = u->in_file = true;
  if (titles && !fn_str_ends_with(part->file_name, ".csv")) {
    fn_upload_fail(u, 422, "no_csv", "Invalid file type. Please upload a CSV file.");
    return fn_err_set(err, FN_E_INVALID, "no CSV");
  }
  return FN_OK;
}

static fn_status on_data(void *arg, const char *data, size_t length, fn_err *err) {
  fn_upload *u = arg;
  (void)err;
  if (u->in_file) fn_buf_append(&u->pending, data, length);
  return FN_OK;
}

static fn_status on_end(void *arg, fn_err *err) {
  fn_upload *u = arg;
  (void)err;
  u->file_ended |= u->in_file;
  u->in_file = false;
  return FN_OK;
}

/* The next piece of the body into `pending`. */
static fn_status take_piece(fn_upload *u, fn_err *err) {
  char piece[32 << 10];
  size_t n;
  FN_TRY(fn_upload_pull(&n, u, piece, sizeof piece, err));
  if (n == 0) {
    u->body_ended = true;
    return u->multipart != NULL ? fn_multipart_finish(u->multipart, err) : FN_OK;
  }
  if (u->multipart != NULL) {
    FN_TRY(fn_multipart_feed(u->multipart, piece, n, err));
  } else {
    fn_buf_append(&u->pending, piece, n);
  }
  return fn_buf_check(&u->pending, "an upload", err);
}

/* fn_read of the file. */
static fn_status read_file(void *arg, void *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  fn_upload *u = arg;
  while (u->n_read == u->pending.length && !u->body_ended && !u->file_ended) {
    fn_buf_reset(&u->pending);
    u->n_read = 0;
    FN_TRY(take_piece(u, err));
  }
  const size_t left = u->pending.length - u->n_read, n = left < capacity ? left : capacity;
  if (n > 0) memcpy(buffer, u->pending.data + u->n_read, n);
  u->n_read += n;
  *n_out = n;
  return FN_OK;
}

/* Up to the first bytes of the file. */
static fn_status find_file(fn_upload *u, fn_err *err) {
  while (!u->body_ended && !u->file_ended && u->pending.length < 4) FN_TRY(take_piece(u, err));
  if (u->multipart != NULL && !u->file_seen) {
    fail_missing_file(u, FN_VALIDATION_MISSING);
    return fn_err_set(err, FN_E_INVALID, "no file");
  }
  const unsigned char *p = (const unsigned char *)u->pending.data;
  const size_t n = u->pending.length;
  if (n == 0) {
    fn_upload_fail(u, 422, "empty",
                   u->options.form == FN_UPLOAD_TITLES ? "Uploaded CSV file is empty." : "the CSV file is empty");
    return fn_err_set(err, FN_E_INVALID, "empty");
  }
  /* A small packed file can hold a very large one. */
  if ((n >= 2 && p[0] == 0x1f && p[1] == 0x8b) || (n >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0)) {
    fn_upload_fail(u, 415, "packed", "the CSV file is packed; unpack it first");
    return fn_err_set(err, FN_E_INVALID, "packed");
  }
  return FN_OK;
}

/* ---- rows */

static fn_status classify(void *arg, fn_prediction *predictions_out, const fn_article *articles, size_t n,
                          fn_err *err) {
  return fn_upload_classify(predictions_out, arg, articles, n, err);
}

static fn_status append_title(fn_upload *u, const fn_scored_row *row, fn_err *err) {
  fn_json_writer w;
  if (row->prediction == NULL) {
    if (fn_str_trim(row->title).length == 0 && row->n_fields > 0)
      fn_upload_fail(u, 422, "no_title", "Row %llu has no title.", (unsigned long long)row->row + 1);
    else
      fn_upload_fail(u, 422, "unreadable", "%s", row->message);
    return fn_err_set(err, FN_E_INVALID, "a row is refused");
  }
  if (u->n_rows > 0) fn_buf_append_str(&u->output.buf, ", ");
  fn_json_begin(&w, &u->output.buf, 0);
  fn_title_answer_json(&w, row->title, row->prediction, u->format.model);
  return FN_OK;
}

static fn_status on_row(void *arg, const fn_scored_row *row, fn_err *err) {
  fn_upload *u = arg;
  const uint64_t max = (uint64_t)fn_server_get_options(u->server)->serve->max_upload_rows;
  if (u->n_rows == max) {
    fn_upload_fail(u, 413, "too_many", "the file has more than %llu rows (serve.max_upload_rows)",
                   (unsigned long long)max);
    return fn_err_set(err, FN_E_LIMIT, "too many rows");
  }
  switch (u->options.form) {
  case FN_UPLOAD_CSV: fn_scored_csv_row(&u->output.buf, &u->format, row); break;
  case FN_UPLOAD_LINES: fn_scored_json_row(&u->output.buf, &u->format, row); break;
  case FN_UPLOAD_TITLES: FN_TRY(append_title(u, row, err)); break;
  }
  u->n_rows++;
  u->n_truncated += row->prediction != NULL && row->prediction->truncated;
  return u->output.buf.length >= FN_UPLOAD_IN_MEMORY ? write_out(u, err) : FN_OK;
}

static fn_status begin_answers(fn_upload *u, const fn_input *in, fn_err *err) {
  size_t n;
  const fn_str *columns = fn_input_columns(in, &n);
  u->format = (fn_scored_format){.model = fn_engine_get_info(u->engine), .escapes = !u->options.raw};
  if (u->options.form == FN_UPLOAD_TITLES) {
    size_t i;
    if (!fn_input_find(&i, in, "title")) {
      fn_upload_fail(u, 422, "no_column", "Uploaded CSV file has no column \"title\".");
      return fn_err_set(err, FN_E_INVALID, "no title");
    }
    fn_buf_append_char(&u->output.buf, '[');
    return FN_OK;
  }
  if (u->options.form == FN_UPLOAD_LINES) return FN_OK;
  FN_TRY(fn_scored_check_columns(fn_input_name(in), columns, n, u->format.model, "ask for application/jsonl", err));
  u->format.n_columns = n;
  if (u->options.bom) fn_buf_append_str(&u->output.buf, "\xef\xbb\xbf");
  fn_scored_csv_header(&u->output.buf, &u->format, columns);
  return FN_OK;
}

static fn_status score(fn_upload *u, fn_input *in, fn_err *err) {
  const bool titles = u->options.form == FN_UPLOAD_TITLES;
  const fn_scorer scorer = {
      .mode = titles ? FN_TEXT_TITLE : fn_session_mode(fn_engine_session(u->engine, 0)),
      .column_title = "title",
      .column_text = titles ? NULL : "text",
      .block_rows = u->options.block_rows,
      .classify = classify,
      .emit = on_row,
      .arg = u,
  };
  fn_scoring_counts counts = {0};
  FN_TRY(begin_answers(u, in, err));
  FN_TRY(fn_score_rows(&counts, in, &scorer, err));
  if (!titles) return FN_OK;
  if (u->n_rows == 0) {
    fn_upload_fail(u, 422, "empty", "Uploaded CSV file is empty.");
    return fn_err_set(err, FN_E_INVALID, "no rows");
  }
  fn_buf_append_char(&u->output.buf, ']');
  return FN_OK;
}

static fn_status read_all(fn_upload *u, fn_err *err) {
  const fn_input_options options = {.format = FN_INPUT_CSV};
  fn_input *in;
  FN_TRY(find_file(u, err));
  FN_TRY(fn_input_open_stream(&in, read_file, u, u->name[0] ? u->name : "the file", &options, err));
  fn_status status = score(u, in, err);
  fn_input_close(in);
  /* what comes behind the file belongs to the form, which must be whole */
  while (status == FN_OK && u->multipart != NULL && !u->body_ended) {
    fn_buf_reset(&u->pending);
    u->n_read = 0;
    status = take_piece(u, err);
  }
  return status == FN_OK ? finish_output(u, err) : status;
}

void fn_upload_run(fn_upload *u) {
  fn_err err = {0};
  const fn_multipart_events events = {on_part, on_data, on_end, u};
  fn_status status = FN_OK;
  if (u->content_type[0]) status = fn_multipart_create(&u->multipart, fn_str_from(u->content_type), &events, &err);
  if (status == FN_OK) status = read_all(u, &err);
  if (status != FN_OK) fail_err(u, &err);
}

/* ---- the answer */

static void add_headers(const fn_upload *u, fn_response *r) {
  char value[320];
  if (u->options.form == FN_UPLOAD_TITLES) {
    snprintf(value, sizeof value, "%llu", (unsigned long long)u->n_truncated);
    if (u->n_truncated > 0) fn_response_header(r, "X-Truncated", value);
    return;
  }
  const char *dot = strrchr(u->name, '.');
  const int n = dot != NULL && dot != u->name ? (int)(dot - u->name) : (int)strlen(u->name);
  snprintf(value, sizeof value, "attachment; filename=\"%.*s%sverdicts.%s\"", n, u->name, n > 0 ? "-" : "",
           u->options.form == FN_UPLOAD_CSV ? "csv" : "jsonl");
  fn_response_header(r, "Content-Disposition", value);
  fn_response_header(r, "Cache-Control", "no-store");
}

void fn_upload_answer(fn_upload *u, fn_exchange *x) {
  static const char *const types[] = {"text/csv; charset=utf-8", "application/jsonl", "application/json"};
  const fn_upload_failure *f = &u->failure;
  fn_response *r = &x->response;
  if (f->status != 0) {
    if (f->in_words)
      (void)fn_validation_fail(x, &f->validation);
    else
      (void)fn_exchange_fail(x, f->status, f->code, "%s", f->message);
    return;
  }
  if (u->output.fd >= 0) {
    r->fd = u->output.fd;
    r->fd_bytes = u->output.n_written;
    u->output.fd = -1;
  } else {
    fn_buf_deinit(&r->body);
    r->body = u->output.buf;
    fn_buf_init(&u->output.buf, 0);
  }
  r->status = 200;
  r->content_type = types[u->options.form];
  add_headers(u, r);
}
