/*
 * Goes over the samples of a query's window: rows, and the hours that are sealed, by their summaries where these do.
 *
 * A sealed hour of a host has a row in `hour`, with its summaries and its samples. What came later lies over them as rows
 * of `sample`, which are looked for where the row says that there are such. Without samples the 5-minute summaries are all
 * that is kept: each counts as its samples would if they were all of the step's start.
 *
 * Hours come by rising time, the hosts of one in no order. An hour that is damaged is noted and left out.
 */
#ifndef VIGIE_FCGI_SQLITE_SCAN_H
#define VIGIE_FCGI_SQLITE_SCAN_H

#include "fcgi/sqlite/late.h"
#include "fcgi/sqlite/readers.h"

/* What a read does with what it is given; another result than 0 ends the scan with it. */
struct scan_sink {
	void *state;
	bool wanted[RESOURCE_COUNT]; /* others may be left out */
	int64_t summed_ms; /* summaries of this long are as good as samples, and of what is shorter: BLOCK_MS, BLOCK_STEP_MS; 0: none */

	/* Takes the entry, by its numbers, that a row's reader is at. */
	int (*entry)(void *state, int32_t group, int64_t time_ms, const struct packing_reader *row);

	/* Takes samples of a series in the hour that begins at hour_ms. */
	int (*samples)(void *state, int32_t group, uint32_t series, enum resource resource, int64_t hour_ms,
	               const struct block_samples *samples);

	/* Takes the summary, which has samples, of what begins at time_ms. */
	int (*summary)(void *state, int32_t group, uint32_t series, enum resource resource, int64_t time_ms,
	               const struct block_summary *summary);
};

/* 0, what the sink gives, -ENOMEM, or what database_result() gives. */
int scan_run(const struct snapshot *snapshot, const struct scan_sink *sink) __attribute__((warn_unused_result));

/* How many series of a host have samples of that very time, or, where they are kept no more, of its 5 minutes. 0 or as
 * scan_run(). */
int scan_count_series(const struct snapshot *snapshot, uint32_t host, int64_t time_ms, size_t *ret_count)
	__attribute__((warn_unused_result));

/* ---- of the files of scans alone ---- */

struct scan {
	const struct snapshot *snapshot;
	const struct scan_sink *sink;
	int64_t first_ms, last_ms; /* the window, both within */
	uint32_t last_series;      /* the highest number that is wanted */
	int64_t next_key;          /* of one host: there is no row from the one that was sought last to before this */
	struct late late;          /* over the hour that is read */
};

/* Goes over a sealed hour: summaries[length], and its samples where they are needed; scan->late lies over it. 0, what the
 * sink gives, -EBADMSG where it is damaged, or what database_result() gives. */
int scan_hour(struct scan *scan, int64_t key, const void *summaries, size_t length) __attribute__((warn_unused_result));

/* Notes that a sealed hour is damaged. */
void scan_note_damage(const struct snapshot *snapshot, int64_t key);

#endif
