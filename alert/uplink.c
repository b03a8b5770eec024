#include "alert/uplink.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/client.h"
#include "common/json.h"
#include "common/series_report.h"

/* The member of GET health that tells of vigie-forecast, as "alert" tells of us. */
#define HEALTH_FORECAST "forecast"

struct uplink {
	struct client *client;
	struct client *forecasts_client;
	struct series_report report;
};

struct uplink *uplink_open(const char *url, const char *token, const char *proxy, int64_t timeout_ms,
                           int64_t forecasts_ms)
{
	struct uplink *uplink = calloc(1, sizeof(*uplink));
	if (!uplink)
		return NULL;
	uplink->client = client_open(WIRE_ALERT, url, token, proxy, timeout_ms);
	uplink->forecasts_client = client_open(WIRE_ALERT, url, token, proxy, forecasts_ms);
	uplink->report = (struct series_report){ .client = uplink->client, .path = "save-alarms" };
	if (!uplink->client || !uplink->forecasts_client) {
		uplink_close(uplink);
		return NULL;
	}
	return uplink;
}

void uplink_close(struct uplink *uplink)
{
	if (!uplink)
		return;
	client_close(uplink->client);
	client_close(uplink->forecasts_client);
	text_free(&uplink->report.body);
	free(uplink);
}

bool uplink_trust(struct uplink *uplink, const char *ca_file)
{
	return client_trust(uplink->client, ca_file) && client_trust(uplink->forecasts_client, ca_file);
}

/* Tells what is `wrong` with an answer that could not be read, which is freed. The result, as it was. */
static int blame(const struct client *client, int result, struct text *wrong, struct text *ret_error)
{
	if (result)
		client_blame(client, text_or(wrong, strerror(-result)), ret_error);
	text_free(wrong);
	return result;
}

int uplink_latest(struct uplink *uplink, struct latest *ret_latest, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(uplink->client, "latest", &body, ret_error);
	if (result)
		return result;
	struct text wrong = TEXT_EMPTY;
	result = latest_parse(body->data, body->length, ret_latest, &wrong);
	return blame(uplink->client, result, &wrong, ret_error);
}

int uplink_hostnames(struct uplink *uplink, struct hostnames *ret_names, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(uplink->client, "hosts", &body, ret_error);
	if (result)
		return result;
	struct text wrong = TEXT_EMPTY;
	result = hostnames_parse(body->data, body->length, ret_names, &wrong);
	return blame(uplink->client, result, &wrong, ret_error);
}

int uplink_kills(struct uplink *uplink, struct kills *ret_kills, struct text *ret_error)
{
	static const char path[] = "oom-kills?window=1h&limit=1000";
	_Static_assert(STATES_KILLS_MS == 3600 * 1000, "as long is the window");
	const struct text *body;
	int result = client_get(uplink->forecasts_client, path, &body, ret_error);
	if (result == -EREMOTEIO && client_status(uplink->forecasts_client) == 404)
		return -ENODATA; /* an earlier version */
	if (result)
		return result;
	struct text wrong = TEXT_EMPTY;
	result = kills_parse(body->data, body->length, ret_kills, &wrong);
	return blame(uplink->forecasts_client, result, &wrong, ret_error);
}

int uplink_silences(struct uplink *uplink, struct silences *ret_silences, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(uplink->forecasts_client, "silences", &body, ret_error);
	if (result == -EREMOTEIO && client_status(uplink->forecasts_client) == 404) {
		*ret_silences = (struct silences){ 0 }; /* an earlier version */
		return 0;
	}
	if (result)
		return result;
	struct text wrong = TEXT_EMPTY;
	result = silences_parse(body->data, body->length, ret_silences, &wrong);
	return blame(uplink->forecasts_client, result, &wrong, ret_error);
}

/* Whether vigie-forecast reports: 0, -ENODATA, or why that cannot be known. */
static int check_health(struct uplink *uplink, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(uplink->forecasts_client, "health", &body, ret_error);
	if (result)
		return result;
	cJSON *health = cJSON_ParseWithLength(body->data, body->length);
	const cJSON *forecast = cJSON_GetObjectItemCaseSensitive(health, HEALTH_FORECAST);
	const cJSON *status = cJSON_GetObjectItemCaseSensitive(forecast, "status");
	if (!cJSON_IsString(status) || strcmp(status->valuestring, "ok") != 0) {
		bool stopped = cJSON_IsString(status) && strcmp(status->valuestring, "stopped") == 0;
		text_printf(ret_error, "vigie-forecast %s", stopped ? "is stopped" : "does not report");
		result = -ENODATA;
	}
	cJSON_Delete(health);
	return result;
}

int uplink_forecasts(struct uplink *uplink, struct forecasts *ret_forecasts, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(uplink->forecasts_client, "forecasts", &body, ret_error);
	if (result)
		return result;
	struct forecasts forecasts;
	struct text wrong = TEXT_EMPTY;
	result = forecasts_parse(body->data, body->length, &forecasts, &wrong);
	result = blame(uplink->forecasts_client, result, &wrong, ret_error);
	if (result)
		return result;
	if (forecasts.count == 0)
		result = check_health(uplink, ret_error);
	if (result)
		forecasts_free(&forecasts);
	else
		*ret_forecasts = forecasts;
	return result;
}

int uplink_partial(struct uplink *uplink, const struct partial *before, struct partial *ret_partial, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(uplink->forecasts_client, "hosts", &body, ret_error);
	if (result)
		return result;
	struct text wrong = TEXT_EMPTY;
	result = partial_parse(body->data, body->length, before, ret_partial, &wrong);
	return blame(uplink->forecasts_client, result, &wrong, ret_error);
}

/* Without a timestamp: the server's own clock is the one that its readers go by. */
static int report_alarm(struct uplink *uplink, const struct alarm *alarm, enum resource resource, struct text *ret_error)
{
	struct series_report *report = &uplink->report;
	int result = series_report_add(report, alarm->ip, alarm->process, resource, ret_error);
	if (result)
		return result;
	text_printf(&report->body, ", \"color\": \"%s\"", wire_color_name(alarm->color));
	if (alarm->resource != RESOURCE_COUNT) {
		series_report_append(report, "value", alarm->value);
		series_report_append(report, "threshold", alarm->threshold);
	}
	if (alarm->color == COLOR_RED && alarm->resource == RESOURCE_COUNT)
		text_append_string(&report->body, ", \"missing\": true");
	if (alarm->color == COLOR_ORANGE) {
		series_report_append(report, "forecast", alarm->forecast);
		if (alarm->expected_ms)
			series_report_append(report, "expected_at", (double)alarm->expected_ms / 1000);
		else
			text_append_string(&report->body, ", \"expected_at\": null");
	}
	series_report_append(report, "since", (double)alarm->since_ms / 1000);
	text_append_char(&report->body, '}');
	return 0;
}

/* What is about no resource, of a whole host or of what is missing, is one of each. */
static int report(struct uplink *uplink, const struct alarm *alarm, struct text *ret_error)
{
	int result = 0;
	if (alarm->resource != RESOURCE_COUNT)
		return report_alarm(uplink, alarm, alarm->resource, ret_error);
	for (int i = 0; i < RESOURCE_LIMITED && !result; i++)
		result = report_alarm(uplink, alarm, (enum resource)i, ret_error);
	return result;
}

/* What is missing is reported as the same series as the process's own alarms, and the later of two counts. */
enum part { MISSING_NO_MORE, SERIES, MISSING, PARTS };

static enum part part_of(const struct alarm *alarm)
{
	return alarm->resource != RESOURCE_COUNT ? SERIES : alarm->color == COLOR_GREEN ? MISSING_NO_MORE : MISSING;
}

/* Those of a part that stand or have ended. */
static int report_part(struct uplink *uplink, const struct states *states, enum part part, struct text *ret_error)
{
	int result = 0;
	for (const struct series_state *series = states_next_series(states, NULL); series && !result;
	     series = states_next_series(states, series)) {
		if (part_of(&series->alarm) == part && (series->alarm.color != COLOR_GREEN || series->ended))
			result = report(uplink, &series->alarm, ret_error);
	}
	return result;
}

int uplink_save_alarms(struct uplink *uplink, const struct states *states, struct text *ret_error)
{
	int result = 0;
	series_report_begin(&uplink->report);
	for (int part = 0; part < PARTS && !result; part++)
		result = report_part(uplink, states, (enum part)part, ret_error);
	for (const struct host_state *host = states_next_host(states, NULL); host && !result;
	     host = states_next_host(states, host)) {
		if (host->alarm.color == COLOR_UNKNOWN || host->ended)
			result = report(uplink, &host->alarm, ret_error);
	}
	return result ? result : series_report_end(&uplink->report, ret_error);
}

int uplink_save_rest(struct uplink *uplink, struct text *ret_error)
{
	series_report_begin(&uplink->report);
	return series_report_end(&uplink->report, ret_error);
}

bool uplink_is_stopped(const struct uplink *uplink)
{
	return client_is_stopped(uplink->client);
}
