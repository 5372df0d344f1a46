/* Settings. Each folder declares its options in one table (type, name, default, range, help); from the tables come
 * parsing, defaults, `--help`, the generated documentation and the texts of errors. This folder knows no option itself.
 *
 * A setting has a key ("train.learning_rate"), a text value and an origin ("config/preset/headline.yaml:7",
 * "command line", "FAKENEWS_TRAIN_LR"). Values are text in Hydra's notation: lists [a,b], maps {a:1,b:0}, null, quotes.
 */
#ifndef FN_CONFIG_CONFIG_H
#define FN_CONFIG_CONFIG_H

#include "base/base.h"
#include "base/embedded.h"

typedef enum fn_option_type {
  FN_OPTION_BOOL,   /* bool          true | false                                                       */
  FN_OPTION_INT,    /* int64_t       range as "[1,512]", "[0,)", "(0,)"                                  */
  FN_OPTION_FLOAT,  /* double        range alike                                                        */
  FN_OPTION_ENUM,   /* int           range "none|cut|windows"; the value is the index                    */
  FN_OPTION_STRING, /* const char *  NULL for null                                                       */
  FN_OPTION_LIST,   /* fn_config_list                                                                    */
  FN_OPTION_MAP,    /* fn_config_map                                                                     */
} fn_option_type;

typedef struct fn_config_list {
  const char *const *items;
  size_t n;
} fn_config_list;
typedef struct fn_config_map {
  const char *const *keys, *const *values;
  size_t n;
} fn_config_map;

/* One option. `offset` is where its value goes in the folder's options struct; the member's C type follows from
 * `type` as above. Number options that are nullable store INT64_MIN or NaN for null. */
typedef struct fn_option {
  const char *key; /* "train.batch_size" */
  fn_option_type type;
  size_t offset;
  const char *default_value; /* text, parsed by the same code as the user's */
  const char *range;         /* NULL: any */
  bool nullable, secret;
  const char *help; /* one or two sentences; units */
} fn_option;

typedef struct fn_option_table {
  const char *title; /* heading in help and docs: "Training" */
  const fn_option *options;
  size_t n_options;
  size_t struct_size;
} fn_option_table;

/* Names that people know from elsewhere: "num_train_epochs" → "train.epochs"; used for hints only. */
typedef struct fn_option_alias {
  const char *name, *key;
} fn_option_alias;

typedef struct fn_config fn_config;

/* Layers of precedence, lowest first. */
typedef enum fn_config_layer {
  FN_CONFIG_DEFAULT,
  FN_CONFIG_GROUP,       /* config/<group>/<name>.yaml, chosen by group=name */
  FN_CONFIG_FILE,        /* --config FILE */
  FN_CONFIG_DOTENV,      /* .env */
  FN_CONFIG_ENVIRONMENT, /* FAKENEWS_GROUP_KEY or FAKENEWS_GROUP_KEY_FILE */
  FN_CONFIG_OVERRIDE,    /* key=value */
} fn_config_layer;

/* tables: n_tables pointers that outlive the config. groups: embedded YAML files (may be NULL), each
 * "config/<group>/<name>.yaml". Single-threaded until filled; afterwards immutable and shareable. */
FN_NODISCARD fn_status fn_config_create(fn_config **config_out, const fn_option_table *const *tables, size_t n_tables,
                                        const fn_embedded *groups, fn_err *err);
void fn_config_destroy(fn_config *config);
/* aliases ends with name = NULL and outlives the config. */
void fn_config_set_aliases(fn_config *config, const fn_option_alias *aliases);

/* Sets one value; checks name, type and range at once. FN_E_INVALID / FN_E_NOT_FOUND: `origin: train.lr: "fast" is not
 * a number`, `unknown setting "train.epoch", did you mean train.epochs?`. A lower or equal layer set earlier gives way.
 */
FN_NODISCARD fn_status fn_config_set(fn_config *config, fn_config_layer layer, const char *key, fn_str value,
                                     const char *origin, fn_err *err);
/* "key=value" or "group=name" (which loads that group file into the GROUP layer). */
FN_NODISCARD fn_status fn_config_override(fn_config *config, const char *assignment, fn_err *err);
/* A YAML file of settings, nested or dotted; a key "preset: headline" selects a group. */
FN_NODISCARD fn_status fn_config_load_yaml(fn_config *config, fn_config_layer layer, const char *path, fn_err *err);
FN_NODISCARD fn_status fn_config_parse_yaml(fn_config *config, fn_config_layer layer, fn_str text, const char *name,
                                            fn_err *err);
/* KEY=VALUE lines; only names that begin with FAKENEWS_ are taken. A missing file is fine. */
FN_NODISCARD fn_status fn_config_load_dotenv(fn_config *config, const char *path, fn_err *err);
/* environment: NULL-terminated "NAME=value" strings (the caller passes environ; the library never reads it). */
FN_NODISCARD fn_status fn_config_load_environment(fn_config *config, const char *const *environment, fn_err *err);

/* Fills the options struct of a table; strings, lists and maps point into config and live as long as it. */
FN_NODISCARD fn_status fn_config_fill(void *options_out, const fn_config *config, const fn_option_table *table,
                                      fn_err *err);
/* Text value of a key, and where it came from (NULL when the key is unknown). */
const char *fn_config_value(const fn_config *config, const char *key);
const char *fn_config_origin(const fn_config *config, const char *key);
/* Layer that set the key: FN_CONFIG_DEFAULT when nobody did. */
fn_config_layer fn_config_layer_of(const fn_config *config, const char *key);

/* All settings as YAML "key: value"; with origins, `# origin` after each. Secrets show as "***". */
void fn_config_format_yaml(fn_buf *out, const fn_config *config, bool origins);
/* Whether a key is among those that prefixes selects (as below). */
bool fn_config_is_asked(const char *key, const char *prefixes);
/* Every option with type, range, default and help, wrapped at width columns. prefixes selects by what keys begin with,
 * "train. data.text !train.seed" ("!": not these); NULL: all. An empty result: no key begins so. */
void fn_config_format_help(fn_buf *out, const fn_config *config, const char *prefixes, size_t width);
/* The same of all options as Markdown tables (docs/options.md). */
void fn_config_format_markdown(fn_buf *out, const fn_config *config);
/* Calls see(arg, "preset", "headline") for every built-in group=name. */
void fn_config_each_group(const fn_config *config, void (*see)(void *arg, fn_str group, fn_str name), void *arg);

/* Options struct filled with the table's defaults only; for tests and library users. Strings live in *arena. */
FN_NODISCARD fn_status fn_options_default(void *options_out, fn_arena *arena, const fn_option_table *table,
                                          fn_err *err);

#endif
