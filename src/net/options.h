/* Settings of src/net: net.*. */
#ifndef FN_NET_OPTIONS_H
#define FN_NET_OPTIONS_H

#include "config/config.h"

typedef struct fn_net_options {
  const char *zenodo_url, *kaggle_url;             /* without a path; never NULL */
  const char *kaggle_username, *kaggle_key;        /* NULL: not given */
  const char *kaggle_token;                        /* newer kind of key that needs no name; NULL: not given */
  const char *http_proxy, *https_proxy, *no_proxy; /* NULL: none */
  const char *ca_file;                             /* PEM certificates to trust; NULL: those of the system */
  fn_config_list insecure_hosts;                   /* credentials may go to these over plain http */
  double connect_timeout_s;                        /* until a connection stands */
  int64_t stall_timeout_s;                         /* this long below stall_bytes_per_s ends an attempt */
  int64_t stall_bytes_per_s;
  int64_t retries;  /* attempts after the first one that may fail in a row */
  double backoff_s; /* before the second attempt; doubled each time, then cut down by chance to half at most */
  double max_wait_s;
  int64_t max_redirects;
  int64_t max_bytes;          /* of a file that is fetched */
  int64_t max_unpacked_bytes; /* of all files of one archive */
} fn_net_options;

extern const fn_option_table fn_net_option_table;

#endif
