/* fakenews tokenize: texts in, tokens out as JSON lines. */
#include "cli/cli.h"
#include "model/hub.h"
#include "text/text.h"

#include <errno.h>

enum { LINE_MAX_BYTES = 1 << 28, OUT_BYTES = 1 << 16, IN_BYTES = 1 << 16 };

typedef struct tokenize {
  const fn_tokenizer *tokenizer;
  bool json, with_text;
  const char *name; /* of the input, for errors */
  size_t line;
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
    const char *stop = memchr(in->data + at, '\n', in->length - at);
    if (!stop && !at_end) break;
    size_t length = stop ? (size_t)(stop - in->data) - at : in->length - at;
    status = take_line(t, fn_str_make(in->data + at, length), err);
    at += length + 1;
  }
  if (status != FN_OK) return fn_err_prefix(err, status, "%s:%zu", t->name, t->line);
  size_t rest = at < in->length ? in->length - at : 0;
  if (rest && at) memmove(in->data, in->data + at, rest);
  in->length = rest;
  return FN_OK;
}

static fn_status take_file(tokenize *t, FILE *file, fn_err *err) {
  FN_AUTO_BUF fn_buf in;
  fn_buf_init(&in, LINE_MAX_BYTES);
  size_t chunk = IN_BYTES;
  for (bool at_end = false; !at_end && !fn_cli_stop_requested();) {
    if (!fn_buf_reserve(&in, chunk)) /* its bound is the only way to fail that a user can meet */
      return fn_err_set(err, FN_E_LIMIT, "%s:%zu: a line of more than %d bytes", t->name, t->line + 1, LINE_MAX_BYTES);
    size_t n = fread(in.data + in.length, 1, chunk, file);
    if (n < chunk && ferror(file)) return fn_err_errno(err, errno, "%s", t->name);
    at_end = n < chunk && feof(file);
    in.length += n;
    FN_TRY(take_lines(t, &in, at_end, err));
    /* A line longer than the chunk is searched again from its start: doubling keeps that linear. */
    chunk = in.length > chunk ? in.length : chunk;
    if (in.length == 0) chunk = IN_BYTES;
  }
  FN_TRY(flush_answers(t, err));
  return fn_cli_stop_requested() ? fn_err_set(err, FN_E_CANCELLED, "stopped") : FN_OK;
}

static fn_status take_input(tokenize *t, const char *path, fn_err *err) {
  bool standard_input = strcmp(path, "-") == 0;
  t->name = standard_input ? "standard input" : path;
  FILE *file = standard_input ? stdin : fopen(path, "rb");
  if (!file) return fn_err_errno(err, errno, "%s", path);
  fn_status status = take_file(t, file, err);
  if (!standard_input) fclose(file);
  return status;
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  if (args->n_rest > 1) return fn_err_set(err, FN_E_INVALID, "one FILE is expected, not %zu", args->n_rest);
  const char *name = fn_cli_get(args, "--tokenizer");
  FN_AUTO_FREE char *dir = NULL;
  if (fn_path_exists(name))
    dir = fn_str_dup(fn_str_from(name));
  else
    FN_TRY(fn_hub_resolve(&dir, name, cli->hub_cache, err));
  if (!dir) return fn_err_no_memory(err, "path");
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
    .summary = "texts (one a line) to ids, tokens and byte offsets, as JSON lines",
    .usage = "--tokenizer DIR [--json] [--text] [FILE|-]",
    .flags = flags,
    .takes_rest = true,
    .examples = "  echo 'Breaking: unbelievable!' | fakenews tokenize --tokenizer bert-base-uncased\n",
    .run = run,
};
