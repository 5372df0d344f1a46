/* The files of the AWS command line: ~/.aws/credentials and ~/.aws/config. */
#ifndef FN_STORE_INI_H
#define FN_STORE_INI_H

#include "base/base.h"

/* The value of a key in a section, appended to *out; of several the last. Lines are "key = value"; those that begin
 * with '#' or ';' are comments, those that are indented belong to the line before and are passed over. Names of keys
 * have no letter case. A section "[profile  \"a b\"]" is called "profile a b". Whatever else a line holds is passed
 * over. False when there is no such value, or an empty one. */
bool fn_ini_find(fn_buf *out, fn_str text, const char *section, const char *key);
/* The same among the indented lines of a setting ("s3 ="), whose name is outer; NULL: fn_ini_find. */
bool fn_ini_find_below(fn_buf *out, fn_str text, const char *section, const char *outer, const char *key);
bool fn_ini_has_section(fn_str text, const char *section);

#endif
