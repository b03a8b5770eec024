/* Whom the service tells beside the alert log: opened, reloaded, told. */
#include "alert/service_internal.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

/* That its program is missing is no reason to watch nothing. */
void service_configure_hook(struct service *service, const struct config *config)
{
	hook_set_wait(service->hook, config->alert.hook_wait_ms);
	int result = hook_configure(service->hook, config->alert.hook, config->alert.hook_timeout_ms);
	if (result)
		log_error("the hook %s cannot be run as things are: %s", config->alert.hook, strerror(-result));
}

/* What stood when the state was written is renewed at once, and what has ended since the file was, ends. */
int service_open_alertmanager(struct service *service, const struct config *config)
{
	struct text path = TEXT_EMPTY;
	text_printf(&path, "%s.alertmanager", service->state_path);
	int result = text_failed(&path) ? -ENOMEM : alertmanager_open(config, path.data, &service->alertmanager);
	if (result)
		service->alertmanager = NULL;
	else if (service->alertmanager)
		alertmanager_update(service->alertmanager, service->states, NULL, clock_wall_ms());
	text_free(&path);
	return result;
}

void service_reload_alertmanager(struct service *service, const struct config *config)
{
	alertmanager_close(service->alertmanager);
	int result = service_open_alertmanager(service, config);
	if (result)
		log_error("no Alertmanager is told anything from now on: %s", strerror(-result));
}

/* Without the names alarms are told all the same. */
void service_tell_alertmanager(struct service *service, int64_t now_ms)
{
	struct hostnames names = { 0 };
	struct text error = TEXT_EMPTY;
	if (!service->alertmanager)
		return;
	if (alertmanager_lacks(service->alertmanager, service->states))
		trouble_watch(&service->naming, uplink_hostnames(service->uplink, &names, &error), error.data);
	alertmanager_update(service->alertmanager, service->states, &names, now_ms);
	hostnames_free(&names);
	text_free(&error);
}
