/* Facade of src/report: pages that stand alone in one file, and the pieces that they are made of. */
#ifndef FN_REPORT_REPORT_H
#define FN_REPORT_REPORT_H

#include "report/bars.h"
#include "report/line_chart.h"
#include "report/matrix.h"
#include "report/parallel.h"
#include "report/runs.h"
#include "report/table.h"

#endif
