/* Fused blocks against the double reference's compositions, forward and backward, dropout included. */
#include "ops_harness.h"

static const fn_device_shape shape = {
    .max_T = 1200, .max_B = 16, .longest = 1100, .hidden = 400, .heads = 3, .feed_forward = 800, .training = true};

/* Everything a block needs, on one side. */
typedef struct side {
  fn_device *d;
  fn_mat (*at)(const harness *, size_t);
} side;

static fn_linear linear_of(const harness *h, const side *s, size_t w, size_t b, size_t dw, size_t db) {
  return (fn_linear){.n_in = h->pairs[w].n_cols,
                     .n_out = h->pairs[w].n_rows,
                     .w = s->at(h, w).data,
                     .b = s->at(h, b).data,
                     .dw = s->at(h, dw).data,
                     .db = s->at(h, db).data};
}
static fn_norm norm_of(const harness *h, const side *s, size_t gamma, size_t beta, size_t dgamma, size_t dbeta) {
  return (fn_norm){h->pairs[gamma].n_cols, s->at(h, gamma).data, s->at(h, beta).data,
                   s->at(h, dgamma).data,  s->at(h, dbeta).data, 1e-12};
}

static const fn_dropout dropouts[] = {{0, 0, 0, 0, 0}, {0.1, 1, 2, 3, FN_SITE_FFN_OUT}};
static const size_t lengths[][3] = {{1, 0, 0}, {3, 20, 7}, {100, 30, 2}, {1100, 1, 5}, {40, 25, 5}};
static const size_t widths[][2] = {{26, 33}, {48, 96}, {130, 200}, {16, 40}, {400, 800}};

typedef struct one_linear {
  size_t x, residual, y, hat, rstd, w, b, dw, db, gamma, beta, dgamma, dbeta, dx, dy;
} one_linear;

static one_linear make_one(harness *h, size_t R, size_t in, size_t C) {
  one_linear o;
  o.x = make_mat(h, R, in);
  o.residual = make_mat(h, R, C);
  o.y = make_mat(h, R, C);
  o.hat = make_mat(h, R, C);
  o.rstd = make_vector(h, R);
  o.w = make(h, C, in, 1, 0);
  o.b = make_vector(h, C);
  o.dw = make(h, C, in, 1, 0);
  o.db = make_vector(h, C);
  o.gamma = make_vector(h, C);
  o.beta = make_vector(h, C);
  o.dgamma = make_vector(h, C);
  o.dbeta = make_vector(h, C);
  o.dx = make_mat(h, R, in);
  o.dy = make_mat(h, R, C);
  return o;
}

static void output_block(harness *h) {
  for (size_t i = 0; i < FN_COUNT_OF(lengths); i++) {
    rows r;
    rows_open(&r, &h->rng, lengths[i], 1 + 2 * (i > 0), 2, 2);
    const fn_layout layout = layout_of(&r);
    one_linear o = make_one(h, r.T, widths[i][1], widths[i][0]);
    for (int k = 0; k < 2; k++) {
      side s = {k ? h->device : h->judge, k ? on_device : on_judge};
      fn_linear l = linear_of(h, &s, o.w, o.b, o.dw, o.db);
      fn_norm n = norm_of(h, &s, o.gamma, o.beta, o.dgamma, o.dbeta);
      s.d->ops.linear_dropout_residual_norm(s.d, s.at(h, o.y), s.at(h, o.hat), s.at(h, o.rstd).data, s.at(h, o.x),
                                            s.at(h, o.residual), &l, &n, &layout, &dropouts[i % 2]);
      s.d->ops.linear_dropout_residual_norm_backward(s.d, s.at(h, o.dx), s.at(h, o.dy), s.at(h, o.x), s.at(h, o.hat),
                                                     s.at(h, o.rstd).data, &l, &n, &layout, &dropouts[i % 2]);
    }
    agree(h, o.y, 2e-5, "output block");
    agree(h, o.rstd, 2e-5, "output block, rstd");
    agree(h, o.dy, 2e-5, "output block backward, residual");
    agree(h, o.dx, 2e-5, "output block backward, input");
    agree(h, o.dw, 2e-5, "output block backward, weight");
    agree(h, o.db, 2e-5, "output block backward, bias");
    agree(h, o.dgamma, 5e-5, "output block backward, gamma");
    agree(h, o.dbeta, 2e-5, "output block backward, beta");
    harness_reset(h);
    rows_close(&r);
  }
}

static void test_output_block(void **state) {
  (void)state;
  each_device(output_block, &shape);
}

static void ffn_case(harness *h, size_t i, fn_activation kind, bool keep) {
  rows r;
  rows_open(&r, &h->rng, lengths[i], 1 + 2 * (i > 0), 2, 2);
  const fn_layout layout = layout_of(&r);
  size_t C = widths[i][0], F = widths[i][1];
  one_linear o = make_one(h, r.T, F, C); /* down; x and dx are not used */
  size_t x = make_mat(h, r.T, C), pre = make_mat(h, r.T, F), w = make(h, F, C, 0.2, 0), b = make_vector(h, F);
  size_t dw = make(h, F, C, 1, 0), db = make_vector(h, F);
  for (int k = 0; k < 2; k++) {
    side s = {k ? h->device : h->judge, k ? on_device : on_judge};
    fn_linear down = linear_of(h, &s, o.w, o.b, o.dw, o.db), up = linear_of(h, &s, w, b, dw, db);
    fn_norm n = norm_of(h, &s, o.gamma, o.beta, o.dgamma, o.dbeta);
    fn_mat none = {0};
    s.d->ops.ffn(s.d, s.at(h, o.y), s.at(h, o.hat), s.at(h, o.rstd).data, keep ? s.at(h, pre) : none, s.at(h, x), &up,
                 &down, kind, &n, &layout, &dropouts[i % 2]);
    if (keep)
      s.d->ops.ffn_backward(s.d, s.at(h, o.dy), s.at(h, pre), s.at(h, x), s.at(h, o.hat), s.at(h, o.rstd).data, &up,
                            &down, kind, &n, &layout, &dropouts[i % 2]);
  }
  agree(h, o.y, 2e-5, "ffn");
  if (keep) {
    agree(h, o.dy, 4e-5, "ffn backward, input");
    agree(h, o.dw, 4e-5, "ffn backward, down");
    agree(h, o.db, 4e-5, "ffn backward, down bias");
    agree(h, dw, 4e-5, "ffn backward, up");
    agree(h, db, 4e-5, "ffn backward, up bias");
    agree(h, o.dgamma, 1e-4, "ffn backward, gamma");
    agree(h, o.dbeta, 4e-5, "ffn backward, beta");
  }
  harness_reset(h);
  rows_close(&r);
}

static void ffn(harness *h) {
  for (size_t i = 0; i < FN_COUNT_OF(lengths); i++) {
    ffn_case(h, i, (fn_activation)(i % 3), true);
    ffn_case(h, i, FN_ACT_GELU, false);
  }
}

static void test_ffn(void **state) {
  (void)state;
  each_device(ffn, &shape);
}

static void qkv(harness *h) {
  for (size_t i = 0; i < FN_COUNT_OF(lengths); i++) {
    rows r;
    rows_open(&r, &h->rng, lengths[i], 1 + 2 * (i > 0), 2, 2);
    size_t C = widths[i][0], n_parts = 2 + i % 2, part[3][4];
    size_t x = make_mat(h, r.T, C), y = make_mat(h, r.T, n_parts * C), dy = make_mat(h, r.T, n_parts * C);
    size_t dx = make_mat(h, r.T, C);
    for (size_t p = 0; p < n_parts; p++) {
      part[p][0] = make(h, C, C, 1, 0);
      part[p][1] = make_vector(h, C);
      part[p][2] = make(h, C, C, 1, 0);
      part[p][3] = make_vector(h, C);
    }
    for (int k = 0; k < 2; k++) {
      side s = {k ? h->device : h->judge, k ? on_device : on_judge};
      fn_linear l[3];
      for (size_t p = 0; p < n_parts; p++) l[p] = linear_of(h, &s, part[p][0], part[p][1], part[p][2], part[p][3]);
      s.d->ops.qkv(s.d, s.at(h, y), s.at(h, x), l, n_parts);
      s.d->ops.qkv_backward(s.d, s.at(h, dx), i % 2 == 0, s.at(h, dy), s.at(h, x), l, n_parts);
    }
    agree(h, y, 1e-5, "qkv");
    agree(h, dx, 1e-5, "qkv backward, input");
    for (size_t p = 0; p < n_parts; p++) {
      agree(h, part[p][2], 1e-5, "qkv backward, weight");
      agree(h, part[p][3], 1e-5, "qkv backward, bias");
    }
    harness_reset(h);
    rows_close(&r);
  }
}

static void test_qkv(void **state) {
  (void)state;
  each_device(qkv, &shape);
}

static void embed_norm(harness *h) {
  for (size_t i = 0; i < FN_COUNT_OF(lengths); i++) {
    rows r;
    rows_open(&r, &h->rng, lengths[i], 1 + 2 * (i > 0), 9, 2);
    const fn_layout layout = layout_of(&r);
    size_t C = widths[i][0], tables[3][2];
    for (size_t t = 0; t < 3; t++)
      for (size_t g = 0; g < 2; g++) tables[t][g] = make(h, t == 0 ? 9 : t == 1 ? r.longest : 2, C, 1, 0);
    size_t y = make_mat(h, r.T, C), hat = make_mat(h, r.T, C), rstd = make_vector(h, r.T), dy = make_mat(h, r.T, C);
    size_t gamma = make_vector(h, C), beta = make_vector(h, C), dgamma = make_vector(h, C), dbeta = make_vector(h, C);
    for (int k = 0; k < 2; k++) {
      side s = {k ? h->device : h->judge, k ? on_device : on_judge};
      fn_norm n = norm_of(h, &s, gamma, beta, dgamma, dbeta);
      fn_embedding e = {C,
                        s.at(h, tables[0][0]).data,
                        s.at(h, tables[1][0]).data,
                        s.at(h, tables[2][0]).data,
                        s.at(h, tables[0][1]).data,
                        s.at(h, tables[1][1]).data,
                        s.at(h, tables[2][1]).data,
                        0,
                        0,
                        NULL,
                        NULL};
      s.d->ops.embed_norm(s.d, s.at(h, y), s.at(h, hat), s.at(h, rstd).data, &e, &n, r.ids, r.types, &layout,
                          &dropouts[1]);
      s.d->ops.embed_norm_backward(s.d, s.at(h, dy), s.at(h, hat), s.at(h, rstd).data, &e, &n, r.ids, r.types, &layout,
                                   &dropouts[1]);
    }
    agree(h, y, 1e-5, "embed_norm");
    for (size_t t = 0; t < 3; t++) agree(h, tables[t][1], 1e-5, "embed_norm backward, table");
    agree(h, dgamma, 5e-5, "embed_norm backward, gamma");
    agree(h, dbeta, 1e-5, "embed_norm backward, beta");
    harness_reset(h);
    rows_close(&r);
  }
}

static void test_embed_norm(void **state) {
  (void)state;
  each_device(embed_norm, &shape);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_output_block),
      cmocka_unit_test(test_ffn),
      cmocka_unit_test(test_qkv),
      cmocka_unit_test(test_embed_norm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
