/*
 * The answer to GET latest: each series' newest sample, none older than three
 * intervals by the server's clock.
 *
 *   {"10.0.0.5": {"bash": {"mem": [t, v], "cpu": [t, v]}, ...}, ...}
 *
 * A host whose collector is stopped is there with nothing: {"10.0.0.6": {}}.
 *
 * Pure. The caller owns the struct and frees it with latest_free().
 */
#ifndef VIGIE_ALERT_LATEST_H
#define VIGIE_ALERT_LATEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"

struct latest_sample {
	const char *ip;      /* borrowed from the struct latest, as is */
	const char *process; /* this one; less than WIRE_NAME_SIZE bytes with its NUL */
	enum resource resource;
	int64_t time_ms;
	double value; /* percent, finite */
};

struct latest {
	struct latest_sample *samples; /* the samples of a host stand together */
	size_t count;
	size_t capacity;
	const char **stopped; /* stopped[stopped_count]: the addresses of hosts that are there with nothing */
	size_t stopped_count;
	size_t skipped; /* hosts and samples that were not of the answer's shape */
	struct cJSON *document; /* holds the strings */
};

/*
 * Reads an answer. What is not of its shape is left out and counted, so that one
 * bad item does not blind the alarms of all others. Returns 0; -EBADMSG with a
 * sentence in `ret_error` when it is no JSON object at all; -ENOMEM.
 */
int latest_parse(const char *body, size_t length, struct latest *ret_latest, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Adds one sample; the strings are borrowed until latest_free(). 0 or -ENOMEM. */
int latest_add(struct latest *latest, const struct latest_sample *sample) __attribute__((warn_unused_result));

void latest_free(struct latest *latest);

#endif
