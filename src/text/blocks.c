#include "text/blocks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

void fn_byte_classes_finish(fn_byte_classes *classes) {
  memset(classes->word, 0, sizeof classes->word);
  memset(classes->punctuation, 0, sizeof classes->punctuation);
  memset(classes->space, 0, sizeof classes->space);
  for (unsigned b = 0; b < 128; b++) {
    uint8_t *set = classes->of[b] == FN_BYTE_WORD          ? classes->word
                   : classes->of[b] == FN_BYTE_PUNCTUATION ? classes->punctuation
                   : classes->of[b] == FN_BYTE_SPACE       ? classes->space
                                                           : NULL;
    if (set) set[b & 15] |= (uint8_t)(1U << (b >> 4));
  }
  memset(classes->of + 128, FN_BYTE_OTHER, 128);
}

static void classify_plain(fn_block *block_out, const fn_byte_classes *classes, const unsigned char *bytes) {
  fn_block b = {0, 0, 0};
  for (unsigned i = 0; i < FN_BLOCK_BYTES; i++) {
    uint8_t class = classes->of[bytes[i]];
    b.word |= (uint64_t)(class == FN_BYTE_WORD) << i;
    b.punctuation |= (uint64_t)(class == FN_BYTE_PUNCTUATION) << i;
    b.other |= (uint64_t)(class == FN_BYTE_OTHER) << i;
  }
  *block_out = b;
}

#if defined(__x86_64__)

/* One bit for each high half; those from 8 on belong to bytes beyond ASCII. */
static const uint8_t high_bits[16] = {1, 2, 4, 8, 16, 32, 64, 128};

__attribute__((target("avx2"))) static __m256i table256(const uint8_t table[16]) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

/* A shuffle gives 0 for an index with its top bit set: bytes beyond ASCII are in no set. */
__attribute__((target("avx2"))) static uint32_t in_set256(__m256i bytes, __m256i high, const uint8_t set[16]) {
  __m256i both = _mm256_and_si256(_mm256_shuffle_epi8(table256(set), bytes), high);
  return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(both, _mm256_setzero_si256()));
}

__attribute__((target("avx2"))) static void classify_avx2(fn_block *block_out, const fn_byte_classes *classes,
                                                          const unsigned char *bytes) {
  fn_block b = {0, 0, 0};
  uint64_t space = 0;
  for (unsigned i = 0; i < FN_BLOCK_BYTES; i += 32) {
    __m256i c = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + i));
    __m256i half = _mm256_and_si256(_mm256_srli_epi16(c, 4), _mm256_set1_epi8(15));
    __m256i high = _mm256_shuffle_epi8(table256(high_bits), half);
    b.word |= (uint64_t)in_set256(c, high, classes->word) << i;
    b.punctuation |= (uint64_t)in_set256(c, high, classes->punctuation) << i;
    space |= (uint64_t)in_set256(c, high, classes->space) << i;
  }
  b.other = ~(b.word | b.punctuation | space);
  *block_out = b;
}

#define AVX512 __attribute__((target("avx512f,avx512bw")))

AVX512 static __m512i table512(const uint8_t table[16]) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)table));
}

AVX512 static void classify_avx512(fn_block *block_out, const fn_byte_classes *classes, const unsigned char *bytes) {
  __m512i c = _mm512_loadu_si512((const void *)bytes);
  __m512i half = _mm512_and_si512(_mm512_srli_epi16(c, 4), _mm512_set1_epi8(15));
  __m512i high = _mm512_shuffle_epi8(table512(high_bits), half);
  uint64_t word = _mm512_test_epi8_mask(_mm512_shuffle_epi8(table512(classes->word), c), high);
  uint64_t punctuation = _mm512_test_epi8_mask(_mm512_shuffle_epi8(table512(classes->punctuation), c), high);
  uint64_t space = _mm512_test_epi8_mask(_mm512_shuffle_epi8(table512(classes->space), c), high);
  *block_out = (fn_block){word, punctuation, ~(word | punctuation | space)};
}

#endif

fn_block_classify fn_block_classify_at(fn_block_level level) {
  if (level == FN_BLOCK_PLAIN) return classify_plain;
#if defined(__x86_64__)
  if (level == FN_BLOCK_AVX2 && __builtin_cpu_supports("avx2")) return classify_avx2;
  if (level == FN_BLOCK_AVX512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
    return classify_avx512;
#endif
  return NULL;
}

fn_block_classify fn_block_classify_best(void) {
  int level = FN_BLOCK_LEVELS - 1;
  while (!fn_block_classify_at((fn_block_level)level)) level--;
  return fn_block_classify_at((fn_block_level)level);
}
