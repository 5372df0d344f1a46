/* fakenews registry promote: the best version, or a named one, behind an alias, when its gates say yes. */
#include "cli/registry_choose.h"
#include "cli/registry_make.h"

#include <stdlib.h>

/* Beside why the version was chosen. */
enum { MAX_REASON = FN_REGISTRY_MAX_TEXT - 400 };

typedef struct promote {
  fn_cli_registry r;
  fn_cli_version_name place; /* what name and alias lie in */
  const char *name, *alias, *metric, *filter;
  bool dry, force, json;
  /* the candidate */
  int64_t version, holder; /* version 0: a run that would become one */
  bool chosen, made;       /* by a metric; just now */
  fn_cli_choice choice;
  char unfit[FN_TRACKING_DAMAGE + 160]; /* what no gate asks and is wrong; "": nothing */
  char run_id[FN_RUN_ID_LENGTH], run[FN_CLI_RUN_NAME], why[320];
  json_t *card, *holder_card;
  const char *wanted; /* run, while its versions are looked for */
} promote;

/* ---- the candidate ---- */

static void take(promote *p, const fn_version_info *v) {
  p->version = v->version;
  snprintf(p->run_id, sizeof p->run_id, "%s", v->run_id);
  snprintf(p->run, sizeof p->run, "%s", v->run_name[0] ? v->run_name : v->run_id);
}

/* Its newest version. */
static fn_status take_of_run(void *arg, const fn_version_info *v, fn_err *err) {
  promote *p = arg;
  (void)err;
  if (strcmp(v->run_id, p->wanted) == 0) take(p, v);
  return FN_OK;
}

static fn_status take_number(promote *p, int64_t version, fn_err *err) {
  fn_version v;
  if (version < 1)
    return fn_err_set(err, FN_E_NOT_FOUND, "%s has no version %lld: they count from 1", p->name, (long long)version);
  FN_TRY(fn_registry_get(&v, p->r.registry, p->name, version, NULL, err));
  take(p, &v.info);
  fn_version_deinit(&v);
  return FN_OK;
}

static fn_status keep_name(void *arg, const fn_run_view *run, fn_err *err) {
  promote *p = arg;
  (void)err;
  snprintf(p->run, sizeof p->run, "%s", run->info.name && *run->info.name ? run->info.name : run->info.id);
  return FN_OK;
}

static fn_status choose_named(promote *p, const char *text, fn_err *err) {
  int64_t version;
  snprintf(p->why, sizeof p->why, "named on the command line");
  if (fn_str_to_int64(&version, fn_str_from(text))) return take_number(p, version, err);
  const fn_status status = fn_tracking_find(p->run_id, p->r.tracking, text, err);
  if (status != FN_OK) return fn_err_prefix(err, status, "a version's number or a run is expected");
  p->wanted = p->run_id;
  FN_TRY(fn_tracking_get_run(p->r.tracking, p->run_id, keep_name, p, err));
  return fn_cli_list_versions(&p->r, p->name, false, take_of_run, p, err);
}

static fn_status choose_best(promote *p, fn_err *err) {
  fn_cli_choice *c = &p->choice;
  FN_TRY(fn_cli_choose(c, &p->r, p->name, p->metric, p->filter, err));
  p->chosen = true;
  p->version = c->version;
  memcpy(p->run_id, c->run_id, sizeof p->run_id);
  snprintf(p->run, sizeof p->run, "%s", c->run_name[0] ? c->run_name : c->run_id);
  memcpy(p->why, c->why, sizeof p->why);
  return FN_OK;
}

/* A run that is no version yet becomes one, as `registry add` does it. */
static fn_status make_version(promote *p, fn_err *err) {
  bool found = false;
  if (p->version > 0) return FN_OK;
  if (p->dry) return fn_cli_check_run(&p->r, p->run_id, err);
  fn_cli_note(p->r.cli, "run %s is no version of %s yet: it is packed, calibrated and measured", p->run, p->name);
  FN_TRY(fn_cli_add_version(&p->version, &found, &p->r, p->run_id, p->name, NULL, err));
  p->made = !found;
  return FN_OK;
}

static fn_status load_card(promote *p, fn_err *err) {
  return p->version > 0 ? fn_cli_load_card(&p->card, &p->r, p->name, p->version, err) : FN_OK;
}

static fn_status find_holder(promote *p, fn_err *err) {
  FN_TRY(fn_registry_alias_version(&p->holder, p->r.registry, p->name, p->alias, err));
  if (p->holder == 0) return FN_OK;
  fn_err why = {0};
  const fn_status status = fn_cli_load_card(&p->holder_card, &p->r, p->name, p->holder, &why);
  if (status == FN_OK || status == FN_E_NOT_FOUND) return FN_OK; /* an alias whose version is gone can be moved */
  if (status == FN_E_INVALID) {                                  /* and one whose card is damaged */
    fn_cli_warn(p->r.cli, "%s: nothing is compared with it", why.message);
    return FN_OK;
  }
  return fn_err_set(err, status, "%s", why.message);
}

/* ---- what no limit is set for ---- */

static bool has_label(const json_t *labels, const char *label) {
  for (size_t i = 0; i < json_array_size(labels); i++) {
    const char *own = json_string_value(json_array_get(labels, i));
    if (own && strcmp(own, label) == 0) return true;
  }
  return false;
}

static const json_t *labels_of(const json_t *card) {
  return json_object_get(json_object_get(card, "model"), "labels");
}

/* Whoever asks reads the labels of the version that has the alias now. */
static void check_labels(promote *p) {
  const json_t *labels = labels_of(p->card), *known = labels_of(p->holder_card);
  if (json_array_size(known) == 0) return;
  for (size_t i = 0; i < json_array_size(labels); i++) {
    const char *label = json_string_value(json_array_get(labels, i));
    if (label && !has_label(known, label)) {
      snprintf(p->unfit, sizeof p->unfit,
               "it answers \"%.60s\", a label that version %lld, which has the alias, has not", label,
               (long long)p->holder);
      return;
    }
  }
}

static fn_status check_fit(promote *p, fn_err *err) {
  char damage[FN_TRACKING_DAMAGE];
  if (p->made) return FN_OK; /* just now */
  FN_TRY(fn_cli_check_files(damage, &p->r, p->name, p->version, err));
  if (damage[0]) snprintf(p->unfit, sizeof p->unfit, "it is damaged: %s", damage);
  return FN_OK;
}

/* ---- what is said ---- */

static const char *outcome(const promote *p, const fn_gates *gates) {
  if (p->version == 0) return "dry run";
  if ((!gates->pass || p->unfit[0]) && !p->force) return "refused";
  if (p->holder == p->version) return "stands there already";
  return p->dry ? "dry run" : "promoted";
}

static bool is_forced(const promote *p, const fn_gates *gates) {
  return p->card && p->force && (!gates->pass || p->unfit[0]);
}

static void append_choice(fn_json_writer *w, const promote *p) {
  const fn_cli_choice *c = &p->choice;
  if (!p->chosen) {
    fn_json_null(w, "choice");
    return;
  }
  fn_json_object(w, "choice");
  fn_json_text(w, "metric", p->metric);
  fn_json_text(w, "taken", c->smallest ? "smallest" : "greatest");
  fn_json_double(w, "value", c->value);
  fn_json_int(w, "versions", (int64_t)c->n_versions);
  fn_json_int(w, "runs", (int64_t)c->n_runs);
  fn_json_int(w, "of_other_rows", (int64_t)c->n_other);
  fn_json_end(w);
}

static void append_json(fn_buf *out, const promote *p, const fn_gates *gates) {
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "name", p->name);
  fn_json_text(&w, "alias", p->alias);
  fn_json_int(&w, "from", p->holder);
  if (p->version > 0)
    fn_json_int(&w, "to", p->version);
  else
    fn_json_null(&w, "to");
  fn_json_text(&w, "run", p->run[0] ? p->run : NULL);
  fn_json_bool(&w, "added", p->made);
  fn_json_text(&w, "chosen_by", p->why);
  append_choice(&w, p);
  if (p->card)
    fn_gates_format(&w, "gates", gates);
  else
    fn_json_null(&w, "gates");
  fn_json_bool(&w, "forced", is_forced(p, gates));
  fn_json_text(&w, "unfit", p->unfit[0] ? p->unfit : NULL);
  fn_json_text(&w, "outcome", outcome(p, gates));
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}

static void append_text(fn_buf *out, const promote *p, const fn_gates *gates) {
  FN_AUTO_BUF fn_buf head;
  fn_buf_init(&head, 4096);
  if (p->version > 0) fn_buf_printf(&head, "%s/%lld", p->name, (long long)p->version);
  if (p->run[0]) fn_buf_append_str(&head, p->version == 0 ? "run " : p->made ? ", made of run " : " of run ");
  fn_print_line(&head, fn_str_from(p->run), 120);
  if (p->version == 0) fn_buf_printf(&head, ", which is no version of %s yet", p->name);
  fn_buf_printf(&head, "%s: %s", p->made ? " now" : "", p->why);
  if (!head.failed) fn_buf_append_wrapped(out, head.data, 0, 2, fn_cli_help_width());
  fn_buf_append_str(out, "\n\n");
  if (p->card)
    fn_cli_print_gates(out, p->r.cli, gates);
  else
    fn_buf_append_str(out, "the gates are asked when it is made a version: without --dry-run, or by `registry add`\n");
  if (p->unfit[0]) {
    fn_buf_append_char(out, '\n');
    fn_buf_append_wrapped(out, p->unfit, 0, 2, fn_cli_help_width());
    fn_buf_append_char(out, '\n');
  }
  fn_buf_printf(out, "\n%s@%s: ", p->name, p->alias);
  if (p->holder > 0)
    fn_buf_printf(out, "%lld -> ", (long long)p->holder);
  else
    fn_buf_append_str(out, "nowhere -> ");
  if (p->version > 0)
    fn_buf_printf(out, "%lld", (long long)p->version);
  else
    fn_buf_append_str(out, "a new version");
  fn_buf_printf(out, " (%s%s)\n", outcome(p, gates), is_forced(p, gates) ? ", forced" : "");
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
                           .forced = !gates->pass || p->unfit[0]};
  return fn_registry_move_alias(p->r.registry, &m, err);
}

/* Which gates said no, and why: a log of CI has no table. */
static fn_status refuse(const promote *p, const fn_gates *gates, fn_err *err) {
  char failed[FN_TRACKING_DAMAGE + 800] = "";
  size_t n = (size_t)snprintf(failed, sizeof failed, "%s", p->unfit);
  for (size_t i = 0; i < gates->n && n < sizeof failed; i++) {
    const fn_gate *g = &gates->items[i];
    char value[32], limit[32];
    if (g->verdict != FN_GATE_FAIL) continue;
    fn_cli_format_gate(value, limit, g);
    n += (size_t)snprintf(failed + n, sizeof failed - n, "%s%s ", n ? "; " : "", g->name);
    if (n < sizeof failed && isnan(g->value))
      n += (size_t)snprintf(failed + n, sizeof failed - n, "was not measured");
    else if (n < sizeof failed)
      n += (size_t)snprintf(failed + n, sizeof failed - n, "%s, %s %s", value, g->at_least ? "at least" : "at most",
                            limit);
  }
  return fn_err_set(err, FN_E_REFUSED,
                    "%s/%lld does not pass (%s); %s@%s was not moved (--force --reason TEXT promotes it all the same)",
                    p->name, (long long)p->version, failed, p->name, p->alias);
}

static fn_status decide(promote *p, const char *reason, fn_err *err) {
  fn_gates gates;
  FN_TRY(load_card(p, err));
  FN_TRY(find_holder(p, err));
  if (p->card == NULL) return say(p, NULL, err);
  fn_gates_check(&gates, p->card, p->holder == p->version ? NULL : p->holder_card, &p->r.options);
  check_labels(p);
  if (!p->unfit[0]) FN_TRY(check_fit(p, err));
  const bool refused = (!gates.pass || p->unfit[0]) && !p->force;
  const bool moves = !p->dry && p->holder != p->version && !refused;
  if (moves) FN_TRY(move(p, &gates, reason, err)); /* nothing is said of what did not happen */
  FN_TRY(say(p, &gates, err));
  /* also where it stands already: an earlier try may not have reached the mirror */
  const bool stands = !p->dry && !refused;
  const fn_mirror_change change = {.name = p->name, .version = p->version, .alias = stands ? p->alias : NULL};
  const fn_status mirrored = stands || p->made ? fn_cli_mirror(&p->r, &change, err) : FN_OK;
  if (!refused) return mirrored;
  if (mirrored != FN_OK && err) fn_cli_warn(p->r.cli, "%s", err->message);
  return refuse(p, &gates, err);
}

static fn_status choose(promote *p, const fn_cli_args *args, fn_err *err) {
  FN_TRY(args->n_rest == 2 ? choose_named(p, args->rest[1], err) : choose_best(p, err));
  return make_version(p, err);
}

static fn_status check(promote *p, const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_tracking *there = NULL;
  p->metric = fn_cli_get(args, "--metric");
  p->filter = fn_cli_get(args, "--filter");
  p->dry = fn_cli_get(args, "--dry-run") != NULL;
  p->force = fn_cli_get(args, "--force") != NULL;
  p->json = fn_cli_get(args, "--json") != NULL;
  if (args->n_rest < 1 || args->n_rest > 2)
    return fn_err_set(err, FN_E_INVALID,
                      "registry promote takes the name of a model, and a run or version if it shall not choose");
  if (args->n_rest == 2 && (p->metric || p->filter))
    return fn_err_set(err, FN_E_INVALID, "--metric and --filter choose, and %.80s is named: leave out one of them",
                      args->rest[1]);
  const char *reason = fn_cli_get(args, "--reason");
  if (p->force && (reason == NULL || *reason == '\0'))
    return fn_err_set(err, FN_E_INVALID, "--force asks for --reason TEXT, for the record");
  if (reason && strlen(reason) > MAX_REASON)
    return fn_err_set(err, FN_E_INVALID, "--reason: %zu bytes; %d at most are kept", strlen(reason), MAX_REASON);
  if (p->metric == NULL) p->metric = "val/f1_weighted";
  FN_TRY(fn_cli_parse_alias(&p->place, args, err));
  p->name = p->place.name;
  p->alias = p->place.alias;
  FN_TRY(fn_cli_check_metric(p->metric, err));
  FN_TRY(fn_cli_open_tracking(&there, cli, NULL, FN_CLI_OPEN_READ, err)); /* no file is made for a mistake */
  fn_tracking_close(there);
  return FN_OK;
}

static fn_status run_promote(promote *p, const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  FN_TRY(check(p, cli, args, err));
  fn_status status = fn_cli_open_registry(&p->r, cli, p->dry ? FN_CLI_OPEN_READ : FN_CLI_OPEN_MAKE, err);
  if (p->dry && status == FN_E_NOT_FOUND) { /* no registry yet: what would be its first version? */
    fn_cli_close_registry(&p->r);
    status = fn_cli_open_registry(&p->r, cli, FN_CLI_OPEN_MAKE, err);
  }
  FN_TRY(status);
  FN_TRY(choose(p, args, err));
  return decide(p, fn_cli_get(args, "--reason"), err);
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
     .help = "that shall point at it: best, staging, production …; or written behind the name"},
    {.name = "--metric",
     .value = "NAME",
     .help =
         "chooses among the versions and the finished runs that are none yet, by the checkpoint that each kept: val/ "
         "or left_out/ and loss, f1_weighted … (default: val/f1_weighted), test/… among versions alone; of loss, "
         "brier and ece the smallest is taken, else the greatest"},
    {.name = "--filter",
     .value = "F",
     .help = "only runs that fit it, as in `runs list`, and versions that come of them: \"params.family = 'bert'\""},
    {.name = "--dry-run", .help = "only show what would be done"},
    {.name = "--force", .help = "promote even if a gate says no"},
    {.name = "--reason", .value = "TEXT", .help = "why, for the record"},
    {.name = "--json", .help = "as JSON"},
    {0},
};

const fn_verb fn_verb_registry_promote = {
    .name = "registry",
    .sub = "promote",
    .summary = "point an alias at the best version, if it passes its gates; the best of versions and runs, or one that "
               "is named; exit code 4 if it does not pass",
    .usage =
        "NAME@ALIAS|NAME --alias ALIAS [RUN|VERSION] [--metric NAME] [--filter F] [--dry-run] [--force --reason TEXT] "
        "[--json] [key=value …]",
    .flags = flags,
    .options = "registry.gate_ registry.mirror track.url track.artifacts",
    .more = "dtype calibrate. eval. linear. infer. device. net. store.",
    .takes_rest = true,
    .examples = "  fakenews registry promote fake-news@best\n"
                "  fakenews registry promote fake-news@staging 3 registry.gate_max_mb=20\n",
    .run = run,
};
