/* Settings as YAML, help text and Markdown. */
#include "config/config_internal.h"

static void format_string(fn_buf *out, const char *text) {
  FN_AUTO_BUF fn_buf shown, json;
  fn_buf_init(&shown, 0);
  fn_buf_init(&json, 0);
  fn_buf_append_address(&shown, text);
  fn_buf_append_json(&json, fn_buf_str(&shown));
  if (shown.failed || json.failed) out->failed = true;
  fn_buf_append_yaml(out, fn_buf_str(&json));
}

/* An item of a list or map: bare where YAML and our own parser read it back as the same text. */
static void format_item(fn_buf *out, const char *text) {
  size_t bare = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+/");
  bool plain = text[0] && text[bare] == 0 && strcmp(text, "null") != 0 && text[0] != '-';
  if (plain)
    fn_buf_append_str(out, text);
  else
    format_string(out, text);
}

static void format_value(fn_buf *out, const fn_setting *s) {
  const fn_value *v = &s->value;
  if (v->is_null) {
    fn_buf_append_str(out, "null");
  } else if (s->option->secret) {
    fn_buf_append_str(out, "\"***\"");
  } else if (s->option->type == FN_OPTION_STRING) {
    format_string(out, v->string);
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
      fn_buf_append_str(out, "  # ");
      fn_buf_append_yaml(out, fn_str_from(s->origin)); /* a file's name may hold line breaks */
    }
    fn_buf_append_char(out, '\n');
  }
}

static void format_text(fn_buf *out, const fn_setting *s, size_t width) {
  enum { INDENT = 6 };
  FN_AUTO_BUF fn_buf help;
  fn_buf_init(&help, 1 << 16);
  fn_buf_printf(&help, "%s (", s->option->help);
  fn_option_describe(&help, s->option);
  fn_buf_append_char(&help, ')');
  fn_buf_printf(out, "  %s=%s\n%*s", s->option->key, s->option->default_value, INDENT, "");
  fn_buf_append_wrapped(out, help.data ? help.data : "", INDENT, INDENT, width);
  fn_buf_append_char(out, '\n');
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

static bool matches(const char *key, const char *words, bool excluded) {
  while (*words) {
    const size_t n = strcspn(words, " ");
    const bool negative = *words == '!';
    if (negative == excluded && strncmp(key, words + negative, n - negative) == 0) return true;
    words += n;
    words += strspn(words, " ");
  }
  return false;
}

bool fn_config_is_asked(const char *key, const char *prefixes) {
  return !prefixes || (matches(key, prefixes, false) && !matches(key, prefixes, true));
}

static void format_table(fn_buf *out, const fn_config *config, const fn_option_table *table, const char *prefixes,
                         size_t width) {
  bool titled = false;
  for (size_t i = 0; i < config->n_settings; i++) {
    const fn_setting *s = &config->settings[i];
    if (s->table != table || !fn_config_is_asked(s->option->key, prefixes)) continue;
    if (!titled) fn_buf_printf(out, "%s%s\n", out->length ? "\n" : "", table->title);
    titled = true;
    format_text(out, s, width);
  }
}

/* A table stands where the first prefix that names one of its settings stands. */
void fn_config_format_help(fn_buf *out, const fn_config *config, const char *prefixes, size_t width) {
  const fn_option_table *done[64];
  size_t n_done = 0;
  for (const char *word = prefixes ? prefixes : ""; n_done < FN_COUNT_OF(done);) {
    const size_t n = strcspn(word, " ");
    for (size_t i = 0; i < config->n_settings && n_done < FN_COUNT_OF(done); i++) {
      const fn_setting *s = &config->settings[i];
      bool seen = strncmp(s->option->key, word, n) != 0 || !fn_config_is_asked(s->option->key, prefixes);
      for (size_t d = 0; d < n_done; d++) seen |= done[d] == s->table;
      if (seen) continue;
      format_table(out, config, s->table, prefixes, width);
      done[n_done++] = s->table;
    }
    word += n;
    word += strspn(word, " ");
    if (!*word) break;
  }
}

void fn_config_each_group(const fn_config *config, void (*see)(void *arg, fn_str group, fn_str name), void *arg) {
  static const char folder[] = "config/", ending[] = ".yaml";
  for (const fn_embedded *e = config->groups; e && e->name; e++) {
    const char *group = e->name + strlen(folder), *slash = strchr(group, '/');
    if (!fn_str_starts_with(fn_str_from(e->name), folder) || !slash) continue;
    see(arg, fn_str_make(group, (size_t)(slash - group)), fn_str_make(slash + 1, strlen(slash + 1) - strlen(ending)));
  }
}

void fn_config_format_markdown(fn_buf *out, const fn_config *config) {
  const fn_option_table *table = NULL;
  for (size_t i = 0; i < config->n_settings; i++) {
    const fn_setting *s = &config->settings[i];
    if (s->table != table)
      fn_buf_printf(out, "%s## %s\n\n| setting | default | takes | meaning |\n|---|---|---|---|\n", table ? "\n" : "",
                    s->table->title);
    table = s->table;
    format_markdown(out, s);
  }
}
