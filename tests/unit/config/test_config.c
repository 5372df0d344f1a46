#include "../test.h"
#include "config/config.h"

#include <math.h>
#include <unistd.h>

typedef struct toy {
  bool on;
  int64_t epochs, limit;
  double lr;
  int mode;
  const char *name;
  fn_config_list list;
  fn_config_map map;
  const char *token;
} toy;

static const fn_option options[] = {
    {"toy.on", FN_OPTION_BOOL, offsetof(toy, on), "true", NULL, false, false, "switch"},
    {"toy.epochs", FN_OPTION_INT, offsetof(toy, epochs), "3", "[1,100]", false, false, "passes"},
    {"toy.limit", FN_OPTION_INT, offsetof(toy, limit), "null", "[1,)", true, false, "bound"},
    {"toy.learning_rate", FN_OPTION_FLOAT, offsetof(toy, lr), "5e-5", "(0,1]", false, false, "step size"},
    {"toy.mode", FN_OPTION_ENUM, offsetof(toy, mode), "cut", "cut|windows", false, false, "how"},
    {"toy.name", FN_OPTION_STRING, offsetof(toy, name), "null", NULL, true, false, "name"},
    {"toy.list", FN_OPTION_LIST, offsetof(toy, list), "[0.7,0.15,0.15]", NULL, false, false, "shares"},
    {"toy.map", FN_OPTION_MAP, offsetof(toy, map), "{}", NULL, false, false, "labels"},
    {"toy.token", FN_OPTION_STRING, offsetof(toy, token), "null", NULL, true, true, "password"},
};
static const fn_option_table table = {"Toy", options, FN_COUNT_OF(options), sizeof(toy)};
static const fn_option_table *const tables[] = {&table};
static const char headline[] =
    "# a preset\ntoy:\n  epochs: 5\n  name: \"null\"\n  map: {a: real, b: fake}\n  list: [x, 'y,z']\n";
static const fn_embedded groups[] = {
    {"config/preset/headline.yaml", (const unsigned char *)headline, sizeof headline - 1},
    {"config/toy/quick.yaml", (const unsigned char *)"epochs: 1\n", 10},
    {0, 0, 0}};
static const fn_option_alias aliases[] = {{"num_train_epochs", "toy.epochs"}, {0, 0}};

static fn_config *create(void) {
  fn_err err = {0};
  fn_config *config;
  assert_ok(fn_config_create(&config, tables, 1, groups, &err));
  fn_config_set_aliases(config, aliases);
  return config;
}

static void test_defaults(void **state) {
  (void)state;
  fn_err err = {0};
  fn_config *config = create();
  toy t;
  assert_ok(fn_config_fill(&t, config, &table, &err));
  assert_true(t.on);
  assert_int_equal(t.epochs, 3);
  assert_true(t.limit == INT64_MIN);
  assert_true(t.lr == 5e-5);
  assert_int_equal(t.mode, 0);
  assert_null(t.name);
  assert_int_equal(t.list.n, 3);
  assert_string_equal(t.list.items[2], "0.15");
  assert_int_equal(t.map.n, 0);
  fn_config_destroy(config);
}

static void test_precedence(void **state) {
  (void)state;
  fn_err err = {0};
  fn_config *config = create();
  assert_ok(fn_config_override(config, "toy.epochs=9", &err));
  assert_ok(fn_config_override(config, "preset=headline", &err)); /* a lower layer, though later */
  const char *const environment[] = {"FAKENEWS_TOY_LEARNING_RATE=0.5", "OTHER=1", NULL};
  assert_ok(fn_config_load_environment(config, environment, &err));
  assert_ok(fn_config_parse_yaml(config, FN_CONFIG_FILE, fn_str_from("toy.learning_rate: 0.25\ntoy: {mode: windows}\n"),
                                 "my.yaml", &err));
  toy t;
  assert_ok(fn_config_fill(&t, config, &table, &err));
  assert_int_equal(t.epochs, 9);
  assert_true(t.lr == 0.5);
  assert_int_equal(t.mode, 1);
  assert_string_equal(t.name, "null"); /* quoted: text */
  assert_int_equal(t.map.n, 2);
  assert_string_equal(t.map.keys[1], "b");
  assert_string_equal(t.map.values[1], "fake");
  assert_int_equal(t.list.n, 2);
  assert_string_equal(t.list.items[1], "y,z");
  assert_string_equal(fn_config_origin(config, "toy.map"), "config/preset/headline.yaml:5");
  assert_string_equal(fn_config_origin(config, "toy.mode"), "my.yaml:2");
  assert_string_equal(fn_config_origin(config, "toy.learning_rate"), "environment FAKENEWS_TOY_LEARNING_RATE");
  fn_config_destroy(config);
  config = create();
  assert_ok(fn_config_override(config, "toy=quick", &err)); /* keys relative to the group */
  assert_string_equal(fn_config_value(config, "toy.epochs"), "1");
  fn_config_destroy(config);
}

static void test_errors(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"toy.learning_rate=fast",
       "command line: toy.learning_rate: \"fast\" is not accepted; it takes a number in (0,1]"},
      {"toy.learning_rate=0", "(0,1]"},
      {"toy.epochs=3.5", "an integer in [1,100]"},
      {"toy.epochs=101", "an integer in [1,100]"},
      {"toy.epochs=null", "an integer"},
      {"toy.mode=windowed", "one of cut, windows"},
      {"toy.on=yes", "true or false"},
      {"toy.list=[a,", "a list"},
      {"toy.list=a", "a list"},
      {"toy.map={a}", "a map"},
      {"toy.map={a:1,a:2}", "a map"},
      {"toy.epoch=3", "did you mean toy.epochs?"},
      {"epochs=3", "did you mean toy.epochs?"},
      {"num_train_epochs=3", "did you mean toy.epochs?"},
      {"zzzzzzzz=3", "unknown setting"},
      {"preset=none", "built in are: headline"},
      {"preset=../x", "there is no config/preset"},
      {"toy.name=\"open", "text"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(rows); i++) {
    fn_err err = {0};
    fn_config *config = create();
    fn_status status = fn_config_override(config, rows[i][0], &err);
    if (status == FN_OK) fail_msg("%s was accepted", rows[i][0]);
    assert_contains(err.message, rows[i][1]);
    assert_int_equal(fn_status_exit_code(status), 2);
    toy t;
    assert_ok(fn_config_fill(&t, config, &table, &err));
    assert_int_equal(t.epochs, 3); /* nothing changed */
    fn_config_destroy(config);
  }
  static const char *const yaml[][2] = {
      {"toy:\n  epochs: many\n", "f.yaml:2: toy.epochs"},
      {"toy: [1\n", "f.yaml:"},
      {"- a\n", "key: value"},
      {"toy:\n  epoch: 1\n", "did you mean toy.epochs?"},
      {"a: {b: {c: {d: {e: {f: {g: {h: {i: {j: 1}}}}}}}}}\n", "nested too deeply"},
      {"toy.epochs: 1\n%\n", "f.yaml:2:2: not valid YAML"},
      {"%YAML 7.2\n---\ntoy.epochs: 1\n", "f.yaml:1:1: not valid YAML"},
      {"toy.epochs: 1\n---\ntoy.epochs: 2\n", "f.yaml:2: a second document"},
      {"toy.epochs: 1\ntoy.mode: cut\ntoy.epochs: 2\n", "f.yaml:3: the key \"toy.epochs\" stands in line 1 already"},
      {"toy.list: &a [1]\ntoy.map: *a\n", "f.yaml:1: aliases"},
      {"toy.epochs: !!int 1\n", "f.yaml:1: aliases"},
      {"? [a]\n: 1\n", "f.yaml:1: a key must be plain text"},
      {"toy.list: [1,\n  [2]]\n", "f.yaml:2: a list or map within"},
      {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n", "f.yaml:1: nested too deeply"},
      {"toy.name: a\n\xff\n", "f.yaml:2: not valid UTF-8"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(yaml); i++) {
    fn_err err = {0};
    fn_config *config = create();
    if (fn_config_parse_yaml(config, FN_CONFIG_FILE, fn_str_from(yaml[i][0]), "f.yaml", &err) == FN_OK)
      fail_msg("accepted: %s", yaml[i][0]);
    assert_contains(err.message, yaml[i][1]);
    fn_config_destroy(config);
  }
}

static void test_sources(void **state) {
  (void)state;
  fn_err err = {0};
  fn_config *config = create();
  char path[] = "/tmp/fn-env-XXXXXX", secret[] = "/tmp/fn-secret-XXXXXX", variable[64];
  int fd = mkstemp(path), fd2 = mkstemp(secret);
  assert_true(fd >= 0 && fd2 >= 0);
  close(fd), close(fd2);
  const char *text = "# comment\nPATH=/x\nexport FAKENEWS_TOY_EPOCHS=7\nFAKENEWS_PRESET=headline\n";
  assert_ok(fn_file_write(path, text, strlen(text), &err));
  assert_ok(fn_file_write(secret, "hush\n", 5, &err));
  snprintf(variable, sizeof variable, "FAKENEWS_TOY_TOKEN_FILE=%s", secret);
  const char *const environment[] = {variable, NULL};
  assert_ok(fn_config_load_dotenv(config, path, &err));
  assert_ok(fn_config_load_environment(config, environment, &err));
  toy t;
  assert_ok(fn_config_fill(&t, config, &table, &err));
  assert_int_equal(t.epochs, 7);
  assert_string_equal(t.token, "hush");
  assert_int_equal(t.map.n, 2);
  fn_buf buf;
  fn_buf_init(&buf, 0);
  fn_config_format_yaml(&buf, config, true);
  assert_null(strstr(buf.data, "hush"));
  assert_contains(buf.data, "toy.token: \"***\"");
  assert_contains(buf.data, ":3\n"); /* origin .env line */
  const char *const wrong[] = {"FAKENEWS_TOY_EPOCH=3", NULL};
  assert_status(fn_config_load_environment(config, wrong, &err), FN_E_NOT_FOUND);
  assert_contains(err.message, "did you mean toy.epochs?");
  fn_buf_deinit(&buf);
  fn_config_destroy(config);
  unlink(path), unlink(secret);
}

/* What is written is read back to the same values. */
static void test_round_trip(void **state) {
  (void)state;
  fn_err err = {0};
  fn_config *a = create(), *b = create();
  assert_ok(fn_config_override(a, "preset=headline", &err));
  assert_ok(fn_config_override(a, "toy.limit=12", &err));
  /* with what YAML does not take as it is: control characters, its line breaks, U+FEFF, U+FFFE */
#define STRANGE "\x01\n\x7f\xc2\x80\xc2\x85\xe2\x80\xa8\xef\xbb\xbf\xef\xbf\xbe"
  assert_ok(fn_config_override(a, "toy.name='a \"b\" \\\\ \\d #c: d" STRANGE "'", &err));
  assert_ok(fn_config_override(a, "toy.map={'k" STRANGE "': '" STRANGE "v'}", &err));
  fn_buf first, second;
  fn_buf_init(&first, 0), fn_buf_init(&second, 0);
  assert_ok(fn_config_parse_yaml(a, FN_CONFIG_FILE, fn_str_from("toy.mode: windows\n"), "a\ntoy.epochs: 6 #", &err));
  fn_config_format_yaml(&first, a, true);
  assert_ok(fn_config_parse_yaml(b, FN_CONFIG_FILE, fn_buf_str(&first), "saved", &err));
  toy ta, tb;
  assert_ok(fn_config_fill(&ta, a, &table, &err));
  assert_ok(fn_config_fill(&tb, b, &table, &err));
  assert_string_equal(ta.name,
                      "a \"b\" \\ \\d #c: d" STRANGE); /* a backslash stands for itself but before one and quotes */
  assert_string_equal(ta.name, tb.name);
  assert_int_equal(tb.limit, 12);
  assert_int_equal(tb.list.n, 2);
  assert_string_equal(tb.list.items[1], "y,z");
  assert_string_equal(tb.map.keys[0], "k" STRANGE);
  assert_string_equal(tb.map.values[0], STRANGE "v");
  assert_int_equal(tb.epochs, ta.epochs);
  fn_buf_deinit(&first), fn_buf_deinit(&second);
  fn_config_destroy(a), fn_config_destroy(b);
}

static void test_help(void **state) {
  (void)state;
  fn_config *config = create();
  fn_buf buf;
  fn_buf_init(&buf, 0);
  fn_config_format_markdown(&buf, config);
  for (size_t i = 0; i < FN_COUNT_OF(options); i++) assert_contains(buf.data, options[i].key);
  assert_contains(buf.data, "one of cut, windows");
  fn_buf_reset(&buf);
  fn_config_format_help(&buf, config, "toy.e", 80);
  assert_contains(buf.data, "toy.epochs=");
  assert_null(strstr(buf.data, "toy.mode"));
  fn_buf_reset(&buf);
  fn_config_format_help(&buf, config, "toy.e toy. !toy.mode", 40);
  assert_null(strstr(buf.data, "toy.mode"));
  for (const char *line = buf.data; *line; line += strcspn(line, "\n") + 1) assert_true(strcspn(line, "\n") <= 40);
  size_t n = 0; /* a key and the title of its table stand there once, however many prefixes name it */
  for (const char *at = buf.data; (at = strstr(at, "toy.epochs=")) != NULL; at++) n++;
  assert_int_equal(n, 1);
  fn_buf_reset(&buf);
  fn_config_format_help(&buf, config, "no.such", 80);
  assert_int_equal(buf.length, 0);
  fn_buf_deinit(&buf);
  fn_config_destroy(config);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_defaults),   cmocka_unit_test(test_precedence),
                                     cmocka_unit_test(test_errors),     cmocka_unit_test(test_sources),
                                     cmocka_unit_test(test_round_trip), cmocka_unit_test(test_help)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
