/* Input bytes in another encoding become UTF-8: UTF-16 and Windows-1252, told apart from UTF-8 where nobody says which.
 *
 * How FN_ENCODING_AUTO decides, in a stream, with one buffer of 64 KiB:
 *   a byte-order mark names UTF-8, UTF-16 LE or BE. Without one, two ASCII characters of two bytes each at the start
 * are UTF-16 (in every other encoding the NUL bytes would be refused). Else the text is ASCII until the first byte
 * above 0x7f. If that byte begins a UTF-8 character, the text is UTF-8. If not, the next 64 KiB are counted: it is
 * Windows-1252 when all of its bytes have a character there, no control bytes are among them, and UTF-8 characters are
 * at most a tenth of the bytes that are no UTF-8 (some pairs of Windows-1252 look like UTF-8 by chance). ISO 8859-1 is
 * read so too: where it has letters the two agree. Else it is UTF-8 with bad bytes, which the parsers refuse row by
 * row. The counting goes on: when UTF-8 characters pass that tenth later, the reading ends with an error, because the
 * file was UTF-8 with some bad bytes after all. */
#ifndef FN_DATA_ENCODING_H
#define FN_DATA_ENCODING_H

#include "data/source.h"

/* Values of data.encoding come first, in their order there. */
typedef enum fn_encoding {
  FN_ENCODING_AUTO,
  FN_ENCODING_UTF8,
  FN_ENCODING_UTF16, /* by the mark, else by two ASCII characters at the start, else little-endian */
  FN_ENCODING_WINDOWS_1252,
  FN_ENCODING_UTF16LE, /* what UTF16 turned out to be */
  FN_ENCODING_UTF16BE,
} fn_encoding;

/* "auto", "utf-8", "utf-16", "windows-1252", "utf-16le", "utf-16be". */
const char *fn_encoding_name(fn_encoding encoding);

typedef struct fn_decoder fn_decoder; /* used by one thread */

/* Takes over source, on failure too. name stands in errors; it must outlive the decoder. FN_E_INVALID: a mark that
 * contradicts `encoding`, UTF-32; errors of fn_source_read. */
FN_NODISCARD fn_status fn_decoder_create(fn_decoder **decoder_out, fn_source *source, const char *name,
                                         fn_encoding encoding, fn_err *err);
void fn_decoder_destroy(fn_decoder *decoder);

/* As fn_source_read; capacity ≥ 4. The bytes are UTF-8 without a mark, except where the input has no character: a bad
 * byte of UTF-8 or a byte without meaning in Windows-1252 comes as it is, half of a surrogate pair as its three bytes.
 * None of them is ever valid, so a reader that checks finds them; fn_encoding_complaint says what they were.
 * FN_E_INVALID: UTF-16 that ends within a character; Windows-1252 that turns out to be UTF-8 (see above), with line and
 * byte and what to set. */
FN_NODISCARD fn_status fn_decoder_read(fn_decoder *decoder, void *buffer, size_t capacity, size_t *n_out, fn_err *err);

/* What the input has been read as so far; UTF8 while all of it was ASCII. Never AUTO or UTF16. */
fn_encoding fn_decoder_encoding(const fn_decoder *decoder);

/* The end of a message about a bad byte in text that was read as `encoding`, e.g. "; data.encoding=… reads …". */
const char *fn_encoding_complaint(fn_encoding encoding);

#endif
