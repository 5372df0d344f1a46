/* Writes a report of made-up runs to standard output, for the browser that looks at it:
 *   report_probe N_RUNS N_STEPS N_PARAMS N_KEYS [hostile] */
#include "../unit/report/made_runs.h"

#include <stdio.h>

int main(int argc, char **argv) {
  fn_err err = {0};
  made_runs m;
  fn_buf out;
  if (argc < 5) return 2;
  const made_options options = {strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10),
                                strtoul(argv[4], NULL, 10), argc > 5};
  made_init(&m, &options);
  fn_buf_init(&out, 0);
  const fn_status status = fn_runs_report_write(&out, &m.report, &err);
  if (status != FN_OK)
    fprintf(stderr, "%s\n", err.message);
  else
    fwrite(out.data, 1, out.length, stdout);
  fn_buf_deinit(&out);
  made_deinit(&m);
  return fn_status_exit_code(status);
}
