#include "base/hash.h"

#include "base/file.h"

#include <stdio.h>
#include <xxhash.h>

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

fn_status fn_hash_file(fn_hash128 *hash_out, const char *path, fn_err *err) {
  fn_map map;
  FN_TRY(fn_map_open(&map, path, err));
  *hash_out = fn_hash_bytes(map.length ? map.data : (const unsigned char *)"", map.length);
  fn_map_close(&map);
  return FN_OK;
}
