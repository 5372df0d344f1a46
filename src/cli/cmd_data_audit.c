/* fakenews data audit */
#include "cli/audit_print.h"
#include "tensor/options.h"

#include <stdlib.h>
#include <unistd.h>

static fn_status run_audit(fn_audit **audit_out, const fn_cli *cli, const char *dir, fn_err *err) {
  fn_audit_options options;
  fn_tensor_options device;
  FN_TRY(fn_config_fill(&options, cli->config, &fn_audit_option_table, err));
  FN_TRY(fn_config_fill(&device, cli->config, &fn_tensor_option_table, err));
  fn_audit_request request = {.dir = dir, .stop = fn_cli_stop_requested};
  FN_TRY(fn_pool_create(&request.pool, device.n_threads ? (int)device.n_threads : fn_cpu_available(), err));
  fn_status status = fn_audit_run(audit_out, &request, &options, err);
  fn_pool_destroy(request.pool);
  return status;
}

/* JSON to the file that was named; the table, or else JSON, to stdout. */
static fn_status print(const fn_cli *cli, const fn_cli_args *args, const fn_audit_report *report, fn_err *err) {
  const char *path = fn_cli_get(args, "--json");
  bool to_stdout = path && strcmp(path, "-") == 0;
  bool table = fn_cli_get(args, "--table") || (!to_stdout && (path || cli->tty_out));
  FN_AUTO_BUF fn_buf json, text;
  fn_buf_init(&json, (size_t)64 << 20);
  fn_buf_init(&text, (size_t)16 << 20);
  fn_audit_format_json(&json, report);
  fn_print_audit(&text, report, fn_cli_width(STDOUT_FILENO), cli->color && cli->tty_out);
  FN_TRY(fn_buf_check(&json, "the audit", err));
  FN_TRY(fn_buf_check(&text, "the audit", err));
  if (path && !to_stdout) FN_TRY(fn_file_write(path, json.data, json.length, err));
  return fn_cli_print(fn_buf_str(table ? &text : &json), err);
}

/* A sentence for --fail-above. */
static fn_status gate(const fn_audit_report *report, const char *dir, double limit, fn_err *err) {
  if (!(report->worst > limit)) return FN_OK;
  return fn_err_set(err, FN_E_REFUSED, "%s: a single feature (%s of the %s) gives %.3f of balanced accuracy, above %g",
                    dir, fn_audit_kind_name(report->worst_probe->kind), fn_audit_field_name(report->worst_probe->field),
                    report->worst, limit);
}

static fn_status audit(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  const char *limit_text = fn_cli_get(args, "--fail-above");
  double limit = 1;
  if (args->n_rest != 1)
    return fn_err_set(err, FN_E_INVALID, "data audit takes one folder, as written by `fakenews data prepare`");
  if (limit_text && (!fn_str_to_double(&limit, fn_str_from(limit_text)) || !(limit >= 0.5 && limit <= 1)))
    return fn_err_set(err, FN_E_INVALID, "--fail-above: \"%.40s\" is not a balanced accuracy from 0.5 to 1",
                      limit_text);
  fn_audit *done;
  FN_TRY(run_audit(&done, cli, args->rest[0], err));
  const fn_audit_report *report = fn_audit_get_report(done);
  fn_status status = print(cli, args, report, err);
  if (status == FN_OK) status = gate(report, args->rest[0], limit, err);
  fn_audit_destroy(done);
  return status;
}

static const fn_cli_flag flags[] = {
    {.name = "--json",
     .value = "FILE",
     .help = "also write all figures as JSON; - is standard output, in place of the table"},
    {.name = "--table", .help = "a table in a pipe, too (a pipe gets JSON)"},
    {.name = "--fail-above",
     .value = "X",
     .help = "exit code 4 when one feature alone gives a balanced accuracy above X (0.5 to 1) on test"},
    {0},
};

const fn_verb fn_verb_data_audit = {
    .name = "data",
    .sub = "audit",
    .summary = "what gives the label away in a dataset; words, style, publishers, shared rows",
    .usage = "DIR [--json FILE] [--table] [--fail-above X] [key=value …]",
    .flags = flags,
    .takes_rest = true,
    .options = "audit.",
    .examples = "  fakenews data audit data/news\n"
                "  fakenews data audit data/news --json audit.json --fail-above 0.9\n",
    .run = audit,
};
