#include "data/flatbuf.h"

#include <assert.h>

void fn_fb_pad(fn_buf *buf, size_t align) {
  static const char zeros[64] = {0};
  assert(align > 0 && align <= sizeof zeros);
  size_t over = buf->length % align;
  if (over) fn_buf_append(buf, zeros, align - over);
}

static void put(fn_buf *buf, uint64_t value, size_t size) {
  fn_buf_append(buf, &value, size);
}

size_t fn_fb_begin(fn_buf *buf) {
  size_t at = buf->length;
  put(buf, 0, 4);
  return at;
}

size_t fn_fb_put_table(fn_buf *buf, fn_fb_slot *slots, size_t n_slots) {
  /* The table starts at 4 modulo 8: after its 4-byte vtable offset, fields in order of falling size are aligned
   * without gaps. The vtable lies directly before it. */
  size_t vtable_size = 4 + 2 * n_slots;
  while (!buf->failed && (buf->length + vtable_size) % 8 != 4) put(buf, 0, 1);
  size_t table = buf->length + vtable_size, end = table + 4;
  for (size_t size = 8; size > 0; size /= 2)
    for (size_t i = 0; i < n_slots; i++)
      if (slots[i].size == size) {
        slots[i].at = end;
        end += size;
      }
  put(buf, vtable_size, 2);
  put(buf, end - table, 2);
  for (size_t i = 0; i < n_slots; i++) put(buf, slots[i].size ? slots[i].at - table : 0, 2);
  put(buf, vtable_size, 4);
  for (size_t size = 8; size > 0; size /= 2)
    for (size_t i = 0; i < n_slots; i++)
      if (slots[i].size == size) put(buf, slots[i].value, size);
  return table;
}

void fn_fb_patch(fn_buf *buf, size_t at, size_t target) {
  if (buf->failed) return;
  assert(target > at && target - at <= UINT32_MAX && at + 4 <= buf->length);
  uint32_t distance = (uint32_t)(target - at);
  memcpy(buf->data + at, &distance, sizeof distance);
}

size_t fn_fb_put_vector(fn_buf *buf, size_t at, size_t n, size_t align) {
  while (!buf->failed && (buf->length + 4) % align != 0) put(buf, 0, 1);
  fn_fb_patch(buf, at, buf->length);
  put(buf, n, 4);
  return buf->length;
}

void fn_fb_put_string(fn_buf *buf, size_t at, fn_str text) {
  fn_fb_put_vector(buf, at, text.length, 4);
  fn_buf_append(buf, text.data, text.length);
  put(buf, 0, 1);
}

/* size bytes at position `at` lie inside the buffer. */
static bool inside(const fn_fb *fb, size_t at, size_t size) {
  return at <= fb->length && size <= fb->length - at;
}

static bool follow(size_t *target_out, const fn_fb *fb, size_t at) {
  if (!inside(fb, at, 4)) return false;
  size_t distance = fn_load_u32(fb->data + at);
  if (distance == 0 || distance > fb->length - at) return false;
  *target_out = at + distance;
  return true;
}

bool fn_fb_get_root(size_t *table_out, const fn_fb *fb) {
  return follow(table_out, fb, 0);
}

/* Position of a field, or 0 when the table has none (position 0 is the root offset, so it is never a field). */
static bool find_field(size_t *at_out, const fn_fb *fb, size_t table, size_t slot, size_t size) {
  if (!inside(fb, table, 4)) return false;
  /* The distance to the vtable is signed and points backwards when positive. */
  int64_t back = (int32_t)fn_load_u32(fb->data + table);
  int64_t position = (int64_t)table - back;
  if (position < 0 || !inside(fb, (size_t)position, 4)) return false;
  size_t vtable = (size_t)position;
  size_t vtable_size = (size_t)fb->data[vtable] | (size_t)fb->data[vtable + 1] << 8;
  if (vtable_size < 4 || !inside(fb, vtable, vtable_size)) return false;
  *at_out = 0;
  size_t entry = 4 + 2 * slot;
  if (entry + 2 > vtable_size) return true;
  size_t offset = (size_t)fb->data[vtable + entry] | (size_t)fb->data[vtable + entry + 1] << 8;
  if (offset == 0) return true;
  if (!inside(fb, table + offset, size)) return false;
  *at_out = table + offset;
  return true;
}

bool fn_fb_get_scalar(uint64_t *out, const fn_fb *fb, size_t table, size_t slot, size_t size, uint64_t fallback) {
  size_t at;
  if (!find_field(&at, fb, table, slot, size)) return false;
  uint64_t value = 0;
  if (at) memcpy(&value, fb->data + at, size);
  *out = at ? value : fallback;
  return true;
}

bool fn_fb_get_table(size_t *table_out, const fn_fb *fb, size_t table, size_t slot) {
  size_t at;
  if (!find_field(&at, fb, table, slot, 4)) return false;
  *table_out = 0;
  return at ? follow(table_out, fb, at) : true;
}

bool fn_fb_get_vector(fn_fb_vector *vector_out, const fn_fb *fb, size_t table, size_t slot, size_t element_size) {
  size_t target, size;
  if (!fn_fb_get_table(&target, fb, table, slot)) return false;
  *vector_out = (fn_fb_vector){0, 0};
  if (!target) return true;
  if (!inside(fb, target, 4)) return false;
  size_t n = fn_load_u32(fb->data + target);
  if (!fn_size_mul(&size, n, element_size) || !inside(fb, target + 4, size)) return false;
  *vector_out = (fn_fb_vector){target + 4, n};
  return true;
}

bool fn_fb_get_string(fn_str *text_out, const fn_fb *fb, size_t table, size_t slot) {
  fn_fb_vector bytes;
  if (!fn_fb_get_vector(&bytes, fb, table, slot, 1)) return false;
  *text_out = fn_str_make((const char *)fb->data + bytes.begin, bytes.n);
  return true;
}

bool fn_fb_get_element(size_t *table_out, const fn_fb *fb, const fn_fb_vector *vector, size_t i) {
  assert(i < vector->n);
  return follow(table_out, fb, vector->begin + 4 * i);
}
