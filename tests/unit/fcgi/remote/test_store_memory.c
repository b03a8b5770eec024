/*
 * The stores beyond the network where an allocation fails: the first, the second, … of each operation, over a server that
 * answers all of them. (What takes no engine has this in tests of its own.)
 */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/remote/stage.h"

#include <curl/curl.h>

/* The window, and the one sample in it. */
#define FROM 1795357200000
#define TO (FROM + 600000)
#define AT "1795357260000"
#define AT_S "1795357260"
#define AT_RFC3339 "2026-11-22T14:21:00Z"

/* ---- the stage ---- */

#define SERIES(ip, values) \
	"{\"name\": \"mem_usage_percent\", \"tags\": {\"ip\": \"" ip "\", \"process\": \"bash\"}, \"values\": [[" values "]]}"
#define RESULTS(series) "{\"results\": [{\"statement_id\": 0, \"series\": [" series "]}]}\n"
#define POLICIES RESULTS("{\"values\": [[\"autogen\", \"48h0m0s\", \"24h0m0s\", 1, true]]}")
#define DATA(type, series) "{\"status\": \"success\", \"data\": {\"resultType\": \"" type "\", \"result\": [" series "]}}"
#define METRIC_OF(ip, rollup) "{\"metric\": {\"ip\": \"" ip "\", \"process\": \"bash\"" rollup "}, "
#define METRIC(rollup) METRIC_OF("10.0.0.1", rollup)
#define ROLLUP(name) ", \"rollup\": \"" name "\""
#define CSV_HEAD ",result,table,_measurement,ip,process,_time,_value\r\n"
#define CSV_ROW(result, table, ip) "," result "," table ",mem_usage_percent," ip ",bash," AT_RFC3339 ",2.5\r\n"

/* Of all engines; of several that fit, the first counts. */
static const struct {
	const char *start, *words; /* of the head, in the body */
	int status;
	const char *body;
} answers[] = {
	{ "POST /query?", "SHOW+RETENTION", 200, POLICIES },
	{ "POST /query?", "SHOW%20RETENTION", 200, POLICIES },
	{ "POST /query?", "mean%28value%29%2C", 200, RESULTS(SERIES("10.0.0.1", AT ", 2.5, 2.5")) },
	{ "POST /query?", "bash", 200, RESULTS(SERIES("10.0.0.1", AT ", 2.5")) },
	{ "POST /query?", "", 200, RESULTS(SERIES("10.0.0.1", AT ", 2.5") ", " SERIES("10.0.0.2", AT ", 2.5")) },
	{ "POST /write?", "", 204, "" },
	{ "GET /api/v2/buckets?", "", 200,
	  "{\"buckets\": [{\"id\": \"b\", \"name\": \"monitoring\", \"retentionRules\": [{\"type\": \"expire\", \"everySeconds\": 172800}]}]}" },
	{ "POST /api/v2/query?", "maximum", 200, CSV_HEAD CSV_ROW("value", "0", "10.0.0.1") CSV_ROW("maximum", "0", "10.0.0.1") },
	{ "POST /api/v2/query?", "bash", 200, CSV_HEAD CSV_ROW("value", "0", "10.0.0.1") },
	{ "POST /api/v2/query?", "", 200, CSV_HEAD CSV_ROW("value", "0", "10.0.0.1") CSV_ROW("value", "1", "10.0.0.2") },
	{ "POST /api/v2/write?", "", 204, "" },
	{ "POST /api/v3/query_sql ", "", 200,
	  "[{\"database_name\": \"monitoring\", \"retention_period_ns\": 172800000000000, \"deleted\": false}]" },
	{ "POST /api/v3/write_lp?", "", 204, "" },
	{ "POST /api/v1/query ", "max_over_time", 200, DATA("vector", METRIC("") "\"value\": [" AT_S ", \"2.5\"]}") },
	{ "POST /api/v1/query ", "ip%3D~", 200, DATA("vector", METRIC_OF("10.0.0.2", "") "\"value\": [" AT_S ", \"" AT_S "\"]}") },
	{ "POST /api/v1/query ", "tlast_over_time", 200, DATA("vector", METRIC("") "\"value\": [" AT_S ", \"" AT_S "\"]}") },
	{ "POST /api/v1/query ", "mem_usage", 200,
	  DATA("vector", METRIC(ROLLUP("sum_over_time")) "\"value\": [" AT_S ", \"2.5\"]}, "
	                   METRIC(ROLLUP("count_over_time")) "\"value\": [" AT_S ", \"1\"]}") },
	{ "POST /api/v1/query_range ", "", 200, DATA("matrix", METRIC("") "\"values\": [[" AT_S ", \"2.5\"]]}") },
	{ "POST /api/v1/query ", "", 200, DATA("vector", "") },
	{ "POST /api/v1/export ", "", 200,
	  "{\"metric\": {\"__name__\": \"mem_usage_percent_value\", \"ip\": \"10.0.0.1\", \"process\": \"bash\"}, "
	  "\"values\": [2.5], \"timestamps\": [" AT "]}\n" },
	{ "POST /api/v1/label/", "", 200, "{\"status\": \"success\", \"data\": [\"10.0.0.1\", \"10.0.0.2\"]}" },
	{ "GET /flags ", "", 200, "-retentionPeriod=\"2d\"\n-dedup.minScrapeInterval=\"1ms\"\n" },
	{ "GET /api/v1/query?", "", 200, DATA("scalar", "") },
};

static bool answer(void *user, const struct http_server_request *request, struct text *text)
{
	(void)user;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		if (strncmp(request->head, answers[i].start, strlen(answers[i].start)) == 0 && strstr(request->body, answers[i].words)) {
			http_server_format(answers[i].status, NULL, answers[i].body, text);
			return true;
		}
	}
	http_server_format(501, NULL, request->head, text);
	return true;
}

struct played {
	const struct store_ops *ops;
	const char *url_option, *token_option, *other_option; /* NULL: none */
};

static struct played influxql = { &store_influxql, "influxql.url", NULL, NULL };
static struct played influxdb2 = { &store_influxdb2, "influxdb2.url", "influxdb2.token_file", NULL };
static struct played influxdb3 = { &store_influxdb3, "influxdb3.url", "influxdb3.token_file", NULL };
static struct played victoriametrics = { &store_victoriametrics, "victoriametrics.select_url", "victoriametrics.token_file",
	                                     "victoriametrics.insert_url" };

static int set_stage(void **state)
{
	char other[128];
	const struct played *played = *state;
	struct stage *stage = stage_open(played->ops, "");
	http_server_answer_by(stage->server, answer, NULL);
	http_server_start(stage->server);
	snprintf(other, sizeof(other), "%s=%s", played->other_option ? played->other_option : "sqlite.path",
	         http_server_url(stage->server));
	stage_open_store(stage, played->url_option, played->token_option, (const char *const[]){ other, NULL });
	assert_int_equal(health(stage), 0);
	*state = stage;
	return 0;
}

#define OF_EACH(test) \
	{ #test " (influxql)", test, set_stage, stage_close, &influxql }, \
	{ #test " (influxdb2)", test, set_stage, stage_close, &influxdb2 }, \
	{ #test " (influxdb3)", test, set_stage, stage_close, &influxdb3 }, \
	{ #test " (victoriametrics)", test, set_stage, stage_close, &victoriametrics }

/* ---- reading ---- */

enum reading { MEAN, LATEST, HISTORY, HOSTS };

static const struct {
	enum reading reading;
	struct query query;
	const char *wanted;
	size_t count; /* of series, or hosts */
} cases[] = {
	{ MEAN, { .by_host = true }, "10.0.0.1/bash mem=2.5^2.5 cpu=-", 1 },
	{ MEAN, { .only = (const struct series_key[]){ { NULL, "bash" }, { NULL, "sh" } }, .only_count = 2 }, "bash mem=2.5^2.5 cpu=-", 1 },
	{ LATEST, { .ip = "10.0.0.1", .process = "bash" }, "10.0.0.1/bash mem=2.5@60000 cpu=-", 1 },
	{ HISTORY, { .half = MEM, .process = "bash" }, "bash 60000=2.5", 1 },
	{ HISTORY, { .half = MEM, .process = "bash", .step_ms = 60000, .by_host = true }, "10.0.0.1/bash 60000=2.5", 1 },
	{ HOSTS, { .half = MEM }, "10.0.0.1 60000 1; 10.0.0.2 60000 1", 2 },
};

static struct query query_of(size_t number)
{
	struct query query = cases[number].query;
	query.metric = METRIC_USAGE;
	query.from_ms = FROM;
	query.to_ms = TO;
	query.max_points = 1000;
	return query;
}

/* Asks for what a case says, and of how many series the answer is. */
static int ask(struct fixture *f, enum reading reading, const struct query *query, size_t *ret_count)
{
	struct store_rows rows;
	struct store_history points;
	struct store_hosts found;
	int result = 0;
	switch (reading) {
	case MEAN:
	case LATEST:
		result = (reading == MEAN ? f->ops->mean : f->ops->latest)(f->store, query, &rows);
		if (result == 0) {
			*ret_count = rows.count;
			store_rows_free(&rows);
		}
		break;
	case HISTORY:
		result = f->ops->history(f->store, query, &points);
		if (result == 0) {
			*ret_count = points.count;
			store_history_free(&points);
		}
		break;
	case HOSTS:
		result = f->ops->hosts(f->store, query->from_ms, query->to_ms, &found);
		if (result == 0) {
			*ret_count = found.count;
			store_hosts_free(&found);
		}
		break;
	}
	return result;
}

static const char *told_of(struct fixture *f, enum reading reading, const struct query *query)
{
	switch (reading) {
	case MEAN:
		return means(f, query);
	case LATEST:
		return latest(f, query);
	case HISTORY:
		return history(f, query);
	case HOSTS:
		return hosts(f, 0);
	}
	return "";
}

/* The answer is whole, or there is none: and the engine is not to blame. */
static void test_store_read_any_allocation_fails_is_out_of_memory(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	if (!FAILING_MALLOC)
		skip();
	f->base = FROM;
	f->now = TO - STORE_AHEAD_MS;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct query query = query_of(i);
		assert_string_equal(told_of(f, cases[i].reading, &query), cases[i].wanted);
		long live = failing_unfreed(), n = 0;
		for (bool failed = true; failed;) {
			size_t count = cases[i].count;
			failing_start(++n);
			int result = ask(f, cases[i].reading, &query, &count);
			failed = failing_stop();
			if (result && !(failed && result == -ENOMEM))
				fail_msg("case %zu, allocation %ld: %s", i, n, strerror(-result));
			assert_int_equal(count, cases[i].count);
			assert_int_equal(health(stage), 0);
			assert_string_equal(told_of(f, cases[i].reading, &query), cases[i].wanted);
			if (failing_unfreed() != live)
				fail_msg("case %zu, allocation %ld: %ld are not freed", i, n, failing_unfreed() - live);
		}
		assert_true(n > 10);
	}
	assert_int_equal(captured_stderr_count("store "), 0);
}

#if FAILING_MALLOC
static char *libcurl_strdup(const char *string)
{
	size_t size = strlen(string) + 1;
	char *made = __libc_malloc(size);
	return made ? memcpy(made, string, size) : NULL;
}
#endif

int main(void)
{
#if FAILING_MALLOC
	/* What libcurl allocates itself does not fail: 7.88 then sends a request without the query of its URL. */
	if (curl_global_init_mem(CURL_GLOBAL_ALL, __libc_malloc, __libc_free, __libc_realloc, libcurl_strdup, __libc_calloc) != CURLE_OK)
		return 1;
#endif
	const struct CMUnitTest tests[] = {
		OF_EACH(test_store_read_any_allocation_fails_is_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
