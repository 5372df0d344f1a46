#include "serve/options.h"

#define AT(member) offsetof(fn_serve_options, member)

static const fn_option options[] = {
    {"serve.host", FN_OPTION_STRING, AT(host), "null", NULL, true, false,
     "Address or name to listen at. null: 127.0.0.1, or 0.0.0.0 where the environment has PORT, as containers do."},
    {"serve.port", FN_OPTION_INT, AT(port), "8080", "[0,65535]", false, false,
     "Port to listen at; the environment's PORT sets it too. 0: one that is free, which the first line names."},
    {"serve.workers", FN_OPTION_INT, AT(workers), "0", "[0,256]", false, false,
     "Articles that are classified at the same time, each by a thread of its own. 0: as many as there are processors."},
    {"serve.max_body_bytes", FN_OPTION_INT, AT(max_body_bytes), "1048576", "[1024,1073741824]", false, false,
     "Largest body of a request; more is answered with 413. Uploads of CSV have serve.max_upload_bytes."},
    {"serve.max_upload_bytes", FN_OPTION_INT, AT(max_upload_bytes), "67108864", "[1024,1099511627776]", false, false,
     "Largest CSV upload. Memory does not grow with it; the answers lie in a temporary file until they are sent."},
    {"serve.max_upload_rows", FN_OPTION_INT, AT(max_upload_rows), "1000000", "[1,1000000000000]", false, false,
     "Rows of one CSV upload at most."},
    {"serve.max_uploads", FN_OPTION_INT, AT(max_uploads), "8", "[1,1024]", false, false,
     "CSV uploads that are at work at the same time, each with a thread and a file in TMPDIR of its own; further ones "
     "are "
     "answered with 503."},
    {"serve.max_items", FN_OPTION_INT, AT(max_items), "256", "[1,65536]", false, false,
     "Articles in one request at most."},
    {"serve.max_connections", FN_OPTION_INT, AT(max_connections), "4096", "[16,1000000]", false, false,
     "Open connections at most; further ones wait until one closes."},
    {"serve.batch_tokens", FN_OPTION_INT, AT(batch_tokens), "1024", "[1,1048576]", false, false,
     "Tokens that a worker takes through the encoder at once, in place of infer.batch_tokens. More only need more "
     "memory "
     "and make the others wait."},
    {"serve.queue_tokens", FN_OPTION_INT, AT(queue_tokens), "131072", "[1024,1073741824]", false, false,
     "Tokens that may wait for a worker. Where a request would be one too many it is answered with 503 at once."},
    {"serve.timeout_ms", FN_OPTION_INT, AT(timeout_ms), "30000", "[10,3600000]", false, false,
     "A request that was not classified so long after it came is given up, with 503."},
    {"serve.idle_timeout_s", FN_OPTION_INT, AT(idle_timeout_s), "75", "[1,3600]", false, false,
     "A connection that has not sent the whole head of a request so long after the last answer is closed."},
    {"serve.request_timeout_s", FN_OPTION_INT, AT(request_timeout_s), "60", "[1,86400]", false, false,
     "A body must be here so long after its head, else 408, and an answer be taken; each 16 KiB give a second more."},
    {"serve.drain_delay_s", FN_OPTION_INT, AT(drain_delay_s), "0", "[0,3600]", false, false,
     "After SIGTERM new requests are still answered for so long, while /readyz says 503, so that a load balancer "
     "notices."},
    {"serve.shutdown_timeout_s", FN_OPTION_INT, AT(shutdown_timeout_s), "9", "[1,3600]", false, false,
     "The program ends so long after SIGTERM at the latest, the delay included."},
    {"serve.predict_route", FN_OPTION_STRING, AT(predict_route), "null", NULL, true, false,
     "Another path of POST /invocations. Vertex AI says in AIP_PREDICT_ROUTE which, and that sets it too."},
    {"serve.health_route", FN_OPTION_STRING, AT(health_route), "null", NULL, true, false,
     "Another path of GET /ping. Vertex AI says in AIP_HEALTH_ROUTE which, and that sets it too."},
    {"serve.watch", FN_OPTION_BOOL, AT(watch), "false", NULL, false, false,
     "Loads the model again when its file was replaced by rename. Never on a file that is being written."},
    {"serve.tls_cert", FN_OPTION_STRING, AT(tls_cert), "null", NULL, true, false,
     "PEM file of the certificate, and of those that vouch for it: the server speaks TLS 1.2 and 1.3. Read at the "
     "start."},
    {"serve.tls_key", FN_OPTION_STRING, AT(tls_key), "null", NULL, true, false, "PEM file of its private key."},
    {"serve.metrics_port", FN_OPTION_INT, AT(metrics_port), "0", "[0,65535]", false, false,
     "Port of /metrics and the health routes alone, in the clear and without keys; /metrics is then nowhere else. 0: "
     "none."},
    {"serve.log_format", FN_OPTION_ENUM, AT(log_format), "auto", "auto|json|text", false, false,
     "Lines on stderr: JSON objects with severity, time, code, message and, of a request, its trace, ids and figures; "
     "or "
     "text. auto: text on a terminal, else JSON."},
    {"serve.log_level", FN_OPTION_ENUM, AT(log_level), "info", "debug|info|warning|error", false, false,
     "Lines of less weight are left out."},
    {"serve.log_requests", FN_OPTION_ENUM, AT(log_requests), "errors", "all|errors|none", false, false,
     "Requests that have a line: all, those answered with 4xx or 5xx, or only those of weight warning (5xx)."},
    {"serve.auth", FN_OPTION_ENUM, AT(auth), "auto", "auto|keys|none", false, false,
     "`keys`: a key of `fakenews keys add` is needed. `auto`: as soon as there is one, and always when serve.host is "
     "not "
     "this machine alone. `none`: everybody may ask."},
    {"serve.rate_per_minute", FN_OPTION_INT, AT(rate_per_minute), "0", "[0,1000000]", false, false,
     "Requests of one client in a minute: of a key, else of an IPv4 address or the first 64 bits of an IPv6 address. "
     "0: "
     "no limit."},
    {"serve.trusted_proxies", FN_OPTION_LIST, AT(trusted_proxies), "[]", NULL, false, false,
     "Addresses and networks whose X-Forwarded-For, Forwarded and X-Forwarded-Proto are believed: [10.0.0.0/8]."},
    {"serve.cors_origins", FN_OPTION_LIST, AT(cors_origins), "[]", NULL, false, false,
     "Origins of pages that may ask from a browser: [https://example.org]. [\"*\"]: any. Keys are needed all the "
     "same."},
};

const fn_option_table fn_serve_option_table = {
    .title = "Serving",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_serve_options),
};
