/* Facade of src/track: runs of trainings, and the registry of the models that came of them. */
#ifndef FN_TRACK_TRACK_H
#define FN_TRACK_TRACK_H

#include "track/registry.h"
#include "track/tracker.h"
#include "track/tracking.h"

#endif
