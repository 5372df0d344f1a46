/* Doubles as the fewest of 15, 16 or 17 digits that read back as the same double, in the form of %g. */
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Values of the usual magnitude are written from integers, exactly: |value| = mantissa / 2^shift, and no product below
 * reaches 2^127. printf and strtod, for all others, take about ten times as long. */
enum { LEAST_EXPONENT = -6, MOST_EXPONENT = 14, FEWEST_DIGITS = 15, MOST_DIGITS = 17 };

__extension__ typedef unsigned __int128 wide;

typedef struct decimal {
  uint64_t digits;
  int n_digits;
  int exponent; /* of the first digit: 0 for 1 to 9 */
} decimal;

static wide power_of_ten(int n) {
  wide power = 1;
  for (; n >= 19; n -= 19) power *= UINT64_C(10000000000000000000);
  static const uint64_t powers[19] = {1u,
                                      10u,
                                      100u,
                                      1000u,
                                      10000u,
                                      100000u,
                                      1000000u,
                                      10000000u,
                                      100000000u,
                                      1000000000u,
                                      10000000000u,
                                      100000000000u,
                                      1000000000000u,
                                      10000000000000u,
                                      100000000000000u,
                                      1000000000000000u,
                                      10000000000000000u,
                                      100000000000000000u,
                                      1000000000000000000u};
  return power * powers[n];
}

/* Whether mantissa / 2^shift is at least 10^exponent. */
static bool reaches(uint64_t mantissa, int shift, int exponent) {
  return exponent < 0 ? mantissa * power_of_ten(-exponent) >= (wide)1 << shift
                      : mantissa >= power_of_ten(exponent) << shift;
}

/* exact / 2^shift, rounded, halves to the even one. */
static uint64_t round_shifted(wide exact, int shift) {
  const wide half = (wide)1 << (shift - 1), rest = exact & ((half << 1) - 1);
  const uint64_t n = (uint64_t)(exact >> shift);
  return n + (rest > half || (rest == half && (n & 1)));
}

/* Whether digits / 10^scale reads back as exact / 10^scale / 2^shift: it is less than half the distance to the next
 * double away. It is never just half: such a decimal would need more places than there are here. */
static bool reads_back(uint64_t digits, wide exact, wide ten, int shift, bool is_power_of_2) {
  const wide written = (wide)digits << shift;
  if (is_power_of_2) return written == exact; /* the next double below is nearer: only what needs no thought */
  return 2 * (written > exact ? written - exact : exact - written) < ten;
}

/* False: for printf to do. */
static bool find_decimal(decimal *out, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1), mantissa = fraction | UINT64_C(1) << 52;
  const int shift = 1075 - (int)(bits >> 52 & 0x7FF), binary = 52 - shift;
  if (binary < -20 || shift < 1) return false;
  int exponent = (binary * 1233 + 16 * 4096) / 4096 - 16; /* log10(2) is 1233/4096: right, or one too small */
  if (reaches(mantissa, shift, exponent + 1)) exponent++;
  if (exponent < LEAST_EXPONENT || exponent > MOST_EXPONENT) return false;
  for (int n = FEWEST_DIGITS; n <= MOST_DIGITS; n++) {
    const wide ten = power_of_ten(n - 1 - exponent), exact = mantissa * ten;
    const uint64_t digits = round_shifted(exact, shift);
    if (!reads_back(digits, exact, ten, shift, fraction == 0) && (n < MOST_DIGITS || fraction == 0)) continue;
    *out = (decimal){digits, n, exponent};
    return digits < (uint64_t)power_of_ten(n); /* not 9.99… that became 10 */
  }
  return false;
}

static void append_decimal(fn_buf *buf, const decimal *d, bool negative) {
  char digits[MOST_DIGITS] = {0}, text[MOST_DIGITS + 16];
  uint64_t rest = d->digits;
  for (int i = d->n_digits - 1; i >= 0; i--, rest /= 10) digits[i] = (char)('0' + rest % 10);
  int n = d->n_digits, length = 0;
  while (n > 1 && digits[n - 1] == '0') n--;
  if (negative) text[length++] = '-';
  const bool is_small = d->exponent < -4;
  int point = is_small ? 1 : d->exponent + 1; /* digits before it */
  if (point <= 0) text[length++] = '0';
  for (int i = 0; i < point; i++) text[length++] = i < n ? digits[i] : '0';
  if (n > point) text[length++] = '.';
  for (int i = point; i < n; i++) text[length++] = i < 0 ? '0' : digits[i];
  fn_buf_append(buf, text, (size_t)length);
  if (is_small) fn_buf_printf(buf, "e-%02d", -d->exponent);
}

void fn_buf_append_double(fn_buf *buf, double value) {
  decimal d;
  if (!isfinite(value)) {
    fn_buf_append_str(buf, "null");
    return;
  }
  if (value == 0) {
    fn_buf_append_str(buf, signbit(value) ? "-0.0" : "0"); /* "-0" would read back as the integer 0 */
    return;
  }
  if (find_decimal(&d, value)) {
    append_decimal(buf, &d, value < 0);
    return;
  }
  char text[40];
  for (int digits = FEWEST_DIGITS; digits <= MOST_DIGITS; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  for (char *p = text; *p; p++)
    if (*p == ',') *p = '.'; /* a caller's locale with a decimal comma */
  fn_buf_append_str(buf, text);
}
