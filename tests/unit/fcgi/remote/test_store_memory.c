/*
 * The stores beyond the network where an allocation fails: the first, the second, … of each operation, over a server that
 * answers all of them. (What takes no engine has this in tests of its own.)
 */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/remote/stage.h"

#include <curl/curl.h>
#include <stdatomic.h>

#include "fcgi/remote/remote.h"

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
#define RESULTS_ERROR(words) "{\"results\": [{\"statement_id\": 0, \"error\": \"" words "\"}]}\n"
#define DATA(type, series) "{\"status\": \"success\", \"data\": {\"resultType\": \"" type "\", \"result\": [" series "]}}"
#define METRIC_OF(ip, rollup) "{\"metric\": {\"ip\": \"" ip "\", \"process\": \"bash\"" rollup "}, "
#define METRIC(rollup) METRIC_OF("10.0.0.1", rollup)
#define ROLLUP(name) ", \"rollup\": \"" name "\""
#define CSV_HEAD ",result,table,_measurement,ip,process,_time,_value\r\n"
#define CSV_ROW(result, table, ip) "," result "," table ",mem_usage_percent," ip ",bash," AT_RFC3339 ",2.5\r\n"

#define POLICY(duration) RESULTS("{\"values\": [[\"autogen\", \"" duration "\", \"24h0m0s\", 1, true]]}")
#define BUCKET(seconds) \
	"{\"buckets\": [{\"id\": \"b\", \"name\": \"monitoring\", \"retentionRules\": [{\"type\": \"expire\", \"everySeconds\": " seconds "}]}]}"
#define DATABASE(nanoseconds) "[{\"database_name\": \"monitoring\", \"retention_period_ns\": " nanoseconds ", \"deleted\": false}]"

/* What the engine is like. */
enum scene {
	ANY,
	SAME = ANY,
	RIGHT,   /* all is as it should be */
	CLOSING, /* it closes each connection */
	ABSENT,  /* there is no database until it is made; */
	SHORT,   /* one that keeps for an hour until that is changed */
	NEWER,   /* it is a version 3, which closes the connection where version 1 knows a statement */
};

static atomic_uint scene;

/* Of all engines; of several that fit, the first counts. */
static const struct {
	enum scene when, then;     /* for which it is, and which follows */
	const char *start, *words; /* of the head, in the body */
	int status; /* 0: it closes the connection */
	const char *body;
} answers[] = {
	{ NEWER, SAME, "POST /query?", "SHOW%20RETENTION", 0, "" },
	{ NEWER, SAME, "GET /ping ", "", 200, "{\"version\": \"3.6.0\"}" },
	{ ABSENT, SAME, "POST /query?", "SHOW%20RETENTION", 200, RESULTS_ERROR("database not found: monitoring") },
	{ SHORT, SAME, "POST /query?", "SHOW%20RETENTION", 200, POLICY("1h0m0s") },
	{ ANY, SAME, "POST /query?", "SHOW%20RETENTION", 200, POLICY("48h0m0s") },
	{ ABSENT, RIGHT, "POST /query?", "CREATE%20DATABASE", 200, RESULTS("") },
	{ SHORT, RIGHT, "POST /query?", "ALTER%20RETENTION", 200, RESULTS("") },
	{ ANY, SAME, "POST /query?", "mean%28value%29%2C", 200, RESULTS(SERIES("10.0.0.1", AT ", 2.5, 2.5")) },
	{ ANY, SAME, "POST /query?", "bash", 200, RESULTS(SERIES("10.0.0.1", AT ", 2.5")) },
	{ ANY, SAME, "POST /query?", "", 200, RESULTS(SERIES("10.0.0.1", AT ", 2.5") ", " SERIES("10.0.0.2", AT ", 2.5")) },
	{ ANY, SAME, "POST /write?", "", 204, "" },
	{ ABSENT, SAME, "GET /api/v2/buckets?", "", 200, "{\"buckets\": []}" },
	{ SHORT, SAME, "GET /api/v2/buckets?", "", 200, BUCKET("3600") },
	{ ANY, SAME, "GET /api/v2/buckets?", "", 200, BUCKET("172800") },
	{ ANY, SAME, "GET /api/v2/orgs?", "", 200, "{\"orgs\": [{\"id\": \"o\"}]}" },
	{ ABSENT, RIGHT, "POST /api/v2/buckets ", "", 201, "{}" },
	{ SHORT, RIGHT, "PATCH /api/v2/buckets/b ", "", 200, "{}" },
	{ ANY, SAME, "POST /api/v2/query?", "maximum", 200, CSV_HEAD CSV_ROW("value", "0", "10.0.0.1") CSV_ROW("maximum", "0", "10.0.0.1") },
	{ ANY, SAME, "POST /api/v2/query?", "bash", 200, CSV_HEAD CSV_ROW("value", "0", "10.0.0.1") },
	{ ANY, SAME, "POST /api/v2/query?", "", 200, CSV_HEAD CSV_ROW("value", "0", "10.0.0.1") CSV_ROW("value", "1", "10.0.0.2") },
	{ ANY, SAME, "POST /api/v2/write?", "", 204, "" },
	{ ABSENT, SAME, "POST /api/v3/query_sql ", "", 200, "[]" },
	{ SHORT, SAME, "POST /api/v3/query_sql ", "", 200, DATABASE("3600000000000") },
	{ ANY, SAME, "POST /api/v3/query_sql ", "", 200, DATABASE("172800000000000") },
	{ ABSENT, RIGHT, "POST /api/v3/configure/database ", "", 200, "" },
	{ SHORT, RIGHT, "PUT /api/v3/configure/database ", "", 200, "" },
	{ ANY, SAME, "POST /api/v3/write_lp?", "", 204, "" },
	{ ANY, SAME, "POST /api/v1/query ", "max_over_time", 200, DATA("vector", METRIC("") "\"value\": [" AT_S ", \"2.5\"]}") },
	{ ANY, SAME, "POST /api/v1/query ", "ip%3D~", 200, DATA("vector", METRIC_OF("10.0.0.2", "") "\"value\": [" AT_S ", \"" AT_S "\"]}") },
	{ ANY, SAME, "POST /api/v1/query ", "tlast_over_time", 200, DATA("vector", METRIC("") "\"value\": [" AT_S ", \"" AT_S "\"]}") },
	{ ANY, SAME, "POST /api/v1/query ", "mem_usage", 200,
	  DATA("vector", METRIC(ROLLUP("sum_over_time")) "\"value\": [" AT_S ", \"2.5\"]}, "
	                   METRIC(ROLLUP("count_over_time")) "\"value\": [" AT_S ", \"1\"]}") },
	{ ANY, SAME, "POST /api/v1/query_range ", "", 200, DATA("matrix", METRIC("") "\"values\": [[" AT_S ", \"2.5\"]]}") },
	{ ANY, SAME, "POST /api/v1/query ", "", 200, DATA("vector", "") },
	{ ANY, SAME, "POST /api/v1/export ", "", 200,
	  "{\"metric\": {\"__name__\": \"mem_usage_percent_value\", \"ip\": \"10.0.0.1\", \"process\": \"bash\"}, "
	  "\"values\": [2.5], \"timestamps\": [" AT "]}\n" },
	{ ANY, SAME, "POST /api/v1/label/", "", 200, "{\"status\": \"success\", \"data\": [\"10.0.0.1\", \"10.0.0.2\"]}" },
	{ ANY, SAME, "GET /flags ", "", 200, "-retentionPeriod=\"2d\"\n-dedup.minScrapeInterval=\"1ms\"\n" },
	{ ANY, SAME, "GET /api/v1/query?", "", 200, DATA("scalar", "") },
};

static bool answer(void *user, const struct http_server_request *request, struct text *text)
{
	(void)user;
	enum scene now = atomic_load(&scene);
	for (size_t i = 0; i < COUNT_OF(answers) && now != CLOSING; i++) {
		if (strncmp(request->head, answers[i].start, strlen(answers[i].start)) == 0 &&
		    strstr(request->body, answers[i].words) && (answers[i].when == ANY || answers[i].when == now)) {
			if (answers[i].status)
				http_server_format(answers[i].status, NULL, answers[i].body, text);
			if (answers[i].then != SAME)
				atomic_store(&scene, answers[i].then);
			return answers[i].status != 0;
		}
	}
	return false;
}

struct played {
	const struct store_ops *ops;
	const char *url_option, *token_option;
	const char *other_url_option, *name_option; /* NULL: none */
};

static struct played influxql = { &store_influxql, "influxql.url", NULL, NULL, "influxql.database" };
static struct played influxdb2 = { &store_influxdb2, "influxdb2.url", "influxdb2.token_file", NULL, "influxdb2.bucket" };
static struct played influxdb3 = { &store_influxdb3, "influxdb3.url", "influxdb3.token_file", NULL, NULL };
static struct played victoriametrics = { &store_victoriametrics, "victoriametrics.select_url", "victoriametrics.token_file",
	                                     "victoriametrics.insert_url", NULL };

static int set_stage(void **state)
{
	char option[512];
	const struct played *played = *state;
	struct stage *stage = stage_open(played->ops, "");
	http_server_answer_by(stage->server, answer, NULL);
	atomic_store(&scene, RIGHT);
	http_server_start(stage->server);
	const char *more[3] = { "server.manage_retention=yes" };
	if (played->other_url_option) {
		snprintf(option, sizeof(option), "%s=%s", played->other_url_option, http_server_url(stage->server));
		more[1] = option;
	} else if (played->name_option) {
		snprintf(option, sizeof(option), "%s=%0300d", played->name_option, 0); /* long: it takes several allocations */
		more[1] = option;
	}
	stage_open_store(stage, played->url_option, played->token_option, more);
	WAIT_FOR(health(stage) == 0, 10000);
	*state = stage;
	return 0;
}

#define OF_EACH(test) \
	{ #test " (influxql)", test, set_stage, stage_close, &influxql }, \
	{ #test " (influxdb2)", test, set_stage, stage_close, &influxdb2 }, \
	{ #test " (influxdb3)", test, set_stage, stage_close, &influxdb3 }, \
	{ #test " (victoriametrics)", test, set_stage, stage_close, &victoriametrics }

/* Appends the heads of all requests, which have the lengths of their bodies, and forgets them. */
static void take_heads(struct stage *stage, struct text *heads)
{
	for (size_t i = 0; i < http_server_count(stage->server, ""); i++)
		text_printf(heads, "\n%s\n", http_server_asked(stage->server, i)->head);
	http_server_forget(stage->server);
}

/* No request is another for want of memory: all are among those. */
static void assert_known(struct stage *stage, const struct text *heads)
{
	struct text asked = TEXT_EMPTY;
	for (size_t i = 0; i < http_server_count(stage->server, ""); i++) {
		text_reset(&asked);
		text_printf(&asked, "\n%s\n", http_server_asked(stage->server, i)->head);
		if (!strstr(heads->data, asked.data))
			fail_msg("another request: %s", asked.data);
	}
	text_free(&asked);
	http_server_forget(stage->server);
}

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
	f->base = FROM;
	f->now = TO - STORE_AHEAD_MS;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct query query = query_of(i);
		struct text heads = TEXT_EMPTY;
		http_server_forget(stage->server);
		assert_string_equal(told_of(f, cases[i].reading, &query), cases[i].wanted);
		take_heads(stage, &heads);
		long n = 0;
		for (bool failed = true; failed;) {
			size_t count = cases[i].count;
			long live = failing_unfreed();
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
			assert_known(stage, &heads);
		}
		assert_true(n > 10 || !FAILING_MALLOC);
		text_free(&heads);
	}
	assert_int_equal(captured_stderr_count("store "), 0);
}

/* ---- opening, and writing ---- */

/* How many requests had the sample of append_one(). */
static size_t count_written(struct stage *stage)
{
	size_t count = 0;
	for (size_t i = 0; i < http_server_count(stage->server, ""); i++)
		count += strstr(http_server_asked(stage->server, i)->body, "value=1.5") != NULL;
	return count;
}

static void test_store_open_any_allocation_fails_is_out_of_memory(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	if (!FAILING_MALLOC)
		skip();
	long n = 0;
	for (bool failed = true; failed;) {
		f->ops->close(f->store);
		f->store = NULL;
		long live = failing_unfreed();
		failing_start(++n);
		int result = f->ops->open(f->config, &f->store);
		failed = failing_stop();
		if (result) {
			assert_true(failed);
			assert_int_equal(result, -ENOMEM);
			assert_null(f->store);
			assert_int_equal(failing_unfreed(), live);
			open_store(f);
		}
		WAIT_FOR(health(stage) == 0, 10000);
	}
	assert_true(n > 10);
	assert_int_equal(captured_stderr_count("error"), 0);
}

/* The write of an engine that was away sets it up: as a whole, or at the next write. */
static void test_store_append_any_allocation_fails_nothing_is_written(void **state)
{
	static const enum scene scenes[] = { RIGHT, ABSENT, SHORT, NEWER };
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	char words[STORE_REFUSAL_SIZE];
	if (!FAILING_MALLOC)
		skip();
	size_t count = f->ops == &store_influxql ? 4 : f->ops == &store_victoriametrics ? 1 : 3; /* what it knows of them */
	for (size_t i = 0; i < count; i++) {
		struct text heads = TEXT_EMPTY;
		http_server_forget(stage->server);
		long n = -1; /* at first none fails */
		for (bool failed = true; failed || n == 0;) {
			atomic_store(&scene, CLOSING);
			reopen(f);
			WAIT_FOR(health(stage) == -EIO, 10000);
			atomic_store(&scene, scenes[i]);
			failing_start(++n);
			int result = append_one(stage, words);
			failed = failing_stop();
			if (result && !(failed && (result == -ENOMEM || result == -EIO)))
				fail_msg("scene %zu, allocation %ld: %s", i, n, strerror(-result));
			assert_int_equal(count_written(stage), result == 0);
			assert_int_equal(append_one(stage, words), 0);
			assert_int_equal(health(stage), 0);
			assert_int_equal(atomic_load(&scene), scenes[i] == NEWER ? NEWER : RIGHT);
			assert_int_equal(f->ops->retention(f->store), 2 * DAY);
			if (n == 0)
				take_heads(stage, &heads);
			else
				assert_known(stage, &heads);
		}
		assert_true(n > 10);
		text_free(&heads);
	}
}

/* Before there is any connection, and with all that a remote has: its end frees it. */
static void test_remote_send_any_allocation_of_the_first_fails_is_out_of_memory(void **state)
{
	struct stage *stage = *state;
	char words[REMOTE_WORDS_SIZE], url[128];
	if (!FAILING_MALLOC)
		skip();
	snprintf(url, sizeof(url), "%s/write?precision=ms", http_server_url(stage->server));
	const struct http_message message = { .method = "POST", .url = url, .body = "", .content_type = "text/plain" };
	const struct remote_identity identity = { .user = "user" };
	long n = 0;
	for (bool failed = true; failed;) {
		struct remote *remote;
		struct text body = TEXT_EMPTY;
		long live = failing_unfreed();
		assert_int_equal(remote_open("fake", stage->f.config, &identity, &remote), 0);
		failing_start(++n);
		int result = remote_send(remote, REMOTE_WRITE, &message, &body, words);
		failed = failing_stop();
		assert_true(result == 0 || (failed && result == -ENOMEM));
		assert_int_equal(remote_health(remote), 0);
		text_free(&body);
		assert_int_equal(remote_send(remote, REMOTE_WRITE, &message, &body, words), 0);
		text_free(&body);
		remote_close(remote);
		assert_int_equal(failing_unfreed(), live);
	}
	assert_true(n > 5);
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
		OF_EACH(test_store_open_any_allocation_fails_is_out_of_memory),
		OF_EACH(test_store_append_any_allocation_fails_nothing_is_written),
		{ "test_remote_send_any_allocation_of_the_first_fails_is_out_of_memory",
		  test_remote_send_any_allocation_of_the_first_fails_is_out_of_memory, set_stage, stage_close, &influxql },
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
