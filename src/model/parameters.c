#include "model/parameters.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct builder {
  fn_parameters *p;
  const fn_traits *traits;
  size_t capacity;
  bool failed;
} builder;

/* Appends a tensor; returns its index. Errors are sticky. */
static int32_t add(builder *b, int32_t layer, bool decay, bool is_head, int32_t rows, int32_t columns,
                   const char *format, ...) FN_PRINTF(7, 8);
static int32_t add(builder *b, int32_t layer, bool decay, bool is_head, int32_t rows, int32_t columns,
                   const char *format, ...) {
  char name[256];
  va_list args;
  va_start(args, format);
  vsnprintf(name, sizeof name, format, args);
  va_end(args);
  fn_parameters *p = b->p;
  size_t n = (size_t)rows, padded;
  if (b->failed || p->n == b->capacity || (columns > 0 && !fn_size_mul(&n, n, (size_t)columns)) ||
      !fn_size_add(&padded, n, 15) || !fn_size_add(&padded, padded / 16 * 16, p->slab_n)) {
    b->failed = true;
    return FN_ABSENT;
  }
  fn_parameter *t = &p->list[p->n];
  *t = (fn_parameter){.name = fn_arena_strndup(&p->names, name, strlen(name)),
                      .offset = p->slab_n,
                      .n = n,
                      .shape = {rows, columns},
                      .n_dims = columns > 0 ? 2 : 1,
                      .decay = decay,
                      .is_head = is_head,
                      .layer = layer};
  if (!t->name) b->failed = true;
  p->slab_n = padded;
  return (int32_t)p->n++;
}

static fn_linear_index add_linear(builder *b, int32_t layer, bool bias, bool is_head, int32_t n_out, int32_t n_in,
                                  const char *name) {
  fn_linear_index l = {FN_ABSENT, FN_ABSENT};
  l.w = add(b, layer, true, is_head, n_out, n_in, "%s.weight", name);
  if (bias) l.b = add(b, layer, false, is_head, n_out, 0, "%s.bias", name);
  return l;
}

static fn_norm_index add_norm(builder *b, int32_t layer, int32_t n, const char *name) {
  fn_norm_index index;
  index.gamma = add(b, layer, false, false, n, 0, "%s.weight", name);
  index.beta = add(b, layer, false, false, n, 0, "%s.bias", name);
  return index;
}

static void add_embeddings(builder *b, const fn_model_config *c) {
  char name[160];
  const char *prefix = b->traits->prefix;
  fn_parameters *p = b->p;
  p->position = p->type = FN_ABSENT;
  p->word = add(b, -1, true, false, c->vocab_size, c->hidden_size, "%sembeddings.word_embeddings.weight", prefix);
  if (b->traits->positions == FN_POSITION_LEARNED)
    p->position = add(b, -1, true, false, c->max_position_embeddings, c->hidden_size,
                      "%sembeddings.position_embeddings.weight", prefix);
  if (b->traits->token_types)
    p->type = add(b, -1, true, false, c->type_vocab_size, c->hidden_size, "%sembeddings.token_type_embeddings.weight",
                  prefix);
  snprintf(name, sizeof name, "%sembeddings.LayerNorm", prefix);
  p->embedding_norm = add_norm(b, -1, c->hidden_size, name);
}

static void add_layer(builder *b, const fn_model_config *c, int32_t i) {
  char name[160];
  int32_t C = c->hidden_size, F = c->intermediate_size;
  const fn_traits *t = b->traits;
  fn_layer_index *l = &b->p->layers[i];
#define FN_NAME(part) (snprintf(name, sizeof name, "%sencoder.layer.%d." part, t->prefix, i), name)
  l->q = add_linear(b, i, t->attention_bias, false, C, C, FN_NAME("attention.self.query"));
  l->k = add_linear(b, i, t->attention_bias, false, C, C, FN_NAME("attention.self.key"));
  l->v = add_linear(b, i, t->attention_bias, false, C, C, FN_NAME("attention.self.value"));
  l->output = add_linear(b, i, t->attention_bias, false, C, C, FN_NAME("attention.output.dense"));
  l->attention_norm = add_norm(b, i, C, FN_NAME("attention.output.LayerNorm"));
  l->up = add_linear(b, i, t->ffn_bias, false, F, C, FN_NAME("intermediate.dense"));
  l->down = add_linear(b, i, t->ffn_bias, false, C, F, FN_NAME("output.dense"));
  l->ffn_norm = add_norm(b, i, C, FN_NAME("output.LayerNorm"));
#undef FN_NAME
}

static void add_head(builder *b, const fn_model_config *c) {
  char name[160];
  int32_t L = c->num_hidden_layers, C = c->hidden_size;
  fn_parameters *p = b->p;
  p->pooler = p->head_dense = (fn_linear_index){FN_ABSENT, FN_ABSENT};
  if (b->traits->pooling == FN_POOL_FIRST_DENSE) {
    snprintf(name, sizeof name, "%spooler.dense", b->traits->prefix);
    p->pooler = add_linear(b, L, true, false, C, C, name);
  }
  if (c->head_size == 0) {
    p->classifier = add_linear(b, L, true, true, c->num_labels, C, "classifier");
    return;
  }
  p->head_dense = add_linear(b, L, true, true, c->head_size, C, "classifier.dense");
  p->classifier = add_linear(b, L, true, true, c->num_labels, c->head_size, "classifier.out_proj");
}

fn_status fn_parameters_init(fn_parameters *parameters_out, const fn_model_config *config, const fn_traits *traits,
                             fn_err *err) {
  fn_parameters p = {0};
  builder b = {.p = &p, .traits = traits, .capacity = 5 + 16 * (size_t)config->num_hidden_layers + 6};
  fn_arena_init(&p.names);
  p.list = fn_mem_calloc(b.capacity, sizeof *p.list);
  p.layers = fn_mem_calloc((size_t)config->num_hidden_layers, sizeof *p.layers);
  b.failed = !p.list || !p.layers;
  if (!b.failed) {
    add_embeddings(&b, config);
    for (int32_t i = 0; i < config->num_hidden_layers; i++) {
      if (i > 0 && traits->shared_layers)
        p.layers[i] = p.layers[0];
      else
        add_layer(&b, config, i);
    }
    add_head(&b, config);
  }
  if (b.failed) {
    fn_parameters_deinit(&p);
    return fn_err_no_memory(err, "the list of a model's parameters");
  }
  *parameters_out = p;
  return FN_OK;
}

void fn_parameters_deinit(fn_parameters *p) {
  fn_arena_deinit(&p->names);
  free(p->list);
  free(p->layers);
  *p = (fn_parameters){0};
}
