/*
 * Writes metrics as Prometheus reads them (its text exposition format 0.0.4, UTF-8).
 *
 * All lines of a metric stand together, below its two lines of help. Pure.
 */
#ifndef VIGIE_FCGI_EXPOSITION_H
#define VIGIE_FCGI_EXPOSITION_H

#include "common/text.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Begins a metric; `type` is "counter" or "gauge", `help` has neither backslashes nor line ends. */
void exposition_append_help(struct text *text, const char *name, const char *type, const char *help);

/* What stands between the quotes of a label: backslashes, quotes and line ends are escaped. */
void exposition_append_value(struct text *text, const char *value);

/* One label, name="value". */
void exposition_append_label(struct text *text, const char *name, const char *value);

#endif
