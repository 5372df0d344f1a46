/* What W&B's package refuses as a run begins (wandb_settings.py): here it would come to light when `wandb sync` fails.
 */
#include "wandb/internal.h"

enum { MAX_ID = 128, MAX_PROJECT = 128, MAX_TAG = 64 };

const char *fn_wandb_project(const fn_wandb_sink_options *o) {
  const char *experiment = o->run ? o->run->experiment_name : NULL;
  return o->project ? o->project : experiment && strcmp(experiment, "Default") != 0 ? experiment : "fakenews";
}

/* Code points, of UTF-8; a byte that is none counts as one. */
static size_t count_characters(const char *text) {
  size_t n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
  return n;
}

static bool has_control(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text < ' ' || *text == 0x7F) return true;
  return false;
}

static fn_status check_id(const char *id, fn_err *err) {
  const size_t n = strlen(id);
  if (n > 0 && n <= MAX_ID && fn_str_trim(fn_str_from(id)).length == n && !strpbrk(id, ":;,#?/'") && !has_control(id))
    return FN_OK;
  return fn_err_set(
      err, FN_E_INVALID,
      "WANDB_RUN_ID: W&B's id of a run has 1 to %d bytes, no blanks at its ends, and none of : ; , # ? / ' "
      "in it, unlike \"%.140s\"",
      MAX_ID, id);
}

static fn_status check_project(const fn_wandb_sink_options *o, fn_err *err) {
  const char *project = fn_wandb_project(o);
  if (count_characters(project) <= MAX_PROJECT && !strpbrk(project, "/\\#?%:") && !has_control(project)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "%s: a project of W&B has 1 to %d characters and none of / \\ # ? %% : in it, unlike \"%.140s\"%s",
                    o->project ? "WANDB_PROJECT" : "track.experiment", MAX_PROJECT, project,
                    o->project ? "" : "; name one by WANDB_PROJECT");
}

fn_status fn_wandb_check(const fn_wandb_sink_options *o, fn_err *err) {
  if (o->id) FN_TRY(check_id(o->id, err));
  FN_TRY(check_project(o, err));
  for (size_t i = 0; i < o->n_tags; i++)
    if (count_characters(o->tags[i]) > MAX_TAG)
      return fn_err_set(err, FN_E_INVALID, "WANDB_TAGS: a tag of W&B has 1 to %d characters, unlike \"%.100s\"",
                        MAX_TAG, o->tags[i]);
  return FN_OK;
}
