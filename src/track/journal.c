#include "track/journal.h"

#include "base/lock.h"
#include "track/journal_line.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION = 1, READ_BYTES = 1 << 20, COMPACT_BYTES = 4 << 20, N_SLOTS = 4096, MAX_STATE = 64 * 1024 };

struct fn_journal {
  char *folder, *path, *sent_path;
  json_t *head_json;
  fn_journal_head head;
  fn_journal_remote remote;
  const char *mended; /* NULL: nothing was damaged */
  uint64_t max_bytes;
  int lock, file;
  pthread_mutex_t mutex;            /* what follows */
  uint64_t size, head_size, offset; /* bytes of the file, of its first line, of what has arrived */
  uint64_t generation, n_waiting, n_thinned, n_lost;
  bool torn;   /* half a line may stand at the end of the file */
  fn_buf held; /* lines */
  uint64_t n_held;
  bool reads_held; /* what was read last is the beginning of what is held, unless held_round was counted on since */
  uint64_t held_round, read_round;
  bool unsaved; /* NAME.sent is behind what has arrived */
  /* Points since they are thinned, of the key that came last of those that share a slot: another one begins anew, for
   * its first point (test/…, kept/…) may be its only one. */
  struct {
    uint32_t key, n;
  } seen[N_SLOTS];
};

static fn_status check_version(const json_t *object, const char *path, fn_err *err) {
  const json_t *version = json_object_get(object, "version");
  if (!json_is_integer(version) || json_integer_value(version) <= VERSION) return FN_OK;
  return fn_err_set(err, FN_E_UNSUPPORTED,
                    "%s: was written by a newer program: it has version %lld, this program reads %d", path,
                    (long long)json_integer_value(version), VERSION);
}

/* ---- NAME.sent ---- */

static fn_status save_locked(fn_journal *j, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_STATE);
  fn_json_writer w;
  fn_json_begin(&w, &text, 0);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "version", VERSION);
  fn_json_int(&w, "generation", (int64_t)j->generation);
  fn_json_int(&w, "offset", (int64_t)j->offset);
  if (j->remote.uri) fn_json_text(&w, "uri", j->remote.uri);
  if (j->remote.run_id) fn_json_text(&w, "run_id", j->remote.run_id);
  if (j->remote.artifact_uri) fn_json_text(&w, "artifact_uri", j->remote.artifact_uri);
  fn_json_int(&w, "rejected", j->remote.n_rejected);
  if (*j->remote.status) fn_json_text(&w, "status", j->remote.status);
  fn_json_end(&w);
  fn_buf_append_char(&text, '\n');
  FN_TRY(fn_buf_check(&text, "what was sent", err));
  return fn_file_write(j->sent_path, text.data, text.length, err);
}

static fn_status save(fn_journal *j, fn_err *err) {
  pthread_mutex_lock(&j->mutex);
  const fn_status status = save_locked(j, err);
  j->unsaved = status != FN_OK;
  pthread_mutex_unlock(&j->mutex);
  return status;
}

void fn_journal_note(fn_journal *j) {
  (void)!save(j, NULL);
}

fn_status fn_journal_save_rest(fn_journal *j, fn_err *err) {
  return j->unsaved ? save(j, err) : FN_OK;
}

static fn_status keep(char **out, const json_t *object, const char *key, const char *path, fn_err *err) {
  const char *text = NULL;
  FN_TRY(fn_json_get_string(&text, object, key, "", path, err));
  if (*text && !(*out = fn_str_dup(fn_str_from(text)))) return fn_err_no_memory(err, path);
  return FN_OK;
}

static void forget_remote(fn_journal_remote *r) {
  free(r->uri);
  free(r->run_id);
  free(r->artifact_uri);
  *r = (fn_journal_remote){.n_rejected = 0};
}

static fn_status read_sent(fn_journal *j, const json_t *object, fn_err *err) {
  int64_t generation = 0, offset = 0, zero = 0;
  FN_TRY(fn_json_get_int(&generation, object, "generation", 0, INT64_MAX, NULL, j->sent_path, err));
  FN_TRY(fn_json_get_int(&offset, object, "offset", 0, INT64_MAX, NULL, j->sent_path, err));
  FN_TRY(fn_json_get_int(&j->remote.n_rejected, object, "rejected", 0, INT64_MAX, &zero, j->sent_path, err));
  const char *told = "";
  FN_TRY(fn_json_get_string(&told, object, "status", "", j->sent_path, err));
  (void)snprintf(j->remote.status, sizeof j->remote.status, "%.15s", told);
  FN_TRY(keep(&j->remote.uri, object, "uri", j->sent_path, err));
  FN_TRY(keep(&j->remote.run_id, object, "run_id", j->sent_path, err));
  FN_TRY(keep(&j->remote.artifact_uri, object, "artifact_uri", j->sent_path, err));
  /* of an older generation: what it speaks of has been cut off, and the file begins with what waits */
  if ((uint64_t)generation == j->generation && (uint64_t)offset >= j->head_size && (uint64_t)offset <= j->size)
    j->offset = (uint64_t)offset;
  return FN_OK;
}

/* One that is damaged costs that all is sent again, which changes nothing over there. */
static fn_status load_sent(fn_journal *j, fn_err *err) {
  if (!fn_path_exists(j->sent_path)) return FN_OK;
  FN_AUTO_JSON json_t *object = NULL;
  fn_status status = fn_json_load(&object, j->sent_path, MAX_STATE, err);
  if (status == FN_OK) FN_TRY(check_version(object, j->sent_path, err));
  if (status == FN_OK) status = read_sent(j, object, err);
  if (status != FN_E_INVALID && status != FN_E_LIMIT) return status;
  forget_remote(&j->remote);
  j->mended = "track/mlflow.sent, which says what has arrived, is damaged: everything that is there is sent again";
  return FN_OK;
}

/* ---- opening ---- */

static fn_status read_head(fn_journal *j, fn_str line, fn_err *err) {
  int64_t generation = 0;
  FN_TRY(fn_json_parse(&j->head_json, line, j->path, err));
  FN_TRY(check_version(j->head_json, j->path, err));
  const char *id = NULL;
  FN_TRY(fn_json_get_string(&id, j->head_json, "run", NULL, j->path, err));
  if (!fn_run_id_is_valid(id))
    return fn_err_set(err, FN_E_INVALID, "%s: \"run\" must be 32 hexadecimal digits", j->path);
  memcpy(j->head.id, id, FN_RUN_ID_LENGTH);
  FN_TRY(fn_json_get_string(&j->head.name, j->head_json, "name", NULL, j->path, err));
  FN_TRY(fn_json_get_string(&j->head.experiment, j->head_json, "experiment", NULL, j->path, err));
  FN_TRY(fn_json_get_string(&j->head.uri, j->head_json, "uri", "", j->path, err));
  FN_TRY(fn_json_get_string(&j->head.user, j->head_json, "user", "", j->path, err));
  FN_TRY(fn_json_get_string(&j->head.experiment_id, j->head_json, "experiment_id", "", j->path, err));
  FN_TRY(fn_json_get_string(&j->head.workspace, j->head_json, "workspace", "", j->path, err));
  FN_TRY(fn_json_get_string(&j->head.run_id, j->head_json, "run_id", "", j->path, err));
  FN_TRY(fn_json_get_string(&j->head.parent, j->head_json, "parent", "", j->path, err));
  if (*j->head.parent && !fn_run_id_is_valid(j->head.parent))
    return fn_err_set(err, FN_E_INVALID, "%s: \"parent\" must be 32 hexadecimal digits", j->path);
  FN_TRY(fn_json_get_int(&j->head.start_ms, j->head_json, "start_ms", 0, INT64_MAX, NULL, j->path, err));
  FN_TRY(fn_json_get_int(&generation, j->head_json, "generation", 0, INT64_MAX, NULL, j->path, err));
  j->generation = (uint64_t)generation;
  return FN_OK;
}

static void write_head(fn_buf *out, const fn_journal_head *head, uint64_t generation) {
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "version", VERSION);
  fn_json_int(&w, "generation", (int64_t)generation);
  fn_json_text(&w, "run", head->id);
  fn_json_text(&w, "name", head->name);
  fn_json_text(&w, "experiment", head->experiment);
  if (*head->workspace) fn_json_text(&w, "workspace", head->workspace);
  if (*head->experiment_id) fn_json_text(&w, "experiment_id", head->experiment_id);
  if (*head->run_id) fn_json_text(&w, "run_id", head->run_id);
  if (*head->parent) fn_json_text(&w, "parent", head->parent);
  fn_json_text(&w, "user", head->user);
  fn_json_text(&w, "uri", head->uri);
  fn_json_int(&w, "start_ms", head->start_ms);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}

static const char *text_or(const char *text, const char *otherwise) {
  return text ? text : otherwise;
}

/* A head, then `rest`. */
static fn_status make_file(const fn_journal *j, const fn_journal_options *options, uint64_t generation, fn_str rest,
                           fn_err *err) {
  const fn_run_info *run = options->run;
  fn_journal_head head = {.name = text_or(run->name, ""),
                          .experiment = text_or(run->experiment_name, "Default"),
                          .user = text_or(run->user, ""),
                          .uri = text_or(options->uri, ""),
                          .workspace = text_or(options->workspace, ""),
                          .experiment_id = text_or(options->experiment_id, ""),
                          .run_id = text_or(options->run_id, ""),
                          .parent = run->parent,
                          .start_ms = run->start_ms};
  memcpy(head.id, run->id, sizeof head.id);
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  write_head(&text, &head, generation);
  fn_buf_append(&text, rest.data, rest.length);
  FN_TRY(fn_buf_check(&text, "a journal", err));
  return fn_file_write(j->path, text.data, text.length, err);
}

static fn_status open_file(fn_journal *j, fn_err *err) {
  const int file = open(j->path, O_RDWR | O_APPEND | O_CLOEXEC);
  if (file < 0) return fn_err_errno(err, errno, "%s", j->path);
  if (j->file >= 0) close(j->file);
  j->file = file;
  return FN_OK;
}

/* The run as track/run.json names it; strings belong to *json_out. */
static fn_status read_identity(fn_run_info *run, json_t **json_out, const fn_journal *j, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(j->folder, "track/run.json");
  const char *id = NULL;
  if (!path) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_json_load(json_out, path, MAX_STATE, err));
  FN_TRY(fn_json_get_string(&id, *json_out, "id", NULL, path, err));
  FN_TRY(fn_json_get_string(&run->experiment_name, *json_out, "experiment", NULL, path, err));
  FN_TRY(fn_json_get_int(&run->start_ms, *json_out, "start_ms", 0, INT64_MAX, NULL, path, err));
  if (!fn_run_id_is_valid(id)) return fn_err_set(err, FN_E_INVALID, "%s: the id has 32 hexadecimal digits", path);
  memcpy(run->id, id, sizeof run->id);
  run->name = fn_path_base(j->folder);
  return FN_OK;
}

/* The first line is damaged, or gone: it is written anew, of a generation that no NAME.sent speaks of, so that all that
 * follows is sent again. */
static fn_status mend(fn_journal *j, const fn_journal_options *options, fn_str file, const char *end, fn_err *err) {
  fn_journal_options o = *options;
  FN_AUTO_JSON json_t *identity = NULL;
  FN_AUTO_JSON json_t *event = NULL;
  fn_run_info run = {.user = ""};
  fn_track_event first;
  fn_err why = {0};
  if (!o.run && read_identity(&run, &identity, j, &why) != FN_OK)
    return fn_err_set(err, FN_E_INVALID, "%s: its first line is damaged and cannot be made anew: %s", j->path,
                      why.message);
  if (!o.run) o.run = &run;
  const size_t length = end ? (size_t)(end - file.data) : 0, past = end ? length + 1 : file.length;
  const bool is_event = end && fn_journal_parse(&first, &event, fn_str_make(file.data, length), NULL) == FN_OK;
  const size_t from = is_event ? 0 : past;
  json_decref(j->head_json);
  j->head_json = NULL;
  j->mended =
      "the first line of track/mlflow.jsonl is damaged and was made anew: everything that is there is sent again";
  FN_TRY(make_file(j, &o, (uint64_t)fn_clock_unix_ms(), fn_str_make(file.data + from, file.length - from), err));
  return open_file(j, err);
}

/* Size, head, waiting lines; cuts off what stands after the last line's end. */
static fn_status scan(fn_journal *j, fn_err *err) {
  fn_map map;
  FN_TRY(fn_map_open(&map, j->path, err));
  const char *data = (const char *)map.data, *end = map.length ? memchr(data, '\n', map.length) : NULL;
  fn_status status = end ? read_head(j, fn_str_make(data, (size_t)(end - data)), err)
                         : fn_err_set(err, FN_E_INVALID, "%s: is no journal of a run: it has no first line", j->path);
  size_t last = 0;
  if (status == FN_OK) {
    j->head_size = (uint64_t)(end - data) + 1;
    for (last = map.length; last > 0 && data[last - 1] != '\n';) last--;
    j->size = last;
    j->offset = j->head_size;
    status = load_sent(j, err);
  }
  for (uint64_t i = j->offset; status == FN_OK && i < j->size; i++) j->n_waiting += data[i] == '\n';
  const bool cut_off = last < map.length;
  fn_map_close(&map);
  if (status == FN_OK && cut_off && ftruncate(j->file, (off_t)last) != 0)
    status = fn_err_errno(err, errno, "%s", j->path);
  return status;
}

/* FN_OK also where nothing is wrong with the first line, or it is not this program's to mend. */
static fn_status mend_head(fn_journal *j, const fn_journal_options *options, fn_err *err) {
  fn_map map;
  FN_TRY(fn_map_open(&map, j->path, err));
  const fn_str file = fn_str_make((const char *)map.data, map.length);
  const char *end = map.length ? memchr(file.data, '\n', file.length) : NULL;
  fn_status status = end ? read_head(j, fn_str_make(file.data, (size_t)(end - file.data)), err) : FN_E_INVALID;
  if (status == FN_E_INVALID) status = mend(j, options, file, end, err);
  fn_map_close(&map);
  json_decref(j->head_json);
  j->head_json = NULL;
  return status;
}

static fn_status read_at(fn_buf *out, int file, uint64_t offset, size_t length, const char *path, fn_err *err) {
  if (!fn_buf_reserve(out, length)) return fn_err_no_memory(err, "events of a run");
  while (length > 0) {
    const ssize_t n = pread(file, out->data + out->length, length, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "%s", path);
    if (n == 0) break;
    out->length += (size_t)n;
    offset += (uint64_t)n;
    length -= (size_t)n;
  }
  out->data[out->length] = '\0';
  return FN_OK;
}

/* Writes what waits into a new file of the next generation. */
static fn_status compact_locked(fn_journal *j, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  write_head(&text, &j->head, j->generation + 1);
  const size_t head_size = text.length;
  FN_TRY(fn_buf_check(&text, "a journal", err));
  FN_TRY(read_at(&text, j->file, j->offset, (size_t)(j->size - j->offset), j->path, err));
  FN_TRY(fn_file_write(j->path, text.data, text.length, err));
  FN_TRY(open_file(j, err));
  j->generation++;
  j->size = text.length;
  j->offset = j->head_size = head_size;
  return FN_OK;
}

/* Before anything was sent, a run over there that takes the events may still be named. */
static fn_status take_run(fn_journal *j, const char *run_id, fn_err *err) {
  if (!run_id || j->remote.run_id || strcmp(run_id, j->head.run_id) == 0) return FN_OK;
  if (json_object_set_new(j->head_json, "run_id", json_string(run_id)) != 0) return fn_err_no_memory(err, "a run");
  j->head.run_id = json_string_value(json_object_get(j->head_json, "run_id"));
  return compact_locked(j, err);
}

static fn_status take_lock(fn_journal *j, const char *name, fn_err *err) {
  FN_AUTO_BUF fn_buf path;
  fn_buf_init(&path, 16 * 1024);
  fn_buf_printf(&path, "%s/track/%s.lock", j->folder, name);
  FN_TRY(fn_buf_check(&path, "a path", err));
  FN_TRY(fn_lock_open(&j->lock, path.data, O_RDWR | O_CREAT, 0666, err));
  if (j->lock >= 0) return FN_OK;
  return fn_err_set(err, FN_E_REFUSED, "%s: another process is sending the events of this run", j->folder);
}

static char *path_of(const char *folder, const char *name, const char *end) {
  FN_AUTO_BUF fn_buf path;
  fn_buf_init(&path, 16 * 1024);
  fn_buf_printf(&path, "%s/track/%s%s", folder, name, end);
  return path.failed ? NULL : fn_str_dup(fn_buf_str(&path));
}

static fn_status open_all(fn_journal *j, const fn_journal_options *options, fn_err *err) {
  j->folder = fn_str_dup(fn_str_from(options->folder));
  j->path = path_of(options->folder, options->name, ".jsonl");
  j->sent_path = path_of(options->folder, options->name, ".sent");
  if (!j->folder || !j->path || !j->sent_path) return fn_err_no_memory(err, "a journal");
  if (options->run) {
    FN_AUTO_FREE char *folder = fn_path_join(options->folder, "track");
    if (!folder) return fn_err_no_memory(err, "a path");
    FN_TRY(fn_dir_create(folder, err));
  } else if (!fn_path_exists(j->path)) {
    return fn_err_set(err, FN_E_NOT_FOUND, "%s: there are no events to be sent: %s is not there", options->folder,
                      j->path);
  }
  FN_TRY(take_lock(j, options->name, err));
  if (options->run && !fn_path_exists(j->path)) FN_TRY(make_file(j, options, 0, (fn_str){0}, err));
  FN_TRY(open_file(j, err));
  FN_TRY(mend_head(j, options, err));
  FN_TRY(scan(j, err));
  return options->run ? take_run(j, options->run_id, err) : FN_OK;
}

fn_status fn_journal_open(fn_journal **journal_out, const fn_journal_options *options, fn_err *err) {
  fn_journal *j = fn_mem_calloc(1, sizeof *j);
  if (!j) return fn_err_no_memory(err, "a journal");
  j->lock = j->file = -1;
  j->max_bytes = options->max_bytes;
  fn_buf_init(&j->held, 0);
  pthread_mutex_init(&j->mutex, NULL);
  fn_status status = open_all(j, options, err);
  if (status != FN_OK) {
    fn_journal_close(j);
    return status;
  }
  *journal_out = j;
  return FN_OK;
}

void fn_journal_close(fn_journal *j) {
  if (!j) return;
  if (j->file >= 0) {
    (void)fdatasync(j->file);
    close(j->file);
  }
  if (j->lock >= 0) close(j->lock);
  pthread_mutex_destroy(&j->mutex);
  fn_buf_deinit(&j->held);
  json_decref(j->head_json);
  forget_remote(&j->remote);
  free(j->folder);
  free(j->path);
  free(j->sent_path);
  free(j);
}

void fn_journal_remove(fn_journal *j) {
  (void)unlink(j->path);
  (void)unlink(j->sent_path);
}

bool fn_journal_waits(const char *folder, const char *name) {
  FN_AUTO_FREE char *path = path_of(folder, name, ".jsonl");
  FN_AUTO_FREE char *sent_path = path_of(folder, name, ".sent");
  struct stat st;
  if (!path || !sent_path || stat(path, &st) != 0) return false;
  /* what was not begun to be sent waits as well: the run is not known over there */
  FN_AUTO_JSON json_t *object = NULL;
  int64_t offset = 0;
  if (!fn_path_exists(sent_path)) return true;
  return fn_json_load(&object, sent_path, MAX_STATE, NULL) != FN_OK ||
         fn_json_get_int(&offset, object, "offset", 0, INT64_MAX, NULL, sent_path, NULL) != FN_OK ||
         offset != (int64_t)st.st_size;
}

bool fn_journal_was_killed(const char *folder, const char *name) {
  FN_AUTO_FREE char *sent_path = path_of(folder, name, ".sent");
  FN_AUTO_FREE char *lock_path = path_of(folder, name, ".lock");
  FN_AUTO_JSON json_t *object = NULL;
  const char *told = "";
  if (!sent_path || !lock_path || fn_json_load(&object, sent_path, MAX_STATE, NULL) != FN_OK ||
      fn_json_get_string(&told, object, "status", "", sent_path, NULL) != FN_OK || strcmp(told, "RUNNING") != 0)
    return false;
  int lock;
  if (fn_lock_open(&lock, lock_path, O_RDWR, 0, NULL) != FN_OK || lock < 0) return false;
  close(lock);
  return true;
}

int64_t fn_journal_time_ms(const fn_journal *j) {
  struct stat st;
  if (fstat(j->file, &st) != 0) return 0;
  return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

fn_status fn_journal_uri(char **uri_out, const char *folder, const char *name, fn_err *err) {
  FN_AUTO_FREE char *path = path_of(folder, name, ".jsonl");
  if (!path) return fn_err_no_memory(err, "a path");
  fn_map map;
  FN_TRY(fn_map_open(&map, path, err));
  FN_AUTO_JSON json_t *head = NULL;
  const char *end = map.length ? memchr(map.data, '\n', map.length) : NULL, *uri = "";
  fn_status status = FN_E_INVALID;
  if (end)
    status =
        fn_json_parse(&head, fn_str_make((const char *)map.data, (size_t)(end - (const char *)map.data)), path, err);
  else
    (void)fn_err_set(err, status, "%s: is no journal of a run: it has no first line", path);
  fn_map_close(&map);
  FN_TRY(status);
  FN_TRY(fn_json_get_string(&uri, head, "uri", "", path, err));
  if (!*uri) return fn_err_set(err, FN_E_NOT_FOUND, "%s does not say where its events go: set track.uri", path);
  char *copy = fn_str_dup(fn_str_from(uri));
  if (!copy) return fn_err_no_memory(err, "an address");
  *uri_out = copy;
  return FN_OK;
}

char *fn_journal_run_of(const char *folder, const char *name) {
  FN_AUTO_FREE char *sent_path = path_of(folder, name, ".sent");
  FN_AUTO_JSON json_t *object = NULL;
  const char *id = "";
  if (!sent_path || fn_json_load(&object, sent_path, MAX_STATE, NULL) != FN_OK ||
      fn_json_get_string(&id, object, "run_id", "", sent_path, NULL) != FN_OK || !*id)
    return NULL;
  return fn_str_dup(fn_str_from(id));
}

const char *fn_journal_mended(const fn_journal *j) {
  return j->mended;
}

const fn_journal_head *fn_journal_head_of(const fn_journal *j) {
  return &j->head;
}

fn_journal_remote *fn_journal_remote_of(fn_journal *j) {
  return &j->remote;
}

const char *fn_journal_folder(const fn_journal *j) {
  return j->folder;
}

/* ---- writing ---- */

/* Whether a point of a metric is kept, by how much waits already. */
static bool is_kept(fn_journal *j, const char *key, uint64_t waiting) {
  const uint64_t quarter = j->max_bytes / 4;
  if (waiting < 2 * quarter) return true;
  const uint64_t hash = fn_hash64(key, strlen(key), 0);
  const size_t slot = hash % N_SLOTS;
  const uint32_t tag = (uint32_t)(hash >> 32);
  if (j->seen[slot].key != tag) j->seen[slot].n = 0;
  j->seen[slot].key = tag;
  const uint32_t n = j->seen[slot].n++;
  return waiting < 3 * quarter ? n % 4 == 0 : waiting < j->max_bytes && n % 16 == 0;
}

static fn_status append_locked(fn_journal *j, const fn_buf *text, uint64_t n_lines, fn_err *err) {
  if (j->torn && ftruncate(j->file, (off_t)j->size) != 0) return fn_err_errno(err, errno, "%s", j->path);
  j->torn = false;
  for (size_t done = 0; done < text->length;) {
    const ssize_t n = write(j->file, text->data + done, text->length - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int error = n < 0 ? errno : ENOSPC;
      j->torn = ftruncate(j->file, (off_t)j->size) != 0;
      return fn_err_errno(err, error, "%s", j->path);
    }
    done += (size_t)n;
  }
  j->size += text->length;
  j->n_waiting += n_lines;
  return FN_OK;
}

fn_status fn_journal_append(fn_journal *j, const fn_track_event *events, size_t n, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  pthread_mutex_lock(&j->mutex);
  uint64_t n_lines = 0, n_thinned = 0;
  for (size_t i = 0; i < n; i++) {
    const bool kept = events[i].kind != FN_TRACK_METRIC || is_kept(j, events[i].key, j->size - j->offset + text.length);
    if (kept) fn_journal_write_line(&text, &events[i], j->folder);
    n_lines += kept;
    n_thinned += !kept;
  }
  fn_status status = fn_buf_check(&text, "events of a run", err);
  if (status == FN_OK && j->n_held > 0) status = append_locked(j, &j->held, j->n_held, err);
  if (status == FN_OK && j->n_held > 0) {
    j->n_held = 0;
    j->held_round++;
    fn_buf_deinit(&j->held);
    fn_buf_init(&j->held, 0);
  }
  if (status == FN_OK) status = append_locked(j, &text, n_lines, err);
  j->n_thinned += status == FN_OK ? n_thinned : 0;
  pthread_mutex_unlock(&j->mutex);
  return status;
}

void fn_journal_hold(fn_journal *j, const fn_track_event *events, size_t n) {
  FN_AUTO_BUF fn_buf line;
  fn_buf_init(&line, 0);
  pthread_mutex_lock(&j->mutex);
  for (size_t i = 0; i < n; i++) {
    const bool fits = events[i].kind != FN_TRACK_METRIC || j->held.length < FN_JOURNAL_MAX_HELD;
    fn_buf_reset(&line);
    if (fits) fn_journal_write_line(&line, &events[i], j->folder);
    if (fits && !line.failed && fn_buf_reserve(&j->held, line.length)) {
      fn_buf_append(&j->held, line.data, line.length);
      j->n_held++;
    } else {
      j->n_lost++;
    }
  }
  pthread_mutex_unlock(&j->mutex);
}

uint64_t fn_journal_n_waiting(fn_journal *j) {
  pthread_mutex_lock(&j->mutex);
  const uint64_t n = j->n_waiting;
  pthread_mutex_unlock(&j->mutex);
  return n;
}

uint64_t fn_journal_n_unsent(fn_journal *j) {
  pthread_mutex_lock(&j->mutex);
  const uint64_t n = j->n_waiting + j->n_held;
  pthread_mutex_unlock(&j->mutex);
  return n;
}

uint64_t fn_journal_n_thinned(fn_journal *j) {
  pthread_mutex_lock(&j->mutex);
  const uint64_t n = j->n_thinned;
  pthread_mutex_unlock(&j->mutex);
  return n;
}

uint64_t fn_journal_n_lost(fn_journal *j) {
  pthread_mutex_lock(&j->mutex);
  const uint64_t n = j->n_lost;
  pthread_mutex_unlock(&j->mutex);
  return n;
}

uint64_t fn_journal_n_held(fn_journal *j) {
  pthread_mutex_lock(&j->mutex);
  const uint64_t n = j->n_held;
  pthread_mutex_unlock(&j->mutex);
  return n;
}

/* ---- reading ---- */

/* Bytes of the whole lines at the beginning. */
static size_t whole_lines(const fn_buf *lines, size_t max_lines) {
  size_t end = 0;
  for (size_t n = 0; n < max_lines; n++) {
    const char *next = memchr(lines->data + end, '\n', lines->length - end);
    if (!next) break;
    end = (size_t)(next - lines->data) + 1;
  }
  return end;
}

/* No line of ours is that long: a part of the file is damaged. Goes on shortly before its end, so that what is left of
 * it is a damaged line as any other. */
static fn_status skip_damage(fn_journal *j, fn_buf *piece, uint64_t offset, uint64_t size, fn_err *err) {
  while (offset < size) {
    const uint64_t left = size - offset;
    fn_buf_reset(piece);
    FN_TRY(read_at(piece, j->file, offset, left < READ_BYTES ? (size_t)left : (size_t)READ_BYTES, j->path, err));
    const char *end = piece->length ? memchr(piece->data, '\n', piece->length) : NULL;
    if (piece->length == 0) break;
    offset += end ? (uint64_t)(end - piece->data) : piece->length;
    if (!end) continue;
    pthread_mutex_lock(&j->mutex);
    j->offset = offset - 1;
    pthread_mutex_unlock(&j->mutex);
    return FN_OK;
  }
  return fn_err_set(err, FN_E_INVALID, "%s: a line before byte %llu has no end", j->path, (unsigned long long)size);
}

/* With the mutex held: the file has nothing more. */
static fn_status read_held(fn_buf *lines, const fn_journal *j, fn_err *err) {
  const size_t n = j->held.length < READ_BYTES ? j->held.length : (size_t)READ_BYTES;
  fn_buf_append(lines, j->held.data, n);
  return fn_buf_check(lines, "events of a run", err);
}

fn_status fn_journal_read(fn_buf *lines, fn_journal *j, size_t max_lines, fn_err *err) {
  fn_buf_reset(lines);
  pthread_mutex_lock(&j->mutex);
  const uint64_t size = j->size, offset = j->offset;
  j->reads_held = size == offset && j->n_held > 0;
  j->read_round = j->held_round;
  const fn_status status = j->reads_held ? read_held(lines, j, err) : FN_OK;
  const bool reads_held = j->reads_held;
  pthread_mutex_unlock(&j->mutex);
  if (status != FN_OK || (!reads_held && size == offset)) return status;
  const uint64_t waiting = size - offset;
  if (!reads_held)
    FN_TRY(read_at(lines, j->file, offset, waiting < READ_BYTES ? (size_t)waiting : (size_t)READ_BYTES, j->path, err));
  const size_t end = whole_lines(lines, max_lines);
  if (end == 0) {
    FN_TRY(skip_damage(j, lines, offset, size, err));
    return fn_journal_read(lines, j, max_lines, err); /* two bytes are left of the line */
  }
  lines->length = end;
  lines->data[end] = '\0';
  return FN_OK;
}

/* What is held and was sent. When it went to the disk meanwhile, it is sent from there again. */
static void drop_held(fn_journal *j, size_t n_bytes, size_t n_lines) {
  if (j->read_round != j->held_round || n_bytes > j->held.length) return;
  memmove(j->held.data, j->held.data + n_bytes, j->held.length - n_bytes);
  j->held.length -= n_bytes;
  j->n_held -= n_lines < j->n_held ? n_lines : j->n_held;
}

/* A disk that is full holds up nothing: what is not noted there is sent again one day, which changes nothing. */
fn_status fn_journal_advance(fn_journal *j, size_t n_bytes, size_t n_lines, fn_err *err) {
  pthread_mutex_lock(&j->mutex);
  fn_status status = FN_OK;
  if (j->reads_held) {
    drop_held(j, n_bytes, n_lines);
  } else {
    j->offset += n_bytes;
    j->n_waiting -= n_lines < j->n_waiting ? n_lines : j->n_waiting;
    if (j->offset > COMPACT_BYTES && j->offset > j->size / 2) status = compact_locked(j, err);
  }
  if (status == FN_OK) status = save_locked(j, err);
  j->unsaved = status != FN_OK;
  pthread_mutex_unlock(&j->mutex);
  return status == FN_E_NO_MEMORY ? status : FN_OK;
}

fn_status fn_journal_put_back(fn_journal *j, const fn_track_event *event, size_t n_bytes, fn_err *err) {
  pthread_mutex_lock(&j->mutex);
  const bool reads_held = j->reads_held;
  if (reads_held && j->read_round == j->held_round && fn_buf_reserve(&j->held, n_bytes)) {
    fn_buf_append(&j->held, j->held.data, n_bytes);
    memmove(j->held.data, j->held.data + n_bytes, j->held.length - n_bytes);
    j->held.length -= n_bytes;
  }
  pthread_mutex_unlock(&j->mutex);
  if (reads_held) return FN_OK;
  FN_TRY(fn_journal_append(j, event, 1, err));
  return fn_journal_advance(j, n_bytes, 1, err);
}
