/*
 * alert.log: one line a transition, made to be followed with tail -F.
 *
 *   2026-11-22T14:00:15.000Z RED ip=10.0.0.5 process="java" resource=mem value=83.10 threshold=80 since=2026-11-22T14:00:10Z
 *   2026-11-22T14:00:15.000Z AMBER ip=10.0.0.5 process="java" resource=mem value=61.00 forecast=91.20 probability=0.83 threshold=80 expected_at=2026-11-22T14:14:38Z since=2026-11-22T14:00:00Z
 *   2026-11-22T14:02:45.000Z UNKNOWN ip=10.0.0.5 process="*" since=2026-11-22T14:02:00Z
 *
 * A line's time is the evaluation's; the fields are described in alert/fields.h.
 *
 * Each line is one write(), appended, and synced before a state says that it was said: otherwise a
 * loss of power could leave the state alone, and nobody would say it again. The file is opened anew when it has been
 * moved or removed. What cannot be written (a full disk) waits for the next time,
 * up to ALERT_LOG_WAITING_MAX bytes. Libraries return, so the caller says it. A file that
 * ends within a line, since it was cut, gets the line's end before the next one.
 *
 * What waits is the caller's to keep over a restart; what has been said since that was last kept is in the
 * file itself, whose end alert_log_read_tail() gives.
 */
#ifndef VIGIE_ALERT_ALERT_LOG_H
#define VIGIE_ALERT_ALERT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/alarm.h"
#include "common/text.h"

enum {
	ALERT_LOG_WAITING_MAX = 1 << 20,
	ALERT_LOG_TAIL_MAX = 2 * ALERT_LOG_WAITING_MAX, /* bytes: all that waited, and what was said behind it */
};

struct alert_log {
	char *path;
	int fd;              /* -1: not open */
	struct text waiting; /* whole lines, oldest first */
	size_t torn;         /* bytes of the first of them that are in the file already */
	bool unended;        /* the file ends within a line that is none of them */
	bool unsynced;       /* there are lines in the file that may not be on the disk */
	uint64_t dropped;    /* lines that found no place to wait */
	bool changed;        /* what waits is not what the caller has last kept, who clears this */
};

/* Appends the line of `transition`, with its newline. Pure. */
void alert_log_format(const struct transition *transition, int64_t now_ms, struct text *text);

/* Reads what alert_log_format() has written, without its newline: `line` has `length` bytes. Names are as they
 * stand there. False: it is no such line. Pure. */
bool alert_log_parse(const char *line, size_t length, struct transition *ret_transition, int64_t *ret_time_ms);

/* Opens or makes the file. 0; or a negative errno, and then the log may still be
 * used (it tries again with each flush) and is to be closed. */
int alert_log_open(struct alert_log *log, const char *path) __attribute__((warn_unused_result));

/* Opens the file anew, at `path`; lines that wait stay. The same errors. */
int alert_log_reopen(struct alert_log *log, const char *path) __attribute__((warn_unused_result));

/* Appends the last whole lines of the file, at most ALERT_LOG_TAIL_MAX bytes; none of what is no file. 0 or a
 * negative errno. */
int alert_log_read_tail(const struct alert_log *log, struct text *tail) __attribute__((warn_unused_result));

/* Puts back what waited when an earlier run last kept it: whole lines, oldest first. Those that stand in the
 * file's tail by now do not wait any more. */
void alert_log_restore(struct alert_log *log, const struct text *lines, uint64_t dropped, const struct text *tail);

/* Queues a line for the next flush, which comes now where as many wait as may. */
void alert_log_add(struct alert_log *log, const struct transition *transition, int64_t now_ms);

/* Writes what waits, and syncs it where the file can be. 0; or a negative errno when lines go on waiting, or are written but
 * not synced, which the next flush tries again. */
int alert_log_flush(struct alert_log *log) __attribute__((warn_unused_result));

void alert_log_close(struct alert_log *log);

#endif
