/*
 * The answer to GET oom-kills: whom the kernels of the hosts have killed for want of memory, the newest first.
 *
 *   [{"time": 1795356878, "ip": "10.0.0.5", "process": "java", "resource": "mem", "color": null, "oom_kills": 1}, ...]
 *
 * Pure. The caller owns the struct and frees it with kills_free().
 */
#ifndef VIGIE_ALERT_KILLS_H
#define VIGIE_ALERT_KILLS_H

#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"

struct kill {
	char ip[WIRE_IP_SIZE];
	const char *process; /* WIRE_HOST_ITSELF: those whose names are not known; borrowed from the struct kills */
	int64_t time_ms;     /* the end of the collector's interval that it was in */
	double count;        /* at least 1 */
};

struct kills {
	struct kill *items; /* items[count] */
	size_t count;
	size_t skipped;         /* items that were not of the answer's shape */
	struct cJSON *document; /* holds the strings */
};

/* Reads an answer. What is not of its shape is left out and counted. 0; -EBADMSG with a sentence when it is no JSON array
 * at all; -ENOMEM. */
int kills_parse(const char *body, size_t length, struct kills *ret_kills, struct text *ret_error)
	__attribute__((warn_unused_result));

void kills_free(struct kills *kills);

#endif
