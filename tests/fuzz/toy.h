/* A small table with an option of every type, for the targets that read settings. */
#ifndef FN_TESTS_FUZZ_TOY_H
#define FN_TESTS_FUZZ_TOY_H

#include "config/config.h"
#include "fuzz.h"

typedef struct toy {
  bool flag;
  int64_t count, limit;
  double rate;
  int mode;
  const char *name, *key;
  fn_config_list items;
  fn_config_map map;
} toy;

static const fn_option toy_options[] = {
    {"a.flag", FN_OPTION_BOOL, offsetof(toy, flag), "false", NULL, false, false, "A flag."},
    {"a.count", FN_OPTION_INT, offsetof(toy, count), "3", "[0,10000]", false, false, "A count."},
    {"a.limit", FN_OPTION_INT, offsetof(toy, limit), "null", "[1,)", true, false, "A limit."},
    {"a.rate", FN_OPTION_FLOAT, offsetof(toy, rate), "0.5", "(0,1]", true, false, "A share."},
    {"b.mode", FN_OPTION_ENUM, offsetof(toy, mode), "none", "none|cut|windows", false, false, "A choice."},
    {"b.name", FN_OPTION_STRING, offsetof(toy, name), "null", NULL, true, false, "A name."},
    {"b.key", FN_OPTION_STRING, offsetof(toy, key), "null", NULL, true, true, "A secret."},
    {"b.items", FN_OPTION_LIST, offsetof(toy, items), "[1,2]", NULL, false, false, "A list."},
    {"map", FN_OPTION_MAP, offsetof(toy, map), "{}", NULL, false, false, "A map."},
};
static const fn_option_table toy_table = {"Toy", toy_options, FN_COUNT_OF(toy_options), sizeof(toy)};
static const fn_option_table *const toy_tables[] = {&toy_table};

/* A group "preset" with one choice, as the program has them built in. */
static const unsigned char toy_preset[] = "a.count: 7\nb:\n  mode: cut\n";
static const fn_embedded toy_groups[] = {{"config/preset/small.yaml", toy_preset, sizeof toy_preset - 1}, {0}};

static inline fn_config *toy_create(void) {
  fn_config *config = NULL;
  fn_err err = {0};
  FUZZ_CHECK(fn_config_create(&config, toy_tables, 1, toy_groups, &err) == FN_OK);
  return config;
}

/* After any verdict every value is within its range, and the settings, written as YAML, are read back as the same
 * settings. */
static inline void toy_check(const fn_config *config) {
  toy t;
  fn_err err = {0};
  FUZZ_CHECK(fn_config_fill(&t, config, &toy_table, &err) == FN_OK);
  FUZZ_CHECK(t.count >= 0 && t.count <= 10000 && (t.limit == INT64_MIN || t.limit >= 1));
  FUZZ_CHECK(t.rate != t.rate || (t.rate > 0 && t.rate <= 1));
  FUZZ_CHECK(t.mode >= 0 && t.mode <= 2 && (t.items.n == 0 || t.items.items) && (t.map.n == 0 || t.map.keys));
  FN_AUTO_BUF fn_buf text = {0};
  fn_config_format_yaml(&text, config, true);
  FUZZ_CHECK(fn_buf_check(&text, "settings", &err) == FN_OK);
}

/* Sets of values equal apart from the secret, which is written as stars. */
static inline void toy_check_same(const fn_config *a, const fn_config *b) {
  for (size_t i = 0; i < FN_COUNT_OF(toy_options); i++)
    if (!toy_options[i].secret)
      FUZZ_CHECK(strcmp(fn_config_value(a, toy_options[i].key), fn_config_value(b, toy_options[i].key)) == 0);
}

#endif
