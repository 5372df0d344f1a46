/* Settings of src/data: data.*. */
#ifndef FN_DATA_OPTIONS_H
#define FN_DATA_OPTIONS_H

#include "config/config.h"

/* How rows are divided into train, validation and test. */
typedef enum fn_split_mode { FN_SPLIT_RANDOM, FN_SPLIT_GROUP, FN_SPLIT_GIVEN } fn_split_mode;

typedef struct fn_data_options {
  int text;                 /* as fn_text_mode (data/batch.h): what the classifier reads, and what must not be empty */
  int format;               /* as fn_input_format (data/input.h) */
  int encoding;             /* as fn_encoding (data/encoding.h) */
  const char *delimiter;    /* "auto" or as fn_delimiter_name (data/input.h); never NULL */
  const char *column_title; /* names of the input's columns; never NULL */
  const char *column_text;
  const char *column_label;
  const char *column_source;
  const char *column_dataset;
  const char *column_split;
  const char *dataset;      /* name for rows without a dataset column; NULL: the file's base name */
  fn_config_map licenses;   /* base name of an input → its licence, as text */
  fn_config_map label_map;  /* value → real | fake | 0 | 1 | drop; empty: only 0, 1, real, fake are labels */
  const char *rules;        /* "default", "none" or a path */
  double near_duplicates;   /* Jaccard similarity from which two rows are copies; NaN: off */
  int split;                /* as fn_split_mode */
  fn_config_list fractions; /* three numbers: train, validation, test */
  int64_t seed;
  const char *group; /* "source", "dataset" or a column, for FN_SPLIT_GROUP */
} fn_data_options;

extern const fn_option_table fn_data_option_table;

#endif
