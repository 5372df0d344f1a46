#include "cli/args.h"

void fn_cli_help(FILE *out) {
  fputs("fakenews: a classifier of news, from the data to the answer\n\nusage: fakenews VERB …\n\n", out);
  for (size_t i = 0; fn_cli_verbs[i]; i++) {
    const fn_verb *v = fn_cli_verbs[i];
    char name[40];
    snprintf(name, sizeof name, "%s%s%s", v->name, v->sub ? " " : "", v->sub ? v->sub : "");
    fprintf(out, "  %-16s %s\n", name, v->summary);
  }
  fputs("\nEvery verb takes --help, --config FILE, --quiet, --color[=auto|always|never] and settings as key=value;\n"
        "`fakenews config options` lists the settings, `fakenews --version` shows what this program was built with.\n"
        "\nExit codes: 0 done, 1 failure at run time, 2 usage or input refused, 3 done in part (each row reported),\n"
        "4 gate refused, 128+n ended by signal n.\n",
        out);
}

/* The settings whose keys begin with one of the words in `prefixes`. */
static void print_settings(FILE *out, const fn_config *config, const char *prefixes) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 20);
  while (*prefixes) {
    size_t n = strcspn(prefixes, " ");
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%.*s", (int)n, prefixes);
    if (text.length) fn_buf_append_char(&text, '\n');
    fn_config_format_help(&text, config, prefix, false);
    prefixes += n;
    while (*prefixes == ' ') prefixes++;
  }
  if (text.length) fprintf(out, "\nSettings (key=value)\n\n%s", text.data);
}

void fn_cli_help_verb(FILE *out, const fn_verb *verb, const fn_config *config) {
  fprintf(out, "%s\n\nusage: fakenews %s%s%s %s\n", verb->summary, verb->name, verb->sub ? " " : "",
          verb->sub ? verb->sub : "", verb->usage);
  if (verb->flags && verb->flags[0].name) fputc('\n', out);
  for (size_t i = 0; verb->flags && verb->flags[i].name; i++) {
    const fn_cli_flag *f = &verb->flags[i];
    char name[48];
    snprintf(name, sizeof name, "%s%s%s", f->name, f->value ? " " : "", f->value ? f->value : "");
    fprintf(out, "  %-26s %s%s\n", name, f->help, f->required ? " (required)" : "");
  }
  if (verb->examples) fprintf(out, "\nExamples\n%s", verb->examples);
  if (verb->options) print_settings(out, config, verb->options);
}
