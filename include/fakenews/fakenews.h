/* libfakenews: news articles in, real or fake out.
 *
 *   fakenews_error error;
 *   fakenews_classifier *classifier;
 *   fakenews_session *session;
 *   fakenews_prediction answer;
 *   fakenews_article article = {.text = text, .text_length = strlen(text)};
 *   if (fakenews_classifier_open(&classifier, NULL, &error) != FAKENEWS_OK) …error.message…
 *   if (fakenews_session_create(&session, classifier, NULL, &error) != FAKENEWS_OK) …
 *   if (fakenews_session_classify(&answer, sizeof answer, session, &article, 1, &error) != FAKENEWS_OK) …
 *   fakenews_session_destroy(session);
 *   fakenews_classifier_close(classifier);
 *
 * A complete program is examples/consumer; docs/library.md tells more of threads, memory, errors and the ABI.
 *
 * The library prints nothing, never ends the process, reads no environment variable, installs no signal handler and has
 * no variable that calls change. Its answers do not depend on the locale, on threads or on what else is asked in the
 * same call. A function that is not said to do otherwise may be called from any thread. No function may be called from
 * a signal handler. Signals that arrive during a call are harmless: nothing is cut short by them.
 *
 * Text is UTF-8. Bytes that are not are read as U+FFFD would be. Strings that the library returns end with a 0 byte. */
#ifndef FAKENEWS_FAKENEWS_H
#define FAKENEWS_FAKENEWS_H

#include <stddef.h>
#include <stdint.h>

#define FAKENEWS_VERSION_MAJOR 0
#define FAKENEWS_VERSION_MINOR 1
#define FAKENEWS_VERSION_PATCH 0
/* major · 1,000,000 + minor · 1,000 + patch */
#define FAKENEWS_VERSION_NUMBER                                                                                        \
  (FAKENEWS_VERSION_MAJOR * 1000000 + FAKENEWS_VERSION_MINOR * 1000 + FAKENEWS_VERSION_PATCH)

#if defined(__GNUC__)
#define FAKENEWS_API       __attribute__((visibility("default")))
#define FAKENEWS_NODISCARD __attribute__((warn_unused_result))
#else
#define FAKENEWS_API
#define FAKENEWS_NODISCARD
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- version: of the library that is loaded, which may be newer than this header */

FAKENEWS_API const char *fakenews_version(void);     /* "0.1.0" */
FAKENEWS_API uint32_t fakenews_version_number(void); /* FAKENEWS_VERSION_NUMBER as the library was built */

/* ---- outcomes */

typedef int32_t fakenews_status;
enum {
  FAKENEWS_OK = 0,
  FAKENEWS_INVALID = 1,     /* an argument or the content of a file is refused */
  FAKENEWS_NOT_FOUND = 2,   /* the model is not there */
  FAKENEWS_UNSUPPORTED = 3, /* well-formed, but of a kind or version that this library does not handle */
  FAKENEWS_LIMIT = 4,       /* larger than a stated bound */
  FAKENEWS_IO = 5,          /* reading failed */
  FAKENEWS_NO_MEMORY = 6,   /* an allocation failed; everything is as before the call */
  FAKENEWS_INTERNAL = 7,    /* a fault of the library or of one below it */
  FAKENEWS_FORKED = 8       /* a session with worker threads, used in a child made by fork */
};
/* "ok", "invalid" …; "unknown" for a number that is none. */
FAKENEWS_API const char *fakenews_status_name(fakenews_status status);

/* Storage of the caller, filled when a call fails and left alone when it succeeds. Every function takes NULL for it.
 * Its layout is fixed for this major version. */
typedef struct fakenews_error {
  fakenews_status status; /* as the call returned it */
  char message[1020];     /* one line for people: what, where, and what would be accepted; ends with a 0 byte */
} fakenews_error;

/* ---- classifier: a model, immutable */

typedef struct fakenews_classifier fakenews_classifier;

/* path: a packed file (`fakenews quantize` makes them), or a model directory; NULL: the bundled default model, which
 * lies in ../share/fakenews beside the library's folder. A packed file is mapped and not copied; it must not be written
 * to while it is open, only replaced by rename. Release with fakenews_classifier_close. Any number of threads may use
 * one classifier at once. In a child made by fork it works on. Errors: FAKENEWS_NOT_FOUND, FAKENEWS_INVALID,
 * FAKENEWS_UNSUPPORTED, FAKENEWS_IO, FAKENEWS_NO_MEMORY; the message names the file and its part. */
FAKENEWS_API FAKENEWS_NODISCARD fakenews_status fakenews_classifier_open(fakenews_classifier **classifier_out,
                                                                         const char *path, fakenews_error *error);
/* After all of its sessions are destroyed. NULL is fine. */
FAKENEWS_API void fakenews_classifier_close(fakenews_classifier *classifier);
/* Reads every byte of a packed file: FAKENEWS_INVALID when its weights are not those that were written. Opening checks
 * the header alone, which holds everything but weights, so that the first answer comes at once; call this when a model
 * is installed or loaded to stay. A model directory is FAKENEWS_OK: opening has read all of it. */
FAKENEWS_API FAKENEWS_NODISCARD fakenews_status fakenews_classifier_verify(const fakenews_classifier *classifier,
                                                                           fakenews_error *error);

/* Halves of a model; a bundled one has both. */
typedef enum fakenews_part {
  FAKENEWS_BOTH = 0,   /* all that the model has */
  FAKENEWS_LINEAR = 1, /* hashed n-grams: a fraction of a millisecond an article */
  FAKENEWS_ENCODER = 2 /* the transformer */
} fakenews_part;

/* What of an article is read. */
typedef enum fakenews_reads {
  FAKENEWS_READS_MODEL = 0, /* what the model was trained on; title and text where it does not say */
  FAKENEWS_READS_TITLE = 1,
  FAKENEWS_READS_TEXT = 2,
  FAKENEWS_READS_TITLE_TEXT = 3
} fakenews_reads;

/* Strings belong to the classifier and live as long. */
typedef struct fakenews_classifier_info {
  const char *id;            /* "<name>@<12 hexadecimal digits>" */
  const char *checksum;      /* 32 hexadecimal digits: of everything that decides the answers */
  const char *family;        /* "bert", "linear", "bert+linear" … */
  const char *calibration;   /* JSON; NULL: the model is not calibrated, and its probabilities are raw ones */
  const char *card;          /* JSON: where the model comes from and what it was measured to do; NULL: not known */
  const char *const *labels; /* [n_labels] */
  int32_t n_labels;
  int32_t fake;                    /* index of the label that means fake; -1: none, then probability is NaN */
  int32_t has_encoder, has_linear; /* 0 or 1 */
  int32_t reads;                   /* fakenews_reads, never FAKENEWS_READS_MODEL */
  int32_t reads_known;             /* 1: the model says so; 0: assumed */
  int32_t max_tokens; /* of one pass of the encoder when the session does not ask for others; 0: no encoder, no limit */
  int32_t max_positions; /* the most that a session may ask for; 0: no encoder */
} fakenews_classifier_info;
/* info_size: sizeof(fakenews_classifier_info) as the caller was compiled; what a newer caller expects and this library
 * does not know is set to 0. Errors: FAKENEWS_INVALID, a size that no version had. */
FAKENEWS_API FAKENEWS_NODISCARD fakenews_status fakenews_classifier_get_info(fakenews_classifier_info *info_out,
                                                                             size_t info_size,
                                                                             const fakenews_classifier *classifier,
                                                                             fakenews_error *error);

/* ---- session: the workspace of one thread */

typedef struct fakenews_session fakenews_session;

typedef enum fakenews_long_texts {
  FAKENEWS_CUT = 0,    /* what lies beyond max_tokens is not read by the encoder */
  FAKENEWS_WINDOWS = 1 /* the encoder reads in several passes, the title in each, and their logits are averaged */
} fakenews_long_texts;

/* Instruction sets; answers do not depend on them. FAKENEWS_CPU_AMX is the matrix unit of some AVX-512 machines. Linux
 * lends it to a process that asks, and a session that may use it does: from then on the process cannot set alternate
 * signal stacks of less than getauxval(AT_MINSIGSTKSZ) bytes. Where one is set already the unit is not used. */
typedef enum fakenews_cpu_level {
  FAKENEWS_CPU_BEST = 0,
  FAKENEWS_CPU_C = 1,
  FAKENEWS_CPU_AVX2 = 2,
  FAKENEWS_CPU_AVXVNNI = 3,
  FAKENEWS_CPU_AVX512 = 4,
  FAKENEWS_CPU_AVX512VNNI = 5,
  FAKENEWS_CPU_AMX = 6
} fakenews_cpu_level;

/* Set it with FAKENEWS_SESSION_OPTIONS_INIT, then change what you mean to. 0 is the default everywhere. */
typedef struct fakenews_session_options {
  uint32_t struct_size;  /* sizeof(fakenews_session_options) as the caller was compiled */
  uint32_t n_threads;    /* [1,1024]; 0: the processors that this process may use (affinity mask and cgroup quota). 1
                          * starts no thread: the calling one does the work */
  int32_t part;          /* fakenews_part */
  int32_t reads;         /* fakenews_reads; a linear half reads only what it was trained on */
  int32_t long_texts;    /* fakenews_long_texts */
  int32_t cpu_level;     /* fakenews_cpu_level: the highest to use; what the machine lacks is never used */
  uint32_t max_tokens;   /* [8,max_positions] of one pass of the encoder, special tokens included; 0: the model's own */
  uint32_t max_windows;  /* [1,4096] passes over one article at most; 0: 64 */
  uint32_t batch_tokens; /* [1,1048576] that go through the encoder at once; more need more memory. 0: 4096 */
  uint32_t reserved;     /* 0 */
  double prior;          /* (0,1): how common fakes are where the model is used; probabilities of a calibrated model are
                          * corrected for it. 0: as common as the calibration has it, one half as a rule. A model without
                          * calibration refuses it, FAKENEWS_UNSUPPORTED */
  double unsure; /* [0.5,1]: no verdict but `unsure` where neither label is at least so probable. 0: as the model's
                  * calibration has it, never without one; FAKENEWS_NEVER: never. What is no English, too short
                  * or unreadable is unsure in any case */
} fakenews_session_options;
#define FAKENEWS_NEVER (-1.0)
#define FAKENEWS_SESSION_OPTIONS_INIT                                                                                  \
  { (uint32_t)sizeof(fakenews_session_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0 }

/* options NULL: all defaults. The classifier is borrowed and must live longer. A session may be used by one thread at a
 * time, not always the same; make one per thread. Its workers, n_threads - 1 of them, block all signals, so handlers
 * run on threads of the caller. Fork: a session with n_threads = 1 works on in the child. One with workers does not,
 * for fork copies only the calling thread: classifying with it there is FAKENEWS_FORKED, destroying it there releases
 * the memory. Make sessions in the child instead. A session that another thread was using at the time of the fork must
 * not be touched in the child. Release with fakenews_session_destroy. Errors: FAKENEWS_INVALID (an option out of range
 * or that does not fit the model; the message names it), FAKENEWS_UNSUPPORTED (an option of a newer version of the
 * library), FAKENEWS_IO, FAKENEWS_NO_MEMORY. */
FAKENEWS_API FAKENEWS_NODISCARD fakenews_status fakenews_session_create(fakenews_session **session_out,
                                                                        const fakenews_classifier *classifier,
                                                                        const fakenews_session_options *options,
                                                                        fakenews_error *error);
/* Ends and joins the workers. NULL is fine. */
FAKENEWS_API void fakenews_session_destroy(fakenews_session *session);

/* Bytes of the caller, read during the call only; they need no 0 at the end, and a 0 among them is
 * read as any other control character. A length of 0 allows NULL. The layout is fixed for this major version. */
typedef struct fakenews_article {
  const char *title;
  size_t title_length;
  const char *text;
  size_t text_length;
} fakenews_article;

typedef enum fakenews_verdict {
  FAKENEWS_NO_VERDICT = 0, /* the labels are not two with one of them fake */
  FAKENEWS_REAL = 1,
  FAKENEWS_FAKE = 2,
  FAKENEWS_UNSURE = 3
} fakenews_verdict;
/* "none", "real", "fake", "unsure"; "unknown" for a number that is none. */
FAKENEWS_API const char *fakenews_verdict_name(int32_t verdict);

/* Why an answer deserves less trust: bits. The first three force the verdict unsure. */
typedef enum fakenews_reason {
  FAKENEWS_NOT_ENGLISH = 1,     /* another language or script, a link, program text, random letters, numbers */
  FAKENEWS_TOO_SHORT = 2,       /* fewer than five words */
  FAKENEWS_UNKNOWN_TOKENS = 4,  /* much of it is in characters that the model does not know */
  FAKENEWS_HEADLINE_ONLY = 8,   /* a title without a text */
  FAKENEWS_UNLIKE_TRAINING = 16 /* its words are rarer in the training data than those of almost any article */
} fakenews_reason;
/* "not_english" … of one bit; "unknown" for what is none. A later version may have more bits. */
FAKENEWS_API const char *fakenews_reason_name(uint32_t reason);
/* One sentence for people: what was found and what it means. */
FAKENEWS_API const char *fakenews_reason_meaning(uint32_t reason);

typedef struct fakenews_prediction {
  int32_t status;      /* FAKENEWS_OK, or why this article has no answer (FAKENEWS_INVALID: nothing to read,
                        * FAKENEWS_LIMIT: too long); then message says it and the rest is 0, label -1, numbers NaN */
  int32_t verdict;     /* fakenews_verdict */
  const char *message; /* "" or static text */
  int32_t label;       /* index of the most probable label; of equals the first */
  int32_t calibrated;  /* 1: a calibration that fits the model, the article and how it was read was applied to
                        * probabilities and logit; 0: they are the model's raw ones, which tend to be too sure */
  uint32_t reasons;    /* bits of fakenews_reason */
  int32_t n_windows;   /* passes of the encoder; 1 for a linear half alone */
  int64_t n_tokens;    /* read by the encoder, special tokens and all passes counted; by a linear half alone: words and
                        * other marks */
  double probability;  /* of fake, [0,1]; NaN: the model has no label that means fake */
  double label_probability; /* of label, [0,1] */
  double logit;             /* log-odds of fake behind probability; NaN unless the labels are two, one of them fake */
  double encoder_logit, linear_logit; /* what each half says by itself, not calibrated; NaN: not asked */
  const double *window_logits; /* [n_windows] log-odds of fake of each pass, their mean is encoder_logit; a window's
                                * share of the verdict is its |logit| in the sum of all. NULL: one pass. It belongs to
                                * the session and lives until the session's next call */
  int32_t truncated;           /* 1: something of title or text was not read by the encoder */
  int32_t reserved;            /* 0 */
} fakenews_prediction;

/* predictions_out[n]: answers in the order of articles[n]; an element's bits depend on nothing but its article, the
 * model and the options. prediction_size: sizeof(fakenews_prediction) as the caller was compiled, the distance from one
 * element to the next; what a newer caller expects and this library does not know is set to 0.
 * An article that has no answer gets a status of its own and does not end the call. On failure predictions_out is left
 * alone. Memory grows with the text of one call; cut long streams into calls of some hundred articles. Errors:
 * FAKENEWS_INVALID (NULL where something must be, a size that no version had), FAKENEWS_FORKED, FAKENEWS_NO_MEMORY. */
FAKENEWS_API FAKENEWS_NODISCARD fakenews_status fakenews_session_classify(fakenews_prediction *predictions_out,
                                                                          size_t prediction_size,
                                                                          fakenews_session *session,
                                                                          const fakenews_article *articles, size_t n,
                                                                          fakenews_error *error);

/* ---- explanation: which sentences carry an answer */

/* Set it with FAKENEWS_EXPLAIN_OPTIONS_INIT. 0 is the default everywhere. */
typedef struct fakenews_explain_options {
  uint32_t struct_size;    /* sizeof(fakenews_explain_options) as the caller was compiled */
  uint32_t max_classified; /* [4,4096] articles that are classified for it at most; 0: 64. A text with more sentences
                            * gets larger parts */
  uint32_t max_ngrams;     /* [1,1000] of the linear half, listed at most; 0: 8 */
  uint32_t reserved;       /* 0 */
} fakenews_explain_options;
#define FAKENEWS_EXPLAIN_OPTIONS_INIT                                                                                  \
  { (uint32_t)sizeof(fakenews_explain_options), 0, 0, 0 }

/* A sentence, or neighbours that were left out together. The layout is fixed for this major version. */
typedef struct fakenews_explained_part {
  int32_t in_title;    /* 1: the whole title, offsets are the title's; 0: they are the text's */
  int32_t n_sentences; /* 1, or how many were left out together */
  int32_t read;        /* 0: lies behind what the encoder reads; no contribution */
  int32_t reserved;    /* 0 */
  size_t begin, end;   /* bytes */
  double contribution; /* log-odds of fake with it less those without it: positive towards fake. NaN: not read, or
                        * nothing would be left */
} fakenews_explained_part;

/* A word n-gram of the linear half; its part in that half's log-odds is exact. The layout is fixed for this major
 * version. */
typedef struct fakenews_explained_ngram {
  int32_t in_title;    /* as above */
  int32_t reserved;    /* 0 */
  size_t begin, end;   /* bytes, where it stands first */
  double contribution; /* positive towards fake, all its occurrences together */
} fakenews_explained_ngram;

typedef struct fakenews_explanation fakenews_explanation;

/* explanation_out: release with fakenews_explanation_destroy; it needs the classifier, not the session. options NULL:
 * all defaults. Takes as long as n_classified answers. An article that cannot be classified has no parts, and its
 * prediction says why. Errors: as fakenews_session_classify; FAKENEWS_INVALID also for a model whose labels are not two
 * with one of them fake. */
FAKENEWS_API FAKENEWS_NODISCARD fakenews_status fakenews_session_explain(fakenews_explanation **explanation_out,
                                                                         fakenews_session *session,
                                                                         const fakenews_article *article,
                                                                         const fakenews_explain_options *options,
                                                                         fakenews_error *error);
FAKENEWS_API void fakenews_explanation_destroy(fakenews_explanation *explanation); /* NULL is fine */

/* Arrays belong to the explanation. */
typedef struct fakenews_explanation_info {
  double logit;                         /* log-odds of fake of what is explained: the article as far as it is read */
  size_t read_bytes;                    /* of the text, by the encoder */
  const fakenews_explained_part *parts; /* [n_parts] in the order of the article */
  size_t n_parts;
  const fakenews_explained_ngram *ngrams; /* [n_ngrams] by falling |contribution|; none without a linear half */
  size_t n_ngrams;
  size_t n_classified; /* articles that were classified for it */
} fakenews_explanation_info;
/* Sizes and errors as fakenews_classifier_get_info. An explanation is immutable: any threads may read it. */
FAKENEWS_API FAKENEWS_NODISCARD fakenews_status fakenews_explanation_get_info(fakenews_explanation_info *info_out,
                                                                              size_t info_size,
                                                                              const fakenews_explanation *explanation,
                                                                              fakenews_error *error);
/* The answer to the whole article, without window_logits. */
FAKENEWS_API FAKENEWS_NODISCARD fakenews_status
fakenews_explanation_get_prediction(fakenews_prediction *prediction_out, size_t prediction_size,
                                    const fakenews_explanation *explanation, fakenews_error *error);

#ifdef __cplusplus
}
#endif

#endif
