/* What the files of src/model know about a model. */
#ifndef FN_MODEL_INTERNAL_H
#define FN_MODEL_INTERNAL_H

#include "model/allocate.h"
#include "model/parameters.h"
#include "model/traits.h"
#include "tensor/ops.h"

#include <assert.h>

/* Host arrays of the current batch, [capacity] each; one allocation. */
struct fn_layer_state;
typedef struct fn_rows {
  uint32_t *draws;          /* [T] draw of the row's sequence */
  int32_t *first;           /* [B] packed row of each first token */
  int32_t *first_offsets;   /* [B+1] 0, 1, …, B */
  int32_t *first_positions; /* [B] zeros */
  double *losses;           /* [B] */
} fn_rows;

/* Where a parameter of a packed model lies: in the mapped file. */
typedef struct fn_weight_view {
  const void *data;
  const float *scales; /* int8: of each row */
  bool tiled;          /* a linear weight in the form that kernels stream (tensor/tiles.h) */
} fn_weight_view;

struct fn_model {
  fn_model_config config;
  fn_traits traits;
  fn_activation activation;
  fn_device *device;
  const fn_ops *ops;
  fn_parameters parameters;
  void *values, *gradients; /* slabs in the device's element type */
  fn_weight_view *views;    /* [parameters.n] of a packed model, which has no slabs; else NULL */
  void *prepared;           /* packed linear weights of fn_model_prepare, or NULL */

  int32_t max_T, max_B, longest;
  bool training;
  bool all_rows; /* last layer in full, for tests of the shortcut; set before fn_model_plan */
  void *workspace;
  size_t workspace_n;
  struct fn_layer_state *layers; /* [L] */
  fn_rows rows;
  void *rows_memory;
};

/* One pass over one batch. */
typedef struct fn_pass {
  fn_model *model;
  const fn_batch *batch;
  fn_layout all, first; /* every row; the first row of each sequence */
  bool training;
  const fn_dropout_key *dropout; /* NULL: off */
  size_t used;                   /* elements of the workspace handed out */
  bool counting;                 /* only adds up `used` */
} fn_pass;

/* Activations of a layer. With `few` only the rows that the head reads exist after K and V: R = B, else R = T. */
typedef struct fn_layer_state {
  bool few;
  fn_mat x;                  /* [T,C] input */
  fn_mat q, k, v;            /* views */
  fn_mat qkv;                /* [T,3C]; few: [T,2C] for K and V */
  fn_mat residual;           /* [R,C] x, or its first rows */
  fn_mat context, xhat1, y1; /* [R,C] */
  fn_mat pre, xhat2, y2;     /* [R,F], [R,C] */
  void *lse, *rstd1, *rstd2; /* [H,R], [R], [R] */
} fn_layer_state;

typedef struct fn_head_state {
  fn_mat input, pooled_pre, pooled, hidden_pre, hidden, dropped, logits;
} fn_head_state;

/* Everything a pass keeps; carved out of the workspace anew for each batch, without allocating. */
typedef struct fn_state {
  fn_mat embedded, embedded_xhat;
  void *embedded_rstd;
  fn_layer_state *layers; /* [L], or one that all layers share in evaluation */
  fn_head_state head;
  fn_mat dx, dqkv, dcontext, dfew, dq, dcontext_few, dhead[2], dlogits; /* backward */
} fn_state;

/* model.c */
/* n elements of the workspace, 64-byte aligned. */
void *fn_pass_take(fn_pass *pass, size_t n);
fn_mat fn_pass_take_mat(fn_pass *pass, size_t n_rows, size_t n_cols);
/* A model without weights. */
fn_status fn_model_make(fn_model **model_out, const fn_model_config *config, const fn_traits *traits, fn_device *device,
                        fn_err *err);
fn_status fn_model_allocate_traits(fn_model **model_out, const fn_model_config *config, const fn_traits *traits,
                                   fn_device *device, fn_err *err);

/* views.c: parameters as the device wants them. */
fn_embedding fn_model_embedding(const fn_pass *pass);
fn_norm fn_model_norm(const fn_pass *pass, fn_norm_index index);
fn_linear fn_model_linear(const fn_pass *pass, fn_linear_index index);
/* Dropout of a site, or NULL when off; *storage holds it. */
const fn_dropout *fn_pass_dropout(fn_dropout *storage, const fn_pass *pass, double p, int32_t layer, uint32_t site);

/* prepare.c */
const void *fn_model_prepared_of(const fn_model *model, int32_t index);
void fn_model_unprepare(fn_model *model);

/* state.c */
void fn_state_carve(fn_state *state, fn_pass *pass, size_t T, size_t B);
bool fn_layer_is_few(const fn_model *model, int32_t layer);

/* encoder.c, head.c */
void fn_encoder_forward(const fn_pass *pass, fn_state *state);
void fn_encoder_backward(const fn_pass *pass, fn_state *state);
void fn_head_forward(const fn_pass *pass, fn_state *state);
/* dlogits are in state; leaves the gradient of the encoder's output rows in state->dfew, or all rows' in state->dx. */
void fn_head_backward(const fn_pass *pass, fn_state *state);

#endif
