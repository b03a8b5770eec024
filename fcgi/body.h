/*
 * Reads the bodies of PUT save-all, save-alarms and save-forecasts (JSON) into batches.
 *
 * All of a body is checked before any of it is used: what is wrong with the first
 * bad item is told with its place, and nothing of the batch is kept. It is read item by
 * item (json_reader.h): what it costs is its samples, counted in the budget's part for
 * bodies, and the tree of one item. A key that is there twice in the body, in an item,
 * in `collector` or in its counters is refused: which of the two counts, nobody said.
 * Pure but for memory; one thread uses a body.
 *
 * The samples of save-all come in one of two forms: `data`, an array of items with all that a sample is, or a tick, which
 * has one `timestamp` and the object `processes` of [mem, cpu] by name, null for a missing one. Beside either there may be
 * `oom_kills`, an object of a `timestamp` and of `processes`: how many the kernel has killed for want of memory, by name.
 */
#ifndef VIGIE_FCGI_BODY_H
#define VIGIE_FCGI_BODY_H

#include "common/text.h"
#include "fcgi/arena.h"
#include "fcgi/budget.h"
#include "fcgi/collector_report.h"
#include "fcgi/sample.h"

/* What a forecast says of itself beside its numbers. */
struct body_reason {
	size_t sample;           /* its first of the batch */
	double limit, horizon_s; /* percent, seconds; 0: not told */
	size_t why;              /* where it begins in `words`, an object with a NUL behind it; 0: not told */
};

/* Stays where it was parsed to: the samples point into it. */
struct body {
	struct batch batch;      /* its strings live as long as the body */
	char ip[WIRE_IP_SIZE];   /* of save-all */
	bool has_report;         /* it has the optional object `collector` */
	struct collector_report report;
	struct body_reason *reasons; /* of save-forecasts: reasons[reason_count] */
	size_t reason_count, reason_capacity;
	struct text words;       /* of the reasons */
	struct arena strings;    /* what the samples point into */
	struct budget_share share;
};

/* The limits that a sample's time must keep to; beyond them the answer is 409. */
struct body_times {
	int64_t now_ms;      /* the server's clock, and the time of what has no timestamp */
	int64_t oldest_ms;   /* older samples are beyond the retention */
	int64_t newest_ms;
};

struct body_error {
	int status; /* 400 or 409 */
	char sentence[200];
	char field[64]; /* "data[3].value"; "" where no field is to blame */
};

/* Once, before any other call and before there are threads: json_reader_init(). */
void body_init(void);

/*
 * `json` has `length` bytes and a NUL behind them; it is changed (a NUL character in
 * a string becomes '?': cJSON would cut the name there). 0, and the body is freed
 * with body_free(); -EINVAL with *ret_error set; -ENOMEM; -ENOBUFS of the budget.
 */
int body_parse_samples(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                       struct body_error *ret_error) __attribute__((warn_unused_result));
int body_parse_alarms(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                      struct body_error *ret_error) __attribute__((warn_unused_result));
int body_parse_forecasts(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                         struct body_error *ret_error) __attribute__((warn_unused_result));

/* Gives back what a body holds beyond its samples and their strings: one in many that wait. */
void body_trim(struct body *body);

void body_free(struct body *body);

#endif
