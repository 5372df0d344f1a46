/* `serve --model models:/NAME@ALIAS`: the model at the start, and the thread that follows its alias. */
#ifndef FN_CLI_SERVE_FOLLOW_H
#define FN_CLI_SERVE_FOLLOW_H

#include "cli/model_names.h"
#include "registry/follow.h"
#include "serve/serve.h"

typedef struct fn_serve_follow {
  fn_cli_model_source source;
  fn_model_uri uri;
  fn_model_place place; /* at the start */
  fn_server *server;
  fn_follow *follow;
  char why[600];        /* the registry did not answer at the start */
  uint64_t deadline_ns; /* of the first fetch; 0: none, as there is nothing else to answer with */
  bool late;
} fn_serve_follow;

/* The model's path by its name; malloc'd. Where the registry does not answer, or the fetch takes longer than
 * registry.follow_s: its last copy, and the follower goes on. FN_E_CANCELLED: a signal came. *follow_out must not move
 * afterwards; stop it also after a failure. */
FN_NODISCARD fn_status fn_serve_follow_find(char **path_out, fn_serve_follow *follow_out, const fn_cli *cli,
                                            const char *name, fn_err *err);
/* The server could not be made of the version that the alias stands at: *path_out becomes that of the last that was
 * good. False: there is no other. */
bool fn_serve_follow_fall_back(char **path_out, fn_serve_follow *follow, const fn_err *why);
/* Once the server is there; does nothing for a name that does not move. */
FN_NODISCARD fn_status fn_serve_follow_start(fn_serve_follow *follow, fn_server *server, fn_err *err);
/* Before the server goes. */
void fn_serve_follow_stop(fn_serve_follow *follow);

#endif
