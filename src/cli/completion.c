/* Completion for bash, zsh and fish, made of the tables of verbs and options: `fakenews help --completion SHELL`.
 *
 * Each script is a few tables of words and a short function that chooses one. A verb is "data prepare" or "train". */
#include "cli/args.h"

/* Single quotes: nothing inside is special to bash and zsh; fish knows \' and \\ there, which none of our words holds.
 */
static void quote(fn_buf *out, const char *s) {
  fn_buf_append_char(out, '\'');
  for (; *s; s++) {
    if (*s == '\'')
      fn_buf_append_str(out, "'\\''");
    else
      fn_buf_append_char(out, *s);
  }
  fn_buf_append_char(out, '\'');
}

static void verb_name(char name[64], const fn_verb *v) {
  snprintf(name, 64, "%s%s%s", v->name, v->sub ? " " : "", v->sub ? v->sub : "");
}

/* "table|jsonl|csv" is a choice, "DIR|FILE" is not. */
static bool is_choice(const char *value) {
  if (!value || !strchr(value, '|')) return false;
  for (const char *p = value; *p; p++)
    if ((*p < 'a' || *p > 'z') && (*p < '0' || *p > '9') && !strchr("|-+_", *p)) return false;
  return true;
}

static void append_choices(fn_buf *out, const char *choices) {
  for (const char *p = choices; *p; p++) fn_buf_append_char(out, *p == '|' ? ' ' : *p);
}

/* The values of a setting that can be listed; "" for others. */
static void append_values(fn_buf *out, const fn_option *o) {
  if (o->type == FN_OPTION_BOOL) fn_buf_append_str(out, "true false");
  if (o->type == FN_OPTION_ENUM) append_choices(out, o->range);
  if (o->type == FN_OPTION_STRING && strcmp(o->default_value, "auto") == 0) fn_buf_append_str(out, "auto");
  if (o->nullable) fn_buf_append_str(out, out->length && out->data[out->length - 1] != '\'' ? " null" : "null");
}

static bool reads(const fn_verb *v, const char *key) {
  return (v->options && fn_config_is_asked(key, v->options)) || (v->more && fn_config_is_asked(key, v->more));
}

static void append_settings(fn_buf *out, const fn_verb *v) {
  bool first = true;
  for (size_t t = 0; t < fn_cli_n_tables; t++)
    for (size_t i = 0; i < fn_cli_tables[t]->n_options; i++) {
      const char *key = fn_cli_tables[t]->options[i].key;
      if (!reads(v, key)) continue;
      fn_buf_printf(out, "%s%s=", first ? "" : " ", key);
      first = false;
    }
}

static void append_flags(fn_buf *out, const fn_verb *v) {
  for (size_t i = 0; v->flags && v->flags[i].name; i++) fn_buf_printf(out, "%s ", v->flags[i].name);
  for (size_t i = 0; i < FN_CLI_DEVICE_FLAGS && fn_cli_has_device(v); i++)
    fn_buf_printf(out, "%s ", fn_cli_device_flags[i].flag);
  fn_buf_append_str(out, "--config --quiet --color --help");
}

/* One branch of a case: 'word') echo 'words' ;; */
static void branch(fn_buf *out, const char *word, const fn_buf *words) {
  fn_buf_append_str(out, "    ");
  quote(out, word);
  fn_buf_append_str(out, ") echo ");
  quote(out, words->length ? words->data : "");
  fn_buf_append_str(out, " ;;\n");
}

typedef void (*append_words)(fn_buf *out, const fn_verb *v);

static void verb_table(fn_buf *out, const char *name, append_words append) {
  fn_buf_printf(out, "_fakenews_%s() {\n  case $1 in\n", name);
  for (size_t i = 0; fn_cli_verbs[i]; i++) {
    FN_AUTO_BUF fn_buf words = {0};
    char verb[64];
    verb_name(verb, fn_cli_verbs[i]);
    append(&words, fn_cli_verbs[i]);
    branch(out, verb, &words);
  }
  fn_buf_append_str(out, "  esac\n}\n");
}

/* What may follow a flag: "choice words", "dir", "file" or "any"; nothing for a switch. */
static void append_kind(fn_buf *out, const char *value) {
  if (is_choice(value)) {
    fn_buf_append_str(out, "choice ");
    append_choices(out, value);
  } else {
    fn_buf_append_str(out, strstr(value, "FILE") ? "file" : strstr(value, "DIR") ? "dir" : "any");
  }
}

static void flag_table(fn_buf *out) {
  fn_buf_append_str(out, "_fakenews_value() {\n  case $1 in\n    *' --config') echo 'file' ;;\n");
  for (size_t i = 0; fn_cli_verbs[i]; i++)
    for (const fn_cli_flag *f = fn_cli_verbs[i]->flags; f && f->name; f++) {
      if (!f->value) continue;
      FN_AUTO_BUF fn_buf words = {0};
      char verb[64], key[128];
      verb_name(verb, fn_cli_verbs[i]);
      snprintf(key, sizeof key, "%s %s", verb, f->name);
      append_kind(&words, f->value);
      branch(out, key, &words);
    }
  fn_buf_append_str(out, "  esac\n}\n");
}

static void setting_table(fn_buf *out) {
  fn_buf_append_str(out, "_fakenews_setting() {\n  case $1 in\n");
  for (size_t t = 0; t < fn_cli_n_tables; t++)
    for (size_t i = 0; i < fn_cli_tables[t]->n_options; i++) {
      FN_AUTO_BUF fn_buf words = {0};
      append_values(&words, &fn_cli_tables[t]->options[i]);
      if (words.length) branch(out, fn_cli_tables[t]->options[i].key, &words);
    }
  fn_buf_append_str(out, "  esac\n}\n");
}

/* First words, each once, and the second words of those that have some. */
static void name_table(fn_buf *out) {
  fn_buf_append_str(out, "_fakenews_names() {\n  case $1 in\n    '') echo '");
  for (size_t i = 0; fn_cli_verbs[i]; i++)
    if (i == 0 || strcmp(fn_cli_verbs[i]->name, fn_cli_verbs[i - 1]->name) != 0)
      fn_buf_printf(out, "%s ", fn_cli_verbs[i]->name);
  fn_buf_append_str(out, "help' ;;\n");
  for (size_t i = 0; fn_cli_verbs[i];) {
    FN_AUTO_BUF fn_buf words = {0};
    const char *name = fn_cli_verbs[i]->name;
    bool has_sub = fn_cli_verbs[i]->sub != NULL;
    for (; fn_cli_verbs[i] && strcmp(fn_cli_verbs[i]->name, name) == 0; i++)
      fn_buf_printf(&words, "%s%s", words.length ? " " : "", fn_cli_verbs[i]->sub ? fn_cli_verbs[i]->sub : "");
    if (has_sub) branch(out, name, &words);
  }
  fn_buf_append_str(out, "  esac\n}\n");
}

static void tables(fn_buf *out) {
  name_table(out);
  verb_table(out, "flags", append_flags);
  verb_table(out, "settings", append_settings);
  flag_table(out);
  setting_table(out);
  /* _fakenews_words WORD …: the words of the command line up to the cursor, less the program. Prints the kind of answer
   * and its words: "names a b", "flags …", "choice …", "values …", "settings …", "dir", "file" or "any". */
  fn_buf_append_str(out, "_fakenews_words() {\n"
                         "  if [ $# -le 1 ]; then echo \"names $(_fakenews_names '')\"; return; fi\n"
                         "  local verb=$1 names previous='' current=''\n"
                         "  names=$(_fakenews_names \"$1\")\n"
                         "  if [ -n \"$names\" ]; then\n"
                         "    if [ $# -eq 2 ]; then echo \"names $names\"; return; fi\n"
                         "    verb=\"$1 $2\"\n"
                         "    shift\n"
                         "  fi\n"
                         "  while [ $# -gt 1 ]; do previous=$1; shift; done\n"
                         "  current=$1\n"
                         "  local value\n"
                         "  value=$(_fakenews_value \"$verb $previous\")\n"
                         "  if [ -n \"$value\" ]; then echo \"$value\"; return; fi\n"
                         "  case $current in\n"
                         "    -*) echo \"flags $(_fakenews_flags \"$verb\")\" ;;\n"
                         "    [a-z]*.*=*) echo \"values $(_fakenews_setting \"${current%%=*}\")\" ;;\n"
                         "    *) echo \"settings $(_fakenews_settings \"$verb\")\" ;;\n"
                         "  esac\n"
                         "}\n");
}

static void bash(fn_buf *out) {
  fn_buf_append_str(out, "# bash completion for fakenews, made by `fakenews help --completion bash`\n");
  tables(out);
  fn_buf_append_str(out, "_fakenews() {\n"
                         "  local line=${COMP_LINE:0:COMP_POINT} words current answer\n"
                         "  read -ra words <<<\"$line\"\n"
                         "  [[ $line == *[[:space:]] ]] && words+=('')\n"
                         "  current=${words[${#words[@]} - 1]}\n"
                         "  answer=$(_fakenews_words \"${words[@]:1}\")\n"
                         "  COMPREPLY=()\n"
                         "  case $answer in\n"
                         "    dir) mapfile -t COMPREPLY < <(compgen -d -- \"$current\") ;;\n"
                         "    file) mapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
                         "    any) ;;\n"
                         "    values*) mapfile -t COMPREPLY < <(compgen -W \"${answer#* }\" -- \"${current#*=}\") ;;\n"
                         "    *) mapfile -t COMPREPLY < <(compgen -W \"${answer#* }\" -- \"$current\") ;;\n"
                         "  esac\n"
                         "  if [[ $answer == settings* ]]; then\n"
                         "    [[ ${#COMPREPLY[@]} -gt 0 ]] && compopt -o nospace 2>/dev/null\n"
                         "    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$current\")\n"
                         "  fi\n"
                         "  return 0\n"
                         "}\n"
                         "complete -o filenames -F _fakenews fakenews\n");
}

static void zsh(fn_buf *out) {
  fn_buf_append_str(out,
                    "#compdef fakenews\n# zsh completion for fakenews, made by `fakenews help --completion zsh`\n");
  tables(out);
  fn_buf_append_str(
      out, "_fakenews() {\n"
           "  local answer current=${words[CURRENT]}\n"
           "  answer=$(_fakenews_words \"${(@)words[2,CURRENT]}\")\n"
           "  case $answer in\n"
           "    dir) _files -/ ;;\n"
           "    file) _files ;;\n"
           "    any) ;;\n"
           "    values*) compset -P '*='; compadd -- ${=${answer#* }} ;;\n"
           "    settings*) compadd -S '' -- ${=${answer#* }}; _files ;;\n"
           "    *) compadd -- ${=${answer#* }} ;;\n"
           "  esac\n"
           "}\n"
           "if [[ ${funcstack[1]} == _fakenews ]]; then _fakenews \"$@\"; else compdef _fakenews fakenews; fi\n");
}

/* One line: in this verb, these words, with a description. */
static void fish_words(fn_buf *out, const char *verb, const char *words, const char *help) {
  fn_buf_append_str(out, "complete -c fakenews -n \"__fakenews_in '");
  fn_buf_append_str(out, verb);
  fn_buf_append_str(out, "'\" ");
  fn_buf_append_str(out, words);
  if (help) fn_buf_append_str(out, " -d ");
  if (help) quote(out, help);
  fn_buf_append_char(out, '\n');
}

static void fish_flags(fn_buf *out, const fn_verb *v, const char *verb) {
  for (const fn_cli_flag *f = v->flags; f && f->name; f++) {
    FN_AUTO_BUF fn_buf words = {0};
    fn_buf_printf(&words, "%s %s", f->name[1] == '-' ? "-l" : "-s", f->name + (f->name[1] == '-' ? 2 : 1));
    if (f->value) fn_buf_append_str(&words, is_choice(f->value) || strcmp(f->value, "TEXT") == 0 ? " -x" : " -r");
    if (is_choice(f->value)) {
      fn_buf_append_str(&words, " -a '");
      append_choices(&words, f->value);
      fn_buf_append_char(&words, '\'');
    }
    fish_words(out, verb, words.length ? words.data : "", f->help);
  }
}

static void fish_settings(fn_buf *out, const fn_verb *v, const char *verb) {
  for (size_t t = 0; t < fn_cli_n_tables; t++)
    for (size_t i = 0; i < fn_cli_tables[t]->n_options; i++) {
      const fn_option *o = &fn_cli_tables[t]->options[i];
      if (!reads(v, o->key)) continue;
      FN_AUTO_BUF fn_buf values = {0}, words = {0};
      append_values(&values, o);
      fn_buf_printf(&words, "-a '%s=", o->key);
      for (const char *p = values.length ? values.data : ""; *p; p++) {
        if (p == values.data) fn_buf_printf(&words, " %s=", o->key);
        if (*p == ' ')
          fn_buf_printf(&words, " %s=", o->key);
        else
          fn_buf_append_char(&words, *p);
      }
      fn_buf_append_char(&words, '\'');
      fish_words(out, verb, words.data ? words.data : "", NULL);
    }
}

static void fish(fn_buf *out) {
  fn_buf_append_str(out, "# fish completion for fakenews, made by `fakenews help --completion fish`\n"
                         "function __fakenews_in\n"
                         "  set -l words (commandline -opc)[2..]\n"
                         "  set -l wanted (string split -n ' ' -- $argv[1])\n"
                         "  test (count $words) -ge (count $wanted); or return 1\n"
                         "  test (count $wanted) -eq 0; and test (count $words) -gt 0; and return 1\n"
                         "  for i in (seq (count $wanted))\n"
                         "    test $words[$i] = $wanted[$i]; or return 1\n"
                         "  end\n"
                         "end\n"
                         "function __fakenews_group\n"
                         "  set -l words (commandline -opc)\n"
                         "  test (count $words) -eq 2; and test $words[2] = $argv[1]\n"
                         "end\n"
                         "complete -c fakenews -n \"__fakenews_in ''\" -f -a help -d 'the verbs'\n");
  for (size_t i = 0; fn_cli_verbs[i]; i++) {
    const fn_verb *v = fn_cli_verbs[i];
    char verb[64];
    verb_name(verb, v);
    if (!v->sub || i == 0 || strcmp(v->name, fn_cli_verbs[i - 1]->name) != 0) {
      fn_buf_printf(out, "complete -c fakenews -n \"__fakenews_in ''\" -f -a %s", v->name);
      if (!v->sub) fn_buf_append_str(out, " -d ");
      if (!v->sub) quote(out, v->summary);
      fn_buf_append_char(out, '\n');
    }
    if (v->sub) {
      fn_buf_printf(out, "complete -c fakenews -n '__fakenews_group %s' -f -a %s -d ", v->name, v->sub);
      quote(out, v->summary);
      fn_buf_append_char(out, '\n');
    }
    fish_flags(out, v, verb);
    fish_settings(out, v, verb);
  }
}

fn_status fn_cli_completion(fn_buf *out, const char *shell, fn_err *err) {
  if (strcmp(shell, "bash") == 0)
    bash(out);
  else if (strcmp(shell, "zsh") == 0)
    zsh(out);
  else if (strcmp(shell, "fish") == 0)
    fish(out);
  else
    return fn_err_set(err, FN_E_INVALID, "--completion takes bash, zsh or fish, not \"%.40s\"", shell);
  return fn_buf_check(out, "a completion script", err);
}
