#include "wandb/records.h"

/* Numbers of Record's kinds. */
enum {
  KIND_HISTORY = 2,
  KIND_SUMMARY = 3,
  KIND_CONFIG = 5,
  KIND_FILES = 6,
  KIND_STATS = 7,
  KIND_ARTIFACT = 8,
  KIND_OUTPUT_RAW = 13,
  KIND_RUN = 17,
  KIND_EXIT = 18,
  KIND_FINAL = 20,
  KIND_HEADER = 21,
  KIND_FOOTER = 22,
};

/* ---- protobuf's wire format: a key (field number, kind of value), then a number or a length with bytes ---- */

static void put_varint(fn_buf *out, uint64_t value) {
  for (; value > 127; value >>= 7) fn_buf_append_char(out, (char)(value | 128));
  fn_buf_append_char(out, (char)value);
}

static void put_number(fn_buf *out, unsigned field, int64_t value) {
  if (value == 0) return;
  put_varint(out, (uint64_t)field << 3);
  put_varint(out, (uint64_t)value);
}

static void put_bytes(fn_buf *out, unsigned field, const char *data, size_t length) {
  put_varint(out, (uint64_t)field << 3 | 2);
  put_varint(out, length);
  fn_buf_append(out, data, length);
}

/* protobuf's strings are UTF-8 and readers refuse others. */
static void put_text(fn_buf *out, unsigned field, const char *text) {
  if (!text || !*text) return;
  size_t n = strlen(text), bad = 0;
  if (!fn_utf8_valid(fn_str_make(text, n), &bad)) n = bad;
  put_bytes(out, field, text, n);
}

/* A message inside a message: begin notes where it starts, end puts its head before it. */
static size_t begin(const fn_buf *out) {
  return out->length;
}

static void end(fn_buf *out, size_t start, unsigned field) {
  unsigned char head[20];
  size_t n = 0;
  const uint64_t parts[2] = {(uint64_t)field << 3 | 2, out->length - start};
  for (int i = 0; i < 2; i++) {
    uint64_t value = parts[i];
    for (; value > 127; value >>= 7) head[n++] = (unsigned char)(value | 128);
    head[n++] = (unsigned char)value;
  }
  if (!fn_buf_reserve(out, n)) return;
  memmove(out->data + start + n, out->data + start, out->length - start);
  memcpy(out->data + start, head, n);
  out->length += n;
  out->data[out->length] = '\0';
}

static void put_time(fn_buf *out, unsigned field, int64_t ms) {
  const size_t start = begin(out);
  put_number(out, 1, ms / 1000);
  put_number(out, 2, ms % 1000 * 1000000);
  end(out, start, field);
}

/* Items of config, history, summary. */
static void put_items(fn_buf *out, unsigned field, const fn_wandb_item *items, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const size_t start = begin(out);
    for (size_t k = 0; k < items[i].n_path; k++) put_text(out, 2, items[i].path[k]);
    put_text(out, 16, items[i].json);
    end(out, start, field);
  }
}

/* ---- records ---- */

static size_t begin_record(fn_buf *out, int64_t num) {
  put_number(out, 1, num);
  return begin(out);
}

void fn_wandb_put_header(fn_buf *out, int64_t num) {
  const size_t start = begin_record(out, num), version = begin(out);
  put_text(out, 1, "0.31.0"); /* the version whose form this is */
  put_text(out, 2, "0.9.0");
  end(out, version, 1);
  end(out, start, KIND_HEADER);
}

void fn_wandb_put_run(fn_buf *out, int64_t num, const fn_wandb_run *run) {
  const size_t start = begin_record(out, num);
  put_text(out, 1, run->id);
  put_text(out, 2, run->entity);
  put_text(out, 3, run->project);
  put_text(out, 6, run->group);
  put_text(out, 7, run->job_type);
  put_text(out, 8, run->name);
  put_text(out, 9, run->notes);
  for (size_t i = 0; i < run->n_tags; i++) put_text(out, 10, run->tags[i]);
  put_text(out, 13, run->host);
  put_number(out, 14, run->starting_step);
  put_time(out, 17, run->start_ms);
  put_number(out, 18, run->resumed);
  if (run->commit || run->remote) {
    const size_t git = begin(out);
    put_text(out, 1, run->remote);
    put_text(out, 2, run->commit);
    end(out, git, 21);
  }
  end(out, start, KIND_RUN);
}

/* A record of nothing but items, in its field 1. */
static void put_values(fn_buf *out, int64_t num, const fn_wandb_item *items, size_t n, unsigned field) {
  const size_t start = begin_record(out, num);
  put_items(out, 1, items, n);
  end(out, start, field);
}

void fn_wandb_put_config(fn_buf *out, int64_t num, const fn_wandb_item *items, size_t n) {
  put_values(out, num, items, n, KIND_CONFIG);
}

void fn_wandb_put_history(fn_buf *out, int64_t num, const fn_wandb_item *items, size_t n, int64_t step) {
  const size_t start = begin_record(out, num);
  put_items(out, 1, items, n);
  const size_t inner = begin(out);
  put_number(out, 1, step);
  end(out, inner, 2);
  end(out, start, KIND_HISTORY);
}

void fn_wandb_put_summary(fn_buf *out, int64_t num, const fn_wandb_item *items, size_t n) {
  put_values(out, num, items, n, KIND_SUMMARY);
}

void fn_wandb_put_stats(fn_buf *out, int64_t num, const fn_wandb_item *items, size_t n, int64_t time_ms) {
  const size_t start = begin_record(out, num);
  put_time(out, 2, time_ms);
  for (size_t i = 0; i < n; i++) {
    const size_t item = begin(out);
    put_text(out, 1, items[i].path[0]);
    put_text(out, 16, items[i].json);
    end(out, item, 3);
  }
  end(out, start, KIND_STATS);
}

void fn_wandb_put_output(fn_buf *out, int64_t num, const char *line, int64_t time_ms) {
  const size_t start = begin_record(out, num);
  put_number(out, 1, 1); /* stdout */
  put_time(out, 2, time_ms);
  put_text(out, 3, line);
  end(out, start, KIND_OUTPUT_RAW);
}

void fn_wandb_put_files(fn_buf *out, int64_t num, const char *const *paths, size_t n) {
  const size_t start = begin_record(out, num);
  for (size_t i = 0; i < n; i++) {
    const size_t file = begin(out);
    put_text(out, 1, paths[i]);
    put_number(out, 2, 1); /* END */
    end(out, file, 1);
  }
  end(out, start, KIND_FILES);
}

static void put_manifest(fn_buf *out, const fn_wandb_artifact *a) {
  const size_t start = begin(out);
  put_number(out, 1, 1);
  put_text(out, 2, "wandb-storage-policy-v1");
  const size_t config = begin(out);
  put_text(out, 1, "storageLayout");
  put_text(out, 2, "\"V2\"");
  end(out, config, 3);
  for (size_t i = 0; i < a->n_files; i++) {
    const size_t file = begin(out);
    put_text(out, 1, a->files[i].path);
    put_text(out, 2, a->files[i].md5_base64);
    put_text(out, 3, a->files[i].ref);
    put_number(out, 4, (int64_t)a->files[i].n_bytes);
    end(out, file, 4);
  }
  end(out, start, 12);
}

void fn_wandb_put_artifact(fn_buf *out, int64_t num, const fn_wandb_artifact *a) {
  const size_t start = begin_record(out, num);
  put_text(out, 1, a->run_id);
  put_text(out, 2, a->project);
  put_text(out, 3, a->entity);
  put_text(out, 4, a->type);
  put_text(out, 5, a->name);
  put_text(out, 6, a->digest);
  put_text(out, 8, a->metadata_json);
  put_number(out, 9, 1);  /* made by the user */
  put_number(out, 10, 1); /* used after its commit */
  for (size_t i = 0; i < a->n_aliases; i++) put_text(out, 11, a->aliases[i]);
  put_manifest(out, a);
  put_number(out, 14, 1); /* finalize */
  end(out, start, KIND_ARTIFACT);
}

void fn_wandb_put_exit(fn_buf *out, int64_t num, int exit_code, int64_t runtime_s) {
  const size_t start = begin_record(out, num);
  put_number(out, 1, exit_code);
  put_number(out, 2, runtime_s);
  end(out, start, KIND_EXIT);
}

void fn_wandb_put_final(fn_buf *out, int64_t num) {
  end(out, begin_record(out, num), KIND_FINAL);
}

void fn_wandb_put_footer(fn_buf *out, int64_t num) {
  end(out, begin_record(out, num), KIND_FOOTER);
}
