#include "fcgi/remote/victoriametrics_flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

enum { DAY_MS = 86400000 };

/* The value of a flag; "" where it is not set. */
static void find_flag(const char *text, const char *name, char ret_value[static 64])
{
	char start[64];
	snprintf(start, sizeof(start), "-%s=\"", name);
	const char *at = strstr(text, start);
	ret_value[0] = '\0';
	if (at)
		sscanf(at + strlen(start), "%63[^\"]", ret_value);
}

/* A duration as VictoriaMetrics writes it, in days: a bare number means months. */
static double parse_days(const char *text)
{
	static const struct {
		char unit;
		double days;
	} units[] = { { 'h', 1 / 24.0 }, { 'd', 1 }, { 'w', 7 }, { 'y', 365 } };
	char *end;
	double number = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (*end == units[i].unit)
			return number * units[i].days;
	}
	return number * 31;
}

void victoriametrics_flags_check(struct victoriametrics_flags *flags, const char *text, int64_t retention_ms)
{
	char retention[64], dedup[64];
	find_flag(text, "retentionPeriod", retention);
	find_flag(text, "dedup.minScrapeInterval", dedup);
	double days = parse_days(retention[0] ? retention : "1"), wanted = (double)retention_ms / DAY_MS;
	if (days != wanted && days != flags->warned_days) {
		flags->warned_days = days;
		log_warning("store victoriametrics: it keeps samples for %g days, not %g as server.retention says: start it "
		            "with -retentionPeriod=%gd", days, wanted, wanted);
	}
	if ((!dedup[0] || strtod(dedup, NULL) == 0) && !flags->warned_doubles) {
		flags->warned_doubles = true;
		log_warning("store victoriametrics: it counts a sample that is written again twice: start it with "
		            "-dedup.minScrapeInterval=1ms");
	}
}
