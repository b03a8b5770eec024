/*
 * Sealed hours: the samples of one metric of one host in one hour as two strings of bytes.
 *
 * The samples lie by column: the times of the hour once, then each series' values of memory and of CPU. The
 * summaries are made of them: of each series and half how many samples it has, their sum and their maximum, of
 * the whole hour and of each step of five minutes. Both are zstd frames with a checksum behind a byte that tells their
 * layout, BLOCK_LAYOUT; block_internal.h has that.
 *
 * An hour begins at a multiple of BLOCK_MS since 1970, its steps at multiples of BLOCK_STEP_MS: step k of it has the
 * samples with offsets [k * BLOCK_STEP_MS, (k + 1) * BLOCK_STEP_MS). Windows are (from, to], so that a step counts as
 * a whole in a window only when its start is after `from` and its last millisecond is not after `to`
 * (block_whole_steps()); what else of the window is in the hour is to be taken from the samples.
 *
 * Entries are those of packing.h, with offsets from the hour's start. Pure but for memory: a builder and a reader keep
 * theirs from one hour to the next, and each is used by one thread at a time.
 *
 * What is read may be damaged: that is -EBADMSG, and never a read out of bounds; nothing more is then to be asked of that
 * hour. What is not damaged gives each value back bit for bit (but -0, which is 0).
 */
#ifndef VIGIE_FCGI_SQLITE_BLOCK_H
#define VIGIE_FCGI_SQLITE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "fcgi/sqlite/packing.h"

enum {
	BLOCK_LAYOUT = 1,       /* the one that is known: another is damaged */
	BLOCK_MS = 3600000,     /* an hour */
	BLOCK_STEP_MS = 300000, /* a step: five minutes */
	BLOCK_STEPS = BLOCK_MS / BLOCK_STEP_MS,
	BLOCK_ENTRIES_MAX = 1 << 22, /* of an hour, 64 bytes of memory each; one that has more cannot be sealed */
};

/* Makes the strings of one hour after the other. */
struct block_builder;

/* NULL: out of memory. */
struct block_builder *block_builder_open(void);

/* Accepts NULL. */
void block_builder_close(struct block_builder *builder);

/* Adds an entry of the hour, in any order, fastest by rising time; of several for one series, time and half the
 * last one added counts. Its values are sample_is_usable(); one without any is passed over. 0, -ENOMEM, -E2BIG over
 * BLOCK_ENTRIES_MAX, or -ERANGE when its time is not in the hour. */
int block_builder_add(struct block_builder *builder, const struct packing_entry *entry)
	__attribute__((warn_unused_result));

/* Adds what the samples of an hour hold: what is added after it counts over it. 0, -ENOMEM, -E2BIG or -EBADMSG. */
int block_builder_add_block(struct block_builder *builder, const void *samples, size_t length)
	__attribute__((warn_unused_result));

/* Appends the strings of the hour that was added. 0, -ENOMEM or -E2BIG (over FRAME_BYTES_MAX); the builder is empty
 * after it in any case, and ready for the next hour. */
int block_builder_finish(struct block_builder *builder, struct text *samples, struct text *summaries)
	__attribute__((warn_unused_result));

/* Empties a builder whose hour is not wanted. */
void block_builder_reset(struct block_builder *builder);

/* Reads hours, one at a time, its samples or its summaries: a read keeps its own from one hour to the next. */
struct block_reader;

/* NULL: out of memory. */
struct block_reader *block_reader_open(void);

/* Accepts NULL. */
void block_reader_close(struct block_reader *reader);

/*
 * Samples: block_read(), then block_next_series() for each series, by rising number, and block_find_samples() of those
 * that are wanted: what is not asked for costs little more than the inflation of the hour.
 */

/* Begins with the samples of an hour, whose bytes need not stay. 0, -ENOMEM or -EBADMSG. */
int block_read(struct block_reader *reader, const void *samples, size_t length) __attribute__((warn_unused_result));

/* 1: the next series is found, its number in ret_series; 0: there is none; -EBADMSG. */
int block_next_series(struct block_reader *reader, uint32_t *ret_series) __attribute__((warn_unused_result));

/* Of one series and half, by rising time. */
struct block_samples {
	const uint32_t *offset_ms; /* offset_ms[count] */
	const double *value;       /* value[count], as they were stored */
	size_t count;
};

/* The samples with offsets [first_ms, end_ms) of the series that block_next_series() has found; they are valid until
 * it is called again, or this for the same half. 0 or -EBADMSG. */
int block_find_samples(struct block_reader *reader, enum half half, uint32_t first_ms, uint32_t end_ms,
                       struct block_samples *ret_samples) __attribute__((warn_unused_result));

/* Of the samples of one series and half in an hour or a step. */
struct block_summary {
	uint32_t count; /* 0: there are none, and the rest is 0 */
	bool exact;     /* every value of the hour is a whole number of thousandths, and their sum below 2^53 */
	double sum;     /* thousandths; exact: a whole number, otherwise rounded: who has the samples takes these */
	double maximum; /* exact: thousandths, a whole number; otherwise as it was stored */
};

/* The maximum as it was stored. */
static inline double block_summary_maximum(const struct block_summary *summary)
{
	return summary->exact ? summary->maximum / 1000 : summary->maximum;
}

/*
 * Summaries: block_read_summaries(), then for each series block_next_summary(). Series rise by number.
 */

/* Begins with the summaries of an hour, whose bytes are borrowed until the next. 0, -ENOMEM or -EBADMSG. */
int block_read_summaries(struct block_reader *reader, const void *summaries, size_t length)
	__attribute__((warn_unused_result));

/* 1: the summary of the next series, of the whole hour; 0: there is none; -EBADMSG. */
int block_next_summary(struct block_reader *reader, uint32_t *ret_series,
                       struct block_summary ret_hour[static HALF_COUNT]) __attribute__((warn_unused_result));

/* The steps of one half of the series that block_next_summary() has found. The first call of an hour inflates
 * them. 0, -ENOMEM or -EBADMSG. */
int block_find_steps(struct block_reader *reader, enum half half,
                     struct block_summary ret_steps[static BLOCK_STEPS]) __attribute__((warn_unused_result));

/* The steps of the hour that begins at hour_ms that are whole in the window (from_ms, to_ms]: [*ret_first, *ret_end),
 * empty where both are equal; all of them: the summary of the hour is that of the window. */
static inline void block_whole_steps(int64_t hour_ms, int64_t from_ms, int64_t to_ms, int *ret_first, int *ret_end)
{
	int first = 0, end = BLOCK_STEPS;
	while (first < BLOCK_STEPS && hour_ms + first * (int64_t)BLOCK_STEP_MS <= from_ms)
		first++;
	while (end > first && hour_ms + end * (int64_t)BLOCK_STEP_MS - 1 > to_ms)
		end--;
	*ret_first = first;
	*ret_end = end;
}

#endif
