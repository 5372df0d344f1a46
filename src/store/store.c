#include "store/driver.h"

#include <strings.h>

static const char *const schemes[] = {"s3://", "gs://", "http://", "https://", "file:"};

/* Letter case of a scheme does not matter. */
static bool begins(const char *text, const char *with) {
  return strncasecmp(text, with, strlen(with)) == 0;
}

bool fn_store_is_uri(const char *text) {
  for (size_t i = 0; i < FN_COUNT_OF(schemes); i++)
    if (begins(text, schemes[i])) return true;
  return false;
}

/* "scheme://" of any kind, or a known one with a slash less: a path would hardly begin so, and a folder named s3: is
 * not what was meant. */
static bool has_scheme(const char *text) {
  static const char *const known[] = {"s3:", "gs:", "http:", "https:"};
  for (size_t i = 0; i < FN_COUNT_OF(known); i++)
    if (begins(text, known[i])) return true;
  const char *end = strstr(text, "://");
  if (!end || end == text) return false;
  for (const char *p = text; p < end; p++)
    if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("+-.", *p)))
      return false;
  return true;
}

/* file:/path, file:///path, file://localhost/path, with %XX for bytes. */
static fn_status open_file_address(fn_store *store, const char *uri, fn_err *err) {
  const char *path = uri + 5;
  if (strncmp(path, "//", 2) == 0) path += 2;
  if (begins(path, "localhost/")) path += 9;
  FN_AUTO_BUF fn_buf decoded;
  fn_buf_init(&decoded, FN_URL_MAX + 1);
  fn_url_decode(&decoded, fn_str_from(path));
  FN_TRY(fn_buf_check(&decoded, "a path", err));
  const bool named = path == uri + 5 ? *path != 0 : *path == '/';
  if (!named || strlen(decoded.data) != decoded.length)
    return fn_err_set(err, FN_E_INVALID, "%.300s: a file: address names a path of this machine, file:///path", uri);
  return fn_store_open_file(store, decoded.data, err);
}

/* A shell would have made another path of it, or it is one of another system. */
static fn_status check_path(const char *path, fn_err *err) {
  if (path[0] == '~')
    return fn_err_set(err, FN_E_INVALID,
                      "%.300s: \"~\" is what a shell makes a home folder of; give the whole path (or ./%.300s for a "
                      "folder of that name)",
                      path, path);
  const bool drive = ((path[0] >= 'A' && path[0] <= 'Z') || (path[0] >= 'a' && path[0] <= 'z')) && path[1] == ':' &&
                     (path[2] == '\\' || path[2] == '/');
  return drive ? fn_err_set(err, FN_E_INVALID, "%.300s: a path of Windows; this system has /path/to/folder", path)
               : FN_OK;
}

static fn_status open_kind(fn_store *store, const char *uri, fn_err *err) {
  if (begins(uri, "file:")) return open_file_address(store, uri, err);
  if (begins(uri, "s3://")) return fn_store_open_s3(store, uri + 5, err);
  if (begins(uri, "gs://")) return fn_store_open_gs(store, uri + 5, err);
  if (begins(uri, "http://") || begins(uri, "https://")) return fn_store_open_web(store, uri, err);
  FN_TRY(check_path(uri, err));
  if (has_scheme(uri))
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "%.300s: no kind of artifact store; a folder, s3://bucket/…, gs://bucket/… and https://… are",
                      uri);
  return fn_store_open_file(store, uri, err);
}

fn_status fn_store_open(fn_store **store_out, const char *uri, const fn_store_options *options, fn_err *err) {
  if (!*uri || strlen(uri) > FN_URL_MAX)
    return fn_err_set(err, FN_E_INVALID, "the address of an artifact store has 1 to %d bytes, not %zu", FN_URL_MAX,
                      strlen(uri));
  fn_store *store = fn_mem_calloc(1, sizeof *store);
  if (!store) return fn_err_no_memory(err, "an artifact store");
  store->options = *options;
  if (!store->options.agent) store->options.agent = "fakenews";
  store->buckets = options->buckets ? *options->buckets : (fn_bucket_options){.part_mb = 8, .connections = 8};
  size_t n = strlen(uri);
  while (n > 1 && uri[n - 1] == '/') n--;
  store->uri = fn_str_dup(fn_str_make(uri, n));
  const fn_status status = store->uri ? open_kind(store, uri, err) : fn_err_no_memory(err, "an artifact store");
  if (status != FN_OK) {
    fn_http_destroy(store->http);
    free(store->uri);
    free(store);
    return status;
  }
  *store_out = store;
  return FN_OK;
}

void fn_store_close(fn_store *store) {
  if (!store) return;
  store->driver->close(store);
  fn_http_destroy(store->http);
  free(store->uri);
  free(store);
}

const char *fn_store_uri(const fn_store *store) {
  return store->uri;
}

/* ---- what all kinds share */

static fn_status check_key(const fn_store *store, const char *key, fn_err *err) {
  const char *why;
  if (fn_name_is_inside(fn_str_from(key), &why)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "%.200s: the key \"%.200s\" %s; keys are relative paths such as models/a/model.fnm", store->uri,
                    key, why);
}

static fn_status check_hex(const char *key, const char *sha256, fn_err *err) {
  if (!sha256 || fn_digest_is_hex(sha256, 64)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%.300s: \"%.80s\" is no SHA-256; 64 hexadecimal digits are", key, sha256);
}

static fn_status lacks(const fn_store *store, const char *what, fn_err *err) {
  return fn_err_set(err, FN_E_UNSUPPORTED, "%.300s: %s: %s", store->uri, what, store->driver->lacks);
}

fn_status fn_store_get(fn_store *store, const char *key, const char *to_path, const char *sha256, fn_err *err) {
  FN_TRY(check_key(store, key, err));
  FN_TRY(check_hex(key, sha256, err));
  FN_TRY(fn_store_make_parents(to_path, err));
  return store->driver->get(store, key, to_path, sha256, err);
}

fn_status fn_store_put(fn_store *store, const char *key, const char *from_path, const char *sha256, fn_err *err) {
  FN_TRY(check_key(store, key, err));
  FN_TRY(check_hex(key, sha256, err));
  return store->driver->put ? store->driver->put(store, key, from_path, sha256, err)
                            : lacks(store, "nothing can be put there", err);
}

fn_status fn_store_read(fn_buf *out, fn_store *store, const char *key, size_t max_bytes, fn_err *err) {
  FN_TRY(check_key(store, key, err));
  return store->driver->read(out, store, key, max_bytes, err);
}

fn_status fn_store_write(fn_store *store, const char *key, fn_str data, fn_err *err) {
  FN_TRY(check_key(store, key, err));
  return store->driver->write ? store->driver->write(store, key, data, err)
                              : lacks(store, "nothing can be put there", err);
}

fn_status fn_store_list(fn_store *store, const char *folder,
                        fn_status (*each)(void *arg, const fn_store_entry *entry, fn_err *err), void *arg,
                        fn_err *err) {
  if (*folder) FN_TRY(check_key(store, folder, err));
  return store->driver->list ? store->driver->list(store, folder, each, arg, err)
                             : lacks(store, "keys cannot be listed", err);
}

fn_status fn_store_stat(fn_store_entry *entry_out, fn_store *store, const char *key, fn_err *err) {
  FN_TRY(check_key(store, key, err));
  return store->driver->stat(entry_out, store, key, err);
}

fn_status fn_store_remove(fn_store *store, const char *key, fn_err *err) {
  FN_TRY(check_key(store, key, err));
  return store->driver->remove ? store->driver->remove(store, key, err)
                               : lacks(store, "nothing can be removed there", err);
}

fn_status fn_store_tell(const fn_store *store, fn_download_event event, fn_err *err) {
  return fn_download_tell(&store->options.sink, &event, err);
}

fn_status fn_store_no_credentials(const fn_store *store, fn_status status, const char *whose, fn_err *err) {
  const fn_status meant = status == FN_E_NOT_FOUND ? FN_E_INVALID : status;
  return fn_err_prefix(err, meant, "%.200s: %s credentials", store->uri, whose);
}

fn_status fn_store_make_parents(const char *path, fn_err *err) {
  const char *base = fn_path_base(path);
  if (base == path) return FN_OK;
  FN_AUTO_FREE char *parent = fn_str_dup(fn_str_make(path, (size_t)(base - path)));
  if (!parent) return fn_err_no_memory(err, path);
  return fn_dir_create(parent, err);
}

/* A bucket's name goes into a host name and a path: nothing else than letters, digits, '.', '-' and '_' (Google's). */
static bool is_bucket(fn_str name) {
  if (name.length < 3 || name.length > 222) return false;
  for (size_t i = 0; i < name.length; i++) {
    const char c = name.data[i];
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && (i == 0 || !strchr(".-_", c) || (c == '.' && name.data[i - 1] == '.'))) return false;
  }
  return true;
}

fn_status fn_store_split(char **bucket_out, char **prefix_out, const fn_store *store, const char *rest, fn_err *err) {
  const char *slash = strchr(rest, '/');
  const fn_str bucket = slash ? fn_str_make(rest, (size_t)(slash - rest)) : fn_str_from(rest);
  fn_str prefix = slash ? fn_str_from(slash + 1) : fn_str_make("", 0);
  while (prefix.length && prefix.data[prefix.length - 1] == '/') prefix.length--;
  if (!is_bucket(bucket) && memchr(bucket.data, '@', bucket.length)) /* what stands there may be a password */
    return fn_err_set(err, FN_E_INVALID,
                      "%.5s***%.200s: the address of a bucket holds no user and password; credentials come from where "
                      "docs/stores.md says",
                      store->uri, strrchr(store->uri, '@'));
  if (!is_bucket(bucket))
    return fn_err_set(
        err, FN_E_INVALID,
        "%.300s: \"%.*s\" is no name of a bucket; letters, digits, '.', '-' and '_', 3 and more of them, are",
        store->uri, (int)(bucket.length < 100 ? bucket.length : 100), bucket.data);
  const char *why = NULL;
  if (prefix.length && !fn_name_is_inside(prefix, &why))
    return fn_err_set(err, FN_E_INVALID, "%.300s: what follows the bucket %.100s", store->uri, why);
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, FN_URL_MAX);
  fn_buf_append(&text, prefix.data, prefix.length);
  if (prefix.length) fn_buf_append_char(&text, '/');
  char *name = fn_str_dup(bucket), *copy = fn_str_dup(fn_str_from(text.data ? text.data : ""));
  if (!name || !copy || text.failed) {
    free(name);
    free(copy);
    return fn_err_no_memory(err, store->uri);
  }
  *bucket_out = name;
  *prefix_out = copy;
  return FN_OK;
}
