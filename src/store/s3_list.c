/* ListObjectsV2, page by page. */
#include "store/s3.h"

#include "store/when.h"
#include "store/xml.h"

enum { MAX_PAGE = 8 << 20, MAX_TOKEN = 4096, MAX_KEY = 4096 };

typedef struct page {
  const fn_s3 *s3;
  fn_store_each each;
  void *arg;
  /* of the entry that is being read */
  char key[MAX_KEY];
  fn_store_entry entry;
  bool has_key, has_size;
  /* of the page */
  bool is_list, truncated, encoded;
  char token[MAX_TOKEN];
} page;

static int digit_of(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

/* encoding-type=url: %XX, and '+' for a space. False when it does not fit or holds a NUL. */
static bool decode(char out[MAX_KEY], fn_str text, bool encoded) {
  size_t n = 0;
  for (size_t i = 0; i < text.length; i++) {
    char c = encoded && text.data[i] == '+' ? ' ' : text.data[i];
    if (encoded && c == '%' && i + 2 < text.length && digit_of(text.data[i + 1]) >= 0 &&
        digit_of(text.data[i + 2]) >= 0) {
      c = (char)(digit_of(text.data[i + 1]) * 16 + digit_of(text.data[i + 2]));
      i += 2;
    }
    if (c == 0 || n + 1 >= MAX_KEY) return false;
    out[n++] = c;
  }
  out[n] = 0;
  return true;
}

/* Objects that are no keys of ours – outside the prefix, "folders" that end with '/' – are passed over. */
static fn_status end_entry(page *p, fn_err *err) {
  const size_t n = strlen(p->s3->prefix);
  const char *why;
  const bool ours = p->has_key && p->has_size && strncmp(p->key, p->s3->prefix, n) == 0 &&
                    fn_name_is_inside(fn_str_from(p->key + n), &why);
  p->entry.key = p->key + n;
  const fn_status status = ours ? p->each(p->arg, &p->entry, err) : FN_OK;
  p->has_key = p->has_size = false;
  p->entry = (fn_store_entry){.modified_ms = -1};
  return status;
}

static fn_status on_element(void *arg, const char *path, fn_str text, fn_err *err) {
  page *p = arg;
  int64_t size;
  char time[64];
  if (fn_xml_is(path, "ListBucketResult")) p->is_list = true;
  if (fn_xml_is(path, "*/Contents")) return end_entry(p, err);
  if (fn_xml_is(path, "*/Contents/Key")) p->has_key = decode(p->key, text, p->encoded);
  if (fn_xml_is(path, "*/Contents/Size") && fn_str_to_int64(&size, text) && size >= 0) {
    p->has_size = true;
    p->entry.size_bytes = (uint64_t)size;
  }
  if (fn_xml_is(path, "*/Contents/LastModified") && text.length < sizeof time) {
    snprintf(time, sizeof time, "%.*s", (int)text.length, text.data);
    (void)fn_when_parse(&p->entry.modified_ms, time);
  }
  if (fn_xml_is(path, "*/IsTruncated")) p->truncated = fn_str_is(text, "true");
  if (fn_xml_is(path, "*/NextContinuationToken") && text.length < sizeof p->token)
    snprintf(p->token, sizeof p->token, "%.*s", (int)text.length, text.data);
  return FN_OK;
}

/* A service that does not know encoding-type leaves keys as they are, and does not name it. */
static bool is_encoded(const fn_call_answer *answer) {
  FN_AUTO_BUF fn_buf kind;
  fn_buf_init(&kind, MAX_TOKEN);
  return fn_xml_find(&kind, fn_buf_str(&answer->body), "*/EncodingType") && fn_str_is(fn_buf_str(&kind), "url");
}

fn_status fn_s3_list(fn_store *store, const char *folder, fn_store_each each, void *arg, fn_err *err) {
  const fn_s3 *s3 = store->state;
  FN_AUTO_FREE page *p = fn_mem_calloc(1, sizeof *p);
  FN_AUTO_BUF fn_buf prefix;
  fn_buf_init(&prefix, FN_URL_MAX);
  fn_buf_printf(&prefix, "%s%s%s", s3->prefix, folder, *folder ? "/" : "");
  FN_TRY(fn_buf_check(&prefix, "a list", err));
  if (!p) return fn_err_no_memory(err, "a list");
  *p = (page){.s3 = s3, .each = each, .arg = arg, .entry = {.modified_ms = -1}};
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  char token[MAX_TOKEN] = "";
  do {
    const fn_call_pair query[] = {
        {"list-type", "2"}, {"encoding-type", "url"}, {"prefix", prefix.data}, {"continuation-token", token}};
    const fn_store_call call = {
        .method = "GET", .query = query, .n_query = token[0] ? 4 : 3, .max_answer_bytes = MAX_PAGE, .total = -1};
    FN_TRY(fn_store_expect(&answer, store, &call, err));
    p->is_list = p->truncated = false;
    p->encoded = is_encoded(&answer);
    p->token[0] = 0;
    FN_TRY(fn_xml_walk(fn_buf_str(&answer.body), store->uri, on_element, p, err));
    if (!p->is_list) return fn_s3_no_speaker(store, err);
    if (p->truncated && (p->token[0] == 0 || strcmp(p->token, token) == 0))
      return fn_err_set(err, FN_E_IO, "%.300s: a list that says it goes on, and not where", store->uri);
    memcpy(token, p->token, sizeof token);
  } while (p->truncated);
  return FN_OK;
}
