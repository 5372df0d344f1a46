/* fakenews data download: progress and remarks on stderr, the paths of the files on stdout. */
#include "cli/cli.h"
#include "cli/transfer.h"
#include "data/fetch.h"
#include "data/input.h"

#include <stdlib.h>

enum { MAX_INPUTS = 4 };

/* A path as a shell takes it. */
static void append_argument(fn_buf *out, const char *path) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+,@%";
  if (path[0] && path[0] != '-' && path[strspn(path, plain)] == 0) {
    fn_buf_append_str(out, path);
    return;
  }
  fn_buf_append_char(out, '\'');
  for (; *path; path++) {
    if (*path == '\'')
      fn_buf_append_str(out, "'\\''");
    else
      fn_buf_append_char(out, *path);
  }
  fn_buf_append_char(out, '\'');
}

/* True for what `data prepare` reads. */
static bool is_table(const char *name) {
  static const char *const endings[] = {".csv", ".jsonl", ".ndjson"}, *const packed[] = {"", ".gz", ".zst"};
  for (size_t i = 0; i < FN_COUNT_OF(endings); i++)
    for (size_t k = 0; k < FN_COUNT_OF(packed); k++) {
      char ending[16];
      const int n = snprintf(ending, sizeof ending, "%s%s", endings[i], packed[k]);
      const size_t length = strlen(name);
      if (length > (size_t)n && fn_str_equal_nocase(fn_str_from(name + length - n), fn_str_from(ending))) return true;
    }
  return false;
}

/* Settings that are still to be filled in: columns that this file does not have under the usual names. */
static void append_columns(fn_buf *out, const char *path) {
  fn_input *input;
  if (fn_input_open(&input, path, NULL, NULL) != FN_OK) return;
  fn_input_row row;
  bool more;
  fn_err ignored = {0};
  const bool read = fn_input_next(&row, &more, input, &ignored) == FN_OK;
  static const char *const names[] = {"title", "text", "label"};
  size_t index, n = 0;
  for (size_t i = 0; i < FN_COUNT_OF(names) && read; i++)
    if (!fn_input_find(&index, input, names[i])) fn_buf_printf(out, " data.columns.%s=…", names[i]), n++;
  size_t n_columns;
  const fn_str *columns = fn_input_columns(input, &n_columns);
  if (n) fn_buf_append_str(out, "\n      its columns are: ");
  for (size_t i = 0; i < n_columns && n && i < 20; i++) {
    if (i) fn_buf_append_str(out, ", ");
    fn_print_line(out, columns[i], 40);
  }
  fn_input_close(input);
}

/* The command that goes on from here. */
static void append_next(fn_buf *out, const fn_fetch_result *r, const char *folder) {
  const fn_receipt *receipt = &r->download.receipt;
  FN_AUTO_FREE char *prepared = fn_path_join(folder, "prepared");
  size_t n = 0;
  char *first = NULL;
  fn_buf_append_str(out, "next: fakenews data prepare --input");
  for (size_t i = 0; i < receipt->n_files && n < (r->file ? 1 : MAX_INPUTS); i++) {
    char *path = r->file ? fn_str_dup(fn_str_from(r->file)) : fn_path_join(folder, receipt->files[i].name);
    const bool take = path && (r->file || is_table(path));
    if (take) {
      fn_buf_append_char(out, ' ');
      append_argument(out, path);
      n++;
    }
    if (take && !first)
      first = path;
    else
      free(path);
  }
  fn_buf_append_str(out, " --out ");
  append_argument(out, prepared ? prepared : "prepared");
  if (r->order == FN_LABEL_ORDER_FAKE_0) fn_buf_append_str(out, " 'data.label_map={0:fake,1:real}'");
  if (first && !r->file) append_columns(out, first);
  fn_buf_append_char(out, '\n');
  free(first);
  if (n == 0) fn_buf_reset(out); /* nothing that it reads */
}

static void append_labels(fn_buf *out, const fn_fetch_result *r) {
  fn_print_count(out, r->counts.n[0]);
  fn_buf_append_str(out, " rows have label 0, ");
  fn_print_count(out, r->counts.n[1]);
  fn_buf_append_str(out, " label 1; published are ");
  fn_print_count(out, r->set->n_real);
  fn_buf_append_str(out, " real and ");
  fn_print_count(out, r->set->n_fake);
  const bool usual = r->order == FN_LABEL_ORDER_REAL_0;
  fn_buf_printf(out, " fake: 0 = %s, 1 = %s\n", usual ? "real" : "fake", usual ? "fake" : "real");
}

/* What was done and what comes next, on stderr. */
static fn_status explain(const fn_cli_transfer *s, const fn_fetch_result *r, const char *folder, double seconds,
                         fn_err *err) {
  const fn_receipt *receipt = &r->download.receipt;
  FN_AUTO_BUF fn_buf text;
  FN_AUTO_BUF fn_buf next;
  fn_buf_init(&text, 1 << 20);
  fn_buf_init(&next, 1 << 20);
  char size[32], time[32];
  fn_cli_size_text(size, receipt->size_bytes);
  if (r->download.already)
    fn_buf_printf(&text, "complete since an earlier call, nothing was fetched; --replace fetches it again\n");
  else
    fn_buf_printf(&text, "%s in %s\n", size, fn_cli_duration(time, seconds));
  fn_buf_printf(&text, "md5 %s\nsha256 %s\n", receipt->digests.md5, receipt->digests.sha256);
  if (r->set) append_labels(&text, r);
  append_next(&next, r, folder);
  if (next.length) fn_buf_append(&text, next.data, next.length);
  FN_TRY(fn_buf_check(&next, "the next step", err));
  FN_TRY(fn_buf_check(&text, "the summary", err));
  if (!s->cli->quiet) fputs(text.data, stderr);
  return FN_OK;
}

static fn_status print_paths(const fn_receipt *receipt, const char *folder, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, (size_t)256 << 20);
  for (size_t i = 0; i < receipt->n_files; i++) {
    FN_AUTO_FREE char *path = fn_path_join(folder, receipt->files[i].name);
    if (!path) return fn_err_no_memory(err, "paths");
    fn_buf_printf(&text, "%s\n", path);
  }
  FN_TRY(fn_buf_check(&text, "paths", err));
  return fn_cli_print(fn_buf_str(&text), err);
}

static fn_status run(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  if (args->n_rest != 1)
    return fn_err_set(err, FN_E_INVALID, "data download takes one of welfake, kaggle:OWNER/NAME or an address");
  fn_net_options options;
  FN_TRY(fn_config_fill(&options, cli->config, &fn_net_option_table, err));
  fn_cli_transfer s = {.cli = cli, .begin_ns = fn_clock_ns()};
  const char *folder = fn_cli_get(args, "--out");
  const fn_fetch_request request = {.what = args->rest[0],
                                    .folder = folder,
                                    .name = fn_cli_get(args, "--name"),
                                    .md5 = fn_cli_get(args, "--md5"),
                                    .sha256 = fn_cli_get(args, "--sha256"),
                                    .replace = fn_cli_get(args, "--replace") != NULL,
                                    .kaggle_folder = cli->kaggle,
                                    .agent = "fakenews/" FN_VERSION,
                                    .now_ms = fn_clock_unix_ms(),
                                    .sink = fn_cli_transfer_sink(&s)};
  const uint64_t begin = fn_clock_ns();
  fn_fetch_result result;
  fn_status status = fn_fetch_run(&result, &request, &options, err);
  fn_cli_progress_end(cli);
  FN_TRY(status);
  status = explain(&s, &result, folder, (double)(fn_clock_ns() - begin) / 1e9, err);
  if (status == FN_OK) status = print_paths(&result.download.receipt, folder, err);
  fn_fetch_result_deinit(&result);
  return status;
}

static const fn_cli_flag flags[] = {
    {.name = "--out", .value = "DIR", .help = "folder for the files; made when it is not there", .required = true},
    {.name = "--name", .value = "FILE", .help = "name of the file; default: what the server or the address says"},
    {.name = "--md5", .value = "HEX", .help = "checksum that the file must have; welfake brings its own"},
    {.name = "--sha256", .value = "HEX", .help = "the same, SHA-256"},
    {.name = "--replace", .help = "fetch again what is there, and overwrite files of the same names"},
    {0},
};

const fn_verb fn_verb_data_download = {
    .name = "data",
    .sub = "download",
    .summary = "fetch a public set; WELFake from Zenodo, a dataset of Kaggle, or any address",
    .usage =
        "welfake|kaggle:OWNER/NAME|URL --out DIR [--name FILE] [--md5 HEX] [--sha256 HEX] [--replace] [key=value …]",
    .flags = flags,
    .options = "net.",
    .takes_rest = true,
    .examples = "  fakenews data download welfake --out data/raw\n"
                "  fakenews data download kaggle:saurabhshahane/fake-news-classification --out data/raw\n"
                "  fakenews data download https://example.org/news.csv.gz --out data/raw --sha256 9f86d081…\n",
    .run = run,
};
