/* Packed models: whatever the bytes, opening ends with a verdict, and what it accepts answers without a step outside.
 * The header's checksum is made right first, or nothing behind it would ever be reached. */
#include "fuzz.h"
#include "infer/packed.h"

#include <stdlib.h>
#include <string.h>

enum { DIGITS = 32, MOST_LAYERS = 4, MOST_WIDTH = 256 };

static void mend_checksum(unsigned char *data, size_t size) {
  static const char key[] = "\"xxh3.header\":\"";
  uint64_t n = 0;
  if (size < 8) return;
  for (int i = 7; i >= 0; i--) n = n << 8 | data[i];
  if (n > size - 8 || n < sizeof key + DIGITS) return;
  for (size_t i = 8; i + sizeof key - 1 + DIGITS <= 8 + n; i++) {
    if (memcmp(data + i, key, sizeof key - 1) != 0) continue;
    unsigned char *digits = data + i + sizeof key - 1;
    char hash[33];
    memset(digits, '0', DIGITS);
    fn_hash_format(hash, fn_hash_bytes(data + 8, (size_t)n));
    memcpy(digits, hash, DIGITS);
    return;
  }
}

static void ask_tokenizer(const fn_packed *p) {
  static const char text[] = "The council, [MASK] un\xc3\xa9 waab w \xe4\xb8\xad budget!";
  fn_tokenizer *t = NULL;
  fn_tokens tokens = {0};
  if (fn_packed_tokenizer(&t, p, NULL) != FN_OK) return;
  int32_t n = fn_tokenizer_get_info(t)->vocab_size;
  if (fn_tokenizer_encode(&tokens, t, fn_str_from(text), 0, NULL) == FN_OK)
    for (size_t i = 0; i < tokens.n; i++) FUZZ_CHECK(tokens.ids[i] >= 0 && tokens.ids[i] < n);
  for (int32_t id = 0; id < n; id += 1 + n / 50) FUZZ_CHECK(fn_tokenizer_token(t, id) != NULL);
  fn_tokens_deinit(&tokens);
  fn_tokenizer_destroy(t);
}

static void ask_linear(const fn_packed *p) {
  fn_linear *linear = NULL;
  fn_linear_scratch *scratch = NULL;
  double logit;
  if (fn_packed_linear(&linear, p, NULL) != FN_OK) return;
  if (fn_linear_scratch_create(&scratch, linear, NULL) == FN_OK) {
    FUZZ_CHECK(fn_linear_predict(&logit, linear, scratch, fn_str_from("a title"), fn_str_from("a text, and"), NULL) ==
               FN_OK);
    fn_linear_scratch_destroy(scratch);
  }
  fn_linear_destroy(linear);
}

/* Only small ones, so that a run takes no longer than its bytes. */
static void ask_model(const fn_packed *p) {
  const fn_model_config *c = fn_packed_config(p);
  fn_device_options options = FN_DEVICE_OPTIONS_INIT;
  fn_device *device = NULL;
  fn_model *model = NULL;
  int32_t ids[3] = {0, c->vocab_size - 1, c->vocab_size / 2}, types[3] = {0}, positions[3] = {0, 1, 2};
  int32_t offsets[2] = {0, 3};
  uint32_t draws[1] = {0}, rows[1] = {0};
  uint8_t truncated[1] = {0};
  float logits[8], weights[1] = {1};
  int32_t labels[1] = {-1};
  if (c->num_hidden_layers > MOST_LAYERS || c->hidden_size > MOST_WIDTH || c->intermediate_size > MOST_WIDTH ||
      c->head_size > MOST_WIDTH || c->max_position_embeddings < 3)
    return;
  options.backend = fn_packed_get_info(p)->int8 ? FN_BACKEND_INT8 : FN_BACKEND_FAST;
  options.n_threads = 1;
  FUZZ_CHECK(fn_device_create(&device, &options, NULL) == FN_OK);
  if (fn_packed_model(&model, p, device, NULL) == FN_OK && fn_model_plan(model, 3, 1, 3, false, NULL) == FN_OK) {
    const fn_batch batch = {.T = 3,
                            .B = 1,
                            .ids = ids,
                            .type_ids = types,
                            .positions = positions,
                            .offsets = offsets,
                            .draws = draws,
                            .rows = rows,
                            .labels = labels,
                            .weights = weights,
                            .truncated = truncated};
    FUZZ_CHECK(fn_model_forward(logits, model, &batch, NULL) == FN_OK);
  }
  fn_model_destroy(model);
  fn_device_destroy(device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fn_packed *p = NULL;
  fn_err err = {0};
  unsigned char *copy = fn_mem_slab(size);
  if (!copy) return 0;
  if (size > 0) memcpy(copy, data, size);
  mend_checksum(copy, size);
  fn_status status = fn_packed_parse(&p, copy, size, "input", &err);
  if (status == FN_OK) {
    const fn_packed_info *info = fn_packed_get_info(p);
    FUZZ_CHECK(info->has_encoder || info->has_linear);
    if (info->has_encoder) ask_tokenizer(p);
    if (info->has_encoder) ask_model(p);
    if (info->has_linear) ask_linear(p);
    (void)!fn_packed_verify(p, NULL);
    fn_packed_close(p);
  } else {
    FUZZ_CHECK(!p && err.status == status && strstr(err.message, "input") == err.message);
  }
  free(copy);
  return 0;
}
