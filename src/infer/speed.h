/* How fast a model answers: one article of a given length, over and over. */
#ifndef FN_INFER_SPEED_H
#define FN_INFER_SPEED_H

#include "infer/infer.h"

typedef struct fn_speed {
  int32_t tokens; /* of the article, special tokens included */
  size_t n_runs;
  char device[128];              /* what computed, as fn_device_describe says it */
  double p50_ms, p95_ms, p99_ms; /* of the time of one answer, text to probability */
  double tokens_per_s;           /* tokens / p50 */
  double operations;    /* multiplications and additions of the encoder's matrix products for one article, attention
                         * included, rows that the head does not read left out */
  double peak_gops;     /* what the workers reach together when the same instructions run from registers alone */
  double share_of_peak; /* operations / p50 / peak; NaN for the linear half alone */
} fn_speed;

/* tokens in [8, positions of the model]; seconds: how long to measure, after three answers that do not count. part:
 * fn_infer_part. The article is words of the vocabulary in its order. FN_E_INVALID: a
 * length that the model does not take, a vocabulary without a plain word. */
FN_NODISCARD fn_status fn_speed_measure(fn_speed *speed_out, const fn_classifier *classifier,
                                        const fn_infer_options *options, fn_device *device, int32_t tokens,
                                        double seconds, fn_err *err);

#endif
