/* Attention and dropout of every device against the double reference. */
#include "ops_harness.h"
#include "tensor/dropout.h"

static const fn_device_shape shape = {
    .max_T = 1200, .max_B = 16, .longest = 700, .hidden = 384, .heads = 3, .feed_forward = 384, .training = true};

typedef struct variant {
  size_t heads, D, lengths[4], B;
  double dropout;
  int32_t window;
  bool few; /* queries: first rows only */
} variant;

static const variant variants[] = {
    {2, 32, {5, 1, 48}, 3, 0, 0, false},     {3, 26, {47, 49, 2}, 3, 0.1, 0, false},
    {1, 64, {300, 33}, 2, 0.1, 0, false},    {2, 15, {256, 257}, 2, 0, 0, false},
    {1, 32, {513, 1, 28}, 3, 0.3, 0, false}, {1, 1, {17}, 1, 0, 0, false},
    {2, 32, {200, 31, 1}, 3, 0.1, 0, true},  {1, 32, {330, 20}, 2, 0.1, 64, false},
    {2, 16, {600}, 1, 0, 10, false},         {1, 128, {70, 70}, 2, 0.5, 0, false},
};

static void run(harness *h, const variant *v) {
  rows r;
  rows_open(&r, &h->rng, v->lengths, v->B, 2, 2);
  const fn_layout all = layout_of(&r), first = first_of(&r);
  const fn_dropout drop = {v->dropout, 5, 6, 7, FN_SITE_ATTENTION};
  const fn_attention a = {v->heads, v->D, 1 / sqrt((double)v->D), v->window, v->few ? &first : &all, &all, &drop};
  size_t R = v->few ? r.B : r.T, C = v->heads * v->D;
  size_t q = make(h, R, C, 2, GAP), k = make_mat(h, r.T, C), x = make_mat(h, r.T, C), context = make_mat(h, R, C);
  size_t lse = make_vector(h, R * v->heads), dc = make_mat(h, R, C);
  size_t dq = make_mat(h, R, C), dk = make_mat(h, r.T, C), dv = make_mat(h, r.T, C);
  for (int side = 0; side < 2; side++) {
    fn_device *d = side ? h->device : h->judge;
    fn_mat (*at)(const harness *, size_t) = side ? on_device : on_judge;
    d->ops.attention(d, at(h, context), at(h, lse).data, at(h, q), at(h, k), at(h, x), &a);
    d->ops.attention_backward(d, at(h, dq), at(h, dk), at(h, dv), at(h, dc), at(h, context), at(h, lse).data, at(h, q),
                              at(h, k), at(h, x), &a);
  }
  agree(h, context, 3e-6, "attention");
  agree(h, lse, 2e-6, "attention, log sum");
  agree(h, dq, 1e-5, "attention backward, q");
  agree(h, dk, 1e-5, "attention backward, k");
  agree(h, dv, 1e-5, "attention backward, v");
  harness_reset(h);
  rows_close(&r);
}

static void attention(harness *h) {
  for (size_t i = 0; i < FN_COUNT_OF(variants); i++) run(h, &variants[i]);
}

static void test_attention(void **state) {
  (void)state;
  each_device(attention, &shape);
}

/* Scores so large that a careless softmax overflows. */
static void large_scores(harness *h) {
  static const size_t lengths[] = {270};
  rows r;
  rows_open(&r, &h->rng, lengths, 1, 2, 2);
  const fn_layout all = layout_of(&r);
  const fn_attention a = {1, 32, 1, 0, &all, &all, NULL};
  size_t q = make(h, r.T, 32, 10, GAP), k = make(h, r.T, 32, 10, GAP), v = make_mat(h, r.T, 32);
  size_t context = make_mat(h, r.T, 32), lse = make_vector(h, r.T);
  h->judge->ops.attention(h->judge, on_judge(h, context), on_judge(h, lse).data, on_judge(h, q), on_judge(h, k),
                          on_judge(h, v), &a);
  h->device->ops.attention(h->device, on_device(h, context), on_device(h, lse).data, on_device(h, q), on_device(h, k),
                           on_device(h, v), &a);
  agree(h, context, 1e-3, "attention of large scores"); /* scores near 1000 carry errors of 1e-4 */
  agree(h, lse, 1e-6, "log sum of large scores");
  rows_close(&r);
}

static void test_large_scores(void **state) {
  (void)state;
  each_device(large_scores, &shape);
}

/* The same masks everywhere: exactly, element by element, and those of tensor/dropout.h. */
static void dropout(harness *h) {
  static const size_t lengths[] = {4, 9, 1};
  static const size_t widths[] = {1, 16, 100, 128, 130, 384};
  rows r;
  rows_open(&r, &h->rng, lengths, 3, 2, 2);
  const fn_layout layout = layout_of(&r);
  const fn_dropout drop = {0.2, 0x123456789abcdef0u, 0x100000007u, 3, FN_SITE_FFN_OUT};
  const fn_dropout_state s = fn_dropout_make(&drop);
  for (size_t i = 0; i < FN_COUNT_OF(widths); i++) {
    size_t x = make_mat(h, r.T, widths[i]), y = make_mat(h, r.T, widths[i]);
    h->judge->ops.dropout(h->judge, on_judge(h, y), on_judge(h, x), &layout, &drop);
    h->device->ops.dropout(h->device, on_device(h, y), on_device(h, x), &layout, &drop);
    agree(h, y, 2e-7, "dropout");
    for (size_t t = 0; t < r.T; t++)
      for (size_t c = 0; c < widths[i]; c++) {
        bool kept = fn_dropout_keep(&s, 0, r.row_draws[t], (uint32_t)r.positions[t], (uint32_t)c);
        float found = ((float *)on_device(h, y).data)[t * (widths[i] + GAP) + c];
        if (kept != (found != 0.0f)) fail_msg("%s: mask of row %zu, channel %zu", h->name, t, c);
      }
    harness_reset(h);
  }
  rows_close(&r);
}

static void test_dropout(void **state) {
  (void)state;
  each_device(dropout, &shape);
}

/* Kept share within three standard deviations at every site, for several rates; the scale makes the expectation whole.
 */
static void check_share(double rate, uint32_t site) {
  const fn_dropout drop = {rate, 3, 1, 2, site};
  const fn_dropout_state s = fn_dropout_make(&drop);
  size_t kept = 0, n = 0;
  for (uint32_t draw = 0; draw < 4; draw++)
    for (uint32_t position = 0; position < 25; position++)
      for (uint32_t channel = 0; channel < 500; channel++, n++)
        kept += fn_dropout_keep(&s, site == FN_SITE_ATTENTION ? draw % 2 : 0, draw, position, channel);
  double share = (double)kept / (double)n, deviation = sqrt(rate * (1 - rate) / (double)n);
  if (!(fabs(share - (1 - rate)) <= 3 * deviation)) fail_msg("site %u, rate %g: kept %g of %zu", site, rate, share, n);
  assert_true(fabs(s.scale * (1 - s.threshold / 65536.0) - 1) < 1e-12);
}

static void test_share(void **state) {
  static const double rates[] = {0.001, 0.1, 0.25, 0.5, 0.9};
  (void)state;
  for (size_t i = 0; i < FN_COUNT_OF(rates); i++)
    for (uint32_t site = FN_SITE_EMBEDDING; site <= FN_SITE_HEAD; site++) check_share(rates[i], site);
}

/* Every part of the key matters, and masks of neighbours look independent. */
static void test_keys_differ(void **state) {
  (void)state;
  const fn_dropout base = {0.5, 3, 1, 2, FN_SITE_ATTENTION};
  fn_dropout other[6] = {base, base, base, base, base, base};
  other[1].seed = 4;
  other[2].step = 2;
  other[3].layer = 3;
  other[4].site = FN_SITE_FFN_OUT;
  other[5].step = 1 + ((uint64_t)1 << 32);
  for (int k = 0; k < 9; k++) { /* 6 … 8: head, draw, position */
    const fn_dropout_state a = fn_dropout_make(&base), b = fn_dropout_make(&other[k < 6 ? k : 0]);
    size_t same = 0, n = 20000;
    for (uint32_t c = 0; c < n; c++)
      same += fn_dropout_keep(&a, 0, 1, 5, c) == fn_dropout_keep(&b, k == 6, 1 + (k == 7), 5 + (k == 8), c);
    if (k == 0)
      assert_int_equal(same, n);
    else if (!(fabs((double)same - 0.5 * (double)n) < 3.5 * sqrt(0.25 * (double)n)))
      fail_msg("key part %d: %zu of %zu masks agree", k, same, n);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_attention), cmocka_unit_test(test_large_scores), cmocka_unit_test(test_dropout),
      cmocka_unit_test(test_share),     cmocka_unit_test(test_keys_differ),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
