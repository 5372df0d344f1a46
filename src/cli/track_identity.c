#include "cli/track_identity.h"

#include "sql/sql.h"
#include "store/store.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_BYTES = 65536 };

typedef struct record {
  json_t *root;
  const char *id, *folder, *parent, *url, *artifacts;
  int64_t start_ms;
} record;

static fn_status read_record(record *r, const char *path, fn_err *err) {
  FN_TRY(fn_json_load(&r->root, path, MAX_BYTES, err));
  FN_TRY(fn_json_get_string(&r->id, r->root, "id", NULL, path, err));
  FN_TRY(fn_json_get_string(&r->folder, r->root, "folder", "", path, err));
  FN_TRY(fn_json_get_string(&r->parent, r->root, "parent", "", path, err));
  FN_TRY(fn_json_get_string(&r->url, r->root, "url", "", path, err));
  FN_TRY(fn_json_get_string(&r->artifacts, r->root, "artifacts", "", path, err));
  FN_TRY(fn_json_get_int(&r->start_ms, r->root, "start_ms", 0, INT64_MAX, NULL, path, err));
  if (!fn_run_id_is_valid(r->id) || (*r->parent && !fn_run_id_is_valid(r->parent)))
    return fn_err_set(err, FN_E_INVALID, "%s: the id has 32 hexadecimal digits", path);
  return FN_OK;
}

/* Whether the folder of before is another one, which is still there and still that run: by its name alone a folder that
 * was moved, or is mounted elsewhere, would look like a copy. */
static bool is_copy(const record *r, const char *folder) {
  struct stat before, now;
  if (!*r->folder || strcmp(r->folder, folder) == 0) return false;
  if (stat(r->folder, &before) != 0 || stat(folder, &now) != 0) return false;
  if (before.st_dev == now.st_dev && before.st_ino == now.st_ino) return false;
  FN_AUTO_FREE char *path = fn_path_join(r->folder, "track/run.json");
  record other = {.root = NULL};
  const bool copy =
      path && fn_path_exists(path) && read_record(&other, path, NULL) == FN_OK && strcmp(other.id, r->id) == 0;
  json_decref(other.root);
  return copy;
}

/* Of a folder that was moved with all that it was in, the old place is no more. One whose run folder is where it was
 * counts even when nothing is there: it was never reached, or is away. */
static fn_status take_place(char **out, const char *place, bool moved, fn_err *err) {
  if (place[0] != '/' || (moved && !fn_path_exists(place))) return FN_OK;
  return (*out = fn_str_dup(fn_str_from(place))) ? FN_OK : fn_err_no_memory(err, "an address");
}

static fn_status take(fn_cli_identity *out, const record *r, const char *folder, fn_err *err) {
  const bool moved = strcmp(r->folder, folder) != 0;
  FN_TRY(take_place(&out->url, r->url, moved, err));
  FN_TRY(take_place(&out->artifacts, r->artifacts, moved, err));
  if (!is_copy(r, folder)) {
    memcpy(out->id, r->id, sizeof out->id);
    snprintf(out->parent, sizeof out->parent, "%s", r->parent);
    out->start_ms = r->start_ms;
    return FN_OK;
  }
  FN_AUTO_FREE char *track = fn_path_join(folder, "track");
  if (!track) return fn_err_no_memory(err, "a path");
  memcpy(out->parent, r->id, sizeof out->parent);
  return fn_dir_remove(track, err);
}

fn_status fn_cli_identity_load(fn_cli_identity *identity_out, const char *folder, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(folder, "track/run.json");
  *identity_out = (fn_cli_identity){.url = NULL};
  if (!path) return fn_err_no_memory(err, "a path");
  if (!fn_path_exists(path)) return FN_OK;
  record r = {.root = NULL};
  fn_status status = read_record(&r, path, err);
  if (status == FN_OK) status = take(identity_out, &r, folder, err);
  json_decref(r.root);
  return status;
}

/* Not for a server: its address may hold a password, and a run folder that came from somebody else is not to say where
 * ours is sent. */
static fn_status keep_path(char **out, const char *path, fn_err *err) {
  char *here = NULL;
  FN_TRY(fn_path_real(&here, ".", err));
  *out = fn_path_join(here, path);
  free(here);
  return *out ? FN_OK : fn_err_no_memory(err, "an address");
}

fn_status fn_cli_identity_save(fn_cli_identity *identity, const char *folder, const char *url, const char *artifacts,
                               const char *experiment, fn_err *err) {
  FN_AUTO_FREE char *track = fn_path_join(folder, "track");
  FN_AUTO_FREE char *path = fn_path_join(folder, "track/run.json");
  FN_AUTO_FREE char *kept_url = NULL;
  FN_AUTO_FREE char *kept_artifacts = NULL;
  fn_sql_kind kind;
  FN_AUTO_BUF fn_buf text;
  fn_json_writer w;
  if (!track || !path) return fn_err_no_memory(err, "a path");
  if (!identity->id[0]) {
    unsigned char random[16];
    FN_TRY(fn_random_bytes(random, sizeof random, err));
    fn_run_id_make(identity->id, random);
    identity->start_ms = fn_clock_unix_ms();
  }
  if (fn_sql_kind_of(&kind, url) && kind == FN_SQL_SQLITE) FN_TRY(keep_path(&kept_url, fn_sql_path(url), err));
  if (!fn_store_is_uri(artifacts)) FN_TRY(keep_path(&kept_artifacts, artifacts, err));
  fn_buf_init(&text, MAX_BYTES);
  fn_json_begin(&w, &text, 2);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "format", 1);
  fn_json_text(&w, "id", identity->id);
  fn_json_int(&w, "start_ms", identity->start_ms);
  fn_json_text(&w, "experiment", experiment);
  fn_json_text(&w, "folder", folder);
  if (identity->parent[0]) fn_json_text(&w, "parent", identity->parent);
  if (kept_url) fn_json_text(&w, "url", kept_url);
  if (kept_artifacts) fn_json_text(&w, "artifacts", kept_artifacts);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&text, path, err));
  FN_TRY(fn_dir_create(track, err));
  return fn_file_write(path, text.data, text.length, err);
}

void fn_cli_identity_deinit(fn_cli_identity *identity) {
  free(identity->url);
  free(identity->artifacts);
  *identity = (fn_cli_identity){.url = NULL};
}
