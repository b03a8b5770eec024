#include "fcgi/report.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/wire.h"

static const char *const counter_names[REPORT_COUNTERS] = {
	[REPORT_SENT] = "sent",       [REPORT_SPOOLED] = "spooled",   [REPORT_REPLAYED] = "replayed",
	[REPORT_DROPPED] = "dropped", [REPORT_REJECTED] = "rejected", [REPORT_MISSED_TICKS] = "missed_ticks",
};

const char *report_counter_name(enum report_counter counter)
{
	return counter_names[counter];
}

struct report report_empty(void)
{
	struct report report = { .partial = -1 };
	for (int i = 0; i < REPORT_COUNTERS; i++)
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

struct report report_read(const struct cJSON *object)
{
	struct report report = report_empty();
	read_string(object, "hostname", report.hostname, sizeof(report.hostname));
	read_string(object, "version", report.version, sizeof(report.version));
	read_string(object, "state", report.state, sizeof(report.state));
	const cJSON *offset = cJSON_GetObjectItemCaseSensitive(object, "clock_offset_s");
	report.clock_offset_known = cJSON_IsNumber(offset) && isfinite(offset->valuedouble);
	report.clock_offset_s = report.clock_offset_known ? offset->valuedouble : 0;
	const cJSON *partial = cJSON_GetObjectItemCaseSensitive(object, "partial");
	report.partial = cJSON_IsBool(partial) ? cJSON_IsTrue(partial) : -1;
	const cJSON *counters = cJSON_GetObjectItemCaseSensitive(object, "counters");
	for (int i = 0; i < REPORT_COUNTERS; i++)
		report.counters[i] = read_counter(counters, counter_names[i]);
	return report;
}
