/* fakenews registry promote: the best version, or a named one, behind an alias, when its gates say yes. */
#include "cli/registry_support.h"

#include <math.h>
#include <stdlib.h>

typedef struct promote {
  fn_cli_registry r;
  const char *name, *alias, *metric;
  bool smaller, dry, force, json;
  /* the candidate */
  int64_t version, holder;
  char run[80], why[320];
  json_t *card, *holder_card;
  /* while choosing */
  double best;
  size_t n_seen, n_with;
  const char *wanted; /* run, or NULL */
} promote;

/* "val/loss", "test/f1_weighted" of a version's card. */
static double metric_of(const json_t *card, const char *metric) {
  static const struct { const char *prefix, *member; } places[] = {{"val/", "validation"}, {"left_out/", "left_out"}};
  for (size_t i = 0; i < FN_COUNT_OF(places); i++) {
    const size_t n = strlen(places[i].prefix);
    const char *const path[] = {places[i].member, metric + n, NULL};
    if (strncmp(metric, places[i].prefix, n) == 0) return fn_card_number(card, path);
  }
  return strncmp(metric, "test/", 5) == 0 ? fn_card_metric(card, metric + 5, NULL, NULL) : (double)NAN;
}

static fn_status check_metric(promote *p, fn_err *err) {
  static const char *const smaller[] = {"loss", "brier", "ece"};
  const char *slash = strchr(p->metric, '/');
  if (slash == NULL || (strncmp(p->metric, "val/", 4) != 0 && strncmp(p->metric, "test/", 5) != 0 &&
                        strncmp(p->metric, "left_out/", 9) != 0))
    return fn_err_set(err, FN_E_INVALID,
                      "--metric %.60s: val/, test/ or left_out/ and a metric are expected, val/f1_weighted", p->metric);
  for (size_t i = 0; i < FN_COUNT_OF(smaller); i++) p->smaller = p->smaller || strcmp(slash + 1, smaller[i]) == 0;
  return FN_OK;
}

static fn_status take(promote *p, const fn_version_info *v, json_t *card) {
  json_decref(p->card);
  p->card = json_incref(card);
  p->version = v->version;
  snprintf(p->run, sizeof p->run, "%s", v->run_name[0] ? v->run_name : v->run_id);
  return FN_OK;
}

static fn_status weigh(void *arg, const fn_version_info *v, fn_err *err) {
  promote *p = arg;
  FN_AUTO_JSON json_t *card = NULL;
  FN_TRY(fn_json_parse(&card, fn_str_from(v->card), "card", err));
  p->n_seen++;
  if (p->wanted != NULL) { /* the newest version of that run */
    if (strcmp(v->run_id, p->wanted) == 0 || strcmp(v->run_name, p->wanted) == 0) return take(p, v, card);
    return FN_OK;
  }
  const double value = metric_of(card, p->metric);
  if (isnan(value)) return FN_OK;
  if (p->n_with++ > 0 && !(p->smaller ? value < p->best : value > p->best)) return FN_OK;
  p->best = value;
  return take(p, v, card);
}

static fn_status choose_best(promote *p, fn_err *err) {
  FN_TRY(fn_registry_list(p->r.registry, p->name, false, weigh, p, err));
  if (p->n_with == 0)
    return fn_err_set(err, FN_E_NOT_FOUND, "no version of %s has a %s; name one, or another --metric", p->name,
                      p->metric);
  snprintf(p->why, sizeof p->why, "%s %.4f, the %s of %zu version%s", p->metric, p->best,
           p->smaller ? "smallest" : "greatest", p->n_with, p->n_with == 1 ? "" : "s");
  return FN_OK;
}

static fn_status choose_named(promote *p, const char *text, fn_err *err) {
  int64_t version;
  fn_version v;
  snprintf(p->why, sizeof p->why, "named on the command line");
  if (fn_str_to_int64(&version, fn_str_from(text))) {
    FN_TRY(fn_registry_get(&v, p->r.registry, p->name, version < 1 ? INT64_MAX : version, NULL, err));
    FN_AUTO_JSON json_t *card = NULL;
    fn_status status = fn_json_parse(&card, fn_str_from(v.info.card), "card", err);
    if (status == FN_OK) status = take(p, &v.info, card);
    fn_version_deinit(&v);
    return status;
  }
  char id[FN_RUN_ID_LENGTH] = "";
  p->wanted = fn_tracking_find(id, p->r.tracking, text, NULL) == FN_OK ? id : text;
  FN_TRY(fn_registry_list(p->r.registry, p->name, false, weigh, p, err));
  p->wanted = NULL;
  if (p->version == 0)
    return fn_err_set(err, FN_E_NOT_FOUND,
                      "no version of %s comes of run %.80s; `fakenews registry add %.80s --name %s` makes one", p->name,
                      text, text, p->name);
  return FN_OK;
}

static fn_status find_holder(promote *p, fn_err *err) {
  fn_version v;
  if (fn_registry_get(&v, p->r.registry, p->name, 0, p->alias, NULL) != FN_OK) return FN_OK;
  p->holder = v.info.version;
  const fn_status status = fn_json_parse(&p->holder_card, fn_str_from(v.info.card), "card", err);
  fn_version_deinit(&v);
  return status;
}

/* ---- what is said ---- */

static const char *outcome(const promote *p, const fn_gates *gates) {
  if (!gates->pass && !p->force) return "refused";
  if (p->holder == p->version) return "stands there already";
  return p->dry ? "dry run" : "promoted";
}

static void append_json(fn_buf *out, const promote *p, const fn_gates *gates) {
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "name", p->name);
  fn_json_text(&w, "alias", p->alias);
  fn_json_int(&w, "from", p->holder);
  fn_json_int(&w, "to", p->version);
  fn_json_text(&w, "run", p->run[0] ? p->run : NULL);
  fn_json_text(&w, "chosen_by", p->why);
  fn_gates_format(&w, "gates", gates);
  fn_json_bool(&w, "forced", p->force && !gates->pass);
  fn_json_text(&w, "outcome", outcome(p, gates));
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}

static void append_text(fn_buf *out, const promote *p, const fn_gates *gates) {
  fn_buf_printf(out, "%s/%lld%s%s: %s\n\n", p->name, (long long)p->version, p->run[0] ? " of run " : "", p->run,
                p->why);
  fn_cli_print_gates(out, gates);
  fn_buf_printf(out, "\n%s@%s: ", p->name, p->alias);
  if (p->holder > 0)
    fn_buf_printf(out, "%lld -> %lld", (long long)p->holder, (long long)p->version);
  else
    fn_buf_printf(out, "nowhere -> %lld", (long long)p->version);
  fn_buf_printf(out, " (%s%s)\n", outcome(p, gates), p->force && !gates->pass ? ", forced" : "");
}

static fn_status say(const promote *p, const fn_gates *gates, fn_err *err) {
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 1 << 20);
  if (p->json)
    append_json(&out, p, gates);
  else
    append_text(&out, p, gates);
  FN_TRY(fn_buf_check(&out, "gates", err));
  return fn_cli_print(fn_buf_str(&out), err);
}

/* ---- */

static fn_status move(promote *p, const fn_gates *gates, const char *reason, fn_err *err) {
  FN_AUTO_BUF fn_buf details;
  fn_json_writer w;
  fn_buf_init(&details, 1 << 20);
  fn_json_begin(&w, &details, 0);
  fn_gates_format(&w, NULL, gates);
  FN_TRY(fn_buf_check(&details, "gates", err));
  char text[FN_REGISTRY_MAX_TEXT];
  snprintf(text, sizeof text, "%s%s%s", p->why, reason ? "; " : "", reason ? reason : "");
  const fn_alias_move m = {.name = p->name,
                           .alias = p->alias,
                           .version = p->version,
                           .expected = p->holder,
                           .action = "promote",
                           .reason = text,
                           .details = details.data,
                           .forced = !gates->pass};
  return fn_registry_move_alias(p->r.registry, &m, err);
}

static fn_status decide(promote *p, const char *reason, fn_err *err) {
  fn_gates gates;
  FN_TRY(find_holder(p, err));
  fn_gates_check(&gates, p->card, p->holder == p->version ? NULL : p->holder_card, &p->r.options);
  const bool moves = !p->dry && p->holder != p->version && (gates.pass || p->force);
  if (moves) FN_TRY(move(p, &gates, reason, err)); /* nothing is said of what did not happen */
  FN_TRY(say(p, &gates, err));
  if (!gates.pass && !p->force)
    return fn_err_set(err, FN_E_REFUSED,
                      "%s/%lld does not pass; nothing was changed (--force --reason TEXT promotes it all the same)",
                      p->name, (long long)p->version);
  return moves ? fn_cli_mirror(&p->r, p->name, p->version, p->alias, err) : FN_OK;
}

static fn_status run_promote(promote *p, const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  const char *reason = fn_cli_get(args, "--reason");
  p->metric = fn_cli_get(args, "--metric");
  if (p->metric == NULL) p->metric = "val/f1_weighted";
  p->alias = fn_cli_get(args, "--alias");
  p->dry = fn_cli_get(args, "--dry-run") != NULL;
  p->force = fn_cli_get(args, "--force") != NULL;
  if (args->n_rest < 1 || args->n_rest > 2)
    return fn_err_set(err, FN_E_INVALID,
                      "registry promote takes the name of a model, and a run or version if it shall "
                      "not choose");
  if (p->force && reason == NULL)
    return fn_err_set(err, FN_E_INVALID, "--force asks for --reason TEXT, for the record");
  p->name = args->rest[0];
  FN_TRY(fn_registry_check_name(p->name, err));
  FN_TRY(fn_registry_check_alias(p->alias, err));
  FN_TRY(check_metric(p, err));
  FN_TRY(fn_cli_wants_json(&p->json, cli, args, err));
  FN_TRY(fn_cli_open_registry(&p->r, cli, FN_CLI_OPEN_CHANGE, err));
  FN_TRY(args->n_rest == 2 ? choose_named(p, args->rest[1], err) : choose_best(p, err));
  return decide(p, reason, err);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  FN_AUTO_FREE promote *p = fn_mem_calloc(1, sizeof *p);
  if (p == NULL) return fn_err_no_memory(err, "a promotion");
  const fn_status status = run_promote(p, cli, args, err);
  fn_cli_close_registry(&p->r);
  json_decref(p->card);
  json_decref(p->holder_card);
  return status;
}

static const fn_cli_flag flags[] = {
    {.name = "--alias",
     .value = "ALIAS",
     .help = "that shall point at it: best, staging, production …",
     .required = true},
    {.name = "--metric",
     .value = "NAME",
     .help =
         "chooses among the versions, by the checkpoint that is stored: val/, test/ or left_out/ and loss, "
         "f1_weighted … (default: val/f1_weighted); of loss, brier and ece the smallest is taken, else the greatest"},
    {.name = "--dry-run", .help = "only show what would be done"},
    {.name = "--force", .help = "promote even if a gate says no"},
    {.name = "--reason", .value = "TEXT", .help = "why, for the record"},
    {.name = "--format", .value = "text|json", .help = "default: text on a terminal, else json"},
    {0},
};

const fn_verb fn_verb_registry_promote = {
    .name = "registry",
    .sub = "promote",
    .summary = "point an alias at the best version, or at a named one, if it passes its gates; exit code 4 if not",
    .usage = "NAME [RUN|VERSION] --alias ALIAS [--metric NAME] [--dry-run] [--force --reason TEXT] [key=value …]",
    .flags = flags,
    .options = "registry. track. net.",
    .takes_rest = true,
    .examples = "  fakenews registry promote fake-news --alias best\n"
                "  fakenews registry promote fake-news 3 --alias production registry.gate_max_p95_ms=20\n",
    .run = run,
};
