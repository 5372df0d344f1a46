/* fakenews registry list|show: what there is, where it comes from, who changed what. */
#include "cli/registry_support.h"
#include "cli/runs_support.h"

#include <math.h>
#include <unistd.h>

typedef struct listing {
  const fn_cli *cli;
  fn_buf *out;
  fn_arena arena;
  fn_table table;
  bool json;
  size_t n, n_damaged; /* versions; those whose card is no JSON */
} listing;

static const char *const size_path[] = {"sizes", "packed_bytes", NULL};

static const char *figure(char out[16], double value, int digits) {
  if (isnan(value)) return "-";
  snprintf(out, 16, "%.*f", digits, value);
  return out;
}

/* "best, production": a list. */
static void write_aliases(fn_json_writer *w, const char *aliases) {
  fn_json_array(w, "aliases");
  for (const char *p = aliases; *p; p += strspn(p, ", ")) {
    const size_t n = strcspn(p, ",");
    fn_json_str(w, NULL, fn_str_make(p, n));
    p += n;
  }
  fn_json_end(w);
}

typedef struct brief {
  bool damaged; /* the card */
  double f1, bytes;
} brief;

static brief brief_of(const fn_version_info *v) {
  FN_AUTO_JSON json_t *card = NULL;
  const bool damaged = fn_cli_parse_card(&card, v, NULL) != FN_OK;
  if (damaged) card = NULL; /* one bad row does not take the list away */
  return (brief){damaged, fn_card_metric(card, "f1_weighted", NULL, NULL), fn_card_number(card, size_path)};
}

static fn_status write_version(fn_json_writer *w, const fn_version_info *v, const brief *b, bool whole, fn_err *err) {
  FN_AUTO_JSON json_t *card = NULL, *tags = NULL;
  if (whole && fn_cli_parse_card(&card, v, NULL) != FN_OK) card = NULL; /* one bad row does not take the list away */
  FN_TRY(fn_json_parse(&tags, fn_str_from(v->tags), "tags", err));
  fn_json_object(w, NULL);
  fn_json_text(w, "name", v->name);
  fn_json_int(w, "version", v->version);
  write_aliases(w, v->aliases);
  fn_json_text(w, "run_id", v->run_id[0] ? v->run_id : NULL);
  fn_json_text(w, "run_name", v->run_name[0] ? v->run_name : NULL);
  fn_cli_json_time(w, "added", v->created_ms);
  fn_cli_json_time(w, "retired", v->retired_ms);
  fn_json_text(w, "user", v->user);
  fn_json_text(w, "host", v->host);
  fn_json_text(w, "digest", v->digest);
  fn_json_double(w, "test_f1_weighted", b->f1);
  fn_json_double(w, "packed_bytes", b->bytes);
  if (b->damaged || (whole && !card)) fn_json_bool(w, "damaged", true);
  fn_json_value(w, "tags", tags);
  if (whole && card)
    fn_json_value(w, "card", card);
  else if (whole)
    fn_json_null(w, "card");
  fn_json_end(w);
  return FN_OK;
}

static fn_status list_row(listing *l, const fn_version_info *v, const brief *b, fn_err *err) {
  char time[21], cell[32];
  FN_TRY(fn_table_cell(&l->table, v->name, err));
  snprintf(cell, sizeof cell, "%lld", (long long)v->version);
  FN_TRY(fn_table_cell(&l->table, cell, err));
  FN_TRY(fn_table_cell(&l->table, v->retired_ms ? "(retired)" : v->aliases, err));
  FN_TRY(fn_table_cell(&l->table, b->damaged ? "damaged" : figure(cell, b->f1, 4), err));
  FN_TRY(fn_table_cell(&l->table, figure(cell, b->bytes / 1e6, 1), err));
  fn_clock_format(time, v->created_ms);
  snprintf(cell, sizeof cell, "%.10s %.5s", time, time + 11);
  return fn_table_cell(&l->table, cell, err);
}

static fn_status list_one(void *arg, const fn_version_info *v, fn_err *err) {
  listing *l = arg;
  const brief b = brief_of(v);
  l->n++;
  if (b.damaged && l->n_damaged++ == 0)
    fn_cli_warn(l->cli, "%s/%lld is damaged: its card is no JSON, and it is not promoted", v->name,
                (long long)v->version);
  if (!l->json) return list_row(l, v, &b, err);
  fn_json_writer w;
  fn_json_begin(&w, l->out, 0);
  FN_TRY(write_version(&w, v, &b, false, err));
  fn_buf_append_char(l->out, '\n');
  return FN_OK;
}

/* Model, version and aliases always have room; what stands behind them goes first on a narrow terminal. */
static fn_status list_into(listing *l, fn_registry *registry, const char *name, bool retired, fn_err *err) {
  static const char *const titles[] = {"model", "version", "aliases", "test F1", "MB", "added (UTC)"};
  const size_t width = l->cli->tty_out ? (size_t)fn_cli_width(STDOUT_FILENO) : SIZE_MAX;
  fn_arena_init(&l->arena);
  fn_table_init(&l->table, &l->arena);
  for (size_t i = 0; i < FN_COUNT_OF(titles); i++) fn_table_column(&l->table, titles[i], i == 1 || i == 3 || i == 4);
  const fn_status status = fn_registry_list(registry, name, retired, list_one, l, err);
  if ((status == FN_OK || status == FN_E_PARTIAL) && !l->json && l->n > 0)
    fn_table_format(l->out, &l->table, width, 3, 0, l->cli->color && l->cli->tty_out);
  fn_table_deinit(&l->table);
  fn_arena_deinit(&l->arena);
  return status;
}

static fn_status damaged(const listing *l, fn_err *err) {
  return fn_err_set(err, FN_E_PARTIAL, "%zu of %zu version%s damaged", l->n_damaged, l->n, l->n == 1 ? " is" : "s are");
}

static fn_status list(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_cli_registry r;
  FN_AUTO_BUF fn_buf out;
  fn_cli_version_name v = {.name = ""};
  fn_buf_init(&out, 0);
  listing l = {.cli = cli, .out = &out, .json = !cli->tty_out || fn_cli_get(args, "--json")};
  if (args->n_rest > 0) FN_TRY(fn_cli_one_version(&v, args, "registry list takes one name of a model, or none", err));
  if (v.alias[0] || v.version > 0)
    return fn_err_set(err, FN_E_INVALID,
                      "registry list takes the name of a model alone; `fakenews registry show %.300s` "
                      "shows one version",
                      args->rest[0]);
  fn_status status = fn_cli_open_registry(&r, cli, FN_CLI_OPEN_READ, err);
  if (status == FN_OK)
    status = list_into(&l, r.registry, v.name[0] ? v.name : NULL, fn_cli_get(args, "--retired") != NULL, err);
  fn_cli_close_registry(&r);
  if (status != FN_E_PARTIAL) FN_TRY(status);
  fn_err why = {0};
  FN_TRY(fn_buf_check(&out, "the list", &why));
  FN_TRY(fn_cli_print(fn_buf_str(&out), &why));
  if (l.n == 0) fn_cli_note(cli, "no versions; `fakenews registry add RUN` adds one");
  return status == FN_OK && l.n_damaged > 0 ? damaged(&l, err) : status;
}

static const fn_cli_flag list_flags[] = {
    {.name = "--retired", .help = "those too that were retired"},
    {.name = "--json", .help = "a JSON object a line; the default where stdout is no terminal"},
    {0},
};

const fn_verb fn_verb_registry_list = {
    .name = "registry",
    .sub = "list",
    .summary = "versions with aliases, figures, sizes; exit code 3 if one is damaged",
    .usage = "[NAME] [--retired] [--json] [key=value …]",
    .flags = list_flags,
    .options = "track.url track.artifacts",
    .takes_rest = true,
    .examples = "  fakenews registry list\n",
    .run = list,
};

/* ---- show ---- */

typedef struct showing {
  fn_buf *out;
  fn_json_writer w;
  bool json;
  int64_t version; /* only what is about it; 0: all */
  size_t n;
  listing versions; /* counted, as JSON */
} showing;

static void append_move(fn_buf *out, const fn_audit_entry *e) {
  if (e->key[0]) {
    fn_buf_append_char(out, ' ');
    fn_print_line(out, fn_str_from(e->key), 60);
  }
  if (strcmp(e->action, "tag") == 0 || strcmp(e->action, "untag") == 0) {
    fn_buf_printf(out, " of %lld", (long long)e->to);
  } else if (e->from > 0 && e->to > 0) {
    fn_buf_printf(out, " %lld -> %lld", (long long)e->from, (long long)e->to);
  } else if (e->to > 0) {
    fn_buf_printf(out, " %s%lld", e->key[0] ? "-> " : "", (long long)e->to);
  } else {
    fn_buf_printf(out, " %lld%s", (long long)e->from, e->key[0] ? " -> nowhere" : "");
  }
}

/* Names come from whoever else writes to the database. */
static void append_who(fn_buf *out, const char *user, const char *host) {
  fn_print_line(out, fn_str_from(user), 20);
  fn_buf_append_char(out, '@');
  fn_print_line(out, fn_str_from(host), 24);
}

static fn_status show_entry(void *arg, const fn_audit_entry *e, fn_err *err) {
  showing *s = arg;
  char time[21];
  if (s->version > 0 && e->from != s->version && e->to != s->version) return FN_OK;
  fn_clock_format(time, e->time_ms);
  if (!s->json) {
    if (s->n++ == 0) fn_buf_append_str(s->out, "\nchanges\n");
    fn_buf_printf(s->out, "  %.10s %.8s  ", time, time + 11);
    append_who(s->out, e->user, e->host);
    fn_buf_append_str(s->out, "  ");
    fn_print_line(s->out, fn_str_from(e->action), 16);
    append_move(s->out, e);
    if (e->forced) fn_buf_append_str(s->out, ", forced");
    fn_buf_append_char(s->out, '\n');
    if (e->reason[0]) {
      fn_buf_append_str(s->out, "      ");
      fn_print_line(s->out, fn_str_from(e->reason), 72);
      fn_buf_append_char(s->out, '\n');
    }
    return FN_OK;
  }
  FN_AUTO_JSON json_t *details = NULL;
  if (e->details[0]) FN_TRY(fn_json_parse(&details, fn_str_from(e->details), "details", err));
  fn_json_object(&s->w, NULL);
  fn_json_int(&s->w, "number", e->number);
  fn_json_text(&s->w, "time", time);
  fn_json_text(&s->w, "user", e->user);
  fn_json_text(&s->w, "host", e->host);
  fn_json_text(&s->w, "action", e->action);
  fn_json_text(&s->w, "key", e->key[0] ? e->key : NULL);
  fn_json_int(&s->w, "from", e->from);
  fn_json_int(&s->w, "to", e->to);
  fn_json_bool(&s->w, "forced", e->forced);
  fn_json_text(&s->w, "reason", e->reason[0] ? e->reason : NULL);
  if (details)
    fn_json_value(&s->w, "gates", details);
  else
    fn_json_null(&s->w, "gates");
  fn_json_end(&s->w);
  return FN_OK;
}

static fn_status show_version_json(void *arg, const fn_version_info *v, fn_err *err) {
  showing *s = arg;
  const brief b = brief_of(v);
  s->versions.n++;
  s->versions.n_damaged += b.damaged;
  return write_version(&s->w, v, &b, true, err);
}

static const char *text_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "-";
}

/* "  label                 text" in as many lines as the terminal asks for. */
static void append_row(fn_buf *out, const char *label, const fn_buf *text) {
  enum { COLUMN = 24, NARROW = 64 };
  const size_t width = fn_cli_help_width();
  fn_buf_printf(out, "  %-22s", label);
  if (text->failed || text->length == 0)
    out->failed = out->failed || text->failed;
  else
    fn_buf_append_wrapped(out, text->data, COLUMN, width < NARROW ? 4 : COLUMN, width);
  fn_buf_append_char(out, '\n');
}

/* The text as one clean line. */
static void append_text(fn_buf *out, const char *label, const char *text, size_t max) {
  FN_AUTO_BUF fn_buf line;
  fn_buf_init(&line, 4096);
  fn_print_line(&line, fn_str_from(text), max);
  append_row(out, label, &line);
}

static void append_metric(fn_buf *out, const json_t *card, const char *label, const char *metric) {
  double low, high;
  char cells[3][16];
  FN_AUTO_BUF fn_buf line;
  fn_buf_init(&line, 4096);
  const double value = fn_card_metric(card, metric, &low, &high);
  fn_buf_append_str(&line, figure(cells[0], value, 4));
  if (!isnan(low)) fn_buf_printf(&line, "  [%s, %s]", figure(cells[1], low, 4), figure(cells[2], high, 4));
  append_row(out, label, &line);
}

/* A figure never stands without what it is measured against. */
static void append_baselines(fn_buf *out, const json_t *card) {
  const json_t *systems = json_object_get(json_object_get(card, "figures"), "systems");
  for (size_t i = 0; i < json_array_size(systems); i++) {
    const json_t *system = json_array_get(systems, i);
    const char *name = text_at(system, "name");
    if (strcmp(name, "linear") != 0 && strcmp(name, "majority") != 0) continue;
    const json_t *f1 = json_object_get(json_object_get(system, "metrics"), "f1_weighted");
    fn_buf_printf(out, "  %-22s%.4f\n", strcmp(name, "linear") == 0 ? "  linear baseline" : "  majority class",
                  json_number_value(f1));
  }
}

static void append_figures(fn_buf *out, const json_t *card) {
  static const char *const flips[] = {"packing", "percent_flipped", NULL}, *const p50[] = {"speed", "p50_ms", NULL},
                           *const p95[] = {"speed", "p95_ms", NULL};
  char cells[2][16];
  if (!json_is_object(json_object_get(card, "figures"))) {
    fn_buf_append_str(out, "  not measured: no data was given\n");
  } else {
    append_metric(out, card, "test F1, weighted", "f1_weighted");
    append_baselines(out, card);
    append_metric(out, card, "ROC AUC", "roc_auc");
    append_metric(out, card, "calibration error", "ece");
    const json_t *left_out = json_object_get(json_object_get(card, "left_out"), "f1_weighted");
    if (json_is_number(left_out))
      fn_buf_printf(out, "  %-22s%.4f\n", "F1, sources left out", json_number_value(left_out));
    fn_buf_printf(out, "  %-22s%s %%\n", "labels changed", figure(cells[0], fn_card_number(card, flips), 2));
  }
  fn_buf_printf(out, "  %-22s%s MB\n", "packed file", figure(cells[0], fn_card_number(card, size_path) / 1e6, 1));
  FN_AUTO_BUF fn_buf line;
  fn_buf_init(&line, 4096);
  fn_buf_printf(&line, "p50 %s ms, p95 %s ms (", figure(cells[0], fn_card_number(card, p50), 2),
                figure(cells[1], fn_card_number(card, p95), 2));
  fn_print_line(&line, fn_str_from(text_at(json_object_get(card, "speed"), "machine")), 40);
  fn_buf_append_char(&line, ')');
  append_row(out, "one answer", &line);
}

/* Files that the data was prepared of. */
static void append_inputs(fn_buf *out, const json_t *inputs) {
  enum { SHOWN = 8 };
  const size_t n = json_array_size(inputs);
  for (size_t i = 0; i < n && i < SHOWN; i++) {
    const json_t *input = json_array_get(inputs, i);
    FN_AUTO_BUF fn_buf line;
    fn_buf_init(&line, 4096);
    fn_print_line(&line, fn_str_from(text_at(input, "file")), 28);
    fn_buf_append_str(&line, ", licence ");
    fn_print_line(&line, fn_str_from(text_at(input, "license")), 16);
    append_row(out, i ? "" : "made of", &line);
  }
  if (n > SHOWN) fn_buf_printf(out, "  %-22s… %zu more (--json)\n", "", n - SHOWN);
}

static void append_lineage(fn_buf *out, const fn_version_info *v, const json_t *card) {
  const json_t *lineage = json_object_get(card, "lineage"), *data = json_object_get(lineage, "data");
  fn_buf_append_str(out, "\nlineage\n");
  append_text(out, "model", text_at(lineage, "model"), 54);
  FN_AUTO_BUF fn_buf run;
  fn_buf_init(&run, 4096);
  fn_print_line(&run, fn_str_from(v->run_name[0] ? v->run_name : "-"), 40);
  fn_buf_printf(&run, "%s%.12s", v->run_id[0] ? "  " : "", v->run_id);
  append_row(out, "run", &run);
  append_text(out, "configuration", text_at(json_object_get(lineage, "configuration"), "sha256"), 13);
  append_text(out, "trained on", text_at(data, "trained_on"), 13);
  append_text(out, "measured on", text_at(data, "measured_on"), 13);
  append_inputs(out, json_object_get(data, "inputs"));
}

static fn_status append_tags(fn_buf *out, const fn_version_info *v, fn_err *err) {
  FN_AUTO_JSON json_t *tags = NULL;
  const char *key;
  json_t *value;
  FN_TRY(fn_json_parse(&tags, fn_str_from(v->tags), "tags", err));
  if (json_object_size(tags) > 0) fn_buf_append_str(out, "\ntags\n");
  json_object_foreach(tags, key, value) {
    fn_buf_append_str(out, "  ");
    fn_print_line(out, fn_str_from(key), 30);
    fn_buf_append_str(out, " = ");
    fn_print_line(out, fn_str_from(json_string_value(value)), 44);
    fn_buf_append_char(out, '\n');
  }
  return FN_OK;
}

static fn_status append_version(fn_buf *out, const fn_version_info *v, const fn_cli_registry *r, fn_err *err) {
  char time[21];
  fn_gates gates;
  FN_AUTO_JSON json_t *card = NULL;
  FN_TRY(fn_cli_parse_card(&card, v, err));
  fn_clock_format(time, v->created_ms);
  fn_buf_printf(out, "%s/%lld%s%s%s\n", v->name, (long long)v->version, v->aliases[0] ? "  (" : "", v->aliases,
                v->aliases[0] ? ")" : "");
  FN_AUTO_BUF fn_buf added;
  fn_buf_init(&added, 4096);
  fn_buf_printf(&added, "%s by ", time);
  append_who(&added, v->user, v->host);
  append_row(out, "added", &added);
  fn_buf_printf(out, "  %-22s%.12s\n", "digest", v->digest); /* the JSON has all of it */
  append_lineage(out, v, card);
  fn_buf_append_str(out, "\nfigures\n");
  append_figures(out, card);
  const json_t *limits = json_object_get(card, "limits");
  fn_buf_append_str(out, "\nlimits\n");
  for (size_t i = 0; i < json_array_size(limits); i++) {
    const char *text = json_string_value(json_array_get(limits, i));
    fn_buf_append_str(out, "  ");
    fn_buf_append_wrapped(out, text ? text : "-", 2, 4, fn_cli_help_width());
    fn_buf_append_char(out, '\n');
  }
  FN_TRY(append_tags(out, v, err));
  fn_gates_check(&gates, card, NULL, &r->options);
  fn_buf_append_char(out, '\n');
  fn_cli_print_gates(out, r->cli, &gates);
  return FN_OK;
}

static fn_status show_one(fn_cli_registry *r, showing *s, const fn_cli_version_name *v, fn_err *err) {
  fn_version found;
  FN_TRY(fn_registry_get(&found, r->registry, v->name, v->version, v->alias[0] ? v->alias : NULL, err));
  s->version = found.info.version;
  fn_status status = FN_OK;
  if (s->json) {
    fn_json_object(&s->w, NULL);
    fn_json_array(&s->w, "versions");
    status = show_version_json(s, &found.info, err);
    fn_json_end(&s->w);
  } else {
    status = append_version(s->out, &found.info, r, err);
  }
  fn_version_deinit(&found);
  return status;
}

static fn_status show_all(fn_cli_registry *r, showing *s, const char *name, fn_err *err) {
  listing l = {.cli = r->cli, .out = s->out};
  if (!s->json) {
    const fn_status status = list_into(&l, r->registry, name, true, err);
    return status == FN_OK && l.n_damaged > 0 ? damaged(&l, err) : status;
  }
  fn_json_object(&s->w, NULL);
  fn_json_array(&s->w, "versions");
  const fn_status status = fn_registry_list(r->registry, name, true, show_version_json, s, err);
  fn_json_end(&s->w);
  return status == FN_OK && s->versions.n_damaged > 0 ? damaged(&s->versions, err) : status;
}

static fn_status show_into(fn_cli_registry *r, showing *s, const fn_cli_version_name *v, fn_err *err) {
  if (s->json) fn_json_begin(&s->w, s->out, 2);
  const bool is_one = v->version > 0 || v->alias[0];
  const fn_status status = is_one ? show_one(r, s, v, err) : show_all(r, s, v->name, err);
  if (status != FN_E_PARTIAL) FN_TRY(status);
  if (s->json) fn_json_array(&s->w, "changes");
  FN_TRY(fn_registry_audit(r->registry, v->name, show_entry, s, err));
  if (s->json) {
    fn_json_end(&s->w);
    fn_json_end(&s->w);
    fn_buf_append_char(s->out, '\n');
  }
  FN_TRY(fn_buf_check(s->out, "a version", err));
  FN_TRY(fn_cli_print(fn_buf_str(s->out), err));
  return status;
}

static fn_status show(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_cli_version_name v;
  fn_cli_registry r;
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  showing s = {.out = &out, .json = fn_cli_get(args, "--json") != NULL};
  FN_TRY(fn_cli_one_version(&v, args, "registry show takes one NAME, NAME@ALIAS or NAME/3", err));
  fn_status status = fn_cli_open_registry(&r, cli, FN_CLI_OPEN_READ, err);
  if (status == FN_OK) status = show_into(&r, &s, &v, err);
  fn_cli_close_registry(&r);
  return status;
}

static const fn_cli_flag show_flags[] = {
    {.name = "--json", .help = "as JSON"},
    {0},
};

const fn_verb fn_verb_registry_show = {
    .name = "registry",
    .sub = "show",
    .summary = "a model with all changes, or one version; lineage, figures, limits, changes",
    .usage = "NAME[@ALIAS|/VERSION] [--json] [key=value …]",
    .flags = show_flags,
    .options = "track.url track.artifacts",
    .takes_rest = true,
    .examples = "  fakenews registry show fake-news@best\n",
    .run = show,
};
