/* The vocabulary builder: byte-pair style merging of the most frequent neighbours (Sennrich et al. 2016) with "##" on
 * pieces that continue a word, step by step as Hugging Face's WordPieceTrainer does it. That one numbers the continuing
 * characters in the order of a randomly seeded hash map, so ties fall differently in every run; here they are numbered
 * by code point. Given the same numbers it chooses the same pieces. */
#include "text/train.h"

#include <stdlib.h>

/* Neighbours (a, b) with their count over all words. As in the engine, merging a pair does not lower its own count. */
typedef struct pair {
  uint64_t key; /* a << 32 | b */
  int64_t count;
  size_t step;    /* in which n_new counts … */
  uint32_t n_new; /* … words where the pair appeared anew */
  uint32_t last;  /* the last of them */
  uint32_t filled;
} pair;

/* A candidate for merging: the words where the pair appeared at one step. */
typedef struct candidate {
  int64_t count; /* at the time of queueing; brought up to date when it surfaces */
  uint64_t key;
  size_t pair;
  uint32_t *words; /* malloc'd */
  uint32_t n_words;
} candidate;

/* A pair that appeared in a word. */
typedef struct appearance {
  size_t pair;
  uint32_t word;
} appearance;

typedef struct trainer {
  fn_tokenizer_spec *spec;
  fn_trie ids; /* of the tokens so far */
  fn_word_counts counts;
  uint32_t *symbols; /* of all words, one after the other */
  size_t *at;        /* [n words] */
  uint32_t *length;  /* [n words] symbols left */
  pair *pairs;
  size_t n_pairs, pairs_capacity;
  uint32_t *table; /* pairs by key: index + 1 */
  size_t table_size;
  candidate *heap;
  size_t n_heap, heap_capacity;
  appearance *new_ones; /* of this step */
  size_t n_new, new_capacity, step;
  fn_err *err;
} trainer;

static void trainer_deinit(trainer *t) {
  fn_trie_deinit(&t->ids);
  fn_word_counts_deinit(&t->counts);
  for (size_t i = 0; i < t->n_heap; i++) free(t->heap[i].words);
  free(t->symbols);
  free(t->at);
  free(t->length);
  free(t->pairs);
  free(t->table);
  free(t->heap);
  free(t->new_ones);
}

/* Id of a token, which is appended when it is new. */
static fn_status token_id(int32_t *id_out, trainer *t, fn_str token) {
  int32_t found, next = (int32_t)t->spec->n_tokens;
  FN_TRY(fn_trie_add(&t->ids, &found, token, next, t->err));
  if (found < 0) FN_TRY(fn_tokenizer_spec_add(t->spec, token, t->err));
  *id_out = found < 0 ? next : found;
  return FN_OK;
}

/* ---- alphabet ---- */

static fn_status add_letters(trainer *t, const fn_letter *letters, size_t n) {
  for (int continues = 0; continues < 2; continues++)
    for (size_t i = 0; i < n; i++) {
      char token[8] = "##";
      size_t length = continues ? 2 : 0;
      int32_t id;
      if (continues && !letters[i].continues) continue;
      length += fn_utf8_encode(token + length, letters[i].code_point);
      FN_TRY(token_id(&id, t, fn_str_make(token, length)));
    }
  return FN_OK;
}

/* As many as BertWordPieceTokenizer takes, and so few that they and their continuing forms fit into vocab_size. */
static fn_status build_alphabet(trainer *t, int32_t vocab_size) {
  FN_AUTO_FREE fn_letter *letters = NULL;
  size_t n, max = ((size_t)vocab_size - t->spec->n_tokens) / 2;
  if (max > FN_TRAIN_MAX_ALPHABET) max = FN_TRAIN_MAX_ALPHABET;
  FN_TRY(fn_letters_list(&letters, &n, &t->counts, max, t->err));
  return add_letters(t, letters, n);
}

/* Words as symbols; characters outside the alphabet are left out. */
static fn_status build_symbols(trainer *t) {
  const fn_word_counts *counts = &t->counts;
  size_t total = 0;
  for (size_t i = 0; i < counts->n; i++) total += counts->words[i].n_chars;
  t->symbols = fn_mem_alloc(total, sizeof *t->symbols);
  t->at = fn_mem_alloc(counts->n, sizeof *t->at);
  t->length = fn_mem_calloc(counts->n, sizeof *t->length);
  if (!t->symbols || !t->at || !t->length) return fn_err_no_memory(t->err, "words");
  size_t at = 0;
  for (size_t i = 0; i < counts->n; i++) {
    const fn_word_count *w = &counts->words[i];
    const char *word = counts->bytes + w->at;
    t->at[i] = at;
    for (size_t k = 0; k < w->length;) {
      uint32_t c;
      char token[8] = "##";
      size_t n = fn_char_read(&c, word + k, w->length - k), prefix = k ? 2 : 0, found;
      memcpy(token + prefix, word + k, n);
      int32_t id = fn_trie_longest(&found, &t->ids, 0, token, prefix + n);
      if (id >= 0 && found == prefix + n) t->symbols[at + t->length[i]++] = (uint32_t)id;
      k += n;
    }
    at += t->length[i];
  }
  return FN_OK;
}

/* ---- pairs ---- */

static size_t hash_key(uint64_t key) {
  key *= 0x9E3779B97F4A7C15U;
  return (size_t)(key ^ key >> 32);
}

static fn_status grow_pairs(trainer *t) {
  FN_TRY(fn_mem_grow((void **)&t->pairs, &t->pairs_capacity, t->n_pairs + 1, sizeof *t->pairs, UINT32_MAX / 2, "pairs",
                     t->err));
  if (t->n_pairs * 2 < t->table_size) return FN_OK;
  size_t size = t->table_size ? t->table_size * 2 : 4096;
  uint32_t *table = fn_mem_calloc(size, sizeof *table);
  if (!table) return fn_err_no_memory(t->err, "pairs");
  free(t->table);
  t->table = table;
  t->table_size = size;
  for (size_t i = 0; i < t->n_pairs; i++) {
    size_t at = hash_key(t->pairs[i].key) & (size - 1);
    while (table[at]) at = (at + 1) & (size - 1);
    table[at] = (uint32_t)i + 1;
  }
  return FN_OK;
}

static fn_status find_pair(size_t *index_out, trainer *t, uint32_t a, uint32_t b) {
  FN_TRY(grow_pairs(t));
  uint64_t key = (uint64_t)a << 32 | b;
  size_t mask = t->table_size - 1, at = hash_key(key) & mask;
  while (t->table[at] && t->pairs[t->table[at] - 1].key != key) at = (at + 1) & mask;
  if (t->table[at] == 0) {
    t->pairs[t->n_pairs] = (pair){.key = key, .step = SIZE_MAX};
    t->table[at] = (uint32_t)++t->n_pairs;
  }
  *index_out = t->table[at] - 1;
  return FN_OK;
}

/* The pair's count changes by `change` times the word's; where it grows, the word is noted once. */
static fn_status change_pair(trainer *t, uint32_t a, uint32_t b, uint32_t word, int change) {
  size_t index;
  FN_TRY(find_pair(&index, t, a, b));
  pair *p = &t->pairs[index];
  int64_t count = (int64_t)t->counts.words[word].count;
  p->count += change > 0 ? count : -count;
  if (change < 0) return FN_OK;
  if (p->step != t->step) {
    p->step = t->step;
    p->n_new = p->filled = 0;
  } else if (p->last == word) {
    return FN_OK;
  }
  p->n_new++;
  p->last = word;
  FN_TRY(fn_mem_grow((void **)&t->new_ones, &t->new_capacity, t->n_new + 1, sizeof *t->new_ones, SIZE_MAX / 64, "pairs",
                     t->err));
  t->new_ones[t->n_new++] = (appearance){index, word};
  return FN_OK;
}

/* ---- queue: most frequent first, then the smaller pair of ids ---- */

static bool goes_before(const candidate *x, const candidate *y) {
  return x->count != y->count ? x->count > y->count : x->key < y->key;
}

static void sift_down(trainer *t, size_t i) {
  for (;;) {
    size_t best = i;
    for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < t->n_heap; child++)
      if (goes_before(&t->heap[child], &t->heap[best])) best = child;
    if (best == i) return;
    candidate swap = t->heap[i];
    t->heap[i] = t->heap[best];
    t->heap[best] = swap;
    i = best;
  }
}

static fn_status queue_candidate(trainer *t, candidate c) {
  FN_TRY(fn_mem_grow((void **)&t->heap, &t->heap_capacity, t->n_heap + 1, sizeof *t->heap, SIZE_MAX / 64, "pairs",
                     t->err));
  size_t i = t->n_heap++;
  while (i > 0 && goes_before(&c, &t->heap[(i - 1) / 2])) {
    t->heap[i] = t->heap[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  t->heap[i] = c;
  return FN_OK;
}

static candidate take_top(trainer *t) {
  candidate top = t->heap[0];
  t->heap[0] = t->heap[--t->n_heap];
  sift_down(t, 0);
  return top;
}

/* Queues every pair that appeared anew in this step, with its words. */
static fn_status queue_new(trainer *t) {
  FN_AUTO_FREE candidate *made = fn_mem_calloc(t->n_new, sizeof *made);
  size_t n_made = 0;
  fn_status status = made ? FN_OK : fn_err_no_memory(t->err, "pairs");
  for (size_t i = 0; i < t->n_new && status == FN_OK; i++) {
    pair *p = &t->pairs[t->new_ones[i].pair];
    if (p->count <= 0) continue; /* as in the engine: its words are forgotten */
    if (p->filled == 0) {
      p->last = (uint32_t)n_made; /* from here on: its candidate */
      made[n_made] = (candidate){p->count, p->key, t->new_ones[i].pair, fn_mem_alloc(p->n_new, sizeof(uint32_t)), 0};
      if (!made[n_made++].words) status = fn_err_no_memory(t->err, "pairs");
    }
    if (status != FN_OK) break;
    candidate *c = &made[p->last];
    c->words[c->n_words++] = t->new_ones[i].word;
    p->filled++;
  }
  for (size_t i = 0; i < n_made; i++) {
    if (status == FN_OK) status = queue_candidate(t, made[i]);
    if (status != FN_OK) free(made[i].words);
  }
  t->n_new = 0;
  t->step++;
  return status;
}

static fn_status count_pairs(trainer *t) {
  for (size_t i = 0; i < t->counts.n; i++) {
    const uint32_t *s = t->symbols + t->at[i];
    for (uint32_t k = 1; k < t->length[i]; k++) FN_TRY(change_pair(t, s[k - 1], s[k], (uint32_t)i, 1));
  }
  return queue_new(t);
}

/* ---- merging ---- */

/* Replaces (a, b) by `merged` throughout a word and tells the neighbours' pairs. */
static fn_status merge_word(trainer *t, uint32_t word, uint32_t a, uint32_t b, uint32_t merged) {
  uint32_t *s = t->symbols + t->at[word], n = t->length[word], kept = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (s[i] != a || i + 1 >= n || s[i + 1] != b) {
      s[kept++] = s[i];
      continue;
    }
    if (kept > 0) {
      FN_TRY(change_pair(t, s[kept - 1], a, word, -1));
      FN_TRY(change_pair(t, s[kept - 1], merged, word, 1));
    }
    if (i + 2 < n) {
      FN_TRY(change_pair(t, b, s[i + 2], word, -1));
      FN_TRY(change_pair(t, merged, s[i + 2], word, 1));
    }
    s[kept++] = merged;
    i++;
  }
  t->length[word] = kept;
  return FN_OK;
}

static fn_status merge_candidate(trainer *t, const candidate *c) {
  uint32_t a = (uint32_t)(c->key >> 32), b = (uint32_t)c->key;
  fn_str left = t->spec->tokens[a], right = t->spec->tokens[b];
  if (fn_str_starts_with(right, "##")) right = fn_str_make(right.data + 2, right.length - 2);
  FN_AUTO_BUF fn_buf token;
  fn_buf_init(&token, 2 * FN_TOKEN_MAX_BYTES);
  fn_buf_append(&token, left.data, left.length);
  fn_buf_append(&token, right.data, right.length);
  FN_TRY(fn_buf_check(&token, "token", t->err));
  int32_t merged;
  FN_TRY(token_id(&merged, t, fn_buf_str(&token)));
  for (uint32_t i = 0; i < c->n_words; i++) FN_TRY(merge_word(t, c->words[i], a, b, (uint32_t)merged));
  return queue_new(t);
}

static fn_status merge_all(trainer *t, int32_t vocab_size, int min_frequency) {
  while (t->spec->n_tokens < (size_t)vocab_size && t->n_heap) {
    candidate top = take_top(t);
    int64_t count = t->pairs[top.pair].count;
    fn_status status = FN_OK;
    if (top.count != count) {
      top.count = count;
      status = queue_candidate(t, top);
      if (status == FN_OK) continue;
    } else if (count >= 1 && count >= min_frequency) {
      status = merge_candidate(t, &top);
      free(top.words);
      FN_TRY(status);
      continue;
    }
    free(top.words);
    return status;
  }
  return FN_OK;
}

static fn_status train(trainer *t, fn_text_next next, void *arg, int32_t vocab_size, int min_frequency) {
  static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (size_t i = 0; i < FN_COUNT_OF(specials); i++) {
    int32_t id;
    FN_TRY(token_id(&id, t, fn_str_from(specials[i])));
  }
  FN_TRY(fn_word_counts_fill(&t->counts, next, arg, t->spec->normalizer, t->spec->max_chars, t->err));
  if (t->counts.n == 0) return fn_err_set(t->err, FN_E_INVALID, "the texts hold no words to build a vocabulary from");
  FN_TRY(build_alphabet(t, vocab_size));
  FN_TRY(build_symbols(t));
  FN_TRY(count_pairs(t));
  FN_TRY(merge_all(t, vocab_size, min_frequency));
  t->spec->n_model = t->spec->n_tokens;
  return fn_tokenizer_spec_add_specials(t->spec, t->err);
}

fn_status fn_tokenizer_train(fn_tokenizer **tokenizer_out, fn_text_next next, void *arg, int32_t vocab_size,
                             int min_frequency, bool lowercase, fn_err *err) {
  if (vocab_size < 16 || vocab_size > FN_VOCAB_MAX)
    return fn_err_set(err, FN_E_INVALID, "a vocabulary of %d tokens: accepted are 16 to %d", vocab_size, FN_VOCAB_MAX);
  fn_tokenizer_spec spec;
  fn_tokenizer_spec_init(&spec);
  spec.normalizer.lowercase = spec.normalizer.strip_accents = lowercase;
  trainer t = {.spec = &spec, .err = err};
  fn_status status = train(&t, next, arg, vocab_size, min_frequency);
  trainer_deinit(&t);
  if (status == FN_OK) return fn_tokenizer_build(tokenizer_out, &spec, "vocabulary", err);
  fn_tokenizer_spec_deinit(&spec);
  return status;
}
