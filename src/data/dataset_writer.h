/* Writing a prepared dataset into a folder that the caller made (and publishes by rename when all is in it):
 *
 *   dataset_dict.json                       {"splits": ["train", "validation", "test"]}
 *   <split>/data-00000-of-00001.arrow       Arrow stream, columns and types as in data/dataset.h and schema.h
 *   <split>/state.json, dataset_info.json   what `datasets.load_from_disk` asks for
 *
 * The bytes depend on the rows and their order only. */
#ifndef FN_DATA_DATASET_WRITER_H
#define FN_DATA_DATASET_WRITER_H

#include "data/dataset.h"

typedef struct fn_dataset_writer fn_dataset_writer; /* used by one thread */

/* dir exists and is empty of these names. All three splits are written, also one that gets no row. On failure and on
 * destroy before finish the files begun are removed; finished ones stay (the caller drops the folder). */
FN_NODISCARD fn_status fn_dataset_writer_create(fn_dataset_writer **writer_out, const char *dir, fn_err *err);
/* Copies the row; rows of a split come in the order they shall have, splits may take turns. title, text, dataset and
 * source are valid UTF-8 of at most 64 MiB each, label is 0 or 1, cluster and row are ≥ 0, hash has 32 hexadecimal
 * digits. FN_E_INVALID / FN_E_LIMIT otherwise, with the row named; FN_E_IO. */
FN_NODISCARD fn_status fn_dataset_writer_append(fn_dataset_writer *writer, fn_split split, const fn_row *row,
                                                fn_err *err);
/* Ends all streams and writes the JSON files. hash_out (may be NULL): what fn_dataset_hash will say. After finish only
 * destroy may be called. */
FN_NODISCARD fn_status fn_dataset_writer_finish(fn_dataset_writer *writer, fn_hash128 *hash_out, fn_err *err);
void fn_dataset_writer_destroy(fn_dataset_writer *writer);

#endif
