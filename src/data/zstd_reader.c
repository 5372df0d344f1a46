#include "data/zstd_reader.h"

#include "base/library.h"

#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

typedef struct zstd_functions {
  __typeof__(ZSTD_createDStream) *create;
  __typeof__(ZSTD_freeDStream) *destroy;
  __typeof__(ZSTD_decompressStream) *step;
  __typeof__(ZSTD_isError) *is_error;
  __typeof__(ZSTD_getErrorName) *error_name;
  __typeof__(ZSTD_getFrameContentSize) *content_size;
} zstd_functions;

/* Written once under pthread_once, read-only afterwards. */
static zstd_functions library;
static fn_err failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  static const char *const names[] = {"libzstd.so.1", NULL};
  static const fn_symbol symbols[] = {
      {"ZSTD_createDStream", offsetof(zstd_functions, create)},
      {"ZSTD_freeDStream", offsetof(zstd_functions, destroy)},
      {"ZSTD_decompressStream", offsetof(zstd_functions, step)},
      {"ZSTD_isError", offsetof(zstd_functions, is_error)},
      {"ZSTD_getErrorName", offsetof(zstd_functions, error_name)},
      {"ZSTD_getFrameContentSize", offsetof(zstd_functions, content_size)},
  };
  failure.status = fn_library_load(&library, names, symbols, FN_COUNT_OF(symbols), "libzstd1", &failure);
}

enum { MAX_HEADER = 18 }; /* of a frame: RFC 8878, 3.1.1 */

struct fn_zstd_reader {
  ZSTD_DStream *stream;
  uint64_t n_out;  /* bytes of the frame so far */
  size_t n_header; /* its first bytes, which say how many there will be */
  unsigned char header[MAX_HEADER];
};

fn_status fn_zstd_reader_create(fn_zstd_reader **reader_out, fn_err *err) {
  pthread_once(&once, load);
  if (failure.status != FN_OK) return fn_err_set(err, failure.status, "%s", failure.message);
  fn_zstd_reader *reader = fn_mem_alloc(1, sizeof *reader);
  ZSTD_DStream *stream = reader ? library.create() : NULL;
  if (!stream) {
    free(reader);
    return fn_err_no_memory(err, "the zstd reader");
  }
  *reader = (fn_zstd_reader){.stream = stream};
  *reader_out = reader;
  return FN_OK;
}

void fn_zstd_reader_destroy(fn_zstd_reader *reader) {
  if (!reader) return;
  library.destroy(reader->stream);
  free(reader);
}

/* libzstd holds a frame to the size in its header only when the last block is not empty. */
static bool is_short(const fn_zstd_reader *reader) {
  const unsigned long long size = library.content_size(reader->header, reader->n_header);
  return size < ZSTD_CONTENTSIZE_ERROR && size != reader->n_out; /* above it stands: not known */
}

const char *fn_zstd_reader_step(size_t *used_out, size_t *n_out, bool *between_out, fn_zstd_reader *reader,
                                const void *in, size_t n_in, void *out, size_t capacity) {
  /* A frame that libzstd gets whole it reads in another way, which is stricter with empty blocks: a file would be
   * damaged or not by the pieces it comes in. Its header byte by byte keeps it from that. */
  const bool in_header = reader->n_header < MAX_HEADER;
  ZSTD_inBuffer input = {in, in_header && n_in > 1 ? 1 : n_in, 0};
  ZSTD_outBuffer output = {out, capacity, 0};
  size_t result = library.step(reader->stream, &output, &input);
  if (library.is_error(result)) return library.error_name(result);
  *used_out = input.pos;
  *n_out = output.pos;
  *between_out = result == 0;
  if (in_header && input.pos > 0) reader->header[reader->n_header++] = *(const unsigned char *)in;
  reader->n_out += output.pos;
  if (result > 0) return NULL;
  const bool wrong = is_short(reader);
  reader->n_header = 0;
  reader->n_out = 0;
  return wrong ? "a frame with less in it than its header says" : NULL;
}

bool fn_zstd_begins(const unsigned char *bytes, size_t n) {
  if (n < 4) return false;
  bool frame = bytes[0] == 0x28 && bytes[1] == 0xB5 && bytes[2] == 0x2F && bytes[3] == 0xFD;
  return frame || ((bytes[0] & 0xF0) == 0x50 && bytes[1] == 0x2A && bytes[2] == 0x4D && bytes[3] == 0x18);
}
