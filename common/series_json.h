/*
 * What GET latest and GET forecasts answer alike: something about each series,
 *
 *   {"10.0.0.5": {"bash": {"mem": X, "cpu": X}, ...}, ...}
 *
 * Pure.
 */
#ifndef VIGIE_COMMON_SERIES_JSON_H
#define VIGIE_COMMON_SERIES_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"

struct cJSON;

/* Takes the X of a series; `ip` and `process` live as long as the document. 0; -EBADMSG: it is
 * not of its shape; -ENOMEM. */
typedef int series_json_taker(void *user, const char *ip, const char *process, enum resource resource,
                         const struct cJSON *item);

/*
 * Reads an answer, calling `take` for each series; the series of a host come together. What is
 * not of its shape is left out and counted in `ret_skipped`, so that one bad item does not blind
 * the alarms of all others. Returns 0 with the document, to be freed with series_json_free();
 * -EBADMSG with a sentence in `ret_error` when it is no JSON object at all; -ENOMEM.
 */
int series_json_parse(const char *body, size_t length, series_json_taker *take, void *user, struct cJSON **ret_document,
                 size_t *ret_skipped, struct text *ret_error) __attribute__((warn_unused_result));

/* Seconds since 1970 that RFC 3339 can write, as milliseconds; false for anything else. */
bool series_json_read_time(const struct cJSON *item, int64_t *ret_time_ms);

void series_json_free(struct cJSON *document);

#endif
