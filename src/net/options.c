#include "net/options.h"

#define AT(member) offsetof(fn_net_options, member)

static const fn_option options[] = {
    {"net.zenodo_url", FN_OPTION_STRING, AT(zenodo_url), "https://zenodo.org", NULL, false, false,
     "Where Zenodo's records are fetched from: a mirror with the same paths."},
    {"net.kaggle_url", FN_OPTION_STRING, AT(kaggle_url), "https://www.kaggle.com", NULL, false, false,
     "Where Kaggle's API is."},
    {"net.kaggle_username", FN_OPTION_STRING, AT(kaggle_username), "null", NULL, true, false,
     "Name of the Kaggle account; KAGGLE_USERNAME sets it too, else ~/.kaggle/kaggle.json is read."},
    {"net.kaggle_key", FN_OPTION_STRING, AT(kaggle_key), "null", NULL, true, true,
     "Key of the Kaggle account; KAGGLE_KEY sets it too, else ~/.kaggle/kaggle.json is read."},
    {"net.kaggle_token", FN_OPTION_STRING, AT(kaggle_token), "null", NULL, true, true,
     "Kaggle's newer kind of key, which needs no name; KAGGLE_API_TOKEN sets it too, else ~/.kaggle/access_token is "
     "read."},
    {"net.http_proxy", FN_OPTION_STRING, AT(http_proxy), "null", NULL, true, true,
     "Proxy for http://; http_proxy and all_proxy set it too."},
    {"net.https_proxy", FN_OPTION_STRING, AT(https_proxy), "null", NULL, true, true,
     "Proxy for https://; https_proxy and all_proxy set it too."},
    {"net.no_proxy", FN_OPTION_STRING, AT(no_proxy), "null", NULL, true, false,
     "Hosts that are reached without a proxy, separated by commas; no_proxy sets it too."},
    {"net.ca_file", FN_OPTION_STRING, AT(ca_file), "null", NULL, true, false,
     "File of certificates (PEM) to trust for https://; CURL_CA_BUNDLE and SSL_CERT_FILE set it too. Null: the "
     "system's."},
    {"net.insecure_hosts", FN_OPTION_LIST, AT(insecure_hosts), "[]", NULL, false, false,
     "Hosts to which credentials may be sent over plain http://; to others beyond this machine they are not."},
    {"net.connect_timeout_s", FN_OPTION_FLOAT, AT(connect_timeout_s), "30", "(0,3600]", false, false,
     "Seconds until a connection must stand."},
    {"net.stall_timeout_s", FN_OPTION_INT, AT(stall_timeout_s), "60", "[1,3600]", false, false,
     "An attempt that was slower than net.stall_bytes_per_s for so many seconds is given up and tried again."},
    {"net.stall_bytes_per_s", FN_OPTION_INT, AT(stall_bytes_per_s), "100", "[1,1000000]", false, false,
     "Bytes a second below which a transfer counts as stalled."},
    {"net.retries", FN_OPTION_INT, AT(retries), "6", "[0,100]", false, false,
     "How many attempts may follow one that failed; an attempt that brings a megabyte starts the count again."},
    {"net.backoff_s", FN_OPTION_FLOAT, AT(backoff_s), "1", "[0.001,3600]", false, false,
     "Seconds before the second attempt; doubled before each further one, and cut down at random to half at most."},
    {"net.max_wait_s", FN_OPTION_FLOAT, AT(max_wait_s), "120", "[0.001,86400]", false, false,
     "Longest wait before an attempt. A server that asks for more (Retry-After) ends the download."},
    {"net.max_redirects", FN_OPTION_INT, AT(max_redirects), "10", "[0,50]", false, false,
     "How many redirects are followed. One from https:// to http:// never is."},
    {"net.max_bytes", FN_OPTION_INT, AT(max_bytes), "17179869184", "[1,)", false, false,
     "Largest file that is fetched, in bytes (16 GiB)."},
    {"net.max_unpacked_bytes", FN_OPTION_INT, AT(max_unpacked_bytes), "68719476736", "[1,)", false, false,
     "Most bytes that one archive may unpack to (64 GiB)."},
};

const fn_option_table fn_net_option_table = {
    .title = "Network",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_net_options),
};
