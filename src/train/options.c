#include "train/options.h"

#include <math.h>

#define AT(field) offsetof(fn_train_options, field)

static const fn_option options[] = {
    {"family", FN_OPTION_ENUM, AT(family), "bert", "bert|linear", false, false,
     "What is trained: `bert`, a transformer of the BERT family, or `linear`, hashed n-grams with logistic regression "
     "(settings linear.*), which takes seconds."},
    {"name", FN_OPTION_STRING, AT(name), "null", NULL, true, false,
     "Name of the run; part of its folder, runs/<UTC time>-<name>. null: the family's name."},
    {"data.leave_out", FN_OPTION_STRING, AT(leave_out), "null", NULL, true, false,
     "Name of a dataset that takes no part in training and validation. Its rows of all splits are evaluated at the end "
     "as left_out/…: how the model does on a set it has never seen."},
    {"train.epochs", FN_OPTION_INT, AT(epochs), "3", "[1,10000]", false, false, "Passes over the training rows."},
    {"train.max_steps", FN_OPTION_INT, AT(max_steps), "null", "[1,)", true, false,
     "Ends training after so many optimiser steps, if epochs do not end it before."},
    {"train.batch_size", FN_OPTION_INT, AT(batch_size), "32", "[1,65536]", false, false,
     "Sequences per optimiser step."},
    {"train.micro_batch_tokens", FN_OPTION_INT, AT(micro_batch_tokens), "4096", "[1,1048576]", false, false,
     "Token budget of one pass through the model. A step is cut into as many passes as it needs and their gradients "
     "are "
     "added up: less memory, same loss. Takes the place of gradient accumulation."},
    {"train.max_tokens", FN_OPTION_INT, AT(max_tokens), "256", "[8,65536]", false, false,
     "Tokens of a sequence, special tokens included; longer ones are cut, longest part first."},
    {"train.seed", FN_OPTION_INT, AT(seed), "2018", "[0,)", false, false,
     "Seed of new weights, of the order of rows and of dropout."},
    {"train.learning_rate", FN_OPTION_FLOAT, AT(learning_rate), "5e-5", "(0,10]", false, false,
     "Highest learning rate, reached after the warm-up."},
    {"train.warmup", FN_OPTION_FLOAT, AT(warmup), "0.06", "[0,)", false, false,
     "Steps over which the learning rate grows from 0: below 1 a share of all steps, otherwise their number."},
    {"train.schedule", FN_OPTION_ENUM, AT(schedule), "linear", "linear|constant|cosine", false, false,
     "Learning rate after the warm-up: down to 0 in a line or along half a cosine, or constant."},
    {"train.beta1", FN_OPTION_FLOAT, AT(beta1), "0.9", "[0,1)", false, false, "AdamW: decay of the mean of gradients."},
    {"train.beta2", FN_OPTION_FLOAT, AT(beta2), "0.999", "[0,1)", false, false,
     "AdamW: decay of the mean of squared gradients."},
    {"train.epsilon", FN_OPTION_FLOAT, AT(epsilon), "1e-8", "(0,1]", false, false, "AdamW: added to the denominator."},
    {"train.weight_decay", FN_OPTION_FLOAT, AT(weight_decay), "0.01", "[0,1]", false, false,
     "AdamW: decoupled weight decay; biases and norms are left out unless train.decay_all."},
    {"train.decay_all", FN_OPTION_BOOL, AT(decay_all), "false", NULL, false, false,
     "Weight decay on biases and norms too, as a plain torch.optim.AdamW over all parameters does."},
    {"train.max_grad_norm", FN_OPTION_FLOAT, AT(max_grad_norm), "1.0", "(0,)", true, false,
     "Gradients whose global norm is larger are scaled down to it; null: never."},
    {"train.label_smoothing", FN_OPTION_FLOAT, AT(label_smoothing), "0", "[0,1)", false, false,
     "Share of the target that is spread evenly over the classes."},
    {"train.class_weights", FN_OPTION_STRING, AT(class_weights), "null", NULL, true, false,
     "Weight of each class in the training loss: null, `balanced` (rows / (2 x rows of the class)) or a list "
     "[real,fake]. Evaluation never uses it."},
    {"train.sampling", FN_OPTION_ENUM, AT(sampling), "auto", "auto|random|even", false, false,
     "`random`: every row once per epoch. `even`: batches are drawn evenly over dataset x label, so that small sets "
     "count as much as large ones (the linear family weights its rows so); an epoch has as many rows as before. "
     "`auto`: "
     "random for bert, even for linear."},
    {"train.mask_tokens", FN_OPTION_FLOAT, AT(mask_tokens), "0", "[0,1)", false, false,
     "Share of the tokens that each training batch reads as [MASK], drawn anew every time, so that the model cannot "
     "lean "
     "on single words; special tokens stay. 0.15 to 0.3 helps on publishers it has not seen. Not for the linear "
     "family."},
    {"train.crop", FN_OPTION_ENUM, AT(crop), "none", "none|random", false, false,
     "What training reads of an article over train.max_tokens. `none`: its beginning. `random`: as long a window from "
     "anywhere in its text, drawn anew every time, behind the title. Evaluation always reads the beginning. Not for "
     "the "
     "linear family."},
    {"train.freeze", FN_OPTION_STRING, AT(freeze), "none", NULL, false, false,
     "Weights that stay as they are: `none`, `embeddings`, `encoder` (all but the head) or a number N (embeddings and "
     "the first N layers)."},
    {"train.patience", FN_OPTION_INT, AT(patience), "null", "[1,)", true, false,
     "Early stopping: ends training when the validation loss was not lower than the best so far in this many "
     "evaluations in a row; null: off."},
    {"train.evaluate_every", FN_OPTION_INT, AT(evaluate_every), "null", "[1,)", true, false,
     "Evaluates on the validation split every so many steps too, besides the end of each epoch."},
    {"train.save_every", FN_OPTION_INT, AT(save_every), "null", "[1,)", true, false,
     "Saves a checkpoint every so many steps too, besides each evaluation."},
    {"train.keep", FN_OPTION_INT, AT(keep), "0", "[0,10000]", false, false,
     "Older checkpoints to keep besides the best and the last one."},
    {"train.log_every", FN_OPTION_INT, AT(log_every), "50", "[1,)", false, false,
     "Steps between two lines of training loss in metrics.jsonl."},
};

const fn_option_table fn_train_option_table = {
    .title = "Training",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_train_options),
};

const fn_option_alias fn_train_option_aliases[] = {
    {"num_train_epochs", "train.epochs"},
    {"max_epochs", "train.epochs"},
    {"epochs", "train.epochs"},
    {"max_steps", "train.max_steps"},
    {"per_device_train_batch_size", "train.batch_size"},
    {"per_device_eval_batch_size", "train.micro_batch_tokens"},
    {"batch_size", "train.batch_size"},
    {"gradient_accumulation_steps", "train.micro_batch_tokens"},
    {"accumulate_grad_batches", "train.micro_batch_tokens"},
    {"train.accumulate", "train.micro_batch_tokens"},
    {"max_seq_length", "train.max_tokens"},
    {"max_length", "train.max_tokens"},
    {"preprocess.max_length", "train.max_tokens"},
    {"model_max_length", "train.max_tokens"},
    {"seed", "train.seed"},
    {"data_seed", "train.seed"},
    {"train.random_state", "data.seed"},
    {"learning_rate", "train.learning_rate"},
    {"lr", "train.learning_rate"},
    {"train.lr", "train.learning_rate"},
    {"warmup_ratio", "train.warmup"},
    {"warmup_steps", "train.warmup"},
    {"num_warmup_steps", "train.warmup"},
    {"lr_scheduler_type", "train.schedule"},
    {"adam_beta1", "train.beta1"},
    {"adam_beta2", "train.beta2"},
    {"adam_epsilon", "train.epsilon"},
    {"train.betas", "train.beta1"},
    {"weight_decay", "train.weight_decay"},
    {"max_grad_norm", "train.max_grad_norm"},
    {"gradient_clip_val", "train.max_grad_norm"},
    {"label_smoothing_factor", "train.label_smoothing"},
    {"label_smoothing", "train.label_smoothing"},
    {"class_weight", "train.class_weights"},
    {"mlm_probability", "train.mask_tokens"},
    {"token_dropout", "train.mask_tokens"},
    {"random_crop", "train.crop"},
    {"train.class_weight", "train.class_weights"},
    {"early_stopping_patience", "train.patience"},
    {"patience", "train.patience"},
    {"eval_steps", "train.evaluate_every"},
    {"val_check_interval", "train.evaluate_every"},
    {"save_steps", "train.save_every"},
    {"save_total_limit", "train.keep"},
    {"save_top_k", "train.keep"},
    {"logging_steps", "train.log_every"},
    {"log_every_n_steps", "train.log_every"},
    {"train.log_every_n_steps", "train.log_every"},
    {"run_name", "name"},
    {"output_dir", "--out"},
    {"model_name_or_path", "--init"},
    {"model.name", "--init"},
    {"train.dropout", "model.hidden_dropout_prob"},
    {"dropout", "model.hidden_dropout_prob"},
    {"dropout_rate", "model.hidden_dropout_prob"},
    {"model.dropout_rate", "model.hidden_dropout_prob"},
    {NULL, NULL},
};

const char *const fn_train_resumable_keys[] = {
    "name",       "device.threads",       "train.epochs",     "train.max_steps", "train.patience",
    "train.keep", "train.evaluate_every", "train.save_every", "train.log_every", NULL,
};

/* One number of a list; *text moves behind it. */
static bool list_number(double *out, fn_str *text, char end) {
  const char *stop = text->length ? memchr(text->data, end, text->length) : NULL;
  if (!stop) return false;
  const size_t n = (size_t)(stop - text->data);
  if (!fn_str_to_double(out, fn_str_trim(fn_str_make(text->data, n)))) return false;
  *text = fn_str_make(stop + 1, text->length - n - 1);
  return isfinite(*out) && *out > 0;
}

fn_status fn_class_weights_parse(double weights_out[2], const char *text, const size_t counts[2], fn_err *err) {
  double w[2] = {1, 1};
  if (text && strcmp(text, "balanced") == 0) {
    for (int k = 0; k < 2; k++)
      if (counts[k] > 0) w[k] = (double)(counts[0] + counts[1]) / (2.0 * (double)counts[k]);
  } else if (text) {
    fn_str rest = fn_str_trim(fn_str_from(text));
    bool good = fn_str_starts_with(rest, "[");
    if (good) rest = fn_str_make(rest.data + 1, rest.length - 1);
    good = good && list_number(&w[0], &rest, ',') && list_number(&w[1], &rest, ']') && rest.length == 0;
    if (!good)
      return fn_err_set(err, FN_E_INVALID,
                        "train.class_weights: \"%s\" is neither null, balanced nor a list of two numbers above 0 such "
                        "as [1,2.5] (real, fake)",
                        text);
  }
  weights_out[0] = w[0];
  weights_out[1] = w[1];
  return FN_OK;
}

fn_status fn_freeze_parse(fn_freeze *freeze_out, const char *text, int32_t n_layers, fn_err *err) {
  fn_freeze f = {0};
  int64_t n = 0;
  if (strcmp(text, "embeddings") == 0) {
    f.embeddings = true;
  } else if (strcmp(text, "encoder") == 0) {
    f.all = true;
  } else if (strcmp(text, "none") != 0) {
    if (!fn_str_to_int64(&n, fn_str_from(text)) || n < 0 || n > n_layers)
      return fn_err_set(err, FN_E_INVALID,
                        "train.freeze: \"%s\" is neither none, embeddings, encoder nor a number of layers from 0 to %d",
                        text, n_layers);
    f.embeddings = true;
    f.n_layers = (int32_t)n;
  }
  *freeze_out = f;
  return FN_OK;
}
