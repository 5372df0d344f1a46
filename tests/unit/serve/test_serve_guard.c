/* Addresses and proxies, rates, sessions and their tokens. */
#include "base/sha256.h"
#include "monitor/monitor.h"
#include "serve/auth.h"
#include "serve/limit.h"
#include "serve/proxy.h"

#include "../test.h"

#include <stdio.h>
#include <unistd.h>

/* ---- proxies */

static void check_address(const char *text, const char *expected) {
  fn_address a;
  char out[FN_CLIENT_BYTES];
  if (!fn_address_parse(&a, fn_str_from(text))) {
    if (expected != NULL) fail_msg("%s is refused", text);
    return;
  }
  fn_address_format(out, &a);
  if (expected == NULL || strcmp(out, expected) != 0) fail_msg("%s gives %s", text, out);
}

static void test_addresses(void **state) {
  (void)state;
  check_address("192.0.2.1", "192.0.2.1");
  check_address("192.0.2.1:4711", "192.0.2.1");
  check_address("::ffff:192.0.2.1", "192.0.2.1");
  check_address("2001:DB8:0:0::1", "2001:db8::1");
  check_address("[2001:db8::1]", "2001:db8::1");
  check_address("[2001:db8::1]:443", "2001:db8::1");
  check_address("fe80::1%eth0", "fe80::1");
  check_address("", NULL);
  check_address("unknown", NULL);
  check_address("192.0.2", NULL);
  check_address("192.0.2.256", NULL);
  check_address("[2001:db8::1", NULL);
  check_address("1:2:3", NULL);
  check_address("2001:db8::1::2", NULL);
  check_address("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL);
}

static fn_status parse(fn_networks *out, const char *one, fn_err *err) {
  return fn_networks_parse(out, &(fn_config_list){&one, 1}, "serve.trusted_proxies", err);
}

static void check_network(const char *network, const char *address, bool expected) {
  fn_networks n;
  fn_address a;
  assert_int_equal(parse(&n, network, NULL), FN_OK);
  assert_true(fn_address_parse(&a, fn_str_from(address)));
  if (fn_networks_contain(&n, &a) != expected) fail_msg("%s in %s", address, network);
}

static void test_networks(void **state) {
  (void)state;
  check_network("10.0.0.0/8", "10.255.1.2", true);
  check_network("10.0.0.0/8", "11.0.0.0", false);
  check_network("192.0.2.128/25", "192.0.2.127", false);
  check_network("192.0.2.128/25", "192.0.2.200", true);
  check_network("192.0.2.1", "192.0.2.1", true);
  check_network("192.0.2.1", "192.0.2.2", false);
  check_network("0.0.0.0/0", "8.8.8.8", true);
  check_network("0.0.0.0/0", "::1", false);
  check_network("::/0", "8.8.8.8", true);
  check_network("2001:db8::/33", "2001:db8:7fff::1", true);
  check_network("2001:db8::/33", "2001:db8:8000::1", false);
  static const char *const refused[] = {"",          "10.0.0.0/33", "::/129",       "10.0.0.0/-1",
                                        "10.0.0.0/", "x",           "10.0.0.0/8/9", "fe80::1%a"};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    fn_networks n;
    fn_err err = {0};
    if (parse(&n, refused[i], &err) != FN_E_INVALID) fail_msg("%s is taken", refused[i]);
    assert_non_null(strstr(err.message, "serve.trusted_proxies"));
  }
}

/* headers: name, value, name, value, …, NULL. */
static void check_client(const char *peer, const char *client, bool secure, const char *const *headers) {
  static const char *const trusted[] = {"10.0.0.0/8", "2001:db8::/32"};
  fn_networks networks;
  fn_field fields[8];
  fn_request r = {.headers = fields};
  assert_int_equal(fn_networks_parse(&networks, &(fn_config_list){trusted, 2}, "k", NULL), FN_OK);
  for (; headers[2 * r.n_headers] != NULL; r.n_headers++)
    fields[r.n_headers] = (fn_field){fn_str_from(headers[2 * r.n_headers]), fn_str_from(headers[2 * r.n_headers + 1])};
  snprintf(r.client, sizeof r.client, "%s", peer);
  fn_proxy_resolve(&r, &networks);
  if (strcmp(r.client, client) != 0) fail_msg("%s, not %s", r.client, client);
  assert_int_equal(r.is_secure, secure);
}
#define CLIENT(peer, client, secure, ...) check_client(peer, client, secure, (const char *const[]){__VA_ARGS__ NULL})

static void test_clients(void **state) {
  (void)state;
  CLIENT("192.0.2.1", "192.0.2.1", false, );
  CLIENT("::ffff:192.0.2.1", "192.0.2.1", false, );
  CLIENT("192.0.2.1", "192.0.2.1", false, "X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "https", );
  CLIENT("10.1.1.1", "203.0.113.9", false, "X-Forwarded-For", "203.0.113.9", );
  CLIENT("10.1.1.1", "203.0.113.9", true, "x-forwarded-for", "6.6.6.6, 203.0.113.9 ,10.2.2.2", "X-Forwarded-Proto",
         "https", );
  CLIENT("10.1.1.1", "203.0.113.9", false, "X-Forwarded-For", "6.6.6.6", "X-Forwarded-For", "203.0.113.9", );
  CLIENT("10.1.1.1", "10.3.3.3", false, "X-Forwarded-For", "10.3.3.3", ); /* all of them ours: the farthest */
  CLIENT("10.1.1.1", "10.2.2.2", false, "X-Forwarded-For", "6.6.6.6, unknown, 10.2.2.2", );
  CLIENT("10.1.1.1", "10.1.1.1", false, "X-Forwarded-For", "rubbish", );
  CLIENT("10.1.1.1", "10.1.1.1", false, "X-Forwarded-For", "", );
  CLIENT("10.1.1.1", "10.1.1.1", false, "X-Forwarded-Proto", "https, http", );
  CLIENT("10.1.1.1", "192.0.2.60", true, "Forwarded", "for=6.6.6.6, for=192.0.2.60;proto=https;by=10.9.9.9", );
  CLIENT("2001:db8::5", "2001:db9::1", false, "Forwarded", "For=\"[2001:db9::1]:4711\"", );
  CLIENT("10.1.1.1", "10.1.1.1", false, "Forwarded", "for=_hidden, by=1.2.3.4", );
  CLIENT("10.1.1.1", "203.0.113.9", false, "Forwarded", "for=6.6.6.6", "X-Forwarded-For", "203.0.113.9", );
  CLIENT("unknown", "unknown", false, "X-Forwarded-For", "203.0.113.9", );
}

static void test_subscribers(void **state) {
  (void)state;
  fn_address a, b;
  assert_true(fn_address_parse(&a, fn_str_from("2001:db8:1:2:3::4")) &&
              fn_address_parse(&b, fn_str_from("2001:db8:1:2:ffff::")));
  a = fn_address_subscriber(&a), b = fn_address_subscriber(&b);
  assert_memory_equal(&a, &b, sizeof a);
  assert_true(fn_address_parse(&a, fn_str_from("192.0.2.1")) && fn_address_parse(&b, fn_str_from("192.0.2.2")));
  a = fn_address_subscriber(&a), b = fn_address_subscriber(&b);
  assert_memory_not_equal(&a, &b, sizeof a);
  assert_true(fn_address_parse(&a, fn_str_from("127.3.2.1")) && fn_address_is_loopback(&a));
  assert_true(fn_address_parse(&a, fn_str_from("::1")) && fn_address_is_loopback(&a));
  assert_true(fn_address_parse(&a, fn_str_from("::2")) && !fn_address_is_loopback(&a));
}

/* ---- rates */

static const uint64_t second = 1000000000u;

static void test_rate(void **state) {
  (void)state;
  fn_limit *l;
  unsigned wait = 0;
  uint64_t now = 100 * second;
  assert_int_equal(fn_limit_create(&l, 6, 64, NULL), FN_OK);
  for (int i = 0; i < 6; i++) assert_true(fn_limit_take(&wait, l, fn_str_from("a"), now));
  assert_false(fn_limit_take(&wait, l, fn_str_from("a"), now));
  assert_true(wait >= 10 && wait <= 11);
  assert_true(fn_limit_take(&wait, l, fn_str_from("b"), now)); /* another client */
  now += 9 * second;
  assert_false(fn_limit_take(&wait, l, fn_str_from("a"), now));
  assert_int_equal(wait, 2);
  now += 1 * second;
  assert_true(fn_limit_take(&wait, l, fn_str_from("a"), now));
  assert_false(fn_limit_take(&wait, l, fn_str_from("a"), now));
  now += 3600 * second; /* no more than a minute's worth is saved */
  for (int i = 0; i < 6; i++) assert_true(fn_limit_take(&wait, l, fn_str_from("a"), now));
  assert_false(fn_limit_take(&wait, l, fn_str_from("a"), now));
  fn_limit_destroy(l);
}

static void test_rate_table_is_bounded(void **state) {
  (void)state;
  fn_limit *l;
  unsigned wait = 0;
  char name[16];
  assert_int_equal(fn_limit_create(&l, 2, 8, NULL), FN_OK);
  for (int i = 0; i < 2; i++) assert_true(fn_limit_take(&wait, l, fn_str_from("busy"), second));
  for (int i = 0; i < 1000; i++) { /* each asks once: the busiest of the eight places is never given away */
    snprintf(name, sizeof name, "%d", i);
    assert_true(fn_limit_take(&wait, l, fn_str_from(name), second));
  }
  assert_false(fn_limit_take(&wait, l, fn_str_from("busy"), second));
  fn_limit_destroy(l);
}

/* ---- keys and sessions */

static char folder[] = "/tmp/fn_guard_XXXXXX";
static char url[64];
static fn_predictions_options predictions = {.url = url};

static void make_key(char secret[FN_KEY_LENGTH], fn_key_info *info, fn_key_role role) {
  fn_sql *sql;
  const fn_sql_options options = {.busy_ms = 2000};
  assert_int_equal(fn_database_open(&sql, url, &options, NULL), FN_OK);
  assert_int_equal(fn_key_create(secret, info, sql, role, "test", NULL), FN_OK);
  fn_sql_close(sql);
}

static void begin(fn_exchange *x, fn_field *field, const char *name, const char *value) {
  fn_exchange_init(x, NULL);
  *field = (fn_field){fn_str_from(name), fn_str_from(value)};
  x->request.headers = field;
  x->request.n_headers = name != NULL;
}

static void test_keys(void **state) {
  (void)state;
  fn_auth *auth;
  fn_exchange x;
  fn_field field;
  fn_key_info info;
  char secret[FN_KEY_LENGTH], value[160];
  fn_err err = {0};
  assert_int_equal(fn_auth_create(&auth, FN_AUTH_AUTO, &predictions, folder, NULL), FN_OK);
  assert_false(fn_auth_is_on(auth)); /* there is none, and nobody else can ask */
  assert_int_equal(fn_auth_check(auth, &err), FN_OK);
  fn_auth_expose(auth);
  assert_true(fn_auth_is_on(auth));
  assert_int_equal(fn_auth_check(auth, &err), FN_E_INVALID);
  assert_non_null(strstr(err.message, "serve.auth=none"));
  fn_auth_destroy(auth);
  make_key(secret, &info, FN_KEY_FEEDBACK);
  assert_int_equal(fn_auth_create(&auth, FN_AUTH_AUTO, &predictions, folder, NULL), FN_OK);
  assert_true(fn_auth_is_on(auth));
  fn_auth_expose(auth);
  assert_int_equal(fn_auth_check(auth, &err), FN_OK);
  snprintf(value, sizeof value, "bearer  %s ", secret);
  begin(&x, &field, "authorization", value);
  assert_int_equal(fn_auth_identify(auth, &x), FN_CREDENTIAL_KEY);
  assert_int_equal(x.role, FN_ROLE_FEEDBACK);
  assert_string_equal(x.key_id, info.id);
  field = (fn_field){fn_str_from("X-Api-Key"), fn_str_from(secret)};
  assert_int_equal(fn_auth_identify(auth, &x), FN_CREDENTIAL_KEY);
  secret[20] = secret[20] == 'a' ? 'b' : 'a';
  assert_int_equal(fn_auth_identify(auth, &x), FN_CREDENTIAL_WRONG);
  assert_int_equal(x.role, FN_ROLE_NONE);
  assert_string_equal(x.key_id, "");
  field = (fn_field){fn_str_from("Authorization"), fn_str_from("Basic dTpw")};
  assert_int_equal(fn_auth_identify(auth, &x), FN_CREDENTIAL_NONE);
  fn_exchange_deinit(&x);
  fn_auth_destroy(auth);
}

/* The cookie of a response's Set-Cookie, as a browser sends it back. */
static void take_cookie(char out[128], const fn_exchange *x) {
  const char *at = strstr(x->response.headers.data, "Set-Cookie: ");
  assert_non_null(at);
  assert_non_null(strstr(at, "; HttpOnly; SameSite=Strict"));
  snprintf(out, 128, "a=b; %.*s; c", (int)strcspn(at + 12, ";"), at + 12);
}

static void test_sessions(void **state) {
  (void)state;
  fn_auth *auth;
  fn_exchange x, y;
  fn_field field;
  fn_key_info info;
  char secret[FN_KEY_LENGTH], cookie[128], token[33], other[33], visitor[FN_SESSION_BYTES];
  make_key(secret, &info, FN_KEY_ADMIN);
  assert_int_equal(fn_auth_create(&auth, FN_AUTH_KEYS, &predictions, folder, NULL), FN_OK);
  begin(&x, &field, NULL, NULL); /* a visitor loads the form */
  fn_auth_csrf(token, auth, &x);
  assert_int_equal(strlen(token), 32);
  memcpy(visitor, x.session, sizeof visitor);
  take_cookie(cookie, &x);
  fn_exchange_deinit(&x);
  begin(&x, &field, "Cookie", cookie); /* and sends it */
  assert_int_equal(fn_auth_identify(auth, &x), FN_CREDENTIAL_NONE);
  assert_true(fn_auth_csrf_matches(auth, &x, fn_str_from(token)));
  assert_false(fn_auth_csrf_matches(auth, &x, fn_str_from("")));
  token[0] = token[0] == '0' ? '1' : '0';
  assert_false(fn_auth_csrf_matches(auth, &x, fn_str_from(token)));
  assert_false(fn_auth_sign_in(auth, &x, fn_str_from("fn_admin_00")));
  assert_true(fn_auth_sign_in(auth, &x, fn_str_from(secret)));
  assert_string_not_equal(x.session, visitor); /* the visitor's id was never worth anything */
  take_cookie(cookie, &x);
  begin(&y, &field, "Cookie", cookie);
  assert_int_equal(fn_auth_identify(auth, &y), FN_CREDENTIAL_COOKIE);
  assert_int_equal(y.role, FN_ROLE_ADMIN);
  fn_auth_csrf(other, auth, &y);
  assert_true(fn_auth_csrf_matches(auth, &y, fn_str_from(other)));
  assert_int_equal(y.response.headers.length, 0); /* it has a session */
  fn_auth_sign_out(auth, &y);
  assert_non_null(strstr(y.response.headers.data, "Max-Age=0"));
  assert_int_equal(fn_auth_identify(auth, &y), FN_CREDENTIAL_NONE);
  fn_exchange_deinit(&y);
  begin(&y, &field, NULL, NULL); /* over TLS the cookie is Secure, and bound to the host */
  y.request.is_secure = true;
  fn_auth_csrf(token, auth, &y);
  assert_non_null(strstr(y.response.headers.data, "Set-Cookie: __Host-fakenews-visitor="));
  assert_non_null(strstr(y.response.headers.data, "; Secure"));
  fn_exchange_deinit(&x);
  fn_exchange_deinit(&y);
  fn_auth_destroy(auth);
}

static void test_no_database(void **state) {
  (void)state;
  fn_auth *auth;
  fn_err err = {0};
  const fn_predictions_options none = {.url = "none"};
  assert_int_equal(fn_auth_create(&auth, FN_AUTH_AUTO, &none, NULL, NULL), FN_OK);
  assert_false(fn_auth_is_on(auth)); /* there can be no key */
  fn_auth_expose(auth);
  assert_int_equal(fn_auth_check(auth, &err), FN_E_INVALID);
  assert_non_null(strstr(err.message, "predictions.url"));
  fn_auth_destroy(auth);
  const fn_predictions_options away = {.url = "postgresql://127.0.0.1:1/none?connect_timeout=2"};
  assert_int_equal(fn_auth_create(&auth, FN_AUTH_AUTO, &away, NULL, NULL), FN_OK);
  assert_true(fn_auth_is_on(auth)); /* there may be keys: nobody is let in before they are known */
  fn_auth_destroy(auth);
}

static int set_up(void **state) {
  (void)state;
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(url, sizeof url, "sqlite:%s/keys.db", folder);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  static const char *const names[] = {"keys.db", "keys.db-wal", "keys.db-shm"};
  char path[80];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    (void)unlink(path);
  }
  return rmdir(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_addresses),   cmocka_unit_test(test_networks), cmocka_unit_test(test_clients),
      cmocka_unit_test(test_subscribers), cmocka_unit_test(test_rate),     cmocka_unit_test(test_rate_table_is_bounded),
      cmocka_unit_test(test_keys),        cmocka_unit_test(test_sessions), cmocka_unit_test(test_no_database),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
