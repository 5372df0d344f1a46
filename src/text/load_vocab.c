/* vocab.txt: one token a line, its id is the line's number from 0. */
#include "text/load.h"

/* The engine drops white space (of any script) at the end of a line, "\r" included. */
static fn_str trim_end(fn_str line) {
  while (line.length) {
    uint32_t c;
    size_t n = fn_char_read_back(&c, line.data, 0, line.length);
    if (!(fn_char_get(c)->flags & FN_CHAR_SPACE)) break;
    line.length -= n;
  }
  return line;
}

static fn_status parse_lines(fn_tokenizer_spec *spec, fn_str text, const char *name, fn_err *err) {
  if (fn_str_starts_with(text, "\xEF\xBB\xBF"))
    return fn_err_set(err, FN_E_INVALID, "%s:1: begins with a byte order mark; save it as plain UTF-8", name);
  size_t n_empty = 0;
  for (size_t at = 0; at < text.length;) {
    const char *stop = memchr(text.data + at, '\n', text.length - at);
    size_t length = stop ? (size_t)(stop - text.data) - at : text.length - at;
    fn_str line = trim_end(fn_str_make(text.data + at, length));
    at += length + 1;
    if (line.length == 0) {
      n_empty++; /* fine at the end of the file */
      continue;
    }
    size_t number = spec->n_tokens + n_empty + 1;
    if (n_empty)
      return fn_err_set(err, FN_E_INVALID, "%s:%zu: the line is empty; each line must hold one token", name,
                        number - n_empty);
    if (!fn_utf8_valid(line, NULL)) return fn_err_set(err, FN_E_INVALID, "%s:%zu: not UTF-8", name, number);
    FN_TRY(fn_tokenizer_spec_add(spec, line, err));
  }
  if (spec->n_tokens == 0) return fn_err_set(err, FN_E_INVALID, "%s: holds no tokens", name);
  spec->n_model = spec->n_tokens;
  return FN_OK;
}

static fn_status parse(fn_tokenizer_spec *spec, fn_str text, const char *name, fn_str config_text,
                       const char *config_name, fn_err *err) {
  fn_tokenizer_config config;
  FN_TRY(fn_tokenizer_config_parse(&config, spec, config_text, config_name, err));
  fn_normalizer_options *n = &spec->normalizer;
  n->lowercase = config.do_lower_case != 0;
  n->handle_chinese_chars = config.tokenize_chinese_chars != 0;
  n->strip_accents_is_null = config.strip_accents < 0;
  n->strip_accents = config.strip_accents < 0 ? n->lowercase : config.strip_accents == 1;
  spec->by_line = true;
  FN_TRY(parse_lines(spec, text, name, err));
  return fn_tokenizer_spec_add_specials(spec, err);
}

fn_status fn_tokenizer_parse_vocab(fn_tokenizer **tokenizer_out, fn_str text, const char *name, fn_str config,
                                   const char *config_name, fn_err *err) {
  fn_tokenizer_spec spec;
  fn_tokenizer_spec_init(&spec);
  fn_status status = parse(&spec, text, name, config, config_name, err);
  if (status == FN_OK) return fn_tokenizer_build(tokenizer_out, &spec, name, err);
  fn_tokenizer_spec_deinit(&spec);
  return status;
}
