#include "report/table.h"

#include <math.h>

void fn_html_table_begin(fn_buf *out, const char *id, const char *caption, const fn_html_column *columns, size_t n,
                         bool sortable) {
  fn_html_add(out,
              "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-labelledby=\"%s-caption\"><table id=\"%s\"", id,
              id);
  if (sortable) fn_buf_append_str(out, " class=\"sortable\"");
  fn_html_add(out, "><caption id=\"%s-caption\"><span>%s</span></caption>\n<thead><tr>", id, caption);
  for (size_t i = 0; i < n; i++) {
    fn_buf_append_str(out, columns[i].number ? "<th scope=\"col\" class=\"number\">" : "<th scope=\"col\">");
    (columns[i].number ? fn_html_cut : fn_html_key)(out, columns[i].title, columns[i].number ? 40 : 80);
    if (columns[i].hint) fn_html_add(out, " <small>%s</small>", columns[i].hint);
    fn_buf_append_str(out, "</th>");
  }
  fn_buf_append_str(out, "</tr></thead>\n<tbody>\n");
}

void fn_html_table_row(fn_buf *out, int run) {
  if (run >= 0)
    fn_html_add(out, "<tr data-run=\"%d\">", run);
  else
    fn_buf_append_str(out, "<tr>");
}

void fn_html_table_row_end(fn_buf *out) {
  fn_buf_append_str(out, "</tr>\n");
}

void fn_html_table_head(fn_buf *out, const char *text) {
  fn_buf_append_str(out, "<th scope=\"row\">");
  fn_html_key(out, text, 120);
  fn_buf_append_str(out, "</th>");
}

static void write_text(fn_buf *out, const char *text, size_t whole) {
  if (!text || !*text) {
    fn_buf_append_str(out, "<td class=\"none\">–</td>");
    return;
  }
  fn_buf_append_str(out, strlen(text) <= whole ? "<td class=\"word\">" : "<td>");
  fn_html_cut(out, text, 200);
  fn_buf_append_str(out, "</td>");
}

void fn_html_table_text(fn_buf *out, const char *text) {
  write_text(out, text, 0);
}

void fn_html_table_word(fn_buf *out, const char *text) {
  write_text(out, text, 16);
}

void fn_html_table_value(fn_buf *out, double value, const char *text) {
  fn_buf_append_str(out, "<td class=\"number\" data-sort=\"");
  fn_buf_append_double(out, value);
  fn_html_add(out, "\">%s</td>", text);
}

void fn_html_table_number(fn_buf *out, double value, bool best) {
  char text[32];
  if (isnan(value)) {
    fn_buf_append_str(out, "<td class=\"number none\">–</td>");
    return;
  }
  fn_buf_append_str(out, best ? "<td class=\"number best\" data-sort=\"" : "<td class=\"number\" data-sort=\"");
  fn_buf_append_double(out, value);
  fn_html_add(out, "\">%s", fn_number_text(text, value));
  fn_buf_append_str(out, best ? " <small>best</small></td>" : "</td>");
}

void fn_html_table_end(fn_buf *out) {
  fn_buf_append_str(out, "</tbody></table></div>\n");
}
