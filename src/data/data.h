/* Facade of src/data: from files of articles to batches of token ids. */
#ifndef FN_DATA_DATA_H
#define FN_DATA_DATA_H

#include "data/batch.h"
#include "data/dataset.h"
#include "data/dataset_writer.h"
#include "data/options.h"
#include "data/select.h"
#include "data/token_cache.h"

#endif
