/* fakenews runs list: trainings that were tracked, chosen and sorted by what they were given and what they measured. */
#include "cli/runs_support.h"

#include <stdlib.h>
#include <unistd.h>

enum { DEFAULT_MAX = 1000, MAX_COLUMNS = 16 };

/* Of the model that is kept; of a training that has none yet the last ones of val/…. */
static const char *const usual_columns[] = {"metrics.kept/loss", "metrics.kept/f1_weighted", "metrics.kept/roc_auc"};
static const char *const last_columns[] = {"metrics.val/loss", "metrics.val/f1_weighted", "metrics.val/roc_auc"};

enum { NARROW = 60 };

typedef struct listing {
  bool json, narrow; /* narrow: a run's whole name does not fit */
  bool of_experiment;
  fn_buf out;
  fn_arena arena;
  fn_table table;
  const char *columns[MAX_COLUMNS];
  size_t n_columns, n;
} listing;

/* What a column shows of a run. */
static const char *value_of(char out[32], const char *column, const fn_run_view *run) {
  const char *dot = strchr(column, '.');
  const fn_run_info *info = &run->info;
  if (strncmp(column, "metric", 6) == 0 && dot) {
    const fn_run_metric *m = fn_runs_metric(run, dot + 1);
    for (size_t i = 0; !m && i < FN_COUNT_OF(usual_columns); i++)
      if (column == usual_columns[i]) m = fn_runs_metric(run, strchr(last_columns[i], '.') + 1);
    return m ? fn_runs_number(out, m->last) : "";
  }
  const char *value = NULL;
  if (strncmp(column, "param", 5) == 0 && dot) value = fn_runs_pair(run->params, run->n_params, dot + 1);
  if (strncmp(column, "tag", 3) == 0 && dot) value = fn_runs_pair(run->tags, run->n_tags, dot + 1);
  if (value) return value;
  const char *name = dot && strncmp(column, "attr", 4) == 0 ? dot + 1 : column;
  if (strcmp(name, "user_id") == 0 || strcmp(name, "user") == 0) return info->user;
  if (strcmp(name, "experiment") == 0) return info->experiment_name;
  if (strcmp(name, "folder") == 0) return info->folder;
  if (strcmp(name, "parent") == 0) return info->parent;
  if (strcmp(name, "run_id") == 0) return info->id;
  if (strcmp(name, "end_time") == 0) return fn_runs_time(out, info->end_ms);
  return "";
}

static fn_status list_run(void *arg, const fn_run_view *run, fn_err *err) {
  listing *l = arg;
  char text[32], id[9];
  l->n++;
  if (l->json) {
    fn_json_writer w;
    fn_json_begin(&w, &l->out, 0);
    fn_runs_json(&w, NULL, run);
    fn_buf_append_char(&l->out, '\n');
    return FN_OK;
  }
  snprintf(id, sizeof id, "%.8s", run->info.id);
  FN_TRY(fn_table_cell(&l->table, id, err));
  FN_TRY(fn_table_cell(&l->table, l->narrow ? fn_runs_given_name(run->info.name) : run->info.name, err));
  FN_TRY(fn_table_cell(&l->table, fn_run_status_names[run->info.status], err));
  for (size_t i = 0; i < l->n_columns; i++) FN_TRY(fn_table_cell(&l->table, value_of(text, l->columns[i], run), err));
  FN_TRY(fn_table_cell(&l->table, fn_runs_took(text, &run->info), err));
  return fn_table_cell(&l->table, fn_runs_time(text, run->info.start_ms), err);
}

static fn_status check_column(const char *column, fn_err *err) {
  static const char *const kinds[] = {"metric", "param", "tag"};
  static const char *const plain[] = {"user", "user_id", "experiment", "folder", "parent", "run_id", "end_time"};
  const bool has_dot = strchr(column, '.') != NULL;
  for (size_t i = 0; has_dot && i < FN_COUNT_OF(kinds); i++)
    if (strncmp(column, kinds[i], strlen(kinds[i])) == 0) return FN_OK;
  const char *name = has_dot && strncmp(column, "attr", 4) == 0 ? strchr(column, '.') + 1 : column;
  for (size_t i = 0; i < FN_COUNT_OF(plain); i++)
    if (strcmp(name, plain[i]) == 0) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "--columns: \"%.80s\" is none; metrics.%.80s, params.%.80s or tags.%.80s is meant, or one of "
                    "experiment, user, folder, parent, run_id, end_time",
                    column, column, column, column);
}

/* Words of all --columns, parted by commas. */
static fn_status read_columns(listing *l, const fn_cli_args *args, fn_err *err) {
  size_t n = 0;
  const char *const *given = fn_cli_get_all(args, "--columns", &n);
  for (size_t i = 0; i < n; i++)
    for (const char *at = given[i]; *at;) {
      const size_t length = strcspn(at, ",");
      if (l->n_columns == MAX_COLUMNS)
        return fn_err_set(err, FN_E_LIMIT, "--columns: %d columns at most", (int)MAX_COLUMNS);
      if (length) l->columns[l->n_columns++] = fn_arena_strndup(&l->arena, at, length);
      if (length && !l->columns[l->n_columns - 1]) return fn_err_no_memory(err, "--columns");
      if (length) FN_TRY(check_column(l->columns[l->n_columns - 1], err));
      at += length + (at[length] == ',');
    }
  for (size_t i = 0; n == 0 && i < FN_COUNT_OF(usual_columns); i++) l->columns[l->n_columns++] = usual_columns[i];
  return FN_OK;
}

/* Times stand last: they go first on a narrow terminal. */
static void begin_table(listing *l) {
  fn_table_init(&l->table, &l->arena);
  fn_table_column(&l->table, "run", false);
  fn_table_column(&l->table, "name", false);
  fn_table_column(&l->table, "status", false);
  for (size_t i = 0; i < l->n_columns; i++) {
    const char *dot = strchr(l->columns[i], '.');
    fn_table_column(&l->table, dot ? dot + 1 : l->columns[i], strncmp(l->columns[i], "metric", 6) == 0);
  }
  fn_table_column(&l->table, "took", true);
  fn_table_column(&l->table, "started (UTC)", false);
}

/* Columns that the search has to fetch: those with a kind before the dot. */
static size_t stored_columns(const char **out, const listing *l) {
  size_t n = 0;
  for (size_t i = 0; i < l->n_columns; i++)
    if (strncmp(l->columns[i], "metric", 6) == 0 || strncmp(l->columns[i], "param", 5) == 0 ||
        strncmp(l->columns[i], "tag", 3) == 0)
      out[n++] = l->columns[i];
  for (size_t i = 0; i < FN_COUNT_OF(last_columns) && n > 0 && out[0] == usual_columns[0]; i++)
    out[FN_COUNT_OF(usual_columns) + i] = last_columns[i];
  return n > 0 && out[0] == usual_columns[0] ? n + FN_COUNT_OF(last_columns) : n;
}

static fn_status search(listing *l, const fn_cli *cli, const fn_cli_args *args, int64_t max, fn_err *err) {
  const char *columns[MAX_COLUMNS];
  size_t n_given = 0;
  fn_run_query query = {
      .filter = fn_cli_get(args, "--filter"), .max = (size_t)max, .deleted = fn_cli_get(args, "--deleted") != NULL};
  query.order_by = fn_cli_get_all(args, "--order-by", &query.n_order_by);
  query.experiments = fn_cli_get_all(args, "--experiment", &query.n_experiments);
  (void)fn_cli_get_all(args, "--columns", &n_given);
  if (!l->json || n_given) {
    query.n_columns = stored_columns(columns, l);
    query.columns = columns;
    query.bare = query.n_columns == 0;
  }
  fn_cli_runs runs;
  FN_TRY(fn_cli_runs_open(&runs, cli, FN_CLI_OPEN_READ, err));
  const fn_status status = fn_tracking_search(runs.tracking, &query, list_run, l, err);
  fn_cli_runs_close(&runs);
  return status;
}

static fn_status print(listing *l, const fn_cli *cli, int64_t max, fn_err *err) {
  if (!l->json && l->n)
    fn_table_format(&l->out, &l->table, cli->tty_out ? (size_t)fn_cli_width(STDOUT_FILENO) : SIZE_MAX, 3, 1,
                    cli->color && cli->tty_out);
  FN_TRY(fn_buf_check(&l->out, "runs", err));
  FN_TRY(fn_cli_print(fn_buf_str(&l->out), err));
  if (l->n == 0)
    fn_cli_note(cli, "no run fits; %s",
                l->of_experiment ? "`fakenews runs list --columns experiment` shows which experiments there are"
                                 : "`fakenews runs show latest` shows how metrics, parameters and tags are named");
  if (max && l->n == (size_t)max) fn_cli_note(cli, "the first %lld runs; --max N shows more", (long long)max);
  return FN_OK;
}

static fn_status list(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  int64_t max = DEFAULT_MAX;
  const char *given = fn_cli_get(args, "--max");
  if (given && (!fn_str_to_int64(&max, fn_str_from(given)) || max < 0 || max > 1000000))
    return fn_err_set(err, FN_E_INVALID, "--max takes a number of runs up to 1000000 (0: all), not \"%.40s\"", given);
  listing l = {.json = fn_cli_get(args, "--json") != NULL || !cli->tty_out,
               .narrow = fn_cli_width(STDOUT_FILENO) < NARROW,
               .of_experiment = fn_cli_get(args, "--experiment") != NULL};
  fn_buf_init(&l.out, 0);
  fn_arena_init(&l.arena);
  fn_status status = read_columns(&l, args, err);
  begin_table(&l);
  if (status == FN_OK) status = search(&l, cli, args, max, err);
  if (status == FN_OK) status = print(&l, cli, max, err);
  fn_table_deinit(&l.table);
  fn_arena_deinit(&l.arena);
  fn_buf_deinit(&l.out);
  return status;
}

static const fn_cli_flag list_flags[] = {
    {.name = "--filter",
     .value = "F",
     .help = "MLflow's search syntax: \"metrics.kept/loss < 0.3 and params.family = 'bert'\""},
    {.name = "--order-by",
     .value = "FIELD [DESC]",
     .help = "\"metrics.kept/loss\", \"start_time DESC\"; default: the newest first",
     .repeats = true},
    {.name = "--experiment", .value = "NAME", .help = "only runs of these experiments", .repeats = true},
    {.name = "--columns",
     .value = "FIELD,…",
     .help = "what is shown beside id, name, status and times: metrics.NAME (its last value), params.NAME, tags.NAME, "
             "experiment, user, folder, parent",
     .repeats = true},
    {.name = "--max", .value = "N", .help = "runs at most; default 1000, 0: all"},
    {.name = "--deleted", .help = "those that were removed by `runs rm` too"},
    {.name = "--json", .help = "a JSON object a line; the default where stdout is no terminal"},
    {0},
};

const fn_verb fn_verb_runs_list = {
    .name = "runs",
    .sub = "list",
    .summary = "trainings, filtered and sorted by parameters and metrics",
    .usage = "[--filter F] [--order-by FIELD …] [--experiment NAME …] [--columns FIELD,…] [--max N] [key=value …]",
    .flags = list_flags,
    .options = "track.url track.artifacts",
    .examples = "  fakenews runs list\n"
                "  fakenews runs list --filter \"metrics.kept/loss < 0.3 and status = 'FINISHED'\"\n"
                "  fakenews runs list --order-by \"metrics.kept/roc_auc DESC\" --columns params.train.learning_rate\n",
    .run = list,
};
