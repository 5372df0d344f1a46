/* fn_hash64 compiled in place: for the short keys of inner loops, where a call costs more than the hash. The same
 * values.
 */
#ifndef FN_BASE_HASH_INLINE_H
#define FN_BASE_HASH_INLINE_H

#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline uint64_t fn_hash64_inline(const void *data, size_t length, uint64_t seed) {
  return XXH3_64bits_withSeed(data, length, seed);
}

#endif
