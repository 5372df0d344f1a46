#include "base/hash.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <xxhash.h>

enum { PIECE = 1 << 18 };

fn_hash128 fn_hash_bytes(const void *data, size_t length) {
  XXH128_hash_t h = XXH3_128bits(data, length);
  return (fn_hash128){h.high64, h.low64};
}

uint64_t fn_hash64(const void *data, size_t length, uint64_t seed) {
  return XXH3_64bits_withSeed(data, length, seed);
}

void fn_hash_format(char out[33], fn_hash128 hash) {
  snprintf(out, 33, "%016llx%016llx", (unsigned long long)hash.high, (unsigned long long)hash.low);
}

struct fn_hasher {
  XXH3_state_t *state;
};

fn_hasher *fn_hasher_create(uint64_t seed) {
  fn_hasher *hasher = fn_mem_alloc(1, sizeof *hasher);
  XXH3_state_t *state = hasher ? XXH3_createState() : NULL;
  if (!state || XXH3_64bits_reset_withSeed(state, seed) != XXH_OK) {
    XXH3_freeState(state);
    free(hasher);
    return NULL;
  }
  hasher->state = state;
  return hasher;
}

void fn_hasher_destroy(fn_hasher *hasher) {
  if (!hasher) return;
  XXH3_freeState(hasher->state);
  free(hasher);
}

void fn_hasher_add(fn_hasher *hasher, const void *data, size_t length) {
  (void)XXH3_64bits_update(hasher->state, data, length); /* fails for NULL only */
}

uint64_t fn_hasher_get(const fn_hasher *hasher) {
  return XXH3_64bits_digest(hasher->state);
}

fn_hash128 fn_hasher_get128(const fn_hasher *hasher) {
  XXH128_hash_t h = XXH3_128bits_digest(hasher->state); /* of one state with XXH3_64bits_digest */
  return (fn_hash128){h.high64, h.low64};
}

static fn_status hash_open_file(fn_hash128 *hash_out, FILE *file, XXH3_state_t *state, unsigned char *piece,
                                const char *path, fn_err *err) {
  (void)XXH3_128bits_reset(state);
  for (size_t n; (n = fread(piece, 1, PIECE, file)) > 0;) (void)XXH3_128bits_update(state, piece, n);
  if (ferror(file)) return fn_err_errno(err, errno, "%s: reading failed", path);
  XXH128_hash_t h = XXH3_128bits_digest(state);
  *hash_out = (fn_hash128){h.high64, h.low64};
  return FN_OK;
}

fn_status fn_hash_file(fn_hash128 *hash_out, const char *path, fn_err *err) {
  FILE *file = fopen(path, "rbe");
  if (!file) return fn_err_errno(err, errno, "%s", path);
  unsigned char *piece = fn_mem_alloc(PIECE, 1);
  XXH3_state_t *state = XXH3_createState();
  fn_status status = piece && state ? hash_open_file(hash_out, file, state, piece, path, err)
                                    : fn_err_no_memory(err, "the hash of a file");
  XXH3_freeState(state);
  free(piece);
  fclose(file);
  return status;
}

uint64_t fn_hash_file_stamp(const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) return 0;
  const int64_t facts[] = {st.st_size,        st.st_mtim.tv_sec,  st.st_mtim.tv_nsec,
                           st.st_ctim.tv_sec, st.st_ctim.tv_nsec, (int64_t)st.st_ino};
  return fn_hash64(facts, sizeof facts, 0);
}
