/* The three files that Hugging Face reads. */
#include "text/tokenizer.h"

#include <stdlib.h>

enum { FILE_MAX = 1 << 30 };

void fn_added_tokens_write(fn_json_writer *w, const char *key, const fn_tokenizer_spec *spec) {
  fn_json_array(w, key);
  for (size_t i = 0; i < spec->n_added; i++) {
    const fn_added_token *a = &spec->added[i];
    fn_json_object(w, NULL);
    fn_json_int(w, "id", a->id);
    fn_json_str(w, "content", a->content);
    fn_json_bool(w, "single_word", a->single_word);
    fn_json_bool(w, "lstrip", a->lstrip);
    fn_json_bool(w, "rstrip", a->rstrip);
    fn_json_bool(w, "normalized", a->normalized);
    fn_json_bool(w, "special", a->special);
    fn_json_end(w);
  }
  fn_json_end(w);
}

static void write_normalizer(fn_json_writer *w, const fn_normalizer_options *n) {
  fn_json_object(w, "normalizer");
  fn_json_text(w, "type", "BertNormalizer");
  fn_json_bool(w, "clean_text", n->clean_text);
  fn_json_bool(w, "handle_chinese_chars", n->handle_chinese_chars);
  if (n->strip_accents_is_null)
    fn_json_null(w, "strip_accents");
  else
    fn_json_bool(w, "strip_accents", n->strip_accents);
  fn_json_bool(w, "lowercase", n->lowercase);
  fn_json_end(w);
}

static void write_piece(fn_json_writer *w, const char *kind, fn_str id, int type_id) {
  fn_json_object(w, NULL);
  fn_json_object(w, kind);
  fn_json_str(w, "id", id);
  fn_json_int(w, "type_id", type_id);
  fn_json_end(w);
  fn_json_end(w);
}

static void write_special(fn_json_writer *w, fn_str token, int32_t id) {
  FN_AUTO_FREE char *key = fn_str_dup(token);
  if (!key) w->buf->failed = true; /* whoever takes the text is told */
  fn_json_object(w, key ? key : "");
  fn_json_str(w, "id", token);
  fn_json_array(w, "ids");
  fn_json_int(w, NULL, id);
  fn_json_end(w);
  fn_json_array(w, "tokens");
  fn_json_str(w, NULL, token);
  fn_json_end(w);
  fn_json_end(w);
}

static void write_post_processor(fn_json_writer *w, const fn_tokenizer *t) {
  fn_str cls = t->spec.specials[FN_SPECIAL_CLS], sep = t->spec.specials[FN_SPECIAL_SEP];
  fn_json_object(w, "post_processor");
  fn_json_text(w, "type", "TemplateProcessing");
  for (int pair = 0; pair < 2; pair++) {
    fn_json_array(w, pair ? "pair" : "single");
    write_piece(w, "SpecialToken", cls, 0);
    write_piece(w, "Sequence", fn_str_from("A"), 0);
    write_piece(w, "SpecialToken", sep, 0);
    if (pair) write_piece(w, "Sequence", fn_str_from("B"), 1);
    if (pair) write_piece(w, "SpecialToken", sep, 1);
    fn_json_end(w);
  }
  fn_json_object(w, "special_tokens");
  write_special(w, cls, t->info.cls_id);
  write_special(w, sep, t->info.sep_id);
  fn_json_end(w);
  fn_json_end(w);
}

static void write_model(fn_json_writer *w, const fn_tokenizer *t) {
  const fn_tokenizer_spec *spec = &t->spec;
  fn_json_object(w, "decoder");
  fn_json_text(w, "type", "WordPiece");
  fn_json_str(w, "prefix", spec->prefix);
  fn_json_bool(w, "cleanup", true);
  fn_json_end(w);
  fn_json_object(w, "model");
  fn_json_text(w, "type", "WordPiece");
  fn_json_str(w, "unk_token", spec->specials[FN_SPECIAL_UNK]);
  fn_json_str(w, "continuing_subword_prefix", spec->prefix);
  fn_json_int(w, "max_input_chars_per_word", spec->max_chars);
  fn_json_object(w, "vocab");
  for (size_t i = 0; i < spec->n_model; i++) fn_json_int(w, fn_tokenizer_token(t, (int32_t)i), (int64_t)i);
  fn_json_end(w);
  fn_json_end(w);
}

static fn_status write_file(const char *dir, const char *name, const fn_buf *text, fn_err *err) {
  FN_TRY(fn_buf_check(text, name, err));
  FN_AUTO_FREE char *path = fn_path_join(dir, name);
  if (!path) return fn_err_no_memory(err, "path");
  return fn_file_write(path, text->data, text->length, err);
}

static fn_status save_json(const fn_tokenizer *t, const char *dir, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, FILE_MAX);
  fn_json_writer w;
  fn_json_begin(&w, &text, 2);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "version", "1.0");
  fn_json_null(&w, "truncation");
  fn_json_null(&w, "padding");
  fn_added_tokens_write(&w, "added_tokens", &t->spec);
  write_normalizer(&w, &t->spec.normalizer);
  fn_json_object(&w, "pre_tokenizer");
  fn_json_text(&w, "type", "BertPreTokenizer");
  fn_json_end(&w);
  write_post_processor(&w, t);
  write_model(&w, t);
  fn_json_end(&w);
  return write_file(dir, "tokenizer.json", &text, err);
}

static fn_status save_config(const fn_tokenizer *t, const char *dir, fn_err *err) {
  static const char *const keys[FN_SPECIALS] = {"unk_token", "cls_token", "sep_token", "pad_token", "mask_token"};
  const int32_t ids[FN_SPECIALS] = {t->info.unk_id, t->info.cls_id, t->info.sep_id, t->info.pad_id, t->info.mask_id};
  const fn_normalizer_options *n = &t->spec.normalizer;
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, FILE_MAX);
  fn_json_writer w;
  fn_json_begin(&w, &text, 2);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "tokenizer_class", "BertTokenizer");
  fn_json_bool(&w, "do_lower_case", n->lowercase);
  if (n->strip_accents_is_null)
    fn_json_null(&w, "strip_accents");
  else
    fn_json_bool(&w, "strip_accents", n->strip_accents);
  fn_json_bool(&w, "tokenize_chinese_chars", n->handle_chinese_chars);
  for (size_t i = 0; i < FN_SPECIALS; i++)
    if (ids[i] >= 0) fn_json_str(&w, keys[i], t->spec.specials[i]);
  if (t->spec.model_max_length) fn_json_int(&w, "model_max_length", t->spec.model_max_length);
  fn_json_end(&w);
  return write_file(dir, "tokenizer_config.json", &text, err);
}

fn_status fn_tokenizer_save(const fn_tokenizer *tokenizer, const char *dir, fn_err *err) {
  FN_TRY(fn_dir_create(dir, err));
  FN_AUTO_BUF fn_buf vocab;
  fn_buf_init(&vocab, FILE_MAX);
  for (size_t i = 0; i < tokenizer->spec.n_model; i++) {
    fn_buf_append_str(&vocab, fn_tokenizer_token(tokenizer, (int32_t)i));
    fn_buf_append_char(&vocab, '\n');
  }
  FN_TRY(write_file(dir, "vocab.txt", &vocab, err));
  FN_TRY(save_config(tokenizer, dir, err));
  return save_json(tokenizer, dir, err);
}
