/* Addresses of databases: which kind they name, whether they are whole, and how they are shown. */
#include "sql/driver.h"

#include <stdio.h>

/* libpq's other form, "host=… password=…", is none of ours, and no file is meant by it. */
static bool is_keywords(const char *url) {
  static const char *const words[] = {"host=", "hostaddr=", "port=", "dbname=", "user=", "password=", "service="};
  for (size_t i = 0; i < FN_COUNT_OF(words); i++)
    if (strncmp(url, words[i], strlen(words[i])) == 0) return true;
  return strstr(url, " password=") != NULL;
}

/* "file:", "mysql+x:"; one letter is a folder's name, or a drive's. */
static bool has_scheme(const char *url) {
  const size_t n = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
  return n > 1 && url[n] == ':';
}

bool fn_sql_kind_of(fn_sql_kind *kind_out, const char *url) {
  const fn_str s = fn_str_from(url);
  if (fn_str_starts_with(s, "postgresql://") || fn_str_starts_with(s, "postgres://"))
    *kind_out = FN_SQL_POSTGRESQL;
  else if (fn_str_starts_with(s, "sqlite:") ? !fn_str_starts_with(s, "sqlite://") && url[7] && url[7] != ':'
                                            : !has_scheme(url) && !is_keywords(url) && url[0] != ':')
    *kind_out = FN_SQL_SQLITE;
  else
    return false;
  return true;
}

const char *fn_sql_path(const char *url) {
  return strncmp(url, "sqlite:", 7) == 0 ? url + 7 : url;
}

static bool are_escapes_whole(const char *text, size_t n) {
  for (size_t i = 0; i < n; i++) {
    static const char hex[] = "0123456789abcdefABCDEF";
    if (text[i] != '%') continue;
    if (i + 2 >= n || !strchr(hex, text[i + 1]) || !strchr(hex, text[i + 2])) return false;
    if (text[i + 1] == '0' && text[i + 2] == '0') return false;
  }
  return true;
}

/* "h", "h:5432", "[::1]:5432", several of them with commas, or nothing. */
static bool are_hosts_whole(fn_str hosts) {
  while (hosts.length) {
    const char *comma = memchr(hosts.data, ',', hosts.length);
    fn_str host = fn_str_make(hosts.data, comma ? (size_t)(comma - hosts.data) : hosts.length);
    hosts = comma ? fn_str_make(comma + 1, hosts.length - host.length - 1) : fn_str_make(NULL, 0);
    if (host.length && host.data[0] == '[') {
      const char *close = memchr(host.data, ']', host.length);
      if (!close) return false;
      host = fn_str_make(close + 1, host.length - (size_t)(close + 1 - host.data));
    }
    const char *colon = host.length ? memchr(host.data, ':', host.length) : NULL;
    for (const char *p = colon ? colon + 1 : NULL; p && p < host.data + host.length; p++)
      if (*p < '0' || *p > '9') return false;
  }
  return true;
}

/* "key=value&key=value" */
static bool is_query_whole(const char *query) {
  while (*query) {
    const size_t n = strcspn(query, "&");
    const size_t key = strspn(query, "abcdefghijklmnopqrstuvwxyz_");
    if (key == 0 || key >= n || query[key] != '=') return false;
    query += n;
    if (*query == '&') query++;
  }
  return true;
}

bool fn_sql_address_is_whole(const char *url) {
  const char *authority = strstr(url, "://");
  if (!authority) return false;
  authority += 3;
  const size_t length = strcspn(authority, "/?#");
  const char *rest = authority + length, *at = memchr(authority, '@', length);
  const size_t path = strcspn(rest, "?");
  if (*rest == '#' || !are_escapes_whole(authority, strlen(authority))) return false;
  if (at && memchr(at + 1, '@', length - (size_t)(at + 1 - authority))) return false;
  if (path && memchr(rest, '@', path)) return false;
  const char *hosts = at ? at + 1 : authority;
  if (!are_hosts_whole(fn_str_make(hosts, length - (size_t)(hosts - authority)))) return false;
  return rest[path] != '?' || is_query_whole(rest + path + 1);
}

/* The password stands between the first ':' of the user and '@', and may stand in a parameter of that name. Of an
 * address that is not whole nobody knows where it ends. */
void fn_sql_describe(char *out, size_t size, const char *url) {
  const char *authority = strstr(url, "://");
  if (is_keywords(url)) {
    snprintf(out, size, "%s", "key=value …");
    return;
  }
  if (!authority) {
    snprintf(out, size, "%s", fn_sql_path(url));
    return;
  }
  authority += 3;
  const char *at = strrchr(authority, '@');
  if (!fn_sql_address_is_whole(url)) {
    const size_t shown = at ? strcspn(at, "?#") : 0;
    snprintf(out, size, "%.*s…%.*s", (int)(authority - url), url, (int)shown, at ? at : "");
    return;
  }
  const size_t rest = strcspn(authority, "?"), length = strcspn(authority, "/?");
  at = memchr(authority, '@', length);
  const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
  if (!colon)
    snprintf(out, size, "%.*s", (int)(authority - url + (ptrdiff_t)rest), url);
  else
    snprintf(out, size, "%.*s%.*s", (int)(colon - url), url, (int)(authority + rest - at), at);
}
