/* One request to an API: any method, headers, a body, an answer that is bounded. Files that are fetched by one GET go
 * over download.h.
 *
 * Redirects are refused unless asked for. Credentials go to the address's own scheme, host and port only, and over
 * plain http only to this machine and to hosts that net.insecure_hosts names. What an answer says about itself in error
 * texts is cut, cleaned of control characters, and of every credential that was sent. */
#ifndef FN_NET_CALL_H
#define FN_NET_CALL_H

#include "net/http.h"

/* One header, or one query parameter. */
typedef struct fn_call_pair {
  const char *name, *value;
} fn_call_pair;

typedef enum fn_call_redirects {
  FN_CALL_REFUSE, /* FN_E_INVALID when an answer wants to lead elsewhere */
  FN_CALL_FOLLOW, /* GET and HEAD go on; the others do for 307 and 308 only. Never to file:, never from https to http */
  FN_CALL_TAKE,   /* the answer is handed out as it is */
} fn_call_redirects;

typedef struct fn_call_answer fn_call_answer;

/* Everything that is not named is zero. Nothing is kept beyond the call. */
typedef struct fn_call_request {
  const char *method;        /* "GET", "POST" …; NULL: GET */
  const char *url;           /* http or https; user:password@ in it serve as credentials when none are given */
  const fn_call_pair *query; /* encoded and added to the address; NULL values are left out */
  size_t n_query;
  const fn_call_pair *headers;
  size_t n_headers;
  const fn_call_pair *secret_headers; /* headers that are credentials: Authorization, X-Auth-Token … */
  size_t n_secret_headers;
  fn_http_credentials credentials;
  const char *secret_body[2]; /* credentials inside the body, as they stand there; NULL: none */
  fn_str body;                /* from memory, or … */
  int body_file;              /* … where from_file: a descriptor that can be read at any place (pread) */
  uint64_t body_offset;       /* first byte of it */
  uint64_t body_length;       /* bytes of it; fewer in the file is an error */
  bool from_file;             /* the body is the file's part */
  fn_call_redirects redirects;
  size_t max_answer_bytes; /* of a body kept in memory; 0: 1 MiB. A longer one is FN_E_LIMIT */
  double timeout_s; /* for all of it; 0: 120 where body and answer are in memory, else only net.stall_timeout_s acts */
  bool fresh; /* on a connection of its own: over one that was kept and is closed now, libcurl sends a request twice,
               * which one that makes something must not be */
  bool machine_service; /* the metadata service of the machine itself: no proxy, plain http is what it speaks */
  /* Takes the body of a 2xx answer piece by piece; other answers' bodies stay in memory. NULL: all do. */
  fn_status (*sink)(void *arg, const fn_call_answer *head, const void *data, size_t length, fn_err *err);
  /* Called about once a second and with each piece, also while fn_call_retry waits; false cancels. NULL: never. */
  bool (*tick)(void *arg, uint64_t n_sent, uint64_t n_received);
  /* fn_call_retry tells of an attempt that failed: why, and how long it waits now. NULL: it does not. */
  void (*on_retry)(void *arg, const char *why, double wait_s);
  void *arg; /* of these three */
} fn_call_request;

struct fn_call_answer {
  int status;           /* 200 …; 0: none came */
  char *url;            /* that answered, without credentials and query: what may be shown; NULL before an attempt */
  fn_buf headers;       /* lines "name: value\n"; read with fn_call_header */
  fn_buf body;          /* terminated; empty where the sink took it */
  uint64_t n_received;  /* bytes of the body, in memory or in the sink */
  double retry_after_s; /* what the server asked for (a number or a date); 0: nothing */
  bool retry;           /* no answer came, or one (408, 429, 5xx) that may be another next time */
  bool unresolved;      /* no address was found for the host */
};

/* {0} is empty. */
void fn_call_answer_deinit(fn_call_answer *answer);
#define FN_AUTO_ANSWER FN_CLEANUP(fn_call_answer_deinit)
/* A header's value, letter case of the name ignored; of several the first. False, with an empty value, when it is not
 * there. The value lives as long as the answer. */
bool fn_call_header(fn_str *value_out, const fn_call_answer *answer, const char *name);

/* One attempt. FN_OK: an answer came as a whole, whatever its status; look at answer->status or call fn_call_check.
 * *answer must be {0} or one of an earlier call, which is emptied; it is filled on failure too, as far as it came.
 * FN_E_IO: none came (answer->retry tells whether another attempt may help), FN_E_LIMIT: longer than allowed;
 * FN_E_INVALID: the address, a header, a redirect, credentials over plain http; FN_E_CANCELLED; what sink returned;
 * FN_E_UNSUPPORTED without libcurl. A client is used by one thread at a time. */
FN_NODISCARD fn_status fn_call_run(fn_call_answer *answer, fn_http *http, const fn_call_request *request, fn_err *err);
/* Attempts until an answer comes that is final: answer->retry waits (net.backoff_s, doubled, cut at random to half at
 * most, never less than Retry-After) and tries again, net.retries times. A name that is not found is looked up once
 * more. An answer that stays temporary to the end is handed out as it is with FN_OK; Retry-After beyond net.max_wait_s
 * ends it likewise. What was sent may have acted at the server although no answer came: use it for requests that can be
 * repeated. A sink is not called again after it has been: such an attempt is the last. */
FN_NODISCARD fn_status fn_call_retry(fn_call_answer *answer, fn_http *http, const fn_call_request *request,
                                     fn_err *err);
/* What fn_call_retry does between two attempts, for callers that make each one anew (a signature that must be fresh):
 * tells on_retry why, and waits. n_failures counts from 1. FN_E_CANCELLED by tick; FN_E_IO, err untouched, when there
 * is to be no further attempt: the count, a name that was not found twice, or Retry-After beyond net.max_wait_s. */
FN_NODISCARD fn_status fn_call_pause(fn_http *http, const fn_call_request *request, const fn_call_answer *answer,
                                     int64_t n_failures, const char *why, fn_err *err);
/* FN_OK for 2xx. Otherwise an error that names the address, the status and what the body says: FN_E_NOT_FOUND for 404
 * and 410, FN_E_LIMIT for 413, FN_E_IO where another attempt may help (fn_call_answer.retry), FN_E_INVALID for the rest
 * of 4xx, FN_E_IO for anything else. */
FN_NODISCARD fn_status fn_call_check(const fn_call_answer *answer, const fn_call_request *request, fn_err *err);
/* Takes every credential of the request out of a text ("***"), for whoever shows what a server said. */
void fn_call_wipe(char *text, const fn_call_request *request);

#endif
