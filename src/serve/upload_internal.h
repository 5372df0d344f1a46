/* What upload.c (the thread and its two ends) and upload_rows.c (rows in, answers out) share. */
#ifndef FN_SERVE_UPLOAD_INTERNAL_H
#define FN_SERVE_UPLOAD_INTERNAL_H

#include "serve/multipart.h"
#include "serve/serve.h"
#include "serve/upload.h"
#include "serve/validation.h"

#include <pthread.h>

/* Why an upload has no answer. */
typedef struct fn_upload_failure {
  int status; /* HTTP; 0: none */
  char code[40], message[1024];
  bool in_words; /* of FastAPI: validation is filled */
  fn_validation_error validation;
} fn_upload_failure;

/* Answers: in memory, and beyond a bound in an unlinked file. */
typedef struct fn_upload_output {
  fn_buf buf;
  int fd; /* -1: none */
  uint64_t n_written;
} fn_upload_output;

typedef struct fn_upload {
  fn_server *server;
  fn_uploads *uploads;
  fn_engine *engine;
  fn_upload_options options;
  /* Between the transport and the thread. */
  pthread_mutex_t lock;
  pthread_cond_t wake;   /* of the thread */
  fn_exchange *exchange; /* NULL: it has ended */
  int n_references;
  char *ring;
  size_t ring_begin, ring_length;
  bool ended, wants_resume, job_done, is_over;
  fn_str whole; /* the body, where it came at once */
  /* The thread's. */
  bool has_whole;
  char content_type[256];  /* of a form; "" otherwise */
  fn_multipart *multipart; /* NULL: the body is the CSV itself */
  fn_buf pending;          /* bytes of the file that are not read yet */
  size_t n_read;
  bool in_file, file_seen, file_ended, body_ended;
  char name[128]; /* of the file, for messages and the answer's name */
  fn_job job;
  /* Of the prediction log. */
  uint64_t id_seed[2], n_classified;
  char request_id[FN_REQUEST_ID_BYTES], key_id[32];
  const char *route;
  size_t n_recording;
  fn_status record_status;
  fn_err record_err;
  fn_upload_output output;
  uint64_t n_rows, n_truncated;
  fn_scored_format format;
  fn_upload_failure failure;
} fn_upload;

enum { FN_UPLOAD_RING = 256 << 10, FN_UPLOAD_IN_MEMORY = 1 << 20 };

/* Bytes of the body, at least one; 0 at its end. FN_E_CANCELLED: nobody waits, or the server ends. */
FN_NODISCARD fn_status fn_upload_pull(size_t *n_out, fn_upload *upload, char *out, size_t capacity, fn_err *err);
/* Classifies articles through the server's queue and waits. */
FN_NODISCARD fn_status fn_upload_classify(fn_prediction *predictions_out, fn_upload *upload, const fn_article *articles,
                                          size_t n, fn_err *err);
/* Hands the answers of the job to the prediction log and waits until it has them. */
FN_NODISCARD fn_status fn_upload_record(fn_upload *upload, fn_err *err);
/* Everything between the body's first byte and the answer's last; fills output, or failure. */
void fn_upload_run(fn_upload *upload);
void fn_upload_fail(fn_upload *upload, int status, const char *code, const char *format, ...) FN_PRINTF(4, 5);
/* Fills the exchange's response from output or failure. */
void fn_upload_answer(fn_upload *upload, fn_exchange *x);

#endif
