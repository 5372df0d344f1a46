#include "config/document.h"

static int line_at(fn_str text, size_t at) {
  int line = 1;
  for (size_t i = 0; i < at; i++) line += text.data[i] == '\n';
  return line;
}

static fn_status check_bytes(fn_str text, const char *name, fn_err *err) {
  size_t at = 0;
  if (!fn_utf8_valid(text, &at))
    return fn_err_set(err, FN_E_INVALID, "%s:%d: not valid UTF-8", name, line_at(text, at));
  for (size_t i = 0; i < text.length; i++) {
    const char c = text.data[i];
    if (c == '\0') return fn_err_set(err, FN_E_INVALID, "%s:%d: a NUL byte", name, line_at(text, i));
    if (c == '%' && (i == 0 || text.data[i - 1] == '\n' || text.data[i - 1] == '\r'))
      return fn_err_set(err, FN_E_INVALID, "%s:%d: YAML directives (a line that begins with %%) are not accepted", name,
                        line_at(text, i));
  }
  return FN_OK;
}

/* Comments and space only: no document, and no error. */
static bool has_content(fn_str text) {
  bool comment = false;
  for (size_t i = 0; i < text.length; i++) {
    const char c = text.data[i];
    if (c == '\n')
      comment = false;
    else if (c == '#')
      comment = true;
    else if (!comment && c != ' ' && c != '\r' && c != '\t')
      return true;
  }
  return false;
}

/* The first diagnostic of libfyaml, in our form. */
static fn_status not_yaml(struct fy_diag *diag, const char *name, fn_err *err) {
  void *at = NULL;
  const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &at);
  if (!e) return fn_err_set(err, FN_E_INVALID, "%s: not valid YAML", name);
  return fn_err_set(err, FN_E_INVALID, "%s:%d:%d: not valid YAML: %s", name, e->line, e->column, e->msg);
}

fn_status fn_yaml_parse(struct fy_document **document_out, fn_str text, size_t max_bytes, const char *name,
                        fn_err *err) {
  if (text.length > max_bytes) return fn_err_set(err, FN_E_LIMIT, "%s: longer than %zu bytes", name, max_bytes);
  FN_TRY(check_bytes(text, name, err));
  struct fy_diag_cfg diag_config;
  fy_diag_cfg_default(&diag_config);
  diag_config.fp = NULL;
  struct fy_diag *diag = fy_diag_create(&diag_config);
  if (!diag) return fn_err_no_memory(err, name);
  fy_diag_set_collect_errors(diag, true);
  const struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_AUTO, .diag = diag};
  struct fy_document *document = fy_document_build_from_string(&config, text.data ? text.data : "", text.length);
  const fn_status status = document || !has_content(text) ? FN_OK : not_yaml(diag, name, err);
  fy_diag_destroy(diag); /* the document holds on to what it needs */
  if (status == FN_OK) *document_out = document;
  return status;
}

int fn_yaml_line(struct fy_node *node) {
  void *at = NULL;
  for (int depth = 0; node && depth < 8 && !fy_node_is_scalar(node); depth++, at = NULL) {
    if (fy_node_is_mapping(node)) {
      struct fy_node_pair *pair = fy_node_mapping_iterate(node, &at);
      node = pair ? fy_node_pair_key(pair) : NULL;
    } else {
      node = fy_node_sequence_iterate(node, &at);
    }
  }
  struct fy_token *token = node && fy_node_is_scalar(node) ? fy_node_get_scalar_token(node) : NULL;
  const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
  return mark ? mark->line + 1 : 1;
}
