#include "fcgi/store.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "fcgi/counters.h"

static const struct store_ops *const engines[] = {
	&store_sqlite, &store_influxdb3, &store_influxdb2, &store_influxql, &store_victoriametrics,
};

const struct store_ops *store_find(const char *name)
{
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		if (strcmp(engines[i]->name, name) == 0)
			return engines[i];
	}
	return NULL;
}

void store_append_names(struct text *text)
{
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
		text_printf(text, "%s%s", i ? ", " : "", engines[i]->name);
}

int64_t store_step_start(int64_t time_ms, int64_t step_ms)
{
	int64_t past = time_ms % step_ms;
	return time_ms - (past < 0 ? past + step_ms : past);
}

void store_leave_out(const char *engine, uint64_t count)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	if (count == 0)
		return;
	counters_add(COUNTER_UNUSABLE_VALUES, count);
	if (!atomic_flag_test_and_set(&said))
		log_warning("store %s: it holds values that cannot be right (not finite, below 0, over %g, or of absurd "
		            "times); they are left out of all answers, and counted in vigie_unusable_values_total",
		            engine, WIRE_VALUE_MAX);
}

int store_compare_keys(const void *left, const void *right)
{
	const struct series_key *a = left, *b = right;
	int order = a->ip && b->ip ? strcmp(a->ip, b->ip) : 0;
	return order ? order : strcmp(a->process, b->process);
}

void store_rows_free(struct store_rows *rows)
{
	free(rows->items);
	free(rows->strings);
	budget_give_back(&rows->share);
	*rows = (struct store_rows){ 0 };
}

void store_history_free(struct store_history *history)
{
	free(history->items);
	free(history->points);
	free(history->strings);
	budget_give_back(&history->share);
	*history = (struct store_history){ 0 };
}

void store_hosts_free(struct store_hosts *hosts)
{
	free(hosts->items);
	free(hosts->strings);
	*hosts = (struct store_hosts){ 0 };
}
