#include "base/rng.h"

#include <math.h>

#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

void fn_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += PHILOX_W0;
    k1 += PHILOX_W1;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

uint32_t fn_rng_u32(fn_rng *rng) {
  uint64_t block = rng->position / 4;
  uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)rng->stream,
                         (uint32_t)(rng->stream >> 32)};
  uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)}, out[4];
  fn_philox(out, counter, key);
  return out[rng->position++ % 4];
}

uint64_t fn_rng_u64(fn_rng *rng) {
  uint64_t low = fn_rng_u32(rng);
  return low | (uint64_t)fn_rng_u32(rng) << 32;
}

uint64_t fn_rng_below(fn_rng *rng, uint64_t n) {
  __extension__ typedef unsigned __int128 wide;
  wide product = (wide)fn_rng_u64(rng) * n;
  if ((uint64_t)product < n) {
    uint64_t reject = (0 - n) % n;
    while ((uint64_t)product < reject) product = (wide)fn_rng_u64(rng) * n;
  }
  return (uint64_t)(product >> 64);
}

double fn_rng_uniform(fn_rng *rng) {
  return (double)(fn_rng_u64(rng) >> 11) * 0x1p-53;
}

double fn_rng_normal(fn_rng *rng) {
  double u = 1.0 - fn_rng_uniform(rng); /* (0, 1]: the logarithm is finite */
  double v = fn_rng_uniform(rng);
  return sqrt(-2.0 * log(u)) * cos(6.283185307179586476925 * v);
}

void fn_rng_shuffle(fn_rng *rng, uint32_t *items, size_t n) {
  for (size_t i = n; i > 1; i--) {
    size_t j = (size_t)fn_rng_below(rng, i);
    uint32_t t = items[i - 1];
    items[i - 1] = items[j];
    items[j] = t;
  }
}
