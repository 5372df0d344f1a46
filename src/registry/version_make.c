#include "registry/version_make.h"

#include "infer/evaluation.h"
#include "infer/fitting.h"
#include "infer/packing.h"
#include "infer/speed.h"
#include "registry/gates.h"
#include "registry/version_files.h"

#include <math.h>
#include <sys/stat.h>

enum { MAX_CARD_BYTES = 4 << 20, MAX_SPEED_TOKENS = 256 };

typedef struct maker {
  const fn_version_source *s;
  const char *folder;
  char *packed; /* path of the packed file */
  fn_classifier *original;
  const fn_classifier_info *info; /* of original */
  fn_comparison cost;             /* of packing, on the test split */
  bool compared;
  fn_buf calibration;      /* its JSON; empty: none */
  char uncalibrated[1024]; /* why there is none */
  fn_buf figures;          /* JSON of the evaluation; empty: none */
  fn_speed speed;
  int64_t directory_bytes, packed_bytes;
  const char *stage;
} maker;

static bool tell(maker *m, double share) {
  return m->s->progress == NULL || m->s->progress(m->s->arg, m->stage, share);
}

static bool on_rows(void *arg, size_t n_done, size_t n_all) {
  return tell(arg, n_all > 0 ? (double)n_done / (double)n_all : 1.0);
}

static bool on_trial(void *arg, const fn_linear_trial *trial) {
  (void)trial;
  return tell(arg, -1.0);
}

static fn_status begin(maker *m, const char *stage, fn_err *err) {
  m->stage = stage;
  return tell(m, -1.0) ? FN_OK : fn_err_set(err, FN_E_CANCELLED, "stopped");
}

/* ---- steps ---- */

static fn_status pack(maker *m, fn_err *err) {
  char name[FN_PACKED_MAX_NAME + 1]; /* names of the registry may be longer */
  snprintf(name, sizeof name, "%s", m->s->name);
  const fn_packing_source source = {.encoder = m->info->has_encoder ? m->info->dir : NULL,
                                    .linear = m->info->has_linear ? m->info->dir : NULL,
                                    .int8 = m->s->pack->dtype == FN_PACK_INT8,
                                    .name = name};
  FN_TRY(begin(m, "packing", err));
  return fn_packing_write(m->packed, &source, err);
}

static fn_status copy_packed(maker *m, fn_err *err) {
  fn_packed *packed;
  FN_TRY(fn_classifier_verify(m->original, err));
  if (strcmp(m->packed, m->s->model) == 0) return FN_OK; /* it was copied to its place */
  FN_TRY(fn_packed_open(&packed, m->s->model, err));
  const fn_status status = fn_packed_rewrite(m->packed, packed, NULL, NULL, err);
  fn_packed_close(packed);
  return status;
}

static bool has_rows(const maker *m, fn_split split) {
  return m->s->dataset != NULL && fn_dataset_n_rows(m->s->dataset, split) > 0;
}

static fn_status compare(maker *m, fn_err *err) {
  if (m->info->packed || !has_rows(m, FN_SPLIT_TEST)) return FN_OK;
  const fn_packing_check check = {.directory = m->info->dir,
                                  .packed = m->packed,
                                  .part = FN_INFER_BOTH,
                                  .options = m->s->infer,
                                  .device = m->s->device,
                                  .dataset = m->s->dataset,
                                  .splits = 1u << FN_SPLIT_TEST,
                                  .progress = on_rows,
                                  .arg = m};
  FN_TRY(begin(m, "comparing with the unpacked model", err));
  FN_TRY(fn_packing_compare(&m->cost, &check, err));
  m->compared = true;
  return FN_OK;
}

typedef struct reader {
  fn_classifier *classifier;
  fn_session *session;
  fn_labelled rows;
} reader;

static void close_reader(reader *r) {
  fn_labelled_deinit(&r->rows);
  fn_session_destroy(r->session);
  fn_classifier_destroy(r->classifier);
}

static fn_status open_reader(reader *r, const maker *m, fn_split split, fn_err *err) {
  FN_TRY(fn_classifier_load(&r->classifier, m->packed, err));
  FN_TRY(fn_session_create(&r->session, r->classifier, m->s->infer, m->s->device, err));
  return fn_labelled_from_dataset(&r->rows, m->s->dataset, split, err);
}

static void on_skipped(void *arg, const char *why) {
  (void)arg;
  (void)why; /* of headlines alone: `model info` shows which inputs are calibrated */
}

static void on_fitted(void *arg, const fn_fitted *fitted) {
  (void)arg;
  (void)fitted;
}

/* Puts a calibration into the packed file. */
static fn_status rewrite(const maker *m, const char *calibration, const char *card, fn_err *err) {
  fn_packed *packed;
  FN_TRY(fn_packed_open(&packed, m->packed, err));
  const fn_status status = fn_packed_rewrite(m->packed, packed, calibration, card, err);
  fn_packed_close(packed);
  return status;
}

static fn_status fit(maker *m, const reader *r, fn_fit_rows *rows, fn_calibration *calibration, fn_err *err) {
  fn_err why = {0};
  const fn_classifier_info *info = fn_classifier_get_info(r->classifier);
  fn_hash_format(calibration->data, fn_dataset_hash(m->s->dataset));
  fn_calibration_describe(calibration, r->session, info, m->s->infer);
  FN_TRY(fn_fit_rows_add_session(rows, r->session, info, &r->rows, on_rows, m, err));
  const fn_status status = fn_calibration_fit(calibration, rows, m->s->calibrate, on_fitted, on_skipped, m, &why);
  if (status == FN_E_INVALID) { /* rows of one class, of one source: no reason to have no version */
    snprintf(m->uncalibrated, sizeof m->uncalibrated, "%s", why.message);
    return FN_OK;
  }
  if (status != FN_OK) return fn_err_set(err, status, "%s", why.message);
  fn_calibration_format(&m->calibration, calibration);
  return fn_buf_check(&m->calibration, "a calibration", err);
}

static fn_status calibrate(maker *m, fn_err *err) {
  if (m->info->packed && m->info->calibration) {
    fn_buf_append_str(&m->calibration, m->info->calibration);
    return fn_buf_check(&m->calibration, "a calibration", err);
  }
  if (!has_rows(m, FN_SPLIT_VALIDATION)) {
    snprintf(m->uncalibrated, sizeof m->uncalibrated, "%s",
             m->s->dataset ? "the data has no validation rows" : "no data was given");
    return FN_OK;
  }
  reader r = {0};
  fn_fit_rows rows = {0};
  FN_AUTO_FREE fn_calibration *calibration = fn_mem_calloc(1, sizeof *calibration);
  if (calibration == NULL) return fn_err_no_memory(err, "a calibration");
  FN_TRY(begin(m, "calibrating", err));
  fn_arena_init(&rows.arena);
  fn_status status = open_reader(&r, m, FN_SPLIT_VALIDATION, err);
  if (status == FN_OK) status = fit(m, &r, &rows, calibration, err);
  fn_fit_rows_deinit(&rows);
  close_reader(&r);
  if (status == FN_OK && m->calibration.length > 0) status = rewrite(m, m->calibration.data, NULL, err);
  if (status == FN_OK && m->uncalibrated[0] && m->s->note) m->s->note(m->s->arg, m->uncalibrated);
  return status;
}

static fn_status measure(maker *m, const reader *r, fn_evaluation *e, fn_err *err) {
  fn_pool *pool = fn_device_pool(m->s->device);
  const fn_classifier_info *info = fn_classifier_get_info(r->classifier);
  FN_TRY(fn_evaluation_add_model(e, r->session, info, pool, on_rows, m, err));
  if (m->s->eval->baselines && has_rows(m, FN_SPLIT_TRAIN)) {
    const fn_evaluation_baselines baselines = {.training = m->s->dataset,
                                               .mode = fn_session_mode(r->session),
                                               .linear = info->has_encoder ? m->s->linear : NULL,
                                               .progress = on_trial,
                                               .arg = m};
    FN_TRY(begin(m, "training the linear baseline", err));
    FN_TRY(fn_evaluation_add_baselines(e, &baselines, pool, err));
  }
  char hash[33];
  fn_hash_format(hash, fn_dataset_hash(m->s->dataset));
  fn_classifier_info shown = *info; /* the path of a temporary folder says nothing */
  shown.dir = FN_VERSION_PACKED;
  const fn_evaluation_subject subject = {.model = &shown,
                                         .data = fn_path_base(fn_dataset_dir(m->s->dataset)), /* not where it lay */
                                         .data_hash = hash,
                                         .split = fn_split_name(FN_SPLIT_TEST),
                                         .baselines =
                                             e->n_systems > 2 ? fn_path_base(fn_dataset_dir(m->s->dataset)) : NULL,
                                         .version = m->s->program,
                                         .mode = fn_session_mode(r->session),
                                         .max_tokens = fn_session_max_tokens(r->session),
                                         .long_texts = m->s->infer->long_texts == FN_INFER_WINDOWS ? "windows" : "cut"};
  fn_evaluation_format_json(&m->figures, e, &subject);
  return fn_buf_check(&m->figures, "figures", err);
}

static fn_status evaluate(maker *m, fn_err *err) {
  if (!has_rows(m, FN_SPLIT_TEST)) return FN_OK;
  reader r = {0};
  fn_evaluation e = {0};
  FN_TRY(begin(m, "measuring on the test split", err));
  fn_status status = open_reader(&r, m, FN_SPLIT_TEST, err);
  if (status == FN_OK) {
    fn_evaluation_init(&e, &r.rows, m->s->eval);
    status = measure(m, &r, &e, err);
    fn_evaluation_deinit(&e);
  }
  close_reader(&r);
  return status;
}

static fn_status time_answers(maker *m, fn_err *err) {
  fn_classifier *classifier;
  FN_TRY(begin(m, "measuring the time of an answer", err));
  FN_TRY(fn_classifier_load(&classifier, m->packed, err));
  const fn_classifier_info *info = fn_classifier_get_info(classifier);
  int32_t tokens = info->max_tokens > 0 ? info->max_tokens : MAX_SPEED_TOKENS;
  if (tokens > MAX_SPEED_TOKENS) tokens = MAX_SPEED_TOKENS;
  const fn_status status =
      fn_speed_measure(&m->speed, classifier, m->s->infer, m->s->device, tokens, m->s->speed_s, err);
  fn_classifier_destroy(classifier);
  return status;
}

static fn_status weigh(maker *m, fn_err *err) {
  static const char *const names[] = {"model.safetensors", "linear.safetensors"};
  struct stat s;
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) {
    FN_AUTO_FREE char *path = fn_path_join(m->info->dir, names[i]);
    if (path == NULL) return fn_err_no_memory(err, "a path");
    if (stat(path, &s) == 0) m->directory_bytes += s.st_size;
  }
  if (stat(m->packed, &s) == 0) m->packed_bytes = s.st_size;
  return FN_OK;
}

/* ---- the card ---- */

static void write_speed(fn_json_writer *w, const maker *m) {
  fn_json_object(w, "speed");
  fn_json_text(w, "machine", m->s->machine);
  fn_json_text(w, "device", m->speed.device);
  fn_json_int(w, "tokens", m->speed.tokens);
  fn_json_int(w, "n", (int64_t)m->speed.n_runs);
  fn_json_double(w, "p50_ms", m->speed.p50_ms);
  fn_json_double(w, "p95_ms", m->speed.p95_ms);
  fn_json_double(w, "p99_ms", m->speed.p99_ms);
  fn_json_end(w);
}

static void write_packing(fn_json_writer *w, const maker *m) {
  if (m->info->packed) {
    fn_json_object(w, "packing");
    fn_json_bool(w, "came_packed", true); /* what that cost is not known here */
    fn_json_end(w);
    return;
  }
  if (!m->compared) {
    fn_json_null(w, "packing");
    return;
  }
  char hash[33];
  const fn_comparison_part *all = &m->cost.parts[0];
  fn_hash_format(hash, fn_dataset_hash(m->s->dataset));
  fn_json_object(w, "packing");
  fn_json_text(w, "data", hash);
  fn_json_text(w, "split", fn_split_name(FN_SPLIT_TEST));
  fn_json_text(w, "dtype", m->s->pack->dtype == FN_PACK_INT8 ? "int8" : "f32");
  fn_json_double(w, "percent_flipped", 100.0 * (double)all->n_flipped / (double)all->n);
  fn_json_double(w, "auc_loss", all->before.roc_auc - all->after.roc_auc);
  fn_comparison_format_json(w, m->info->has_encoder ? "encoder" : "linear", &m->cost);
  fn_json_end(w);
}

static void write_limits(fn_json_writer *w, const maker *m, bool left_out) {
  fn_json_array(w, "limits");
  fn_json_text(w, NULL,
               "says how much a text reads like those it was trained on that were labelled fake; not whether "
               "what it claims is true");
  if (m->figures.length == 0)
    fn_json_text(w, NULL, "was not measured on a test split");
  else if (!left_out)
    fn_json_text(w, NULL,
                 "no source was left out of its training: how well it does on sources that it has not seen is "
                 "not known, and is likely worse than the figures here");
  if (m->calibration.length == 0)
    fn_json_text(w, NULL, "is not calibrated: its probabilities are not shares of right answers");
  fn_json_end(w);
}

/* The figures that a page has room for, none without its interval and its baselines. */
static void write_brief(fn_json_writer *w, const json_t *figures) {
  static const char *const metrics[] = {"f1_weighted", "roc_auc", "ece"};
  FN_AUTO_JSON json_t *card = json_pack("{s:O?}", "figures", figures);
  fn_json_object(w, "figures");
  fn_json_text(w, "split", json_string_value(json_object_get(json_object_get(figures, "data"), "split")));
  fn_json_text(w, "columns", "value, 95 % interval");
  for (size_t i = 0; card && i < FN_COUNT_OF(metrics); i++) {
    double low, high;
    const double value = fn_card_metric(card, metrics[i], &low, &high);
    fn_json_array(w, metrics[i]);
    fn_json_double(w, NULL, value);
    fn_json_double(w, NULL, low);
    fn_json_double(w, NULL, high);
    fn_json_end(w);
  }
  const json_t *systems = json_object_get(figures, "systems");
  for (size_t i = 0; i < json_array_size(systems); i++) {
    const json_t *system = json_array_get(systems, i);
    const char *name = json_string_value(json_object_get(system, "name"));
    if (name == NULL || (strcmp(name, "linear") != 0 && strcmp(name, "majority") != 0)) continue;
    fn_json_double(w,
                   strcmp(name, "linear") == 0 ? "f1_weighted of the linear baseline" : "f1_weighted of the majority",
                   json_number_value(json_object_get(json_object_get(system, "metrics"), "f1_weighted")));
  }
  fn_json_end(w);
}

static void write_figures(fn_json_writer *w, const json_t *figures, bool brief) {
  if (figures == NULL)
    fn_json_null(w, "figures");
  else if (brief)
    write_brief(w, figures);
  else
    fn_json_value(w, "figures", figures);
}

/* brief: the one that stands in the packed file, for a page. */
static fn_status format_card(fn_buf *out, const maker *m, bool brief, fn_err *err) {
  fn_json_writer w;
  FN_AUTO_JSON json_t *figures = NULL, *own_card = NULL;
  bool left_out = false;
  if (m->info->packed && m->info->card)
    FN_TRY(fn_json_parse(&own_card, fn_str_from(m->info->card), "the card of the packed file", err));
  if (m->figures.length > 0) FN_TRY(fn_json_parse(&figures, fn_buf_str(&m->figures), "figures", err));
  fn_json_begin(&w, out, brief ? 0 : 2);
  fn_json_object(&w, NULL);
  if (!brief) fn_json_text(&w, "schema", "fakenews.version/1");
  fn_json_text(&w, "summary",
               "Says how much a news article reads like those that its training data labelled fake. Checks no claim "
               "against anything.");
  fn_json_text(&w, "name", m->s->name);
  fn_json_object(&w, "made");
  fn_json_text(&w, "by", m->s->program);
  fn_json_text(&w, m->info->has_encoder ? "encoder" : "linear", m->info->id);
  fn_json_end(&w);
  fn_json_object(&w, "model");
  fn_json_text(&w, "id", m->info->id);
  fn_json_text(&w, "family", m->info->family);
  fn_json_array(&w, "labels");
  for (int32_t k = 0; k < m->info->n_labels; k++) fn_json_text(&w, NULL, m->info->labels[k]);
  fn_json_end(&w);
  fn_json_end(&w);
  FN_TRY(fn_version_write_lineage(&w, m->s, m->info, brief, &left_out, err));
  write_figures(&w, figures, brief);
  write_packing(&w, m);
  fn_json_object(&w, "calibration");
  fn_json_bool(&w, "fitted", m->calibration.length > 0);
  const bool own = m->info->packed && m->info->calibration;
  if (own) fn_json_bool(&w, "came_with_it", true);
  fn_json_text(&w, "rows", m->calibration.length > 0 && !own ? fn_split_name(FN_SPLIT_VALIDATION) : NULL);
  fn_json_text(&w, "why_not", m->calibration.length > 0 ? NULL : m->uncalibrated);
  fn_json_end(&w);
  write_speed(&w, m);
  if (!brief) {
    fn_json_object(&w, "sizes");
    fn_json_int(&w, "packed_bytes", m->packed_bytes);
    fn_json_int(&w, "directory_bytes", m->directory_bytes);
    fn_json_end(&w);
  }
  write_limits(&w, m, left_out);
  if (own_card) fn_json_value(&w, "card_of_the_file", own_card);
  fn_json_end(&w);
  if (!brief) fn_buf_append_char(out, '\n');
  return fn_buf_check(out, "a card", err);
}

/* ---- writing ---- */

static fn_status write_file(const maker *m, const char *name, fn_str text, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(m->folder, name);
  if (path == NULL) return fn_err_no_memory(err, "a path");
  return fn_file_write(path, text.data, text.length, err);
}

static fn_status write_gates(const maker *m, const fn_buf *card, fn_err *err) {
  FN_AUTO_JSON json_t *facts = NULL;
  FN_AUTO_BUF fn_buf out;
  fn_gates gates;
  fn_json_writer w;
  fn_buf_init(&out, 1 << 20);
  FN_TRY(fn_json_parse(&facts, fn_buf_str(card), "card", err));
  fn_gates_check(&gates, facts, NULL, m->s->registry);
  fn_json_begin(&w, &out, 2);
  fn_gates_format(&w, NULL, &gates);
  fn_buf_append_char(&out, '\n');
  FN_TRY(fn_buf_check(&out, "gates", err));
  return write_file(m, "fakenews/gates.json", fn_buf_str(&out), err);
}

/* A packed file that has one keeps it. */
static fn_status put_card(const maker *m, fn_err *err) {
  if (m->info->packed && m->info->card) return FN_OK;
  FN_AUTO_BUF fn_buf brief;
  fn_buf_init(&brief, MAX_CARD_BYTES);
  FN_TRY(format_card(&brief, m, true, err));
  return rewrite(m, NULL, brief.data, err);
}

static fn_status write_all(maker *m, const fn_buf *card, fn_err *err) {
  if (m->calibration.length > 0) FN_TRY(write_file(m, "fakenews/calibration.json", fn_buf_str(&m->calibration), err));
  FN_TRY(write_file(m, "fakenews/card.json", fn_buf_str(card), err));
  FN_TRY(write_gates(m, card, err));
  return fn_version_write_mlmodel(m->folder, m->s, m->info, m->directory_bytes, err);
}

static fn_status make(fn_buf *card_out, maker *m, fn_err *err) {
  FN_AUTO_FREE char *inner = fn_path_join(m->folder, "fakenews");
  m->packed = fn_path_join(m->folder, FN_VERSION_PACKED);
  if (inner == NULL || m->packed == NULL) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_create(inner, err));
  FN_TRY(fn_classifier_load(&m->original, m->s->model, err));
  m->info = fn_classifier_get_info(m->original);
  FN_TRY(fn_evaluation_check_labels(m->info, err));
  FN_TRY(m->info->packed ? copy_packed(m, err) : pack(m, err));
  FN_TRY(compare(m, err));
  FN_TRY(calibrate(m, err));
  FN_TRY(evaluate(m, err));
  FN_TRY(time_answers(m, err));
  FN_TRY(put_card(m, err));
  FN_TRY(weigh(m, err));
  FN_TRY(format_card(card_out, m, false, err));
  return write_all(m, card_out, err);
}

fn_status fn_version_make(fn_buf *card_out, const char *folder, const fn_version_source *source, fn_err *err) {
  FN_AUTO_FREE maker *m = fn_mem_calloc(1, sizeof *m);
  if (m == NULL) return fn_err_no_memory(err, "a version");
  m->s = source;
  m->folder = folder;
  fn_buf_init(&m->calibration, FN_CALIBRATION_MAX_BYTES);
  fn_buf_init(&m->figures, MAX_CARD_BYTES);
  const fn_status status = make(card_out, m, err);
  if (m->compared) fn_comparison_deinit(&m->cost);
  fn_classifier_destroy(m->original);
  fn_buf_deinit(&m->calibration);
  fn_buf_deinit(&m->figures);
  free(m->packed);
  return status;
}
