/*
 * The store's contract: one const table of functions an engine, at the end of its
 * store_<engine>.c. What else knows the engine is in the same folder.
 *
 * A store may be called by any number of threads at once, append() by as many at a
 * time as the table says. Every function of the table but backup() and damaged() is required. They return 0 or a negative
 * errno, and leave their outputs untouched on failure:
 *   -ENOMEM, -EIO (the engine failed: its words are in the log), -ENOSPC,
 *   -EINVAL (append: the engine refuses a sample; any read: it refuses the query, and works
 *   otherwise: its words are in `ret_refusal`),
 *   -EDQUOT (append: no room for another host), -EBADMSG (append: what is stored at
 *   the place of a sample is damaged), -E2BIG (history: more points than
 *   query.max_points; any read: more than the engine reads for one query), -ENOBUFS (a
 *   read: the budget's share for answers is taken by others).
 * Engines beyond the network also fail with what tells how: -ECONNREFUSED,
 * -ETIMEDOUT, -EAGAIN (it is busy or broken: 429, 5xx), -EACCES, -ENOENT.
 *
 * Every sample weighs the same in a mean. Samples of one time, of several hosts that are put
 * together, come in the order of the hosts' addresses (as strcmp(3) has them). A window is (from, to]; a bucket of
 * step s is [k·s, (k+1)·s), stamped at its start, and left out when it is empty.
 */
#ifndef VIGIE_FCGI_STORE_H
#define VIGIE_FCGI_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/text.h"
#include "fcgi/budget.h"
#include "fcgi/sample.h"

struct store;

enum { STORE_REFUSAL_SIZE = 256 }; /* bytes of an engine's words, with their NUL */

enum { STORE_AHEAD_MS = 60000 }; /* how far ahead of the time a sample may be; what is further is of a wrong clock */

/* A time after that of any sample: the year 2200, which every engine can say. */
#define STORE_LATEST_MS INT64_C(7258118400000)

enum aggregate { AGGREGATE_MEAN, AGGREGATE_MAX };

/* Names one series of an answer: a process of all hosts (ip is NULL) or of one. */
struct series_key {
	const char *ip;
	const char *process;
};

struct query {
	enum metric metric;
	int64_t from_ms, to_ms;      /* the window (from, to] */
	const char *ip;              /* canonical; NULL: all hosts */
	const char *process;         /* exact; NULL: all */
	bool by_host;                /* a series for each host; otherwise hosts are put together */
	const struct series_key *only; /* none but these series, or, all without ip, these processes of every host; NULL: all */
	size_t only_count;
	char *ret_refusal; /* of STORE_REFUSAL_SIZE: an engine's words with -EINVAL; NULL: not wanted */
	/* mean() and latest(): what is not asked for, and may be left out: */
	bool unwanted[HALF_COUNT];
	bool without_maximum;
	/* history alone: */
	enum half half;
	int64_t step_ms;             /* 0: the samples as stored */
	enum aggregate aggregate;    /* of a step's bucket */
	size_t max_points;
};

/* Whether a query asks for that half of its metric, and there is such a measurement. */
static inline bool store_wants(const struct query *query, enum half half)
{
	return !query->unwanted[half] && sample_measurement(query->metric, half);
}

/* One series of mean() and latest(); `present` tells which halves it has. */
struct store_row {
	struct series_key key; /* ip is NULL unless by_host */
	bool present[HALF_COUNT];
	double value[HALF_COUNT];    /* mean(): the mean; latest(): the newest value */
	double maximum[HALF_COUNT];  /* mean() */
	int64_t time_ms[HALF_COUNT]; /* latest() */
};

struct store_rows {
	struct store_row *items; /* in no order */
	size_t count;
	char *strings; /* what the keys point into */
	struct budget_share share; /* of the items */
};

struct store_point {
	int64_t time_ms;
	double value;
};

struct store_series {
	struct series_key key;
	struct store_point *points; /* points[count], oldest first; at least one */
	size_t count;
};

struct store_history {
	struct store_series *items; /* in no order */
	size_t count;
	struct store_point *points; /* of all series */
	char *strings;
	struct budget_share share;  /* of the points */
};

struct store_host {
	const char *ip;
	int64_t last_seen_ms; /* time of its newest usage sample */
	size_t processes;     /* names in it */
	bool at_series_limit; /* it has as many process names as it may; of the engines, SQLite alone has a limit */
};

struct store_hosts {
	struct store_host *items; /* in no order */
	size_t count;
	char *strings;
};

/* An hour of a host that cannot be read: answers are made without it. */
struct store_damaged {
	char ip[WIRE_IP_SIZE];
	int64_t hour_ms; /* its start */
};

enum { STORE_DAMAGED_MAX = 20 }; /* that are told */

struct store_ops {
	const char *name; /* the value of `store =` */
	unsigned appends; /* calls of append() at a time; at least 1 */
	bool slow; /* an append() may take as long as a second: many batches wait for one, and go together (fcgi/writer.h) */

	/* Whether the options of the engine's section can be right: 0, or -EINVAL with a
	 * sentence that names the one that is not. No store need be open. */
	int (*check_config)(const struct config *config, struct text *ret_error);

	int (*open)(const struct config *config, struct store **ret_store);

	/* Writes a whole copy of what the store holds to a file that is not there yet, whether another process uses it or
	 * not. 0, or a negative errno with a sentence. NULL: the engine has means of its own. */
	int (*backup)(const struct config *config, const char *target, struct text *ret_error);

	/* Accepts NULL. No other call may be under way. */
	void (*close)(struct store *store);

	/* Stores all samples of all batches durably, or none (an engine that refuses one
	 * sample may have stored others). The same series and time written again replaces
	 * the value. Also does a share of the retention's deletions, as far as `now` is certain. */
	int (*append)(struct store *store, const struct batch *const batches[], size_t count, struct moment now,
	              char ret_refusal[static STORE_REFUSAL_SIZE]);

	/* Means and maxima over the window. */
	int (*mean)(struct store *store, const struct query *query, struct store_rows *ret_rows);

	/* The values of one half over the window. */
	int (*history)(struct store *store, const struct query *query, struct store_history *ret_history);

	/* Each series' newest sample in the window; always by host. */
	int (*latest)(struct store *store, const struct query *query, struct store_rows *ret_rows);

	/* All hosts with usage samples after `from_ms`. Samples after `to_ms` do not count; an engine that tells itself
	 * which are of a clock that is wrong need not look at it. */
	int (*hosts)(struct store *store, int64_t from_ms, int64_t to_ms, struct store_hosts *ret_hosts);

	/* How long the engine keeps samples, milliseconds. */
	int64_t (*retention)(struct store *store);

	/* Whether the store works, as far as is known without waiting: 0, or the negative
	 * errno of what failed last. */
	int (*health)(struct store *store);

	/* The hours that were found damaged, while they are within the retention at `now_ms`. Returns how many. NULL: the
	 * engine finds none. */
	size_t (*damaged)(struct store *store, int64_t now_ms, struct store_damaged ret_damaged[static STORE_DAMAGED_MAX]);
};

/* The start of the step that holds `time_ms`, which may be before 1970. */
int64_t store_step_start(int64_t time_ms, int64_t step_ms);

/* What a store holds is input: an engine gives its answers without the values that are not sample_is_usable() or
 * have absurd times, and tells here how many it has left out: they are counted, and the first ever are said in the
 * log. Any thread; `count` may be 0. */
void store_leave_out(const char *engine, uint64_t count);

/* The engines; NULL when `name` is none of them. */
const struct store_ops *store_find(const char *name);

/* Appends the names of all of them, for messages. */
void store_append_names(struct text *text);

/* Orders keys, and rows and series, which begin with theirs, by host, then process. */
int store_compare_keys(const void *left, const void *right);

extern const struct store_ops store_sqlite, store_influxdb3, store_influxdb2, store_influxql, store_victoriametrics;

void store_rows_free(struct store_rows *rows);
void store_history_free(struct store_history *history);
void store_hosts_free(struct store_hosts *hosts);

#endif
