/* YAML text → document, for settings and for other files of this project: a thin layer over libfyaml that adds bounds,
 * the error text of this project, and refusals of what that library does not survive. */
#ifndef FN_CONFIG_DOCUMENT_H
#define FN_CONFIG_DOCUMENT_H

#include "base/base.h"

#include <libfyaml.h>

/* name (a path) stands in errors: FN_E_INVALID "NAME:LINE:COLUMN: not valid YAML: …", FN_E_LIMIT when text is longer
 * than max_bytes. Refused besides what is no YAML: NUL bytes, bytes that are not UTF-8, and directives (a line that
 * begins with '%'), in which libfyaml 0.7 searches for a line's end for ever. *document_out is NULL when the text holds
 * nothing but comments and space; release with fy_document_destroy (NULL is fine). */
FN_NODISCARD fn_status fn_yaml_parse(struct fy_document **document_out, fn_str text, size_t max_bytes, const char *name,
                                     fn_err *err);

/* Line of a node, from 1; of a mapping or list that of its first scalar; 1 when it has none. */
int fn_yaml_line(struct fy_node *node);

#endif
