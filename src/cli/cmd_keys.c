/* fakenews keys add|list|revoke: who may use the API. */
#include "cli/log_support.h"

static fn_status add(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  int role = 0;
  const char *name = fn_cli_get(args, "--name");
  char secret[FN_KEY_LENGTH];
  fn_key_info info;
  fn_sql *sql = NULL;
  FN_TRY(fn_cli_parse_choice(&role, "--role", fn_cli_get(args, "--role"), fn_key_role_names, FN_N_KEY_ROLES, err));
  FN_TRY(fn_cli_open_log(&sql, cli, false, err));
  const fn_status status = fn_key_create(secret, &info, sql, (fn_key_role)role, name ? name : "", err);
  fn_sql_close(sql);
  FN_TRY(status);
  fn_cli_note(cli, "key %s, role %s; it is shown this once, only its SHA-256 is kept", info.id,
              fn_key_role_names[info.role]);
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 1024);
  fn_buf_printf(&out, "%s\n", secret);
  FN_TRY(fn_buf_check(&out, "a key", err));
  return fn_cli_print(fn_buf_str(&out), err);
}

typedef struct listing {
  fn_buf out;
  bool json;
  size_t n;
} listing;

static fn_status list_key(void *arg, const fn_key_info *info, fn_err *err) {
  listing *l = arg;
  char created[21], revoked[21];
  (void)err;
  l->n++;
  if (l->json) {
    fn_json_writer w;
    fn_json_begin(&w, &l->out, 0);
    fn_json_object(&w, NULL);
    fn_json_text(&w, "id", info->id);
    fn_json_text(&w, "role", fn_key_role_names[info->role]);
    fn_json_text(&w, "name", info->name);
    fn_cli_json_time(&w, "created", info->created_ms);
    fn_cli_json_time(&w, "revoked", info->revoked_ms);
    fn_json_end(&w);
    fn_buf_append_char(&l->out, '\n');
    return FN_OK;
  }
  fn_clock_format(created, info->created_ms);
  fn_clock_format(revoked, info->revoked_ms);
  fn_buf_printf(&l->out, "%s  %-8s  %s  ", info->id, fn_key_role_names[info->role], created);
  fn_print_line(&l->out, fn_str_from(info->name), FN_KEY_MAX_NAME);
  if (info->revoked_ms) fn_buf_printf(&l->out, "  (revoked %s)", revoked);
  fn_buf_append_char(&l->out, '\n');
  return FN_OK;
}

static fn_status list(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  static const char *const formats[] = {"text", "jsonl"};
  int format = !cli->tty_out;
  fn_sql *sql = NULL;
  FN_TRY(fn_cli_parse_choice(&format, "--format", fn_cli_get(args, "--format"), formats, 2, err));
  listing l = {.json = format == 1};
  FN_TRY(fn_cli_open_log(&sql, cli, true, err));
  fn_buf_init(&l.out, 0);
  fn_status status = fn_key_list(sql, list_key, &l, err);
  fn_sql_close(sql);
  if (status == FN_OK) status = fn_buf_check(&l.out, "keys", err);
  if (status == FN_OK) status = fn_cli_print(fn_buf_str(&l.out), err);
  fn_buf_deinit(&l.out);
  if (status == FN_OK && l.n == 0) fn_cli_note(cli, "there are no keys; `fakenews keys add --role predict` makes one");
  return status;
}

static fn_status revoke(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  fn_sql *sql = NULL;
  fn_key_info info;
  FN_TRY(fn_cli_check_ids(args, SIZE_MAX, "keys revoke takes ids of keys, as `fakenews keys list` prints them", err));
  FN_TRY(fn_cli_open_log(&sql, cli, false, err));
  fn_status status = FN_OK;
  for (size_t i = 0; i < args->n_rest && status == FN_OK; i++) {
    status = fn_key_revoke(&info, sql, args->rest[i], err);
    if (status == FN_OK) fn_cli_note(cli, "%s is revoked; servers notice within seconds", info.id);
  }
  fn_sql_close(sql);
  return status;
}

static const fn_cli_flag add_flags[] = {
    {.name = "--role",
     .value = "predict|feedback|admin",
     .help = "what the key may do; each role includes the ones before it",
     .required = true},
    {.name = "--name", .value = "TEXT", .help = "whose key it is, for `keys list`"},
    {0},
};

const fn_verb fn_verb_keys_add = {
    .name = "keys",
    .sub = "add",
    .summary = "make an API key; it is printed once",
    .usage = "--role predict|feedback|admin [--name TEXT] [key=value …]",
    .flags = add_flags,
    .options = "predictions.url",
    .examples = "  fakenews keys add --role predict --name \"news desk\"\n",
    .run = add,
};

static const fn_cli_flag list_flags[] = {
    {.name = "--format", .value = "text|jsonl", .help = "default: text on a terminal, else jsonl"},
    {0},
};

const fn_verb fn_verb_keys_list = {
    .name = "keys",
    .sub = "list",
    .summary = "all API keys, without their secrets",
    .usage = "[--format text|jsonl] [key=value …]",
    .flags = list_flags,
    .options = "predictions.url",
    .examples = "  fakenews keys list\n",
    .run = list,
};

static const fn_cli_flag no_flags[] = {{0}};

const fn_verb fn_verb_keys_revoke = {
    .name = "keys",
    .sub = "revoke",
    .summary = "end API keys; running servers notice within seconds",
    .usage = "ID … [key=value …]",
    .flags = no_flags,
    .options = "predictions.url",
    .takes_rest = true,
    .examples = "  fakenews keys revoke k_0123456789ab\n",
    .run = revoke,
};
