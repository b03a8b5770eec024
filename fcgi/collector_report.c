#include "fcgi/collector_report.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/wire.h"

/* As [collector] interval may be. */
#define INTERVAL_MIN_S 1.0
#define INTERVAL_MAX_S 3600.0

static const char *const counter_names[COLLECTOR_COUNTERS] = {
	[COLLECTOR_SENT] = "sent",       [COLLECTOR_SPOOLED] = "spooled",   [COLLECTOR_REPLAYED] = "replayed",
	[COLLECTOR_DROPPED] = "dropped", [COLLECTOR_REJECTED] = "rejected", [COLLECTOR_MISSED_TICKS] = "missed_ticks",
	[COLLECTOR_LOST_EXITS] = "lost_exits",
};

const char *collector_report_counter_name(enum collector_report_counter counter)
{
	return counter_names[counter];
}

struct collector_report collector_report_empty(void)
{
	struct collector_report report = { .partial = -1 };
	for (int i = 0; i < COLLECTOR_COUNTERS; i++)
		report.counters[i] = -1;
	return report;
}

static void read_string(const cJSON *object, const char *key, char *target, size_t size)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	if (cJSON_IsString(item))
		snprintf(target, size, "%s", item->valuestring);
	/* A character that was cut in two is left out. */
	target[wire_utf8_check(target, strlen(target))] = '\0';
}

/* A number of 0 or more; -1 when it is none. */
static double read_counter(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) || item->valuedouble < 0)
		return -1;
	return item->valuedouble == 0 ? 0 : item->valuedouble; /* not -0 */
}

struct collector_report collector_report_read(const struct cJSON *object)
{
	struct collector_report report = collector_report_empty();
	read_string(object, "hostname", report.hostname, sizeof(report.hostname));
	read_string(object, "version", report.version, sizeof(report.version));
	read_string(object, "state", report.state, sizeof(report.state));
	read_string(object, "ended_cpu", report.ended_cpu, sizeof(report.ended_cpu));
	const cJSON *offset = cJSON_GetObjectItemCaseSensitive(object, "clock_offset_s");
	report.clock_offset_known = cJSON_IsNumber(offset) && isfinite(offset->valuedouble);
	report.clock_offset_s = report.clock_offset_known ? offset->valuedouble : 0;
	const cJSON *interval = cJSON_GetObjectItemCaseSensitive(object, "interval_s");
	if (cJSON_IsNumber(interval) && interval->valuedouble >= INTERVAL_MIN_S && interval->valuedouble <= INTERVAL_MAX_S)
		report.interval_s = interval->valuedouble;
	const cJSON *partial = cJSON_GetObjectItemCaseSensitive(object, "partial");
	report.partial = cJSON_IsBool(partial) ? cJSON_IsTrue(partial) : -1;
	const cJSON *counters = cJSON_GetObjectItemCaseSensitive(object, "counters");
	for (int i = 0; i < COLLECTOR_COUNTERS; i++)
		report.counters[i] = read_counter(counters, counter_names[i]);
	return report;
}
