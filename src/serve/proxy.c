#include "serve/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { MAX_HOPS = 32 };

/* ---- addresses */

static fn_address from_ipv4(const unsigned char *four) {
  fn_address a = {{0}};
  a.bytes[10] = a.bytes[11] = 0xff;
  memcpy(a.bytes + 12, four, 4);
  return a;
}
static bool is_ipv4(const fn_address *a) {
  static const unsigned char prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return memcmp(a->bytes, prefix, sizeof prefix) == 0;
}

bool fn_address_parse(fn_address *out, fn_str s) {
  char text[INET6_ADDRSTRLEN];
  unsigned char four[4];
  if (s.length > 0 && s.data[0] == '[') { /* [address]:port */
    const char *end = memchr(s.data, ']', s.length);
    if (end == NULL) return false;
    s = fn_str_make(s.data + 1, (size_t)(end - s.data) - 1);
  } else { /* a.b.c.d:port has a single colon */
    const char *colon = s.length > 0 ? memchr(s.data, ':', s.length) : NULL;
    const size_t before = colon != NULL ? (size_t)(colon - s.data) : 0;
    if (colon != NULL && memchr(colon + 1, ':', s.length - before - 1) == NULL) s.length = before;
  }
  const char *zone = s.length > 0 ? memchr(s.data, '%', s.length) : NULL;
  if (zone != NULL) s.length = (size_t)(zone - s.data);
  if (s.length == 0 || s.length >= sizeof text || memchr(s.data, '\0', s.length) != NULL) return false;
  memcpy(text, s.data, s.length);
  text[s.length] = '\0';
  if (inet_pton(AF_INET, text, four) == 1) {
    *out = from_ipv4(four);
    return true;
  }
  return inet_pton(AF_INET6, text, out->bytes) == 1;
}

void fn_address_format(char out[FN_CLIENT_BYTES], const fn_address *a) {
  if (is_ipv4(a))
    (void)inet_ntop(AF_INET, a->bytes + 12, out, FN_CLIENT_BYTES);
  else
    (void)inet_ntop(AF_INET6, a->bytes, out, FN_CLIENT_BYTES);
}

bool fn_address_is_loopback(const fn_address *a) {
  static const unsigned char six[16] = {[15] = 1};
  return is_ipv4(a) ? a->bytes[12] == 127 : memcmp(a->bytes, six, sizeof six) == 0;
}

fn_address fn_address_subscriber(const fn_address *a) {
  fn_address s = *a;
  if (!is_ipv4(a)) memset(s.bytes + 8, 0, 8);
  return s;
}

/* ---- networks */

static bool parse_network(fn_address *address_out, unsigned *bits_out, fn_str s) {
  const char *slash = s.length > 0 ? memchr(s.data, '/', s.length) : NULL;
  const fn_str host = slash != NULL ? fn_str_make(s.data, (size_t)(slash - s.data)) : s;
  if (host.length > 0 && (host.data[0] == '[' || memchr(host.data, '%', host.length) != NULL)) return false;
  if (!fn_address_parse(address_out, host)) return false;
  const int64_t most = is_ipv4(address_out) ? 32 : 128;
  int64_t bits = most;
  if (slash != NULL && !fn_str_to_int64(&bits, fn_str_make(slash + 1, s.length - host.length - 1))) return false;
  if (bits < 0 || bits > most) return false;
  *bits_out = (unsigned)(bits + 128 - most);
  return true;
}

fn_status fn_networks_parse(fn_networks *out, const fn_config_list *list, const char *key, fn_err *err) {
  fn_networks networks = {.n = 0};
  if (list->n > FN_COUNT_OF(networks.items))
    return fn_err_set(err, FN_E_INVALID, "%s: %zu networks; at most %zu", key, list->n, FN_COUNT_OF(networks.items));
  for (size_t i = 0; i < list->n; i++) {
    if (!parse_network(&networks.items[i].address, &networks.items[i].bits, fn_str_from(list->items[i])))
      return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" is no address or network, such as 10.0.0.0/8 or 2001:db8::/32",
                        key, list->items[i]);
    networks.n++;
  }
  *out = networks;
  return FN_OK;
}

static bool share_bits(const fn_address *a, const fn_address *b, unsigned bits) {
  const unsigned whole = bits / 8, rest = bits % 8;
  if (memcmp(a->bytes, b->bytes, whole) != 0) return false;
  return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

bool fn_networks_contain(const fn_networks *networks, const fn_address *address) {
  for (size_t i = 0; i < networks->n; i++) {
    if (share_bits(&networks->items[i].address, address, networks->items[i].bits)) return true;
  }
  return false;
}

/* ---- headers */

/* The last element of a list with commas, which is taken off it. */
static fn_str take_last(fn_str *list) {
  size_t begin = list->length;
  while (begin > 0 && list->data[begin - 1] != ',') begin--;
  const fn_str last = fn_str_trim(fn_str_make(list->data + begin, list->length - begin));
  list->length = begin > 0 ? begin - 1 : 0;
  return last;
}

/* name=value of an element of Forwarded, without quotes; data NULL: it has none. */
static fn_str member_of(fn_str element, const char *name) {
  while (element.length > 0) {
    const char *end = memchr(element.data, ';', element.length);
    const size_t length = end != NULL ? (size_t)(end - element.data) : element.length;
    const char *equals = memchr(element.data, '=', length);
    if (equals != NULL) {
      const size_t n = (size_t)(equals - element.data);
      if (fn_str_equal_nocase(fn_str_trim(fn_str_make(element.data, n)), fn_str_from(name))) {
        fn_str value = fn_str_trim(fn_str_make(equals + 1, length - n - 1));
        if (value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"')
          value = fn_str_make(value.data + 1, value.length - 2);
        return value;
      }
    }
    const size_t used = end != NULL ? length + 1 : length;
    element = fn_str_make(element.data + used, element.length - used);
  }
  return (fn_str){NULL, 0};
}

typedef struct hops {
  const fn_networks *trusted;
  fn_address client;
  size_t n;
  bool found, forwarded, secure;
} hops;

/* Elements of one header, from its end, until one is not trusted or is no address. */
static void walk(hops *h, fn_str list) {
  while (!h->found && list.length > 0 && h->n++ < MAX_HOPS) {
    const fn_str element = take_last(&list);
    fn_address address;
    if (h->forwarded && fn_str_equal_nocase(member_of(element, "proto"), fn_str_from("https"))) h->secure = true;
    const fn_str node = h->forwarded ? member_of(element, "for") : element;
    if (!fn_address_parse(&address, node)) {
      h->found = true; /* "unknown", "_hidden": what stands before it was told by nobody we know */
      return;
    }
    h->client = address;
    h->found = !fn_networks_contain(h->trusted, &address);
  }
}

static void walk_headers(hops *h, const fn_request *r, const char *name) {
  for (size_t i = r->n_headers; i > 0; i--) {
    if (fn_str_equal_nocase(r->headers[i - 1].name, fn_str_from(name))) walk(h, r->headers[i - 1].value);
  }
}

void fn_proxy_resolve(fn_request *r, const fn_networks *trusted) {
  hops h = {.trusted = trusted};
  if (!fn_address_parse(&h.client, fn_str_from(r->client))) return;
  fn_address_format(r->client, &h.client); /* ::ffff:192.0.2.1 is 192.0.2.1 */
  if (!fn_networks_contain(trusted, &h.client)) return;
  if (fn_request_header(r, "X-Forwarded-For").data != NULL) {
    walk_headers(&h, r, "X-Forwarded-For");
  } else {
    h.forwarded = true;
    walk_headers(&h, r, "Forwarded");
  }
  fn_str protocol = fn_request_header(r, "X-Forwarded-Proto");
  if (protocol.data != NULL) h.secure = fn_str_equal_nocase(take_last(&protocol), fn_str_from("https"));
  if (h.secure) r->is_secure = true;
  fn_address_format(r->client, &h.client);
}
