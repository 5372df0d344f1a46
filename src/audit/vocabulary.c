#include "audit/vocabulary.h"

#include "linear/chars.h"

#include <math.h>

/* Rows are read a wave at a time: chunks in parallel, then put into the table one after another, in order. */
enum { CHUNK_ROWS = 32, WAVE_CHUNKS = 64, SEEN_SLOTS = 1 << 18 };

typedef struct occurrence {
  uint64_t hash;
  uint32_t offset;
  uint16_t length;
  uint8_t field;
} occurrence;

typedef struct chunk {
  occurrence *items;
  size_t n, capacity;
  size_t row_end[CHUNK_ROWS]; /* in items */
  bool failed;
} chunk;

/* The hashes of one row; a row has fewer words than half the slots. */
typedef struct seen {
  uint64_t *slots; /* [SEEN_SLOTS] 0: free */
  uint32_t *used;
  size_t n_used;
} seen;

typedef struct wave {
  const fn_audit_sample *sample;
  size_t first_row;
  chunk chunks[WAVE_CHUNKS];
  seen *seen; /* [workers] */
} wave;

_Static_assert(SEEN_SLOTS >= 2 * 2 * FN_AUDIT_MAX_BYTES, "every byte of both fields may be a word");

/* Set a title's words apart from a text's. Not as a seed: XXH3 adds that to short keys, so that a word of the one would
 * meet a similar word of the other. */
static const uint64_t field_keys[] = {[FN_AUDIT_TITLE] = 0x9E3779B97F4A7C15u, [FN_AUDIT_TEXT] = 0};

static bool is_new(seen *s, uint64_t hash) {
  size_t at = (size_t)(hash >> 46); /* 18 bits */
  while (s->slots[at] != 0) {
    if (s->slots[at] == hash) return false;
    at = (at + 1) & (SEEN_SLOTS - 1);
  }
  s->slots[at] = hash;
  s->used[s->n_used++] = (uint32_t)at;
  return true;
}

static void add_word(chunk *c, seen *s, fn_str field, size_t begin, size_t end, int which) {
  if (end - begin > FN_AUDIT_MAX_WORD) return;
  uint64_t hash = (fn_hash64(field.data + begin, end - begin, 0) ^ field_keys[which]) | 1;
  if (!is_new(s, hash)) return;
  void *items = c->items;
  if (c->n == c->capacity &&
      fn_mem_grow(&items, &c->capacity, c->n + 1, sizeof *c->items, SIZE_MAX / 64, "words", NULL) != FN_OK) {
    c->failed = true;
    return;
  }
  c->items = items;
  c->items[c->n++] = (occurrence){hash, (uint32_t)begin, (uint16_t)(end - begin), (uint8_t)which};
}

static void read_field(chunk *c, seen *s, fn_str field, int which) {
  size_t word = SIZE_MAX; /* where the one under way begins */
  for (size_t i = 0, n; i < field.length; i += n) {
    uint32_t code = (unsigned char)field.data[i];
    n = 1;
    if (code >= 0x80) {
      n = fn_utf8_decode(&code, field.data + i, field.length - i);
      if (n == 0) n = 1, code = 0xFFFD;
    }
    fn_char_class class = fn_char_classify(code);
    if (class == FN_CHAR_WORD) {
      if (word == SIZE_MAX) word = i;
      continue;
    }
    if (word != SIZE_MAX) add_word(c, s, field, word, i, which);
    word = SIZE_MAX;
    if (class == FN_CHAR_OTHER) add_word(c, s, field, i, i + n, which);
  }
  if (word != SIZE_MAX) add_word(c, s, field, word, field.length, which);
}

static void read_chunk(void *arg, size_t task, int worker) {
  wave *w = arg;
  chunk *c = &w->chunks[task];
  seen *s = &w->seen[worker];
  c->n = 0;
  for (size_t k = 0; k < CHUNK_ROWS; k++) {
    size_t i = w->first_row + task * CHUNK_ROWS + k;
    if (i < w->sample->n) {
      read_field(c, s, w->sample->rows[i].title, FN_AUDIT_TITLE);
      read_field(c, s, w->sample->rows[i].text, FN_AUDIT_TEXT);
    }
    c->row_end[k] = c->n;
    while (s->n_used > 0) s->slots[s->used[--s->n_used]] = 0;
  }
}

typedef struct table {
  fn_audit_word *words;
  size_t n, capacity;
  uint32_t *slots; /* [n_slots] number + 1, 0: free */
  size_t n_slots;
} table;

static uint32_t *find_slot(const table *t, uint64_t hash) {
  size_t at = (size_t)(hash >> 20) & (t->n_slots - 1);
  while (t->slots[at] && t->words[t->slots[at] - 1].hash != hash) at = (at + 1) & (t->n_slots - 1);
  return &t->slots[at];
}

static fn_status grow_slots(table *t, size_t n_slots, fn_err *err) {
  uint32_t *slots = fn_mem_calloc(n_slots, sizeof *slots);
  if (!slots) return fn_err_no_memory(err, "words");
  free(t->slots);
  t->slots = slots;
  t->n_slots = n_slots;
  for (size_t i = 0; i < t->n; i++) *find_slot(t, t->words[i].hash) = (uint32_t)i + 1;
  return FN_OK;
}

static fn_status add_to_table(uint32_t *id_out, table *t, const occurrence *o, size_t row, int label, fn_err *err) {
  if (2 * (t->n + 1) > t->n_slots) FN_TRY(grow_slots(t, t->n_slots ? 2 * t->n_slots : 1 << 16, err));
  uint32_t *slot = find_slot(t, o->hash);
  if (!*slot) {
    void *words = t->words;
    FN_TRY(fn_mem_grow(&words, &t->capacity, t->n + 1, sizeof *t->words, UINT32_MAX - 1, "words", err));
    t->words = words;
    t->words[t->n++] = (fn_audit_word){
        .hash = o->hash, .row = (uint32_t)row, .offset = o->offset, .length = o->length, .field = o->field};
    *slot = (uint32_t)t->n;
  }
  t->words[*slot - 1].n_rows[label]++;
  *id_out = *slot - 1;
  return FN_OK;
}

/* Takes over a wave. `known`: words that are not in the table are left out. */
static fn_status take_wave(fn_audit_word_rows *rows, size_t *capacity, table *t, const wave *w, bool known,
                           fn_err *err) {
  for (size_t c = 0; c < WAVE_CHUNKS; c++) {
    const chunk *from = &w->chunks[c];
    if (from->failed) return fn_err_no_memory(err, "words");
    for (size_t k = 0, at = 0; k < CHUNK_ROWS; k++) {
      size_t row = w->first_row + c * CHUNK_ROWS + k;
      if (row >= w->sample->n) return FN_OK;
      size_t n = rows->begin[row];
      void *ids = rows->ids;
      FN_TRY(
          fn_mem_grow(&ids, capacity, n + from->row_end[k] - at + 1, sizeof *rows->ids, SIZE_MAX / 64, "words", err));
      rows->ids = ids;
      for (; at < from->row_end[k]; at++) {
        const occurrence *o = &from->items[at];
        if (known) {
          uint32_t number = *find_slot(t, o->hash);
          if (number) rows->ids[n++] = number - 1;
        } else {
          FN_TRY(add_to_table(&rows->ids[n++], t, o, row, w->sample->rows[row].label, err));
        }
      }
      rows->begin[row + 1] = n;
    }
  }
  return FN_OK;
}

static void free_wave(wave *w, size_t n_workers) {
  for (size_t c = 0; c < WAVE_CHUNKS; c++) free(w->chunks[c].items);
  for (size_t i = 0; w->seen && i < n_workers; i++) {
    free(w->seen[i].slots);
    free(w->seen[i].used);
  }
  free(w->seen);
  free(w);
}

static fn_status read_rows(fn_audit_word_rows *rows, table *t, const fn_audit_sample *sample, bool known, fn_pool *pool,
                           fn_err *err) {
  size_t n_workers = (size_t)fn_pool_n_threads(pool), capacity = 0;
  rows->begin = fn_mem_calloc(sample->n + 1, sizeof *rows->begin);
  wave *w = fn_mem_calloc(1, sizeof *w);
  if (!rows->begin || !w) return free(w), fn_err_no_memory(err, "words");
  w->sample = sample;
  w->seen = fn_mem_calloc(n_workers, sizeof *w->seen);
  fn_status status = w->seen ? FN_OK : fn_err_no_memory(err, "words");
  for (size_t i = 0; status == FN_OK && i < n_workers; i++) {
    w->seen[i].slots = fn_mem_calloc(SEEN_SLOTS, sizeof *w->seen[i].slots);
    w->seen[i].used = fn_mem_alloc(SEEN_SLOTS, sizeof *w->seen[i].used);
    if (!w->seen[i].slots || !w->seen[i].used) status = fn_err_no_memory(err, "words");
  }
  for (; status == FN_OK && w->first_row < sample->n; w->first_row += (size_t)WAVE_CHUNKS * CHUNK_ROWS) {
    fn_pool_run(pool, WAVE_CHUNKS, read_chunk, w);
    status = take_wave(rows, &capacity, t, w, known, err);
  }
  free_wave(w, n_workers);
  return status;
}

static double score(const fn_audit_word *word, const size_t n_class[2]) {
  double share[2], variance = 0;
  for (int k = 0; k < 2; k++) {
    double n = (double)n_class[k] + 2;
    share[k] = ((double)word->n_rows[k] + 1) / n;
    variance += share[k] * (1 - share[k]) / n;
  }
  return fabs(share[0] - share[1]) - 1.96 * sqrt(variance);
}

typedef struct ranked {
  double score;
  uint32_t number;
} ranked;

static int by_score(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->score > y->score || x->score < y->score) return x->score > y->score ? -1 : 1;
  return (x->number > y->number) - (x->number < y->number);
}

/* Keeps what is frequent enough, best first; *place_out[old number] is the new one, UINT32_MAX where it is dropped. */
static fn_status rank_words(fn_audit_word **words_out, size_t *n_out, uint32_t *place, const table *t,
                            const size_t n_class[2], fn_err *err) {
  FN_AUTO_FREE ranked *order = fn_mem_alloc(t->n, sizeof *order);
  if (!order) return fn_err_no_memory(err, "words");
  size_t n = 0;
  for (size_t i = 0; i < t->n; i++) {
    place[i] = UINT32_MAX;
    if (t->words[i].n_rows[0] + t->words[i].n_rows[1] >= FN_AUDIT_MIN_ROWS)
      order[n++] = (ranked){score(&t->words[i], n_class), (uint32_t)i};
  }
  qsort(order, n, sizeof *order, by_score);
  fn_audit_word *words = fn_mem_alloc(n, sizeof *words);
  if (!words) return fn_err_no_memory(err, "words");
  for (size_t k = 0; k < n; k++) {
    words[k] = t->words[order[k].number];
    words[k].score = order[k].score;
    place[order[k].number] = (uint32_t)k;
  }
  *words_out = words;
  *n_out = n;
  return FN_OK;
}

static int by_id(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

typedef struct renumbering {
  fn_audit_word_rows *rows;
  size_t n;
  const uint32_t *place;
  size_t *kept; /* [n] ids left in each row */
} renumbering;

static void renumber_rows(void *arg, size_t task, int worker) {
  (void)worker;
  const renumbering *r = arg;
  for (size_t i = task * CHUNK_ROWS; i < (task + 1) * CHUNK_ROWS && i < r->n; i++) {
    uint32_t *ids = r->rows->ids + r->rows->begin[i];
    size_t n = r->rows->begin[i + 1] - r->rows->begin[i], kept = 0;
    for (size_t k = 0; k < n; k++)
      if (r->place[ids[k]] != UINT32_MAX) ids[kept++] = r->place[ids[k]];
    qsort(ids, kept, sizeof *ids, by_id);
    r->kept[i] = kept;
  }
}

static fn_status renumber(fn_audit_word_rows *rows, size_t n, const uint32_t *place, fn_pool *pool, fn_err *err) {
  renumbering r = {rows, n, place, fn_mem_alloc(n, sizeof(size_t))};
  if (!r.kept) return fn_err_no_memory(err, "words");
  fn_pool_run(pool, (n + CHUNK_ROWS - 1) / CHUNK_ROWS, renumber_rows, &r);
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    if (r.kept[i]) memmove(rows->ids + at, rows->ids + rows->begin[i], r.kept[i] * sizeof *rows->ids);
    rows->begin[i] = at;
    at += r.kept[i];
  }
  rows->begin[n] = at;
  free(r.kept);
  return FN_OK;
}

static fn_status make(fn_audit_words *out, table *t, const fn_audit_sample *train, const fn_audit_sample *test,
                      fn_pool *pool, fn_err *err) {
  FN_TRY(grow_slots(t, 1 << 16, err));
  FN_TRY(read_rows(&out->train, t, train, false, pool, err));
  FN_TRY(read_rows(&out->test, t, test, true, pool, err));
  FN_AUTO_FREE uint32_t *place = fn_mem_alloc(t->n, sizeof *place);
  if (!place) return fn_err_no_memory(err, "words");
  FN_TRY(rank_words(&out->words, &out->n, place, t, train->n_class, err));
  FN_TRY(renumber(&out->train, train->n, place, pool, err));
  return renumber(&out->test, test->n, place, pool, err);
}

fn_status fn_audit_words_make(fn_audit_words *words_out, const fn_audit_sample *train, const fn_audit_sample *test,
                              fn_pool *pool, fn_err *err) {
  fn_audit_words words = {0};
  table t = {0};
  fn_status status = make(&words, &t, train, test, pool, err);
  free(t.words);
  free(t.slots);
  if (status != FN_OK) {
    fn_audit_words_deinit(&words);
    return status;
  }
  *words_out = words;
  return FN_OK;
}

void fn_audit_words_deinit(fn_audit_words *w) {
  free(w->words);
  free(w->train.ids);
  free(w->train.begin);
  free(w->test.ids);
  free(w->test.begin);
  *w = (fn_audit_words){0};
}

fn_str fn_audit_word_str(const fn_audit_word *word, const fn_audit_sample *train) {
  const fn_row *row = &train->rows[word->row];
  return fn_str_make((word->field == FN_AUDIT_TITLE ? row->title : row->text).data + word->offset, word->length);
}
