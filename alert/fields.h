/*
 * The fields of a transition, as the alert log writes them and the hook is given them:
 *
 *   RED      ip= process= resource= value= threshold= since=
 *   AMBER    ip= process= resource= value= forecast= probability= threshold= expected_at= since=
 *            of days ahead: ip= process= resource= value= threshold= horizon= expected_at= since=
 *   UNKNOWN  ip= process= since=
 *   OOM      ip= process= kills= since=
 *   MISSING  ip= process= since=
 *
 * Each has silenced= behind them where a silence covers it: until when.
 *
 * CLEAR, GONE and REMINDER have those of the alarm that they are about, and a GONE reason=oom where the kernel has killed
 * the process for want of memory; expected_at is left
 * out where it is not known or the forecast is under the threshold, and of an alarm that has
 * ended. Times are RFC 3339 in UTC, with their milliseconds only where they are not zero.
 *
 * Pure.
 */
#ifndef VIGIE_ALERT_FIELDS_H
#define VIGIE_ALERT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/alarm.h"
#include "common/text.h"

enum fields_style {
	FIELDS_LINE,      /* separated by spaces; text in double quotes with \" and \\ */
	FIELDS_ARGUMENTS, /* separated by NULs; text as it is */
	FIELDS_JSON,      /* members of an object, without its braces; the word is "word" */
};

/* Appends the word and then each field as key=value. Text has no control characters. */
void fields_append(const struct transition *transition, enum fields_style style, struct text *text);

/* Reads what fields_append() has written in the style of a line; `text` has `length` bytes. What is not in
 * it is 0, and so is said_ms. False: it is no such text. */
bool fields_parse(const char *text, size_t length, struct transition *ret_transition);

/* A time as a line has it. */
bool fields_parse_time(const char *text, size_t length, int64_t *ret_time_ms);

#endif
