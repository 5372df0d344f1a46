#include "text/word_cache.h"

#include <stdlib.h>

static const size_t cache_bytes = ((size_t)2 << FN_WORD_CACHE_BITS) * sizeof(fn_cached_word);

fn_status fn_word_cache_create(fn_word_cache **cache_out, fn_err *err) {
  fn_word_cache *cache = fn_mem_calloc(1, sizeof *cache);
  if (cache) cache->sets = fn_mem_slab(cache_bytes);
  if (!cache || !cache->sets) {
    fn_word_cache_destroy(cache);
    return fn_err_no_memory(err, "a cache of words");
  }
  *cache_out = cache;
  return FN_OK;
}

void fn_word_cache_destroy(fn_word_cache *cache) {
  if (!cache) return;
  free(cache->sets);
  free(cache);
}

void fn_word_cache_bind(fn_word_cache *cache, const fn_tokenizer *tokenizer) {
  fn_hash128 hash = fn_tokenizer_get_info(tokenizer)->hash;
  if (hash.high == cache->tokenizer.high && hash.low == cache->tokenizer.low) return;
  memset(cache->sets, 0, cache_bytes);
  cache->tokenizer = hash;
}
