/* What the values of a label column mean. */
#ifndef FN_DATA_LABELS_H
#define FN_DATA_LABELS_H

#include "config/config.h"

typedef enum fn_label {
  FN_LABEL_REAL = 0,
  FN_LABEL_FAKE = 1,
  FN_LABEL_DROP = -1,    /* the map says that rows with this value are left out */
  FN_LABEL_UNKNOWN = -2, /* no label */
} fn_label;

const char *fn_label_name(int label); /* "real", "fake"; anything else "drop" */

/* Checks that every value of the map is real, fake, 0, 1 or drop, and that no key stands twice when letter case is left
 * aside: FN_E_INVALID names data.label_map. */
FN_NODISCARD fn_status fn_label_map_check(const fn_config_map *map, fn_err *err);

/* Meaning of a value; white space around it and the case of ASCII letters do not count. An empty map (n = 0) knows 0
 * and real, 1 and fake and nothing else; a map knows its keys and nothing else. */
fn_label fn_label_parse(const fn_config_map *map, fn_str value);

/* "0, 1, real, fake" or the keys of the map: for messages. */
void fn_label_list(fn_buf *out, const fn_config_map *map);

#endif
