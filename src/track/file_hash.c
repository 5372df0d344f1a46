#include "track/file_hash.h"

#include "net/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 20 };
/* From here on libcrypto's SHA-256 pays for being loaded: it is several times faster than ours. */
#define LARGE_BYTES ((int64_t)4 << 20)

typedef struct hasher {
  fn_sha256 sha;
  fn_digester *digester; /* instead; NULL for small files and without libcrypto */
} hasher;

static fn_status read_all(hasher *h, int64_t *n_bytes, int fd, const char *path, fn_err *err) {
  FN_AUTO_FREE char *piece = fn_mem_alloc(PIECE, 1);
  if (!piece) return fn_err_no_memory(err, path);
  for (;;) {
    const ssize_t n = read(fd, piece, PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "%s", path);
    if (n == 0) return FN_OK;
    if (h->digester) FN_TRY(fn_digester_add(h->digester, piece, (size_t)n, err));
    if (!h->digester) fn_sha256_add(&h->sha, piece, (size_t)n);
    *n_bytes += n;
  }
}

static fn_status format(char out[65], hasher *h, fn_err *err) {
  unsigned char digest[FN_SHA256_BYTES];
  fn_digests digests;
  if (h->digester) {
    FN_TRY(fn_digester_end(&digests, h->digester, err));
    memcpy(out, digests.sha256, sizeof digests.sha256);
  } else {
    fn_sha256_get(&h->sha, digest);
    fn_hex_format(out, digest, sizeof digest);
  }
  return FN_OK;
}

fn_status fn_file_sha256(char sha256_out[65], int64_t *n_bytes_out, const char *path, fn_err *err) {
  hasher h = {.digester = NULL};
  struct stat st;
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fn_err_errno(err, errno, "%s", path);
  fn_status status = fstat(fd, &st) == 0 ? FN_OK : fn_err_errno(err, errno, "%s", path);
  if (status == FN_OK && !S_ISREG(st.st_mode)) status = fn_err_set(err, FN_E_INVALID, "%s: not a regular file", path);
  fn_sha256_init(&h.sha);
  if (status == FN_OK && st.st_size >= LARGE_BYTES && fn_digester_create(&h.digester, FN_DIGEST_SHA256, NULL) != FN_OK)
    h.digester = NULL;
  *n_bytes_out = 0;
  if (status == FN_OK) status = read_all(&h, n_bytes_out, fd, path, err);
  if (status == FN_OK) status = format(sha256_out, &h, err);
  fn_digester_destroy(h.digester);
  close(fd);
  return status;
}
