/* Facade of src/monitor: what is remembered of answers that were given, and who may ask for them. */
#ifndef FN_MONITOR_MONITOR_H
#define FN_MONITOR_MONITOR_H

#include "monitor/browse.h"
#include "monitor/database.h"
#include "monitor/feedback.h"
#include "monitor/keys.h"
#include "monitor/options.h"
#include "monitor/prediction_log.h"

#endif
