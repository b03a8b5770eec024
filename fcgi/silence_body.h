/*
 * Reads the body of PUT silences (JSON) into a silence without an id:
 *
 *   {"process": "java", "ip": "10.0.0.*", "resource": "mem", "until": "2026-11-22T18:00:00Z", "comment": "...", "by": "anna"}
 *
 * What it is for (process, ip, resource) is "*" where it is not named, and one of the three is. A member that is not known is
 * refused: a misspelt one would have silenced more than was meant. Pure but for memory.
 */
#ifndef VIGIE_FCGI_SILENCE_BODY_H
#define VIGIE_FCGI_SILENCE_BODY_H

#include "common/silence.h"
#include "fcgi/body.h"

#define SILENCE_BODY_LONGEST_MS (INT64_C(366) * 86400 * 1000) /* from now to its end */

/* As body_parse_samples(). */
int silence_body_parse(char *json, size_t length, int64_t now_ms, struct silence *ret_silence, struct body_error *ret_error)
	__attribute__((warn_unused_result));

#endif
