/*
 * Writes JSON (RFC 8259) into a struct text: what every answer and every request
 * of vigie is made of. Written straight into the buffer because an answer may
 * hold millions of numbers. JSON that comes in is read with cJSON, but for the numbers of which there are as many.
 *
 * Pure: no I/O, no global, no locale (the decimal sign is always a point).
 */
#ifndef VIGIE_COMMON_JSON_H
#define VIGIE_COMMON_JSON_H

#include <stdint.h>

#include "common/text.h"

struct cJSON;

/* A string in quotes. `string` is valid UTF-8; quotes, backslashes and control
 * characters are escaped. */
void json_append_string(struct text *text, const char *string);

/* A number that reads back as the same double, in few digits.
 * `number` is finite. */
void json_append_number(struct text *text, double number);

/* A time as seconds since 1970 with up to three decimals, from milliseconds. */
void json_append_seconds(struct text *text, int64_t time_ms);

/* Reads a document, to be deleted with cJSON_Delete(); what is behind it is not looked at. 0; -EBADMSG: it is no JSON; or
 * -ENOMEM, which cJSON does not tell from that. */
int json_parse(const char *bytes, size_t length, struct cJSON **ret_document) __attribute__((warn_unused_result));

/*
 * Reads a number of at most 15 digits without sign and exponent, as nearly all are: exactly what strtod(3) makes of it.
 * Returns what is behind it; NULL: something else is there.
 */
const char *json_read_plain_number(const char *at, double *ret_number);

#endif
