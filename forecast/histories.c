#include "forecast/histories.h"

#include <errno.h>

#include "common/log.h"

void histories_init(struct histories *histories, const struct setup *setup)
{
	*histories = (struct histories){ .setup = setup, .window_ms = setup->history_ms };
}

bool histories_refused(const struct histories *histories, int result)
{
	return result == -EREMOTEIO && uplink_refused(histories->setup->uplink);
}

/* The server refused the window: takes half of it. False when that is no history any more. */
static bool shorten(struct histories *histories, const char *reason)
{
	int64_t shorter_ms = histories->window_ms / 2;
	if (shorter_ms < 2 * histories->setup->step_ms + 2 * HISTORY_MARGIN_MS)
		return false;
	log_warning("the server refuses a history of %lld s (%s): asking for %lld s",
	            (long long)(histories->window_ms / 1000), reason, (long long)(shorter_ms / 1000));
	histories->window_ms = shorter_ms;
	return true;
}

static int read_resource(struct histories *histories, const char *ip, const char *process, enum resource resource,
                         int64_t last, int64_t now_ms, const struct history_reader *reader, struct text *ret_error)
{
	const struct setup *setup = histories->setup;
	for (;;) {
		struct history_query query = {
			.ip = ip, .process = process, .resource = resource, .step_ms = setup->step_ms,
			.first = history_first(now_ms, histories->window_ms, setup->step_ms),
			.above = process ? -1 : setup->above * rules_lowest_threshold(setup->rules),
		};
		query.count = last >= query.first ? (size_t)(last - query.first + 1) : 1;
		int result = uplink_history(setup->uplink, &query, now_ms, reader, ret_error);
		if (!histories_refused(histories, result) || !shorten(histories, text_or(ret_error, "")))
			return result;
		text_reset(ret_error);
	}
}

int histories_read(struct histories *histories, const char *ip, const char *process, enum resource resource,
                   int64_t last, int64_t now_ms, const struct history_reader *reader, struct text *ret_error)
{
	if (process)
		return read_resource(histories, ip, process, resource, last, now_ms, reader, ret_error);
	int result = 0;
	for (int i = 0; i < RESOURCE_LIMITED && !result; i++)
		result = read_resource(histories, ip, NULL, (enum resource)i, last, now_ms, reader, ret_error);
	return result;
}
