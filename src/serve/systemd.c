#include "serve/systemd.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

fn_status fn_systemd_socket(int *fd_out, const char *pid, const char *fds, fn_err *err) {
  int64_t wanted = 0, n = 0;
  int listens = 0;
  socklen_t size = sizeof listens;
  *fd_out = -1;
  if (pid == NULL || fds == NULL || !fn_str_to_int64(&wanted, fn_str_from(pid)) || wanted != (int64_t)getpid())
    return FN_OK; /* meant for another process */
  if (!fn_str_to_int64(&n, fn_str_from(fds)) || n != 1)
    return fn_err_set(err, FN_E_INVALID, "LISTEN_FDS=%.20s: systemd must give one socket; use one ListenStream=", fds);
  if (getsockopt(FIRST_FD, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens)
    return fn_err_set(err, FN_E_INVALID, "the descriptor that systemd gave does not listen: Accept=no is needed");
  (void)fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC);
  *fd_out = FIRST_FD;
  return FN_OK;
}

void fn_systemd_notify(const char *address, const char *state) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  const size_t n = address != NULL ? strlen(address) : 0;
  if (n < 2 || n >= sizeof a.sun_path || (address[0] != '/' && address[0] != '@')) return;
  memcpy(a.sun_path, address, n);
  if (address[0] == '@') a.sun_path[0] = '\0'; /* of the abstract name space */
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
  (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&a, size);
  close(fd);
}

void fn_systemd_notify_reloading(const char *address) {
  char state[80];
  snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(fn_clock_ns() / 1000));
  fn_systemd_notify(address, state);
}
