/* Statuses, errors, versions, sized structs. */
#include "lib/internal.h"

static const struct {
  fn_status inner;
  fakenews_status outer;
  const char *name;
} outcomes[] = {
    {FN_OK, FAKENEWS_OK, "ok"},
    {FN_E_INVALID, FAKENEWS_INVALID, "invalid"},
    {FN_E_NOT_FOUND, FAKENEWS_NOT_FOUND, "not_found"},
    {FN_E_UNSUPPORTED, FAKENEWS_UNSUPPORTED, "unsupported"},
    {FN_E_LIMIT, FAKENEWS_LIMIT, "limit"},
    {FN_E_IO, FAKENEWS_IO, "io"},
    {FN_E_NO_MEMORY, FAKENEWS_NO_MEMORY, "no_memory"},
    {FN_E_INTERNAL, FAKENEWS_INTERNAL, "internal"},
};

fakenews_status fn_lib_status(fn_status status) {
  for (size_t i = 0; i < FN_COUNT_OF(outcomes); i++)
    if (outcomes[i].inner == status) return outcomes[i].outer;
  return FAKENEWS_INTERNAL;
}

const char *fakenews_status_name(fakenews_status status) {
  if (status == FAKENEWS_FORKED) return "forked";
  for (size_t i = 0; i < FN_COUNT_OF(outcomes); i++)
    if (outcomes[i].outer == status) return outcomes[i].name;
  return "unknown";
}

fakenews_status fn_lib_fail(fakenews_error *error, fakenews_status status, const char *message) {
  if (error == NULL) return status;
  size_t length = strlen(message);
  if (length >= sizeof error->message) length = sizeof error->message - 1;
  error->status = status;
  memcpy(error->message, message, length);
  error->message[length] = '\0';
  return status;
}

fakenews_status fn_lib_finish(fakenews_error *error, fn_status status, const fn_err *err) {
  return status == FN_OK ? FAKENEWS_OK : fn_lib_fail(error, fn_lib_status(status), err->message);
}

void fn_lib_copy_out(void *to, size_t size, const void *from, size_t known) {
  size_t n = size < known ? size : known;
  memcpy(to, from, n);
  memset((char *)to + n, 0, size - n);
}

fn_status fn_lib_check_size(size_t size, size_t first, const char *what, fn_err *err) {
  if (size >= first && size <= FN_LIB_MAX_STRUCT) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%s is %zu bytes; it must be sizeof the struct, which had %zu at first", what,
                    size, first);
}

fn_status fn_lib_read_struct(void *out, size_t known, const void *in, size_t first, const char *what, fn_err *err) {
  uint32_t size;
  memcpy(&size, in, sizeof size);
  FN_TRY(fn_lib_check_size(size, first, what, err));
  const unsigned char *bytes = in;
  for (size_t i = known; i < size; i++) {
    if (bytes[i] != 0)
      return fn_err_set(err, FN_E_UNSUPPORTED,
                        "options: byte %zu is set, which this version of the library (%s) does not know", i,
                        fakenews_version());
  }
  fn_lib_copy_out(out, known, in, size);
  return FN_OK;
}

fn_status fn_lib_check_range(const char *name, int64_t value, int64_t least, int64_t most, fn_err *err) {
  if (value >= least && value <= most) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "options.%s is %lld; accepted is %lld to %lld", name, (long long)value,
                    (long long)least, (long long)most);
}

fn_status fn_lib_refuse_null(const char *what, fn_err *err) {
  return fn_err_set(err, FN_E_INVALID, "%s must not be NULL", what);
}

#define TEXT(number)  TEXT_(number)
#define TEXT_(number) #number
const char *fakenews_version(void) {
  return TEXT(FAKENEWS_VERSION_MAJOR) "." TEXT(FAKENEWS_VERSION_MINOR) "." TEXT(FAKENEWS_VERSION_PATCH);
}

uint32_t fakenews_version_number(void) {
  return FAKENEWS_VERSION_NUMBER;
}
