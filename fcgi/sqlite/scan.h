/*
 * Goes over the samples of a query's window: rows, and the hours that are sealed, by their summaries where these do.
 *
 * A sealed hour of a host has a row in `hour`, with its summaries and its samples. What came later lies over them as rows
 * of `sample`, which are looked for where the row says that there are such. Without samples the 5-minute summaries are all
 * that is kept: each counts as its samples would if they were all of the step's start.
 *
 * Hours come by rising time, the hosts of one in no order; where there may be a second state, in no order at all. An hour that is damaged is noted and left out.
 */
#ifndef VIGIE_FCGI_SQLITE_SCAN_H
#define VIGIE_FCGI_SQLITE_SCAN_H

#include <errno.h>

#include "fcgi/sqlite/late.h"
#include "fcgi/sqlite/readers.h"

/* A row, as a read goes over its entries. */
struct scan_row {
	const struct grouping *grouping;
	int64_t start_ms, first_ms, last_ms; /* of the row, and of the window */
	struct packing_reader reader;        /* at the entry, its values in reader.numbers */
	int64_t time_ms;                     /* of the entry */
	bool inside;                         /* that is in the window */
	uint64_t unusable;                   /* values that were left out */
};

/* The number, or that there is none, where nobody can have stored it: a bit of the file may have flipped. */
struct packing_number scan_check_number(struct packing_number number, bool possible);

/* 1: the next entry in the window, and the group that its series is in; 0: there is none; -EBADMSG. Inline, as the
 * reads go over millions of them; fastest on a copy of the row that is the caller's own. */
__attribute__((always_inline)) static inline int scan_next_entry(struct scan_row *row, int32_t *ret_group)
{
	struct packing_reader *reader = &row->reader;
	struct packing_number *first = &reader->numbers[HALF_FIRST], *second = &reader->numbers[HALF_SECOND];
	int32_t group;
	do {
		while (reader->left == 0) {
			int more = packing_next_section(reader);
			if (more != 1)
				return more ? -EBADMSG : 0;
			row->time_ms = row->start_ms + reader->entry.offset_ms;
			row->inside = row->time_ms >= row->first_ms && row->time_ms <= row->last_ms;
		}
		if (!packing_take_entry(reader))
			return -EBADMSG;
		group = grouping_find(row->grouping, reader->entry.series, row->time_ms);
	} while (group == GROUPING_NONE || !row->inside);
	_Static_assert(HALF_COUNT == 2, "an entry has the numbers of both halves");
	/* As nearly all are. */
	if (reader->entry.offset_ms >= PACKING_SPAN_MS || !packing_is_plain(first) || !packing_is_plain(second)) {
		bool possible = reader->entry.offset_ms < PACKING_SPAN_MS;
		for (int i = 0; i < HALF_COUNT; i++) {
			struct packing_number checked = scan_check_number(reader->numbers[i], possible);
			row->unusable += checked.code != reader->numbers[i].code;
			reader->numbers[i] = checked;
		}
	}
	*ret_group = group;
	return 1;
}

/* What a read does with what it is given; another result than 0 ends the scan with it. */
struct scan_sink {
	void *state;
	/* Makes a state for another thread, which takes rows and summaries; NULL, also its result: there is none. */
	void *(*hold_second)(void *user);
	void *user; /* of hold_second() */
	bool wanted[HALF_COUNT]; /* others may be left out */
	int64_t summed_ms; /* summaries of this long are as good as samples, and of what is shorter: BLOCK_MS, BLOCK_STEP_MS; 0: none */

	/* Takes the entries of a row that scan_next_entry() gives; -EBADMSG where that does. */
	int (*row)(void *state, struct scan_row *row);

	/* Takes samples of a series in the hour that begins at hour_ms. */
	int (*samples)(void *state, int32_t group, uint32_t series, enum half half, int64_t hour_ms,
	               const struct block_samples *samples);

	/* Takes the summary, which has samples, of what begins at time_ms. */
	int (*summary)(void *state, int32_t group, uint32_t series, enum half half, int64_t time_ms,
	               const struct block_summary *summary);
};

/* 0, what the sink gives, -ENOMEM, or what database_result() gives. */
int scan_run(const struct snapshot *snapshot, const struct scan_sink *sink) __attribute__((warn_unused_result));

/* Whether anybody has anything of the query's metric that may be in its window: cheap, and needs no grouping. 0 or what
 * database_result() gives. */
int scan_find_any(const struct snapshot *snapshot, bool *ret_any) __attribute__((warn_unused_result));

/* The start of the newest hour of which anything is sealed; negative: nothing is. 0 or as scan_run(). */
int scan_find_newest_sealed(const struct snapshot *snapshot, int64_t *ret_hour_ms) __attribute__((warn_unused_result));

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
	enum { SCAN_ALL, SCAN_SUMMED, SCAN_OTHERS } columns; /* of sealed hours: those whose summary of the hour does, or not */
	bool left_out;             /* there were others */
	size_t row_bytes;          /* of rows that were read of all hosts */
	struct scan_helper *helper; /* NULL: there is none */
};

/* Gives a row to the sink. 0, what the sink gives, or what database_damaged() gives. */
int scan_read_row(const struct scan *scan, int64_t key, const void *data, size_t length)
	__attribute__((warn_unused_result));

/* The same, and notes its samples in `late` unless that is NULL. As scan_read_row(), or -ENOMEM. */
int scan_visit_row(struct scan *scan, int64_t key, const void *data, size_t length, struct late *late)
	__attribute__((warn_unused_result));

/* The same of one that lies over nothing, of those of all hosts: of very many by two threads. */
int scan_visit_row_of_all(struct scan *scan, int64_t key, const void *data, size_t length)
	__attribute__((warn_unused_result));

/* Goes over a sealed hour: summaries[length], and its samples where they are needed; scan->late lies over it. 0, what the
 * sink gives, -EBADMSG where it is damaged, or what database_result() gives. */
int scan_hour(struct scan *scan, int64_t key, const void *summaries, size_t length) __attribute__((warn_unused_result));

/* The same of one that nothing lies over; where it is damaged that is noted, and it is left out. */
int scan_read_hour(struct scan *scan, int64_t key, const void *summaries, size_t length) __attribute__((warn_unused_result));

/* Goes over the columns of a sealed hour whose summary of the hour does not do. As scan_run(). */
int scan_visit_others(struct scan *scan, int64_t key) __attribute__((warn_unused_result));

/* Notes that a sealed hour is damaged. */
void scan_note_damage(const struct snapshot *snapshot, int64_t key);

#endif
