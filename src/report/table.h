/* Tables with headers that name their rows and columns, in a region of their own that scrolls sideways. */
#ifndef FN_REPORT_TABLE_H
#define FN_REPORT_TABLE_H

#include "report/html.h"

typedef struct fn_html_column {
  const char *title, *hint; /* hint: small print below it; NULL */
  bool number;              /* aligned to the right */
} fn_html_column;

/* sortable: the script makes buttons of the headers. id: a literal, unique on the page. */
void fn_html_table_begin(fn_buf *out, const char *id, const char *caption, const fn_html_column *columns, size_t n,
                         bool sortable);
/* run: what the script knows the row by; -1: none. */
void fn_html_table_row(fn_buf *out, int run);
void fn_html_table_row_end(fn_buf *out);
/* The cell that names its row. */
void fn_html_table_head(fn_buf *out, const char *text);
/* Text, cut after 200 code points; NULL or "": a dash. */
void fn_html_table_text(fn_buf *out, const char *text);
/* The same; what is short, as values of settings are, is not broken into lines. */
void fn_html_table_word(fn_buf *out, const char *text);
/* NaN: a dash. best: marked, in words too. */
void fn_html_table_number(fn_buf *out, double value, bool best);
/* A number in words of its own, that sorts by `value`. */
void fn_html_table_value(fn_buf *out, double value, const char *text);
void fn_html_table_end(fn_buf *out);

#endif
