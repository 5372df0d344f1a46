/* The process around the library: fork, signals, closed standard streams. */
#include "support.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* The thread sanitizer knows no threads of a child whose parent had some: that part is left to the other builds. */
#ifdef __SANITIZE_THREAD__
enum { CHILD_THREADS = 1 };
#else
enum { CHILD_THREADS = 3 };
#endif

static fakenews_prediction expected[N];

/* Runs in a child, which a hang ends; its exit code says which step went wrong. */
#define CHILD_CHECK(step, condition)                                                                                   \
  do {                                                                                                                 \
    if (!(condition)) _exit(step);                                                                                     \
  } while (0)

static void check_child(pid_t child) {
  int status = -1;
  assert_true(child > 0);
  while (waitpid(child, &status, 0) < 0) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    fail_msg("child: signal %d, step %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0, WEXITSTATUS(status));
}

/* What docs/library.md promises of fork: the classifier works on, a session without workers too, one with workers says
 * so, and its memory can be released. */
static void check_fork(const char *path) {
  fakenews_error error;
  fakenews_classifier *c;
  fakenews_session *alone, *threaded;
  fakenews_session_options options = FAKENEWS_SESSION_OPTIONS_INIT;
  fakenews_prediction p[N];
  assert_true(answer(expected, path, 1));
  assert_done(fakenews_classifier_open(&c, path, &error));
  options.n_threads = 1;
  assert_done(fakenews_session_create(&alone, c, &options, &error));
  options.n_threads = 3;
  assert_done(fakenews_session_create(&threaded, c, &options, &error));
  assert_done(fakenews_session_classify(p, sizeof *p, threaded, articles, N, &error));
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    fakenews_session *fresh;
    CHILD_CHECK(1, fakenews_session_classify(p, sizeof *p, alone, articles, N, NULL) == FAKENEWS_OK);
    CHILD_CHECK(2, same_predictions(p, expected, N));
    CHILD_CHECK(3, fakenews_session_classify(p, sizeof *p, threaded, articles, N, &error) == FAKENEWS_FORKED);
    fakenews_explanation *e;
    CHILD_CHECK(8, fakenews_session_explain(&e, threaded, articles, NULL, NULL) == FAKENEWS_FORKED);
    CHILD_CHECK(4, error.status == FAKENEWS_FORKED && strstr(error.message, "parent process") != NULL);
    options.n_threads = CHILD_THREADS;
    CHILD_CHECK(5, fakenews_session_create(&fresh, c, &options, NULL) == FAKENEWS_OK);
    memset(p, 0, sizeof p);
    CHILD_CHECK(6, fakenews_session_classify(p, sizeof *p, fresh, articles, N, NULL) == FAKENEWS_OK);
    CHILD_CHECK(7, same_predictions(p, expected, N));
    fakenews_session_destroy(fresh);
    fakenews_session_destroy(threaded);
    fakenews_session_destroy(alone);
    fakenews_classifier_close(c);
    _exit(0);
  }
  check_child(child);
  assert_done(fakenews_session_classify(p, sizeof *p, threaded, articles, N, &error));
  assert_true(same_predictions(p, expected, N));
  fakenews_session_destroy(threaded);
  fakenews_session_destroy(alone);
  fakenews_classifier_close(c);
}

static void test_fork(void **state) {
  (void)state;
  check_fork(both_path);
  check_fork(bert_dir);
  check_fork(linear_dir);
}

static atomic_int n_alarms;
static void on_alarm(int n) {
  (void)n;
  atomic_fetch_add(&n_alarms, 1);
}

/* A timer interrupts whatever call can be interrupted (no SA_RESTART), every 200 us, until hundreds have come. */
static void test_signals(void **state) {
  (void)state;
  assert_true(answer(expected, both_path, 1));
  struct sigaction action = {.sa_handler = on_alarm}, before;
  const struct itimerval every = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
  assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
  assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
  bool ok = true;
  for (int round = 0; ok && (round < 5 || atomic_load(&n_alarms) < 300); round++) {
    fakenews_prediction p[N];
    const char *const paths[] = {both_path, bert_dir, linear_dir};
    for (int k = 0; k < 3 && ok; k++) ok = answer(p, paths[k], 3) && (k > 0 || same_predictions(p, expected, N));
  }
  setitimer(ITIMER_REAL, &never, NULL);
  sigaction(SIGALRM, &before, NULL);
  assert_true(ok);
  assert_true(atomic_load(&n_alarms) >= 300);
}

/* Files then get the numbers 0 to 2; nothing is written to them. */
static void test_closed_streams(void **state) {
  (void)state;
  assert_true(answer(expected, both_path, 1));
  pid_t child = fork();
  if (child == 0) {
    fakenews_prediction p[N];
    fakenews_classifier *c;
    alarm(60);
    for (int fd = 0; fd < 3; fd++) close(fd);
    CHILD_CHECK(1, fakenews_classifier_open(&c, "/nowhere", NULL) == FAKENEWS_NOT_FOUND);
    CHILD_CHECK(2, answer(p, both_path, CHILD_THREADS));
    CHILD_CHECK(3, same_predictions(p, expected, N));
    CHILD_CHECK(4, answer(p, bert_dir, CHILD_THREADS) && answer(p, linear_dir, 1));
    for (int fd = 0; fd < 3; fd++) CHILD_CHECK(5, close(fd) != 0); /* all of the library's were closed */
    _exit(0);
  }
  check_child(child);
}

static size_t count_open_files(void) {
  char **names;
  size_t n = 0;
  if (fn_dir_list(&names, &n, "/proc/self/fd", NULL) == FN_OK) free(names);
  return n;
}

/* Sessions and classifiers, also refused ones, leave no file open; an open classifier holds none either, only its
 * mapping. */
static void test_no_file_stays_open(void **state) {
  (void)state;
  fakenews_classifier *c = NULL;
  fakenews_prediction p[N];
  char *missing = fn_path_join(bert_dir, "vocab.txt");
  size_t before = count_open_files();
  assert_true(before > 0);
  assert_int_not_equal(fakenews_classifier_open(&c, missing, NULL), FAKENEWS_OK);
  assert_true(answer(p, both_path, 2) && answer(p, bert_dir, 2) && answer(p, linear_dir, 2));
  assert_int_equal(fakenews_classifier_open(&c, both_path, NULL), FAKENEWS_OK);
  assert_int_equal(count_open_files(), before);
  fakenews_classifier_close(c);
  free(missing);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fork), cmocka_unit_test(test_signals),
                                     cmocka_unit_test(test_closed_streams), cmocka_unit_test(test_no_file_stays_open)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
