#include "alert/round.h"

#include <errno.h>
#include <string.h>

#include "alert/state_file.h"
#include "common/log.h"

void round_init(struct round *round)
{
	*round = (struct round){
		.log = { .fd = -1 },
		.asking = { .operation = "asking for the latest samples" },
		.evaluating = { .operation = "the evaluation" },
		.skipping = { .operation = "reading all of the answers" },
		.logging = { .operation = "writing the alert log" },
		.saving = { .operation = "writing the state" },
		.reporting = { .operation = "reporting the alarms" },
	};
}

void round_free(struct round *round)
{
	transitions_free(&round->transitions);
}

void round_flush_log(struct round *round)
{
	trouble_watch(&round->logging, alert_log_flush(&round->log), NULL);
	if (round->log.dropped && !round->logging.present) {
		log_error("%llu lines of %s are lost: too many had to wait", (unsigned long long)round->log.dropped,
		          round->log.path);
		round->log.dropped = 0;
	}
}

int round_save_states(struct round *round)
{
	int result = state_file_write(round->state_path, round->states);
	if (!result)
		states_saved(round->states);
	return result;
}

/* The lines first, for whoever follows them. */
static void tell(struct round *round, int64_t now_ms)
{
	for (size_t i = 0; i < round->transitions.count; i++)
		alert_log_add(&round->log, &round->transitions.items[i], now_ms);
	round_flush_log(round);
	for (size_t i = 0; i < round->transitions.count; i++)
		hook_add(round->hook, &round->transitions.items[i]);
	if (states_changed(round->states))
		trouble_watch(&round->saving, round_save_states(round), NULL);
}

static bool ask_latest(struct round *round, struct latest *ret_latest)
{
	struct text error = TEXT_EMPTY;
	int result = uplink_latest(round->uplink, ret_latest, &error);
	trouble_watch(&round->asking, result, error.data);
	text_free(&error);
	return result == 0;
}

/* That there are none is no failure of ours: AMBER waits, all else goes on. */
static bool ask_forecasts(struct round *round, struct forecasts *ret_forecasts)
{
	struct text error = TEXT_EMPTY;
	int result = uplink_forecasts(round->uplink, ret_forecasts, &error);
	if (result && !round->without_forecasts)
		log_warning("no forecasts: %s; AMBER waits", error.data ? error.data : strerror(-result));
	else if (!result && round->without_forecasts)
		log_info("the forecasts are back");
	round->without_forecasts = result != 0;
	text_free(&error);
	return result == 0;
}

static void watch_skipped(struct round *round, size_t skipped)
{
	struct text error = TEXT_EMPTY;
	text_printf(&error, "%zu of their items are not of their shape", skipped);
	trouble_watch(&round->skipping, skipped ? -EBADMSG : 0, error.data);
	text_free(&error);
}

/* What is now, then what is to come. */
static int judge(struct round *round, const struct latest *latest, int64_t now_ms)
{
	int result = states_evaluate(round->states, round->rules, latest, now_ms, &round->transitions);
	tell(round, now_ms);
	if (result)
		return result;
	log_debug("%zu samples, %zu transitions", latest->count, round->transitions.count);

	struct forecasts forecasts = { 0 };
	if (ask_forecasts(round, &forecasts)) {
		result = states_evaluate_forecasts(round->states, round->rules, latest, &forecasts, &round->transitions);
		tell(round, now_ms);
		log_debug("%zu forecasts, %zu transitions", forecasts.count, round->transitions.count);
	}
	watch_skipped(round, latest->skipped + forecasts.skipped);
	forecasts_free(&forecasts);
	if (!result) {
		result = states_remind(round->states, round->reminder_ms, &round->transitions);
		tell(round, now_ms);
	}
	return result;
}

static void report(struct round *round)
{
	struct text error = TEXT_EMPTY;
	int result = uplink_save_alarms(round->uplink, round->states, &error);
	if (!result)
		states_reported(round->states);
	trouble_watch(&round->reporting, result, error.data);
	text_free(&error);
}

void round_evaluate(struct round *round, int64_t now_ms)
{
	struct latest latest;
	if (!ask_latest(round, &latest)) {
		states_interrupted(round->states);
		round_flush_log(round);
		return;
	}
	trouble_watch(&round->evaluating, judge(round, &latest, now_ms), NULL);
	latest_free(&latest);
	report(round);
}
