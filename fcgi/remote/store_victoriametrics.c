/*
 * VictoriaMetrics, single or cluster: InfluxDB's line protocol to /write, MetricsQL
 * (metricsql.h) and raw samples over its HTTP API (victoriametrics_api.h).
 *
 * docs.victoriametrics.com. Over the last 30 seconds of a range whose step is under a
 * minute it repeats older points (adjustLastPoints, -search.latencyOffset), unless the
 * range goes on after now. A range that ends with a midnight of UTC lacks the series that
 * begin then (1.79.5, victoriametrics_end()). Samples of one series and time are all kept,
 * unless -dedup.minScrapeInterval is set.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/url.h"
#include "fcgi/remote/assembly.h"
#include "fcgi/remote/metricsql.h"
#include "fcgi/remote/remote.h"
#include "fcgi/remote/victoriametrics_api.h"
#include "fcgi/remote/victoriametrics_flags.h"
#include "fcgi/remote/victoriametrics_hosts.h"

enum {
	STEPS_A_QUERY = 10000, /* buckets; the engine gives at most 30,000 */
	MINUTE_MS = 60000,
};

struct store {
	char *write_url, *ping_url;
	struct victoriametrics_api api;
	struct victoriametrics_flags flags;
	int64_t retention_ms;
};

/* ---- means ---- */

/* One number for each series: over (end − window, end]. */
static int ask_window(struct store *store, struct victoriametrics_taker *taker, bool maximum, int64_t end_ms,
                      int64_t window_ms)
{
	struct text expression = TEXT_EMPTY;
	int result = 0;
	if (window_ms > 0) {
		metricsql_append_rollup(&expression, taker->answer.query, taker->half, maximum, window_ms, clock_wall_ms());
		result = victoriametrics_ask_instant(&store->api, &expression, end_ms, taker);
	}
	text_free(&expression);
	return result;
}

static int victoriametrics_mean(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	struct victoriametrics_taker taker = { .take = victoriametrics_take_result, .column = ASSEMBLY_MAXIMUM };
	int result = assembly_open(&taker.answer, "victoriametrics", query, ASSEMBLY_ROWS);
	for (int i = 0; i < HALF_COUNT && result == 0; i++) {
		if (!store_wants(query, (enum half)i))
			continue;
		taker.half = (enum half)i;
		result = ask_window(store, &taker, false, query->to_ms, query->to_ms - query->from_ms);
		if (result == 0 && !query->without_maximum)
			result = ask_window(store, &taker, true, query->to_ms, query->to_ms - query->from_ms);
	}
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	assembly_close(&taker.answer);
	return result;
}

/* ---- raw samples ---- */

/* All samples of the query's window. */
static int ask_export(struct store *store, struct victoriametrics_taker *taker)
{
	const struct query *query = taker->answer.query;
	struct text form = TEXT_EMPTY, selector = TEXT_EMPTY;
	int64_t first_ms = query->from_ms < 0 ? 0 : query->from_ms + 1, now_ms = clock_wall_ms();
	if (first_ms > query->to_ms)
		return 0;
	victoriametrics_form_begin(&form);
	bool named = query->only && query->only_count <= METRICSQL_ONLY_MAX && !query->process;
	for (int i = 0; i < HALF_COUNT; i++) {
		size_t count = named ? query->only_count : 1;
		for (size_t j = 0; j < count && store_wants(query, (enum half)i); j++) {
			text_reset(&selector);
			metricsql_append_selector(&selector, query, (enum half)i, named ? &query->only[j] : NULL, now_ms);
			victoriametrics_form_add(&form, "match[]", &selector);
		}
	}
	victoriametrics_form_add_time(&form, "start", first_ms);
	victoriametrics_form_add_time(&form, "end", victoriametrics_end(query->to_ms));
	taker->end_ms = query->to_ms + 1;
	taker->take = victoriametrics_take_export;
	int result = victoriametrics_ask(&store->api, store->api.export_url, &form, taker);
	text_free(&form);
	text_free(&selector);
	return result;
}

/* The newest samples are few, over three intervals: of them the answer keeps the last. */
static int victoriametrics_latest(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	struct victoriametrics_taker taker = { 0 };
	int result = assembly_open(&taker.answer, "victoriametrics", query, ASSEMBLY_NEWEST);
	if (result == 0)
		result = ask_export(store, &taker);
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	assembly_close(&taker.answer);
	return result;
}

/* ---- histories ---- */

/* Buckets that lie in the window as a whole: the one that begins at first_ms and the
 * steps − 1 after it, each asked for at its last millisecond. */
static int ask_range(struct store *store, struct victoriametrics_taker *taker, bool maximum, int64_t first_ms,
                     int64_t steps)
{
	const struct query *query = taker->answer.query;
	struct text form = TEXT_EMPTY, expression = TEXT_EMPTY;
	int64_t now_ms = clock_wall_ms();
	taker->end_ms = first_ms + steps * query->step_ms;
	if (query->step_ms < MINUTE_MS && taker->end_ms > now_ms - MINUTE_MS)
		steps += MINUTE_MS / query->step_ms + 3; /* it goes on until after now, by its clock as well */
	metricsql_append_rollup(&expression, query, taker->half, maximum, query->step_ms, now_ms);
	victoriametrics_form_begin(&form);
	victoriametrics_form_add(&form, "query", &expression);
	victoriametrics_form_add_time(&form, "start", first_ms + query->step_ms - 1);
	victoriametrics_form_add_time(&form, "end", first_ms + steps * query->step_ms - 1);
	victoriametrics_form_add_time(&form, "step", query->step_ms);
	int result = victoriametrics_ask(&store->api, store->api.range_url, &form, taker);
	text_free(&form);
	text_free(&expression);
	return result;
}

/* The window in steps: what is left of its first bucket, whole ones, and what is left of
 * its last. */
static int ask_steps(struct store *store, struct victoriametrics_taker *taker)
{
	const struct query *query = taker->answer.query;
	bool maximum = query->aggregate == AGGREGATE_MAX;
	int64_t step_ms = query->step_ms, from_ms = query->from_ms < -1 ? -1 : query->from_ms;
	int64_t first_ms = (from_ms + 1 + step_ms - 1) / step_ms * step_ms; /* of the whole buckets */
	int64_t end_ms = (query->to_ms + 1) / step_ms * step_ms;
	taker->take = victoriametrics_take_result;
	taker->column = ASSEMBLY_VALUE;
	if (first_ms > end_ms) /* all of it in one bucket */
		return ask_window(store, taker, maximum, query->to_ms, query->to_ms - from_ms);

	int result = ask_window(store, taker, maximum, first_ms - 1, first_ms - 1 - from_ms);
	for (int64_t at_ms = first_ms; at_ms < end_ms && result == 0; at_ms += STEPS_A_QUERY * step_ms) {
		int64_t steps = (end_ms - at_ms) / step_ms;
		result = ask_range(store, taker, maximum, at_ms, steps < STEPS_A_QUERY ? steps : STEPS_A_QUERY);
	}
	if (result == 0)
		result = ask_window(store, taker, maximum, query->to_ms, query->to_ms - (end_ms - 1));
	return result;
}

static int victoriametrics_history(struct store *store, const struct query *query, struct store_history *ret_history)
{
	struct query one = *query;
	for (int i = 0; i < HALF_COUNT; i++)
		one.unwanted[i] = i != (int)query->half;
	struct victoriametrics_taker taker = { .half = query->half };
	int result = assembly_open(&taker.answer, "victoriametrics", &one, ASSEMBLY_HISTORY);
	if (result == 0)
		result = query->step_ms ? ask_steps(store, &taker) : ask_export(store, &taker);
	if (result == 0)
		result = assembly_history(&taker.answer, ret_history);
	assembly_close(&taker.answer);
	return result;
}

/* ---- the table ---- */

static int victoriametrics_check_config(const struct config *config, struct text *ret_error)
{
	const char *insert_url = config->victoriametrics.insert_url, *select_url = config->victoriametrics.select_url;
	int result = url_check("victoriametrics.insert_url", insert_url, ret_error);
	return result ? result : url_check("victoriametrics.select_url", select_url, ret_error);
}

static int victoriametrics_set_up(struct store *store)
{
	char words[REMOTE_WORDS_SIZE];
	struct text body = TEXT_EMPTY;
	const struct http_message write = { .method = "POST", .url = store->write_url, .body = "" };
	const struct http_message read = { .method = "GET", .url = store->ping_url };
	const struct http_message flags = { .method = "GET", .url = store->api.flags_url };
	int result = remote_send(store->api.remote, REMOTE_SET_UP, &write, NULL, words);
	if (result == 0)
		result = remote_send(store->api.remote, REMOTE_SET_UP, &read, NULL, words);
	/* A cluster's flags are on its storage nodes, which are not seen from here. */
	if (result == 0 && remote_send(store->api.remote, REMOTE_SET_UP, &flags, &body, words) == 0 && body.length)
		victoriametrics_flags_check(&store->flags, body.data, store->retention_ms);
	text_free(&body);
	return result;
}

static void victoriametrics_close(struct store *store)
{
	if (!store)
		return;
	remote_close(store->api.remote);
	free(store->write_url);
	free(store->ping_url);
	victoriametrics_api_free(&store->api);
	free(store);
}

static int victoriametrics_open(const struct config *config, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof(*store));
	const char *select_url = config->victoriametrics.select_url;
	if (!store)
		return -ENOMEM;
	store->retention_ms = config->server.retention_ms;
	int result = victoriametrics_api_init(&store->api, select_url);
	store->write_url = remote_url(config->victoriametrics.insert_url, "/write",
	                              (const char *const[]){ "precision", "ms", NULL });
	store->ping_url = remote_url(select_url, "/api/v1/query", (const char *const[]){ "query", "1", NULL });
	if (!store->write_url || !store->ping_url)
		result = -ENOMEM;
	const struct remote_identity identity = {
		.token_scheme = "Bearer",
		.token_file = config->victoriametrics.token_file,
		.user = config->victoriametrics.user,
		.password_file = config->victoriametrics.password_file,
	};
	if (result == 0)
		result = remote_open("victoriametrics", config, &identity, &store->api.remote);
	const struct http_message probe = { .method = "GET", .url = store->ping_url };
	if (result == 0)
		result = remote_start(store->api.remote, victoriametrics_set_up, &probe, store);
	if (result)
		victoriametrics_close(store);
	else
		*ret_store = store;
	return result;
}

static int victoriametrics_append(struct store *store, const struct batch *const batches[], size_t count,
                                  struct moment now, char ret_refusal[static STORE_REFUSAL_SIZE])
{
	(void)now;
	return remote_append(store->api.remote, store->write_url, batches, count, ret_refusal);
}

static int victoriametrics_hosts(struct store *store, int64_t from_ms, int64_t to_ms, struct store_hosts *ret_hosts)
{
	return victoriametrics_hosts_read(&store->api, from_ms, to_ms, ret_hosts);
}

static int64_t victoriametrics_retention(struct store *store)
{
	return store->retention_ms;
}

static int victoriametrics_health(struct store *store)
{
	return remote_health(store->api.remote);
}

const struct store_ops store_victoriametrics = {
	.name = "victoriametrics",
	.appends = REMOTE_APPENDS,
	.slow = true,
	.check_config = victoriametrics_check_config,
	.open = victoriametrics_open,
	.close = victoriametrics_close,
	.append = victoriametrics_append,
	.mean = victoriametrics_mean,
	.history = victoriametrics_history,
	.latest = victoriametrics_latest,
	.hosts = victoriametrics_hosts,
	.retention = victoriametrics_retention,
	.health = victoriametrics_health,
};
