/* What the service has to say of one series. */
#include "forecast/service_internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

/* What was learnt before, as far as it can be read: all else is the same without. */
static int read_learnt(struct service *service, struct text *ret_error)
{
	const char *path = service->setup.state;
	struct text wrong = TEXT_EMPTY;
	int result = state_file_read(path, service->setup.step_ms, &service->learnt, NULL, &wrong);
	if (result == -ENOMEM)
		text_append_string(ret_error, strerror(ENOMEM));
	else if (result)
		log_warning("without what is learnt: %s: %s", path, text_or(&wrong, strerror(-result)));
	text_free(&wrong);
	return result == -ENOMEM ? result : 0;
}

static void describe(const struct service *service, const struct series *series, int64_t boundary_ms, int64_t now_ms,
                     struct text *text)
{
	struct prediction prediction;
	struct step present = service_present(service, series, boundary_ms);
	double phase = service_phase(service, boundary_ms), step_ms = (double)service->setup.step_ms;
	const struct limits *limits = rules_find(service->setup.rules, series_ip(series), series->process, series->resource);
	text_printf(text, "limit %.15g, horizon %u steps of %.15g s\n", limits->threshold,
	            setup_horizon(&service->setup, limits), step_ms / 1000);
	if (!forecaster_predict(series->forecaster, present, phase, &prediction)) {
		text_append_string(text, "too little is known of it: no forecast\n");
		return;
	}
	text_printf(text, "probability %.4f\nforecast %.2f\n", prediction.probability, prediction.forecast);
	if (isnan(prediction.lead_steps)) {
		text_append_string(text, "it is not expected to pass its limit\n");
	} else {
		char time[CLOCK_RFC3339_SIZE];
		clock_format_rfc3339(now_ms + llrint(prediction.lead_steps * step_ms), time);
		text_printf(text, "expected at %s, in %.0f s\n", time, prediction.lead_steps * step_ms / 1000);
	}
	if (!isnan(prediction.full_steps)) {
		char time[CLOCK_RFC3339_SIZE];
		clock_format_rfc3339(now_ms + llrint(prediction.full_steps * step_ms), time);
		text_printf(text, "by a line over days: full at %s, in %.1f h\n", time, prediction.full_steps * step_ms / 3600e3);
	}
	if (prediction.climb > 0)
		text_printf(text, "by its steady climb alone: probability %.4f\n", prediction.climb);
	forecaster_explain(series->forecaster, present, phase, text);
}

int service_explain(struct service *service, const char *ip, const char *process, enum resource resource, int64_t now_ms,
                    struct text *text, struct text *ret_error)
{
	int64_t refresh_ms = service->setup.refresh_ms, boundary_ms = now_ms / refresh_ms * refresh_ms;
	struct series *series = service_add_series(service, ip, process, resource);
	if (!series) {
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	service->complete = boundary_ms / service->setup.step_ms;
	int result = read_learnt(service, ret_error);
	if (!result)
		result = service_catch_up(service, ip, series, now_ms, ret_error);
	if (!result)
		result = service_look(service, ip, process, boundary_ms, now_ms, ret_error);
	if (!result)
		describe(service, series, boundary_ms, now_ms, text);
	return result;
}
