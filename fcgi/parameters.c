#include "fcgi/parameters.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

enum { DEFAULT_WINDOW_MS = 300000, MIN_WINDOW_MS = 10000, LIMIT_MAX = 1000000 };

#define MILLISECONDS_FROM 1e11 /* a time is in milliseconds from this number on: as seconds it is of the year 5138 */

/* Digits and then s, m, h or d, in milliseconds; -1 when it is not that. */
static int64_t parse_duration(const char *value)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	size_t digits = strspn(value, "0123456789");
	if (digits == 0 || digits > 9 || strlen(value) != digits + 1)
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (value[digits] == units[i].unit)
			return atoll(value) * units[i].ms;
	}
	return -1;
}

static bool set_window(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	parameters->window_ms = parse_duration(value);
	return parameters->window_ms >= MIN_WINDOW_MS && parameters->window_ms <= max_window_ms;
}

static bool set_ip(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	return wire_ip_parse(value, parameters->ip);
}

/* Adds a name, unless it is there. All of them have room: they are of one query. */
static bool set_process(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	size_t length = strlen(value);
	if (length == 0 || length > WIRE_NAME_MAX || wire_utf8_check(value, length) < length)
		return false;
	char *at = parameters->process;
	for (size_t i = 0; i < parameters->process_count; i++, at += strlen(at) + 1) {
		if (strcmp(at, value) == 0)
			return true;
	}
	if (parameters->process_count == PARAMETERS_PROCESSES_MAX)
		return false;
	memcpy(at, value, length + 1);
	parameters->process_count++;
	return true;
}

static bool set_resource(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	return wire_resource_parse(value, &parameters->resource);
}

static bool set_limited(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	parameters->given |= PARAMETER_RESOURCE;
	return wire_limited_parse(value, &parameters->resource);
}

static bool read_switch(const char *value, bool *ret_on)
{
	*ret_on = strcmp(value, "1") == 0;
	return *ret_on || strcmp(value, "0") == 0;
}

static bool set_timestamps(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	return read_switch(value, &parameters->timestamps);
}

static bool set_standing(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	return read_switch(value, &parameters->standing);
}

static bool set_explain(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	return read_switch(value, &parameters->explain);
}

bool parameters_read_time(const char *value, int64_t *ret_time_ms)
{
	char text[64];
	size_t digits = strspn(value, "0123456789"), length = strlen(value);
	if (length >= sizeof(text))
		return false;
	if (digits > 0 && digits <= 15 && (value[digits] == '\0' || value[digits] == '.')) {
		double number = strtod(value, NULL);
		if (value[digits] == '.' && (!value[digits + 1] || strspn(value + digits + 1, "0123456789") != length - digits - 1))
			return false;
		*ret_time_ms = llround(number < MILLISECONDS_FROM ? number * 1000 : number);
		return true;
	}
	/* The plus of an offset has become a space. */
	memcpy(text, value, length + 1);
	char *blank = strrchr(text, ' ');
	if (blank && strchr(blank, ':') && blank > text + strlen("2026-11-22"))
		*blank = '+';
	return clock_parse_rfc3339(text, ret_time_ms);
}

static bool set_from(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	return parameters_read_time(value, &parameters->from_ms);
}

static bool set_to(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	return parameters_read_time(value, &parameters->to_ms);
}

static bool set_step(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	parameters->step_ms = parse_duration(value);
	return parameters->step_ms > 0 && parameters->step_ms <= max_window_ms;
}

static bool set_fn(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	parameters->aggregate = strcmp(value, "max") == 0 ? AGGREGATE_MAX : AGGREGATE_MEAN;
	return parameters->aggregate == AGGREGATE_MAX || strcmp(value, "mean") == 0;
}

static bool set_above(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	char *end;
	/* strtod() takes hexadecimal and "inf" as well. */
	if (!isdigit((unsigned char)value[0]) || value[strspn(value, "0123456789.eE+-")] != '\0')
		return false;
	parameters->above = strtod(value, &end);
	return *end == '\0' && isfinite(parameters->above);
}

static bool set_limit(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	if (value[0] == '\0' || strlen(value) > 7 || strspn(value, "0123456789") != strlen(value))
		return false;
	parameters->limit = (size_t)atol(value);
	return parameters->limit >= 1 && parameters->limit <= LIMIT_MAX;
}

static bool set_by(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	parameters->by_host = strcmp(value, "host") == 0;
	return parameters->by_host;
}

static bool set_format(struct parameters *parameters, const char *value, int64_t max_window_ms)
{
	(void)max_window_ms;
	parameters->media = strcmp(value, "csv") == 0 ? MEDIA_CSV : MEDIA_JSON;
	return parameters->media == MEDIA_CSV || strcmp(value, "json") == 0;
}

static const struct {
	const char *name;
	enum parameter bit;
	bool (*set)(struct parameters *parameters, const char *value, int64_t max_window_ms);
	const char *expected;
} table[] = {
	{ "window", PARAMETER_WINDOW, set_window, "a duration from 10s to what the server keeps, like 5m or 2d" },
	{ "ip", PARAMETER_IP, set_ip, "an IPv4 or IPv6 address" },
	{ "process", PARAMETER_PROCESS, set_process, "a process name of 1 to 255 bytes, or there are over 50" },
	{ "resource", PARAMETER_RESOURCE, set_resource, RESOURCE_NAMES },
	{ "resource", PARAMETER_LIMITED, set_limited, RESOURCE_LIMITED_NAMES },
	{ "timestamps", PARAMETER_TIMESTAMPS, set_timestamps, "1 or 0" },
	{ "step", PARAMETER_STEP, set_step, "a duration, like 30s or 5m" },
	{ "fn", PARAMETER_FN, set_fn, "mean or max" },
	{ "above", PARAMETER_ABOVE, set_above, "a number of 0 or more" },
	{ "limit", PARAMETER_LIMIT, set_limit, "a whole number from 1 to 1000000" },
	{ "by", PARAMETER_BY, set_by, "host" },
	{ "format", PARAMETER_FORMAT, set_format, "json or csv" },
	{ "from", PARAMETER_FROM, set_from, PARAMETERS_A_TIME },
	{ "to", PARAMETER_TO, set_to, PARAMETERS_A_TIME },
	{ "standing", PARAMETER_STANDING, set_standing, "1 or 0" },
	{ "explain", PARAMETER_EXPLAIN, set_explain, "1 or 0" },
};

static int hex_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	int lower = tolower((unsigned char)byte);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Decodes in place; false for a broken escape or an encoded NUL. */
static bool percent_decode(char *text)
{
	char *target = text;
	for (const char *at = text; *at; at++) {
		if (*at == '+') {
			*target++ = ' ';
		} else if (*at != '%') {
			*target++ = *at;
		} else {
			int high = hex_digit(at[1]);
			int low = high < 0 ? -1 : hex_digit(at[2]);
			if (low < 0 || (high == 0 && low == 0))
				return false;
			*target++ = (char)(high << 4 | low);
			at += 2;
		}
	}
	*target = '\0';
	return true;
}

static int refuse(struct parameter_error *error, const char *name, const char *sentence)
{
	/* The name may be anything: it goes back as far as it is text. */
	snprintf(error->name, sizeof(error->name), "%s", name);
	for (char *at = error->name; *at; at++) {
		if ((unsigned char)*at < 0x20 || (unsigned char)*at > 0x7e)
			*at = '?';
	}
	snprintf(error->sentence, sizeof(error->sentence), "%s", sentence);
	return -EINVAL;
}

static int set_parameter(struct parameters *parameters, const char *name, const char *value, unsigned allowed,
                         int64_t max_window_ms, struct parameter_error *error)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(name, table[i].name) != 0 || !(allowed & table[i].bit))
			continue;
		if ((parameters->given & table[i].bit) && table[i].bit != PARAMETER_PROCESS)
			return refuse(error, name, "the parameter is given twice");
		parameters->given |= table[i].bit;
		if (table[i].set(parameters, value, max_window_ms))
			return 0;
		char sentence[sizeof(error->sentence)];
		snprintf(sentence, sizeof(sentence), "%s is not %s", name, table[i].expected);
		return refuse(error, name, sentence);
	}
	return refuse(error, name, "unknown query parameter");
}

/* Makes the list of several names. What has control characters is no process's name. */
static void list_processes(struct parameters *parameters)
{
	const char *name = parameters->process;
	for (size_t i = 0; i < parameters->process_count && parameters->process_count > 1; i++, name += strlen(name) + 1) {
		char clean[WIRE_NAME_SIZE];
		wire_clean_name(name, strlen(name), clean);
		if (strcmp(clean, name) == 0)
			parameters->only[parameters->only_count++] = (struct series_key){ .process = name };
	}
}

int parameters_parse(const char *query, unsigned allowed, int64_t max_window_ms, struct parameters *ret_parameters,
                     struct parameter_error *ret_error)
{
	struct parameters parameters = {
		.window_ms = DEFAULT_WINDOW_MS < max_window_ms ? DEFAULT_WINDOW_MS : max_window_ms,
	};
	char pairs[PARAMETERS_QUERY_SIZE];
	if (snprintf(pairs, sizeof(pairs), "%s", query ? query : "") >= (int)sizeof(pairs))
		return refuse(ret_error, "", "the query is too long");

	char *rest = pairs;
	for (char *pair = strsep(&rest, "&"); pair; pair = strsep(&rest, "&")) {
		if (!*pair)
			continue;
		char *value = strchr(pair, '=');
		if (value)
			*value++ = '\0';
		else
			value = pair + strlen(pair);
		if (!percent_decode(pair) || !percent_decode(value))
			return refuse(ret_error, "", "the query has a broken percent escape");
		int result = set_parameter(&parameters, pair, value, allowed, max_window_ms, ret_error);
		if (result)
			return result;
	}
	if ((parameters.given & PARAMETER_FN) && !parameters.step_ms)
		return refuse(ret_error, "fn", "fn needs step");
	if ((parameters.given & PARAMETER_WINDOW) && (parameters.given & (PARAMETER_FROM | PARAMETER_TO)))
		return refuse(ret_error, "window", "window does not go together with from or to");
	*ret_parameters = parameters;
	list_processes(ret_parameters);
	return 0;
}

/* Refuses a time that the store keeps nothing of any more. */
static int refuse_old(struct parameter_error *error, const char *name, int64_t max_window_ms)
{
	char sentence[sizeof(error->sentence)];
	snprintf(sentence, sizeof(sentence), "%s is longer ago than the %lld s that the server keeps", name,
	         (long long)(max_window_ms / 1000));
	return refuse(error, name, sentence);
}

int parameters_set_span(struct parameters *parameters, int64_t now_ms, int64_t max_window_ms,
                        struct parameter_error *ret_error)
{
	bool has_from = parameters->given & PARAMETER_FROM, has_to = parameters->given & PARAMETER_TO;
	int64_t oldest_ms = now_ms - max_window_ms, to_ms = has_to && parameters->to_ms < now_ms ? parameters->to_ms : now_ms;
	int64_t from_ms = has_from ? parameters->from_ms : to_ms - parameters->window_ms;
	if (has_from && from_ms >= now_ms)
		return refuse(ret_error, "from", "from is not in the past");
	if (has_from && from_ms >= to_ms)
		return refuse(ret_error, "from", "from is not before to");
	if (has_from && from_ms < oldest_ms)
		return refuse_old(ret_error, "from", max_window_ms);
	if (to_ms <= oldest_ms)
		return refuse_old(ret_error, "to", max_window_ms);
	parameters->from_ms = from_ms > oldest_ms ? from_ms : oldest_ms;
	parameters->to_ms = to_ms;
	return 0;
}

void parameters_append_names(unsigned allowed, struct text *text)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (allowed & table[i].bit)
			text_printf(text, " %s", table[i].name);
	}
}
