#include "track/tracking.h"

const char *const fn_run_status_names[FN_N_RUN_STATUSES] = {"RUNNING", "SCHEDULED", "FINISHED",
                                                            "FAILED",  "KILLED",    "INTERRUPTED"};

void fn_run_id_make(char out[FN_RUN_ID_LENGTH], const unsigned char random[16]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < 16; i++) {
    out[2 * i] = digits[random[i] >> 4];
    out[2 * i + 1] = digits[random[i] & 15];
  }
  out[FN_RUN_ID_LENGTH - 1] = '\0';
}
