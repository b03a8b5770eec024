/*
 * The answer to GET forecasts: what is expected of each series within the horizon.
 *
 *   {"10.0.0.5": {"bash": {"mem": {"probability": 0.83, "forecast": 91.2, "expected_at": 1795356878.1,
 *                               "full_at": 1795356999}}}}
 *
 * expected_at may be null, as full_at, which may be missing. Pure. The caller owns the struct
 * and frees it with forecasts_free().
 */
#ifndef VIGIE_ALERT_FORECASTS_H
#define VIGIE_ALERT_FORECASTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"

struct forecast {
	const char *ip;      /* borrowed from the struct forecasts, as is */
	const char *process; /* this one; less than WIRE_NAME_SIZE bytes with its NUL */
	enum resource resource;
	double probability;  /* 0 to 1, of going over the threshold within the horizon */
	double value;        /* percent, finite, not negative: the highest expected within the horizon */
	int64_t expected_ms; /* when it goes over; 0: not known */
	int64_t full_ms;     /* the same within the long horizon */
};

struct forecasts {
	struct forecast *items;
	size_t count;
	size_t capacity;
	size_t skipped;         /* items that were not of the answer's shape */
	struct cJSON *document; /* holds the strings */
};

/* As latest_parse(). */
int forecasts_parse(const char *body, size_t length, struct forecasts *ret_forecasts, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Adds one forecast; the strings are borrowed until forecasts_free(). 0 or -ENOMEM. */
int forecasts_add(struct forecasts *forecasts, const struct forecast *forecast) __attribute__((warn_unused_result));

void forecasts_free(struct forecasts *forecasts);

#endif
