/* Logits, loss and gradients of small classifiers against Transformers' (tests/golden/model_goldens.json, made by
 * make_model_goldens.py in double). Weights and batches come from the formula that both sides share. */
#include "../../golden/formula.h"
#include "../test.h"
#include "model/config.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *goldens;

static double number(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  assert_true(json_is_number(value));
  return json_number_value(value);
}

static void read_config(fn_model_config *c, const json_t *golden) {
  static const struct {
    const char *key;
    size_t offset;
  } sizes[] = {
      {"vocab_size", offsetof(fn_model_config, vocab_size)},
      {"hidden_size", offsetof(fn_model_config, hidden_size)},
      {"num_attention_heads", offsetof(fn_model_config, num_attention_heads)},
      {"num_hidden_layers", offsetof(fn_model_config, num_hidden_layers)},
      {"intermediate_size", offsetof(fn_model_config, intermediate_size)},
      {"max_position_embeddings", offsetof(fn_model_config, max_position_embeddings)},
      {"type_vocab_size", offsetof(fn_model_config, type_vocab_size)},
      {"num_labels", offsetof(fn_model_config, num_labels)},
      {"head_size", offsetof(fn_model_config, head_size)},
  };
  fn_model_config_init(c);
  for (size_t i = 0; i < FN_COUNT_OF(sizes); i++) {
    int32_t value = (int32_t)number(golden, sizes[i].key);
    memcpy((char *)c + sizes[i].offset, &value, sizeof value);
  }
  c->layer_norm_eps = number(golden, "layer_norm_eps");
  c->hidden_dropout_prob = c->attention_probs_dropout_prob = c->classifier_dropout = 0;
  snprintf(c->hidden_act, sizeof c->hidden_act, "%s", json_string_value(json_object_get(golden, "hidden_act")));
  for (int32_t i = 0; i < c->num_labels; i++) snprintf(c->labels[i], sizeof c->labels[i], "label %d", i);
}

/* Caller's storage for a batch; freed at once. */
static void make_batch(fn_batch *batch, const json_t *golden, uint64_t seed, const fn_model_config *c) {
  const json_t *lengths = json_object_get(golden, "lengths");
  size_t B = json_array_size(lengths), T = 0, t = 0;
  for (size_t b = 0; b < B; b++) T += (size_t)json_integer_value(json_array_get(lengths, b));
  *batch = (fn_batch){.B = (int32_t)B, .T = (int32_t)T};
  int32_t *numbers = calloc(3 * T + 2 * B + 1, sizeof *numbers);
  batch->weights = calloc(B, sizeof *batch->weights);
  batch->draws = calloc(2 * B, sizeof *batch->draws);
  batch->truncated = calloc(B, 1);
  assert_true(numbers && batch->weights && batch->draws && batch->truncated);
  batch->rows = batch->draws + B;
  batch->ids = numbers;
  batch->type_ids = numbers + T;
  batch->positions = numbers + 2 * T;
  batch->offsets = numbers + 3 * T;
  batch->labels = batch->offsets + B + 1;
  for (size_t b = 0; b < B; b++) {
    int32_t length = (int32_t)json_integer_value(json_array_get(lengths, b));
    if (length > batch->longest) batch->longest = length;
    for (int32_t s = 0; s < length; s++, t++) {
      batch->ids[t] = (int32_t)(golden_bits(seed, "ids", t) % (uint64_t)c->vocab_size);
      batch->type_ids[t] = 2 * s >= length;
      batch->positions[t] = s;
    }
    batch->offsets[b + 1] = (int32_t)t;
    batch->labels[b] = (int32_t)(golden_bits(seed, "labels", b) % (uint64_t)c->num_labels);
    batch->weights[b] = (float)(0.5 + golden_uniform(seed, "weights", b));
    batch->draws[b] = batch->rows[b] = (uint32_t)b;
  }
}

static void free_batch(fn_batch *batch) {
  free(batch->ids);
  free(batch->weights);
  free(batch->draws);
  free(batch->truncated);
}

static void check_gradient(const json_t *golden, const fn_parameter *p, const float *g, uint64_t seed, double norm) {
  const json_t *expected = json_object_get(json_object_get(golden, "gradients"), p->name);
  if (!expected) fail_msg("no golden for %s", p->name);
  double sum_abs = 0, dot = 0, largest = number(expected, "max_abs");
  char stream[256];
  snprintf(stream, sizeof stream, "dot %s", p->name);
  for (size_t i = 0; i < p->n; i++) {
    sum_abs += fabs((double)g[i]);
    dot += (double)g[i] * (2.0 * golden_uniform(seed, stream, i) - 1.0);
  }
  /* Key biases have no gradient (softmax does not see a shift): what is there is rounding noise. */
  bool noise = golden_ends_with(p->name, "key.bias");
  double limit = noise ? 1e-6 * norm : 1e-4 * largest + 1e-7 * norm;
  double limit_sum = noise ? limit * (double)p->n : 1e-4 * number(expected, "sum_abs") + 1e-7 * norm * (double)p->n;
  if (!(fabs(sum_abs - number(expected, "sum_abs")) <= limit_sum) ||
      !(fabs(dot - number(expected, "dot")) <= limit_sum))
    fail_msg("%s: gradient sums to |%g|, along %g; expected |%g|, %g", p->name, sum_abs, dot,
             number(expected, "sum_abs"), number(expected, "dot"));
  const char *index;
  json_t *value;
  json_object_foreach(json_object_get(expected, "at"), index, value) {
    double found = (double)g[strtoul(index, NULL, 10)];
    if (!(fabs(found - json_number_value(value)) <= limit))
      fail_msg("%s[%s]: gradient %g, expected %g within %g", p->name, index, found, json_number_value(value), limit);
  }
}

static void check_logits(const json_t *golden, const float *logits, int32_t B, int32_t K, const char *pass) {
  const json_t *rows = json_object_get(golden, "logits");
  for (int32_t i = 0; i < B * K; i++) {
    double expected = json_number_value(json_array_get(json_array_get(rows, (size_t)(i / K)), (size_t)(i % K)));
    if (!(fabs((double)logits[i] - expected) <= 2e-5))
      fail_msg("%s %s: logit %d is %.8g, expected %.8g", json_string_value(json_object_get(golden, "name")), pass, i,
               (double)logits[i], expected);
  }
}

static void check_case(const json_t *golden, uint64_t seed, fn_backend backend) {
  fn_err err = {0};
  fn_model_config c;
  fn_batch batch;
  fn_device *device;
  fn_model *model;
  read_config(&c, golden);
  make_batch(&batch, golden, seed, &c);
  const fn_device_options options = {.backend = backend, .max_level = FN_CPU_AVX512, .n_threads = 1};
  assert_int_equal(fn_device_create(&device, &options, &err), FN_OK);
  assert_int_equal(fn_model_create(&model, &c, device, 1, &err), FN_OK);
  assert_int_equal(fn_model_n_parameters(model), json_object_size(json_object_get(golden, "gradients")));
  for (size_t i = 0; i < fn_model_n_parameters(model); i++) {
    const fn_parameter *p = fn_model_parameter(model, i);
    golden_tensor(fn_model_values(model) + p->offset, seed, p->name, p->n, p->n_dims > 1 ? p->shape[1] : 1);
  }
  float *logits = calloc((size_t)(batch.B * c.num_labels), sizeof *logits);
  assert_non_null(logits);
  assert_int_equal(fn_model_plan(model, batch.T, batch.B, batch.longest, true, &err), FN_OK);
  assert_int_equal(fn_model_forward(logits, model, &batch, &err), FN_OK);
  check_logits(golden, logits, batch.B, c.num_labels, "forward");

  double loss, sum_weights = 0, norm = number(golden, "gradient_norm");
  for (int32_t b = 0; b < batch.B; b++) sum_weights += (double)batch.weights[b];
  assert_int_equal(fn_model_forward_backward(&loss, logits, model, &batch, 1.0 / sum_weights,
                                             number(golden, "label_smoothing"), NULL, &err),
                   FN_OK);
  check_logits(golden, logits, batch.B, c.num_labels, "training pass");
  if (!(fabs(loss - number(golden, "loss")) <= 1e-5))
    fail_msg("loss %.10g, expected %.10g", loss, number(golden, "loss"));
  for (size_t i = 0; i < fn_model_n_parameters(model); i++) {
    const fn_parameter *p = fn_model_parameter(model, i);
    check_gradient(golden, p, fn_model_gradients(model) + p->offset, seed, norm);
  }
  free(logits);
  free_batch(&batch);
  fn_model_destroy(model);
  fn_device_destroy(device);
}

static void check_all(fn_backend backend) {
  const json_t *cases = json_object_get(goldens, "cases");
  uint64_t seed = (uint64_t)number(goldens, "seed");
  assert_true(json_array_size(cases) >= 6);
  size_t i;
  const json_t *golden;
  json_array_foreach(cases, i, golden) check_case(golden, seed, backend);
}

static void test_reference(void **state) {
  (void)state;
  check_all(FN_BACKEND_REFERENCE);
}

static void test_fast(void **state) {
  (void)state;
  check_all(FN_BACKEND_FAST);
}

static int set_up(void **state) {
  (void)state;
  fn_err err = {0};
  if (fn_json_load(&goldens, FN_TEST_DIR "/golden/model_goldens.json", 16 << 20, &err) == FN_OK) return 0;
  print_error("%s\n", err.message);
  return 1;
}

static int tear_down(void **state) {
  (void)state;
  json_decref(goldens);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference), cmocka_unit_test(test_fast)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
