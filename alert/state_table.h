/*
 * The hash tables behind alert/states.h: hosts, and in each its series that are not plainly green, and what is missing
 * there, by RESOURCE_COUNT and its name; and how alarms turn. Only for the files that implement states.h.
 */
#ifndef VIGIE_ALERT_STATE_TABLE_H
#define VIGIE_ALERT_STATE_TABLE_H

#include "alert/states.h"
#include "common/table.h"

struct series {
	struct series_state state; /* first: the walk casts back */
	struct host *host;
	uint64_t seen_in;     /* evaluation */
	uint64_t forecast_in; /* evaluation */
	int64_t unforecast;   /* evaluations of forecasts in a row that had none of it */
	UT_hash_handle hh;
	char key[1 + WIRE_NAME_SIZE]; /* the resource, the process */
};

struct host {
	struct host_state state; /* first: the walk casts back */
	struct series *series;   /* hash table; NULL: all green */
	uint64_t seen_in;        /* evaluation */
	bool ticked;             /* the last latest that it was in had a newer sample of it than the one before */
	unsigned present;        /* evaluations in a row, up to 2; begins anew when a collector that was stopped runs */
	int64_t absent_allowed;  /* so many make it UNKNOWN */
	int64_t paces_ms[2];     /* from one newest sample to the next, the last two times; 0: not known */
	size_t sample_at;        /* where its samples begin in the last latest that had some of it */
	bool stopped;            /* that had it with nothing, since its collector is stopped */
	UT_hash_handle hh;
};

enum { KILLED_KEY_SIZE = WIRE_IP_SIZE + 22 + WIRE_NAME_SIZE }; /* the address, the time, the process */

struct killed {
	struct killed_state state; /* first: the walk casts back */
	UT_hash_handle hh;
	char key[KILLED_KEY_SIZE];
};

struct states {
	struct host *hosts; /* hash table */
	struct killed *killed; /* hash table */
	int64_t interval_ms;
	int64_t long_horizon_ms; /* 0: none */
	int64_t evaluated_ms; /* wall clock of the last evaluation; 0: long ago */
	int64_t saved_ms;     /* the one that the restored state was saved in; 0: there was none */
	struct states_unwritten unwritten;
	const struct silences *silences; /* that hold now; NULL: not known */
	uint64_t evaluation;
	bool changed;
};

/* NULL: there is none. */
struct host *state_table_find_host(const struct states *states, const char *ip);
struct series *state_table_find_series(const struct host *host, const char *process, enum resource resource);

/* Adds what is not there yet, green. NULL: out of memory. */
struct host *state_table_add_host(struct states *states, const char *ip);
struct series *state_table_add_series(struct host *host, const char *process, enum resource resource);

/* Drops a host with its series. */
void state_table_drop_host(struct states *states, struct host *host);

/* Until when no channel tells of an alarm; 0: they do. Of one that was silenced it is believed while the silences are not
 * known. */
int64_t state_table_silence(const struct states *states, const struct alarm *alarm);

/* Gives `alarm` its new colour and tells so, and whether channels do: 0 or -ENOMEM, and then it has its old one. */
int state_table_turn(struct states *states, struct transitions *transitions, struct alarm *alarm,
                     enum transition_word word, enum color color) __attribute__((warn_unused_result));

/* Ends the alarm of a series in the same way. */
int state_table_end_series(struct states *states, struct transitions *transitions, struct series *series,
                           enum transition_word word) __attribute__((warn_unused_result));

/* A series that is kept has been muted: ends what stands. 0 or -ENOMEM. */
int state_table_mute_series(struct states *states, struct transitions *transitions, struct series *series)
	__attribute__((warn_unused_result));

/* Drops a series that there is nothing to know about any more. */
void state_table_drop_if_green(struct series *series);

/* ---- killed.c ---- */

/* Drops who was killed before `before_ms`. */
void state_table_drop_killed(struct states *states, int64_t before_ms);

/* Whether the kernel has killed a process since its newest sample, or in the interval of `pace_ms` that led to it: that may
 * have the CPU of its end. */
bool state_table_was_killed(const struct states *states, const struct series_state *series, int64_t pace_ms);

#endif
