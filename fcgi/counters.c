#include "fcgi/counters.h"

#include <stdatomic.h>

static const struct {
	const char *name, *help;
} counter_texts[COUNTER_COUNT] = {
	[COUNTER_POINTS] = { "vigie_points_total", "Samples stored." },
	[COUNTER_BATCHES] = { "vigie_batches_total", "PUT requests stored." },
	[COUNTER_COMMITS] = { "vigie_commits_total", "Writes of the store, each of one batch or several." },
	[COUNTER_APPEND_FAILURES] = { "vigie_append_failures_total", "Writes that the store failed." },
	[COUNTER_REJECTED] = { "vigie_rejected_total", "Bodies answered 400, 409, 413 or 415." },
	[COUNTER_BUSY] = { "vigie_busy_total", "Requests answered 503 because the store did not answer in time, or too much waited for it." },
	[COUNTER_OVER_BUDGET] = { "vigie_memory_refused_total",
	                          "Requests answered 503 because all together held as much as server.memory allows." },
	[COUNTER_SHARED] = { "vigie_shared_reads_total", "Reads answered with another's answer." },
	[COUNTER_SERIES_FOLDED] = { "vigie_series_folded_total", "Samples counted as \"other\" because of a series limit." },
	[COUNTER_EXPIRED_ROWS] = { "vigie_expired_rows_total", "Rows deleted because they are older than the retention." },
	[COUNTER_SEALED_HOURS] = { "vigie_sealed_hours_total", "Hours of hosts that were sealed." },
	[COUNTER_MERGED_HOURS] = { "vigie_merged_hours_total", "Of those, hours that had been sealed before, with the samples that came later." },
	[COUNTER_TOO_LATE] = { "vigie_too_late_samples_total", "Samples not stored because of their hour the summaries alone are kept." },
	[COUNTER_UNUSABLE_VALUES] = { "vigie_unusable_values_total", "Stored values left out of answers because they cannot be right." },
};

static const struct {
	const char *name, *help;
} timer_texts[TIMER_COUNT] = {
	[TIMER_APPEND] = { "vigie_store_append_seconds", "Time of the store's writes." },
	[TIMER_READ] = { "vigie_store_read_seconds", "Time of the store's reads." },
};

enum { BUCKETS = 18, FIRST_BUCKET_NS = 100000 };

static const int statuses[] = { 200, 400, 401, 403, 404, 405, 409, 413, 415, 421, 500, 503 };
enum { STATUSES = sizeof(statuses) / sizeof(statuses[0]) };

static atomic_ullong counters[COUNTER_COUNT];
static atomic_ullong requests[COUNTERS_ROUTES][STATUSES];
static struct {
	atomic_ullong buckets[BUCKETS + 1]; /* the last: longer than all */
	atomic_ullong sum_ns;
} timers[TIMER_COUNT];

void counters_add(enum counter counter, uint64_t number)
{
	atomic_fetch_add_explicit(&counters[counter], number, memory_order_relaxed);
}

void counters_time(enum timer timer, int64_t duration_ns)
{
	unsigned bucket = 0;
	for (int64_t limit = FIRST_BUCKET_NS; bucket < BUCKETS && duration_ns > limit; limit *= 2)
		bucket++;
	atomic_fetch_add_explicit(&timers[timer].buckets[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&timers[timer].sum_ns, (unsigned long long)duration_ns, memory_order_relaxed);
}

void counters_request(unsigned route, int status)
{
	for (unsigned i = 0; i < STATUSES; i++) {
		if (statuses[i] == status)
			atomic_fetch_add_explicit(&requests[route][i], 1, memory_order_relaxed);
	}
}

static void append_timer(struct text *text, enum timer timer)
{
	const char *name = timer_texts[timer].name;
	text_printf(text, "# HELP %s %s\n# TYPE %s histogram\n", name, timer_texts[timer].help, name);
	unsigned long long total = 0;
	double limit = FIRST_BUCKET_NS / 1e9;
	for (unsigned i = 0; i < BUCKETS; i++, limit *= 2) {
		total += atomic_load(&timers[timer].buckets[i]);
		text_printf(text, "%s_bucket{le=\"%g\"} %llu\n", name, limit, total);
	}
	total += atomic_load(&timers[timer].buckets[BUCKETS]);
	text_printf(text, "%s_bucket{le=\"+Inf\"} %llu\n", name, total);
	text_printf(text, "%s_sum %.6f\n%s_count %llu\n", name, (double)atomic_load(&timers[timer].sum_ns) / 1e9, name, total);
}

void counters_append(struct text *text, const char *const route_names[], unsigned route_count)
{
	text_append_string(text, "# HELP vigie_requests_total Requests by route and status.\n"
	                         "# TYPE vigie_requests_total counter\n");
	for (unsigned i = 0; i < route_count; i++) {
		for (unsigned j = 0; j < STATUSES; j++) {
			unsigned long long number = atomic_load(&requests[i][j]);
			if (number)
				text_printf(text, "vigie_requests_total{route=\"%s\",status=\"%d\"} %llu\n",
				            route_names[i], statuses[j], number);
		}
	}
	for (int i = 0; i < COUNTER_COUNT; i++) {
		const char *name = counter_texts[i].name;
		text_printf(text, "# HELP %s %s\n# TYPE %s counter\n%s %llu\n", name, counter_texts[i].help, name, name,
		            (unsigned long long)atomic_load(&counters[i]));
	}
	for (int i = 0; i < TIMER_COUNT; i++)
		append_timer(text, (enum timer)i);
}
