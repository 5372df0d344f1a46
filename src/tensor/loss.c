#include "tensor/device_internal.h"

#include <math.h>

double fn_softmax_loss_row(double *gradient, const double *x, size_t n, int32_t label, double weight,
                           double smoothing) {
  double max = x[0], sum = 0, loss = 0, w = label >= 0 ? weight : 0;
  for (size_t k = 1; k < n; k++) max = x[k] > max ? x[k] : max;
  for (size_t k = 0; k < n; k++) sum += exp(x[k] - max);
  double log_sum = max + log(sum);
  for (size_t k = 0; k < n; k++) {
    double target = smoothing / (double)n + ((int32_t)k == label ? 1 - smoothing : 0);
    loss += target * (log_sum - x[k]);
    gradient[k] = w > 0 ? w * (exp(x[k] - log_sum) - target) : 0;
  }
  return w > 0 ? w * loss : 0;
}
