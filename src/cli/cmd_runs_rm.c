/* fakenews runs rm: hides runs, or removes them for good. */
#include "cli/runs_support.h"

typedef char run_id[FN_RUN_ID_LENGTH];

/* All are looked up before one is removed: "latest" would be another one then, and a name that is none changes nothing.
 */
static fn_status find_all(run_id *ids, size_t *n_out, fn_tracking *tracking, const fn_cli_args *args, fn_err *err) {
  size_t n = 0;
  for (size_t i = 0; i < args->n_rest; i++) {
    size_t k = 0;
    FN_TRY(fn_tracking_find(ids[n], tracking, args->rest[i], err));
    while (strcmp(ids[k], ids[n]) != 0) k++;
    if (k == n) n++;
  }
  *n_out = n;
  return FN_OK;
}

static fn_status remove_run(const fn_cli *cli, fn_tracking *tracking, const char *id, bool purge, bool leave,
                            bool restore, fn_err *err) {
  if (purge) FN_TRY(leave ? fn_tracking_forget(tracking, id, err) : fn_tracking_purge(tracking, id, err));
  if (!purge) FN_TRY(fn_tracking_set_deleted(tracking, id, !restore, err));
  if (!purge && !restore)
    fn_cli_note(cli, "%.12s is hidden; `fakenews runs rm %.12s --restore` brings it back, --purge removes it for good",
                id, id);
  else
    fn_cli_note(cli, "%.12s is %s", id,
                leave   ? "gone; its stored files stay where they are"
                : purge ? "gone, with the files that no other run or version has"
                        : "back");
  return FN_OK;
}

static fn_status rm(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  const bool purge = fn_cli_get(args, "--purge") != NULL, restore = fn_cli_get(args, "--restore") != NULL;
  const bool leave = fn_cli_get(args, "--leave-files") != NULL;
  if (args->n_rest == 0 || (purge && restore) || (leave && !purge))
    return fn_err_set(err, FN_E_INVALID,
                      "runs rm takes runs (ids or their first digits, names, folders), and at most one of "
                      "--purge (with or without --leave-files) and --restore");
  fn_cli_runs runs;
  size_t n = 0;
  FN_AUTO_FREE run_id *ids = fn_mem_alloc(args->n_rest, sizeof *ids);
  if (ids == NULL) return fn_err_no_memory(err, "runs");
  FN_TRY(fn_cli_runs_open(&runs, cli, FN_CLI_OPEN_CHANGE, err));
  fn_status status = find_all(ids, &n, runs.tracking, args, err);
  for (size_t i = 0; i < n && status == FN_OK; i++)
    status = remove_run(cli, runs.tracking, ids[i], purge, leave, restore, err);
  fn_cli_runs_close(&runs);
  return status;
}

static const fn_cli_flag rm_flags[] = {
    {.name = "--purge", .help = "for good, with the files that nothing else refers to; run folders of trainings stay"},
    {.name = "--leave-files",
     .help = "with --purge: the stored files stay, where their folder or bucket cannot be reached"},
    {.name = "--restore", .help = "brings hidden runs back"},
    {0},
};

const fn_verb fn_verb_runs_rm = {
    .name = "runs",
    .sub = "rm",
    .summary = "hide runs, or remove them for good; refused while a registered version comes of one",
    .usage = "RUN … [--purge [--leave-files]|--restore] [key=value …]",
    .flags = rm_flags,
    .options = "track.url track.artifacts",
    .takes_rest = true,
    .examples = "  fakenews runs rm 3f2a91c4\n"
                "  fakenews runs rm 3f2a91c4 --purge\n",
    .run = rm,
};
