/* The registry: models by name, their versions, aliases that say which version is in use, and a record of every change.
 * It stands in the database of the runs (track/tracking.h); the files of version 3 of a model "news" belong to the
 * owner "version:news/3" there.
 *
 * A version never changes: its files and its card are written before it can be seen. Numbers count from 1 for each
 * name, and one that was seen is not given again, also when its version was retired; one that came to nothing may be.
 * The rules of names, numbers and aliases are MLflow's, so that a registry can be mirrored to a server. */
#ifndef FN_REGISTRY_REGISTRY_H
#define FN_REGISTRY_REGISTRY_H

#include "sql/sql.h"

enum { FN_REGISTRY_MAX_NAME = 255, FN_REGISTRY_MAX_TEXT = 4000, FN_REGISTRY_MAX_CARD = 4 << 20 };

/* Who changes something; stands in the record. Text is borrowed, and may be NULL. */
typedef struct fn_registry_actor {
  const char *user, *host;
} fn_registry_actor;

/* Over a connection that outlives it; one thread at a time. */
typedef struct fn_registry fn_registry;
/* Makes its tables where they are missing, unless read_only: then FN_E_NOT_FOUND says that there is no registry yet.
 * FN_E_UNSUPPORTED: a newer program wrote them. Statuses of everything here as in sql/sql.h. */
FN_NODISCARD fn_status fn_registry_open(fn_registry **registry_out, fn_sql *sql, const fn_registry_actor *actor,
                                        bool read_only, fn_err *err);
void fn_registry_close(fn_registry *registry);

/* [A-Za-z0-9_][A-Za-z0-9_.-]*, 255 bytes at most: it becomes part of URLs, of paths and of MLflow's names. */
FN_NODISCARD fn_status fn_registry_check_name(const char *name, fn_err *err);
/* [A-Za-z0-9_-], 1 … 255; not "latest" in any case, and not v<digits> or V<digits>, which mean versions. */
FN_NODISCARD fn_status fn_registry_check_alias(const char *alias, fn_err *err);

/* What owns the files of a version in the store of runs (track/tracking.h): "version:NAME/NUMBER". */
typedef char fn_version_owner[320];
void fn_version_owner_format(fn_version_owner out, const char *name, int64_t version);

/* ---- reading ---- */

typedef struct fn_version_info {
  const char *name;
  int64_t version;
  const char *run_id, *run_name;  /* "" where it comes from a folder that is no run */
  const char *user, *host;        /* who added it */
  const char *digest;             /* 64 hexadecimal digits over all its paths and their SHA-256 */
  const char *card;               /* JSON: what it comes from and what was measured (docs/registry.md) */
  int64_t created_ms, retired_ms; /* 0: in use */
  const char *aliases;            /* "best, production"; "" for none */
  const char *tags;               /* JSON object of texts */
} fn_version_info;
/* Text is valid during the call. */
typedef fn_status (*fn_version_emit)(void *arg, const fn_version_info *version, fn_err *err);

/* A copy that lives until it is released. */
typedef struct fn_version {
  fn_version_info info;
  fn_arena arena;
} fn_version;
void fn_version_deinit(fn_version *version);

/* By number, by alias ("best"), or the newest in use ("latest" or NULL): exactly one of version > 0 and alias is given.
 * FN_E_NOT_FOUND names the models, aliases or versions that there are. */
FN_NODISCARD fn_status fn_registry_get(fn_version *version_out, fn_registry *registry, const char *name,
                                       int64_t version, const char *alias, fn_err *err);
/* Every version of a model, or of all (name NULL), oldest first; retired: these too. FN_E_PARTIAL, when all the others
 * were told: rows that are damaged, which have no version's number, were left out. */
FN_NODISCARD fn_status fn_registry_list(fn_registry *registry, const char *name, bool retired, fn_version_emit emit,
                                        void *arg, fn_err *err);

typedef struct fn_alias_info {
  const char *name, *alias;
  int64_t version, moved_ms;
} fn_alias_info;
typedef fn_status (*fn_alias_emit)(void *arg, const fn_alias_info *alias, fn_err *err);
/* Where an alias stands, be the version there or not; 0: nowhere. */
FN_NODISCARD fn_status fn_registry_alias_version(int64_t *version_out, fn_registry *registry, const char *name,
                                                 const char *alias, fn_err *err);
FN_NODISCARD fn_status fn_registry_aliases(fn_registry *registry, const char *name, fn_alias_emit emit, void *arg,
                                           fn_err *err);

/* One change; the record is only ever added to. */
typedef struct fn_audit_entry {
  const char *name;
  int64_t number; /* 1 … within the model */
  int64_t time_ms;
  const char *user, *host;
  const char *action;           /* add, alias, unalias, promote, rollback, tag, untag, retire, purge */
  const char *key;              /* alias or tag; "" for none */
  int64_t from, to;             /* versions; 0: none */
  bool forced;                  /* a gate said no, and it was done all the same */
  const char *reason, *details; /* text; JSON, "" for none: the gates of a promotion */
} fn_audit_entry;
typedef fn_status (*fn_audit_emit)(void *arg, const fn_audit_entry *entry, fn_err *err);
/* Oldest first. */
FN_NODISCARD fn_status fn_registry_audit(fn_registry *registry, const char *name, fn_audit_emit emit, void *arg,
                                         fn_err *err);
/* Where an alias stood before it was moved to where it is: what `rollback` goes to. A rollback is undone by nothing but
 * a new move, so several in a row lead further back. *current_out and *previous_out: versions. FN_E_NOT_FOUND: it does
 * not stand anywhere, or stood nowhere else that is still in use. */
FN_NODISCARD fn_status fn_registry_previous(int64_t *current_out, int64_t *previous_out, fn_registry *registry,
                                            const char *name, const char *alias, fn_err *err);

/* ---- adding a version ---- */

/* Begins a version of a model, which is made when it is new. Nobody sees the version yet: *version_out is a ticket
 * below 0 that stands for it until it is published, and owns its files. origin: 64 hexadecimal digits over all that it
 * is made of; when a version in use was made of the same, *found_out is true, and *version_out its number: nothing was
 * begun. run_id: the run of this database that it comes of, which from now on is not purged for a day or as long as the
 * version is there; NULL: none. FN_E_REFUSED: it was removed. */
FN_NODISCARD fn_status fn_registry_reserve(int64_t *version_out, bool *found_out, fn_registry *registry,
                                           const char *name, const char *origin, const char *run_id, fn_err *err);
/* Its files are stored: from now on it is there, with them, by the model's next number, *version_out. info's name,
 * version (the ticket), run_id, run_name, digest and card are read. When another process was faster with the same
 * origin, *found_out is true, and *version_out that one's number. The tables of runs (track/tracking.h) are in the same
 * database. */
FN_NODISCARD fn_status fn_registry_publish(int64_t *version_out, bool *found_out, fn_registry *registry,
                                           const fn_version_info *info, fn_err *err);
/* Tickets that were given out before a time and came to nothing, max at most: their process is gone. */
FN_NODISCARD fn_status fn_registry_unfinished(int64_t *versions_out, size_t *n_out, size_t max, fn_registry *registry,
                                              const char *name, int64_t before_ms, fn_err *err);
/* Says that it comes to nothing: from now on it cannot be published, and what is stored of it may be dropped. False in
 * *ours_out: it was published meanwhile, or is gone. */
FN_NODISCARD fn_status fn_registry_condemn(bool *ours_out, fn_registry *registry, const char *name, int64_t version,
                                           fn_err *err);
/* It came to nothing, and nothing of it is stored. */
void fn_registry_abandon(fn_registry *registry, const char *name, int64_t version);

/* ---- changing ---- */

typedef struct fn_alias_move {
  const char *name, *alias;
  int64_t version;     /* 0: the alias is removed */
  int64_t expected;    /* where the caller saw it, 0 for nowhere; < 0: wherever it is */
  const char *action;  /* "alias", "promote" or "rollback" */
  const char *reason;  /* NULL: none */
  const char *details; /* JSON, or NULL */
  bool forced;
} fn_alias_move;
/* FN_E_REFUSED: it is not where the caller saw it, somebody else was faster; nothing was changed. */
FN_NODISCARD fn_status fn_registry_move_alias(fn_registry *registry, const fn_alias_move *move, fn_err *err);
/* value NULL removes it. Keys are MLflow's (fn_track_check_key), values UTF-8 of FN_REGISTRY_MAX_TEXT bytes at
 * most. */
FN_NODISCARD fn_status fn_registry_set_tag(fn_registry *registry, const char *name, int64_t version, const char *key,
                                           const char *value, fn_err *err);
/* Takes a version out of use: its number and record stay. FN_E_REFUSED while an alias points at it. */
FN_NODISCARD fn_status fn_registry_retire(fn_registry *registry, const char *name, int64_t version, const char *reason,
                                          fn_err *err);
/* Whether a version was retired. FN_E_NOT_FOUND: there is none of this number. */
FN_NODISCARD fn_status fn_registry_is_retired(bool *retired_out, fn_registry *registry, const char *name,
                                              int64_t version, fn_err *err);
/* Writes into the record that the files of a retired version are gone (version_add.h: fn_version_purge). */
FN_NODISCARD fn_status fn_registry_note_purge(fn_registry *registry, const char *name, int64_t version,
                                              const char *reason, fn_err *err);

#endif
