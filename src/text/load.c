/* Which file of a folder is the tokenizer. */
#include "text/load.h"

#include <stdlib.h>

/* Text of tokenizer_config.json beside the tokenizer's file; empty when there is none. */
static fn_status read_optional(fn_buf *text, const char *path, fn_err *err) {
  if (!fn_path_exists(path)) return FN_OK;
  return fn_file_read(text, path, FN_TOKENIZER_FILE_MAX, err);
}

/* A vocab.txt with added_tokens.json is an old form in which added tokens lack their flags. */
static fn_status refuse_added_tokens(const char *dir, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(dir, "added_tokens.json");
  if (!path) return fn_err_no_memory(err, "path");
  if (!fn_path_exists(path)) return FN_OK;
  FN_AUTO_JSON json_t *added = NULL;
  FN_TRY(fn_json_load(&added, path, FN_TOKENIZER_FILE_MAX, err));
  if (json_object_size(added) == 0) return FN_OK;
  return fn_err_set(err, FN_E_UNSUPPORTED,
                    "%s: tokens added beside vocab.txt are not handled; save the tokenizer with transformers "
                    "(save_pretrained), which writes a tokenizer.json that holds them",
                    path);
}

static fn_status load_file(fn_tokenizer **tokenizer_out, const char *dir, const char *path, fn_err *err) {
  FN_AUTO_BUF fn_buf text, config;
  fn_buf_init(&text, FN_TOKENIZER_FILE_MAX);
  fn_buf_init(&config, FN_TOKENIZER_FILE_MAX);
  FN_AUTO_FREE char *config_path = fn_path_join(dir, "tokenizer_config.json");
  if (!config_path) return fn_err_no_memory(err, "path");
  FN_TRY(fn_file_read(&text, path, FN_TOKENIZER_FILE_MAX, err));
  FN_TRY(read_optional(&config, config_path, err));
  if (fn_str_ends_with(fn_str_from(path), ".json"))
    return fn_tokenizer_parse_json(tokenizer_out, fn_buf_str(&text), path, fn_buf_str(&config), config_path, err);
  FN_TRY(refuse_added_tokens(dir, err));
  return fn_tokenizer_parse_vocab(tokenizer_out, fn_buf_str(&text), path, fn_buf_str(&config), config_path, err);
}

static fn_status load_dir(fn_tokenizer **tokenizer_out, const char *dir, fn_err *err) {
  static const char *const names[] = {"tokenizer.json", "vocab.txt"};
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) {
    FN_AUTO_FREE char *path = fn_path_join(dir, names[i]);
    if (!path) return fn_err_no_memory(err, "path");
    if (fn_path_exists(path)) return load_file(tokenizer_out, dir, path, err);
  }
  return fn_err_set(err, FN_E_NOT_FOUND, "%s: holds neither tokenizer.json nor vocab.txt", dir);
}

fn_status fn_tokenizer_load(fn_tokenizer **tokenizer_out, const char *dir, fn_err *err) {
  if (fn_path_is_dir(dir)) return load_dir(tokenizer_out, dir, err);
  if (!fn_path_exists(dir))
    return fn_err_set(err, FN_E_NOT_FOUND,
                      "%s: no such folder or file; a tokenizer is a folder with tokenizer.json or vocab.txt", dir);
  fn_str path = fn_str_from(dir);
  if (!fn_str_ends_with(path, ".json") && !fn_str_ends_with(path, ".txt"))
    return fn_err_set(err, FN_E_INVALID, "%s: a tokenizer is a folder, a tokenizer.json or a vocab.txt", dir);
  size_t length = (size_t)(fn_path_base(dir) - dir);
  FN_AUTO_FREE char *parent = length ? fn_str_dup(fn_str_make(dir, length)) : fn_str_dup(fn_str_from("."));
  if (!parent) return fn_err_no_memory(err, "path");
  return load_file(tokenizer_out, parent, dir, err);
}
