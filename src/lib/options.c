/* Session options: the caller's struct, of whatever version, to the inner ones. */
#include "lib/internal.h"

#include <stddef.h>

/* What the first version had. */
enum { FIRST_SIZE = offsetof(fakenews_session_options, unsure) + sizeof(double) };

static fn_status check_ranges(const fakenews_session_options *o, fn_err *err) {
  FN_TRY(fn_lib_check_range("n_threads", o->n_threads, 0, 1024, err));
  FN_TRY(fn_lib_check_range("part", o->part, FAKENEWS_BOTH, FAKENEWS_ENCODER, err));
  FN_TRY(fn_lib_check_range("reads", o->reads, FAKENEWS_READS_MODEL, FAKENEWS_READS_TITLE_TEXT, err));
  FN_TRY(fn_lib_check_range("long_texts", o->long_texts, FAKENEWS_CUT, FAKENEWS_WINDOWS, err));
  FN_TRY(fn_lib_check_range("cpu_level", o->cpu_level, FAKENEWS_CPU_BEST, FAKENEWS_CPU_AMX, err));
  FN_TRY(fn_lib_check_range("max_windows", o->max_windows, 0, 4096, err));
  FN_TRY(fn_lib_check_range("batch_tokens", o->batch_tokens, 0, 1 << 20, err));
  FN_TRY(fn_lib_check_range("reserved", o->reserved, 0, 0, err));
  if (o->prior != 0.0 && !(o->prior > 0.0 && o->prior < 1.0))
    return fn_err_set(err, FN_E_INVALID, "options.prior must be 0 or lie between 0 and 1");
  if (o->unsure != 0.0 && o->unsure != FAKENEWS_NEVER && !(o->unsure >= 0.5 && o->unsure <= 1.0))
    return fn_err_set(err, FN_E_INVALID, "options.unsure must be 0, FAKENEWS_NEVER or in [0.5,1]");
  return FN_OK;
}

static fn_status check_model(const fakenews_session_options *o, const fn_classifier_info *info, fn_err *err) {
  static const char *const names[] = {"title", "text", "title and text"};
  if (o->part == FAKENEWS_LINEAR && !info->has_linear)
    return fn_err_set(err, FN_E_INVALID, "options.part: %s has no linear half", info->id);
  if (o->part == FAKENEWS_ENCODER && !info->has_encoder)
    return fn_err_set(err, FN_E_INVALID, "options.part: %s has no encoder", info->id);
  bool encoder = info->has_encoder && o->part != FAKENEWS_LINEAR;
  if (!encoder && o->reads != FAKENEWS_READS_MODEL && o->reads - FAKENEWS_READS_TITLE != (int)info->mode)
    return fn_err_set(err, FN_E_INVALID,
                      "options.reads: the linear half of %s was trained on %s and reads nothing else", info->id,
                      names[info->mode]);
  if (o->prior != 0.0 && info->calibration == NULL)
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "options.prior: %s is not calibrated, so it is not known what share of fakes its probabilities "
                      "stand for",
                      info->id);
  if (encoder && o->max_tokens != 0) FN_TRY(fn_lib_check_range("max_tokens", o->max_tokens, 8, info->positions, err));
  return FN_OK;
}

/* As the setting infer.unsure is written. */
static fn_status write_unsure(fn_buf *out, double unsure, fn_err *err) {
  if (unsure == 0.0)
    fn_buf_append_str(out, "auto");
  else
    fn_buf_append_double(out, unsure);
  return fn_buf_check(out, "options.unsure", err);
}

fn_status fn_lib_read_options(fn_infer_options *infer_out, fn_device_options *device_out, fn_buf *unsure_out,
                              const fakenews_session_options *options, const fn_classifier_info *info, fn_err *err) {
  static const int parts[] = {FN_INFER_BOTH, FN_INFER_LINEAR, FN_INFER_ENCODER};
  fakenews_session_options o = FAKENEWS_SESSION_OPTIONS_INIT;
  fn_infer_options infer = FN_INFER_OPTIONS_INIT;
  fn_device_options device = FN_DEVICE_OPTIONS_INIT;
  if (options != NULL)
    FN_TRY(fn_lib_read_struct(&o, sizeof o, options, FIRST_SIZE,
                              "options.struct_size (FAKENEWS_SESSION_OPTIONS_INIT sets it)", err));
  FN_TRY(check_ranges(&o, err));
  FN_TRY(check_model(&o, info, err));
  infer.part = parts[o.part];
  infer.text = FN_INFER_TEXT_MODEL + o.reads;
  infer.long_texts = o.long_texts == FAKENEWS_WINDOWS ? FN_INFER_WINDOWS : FN_INFER_CUT;
  if (o.max_tokens != 0) infer.max_tokens = o.max_tokens;
  if (o.max_windows != 0) infer.max_windows = o.max_windows;
  if (o.batch_tokens != 0) infer.batch_tokens = o.batch_tokens;
  if (o.prior != 0.0) infer.prior = o.prior;
  FN_TRY(write_unsure(unsure_out, o.unsure, err));
  infer.unsure = o.unsure == FAKENEWS_NEVER ? NULL : unsure_out->data;
  device.gemm = FN_GEMM_OWN;
  device.n_threads = (int)o.n_threads;
  if (o.cpu_level != FAKENEWS_CPU_BEST) device.max_level = (fn_cpu_level)(o.cpu_level - FAKENEWS_CPU_C);
  *infer_out = infer;
  *device_out = device;
  return FN_OK;
}

_Static_assert((int)FAKENEWS_READS_TITLE == (int)FN_INFER_TEXT_TITLE &&
                   (int)FAKENEWS_READS_TITLE_TEXT == (int)FN_INFER_TEXT_TITLE_TEXT && FN_INFER_TEXT_MODEL == 0,
               "the orders of what is read differ");
_Static_assert((int)FAKENEWS_CPU_AMX - (int)FAKENEWS_CPU_C == (int)FN_CPU_AMX && FN_CPU_C == 0 &&
                   (int)FN_CPU_AMX + 1 == (int)FN_CPU_LEVEL_COUNT,
               "the orders of CPU levels differ");
