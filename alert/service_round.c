/* What the service does in each round. */
#include "alert/service_internal.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

static void save_changes(struct service *service)
{
	if (states_changed(service->states) || service->log.changed)
		trouble_watch(&service->saving, service_save_states(service), NULL);
}

/* Who is told of a transition beside the log. */
static void tell_channels(struct service *service, const struct transition *transition)
{
	if (transition->alarm.silenced_ms)
		return;
	hook_add(service->hook, transition);
}

/* The lines first, for whoever follows them. */
static void tell(struct service *service, int64_t now_ms)
{
	const struct transitions *transitions = &service->transitions;
	for (size_t i = 0; i < transitions->count; i++)
		alert_log_add(&service->log, &transitions->items[i], now_ms);
	service_flush_log(service);
	for (size_t i = 0; i < transitions->count; i++)
		tell_channels(service, &transitions->items[i]);
	save_changes(service);
	service_tell_alertmanager(service, now_ms);
}

static bool ask_latest(struct service *service, struct latest *ret_latest)
{
	struct text error = TEXT_EMPTY;
	int result = uplink_latest(service->uplink, ret_latest, &error);
	trouble_watch(&service->asking, result, error.data);
	text_free(&error);
	return result == 0;
}

/* That there are none is no failure of ours: AMBER waits, all else goes on. At the start they are still to come: who is
 * started together with vigie-forecast is first. */
static bool ask_forecasts(struct service *service, struct forecasts *ret_forecasts)
{
	struct text error = TEXT_EMPTY;
	int result = uplink_forecasts(service->uplink, ret_forecasts, &error);
	void (*const log)(const char *format, ...) = service->had_forecasts || result != -ENODATA ? log_warning : log_info;
	service->had_forecasts = service->had_forecasts || !result;
	if (result && !service->without_forecasts)
		log("no forecasts: %s; AMBER waits", text_or(&error, strerror(-result)));
	else if (!result && service->without_forecasts)
		log_info("the forecasts are back");
	service->without_forecasts = result != 0;
	text_free(&error);
	return result == 0;
}

static void log_silence(const struct silence *silence, const char *what)
{
	char until[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(silence->until_ms, until);
	log_info("the silence %s of process \"%s\", ip \"%s\", resource \"%s\" until %s %s", silence->id, silence->process, silence->ip,
	         silence->resource, until, what);
}

/* Those that are in one answer and not in the other. */
static void log_changes(const struct silences *before, const struct silences *after)
{
	for (size_t i = 0; i < before->count; i++) {
		if (!silences_find(after, before->items[i].id))
			log_silence(&before->items[i], "has ended");
	}
	for (size_t i = 0; i < after->count; i++) {
		if (!silences_find(before, after->items[i].id))
			log_silence(&after->items[i], "holds");
	}
}

/* Asks which silences hold. While nobody says, those go on that were known, until they end by our clock. */
static void ask_silences(struct service *service, int64_t now_ms)
{
	struct text error = TEXT_EMPTY;
	struct silences silences;
	int result = uplink_silences(service->uplink, &silences, &error);
	if (!result) {
		log_changes(&service->silences, &silences);
		silences_free(&service->silences);
		service->silences = silences;
		service->knows_silences = true;
	} else {
		for (size_t i = 0; i < service->silences.count; i++) {
			if (service->silences.items[i].until_ms <= now_ms)
				log_silence(&service->silences.items[i], "has ended");
		}
		silences_drop_ended(&service->silences, now_ms);
	}
	trouble_watch(&service->silencing, result, error.data);
	text_free(&error);
	states_set_silences(service->states, service->knows_silences ? &service->silences : NULL);
}

/* Whether it is known whose collectors see only a part. */
static bool ask_partial(struct service *service)
{
	struct text error = TEXT_EMPTY;
	struct partial partial;
	int result = uplink_partial(service->uplink, &service->partial, &partial, &error);
	if (!result) {
		partial_free(&service->partial);
		service->partial = partial;
	}
	trouble_watch(&service->seeing, result, error.data);
	text_free(&error);
	return result == 0;
}

/* What must run and does not. Most rounds need not know of the hosts. */
static int judge_missing(struct service *service, const struct latest *latest)
{
	struct states *states = service->states;
	bool known = states_lack(states, service->rules, latest) && ask_partial(service);
	return states_evaluate_missing(states, service->rules, latest, known ? &service->partial : NULL, &service->transitions);
}

static void watch_skipped(struct service *service, size_t skipped)
{
	struct text error = TEXT_EMPTY;
	text_printf(&error, "%zu of their items are not of their shape", skipped);
	trouble_watch(&service->skipping, skipped ? -EBADMSG : 0, error.data);
	text_free(&error);
}

/* That it is not known is said once, and is no failure where the server is of an earlier version; all else goes on. */
static int judge_kills(struct service *service, int64_t now_ms, size_t *ret_skipped)
{
	struct kills kills = { 0 };
	struct text error = TEXT_EMPTY;
	int result = uplink_kills(service->uplink, &kills, &error);
	bool without = result == -ENODATA;
	if (without && !service->without_kills)
		log_info("the server, of an earlier version, does not tell whom the kernels have killed");
	service->without_kills = without;
	trouble_watch(&service->asking_kills, without ? 0 : result, error.data);
	text_free(&error);
	if (result)
		return 0;
	result = states_evaluate_kills(service->states, service->rules, &kills, now_ms, &service->transitions);
	tell(service, now_ms);
	*ret_skipped = kills.skipped;
	kills_free(&kills);
	return result;
}

/* What has happened, what is now, then what is to come. */
static int judge(struct service *service, const struct latest *latest, int64_t now_ms)
{
	struct states *states = service->states;
	struct transitions *transitions = &service->transitions;
	size_t skipped_kills = 0;
	ask_silences(service, now_ms);
	int result = judge_kills(service, now_ms, &skipped_kills);
	if (result)
		return result;
	result = states_evaluate(states, service->rules, latest, now_ms, transitions);
	tell(service, now_ms);
	if (!result) {
		result = judge_missing(service, latest);
		tell(service, now_ms);
	}
	if (!result) {
		result = states_unsilence(states, transitions);
		tell(service, now_ms);
	}
	if (result)
		return result;
	log_debug("%zu samples, %zu transitions", latest->count, transitions->count);

	struct forecasts forecasts = { 0 };
	if (ask_forecasts(service, &forecasts)) {
		result = states_evaluate_forecasts(states, service->rules, latest, &forecasts, transitions);
		tell(service, now_ms);
		log_debug("%zu forecasts, %zu transitions", forecasts.count, transitions->count);
	}
	watch_skipped(service, latest->skipped + forecasts.skipped + service->silences.skipped + skipped_kills);
	forecasts_free(&forecasts);
	if (!result) {
		result = states_remind(states, service->reminder_ms, transitions);
		tell(service, now_ms);
	}
	return result;
}

void service_log_counts(const struct service *service)
{
	size_t hosts = 0, counts[COLOR_COUNT] = { 0 };
	for (const struct host_state *host = states_next_host(service->states, NULL); host;
	     host = states_next_host(service->states, host)) {
		hosts += !host->forgotten;
		counts[host->alarm.color]++;
	}
	for (const struct series_state *series = states_next_series(service->states, NULL); series;
	     series = states_next_series(service->states, series))
		counts[series->alarm.color]++;
	log_info("%zu hosts; %zu alarms RED, %zu AMBER, %zu UNKNOWN; %zu bytes of lines wait for the alert log", hosts,
	         counts[COLOR_RED], counts[COLOR_ORANGE], counts[COLOR_UNKNOWN], service->log.waiting.length);
}

static void report(struct service *service)
{
	struct text error = TEXT_EMPTY;
	int result = uplink_save_alarms(service->uplink, service->states, &error);
	if (!result)
		states_reported(service->states);
	trouble_watch(&service->reporting, result, error.data);
	text_free(&error);
}

/* Whether the server has it stopped, and says so when that changes. */
static bool is_stopped(struct service *service)
{
	bool stopped = uplink_is_stopped(service->uplink);
	if (stopped != service->stopped)
		log_info(stopped ? "stopped by the server: nothing is evaluated until it says otherwise" : "started by the server");
	service->stopped = stopped;
	return stopped;
}

/* A round of a service that is stopped: hosts may come and go meanwhile, as while there is no answer. */
static void rest(struct service *service)
{
	struct text error = TEXT_EMPTY;
	int result = uplink_save_rest(service->uplink, &error);
	trouble_watch(&service->reporting, result, error.data);
	text_free(&error);
	states_interrupted(service->states);
	service_flush_log(service);
	save_changes(service);
	(void)is_stopped(service);
}

bool service_evaluate(struct service *service, int64_t boundary_ms, int64_t now_ms, bool patient)
{
	struct latest latest;
	if (service->stopped) {
		rest(service);
		return true;
	}
	if (!ask_latest(service, &latest)) {
		if (patient)
			return false; /* it may answer in time */
		states_interrupted(service->states);
		service_flush_log(service);
		save_changes(service);
		return true;
	}
	if (is_stopped(service)) {
		latest_free(&latest);
		rest(service);
		return true;
	}
	if (patient && states_await(service->states, &latest, boundary_ms)) {
		latest_free(&latest);
		return false;
	}
	trouble_watch(&service->evaluating, judge(service, &latest, now_ms), NULL);
	latest_free(&latest);
	report(service);
	return true;
}
