/* s3://, gs://, http(s)://: what stands at an address. */
#include "net/url.h"
#include "registry/model_copy.h"
#include "registry/model_fetch.h"
#include "store/store.h"

#include <stdlib.h>
#include <unistd.h>

enum { MAX_FILES = 100000, MAX_ATTEMPTS = 3 };

typedef struct keys {
  fn_buf stamp; /* what tells this content from another */
  char **list;
  size_t n, capacity;
} keys;

static void keys_deinit(keys *k) {
  for (size_t i = 0; i < k->n; i++) free(k->list[i]);
  free(k->list);
  fn_buf_deinit(&k->stamp);
}

static fn_status take_key(void *arg, const fn_store_entry *e, fn_err *err) {
  keys *k = arg;
  void *list = k->list;
  FN_TRY(fn_mem_grow(&list, &k->capacity, k->n + 1, sizeof *k->list, MAX_FILES, "files", err));
  k->list = list;
  k->list[k->n] = fn_str_dup(fn_str_from(e->key));
  if (k->list[k->n] == NULL) return fn_err_no_memory(err, "files");
  k->n++;
  fn_buf_printf(&k->stamp, "%s %llu %lld %s\n", e->key, (unsigned long long)e->size_bytes, (long long)e->modified_ms,
                e->sha256);
  return FN_OK;
}

/* What a bucket lists is other people's: it must stay below the folder of the copy. */
static fn_status check_listed(const char *key, const char *where, fn_err *err) {
  const char *why = "";
  if (fn_name_is_inside(fn_str_from(key), &why)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%.300s lists \"%.200s\", which %s", where, key, why);
}

typedef struct listed {
  fn_store *store;
  const char *key;
  const keys *keys;
  bool changed; /* meanwhile: it is worth another attempt */
} listed;

static fn_status list_keys(keys *k, fn_store *store, const char *key, fn_err *err);

/* The files as they were listed, or FN_E_IO: whoever puts a new model there meanwhile must leave no mixture here. */
static fn_status get_all(void *arg, const char *folder, fn_err *err) {
  listed *l = arg;
  keys after = {.n = 0};
  fn_status status = fn_dir_create(folder, err);
  for (size_t i = 0; i < l->keys->n && status == FN_OK; i++) {
    FN_AUTO_FREE char *target = NULL;
    status = check_listed(l->keys->list[i], fn_store_uri(l->store), err);
    if (status == FN_OK) target = fn_path_join(folder, l->keys->list[i]);
    if (status == FN_OK)
      status = target ? fn_store_get(l->store, l->keys->list[i], target, NULL, err) : fn_err_no_memory(err, "a path");
  }
  if (status == FN_OK) status = list_keys(&after, l->store, l->key, err);
  l->changed = status == FN_OK && !fn_str_is(fn_buf_str(&after.stamp), l->keys->stamp.data);
  if (l->changed)
    status = fn_err_set(err, FN_E_IO, "%.300s: the files changed while they were fetched", fn_store_uri(l->store));
  keys_deinit(&after);
  return status;
}

static fn_status list_keys(keys *k, fn_store *store, const char *key, fn_err *err) {
  fn_store_entry entry;
  fn_buf_init(&k->stamp, 0);
  if (key != NULL) {
    FN_TRY(fn_store_stat(&entry, store, key, err));
    entry.key = key;
    FN_TRY(take_key(k, &entry, err));
  } else {
    FN_TRY(fn_store_list(store, "", take_key, k, err));
    if (k->n == 0) return fn_err_set(err, FN_E_NOT_FOUND, "%s: there is nothing here", fn_store_uri(store));
  }
  return fn_buf_check(&k->stamp, "files", err);
}

static fn_status fetch_listed(char **folder_out, bool *changed_out, fn_store *store, const keys *k, const char *key,
                              const char *base, fn_err *err) {
  char stamp[17];
  bool whole;
  fn_model_fetch_digits(stamp, k->stamp.data);
  FN_AUTO_FREE char *folder = fn_path_join(base, stamp);
  FN_AUTO_FREE char *link = fn_path_join(base, "current");
  if (folder == NULL || link == NULL) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_copy_check(&whole, folder, err));
  listed l = {.store = store, .key = key, .keys = k};
  fn_status status = whole ? FN_OK : fn_copy_make(folder, get_all, &l, err);
  *changed_out = l.changed;
  FN_TRY(status);
  FN_TRY(fn_link_replace(link, stamp, err));
  fn_copy_tidy(base);
  *folder_out = FN_STEAL(folder);
  return FN_OK;
}

/* The copy of what is at the address now. base: CACHE/stores/<digits>. */
static fn_status fetch_now(char **folder_out, const char *address, const char *key, const char *base,
                           const fn_model_source *s, fn_err *err) {
  fn_store *store = NULL;
  bool changed = true;
  fn_status status = fn_store_open(&store, address, s->store, err);
  for (int attempt = 0; attempt < MAX_ATTEMPTS && changed && (status == FN_OK || attempt > 0); attempt++) {
    keys k = {.n = 0};
    changed = false;
    status = list_keys(&k, store, key, err);
    if (status == FN_OK) status = fetch_listed(folder_out, &changed, store, &k, key, base, err);
    keys_deinit(&k);
  }
  fn_store_close(store);
  return status;
}

/* The copy that was taken last; FN_E_NOT_FOUND when there is none, or it is not what it was. */
static fn_status last_copy(char **folder_out, const char *base, fn_err *err) {
  char stamp[64];
  bool whole = false;
  FN_AUTO_FREE char *link = fn_path_join(base, "current");
  const ssize_t n = link ? readlink(link, stamp, sizeof stamp - 1) : -1;
  if (n <= 0) return fn_err_set(err, FN_E_NOT_FOUND, "there is no copy");
  stamp[n] = '\0';
  FN_AUTO_FREE char *folder = fn_path_join(base, stamp);
  if (folder == NULL) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_copy_check(&whole, folder, err));
  if (!whole) return fn_err_set(err, FN_E_NOT_FOUND, "the last copy is damaged");
  *folder_out = FN_STEAL(folder);
  return FN_OK;
}

/* The address of the folder, with what it is asked with, and the name of the file in it; *key_out NULL: all of it. */
static fn_status split(char **address_out, char **key_out, const char *text, fn_err *err) {
  const bool is_http = strncmp(text, "http", 4) == 0;
  const size_t n = is_http ? strcspn(text, "?#") : strlen(text);
  if (!is_http && !fn_str_ends_with(fn_str_make(text, n), ".fnm")) {
    *address_out = fn_str_dup(fn_str_make(text, n));
    return *address_out ? FN_OK : fn_err_no_memory(err, "an address");
  }
  size_t slash = n;
  char name[FN_NAME_MAX + 1], shown[301];
  while (slash > 0 && text[slash - 1] != '/') slash--;
  if (slash == 0 || slash == n)
    return fn_err_set(err, FN_E_INVALID, "%.200s: the name of a packed file is expected behind the last /",
                      fn_url_show(shown, text));
  fn_str key = fn_str_make(text + slash, n - slash);
  if (is_http && memchr(key.data, '%', key.length) && fn_name_from_path(name, fn_str_make(text, n)))
    key = fn_str_from(name);
  FN_AUTO_BUF fn_buf address;
  fn_buf_init(&address, 1 << 16);
  fn_buf_append(&address, text, slash - 1);
  if (text[n] == '?') fn_buf_append(&address, text + n, strcspn(text + n, "#"));
  FN_TRY(fn_buf_check(&address, "an address", err));
  *key_out = fn_str_dup(key);
  if (*key_out == NULL) return fn_err_no_memory(err, "an address");
  *address_out = FN_STEAL(address.data);
  return FN_OK;
}

fn_status fn_model_fetch_store(fn_model_place *place, const fn_model_uri *u, const fn_model_source *s, fn_err *err) {
  char digits[17], shown[301];
  fn_err why = {0};
  fn_model_fetch_hurry hurry;
  FN_AUTO_FREE char *base = NULL, *folder = NULL, *address = NULL, *key = NULL;
  FN_TRY(fn_model_fetch_check_cache(s, u->text, err));
  FN_TRY(split(&address, &key, u->text, err));
  /* an address that is signed anew each time is the same place */
  FN_AUTO_FREE char *plain = fn_str_dup(fn_str_make(u->text, strcspn(u->text, "?#")));
  if (plain == NULL) return fn_err_no_memory(err, "an address");
  fn_model_fetch_digits(digits, key ? plain : u->text);
  FN_TRY(fn_model_fetch_join(&base, s->cache, "stores", digits, err));
  const bool has_last = last_copy(&folder, base, NULL) == FN_OK;
  free(FN_STEAL(folder));
  const fn_status status =
      fetch_now(&folder, address, key, base, has_last ? fn_model_fetch_hurried(&hurry, s) : s, &why);
  if (status != FN_OK) {
    const bool away = status != FN_E_NOT_FOUND && status != FN_E_NO_MEMORY && status != FN_E_CANCELLED;
    if (!away || last_copy(&folder, base, NULL) != FN_OK) return fn_err_set(err, status, "%s", why.message);
    fn_model_fetch_tell(s, "%.200s cannot be fetched, the last copy is used (%.900s)", fn_url_show(shown, plain),
                        why.message);
    place->stale = true;
  }
  place->path = key ? fn_path_join(folder, key) : fn_str_dup(fn_str_from(folder));
  return place->path ? FN_OK : fn_err_no_memory(err, "a path");
}
