/* Content hashes: XXH3-128 (not for secrets). */
#ifndef FN_BASE_HASH_H
#define FN_BASE_HASH_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fn_hash128 {
  uint64_t high, low;
} fn_hash128;

fn_hash128 fn_hash_bytes(const void *data, size_t length);
uint64_t fn_hash64(const void *data, size_t length, uint64_t seed);
/* 32 lower-case hexadecimal digits, high half first, terminated. */
void fn_hash_format(char out[33], fn_hash128 hash);
/* fn_hash64 of bytes that come in pieces. NULL when memory is short. */
typedef struct fn_hasher fn_hasher;
fn_hasher *fn_hasher_create(uint64_t seed);
void fn_hasher_destroy(fn_hasher *hasher);
void fn_hasher_add(fn_hasher *hasher, const void *data, size_t length);
uint64_t fn_hasher_get(const fn_hasher *hasher);
/* With seed 0: fn_hash_bytes of them. */
fn_hash128 fn_hasher_get128(const fn_hasher *hasher);
/* fn_hash_bytes of a file's bytes, which are read in pieces. */
FN_NODISCARD fn_status fn_hash_file(fn_hash128 *hash_out, const char *path, fn_err *err);
/* A number over a file's size, times and inode, without a look at its bytes: another one when it was written since. 0:
 * it cannot be told. */
uint64_t fn_hash_file_stamp(const char *path);

#endif
