#include "serve/limit.h"

#include "base/hash.h"
#include "base/sha256.h"

#include <pthread.h>
#include <stdlib.h>

/* A client may lie in any of the WAYS places of its row, so that a full table forgets the idlest of eight. */
enum { WAYS = 8 };

typedef struct bucket {
  uint64_t client;  /* hash; 0: free */
  uint64_t full_ns; /* when all tokens will be there again: each taken token moves it on by 1/rate */
} bucket;

struct fn_limit {
  pthread_mutex_t lock;
  uint64_t seed; /* nobody can choose addresses that share a row */
  uint64_t token_ns, window_ns;
  size_t n_rows;
  bucket *buckets; /* [n_rows][WAYS] */
};

fn_status fn_limit_create(fn_limit **limit_out, int64_t per_minute, size_t n_clients, fn_err *err) {
  uint64_t seed;
  FN_TRY(fn_random_bytes(&seed, sizeof seed, err));
  fn_limit *l = fn_mem_calloc(1, sizeof *l);
  if (l == NULL) return fn_err_no_memory(err, "the table of clients");
  l->n_rows = (n_clients + WAYS - 1) / WAYS;
  l->buckets = fn_mem_calloc(l->n_rows * WAYS, sizeof *l->buckets);
  if (l->buckets == NULL) {
    free(l);
    return fn_err_no_memory(err, "the table of clients");
  }
  l->seed = seed;
  l->window_ns = 60u * UINT64_C(1000000000);
  l->token_ns = l->window_ns / (uint64_t)per_minute;
  pthread_mutex_init(&l->lock, NULL);
  *limit_out = l;
  return FN_OK;
}

void fn_limit_destroy(fn_limit *l) {
  if (l == NULL) return;
  pthread_mutex_destroy(&l->lock);
  free(l->buckets);
  free(l);
}

static bucket *find(fn_limit *l, uint64_t client) {
  bucket *row = l->buckets + client % l->n_rows * WAYS, *idlest = row;
  for (size_t i = 0; i < WAYS; i++) {
    if (row[i].client == client) return &row[i];
    if (row[i].full_ns < idlest->full_ns) idlest = &row[i];
  }
  *idlest = (bucket){.client = client};
  return idlest;
}

bool fn_limit_take(unsigned *retry_after_s_out, fn_limit *l, fn_str name, uint64_t now) {
  uint64_t client = fn_hash64(name.data, name.length, l->seed);
  if (client == 0) client = 1;
  pthread_mutex_lock(&l->lock);
  bucket *b = find(l, client);
  const uint64_t from = b->full_ns > now ? b->full_ns : now, full = from + l->token_ns;
  const bool allowed = full - now <= l->window_ns;
  if (allowed) b->full_ns = full;
  pthread_mutex_unlock(&l->lock);
  if (!allowed) *retry_after_s_out = (unsigned)((full - now - l->window_ns) / UINT64_C(1000000000)) + 1;
  return allowed;
}
