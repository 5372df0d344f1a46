/* fakenews tokenize: texts in, tokens out as JSON lines. */
#include "cli/cli.h"
#include "cli/loading.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1 << 28, OUT_BYTES = 1 << 16, IN_BYTES = 1 << 16 };

typedef struct tokenize {
  const fn_tokenizer *tokenizer;
  bool json, with_text;
  const char *name; /* of the input, for errors */
  size_t line;
  size_t searched; /* bytes of a line that is not whole yet and hold no line end */
  fn_tokens tokens;
  fn_buf out;
} tokenize;

/* {"text": …, "ids": […], "tokens": […], "offsets": [[begin, end], …]} */
static void write_answer(tokenize *t, fn_str text) {
  fn_json_writer w;
  fn_json_begin(&w, &t->out, 0);
  fn_json_object(&w, NULL);
  if (t->with_text) fn_json_str(&w, "text", text);
  fn_json_array(&w, "ids");
  for (size_t i = 0; i < t->tokens.n; i++) fn_json_int(&w, NULL, t->tokens.ids[i]);
  fn_json_end(&w);
  fn_json_array(&w, "tokens");
  for (size_t i = 0; i < t->tokens.n; i++) fn_json_text(&w, NULL, fn_tokenizer_token(t->tokenizer, t->tokens.ids[i]));
  fn_json_end(&w);
  fn_json_array(&w, "offsets");
  for (size_t i = 0; i < t->tokens.n; i++) {
    fn_json_array(&w, NULL);
    fn_json_int(&w, NULL, t->tokens.begin[i]);
    fn_json_int(&w, NULL, t->tokens.end[i]);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  fn_json_end(&w);
  fn_buf_append_char(&t->out, '\n');
}

static fn_status flush_answers(tokenize *t, fn_err *err) {
  FN_TRY(fn_buf_check(&t->out, "answer", err));
  FN_TRY(fn_cli_print(fn_buf_str(&t->out), err));
  fn_buf_reset(&t->out);
  return FN_OK;
}

static fn_status take_line(tokenize *t, fn_str line, fn_err *err) {
  FN_AUTO_JSON json_t *value = NULL;
  t->line++;
  if (t->json) {
    FN_TRY(fn_json_parse(&value, line, "text", err));
    if (!json_is_string(value)) return fn_err_set(err, FN_E_INVALID, "with --json every line must be one JSON string");
    line = fn_str_make(json_string_value(value), json_string_length(value));
  }
  FN_TRY(fn_tokenizer_encode(&t->tokens, t->tokenizer, line, 0, err));
  write_answer(t, line);
  return t->out.length >= OUT_BYTES || t->out.failed ? flush_answers(t, err) : FN_OK;
}

/* Takes the whole lines of `in` and keeps the rest. */
static fn_status take_lines(tokenize *t, fn_buf *in, bool at_end, fn_err *err) {
  size_t at = 0;
  fn_status status = FN_OK;
  while (at < in->length && status == FN_OK) {
    size_t from = at + t->searched;
    const char *stop = from < in->length ? memchr(in->data + from, '\n', in->length - from) : NULL;
    t->searched = 0;
    if (!stop && !at_end) break;
    size_t length = stop ? (size_t)(stop - in->data) - at : in->length - at;
    status = take_line(t, fn_str_make(in->data + at, length), err);
    at += length + 1;
  }
  if (status != FN_OK) return fn_err_prefix(err, status, "%s:%zu", t->name, t->line);
  size_t rest = at < in->length ? in->length - at : 0;
  if (rest && at) memmove(in->data, in->data + at, rest);
  in->length = t->searched = rest;
  return FN_OK;
}

/* read() and not stdio: what comes through a pipe is answered when it comes, not when 64 KiB are full. */
static fn_status take_file(tokenize *t, int file, fn_err *err) {
  FN_AUTO_BUF fn_buf in;
  fn_buf_init(&in, LINE_MAX_BYTES);
  for (;;) {
    if (in.length + IN_BYTES > LINE_MAX_BYTES)
      return fn_err_set(err, FN_E_LIMIT, "%s:%zu: a line of more than %d bytes", t->name, t->line + 1,
                        LINE_MAX_BYTES - IN_BYTES);
    if (!fn_buf_reserve(&in, IN_BYTES)) return fn_err_no_memory(err, t->name);
    ssize_t n = read(file, in.data + in.length, IN_BYTES);
    if (fn_cli_stop_requested()) return fn_err_set(err, FN_E_CANCELLED, "stopped");
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "%s", t->name);
    in.length += (size_t)n;
    fn_status status = take_lines(t, &in, n == 0, err);
    if (status != FN_OK) { /* the lines before it are answered */
      fn_err ignored;
      (void)!flush_answers(t, &ignored);
      return status;
    }
    FN_TRY(flush_answers(t, err));
    if (n == 0) return FN_OK;
  }
}

static fn_status take_input(tokenize *t, const char *path, fn_err *err) {
  bool standard_input = strcmp(path, "-") == 0;
  t->name = standard_input ? "standard input" : path;
  int file = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return fn_err_errno(err, errno, "%s", path);
  fn_status status = take_file(t, file, err);
  if (!standard_input) close(file);
  return status;
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  if (args->n_rest > 1) return fn_err_set(err, FN_E_INVALID, "one FILE is expected, not %zu", args->n_rest);
  const char *name = fn_cli_get(args, "--tokenizer");
  FN_AUTO_FREE char *dir = NULL;
  FN_TRY(fn_cli_find_directory(&dir, cli, name, err));
  fn_tokenizer *tokenizer;
  FN_TRY(fn_tokenizer_load(&tokenizer, dir, err));
  tokenize t = {.tokenizer = tokenizer,
                .json = fn_cli_get(args, "--json") != NULL,
                .with_text = fn_cli_get(args, "--text") != NULL};
  fn_buf_init(&t.out, 0);
  fn_status status = take_input(&t, args->n_rest ? args->rest[0] : "-", err);
  fn_tokens_deinit(&t.tokens);
  fn_buf_deinit(&t.out);
  fn_tokenizer_destroy(tokenizer);
  return status;
}

static const fn_cli_flag flags[] = {
    {.name = "--tokenizer",
     .value = "DIR",
     .required = true,
     .help = "folder with tokenizer.json or vocab.txt, one of these files, or owner/name in the Hub cache"},
    {.name = "--json", .help = "every line of the input is a JSON string, so that a text can hold line breaks"},
    {.name = "--text", .help = "repeat the text in the answer"},
    {0},
};

const fn_verb fn_verb_tokenize = {
    .name = "tokenize",
    .summary = "texts to ids, tokens and byte offsets; one text a line, answers as JSON lines",
    .usage = "--tokenizer DIR [--json] [--text] [FILE|-]",
    .flags = flags,
    .takes_rest = true,
    .examples = "  echo 'Breaking: unbelievable!' | fakenews tokenize --tokenizer google-bert/bert-base-uncased\n",
    .run = run,
};
