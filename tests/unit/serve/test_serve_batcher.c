/* The queue before the model: same answers as without it, spread over workers, bounded; what nobody waits for is left.
 */
#include "serve/batcher.h"

#include "../infer/models.h"
#include "../test.h"

#include <pthread.h>
#include <stdatomic.h>

enum { N = 40 };

static char root[] = "/tmp/fn-test-batcher-XXXXXX";
static char *model_dir;
static fn_arena arena;
static fn_err err;
static const fn_infer_options infer = FN_INFER_OPTIONS_INIT;
static const fn_tensor_options tensor = {.cpu_level = FN_CPU_AMX, .n_threads = 1};

static fn_engine *open_engine(size_t n_workers) {
  fn_engine *engine = NULL;
  const fn_engine_options options = {.infer = &infer, .tensor = &tensor, .n_workers = n_workers};
  assert_ok(fn_engine_open(&engine, model_dir, &options, &err));
  return engine;
}

static fn_batcher *make_batcher(size_t n_workers, size_t queue_tokens) {
  fn_batcher *b = NULL;
  const fn_batcher_options options = {.n_workers = n_workers, .batch_tokens = 200, .queue_tokens = queue_tokens};
  assert_ok(fn_batcher_create(&b, &options, &err));
  return b;
}

/* A job with its articles, and a bell that rings when it is done. */
typedef struct bell {
  pthread_mutex_t lock;
  pthread_cond_t rung;
  int n;
} bell;
static bell the_bell = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void ring(void *arg) {
  (void)arg;
  pthread_mutex_lock(&the_bell.lock);
  the_bell.n++;
  pthread_cond_signal(&the_bell.rung);
  pthread_mutex_unlock(&the_bell.lock);
}

static void await(int n) {
  pthread_mutex_lock(&the_bell.lock);
  while (the_bell.n < n) pthread_cond_wait(&the_bell.rung, &the_bell.lock);
  the_bell.n -= n;
  pthread_mutex_unlock(&the_bell.lock);
}

static fn_job make_job(fn_engine *engine, const fn_article *articles, fn_prediction *predictions, size_t n) {
  return (fn_job){
      .engine = fn_engine_ref(engine), .articles = articles, .predictions = predictions, .n = n, .done = ring};
}

static void submit(fn_batcher *b, fn_job *job) {
  unsigned retry;
  assert_ok(fn_batcher_submit(b, job, &retry, &err));
}

static void make_articles(fn_article *articles, size_t n) {
  for (size_t i = 0; i < n; i++)
    articles[i] = (fn_article){.title = words_of(&arena, i, i % 5), .text = words_of(&arena, 100 + i, i % 37 + 1)};
}

static void test_same_answers(void **state) {
  (void)state;
  fn_engine *engine = open_engine(3);
  fn_article articles[N];
  fn_prediction direct[N], batched[N];
  make_articles(articles, N);
  assert_ok(fn_session_classify(direct, fn_engine_session(engine, 0), articles, N, &err));
  fn_batcher *b = make_batcher(3, 1 << 20);
  fn_job jobs[N / 2];
  for (size_t i = 0; i < N / 2; i++) { /* jobs of one, and one of the rest */
    jobs[i] = i == 0 ? make_job(engine, articles + N / 2, batched + N / 2, N / 2)
                     : make_job(engine, articles + i - 1, batched + i - 1, 1);
    submit(b, &jobs[i]);
  }
  await(N / 2);
  for (size_t i = 0; i < N; i++) {
    if (i == N / 2 - 1) continue; /* in no job */
    assert_memory_equal(&direct[i].probabilities, &batched[i].probabilities, sizeof direct[i].probabilities);
    assert_int_equal(direct[i].n_tokens, batched[i].n_tokens);
  }
  fn_batcher_stats stats;
  fn_batcher_get_stats(&stats, b);
  assert_int_equal(stats.n_articles, N - 1);
  assert_true(stats.waiting_articles == 0 && stats.waiting_tokens == 0);
  for (size_t i = 0; i < N / 2; i++) {
    assert_int_equal(jobs[i].status, FN_OK);
    fn_job_deinit(&jobs[i]);
  }
  fn_batcher_destroy(b);
  fn_engine_unref(engine);
}

static void test_explained(void **state) {
  (void)state;
  fn_engine *engine = open_engine(1);
  fn_batcher *b = make_batcher(1, 1 << 20);
  fn_article article;
  fn_prediction p;
  fn_explanation e = {0};
  make_articles(&article, 1);
  article.text = fn_str_from("Wab wbb. Wcb wdb. Web wfb.");
  fn_job job = make_job(engine, &article, &p, 1);
  job.explanations = &e;
  job.explain = (fn_explain_options)FN_EXPLAIN_OPTIONS_INIT;
  submit(b, &job);
  await(1);
  assert_int_equal(job.status, FN_OK);
  assert_int_equal(e.n_parts, 3);
  fn_job_deinit(&job);
  fn_batcher_destroy(b);
  fn_engine_unref(engine);
}

static bool gone(void *arg) {
  (void)arg;
  return true;
}

static void test_dropped(void **state) {
  (void)state;
  fn_engine *engine = open_engine(1);
  fn_batcher *b = make_batcher(1, 1 << 20);
  fn_article articles[3];
  fn_prediction p[3] = {{0}};
  make_articles(articles, 3);
  fn_job left = make_job(engine, articles, p, 3), late = make_job(engine, articles, p, 1);
  left.is_gone = gone;
  late.deadline_ns = 1;
  submit(b, &left);
  submit(b, &late);
  await(2);
  assert_int_equal(left.status, FN_E_CANCELLED);
  assert_int_equal(late.status, FN_E_LIMIT);
  assert_int_equal(p[0].n_tokens, 0); /* nothing was computed */
  fn_batcher_stats stats;
  fn_batcher_get_stats(&stats, b);
  assert_true(stats.n_gone == 1 && stats.n_late == 1 && stats.n_articles == 0);
  fn_job_deinit(&left);
  fn_job_deinit(&late);
  fn_batcher_destroy(b);
  fn_engine_unref(engine);
}

/* A client that leaves in the middle of a long job: what is left of it is dropped. */
static atomic_int n_asked;
static bool gone_later(void *arg) {
  (void)arg;
  return atomic_fetch_add(&n_asked, 1) > 1;
}

static void test_dropped_in_the_middle(void **state) {
  (void)state;
  fn_engine *engine = open_engine(1);
  fn_batcher *b = make_batcher(1, 1 << 20);
  fn_article articles[N];
  fn_prediction p[N] = {{0}};
  make_articles(articles, N);
  fn_job job = make_job(engine, articles, p, N);
  job.is_gone = gone_later;
  submit(b, &job);
  await(1);
  assert_int_equal(job.status, FN_E_CANCELLED);
  fn_batcher_stats stats;
  fn_batcher_get_stats(&stats, b);
  assert_true(stats.n_articles > 0 && stats.n_articles < N && stats.n_gone == 1);
  fn_job_deinit(&job);
  fn_batcher_destroy(b);
  fn_engine_unref(engine);
}

/* More jobs than fit while the only worker is kept from working. */
static atomic_int held;
static bool hold(void *arg) {
  (void)arg;
  atomic_store(&held, 1);
  while (atomic_load(&held) != 2) sched_yield();
  return false;
}

static void test_full(void **state) {
  (void)state;
  fn_engine *engine = open_engine(1);
  fn_batcher *b = make_batcher(1, 1024);
  fn_article articles[1] = {{.text = words_of(&arena, 1, 400)}};
  fn_prediction p[200];
  fn_job jobs[200];
  unsigned retry = 0;
  jobs[0] = make_job(engine, articles, p, 1);
  jobs[0].is_gone = hold;
  submit(b, &jobs[0]);
  while (atomic_load(&held) != 1) sched_yield();
  int n = 1;
  for (;; n++) { /* each is estimated at the model's limit of 24 tokens */
    jobs[n] = make_job(engine, articles, p + n, 1);
    if (fn_batcher_submit(b, &jobs[n], &retry, &err) != FN_OK) break;
  }
  assert_int_equal(n, 1 + 1024 / 24);
  assert_int_equal(err.status, FN_E_LIMIT);
  assert_true(retry >= 1 && retry <= 60);
  atomic_store(&held, 2);
  await(n);
  for (int i = 0; i <= n; i++) fn_job_deinit(&jobs[i]);
  fn_batcher_destroy(b);
  fn_engine_unref(engine);
}

/* What waits is told at once; of a job that is at work the rest is left out; later ones are refused. */
static void test_cancelled(void **state) {
  (void)state;
  enum { N_WAITING = 5 };
  fn_engine *engine = open_engine(1);
  fn_batcher *b = make_batcher(1, 1 << 20);
  fn_article articles[N];
  fn_prediction p[N], q[N_WAITING];
  fn_job waiting[N_WAITING], later;
  unsigned retry = 0;
  make_articles(articles, N);
  for (size_t i = 0; i < N; i++) articles[i].text = words_of(&arena, i, 400); /* 24 tokens: 8 to a batch */
  fn_job at_work = make_job(engine, articles, p, N);
  at_work.is_gone = hold;
  atomic_store(&held, 0);
  submit(b, &at_work);
  while (atomic_load(&held) != 1) sched_yield();
  for (int i = 0; i < N_WAITING; i++) submit(b, (waiting[i] = make_job(engine, articles, q + i, 1), &waiting[i]));
  fn_batcher_cancel(b);
  await(N_WAITING);
  for (int i = 0; i < N_WAITING; i++) assert_int_equal(waiting[i].status, FN_E_CANCELLED);
  later = make_job(engine, articles, q, 1);
  assert_int_equal(fn_batcher_submit(b, &later, &retry, &err), FN_E_CANCELLED);
  atomic_store(&held, 2);
  await(1);
  assert_int_equal(at_work.status, FN_E_CANCELLED);
  fn_batcher_stats stats;
  fn_batcher_get_stats(&stats, b);
  assert_true(stats.waiting_articles == 0 && stats.waiting_tokens == 0 && stats.n_articles == 0);
  fn_batcher_destroy(b);
  fn_job_deinit(&at_work);
  fn_job_deinit(&later);
  for (int i = 0; i < N_WAITING; i++) fn_job_deinit(&waiting[i]);
  fn_engine_unref(engine);
}

static int set_up(void **state) {
  (void)state;
  fn_arena_init(&arena);
  if (mkdtemp(root) == NULL) return 1;
  model_dir = fn_path_join(root, "bert");
  return make_bert(model_dir, true) ? 0 : 1;
}

static int tear_down(void **state) {
  (void)state;
  (void)!fn_dir_remove(root, NULL);
  free(model_dir);
  fn_arena_deinit(&arena);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_answers), cmocka_unit_test(test_explained),
                                     cmocka_unit_test(test_dropped),      cmocka_unit_test(test_dropped_in_the_middle),
                                     cmocka_unit_test(test_full),         cmocka_unit_test(test_cancelled)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
