/* fakenews registry list|show: what there is, where it comes from, who changed what. */
#include "cli/registry_support.h"
#include "cli/runs_support.h"

#include <math.h>
#include <unistd.h>

typedef struct listing {
  fn_buf out; /* JSON */
  bool json;
  size_t n;
  fn_arena arena;
  fn_table table;
} listing;

static void begin_listing(listing *l, bool json) {
  *l = (listing){.json = json};
  fn_buf_init(&l->out, 0);
  fn_arena_init(&l->arena);
  fn_table_init(&l->table, &l->arena);
  fn_table_column(&l->table, "model", false);
  fn_table_column(&l->table, "version", true);
  fn_table_column(&l->table, "aliases", false);
  fn_table_column(&l->table, "test F1", true);
  fn_table_column(&l->table, "MB", true);
  fn_table_column(&l->table, "added (UTC)", false);
}

static void end_listing(listing *l) {
  fn_table_deinit(&l->table);
  fn_arena_deinit(&l->arena);
  fn_buf_deinit(&l->out);
}

/* On a terminal columns of the right go where there is no room, and long names are shortened. */
static void format_listing(fn_buf *out, const listing *l, const fn_cli *cli) {
  fn_table_format(out, &l->table, cli->tty_out ? (size_t)fn_cli_width(STDOUT_FILENO) : SIZE_MAX, 3, 0,
                  cli->color && cli->tty_out);
}

static const char *const size_path[] = {"sizes", "packed_bytes", NULL};

static const char *figure(char out[16], double value, int digits) {
  if (isnan(value)) return "-";
  snprintf(out, 16, "%.*f", digits, value);
  return out;
}

static void append_time(fn_json_writer *w, const char *key, int64_t ms) {
  char time[21];
  fn_clock_format(time, ms);
  fn_json_text(w, key, ms ? time : NULL);
}

static fn_status write_version(fn_json_writer *w, const fn_version_info *v, bool whole, fn_err *err) {
  FN_AUTO_JSON json_t *card = NULL, *tags = NULL;
  FN_TRY(fn_json_parse(&card, fn_str_from(v->card), "card", err));
  FN_TRY(fn_json_parse(&tags, fn_str_from(v->tags), "tags", err));
  fn_json_object(w, NULL);
  fn_json_text(w, "name", v->name);
  fn_json_int(w, "version", v->version);
  fn_json_text(w, "aliases", v->aliases);
  fn_json_text(w, "run_id", v->run_id[0] ? v->run_id : NULL);
  fn_json_text(w, "run_name", v->run_name[0] ? v->run_name : NULL);
  append_time(w, "added", v->created_ms);
  append_time(w, "retired", v->retired_ms);
  fn_json_text(w, "by", v->user);
  fn_json_text(w, "host", v->host);
  fn_json_text(w, "digest", v->digest);
  fn_json_double(w, "test_f1_weighted", fn_card_metric(card, "f1_weighted", NULL, NULL));
  fn_json_double(w, "packed_bytes", fn_card_number(card, size_path));
  fn_json_value(w, "tags", tags);
  if (whole) fn_json_value(w, "card", card);
  fn_json_end(w);
  return FN_OK;
}

static fn_status list_one(void *arg, const fn_version_info *v, fn_err *err) {
  listing *l = arg;
  char text[32];
  FN_AUTO_JSON json_t *card = NULL;
  l->n++;
  if (l->json) {
    fn_json_writer w;
    fn_json_begin(&w, &l->out, 0);
    FN_TRY(write_version(&w, v, false, err));
    fn_buf_append_char(&l->out, '\n');
    return FN_OK;
  }
  FN_TRY(fn_json_parse(&card, fn_str_from(v->card), "card", err));
  FN_TRY(fn_table_cell(&l->table, v->name, err));
  snprintf(text, sizeof text, "%lld", (long long)v->version);
  FN_TRY(fn_table_cell(&l->table, text, err));
  FN_TRY(fn_table_cell(&l->table, v->retired_ms ? "(retired)" : v->aliases, err));
  FN_TRY(fn_table_cell(&l->table, figure(text, fn_card_metric(card, "f1_weighted", NULL, NULL), 4), err));
  FN_TRY(fn_table_cell(&l->table, figure(text, fn_card_number(card, size_path) / 1e6, 1), err));
  return fn_table_cell(&l->table, fn_runs_time(text, v->created_ms), err);
}

static fn_status list(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_cli_registry r;
  listing l;
  fn_cli_version_name v = {.name = ""};
  if (args->n_rest > 0) FN_TRY(fn_cli_one_version(&v, args, "registry list takes one name of a model, or none", err));
  begin_listing(&l, !cli->tty_out || fn_cli_get(args, "--json"));
  fn_status status = fn_cli_open_registry(&r, cli, FN_CLI_OPEN_READ, err);
  if (status == FN_OK)
    status = fn_registry_list(r.registry, v.name[0] ? v.name : NULL, fn_cli_get(args, "--retired") != NULL, list_one,
                              &l, err);
  fn_cli_close_registry(&r);
  if (status == FN_OK && !l.json && l.n > 0) format_listing(&l.out, &l, cli);
  if (status == FN_OK) status = fn_buf_check(&l.out, "the list", err);
  if (status == FN_OK) status = fn_cli_print(fn_buf_str(&l.out), err);
  end_listing(&l);
  if (status == FN_OK && l.n == 0) fn_cli_note(cli, "no versions; `fakenews registry add RUN` adds one");
  return status;
}

static const fn_cli_flag list_flags[] = {
    {.name = "--retired", .help = "those too that were retired"},
    {.name = "--json", .help = "a JSON object a line; the default where stdout is no terminal"},
    {0},
};

const fn_verb fn_verb_registry_list = {
    .name = "registry",
    .sub = "list",
    .summary = "versions of models: aliases, figures, sizes",
    .usage = "[NAME] [--retired] [--json] [key=value …]",
    .flags = list_flags,
    .options = "track.url track.artifacts",
    .takes_rest = true,
    .examples = "  fakenews registry list\n",
    .run = list,
};

/* ---- show ---- */

typedef struct showing {
  const fn_cli *cli;
  fn_buf *out;
  fn_json_writer w;
  bool json;
  int64_t version; /* only what is about it; 0: all */
  size_t n;
} showing;

static void append_move(fn_buf *out, const fn_audit_entry *e) {
  if (e->key[0]) fn_buf_printf(out, " %s", e->key);
  if (strcmp(e->action, "tag") == 0) {
    fn_buf_printf(out, " of %lld", (long long)e->to);
  } else if (e->from > 0 && e->to > 0) {
    fn_buf_printf(out, " %lld -> %lld", (long long)e->from, (long long)e->to);
  } else if (e->to > 0) {
    fn_buf_printf(out, " %s%lld", e->key[0] ? "-> " : "", (long long)e->to);
  } else {
    fn_buf_printf(out, " %lld%s", (long long)e->from, e->key[0] ? " -> nowhere" : "");
  }
}

static fn_status show_entry(void *arg, const fn_audit_entry *e, fn_err *err) {
  showing *s = arg;
  char time[21];
  if (s->version > 0 && e->from != s->version && e->to != s->version) return FN_OK;
  fn_clock_format(time, e->time_ms);
  if (!s->json) {
    if (s->n++ == 0) fn_buf_append_str(s->out, "\nchanges\n");
    fn_buf_printf(s->out, "  %.10s %.8s  %.20s@%.24s  %s", time, time + 11, e->user, e->host, e->action);
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
  return write_version(&((showing *)arg)->w, v, true, err);
}

static const char *text_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "-";
}

static void append_metric(fn_buf *out, const json_t *card, const char *label, const char *metric) {
  double low, high;
  char cells[3][16];
  const double value = fn_card_metric(card, metric, &low, &high);
  fn_buf_printf(out, "  %-22s%s", label, figure(cells[0], value, 4));
  if (!isnan(low)) fn_buf_printf(out, "  [%s, %s]", figure(cells[1], low, 4), figure(cells[2], high, 4));
  fn_buf_append_char(out, '\n');
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
  fn_buf_printf(out, "  %-22sp50 %s ms, p95 %s ms (%s)\n", "one answer", figure(cells[0], fn_card_number(card, p50), 2),
                figure(cells[1], fn_card_number(card, p95), 2), text_at(json_object_get(card, "speed"), "machine"));
}

/* Files that the data was prepared of. */
static void append_inputs(fn_buf *out, const json_t *inputs) {
  enum { SHOWN = 8 };
  const size_t n = json_array_size(inputs);
  for (size_t i = 0; i < n && i < SHOWN; i++) {
    const json_t *input = json_array_get(inputs, i);
    fn_buf_printf(out, "  %-22s", i ? "" : "made of");
    fn_print_line(out, fn_str_from(text_at(input, "file")), 28);
    fn_buf_append_str(out, ", licence ");
    fn_print_line(out, fn_str_from(text_at(input, "license")), 16);
    fn_buf_append_char(out, '\n');
  }
  if (n > SHOWN) fn_buf_printf(out, "  %-22s… %zu more (--json)\n", "", n - SHOWN);
}

static fn_status append_version(fn_buf *out, const fn_version_info *v, fn_err *err) {
  char time[21];
  FN_AUTO_JSON json_t *card = NULL;
  FN_TRY(fn_json_parse(&card, fn_str_from(v->card), "card", err));
  const json_t *lineage = json_object_get(card, "lineage"), *data = json_object_get(lineage, "data");
  fn_clock_format(time, v->created_ms);
  fn_buf_printf(out, "%s/%lld%s%s%s\n", v->name, (long long)v->version, v->aliases[0] ? "  (" : "", v->aliases,
                v->aliases[0] ? ")" : "");
  fn_buf_printf(out, "  %-22s%s by %s@%s\n", "added", time, v->user, v->host);
  fn_buf_printf(out, "  %-22s%.12s\n", "digest", v->digest); /* the JSON has all of it */
  fn_buf_append_str(out, "\nlineage\n");
  fn_buf_printf(out, "  %-22s%s\n", "model", text_at(lineage, "model"));
  fn_buf_printf(out, "  %-22s%s%s%.12s\n", "run", v->run_name[0] ? v->run_name : "-", v->run_id[0] ? "  " : "",
                v->run_id);
  fn_buf_printf(out, "  %-22s%.12s\n", "configuration", text_at(json_object_get(lineage, "configuration"), "sha256"));
  fn_buf_printf(out, "  %-22s%.12s\n", "trained on", text_at(data, "trained_on"));
  fn_buf_printf(out, "  %-22s%.12s\n", "measured on", text_at(data, "measured_on"));
  append_inputs(out, json_object_get(data, "inputs"));
  fn_buf_append_str(out, "\nfigures\n");
  append_figures(out, card);
  const json_t *limits = json_object_get(card, "limits");
  fn_buf_append_str(out, "\nlimits\n");
  for (size_t i = 0; i < json_array_size(limits); i++) {
    fn_buf_append_str(out, "  ");
    fn_buf_append_wrapped(out, json_string_value(json_array_get(limits, i)), 2, 4, 78);
    fn_buf_append_char(out, '\n');
  }
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
    status = append_version(s->out, &found.info, err);
  }
  fn_version_deinit(&found);
  return status;
}

static fn_status show_all(fn_cli_registry *r, showing *s, const char *name, fn_err *err) {
  if (!s->json) {
    listing l;
    begin_listing(&l, false);
    const fn_status status = fn_registry_list(r->registry, name, true, list_one, &l, err);
    if (status == FN_OK) format_listing(s->out, &l, s->cli);
    end_listing(&l);
    return status;
  }
  fn_json_object(&s->w, NULL);
  fn_json_array(&s->w, "versions");
  FN_TRY(fn_registry_list(r->registry, name, true, show_version_json, s, err));
  fn_json_end(&s->w);
  return FN_OK;
}

static fn_status show_into(fn_cli_registry *r, showing *s, const fn_cli_version_name *v, fn_err *err) {
  if (s->json) fn_json_begin(&s->w, s->out, 2);
  FN_TRY(v->version > 0 || v->alias[0] ? show_one(r, s, v, err) : show_all(r, s, v->name, err));
  if (s->json) fn_json_array(&s->w, "changes");
  FN_TRY(fn_registry_audit(r->registry, v->name, show_entry, s, err));
  if (s->json) {
    fn_json_end(&s->w);
    fn_json_end(&s->w);
    fn_buf_append_char(s->out, '\n');
  }
  FN_TRY(fn_buf_check(s->out, "a version", err));
  return fn_cli_print(fn_buf_str(s->out), err);
}

static fn_status show(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_cli_version_name v;
  fn_cli_registry r;
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  showing s = {.cli = cli, .out = &out, .json = fn_cli_get(args, "--json") != NULL};
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
    .summary = "a model with all that was changed, or one version: lineage, figures, limits, changes",
    .usage = "NAME[@ALIAS|/VERSION] [--json] [key=value …]",
    .flags = show_flags,
    .options = "track.url track.artifacts",
    .takes_rest = true,
    .examples = "  fakenews registry show fake-news@best\n",
    .run = show,
};
