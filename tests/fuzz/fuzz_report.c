/* The page of runs, whose texts and numbers come from databases and servers: whatever they are, the page is UTF-8, its
 * tags and attributes are ours, its addresses lead nowhere but to files and to itself, its data block is JSON.
 *
 * The input is a list of fields, each a byte that says what it is, its text, and 0xFF. */
#include "file.h"
#include "report/report.h"

#include <ctype.h>
#include <math.h>

enum { MAX_RUNS = 4, MAX_ITEMS = 24, MAX_INPUT = 2048 };

typedef struct made {
  fn_arena arena;
  fn_report_run runs[MAX_RUNS];
  fn_report_pair params[MAX_RUNS][MAX_ITEMS], tags[MAX_RUNS][MAX_ITEMS];
  fn_report_metric metrics[MAX_RUNS][MAX_ITEMS];
  fn_report_curve curves[MAX_RUNS][MAX_ITEMS];
  fn_report_artifact artifacts[MAX_RUNS][MAX_ITEMS];
  const char *models[MAX_RUNS][MAX_ITEMS];
  fn_report_split splits[MAX_RUNS];
} made;

static const char *text_of(made *m, const uint8_t *data, size_t n) {
  const char *text = fn_arena_strndup(&m->arena, (const char *)data, n);
  FUZZ_CHECK(text);
  return text;
}

static bool has_metric(const fn_report_run *run, const char *key) {
  for (size_t i = 0; i < run->n_metrics; i++)
    if (strcmp(run->metrics[i].key, key) == 0) return true;
  return false;
}

/* Numbers: each byte of what follows the key's '=' is one of these, so that the ends of their range are common. */
static double number(uint8_t byte) {
  static const double some[] = {0, -0.0, 1, -1, 0.5, 1e-300, 1e300, -1e300, 5e-324, 1e16, 0.1, 3};
  if (byte == 'n') return (double)NAN;
  if (byte == 'i') return (double)INFINITY;
  if (byte == 'j') return -(double)INFINITY;
  return byte % 2 ? byte / 7.0 : some[byte / 2 % FN_COUNT_OF(some)];
}

static void add_metric(made *m, size_t r, const uint8_t *data, size_t n) {
  fn_report_run *run = &m->runs[r];
  const uint8_t *stop = n ? memchr(data, '=', n) : NULL;
  const size_t length = stop ? (size_t)(stop - data) : n;
  const char *key = text_of(m, data, length);
  if (run->n_metrics == MAX_ITEMS || !*key || has_metric(run, key)) return;
  fn_report_metric *metric = &m->metrics[r][run->n_metrics++];
  fn_series *series = &m->curves[r][run->n_curves].series;
  *metric = (fn_report_metric){.key = key,
                               .min = (double)INFINITY,
                               .max = -(double)INFINITY,
                               .kept = (double)NAN,
                               .low = (double)NAN,
                               .high = (double)NAN};
  fn_series_init(series, fn_report_buckets(MAX_RUNS, MAX_ITEMS), fn_report_window(key, (int64_t)(n - length)));
  m->curves[r][run->n_curves++].key = key;
  for (size_t i = length + 1; i < n; i++) {
    const double value = number(data[i]);
    const int64_t step = i % 5 == 4 ? (int64_t)i << (data[i] % 50) : (int64_t)i;
    FUZZ_CHECK(fn_series_add(series, step, value, NULL) == FN_OK);
    metric->last = value, metric->last_step = step, metric->n++;
    metric->min = fmin(metric->min, value), metric->max = fmax(metric->max, value);
    if (i % 3 == 0) metric->kept = value;
    if (i % 7 == 0) metric->low = number(data[i] / 2), metric->high = number(data[i] / 3);
  }
}

static void add_pair(made *m, fn_report_pair *pairs, size_t *n_pairs, const uint8_t *data, size_t n) {
  const uint8_t *stop = n ? memchr(data, '=', n) : NULL;
  const size_t length = stop ? (size_t)(stop - data) : n;
  const char *key = text_of(m, data, length);
  for (size_t i = 0; i < *n_pairs; i++)
    if (strcmp(pairs[i].key, key) == 0) return;
  if (*n_pairs < MAX_ITEMS)
    pairs[(*n_pairs)++] = (fn_report_pair){key, stop ? text_of(m, stop + 1, n - length - 1) : ""};
}

static void add_field(made *m, size_t r, uint8_t what, const uint8_t *data, size_t n) {
  static const char *const statuses[] = {"FINISHED", "RUNNING", "FAILED", "KILLED", "INTERRUPTED", "SCHEDULED"};
  fn_report_run *run = &m->runs[r];
  const char **texts[] = {&run->name,  &run->experiment, &run->user,     &run->parent, &run->folder,
                          &run->data,  &run->data_hash,  &run->init,     &run->family, &run->init_hash,
                          &run->build, &run->device,     &run->revision, &run->command};
  switch (what) {
  case 'm': add_metric(m, r, data, n); break;
  case 'p': add_pair(m, m->params[r], &run->n_params, data, n); break;
  case 't': add_pair(m, m->tags[r], &run->n_tags, data, n); break;
  case 'a':
    if (run->n_artifacts < MAX_ITEMS)
      m->artifacts[r][run->n_artifacts++] =
          (fn_report_artifact){text_of(m, data, n), n % 2 ? text_of(m, data, n) : NULL, text_of(m, data, n),
                               n > 3 ? (int64_t)data[0] << (data[1] % 55) : 0};
    break;
  case 'v':
    if (run->n_models < MAX_ITEMS) m->models[r][run->n_models++] = text_of(m, data, n);
    break;
  case 'c':
    if (n < 4) break;
    m->splits[r] = (fn_report_split){text_of(m, data + 4, n - 4), {{data[0], data[1]}, {data[2], data[3]}}};
    run->n_splits = 1;
    break;
  case 's':
    run->status = statuses[n % FN_COUNT_OF(statuses)];
    run->start_ms = n > 1 ? (int64_t)data[0] << (data[1] % 50) : 0;
    run->end_ms = n > 2 ? run->start_ms + data[2] * 1000 : 0;
    run->best_step = n > 3 ? data[3] : -1;
    break;
  default: *texts[what % FN_COUNT_OF(texts)] = text_of(m, data, n);
  }
}

/* ---- the page, as a browser would take it apart ---- */

static const char *check_attribute(const char *p) {
  const char *name = p;
  while (islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '-' || *p == ':' || *p == 'B' || *p == 'A' ||
         *p == 'R')
    p++; /* viewBox, preserveAspectRatio */
  const size_t n = (size_t)(p - name);
  FUZZ_CHECK(n > 0 && strncmp(name, "on", 2) != 0 && !(n == 5 && strncmp(name, "style", n) == 0) &&
             !(n == 3 && strncmp(name, "src", n) == 0));
  if (*p != '=') return p;
  FUZZ_CHECK(p[1] == '"');
  const char *value = p + 2, *end = strchr(value, '"');
  FUZZ_CHECK(end != NULL);
  if (n == 4 && strncmp(name, "href", n) == 0)
    FUZZ_CHECK(*value == '#' || strncmp(value, "./", 2) == 0 || strncmp(value, "file:", 5) == 0 ||
               !memchr(value, ':', (size_t)(end - value)));
  FUZZ_CHECK(memchr(value, '<', (size_t)(end - value)) == NULL);
  return end + 1;
}

static void check_page(const char *p) {
  size_t n_scripts = 0;
  while ((p = strchr(p, '<')) != NULL) {
    if (strncmp(p, "<!doctype html>", 15) == 0) {
      p += 15;
      continue;
    }
    p += p[1] == '/' ? 2 : 1;
    const char *name = p;
    while (islower((unsigned char)*p) || isdigit((unsigned char)*p)) p++;
    const size_t n = (size_t)(p - name);
    FUZZ_CHECK(n > 0); /* a '<' of a text */
    while (*p != '>') {
      if (*p == ' ' || *p == '\n' || *p == '/')
        p++;
      else
        p = check_attribute(p);
    }
    const bool script = n == 6 && strncmp(name, "script", n) == 0, opens = name[-1] == '<';
    n_scripts += script && opens;
    if (opens && (script || (n == 5 && strncmp(name, "style", n) == 0))) { /* raw text up to its end */
      p = strstr(p, script ? "</script>" : "</style>");
      FUZZ_CHECK(p != NULL);
    }
  }
  FUZZ_CHECK(n_scripts == 2);
}

static void check_data(const char *page) {
  FN_AUTO_JSON json_t *value = NULL;
  const char *begin = strstr(page, "id=\"data\">");
  FUZZ_CHECK(begin != NULL);
  begin += strlen("id=\"data\">");
  const char *end = strstr(begin, "</script>");
  FUZZ_CHECK(end && fn_json_parse(&value, fn_str_make(begin, (size_t)(end - begin)), "data", NULL) == FN_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static made m;
  if (size == 0 || size > MAX_INPUT) return 0;
  memset(&m, 0, sizeof m);
  fn_arena_init(&m.arena);
  fn_runs_report report = {.title = NULL, .command = "fakenews", .version = "1", .made_ms = 1, .now_ms = 2};
  report.metric = "val/loss";
  report.direction = (int)(data[0] % 3) - 1;
  report.n_runs = 1;
  for (size_t i = 0; i < MAX_RUNS; i++) {
    m.runs[i] = (fn_report_run){.id = "0123456789abcdef0123456789abcdef", .status = "FINISHED", .best_step = -1};
    m.runs[i].params = m.params[i], m.runs[i].tags = m.tags[i], m.runs[i].metrics = m.metrics[i];
    m.runs[i].curves = m.curves[i], m.runs[i].artifacts = m.artifacts[i], m.runs[i].models = m.models[i];
    m.runs[i].splits = &m.splits[i];
  }
  data++, size--;
  while (size > 0) {
    size_t n;
    const uint8_t *field = fuzz_take(&n, &data, &size);
    if (n == 0) continue;
    if (field[0] == 'r')
      report.n_runs += report.n_runs < MAX_RUNS;
    else if (field[0] == 'w')
      report.metric = text_of(&m, field + 1, n - 1);
    else if (field[0] == 'h')
      report.title = text_of(&m, field + 1, n - 1);
    else
      add_field(&m, report.n_runs - 1, field[0], field + 1, n - 1);
  }
  report.runs = m.runs;
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  FUZZ_CHECK(fn_runs_report_write(&out, &report, NULL) == FN_OK);
  FUZZ_CHECK(fn_utf8_valid(fn_buf_str(&out), NULL) && strlen(out.data) == out.length);
  check_page(out.data);
  check_data(out.data);
  for (size_t i = 0; i < MAX_RUNS; i++)
    for (size_t k = 0; k < m.runs[i].n_curves; k++) fn_series_deinit(&m.curves[i][k].series);
  fn_arena_deinit(&m.arena);
  return 0;
}
