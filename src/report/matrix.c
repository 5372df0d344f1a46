#include "report/matrix.h"

#include <math.h>

void fn_matrix_write(fn_buf *out, const fn_matrix *m) {
  char text[32];
  fn_html_add(out,
              "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-labelledby=\"%s-caption\">"
              "<table class=\"matrix\" id=\"%s\"><caption id=\"%s-caption\">",
              m->id, m->id, m->id);
  fn_html_cut(out, m->title, 120);
  fn_buf_append_str(out, "</caption>\n<thead><tr><th scope=\"col\">true</th>");
  for (size_t c = 0; c < m->n_classes; c++)
    fn_html_add(out, "<th scope=\"col\" class=\"number\">as %s</th>", m->classes[c]);
  fn_buf_append_str(out, "<th scope=\"col\" class=\"number\">rows</th></tr></thead>\n<tbody>\n");
  for (size_t r = 0; r < m->n_classes; r++) {
    double sum = 0;
    for (size_t c = 0; c < m->n_classes; c++) sum += (double)m->counts[r * m->n_classes + c];
    fn_html_add(out, "<tr><th scope=\"row\">%s</th>", m->classes[r]);
    for (size_t c = 0; c < m->n_classes; c++) {
      const double count = (double)m->counts[r * m->n_classes + c], share = sum > 0 ? count / sum : 0;
      fn_html_add(out, "<td class=\"number shade%d%s\">%s <small>", (int)floor(share * 4.999), r == c ? " right" : "",
                  fn_number_text(text, count));
      if (sum > 0)
        fn_html_add(out, "%.*f %%", share > 0 && share < 0.1 ? 1 : 0, 100 * share);
      else
        fn_buf_append_str(out, "no rows");
      fn_buf_append_str(out, "</small></td>");
    }
    fn_html_add(out, "<td class=\"number\">%s</td></tr>\n", fn_number_text(text, sum));
  }
  fn_buf_append_str(out, "</tbody></table></div>\n");
}
