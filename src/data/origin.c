#include "data/origin.h"

#include "data/published.h"
#include "net/receipt.h"

#include <sys/stat.h>

enum { MAX_DEPTH = 3 };

void fn_origin_deinit(fn_origin *origin) {
  free(origin->url);
  free(origin->license);
  *origin = (fn_origin){.url = NULL};
}

static bool is_whole(const fn_receipt *receipt, const char *name, const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) return false;
  for (size_t i = 0; i < receipt->n_files; i++)
    if (strcmp(receipt->files[i].name, name) == 0) return receipt->files[i].size_bytes == (uint64_t)st.st_size;
  return false;
}

static fn_status take(fn_origin *out, const fn_receipt *receipt, fn_err *err) {
  const fn_published_set *set = fn_published_find_address(receipt->url);
  out->url = fn_str_dup(fn_str_from(receipt->url));
  if (set) out->license = fn_str_dup(fn_str_from(set->license));
  return out->url && (!set || out->license) ? FN_OK : fn_err_no_memory(err, "where a file comes from");
}

/* name: of the file below the folder. */
static fn_status look(fn_origin *out, bool *found, const char *folder, const char *name, const char *path,
                      fn_err *err) {
  fn_receipt receipt = {0};
  bool known = false;
  const fn_status status = fn_receipt_find(&receipt, &known, folder, name, NULL);
  if (status == FN_E_NO_MEMORY) return fn_err_no_memory(err, "a receipt");
  *found = status == FN_OK && known && is_whole(&receipt, name, path);
  const fn_status taken = *found ? take(out, &receipt, err) : FN_OK;
  fn_receipt_deinit(&receipt);
  return taken;
}

fn_status fn_origin_find(fn_origin *origin_out, const char *path, fn_err *err) {
  fn_origin origin = {.url = NULL};
  FN_AUTO_FREE char *real = NULL;
  bool found = false;
  fn_status status = FN_OK;
  *origin_out = origin;
  if (fn_path_real(&real, path, NULL) != FN_OK) return FN_OK;
  char *slash = strrchr(real, '/');
  for (int i = 0; i < MAX_DEPTH && slash && !found && status == FN_OK; i++) {
    FN_AUTO_FREE char *folder = fn_str_dup(fn_str_make(real, (size_t)(slash - real)));
    if (!folder) return fn_err_no_memory(err, "a path");
    status = look(&origin, &found, *folder ? folder : "/", slash + 1, real, err);
    do {
      slash = slash > real ? slash - 1 : NULL;
    } while (slash && *slash != '/');
  }
  if (status != FN_OK) fn_origin_deinit(&origin);
  *origin_out = origin;
  return status;
}
