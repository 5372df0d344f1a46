/* Settings as YAML, help text and Markdown. */
#include "config/config_internal.h"

/* An item of a list or map: bare where YAML and our own parser read it back as the same text. */
static void format_item(fn_buf *out, const char *text) {
  size_t bare = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+/");
  bool plain = text[0] && text[bare] == 0 && strcmp(text, "null") != 0 && text[0] != '-';
  if (plain)
    fn_buf_append_str(out, text);
  else
    fn_buf_append_json(out, fn_str_from(text));
}

static void format_value(fn_buf *out, const fn_setting *s) {
  const fn_value *v = &s->value;
  if (v->is_null) {
    fn_buf_append_str(out, "null");
  } else if (s->option->secret) {
    fn_buf_append_str(out, "\"***\"");
  } else if (s->option->type == FN_OPTION_STRING) {
    fn_buf_append_json(out, fn_str_from(v->string));
  } else if (s->option->type == FN_OPTION_LIST) {
    fn_buf_append_char(out, '[');
    for (size_t i = 0; i < v->list.n; i++) {
      if (i) fn_buf_append_str(out, ", ");
      format_item(out, v->list.items[i]);
    }
    fn_buf_append_char(out, ']');
  } else if (s->option->type == FN_OPTION_MAP) {
    fn_buf_append_char(out, '{');
    for (size_t i = 0; i < v->map.n; i++) {
      if (i) fn_buf_append_str(out, ", ");
      format_item(out, v->map.keys[i]);
      fn_buf_append_str(out, ": ");
      format_item(out, v->map.values[i]);
    }
    fn_buf_append_char(out, '}');
  } else {
    fn_buf_append_str(out, s->text);
  }
}

void fn_config_format_yaml(fn_buf *out, const fn_config *config, bool origins) {
  const fn_option_table *table = NULL;
  for (size_t i = 0; i < config->n_settings; i++) {
    const fn_setting *s = &config->settings[i];
    if (s->table != table) {
      fn_buf_printf(out, "%s# %s\n", table ? "\n" : "", s->table->title);
      table = s->table;
    }
    size_t start = out->length;
    fn_buf_printf(out, "%s: ", s->option->key);
    format_value(out, s);
    if (origins) {
      for (size_t width = out->length - start; width < 46; width++) fn_buf_append_char(out, ' ');
      fn_buf_printf(out, "  # %s", s->origin);
    }
    fn_buf_append_char(out, '\n');
  }
}

static void format_text(fn_buf *out, const fn_setting *s) {
  FN_AUTO_BUF fn_buf takes;
  fn_buf_init(&takes, 4096);
  fn_option_describe(&takes, s->option);
  fn_buf_printf(out, "  %s=%s\n", s->option->key, s->option->default_value);
  fn_buf_printf(out, "      %s (%s)\n", s->option->help, takes.data ? takes.data : "");
}

static void format_cell(fn_buf *out, const char *text) {
  for (; *text; text++) {
    if (*text == '|') fn_buf_append_char(out, '\\');
    fn_buf_append_char(out, *text);
  }
}

static void format_markdown(fn_buf *out, const fn_setting *s) {
  FN_AUTO_BUF fn_buf takes;
  fn_buf_init(&takes, 4096);
  fn_option_describe(&takes, s->option);
  fn_buf_printf(out, "| `%s` | `", s->option->key);
  format_cell(out, s->option->default_value);
  fn_buf_append_str(out, "` | ");
  format_cell(out, takes.data ? takes.data : "");
  fn_buf_append_str(out, " | ");
  format_cell(out, s->option->help);
  fn_buf_append_str(out, " |\n");
}

void fn_config_format_help(fn_buf *out, const fn_config *config, const char *prefix, bool markdown) {
  const fn_option_table *table = NULL;
  for (size_t i = 0; i < config->n_settings; i++) {
    const fn_setting *s = &config->settings[i];
    if (prefix && strncmp(s->option->key, prefix, strlen(prefix)) != 0) continue;
    if (s->table != table) {
      fn_buf_printf(out,
                    markdown ? "%s## %s\n\n| setting | default | takes | meaning |\n|---|---|---|---|\n" : "%s%s\n",
                    table ? "\n" : "", s->table->title);
      table = s->table;
    }
    if (markdown)
      format_markdown(out, s);
    else
      format_text(out, s);
  }
}
