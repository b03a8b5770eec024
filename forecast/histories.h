/*
 * Reads the histories of a host or a series, by steps, as far back as [forecast] history says and
 * the server allows: a window that it refuses is made shorter, with a line in the log.
 *
 * One thread uses a struct histories, which the caller owns.
 */
#ifndef VIGIE_FORECAST_HISTORIES_H
#define VIGIE_FORECAST_HISTORIES_H

#include <stdbool.h>
#include <stdint.h>

#include "forecast/history.h"
#include "forecast/setup.h"

struct histories {
	const struct setup *setup; /* borrowed */
	int64_t window_ms;         /* what the server does not refuse */
};

void histories_init(struct histories *histories, const struct setup *setup);

/*
 * Gives the reader the steps up to step `last` at most: of all series of a host that were over
 * [forecast] above, or (`process` not NULL) of one and one resource. 0 or an error of
 * uplink_history() with a sentence.
 */
int histories_read(struct histories *histories, const char *ip, const char *process, enum resource resource,
                   int64_t last, int64_t now_ms, const struct history_reader *reader, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Whether what failed with this result would fail so again. */
bool histories_refused(const struct histories *histories, int result);

#endif
