#include "audit/overlap.h"

#include "audit/keys.h"

#include <stdatomic.h>

enum { CHUNK_ROWS = 64, KIND_BITS = 4, DATASET = FN_AUDIT_N_SHARES, MIN_REPEATS = 5 };
_Static_assert(DATASET < 1 << KIND_BITS, "the kind stands in the low bits of a key");

typedef struct slot {
  uint64_t key;             /* 0: free */
  _Atomic uint32_t n[2][2]; /* rows (of sentences: times) in train and validation, by class */
} slot;

/* Keys of some drawn rows: row k has keys[k ? row_end[k - 1] : 0 … row_end[k]). */
typedef struct chunk {
  uint64_t *keys;
  size_t n, capacity;
  size_t row_end[CHUNK_ROWS];
  bool failed;
} chunk;

struct fn_audit_overlap {
  const fn_audit_sample *samples[FN_SPLIT_COUNT]; /* NULL for train */
  chunk *chunks[FN_SPLIT_COUNT];
  size_t n_chunks[FN_SPLIT_COUNT];
  slot *slots;
  size_t n_slots;
};

const char *fn_audit_share_name(fn_audit_share share) {
  static const char *const names[] = {"row",  "text", "half_of_sentences",      "sentence", "title",
                                      "head", "tail", "near_duplicate_cluster", "source"};
  _Static_assert(FN_COUNT_OF(names) == FN_AUDIT_N_SHARES, "one name each");
  return names[share];
}

const char *fn_audit_share_meaning(fn_audit_share share) {
  static const char *const meanings[] = {
      "same title and text",    "same text",           "half of the sentences or more",
      "a sentence of 8+ words", "same title",          "first 8 words of the text",
      "last 8 words",           "near-copy (cluster)", "publisher"};
  _Static_assert(FN_COUNT_OF(meanings) == FN_AUDIT_N_SHARES, "one meaning each");
  return meanings[share];
}

typedef void (*key_sink)(void *arg, uint64_t key);
typedef struct emitter {
  key_sink sink;
  void *arg;
} emitter;

static uint64_t make_key(int kind, uint64_t hash) {
  return (hash & ~(uint64_t)((1 << KIND_BITS) - 1)) | (uint64_t)kind;
}
static int kind_of(uint64_t key) {
  return (int)(key & ((1 << KIND_BITS) - 1));
}

static void emit(const emitter *e, int kind, uint64_t hash) {
  uint64_t key = make_key(kind, hash);
  if (key) e->sink(e->arg, key);
}

static void emit_bytes(const emitter *e, int kind, const void *data, size_t length) {
  if (length) emit(e, kind, fn_hash64(data, length, 0));
}

static void emit_sentence(void *arg, uint64_t hash, size_t n_words, size_t begin, size_t end) {
  (void)n_words, (void)begin, (void)end;
  emit(arg, FN_AUDIT_SHARE_SENTENCE, hash);
}

static fn_str cut(fn_str s) {
  return fn_str_make(s.data, s.length < FN_AUDIT_MAX_BYTES ? s.length : FN_AUDIT_MAX_BYTES);
}

static void emit_row(emitter *e, const fn_row *row) {
  fn_audit_keys keys;
  emit_bytes(e, FN_AUDIT_SHARE_ROW, row->hash.data, row->hash.length);
  emit_bytes(e, FN_AUDIT_SHARE_CLUSTER, &row->cluster, sizeof row->cluster);
  emit_bytes(e, FN_AUDIT_SHARE_SOURCE, row->source.data, row->source.length);
  emit_bytes(e, DATASET, row->dataset.data, row->dataset.length);
  fn_audit_keys_make(&keys, cut(row->title), NULL, NULL);
  if (keys.n_words >= FN_AUDIT_TITLE_WORDS) emit(e, FN_AUDIT_SHARE_TITLE, keys.all);
  fn_audit_keys_make(&keys, cut(row->text), emit_sentence, e);
  if (keys.n_words) emit(e, FN_AUDIT_SHARE_TEXT, keys.all);
  if (keys.head) emit(e, FN_AUDIT_SHARE_HEAD, keys.head);
  if (keys.tail) emit(e, FN_AUDIT_SHARE_TAIL, keys.tail);
}

/* ---- keys of the drawn rows */

static void keep_key(void *arg, uint64_t key) {
  chunk *c = arg;
  void *keys = c->keys;
  if (c->n == c->capacity &&
      fn_mem_grow(&keys, &c->capacity, c->n + 1, sizeof *c->keys, SIZE_MAX / 64, "keys", NULL) != FN_OK) {
    c->failed = true;
    return;
  }
  c->keys = keys;
  c->keys[c->n++] = key;
}

typedef struct collector {
  const fn_audit_sample *sample;
  chunk *chunks;
} collector;

static void collect_chunk(void *arg, size_t task, int worker) {
  (void)worker;
  const collector *job = arg;
  chunk *c = &job->chunks[task];
  emitter e = {keep_key, c};
  for (size_t k = 0; k < CHUNK_ROWS; k++) {
    size_t i = task * CHUNK_ROWS + k;
    if (i < job->sample->n) emit_row(&e, &job->sample->rows[i]);
    c->row_end[k] = c->n;
  }
}

static fn_status collect(fn_audit_overlap *o, fn_split split, fn_pool *pool, fn_err *err) {
  size_t n = (o->samples[split]->n + CHUNK_ROWS - 1) / CHUNK_ROWS;
  o->chunks[split] = fn_mem_calloc(n, sizeof *o->chunks[split]);
  if (!o->chunks[split]) return fn_err_no_memory(err, "keys of rows");
  o->n_chunks[split] = n;
  fn_pool_run(pool, n, collect_chunk, &(collector){o->samples[split], o->chunks[split]});
  for (size_t c = 0; c < n; c++)
    if (o->chunks[split][c].failed) return fn_err_no_memory(err, "keys of rows");
  return FN_OK;
}

static slot *find(const fn_audit_overlap *o, uint64_t key) {
  size_t at = (size_t)(key >> 24) & (o->n_slots - 1);
  while (o->slots[at].key && o->slots[at].key != key) at = (at + 1) & (o->n_slots - 1);
  return &o->slots[at];
}

static fn_status fill_table(fn_audit_overlap *o, fn_err *err) {
  size_t n_keys = 0;
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t c = 0; c < o->n_chunks[s]; c++) n_keys += o->chunks[s][c].n;
  for (o->n_slots = 1024; o->n_slots < n_keys + n_keys / 2;) o->n_slots *= 2;
  o->slots = fn_mem_calloc(o->n_slots, sizeof *o->slots);
  if (!o->slots) return fn_err_no_memory(err, "keys of rows");
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t c = 0; c < o->n_chunks[s]; c++)
      for (size_t k = 0; k < o->chunks[s][c].n; k++) find(o, o->chunks[s][c].keys[k])->key = o->chunks[s][c].keys[k];
  return FN_OK;
}

/* ---- the rows that run past */

typedef struct passer {
  const fn_audit_overlap *overlap;
  const fn_dataset *dataset;
  fn_split split;
  size_t first_chunk;
} passer;
typedef struct passing {
  const fn_audit_overlap *overlap;
  int which, label;
} passing;

/* Sums of counts: the order of the threads does not matter. */
static void count_key(void *arg, uint64_t key) {
  const passing *p = arg;
  slot *s = find(p->overlap, key);
  if (s->key) atomic_fetch_add_explicit(&s->n[p->which][p->label], 1, memory_order_relaxed);
}

static void pass_chunk(void *arg, size_t task, int worker) {
  (void)worker;
  const passer *p = arg;
  size_t n = fn_dataset_n_rows(p->dataset, p->split), begin = (p->first_chunk + task) * CHUNK_ROWS;
  for (size_t i = begin; i < begin + CHUNK_ROWS && i < n; i++) {
    fn_row row;
    fn_dataset_get(&row, p->dataset, p->split, i);
    passing one = {p->overlap, p->split != FN_SPLIT_TRAIN, row.label};
    emit_row(&(emitter){count_key, &one}, &row);
  }
}

static fn_status pass_split(const fn_audit_overlap *o, const fn_dataset *dataset, fn_split split, fn_pool *pool,
                            bool (*stop)(void), fn_err *err) {
  enum { AT_ONCE = 256 }; /* chunks between two questions whether to stop */
  size_t n_chunks = (fn_dataset_n_rows(dataset, split) + CHUNK_ROWS - 1) / CHUNK_ROWS;
  for (size_t first = 0; first < n_chunks; first += AT_ONCE) {
    if (stop && stop()) return fn_err_set(err, FN_E_CANCELLED, "stopped");
    passer p = {o, dataset, split, first};
    fn_pool_run(pool, n_chunks - first < AT_ONCE ? n_chunks - first : AT_ONCE, pass_chunk, &p);
  }
  return FN_OK;
}

void fn_audit_overlap_destroy(fn_audit_overlap *o) {
  if (!o) return;
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    for (size_t c = 0; c < o->n_chunks[s]; c++) free(o->chunks[s][c].keys);
    free(o->chunks[s]);
  }
  free(o->slots);
  free(o);
}

static fn_status make(fn_audit_overlap *o, const fn_dataset *dataset, fn_pool *pool, bool (*stop)(void), fn_err *err) {
  FN_TRY(collect(o, FN_SPLIT_VALIDATION, pool, err));
  FN_TRY(collect(o, FN_SPLIT_TEST, pool, err));
  FN_TRY(fill_table(o, err));
  FN_TRY(pass_split(o, dataset, FN_SPLIT_TRAIN, pool, stop, err));
  return pass_split(o, dataset, FN_SPLIT_VALIDATION, pool, stop, err);
}

fn_status fn_audit_overlap_make(fn_audit_overlap **overlap_out, const fn_dataset *dataset,
                                const fn_audit_sample *validation, const fn_audit_sample *test, fn_pool *pool,
                                bool (*stop)(void), fn_err *err) {
  fn_audit_overlap *o = fn_mem_calloc(1, sizeof *o);
  if (!o) return fn_err_no_memory(err, "keys of rows");
  o->samples[FN_SPLIT_VALIDATION] = validation;
  o->samples[FN_SPLIT_TEST] = test;
  fn_status status = make(o, dataset, pool, stop, err);
  if (status != FN_OK) {
    fn_audit_overlap_destroy(o);
    return status;
  }
  *overlap_out = o;
  return FN_OK;
}

/* ---- what was found */

typedef struct keys_of_row {
  const uint64_t *keys;
  size_t n;
} keys_of_row;

static keys_of_row row_keys(const fn_audit_overlap *o, fn_split split, size_t i) {
  const chunk *c = &o->chunks[split][i / CHUNK_ROWS];
  size_t k = i % CHUNK_ROWS, begin = k ? c->row_end[k - 1] : 0;
  return (keys_of_row){c->keys + begin, c->row_end[k] - begin};
}

static void read_slot(uint32_t n_out[2], const slot *s, int which) {
  for (int k = 0; k < 2; k++) n_out[k] = atomic_load_explicit(&s->n[which][k], memory_order_relaxed);
}

void fn_audit_overlap_group(uint32_t n_out[2], const fn_audit_overlap *o, fn_split split, size_t i, bool by_dataset) {
  n_out[0] = n_out[1] = 0;
  keys_of_row row = row_keys(o, split, i);
  for (size_t k = 0; k < row.n; k++)
    if (kind_of(row.keys[k]) == (by_dataset ? (int)DATASET : (int)FN_AUDIT_SHARE_SOURCE))
      read_slot(n_out, find(o, row.keys[k]), 0);
}

static void add(fn_audit_shared *s, const uint64_t n[2], bool hit, int label) {
  s->n++;
  if (!hit) return;
  s->n_hit++;
  s->n_same_label += n[label] > n[1 - label];
}

void fn_audit_overlap_count(fn_audit_shared shared_out[FN_AUDIT_N_SHARES], const fn_audit_overlap *o, fn_split split,
                            fn_split against) {
  memset(shared_out, 0, FN_AUDIT_N_SHARES * sizeof *shared_out);
  for (size_t i = 0; i < o->samples[split]->n; i++) {
    keys_of_row row = row_keys(o, split, i);
    int label = o->samples[split]->rows[i].label;
    uint64_t sentences = 0, found = 0, by_label[2] = {0, 0};
    for (size_t k = 0; k < row.n; k++) {
      int kind = kind_of(row.keys[k]);
      uint32_t n[2];
      read_slot(n, find(o, row.keys[k]), against != FN_SPLIT_TRAIN);
      const uint64_t wide[2] = {n[0], n[1]};
      if (kind == FN_AUDIT_SHARE_SENTENCE) {
        sentences++;
        found += n[0] || n[1];
        by_label[0] += n[0], by_label[1] += n[1];
      } else if (kind != DATASET) {
        add(&shared_out[kind], wide, n[0] || n[1], label);
      }
    }
    if (sentences) add(&shared_out[FN_AUDIT_SHARE_SENTENCE], by_label, found > 0, label);
    if (sentences) add(&shared_out[FN_AUDIT_SHARE_HALF], by_label, 2 * found >= sentences, label);
  }
}

typedef struct repeated {
  uint64_t key, total;
  size_t row;
} repeated;

static int by_total(const void *a, const void *b) {
  const repeated *x = a, *y = b;
  if (x->total != y->total) return x->total > y->total ? -1 : 1;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return (x->row > y->row) - (x->row < y->row);
}

typedef struct place {
  uint64_t key;
  fn_audit_sentence *out;
  fn_str text;
} place;

/* At most five words of it. */
static void describe(void *arg, uint64_t hash, size_t n_words, size_t begin, size_t end) {
  place *p = arg;
  if (make_key(FN_AUDIT_SHARE_SENTENCE, hash) != p->key || p->out->n_words) return;
  p->out->n_words = n_words;
  size_t at = begin;
  for (int spaces = 0; at < end; at++) {
    spaces += p->text.data[at] == ' ';
    if (spaces == 5) break;
  }
  p->out->begin = fn_str_make(p->text.data + begin, at - begin);
}

fn_status fn_audit_overlap_sentences(fn_audit_sentence *sentences_out, size_t *n_out, size_t max,
                                     const fn_audit_overlap *o, fn_split split, fn_err *err) {
  FN_AUTO_FREE repeated *all = NULL;
  size_t n = 0, capacity = 0, n_found = 0;
  for (size_t i = 0; i < o->samples[split]->n; i++) {
    keys_of_row row = row_keys(o, split, i);
    for (size_t k = 0; k < row.n; k++) {
      if (kind_of(row.keys[k]) != FN_AUDIT_SHARE_SENTENCE) continue;
      uint32_t in_train[2];
      read_slot(in_train, find(o, row.keys[k]), 0);
      uint64_t total = (uint64_t)in_train[0] + in_train[1];
      if (total < MIN_REPEATS) continue;
      void *grown = all;
      FN_TRY(fn_mem_grow(&grown, &capacity, n + 1, sizeof *all, SIZE_MAX / 64, "sentences", err));
      all = grown;
      all[n++] = (repeated){row.keys[k], total, i};
    }
  }
  if (n) qsort(all, n, sizeof *all, by_total);
  for (size_t i = 0; i < n && n_found < max; i++) {
    if (i && all[i].key == all[i - 1].key) continue;
    uint32_t in_train[2];
    read_slot(in_train, find(o, all[i].key), 0);
    fn_audit_sentence *s = &sentences_out[n_found++];
    *s = (fn_audit_sentence){.hash = all[i].key, .n_train = {in_train[0], in_train[1]}};
    place p = {all[i].key, s, o->samples[split]->rows[all[i].row].text};
    fn_audit_keys keys;
    fn_audit_keys_make(&keys, p.text, describe, &p);
  }
  *n_out = n_found;
  return FN_OK;
}
