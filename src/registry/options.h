/* Settings of the registry: registry.*. */
#ifndef FN_REGISTRY_OPTIONS_H
#define FN_REGISTRY_OPTIONS_H

#include "config/config.h"

/* A limit that is not asked for is NaN. */
typedef struct fn_registry_options {
  const char *uri;    /* where models:/ names are looked up; NULL: in the store of runs; http(s)://: an MLflow server */
  const char *mirror; /* MLflow server that gets what is added, promoted and moved; NULL: none */
  double follow_s;    /* how often a server asks where its alias stands */
  /* gates of promote */
  int gate_metric;          /* of the test split: f1_weighted, f1_macro, accuracy, roc_auc */
  double gate_min;          /* of it */
  double gate_max_drop;     /* of it against the version that the alias points at */
  double gate_max_ece;      /* calibration error on the test split, [0,1] */
  double gate_max_flips;    /* percent of test rows whose label packing changes */
  double gate_max_auc_loss; /* by packing */
  double gate_max_mb;       /* packed file, MB of 10^6 bytes */
  double gate_max_p95_ms;   /* of one article, on the machine that made the version */
} fn_registry_options;

extern const fn_option_table fn_registry_option_table;

#endif
