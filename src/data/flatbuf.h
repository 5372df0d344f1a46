/* The part of the FlatBuffers encoding that Arrow's messages need, written and read by hand: tables with a vtable,
 * strings, vectors; little-endian (https://flatbuffers.dev/internals). Private to src/data.
 *
 * Writing goes front to back: a table first, then what it refers to; offsets are patched when their target is written.
 * Reading trusts nothing: every position is checked against the buffer before it is looked at, and nothing recurses. */
#ifndef FN_DATA_FLATBUF_H
#define FN_DATA_FLATBUF_H

#include "base/str.h"

#include <assert.h>

/* One slot of a table that is to be written. size 0 leaves it out; 1, 2, 4, 8 writes that many bytes of `value`.
 * An offset (to a table, string, vector) is a slot of size 4; its target is named later by position `at`. */
typedef struct fn_fb_slot {
  size_t size;
  uint64_t value;
  size_t at; /* out: position of the field in the buffer */
} fn_fb_slot;

/* Appends vtable and table, aligned to 8; returns the table's position. The buffer starts with fn_fb_begin. */
size_t fn_fb_put_table(fn_buf *buf, fn_fb_slot *slots, size_t n_slots);
/* The root offset; position of the field to patch. */
size_t fn_fb_begin(fn_buf *buf);
/* Sets the offset at `at` to `target` (> at). */
void fn_fb_patch(fn_buf *buf, size_t at, size_t target);
void fn_fb_put_string(fn_buf *buf, size_t at, fn_str text);
/* Vector header of n elements aligned to `align` (4 or 8), patched into `at`; the caller appends the elements. Returns
 * the position of the first. */
size_t fn_fb_put_vector(fn_buf *buf, size_t at, size_t n, size_t align);
/* Zero bytes until the length is a multiple of align. */
void fn_fb_pad(fn_buf *buf, size_t align);

/* A buffer to read. All functions return false when the buffer is damaged. An absent field yields the default, a zero
 * position, or an empty vector. */
typedef struct fn_fb {
  const unsigned char *data;
  size_t length;
} fn_fb;

typedef struct fn_fb_vector {
  size_t begin; /* position of the first element */
  size_t n;
} fn_fb_vector;

bool fn_fb_get_root(size_t *table_out, const fn_fb *fb);
/* Scalar of `size` (1, 2, 4, 8) bytes, zero-extended. */
bool fn_fb_get_scalar(uint64_t *out, const fn_fb *fb, size_t table, size_t slot, size_t size, uint64_t fallback);
bool fn_fb_get_table(size_t *table_out, const fn_fb *fb, size_t table, size_t slot);
bool fn_fb_get_string(fn_str *text_out, const fn_fb *fb, size_t table, size_t slot);
bool fn_fb_get_vector(fn_fb_vector *vector_out, const fn_fb *fb, size_t table, size_t slot, size_t element_size);
/* Table that element i of a vector of offsets refers to; i < vector->n. */
bool fn_fb_get_element(size_t *table_out, const fn_fb *fb, const fn_fb_vector *vector, size_t i);

/* Little-endian loads from any alignment; the bytes were checked before. */
static inline uint32_t fn_load_u32(const unsigned char *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
static inline uint64_t fn_load_u64(const unsigned char *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are mapped and read as they are: little-endian only");

#endif
