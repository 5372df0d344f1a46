/* What proxies, tracers and browsers say of a client: lines "name: value", behind a peer that is trusted or not. A
 * client is always an address, a trace 32 hexadecimal digits or nothing, and an untrusted peer is believed nothing. */
#include "fuzz.h"
#include "serve/access_log.h"
#include "serve/auth.h"
#include "serve/proxy.h"

enum { MAX_HEADERS = 16 };

static size_t split(fn_field *fields, fn_str text) {
  size_t n = 0;
  while (text.length > 0 && n < MAX_HEADERS) {
    const char *end = memchr(text.data, '\n', text.length);
    const size_t length = end != NULL ? (size_t)(end - text.data) : text.length;
    const char *colon = memchr(text.data, ':', length);
    if (colon != NULL) {
      const size_t name = (size_t)(colon - text.data);
      fields[n++] = (fn_field){fn_str_make(text.data, name), fn_str_trim(fn_str_make(colon + 1, length - name - 1))};
    }
    const size_t used = end != NULL ? length + 1 : length;
    text = fn_str_make(text.data + used, text.length - used);
  }
  return n;
}

static void check_client(const fn_field *fields, size_t n, const char *peer, bool trusted) {
  static const char *const networks[] = {"10.0.0.0/8", "2001:db8::/33"};
  fn_networks parsed;
  fn_address address;
  fn_request r = {.headers = fields, .n_headers = n};
  FUZZ_CHECK(fn_networks_parse(&parsed, &(fn_config_list){networks, 2}, "k", NULL) == FN_OK);
  memcpy(r.client, peer, strlen(peer) + 1);
  fn_proxy_resolve(&r, &parsed);
  FUZZ_CHECK(fn_address_parse(&address, fn_str_from(r.client)));
  FUZZ_CHECK(trusted || (strcmp(r.client, peer) == 0 && !r.is_secure));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fn_auth *auth;
  static const fn_predictions_options none = {.url = "none"};
  fn_field fields[MAX_HEADERS];
  char trace[33];
  const size_t n = split(fields, fn_str_make((const char *)data, size));
  check_client(fields, n, "192.0.2.1", false);
  check_client(fields, n, "10.1.2.3", true);
  check_client(fields, n, "2001:db8::1", true);
  const fn_request r = {.headers = fields, .n_headers = n};
  fn_access_log_trace(trace, &r);
  FUZZ_CHECK(strspn(trace, "0123456789abcdef") == strlen(trace) && (trace[0] == '\0' || strlen(trace) == 32));
  if (auth == NULL) FUZZ_CHECK(fn_auth_create(&auth, FN_AUTH_NONE, &none, NULL, NULL) == FN_OK);
  fn_exchange x;
  fn_exchange_init(&x, NULL);
  x.request = r;
  const fn_credential credential = fn_auth_identify(auth, &x); /* there is no key: nobody is anybody */
  FUZZ_CHECK((credential == FN_CREDENTIAL_NONE || credential == FN_CREDENTIAL_WRONG) && x.role == FN_ROLE_NONE);
  FUZZ_CHECK(strspn(x.session, "0123456789abcdef") == strlen(x.session));
  fn_exchange_deinit(&x);
  return 0;
}
