#include "registry/gates.h"

#include <math.h>

const char *const fn_gate_verdict_names[3] = {"pass", "FAIL", "skipped"};
static const char *const metric_names[] = {"f1_weighted", "f1_macro", "accuracy", "roc_auc"};

double fn_card_number(const json_t *card, const char *const *path) {
  for (; *path != NULL; path++) card = json_object_get(card, *path);
  return json_is_number(card) ? json_number_value(card) : (double)NAN;
}

static const json_t *find_system(const json_t *card, const char *name) {
  const json_t *systems = json_object_get(json_object_get(card, "figures"), "systems");
  for (size_t i = 0; i < json_array_size(systems); i++) {
    const json_t *system = json_array_get(systems, i);
    const char *own = json_string_value(json_object_get(system, "name"));
    if (own != NULL && strcmp(own, name) == 0) return json_object_get(system, "metrics");
  }
  return NULL;
}

double fn_card_metric(const json_t *card, const char *metric, double *low_out, double *high_out) {
  const json_t *metrics = find_system(card, "calibrated");
  if (metrics == NULL) metrics = find_system(card, "model");
  const json_t *value = json_object_get(metrics, metric);
  const json_t *interval = json_object_get(json_object_get(metrics, "intervals"), metric);
  if (low_out) *low_out = json_is_array(interval) ? json_number_value(json_array_get(interval, 0)) : (double)NAN;
  if (high_out) *high_out = json_is_array(interval) ? json_number_value(json_array_get(interval, 1)) : (double)NAN;
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* A drop of 0.85 to 0.84 is 0.01, though the difference of the doubles is more. */
static bool holds(const fn_gate *g) {
  const double slack = 1e-12 * (1.0 + fabs(g->limit));
  return g->at_least ? g->value >= g->limit - slack : g->value <= g->limit + slack;
}

static void add(fn_gates *g, fn_gate gate) {
  if (isnan(gate.limit)) {
    gate.verdict = FN_GATE_SKIPPED;
    if (!gate.remark[0]) snprintf(gate.remark, sizeof gate.remark, "no limit is set");
  } else if (isnan(gate.value)) {
    gate.verdict = FN_GATE_FAIL;
    snprintf(gate.remark, sizeof gate.remark, "not measured");
  } else {
    gate.verdict = holds(&gate) ? FN_GATE_PASS : FN_GATE_FAIL;
  }
  if (gate.verdict == FN_GATE_FAIL) g->pass = false;
  g->items[g->n++] = gate;
}

/* What packing cost a file that came packed cannot be measured. */
static void add_packing(fn_gates *g, fn_gate gate, const json_t *card) {
  if (json_is_true(json_object_get(json_object_get(card, "packing"), "came_packed"))) {
    gate.limit = (double)NAN;
    snprintf(gate.remark, sizeof gate.remark, "it came packed: there is nothing to compare it with");
  }
  add(g, gate);
}

static const char *data_of(const json_t *card) {
  const char *hash =
      json_string_value(json_object_get(json_object_get(json_object_get(card, "figures"), "data"), "hash"));
  return hash ? hash : "";
}

/* Figures on other rows cannot be held against each other. */
static void add_drop(fn_gates *g, const json_t *card, const json_t *holder, const char *metric, double limit) {
  fn_gate gate = {.key = "registry.gate_max_drop", .limit = limit, .unit = ""};
  snprintf(gate.name, sizeof gate.name, "drop of %s", metric);
  gate.value = fn_card_metric(holder, metric, NULL, NULL) - fn_card_metric(card, metric, NULL, NULL);
  if (holder == NULL) {
    gate.limit = (double)NAN;
    snprintf(gate.remark, sizeof gate.remark, "asked where it takes the place of another version");
  } else if (strcmp(data_of(card), data_of(holder)) != 0) {
    gate.limit = gate.value = (double)NAN;
    snprintf(gate.remark, sizeof gate.remark, "the other version was measured on other rows");
  }
  add(g, gate);
}

void fn_gates_check(fn_gates *gates_out, const json_t *card, const json_t *holder, const fn_registry_options *o) {
  static const char *const flips[] = {"packing", "percent_flipped", NULL}, *const auc[] = {"packing", "auc_loss", NULL},
                           *const size[] = {"sizes", "packed_bytes", NULL}, *const p95[] = {"speed", "p95_ms", NULL};
  const char *metric = metric_names[o->gate_metric];
  fn_gates g = {.pass = true};
  fn_gate first = {.key = "registry.gate_min",
                   .value = fn_card_metric(card, metric, NULL, NULL),
                   .limit = o->gate_min,
                   .at_least = true,
                   .unit = ""};
  snprintf(first.name, sizeof first.name, "test %s", metric);
  add(&g, first);
  add_drop(&g, card, holder, metric, o->gate_max_drop);
  add(&g, (fn_gate){.name = "calibration error",
                    .key = "registry.gate_max_ece",
                    .value = fn_card_metric(card, "ece", NULL, NULL),
                    .limit = o->gate_max_ece,
                    .unit = ""});
  add_packing(&g,
              (fn_gate){.name = "labels changed by packing",
                        .key = "registry.gate_max_flips",
                        .value = fn_card_number(card, flips),
                        .limit = o->gate_max_flips,
                        .unit = "%"},
              card);
  add_packing(&g,
              (fn_gate){.name = "ROC AUC lost by packing",
                        .key = "registry.gate_max_auc_loss",
                        .value = fn_card_number(card, auc),
                        .limit = o->gate_max_auc_loss,
                        .unit = ""},
              card);
  add(&g, (fn_gate){.name = "packed file",
                    .key = "registry.gate_max_mb",
                    .value = fn_card_number(card, size) / 1e6,
                    .limit = o->gate_max_mb,
                    .unit = "MB"});
  add(&g, (fn_gate){.name = "95 of 100 answers within",
                    .key = "registry.gate_max_p95_ms",
                    .value = fn_card_number(card, p95),
                    .limit = o->gate_max_p95_ms,
                    .unit = "ms"});
  *gates_out = g;
}

void fn_gates_format(fn_json_writer *w, const char *key, const fn_gates *gates) {
  fn_json_object(w, key);
  fn_json_bool(w, "pass", gates->pass);
  fn_json_array(w, "gates");
  for (size_t i = 0; i < gates->n; i++) {
    const fn_gate *g = &gates->items[i];
    fn_json_object(w, NULL);
    fn_json_text(w, "name", g->name);
    fn_json_text(w, "setting", g->key);
    fn_json_double(w, "value", g->value);
    fn_json_text(w, "must_be", g->at_least ? "at least" : "at most");
    fn_json_double(w, "limit", g->limit);
    fn_json_text(w, "unit", g->unit);
    fn_json_text(w, "verdict", fn_gate_verdict_names[g->verdict]);
    fn_json_text(w, "remark", g->remark);
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_end(w);
}
