#include "alert/alert_body.h"

#include <stdbool.h>
#include <string.h>

#include "alert/fields.h"
#include "common/clock.h"
#include "common/http.h"
#include "common/json.h"

#define ALERTNAME "vigie"

static void append_string(struct text *body, const char *separator, const char *key, const char *value)
{
	text_printf(body, "%s\"%s\": ", separator, key);
	json_append_string(body, value);
}

static void append_labels(const struct alarm *alarm, const char *hostname, struct text *body)
{
	static const char *const colours[COLOR_COUNT] = {
		[COLOR_GREEN] = "", [COLOR_ORANGE] = "amber", [COLOR_RED] = "red", [COLOR_UNKNOWN] = "unknown",
	};
	append_string(body, "{\"labels\": {", "alertname", ALERTNAME);
	append_string(body, ", ", "colour", colours[alarm->color]);
	append_string(body, ", ", "host", alarm->ip);
	if (hostname[0])
		append_string(body, ", ", "hostname", hostname);
	if (alarm->color != COLOR_UNKNOWN)
		append_string(body, ", ", "process", alarm->process);
	if (alarm->resource != RESOURCE_COUNT)
		append_string(body, ", ", "resource", wire_resource_name(alarm->resource));
	text_append_char(body, '}');
}

/* A sentence, as a message's subject has it. */
static void append_summary(const struct alarm *alarm, const char *hostname, struct text *body)
{
	struct text sentence = TEXT_EMPTY;
	const char *host = hostname[0] ? hostname : alarm->ip;
	if (alarm->color == COLOR_UNKNOWN) {
		text_printf(&sentence, "%s is silent", host);
	} else if (alarm->resource == RESOURCE_COUNT) {
		text_printf(&sentence, "%s on %s must run and does not", alarm->process, host);
	} else {
		text_printf(&sentence, "%s on %s: %s %.2f %%, ", alarm->process, host, wire_resource_name(alarm->resource), alarm->value);
		text_append_string(&sentence, alarm->color == COLOR_RED ? "limit " : "expected over ");
		json_append_number(&sentence, alarm->threshold);
		text_append_string(&sentence, " %");
	}
	append_string(body, "", "summary", text_or(&sentence, ""));
	body->failed |= text_failed(&sentence);
	text_free(&sentence);
}

/* The fields of the alarm's line that are neither labels nor times of the alert, as strings: an annotation is no number. */
static void append_fields(const struct alarm *alarm, struct text *body)
{
	static const char *const elsewhere[] = { "ip", "process", "resource", "since" };
	const struct transition transition = { .word = TRANSITION_REMINDER, .before = alarm->color, .alarm = *alarm };
	struct text fields = TEXT_EMPTY;
	fields_append(&transition, FIELDS_ARGUMENTS, &fields);
	for (size_t at = 0; at < fields.length; at += strlen(fields.data + at) + 1) {
		char *key = fields.data + at, *equals = strchr(key, '=');
		bool taken = equals != NULL; /* the word has none */
		for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]) && taken; i++)
			taken = strncmp(key, elsewhere[i], (size_t)(equals - key)) != 0 || elsewhere[i][equals - key];
		if (taken) {
			text_printf(body, ", \"%.*s\": ", (int)(equals - key), key);
			json_append_string(body, equals + 1);
		}
	}
	body->failed |= text_failed(&fields);
	text_free(&fields);
}

static void append_time(struct text *body, const char *key, int64_t time_ms)
{
	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(time_ms, time);
	append_string(body, ", ", key, time);
}

/* Where the last hour of what the alert is about can be read. */
static void append_url(const struct alarm *alarm, const char *page, struct text *body)
{
	struct text url = TEXT_EMPTY;
	text_append_string(&url, page);
	if (alarm->color == COLOR_UNKNOWN) {
		text_append_string(&url, "hosts");
	} else {
		text_append_string(&url, "get-all-detailed?window=1h&timestamps=1");
		if (alarm->resource != RESOURCE_COUNT)
			text_printf(&url, "&resource=%s", wire_resource_name(alarm->resource));
		text_append_string(&url, "&ip=");
		http_append_escaped(&url, alarm->ip);
		text_append_string(&url, "&process=");
		http_append_escaped(&url, alarm->process);
	}
	append_string(body, ", ", "generatorURL", text_or(&url, ""));
	body->failed |= text_failed(&url);
	text_free(&url);
}

void alert_body_append(const struct alarm *alarm, const char *hostname, int64_t since_ms, int64_t end_ms, const char *page,
                       struct text *body)
{
	append_labels(alarm, hostname, body);
	text_append_string(body, ", \"annotations\": {");
	append_summary(alarm, hostname, body);
	append_fields(alarm, body);
	text_append_char(body, '}');
	append_time(body, "startsAt", since_ms);
	append_time(body, "endsAt", end_ms);
	append_url(alarm, page, body);
	text_append_char(body, '}');
}
