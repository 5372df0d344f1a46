/* Where the files of runs and versions lie: trainings with different settings of track.artifacts share one database. */
#include "track/tracking_internal.h"

#include <stdlib.h>

fn_status fn_track_place(char **out, const char *artifacts, fn_err *err) {
  FN_AUTO_FREE char *here = NULL;
  if (strncmp(artifacts, "file:///", 8) == 0) artifacts += 7;
  if (!fn_store_is_uri(artifacts)) {
    if (fn_path_real(out, artifacts, NULL) == FN_OK) return FN_OK;
    FN_TRY(fn_path_real(&here, ".", err)); /* a folder that is not made yet */
  }
  size_t n = strlen(artifacts);
  while (n > 1 && artifacts[n - 1] == '/') n--;
  FN_AUTO_FREE char *bare = fn_str_dup(fn_str_make(artifacts, n));
  if (!bare) return fn_err_no_memory(err, "a path");
  *out = here ? fn_path_join(here, bare) : FN_STEAL(bare);
  return *out ? FN_OK : fn_err_no_memory(err, "a path");
}

/* A bucket is the same from everywhere, and a folder below that of the SQLite file moves and is copied with it: "./…".
 * Other paths are those of this machine. */
static fn_status find_name(char **out, bool *is_local, fn_tracking *t, fn_err *err) {
  FN_AUTO_FREE char *place = NULL;
  FN_TRY(fn_track_place(&place, t->artifacts, err));
  const size_t n = t->folder ? strlen(t->folder) : 0;
  const bool is_beside = n > 0 && strncmp(place, t->folder, n) == 0 && place[n] == '/';
  *is_local = !is_beside && !fn_store_is_uri(place);
  *out = is_beside ? fn_path_join(".", place + n + 1) : FN_STEAL(place);
  return *out ? FN_OK : fn_err_no_memory(err, "a path");
}

fn_status fn_tracking_place_id(int64_t *id_out, fn_tracking *t, fn_err *err) {
  static const char select[] = "SELECT id FROM places WHERE host = $1 AND uri = $2";
  FN_AUTO_FREE char *uri = NULL;
  bool is_local = false;
  int64_t id = 0;
  if (t->place_id) return *id_out = t->place_id, FN_OK;
  FN_TRY(find_name(&uri, &is_local, t, err));
  if (!fn_utf8_valid(fn_str_from(uri), NULL)) return *id_out = 0, FN_OK; /* no database takes it: not known */
  const fn_sql_value values[] = {fn_sql_text(is_local ? t->self.host : ""), fn_sql_text(uri)};
  FN_TRY(fn_sql_query(t->sql, select, values, 2, fn_sql_take_int, &id, err));
  if (id == 0) {
    FN_TRY(fn_sql_run(t->sql, "INSERT INTO places (host, uri) VALUES ($1, $2) ON CONFLICT (host, uri) DO NOTHING",
                      values, 2, NULL, err));
    FN_TRY(fn_sql_query(t->sql, select, values, 2, fn_sql_take_int, &id, err));
  }
  *id_out = t->place_id = id;
  return FN_OK;
}

static fn_status open_store(fn_store **store, const fn_tracking *t, const char *uri, fn_err *err) {
  static const fn_store_options none = {.net = NULL};
  return *store ? FN_OK : fn_store_open(store, uri, t->store_options ? t->store_options : &none, err);
}

fn_status fn_tracking_open_store(fn_tracking *t, fn_err *err) {
  return open_store(&t->store, t, t->artifacts, err);
}

fn_status fn_tracking_elsewhere(char **place_out, const fn_tracking *t, const fn_artifact *a, fn_err *err) {
  FN_AUTO_FREE char *own = NULL;
  FN_AUTO_FREE char *place = NULL;
  *place_out = NULL;
  if (!a->place) return FN_OK;
  const bool is_beside = strncmp(a->place, "./", 2) == 0 && t->folder;
  place = is_beside ? fn_path_join(t->folder, a->place + 2) : fn_str_dup(fn_str_from(a->place));
  if (!place) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_track_place(&own, t->artifacts, err));
  if (strcmp(own, place) != 0) *place_out = FN_STEAL(place);
  return FN_OK;
}

static bool is_of_other_machine(const fn_tracking *t, const fn_artifact *a) {
  return a->host && *a->host && strcmp(a->host, t->self.host) != 0;
}

/* The same path may be another folder on another machine, or one that both share: what lies there tells. */
static fn_status remove_there(fn_tracking *t, const fn_artifact *a, const char *place, const char *key, fn_err *err) {
  fn_store_entry entry;
  if (t->other && strcmp(fn_store_uri(t->other), place) != 0) {
    fn_store_close(t->other);
    t->other = NULL;
  }
  fn_status status = FN_OK;
  const bool is_missing = !fn_store_is_uri(place) && !fn_path_is_dir(place);
  if (!is_missing) FN_TRY(open_store(&t->other, t, place, err));
  if (!is_missing && is_of_other_machine(t, a)) status = fn_store_stat(&entry, t->other, key, err);
  if (is_missing || status == FN_E_NOT_FOUND)
    return fn_err_set(err, FN_E_NOT_FOUND,
                      "%s was put into %.1000s of the machine %s, and is not to be found there from "
                      "here: give the command there",
                      a->path, place, a->host && *a->host ? a->host : t->self.host);
  FN_TRY(status);
  return fn_store_remove(t->other, key, err);
}

/* The store of files may have been moved since, or copied with its database: what lies in the one that is named now is
 * removed there, and only what does not from where it was put. */
fn_status fn_tracking_remove_content(fn_tracking *t, const fn_artifact *a, const char *key, fn_err *err) {
  FN_AUTO_FREE char *place = NULL;
  fn_store_entry entry;
  fn_err why = {0};
  FN_TRY(fn_tracking_open_store(t, err));
  FN_TRY(fn_tracking_elsewhere(&place, t, a, err));
  const bool is_elsewhere = place && fn_store_stat(&entry, t->store, key, &why) == FN_E_NOT_FOUND;
  if (!is_elsewhere && (!is_of_other_machine(t, a) || place)) return fn_store_remove(t->store, key, err);
  return remove_there(t, a, place ? place : a->place, key, err);
}
