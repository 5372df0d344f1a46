/* Who asks, when proxies stand in between: addresses, networks, the headers in which proxies tell of the client. */
#ifndef FN_SERVE_PROXY_H
#define FN_SERVE_PROXY_H

#include "config/config.h"
#include "serve/exchange.h"

/* IPv6; IPv4 as ::ffff:a.b.c.d. */
typedef struct fn_address {
  unsigned char bytes[16];
} fn_address;

/* "192.0.2.1", "2001:db8::1"; also "[2001:db8::1]:443", "192.0.2.1:80" and "fe80::1%eth0", whose further parts are left
 * out. False: it is none. */
bool fn_address_parse(fn_address *out, fn_str text);
void fn_address_format(char out[FN_CLIENT_BYTES], const fn_address *address); /* the shortest form */
bool fn_address_is_loopback(const fn_address *address);
/* What counts as one client for limits: an IPv4 address, or the first 64 bits of an IPv6 address, since whoever has one
 * of these has all 2^64. */
fn_address fn_address_subscriber(const fn_address *address);

typedef struct fn_networks {
  struct {
    fn_address address;
    unsigned bits; /* [0,128] */
  } items[64];
  size_t n;
} fn_networks;

/* A list such as serve.trusted_proxies: "10.0.0.0/8", "::1". key: the option, for errors. */
FN_NODISCARD fn_status fn_networks_parse(fn_networks *out, const fn_config_list *list, const char *key, fn_err *err);
bool fn_networks_contain(const fn_networks *networks, const fn_address *address);

/* request->client holds the peer's address. Where that is a trusted proxy it becomes the rightmost address of
 * X-Forwarded-For, or of Forwarded (RFC 7239) where there is none, that is not itself trusted, and is_secure follows
 * the protocol that the proxy tells. Nobody else's headers are believed. */
void fn_proxy_resolve(fn_request *request, const fn_networks *trusted);

#endif
