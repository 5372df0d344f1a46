/* Drives src/data's datasets and batches from tests in other languages.
 *   data_probe write DIR        rows as JSON lines from standard input ("split" and the columns) → a prepared dataset
 * in DIR; prints its hash data_probe dump DIR         the rows of a dataset as JSON lines, in order; last line {"hash":
 * …} data_probe check DIR…       one line per folder: the status name of opening it, a tab, the message data_probe
 * pairs            for each input line "mode n_title n_text text_begin max_tokens" (mode 0 title, 1 text, 2 both) one
 * JSON line: ids, type_ids, positions, truncated, length. Invented ids: [CLS] 1, [SEP] 2, title 1000, 1001, …, text
 * 100000, 100001, … */
#include "data/data.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_LINE = 256 << 20, MAX_IDS = 10000 };

static fn_status parse_split(fn_split *split_out, const char *name, fn_err *err) {
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    if (strcmp(name, fn_split_name((fn_split)s)) == 0) {
      *split_out = (fn_split)s;
      return FN_OK;
    }
  return fn_err_set(err, FN_E_INVALID, "unknown split %s", name);
}

static fn_status append_line(fn_dataset_writer *writer, fn_str line, fn_err *err) {
  static const char *const keys[] = {"split", "title", "text", "dataset", "source", "hash"};
  FN_AUTO_JSON json_t *object = NULL;
  const char *texts[FN_COUNT_OF(keys)];
  int64_t label, cluster, row;
  fn_split split = FN_SPLIT_TRAIN;
  FN_TRY(fn_json_parse(&object, line, "standard input", err));
  for (size_t i = 0; i < FN_COUNT_OF(keys); i++)
    FN_TRY(fn_json_get_string(&texts[i], object, keys[i], NULL, "standard input", err));
  FN_TRY(fn_json_get_int(&label, object, "label", INT32_MIN, INT32_MAX, NULL, "standard input", err));
  FN_TRY(fn_json_get_int(&cluster, object, "cluster", INT64_MIN, INT64_MAX, NULL, "standard input", err));
  FN_TRY(fn_json_get_int(&row, object, "row", INT64_MIN, INT64_MAX, NULL, "standard input", err));
  FN_TRY(parse_split(&split, texts[0], err));
  fn_row made = {.title = fn_str_from(texts[1]),
                 .text = fn_str_from(texts[2]),
                 .dataset = fn_str_from(texts[3]),
                 .source = fn_str_from(texts[4]),
                 .hash = fn_str_from(texts[5]),
                 .label = (int32_t)label,
                 .cluster = cluster,
                 .row = row};
  return fn_dataset_writer_append(writer, split, &made, err);
}

static fn_status write_dataset(const char *dir, fn_err *err) {
  fn_dataset_writer *writer;
  fn_hash128 hash;
  char *line = NULL, digits[33];
  size_t capacity = 0;
  ssize_t length;
  FN_TRY(fn_dataset_writer_create(&writer, dir, err));
  fn_status status = FN_OK;
  while (status == FN_OK && (length = getline(&line, &capacity, stdin)) > 0)
    status = append_line(writer, fn_str_make(line, (size_t)length), err);
  if (status == FN_OK) status = fn_dataset_writer_finish(writer, &hash, err);
  fn_dataset_writer_destroy(writer);
  free(line);
  if (status != FN_OK) return status;
  fn_hash_format(digits, hash);
  printf("%s\n", digits);
  return FN_OK;
}

static fn_status print_row(fn_buf *buf, fn_split split, const fn_row *row, fn_err *err) {
  fn_json_writer json;
  fn_buf_reset(buf);
  fn_json_begin(&json, buf, 0);
  fn_json_object(&json, NULL);
  fn_json_text(&json, "split", fn_split_name(split));
  fn_json_str(&json, "title", row->title);
  fn_json_str(&json, "text", row->text);
  fn_json_int(&json, "label", row->label);
  fn_json_str(&json, "dataset", row->dataset);
  fn_json_str(&json, "source", row->source);
  fn_json_int(&json, "cluster", row->cluster);
  fn_json_int(&json, "row", row->row);
  fn_json_str(&json, "hash", row->hash);
  fn_json_end(&json);
  FN_TRY(fn_buf_check(buf, "a line", err));
  printf("%s\n", buf->data);
  return FN_OK;
}

static fn_status dump_dataset(const char *dir, fn_err *err) {
  fn_dataset *dataset;
  FN_AUTO_BUF fn_buf buf;
  char digits[33];
  FN_TRY(fn_dataset_open(&dataset, dir, err));
  fn_buf_init(&buf, MAX_LINE);
  fn_status status = FN_OK;
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t i = 0; status == FN_OK && i < fn_dataset_n_rows(dataset, (fn_split)s); i++) {
      fn_row row;
      fn_dataset_get(&row, dataset, (fn_split)s, i);
      status = print_row(&buf, (fn_split)s, &row, err);
    }
  fn_hash_format(digits, fn_dataset_hash(dataset));
  printf("{\"hash\": \"%s\"}\n", digits);
  fn_dataset_close(dataset);
  return status;
}

static int check_datasets(int n, char **dirs) {
  for (int i = 0; i < n; i++) {
    fn_err err = {0};
    fn_dataset *dataset = NULL;
    fn_status status = fn_dataset_open(&dataset, dirs[i], &err);
    printf("%s\t%s\n", fn_status_name(status), err.message);
    fn_dataset_close(dataset);
  }
  return 0;
}

static void print_numbers(const char *key, const int32_t *numbers, int32_t n) {
  printf("\"%s\": [", key);
  for (int32_t i = 0; i < n; i++) printf("%s%d", i ? ", " : "", numbers[i]);
  printf("], ");
}

static fn_status print_pairs(fn_err *err) {
  static int32_t title[MAX_IDS], text[MAX_IDS];
  for (int32_t i = 0; i < MAX_IDS; i++) title[i] = 1000 + i, text[i] = 100000 + i;
  const fn_tokenizer_info info = {.vocab_size = 200000, .cls_id = 1, .sep_id = 2};
  fn_batch batch;
  fn_batch_init(&batch);
  char line[256];
  fn_status status = FN_OK;
  while (status == FN_OK && fgets(line, sizeof line, stdin)) {
    long numbers[5];
    char *at = line;
    for (size_t i = 0; i < 5; i++) numbers[i] = strtol(at, &at, 10);
    if (numbers[1] > MAX_IDS || numbers[2] > MAX_IDS) return fn_err_set(err, FN_E_LIMIT, "at most %d ids", MAX_IDS);
    fn_article_ids article = {title, text, (size_t)numbers[1], (size_t)numbers[2]};
    fn_sequence_options options = {(fn_text_mode)numbers[0], (int32_t)numbers[4]};
    fn_batch_reset(&batch);
    status = fn_batch_append(&batch, &info, &article, (size_t)numbers[3], &options, -1, 1, 0, 0, err);
    if (status != FN_OK) break;
    printf("{");
    print_numbers("ids", batch.ids, batch.T);
    print_numbers("type_ids", batch.type_ids, batch.T);
    print_numbers("positions", batch.positions, batch.T);
    printf("\"truncated\": %s, \"length\": %zu}\n", batch.truncated[0] ? "true" : "false",
           fn_sequence_length(&article, (size_t)numbers[3], &options));
  }
  fn_batch_deinit(&batch);
  return status;
}

int main(int argc, char **argv) {
  fn_err err = {0};
  fn_status status;
  if (argc >= 3 && strcmp(argv[1], "check") == 0) return check_datasets(argc - 2, argv + 2);
  if (argc == 3 && strcmp(argv[1], "write") == 0)
    status = write_dataset(argv[2], &err);
  else if (argc == 3 && strcmp(argv[1], "dump") == 0)
    status = dump_dataset(argv[2], &err);
  else if (argc == 2 && strcmp(argv[1], "pairs") == 0)
    status = print_pairs(&err);
  else
    status = fn_err_set(&err, FN_E_INVALID, "usage: data_probe write|dump|check|pairs, see data_probe.c");
  if (status != FN_OK) fprintf(stderr, "data_probe: %s\n", err.message);
  return fn_status_exit_code(status);
}
