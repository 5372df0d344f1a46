#include "data/published.h"

#include "data/input.h"

/* WELFake (Verma et al. 2021, doi 10.1109/TCSS.2021.3068519). Its page says 0 = fake and 1 = real, and that there are
 * 35,028 real and 37,106 fake articles; the file has 35,028 rows with 0. */
static const fn_published_set sets[] = {
    {.name = "welfake",
     .zenodo_path = "/records/4561253/files/WELFake_Dataset.csv",
     .kaggle = "saurabhshahane/fake-news-classification",
     .file = "WELFake_Dataset.csv",
     .md5 = "73c9675a4b3d09f86a6933d0b8d7d908",
     .license = "CC-BY-4.0",
     .n_real = 35028,
     .n_fake = 37106},
};

const fn_published_set *fn_published_find(const char *name) {
  for (size_t i = 0; i < FN_COUNT_OF(sets); i++)
    if (fn_str_equal_nocase(fn_str_from(sets[i].name), fn_str_from(name))) return &sets[i];
  return NULL;
}

const fn_published_set *fn_published_find_kaggle(const char *owner_name) {
  for (size_t i = 0; i < FN_COUNT_OF(sets); i++)
    if (fn_str_equal_nocase(fn_str_from(sets[i].kaggle), fn_str_from(owner_name))) return &sets[i];
  return NULL;
}

const fn_published_set *fn_published_find_address(const char *url) {
  for (size_t i = 0; i < FN_COUNT_OF(sets); i++) {
    const size_t n = strlen(url), n_name = strlen(sets[i].kaggle);
    if (fn_str_ends_with(fn_str_from(url), sets[i].zenodo_path)) return &sets[i];
    if (n > n_name && url[n - n_name - 1] == '/' &&
        fn_str_equal_nocase(fn_str_from(url + n - n_name), fn_str_from(sets[i].kaggle)))
      return &sets[i];
  }
  return NULL;
}

void fn_published_list(fn_buf *out) {
  for (size_t i = 0; i < FN_COUNT_OF(sets); i++) fn_buf_printf(out, "%s%s", i ? ", " : "", sets[i].name);
}

static fn_status count(fn_label_counts *counts, fn_input *input, const char *column, bool (*stop)(void *arg), void *arg,
                       fn_err *err) {
  size_t label = 0;
  bool known = false;
  for (;;) {
    fn_input_row row;
    bool more;
    FN_TRY(fn_input_next(&row, &more, input, err));
    if (!more) break;
    if (stop && counts->n_rows % 1024 == 0 && stop(arg))
      return fn_err_set(err, FN_E_CANCELLED, "%s: stopped while counting labels", fn_input_name(input));
    counts->n_rows++;
    if (row.status != FN_OK) {
      counts->n_refused++;
      continue;
    }
    if (!known) FN_TRY(fn_input_require(&label, input, column, NULL, err));
    known = true;
    fn_str value = label < row.n_fields ? fn_str_trim(row.fields[label]) : fn_str_make(NULL, 0);
    if (fn_str_is(value, "0") || fn_str_is(value, "1"))
      counts->n[value.data[0] - '0']++;
    else
      counts->n_other++;
  }
  return FN_OK;
}

fn_status fn_label_counts_read(fn_label_counts *counts_out, const char *path, const char *column,
                               bool (*stop)(void *arg), void *arg, fn_err *err) {
  fn_input *input;
  FN_TRY(fn_input_open(&input, path, NULL, err));
  fn_label_counts counts = {0};
  fn_status status = count(&counts, input, column, stop, arg, err);
  fn_input_close(input);
  if (status == FN_OK) *counts_out = counts;
  return status;
}

fn_label_order fn_published_label_order(const fn_published_set *set, const fn_label_counts *counts) {
  if (counts->n[0] == set->n_real && counts->n[1] == set->n_fake) return FN_LABEL_ORDER_REAL_0;
  if (counts->n[0] == set->n_fake && counts->n[1] == set->n_real) return FN_LABEL_ORDER_FAKE_0;
  return FN_LABEL_ORDER_UNPROVED;
}
