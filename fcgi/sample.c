#include "fcgi/sample.h"

#define OF_BOTH(name) { [HALF_FIRST] = "mem_" name, [HALF_SECOND] = "cpu_" name }

const char *sample_measurement(enum metric metric, enum half half)
{
	static const char *const names[METRIC_NAMED_COUNT][HALF_COUNT] = {
		[METRIC_ALARM] = OF_BOTH("alarm"),
		[METRIC_ALARM_SINCE] = OF_BOTH("alarm_since"),
		[METRIC_ALARM_THRESHOLD] = OF_BOTH("alarm_threshold"),
		[METRIC_FORECAST] = OF_BOTH("forecast_percent"),
		[METRIC_FORECAST_PROBABILITY] = OF_BOTH("forecast_probability"),
		[METRIC_FORECAST_LEAD] = OF_BOTH("forecast_lead_s"),
		[METRIC_ALARM_FORECAST] = OF_BOTH("alarm_forecast_percent"),
		[METRIC_ALARM_LEAD] = OF_BOTH("alarm_lead_s"),
		[METRIC_INTERVAL] = OF_BOTH("interval_s"),
		[METRIC_FORECAST_FULL] = OF_BOTH("forecast_full_s"),
		[METRIC_WISH] = OF_BOTH("wish"),
		[METRIC_OOM_KILLS] = OF_BOTH("oom_kills"),
		[METRIC_SILENCE] = OF_BOTH("silence_until"),
		[METRIC_ALARM_MISSING] = OF_BOTH("alarm_missing"),
	};
	if (!sample_is_usage(metric))
		return names[metric][half];
	enum resource resource = sample_resource(metric, half);
	return resource < RESOURCE_COUNT ? resource_rows[resource].measurement : NULL;
}

bool sample_is_forecast(enum metric metric)
{
	return metric == METRIC_FORECAST || metric == METRIC_FORECAST_PROBABILITY || metric == METRIC_FORECAST_LEAD ||
	       metric == METRIC_FORECAST_FULL;
}
