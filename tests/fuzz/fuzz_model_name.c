/* Names of models that are not paths (models:/…, runs:/…, s3://…), of registered models and aliases, of files in
 * stores: what is accepted keeps the rules on which paths and addresses are built of it. */
#include "fuzz.h"

#include "net/url.h"
#include "registry/model_uri.h"
#include "registry/registry.h"
#include "store/store.h"

#include <string.h>

static void check_plain(const char *text) {
  FUZZ_CHECK(*text && strlen(text) <= FN_REGISTRY_MAX_NAME && !strchr(text, '/') && !strchr(text, '@'));
  for (; *text; text++) FUZZ_CHECK((unsigned char)*text > 0x20 && (unsigned char)*text < 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 4096) return 0;
  char *text = malloc(size + 1);
  FUZZ_CHECK(text);
  if (size) memcpy(text, data, size);
  text[size] = '\0';
  fn_model_uri uri;
  fn_err err = {0};
  if (fn_model_uri_parse(&uri, text, &err) != FN_OK) {
    FUZZ_CHECK(err.status == FN_E_INVALID && err.message[0]);
  } else if (uri.form == FN_MODEL_REGISTRY) {
    check_plain(uri.name);
    FUZZ_CHECK((uri.version >= 1) != (uri.alias[0] != '\0'));
    if (*uri.alias) check_plain(uri.alias);
    if (*uri.alias && strcmp(uri.alias, "latest") != 0) FUZZ_CHECK(fn_registry_check_alias(uri.alias, NULL) == FN_OK);
    FUZZ_CHECK(fn_registry_check_name(uri.name, NULL) == FN_OK);
  } else if (uri.form == FN_MODEL_RUN) {
    FUZZ_CHECK(*uri.name && !strchr(uri.name, '/') && *uri.path);
  } else if (uri.form == FN_MODEL_STORE) {
    FUZZ_CHECK(fn_store_is_uri(text));
  }
  if (fn_registry_check_name(text, NULL) == FN_OK) check_plain(text);
  if (fn_registry_check_alias(text, NULL) == FN_OK) check_plain(text);
  /* A path in an archive or an answer stays below its folder. */
  const char *why = NULL;
  if (fn_name_is_inside(fn_str_make(text, strlen(text)), &why)) {
    FUZZ_CHECK(text[0] != '/' && !strchr(text, '\\') && fn_utf8_valid(fn_str_from(text), NULL));
    for (const char *part = text, *next; part; part = next ? next + 1 : NULL) {
      FUZZ_CHECK(*part && *part != '/' && strncmp(part, "../", 3) != 0 && strcmp(part, "..") != 0);
      next = strchr(part, '/');
    }
  } else {
    FUZZ_CHECK(why && *why);
  }
  free(text);
  return 0;
}
