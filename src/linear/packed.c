/* The linear family as tables of a packed model file. Each number is rounded to the nearest of its steps; what that
 * costs is in docs/performance.md (packing reports it for the model at hand, `fakenews quantize`). */
#include "linear/model.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS = 127, IDF_STEPS = 255 };

static void pack_weights(int8_t *out, double *scale_out, const float *weight, size_t n) {
  double greatest = 0.0;
  for (size_t i = 0; i < n; i++) greatest = fmax(greatest, fabs((double)weight[i]));
  double scale = greatest / (STEPS * STEPS);
  for (size_t i = 0; i < n; i++) {
    double q = scale > 0.0 ? sqrt(fabs((double)weight[i]) / scale) : 0.0;
    /* of the two squares around it, the nearer */
    double low = floor(q), high = low + 1.0, target = q * q;
    q = target - low * low <= high * high - target ? low : high;
    if (q > STEPS) q = STEPS;
    out[i] = (int8_t)(weight[i] < 0.0f ? -q : q);
  }
  *scale_out = scale;
}

static void pack_idf(uint8_t *out, double *scale_out, const float *idf, size_t n) {
  double greatest = 0.0;
  for (size_t i = 0; i < n; i++) greatest = fmax(greatest, (double)idf[i]);
  double scale = greatest / IDF_STEPS;
  for (size_t i = 0; i < n; i++) {
    double u = scale > 0.0 ? rint((double)idf[i] / scale) : 0.0;
    out[i] = (uint8_t)(idf[i] > 0.0f && u < 1.0 ? 1.0 : u); /* seen stays seen */
  }
  *scale_out = scale;
}

static void write_description(fn_buf *json, const fn_linear *linear, const fn_linear_table *tables) {
  static const char *const names[FN_N_FAMILIES] = {"word", "char"};
  fn_json_writer w;
  fn_json_begin(&w, json, 0);
  fn_json_object(&w, NULL);
  fn_linear_config_write(&w, linear);
  fn_json_double(&w, "bias", linear->bias);
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    if (tables[f].n == 0) continue;
    fn_json_object(&w, names[f]);
    fn_json_double(&w, "weight_scale", tables[f].weight_scale);
    fn_json_double(&w, "idf_scale", tables[f].idf_scale);
    fn_json_end(&w);
  }
  fn_json_end(&w);
}

fn_status fn_linear_pack(fn_linear_table tables_out[FN_LINEAR_N_TABLES], fn_buf *json, const fn_linear *linear,
                         fn_err *err) {
  fn_linear_table tables[FN_N_FAMILIES] = {{0}};
  size_t n = fn_feature_spec_n_buckets(&linear->spec);
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    if (linear->weight[f] == NULL) continue;
    int8_t *weight = fn_mem_alloc(n, 1);
    uint8_t *idf = fn_mem_alloc(n, 1);
    tables[f].weight = weight;
    tables[f].idf = idf;
    tables[f].n = n;
    if (weight == NULL || idf == NULL) {
      for (int g = 0; g <= f; g++) {
        free((void *)(uintptr_t)tables[g].weight);
        free((void *)(uintptr_t)tables[g].idf);
      }
      return fn_err_no_memory(err, "tables of the linear family");
    }
    pack_weights(weight, &tables[f].weight_scale, linear->weight[f], n);
    pack_idf(idf, &tables[f].idf_scale, linear->idf[f], n);
  }
  write_description(json, linear, tables);
  memcpy(tables_out, tables, sizeof tables);
  return FN_OK;
}

static fn_status read_scales(fn_linear *linear, const json_t *object, const char *name, fn_err *err) {
  FN_TRY(fn_json_get_double(&linear->bias, object, "bias", -HUGE_VAL, HUGE_VAL, NULL, name, err));
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    fn_linear_table *t = &linear->packed[f];
    if (linear->spec.max[f] == 0) continue;
    if (t->weight == NULL || t->idf == NULL || t->n != fn_feature_spec_n_buckets(&linear->spec))
      return fn_err_set(err, FN_E_INVALID, "%s: the tables linear.%s.weight and linear.%s.idf must have %zu elements",
                        name, fn_family_names[f], fn_family_names[f], fn_feature_spec_n_buckets(&linear->spec));
    const json_t *scales = json_object_get(object, fn_family_names[f]);
    FN_TRY(fn_json_get_double(&t->weight_scale, scales, "weight_scale", 0.0, 1e30, NULL, name, err));
    FN_TRY(fn_json_get_double(&t->idf_scale, scales, "idf_scale", 0.0, 1e30, NULL, name, err));
  }
  return FN_OK;
}

fn_status fn_linear_open_packed(fn_linear **linear_out, const fn_linear_table tables[FN_LINEAR_N_TABLES], fn_str json,
                                const char *name, fn_err *err) {
  FN_AUTO_JSON json_t *object = NULL;
  FN_TRY(fn_json_parse(&object, json, name, err));
  FN_AUTO_FREE fn_linear *linear = fn_mem_calloc(1, sizeof *linear); /* owns nothing yet */
  if (linear == NULL) return fn_err_no_memory(err, "the linear family");
  FN_TRY(fn_linear_config_read(&linear->spec, linear->c, object, name, err));
  memcpy(linear->packed, tables, sizeof linear->packed);
  FN_TRY(read_scales(linear, object, name, err));
  *linear_out = FN_STEAL(linear);
  return FN_OK;
}
