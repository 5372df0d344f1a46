/* Facade of src/data: from files of articles to batches of token ids. */
#ifndef FN_DATA_DATA_H
#define FN_DATA_DATA_H

#include "data/batch.h"
#include "data/csv.h"
#include "data/dataset.h"
#include "data/dataset_writer.h"
#include "data/duplicates.h"
#include "data/fetch.h"
#include "data/input.h"
#include "data/jsonl.h"
#include "data/labels.h"
#include "data/options.h"
#include "data/prepare.h"
#include "data/published.h"
#include "data/rules.h"
#include "data/select.h"
#include "data/split.h"
#include "data/stats.h"
#include "data/token_cache.h"

#endif
