#include "serve/auth.h"

#include "base/sha256.h"
#include "base/thread.h"
#include "monitor/keys.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_SESSIONS = 1024, SESSION_HOURS = 12, REFRESH_S = 2, FIRST_READ_S = 10 };

typedef struct session {
  unsigned char id[FN_SHA256_BYTES]; /* hash of the cookie's value */
  char key_id[32];
  uint64_t end_ns; /* 0: free */
} session;

typedef enum keys_state { KEYS_UNREAD, KEYS_READ, KEYS_FAILED, KEYS_IMPOSSIBLE } keys_state;

struct fn_auth {
  fn_auth_mode mode;
  const fn_predictions_options *predictions;
  const char *state_folder;
  unsigned char secret[FN_SHA256_BYTES]; /* of tokens, for this process alone */
  pthread_mutex_t lock;                  /* of all below */
  pthread_cond_t changed;
  pthread_t thread;
  bool ends, exposed, was_read;
  keys_state state;
  fn_err why; /* the keys could not be read */
  fn_keyring *ring;
  session sessions[MAX_SESSIONS];
};

/* ---- keys */

static void wait_until(fn_auth *a, uint64_t seconds) {
  fn_cond_wait_until(&a->changed, &a->lock, fn_clock_ns() + seconds * 1000000000);
}

static keys_state read_keys(fn_keyring **ring, const fn_auth *a, fn_err *err) {
  if (*ring == NULL && fn_keyring_open(ring, a->predictions, a->state_folder, err) != FN_OK) return KEYS_IMPOSSIBLE;
  return fn_keyring_refresh(*ring, err) == FN_OK ? KEYS_READ : KEYS_FAILED;
}

static void *refresh(void *arg) {
  fn_auth *a = arg;
  fn_keyring *ring = NULL;
  pthread_mutex_lock(&a->lock);
  while (!a->ends) {
    fn_err why = {0};
    pthread_mutex_unlock(&a->lock);
    const keys_state state = read_keys(&ring, a, &why);
    pthread_mutex_lock(&a->lock);
    a->ring = ring;
    a->state = state;
    a->why = why;
    a->was_read = a->was_read || state == KEYS_READ;
    pthread_cond_broadcast(&a->changed);
    const uint64_t next = fn_clock_ns() + REFRESH_S * UINT64_C(1000000000);
    while (!a->ends && fn_clock_ns() < next) wait_until(a, REFRESH_S);
  }
  pthread_mutex_unlock(&a->lock);
  return NULL;
}

fn_status fn_auth_create(fn_auth **auth_out, fn_auth_mode mode, const fn_predictions_options *predictions,
                         const char *state_folder, fn_err *err) {
  fn_auth *a = fn_mem_calloc(1, sizeof *a);
  if (a == NULL) return fn_err_no_memory(err, "sign-in");
  a->mode = mode;
  a->predictions = predictions;
  a->state_folder = state_folder;
  pthread_mutex_init(&a->lock, NULL);
  fn_cond_init(&a->changed);
  fn_status status = fn_random_bytes(a->secret, sizeof a->secret, err);
  a->ends = true; /* no thread yet */
  if (status == FN_OK && mode != FN_AUTH_NONE) {
    a->ends = false;
    const int failed = pthread_create(&a->thread, NULL, refresh, a);
    if (failed != 0) {
      a->ends = true;
      status = fn_err_errno(err, failed, "a thread that reads API keys");
    }
  }
  if (status != FN_OK) {
    fn_auth_destroy(a);
    return status;
  }
  *auth_out = a;
  return FN_OK;
}

void fn_auth_destroy(fn_auth *a) {
  if (a == NULL) return;
  pthread_mutex_lock(&a->lock);
  const bool runs = !a->ends;
  a->ends = true;
  pthread_cond_broadcast(&a->changed);
  pthread_mutex_unlock(&a->lock);
  if (runs) pthread_join(a->thread, NULL);
  if (a->ring != NULL) fn_keyring_close(a->ring);
  pthread_cond_destroy(&a->changed);
  pthread_mutex_destroy(&a->lock);
  free(a);
}

/* The ring once the keys were tried to be read, or NULL. It lives as long as `a`. */
static fn_keyring *ring_of(fn_auth *a, keys_state *state_out, bool *was_read_out) {
  pthread_mutex_lock(&a->lock);
  const uint64_t last = fn_clock_ns() + FIRST_READ_S * UINT64_C(1000000000);
  while (a->state == KEYS_UNREAD && !a->ends && fn_clock_ns() < last) wait_until(a, 1);
  fn_keyring *ring = a->ring;
  if (state_out != NULL) *state_out = a->state;
  if (was_read_out != NULL) *was_read_out = a->was_read;
  pthread_mutex_unlock(&a->lock);
  return ring;
}

void fn_auth_expose(fn_auth *a) {
  pthread_mutex_lock(&a->lock);
  a->exposed = true;
  pthread_mutex_unlock(&a->lock);
}

static bool is_exposed(fn_auth *a) {
  pthread_mutex_lock(&a->lock);
  const bool exposed = a->exposed;
  pthread_mutex_unlock(&a->lock);
  return exposed;
}

bool fn_auth_is_on(fn_auth *a) {
  keys_state state;
  bool was_read;
  if (a->mode != FN_AUTH_AUTO) return a->mode == FN_AUTH_KEYS;
  if (is_exposed(a)) return true;
  fn_keyring *ring = ring_of(a, &state, &was_read);
  if (state == KEYS_IMPOSSIBLE) return false;
  return !was_read || fn_keyring_count(ring) > 0;
}

fn_status fn_auth_check(fn_auth *a, fn_err *err) {
  static const char *const advice = "make one with `fakenews keys add`, or let everybody in with serve.auth=none";
  keys_state state;
  if (a->mode == FN_AUTH_NONE || (a->mode == FN_AUTH_AUTO && !is_exposed(a))) return FN_OK;
  fn_keyring *ring = ring_of(a, &state, NULL);
  if (state == KEYS_IMPOSSIBLE) {
    pthread_mutex_lock(&a->lock);
    const fn_err why = a->why;
    pthread_mutex_unlock(&a->lock);
    return fn_err_set(err, FN_E_INVALID, "API keys cannot be read (%s): give predictions.url, or serve.auth=none",
                      why.message);
  }
  if (a->mode == FN_AUTH_AUTO && (state != KEYS_READ || fn_keyring_count(ring) == 0))
    return fn_err_set(err, FN_E_INVALID,
                      "the server can be reached from other machines (serve.host) and there is no API key: %s", advice);
  return FN_OK;
}

/* ---- sessions */

/* Two cookies: of who is signed in, and of who is not, whose forms need a token as well. A page that another site leads
 * to comes without either (SameSite=Strict): the cookie that it then gets must not take the place of the first.
 * __Host-: a browser takes it only over TLS, and no other host of the domain can set it. */
typedef enum cookie { COOKIE_SESSION, COOKIE_VISITOR } cookie;
static const char *cookie_name(const fn_exchange *x, cookie which) {
  static const char *const names[2][2] = {{"fakenews", "fakenews-visitor"},
                                          {"__Host-fakenews", "__Host-fakenews-visitor"}};
  return names[x->request.is_secure][which];
}

static bool is_session_id(fn_str s) {
  for (size_t i = 0; i < s.length; i++) {
    if (!((s.data[i] >= '0' && s.data[i] <= '9') || (s.data[i] >= 'a' && s.data[i] <= 'f'))) return false;
  }
  return s.length == FN_SESSION_BYTES - 1;
}

static bool find_cookie(fn_exchange *x, cookie which) {
  const char *name = cookie_name(x, which);
  const size_t n = strlen(name);
  fn_str rest = fn_request_header(&x->request, "Cookie");
  while (rest.length > 0) {
    const char *end = memchr(rest.data, ';', rest.length);
    const size_t length = end != NULL ? (size_t)(end - rest.data) : rest.length;
    const fn_str pair = fn_str_trim(fn_str_make(rest.data, length));
    if (pair.length > n && pair.data[n] == '=' && memcmp(pair.data, name, n) == 0) {
      const fn_str value = fn_str_make(pair.data + n + 1, pair.length - n - 1);
      if (is_session_id(value)) {
        memcpy(x->session, value.data, value.length);
        x->session[value.length] = '\0';
        return true;
      }
    }
    const size_t used = end != NULL ? length + 1 : length;
    rest = fn_str_make(rest.data + used, rest.length - used);
  }
  return false;
}

static void read_cookie(fn_exchange *x) {
  if (!find_cookie(x, COOKIE_SESSION)) (void)find_cookie(x, COOKIE_VISITOR);
}

static bool set_cookie(fn_exchange *x, cookie which) {
  unsigned char random[(FN_SESSION_BYTES - 1) / 2];
  char header[160];
  if (fn_random_bytes(random, sizeof random, NULL) != FN_OK) return false;
  fn_hex_format(x->session, random, sizeof random);
  snprintf(header, sizeof header, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s", cookie_name(x, which), x->session,
           x->request.is_secure ? "; Secure" : "");
  fn_response_header(&x->response, "Set-Cookie", header);
  return true;
}

static session *find_session(fn_auth *a, const unsigned char *id) {
  const uint64_t now = fn_clock_ns();
  for (size_t i = 0; i < MAX_SESSIONS; i++) {
    session *s = &a->sessions[i];
    if (s->end_ns > now && fn_equal_constant_time(s->id, id, sizeof s->id)) return s;
  }
  return NULL;
}

static void remember(fn_auth *a, const unsigned char *id, const char *key_id) {
  session *oldest = a->sessions;
  for (size_t i = 1; i < MAX_SESSIONS; i++) {
    if (a->sessions[i].end_ns < oldest->end_ns) oldest = &a->sessions[i];
  }
  memcpy(oldest->id, id, sizeof oldest->id);
  snprintf(oldest->key_id, sizeof oldest->key_id, "%s", key_id);
  oldest->end_ns = fn_clock_ns() + SESSION_HOURS * UINT64_C(3600000000000);
}

static void adopt(fn_exchange *x, const fn_key_info *key) {
  x->role = (fn_role)((int)key->role + 1); /* FN_ROLE_NONE comes before the roles of keys */
  snprintf(x->key_id, sizeof x->key_id, "%s", key->id);
}

static bool find_key(fn_auth *a, fn_exchange *x, fn_str secret) {
  fn_key_info key;
  fn_keyring *ring = ring_of(a, NULL, NULL);
  if (ring == NULL || !fn_keyring_find(&key, ring, secret)) return false;
  adopt(x, &key);
  return true;
}

static bool find_signed_in(fn_auth *a, fn_exchange *x) {
  unsigned char id[FN_SHA256_BYTES];
  char key_id[32] = "";
  fn_key_info key;
  fn_sha256_bytes(id, fn_str_from(x->session));
  fn_keyring *ring = ring_of(a, NULL, NULL);
  pthread_mutex_lock(&a->lock);
  const session *s = find_session(a, id);
  if (s != NULL) memcpy(key_id, s->key_id, sizeof key_id);
  pthread_mutex_unlock(&a->lock);
  if (key_id[0] == '\0' || ring == NULL || !fn_keyring_find_id(&key, ring, key_id)) return false;
  adopt(x, &key);
  return true;
}

fn_credential fn_auth_identify(fn_auth *a, fn_exchange *x) {
  const fn_str authorization = fn_request_header(&x->request, "Authorization");
  fn_str key = fn_request_header(&x->request, "X-Api-Key");
  x->role = FN_ROLE_NONE;
  x->key_id[0] = '\0';
  if (authorization.length > 7 && fn_str_equal_nocase(fn_str_make(authorization.data, 7), fn_str_from("bearer ")))
    key = fn_str_trim(fn_str_make(authorization.data + 7, authorization.length - 7));
  if (key.data != NULL) return find_key(a, x, key) ? FN_CREDENTIAL_KEY : FN_CREDENTIAL_WRONG;
  read_cookie(x);
  if (x->session[0] == '\0') return FN_CREDENTIAL_NONE;
  return find_signed_in(a, x) ? FN_CREDENTIAL_COOKIE : FN_CREDENTIAL_NONE;
}

bool fn_auth_sign_in(fn_auth *a, fn_exchange *x, fn_str key) {
  unsigned char id[FN_SHA256_BYTES];
  if (!find_key(a, x, key) || !set_cookie(x, COOKIE_SESSION)) return false;
  fn_sha256_bytes(id, fn_str_from(x->session));
  pthread_mutex_lock(&a->lock);
  remember(a, id, x->key_id);
  pthread_mutex_unlock(&a->lock);
  return true;
}

void fn_auth_sign_out(fn_auth *a, fn_exchange *x) {
  unsigned char id[FN_SHA256_BYTES];
  char header[120];
  fn_sha256_bytes(id, fn_str_from(x->session));
  pthread_mutex_lock(&a->lock);
  session *s = find_session(a, id);
  if (s != NULL) *s = (session){.end_ns = 0};
  pthread_mutex_unlock(&a->lock);
  x->session[0] = '\0';
  snprintf(header, sizeof header, "%s=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0%s", cookie_name(x, COOKIE_SESSION),
           x->request.is_secure ? "; Secure" : "");
  fn_response_header(&x->response, "Set-Cookie", header);
}

/* ---- tokens of forms */

static void make_token(char out[33], const fn_auth *a, const fn_exchange *x) {
  unsigned char mac[FN_SHA256_BYTES];
  fn_hmac_sha256(mac, fn_str_make((const char *)a->secret, sizeof a->secret), fn_str_from(x->session));
  fn_hex_format(out, mac, 16);
}

void fn_auth_csrf(char out[33], fn_auth *a, fn_exchange *x) {
  out[0] = '\0';
  if (x->session[0] == '\0') read_cookie(x); /* of a page that was refused before anybody looked */
  if (x->session[0] == '\0' && !set_cookie(x, COOKIE_VISITOR)) return;
  make_token(out, a, x);
}

bool fn_auth_csrf_matches(fn_auth *a, const fn_exchange *x, fn_str token) {
  char expected[33];
  if (x->session[0] == '\0' || token.length != sizeof expected - 1) return false;
  make_token(expected, a, x);
  return fn_equal_constant_time(expected, token.data, token.length);
}
