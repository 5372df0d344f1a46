/* Random numbers: one counter-based generator, Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy
 * as 1, 2, 3"). Any number can be computed on its own from (key, counter), so results do not depend on the order of
 * work, and the whole state fits into a checkpoint. */
#ifndef FN_BASE_RNG_H
#define FN_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* out[4] = Philox4x32-10(counter[4], key[2]). */
void fn_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* A stream: `seed` is the key, `stream` the upper half of the counter. Plain data: copy it to save it. */
typedef struct fn_rng {
  uint64_t seed, stream, position; /* position counts 32-bit draws */
} fn_rng;

static inline fn_rng fn_rng_make(uint64_t seed, uint64_t stream) {
  return (fn_rng){seed, stream, 0};
}
uint32_t fn_rng_u32(fn_rng *rng);
uint64_t fn_rng_u64(fn_rng *rng);
/* Uniform in [0, n), n ≥ 1, without bias (Lemire 2019 with rejection). */
uint64_t fn_rng_below(fn_rng *rng, uint64_t n);
/* Uniform in [0, 1), 53 bits. */
double fn_rng_uniform(fn_rng *rng);
/* Standard normal (Box-Muller; each call uses a fresh pair, so the state stays a plain counter). */
double fn_rng_normal(fn_rng *rng);
/* Fisher-Yates over n 32-bit indices. */
void fn_rng_shuffle(fn_rng *rng, uint32_t *items, size_t n);

#endif
