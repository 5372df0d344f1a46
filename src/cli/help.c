/* Help texts, and finding verbs by what was typed. */
#include "cli/args.h"

#include <unistd.h>

enum { MAX_WIDTH = 100, NARROW = 60 };

size_t fn_cli_help_width(void) {
  const int width = fn_cli_width(STDOUT_FILENO);
  return (size_t)(width < MAX_WIDTH ? width : MAX_WIDTH);
}

/* "  name      text", the text wrapped beside it, or below on a narrow terminal. */
static void entry(fn_buf *out, const char *name, size_t name_width, const char *text) {
  const size_t width = fn_cli_help_width();
  size_t columns = 0;
  for (const char *at = name; *at; at++) columns += ((unsigned char)*at & 0xC0) != 0x80;
  fn_buf_printf(out, "  %s%*s", name, columns < name_width ? (int)(name_width - columns) : 0, "");
  size_t indent = name_width + 3;
  if (width < NARROW || columns > name_width) {
    indent = 6;
    while (out->length && out->data[out->length - 1] == ' ') out->length--;
    fn_buf_printf(out, "\n%*s", (int)indent, "");
  } else {
    fn_buf_append_char(out, ' ');
  }
  fn_buf_append_wrapped(out, text, indent, indent, width);
  fn_buf_append_char(out, '\n');
}

static void paragraph(fn_buf *out, const char *text) {
  fn_buf_append_char(out, '\n');
  fn_buf_append_wrapped(out, text, 0, 0, fn_cli_help_width());
  fn_buf_append_char(out, '\n');
}

static const char *verb_name(char out[40], const fn_verb *v) {
  snprintf(out, 40, "%s%s%s", v->name, v->sub ? " " : "", v->sub ? v->sub : "");
  return out;
}

static void print(FILE *file, const fn_buf *text) {
  if (text->length) fwrite(text->data, 1, text->length, file);
}

/* A group of verbs begins at i, or ends before it: `runs list` behind `tokenize`. */
static bool is_parted(size_t i) {
  const fn_verb *const *v = fn_cli_verbs + i;
  if (i == 0 || strcmp(v[-1]->name, v[0]->name) == 0) return false;
  return (v[1] && strcmp(v[0]->name, v[1]->name) == 0) || (i > 1 && strcmp(v[-2]->name, v[-1]->name) == 0);
}

/* All verbs with the gist of each, or those of one group with all of their summaries. */
static void append_verbs(fn_buf *out, const char *group) {
  char name[40], gist[120];
  size_t widest = 0;
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; fn_cli_verbs[i]; i++) {
      if (group && strcmp(fn_cli_verbs[i]->name, group) != 0) continue;
      const size_t n = strlen(verb_name(name, fn_cli_verbs[i]));
      if (pass == 0) {
        widest = n > widest ? n : widest;
        continue;
      }
      if (!group && is_parted(i)) fn_buf_append_char(out, '\n');
      snprintf(gist, sizeof gist, "%.*s", (int)strcspn(fn_cli_verbs[i]->summary, ";"), fn_cli_verbs[i]->summary);
      entry(out, name, widest + 1, group ? fn_cli_verbs[i]->summary : gist);
    }
}

void fn_cli_help(FILE *file) {
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 1 << 20);
  fn_buf_append_str(&out, "fakenews: a classifier of news, from the data to the answer\n\nusage: fakenews VERB …\n\n");
  append_verbs(&out, NULL);
  paragraph(&out,
            "`fakenews VERB --help` (or `fakenews help VERB`) tells what a verb takes, `fakenews config options` lists "
            "all settings, `fakenews --version` what this program was built with.");
  paragraph(&out, "Exit codes: 0 done, 1 failure at run time, 2 usage or input refused, 3 done in part (each row "
                  "reported), 4 gate refused, 128+n ended by signal n.");
  print(file, &out);
}

void fn_cli_help_group(FILE *file, const char *group) {
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 1 << 16);
  fn_buf_printf(&out, "usage: fakenews %s VERB …\n\n", group);
  append_verbs(&out, group);
  print(file, &out);
}

static void see_group(void *arg, fn_str group, fn_str name) {
  fn_buf_printf(arg, "  %.*s=%.*s\n", (int)group.length, group.data, (int)name.length, name.data);
}

void fn_cli_format_groups(fn_buf *out, const fn_config *config) {
  FN_AUTO_BUF fn_buf names;
  fn_buf_init(&names, 1 << 16);
  fn_config_each_group(config, see_group, &names);
  if (names.length == 0) return;
  paragraph(out, "Settings that belong together (`fakenews config show preset=NAME` shows them)");
  fn_buf_append(out, names.data, names.length);
}

static void append_settings(fn_buf *out, const fn_verb *verb, const fn_config *config) {
  FN_AUTO_BUF fn_buf settings;
  fn_buf_init(&settings, 1 << 20);
  fn_config_format_help(&settings, config, verb->options, fn_cli_help_width());
  if (settings.length == 0) return;
  fn_buf_append_str(out, "\nSettings (key=value)\n\n");
  fn_buf_append(out, settings.data, settings.length);
  if (verb->more) {
    char more[300];
    snprintf(more, sizeof more, "Others that matter here: `fakenews config options %s`", verb->more);
    fn_buf_append_char(out, '\n');
    fn_buf_append_wrapped(out, more, 0, 0, fn_cli_help_width());
    fn_buf_append_char(out, '\n');
  }
  /* a preset is a recipe to make a dataset and to train on it: of no use to a verb that does neither */
  if (fn_config_is_asked("data.text", verb->options)) fn_cli_format_groups(out, config);
}

void fn_cli_help_verb(FILE *file, const fn_verb *verb, const fn_config *config) {
  enum { NAME_WIDTH = 26 };
  static const char *const common[][2] = {
      {"--config FILE", "settings from a YAML file; key=value on the command line goes before them"},
      {"-q, --quiet", "no progress, no remarks"},
      {"--color[=WHEN]", "auto (a terminal, unless NO_COLOR is set), always or never"},
      {"-h, --help", "this text"},
  };
  char name[64];
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 1 << 20);
  fn_buf_append_wrapped(&out, verb->summary, 0, 0, fn_cli_help_width());
  fn_buf_printf(&out, "\n\nusage: fakenews %s ", verb_name(name, verb));
  const size_t column = strlen("usage: fakenews  ") + strlen(name);
  fn_buf_append_wrapped(&out, verb->usage, column, fn_cli_help_width() < NARROW ? 7 : column, fn_cli_help_width());
  fn_buf_append_str(&out, "\n\n");
  for (size_t i = 0; verb->flags && verb->flags[i].name; i++) {
    const fn_cli_flag *f = &verb->flags[i];
    char help[512];
    snprintf(name, sizeof name, "%s%s%s", f->name, f->value ? " " : "", f->value ? f->value : "");
    snprintf(help, sizeof help, "%s%s", f->help, f->required ? " (required)" : "");
    entry(&out, name, NAME_WIDTH, help);
  }
  for (size_t i = 0; i < FN_CLI_DEVICE_FLAGS && fn_cli_has_device(verb); i++) {
    const fn_cli_device_flag *f = &fn_cli_device_flags[i];
    char flag[64];
    snprintf(flag, sizeof flag, "%s %s", f->flag, f->value);
    entry(&out, flag, NAME_WIDTH, f->help);
  }
  for (size_t i = 0; i < FN_COUNT_OF(common); i++) entry(&out, common[i][0], NAME_WIDTH, common[i][1]);
  if (verb->examples) fn_buf_printf(&out, "\nExamples\n%s", verb->examples);
  if (verb->options) append_settings(&out, verb, config);
  print(file, &out);
}

/* ---- what was typed ---- */

bool fn_cli_is_group(const char *name) {
  for (size_t i = 0; fn_cli_verbs[i]; i++)
    if (fn_cli_verbs[i]->sub && strcmp(fn_cli_verbs[i]->name, name) == 0) return true;
  return false;
}

const fn_verb *fn_cli_find_verb(size_t n, char *const *words, size_t *used_out) {
  for (size_t i = 0; n > 0 && fn_cli_verbs[i]; i++) {
    const fn_verb *v = fn_cli_verbs[i];
    if (strcmp(v->name, words[0]) != 0) continue;
    if (!v->sub) return *used_out = 1, v;
    if (n > 1 && strcmp(v->sub, words[1]) == 0) return *used_out = 2, v;
  }
  return NULL;
}

/* What is nearest to what was typed: a verb by its last word ("prepare" is `data prepare`) or a group; false when
 * nothing is near. */
static bool nearest(char out[40], size_t n, char *const *words) {
  size_t best = 3;
  const bool in_group = n > 1 && fn_cli_is_group(words[0]);
  for (size_t i = 0; fn_cli_verbs[i]; i++) {
    const fn_verb *v = fn_cli_verbs[i];
    if (in_group && strcmp(v->name, words[0]) != 0) continue;
    size_t d = fn_str_distance(words[in_group ? 1 : 0], v->sub ? v->sub : v->name);
    if (d < best) best = d, verb_name(out, v);
    if (in_group || !v->sub) continue;
    d = fn_str_distance(words[0], v->name);
    if (d < best) best = d, snprintf(out, 40, "%s", v->name);
  }
  return best < 3;
}

void fn_cli_unknown_verb(FILE *file, size_t n, char *const *words) {
  char name[40];
  if (n == 1 && fn_cli_is_group(words[0])) {
    fprintf(file, "fakenews: %s needs one of these:\n\n", words[0]);
    fn_cli_help_group(file, words[0]);
    return;
  }
  const bool in_group = n > 1 && fn_cli_is_group(words[0]);
  fprintf(file, "fakenews: unknown %s \"%s%s%.100s\"; ", words[0][0] == '-' ? "flag" : "verb", in_group ? words[0] : "",
          in_group ? " " : "", words[in_group ? 1 : 0]);
  if (nearest(name, n, words))
    fprintf(file, "did you mean `fakenews %s`?\n", name);
  else
    fprintf(file, "`fakenews %s%s--help` lists %s\n", in_group ? words[0] : "", in_group ? " " : "",
            words[0][0] == '-' ? "what is accepted" : "the verbs");
}
