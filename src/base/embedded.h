/* Text files compiled into the program (cmake/FnEmbed.cmake); a table ends with name = NULL. */
#ifndef FN_BASE_EMBEDDED_H
#define FN_BASE_EMBEDDED_H

#include <stddef.h>

typedef struct fn_embedded {
  const char *name; /* path relative to the project, "config/preset/headline.yaml" */
  const unsigned char *data;
  size_t size; /* a 0 byte follows that size does not count */
} fn_embedded;

#endif
