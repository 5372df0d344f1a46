/* Drives src/infer/language.h for tests/light/test_language.py: each line of standard input is a text; standard output
 * gets "evidence words not_english" for each. language_probe MAX_WORDS */
#include "infer/language.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  char *line = NULL;
  size_t capacity = 0;
  ssize_t n;
  if (argc != 2) return 2;
  while ((n = getline(&line, &capacity, stdin)) > 0) {
    fn_prose p = {0};
    fn_prose_add(&p, fn_str_make(line, (size_t)n - (line[n - 1] == '\n')), (uint32_t)strtoul(argv[1], NULL, 10));
    printf("%lld %u %d\n", (long long)p.evidence, p.n_words, fn_prose_not_english(&p));
  }
  free(line);
  return 0;
}
