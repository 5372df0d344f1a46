#include "model/config.h"

#include <stdio.h>

void fn_model_config_format(fn_buf *out, const fn_model_config *c) {
  fn_json_writer w;
  fn_json_begin(&w, out, 2);
  fn_json_object(&w, NULL);
  fn_json_array(&w, "architectures");
  /* With a head that Transformers does not know, what it can load is the encoder. */
  fn_json_text(&w, NULL, c->head_size > 0 ? "BertModel" : "BertForSequenceClassification");
  fn_json_end(&w);
  fn_json_double(&w, "attention_probs_dropout_prob", c->attention_probs_dropout_prob);
  fn_json_double(&w, "classifier_dropout", c->classifier_dropout);
  fn_model_usage_format(&w, &c->usage);
  if (c->head_size > 0) {
    fn_json_object(&w, "fakenews_head");
    fn_json_text(&w, "type", "two_layer");
    fn_json_int(&w, "size", c->head_size);
    fn_json_end(&w);
  }
  fn_json_text(&w, "hidden_act", c->hidden_act);
  fn_json_double(&w, "hidden_dropout_prob", c->hidden_dropout_prob);
  fn_json_int(&w, "hidden_size", c->hidden_size);
  fn_json_object(&w, "id2label");
  for (int32_t i = 0; i < c->num_labels; i++) {
    char key[16];
    snprintf(key, sizeof key, "%d", i);
    fn_json_text(&w, key, c->labels[i]);
  }
  fn_json_end(&w);
  fn_json_double(&w, "initializer_range", c->initializer_range);
  fn_json_int(&w, "intermediate_size", c->intermediate_size);
  fn_json_object(&w, "label2id");
  for (int32_t i = 0; i < c->num_labels; i++) fn_json_int(&w, c->labels[i], i);
  fn_json_end(&w);
  fn_json_double(&w, "layer_norm_eps", c->layer_norm_eps);
  fn_json_int(&w, "max_position_embeddings", c->max_position_embeddings);
  fn_json_text(&w, "model_type", c->family);
  fn_json_int(&w, "num_attention_heads", c->num_attention_heads);
  fn_json_int(&w, "num_hidden_layers", c->num_hidden_layers);
  fn_json_int(&w, "pad_token_id", c->pad_token_id);
  fn_json_text(&w, "position_embedding_type", "absolute");
  fn_json_text(&w, "problem_type", "single_label_classification");
  fn_json_text(&w, "torch_dtype", "float32");
  fn_json_int(&w, "type_vocab_size", c->type_vocab_size);
  fn_json_int(&w, "vocab_size", c->vocab_size);
  fn_json_end(&w);
}

fn_status fn_model_config_save(const fn_model_config *config, const char *dir, fn_err *err) {
  FN_TRY(fn_model_config_check(config, dir, err));
  FN_AUTO_FREE char *path = fn_path_join(dir, "config.json");
  if (!path) return fn_err_no_memory(err, dir);
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, FN_MODEL_CONFIG_MAX_BYTES);
  fn_model_config_format(&text, config);
  FN_TRY(fn_buf_check(&text, path, err));
  return fn_file_write(path, text.data, text.length, err);
}
