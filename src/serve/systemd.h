/* What systemd and a service say to each other, without its library (sd_listen_fds(3), sd_notify(3)). */
#ifndef FN_SERVE_SYSTEMD_H
#define FN_SERVE_SYSTEMD_H

#include "base/base.h"

/* The socket that systemd listens at for us: 3, or -1 when there is none. pid, fds: LISTEN_PID and LISTEN_FDS, NULL
 * where they are not set. FN_E_INVALID: more than one socket, or one that does not listen. */
FN_NODISCARD fn_status fn_systemd_socket(int *fd_out, const char *pid, const char *fds, fn_err *err);
/* Sends "READY=1", "STOPPING=1", … address: NOTIFY_SOCKET; NULL: nothing is done. Failures are nobody's business. */
void fn_systemd_notify(const char *address, const char *state);
/* "RELOADING=1" with the time that systemd wants beside it. */
void fn_systemd_notify_reloading(const char *address);

#endif
