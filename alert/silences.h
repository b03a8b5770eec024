/*
 * The answer to GET silences: which alarms no channel is to tell of, and until when (common/silence.h).
 *
 *   [{"id": "8f3a12bc4d5e6f70", "process": "java", "ip": "10.0.0.*", "resource": "*", "until": 1795356878.1, ...}]
 *
 * Pure. The caller owns the struct and frees it with silences_free().
 */
#ifndef VIGIE_ALERT_SILENCES_H
#define VIGIE_ALERT_SILENCES_H

#include "common/silence.h"
#include "common/text.h"

struct silences {
	struct silence *items; /* without `by` and `comment` */
	size_t count;
	size_t skipped; /* items that were not of the answer's shape */
};

/* As latest_parse(). */
int silences_parse(const char *body, size_t length, struct silences *ret_silences, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Drops those that have ended at `now_ms`, of an answer that is not of this moment. */
void silences_drop_ended(struct silences *silences, int64_t now_ms);

/* The one with this id; NULL: there is none. */
const struct silence *silences_find(const struct silences *silences, const char *id);

void silences_free(struct silences *silences);

#endif
