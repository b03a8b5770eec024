/*
 * An alarm, and what happens to alarms: the transitions that one evaluation brings.
 *
 * Plain values, borrowed from nobody. Pure.
 */
#ifndef VIGIE_ALERT_ALARM_H
#define VIGIE_ALERT_ALARM_H

#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

/* About a series; or about a host as a whole: process is WIRE_HOST_ITSELF; or about a process that must run and is missing,
 * which is red. Of these two resource is RESOURCE_COUNT, and there is no value and no threshold. What TRANSITION_OOM is about
 * is no alarm and stays green: resource is RESOURCE_COUNT, `value` how many were killed, `since_ms` when. */
struct alarm {
	char ip[WIRE_IP_SIZE];
	char process[WIRE_NAME_SIZE];
	enum resource resource;
	enum color color; /* the present one */
	double value;     /* percent, of the newest sample */
	double threshold; /* percent */
	int64_t since_ms; /* of the sample that went over, or was the newest when the forecast first
	                   * said so; the last one of a silent host; the host's first without
	                   * what is missing */
	int64_t said_ms;  /* wall clock of its line or its last reminder; 0: not known */

	/* Of an AMBER, what the newest forecast says; otherwise meaningless. */
	double forecast;     /* percent, the highest value within the horizon */
	double probability;  /* 0 to 1, of going over the threshold within the horizon */
	int64_t expected_ms; /* when that is; 0: not known */
	int64_t horizon_ms;  /* 0: that of the rules; otherwise so long, and `probability` says nothing of it */

	int64_t silenced_ms; /* until when no channel tells of it; 0: they do */
};

enum transition_word {
	TRANSITION_RED,
	TRANSITION_AMBER,
	TRANSITION_CLEAR,
	TRANSITION_GONE,
	TRANSITION_UNKNOWN,
	TRANSITION_REMINDER,
	TRANSITION_OOM,    /* the kernel has killed for want of memory */
	TRANSITION_KILLED, /* GONE, of what it has killed */
	TRANSITION_MISSING,
};

struct transition {
	enum transition_word word;
	enum color before;  /* what the alarm was */
	struct alarm alarm; /* as it is after the transition */
};

/* A list that starts as { 0 }; the caller frees it with transitions_free(). */
struct transitions {
	struct transition *items;
	size_t count;
	size_t capacity;
};

/* What an alarm that stands was raised with: RED, AMBER, UNKNOWN or MISSING. */
enum transition_word alarm_word(const struct alarm *alarm);

/* 0 or -ENOMEM. */
int transitions_add(struct transitions *transitions, enum transition_word word, enum color before,
                    const struct alarm *alarm) __attribute__((warn_unused_result));

void transitions_free(struct transitions *transitions);

#endif
