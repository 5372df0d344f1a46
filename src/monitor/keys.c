#include "monitor/keys.h"

#include "monitor/database.h"

#include <pthread.h>
#include <stdlib.h>

const char *const fn_key_role_names[FN_N_KEY_ROLES] = {"predict", "feedback", "admin"};

bool fn_key_role_parse(fn_key_role *role_out, const char *name) {
  for (int i = 0; i < FN_N_KEY_ROLES; i++)
    if (strcmp(name, fn_key_role_names[i]) == 0) return *role_out = (fn_key_role)i, true;
  return false;
}

/* ---- in the database ---- */

#define COLUMNS "id, name, role, created_ms, revoked_ms, sha256"
enum { N_COLUMNS = 6 };

static fn_status check_name(const char *name, fn_err *err) {
  const fn_str s = fn_str_from(name);
  if (s.length > FN_KEY_MAX_NAME)
    return fn_err_set(err, FN_E_INVALID, "a key's name has %d bytes at most", FN_KEY_MAX_NAME);
  return fn_utf8_valid(s, NULL) ? FN_OK : fn_err_set(err, FN_E_INVALID, "a key's name is UTF-8");
}

fn_status fn_key_create(char secret_out[FN_KEY_LENGTH], fn_key_info *info_out, fn_sql *sql, fn_key_role role,
                        const char *name, fn_err *err) {
  unsigned char random[32], id[6], digest[FN_SHA256_BYTES];
  char secret[FN_KEY_LENGTH];
  FN_TRY(check_name(name, err));
  FN_TRY(fn_random_bytes(random, sizeof random, err));
  FN_TRY(fn_random_bytes(id, sizeof id, err));
  const int n = snprintf(secret, sizeof secret, "fn_%s_", fn_key_role_names[role]);
  fn_hex_format(secret + n, random, sizeof random);
  fn_sha256_bytes(digest, fn_str_from(secret));
  fn_key_info info = {.id = "k_", .role = role, .created_ms = fn_clock_unix_ms()};
  fn_hex_format(info.id + 2, id, sizeof id);
  snprintf(info.name, sizeof info.name, "%s", name);
  const fn_sql_value values[] = {
      fn_sql_text(info.id),        fn_sql_text(info.name), fn_sql_text(fn_key_role_names[role]),
      fn_sql_int(info.created_ms), fn_sql_int(0),          fn_sql_blob(digest, sizeof digest)};
  FN_TRY(fn_sql_run(sql, "INSERT INTO api_keys (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6)", values, N_COLUMNS, NULL,
                    err));
  memcpy(secret_out, secret, sizeof secret);
  *info_out = info;
  return FN_OK;
}

static void copy_text(char *to, size_t size, const fn_sql_value *v) {
  snprintf(to, size, "%.*s", (int)v->bytes.length, v->bytes.data ? v->bytes.data : "");
}

/* False for a role of a later program, which lets nobody in. */
static bool read_info(fn_key_info *info, const fn_sql_value *v) {
  char role[16];
  *info = (fn_key_info){.created_ms = v[3].integer, .revoked_ms = v[4].integer};
  copy_text(info->id, sizeof info->id, &v[0]);
  copy_text(info->name, sizeof info->name, &v[1]);
  copy_text(role, sizeof role, &v[2]);
  return fn_key_role_parse(&info->role, role);
}

typedef struct listing {
  fn_key_emit emit;
  void *arg;
} listing;

static fn_status list_one(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  const listing *l = arg;
  fn_key_info info;
  return n == N_COLUMNS && read_info(&info, v) ? l->emit(l->arg, &info, err) : FN_OK;
}

fn_status fn_key_list(fn_sql *sql, fn_key_emit emit, void *arg, fn_err *err) {
  listing l = {emit, arg};
  return fn_sql_query(sql, "SELECT " COLUMNS " FROM api_keys ORDER BY created_ms, id LIMIT 100000", NULL, 0, list_one,
                      &l, err);
}

static fn_status keep_one(void *arg, const fn_key_info *info, fn_err *err) {
  (void)err;
  *(fn_key_info *)arg = *info;
  return FN_OK;
}

fn_status fn_key_revoke(fn_key_info *info_out, fn_sql *sql, const char *id, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(id), fn_sql_int(fn_clock_unix_ms())};
  fn_key_info info = {.id = ""};
  listing l = {keep_one, &info};
  FN_TRY(fn_sql_run(sql, "UPDATE api_keys SET revoked_ms = $2 WHERE id = $1 AND revoked_ms = 0", values, 2, NULL, err));
  FN_TRY(fn_sql_query(sql, "SELECT " COLUMNS " FROM api_keys WHERE id = $1", values, 1, list_one, &l, err));
  if (!info.id[0]) return fn_err_set(err, FN_E_NOT_FOUND, "no key %.40s; `fakenews keys list` shows their ids", id);
  *info_out = info;
  return FN_OK;
}

/* ---- in memory ---- */

typedef struct key {
  fn_key_info info;
  unsigned char sha256[FN_SHA256_BYTES];
} key;

typedef struct key_list {
  key *items;
  size_t n, capacity;
} key_list;

struct fn_keyring {
  char *url;
  pthread_mutex_t database_mutex; /* of sql */
  fn_sql *sql;                    /* NULL: not connected */
  pthread_rwlock_t lock;          /* of list */
  key_list list;
};

static fn_status take_key(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  key_list *list = arg;
  key k;
  if (n != N_COLUMNS || !read_info(&k.info, v) || v[5].bytes.length != sizeof k.sha256) return FN_OK;
  memcpy(k.sha256, v[5].bytes.data, sizeof k.sha256);
  void *items = list->items;
  FN_TRY(fn_mem_grow(&items, &list->capacity, list->n + 1, sizeof k, 100000, "API keys", err));
  list->items = items;
  list->items[list->n++] = k;
  return FN_OK;
}

static fn_status load(key_list *list, fn_keyring *ring, fn_err *err) {
  static const char select[] = "SELECT " COLUMNS " FROM api_keys WHERE revoked_ms = 0 ORDER BY created_ms, id";
  const fn_sql_options options = {.busy_ms = 2000};
  if (!ring->sql) FN_TRY(fn_database_open(&ring->sql, ring->url, &options, err));
  return fn_sql_query(ring->sql, select, NULL, 0, take_key, list, err);
}

fn_status fn_keyring_refresh(fn_keyring *ring, fn_err *err) {
  key_list fresh = {0};
  pthread_mutex_lock(&ring->database_mutex);
  const fn_status status = load(&fresh, ring, err);
  pthread_mutex_unlock(&ring->database_mutex);
  if (status == FN_OK) {
    pthread_rwlock_wrlock(&ring->lock);
    const key_list old = ring->list;
    ring->list = fresh;
    fresh = old;
    pthread_rwlock_unlock(&ring->lock);
  }
  free(fresh.items);
  return status;
}

void fn_keyring_close(fn_keyring *ring) {
  if (!ring) return;
  fn_sql_close(ring->sql);
  pthread_mutex_destroy(&ring->database_mutex);
  pthread_rwlock_destroy(&ring->lock);
  free(ring->list.items);
  free(ring->url);
  free(ring);
}

fn_status fn_keyring_open(fn_keyring **ring_out, const fn_predictions_options *options, const char *state_folder,
                          fn_err *err) {
  fn_keyring *ring = fn_mem_calloc(1, sizeof *ring);
  if (!ring) return fn_err_no_memory(err, "API keys");
  pthread_mutex_init(&ring->database_mutex, NULL);
  pthread_rwlock_init(&ring->lock, NULL);
  fn_err why = {0};
  fn_status status = fn_database_url(&ring->url, options, state_folder, &why);
  if (status == FN_OK) {
    status = fn_keyring_refresh(ring, &why);
    if (status == FN_E_IO) status = FN_OK;
  }
  if (status != FN_OK) {
    fn_keyring_close(ring);
    return fn_err_set(err, status, "%s", why.message);
  }
  *ring_out = ring;
  return FN_OK;
}

size_t fn_keyring_count(fn_keyring *ring) {
  pthread_rwlock_rdlock(&ring->lock);
  const size_t n = ring->list.n;
  pthread_rwlock_unlock(&ring->lock);
  return n;
}

bool fn_keyring_find(fn_key_info *info_out, fn_keyring *ring, fn_str secret) {
  unsigned char digest[FN_SHA256_BYTES];
  bool found = false;
  if (secret.length >= FN_KEY_LENGTH) return false; /* no key is so long, and hashing it would cost */
  fn_sha256_bytes(digest, secret);
  pthread_rwlock_rdlock(&ring->lock);
  for (size_t i = 0; i < ring->list.n; i++) {
    if (!fn_equal_constant_time(digest, ring->list.items[i].sha256, sizeof digest)) continue;
    *info_out = ring->list.items[i].info;
    found = true; /* the others are compared all the same */
  }
  pthread_rwlock_unlock(&ring->lock);
  return found;
}

bool fn_keyring_find_id(fn_key_info *info_out, fn_keyring *ring, const char *id) {
  bool found = false;
  pthread_rwlock_rdlock(&ring->lock);
  for (size_t i = 0; i < ring->list.n && !found; i++) {
    found = strcmp(ring->list.items[i].info.id, id) == 0;
    if (found) *info_out = ring->list.items[i].info;
  }
  pthread_rwlock_unlock(&ring->lock);
  return found;
}
