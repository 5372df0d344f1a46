/* For targets over libfyaml. Its scanner (0.7.12) does not release a buffer when a long quoted scalar ends in an error;
 * the program reads settings once, so that is a few kilobytes at its end. */
#ifndef FN_TESTS_FUZZ_SUPPRESS_H
#define FN_TESTS_FUZZ_SUPPRESS_H

__attribute__((visibility("default"), used)) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libfyaml";
}

#endif
