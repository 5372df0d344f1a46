#include "infer/packed.h"

#include "model/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_NAME = FN_PACKED_MAX_NAME, DIGITS = 32, MAX_TEXT = 1 << 24, N_METADATA = 12 };
static const char *const linear_names[FN_LINEAR_N_TABLES][2] = {{"linear.word.weight", "linear.word.idf"},
                                                                {"linear.char.weight", "linear.char.idf"}};
static const char header_key[] = "xxh3.header", data_key[] = "xxh3.data";

struct fn_packed {
  fn_safetensors *file;
  fn_packed_info info;
  fn_model_config config;
};

static bool is_pad(const char *name) {
  return fn_str_starts_with(fn_str_from(name), FN_SAFETENSORS_PAD);
}

/* ---- writing ---- */

typedef struct pairs {
  const char *list[N_METADATA][2];
  size_t n;
} pairs;

static void add_pair(pairs *p, const char *key, const char *value) {
  if (!value) return;
  p->list[p->n][0] = key;
  p->list[p->n++][1] = value;
}

/* Checksum over the tensors; pads are not among them yet. */
static void hash_tensors(char out[DIGITS + 1], fn_hash128 *hashes, const fn_tensor_view *list, size_t n) {
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    if (is_pad(list[i].name)) continue;
    hashes[at++] = fn_hash_bytes(list[i].data, list[i].n * fn_dtype_size(list[i].dtype));
  }
  fn_hash_format(out, fn_hash_bytes(hashes, at * sizeof *hashes));
}

/* The header's own checksum: over its bytes with the digits as zeros. *at: where the digits stand. */
static bool hash_header(char out[DIGITS + 1], size_t *at, fn_str header, fn_err *err, fn_status *status) {
  static const char before[] = "\"xxh3.header\":\"";
  *status = FN_OK;
  const size_t n = sizeof before - 1;
  FN_AUTO_FREE char *copy = fn_mem_alloc(header.length + 1, 1);
  if (!copy) return *status = fn_err_no_memory(err, "the header of the packed file"), false;
  memcpy(copy, header.data, header.length);
  copy[header.length] = '\0';
  const char *found = strstr(copy, before);
  if (!found || (size_t)(found - copy) + n + DIGITS > header.length) return false;
  *at = (size_t)(found - copy) + n;
  memset(copy + *at, '0', DIGITS);
  fn_hash_format(out, fn_hash_bytes(copy, header.length));
  return true;
}

/* metadata ends with the header's checksum, as zeros. */
static fn_status write_file(const char *path, const fn_tensor_view *tensors, size_t n, const pairs *metadata,
                            fn_err *err) {
  FN_AUTO_WRITER fn_writer writer = {0};
  FN_AUTO_BUF fn_buf header;
  fn_buf_init(&header, FN_SAFETENSORS_MAX_HEADER_BYTES);
  char digits[DIGITS + 1];
  size_t at = 0;
  fn_status status;
  FN_TRY(fn_writer_open(&writer, path, err));
  FN_TRY(fn_safetensors_append_aligned(&writer, tensors, n, metadata->list, metadata->n, &header, err));
  if (!hash_header(digits, &at, fn_buf_str(&header), err, &status))
    return status != FN_OK ? status : fn_err_set(err, FN_E_INTERNAL, "%s: no place for the checksum", path);
  FN_TRY(fn_writer_patch(&writer, 8 + at, digits, DIGITS, err));
  return fn_writer_commit(&writer, err);
}

typedef struct assembly {
  fn_model_tensors model;
  fn_tokenizer_tables tables;
  fn_linear_table linear[FN_LINEAR_N_TABLES];
  fn_buf config, tokenizer, linear_json;
  fn_tensor_view *list;
  size_t n;
  char data_digits[DIGITS + 1];
} assembly;

static void add_tensor(assembly *a, const char *name, fn_dtype dtype, const void *data, size_t rows, size_t columns) {
  fn_tensor_view v = {.name = name, .dtype = dtype, .n_dims = columns ? 2 : 1, .data = data};
  v.shape[0] = (int64_t)rows;
  v.shape[1] = (int64_t)columns;
  v.n = rows * (columns ? columns : 1);
  a->list[a->n++] = v;
}

static void list_tensors(assembly *a) {
  for (size_t i = 0; i < FN_LINEAR_N_TABLES; i++) {
    if (a->linear[i].n == 0) continue;
    add_tensor(a, linear_names[i][0], FN_I8, a->linear[i].weight, a->linear[i].n, 0);
    add_tensor(a, linear_names[i][1], FN_U8, a->linear[i].idf, a->linear[i].n, 0);
  }
  const fn_tokenizer_tables *t = &a->tables;
  if (t->n_strings) {
    add_tensor(a, "tokenizer.index", FN_U32, t->index, t->n_index, 0);
    add_tensor(a, "tokenizer.edges", FN_U32, t->edges, t->n_edges, 2);
    add_tensor(a, "tokenizer.values", FN_I32, t->values, t->n_values, 0);
    add_tensor(a, "tokenizer.strings", FN_U8, t->strings, t->n_strings, 0);
  }
  for (size_t i = 0; i < a->model.n; i++) a->list[a->n++] = a->model.list[i];
}

static fn_status assemble(assembly *a, const fn_packed_source *s, fn_err *err) {
  if (s->linear) FN_TRY(fn_linear_pack(a->linear, &a->linear_json, s->linear, err));
  if (s->encoder) {
    fn_model_config_format(&a->config, fn_model_get_config(s->encoder));
    FN_TRY(fn_tokenizer_pack(&a->tables, &a->tokenizer, s->tokenizer, err));
    FN_TRY(fn_model_pack(&a->model, s->encoder, s->int8, err));
  }
  FN_TRY(fn_buf_check(&a->config, "config", err));
  FN_TRY(fn_buf_check(&a->tokenizer, "tokenizer", err));
  FN_TRY(fn_buf_check(&a->linear_json, "linear", err));
  size_t most = a->model.n + 4 + 2 * FN_LINEAR_N_TABLES;
  a->list = fn_mem_calloc(most, sizeof *a->list);
  FN_AUTO_FREE fn_hash128 *hashes = fn_mem_calloc(most, sizeof *hashes);
  if (!a->list || !hashes) return fn_err_no_memory(err, "the packed file");
  list_tensors(a);
  hash_tensors(a->data_digits, hashes, a->list, a->n);
  return FN_OK;
}

static void release(assembly *a) {
  fn_model_tensors_deinit(&a->model);
  for (size_t i = 0; i < FN_LINEAR_N_TABLES; i++) {
    free((void *)(uintptr_t)a->linear[i].weight);
    free((void *)(uintptr_t)a->linear[i].idf);
  }
  free((void *)(uintptr_t)a->tables.strings);
  free((void *)(uintptr_t)a->tables.index);
  fn_buf_deinit(&a->config);
  fn_buf_deinit(&a->tokenizer);
  fn_buf_deinit(&a->linear_json);
  free(a->list);
}

/* It is shown on terminals. */
static bool is_name(const char *name) {
  size_t n = strlen(name);
  if (n == 0 || n > MAX_NAME || !fn_utf8_valid(fn_str_make(name, n), NULL)) return false;
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return false;
  return true;
}

static fn_status check_source(const fn_packed_source *s, fn_err *err) {
  if (!s->encoder && !s->linear)
    return fn_err_set(err, FN_E_INVALID, "a packed file holds an encoder, a linear half or both");
  if (!s->name || !is_name(s->name))
    return fn_err_set(err, FN_E_INVALID,
                      "the name of a packed model takes 1 to %d bytes of UTF-8 without control "
                      "characters",
                      MAX_NAME);
  return FN_OK;
}

fn_status fn_packed_write(const char *path, const fn_packed_source *source, fn_err *err) {
  FN_TRY(check_source(source, err));
  assembly a = {0};
  fn_buf_init(&a.config, MAX_TEXT);
  fn_buf_init(&a.tokenizer, MAX_TEXT);
  fn_buf_init(&a.linear_json, MAX_TEXT);
  fn_status status = assemble(&a, source, err);
  if (status == FN_OK) {
    pairs p = {.n = 0};
    add_pair(&p, "format", FN_PACKED_FORMAT);
    add_pair(&p, "version", "1");
    add_pair(&p, "name", source->name);
    add_pair(&p, "dtype", !source->encoder ? "none" : source->int8 ? "int8" : "f32");
    add_pair(&p, "config", source->encoder ? a.config.data : NULL);
    add_pair(&p, "tokenizer", source->encoder ? a.tokenizer.data : NULL);
    add_pair(&p, "linear", source->linear ? a.linear_json.data : NULL);
    add_pair(&p, "calibration", source->calibration);
    add_pair(&p, "card", source->card);
    add_pair(&p, data_key, a.data_digits);
    add_pair(&p, header_key, "00000000000000000000000000000000");
    status = write_file(path, a.list, a.n, &p, err);
  }
  release(&a);
  return status;
}

fn_status fn_packed_rewrite(const char *path, const fn_packed *packed, const char *calibration, const char *card,
                            fn_err *err) {
  static const char *const kept[] = {"format", "version", "name", "dtype", "config", "tokenizer", "linear"};
  const fn_safetensors *file = packed->file;
  FN_AUTO_FREE fn_tensor_view *list = fn_mem_calloc(fn_safetensors_n(file), sizeof *list);
  if (!list) return fn_err_no_memory(err, "the packed file");
  size_t n = 0;
  for (size_t i = 0; i < fn_safetensors_n(file); i++) {
    const fn_tensor_view *v = fn_safetensors_get(file, i);
    if (!is_pad(v->name)) list[n++] = *v;
  }
  pairs p = {.n = 0};
  for (size_t i = 0; i < FN_COUNT_OF(kept); i++) add_pair(&p, kept[i], fn_safetensors_metadata(file, kept[i]));
  add_pair(&p, "calibration", calibration ? calibration : packed->info.calibration);
  add_pair(&p, "card", card ? card : packed->info.card);
  add_pair(&p, data_key, fn_safetensors_metadata(file, data_key));
  add_pair(&p, header_key, "00000000000000000000000000000000");
  return write_file(path, list, n, &p, err);
}

/* ---- reading ---- */

bool fn_packed_is(const char *path) {
  unsigned char head[9] = {0};
  struct stat s;
  if (stat(path, &s) != 0 || !S_ISREG(s.st_mode)) return false; /* a pipe would wait for its other end */
  FILE *f = fopen(path, "rb");
  if (!f) return false;
  size_t n = fread(head, 1, sizeof head, f);
  fclose(f);
  return n == sizeof head && head[8] == '{' && head[7] == 0 && head[6] == 0 && head[5] == 0 && head[4] == 0;
}

static fn_status get(const char **out, const fn_packed *p, const char *key, fn_err *err) {
  *out = fn_safetensors_metadata(p->file, key);
  if (*out) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%s: a packed model, but its metadata has no \"%s\"", p->info.path, key);
}

static fn_status check_header(fn_packed *p, fn_err *err) {
  const char *said;
  char digits[DIGITS + 1];
  size_t at;
  fn_status status;
  FN_TRY(get(&said, p, header_key, err));
  bool found = hash_header(digits, &at, fn_safetensors_header(p->file), err, &status);
  if (status != FN_OK) return status;
  if (!found || strcmp(said, digits) != 0)
    return fn_err_set(err, FN_E_INVALID, "%s: damaged: the header's checksum (xxh3.header) is %.32s, its bytes give %s",
                      p->info.path, said, found ? digits : "nothing");
  p->info.checksum = said;
  return FN_OK;
}

static fn_status read_version(const fn_packed *p, fn_err *err) {
  const char *format = fn_safetensors_metadata(p->file, "format"), *version;
  if (!format || strcmp(format, FN_PACKED_FORMAT) != 0)
    return fn_err_set(err, FN_E_INVALID,
                      "%s: a safetensors file, but not a packed model (metadata format is \"%.40s\", not "
                      "\"" FN_PACKED_FORMAT "\"); `fakenews quantize` makes one from a model directory",
                      p->info.path, format ? format : "");
  FN_TRY(get(&version, p, "version", err));
  if (strcmp(version, "1") != 0)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: version is \"%.20s\"; this program reads version %d", p->info.path,
                      version, FN_PACKED_VERSION);
  return FN_OK;
}

static fn_status read_parts(fn_packed *p, fn_err *err) {
  const char *dtype, *config;
  char name[4096];
  FN_TRY(get(&p->info.name, p, "name", err));
  if (!is_name(p->info.name))
    return fn_err_set(err, FN_E_INVALID, "%s: name must have 1 to %d bytes without control characters", p->info.path,
                      MAX_NAME);
  FN_TRY(get(&dtype, p, "dtype", err));
  p->info.int8 = strcmp(dtype, "int8") == 0;
  p->info.has_encoder = p->info.int8 || strcmp(dtype, "f32") == 0;
  p->info.has_linear = fn_safetensors_metadata(p->file, "linear") != NULL;
  if (!p->info.has_encoder && strcmp(dtype, "none") != 0)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: dtype is \"%.20s\", accepted are int8, f32 and none", p->info.path,
                      dtype);
  if (!p->info.has_encoder && !p->info.has_linear)
    return fn_err_set(err, FN_E_INVALID, "%s: holds neither an encoder nor a linear half", p->info.path);
  p->info.calibration = fn_safetensors_metadata(p->file, "calibration");
  p->info.card = fn_safetensors_metadata(p->file, "card");
  for (size_t i = 0; i < fn_safetensors_n(p->file); i++) p->info.n_bytes += fn_safetensors_get(p->file, i)->size_bytes;
  if (!p->info.has_encoder) return FN_OK;
  FN_TRY(get(&config, p, "config", err));
  snprintf(name, sizeof name, "%s: config", p->info.path);
  return fn_model_config_parse(&p->config, fn_str_from(config), name, err);
}

static fn_status finish_open(fn_packed **packed_out, fn_packed *p, fn_err *err) {
  p->info.path = fn_safetensors_path(p->file);
  fn_status status = read_version(p, err);
  if (status == FN_OK) status = check_header(p, err);
  if (status == FN_OK) status = read_parts(p, err);
  if (status != FN_OK) {
    fn_packed_close(p);
    return status;
  }
  *packed_out = p;
  return FN_OK;
}

fn_status fn_packed_open(fn_packed **packed_out, const char *path, fn_err *err) {
  fn_packed *p = fn_mem_calloc(1, sizeof *p);
  if (!p) return fn_err_no_memory(err, path);
  fn_status status = fn_safetensors_open(&p->file, path, err);
  if (status == FN_OK) return finish_open(packed_out, p, err);
  free(p);
  return status;
}

fn_status fn_packed_parse(fn_packed **packed_out, const void *data, size_t length, const char *name, fn_err *err) {
  fn_packed *p = fn_mem_calloc(1, sizeof *p);
  if (!p) return fn_err_no_memory(err, name);
  fn_status status = fn_safetensors_parse(&p->file, data, length, name, err);
  if (status == FN_OK) return finish_open(packed_out, p, err);
  free(p);
  return status;
}

void fn_packed_close(fn_packed *packed) {
  if (!packed) return;
  fn_safetensors_close(packed->file);
  free(packed);
}

fn_status fn_packed_verify(const fn_packed *packed, fn_err *err) {
  const fn_safetensors *file = packed->file;
  size_t n = fn_safetensors_n(file);
  const char *said;
  char digits[DIGITS + 1];
  FN_AUTO_FREE fn_tensor_view *list = fn_mem_calloc(n, sizeof *list);
  FN_AUTO_FREE fn_hash128 *hashes = fn_mem_calloc(n, sizeof *hashes);
  if (!list || !hashes) return fn_err_no_memory(err, "checking a packed file");
  for (size_t i = 0; i < n; i++) list[i] = *fn_safetensors_get(file, i);
  FN_TRY(get(&said, packed, data_key, err));
  hash_tensors(digits, hashes, list, n);
  if (strcmp(said, digits) == 0) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "%s: damaged: the checksum of its tensors (xxh3.data) is %.32s, their bytes give %s",
                    packed->info.path, said, digits);
}

const fn_packed_info *fn_packed_get_info(const fn_packed *packed) {
  return &packed->info;
}

const fn_model_config *fn_packed_config(const fn_packed *packed) {
  return &packed->config;
}

/* A table: a tensor of a known type with so many columns (0: one dimension). */
static fn_status get_table(const void **data_out, size_t *n_out, const fn_packed *p, const char *name, fn_dtype dtype,
                           int64_t columns, fn_err *err) {
  const fn_tensor_view *v = fn_safetensors_find(p->file, name);
  if (!v || v->dtype != dtype || v->n_dims != (columns ? 2 : 1) || (columns && v->shape[1] != columns) ||
      (uintptr_t)v->data % FN_SAFETENSORS_ALIGNMENT != 0)
    return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\" %s", p->info.path, name,
                      v ? "is not of the type, shape and alignment that it must have" : "is missing");
  *data_out = v->data;
  *n_out = (size_t)v->shape[0];
  return FN_OK;
}

fn_status fn_packed_tokenizer(fn_tokenizer **tokenizer_out, const fn_packed *packed, fn_err *err) {
  fn_tokenizer_tables t;
  const void *strings, *index, *edges, *values;
  const char *json;
  char name[4096];
  FN_TRY(get_table(&strings, &t.n_strings, packed, "tokenizer.strings", FN_U8, 0, err));
  FN_TRY(get_table(&index, &t.n_index, packed, "tokenizer.index", FN_U32, 0, err));
  FN_TRY(get_table(&edges, &t.n_edges, packed, "tokenizer.edges", FN_U32, 2, err));
  FN_TRY(get_table(&values, &t.n_values, packed, "tokenizer.values", FN_I32, 0, err));
  FN_TRY(get(&json, packed, "tokenizer", err));
  t.strings = strings;
  t.index = index;
  t.edges = edges;
  t.values = values;
  snprintf(name, sizeof name, "%s: tokenizer", packed->info.path);
  fn_tokenizer *tokenizer;
  FN_TRY(fn_tokenizer_open_packed(&tokenizer, &t, fn_str_from(json), name, err));
  fn_status status = fn_model_check_tokenizer(&packed->config, fn_tokenizer_get_info(tokenizer), packed->info.path,
                                              packed->info.path, err);
  if (status != FN_OK) {
    fn_tokenizer_destroy(tokenizer);
    return status;
  }
  *tokenizer_out = tokenizer;
  return FN_OK;
}

fn_status fn_packed_linear(fn_linear **linear_out, const fn_packed *packed, fn_err *err) {
  fn_linear_table tables[FN_LINEAR_N_TABLES] = {{0}};
  const char *json;
  char name[4096];
  FN_TRY(get(&json, packed, "linear", err));
  for (size_t i = 0; i < FN_LINEAR_N_TABLES; i++) {
    const void *weight, *idf;
    size_t n_idf;
    if (!fn_safetensors_find(packed->file, linear_names[i][0])) continue;
    FN_TRY(get_table(&weight, &tables[i].n, packed, linear_names[i][0], FN_I8, 0, err));
    FN_TRY(get_table(&idf, &n_idf, packed, linear_names[i][1], FN_U8, 0, err));
    if (n_idf != tables[i].n)
      return fn_err_set(err, FN_E_INVALID, "%s: tensors \"%s\" and \"%s\" differ in length", packed->info.path,
                        linear_names[i][0], linear_names[i][1]);
    tables[i].weight = weight;
    tables[i].idf = idf;
  }
  snprintf(name, sizeof name, "%s: linear", packed->info.path);
  return fn_linear_open_packed(linear_out, tables, fn_str_from(json), name, err);
}

fn_status fn_packed_model(fn_model **model_out, const fn_packed *packed, fn_device *device, fn_err *err) {
  return fn_model_open(model_out, &packed->config, packed->file, packed->info.int8, device, err);
}
