/* An invented vocabulary and helpers that the tests of src/text share. */
#ifndef FN_TESTS_UNIT_TEXT_VOCAB_H
#define FN_TESTS_UNIT_TEXT_VOCAB_H

#include "../test.h"
#include "text/tokenizer.h"

static const char vocab_text[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n,\n-\n'\n!\n#\n$\n[\n]\n_\n’\n;\n`\nthe\nun\n##aff\n##able\nnews\n##s\n##"
    "paper\n"
    "paper\na\n##a\ne\n##e\nc\n##c\no\n##o\nl\n##l\ns\ni\n##i\n\u0307\n##\u0307\n中\n文\n\u8c48\n\u1100\n##\u1161\n"
    "##\u11a8\nσ\n##σ\nς\n##ς\nß\n##ß\nα\n##α\n\u1baa\n##\u1baa\n\u302e\n##\u302e\nk\n##k\nx\n##x\n##1\n7\né\n##é\nÉ\n";

static inline fn_tokenizer *make_vocab(const char *text, const char *config) {
  fn_err err = {0};
  fn_tokenizer *t = NULL;
  assert_ok(
      fn_tokenizer_parse_vocab(&t, fn_str_from(text), "vocab.txt", fn_str_from(config), "tokenizer_config.json", &err));
  return t;
}

/* "token@begin-end token@begin-end …" */
static inline void format_tokens(fn_buf *out, const fn_tokenizer *t, fn_str text, size_t max_tokens) {
  fn_err err = {0};
  fn_tokens tokens = {0};
  assert_ok(fn_tokenizer_encode(&tokens, t, text, max_tokens, &err));
  fn_buf_reset(out);
  for (size_t i = 0; i < tokens.n; i++)
    fn_buf_printf(out, "%s%s@%u-%u", i ? " " : "", fn_tokenizer_token(t, tokens.ids[i]), tokens.begin[i],
                  tokens.end[i]);
  fn_tokens_deinit(&tokens);
}

static inline void expect_n(const fn_tokenizer *t, const char *text, size_t length, size_t max_tokens,
                            const char *expected) {
  fn_buf got;
  fn_buf_init(&got, 0);
  fn_buf_append_str(&got, ""); /* so that data is there */
  format_tokens(&got, t, fn_str_make(text, length), max_tokens);
  assert_string_equal(got.data ? got.data : "", expected);
  fn_buf_deinit(&got);
}

static inline void expect(const fn_tokenizer *t, const char *text, const char *expected) {
  expect_n(t, text, strlen(text), 0, expected);
}

#endif
