/* Tokenizer files and texts: any bytes end with a verdict; a tokenizer that was accepted encodes any text within its
 * vocabulary and the text's bounds, gives the same first tokens under any limit, and is the same once saved and loaded.
 * Input: a byte that chooses (see kinds), the file, 0xFF, tokenizer_config.json, 0xFF, the text (the last two may
 * lack).
 */
#include "fuzz.h"
#include "text/tokenizer.h"

enum { KIND_JSON, KIND_VOCAB, KIND_PUBLISHED, KIND_TRAIN, KINDS };

/* So that texts meet a vocabulary with something in it. */
static const char vocab[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##a\nb\n##b\nab\n##ab\n.\n,\n\xc3\xa9\n##\xc3\xa9\n\xe4\xb8\xad\n"
    "\xe1\xae\xaa\n##\xe1\xae\xaa\n\xe1\x84\x80\n##\xe1\x85\xa1\n";

/* Everything up to the next 0xFF (never part of UTF-8). */
static fn_str take(const uint8_t **data, size_t *size) {
  const uint8_t *stop = *size ? memchr(*data, 0xFF, *size) : NULL;
  size_t length = stop ? (size_t)(stop - *data) : *size;
  fn_str out = fn_str_make((const char *)*data, length);
  *data += stop ? length + 1 : length;
  *size -= stop ? length + 1 : length;
  return out;
}

static void check_encoding(const fn_tokenizer *t, fn_str text) {
  fn_err err = {0};
  fn_tokens all = {0}, some = {0};
  const fn_tokenizer_info *info = fn_tokenizer_get_info(t);
  FUZZ_CHECK(fn_tokenizer_encode(&all, t, text, 0, &err) == FN_OK);
  for (size_t i = 0; i < all.n; i++) {
    FUZZ_CHECK(fn_tokenizer_token(t, all.ids[i]) && all.ids[i] < info->vocab_size);
    FUZZ_CHECK(all.begin[i] <= all.end[i] && all.end[i] <= text.length);
  }
  size_t limit = 1 + all.n / 2;
  FUZZ_CHECK(fn_tokenizer_encode(&some, t, text, limit, &err) == FN_OK);
  FUZZ_CHECK(some.n == (all.n < limit ? all.n : limit));
  for (size_t i = 0; i < some.n; i++)
    FUZZ_CHECK(some.ids[i] == all.ids[i] && some.begin[i] == all.begin[i] && some.end[i] == all.end[i]);
  fn_tokens_deinit(&all);
  fn_tokens_deinit(&some);
}

typedef struct lines {
  fn_str text;
  size_t at;
} lines;

static bool next_line(void *arg, fn_str *text_out) {
  lines *l = arg;
  if (l->at >= l->text.length) return false;
  const char *begin = l->text.data + l->at, *stop = memchr(begin, '\n', l->text.length - l->at);
  *text_out = fn_str_make(begin, stop ? (size_t)(stop - begin) : l->text.length - l->at);
  l->at += text_out->length + 1;
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  int kind = data[0] % KINDS;
  data++;
  size--;
  fn_str file = kind == KIND_PUBLISHED ? fn_str_from(vocab) : take(&data, &size), config = take(&data, &size);
  fn_str text = fn_str_make((const char *)data, size);
  fn_tokenizer *t = NULL;
  fn_err err = {0};
  fn_status status;
  lines l = {file, 0};
  if (kind == KIND_JSON)
    status = fn_tokenizer_parse_json(&t, file, "tokenizer.json", config, "config", &err);
  else if (kind == KIND_TRAIN)
    status = fn_tokenizer_train(&t, next_line, &l, 64, 1, config.length % 2 == 0, &err);
  else
    status = fn_tokenizer_parse_vocab(&t, file, "vocab.txt", config, "config", &err);
  FUZZ_CHECK(status == FN_OK ? t != NULL : !t && err.message[0]);
  if (t) check_encoding(t, text);
  fn_tokenizer_destroy(t);
  return 0;
}
