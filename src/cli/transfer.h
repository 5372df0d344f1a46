/* Progress of downloads and of artifact stores on stderr: a bar on a terminal, else a line now and then. */
#ifndef FN_CLI_TRANSFER_H
#define FN_CLI_TRANSFER_H

#include "cli/cli.h"
#include "net/download.h"

/* What is being shown; {.cli = …} to begin with. brief: no line for each file, for stores with many small ones. */
typedef struct fn_cli_transfer {
  const fn_cli *cli;
  bool brief;
  uint64_t begin_ns, begin_bytes; /* of the attempt that runs */
  uint64_t shown_ns;              /* latest drawing or line */
} fn_cli_transfer;

/* A sink that shows events, and stops when the user asked for it. */
fn_download_sink fn_cli_transfer_sink(fn_cli_transfer *transfer);

/* "12.3 MB" */
void fn_cli_size_text(char out[32], uint64_t bytes);

#endif
