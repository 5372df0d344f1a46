#include "report/axis.h"

#include <math.h>

bool fn_axis_wants_log(double low, double high) {
  return low > 0 && high / low > 100;
}

/* Smallest of 1, 2, 5 times a power of ten that is not below x. */
static double round_up(double x) {
  const double decade = pow(10, floor(log10(x)));
  const double m = x / decade;
  return decade * (m <= 1.0000001 ? 1 : m <= 2.0000001 ? 2 : m <= 5.0000001 ? 5 : 10);
}

static void add_tick(fn_axis *axis, double value, size_t max) {
  const double room = 1e-9 * (axis->high - axis->low);
  if (value < axis->low - room || value > axis->high + room) return;
  if (axis->n_ticks < max && axis->n_ticks < FN_AXIS_MAX_TICKS) axis->ticks[axis->n_ticks++] = value;
}

static void linear_ticks(fn_axis *axis, bool whole, size_t max) {
  double step = round_up((axis->high - axis->low) / (double)max);
  if (whole && step < 1) step = 1;
  const double first = ceil(axis->low / step - 1e-9);
  for (int i = 0; i <= (int)max; i++) {
    const double k = first + i;
    add_tick(axis, k == 0 ? 0 : k * step, max);
  }
}

static void log_ticks(fn_axis *axis, size_t max) {
  const int from = (int)ceil(log10(axis->low) - 1e-9), to = (int)floor(log10(axis->high) + 1e-9);
  const int every = to < from ? 1 : (to - from) / (int)max + 1;
  for (int e = from; e <= to; e += every) add_tick(axis, pow(10, e), max);
  if (axis->n_ticks > 2) return;
  axis->n_ticks = 0; /* few decades: also twice and five times */
  for (int e = from - 1; e <= to; e++)
    for (int m = 1; m <= 5; m += m == 1 ? 1 : 3) add_tick(axis, m * pow(10, e), max);
  if (axis->n_ticks > 1) return;
  axis->n_ticks = 0; /* less than an octave: equal steps */
  linear_ticks(axis, false, max);
}

void fn_axis_make(fn_axis *axis, double low, double high, bool log, bool whole, size_t n_ticks) {
  const double limit = 8e307; /* so that a difference of two is finite */
  low = low < -limit ? -limit : low > limit ? limit : low;
  high = high < -limit ? -limit : high > limit ? limit : high;
  if (!(low <= high)) low = high = 0;
  if (n_ticks < 2) n_ticks = 2;
  *axis = (fn_axis){.low = low, .high = high, .log = log && low > 0};
  if (axis->log) {
    const double room = low < high ? pow(high / low, 0.04) : 2;
    if (isfinite(room) && low / room > 0) axis->low = low / room, axis->high = high * room;
    if (axis->high > limit) axis->high = limit;
    log_ticks(axis, n_ticks);
    return;
  }
  double room = 0.05 * (high - low);
  if (room <= 1e-12 * (fabs(low) + fabs(high))) room = low == 0 && high == 0 ? 1 : 0.1 * fabs(high);
  if (whole) room = low < high ? 0 : 1;
  if (!(room > 0) && !whole) room = 1e-300;
  axis->low = low == 0 && high == 0 ? 0 : low - room; /* what is always 0 is a count or a share, and never below */
  axis->high = high + room;
  linear_ticks(axis, whole, n_ticks);
}

double fn_axis_at(const fn_axis *axis, double value) {
  double at;
  if (axis->log)
    at = value <= 0 ? 0 : (log(value) - log(axis->low)) / (log(axis->high) - log(axis->low));
  else
    at = (value - axis->low) / (axis->high - axis->low);
  return at > 0 ? (at < 1 ? at : 1) : 0;
}

const char *fn_axis_text(char out[32], double tick) {
  const double size = fabs(tick);
  if (size >= 1e4 && size < 1e6)
    snprintf(out, 32, "%.4gk", tick / 1e3);
  else if (size >= 1e6 && size < 1e9)
    snprintf(out, 32, "%.4gM", tick / 1e6);
  else if (size >= 1e9 || (size > 0 && size < 1e-3))
    snprintf(out, 32, "%.3g", tick);
  else
    snprintf(out, 32, "%.4g", tick);
  return out;
}
