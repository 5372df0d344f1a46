/* Settings of src/infer: infer.*. */
#ifndef FN_INFER_OPTIONS_H
#define FN_INFER_OPTIONS_H

#include "config/config.h"

typedef enum fn_infer_long { FN_INFER_CUT, FN_INFER_WINDOWS } fn_infer_long;
typedef enum fn_infer_text {
  FN_INFER_TEXT_MODEL, /* as the model says; title and text where it does not */
  FN_INFER_TEXT_TITLE, /* the rest in the order of fn_text_mode */
  FN_INFER_TEXT_TEXT,
  FN_INFER_TEXT_TITLE_TEXT
} fn_infer_text;

typedef struct fn_infer_options {
  int long_texts;     /* fn_infer_long */
  int text;           /* fn_infer_text */
  int64_t max_tokens; /* INT64_MIN: the model's own, or 256 */
  int64_t max_windows;
  int64_t batch_tokens;
} fn_infer_options;

extern const fn_option_table fn_infer_option_table;

#endif
