/* The manual page, made of the tables of verbs and options: `fakenews help --man`. */
#include "cli/args.h"

/* Text as troff takes it: `code` becomes bold, what troff would read as its own is escaped. */
static void text(fn_buf *out, const char *s) {
  bool code = false, line_begins = true;
  for (; *s; s++) {
    if (line_begins && (*s == '.' || *s == '\'')) fn_buf_append_str(out, "\\&");
    line_begins = *s == '\n';
    if (*s == '`') {
      code = !code;
      fn_buf_append_str(out, code ? "\\fB" : "\\fR");
    } else if (*s == '\\') {
      fn_buf_append_str(out, "\\e");
    } else if (*s == '-') {
      fn_buf_append_str(out, "\\-");
    } else {
      fn_buf_append_char(out, *s);
    }
  }
}

static void heading(fn_buf *out, const char *title) {
  fn_buf_append_str(out, ".SS \"");
  text(out, title);
  fn_buf_append_str(out, "\"\n");
}

/* A tagged paragraph: `tag` in bold, then `rest` in plain. */
static void item(fn_buf *out, const char *tag, const char *rest) {
  fn_buf_append_str(out, ".TP\n\\fB");
  text(out, tag);
  fn_buf_append_str(out, "\\fR");
  if (rest && *rest) fn_buf_append_char(out, ' ');
  if (rest) text(out, rest);
  fn_buf_append_char(out, '\n');
}

static void flags_of(fn_buf *out, const fn_verb *v) {
  for (size_t i = 0; v->flags && v->flags[i].name; i++) {
    item(out, v->flags[i].name, v->flags[i].value);
    text(out, v->flags[i].help);
    fn_buf_append_str(out, v->flags[i].required ? " (required)\n" : "\n");
  }
}

static void examples_of(fn_buf *out, const fn_verb *v) {
  if (!v->examples) return;
  fn_buf_append_str(out, ".PP\nExamples:\n.PP\n.nf\n");
  text(out, v->examples);
  fn_buf_append_str(out, ".fi\n");
}

static void verb(fn_buf *out, const fn_verb *v) {
  char name[64];
  snprintf(name, sizeof name, "fakenews %s%s%s", v->name, v->sub ? " " : "", v->sub ? v->sub : "");
  heading(out, name + sizeof "fakenews");
  text(out, v->summary);
  fn_buf_append_str(out, ".\n.PP\n\\fB");
  text(out, name);
  fn_buf_append_str(out, "\\fR ");
  text(out, v->usage);
  fn_buf_append_char(out, '\n');
  flags_of(out, v);
  examples_of(out, v);
}

static void setting(fn_buf *out, const fn_option *o) {
  static const char *const types[] = {"true|false", "number", "number", NULL, "text", "[a,b,…]", "{a:b,…}"};
  char rest[256];
  const char *type = types[o->type] ? types[o->type] : o->range;
  bool range = o->range && o->type != FN_OPTION_ENUM;
  snprintf(rest, sizeof rest, "= %s%s%s%s (default %s)", type, range ? " in " : "", range ? o->range : "",
           o->nullable ? " or null" : "", o->default_value);
  item(out, o->key, rest);
  text(out, o->help);
  fn_buf_append_char(out, '\n');
}

static void settings(fn_buf *out) {
  fn_buf_append_str(out, ".SH SETTINGS\nEvery verb takes them as \\fIkey\\fR=\\fIvalue\\fR. Lower ones give way: "
                         "defaults, groups (\\fBpreset\\fR=\\fIname\\fR), \\fB\\-\\-config\\fR \\fIFILE\\fR, "
                         "\\fI.env\\fR, \\fBFAKENEWS_GROUP_KEY\\fR in the environment, the command line.\n");
  for (size_t t = 0; t < fn_cli_n_tables; t++) {
    heading(out, fn_cli_tables[t]->title);
    for (size_t i = 0; i < fn_cli_tables[t]->n_options; i++) setting(out, &fn_cli_tables[t]->options[i]);
  }
}

static void ending(fn_buf *out) {
  fn_buf_append_str(out, ".SH ENVIRONMENT\n");
  item(out, "FAKENEWS_GROUP_KEY", NULL);
  text(out, "The setting group.key; FAKENEWS_GROUP_KEY_FILE names a file that holds its value.\n");
  item(out, "HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME", NULL);
  text(out, "Where the local Hugging Face Hub cache lies, as huggingface_hub reads them.\n");
  item(out, "NO_COLOR", NULL);
  text(out, "Not empty: no colours.\n");
  fn_buf_append_str(out, ".SH EXIT STATUS\n");
  static const char *const codes[][2] = {
      {"0", "done"},
      {"1", "failure at run time"},
      {"2", "usage or input refused"},
      {"3", "done in part, each row reported"},
      {"4", "gate refused"},
      {"128+n", "ended by signal n"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(codes); i++) {
    item(out, codes[i][0], NULL);
    text(out, codes[i][1]);
    fn_buf_append_char(out, '\n');
  }
}

void fn_cli_man(fn_buf *out, const char *version, const char *date) {
  fn_buf_printf(out,
                ".\\\" Made by `fakenews help --man` from the tables of verbs and options.\n"
                ".TH FAKENEWS 1 \"%s\" \"fakenews %s\" \"User Commands\"\n",
                date, version);
  fn_buf_append_str(out, ".SH NAME\nfakenews \\- a classifier of news, from the data to the answer\n"
                         ".SH SYNOPSIS\n\\fBfakenews\\fR \\fIVERB\\fR [\\fIflags\\fR] [\\fIkey\\fR=\\fIvalue\\fR ...]\n"
                         ".SH DESCRIPTION\nAnswers go to standard output, progress and remarks to standard error. "
                         "Every verb takes\n");
  static const char *const common[][3] = {
      {"--help", NULL, "its flags and settings"},
      {"--config", "FILE", "settings from a YAML file"},
      {"--quiet", NULL, "no progress and no remarks"},
      {"--color", "[=auto|always|never]", "colours on a terminal"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(common); i++) {
    item(out, common[i][0], common[i][1]);
    text(out, common[i][2]);
    fn_buf_append_char(out, '\n');
  }
  fn_buf_append_str(out, "Verbs that compute also take\n");
  for (size_t i = 0; i < FN_CLI_DEVICE_FLAGS; i++) {
    item(out, fn_cli_device_flags[i].flag, fn_cli_device_flags[i].value);
    text(out, fn_cli_device_flags[i].help);
    fn_buf_append_char(out, '\n');
  }
  fn_buf_append_str(out, ".SH VERBS\n");
  for (size_t i = 0; fn_cli_verbs[i]; i++) verb(out, fn_cli_verbs[i]);
  settings(out);
  ending(out);
}
