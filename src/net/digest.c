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
  const void *(*md5)(void), *(*sha1)(void), *(*sha256)(void);
  int (*init)(void *context, const void *kind, void *engine);
  int (*update)(void *context, const void *data, size_t length);
  int (*final)(void *context, unsigned char *digest, unsigned *length);
  /* RSA signatures */
  void *(*bio_open)(const void *data, int length);
  int (*bio_free)(void *bio);
  void *(*key_read)(void *bio, void **key, int (*ask)(char *, int, int, void *), void *arg);
  void (*key_free)(void *key);
  int (*key_is)(const void *key, const char *name);
  int (*sign_init)(void *context, void **key_context, const void *kind, void *engine, void *key);
  int (*sign)(void *context, unsigned char *signature, size_t *length, const unsigned char *data, size_t n);
  void (*forget_errors)(void);
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
      {"EVP_sha1", offsetof(crypto, sha1)},
      {"EVP_sha256", offsetof(crypto, sha256)},
      {"EVP_DigestInit_ex", offsetof(crypto, init)},
      {"EVP_DigestUpdate", offsetof(crypto, update)},
      {"EVP_DigestFinal_ex", offsetof(crypto, final)},
      {"BIO_new_mem_buf", offsetof(crypto, bio_open)},
      {"BIO_free", offsetof(crypto, bio_free)},
      {"PEM_read_bio_PrivateKey", offsetof(crypto, key_read)},
      {"EVP_PKEY_free", offsetof(crypto, key_free)},
      {"EVP_PKEY_is_a", offsetof(crypto, key_is)},
      {"EVP_DigestSignInit", offsetof(crypto, sign_init)},
      {"EVP_DigestSign", offsetof(crypto, sign)},
      {"ERR_clear_error", offsetof(crypto, forget_errors)},
  };
  if (fn_library_load(&library, names, symbols, FN_COUNT_OF(symbols), "libssl3", &failure) != FN_OK)
    return; /* kept in failure */
}

static fn_status ready(const char *what, fn_err *err) {
  pthread_once(&once, load);
  if (failure.status == FN_OK) return FN_OK;
  return fn_err_set(err, failure.status, "%s: %s", what, failure.message);
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
  FN_TRY(ready("checksums", err));
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fn_err_errno(err, errno, "%s", path);
  void *const contexts[2] = {library.new(), library.new()};
  fn_status status = digest(digests_out, &library, contexts, fd, path, progress, arg, err);
  library.free(contexts[0]);
  library.free(contexts[1]);
  close(fd);
  return status;
}

fn_status fn_digest_sha1(char hex_out[41], fn_str data, fn_err *err) {
  unsigned char digest[MAX_DIGEST];
  FN_TRY(ready("checksums", err));
  void *context = library.new();
  if (!context) return fn_err_no_memory(err, "checksums");
  const bool good = library.init(context, library.sha1(), NULL) == 1 &&
                    library.update(context, data.data, data.length) == 1 && library.final(context, digest, NULL) == 1;
  library.free(context);
  if (!good) return fn_err_set(err, FN_E_UNSUPPORTED, "this system's libcrypto refuses SHA-1");
  format(hex_out, digest, 20);
  return FN_OK;
}

struct fn_digester {
  void *md5, *sha256; /* NULL: not wanted */
};

void fn_digester_destroy(fn_digester *d) {
  if (!d) return;
  library.free(d->md5);
  library.free(d->sha256);
  free(d);
}

fn_status fn_digester_create(fn_digester **digester_out, unsigned kinds, fn_err *err) {
  FN_TRY(ready("checksums", err));
  fn_digester *d = fn_mem_calloc(1, sizeof *d);
  if (!d) return fn_err_no_memory(err, "checksums");
  if (kinds & FN_DIGEST_MD5) d->md5 = library.new();
  if (kinds & FN_DIGEST_SHA256) d->sha256 = library.new();
  const bool lost = (!d->md5 && (kinds & FN_DIGEST_MD5)) || (!d->sha256 && (kinds & FN_DIGEST_SHA256));
  const bool refused = !lost && ((d->md5 && library.init(d->md5, library.md5(), NULL) != 1) ||
                                 (d->sha256 && library.init(d->sha256, library.sha256(), NULL) != 1));
  if (lost || refused) {
    fn_digester_destroy(d);
    return lost ? fn_err_no_memory(err, "checksums")
                : fn_err_set(err, FN_E_UNSUPPORTED, "this system's libcrypto refuses MD5 or SHA-256");
  }
  *digester_out = d;
  return FN_OK;
}

fn_status fn_digester_add(fn_digester *d, const void *data, size_t length, fn_err *err) {
  if ((d->md5 && library.update(d->md5, data, length) != 1) ||
      (d->sha256 && library.update(d->sha256, data, length) != 1))
    return fn_err_set(err, FN_E_INTERNAL, "libcrypto: checksums");
  return FN_OK;
}

fn_status fn_digester_end(fn_digests *digests_out, fn_digester *d, fn_err *err) {
  unsigned char md5[MAX_DIGEST], sha256[MAX_DIGEST];
  if ((d->md5 && library.final(d->md5, md5, NULL) != 1) || (d->sha256 && library.final(d->sha256, sha256, NULL) != 1))
    return fn_err_set(err, FN_E_INTERNAL, "libcrypto: checksums");
  *digests_out = (fn_digests){0};
  if (d->md5) format(digests_out->md5, md5, 16);
  if (d->sha256) format(digests_out->sha256, sha256, 32);
  return FN_OK;
}

/* A key that is itself encrypted is none of ours: nobody is asked for a password. */
static int no_password(char *out, int size, int writing, void *arg) {
  (void)out, (void)size, (void)writing, (void)arg;
  return -1;
}

static fn_status sign(fn_buf *out, void *context, void *key, fn_str data, fn_err *err) {
  unsigned char signature[1024]; /* RSA of 8,192 bits */
  size_t length = sizeof signature;
  if (!context) return fn_err_no_memory(err, "a signature");
  if (!library.key_is(key, "RSA")) return fn_err_set(err, FN_E_INVALID, "the private key is no RSA key");
  if (library.sign_init(context, NULL, library.sha256(), NULL, key) != 1 ||
      library.sign(context, signature, &length, (const unsigned char *)data.data, data.length) != 1)
    return fn_err_set(err, FN_E_INVALID, "libcrypto cannot sign with this private key");
  fn_buf_append(out, signature, length);
  return FN_OK;
}

fn_status fn_sign_rs256(fn_buf *out, fn_str pem, fn_str data, fn_err *err) {
  FN_TRY(ready("signatures", err));
  if (pem.length > 1 << 20) return fn_err_set(err, FN_E_LIMIT, "a private key of more than a megabyte");
  void *bio = library.bio_open(pem.data, (int)pem.length);
  void *key = bio ? library.key_read(bio, NULL, no_password, NULL) : NULL;
  if (bio) library.bio_free(bio);
  fn_status status = FN_OK;
  if (!key)
    status = fn_err_set(err, FN_E_INVALID, "no private key in PEM form (-----BEGIN PRIVATE KEY-----) can be read");
  void *context = key ? library.new() : NULL;
  if (key) status = sign(out, context, key, data, err);
  library.free(context);
  library.key_free(key);
  library.forget_errors();
  return status;
}

bool fn_digest_is_hex(const char *text, size_t n_digits) {
  return strspn(text, "0123456789abcdefABCDEF") == n_digits && text[n_digits] == 0;
}

bool fn_digest_equal(const char *a, const char *b) {
  return fn_str_equal_nocase(fn_str_from(a), fn_str_from(b));
}
