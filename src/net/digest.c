#include "net/digest.h"

#include "base/library.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

enum { PIECE = 1 << 18, MAX_DIGEST = 64 };

/* The few functions of <openssl/evp.h> that are needed; all their types are opaque, so its headers are not. */
typedef struct crypto {
  void *(*new)(void);
  void (*free)(void *context);
  const void *(*md5)(void), *(*sha256)(void);
  int (*init)(void *context, const void *kind, void *engine);
  int (*update)(void *context, const void *data, size_t length);
  int (*final)(void *context, unsigned char *digest, unsigned *length);
} crypto;

/* Written once under pthread_once, read-only afterwards. */
static crypto library;
static fn_err failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  static const char *const names[] = {"libcrypto.so.3", NULL};
  static const fn_symbol symbols[] = {
      {"EVP_MD_CTX_new", offsetof(crypto, new)},
      {"EVP_MD_CTX_free", offsetof(crypto, free)},
      {"EVP_md5", offsetof(crypto, md5)},
      {"EVP_sha256", offsetof(crypto, sha256)},
      {"EVP_DigestInit_ex", offsetof(crypto, init)},
      {"EVP_DigestUpdate", offsetof(crypto, update)},
      {"EVP_DigestFinal_ex", offsetof(crypto, final)},
  };
  if (fn_library_load(&library, names, symbols, FN_COUNT_OF(symbols), "libssl3", &failure) != FN_OK)
    return; /* kept in failure */
}

static void format(char *out, const unsigned char *digest, size_t n) {
  for (size_t i = 0; i < n; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* Feeds all of fd to both contexts. */
static fn_status feed(const crypto *c, void *const contexts[2], int fd, const char *path, fn_digest_progress progress,
                      void *arg, fn_err *err) {
  FN_AUTO_FREE unsigned char *piece = fn_mem_alloc(PIECE, 1);
  if (!piece) return fn_err_no_memory(err, path);
  for (uint64_t total = 0;;) {
    ssize_t n = read(fd, piece, PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "%s: reading failed", path);
    if (n == 0) return FN_OK;
    for (int i = 0; i < 2; i++)
      if (c->update(contexts[i], piece, (size_t)n) != 1) return fn_err_set(err, FN_E_INTERNAL, "libcrypto: %s", path);
    total += (uint64_t)n;
    if (progress && !progress(arg, total)) return fn_err_set(err, FN_E_CANCELLED, "%s: stopped while checking", path);
  }
}

static fn_status digest(fn_digests *digests_out, const crypto *c, void *const contexts[2], int fd, const char *path,
                        fn_digest_progress progress, void *arg, fn_err *err) {
  unsigned char md5[MAX_DIGEST], sha256[MAX_DIGEST];
  if (!contexts[0] || !contexts[1]) return fn_err_no_memory(err, "checksums");
  if (c->init(contexts[0], c->md5(), NULL) != 1 || c->init(contexts[1], c->sha256(), NULL) != 1)
    return fn_err_set(err, FN_E_UNSUPPORTED, "this system's libcrypto refuses MD5 or SHA-256");
  FN_TRY(feed(c, contexts, fd, path, progress, arg, err));
  if (c->final(contexts[0], md5, NULL) != 1 || c->final(contexts[1], sha256, NULL) != 1)
    return fn_err_set(err, FN_E_INTERNAL, "libcrypto: %s", path);
  format(digests_out->md5, md5, 16);
  format(digests_out->sha256, sha256, 32);
  return FN_OK;
}

fn_status fn_digest_file(fn_digests *digests_out, const char *path, fn_digest_progress progress, void *arg,
                         fn_err *err) {
  pthread_once(&once, load);
  if (failure.status != FN_OK) return fn_err_set(err, failure.status, "checksums: %s", failure.message);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fn_err_errno(err, errno, "%s", path);
  void *const contexts[2] = {library.new(), library.new()};
  fn_status status = digest(digests_out, &library, contexts, fd, path, progress, arg, err);
  library.free(contexts[0]);
  library.free(contexts[1]);
  close(fd);
  return status;
}

bool fn_digest_is_hex(const char *text, size_t n_digits) {
  return strspn(text, "0123456789abcdefABCDEF") == n_digits && text[n_digits] == 0;
}

bool fn_digest_equal(const char *a, const char *b) {
  return fn_str_equal_nocase(fn_str_from(a), fn_str_from(b));
}
