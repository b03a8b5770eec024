/*
 * What is reported to the server about series: a PUT of {"data": [items]}, or as many PUTs as it takes
 * for each to stay well under the server's limit; at least one, as a sign of life.
 *
 * Begin, for each item series_report_add() and what else the item has, end. After an error the
 * rest need not be added. One thread uses a report, whose struct the caller owns: it frees
 * `body` with text_free().
 */
#ifndef VIGIE_COMMON_SERIES_REPORT_H
#define VIGIE_COMMON_SERIES_REPORT_H

#include "common/client.h"
#include "common/text.h"
#include "common/wire.h"

struct series_report {
	struct client *client; /* borrowed */
	const char *path;      /* as in client_put(); borrowed */
	struct text body;
};

void series_report_begin(struct series_report *report);

/* Sends what is full, and begins an item with the series' names. The caller appends the other
 * members to the body, each behind a comma, a few hundred bytes in all, and the item's brace. The
 * errors of client_put(). */
int series_report_add(struct series_report *report, const char *ip, const char *process, enum resource resource,
                      struct text *ret_error) __attribute__((warn_unused_result));

/* Appends a member of the present item. A number that the server does not take is left out: it refuses a report
 * whole, and the other items are not to go with this one. */
void series_report_append(struct series_report *report, const char *key, double number);

int series_report_end(struct series_report *report, struct text *ret_error) __attribute__((warn_unused_result));

#endif
