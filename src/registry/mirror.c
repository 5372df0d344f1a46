#include "registry/mirror.h"

#include "registry/gates.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_MLMODEL = 1 << 20, MAX_TAGS = 100 };

typedef struct job {
  const fn_mirror *m;
  const fn_mirror_change *change;
  json_t *known;   /* by digest: the server's number and tags, {"version": 3, "tags": {…}} */
  json_t *numbers; /* the server's number of each of our versions that it has */
  json_t *there;   /* aliases of the server and its numbers */
  json_t *once;    /* keys of tags that each of our versions has or had */
  json_t *aliases; /* names of aliases that there are or were here */
  bool model_made;
  bool damaged;    /* rows that are no versions were told of */
  size_t n_failed; /* what is not of the change itself, and did not arrive */
  fn_err first;
} job;

/* Of two with the same digest the first counts: the list is newest first. */
static fn_status note_version(void *arg, const fn_mlflow_model_version *v, fn_err *err) {
  json_t *known = arg;
  const json_t *tags = json_object_get(v->json, "tags");
  json_t *own = json_object();
  char digest[65] = "";
  bool ok = own != NULL;
  for (size_t i = 0; ok && i < json_array_size(tags); i++) {
    const char *key = json_string_value(json_object_get(json_array_get(tags, i), "key"));
    const char *value = json_string_value(json_object_get(json_array_get(tags, i), "value"));
    if (key && value && strcmp(key, "fakenews.digest") == 0) snprintf(digest, sizeof digest, "%s", value);
    if (key && value) ok = json_object_set_new(own, key, json_string(value)) == 0;
  }
  if (ok && digest[0])
    ok =
        json_object_set_new(known, digest, json_pack("{s:I,s:O}", "version", (json_int_t)v->version, "tags", own)) == 0;
  json_decref(own);
  return ok ? FN_OK : fn_err_no_memory(err, "versions of a server");
}

static json_t *known_of(const job *j, const fn_version_info *v) {
  return json_object_get(j->known, v->digest);
}

/* What is not of the change itself: it keeps nothing else away. */
static void pass_over(job *j, const fn_err *why, const char *what) {
  char text[sizeof why->message + 400];
  if (j->n_failed++ == 0) j->first = *why;
  snprintf(text, sizeof text, "%s has not arrived at the mirror: %s", what, why->message);
  if (j->m->note) j->m->note(j->m->arg, true, text);
}

/* ---- the run that it comes of ---- */

static fn_status keep_id(void *arg, const fn_mlflow_run *run, fn_err *err) {
  char **id = arg;
  if (*id != NULL) return FN_OK;
  *id = fn_str_dup(fn_str_from(run->id));
  return *id ? FN_OK : fn_err_no_memory(err, "a run");
}

static fn_status keep_experiment(void *arg, const fn_run_view *run, fn_err *err) {
  char **name = arg;
  *name = fn_str_dup(fn_str_from(run->info.experiment_name));
  return *name ? FN_OK : fn_err_no_memory(err, "an experiment");
}

static fn_status search_run(char **id, const fn_mirror *m, const char *experiment, const char *run_id, fn_err *err) {
  char filter[128];
  snprintf(filter, sizeof filter, "tags.`fakenews.run_id` = '%.40s'", run_id);
  return fn_mlflow_run_search(m->mlflow, experiment, filter, 1, keep_id, id, err);
}

/* In the experiment of the training, which need not be the one of this command; NULL where it is not there. */
static fn_status search_where_trained(char **id, const fn_mirror *m, const char *run_id, fn_err *err) {
  FN_AUTO_FREE char *experiment = NULL, *name = NULL;
  fn_err why = {0};
  if (fn_tracking_get_run(m->tracking, run_id, keep_experiment, &name, NULL) != FN_OK) return FN_OK;
  const fn_status status = fn_mlflow_experiment(&experiment, m->mlflow, name, false, &why);
  if (status == FN_OK) return search_run(id, m, experiment, run_id, err);
  return status == FN_E_NOT_FOUND || status == FN_E_INVALID ? FN_OK : fn_err_set(err, status, "%s", why.message);
}

/* A run that was tracked there is found by its tag; else one is made that stands for it. */
static fn_status find_run(char **id_out, const fn_mirror *m, const fn_version_info *v, fn_err *err) {
  FN_AUTO_FREE char *experiment = NULL, *id = NULL;
  char name[320];
  if (v->run_id[0]) FN_TRY(search_where_trained(&id, m, v->run_id, err));
  if (id == NULL) FN_TRY(fn_mlflow_experiment_of(&experiment, m->mlflow, m->experiment_id, m->experiment, err));
  if (id == NULL && v->run_id[0]) FN_TRY(search_run(&id, m, experiment, v->run_id, err));
  if (id == NULL) {
    fn_mlflow_run run;
    const fn_track_pair tags[] = {{"fakenews.model", v->name}, {"fakenews.run_id", v->run_id}};
    snprintf(name, sizeof name, "%s-%lld", v->name, (long long)v->version);
    FN_TRY(fn_mlflow_run_create(&run, m->mlflow, experiment, name, v->created_ms, tags, v->run_id[0] ? 2 : 1, err));
    id = fn_str_dup(fn_str_from(run.id));
    fn_mlflow_run_deinit(&run);
    if (id == NULL) return fn_err_no_memory(err, "a run");
    FN_TRY(fn_mlflow_run_update(m->mlflow, id, "FINISHED", v->created_ms, err));
  }
  *id_out = FN_STEAL(id);
  return FN_OK;
}

/* ---- the version ---- */

typedef struct tags {
  fn_track_pair items[MAX_TAGS];
  size_t n;
  char texts[8][40];
  json_t *own;
} tags;

static void add_number(tags *t, const char *key, double value) {
  static const size_t n_texts = sizeof((tags *)0)->texts / sizeof((tags *)0)->texts[0];
  if (isnan(value) || t->n >= n_texts) return;
  snprintf(t->texts[t->n], sizeof t->texts[0], "%.6g", value);
  t->items[t->n] = (fn_track_pair){key, t->texts[t->n]};
  t->n++;
}

static fn_status make_tags(tags *t, const fn_version_info *v, fn_err *err) {
  static const char *const flips[] = {"packing", "percent_flipped", NULL}, *const p95[] = {"speed", "p95_ms", NULL};
  FN_AUTO_JSON json_t *card = NULL;
  const char *key;
  json_t *value;
  FN_TRY(fn_json_parse(&card, fn_str_from(v->card), "card", err));
  FN_TRY(fn_json_parse(&t->own, fn_str_from(v->tags), "tags", err));
  add_number(t, "fakenews.version", (double)v->version);
  add_number(t, "fakenews.test.f1_weighted", fn_card_metric(card, "f1_weighted", NULL, NULL));
  add_number(t, "fakenews.test.ece", fn_card_metric(card, "ece", NULL, NULL));
  add_number(t, "fakenews.labels_changed_percent", fn_card_number(card, flips));
  add_number(t, "fakenews.p95_ms", fn_card_number(card, p95));
  t->items[t->n++] = (fn_track_pair){"fakenews.digest", v->digest};
  json_object_foreach(t->own, key, value) {
    if (t->n < MAX_TAGS) t->items[t->n++] = (fn_track_pair){key, json_string_value(value)};
  }
  return FN_OK;
}

static void describe_figure(fn_buf *out, const json_t *card, const char *label, const char *metric) {
  double low, high;
  const double value = fn_card_metric(card, metric, &low, &high);
  if (isnan(value)) return;
  fn_buf_printf(out, "- %s %.4f", label, value);
  if (!isnan(low)) fn_buf_printf(out, " (95 %% interval %.4f to %.4f)", low, high);
  fn_buf_append_char(out, '\n');
}

/* What the server's page of a version says, in its Markdown: figures on the test split, and what they are not. */
static fn_status describe(fn_buf *out, const fn_version_info *v, fn_err *err) {
  FN_AUTO_JSON json_t *card = NULL;
  FN_TRY(fn_json_parse(&card, fn_str_from(v->card), "card", err));
  const json_t *limits = json_object_get(card, "limits");
  fn_buf_printf(out, "version %lld of %s in the registry of fakenews", (long long)v->version, v->name);
  if (v->run_name[0]) fn_buf_printf(out, ", of run %s", v->run_name);
  fn_buf_append_str(out, "\n\n");
  if (json_is_object(json_object_get(card, "figures")))
    fn_buf_append_str(out, "Of the packed model, on its test split:\n\n");
  describe_figure(out, card, "weighted F1", "f1_weighted");
  describe_figure(out, card, "ROC AUC", "roc_auc");
  describe_figure(out, card, "calibration error", "ece");
  fn_buf_append_str(out, "\nThe model:\n\n");
  for (size_t i = 0; i < json_array_size(limits); i++) {
    const char *limit = json_string_value(json_array_get(limits, i));
    if (limit) fn_buf_printf(out, "- %.400s\n", limit);
  }
  return fn_buf_check(out, "a description", err);
}

static fn_status create(int64_t *version, const fn_mirror *m, const fn_version_info *v, const char *source,
                        const char *run_id, const char *model_id, fn_err *err) {
  tags t = {.n = 0};
  FN_AUTO_BUF fn_buf description;
  fn_mlflow_model_version made;
  fn_buf_init(&description, 4500); /* MLflow keeps 5,000 */
  FN_TRY(describe(&description, v, err));
  fn_status status = make_tags(&t, v, err);
  if (status == FN_OK)
    status = fn_mlflow_version_create(&made, m->mlflow, v->name, source, run_id, model_id, description.data, t.items,
                                      t.n, err);
  if (status == FN_OK) {
    *version = made.version;
    fn_mlflow_model_version_deinit(&made);
  }
  json_decref(t.own);
  return status;
}

static fn_status upload(int64_t *version, const fn_mirror *m, const fn_version_info *v, const char *folder,
                        fn_err *err) {
  FN_AUTO_FREE char *run_id = NULL, *source = NULL, *model_id = NULL;
  FN_AUTO_FREE char *path = fn_path_join(folder, "MLmodel");
  FN_AUTO_BUF fn_buf mlmodel;
  fn_buf_init(&mlmodel, MAX_MLMODEL);
  if (path == NULL) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_file_read(&mlmodel, path, MAX_MLMODEL, err));
  FN_TRY(find_run(&run_id, m, v, err));
  FN_TRY(fn_mlflow_model_put(&source, &model_id, m->mlflow, run_id, "model", folder, v->digest, mlmodel.data, err));
  return create(version, m, v, source, run_id, model_id, err);
}

static fn_status bring_files(int64_t *version_out, const fn_mirror *m, const fn_version_info *v, fn_err *err) {
  char name[40];
  fn_version_owner owner;
  fn_version_owner_format(owner, v->name, v->version);
  snprintf(name, sizeof name, "mirror-%.16s", v->digest);
  FN_AUTO_FREE char *folder = fn_path_join(m->scratch, name);
  if (folder == NULL) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_tracking_get(m->tracking, owner, "", folder, err));
  const fn_status status = upload(version_out, m, v, folder, err);
  if (fn_dir_remove(folder, NULL) != FN_OK && status == FN_OK)
    return fn_err_set(err, FN_E_IO, "%s: cannot be removed", folder);
  return status;
}

/* ---- tags ---- */

static fn_status remember(json_t *object, const char *key, fn_err *err) {
  return json_object_set_new(object, key, json_true()) == 0 ? FN_OK : fn_err_no_memory(err, "names");
}

static fn_status note_change(void *arg, const fn_audit_entry *e, fn_err *err) {
  const job *j = arg;
  char version[24];
  if (e->key[0] == '\0') return FN_OK;
  if (strcmp(e->action, "tag") != 0 && strcmp(e->action, "untag") != 0) return remember(j->aliases, e->key, err);
  snprintf(version, sizeof version, "%lld", (long long)e->to);
  json_t *keys = json_object_get(j->once, version);
  if (keys == NULL && json_object_set_new(j->once, version, json_object()) != 0) return fn_err_no_memory(err, "tags");
  return remember(json_object_get(j->once, version), e->key, err);
}

/* One that the server refuses does not keep the others away. *err: of the first. */
static void try_tag(fn_status *first, const job *j, const fn_version_info *v, const char *key, const char *value,
                    fn_err *err) {
  fn_err why = {0};
  const json_t *known = known_of(j, v);
  const int64_t number = json_integer_value(json_object_get(known, "version"));
  const char *there = json_string_value(json_object_get(json_object_get(known, "tags"), key));
  if (value ? there && strcmp(there, value) == 0 : there == NULL) return;
  const fn_status status = value ? fn_mlflow_version_tag(j->m->mlflow, v->name, number, key, value, &why)
                                 : fn_mlflow_version_tag_delete(j->m->mlflow, v->name, number, key, &why);
  if (status != FN_OK && *first == FN_OK) *first = fn_err_set(err, status, "tag %.100s: %s", key, why.message);
}

/* Those that there are, and none that there were: tags that people set on the server stay. */
static fn_status bring_tags(const job *j, const fn_version_info *v, fn_err *err) {
  FN_AUTO_JSON json_t *own = NULL;
  const char *key;
  json_t *value;
  char version[24], time[21];
  fn_status first = FN_OK;
  snprintf(version, sizeof version, "%lld", (long long)v->version);
  FN_TRY(fn_json_parse(&own, fn_str_from(v->tags), "tags", err));
  json_object_foreach(own, key, value) try_tag(&first, j, v, key, json_string_value(value), err);
  json_object_foreach(json_object_get(j->once, version), key, value) {
    if (!json_object_get(own, key)) try_tag(&first, j, v, key, NULL, err);
  }
  fn_clock_format(time, v->retired_ms);
  if (v->retired_ms) try_tag(&first, j, v, "fakenews.retired", time, err);
  return first;
}

static fn_status bring_all_tags(void *arg, const fn_version_info *v, fn_err *err) {
  job *j = arg;
  fn_err why = {0};
  char what[320];
  if (!known_of(j, v)) return FN_OK;
  if (v->version == j->change->version) return bring_tags(j, v, err);
  snprintf(what, sizeof what, "%s/%lld", v->name, (long long)v->version);
  if (bring_tags(j, v, &why) != FN_OK) pass_over(j, &why, what);
  return FN_OK;
}

/* ---- versions ---- */

/* Somebody else may have brought the same at the same time: the lower number stays. */
static fn_status settle(job *j, const fn_version_info *v, int64_t number, fn_err *err) {
  FN_TRY(fn_mlflow_version_list(j->m->mlflow, v->name, note_version, j->known, err));
  const int64_t first = json_integer_value(json_object_get(known_of(j, v), "version"));
  if (first == 0)
    return fn_err_set(err, FN_E_IO, "the server does not list version %lld, which it made", (long long)number);
  return first < number ? fn_mlflow_version_delete(j->m->mlflow, v->name, number, err) : FN_OK;
}

static fn_status bring_version(job *j, const fn_version_info *v, fn_err *err) {
  char text[400];
  int64_t number = 0;
  if (!j->model_made) FN_TRY(fn_mlflow_model_create(j->m->mlflow, v->name, NULL, err));
  j->model_made = true;
  snprintf(text, sizeof text, "%s/%lld is brought to the mirror", v->name, (long long)v->version);
  if (j->m->note) j->m->note(j->m->arg, false, text);
  FN_TRY(bring_files(&number, j->m, v, err));
  return settle(j, v, number, err);
}

static fn_status note_number(job *j, const fn_version_info *v, fn_err *err) {
  char key[24];
  json_t *number = json_object_get(known_of(j, v), "version");
  if (number == NULL) return FN_OK;
  snprintf(key, sizeof key, "%lld", (long long)v->version);
  return json_object_set(j->numbers, key, number) == 0 ? FN_OK : fn_err_no_memory(err, "versions");
}

/* An old registry may have hundreds that nobody asks for: only those that somebody does come by themselves. */
static fn_status consider(void *arg, const fn_version_info *v, fn_err *err) {
  job *j = arg;
  const fn_mirror_change *c = j->change;
  fn_err why = {0};
  char what[320];
  const bool wanted = c->all || v->aliases[0] || v->version == c->version;
  if (known_of(j, v) || !wanted || v->retired_ms) return note_number(j, v, err);
  if (v->version == c->version) {
    FN_TRY(bring_version(j, v, err));
  } else if (bring_version(j, v, &why) != FN_OK) {
    snprintf(what, sizeof what, "%s/%lld", v->name, (long long)v->version);
    pass_over(j, &why, what);
    if (j->m->may_go_on && !j->m->may_go_on(j->m->arg)) return fn_err_set(err, FN_E_CANCELLED, "%s", why.message);
    return FN_OK;
  }
  return note_number(j, v, err);
}

static int64_t number_of(const job *j, int64_t version) {
  char key[24];
  snprintf(key, sizeof key, "%lld", (long long)version);
  return json_integer_value(json_object_get(j->numbers, key));
}

/* A row that is damaged does not keep the others from the server. */
static fn_status each_version(job *j, fn_version_emit emit, fn_err *err) {
  fn_err why = {0};
  const fn_status status = fn_registry_list(j->m->registry, j->change->name, true, emit, j, &why);
  if (status == FN_OK) return FN_OK;
  if (status != FN_E_PARTIAL) return fn_err_set(err, status, "%s", why.message);
  if (!j->damaged) pass_over(j, &why, j->change->name);
  j->damaged = true;
  return FN_OK;
}

/* ---- aliases ---- */

static fn_status note_alias(void *arg, const fn_alias_info *a, fn_err *err) {
  const job *j = arg;
  return remember(j->aliases, a->alias, err);
}

/* What this change is not about: somebody may have moved it there by hand, or an earlier change did not arrive. */
static void tell_put_back(const job *j, const char *alias, int64_t there, int64_t at) {
  char text[700], to[40] = "is taken away";
  if (at > 0) snprintf(to, sizeof to, "is put to version %lld", (long long)at);
  snprintf(text, sizeof text, "%s@%s stood at the mirror's version %lld, and %s, as here", j->change->name, alias,
           (long long)there, to);
  if (j->m->note) j->m->note(j->m->arg, false, text);
}

/* To where it stands now, which may be another place than where this change put it: of two that move it at once, the
 * one whose request comes last must not win on the server alone. */
static fn_status bring_alias(job *j, const char *alias, bool anyway, fn_err *err) {
  enum { MAX_MOVES = 20 };
  const char *name = j->change->name;
  int64_t last = -1, there = json_integer_value(json_object_get(j->there, alias));
  for (int i = 0; i < MAX_MOVES; i++) {
    int64_t at = 0;
    FN_TRY(fn_registry_alias_version(&at, j->m->registry, name, alias, err));
    if (at == last) return FN_OK;
    if (at > 0 && number_of(j, at) == 0) FN_TRY(each_version(j, consider, err));
    const int64_t number = number_of(j, at);
    if (at > 0 && number == 0)
      return fn_err_set(err, FN_E_NOT_FOUND, "version %lld, where it stands, is not there", (long long)at);
    if (number == there && !anyway) return FN_OK;
    if (there > 0 && !anyway) tell_put_back(j, alias, there, at);
    if (number > 0)
      FN_TRY(fn_mlflow_alias_set(j->m->mlflow, name, alias, number, err));
    else if (there > 0)
      FN_TRY(fn_mlflow_alias_delete(j->m->mlflow, name, alias, err));
    last = at;
    there = number;
    anyway = true; /* somebody else may set it now */
  }
  return fn_err_set(err, FN_E_IO, "it is moved again and again");
}

/* What an earlier change could not bring comes with this one. */
static fn_status bring_aliases(job *j, fn_err *err) {
  const fn_mirror_change *c = j->change;
  const char *alias;
  json_t *value;
  char what[600];
  fn_status status = c->alias ? bring_alias(j, c->alias, true, err) : FN_OK;
  if (status != FN_OK) return fn_err_prefix(err, status, "%s@%s", c->name, c->alias);
  FN_TRY(fn_registry_aliases(j->m->registry, c->name, note_alias, j, err));
  json_object_foreach(j->aliases, alias, value) {
    fn_err why = {0};
    if (c->alias && strcmp(c->alias, alias) == 0) continue;
    snprintf(what, sizeof what, "%s@%s", c->name, alias);
    if (bring_alias(j, alias, false, &why) != FN_OK) pass_over(j, &why, what);
  }
  return FN_OK;
}

/* ---- */

static fn_status bring(job *j, fn_err *err) {
  const fn_mirror_change *c = j->change;
  if (!j->known || !j->numbers || !j->once || !j->aliases) return fn_err_no_memory(err, "versions of a server");
  FN_TRY(fn_mlflow_version_list(j->m->mlflow, c->name, note_version, j->known, err));
  FN_TRY(fn_mlflow_model_aliases(&j->there, j->m->mlflow, c->name, err));
  FN_TRY(fn_registry_audit(j->m->registry, c->name, note_change, j, err));
  FN_TRY(each_version(j, consider, err));
  FN_TRY(bring_aliases(j, err));
  FN_TRY(each_version(j, bring_all_tags, err));
  if ((c->all || (c->version == 0 && !c->alias)) && j->n_failed > 0)
    return fn_err_set(err, FN_E_PARTIAL, "%zu did not arrive, first: %s", j->n_failed, j->first.message);
  return FN_OK;
}

fn_status fn_mirror_bring(const fn_mirror *m, const fn_mirror_change *change, fn_err *err) {
  job j = {.m = m,
           .change = change,
           .known = json_object(),
           .numbers = json_object(),
           .once = json_object(),
           .aliases = json_object()};
  const fn_status status = bring(&j, err);
  json_decref(j.known);
  json_decref(j.numbers);
  json_decref(j.there);
  json_decref(j.once);
  json_decref(j.aliases);
  return status;
}
