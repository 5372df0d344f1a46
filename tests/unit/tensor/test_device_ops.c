/* Primitives of every device against the double reference. */
#include "ops_harness.h"

static const fn_device_shape shape = {.max_T = 1200,
                                      .max_B = 16,
                                      .longest = 700,
                                      .hidden = 768,
                                      .heads = 3,
                                      .feed_forward = 1536,
                                      .head_width = 1600,
                                      .training = true};

static const struct {
  size_t rows, in, out;
} linear_shapes[] = {{1, 1, 1},     {1, 384, 2},   {7, 26, 33},    {8, 16, 48},    {13, 312, 39}, {96, 48, 96},
                     {97, 128, 47}, {65, 385, 49}, {300, 50, 130}, {1100, 33, 65}, {513, 40, 64}, {24, 769, 95}};

static void run_linear(harness *h, size_t R, size_t in, size_t out, bool bias, bool accumulate) {
  size_t x = make_mat(h, R, in), w = make(h, out, in, 1, 0), b = make_vector(h, out), y = make_mat(h, R, out);
  size_t dy = make_mat(h, R, out), dx = make_mat(h, R, in), dw = make(h, out, in, 1, 0), db = make_vector(h, out);
  fn_linear lj = {in, out, on_judge(h, w).data, NULL, on_judge(h, dw).data, NULL, NULL, NULL};
  fn_linear ld = {in, out, on_device(h, w).data, NULL, on_device(h, dw).data, NULL, NULL, NULL};
  if (bias) {
    lj.b = on_judge(h, b).data;
    ld.b = on_device(h, b).data;
    lj.db = on_judge(h, db).data;
    ld.db = on_device(h, db).data;
  }
  h->judge->ops.linear(h->judge, on_judge(h, y), on_judge(h, x), &lj);
  h->device->ops.linear(h->device, on_device(h, y), on_device(h, x), &ld);
  agree(h, y, 2e-6 * sqrt((double)in), "linear");
  h->judge->ops.linear_backward(h->judge, on_judge(h, dx), accumulate, on_judge(h, dy), on_judge(h, x), &lj);
  h->device->ops.linear_backward(h->device, on_device(h, dx), accumulate, on_device(h, dy), on_device(h, x), &ld);
  agree(h, dx, 2e-6 * sqrt((double)out), "linear backward, input");
  agree(h, dw, 2e-6 * sqrt((double)R), "linear backward, weight");
  agree(h, db, 2e-6 * sqrt((double)R), "linear backward, bias");
  harness_reset(h);
}

static void linear(harness *h) {
  for (size_t i = 0; i < FN_COUNT_OF(linear_shapes); i++)
    run_linear(h, linear_shapes[i].rows, linear_shapes[i].in, linear_shapes[i].out, i % 3 != 0, i % 2 == 0);
  for (int i = 0; i < 12; i++)
    run_linear(h, 1 + fn_rng_below(&h->rng, 130), 1 + fn_rng_below(&h->rng, 200), 1 + fn_rng_below(&h->rng, 200),
               i % 2 == 0, i % 3 == 0);
}

static void test_linear(void **state) {
  (void)state;
  each_device(linear, &shape);
}

static void run_norm(harness *h, size_t R, size_t C, double offset) {
  size_t x = make_mat(h, R, C), y = make_mat(h, R, C), hat = make_mat(h, R, C), rstd = make_vector(h, R);
  size_t gamma = make_vector(h, C), beta = make_vector(h, C), dgamma = make_vector(h, C), dbeta = make_vector(h, C);
  size_t dy = make_mat(h, R, C);
  /* A mean far from zero: one-pass variances lose everything here. */
  for (size_t r = 0; r < R; r++)
    for (size_t c = 0; c < C; c++) {
      pair *p = &h->pairs[x];
      float v = p->memory[GUARD + r * p->stride + c] + (float)offset;
      p->memory[GUARD + r * p->stride + c] = v;
      p->judge[r * p->stride + c] = (double)v;
    }
  fn_norm nj = {
      C, on_judge(h, gamma).data, on_judge(h, beta).data, on_judge(h, dgamma).data, on_judge(h, dbeta).data, 1e-12};
  fn_norm nd = {
      C, on_device(h, gamma).data, on_device(h, beta).data, on_device(h, dgamma).data, on_device(h, dbeta).data, 1e-12};
  h->judge->ops.norm(h->judge, on_judge(h, y), on_judge(h, hat), on_judge(h, rstd).data, on_judge(h, x), &nj);
  h->device->ops.norm(h->device, on_device(h, y), on_device(h, hat), on_device(h, rstd).data, on_device(h, x), &nd);
  double limit = 2e-6 * (1 + fabs(offset));
  agree(h, y, limit, "norm");
  agree(h, hat, limit, "norm, xhat");
  agree(h, rstd, limit, "norm, rstd");
  h->judge->ops.norm_backward(h->judge, on_judge(h, dy), on_judge(h, dy), on_judge(h, hat), on_judge(h, rstd).data,
                              &nj);
  h->device->ops.norm_backward(h->device, on_device(h, dy), on_device(h, dy), on_device(h, hat),
                               on_device(h, rstd).data, &nd);
  agree(h, dy, 2 * limit, "norm backward");
  agree(h, dgamma, 2 * limit, "norm backward, gamma");
  agree(h, dbeta, 2e-6, "norm backward, beta");
  harness_reset(h);
}

static void norm(harness *h) {
  static const size_t channels[] = {3, 15, 16, 26, 33, 128, 312, 384, 768};
  for (size_t i = 0; i < FN_COUNT_OF(channels); i++) run_norm(h, 1 + fn_rng_below(&h->rng, 70), channels[i], 0);
  run_norm(h, 1100, 24, 0);
  run_norm(h, 9, 384, 30);
}

static void test_norm(void **state) {
  (void)state;
  each_device(norm, &shape);
}

static void activations(harness *h) {
  for (int kind = FN_ACT_GELU; kind <= FN_ACT_TANH; kind++)
    for (int i = 0; i < 3; i++) {
      size_t n = (size_t[]){37, 384, 5}[i];
      size_t x = make(h, 40, n, i == 1 ? 4 : 1, GAP), y = make_mat(h, 40, n), dy = make_mat(h, 40, n);
      h->judge->ops.activation(h->judge, on_judge(h, y), on_judge(h, x), (fn_activation)kind);
      h->device->ops.activation(h->device, on_device(h, y), on_device(h, x), (fn_activation)kind);
      agree(h, y, 5e-7, "activation");
      h->judge->ops.activation_backward(h->judge, on_judge(h, dy), on_judge(h, dy), on_judge(h, x),
                                        (fn_activation)kind);
      h->device->ops.activation_backward(h->device, on_device(h, dy), on_device(h, dy), on_device(h, x),
                                         (fn_activation)kind);
      agree(h, dy, 1e-6, "activation backward");
      harness_reset(h);
    }
}

static void test_activation(void **state) {
  (void)state;
  each_device(activations, &shape);
}

static fn_embedding embedding_at(fn_mat word, fn_mat position, fn_mat type, fn_mat dw, fn_mat dp, fn_mat dt) {
  return (fn_embedding){word.n_cols, word.data, position.data, type.data, dw.data, dp.data, dt.data, 2, 1, NULL, NULL};
}

static void embedding(harness *h) {
  static const size_t lengths[] = {3, 1, 20, 9};
  static const size_t widths[] = {1, 26, 64, 130};
  rows r;
  rows_open(&r, &h->rng, lengths, 4, 12, 2);
  for (size_t i = 0; i < FN_COUNT_OF(widths); i++) {
    size_t C = widths[i], word = make(h, 12, C, 1, 0), position = make(h, 21, C, 1, 0), type = make(h, 2, C, 1, 0);
    size_t dw = make(h, 12, C, 1, 0), dp = make(h, 21, C, 1, 0), dt = make(h, 2, C, 1, 0);
    size_t y = make_mat(h, r.T, C), dy = make_mat(h, r.T, C);
    fn_embedding ej = embedding_at(on_judge(h, word), on_judge(h, position), on_judge(h, type), on_judge(h, dw),
                                   on_judge(h, dp), on_judge(h, dt));
    fn_embedding ed = embedding_at(on_device(h, word), on_device(h, position), on_device(h, type), on_device(h, dw),
                                   on_device(h, dp), on_device(h, dt));
    if (i == 1) ej.position = ed.position = NULL;
    if (i == 2) ej.type = ed.type = NULL;
    h->judge->ops.embed(h->judge, on_judge(h, y), &ej, r.ids, r.positions, r.types);
    h->device->ops.embed(h->device, on_device(h, y), &ed, r.ids, r.positions, r.types);
    agree(h, y, 3e-7, "embed");
    h->judge->ops.embed_backward(h->judge, on_judge(h, dy), &ej, r.ids, r.positions, r.types);
    h->device->ops.embed_backward(h->device, on_device(h, dy), &ed, r.ids, r.positions, r.types);
    agree(h, dw, 1e-6, "embed backward, word");
    agree(h, dp, 1e-6, "embed backward, position");
    agree(h, dt, 2e-6, "embed backward, type");
    harness_reset(h);
  }
  rows_close(&r);
}

static void test_embedding(void **state) {
  (void)state;
  each_device(embedding, &shape);
}

static void moves(harness *h) {
  static const size_t lengths[] = {5, 1, 12};
  rows r;
  rows_open(&r, &h->rng, lengths, 3, 12, 2);
  const fn_layout layout = layout_of(&r);
  size_t C = 37, x = make_mat(h, r.T, C), few = make_mat(h, r.B, C), mean = make_mat(h, r.B, C);
  size_t y = make_mat(h, r.T, C), z = make_mat(h, r.T, C);
  for (int side = 0; side < 2; side++) {
    fn_device *d = side ? h->device : h->judge;
    fn_mat (*at)(const harness *, size_t) = side ? on_device : on_judge;
    d->ops.gather_rows(d, at(h, few), at(h, x), r.first);
    d->ops.segment_mean(d, at(h, mean), at(h, x), &layout);
    d->ops.segment_mean_backward(d, at(h, y), at(h, few), &layout);
    d->ops.scatter_add_rows(d, at(h, y), at(h, mean), r.first);
    d->ops.add(d, at(h, z), at(h, y));
  }
  agree(h, few, 0, "gather");
  agree(h, mean, 1e-6, "segment mean");
  agree(h, y, 1e-6, "segment mean backward, scatter");
  agree(h, z, 1e-6, "add");
  rows_close(&r);
}

static void test_moves(void **state) {
  (void)state;
  each_device(moves, &shape);
}

static void loss(harness *h) {
  for (size_t K = 2; K <= 8; K += 3) {
    size_t B = 9, logits = make(h, B, K, 20, GAP), d = make_mat(h, B, K);
    int32_t labels[9];
    float weights[9];
    double ours[9], theirs[9];
    for (size_t b = 0; b < B; b++) {
      labels[b] = (int32_t)fn_rng_below(&h->rng, K);
      weights[b] = (float)fn_rng_uniform(&h->rng);
    }
    labels[4] = -1; /* unknown: no loss */
    h->judge->ops.softmax_loss(h->judge, theirs, on_judge(h, d), on_judge(h, logits), labels, weights, 0.1, 0.25);
    h->device->ops.softmax_loss(h->device, ours, on_device(h, d), on_device(h, logits), labels, weights, 0.1, 0.25);
    for (size_t b = 0; b < B; b++) assert_true(fabs(ours[b] - theirs[b]) <= 1e-12 * (1 + fabs(theirs[b])));
    assert_true(ours[4] == 0 && ours[0] > 0);
    agree(h, d, 1e-6, "loss gradient");
    harness_reset(h);
  }
}

static void test_loss(void **state) {
  (void)state;
  each_device(loss, &shape);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_linear),    cmocka_unit_test(test_norm),  cmocka_unit_test(test_activation),
      cmocka_unit_test(test_embedding), cmocka_unit_test(test_moves), cmocka_unit_test(test_loss),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
