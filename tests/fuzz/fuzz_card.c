/* Cards of versions, which may come from a registry that others write: any JSON, as the card of a version and of the
 * one that holds the alias, is judged by every gate; what is said of it is text, and the verdict follows from it. First
 * byte: the metric of the gate and which limits are asked for; then the two cards, 0xFF between them. */
#include "file.h"
#include "registry/gates.h"

#include <math.h>

static void check(const fn_gates *gates) {
  bool pass = true;
  FUZZ_CHECK(gates->n <= FN_MAX_GATES);
  for (size_t i = 0; i < gates->n; i++) {
    const fn_gate *g = &gates->items[i];
    FUZZ_CHECK(*g->name && fn_utf8_valid(fn_str_from(g->name), NULL) && fn_utf8_valid(fn_str_from(g->remark), NULL));
    FUZZ_CHECK(g->verdict <= FN_GATE_SKIPPED && g->key && g->unit);
    if (g->verdict == FN_GATE_PASS) FUZZ_CHECK(!isnan(g->value) && !isnan(g->limit)); /* only what was measured */
    if (g->verdict == FN_GATE_PASS) FUZZ_CHECK(g->at_least ? g->value >= g->limit : g->value <= g->limit);
    if (g->verdict == FN_GATE_SKIPPED) FUZZ_CHECK(isnan(g->limit) || g->remark[0]);
    pass = pass && g->verdict != FN_GATE_FAIL;
  }
  FUZZ_CHECK(gates->pass == pass);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const metrics[] = {"f1_weighted", "f1_macro", "accuracy", "roc_auc"};
  if (size == 0) return 0;
  const unsigned which = data[0];
  const double none = (double)NAN;
  const fn_registry_options options = {.gate_metric = (int)(which % 4),
                                       .gate_min = which & 4 ? 0.7 : none,
                                       .gate_max_drop = which & 8 ? 0.01 : none,
                                       .gate_max_ece = which & 16 ? 0.1 : none,
                                       .gate_max_flips = which & 32 ? 0.5 : none,
                                       .gate_max_auc_loss = which & 64 ? 0.002 : none,
                                       .gate_max_mb = which & 128 ? 40 : none,
                                       .gate_max_p95_ms = which & 128 ? 50 : none};
  FN_AUTO_JSON json_t *card = NULL;
  FN_AUTO_JSON json_t *holder = NULL;
  FN_AUTO_JSON json_t *again = NULL;
  size_t n;
  data++, size--;
  const char *first = (const char *)fuzz_take(&n, &data, &size);
  if (fn_json_parse(&card, fn_str_make(first, n), "card", NULL) != FN_OK) return 0;
  if (size > 0 && fn_json_parse(&holder, fn_str_make((const char *)data, size), "card", NULL) != FN_OK) return 0;
  fn_gates gates;
  fn_gates_check(&gates, card, holder, &options);
  check(&gates);
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  fn_json_writer w;
  fn_json_begin(&w, &text, 0);
  fn_json_object(&w, NULL);
  fn_gates_format(&w, "gates", &gates);
  fn_json_end(&w);
  FUZZ_CHECK(fn_json_parse(&again, fn_buf_str(&text), "gates", NULL) == FN_OK);
  for (size_t i = 0; i < FN_COUNT_OF(metrics); i++) {
    double low = none, high = none;
    (void)fn_card_metric(card, metrics[i], &low, &high);
  }
  return 0;
}
