/* The entry point of every fuzz target (libFuzzer's); replay.c calls it for each file of a corpus. */
#ifndef FN_TESTS_FUZZ_H
#define FN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stops the fuzzer with a finding; unlike assert also in release builds. */
#define FUZZ_CHECK(condition)                                                                                          \
  do {                                                                                                                 \
    if (!(condition)) abort();                                                                                         \
  } while (0)

#endif
