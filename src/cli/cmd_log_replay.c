/* fakenews log replay: is a stored answer what the model says of the same text? */
#include "cli/loading.h"
#include "cli/log_support.h"

#include <math.h>

static fn_status require_texts(const fn_stored_prediction *s, fn_err *err) {
  if (s->text_kept == FN_TEXT_KEEP_FULL) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "%s: its text was not kept (predictions.text was %s then); only rows that were written under "
                    "predictions.text=full can be replayed",
                    s->id, fn_predictions_text_names[s->text_kept]);
}

static fn_status answer_again(fn_buf *differences, size_t *n, const fn_cli_model *m, const fn_stored_prediction *s,
                              fn_err *err) {
  const fn_article article = {.title = s->title, .text = s->text, .prior = isnan(s->prior) ? 0 : s->prior};
  fn_prediction prediction;
  fn_prediction_row row;
  FN_TRY(fn_session_keep_embeddings(m->session, true, err));
  FN_TRY(fn_session_classify(&prediction, m->session, &article, 1, err));
  if (prediction.status != FN_OK) return fn_err_set(err, prediction.status, "%s: %s", s->id, prediction.message);
  fn_prediction_row_fill(&row, fn_classifier_get_info(m->classifier), &article, &prediction,
                         fn_session_embedding_size(m->session));
  return fn_stored_prediction_compare(differences, n, s, &row, err);
}

static fn_status report(const fn_cli *cli, const fn_stored_prediction *s, const fn_buf *differences, size_t n,
                        fn_err *err) {
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 0);
  if (n == 0)
    fn_buf_printf(&out, "%s: the same bits by %s\n", s->id, s->model);
  else
    fn_buf_append(&out, differences->data, differences->length);
  FN_TRY(fn_buf_check(&out, "the comparison", err));
  FN_TRY(fn_cli_print(fn_buf_str(&out), err));
  if (n == 0) return FN_OK;
  if (strncmp(differences->data, "model: ", 7) == 0)
    fn_cli_note(cli, "another model answered then: name that one with --model");
  else
    fn_cli_note(cli, "the same model: the settings infer.* must be those of the server that answered");
  return fn_err_set(err, FN_E_REFUSED, "%s: %zu figures differ", s->id, n);
}

static fn_status replay(const fn_cli *cli, const fn_cli_args *args, fn_err *err) {
  FN_TRY(fn_cli_check_ids(args, 1, "log replay takes one id, as `fakenews log list` prints it", err));
  fn_sql *sql = NULL;
  fn_stored_prediction *stored = NULL;
  fn_cli_model model = {0};
  size_t n = 0;
  FN_AUTO_BUF fn_buf differences;
  fn_buf_init(&differences, 0);
  FN_TRY(fn_cli_open_log(&sql, cli, true, err));
  fn_status status = fn_prediction_load(&stored, sql, fn_str_from(args->rest[0]), err);
  fn_sql_close(sql);
  if (status == FN_OK) status = require_texts(stored, err);
  if (status == FN_OK) status = fn_cli_load_model(&model, cli, fn_cli_get(args, "--model"), err);
  if (status == FN_OK) status = answer_again(&differences, &n, &model, stored, err);
  if (status == FN_OK) status = report(cli, stored, &differences, n, err);
  fn_cli_unload_model(&model);
  fn_stored_prediction_destroy(stored);
  return status;
}

static const fn_cli_flag flags[] = {
    {.name = "--model",
     .value = "MODEL",
     .help =
         "packed file, model directory, run folder, or owner/name in the local Hub cache; default: the bundled model"},
    {0},
};

const fn_verb fn_verb_log_replay = {
    .name = "log",
    .sub = "replay",
    .summary = "answer a stored prediction again; prove the same bits, or say what differs",
    .usage = "ID [--model MODEL] [key=value …]",
    .flags = flags,
    .options = "predictions.url infer. device.",
    .takes_rest = true,
    .examples = "  fakenews log replay p_0123456789abcdef0123456789abcdef --model detector.fnm\n",
    .run = replay,
};
