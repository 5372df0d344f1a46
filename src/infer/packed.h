/* The packed file: a whole classifier in one file that is mapped and used as it lies: nothing is unpacked, converted or
 * built when it is opened. It is a valid safetensors file, so any tool of that format lists and reads it.
 *
 * Byte by byte (numbers are little-endian):
 *   0            u64 N, length of the header; 8 + N is a multiple of 64
 *   8            N bytes of JSON, filled up with spaces: {"__metadata__": {…}, "<tensor>": {"dtype", "shape",
 *                "data_offsets"}, …}
 *   8 + N        the tensors in the order of the header; each begins at a multiple of 64 bytes from the beginning of
 * the file. What lies between is tensors of their own, "__pad.<n>", U8, zeros: the format forbids holes.
 *
 * __metadata__ (all values are strings; those marked JSON hold an object as text):
 *   format       "fakenews-packed"
 *   version      "1"; another number is refused
 *   name         for people; [1, 200] bytes
 *   dtype        "int8" or "f32": form of the encoder's weights; "none": no encoder
 *   config       JSON, the encoder's config.json (labels, usage too); only with an encoder
 *   tokenizer    JSON, what fn_tokenizer_pack writes; only with an encoder
 *   linear       JSON, what fn_linear_pack writes; only with a linear half
 *   calibration  JSON (infer/calibration.h); absent: the model is not calibrated
 *   card         JSON: where the model comes from and what it was measured to do; absent: not known
 *   xxh3.data    32 hexadecimal digits: XXH3-128 over the XXH3-128 (high, low as u64) of every tensor's bytes in the
 *                order of the file, pads left out
 *   xxh3.header  32 hexadecimal digits: XXH3-128 of the N bytes of the header with these digits as zeros; so it covers
 *                xxh3.data and through it the weights
 *
 * Tensors:
 *   <Hugging Face name>[.scale]   the encoder's, in the forms of fn_model_tensors (model/model.h): int8 weights of
 *                linear layers are tiles U8 [N/16, K/4, 16, 4] of u in [1, 127], weight = scale[row] · (u - 64): seven
 *                bits, so that vpmaddubsw never saturates
 *   tokenizer.strings U8, .index U32, .edges U32 [n, 2], .values I32    fn_tokenizer_tables (text/text.h)
 *   linear.<word|char>.<weight I8|idf U8>                               fn_linear_table (linear/linear.h)
 *
 * The header's checksum is verified whenever a file is opened, the weights' only by fn_packed_verify: when a model is
 * installed or loaded to stay, not for one answer. A packed file is replaced only by rename, so that a process that has
 * it mapped keeps what it had. */
#ifndef FN_INFER_PACKED_H
#define FN_INFER_PACKED_H

#include "linear/linear.h"
#include "model/model.h"

#define FN_PACKED_FORMAT  "fakenews-packed"
#define FN_PACKED_VERSION 1

enum { FN_PACKED_MAX_NAME = 200 }; /* bytes of the name that a packed file gives itself */

typedef struct fn_packed_source {
  const fn_model *encoder; /* on a device of fp32; NULL: none */
  const fn_tokenizer *tokenizer;
  const fn_linear *linear; /* not from a packed file; NULL: none */
  bool int8;
  const char *name;
  const char *calibration, *card; /* JSON; NULL: absent */
} fn_packed_source;
/* Writes by rename. FN_E_INVALID: neither half, a name that is too long. */
FN_NODISCARD fn_status fn_packed_write(const char *path, const fn_packed_source *source, fn_err *err);

/* Immutable once open; may be shared by threads. */
typedef struct fn_packed fn_packed;
/* FN_E_INVALID, FN_E_UNSUPPORTED name the file and the field: no packed file, another version, a checksum that does not
 * fit, a part that is missing. */
FN_NODISCARD fn_status fn_packed_open(fn_packed **packed_out, const char *path, fn_err *err);
/* The same over bytes (64-byte aligned) that the caller keeps. */
FN_NODISCARD fn_status fn_packed_parse(fn_packed **packed_out, const void *data, size_t length, const char *name,
                                       fn_err *err);
void fn_packed_close(fn_packed *packed);
/* Reads every byte: FN_E_INVALID when the tensors are not those that were written. */
FN_NODISCARD fn_status fn_packed_verify(const fn_packed *packed, fn_err *err);
/* Whether path is a file that begins as a safetensors file does; says nothing about the rest. */
bool fn_packed_is(const char *path);

typedef struct fn_packed_info {
  const char *path, *name;
  bool has_encoder, int8, has_linear;
  const char *calibration, *card; /* JSON, NULL: absent */
  const char *checksum;           /* xxh3.header: 32 digits that tell this file from every other */
  uint64_t n_bytes;               /* of tensors */
} fn_packed_info;
const fn_packed_info *fn_packed_get_info(const fn_packed *packed);
const fn_model_config *fn_packed_config(const fn_packed *packed); /* with an encoder */
/* Views of the file, which must stay open longer. */
FN_NODISCARD fn_status fn_packed_tokenizer(fn_tokenizer **tokenizer_out, const fn_packed *packed, fn_err *err);
FN_NODISCARD fn_status fn_packed_linear(fn_linear **linear_out, const fn_packed *packed, fn_err *err);
FN_NODISCARD fn_status fn_packed_model(fn_model **model_out, const fn_packed *packed, fn_device *device, fn_err *err);

/* A copy of the file with another calibration and card, by rename; NULL keeps what is there. path may be the file's
 * own: it is mapped, so the old bytes stay until it is closed. */
FN_NODISCARD fn_status fn_packed_rewrite(const char *path, const fn_packed *packed, const char *calibration,
                                         const char *card, fn_err *err);

#endif
