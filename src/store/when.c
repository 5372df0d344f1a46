#include "store/when.h"

/* Digits of text[from..from+n) as a number; -1 when they are none. */
static int number(const char *text, size_t from, size_t n) {
  int value = 0;
  for (size_t i = from; i < from + n; i++) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

/* Days since 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_of(int year, int month, int day) {
  const int64_t y = month <= 2 ? year - 1 : year;
  const int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool combine(int64_t *out, int year, int month, int day, int hour, int minute, int second) {
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 60)
    return false;
  *out = (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000;
  return true;
}

bool fn_when_parse(int64_t *out, const char *text) {
  static const char shape[] = "0000-00-00T00:00:00";
  if (strlen(text) < sizeof shape) return false;
  for (size_t i = 0; i + 1 < sizeof shape; i++)
    if (shape[i] != '0' && shape[i] != text[i]) return false;
  const char *rest = text + sizeof shape - 1;
  if (*rest == '.') rest += 1 + strspn(rest + 1, "0123456789");
  int64_t ms, offset_s = 0;
  if (strcmp(rest, "Z") != 0) {
    const int hours = strlen(rest) == 6 ? number(rest, 1, 2) : -1, minutes = hours >= 0 ? number(rest, 4, 2) : -1;
    if ((*rest != '+' && *rest != '-') || hours < 0 || minutes < 0 || rest[3] != ':') return false;
    offset_s = (hours * 60 + minutes) * (*rest == '-' ? -60 : 60);
  }
  if (!combine(&ms, number(text, 0, 4), number(text, 5, 2), number(text, 8, 2), number(text, 11, 2),
               number(text, 14, 2), number(text, 17, 2)))
    return false;
  *out = ms - offset_s * 1000;
  return true;
}

bool fn_when_parse_http(int64_t *out, fn_str text) {
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec", shape[] = "Xxx, 00 Xxx 0000 00:00:00 GMT";
  if (text.length != sizeof shape - 1 || memcmp(text.data + 25, " GMT", 4) != 0) return false;
  int month = 0;
  while (month < 12 && memcmp(months + 3 * month, text.data + 8, 3) != 0) month++;
  return combine(out, number(text.data, 12, 4), month + 1, number(text.data, 5, 2), number(text.data, 17, 2),
                 number(text.data, 20, 2), number(text.data, 23, 2));
}
