#include "cli/serve_wait.h"

#include "serve/systemd.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/* A file by what rename changes: another inode stands at the path. */
typedef struct identity {
  dev_t device;
  ino_t inode;
} identity;

static bool identify(identity *out, const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) return false;
  *out = (identity){st.st_dev, st.st_ino};
  return true;
}

static bool identify_model(identity *out, fn_server *server) {
  fn_engine *engine = fn_server_engine(server);
  const bool found = identify(out, fn_engine_path(engine));
  fn_engine_unref(engine);
  return found;
}

static void reload(fn_server *server) {
  const char *notify = getenv("NOTIFY_SOCKET");
  fn_systemd_notify_reloading(notify);
  if (fn_server_reload(server, NULL, NULL, NULL) != FN_OK) { /* the server's event has told it; the old model stays */
    fn_systemd_notify(notify, "READY=1\nSTATUS=the last model was refused");
    return;
  }
  fn_systemd_notify(notify, "READY=1\nSTATUS=answering");
}

int fn_serve_wait(fn_server *server, const sigset_t *signals, bool has_terminal) {
  const bool watches = fn_server_get_options(server)->serve->watch;
  identity seen = {0}, now;
  bool known = identify_model(&seen, server);
  for (;;) {
    const struct timespec tick = {0, 250 * 1000000};
    const int n = watches ? sigtimedwait(signals, NULL, &tick) : sigwaitinfo(signals, NULL);
    if (n == SIGTERM || n == SIGINT) return n;
    if (n == SIGHUP && has_terminal) return n; /* the terminal is closed */
    if (n == SIGHUP) reload(server);
    if (!watches) continue;
    if (!identify_model(&now, server)) { /* gone: whatever comes next is new, also where it gets the old one's inode */
      known = false;
      continue;
    }
    if (known && now.device == seen.device && now.inode == seen.inode) continue;
    /* A model that is refused is not tried again until yet another one takes its place. */
    seen = now;
    known = true;
    if (n != SIGHUP) reload(server);
  }
}
