#include "fcgi/remote/retention.h"

#include "common/log.h"

void retention_init(struct retention *retention, const struct config *config)
{
	retention->wanted_ms = config->server.retention_ms;
	retention->wanted_s = retention->wanted_ms / 1000 > RETENTION_MIN_S ? retention->wanted_ms / 1000 : RETENTION_MIN_S;
	retention->manage = config->server.manage_retention;
	retention->warned_s = -1;
	atomic_init(&retention->in_force_ms, retention->wanted_ms);
}

bool retention_is_to_change(struct retention *retention, const char *holder, int64_t engine_s)
{
	if (engine_s == retention->wanted_s || retention->manage)
		return engine_s != retention->wanted_s;
	if (engine_s != retention->warned_s)
		log_warning("store %s keeps samples for %lld s (0: for ever), not for %lld s as server.retention says; "
		            "server.manage_retention = yes changes it", holder, (long long)engine_s, (long long)retention->wanted_s);
	retention->warned_s = engine_s;
	return false;
}

void retention_set(struct retention *retention, int64_t engine_s)
{
	bool shorter = engine_s > 0 && engine_s * 1000 < retention->wanted_ms;
	atomic_store(&retention->in_force_ms, shorter ? engine_s * 1000 : retention->wanted_ms);
}

int64_t retention_ms(const struct retention *retention)
{
	return atomic_load(&retention->in_force_ms);
}
