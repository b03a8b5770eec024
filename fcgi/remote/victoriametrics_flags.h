/*
 * The flags that VictoriaMetrics was started with, as /flags tells them: how long it keeps
 * samples, and that it keeps one of a series and time, are theirs alone to say. What is not
 * as it should be is warned of, once. Of one thread.
 */
#ifndef VIGIE_FCGI_REMOTE_VICTORIAMETRICS_FLAGS_H
#define VIGIE_FCGI_REMOTE_VICTORIAMETRICS_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

/* All zeros: nothing was warned of yet. */
struct victoriametrics_flags {
	double warned_days;  /* of the engine's retention; 0: not yet */
	bool warned_doubles; /* of the lack of -dedup.minScrapeInterval */
};

/* `text`: a line "-name="value"" a flag that is set. */
void victoriametrics_flags_check(struct victoriametrics_flags *flags, const char *text, int64_t retention_ms);

#endif
