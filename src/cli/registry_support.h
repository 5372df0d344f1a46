/* What the verbs of the registry share. */
#ifndef FN_CLI_REGISTRY_SUPPORT_H
#define FN_CLI_REGISTRY_SUPPORT_H

#include "cli/track_support.h"
#include "registry/gates.h"
#include "registry/mirror.h"
#include "registry/options.h"
#include "registry/registry.h"

enum { FN_CLI_RUN_NAME = 512 };

typedef struct fn_cli_registry {
  const fn_cli *cli;
  fn_cli_stores stores;
  fn_registry_options options;
  fn_tracking *tracking;
  fn_registry *registry;
  bool told_damage; /* rows that are no versions were warned of */
} fn_cli_registry;
/* Opens the store of runs with its registry. *registry_out must not move afterwards; close it also after a failure. */
FN_NODISCARD fn_status fn_cli_open_registry(fn_cli_registry *registry_out, const fn_cli *cli, fn_cli_open_mode mode,
                                            fn_err *err);
void fn_cli_close_registry(fn_cli_registry *registry);

/* NAME, NAME@ALIAS, NAME/3, each with or without "models:/" before it. version 0 and alias "": the name alone. */
typedef struct fn_cli_version_name {
  char name[256], alias[256];
  int64_t version;
} fn_cli_version_name;
FN_NODISCARD fn_status fn_cli_parse_version(fn_cli_version_name *out, const char *text, fn_err *err);
/* The one positional argument that a verb takes; usage stands in the message. */
FN_NODISCARD fn_status fn_cli_one_version(fn_cli_version_name *out, const fn_cli_args *args, const char *usage,
                                          fn_err *err);

/* NAME@ALIAS, or NAME and --alias ALIAS, where n_rest > 0; that is no version's name, and both aliases, where
 * both are given, are the same. */
FN_NODISCARD fn_status fn_cli_parse_alias(fn_cli_version_name *out, const fn_cli_args *args, fn_err *err);

/* The card of a version as JSON; what is wrong with it names the version. */
FN_NODISCARD fn_status fn_cli_load_card(json_t **card_out, const fn_cli_registry *registry, const char *name,
                                        int64_t version, fn_err *err);
FN_NODISCARD fn_status fn_cli_parse_card(json_t **card_out, const fn_version_info *version, fn_err *err);
/* What is wrong with the stored files of a version, "" for nothing. A store that cannot be asked is a warning: who asks
 * for the version next may reach it. */
FN_NODISCARD fn_status fn_cli_check_files(char damage_out[FN_TRACKING_DAMAGE], const fn_cli_registry *registry,
                                          const char *name, int64_t version, fn_err *err);
/* Value and limit of a gate as texts: of one that fails, with as many digits as tell them apart. "-" for NaN. */
void fn_cli_format_gate(char value_out[32], char limit_out[32], const fn_gate *gate);
/* A table of gates as wide as the terminal of stdout has room for; on it, what fails stands out in colour. */
void fn_cli_print_gates(fn_buf *out, const fn_cli *cli, const fn_gates *gates);

/* A new folder in TMPDIR, else /tmp, which the caller removes. malloc'd. */
FN_NODISCARD fn_status fn_cli_make_scratch(char **path_out, fn_err *err);

/* Brings a change to the MLflow server of registry.mirror, else of track.uri; nothing where there is none. What fails
 * is FN_E_PARTIAL: the registry itself has the change. */
FN_NODISCARD fn_status fn_cli_mirror(fn_cli_registry *registry, const fn_mirror_change *change, fn_err *err);
/* Brings a model there as it is now; all: every version in use. FN_E_INVALID without a mirror. */
FN_NODISCARD fn_status fn_cli_sync_mirror(fn_cli_registry *registry, const char *name, bool all, fn_err *err);

#endif
