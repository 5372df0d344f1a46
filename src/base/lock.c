#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool fn_lock_is_named(int fd, const char *path) {
  struct stat mine, named;
  return fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

fn_status fn_lock_open(int *fd_out, const char *path, int flags, mode_t mode, fn_err *err) {
  *fd_out = -1;
  for (int attempt = 0; attempt < 100; attempt++) {
    const int fd = open(path, flags | O_CLOEXEC, mode);
    if (fd < 0 && errno == ENOENT && !(flags & O_CREAT)) return FN_OK;
    if (fd < 0) return fn_err_errno(err, errno, "%s", path);
    const int why = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (why == 0 && fn_lock_is_named(fd, path)) {
      *fd_out = fd;
      return FN_OK;
    }
    close(fd);
    if (why == EWOULDBLOCK) return FN_OK;
    if (why != 0 && why != EINTR) return fn_err_errno(err, why, "%s: cannot be locked", path);
  }
  return fn_err_set(err, FN_E_IO, "%s: others remove it again and again", path);
}
