/*
 * The table of processes as lines of text, for a terminal of some width and for scripts.
 *
 * Pure, but for LC_CTYPE (top/label.h). Failure of a text is its own.
 */
#ifndef VIGIE_TOP_VIEW_H
#define VIGIE_TOP_VIEW_H

#include <stddef.h>

#include "common/text.h"
#include "top/fleet.h"

/* Append one line of at most `columns` columns, without its end: the heading, in which the column that it is ordered by has
 * a star, and a row. */
void view_append_heading(size_t columns, enum fleet_order order, struct text *text);
void view_append_row(size_t columns, const struct fleet_row *row, struct text *text);

/* Appends all rows, a line each behind a heading: HOST, IP, CPU%, MEM%, PROB, STATE, and PROCESS, which may have spaces, up
 * to the end; a '-' where there is nothing, and a '_' for a space in a hostname. Columns are as wide as what is in them. */
void view_append_all(const struct fleet_row *const rows[], size_t count, struct text *text);

/* "RED cpu", "AMBER mem", "MISSING", "UNKNOWN", or "" where it is in no alarm. A constant. In a row it is in parentheses
 * where the alarm is silenced. */
const char *view_state(const struct fleet_row *row);

#endif
