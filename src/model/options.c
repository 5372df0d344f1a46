#include "model/options.h"

#define AT(field) offsetof(fn_model_options, field)

static const fn_option options[] = {
    {"model.vocab_size", FN_OPTION_INT, AT(vocab_size), "null", "[64,1000000]", true, false,
     "Entries of the vocabulary that `--init scratch` builds from the training split; null: 8000."},
    {"model.hidden_size", FN_OPTION_INT, AT(hidden_size), "null", "[1,65536]", true, false,
     "Width of the encoder. null: the directory's config.json; from scratch 128."},
    {"model.num_hidden_layers", FN_OPTION_INT, AT(num_hidden_layers), "null", "[1,1024]", true, false,
     "Layers of the encoder. null: the directory's config.json; from scratch 2."},
    {"model.num_attention_heads", FN_OPTION_INT, AT(num_attention_heads), "null", "[1,1024]", true, false,
     "Attention heads of a layer; model.hidden_size must be a multiple. null: the directory's config.json; from "
     "scratch "
     "2."},
    {"model.intermediate_size", FN_OPTION_INT, AT(intermediate_size), "null", "[1,1048576]", true, false,
     "Width of the feed-forward network within a layer. null: the directory's config.json; from scratch 512."},
    {"model.max_position_embeddings", FN_OPTION_INT, AT(max_position_embeddings), "null", "[8,1048576]", true, false,
     "Longest sequence in tokens that the model can take. null: the directory's config.json; from scratch 512."},
    {"model.type_vocab_size", FN_OPTION_INT, AT(type_vocab_size), "null", "[2,256]", true, false,
     "Token types: title and text have one each. null: the directory's config.json; from scratch 2."},
    {"model.hidden_act", FN_OPTION_STRING, AT(hidden_act), "null", NULL, true, false,
     "Activation of the feed-forward network: gelu (erf), gelu_new, gelu_pytorch_tanh or relu. null: the directory's "
     "config.json; from scratch gelu."},
    {"model.hidden_dropout_prob", FN_OPTION_FLOAT, AT(hidden_dropout_prob), "null", "[0,1)", true, false,
     "Dropout in training after the embeddings and after each half of a layer. null: the directory's config.json; from "
     "scratch 0.1."},
    {"model.attention_probs_dropout_prob", FN_OPTION_FLOAT, AT(attention_probs_dropout_prob), "null", "[0,1)", true,
     false, "Dropout in training of attention probabilities. null: the directory's config.json; from scratch 0.1."},
    {"model.classifier_dropout", FN_OPTION_FLOAT, AT(classifier_dropout), "null", "[0,1)", true, false,
     "Dropout in training before the last layer of the head. null: the directory's config.json, where it follows "
     "hidden_dropout_prob unless set; from scratch the same as model.hidden_dropout_prob."},
    {"model.layer_norm_eps", FN_OPTION_FLOAT, AT(layer_norm_eps), "null", "(0,1]", true, false,
     "Added to the variance in layer norms. null: the directory's config.json; from scratch 1e-12."},
    {"model.initializer_range", FN_OPTION_FLOAT, AT(initializer_range), "null", "[0,10]", true, false,
     "Standard deviation of new weights. null: the directory's config.json; from scratch 0.02."},
    {"model.head_size", FN_OPTION_INT, AT(head_size), "null", "[0,65536]", true, false,
     "Width of a two-layer head (pooled, linear, ReLU, dropout, linear); 0 is Hugging Face's head of one layer, which "
     "Transformers loads. null: the directory's config.json; from scratch 0."},
};

const fn_option_table fn_model_option_table = {
    .title = "Model",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_model_options),
};
