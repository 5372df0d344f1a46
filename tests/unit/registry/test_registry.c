/* Models, versions, aliases, the record. */
#include "../test.h"
#include "registry/gates.h"
#include "registry/registry.h"

#include <pthread.h>

static char folder[64], path[96];
static fn_sql *sql;
static fn_registry *registry;

static int begin(void **state) {
  (void)state;
  fn_err err = {0};
  const fn_registry_actor actor = {"ann", "desk"};
  snprintf(folder, sizeof folder, "/tmp/fn-test-registry-XXXXXX");
  if (!mkdtemp(folder)) return 1;
  snprintf(path, sizeof path, "%s/tracking.db", folder);
  if (fn_sql_open(&sql, path, NULL, &err) != FN_OK) return 1;
  if (fn_sql_run(sql, "CREATE TABLE artifacts (owner TEXT, path TEXT)", NULL, 0, NULL, &err) != FN_OK) return 1;
  return fn_registry_open(&registry, sql, &actor, false, &err) == FN_OK ? 0 : 1;
}
static int end(void **state) {
  (void)state;
  fn_registry_close(registry);
  fn_sql_close(sql);
  return fn_dir_remove(folder, NULL) == FN_OK ? 0 : 1;
}

static int64_t add(const char *name, const char *origin) {
  fn_err err = {0};
  int64_t version = 0;
  bool found = true;
  assert_ok(fn_registry_reserve(&version, &found, registry, name, origin, NULL, &err));
  assert_false(found);
  const fn_version_info info = {
      .name = name, .version = version, .run_id = "r1", .run_name = "first", .digest = origin, .card = "{\"a\":1}"};
  assert_true(version < 0); /* a ticket: the number comes when it is whole */
  assert_ok(fn_registry_publish(&version, &found, registry, &info, &err));
  assert_false(found);
  return version;
}

static fn_status move(const char *alias, int64_t version, int64_t expected, const char *action, fn_err *err) {
  const fn_alias_move m = {
      .name = "news", .alias = alias, .version = version, .expected = expected, .action = action, .reason = "because"};
  return fn_registry_move_alias(registry, &m, err);
}

static int64_t at(const char *alias) {
  fn_err err = {0};
  fn_version v;
  if (fn_registry_get(&v, registry, "news", 0, alias, &err) != FN_OK) return -1;
  const int64_t version = v.info.version;
  fn_version_deinit(&v);
  return version;
}

static void test_names(void **state) {
  (void)state;
  static const char *const good[] = {"best", "staging", "a", "v", "v1a", "Va", "1", "latest-1", "_", "a-b"};
  static const char *const bad[] = {"",      "latest", "LATEST", "Latest", "v1", "V1",
                                    "v0001", "a b",    "a.b",    "a/b",    "é",  "a@b"};
  for (size_t i = 0; i < FN_COUNT_OF(good); i++) assert_int_equal(fn_registry_check_alias(good[i], NULL), FN_OK);
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) assert_int_equal(fn_registry_check_alias(bad[i], NULL), FN_E_INVALID);
  char longest[258];
  memset(longest, 'a', sizeof longest);
  longest[255] = '\0';
  assert_int_equal(fn_registry_check_alias(longest, NULL), FN_OK);
  assert_int_equal(fn_registry_check_name(longest, NULL), FN_OK);
  longest[255] = 'a';
  longest[256] = '\0';
  assert_int_equal(fn_registry_check_alias(longest, NULL), FN_E_INVALID);
  assert_int_equal(fn_registry_check_name(longest, NULL), FN_E_INVALID);
  static const char *const bad_names[] = {"", ".", "..", "-a", "a/b", "a:b", "a@b", "a b", ".a"};
  for (size_t i = 0; i < FN_COUNT_OF(bad_names); i++)
    assert_int_equal(fn_registry_check_name(bad_names[i], NULL), FN_E_INVALID);
  assert_int_equal(fn_registry_check_name("fake-news_1.2", NULL), FN_OK);
}

static void test_versions_count(void **state) {
  (void)state;
  fn_err err = {0};
  int64_t version = 0;
  bool found = false;
  assert_int_equal(add("news", "o1"), 1);
  assert_int_equal(add("news", "o2"), 2);
  assert_int_equal(add("other", "o1"), 1);
  assert_ok(fn_registry_reserve(&version, &found, registry, "news", "o2", NULL, &err)); /* made of the same */
  assert_true(found);
  assert_int_equal(version, 2);
  assert_ok(fn_registry_retire(registry, "news", 2, "bad", &err));
  assert_int_equal(at("latest"), 1);
  assert_int_equal(add("news", "o2"), 3); /* a retired number is not given again */
  assert_ok(fn_registry_reserve(&version, &found, registry, "news", "o9", NULL, &err));
  const int64_t ticket = version;
  assert_true(ticket < 0);
  assert_int_equal(at("LATEST"), 3); /* nobody sees what is not whole */
  int64_t left[4];
  size_t n_left = 0;
  assert_ok(fn_registry_unfinished(left, &n_left, 4, registry, "news", fn_clock_unix_ms() - 10000, &err));
  assert_int_equal(n_left, 0);
  assert_ok(fn_registry_unfinished(left, &n_left, 4, registry, "news", fn_clock_unix_ms() + 10000, &err));
  assert_int_equal(n_left, 1);
  assert_true(left[0] == ticket);
  bool ours = true;
  assert_ok(fn_registry_condemn(&ours, registry, "news", 3, &err));
  assert_false(ours); /* a version that can be seen keeps its files */
  assert_ok(fn_registry_condemn(&ours, registry, "news", ticket, &err));
  assert_true(ours);
  const fn_version_info late = {.name = "news", .version = ticket, .digest = "d", .card = "{}"};
  assert_int_equal(fn_registry_publish(&version, &found, registry, &late, &err), FN_E_REFUSED);
  assert_non_null(strstr(err.message, "add it again"));
  assert_ok(fn_registry_unfinished(left, &n_left, 4, registry, "news", fn_clock_unix_ms() + 10000, &err));
  assert_int_equal(n_left, 1); /* whoever was killed between the two: the next goes on */
  fn_registry_abandon(registry, "news", ticket);
  assert_int_equal(add("news", "o4"), 4); /* what came to nothing has no number */
  assert_int_equal(at(NULL), 4);
}

static fn_status pass(void *arg, const fn_version_info *v, fn_err *err) {
  (void)err;
  assert_true(v->version > 0);
  ++*(int *)arg;
  return FN_OK;
}

static void run_sql(const char *text) {
  fn_err err = {0};
  assert_ok(fn_sql_run(sql, text, NULL, 0, NULL, &err));
}

/* Rows of a shared database are other people's. */
static void test_a_version_has_a_number(void **state) {
  (void)state;
  static const char *const values[] = {"''", "'x'", "0", "-3"};
  fn_err err = {0};
  int n = 0;
  add("news", "o1");
  add("news", "o2");
  for (size_t i = 0; i < FN_COUNT_OF(values); i++) {
    char text[200];
    fn_version newest;
    snprintf(text, sizeof text, "UPDATE registry_versions SET version = %s WHERE origin LIKE 'o2%%'", values[i]);
    run_sql(text);
    assert_int_equal(fn_registry_list(registry, "news", true, pass, &n, &err), FN_E_PARTIAL);
    assert_non_null(strstr(err.message, "registry_versions: 1 row without a version's number, from 1, of news"));
    assert_int_equal(n, i + 1); /* the other one */
    assert_ok(fn_registry_get(&newest, registry, "news", 0, NULL, &err));
    assert_int_equal(newest.info.version, 1);
    fn_version_deinit(&newest);
  }
  /* a model's row that goes as soon as it comes, as when another's first version comes to nothing meanwhile */
  run_sql("CREATE TRIGGER gone AFTER INSERT ON registry_models BEGIN DELETE FROM registry_models; END");
  int64_t version = 7;
  bool found = false;
  assert_int_equal(fn_registry_reserve(&version, &found, registry, "new", "o1", NULL, &err), FN_E_INTERNAL);
  assert_int_equal(version, 7);
}

static fn_status take_text(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  (void)n, (void)err;
  snprintf(arg, 64, "%.*s", (int)v->bytes.length, v->bytes.data);
  return FN_OK;
}

/* Whoever is whole first is the first version, and its files are that version's. */
static void test_same_origin_at_once(void **state) {
  (void)state;
  fn_err err = {0};
  int64_t a = 0, b = 0, c = 0, d = 0;
  bool found = false;
  char text[128], owner[64] = "";
  assert_ok(fn_registry_reserve(&a, &found, registry, "news", "same", NULL, &err));
  assert_ok(fn_registry_reserve(&b, &found, registry, "news", "same", NULL, &err));
  assert_true(a != b);
  fn_registry_abandon(registry, "news", a); /* the model stays while the other is being made */
  assert_ok(fn_registry_reserve(&a, &found, registry, "news", "same", NULL, &err));
  snprintf(text, sizeof text, "INSERT INTO artifacts VALUES ('version:news/%lld', 'MLmodel')", (long long)b);
  run_sql(text);
  const fn_version_info second = {.name = "news", .version = b, .digest = "x", .card = "{}"};
  const fn_version_info first = {.name = "news", .version = a, .digest = "y", .card = "{}"};
  assert_ok(fn_registry_publish(&c, &found, registry, &second, &err));
  assert_false(found);
  assert_int_equal(c, 1);
  assert_ok(fn_sql_query(sql, "SELECT owner FROM artifacts", NULL, 0, take_text, owner, &err));
  assert_string_equal(owner, "version:news/1");
  assert_ok(fn_registry_publish(&d, &found, registry, &first, &err));
  assert_true(found); /* the other was faster */
  assert_int_equal(d, 1);
}

static void test_aliases(void **state) {
  (void)state;
  fn_err err = {0};
  for (int i = 1; i <= 3; i++) {
    char origin[16];
    snprintf(origin, sizeof origin, "o%d", i);
    add("news", origin);
  }
  assert_int_equal(at("best"), -1);
  assert_ok(move("best", 1, 0, "alias", &err));
  assert_ok(move("best", 2, 1, "promote", &err));
  assert_int_equal(move("best", 3, 1, "promote", &err), FN_E_REFUSED); /* it stands at 2 */
  assert_non_null(strstr(err.message, "now stands at version 2"));
  assert_int_equal(at("best"), 2);
  assert_int_equal(move("best", 9, -1, "alias", &err), FN_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "its newest is 3"));
  assert_int_equal(move("latest", 1, -1, "alias", &err), FN_E_INVALID);
  assert_int_equal(fn_registry_retire(registry, "news", 2, NULL, &err), FN_E_REFUSED);
  assert_ok(move("best", 0, 2, "alias", &err));
  assert_int_equal(at("best"), -1);
  assert_int_equal(move("best", 0, -1, "alias", &err), FN_E_NOT_FOUND);
  assert_ok(fn_registry_retire(registry, "news", 2, NULL, &err));
  assert_int_equal(move("best", 2, -1, "alias", &err), FN_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "retired"));
}

static void rollback(int64_t expected_current, int64_t expected) {
  fn_err err = {0};
  int64_t current, previous;
  assert_ok(fn_registry_previous(&current, &previous, registry, "news", "best", &err));
  assert_int_equal(current, expected_current);
  assert_int_equal(previous, expected);
  assert_ok(move("best", previous, current, "rollback", &err));
}

static void test_rollback_goes_further_back(void **state) {
  (void)state;
  fn_err err = {0};
  int64_t a, b;
  for (int i = 0; i < 4; i++) add("news", (const char *[]){"a", "b", "c", "d"}[i]);
  for (int64_t v = 1; v <= 3; v++) assert_ok(move("best", v, v - 1, "promote", &err));
  rollback(3, 2);
  rollback(2, 1);
  assert_int_equal(fn_registry_previous(&a, &b, registry, "news", "best", &err), FN_E_NOT_FOUND);
  assert_ok(move("best", 4, 1, "promote", &err));
  assert_ok(move("best", 2, 4, "alias", &err));
  assert_ok(fn_registry_retire(registry, "news", 4, NULL, &err));
  rollback(2, 1); /* 4 is retired */
  assert_int_equal(fn_registry_previous(&a, &b, registry, "news", "none", &err), FN_E_NOT_FOUND);
}

static fn_status count(void *arg, const fn_audit_entry *e, fn_err *err) {
  (void)err;
  fn_buf *out = arg;
  fn_buf_printf(out, "%lld %s %s %lld>%lld %s %s@%s\n", (long long)e->number, e->action, e->key, (long long)e->from,
                (long long)e->to, e->reason, e->user, e->host);
  return FN_OK;
}

static void test_record(void **state) {
  (void)state;
  fn_err err = {0};
  FN_AUTO_BUF fn_buf out = {0};
  add("news", "a");
  assert_ok(move("best", 1, -1, "alias", &err));
  assert_int_equal(move("best", 1, 7, "promote", &err), FN_E_REFUSED); /* leaves nothing behind */
  assert_ok(fn_registry_set_tag(registry, "news", 1, "team", "north", &err));
  assert_ok(fn_registry_audit(registry, "news", count, &out, &err));
  assert_string_equal(out.data, "1 add  0>1  ann@desk\n2 alias best 0>1 because ann@desk\n"
                                "3 tag team 0>1 north ann@desk\n");
  fn_version v;
  assert_ok(fn_registry_get(&v, registry, "news", 1, NULL, &err));
  assert_string_equal(v.info.tags, "{\"team\":\"north\"}");
  assert_string_equal(v.info.aliases, "best");
  assert_string_equal(v.info.card, "{\"a\":1}");
  fn_version_deinit(&v);
  assert_ok(fn_registry_set_tag(registry, "news", 1, "team", NULL, &err));
  assert_int_equal(fn_registry_set_tag(registry, "news", 1, "team", NULL, &err), FN_E_NOT_FOUND);
}

static void test_what_is_not_there(void **state) {
  (void)state;
  fn_err err = {0};
  fn_version v;
  assert_int_equal(fn_registry_get(&v, registry, "news", 0, "best", &err), FN_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "the registry is empty"));
  add("news", "a");
  assert_int_equal(fn_registry_get(&v, registry, "mews", 0, "best", &err), FN_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "which has news"));
  assert_int_equal(fn_registry_get(&v, registry, "news", 0, "best", &err), FN_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "nor any other"));
  assert_ok(move("prod", 1, -1, "alias", &err));
  assert_int_equal(fn_registry_get(&v, registry, "news", 0, "best", &err), FN_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "it has prod"));
}

enum { N_THREADS = 4, N_MOVES = 25 };
static fn_status race_status[N_THREADS][N_MOVES];

static void *race(void *arg) {
  const int which = (int)(intptr_t)arg;
  fn_err err = {0};
  fn_sql *own = NULL;
  fn_registry *mine = NULL;
  if (fn_sql_open(&own, path, NULL, &err) != FN_OK || fn_registry_open(&mine, own, NULL, false, &err) != FN_OK)
    return NULL;
  for (int i = 0; i < N_MOVES; i++) {
    fn_version v;
    int64_t seen = 0;
    if (fn_registry_get(&v, mine, "news", 0, "best", &err) == FN_OK) {
      seen = v.info.version;
      fn_version_deinit(&v);
    }
    const fn_alias_move m = {
        .name = "news", .alias = "best", .version = 1 + (which + i) % 4, .expected = seen, .action = "promote"};
    race_status[which][i] = fn_registry_move_alias(mine, &m, &err);
  }
  fn_registry_close(mine);
  fn_sql_close(own);
  return NULL;
}

typedef struct chain {
  int64_t at;
  size_t n;
} chain;

static fn_status check_chain(void *arg, const fn_audit_entry *e, fn_err *err) {
  chain *c = arg;
  (void)err;
  if (strcmp(e->action, "promote") != 0) return FN_OK;
  assert_int_equal(e->from, c->at); /* each move begins where the last one ended: none was lost */
  c->at = e->to;
  c->n++;
  return FN_OK;
}

static void test_many_promote_at_once(void **state) {
  (void)state;
  fn_err err = {0};
  pthread_t threads[N_THREADS];
  for (int i = 0; i < 4; i++) add("news", (const char *[]){"a", "b", "c", "d"}[i]);
  for (int i = 0; i < N_THREADS; i++) {
    for (int k = 0; k < N_MOVES; k++) race_status[i][k] = FN_E_INTERNAL;
    assert_int_equal(pthread_create(&threads[i], NULL, race, (void *)(intptr_t)i), 0);
  }
  size_t won = 0;
  for (int i = 0; i < N_THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < N_THREADS; i++)
    for (int k = 0; k < N_MOVES; k++) {
      assert_true(race_status[i][k] == FN_OK || race_status[i][k] == FN_E_REFUSED);
      won += race_status[i][k] == FN_OK;
    }
  chain c = {0};
  assert_ok(fn_registry_audit(registry, "news", check_chain, &c, &err));
  assert_int_equal(c.n, won);
  assert_int_equal(at("best"), c.at);
}

/* Figures are differences of doubles. */
static void test_a_gate_at_its_limit(void **state) {
  (void)state;
  const double limits[] = {0.01, 0.0099};
  fn_err err = {0};
  json_t *cards[2];
  for (int i = 0; i < 2; i++) {
    char text[200];
    snprintf(text, sizeof text,
             "{\"figures\":{\"data\":{\"hash\":\"a\"},\"systems\":[{\"name\":\"model\",\"metrics\":"
             "{\"f1_weighted\":%s}}]}}",
             i ? "0.85" : "0.84");
    assert_ok(fn_json_parse(&cards[i], fn_str_from(text), "card", &err));
  }
  for (int i = 0; i < 2; i++) {
    fn_gates gates;
    const fn_registry_options options = {.gate_min = 0.84, .gate_max_drop = limits[i]};
    fn_gates_check(&gates, cards[0], cards[1], &options);
    assert_int_equal(gates.items[0].verdict, FN_GATE_PASS);
    assert_int_equal(gates.items[1].verdict, i == 0 ? FN_GATE_PASS : FN_GATE_FAIL);
  }
  json_decref(cards[0]);
  json_decref(cards[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_a_gate_at_its_limit),
      cmocka_unit_test_setup_teardown(test_versions_count, begin, end),
      cmocka_unit_test_setup_teardown(test_a_version_has_a_number, begin, end),
      cmocka_unit_test_setup_teardown(test_same_origin_at_once, begin, end),
      cmocka_unit_test_setup_teardown(test_aliases, begin, end),
      cmocka_unit_test_setup_teardown(test_rollback_goes_further_back, begin, end),
      cmocka_unit_test_setup_teardown(test_record, begin, end),
      cmocka_unit_test_setup_teardown(test_what_is_not_there, begin, end),
      cmocka_unit_test_setup_teardown(test_many_promote_at_once, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
