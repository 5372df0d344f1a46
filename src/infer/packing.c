#include "infer/packing.h"

#include "model/model.h"

static fn_status load(fn_model **encoder, fn_tokenizer **tokenizer, fn_linear **linear, fn_device *device,
                      const fn_packing_source *s, fn_err *err) {
  if (s->encoder) {
    FN_TRY(fn_model_load(encoder, s->encoder, NULL, false, 0, device, NULL, err));
    FN_TRY(fn_tokenizer_load(tokenizer, s->encoder, err));
  }
  return s->linear ? fn_linear_load(linear, s->linear, err) : FN_OK;
}

fn_status fn_packing_write(const char *path, const fn_packing_source *s, fn_err *err) {
  fn_device *device = NULL;
  fn_model *encoder = NULL;
  fn_tokenizer *tokenizer = NULL;
  fn_linear *linear = NULL;
  fn_status status = fn_device_create(&device, NULL, err);
  if (status == FN_OK) status = load(&encoder, &tokenizer, &linear, device, s, err);
  if (status == FN_OK) {
    const fn_packed_source packed = {.encoder = encoder,
                                     .tokenizer = tokenizer,
                                     .linear = linear,
                                     .int8 = s->int8,
                                     .name = s->name,
                                     .calibration = s->calibration,
                                     .card = s->card};
    status = fn_packed_write(path, &packed, err);
  }
  fn_linear_destroy(linear);
  fn_tokenizer_destroy(tokenizer);
  fn_model_destroy(encoder);
  fn_device_destroy(device);
  return status;
}

typedef struct side {
  fn_classifier *classifier;
  fn_session *session;
} side;

static fn_status open_side(side *out, const fn_packing_check *c, const char *path, int part, fn_err *err) {
  fn_infer_options options = *c->options;
  options.part = part;
  FN_TRY(fn_classifier_load(&out->classifier, path, err));
  return fn_session_create(&out->session, out->classifier, &options, c->device, err);
}

static void close_side(side *s) {
  fn_session_destroy(s->session);
  fn_classifier_destroy(s->classifier);
}

fn_status fn_packing_compare(fn_comparison *comparison_out, const fn_packing_check *c, fn_err *err) {
  side before = {0}, after = {0};
  fn_status status = open_side(&before, c, c->directory, FN_INFER_BOTH, err);
  if (status == FN_OK) status = open_side(&after, c, c->packed, c->part, err);
  if (status == FN_OK)
    status = fn_comparison_run(comparison_out, before.session, after.session, c->dataset, c->splits, c->progress,
                               c->arg, err);
  close_side(&after);
  close_side(&before);
  return status;
}
