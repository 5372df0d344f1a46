#include "infer/internal.h"

fn_windows fn_windows_plan(size_t n_title, size_t n_text, const fn_sequence_options *sequence, size_t max_windows) {
  if (sequence->mode == FN_TEXT_TEXT) n_title = 0;
  size_t first = n_title, second = n_text;
  if (n_title == 0) { /* [CLS] text [SEP] */
    first = n_text;
    second = 0;
    fn_pair_cut(&first, &second, 2, (size_t)sequence->max_tokens);
    second = first;
  } else {
    fn_pair_cut(&first, &second, 3, (size_t)sequence->max_tokens);
  }
  fn_windows w = {.n = 1, .capacity = second, .n_text = second};
  if (sequence->mode == FN_TEXT_TITLE || second == 0 || second == n_text) return w;
  w.n = (n_text + second - 1) / second;
  w.n_text = n_text;
  if (w.n > max_windows) {
    w.n = max_windows;
    w.n_text = w.n * second;
  }
  return w;
}
