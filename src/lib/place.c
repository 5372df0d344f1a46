/* Which file holds this code: the shared library, or the program that it was linked into. */
#define _GNU_SOURCE /* dladdr */
#include "base/file.h"
#include "infer/default_model.h"
#include "lib/internal.h"

#include <dlfcn.h>
#include <sys/auxv.h>

/* The name that the loader has for a program is what it was called by, which is no path from here. */
static bool is_program(const Dl_info *self) {
  unsigned long headers = getauxval(AT_PHDR);
  const void *address;
  memcpy(&address, &headers, sizeof address);
  Dl_info program;
  return headers == 0 || dladdr(address, &program) == 0 || program.dli_fbase == self->dli_fbase;
}

fn_status fn_lib_default_model(char **path_out, fn_err *err) {
  static const char here = 0;
  FN_AUTO_FREE char *base = NULL;
  Dl_info self;
  const char *name = "/proc/self/exe";
  if (dladdr(&here, &self) != 0 && !is_program(&self)) name = self.dli_fname;
  fn_status status = fn_path_real(&base, name, err);
  if (status == FN_E_NO_MEMORY) return status;
  return fn_default_model_find(path_out, base, err); /* without a base the configured prefix is left */
}
