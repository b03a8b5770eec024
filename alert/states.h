/*
 * The state of every host and of every series that is not plainly green, and the
 * transitions that one evaluation of the latest samples, and then of the forecasts, brings.
 *
 * - RED: the newest sample is over the threshold, and so were raise_after new
 *   samples in a row. A sample with the timestamp of the one before is not new.
 * - AMBER: the series is in latest and not RED, and the probability of its forecast was over
 *   amber_probability in STATES_AMBER_AFTER evaluations in a row. RED takes its place without
 *   a CLEAR. After the CLEAR of a RED it is raised by the same rule.
 * - CLEAR: clear_after new samples in a row were under `clear`; of an AMBER: the probability
 *   was under amber_clear in clear_after evaluations in a row. Evaluations without forecasts
 *   count for nothing. A series that has none while others have is not judged either, until
 *   that has lasted as long as the horizon: what the last one said has then not come.
 * - AMBER of days ahead: the same by its forecast's full_at, where it says that the limit is reached within the long
 *   horizon. It gives way to an AMBER of the horizon, which is another line, and ends with CLEAR when there was no full_at
 *   for a 72nd part of the long horizon, and in clear_after evaluations in a row.
 * - A series or host that is muted raises nothing; what stands when it is muted ends with CLEAR.
 * - GONE: a series in alarm is not in latest any more although its host is. A
 *   host that has just come back is first believed in its second evaluation: its
 *   first answer may hold only a part of its processes.
 * - UNKNOWN: a host has not been in latest for STATES_ABSENT evaluations in a row.
 *   Its RED and AMBER stay. One whose collector is stopped is in latest, with nothing.
 *   When it is back, CLEAR ends the UNKNOWN. After two days
 *   of evaluations without it it is forgotten: GONE for its alarms, then for itself. (No clock
 *   tells that: one that is set ends nothing.)
 *
 * - OOM: the kernel of a host has killed a process for want of memory: said once for each of the collector's intervals, of
 *   the last STATES_KILLS_MS, unless it is muted. The GONE of such a process says so.
 *
 * - MISSING, which is red: a process that must run is not in latest, although its host is, with raise_after new samples in a
 *   row: not in the first answer after it was away or its collector stopped, not while that is stopped or sees only a part of
 *   its processes.
 *   CLEAR when the process is back, or need not run any more; GONE when the collector is stopped.
 * - An alarm that a silence (common/silence.h) covers is as any other, and says so: who tells of transitions keeps its to
 *   itself. One that stands when its silence ends is said again, with the word that it was raised with.
 *
 * Silence is judged by absence from latest, which the server judges by its own
 * clock: no clock of ours takes part. After an interruption (the server was not
 * reached, evaluations were missed, the machine slept, its clock was set, the
 * program was started) hosts need time to reach the server again, up to the
 * collectors' longest backoff: until a host has been seen again, it may be absent
 * for STATES_RECOVERY_MS more. Absences before and after are added up, so that a
 * server that fails now and then hides no silent host for ever.
 *
 * Pure: takes the time as an argument, does no I/O. One thread uses a states.
 */
#ifndef VIGIE_ALERT_STATES_H
#define VIGIE_ALERT_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/alarm.h"
#include "alert/forecasts.h"
#include "alert/kills.h"
#include "alert/latest.h"
#include "alert/partial.h"
#include "alert/silences.h"
#include "common/rules.h"
#include "common/text.h"

enum {
	STATES_AMBER_AFTER = 2, /* evaluations */
	STATES_POINTS = 72,     /* parts of the long horizon that forecasts look at one by one */
	/* Two, because the server's clock may be set, too: everything is then too old
	 * for latest until the next tick. */
	STATES_ABSENT = 2,                  /* evaluations */
	STATES_RECOVERY_MS = 60 * 1000,     /* the collectors' longest backoff */
	STATES_KILLS_MS = 3600 * 1000,      /* a collector whose server was away tells of them later */
	STATES_FORGET_MS = 2 * 86400 * 1000, /* the retention's default */
};

/* Of a series; or of a process that must run, whose samples are those of its host without it. */
struct series_state {
	struct alarm alarm; /* green: about to be raised (samples, forecasts or fulls > 0), or ended */
	int64_t sample_ms;  /* the newest sample that was counted */
	int64_t samples;    /* in a row: under clear while red, otherwise over the threshold */
	int64_t over_ms;    /* the first of those over the threshold */
	int64_t forecasts;  /* evaluations in a row: over amber_probability while green, under amber_clear while orange */
	int64_t likely_ms;  /* the newest sample at the first of those over amber_probability, or with a full_at */
	int64_t fulls;      /* evaluations in a row: with a full_at while green, without while AMBER by one */
	bool ended;         /* its end is still to be reported */
};

struct host_state {
	struct alarm alarm;
	int64_t last_seen_ms; /* its newest sample */
	int64_t absent;       /* evaluations since it was last seen, or since it became UNKNOWN */
	bool ended;
	bool forgotten; /* is only kept to report its end */
};

/* Who was killed, which has been said. */
struct killed_state {
	char ip[WIRE_IP_SIZE];
	char process[WIRE_NAME_SIZE];
	int64_t time_ms;
};

struct states;

/* NULL: out of memory. */
struct states *states_open(int64_t interval_ms);
void states_close(struct states *states);

/* After a reload. */
void states_set_interval(struct states *states, int64_t interval_ms);

/* The long horizon, which full_at is within; 0, as at first: none is looked at. */
void states_set_long_horizon(struct states *states, int64_t long_horizon_ms);

/* To be called instead of states_evaluate() when there was no answer. */
void states_interrupted(struct states *states);

/*
 * Evaluates one answer to GET latest at the wall clock's `now_ms`. The transitions
 * replace those in `transitions`. Returns 0 or -ENOMEM: the transitions that it
 * gives have then happened, and others will at the next evaluation.
 */
int states_evaluate(struct states *states, const struct rules *rules, const struct latest *latest, int64_t now_ms,
                    struct transitions *transitions) __attribute__((warn_unused_result));

/* Says what was killed and has not been said, which is best done before states_evaluate(): a process that is gone then is
 * known to have been killed. The transitions replace those in `transitions`; 0 or -ENOMEM, as there. */
int states_evaluate_kills(struct states *states, const struct rules *rules, const struct kills *kills, int64_t now_ms,
                          struct transitions *transitions) __attribute__((warn_unused_result));

/*
 * Evaluates the forecasts after states_evaluate() has succeeded with the same `latest`. Not to
 * be called when there are none to be had. The transitions replace those in `transitions`;
 * 0 or -ENOMEM, as there.
 */
int states_evaluate_forecasts(struct states *states, const struct rules *rules, const struct latest *latest,
                              const struct forecasts *forecasts, struct transitions *transitions)
	__attribute__((warn_unused_result));

/* After states_evaluate() of the same `latest`: whether a host lacks what must run there and is not MISSING yet. Who sees
 * only a part of its processes is then to be known. */
bool states_lack(const struct states *states, const struct rules *rules, const struct latest *latest);

/*
 * After states_evaluate() of the same `latest`: MISSING. Without `partial`, NULL, nothing is counted that a host lacks. The
 * transitions replace those in `transitions`; 0 or -ENOMEM, as there.
 */
int states_evaluate_missing(struct states *states, const struct rules *rules, const struct latest *latest,
                            const struct partial *partial, struct transitions *transitions)
	__attribute__((warn_unused_result));

/* The silences that hold from now on; borrowed until the next call. NULL, as at first: they are not known. */
void states_set_silences(struct states *states, const struct silences *silences);

/*
 * After states_evaluate(): takes up what the silences have become, and says each alarm again that stands and was silenced
 * until now. The transitions replace those in `transitions`; 0 or -ENOMEM, as there.
 */
int states_unsilence(struct states *states, struct transitions *transitions) __attribute__((warn_unused_result));

/*
 * After states_evaluate(): a REMINDER for each alarm that has stood `reminder_ms` (0: never)
 * since its line or its last reminder. The transitions replace those in
 * `transitions`; 0 or -ENOMEM, as there.
 */
int states_remind(struct states *states, int64_t reminder_ms, struct transitions *transitions)
	__attribute__((warn_unused_result));

/*
 * Whether `latest` has a host that has, going by the pace of its samples, taken one by `boundary_ms` which is not there
 * yet: an engine may show what it was given seconds later, and new series before others. It is there once fewer than half of
 * its series are still at the sample before, as those are that have ended. Who is not in latest is silent, or gone; whose
 * pace is not known is expected to have that of the evaluations.
 */
bool states_await(const struct states *states, const struct latest *latest, int64_t boundary_ms);

/* Walk over all hosts and all series that are kept; NULL starts and ends a walk.
 * Borrowed until the next call that changes the states. */
const struct host_state *states_next_host(const struct states *states, const struct host_state *previous);
const struct series_state *states_next_series(const struct states *states, const struct series_state *previous);
const struct killed_state *states_next_killed(const struct states *states, const struct killed_state *previous);

/*
 * Goes on from a line of the log, as alert_log_parse() reads it, where that was said at or after the time of the
 * evaluation that the restored state was saved in: the disk may have had no room for a later one. Lines come
 * oldest first. 0 or -ENOMEM.
 */
int states_replay(struct states *states, const struct transition *transition, int64_t said_ms)
	__attribute__((warn_unused_result));

/* What a restart needs of the log: lines that could not be written yet, whole and oldest first, and how many found no
 * place to wait. Whoever has the log sets this before the states are saved: 0 or -ENOMEM. */
struct states_unwritten {
	struct text lines;
	uint64_t lost;
};
const struct states_unwritten *states_unwritten(const struct states *states);
int states_set_unwritten(struct states *states, const struct text *lines, uint64_t lost)
	__attribute__((warn_unused_result));

/* What has ended has been reported. */
void states_reported(struct states *states);

/* Whether what a restart needs has changed since states_saved(). */
bool states_changed(const struct states *states);
void states_saved(struct states *states);

/* Put back what an earlier run has saved, hosts before their series; see
 * alert/state_file.h. Not there yet, or -EEXIST; -ENOENT without the host; -ENOMEM.
 * The time is that of the evaluation that it was saved in; 0: not known. */
int states_restore_host(struct states *states, const struct host_state *host) __attribute__((warn_unused_result));
int states_restore_series(struct states *states, const struct series_state *series)
	__attribute__((warn_unused_result));
int states_restore_killed(struct states *states, const char *ip, const char *process, int64_t time_ms)
	__attribute__((warn_unused_result));
void states_restore_time(struct states *states, int64_t saved_ms);

/* The time to save: of the last evaluation, or else what was restored. */
int64_t states_time(const struct states *states);

#endif
