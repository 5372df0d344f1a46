/* Facade of src/track: runs of trainings, their store and their sinks. */
#ifndef FN_TRACK_TRACK_H
#define FN_TRACK_TRACK_H

#include "track/tracker.h"
#include "track/tracking.h"

#endif
