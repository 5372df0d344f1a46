/* Facade of src/base: what every other folder stands on. */
#ifndef FN_BASE_BASE_H
#define FN_BASE_BASE_H

#include "base/clock.h"
#include "base/environment.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/library.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "base/status.h"
#include "base/str.h"

#endif
