#define _GNU_SOURCE /* POLLRDHUP */
#include "serve/connections.h"

#include "base/thread.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct fn_connection {
  fn_connection *previous, *next;
  int fd;
  bool plain, late;
  bool seems_gone, is_gone; /* at the last look, with nothing read since; at two of them */
  fn_connection_phase phase;
  uint64_t since_ns, deadline_ns; /* deadline 0: none */
};

struct fn_connections {
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t thread;
  uint64_t idle_ns, request_ns;
  fn_connection *first;
  bool ends;
};

static const uint64_t second_ns = 1000000000u;

/* The client still reads what was sent before the end. */
static void say_408(int fd) {
  static const char text[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  (void)!send(fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Shutting the socket down wakes the library, which closes it. An answer that hangs is cut off hard: its bytes would
 * stay in the kernel for minutes. */
static void end_connection(fn_connection *c) {
  const struct linger hard = {.l_onoff = 1, .l_linger = 0};
  c->late = true;
  if (c->plain && c->phase == FN_CONNECTION_READS) say_408(c->fd);
  if (c->phase == FN_CONNECTION_ANSWERS) (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  (void)shutdown(c->fd, SHUT_RDWR);
}

/* libmicrohttpd may not see that a client left: an end that comes with the last bytes makes no event of its own.
 * Nothing is to be read any more, and nothing comes. */
static bool has_left(const fn_connection *c) {
  struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};
  int n_unread = 0;
  return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0 &&
         ioctl(c->fd, FIONREAD, &n_unread) == 0 && n_unread == 0;
}

/* Twice, since what was read last may not have come through the library yet. */
static void look_for_client(fn_connection *c) {
  const bool gone = has_left(c);
  c->is_gone = gone && c->seems_gone;
  c->seems_gone = gone;
  if (c->is_gone) (void)shutdown(c->fd, SHUT_RDWR); /* an event */
}

static void *watch(void *arg) {
  fn_connections *all = arg;
  const uint64_t shortest = all->idle_ns < all->request_ns ? all->idle_ns : all->request_ns;
  const uint64_t tick = shortest / 10 < second_ns ? shortest / 10 : second_ns;
  pthread_mutex_lock(&all->lock);
  while (!all->ends) {
    fn_cond_wait_until(&all->wake, &all->lock, fn_clock_ns() + tick);
    const uint64_t now = fn_clock_ns();
    for (fn_connection *c = all->first; c != NULL; c = c->next) {
      if (!c->late && c->deadline_ns != 0 && now > c->deadline_ns)
        end_connection(c);
      else if (c->phase == FN_CONNECTION_READS && !c->late && !c->is_gone)
        look_for_client(c);
    }
  }
  pthread_mutex_unlock(&all->lock);
  return NULL;
}

fn_status fn_connections_create(fn_connections **connections_out, int64_t idle_s, int64_t request_s, fn_err *err) {
  fn_connections *all = fn_mem_calloc(1, sizeof *all);
  if (all == NULL) return fn_err_no_memory(err, "a list of connections");
  all->idle_ns = (uint64_t)idle_s * second_ns;
  all->request_ns = (uint64_t)request_s * second_ns;
  pthread_mutex_init(&all->lock, NULL);
  fn_cond_init(&all->wake);
  const int failed = pthread_create(&all->thread, NULL, watch, all);
  if (failed != 0) {
    pthread_cond_destroy(&all->wake);
    pthread_mutex_destroy(&all->lock);
    free(all);
    return fn_err_errno(err, failed, "a thread for the limits of connections");
  }
  *connections_out = all;
  return FN_OK;
}

void fn_connections_destroy(fn_connections *all) {
  if (all == NULL) return;
  pthread_mutex_lock(&all->lock);
  all->ends = true;
  pthread_cond_signal(&all->wake);
  pthread_mutex_unlock(&all->lock);
  pthread_join(all->thread, NULL);
  pthread_cond_destroy(&all->wake);
  pthread_mutex_destroy(&all->lock);
  free(all);
}

fn_connection *fn_connections_add(fn_connections *all, int fd, bool plain) {
  fn_connection *c = fn_mem_calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->fd = fd;
  c->plain = plain;
  c->since_ns = fn_clock_ns();
  c->deadline_ns = c->since_ns + all->idle_ns;
  pthread_mutex_lock(&all->lock);
  c->next = all->first;
  if (all->first != NULL) all->first->previous = c;
  all->first = c;
  pthread_mutex_unlock(&all->lock);
  return c;
}

void fn_connections_remove(fn_connections *all, fn_connection *c) {
  if (c == NULL) return;
  pthread_mutex_lock(&all->lock);
  if (c->next != NULL) c->next->previous = c->previous;
  if (c->previous != NULL)
    c->previous->next = c->next;
  else
    all->first = c->next;
  pthread_mutex_unlock(&all->lock);
  free(c);
}

void fn_connection_set(fn_connections *all, fn_connection *c, fn_connection_phase phase, uint64_t n_bytes) {
  if (c == NULL) return;
  pthread_mutex_lock(&all->lock);
  if (phase != c->phase) c->since_ns = fn_clock_ns();
  c->phase = phase;
  c->seems_gone = false;
  const uint64_t more = n_bytes / FN_CONNECTION_RATE * second_ns;
  switch (phase) {
  case FN_CONNECTION_WAITS: c->deadline_ns = c->since_ns + all->idle_ns; break;
  case FN_CONNECTION_WORKS: c->deadline_ns = 0; break;
  case FN_CONNECTION_READS:
  case FN_CONNECTION_ANSWERS: c->deadline_ns = c->since_ns + all->request_ns + more; break;
  }
  pthread_mutex_unlock(&all->lock);
}

bool fn_connection_is_late(fn_connections *all, const fn_connection *c) {
  if (c == NULL) return false;
  pthread_mutex_lock(&all->lock);
  const bool late = c->late;
  pthread_mutex_unlock(&all->lock);
  return late;
}
