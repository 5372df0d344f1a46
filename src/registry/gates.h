/* Gates: what a version must reach before an alias that people rely on may point at it. */
#ifndef FN_REGISTRY_GATES_H
#define FN_REGISTRY_GATES_H

#include "base/base.h"
#include "registry/options.h"

typedef enum fn_gate_verdict { FN_GATE_PASS, FN_GATE_FAIL, FN_GATE_SKIPPED } fn_gate_verdict;
extern const char *const fn_gate_verdict_names[3]; /* "pass", "FAIL", "skipped" */

enum { FN_MAX_GATES = 8 };
typedef struct fn_gate {
  char name[40];    /* "test f1_weighted" */
  const char *key;  /* of the setting that is its limit */
  double value;     /* NaN: not measured */
  double limit;     /* NaN: none was asked for, and the gate is skipped */
  bool at_least;    /* the value must not be below its limit; else not above */
  const char *unit; /* "", "%", "MB", "ms" */
  fn_gate_verdict verdict;
  char remark[96]; /* why it failed or was skipped where value and limit do not say it */
} fn_gate;
typedef struct fn_gates {
  fn_gate items[FN_MAX_GATES];
  size_t n;
  bool pass; /* none failed. What was asked for and not measured has failed */
} fn_gates;

/* card: of the version; holder: of the one that has the alias now, NULL for none. */
void fn_gates_check(fn_gates *gates_out, const json_t *card, const json_t *holder, const fn_registry_options *options);
/* {"pass", "gates": [{"name", "value", "limit", "must", "unit", "verdict", "remark"}]} under key. */
void fn_gates_format(fn_json_writer *w, const char *key, const fn_gates *gates);
/* A metric of the test split by the better-founded of the model's two readings: with its calibration where it has one.
 * NaN: not measured. *low_out, *high_out (may be NULL): its interval. */
double fn_card_metric(const json_t *card, const char *metric, double *low_out, double *high_out);
/* A number by its path through objects ("speed", "p95_ms", NULL); NaN when it is not there. */
double fn_card_number(const json_t *card, const char *const *path);

#endif
