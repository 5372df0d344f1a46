/* Classifies text files with libfakenews: classify [--model MODEL] FILE…
 * One line a file: its name, the verdict, the probability that it is fake, reasons to trust the answer less. Exit
 * codes: 0 all classified, 1 some not, 2 none. */
#include <fakenews/fakenews.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 16 << 20 };

/* The whole file, malloc'd; NULL after a message. */
static char *read_file(const char *path, size_t *length_out) {
  FILE *file = fopen(path, "rb");
  char *text = malloc(MAX_BYTES);
  size_t length = file && text ? fread(text, 1, MAX_BYTES, file) : 0;
  const char *problem = !file ? strerror(errno) : !text ? "out of memory" : ferror(file) ? "cannot be read" : NULL;
  if (problem == NULL && length == MAX_BYTES) problem = "16 MiB or more";
  if (file) fclose(file);
  if (problem != NULL) {
    fprintf(stderr, "%s: %s\n", path, problem);
    free(text);
    return NULL;
  }
  *length_out = length;
  return text;
}

static int fail(const char *what, const fakenews_error *error) {
  fprintf(stderr, "%s: %s (%s)\n", what, error->message, fakenews_status_name(error->status));
  return 2;
}

static void print_answer(const char *path, const fakenews_prediction *p) {
  printf("%s\t%s\t%.6f\t", path, fakenews_verdict_name(p->verdict), p->probability);
  const char *between = "";
  for (uint32_t bit = 1; bit != 0; bit <<= 1) {
    if ((p->reasons & bit) == 0) continue;
    printf("%s%s", between, fakenews_reason_name(bit));
    between = ",";
  }
  printf("\n");
}

/* 0, or 1 when there is no answer. */
static int classify_file(fakenews_session *session, const char *path) {
  fakenews_article article = {NULL, 0, NULL, 0};
  fakenews_prediction p;
  fakenews_error error;
  char *text = read_file(path, &article.text_length);
  if (text == NULL) return 1;
  article.text = text;
  fakenews_status status = fakenews_session_classify(&p, sizeof p, session, &article, 1, &error);
  free(text);
  if (status != FAKENEWS_OK) return fail(path, &error), 1;
  if (p.status != FAKENEWS_OK) {
    fprintf(stderr, "%s: %s\n", path, p.message);
    return 1;
  }
  print_answer(path, &p);
  return 0;
}

int main(int argc, char **argv) {
  const char *model = NULL; /* the bundled one */
  int first = 1, failed = 0;
  if (argc > 2 && strcmp(argv[1], "--model") == 0) {
    model = argv[2];
    first = 3;
  }
  if (first >= argc) {
    fprintf(stderr, "usage: classify [--model MODEL] FILE...\n");
    return 2;
  }

  fakenews_error error;
  fakenews_classifier *classifier = NULL;
  fakenews_session *session = NULL;
  fakenews_classifier_info info;
  fakenews_session_options options = FAKENEWS_SESSION_OPTIONS_INIT;
  options.n_threads = 2;
  if (fakenews_classifier_open(&classifier, model, &error) != FAKENEWS_OK) return fail("classify", &error);
  if (fakenews_classifier_get_info(&info, sizeof info, classifier, &error) != FAKENEWS_OK ||
      fakenews_session_create(&session, classifier, &options, &error) != FAKENEWS_OK) {
    fakenews_classifier_close(classifier);
    return fail("classify", &error);
  }
  fprintf(stderr, "libfakenews %s, model %s\n", fakenews_version(), info.id);
  for (int i = first; i < argc; i++) failed += classify_file(session, argv[i]);
  fakenews_session_destroy(session); /* before its classifier */
  fakenews_classifier_close(classifier);
  return failed == 0 ? 0 : failed < argc - first ? 1 : 2;
}
