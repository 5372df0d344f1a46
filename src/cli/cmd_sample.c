/* fakenews data sample */
#include "cli/loading.h"
#include "data/sample.h"

static fn_status parse_number(int64_t *out, const char *flag, const char *text, fn_err *err) {
  if (text && (!fn_str_to_int64(out, fn_str_from(text)) || *out < 0))
    return fn_err_set(err, FN_E_INVALID, "%s takes a whole number from 0, not \"%.40s\"", flag, text);
  return FN_OK;
}

static fn_status write_sample(const fn_buf *text, const char *path, fn_err *err) {
  if (!path || strcmp(path, "-") == 0) return fn_cli_print(fn_buf_str(text), err);
  return fn_file_write(path, text->data, text->length, err);
}

static fn_status sample(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  (void)cli;
  int64_t n = 200, seed = 0;
  fn_split split = FN_SPLIT_TEST;
  const char *name = fn_cli_get(args, "--split");
  if (args->n_rest != 1)
    return fn_err_set(err, FN_E_INVALID, "data sample takes one folder, as written by `fakenews data prepare`");
  FN_TRY(parse_number(&n, "--n", fn_cli_get(args, "--n"), err));
  FN_TRY(parse_number(&seed, "--seed", fn_cli_get(args, "--seed"), err));
  if (name) FN_TRY(fn_cli_parse_split(&split, name, err));
  fn_dataset *dataset;
  FN_TRY(fn_dataset_open(&dataset, args->rest[0], err));
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  fn_status status = fn_sample_format_csv(&text, dataset, split, (size_t)n, (uint64_t)seed, err);
  if (status == FN_OK) status = write_sample(&text, fn_cli_get(args, "--out"), err);
  fn_dataset_close(dataset);
  return status;
}

static const fn_cli_flag flags[] = {
    {.name = "--n", .value = "N", .help = "how many (default: 200); more than the split holds is an error"},
    {.name = "--split", .value = "NAME", .help = "train, validation or test (default: test)"},
    {.name = "--seed", .value = "N", .help = "another seed draws other rows (default: 0)"},
    {.name = "--out",
     .value = "FILE",
     .help = "write to FILE, which appears when it is whole (default: standard output)"},
    {0},
};

const fn_verb fn_verb_data_sample = {
    .name = "data",
    .sub = "sample",
    .summary = "some rows of a dataset as CSV, both labels in their shares",
    .usage = "DIR [--n N] [--split NAME] [--seed N] [--out FILE]",
    .flags = flags,
    .takes_rest = true,
    .examples = "  fakenews data sample data/news --n 50 --out look.csv\n",
    .run = sample,
};
