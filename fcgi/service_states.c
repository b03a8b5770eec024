/* In what state the services are that report to this one, and in what state they are to be. */
#include "fcgi/service_internal.h"

#include <string.h>

#include "common/clock.h"

void service_note_life(struct sign_of_life *sign, enum said_state said)
{
	atomic_store(&sign->said, said);
	atomic_store(&sign->wall_ms, clock_wall_ms());
	atomic_store(&sign->monotonic_ns, clock_monotonic_ns());
}

static bool is_alive(const struct sign_of_life *sign, int64_t interval_ms)
{
	int64_t reported_ns = atomic_load(&sign->monotonic_ns);
	return reported_ns && clock_monotonic_ns() - reported_ns <= INTERVALS_FRESH * interval_ms * 1000000;
}

static const char *state_of(const struct sign_of_life *sign, int64_t interval_ms)
{
	static const char *const states[] = { [SAID_NOTHING] = "unsupported", [SAID_RUN] = WIRE_RUN, [SAID_STOP] = WIRE_STOP };
	return is_alive(sign, interval_ms) ? states[atomic_load(&sign->said)] : "unknown";
}

const char *service_alert_state(const struct service *service)
{
	return state_of(&service->alert, atomic_load(&service->interval_ms));
}

const char *service_forecast_state(const struct service *service)
{
	return state_of(&service->forecast, atomic_load(&service->refresh_ms));
}

bool service_state_works(const char *state)
{
	return strcmp(state, WIRE_STOP) != 0 && strcmp(state, "unknown") != 0;
}

const char *service_wish(struct service *service, enum wire_service asking, bool stopped, const char *ip)
{
	bool stop = stopped;
	if (asking == WIRE_NOBODY)
		return NULL;
	if (keeper_knows(service->keeper))
		stop = asking == WIRE_COLLECTOR && !ip ? wishes_stop_any(service->wishes, asking) :
		                                         wishes_stop(service->wishes, asking, ip ? ip : "");
	return stop ? WIRE_STOP : WIRE_RUN;
}

int64_t service_patience_ms(const struct service *service, int64_t interval_ms)
{
	return INTERVALS_FRESH * (interval_ms ? interval_ms : atomic_load(&service->interval_ms));
}
