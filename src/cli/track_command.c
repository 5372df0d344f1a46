#include "cli/track_command.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <unistd.h>

enum { MAX_COMMAND = 1 << 16, MAX_PASSWD = 1 << 20 };

/* Lines "name:password:uid:…". */
static void find_in_passwd(char *out, size_t size, long long uid) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_PASSWD + 16);
  if (fn_file_read(&text, "/etc/passwd", MAX_PASSWD, NULL) != FN_OK || text.length == 0) return;
  for (const char *line = text.data; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    const size_t name = strcspn(line, ":\n");
    const char *second = line[name] == ':' ? line + name + 1 : NULL;
    const char *third = second ? second + strcspn(second, ":\n") : NULL;
    int64_t number;
    if (!third || *third != ':' || !fn_str_to_int64(&number, fn_str_make(third + 1, strcspn(third + 1, ":\n"))))
      continue;
    if (number != uid || name >= size || !fn_utf8_valid(fn_str_make(line, name), NULL)) continue;
    memcpy(out, line, name);
    out[name] = '\0';
    return;
  }
}

void fn_cli_user_name(char *out, size_t size) {
  static const char *const variables[] = {"LOGNAME", "USER"};
  out[0] = '\0';
  for (size_t i = 0; i < FN_COUNT_OF(variables) && !out[0]; i++) {
    const char *value = getenv(variables[i]);
    if (value && strlen(value) < size && fn_utf8_valid(fn_str_from(value), NULL)) memcpy(out, value, strlen(value) + 1);
  }
  if (!out[0]) find_in_passwd(out, size, (long long)geteuid());
}

static bool is_secret(fn_str key) {
  for (size_t i = 0; i < fn_cli_n_tables; i++)
    for (size_t j = 0; j < fn_cli_tables[i]->n_options; j++)
      if (fn_str_is(key, fn_cli_tables[i]->options[j].key)) return fn_cli_tables[i]->options[j].secret;
  return false;
}

void fn_cli_command_line(fn_buf *out) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_COMMAND + 16);
  if (fn_file_read(&text, "/proc/self/cmdline", MAX_COMMAND, NULL) != FN_OK) return;
  for (size_t at = 0; at < text.length;) {
    const char *word = text.data + at;
    const size_t n = strlen(word), key = strcspn(word, "=");
    if (at) fn_buf_append_char(out, ' ');
    if (key < n && is_secret(fn_str_make(word, key))) {
      fn_buf_append(out, word, key);
      fn_buf_append_str(out, "=***");
    } else if (at == 0) {
      fn_buf_append_str(out, fn_path_base(word)); /* where the program lies is nobody's business */
    } else {
      fn_buf_append_address(out, word);
    }
    at += n + 1;
  }
}
