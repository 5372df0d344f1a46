/* A version of the registry from its making to its place in the store of runs. */
#ifndef FN_REGISTRY_VERSION_ADD_H
#define FN_REGISTRY_VERSION_ADD_H

#include "registry/registry.h"
#include "registry/version_make.h"
#include "track/tracking.h"

/* Makes a version of the source and puts its files into the store; it can be seen only when all of that is done. The
 * same model with the same data and settings is not made again: *found_out is then true, and *version_out the number
 * that it has. scratch: a folder for the files until they are stored, on a disk with room for the packed model; what is
 * put there is removed. */
FN_NODISCARD fn_status fn_version_add(int64_t *version_out, bool *found_out, fn_registry *registry,
                                      fn_tracking *tracking, const fn_version_source *source, const char *scratch,
                                      fn_err *err);
/* Retires a version, unless that was done before, and removes its files: what nothing else names is gone for good; its
 * number, card and record stay. What cannot be removed now keeps its name: call again. */
FN_NODISCARD fn_status fn_version_purge(fn_registry *registry, fn_tracking *tracking, const char *name, int64_t version,
                                        const char *reason, fn_err *err);

#endif
