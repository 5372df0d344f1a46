/* What must not change a result: threads, neighbours in a batch, how a step is cut, the last layer's shortcut. */
#include "model_support.h"

enum { V = 90, C = 52, L = 3, H = 2, F = 70, LONGEST = 300, B = 9 };
static const int32_t lengths[B] = {1, 50, 7, 300, 31, 2, 120, 64, 17};

static fn_model *open_model(fn_device *d, double dropout, int32_t head_size) {
  fn_model_config c = small_config(V, C, L, H, F, LONGEST);
  fn_model *m;
  c.initializer_range = 0.15;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = c.classifier_dropout = dropout;
  c.head_size = head_size;
  ok(fn_model_create(&m, &c, d, 8, e));
  disturb(m, 0.1);
  return m;
}

/* Loss and gradients of one step cut into micro-batches of `part` rows. */
static double run_step(fn_model *m, int32_t part, float *logits, const fn_dropout_key *key) {
  double sum = 0;
  const fn_model_config *c = fn_model_get_config(m);
  ok(fn_model_plan(m, 700, B, LONGEST, true, e));
  memset(fn_model_gradients(m), 0, fn_model_slab_n(m) * sizeof(float));
  for (int32_t b = 0; b < B; b += part) {
    fn_batch batch;
    double loss;
    int32_t n = B - b < part ? B - b : part;
    open_batch(&batch, c, lengths + b, n, (uint32_t)b, 4);
    ok(fn_model_forward_backward(&loss, logits ? logits + b * c->num_labels : NULL, m, &batch, 0.2, 0.05, key, e));
    sum += loss;
    close_batch(&batch);
  }
  return sum;
}

static void test_threads(void **state) {
  (void)state;
  static const fn_gemm gemms[] = {FN_GEMM_OWN, FN_GEMM_ONEDNN};
  const fn_dropout_key key = {1, 2};
  for (size_t g = 0; g < FN_COUNT_OF(gemms); g++) {
    fn_device *probe = NULL;
    const fn_device_options o = {FN_BACKEND_FAST, gemms[g], FN_CPU_AVX512, 1, NULL};
    if (fn_device_create(&probe, &o, NULL) == FN_E_UNSUPPORTED) {
      printf("skipped: no oneDNN on this machine\n");
      continue;
    }
    fn_device_destroy(probe);
    float *first = NULL, logits[3][B * 2];
    double loss[3];
    for (int n = 1; n <= 3; n++) {
      fn_device *d = open_device(FN_BACKEND_FAST, gemms[g], n);
      fn_model *m = open_model(d, 0.1, 0);
      loss[n - 1] = run_step(m, B, logits[n - 1], &key);
      size_t bytes = fn_model_slab_n(m) * sizeof(float);
      if (n == 1) {
        first = malloc(bytes);
        assert_non_null(first);
        memcpy(first, fn_model_gradients(m), bytes);
      }
      assert_true(loss[n - 1] == loss[0]);
      assert_memory_equal(logits[n - 1], logits[0], sizeof logits[0]);
      assert_memory_equal(fn_model_gradients(m), first, bytes);
      fn_model_destroy(m);
      fn_device_destroy(d);
    }
    free(first);
  }
}

/* Any cut of a step: the same logits to the bit (so the same masks), the same loss, gradients to rounding. */
static void test_cuts(void **state) {
  (void)state;
  const fn_dropout_key key = {1, 2};
  fn_device *d = open_device(FN_BACKEND_FAST, FN_GEMM_OWN, 2);
  fn_model *m = open_model(d, 0.1, 13);
  float whole[B * 2], cut[B * 2];
  size_t n = fn_model_slab_n(m);
  double loss = run_step(m, B, whole, &key), norm = 0;
  float *gradients = malloc(n * sizeof *gradients);
  assert_non_null(gradients);
  memcpy(gradients, fn_model_gradients(m), n * sizeof *gradients);
  for (size_t i = 0; i < n; i++) norm += (double)gradients[i] * (double)gradients[i];
  norm = sqrt(norm);
  for (int32_t part = 1; part < B; part += part == 1 ? 1 : 3) {
    double other = run_step(m, part, cut, &key);
    assert_memory_equal(cut, whole, sizeof whole);
    assert_true(fabs(other - loss) <= 1e-14 * loss * B);
    for (size_t i = 0; i < n; i++) assert_true(fabs((double)(fn_model_gradients(m)[i] - gradients[i])) <= 2e-6 * norm);
  }
  /* Another seed, another step: other masks. No key: none. */
  const fn_dropout_key others[] = {{2, 2}, {1, 3}};
  for (size_t i = 0; i < FN_COUNT_OF(others); i++) assert_true(run_step(m, B, cut, &others[i]) != loss);
  assert_true(run_step(m, B, cut, NULL) != loss);
  free(gradients);
  fn_model_destroy(m);
  fn_device_destroy(d);
}

/* The last layer for the read rows only equals the last layer in full. */
static void check_shortcut(fn_backend backend, const fn_dropout_key *key, double tolerance) {
  fn_device *d = open_device(backend, FN_GEMM_OWN, 2);
  fn_model *few = open_model(d, 0.1, 0), *full = open_model(d, 0.1, 0);
  float a[B * 2], b[B * 2];
  full->all_rows = true;
  double loss = run_step(few, B, a, key), other = run_step(full, B, b, key), norm = 0;
  assert_memory_equal(a, b, sizeof a);
  assert_true(loss == other);
  const float *g = fn_model_gradients(few), *h = fn_model_gradients(full);
  for (size_t i = 0; i < fn_model_slab_n(few); i++) norm += (double)g[i] * (double)g[i];
  for (size_t i = 0; i < fn_model_slab_n(few); i++)
    if (!(fabs((double)(g[i] - h[i])) <= tolerance * sqrt(norm)))
      fail_msg("gradient %zu: %g, in full %g", i, (double)g[i], (double)h[i]);
  fn_batch batch;
  open_batch(&batch, fn_model_get_config(few), lengths, B, 0, 4);
  ok(fn_model_forward(a, few, &batch, e));
  ok(fn_model_forward(b, full, &batch, e));
  assert_memory_equal(a, b, sizeof a);
  close_batch(&batch);
  fn_model_destroy(few);
  fn_model_destroy(full);
  fn_device_destroy(d);
}

static void test_shortcut(void **state) {
  (void)state;
  const fn_dropout_key key = {6, 7};
  check_shortcut(FN_BACKEND_FAST, NULL, 2e-6);
  check_shortcut(FN_BACKEND_FAST, &key, 2e-6);
  check_shortcut(FN_BACKEND_REFERENCE, &key, 2e-6);
}

/* Evaluation: a row's bits are its own, alone, among others, packed beforehand or not, at any number of threads; a
 * training pass without dropout computes the same. */
static void test_evaluation_bits(void **state) {
  (void)state;
  float together[B * 2], again[B * 2], alone[2];
  fn_batch batch;
  for (int n = 1; n <= 2; n++) {
    fn_device *d = open_device(FN_BACKEND_FAST, FN_GEMM_OWN, n);
    fn_model *m = open_model(d, 0.1, 0);
    open_batch(&batch, fn_model_get_config(m), lengths, B, 0, 4);
    ok(fn_model_plan(m, batch.T, B, LONGEST, false, e));
    ok(fn_model_forward(n == 1 ? together : again, m, &batch, e));
    if (n == 2) assert_memory_equal(together, again, sizeof again);
    ok(fn_model_prepare(m, e));
    ok(fn_model_forward(again, m, &batch, e));
    assert_memory_equal(together, again, sizeof again);
    close_batch(&batch);
    for (int32_t b = 0; b < B; b++) {
      open_batch(&batch, fn_model_get_config(m), lengths + b, 1, (uint32_t)b, 4);
      batch.draws[0] = 77; /* does not matter without dropout */
      ok(fn_model_forward(alone, m, &batch, e));
      assert_memory_equal(alone, together + 2 * b, sizeof alone);
      close_batch(&batch);
    }
    run_step(m, 4, again, NULL);
    assert_memory_equal(together, again, sizeof again);
    /* Changed weights are seen at once, packed or not. */
    ok(fn_model_prepare(m, e));
    fn_model_values(m)[m->parameters.list[m->parameters.layers[0].q.w].offset] += 1;
    open_batch(&batch, fn_model_get_config(m), lengths, B, 0, 4);
    ok(fn_model_forward(again, m, &batch, e));
    assert_memory_not_equal(together, again, sizeof again);
    close_batch(&batch);
    fn_model_destroy(m);
    fn_device_destroy(d);
  }
}

/* The two backends and both ways to multiply agree to rounding. */
static void test_backends(void **state) {
  (void)state;
  float logits[3][B * 2];
  double loss[3];
  const fn_dropout_key key = {1, 2};
  int n = 0;
  for (int i = 0; i < 3; i++) {
    const fn_device_options o = {i == 2 ? FN_BACKEND_REFERENCE : FN_BACKEND_FAST, i == 1 ? FN_GEMM_ONEDNN : FN_GEMM_OWN,
                                 FN_CPU_AVX512, 2, NULL};
    fn_device *d;
    if (fn_device_create(&d, &o, NULL) != FN_OK) continue;
    fn_model *m = open_model(d, 0.1, 0);
    loss[n] = run_step(m, B, logits[n], &key);
    for (int k = 0; k < B * 2; k++) assert_true(fabs((double)(logits[n][k] - logits[0][k])) <= 2e-5);
    assert_true(fabs(loss[n] - loss[0]) <= 1e-5);
    n++;
    fn_model_destroy(m);
    fn_device_destroy(d);
  }
  assert_true(n >= 2);
}

static void refuse(fn_model *m, fn_batch *batch, fn_status expected, const char *words) {
  fn_err err = {0};
  float logits[B * 2];
  double loss = -5;
  assert_int_equal(fn_model_forward_backward(&loss, logits, m, batch, 1, 0, NULL, &err), expected);
  if (!strstr(err.message, words)) fail_msg("\"%s\" lacks \"%s\"", err.message, words);
  assert_true(loss == -5);
}

static void test_refusals(void **state) {
  (void)state;
  fn_err err = {0};
  fn_batch batch;
  fn_device *d = open_device(FN_BACKEND_FAST, FN_GEMM_OWN, 1);
  fn_model *m = open_model(d, 0.1, 0);
  open_batch(&batch, fn_model_get_config(m), lengths, B, 0, 4);
  assert_int_equal(fn_model_plan(m, 700, B, LONGEST + 1, true, &err), FN_E_LIMIT);
  assert_non_null(strstr(err.message, "301 tokens"));
  assert_null(fn_model_gradients(m));
  refuse(m, &batch, FN_E_INVALID, "training = true");
  ok(fn_model_plan(m, 700, B, 200, true, e));
  refuse(m, &batch, FN_E_LIMIT, "row 3 has 300 tokens; 200 were planned for");
  ok(fn_model_plan(m, 500, B - 1, LONGEST, true, e)); /* grows, never shrinks */
  float *before = fn_model_gradients(m);
  ok(fn_model_plan(m, 800, B, LONGEST, true, e));
  assert_ptr_equal(before, fn_model_gradients(m));

  int32_t *const numbers[] = {&batch.ids[60],   &batch.ids[60],   &batch.type_ids[60], &batch.positions[60],
                              &batch.labels[4], &batch.labels[4], &batch.offsets[3]};
  static const int32_t values[] = {V, -1, 2, 5, 2, -1, 51};
  static const char *const words[] = {"row 3, token 2: id 90 is outside the vocabulary of 90",
                                      "id -1",
                                      "type 2 is outside the 2 types",
                                      "position 5",
                                      "row 4: label 2, accepted are 0 to 1",
                                      "label -1",
                                      "row 2 has no tokens"};
  for (size_t i = 0; i < FN_COUNT_OF(numbers); i++) {
    int32_t saved = *numbers[i];
    *numbers[i] = values[i];
    refuse(m, &batch, FN_E_INVALID, words[i]);
    *numbers[i] = saved;
  }
  batch.weights[5] = -1;
  refuse(m, &batch, FN_E_INVALID, "row 5: weight -1");
  batch.weights[5] = 1;
  batch.B = 0;
  refuse(m, &batch, FN_E_INVALID, "no rows");
  batch.B = B;
  double loss;
  ok(fn_model_forward_backward(&loss, NULL, m, &batch, 1, 0, NULL, e));
  assert_true(loss > 0);
  close_batch(&batch);
  fn_model_destroy(m);
  fn_device_destroy(d);
}

/* Weights drawn: a pure function of the seed and the tensor's name; spread as asked; norms one, biases and pad zero. */
static void test_draw(void **state) {
  (void)state;
  fn_device *one = open_device(FN_BACKEND_FAST, FN_GEMM_OWN, 1), *two = open_device(FN_BACKEND_FAST, FN_GEMM_OWN, 2);
  fn_model_config c = small_config(5000, 64, 2, 2, 128, 64);
  fn_model *a, *b, *other;
  c.initializer_range = 0.02;
  c.pad_token_id = 3;
  ok(fn_model_create(&a, &c, one, 8, e));
  c.num_labels = 2;
  c.head_size = 32;
  ok(fn_model_create(&b, &c, two, 8, e));
  ok(fn_model_create(&other, &c, one, 9, e));
  for (size_t i = 0; i < fn_model_n_parameters(a); i++) {
    const fn_parameter *p = fn_model_parameter(a, i);
    const float *x = fn_model_values_const(a) + p->offset;
    if (!p->is_head) assert_memory_equal(x, fn_model_values_const(b) + p->offset, p->n * sizeof *x);
    double sum = 0, squares = 0;
    for (size_t k = 0; k < p->n; k++) {
      sum += (double)x[k];
      squares += (double)x[k] * (double)x[k];
    }
    if (p->n_dims == 1) {
      double each = fn_str_ends_with(fn_str_from(p->name), "LayerNorm.weight") ? 1 : 0;
      assert_true(sum == each * (double)p->n && squares == sum);
      continue;
    }
    double n = (double)p->n, deviation = sqrt(squares / n);
    assert_true(fabs(deviation / 0.02 - 1) < 4 / sqrt(2 * n) + 0.0002 && fabs(sum / n) < 4 * 0.02 / sqrt(n));
    if (!p->is_head) assert_memory_not_equal(x, fn_model_values_const(other) + p->offset, p->n * sizeof *x);
  }
  for (int k = 0; k < 64; k++) assert_true(fn_model_values_const(a)[3 * 64 + k] == 0);
  fn_model_destroy(a);
  fn_model_destroy(b);
  fn_model_destroy(other);
  fn_device_destroy(one);
  fn_device_destroy(two);
}

static void test_traits(void **state) {
  (void)state;
  fn_err err = {0};
  fn_device *d = open_device(FN_BACKEND_FAST, FN_GEMM_OWN, 1);
  const fn_model_config c = small_config(50, 8, 1, 2, 8, 16);
  fn_model *m = NULL;
  fn_traits rotary = *fn_traits_find("bert"), pre = rotary, narrow = rotary;
  rotary.positions = FN_POSITION_ROTARY;
  pre.norm_place = FN_NORM_PRE;
  narrow.embedding_width = 4;
  assert_null(fn_traits_find("roberta"));
  assert_int_equal(fn_model_allocate_traits(&m, &c, &rotary, d, &err), FN_E_UNSUPPORTED);
  assert_non_null(strstr(err.message, "rotary"));
  assert_int_equal(fn_model_allocate_traits(&m, &c, &pre, d, &err), FN_E_UNSUPPORTED);
  assert_int_equal(fn_model_allocate_traits(&m, &c, &narrow, d, &err), FN_E_UNSUPPORTED);
  assert_null(m);
  fn_device_destroy(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_threads),  cmocka_unit_test(test_cuts),
      cmocka_unit_test(test_shortcut), cmocka_unit_test(test_evaluation_bits),
      cmocka_unit_test(test_backends), cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_draw),     cmocka_unit_test(test_traits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
