#include "cli/args.h"

const char *const *fn_cli_get_all(const fn_cli_args *args, const char *flag, size_t *n_out) {
  for (size_t i = 0; args->flags && args->flags[i].name; i++)
    if (strcmp(args->flags[i].name, flag) == 0) {
      *n_out = args->n_values[i];
      return args->values[i];
    }
  *n_out = 0;
  return NULL;
}

const char *fn_cli_get(const fn_cli_args *args, const char *flag) {
  size_t n;
  const char *const *values = fn_cli_get_all(args, flag, &n);
  return n ? values[n - 1] : NULL;
}

const fn_cli_device_flag fn_cli_device_flags[FN_CLI_DEVICE_FLAGS] = {
    {"--threads", "N", "device.threads", "worker threads; 0 takes every processor this process may use"},
    {"--cpu-level", "LEVEL", "device.cpu_level",
     "highest instruction set to use: c, avx2, avxvnni, avx512, avx512vnni, amx"},
};

bool fn_cli_has_device(const fn_verb *verb) {
  return verb->options && strstr(verb->options, "device.");
}

/* "train.epochs=5", "preset=headline": a path with an '=' in it has other characters before it, or can be written ./…
 */
static bool is_assignment(const char *text) {
  size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.");
  return n > 0 && text[0] >= 'a' && text[0] <= 'z' && text[n] == '=';
}

typedef struct parser {
  const fn_verb *verb;
  fn_cli_args *args;
  fn_cli_common *common;
  const char **lists[24]; /* the arrays behind args->values, writable */
  const char **rest;
  size_t n, i;
  char *const *argv;
  fn_arena *arena;
  fn_err *err;
} parser;

/* "--batch-size" where the setting is train.batch_size; NULL: the verb reads none of that name. */
static const char *setting_like(const fn_verb *verb, const char *flag) {
  char word[64];
  snprintf(word, sizeof word, "%s", flag + strspn(flag, "-"));
  word[strcspn(word, "=")] = '\0';
  for (char *c = word; *c; c++)
    if (*c == '-') *c = '_';
  for (size_t t = 0; verb->options && t < fn_cli_n_tables; t++)
    for (size_t i = 0; i < fn_cli_tables[t]->n_options; i++) {
      const char *key = fn_cli_tables[t]->options[i].key, *dot = strrchr(key, '.');
      if (strcmp(dot ? dot + 1 : key, word) == 0 && fn_config_is_asked(key, verb->options)) return key;
    }
  return NULL;
}

static fn_status unknown_flag(const parser *p, const char *name) {
  const char *best = NULL;
  size_t best_distance = 4;
  static const char *const common[] = {"--config", "--quiet", "--color", "--help", NULL};
  for (size_t i = 0; p->verb->flags && p->verb->flags[i].name; i++) {
    size_t d = fn_str_distance(name, p->verb->flags[i].name);
    if (d < best_distance) best_distance = d, best = p->verb->flags[i].name;
  }
  for (size_t i = 0; common[i]; i++) {
    size_t d = fn_str_distance(name, common[i]);
    if (d < best_distance) best_distance = d, best = common[i];
  }
  for (size_t i = 0; i < FN_CLI_DEVICE_FLAGS && fn_cli_has_device(p->verb); i++) {
    size_t d = fn_str_distance(name, fn_cli_device_flags[i].flag);
    if (d < best_distance) best_distance = d, best = fn_cli_device_flags[i].flag;
  }
  const char *setting = best_distance > 1 ? setting_like(p->verb, name) : NULL;
  if (setting)
    return fn_err_set(p->err, FN_E_INVALID, "unknown flag %.100s; did you mean the setting %s=…?", name, setting);
  const char *sub = p->verb->sub ? p->verb->sub : "", *space = p->verb->sub ? " " : "";
  if (best) return fn_err_set(p->err, FN_E_INVALID, "unknown flag %.100s; did you mean %s?", name, best);
  return fn_err_set(p->err, FN_E_INVALID, "unknown flag %.100s%s; `fakenews %s%s%s --help` lists what is accepted",
                    name, p->verb->options ? "; settings are written key=value" : "", p->verb->name, space, sub);
}

/* The value of a flag: "--flag=value" or the next argument. */
static fn_status value_of(parser *p, const char *name, const char *equals, const char **value_out) {
  if (equals)
    *value_out = equals + 1;
  else if (p->i + 1 < p->n)
    *value_out = p->argv[++p->i];
  else
    return fn_err_set(p->err, FN_E_INVALID, "%s needs a value", name);
  return FN_OK;
}

/* Only a text may be empty: an empty file name is a variable that was not set. */
static fn_status take_value(parser *p, size_t f, const char *value) {
  const fn_cli_flag *flag = &p->verb->flags[f];
  if (!*value && strcmp(flag->value, "TEXT") != 0)
    return fn_err_set(p->err, FN_E_INVALID, "%s is empty; %s is expected", flag->name, flag->value);
  p->lists[f][p->args->n_values[f]++] = value;
  return FN_OK;
}

/* A flag of fn_cli_device_flags: taken as the setting that it stands for. */
static fn_status take_device_flag(bool *taken, parser *p, fn_str name, const char *equals) {
  *taken = false;
  for (size_t i = 0; i < FN_CLI_DEVICE_FLAGS && fn_cli_has_device(p->verb); i++) {
    if (!fn_str_is(name, fn_cli_device_flags[i].flag)) continue;
    const char *value = NULL;
    FN_TRY(value_of(p, fn_cli_device_flags[i].flag, equals, &value));
    size_t size = strlen(fn_cli_device_flags[i].key) + strlen(value) + 2;
    char *text = fn_arena_alloc(p->arena, size, 1);
    if (!text) return fn_err_no_memory(p->err, "arguments");
    snprintf(text, size, "%s=%s", fn_cli_device_flags[i].key, value);
    p->common->overrides[p->common->n_overrides++] = text;
    *taken = true;
  }
  return FN_OK;
}

static fn_status parse_flag(parser *p) {
  const char *argument = p->argv[p->i];
  const char *equals = strchr(argument, '=');
  size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
  fn_str name = fn_str_make(argument, length);
  if (fn_str_is(name, "--help") || fn_str_is(name, "-h"))
    p->common->help = true;
  else if (fn_str_is(name, "--quiet") || fn_str_is(name, "-q"))
    p->common->quiet = true;
  else if (fn_str_is(name, "--no-color"))
    p->common->color = "never";
  else if (fn_str_is(name, "--color")) {
    if (!equals)
      p->common->color = "always";
    else
      p->common->color = equals + 1;
    if (strcmp(p->common->color, "auto") != 0 && strcmp(p->common->color, "always") != 0 &&
        strcmp(p->common->color, "never") != 0)
      return fn_err_set(p->err, FN_E_INVALID, "--color takes auto, always or never, not \"%.40s\"", p->common->color);
  } else if (fn_str_is(name, "--config")) {
    return value_of(p, "--config", equals, &p->common->configs[p->common->n_configs++]);
  } else {
    size_t f = 0;
    bool taken;
    FN_TRY(take_device_flag(&taken, p, name, equals));
    if (taken) return FN_OK;
    while (p->verb->flags && p->verb->flags[f].name && !fn_str_is(name, p->verb->flags[f].name)) f++;
    if (!p->verb->flags || !p->verb->flags[f].name) return unknown_flag(p, argument);
    const fn_cli_flag *flag = &p->verb->flags[f];
    if (!flag->value) {
      if (equals) return fn_err_set(p->err, FN_E_INVALID, "%s takes no value", flag->name);
      p->lists[f][p->args->n_values[f]++] = "";
      return FN_OK;
    }
    if (p->args->n_values[f] && !flag->repeats)
      return fn_err_set(p->err, FN_E_INVALID, "%s is given twice", flag->name);
    const char *value = NULL;
    FN_TRY(value_of(p, flag->name, equals, &value));
    FN_TRY(take_value(p, f, value));
    while (flag->repeats && p->i + 1 < p->n && (p->argv[p->i + 1][0] != '-' || strcmp(p->argv[p->i + 1], "-") == 0) &&
           !is_assignment(p->argv[p->i + 1]))
      FN_TRY(take_value(p, f, p->argv[++p->i]));
  }
  return FN_OK;
}

static fn_status check_required(const parser *p) {
  for (size_t f = 0; p->verb->flags && p->verb->flags[f].name; f++)
    if (p->verb->flags[f].required && p->args->n_values[f] == 0)
      return fn_err_set(p->err, FN_E_INVALID, "%s %s is missing; usage: fakenews %s%s%s %s", p->verb->flags[f].name,
                        p->verb->flags[f].value ? p->verb->flags[f].value : "", p->verb->name, p->verb->sub ? " " : "",
                        p->verb->sub ? p->verb->sub : "", p->verb->usage);
  return FN_OK;
}

fn_status fn_cli_parse(fn_cli_args *args_out, fn_cli_common *common_out, fn_arena *arena, const fn_verb *verb, size_t n,
                       char *const *argv, fn_err *err) {
  *args_out = (fn_cli_args){.flags = verb->flags};
  *common_out = (fn_cli_common){.color = "auto"};
  parser p = {.verb = verb, .args = args_out, .common = common_out, .n = n, .argv = argv, .arena = arena, .err = err};
  p.rest = fn_arena_alloc(arena, n + 1, sizeof *p.rest);
  common_out->configs = fn_arena_alloc(arena, n + 1, sizeof *p.rest);
  common_out->overrides = fn_arena_alloc(arena, n + 1, sizeof *p.rest);
  if (!p.rest || !common_out->configs || !common_out->overrides) return fn_err_no_memory(err, "arguments");
  for (size_t f = 0; verb->flags && verb->flags[f].name && f < FN_COUNT_OF(p.lists); f++) {
    p.lists[f] = fn_arena_alloc(arena, n + 1, sizeof *p.rest);
    if (!p.lists[f]) return fn_err_no_memory(err, "arguments");
    args_out->values[f] = (const char *const *)p.lists[f];
  }
  bool flags_end = false;
  for (; p.i < n; p.i++) {
    const char *argument = argv[p.i];
    if (!flags_end && strcmp(argument, "--") == 0)
      flags_end = true;
    else if (!flags_end && argument[0] == '-' && argument[1])
      FN_TRY(parse_flag(&p));
    else if (!flags_end && is_assignment(argument))
      common_out->overrides[common_out->n_overrides++] = argument;
    else if (!*argument)
      return fn_err_set(err, FN_E_INVALID, "an argument is empty; expected is: fakenews %s%s%s %s", verb->name,
                        verb->sub ? " " : "", verb->sub ? verb->sub : "", verb->usage);
    else if (verb->takes_rest)
      p.rest[args_out->n_rest++] = argument;
    else
      return fn_err_set(err, FN_E_INVALID,
                        "\"%.200s\" is not expected here; settings are written key=value, flags --flag", argument);
  }
  args_out->rest = (const char *const *)p.rest;
  return common_out->help ? FN_OK : check_required(&p);
}
