#include "data/fetch.h"

#include "net/url.h"

#define KAGGLE_PREFIX "kaggle:"

typedef struct fetching {
  const fn_fetch_request *request;
  const fn_net_options *options;
  const fn_published_set *set; /* NULL: none */
  bool kaggle;
  fn_buf address;
  fn_download_request download;
  char *user, *key, *token; /* read from Kaggle's files; NULL */
} fetching;

static void release(fetching *f) {
  fn_buf_deinit(&f->address);
  free(f->user);
  free(f->key);
  free(f->token);
}

void fn_fetch_result_deinit(fn_fetch_result *result) {
  fn_download_result_deinit(&result->download);
  free(result->file);
  *result = (fn_fetch_result){0};
}

/* "owner/name" of letters, digits, '-', '_' and '.'. */
static bool is_owner_name(const char *text) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  size_t owner = strspn(text, allowed);
  if (owner == 0 || text[owner] != '/') return false;
  size_t name = strspn(text + owner + 1, allowed);
  return name > 0 && text[owner + 1 + name] == 0 && !strstr(text, "..");
}

static bool is_address(const char *text) {
  const char *colon = strstr(text, "://");
  return colon && colon > text;
}

/* Base address and path with one '/' between them. */
static void join(fn_buf *out, const char *base, const char *path) {
  size_t n = strlen(base);
  while (n > 0 && base[n - 1] == '/') n--;
  fn_buf_append(out, base, n);
  fn_buf_append_str(out, path);
}

/* kaggle.json {"username", "key"}, else access_token, from the folder where Kaggle's own program keeps them. */
static fn_status read_kaggle_files(fetching *f, fn_err *err) {
  const char *folder = f->request->kaggle_folder;
  FN_AUTO_FREE char *json_path = folder ? fn_path_join(folder, "kaggle.json") : NULL;
  FN_AUTO_FREE char *token_path = folder ? fn_path_join(folder, "access_token") : NULL;
  if (json_path && fn_path_exists(json_path)) {
    FN_AUTO_JSON json_t *json = NULL;
    const char *user, *key;
    FN_TRY(fn_json_load(&json, json_path, 1 << 16, err));
    FN_TRY(fn_json_get_string(&user, json, "username", NULL, json_path, err));
    FN_TRY(fn_json_get_string(&key, json, "key", NULL, json_path, err));
    f->user = fn_str_dup(fn_str_from(user));
    f->key = fn_str_dup(fn_str_from(key));
    if (!f->user || !f->key) return fn_err_no_memory(err, json_path);
  } else if (token_path && fn_path_exists(token_path)) {
    FN_AUTO_BUF fn_buf text;
    fn_buf_init(&text, 1 << 16);
    FN_TRY(fn_file_read(&text, token_path, 1 << 16, err));
    f->token = fn_str_dup(fn_str_trim(fn_buf_str(&text)));
    if (!f->token) return fn_err_no_memory(err, token_path);
  }
  return FN_OK;
}

/* Settings first, then Kaggle's files. Public sets often come without any. */
static fn_status find_credentials(fetching *f, fn_err *err) {
  const fn_net_options *o = f->options;
  fn_http_credentials *c = &f->download.credentials;
  if (!o->kaggle_username != !o->kaggle_key && !o->kaggle_token)
    return fn_err_set(err, FN_E_INVALID, "%s is set, but %s is not: KAGGLE_USERNAME and KAGGLE_KEY belong together",
                      o->kaggle_key ? "net.kaggle_key" : "net.kaggle_username",
                      o->kaggle_key ? "net.kaggle_username" : "net.kaggle_key");
  if (!o->kaggle_key && !o->kaggle_token) FN_TRY(read_kaggle_files(f, err));
  const char *key = o->kaggle_key ? o->kaggle_key : f->key;
  const char *token = o->kaggle_token ? o->kaggle_token : f->token;
  if (!token && key && strncmp(key, "KGAT_", 5) == 0) token = key; /* the newer kind in the place of the older one */
  if (token)
    c->bearer = token;
  else if (key)
    *c = (fn_http_credentials){.user = o->kaggle_key ? o->kaggle_username : f->user, .password = key};
  return FN_OK;
}

static fn_status prepare_kaggle(fetching *f, const char *owner_name, fn_err *err) {
  if (!is_owner_name(owner_name))
    return fn_err_set(err, FN_E_INVALID,
                      "\"%.200s\" is no dataset of Kaggle; write kaggle:OWNER/NAME as in its address, e.g. kaggle:%s",
                      owner_name, fn_published_find("welfake")->kaggle);
  if (f->request->name)
    return fn_err_set(err, FN_E_INVALID,
                      "--name does not go with kaggle:, whose archives hold files with names of their own");
  f->kaggle = true;
  f->set = fn_published_find_kaggle(owner_name);
  join(&f->address, f->options->kaggle_url, "/api/v1/datasets/download/");
  fn_buf_append_str(&f->address, owner_name);
  f->download.unpack = true;
  f->download.hint_denied = "Kaggle wants an account: set KAGGLE_USERNAME and KAGGLE_KEY (or KAGGLE_API_TOKEN) as its "
                            "settings page gives them, "
                            "or put its kaggle.json into ~/.kaggle. WELFake comes from Zenodo without an account: "
                            "fakenews data download welfake";
  f->download.hint_missing = "or it is private: private datasets need KAGGLE_USERNAME and KAGGLE_KEY";
  return find_credentials(f, err);
}

/* Archives of any address are unpacked when they are called so. */
static bool is_zip(const char *address) {
  fn_url url = {0};
  if (fn_url_parse(&url, address, NULL) != FN_OK) return false;
  const size_t n = strlen(url.path);
  const bool zip = n > 4 && fn_str_equal_nocase(fn_str_make(url.path + n - 4, 4), fn_str_from(".zip"));
  fn_url_deinit(&url);
  return zip;
}

static fn_status prepare(fetching *f, fn_err *err) {
  const fn_fetch_request *r = f->request;
  fn_buf_init(&f->address, FN_URL_MAX * 2);
  f->download = (fn_download_request){.folder = r->folder,
                                      .name = r->name,
                                      .md5 = r->md5,
                                      .sha256 = r->sha256,
                                      .replace = r->replace,
                                      .agent = r->agent,
                                      .now_ms = r->now_ms,
                                      .sink = r->sink};
  if (strncmp(r->what, KAGGLE_PREFIX, strlen(KAGGLE_PREFIX)) == 0) {
    FN_TRY(prepare_kaggle(f, r->what + strlen(KAGGLE_PREFIX), err));
  } else if (is_address(r->what)) {
    fn_buf_append_str(&f->address, r->what);
    f->download.unpack = is_zip(r->what);
  } else if ((f->set = fn_published_find(r->what))) {
    join(&f->address, f->options->zenodo_url, f->set->zenodo_path);
    if (!r->md5 && !r->sha256) f->download.md5 = f->set->md5;
    if (!r->name) f->download.name = f->set->file;
  } else {
    FN_AUTO_BUF fn_buf names;
    fn_buf_init(&names, 1024);
    fn_published_list(&names);
    return fn_err_set(err, FN_E_INVALID,
                      "\"%.200s\" cannot be downloaded; accepted are %s, kaggle:OWNER/NAME, and "
                      "addresses http://…, https://…, file:///…",
                      r->what, names.data ? names.data : "");
  }
  f->download.url = f->address.data;
  return fn_buf_check(&f->address, "an address", err);
}

/* The set's own file among those that came. */
static const fn_receipt_file *find_file(const fetching *f, const fn_receipt *receipt) {
  const char *name = f->kaggle || !f->request->name ? f->set->file : f->request->name;
  for (size_t i = 0; i < receipt->n_files; i++)
    if (strcmp(fn_path_base(receipt->files[i].name), name) == 0) return &receipt->files[i];
  return NULL;
}

/* A page in place of a table is what comes for the address of a page about a file, and instead of a login. */
static fn_status note_web_page(const fetching *f, const fn_receipt *receipt, fn_err *err) {
  char begin[64] = "";
  FN_AUTO_FREE char *path = receipt->n_files == 1 ? fn_path_join(f->request->folder, receipt->files[0].name) : NULL;
  FILE *file = path ? fopen(path, "rb") : NULL;
  if (!file) return FN_OK;
  const size_t n = fread(begin, 1, sizeof begin, file);
  fclose(file);
  const fn_str text = fn_str_trim(fn_str_make(begin, n));
  static const char *const openings[] = {"<!doctype html", "<html"};
  for (size_t i = 0; i < FN_COUNT_OF(openings); i++) {
    const size_t length = strlen(openings[i]);
    if (text.length < length || !fn_str_equal_nocase(fn_str_make(text.data, length), fn_str_from(openings[i])))
      continue;
    const fn_download_event e = {.kind = FN_DOWNLOAD_NOTE,
                                 .text = "what came is a web page: is this the address of the file itself?"};
    return fn_download_tell(&f->request->sink, &e, err);
  }
  return FN_OK;
}

static bool stop_requested(void *arg) {
  const fetching *f = arg;
  const fn_download_event e = {.kind = FN_DOWNLOAD_WAIT, .total = -1};
  return fn_download_tell(&f->request->sink, &e, NULL) != FN_OK;
}

static fn_status warn_of_digest(const fetching *f, const char *path, fn_err *err) {
  fn_digests digests;
  FN_TRY(fn_digest_file(&digests, path, NULL, NULL, err));
  if (!f->kaggle || fn_digest_equal(digests.md5, f->set->md5)) return FN_OK;
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 14);
  fn_buf_printf(&text, "%s is not the file that was published on Zenodo (md5 %s, there %s)", path, digests.md5,
                f->set->md5);
  FN_TRY(fn_buf_check(&text, path, err));
  const fn_download_event e = {.kind = FN_DOWNLOAD_NOTE, .text = text.data};
  return fn_download_tell(&f->request->sink, &e, err);
}

/* Which label is which, by the numbers of rows. */
static fn_status prove_labels(fn_fetch_result *result, fetching *f, fn_err *err) {
  const fn_published_set *set = f->set;
  const fn_receipt_file *file = find_file(f, &result->download.receipt);
  if (!file)
    return fn_err_set(err, FN_E_INVALID, "%s: no %s is in what Kaggle sent: not the published set", f->request->folder,
                      set->file);
  result->file = fn_path_join(f->request->folder, file->name);
  if (!result->file) return fn_err_no_memory(err, file->name);
  FN_TRY(warn_of_digest(f, result->file, err));
  FN_TRY(fn_label_counts_read(&result->counts, result->file, "label", stop_requested, f, err));
  result->order = fn_published_label_order(set, &result->counts);
  result->set = set;
  if (result->order != FN_LABEL_ORDER_UNPROVED) return FN_OK;
  const fn_label_counts *c = &result->counts;
  return fn_err_set(
      err, FN_E_INVALID,
      "%s: %llu rows have label 0 and %llu have label 1 (%llu another one, %llu no readable row); published "
      "are %llu real and %llu fake. So this is another set, and its counts do not say which label means "
      "fake: look at the titles that `fakenews data prepare` shows",
      result->file, (unsigned long long)c->n[0], (unsigned long long)c->n[1], (unsigned long long)c->n_other,
      (unsigned long long)c->n_refused, (unsigned long long)set->n_real, (unsigned long long)set->n_fake);
}

fn_status fn_fetch_run(fn_fetch_result *result_out, const fn_fetch_request *request, const fn_net_options *options,
                       fn_err *err) {
  fetching f = {.request = request, .options = options};
  fn_fetch_result result = {0};
  fn_status status = prepare(&f, err);
  if (status == FN_OK) status = fn_download_run(&result.download, &f.download, options, err);
  if (status == FN_OK)
    status = f.set ? prove_labels(&result, &f, err) : note_web_page(&f, &result.download.receipt, err);
  release(&f);
  if (status == FN_OK)
    *result_out = result;
  else
    fn_fetch_result_deinit(&result);
  return status;
}
