#include "forecast/setup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/watcher.h"
#include "forecast/forecaster.h"

_Static_assert((int)FORECASTER_HORIZON_MAX == (int)WATCHER_HORIZON_STEPS, "what is checked is what can be had");

enum { PER_STEP_MAX = 300 }; /* refreshes a step: 16 bytes each of every series */

static int check_times(const struct config *config, struct text *ret_error)
{
	int64_t refresh_ms = config->forecast.refresh_ms, step_ms = config->forecast.step_ms;
	if (refresh_ms % 1000)
		text_append_string(ret_error, "[forecast] refresh: it is no whole number of seconds");
	else if (step_ms % refresh_ms || step_ms / refresh_ms > PER_STEP_MAX)
		text_printf(ret_error, "[forecast] step: it is not 1 to %d times refresh", PER_STEP_MAX);
	else if (config->forecast.history_ms < 2 * step_ms)
		text_append_string(ret_error, "[forecast] history: it is less than two steps");
	else
		return 0;
	return -EINVAL;
}

int setup_open(const struct config *config, const char *source, struct setup *ret_setup, struct text *ret_error)
{
	const struct watcher_section section = {
		.name = "forecast", .url = config->forecast.url, .token_file = config->forecast.token_file,
		.proxy = config->forecast.proxy,
	};
	struct setup setup = {
		.refresh_ms = config->forecast.refresh_ms, .step_ms = config->forecast.step_ms,
		.phase_ms = config->forecast.phase_ms, .history_ms = config->forecast.history_ms,
		.long_horizon_ms = config->forecast.long_horizon_ms,
		.above = config->forecast.above / 100,
	};
	struct text token;
	int result = check_times(config, ret_error);
	if (!result)
		result = watcher_read(config, source, &section, &setup.rules, &token, ret_error);
	if (result)
		return result;
	setup.state = strdup(config->forecast.state);
	setup.uplink = uplink_open(config->forecast.url, token.data, config->forecast.proxy, config->forecast.timeout_ms);
	text_free(&token);
	if (!setup.state || !setup.uplink || !uplink_trust(setup.uplink, config->forecast.ca_file)) {
		setup_close(&setup);
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	*ret_setup = setup;
	return 0;
}

void setup_close(struct setup *setup)
{
	rules_free(setup->rules);
	uplink_close(setup->uplink);
	free(setup->state);
	*setup = (struct setup){ 0 };
}

int64_t setup_complete(const struct setup *setup, int64_t now_ms)
{
	return (now_ms - setup->phase_ms) / setup->step_ms;
}

unsigned setup_horizon(const struct setup *setup, const struct limits *limits)
{
	int64_t steps = (limits->horizon_ms + setup->step_ms - 1) / setup->step_ms;
	return steps > FORECASTER_HORIZON_MAX ? FORECASTER_HORIZON_MAX : (unsigned)steps;
}

double setup_long_horizon(const struct setup *setup)
{
	return (double)setup->long_horizon_ms / (double)setup->step_ms;
}

double setup_above(const struct setup *setup, const char *ip, const char *process, enum resource resource)
{
	const struct limits *limits = rules_find(setup->rules, ip, process, resource);
	return limits->mute ? INFINITY : setup->above * limits->threshold;
}
