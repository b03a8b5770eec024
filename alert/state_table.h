/*
 * The hash tables behind alert/states.h: hosts, and in each its series that are
 * not plainly green. Only for states.c and state_table.c.
 */
#ifndef VIGIE_ALERT_STATE_TABLE_H
#define VIGIE_ALERT_STATE_TABLE_H

#include "alert/states.h"

/* Out of memory is ours to report, not uthash's to exit for. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct series {
	struct series_state state; /* first: the walk casts back */
	struct host *host;
	uint64_t seen_in; /* evaluation */
	UT_hash_handle hh;
	char key[1 + WIRE_NAME_SIZE]; /* the resource, the process */
};

struct host {
	struct host_state state; /* first: the walk casts back */
	struct series *series;   /* hash table; NULL: all green */
	uint64_t seen_in;        /* evaluation */
	unsigned present;        /* evaluations in a row, up to 2 */
	int64_t absent;          /* evaluations since it was last seen */
	int64_t absent_allowed;  /* so many make it UNKNOWN */
	UT_hash_handle hh;
};

struct states {
	struct host *hosts; /* hash table */
	int64_t interval_ms;
	int64_t evaluated_ms; /* wall clock of the last evaluation; 0: long ago */
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

/* Drops a series that there is nothing to know about any more. */
void state_table_drop_if_green(struct series *series);

#endif
