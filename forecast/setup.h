/*
 * What vigie-forecast makes of its configuration, all of it or nothing: the rules, the uplink to
 * the server, and the settings of [forecast]. The service and `vigie-forecast train` go by it.
 *
 * One thread uses a setup.
 */
#ifndef VIGIE_FORECAST_SETUP_H
#define VIGIE_FORECAST_SETUP_H

#include <stdint.h>

#include "common/config.h"
#include "common/rules.h"
#include "common/text.h"
#include "forecast/uplink.h"

struct setup {
	struct rules *rules;
	struct uplink *uplink;
	int64_t refresh_ms, step_ms, phase_ms, history_ms, long_horizon_ms;
	double above; /* a share of the limit */
	char *state;  /* path */
};

/* `config` is not kept; `source` is the file's name for messages, NULL without a file. Makes no
 * request. 0 with a setup to be closed; or a negative errno with a sentence. */
int setup_open(const struct config *config, const char *source, struct setup *ret_setup, struct text *ret_error)
	__attribute__((warn_unused_result));

/* One of all zeros is closed already. */
void setup_close(struct setup *setup);

/* The steps before this one have come to their end. */
int64_t setup_complete(const struct setup *setup, int64_t now_ms);

/* The horizon of a series with these limits, in steps: no longer than FORECASTER_HORIZON_MAX. */
unsigned setup_horizon(const struct setup *setup, const struct limits *limits);

/* How far days ahead are looked at, in steps; 0: not at all. */
double setup_long_horizon(const struct setup *setup);

/* A value over this, in percent, makes a series one that is looked at; INFINITY: it is muted. */
double setup_above(const struct setup *setup, const char *ip, const char *process, enum resource resource);

#endif
