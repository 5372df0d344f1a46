/* Who writes a run, so that a run whose process is gone can be told from one that goes on. Linux: /proc. */
#ifndef FN_TRACK_PROCESS_H
#define FN_TRACK_PROCESS_H

#include "base/base.h"

typedef struct fn_process {
  char host[128];
  char space[128]; /* of process ids: this boot of the machine, the namespace, and the machine's id as a hash */
  int64_t pid;
  int64_t started; /* clock ticks after the boot: another process that got the same id began at another time */
} fn_process;

typedef enum fn_process_life { FN_PROCESS_ALIVE, FN_PROCESS_GONE, FN_PROCESS_ELSEWHERE } fn_process_life;

/* This process. What cannot be read is left empty, and then nobody is called gone because of it. */
void fn_process_self(fn_process *out);
/* As seen by `self`. ELSEWHERE: another machine or container, of which nothing can be said from here. */
fn_process_life fn_process_look(const fn_process *process, const fn_process *self);

#endif
