/* Decoding: any bytes, under each data.encoding (the first byte chooses it and the size of the pieces). The result must
 * not depend on how the bytes are cut; what is not UTF-8 in it must be explained by the input. */
#include "fuzz.h"

#include "data/encoding.h"

typedef struct pieces {
  const uint8_t *data;
  size_t size, at, piece;
} pieces;

static fn_status read_pieces(void *arg, void *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  (void)err;
  pieces *p = arg;
  size_t n = p->size - p->at;
  if (n > p->piece) n = p->piece;
  if (n > capacity) n = capacity;
  memcpy(buffer, p->data + p->at, n);
  p->at += n;
  *n_out = n;
  return FN_OK;
}

/* Everything that came of it: text, encoding, error. */
static fn_encoding read_all(fn_buf *out, fn_buf *end, fn_encoding asked, const uint8_t *data, size_t size, size_t piece,
                            size_t capacity) {
  fn_err err = {0};
  pieces p = {data, size, 0, piece};
  fn_source *source;
  fn_decoder *decoder;
  fn_encoding found = FN_ENCODING_AUTO;
  fn_status status = fn_source_open_stream(&source, read_pieces, &p, "f", &err);
  if (status == FN_OK) status = fn_decoder_create(&decoder, source, "f", asked, &err);
  if (status == FN_OK) {
    char bytes[256];
    size_t n = 0;
    do {
      status = fn_decoder_read(decoder, bytes, capacity, &n, &err);
      if (status == FN_OK) fn_buf_append(out, bytes, n);
      FUZZ_CHECK(n <= capacity);
    } while (status == FN_OK && n > 0);
    found = fn_decoder_encoding(decoder);
    fn_decoder_destroy(decoder);
  }
  FUZZ_CHECK(status == FN_OK || (status == FN_E_INVALID && err.message[0] != '\0'));
  if (status != FN_OK) found = FN_ENCODING_AUTO; /* how far it came before an error depends on the pieces */
  fn_buf_printf(end, "%d %s", (int)found, err.message);
  return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1 || size > 1 << 17) return 0;
  fn_encoding asked = (fn_encoding)(data[0] % 4);
  size_t piece = 1 + data[0] / 4 % 32;
  fn_buf whole = {0}, pieced = {0}, whole_end = {0}, pieced_end = {0};
  fn_encoding found = read_all(&whole, &whole_end, asked, data + 1, size - 1, size, 256);
  read_all(&pieced, &pieced_end, asked, data + 1, size - 1, piece, 4 + piece);
  bool packed = size >= 3 && ((data[1] == 0x1F && data[2] == 0x8B) || (data[1] == 0x28 && data[2] == 0xB5));
  bool refused = strchr(whole_end.data, ':') && strchr(pieced_end.data, ':');
  if (!packed || !refused) /* of a damaged file that also holds no text either may be said */
    FUZZ_CHECK(fn_str_equal(fn_buf_str(&whole_end), fn_buf_str(&pieced_end)));
  if (found != FN_ENCODING_AUTO) FUZZ_CHECK(fn_str_equal(fn_buf_str(&whole), fn_buf_str(&pieced)));
  if (found == FN_ENCODING_WINDOWS_1252 && !packed && !fn_utf8_valid(fn_buf_str(&whole), NULL)) {
    bool excused = false;
    for (size_t i = 1; i < size; i++)
      excused |= data[i] == 0x81 || data[i] == 0x8D || data[i] == 0x8F || data[i] == 0x90 || data[i] == 0x9D;
    FUZZ_CHECK(excused);
  }
  fn_buf_deinit(&whole);
  fn_buf_deinit(&pieced);
  fn_buf_deinit(&whole_end);
  fn_buf_deinit(&pieced_end);
  return 0;
}
