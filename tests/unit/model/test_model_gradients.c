/* Gradients of the whole model against central differences, in double: every operation with a backward, dropout
 * included. (loss(θ + h) - loss(θ - h)) / 2h has an error of order h², about 1e-10 here. */
#include "model_support.h"

typedef struct variant {
  const char *name;
  const char *act;
  fn_pooling pooling;
  int32_t head_size, window, position_offset;
  bool bias, types, shared, positions;
  double dropout, smoothing;
} variant;

static const variant variants[] = {
    {"bert", "gelu", FN_POOL_FIRST_DENSE, 0, 0, 0, true, true, false, true, 0, 0},
    {"bert with dropout", "gelu", FN_POOL_FIRST_DENSE, 0, 0, 0, true, true, false, true, 0.2, 0.1},
    {"two layers in the head", "gelu_new", FN_POOL_FIRST_DENSE, 5, 0, 0, true, true, false, true, 0.2, 0},
    {"mean, no biases, no types", "relu", FN_POOL_MEAN, 0, 0, 2, false, false, false, true, 0.1, 0},
    {"first token, shared layers, window", "gelu", FN_POOL_FIRST, 3, 4, 0, true, true, true, true, 0.1, 0.2},
    {"mean, no positions, window", "gelu_pytorch_tanh", FN_POOL_MEAN, 0, 2, 0, true, false, false, false, 0, 0},
};

static const int32_t lengths[] = {1, 7, 4};

static double loss_of(fn_model *m, const fn_batch *batch, double smoothing, const fn_dropout_key *key) {
  double loss;
  ok(fn_model_forward_backward(&loss, NULL, m, batch, 1, smoothing, key, e));
  return loss;
}

/* A few elements of each tensor, the largest gradient among them. */
static void check_parameter(fn_model *m, const fn_batch *batch, const variant *v, const fn_dropout_key *key, size_t i,
                            const double *gradients, double norm) {
  const fn_parameter *p = &m->parameters.list[i];
  size_t largest = 0;
  for (size_t k = 0; k < p->n; k++)
    if (fabs(gradients[p->offset + k]) > fabs(gradients[p->offset + largest])) largest = k;
  for (size_t probe = 0; probe < 4; probe++) {
    size_t k = probe == 0 ? largest : (probe * 7919 + i) % p->n;
    bool pad_row = (int32_t)i == m->parameters.word && (int32_t)k / m->config.hidden_size == m->config.pad_token_id;
    double *value = (double *)m->values + p->offset + k, before = *value, h = 1e-5, analytic = gradients[p->offset + k];
    if (pad_row) {
      assert_true(analytic == 0);
      continue;
    }
    *value = before + h;
    double above = loss_of(m, batch, v->smoothing, key);
    *value = before - h;
    double below = loss_of(m, batch, v->smoothing, key);
    *value = before;
    double numeric = (above - below) / (2 * h);
    if (!(fabs(numeric - analytic) <= 1e-6 * fabs(analytic) + 1e-8 * norm))
      fail_msg("%s: %s[%zu]: gradient %.12g, differences %.12g", v->name, p->name, k, analytic, numeric);
  }
}

static void check_variant(const variant *v) {
  fn_device *d = open_device(FN_BACKEND_REFERENCE_F64, FN_GEMM_OWN, 1);
  fn_model_config c = small_config(11, 6, 3, 2, 9, 9 + v->position_offset);
  fn_traits traits = *fn_traits_find("bert");
  fn_model *m;
  fn_batch batch;
  const fn_dropout_key key = {21, 34}, *dropout = v->dropout > 0 ? &key : NULL;
  snprintf(c.hidden_act, sizeof c.hidden_act, "%s", v->act);
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = c.classifier_dropout = v->dropout;
  c.head_size = v->head_size;
  c.layer_norm_eps = 1e-5;
  traits.pooling = v->pooling;
  traits.window = v->window;
  traits.global_every = 2;
  traits.position_offset = v->position_offset;
  traits.attention_bias = traits.ffn_bias = v->bias;
  traits.token_types = v->types;
  traits.shared_layers = v->shared;
  if (!v->positions) traits.positions = FN_POSITION_NONE;
  ok(fn_model_allocate_traits(&m, &c, &traits, d, e));
  for (size_t i = 0; i < m->parameters.n; i++) fn_model_draw(m, i, 5);
  disturb(m, 0.2);
  open_batch(&batch, &c, lengths, FN_COUNT_OF(lengths), 3, 4);
  batch.ids[2] = c.pad_token_id; /* an attended pad: computed with, never trained */
  ok(fn_model_plan(m, batch.T, batch.B, batch.longest, true, e));
  double loss = loss_of(m, &batch, v->smoothing, dropout), norm = 0;
  assert_true(loss > 0);
  double *gradients = malloc(m->parameters.slab_n * sizeof *gradients);
  assert_non_null(gradients);
  memcpy(gradients, m->gradients, m->parameters.slab_n * sizeof *gradients);
  for (size_t i = 0; i < m->parameters.slab_n; i++) norm += gradients[i] * gradients[i];
  for (size_t i = 0; i < m->parameters.n; i++) check_parameter(m, &batch, v, dropout, i, gradients, sqrt(norm));
  free(gradients);
  close_batch(&batch);
  fn_model_destroy(m);
  fn_device_destroy(d);
}

static void test_variants(void **state) {
  (void)state;
  for (size_t i = 0; i < FN_COUNT_OF(variants); i++) check_variant(&variants[i]);
}

/* Gradients are added, and scaled: two calls with scale s/2 are one with s. */
static void test_accumulate(void **state) {
  (void)state;
  fn_device *d = open_device(FN_BACKEND_REFERENCE_F64, FN_GEMM_OWN, 1);
  const fn_model_config c = small_config(11, 6, 2, 2, 9, 9);
  fn_model *m;
  fn_batch batch;
  double loss;
  ok(fn_model_create(&m, &c, d, 5, e));
  open_batch(&batch, &c, lengths, FN_COUNT_OF(lengths), 3, 4);
  ok(fn_model_plan(m, batch.T, batch.B, batch.longest, true, e));
  size_t n = m->parameters.slab_n;
  double *once = malloc(n * sizeof *once), *g = m->gradients;
  assert_non_null(once);
  ok(fn_model_forward_backward(&loss, NULL, m, &batch, 0.5, 0, NULL, e));
  memcpy(once, g, n * sizeof *once);
  memset(g, 0, n * sizeof *g);
  for (int i = 0; i < 2; i++) ok(fn_model_forward_backward(&loss, NULL, m, &batch, 0.25, 0, NULL, e));
  for (size_t i = 0; i < n; i++) assert_true(fabs(g[i] - once[i]) <= 1e-12 * (1 + fabs(once[i])));
  free(once);
  close_batch(&batch);
  fn_model_destroy(m);
  fn_device_destroy(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_variants), cmocka_unit_test(test_accumulate)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
