/*
 * fcgi/remote/store_victoriametrics.c, and what it includes, over a server that answers what VictoriaMetrics 1.79.5 does, and
 * what it does not. (What a running one does with the queries is the contract of test_store.c.)
 */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/remote/stage.h"

#define WRITE "POST /write?"
#define PING "GET /api/v1/query?query=1 "
#define FLAGS "GET /flags "
#define INSTANT "POST /api/v1/query "
#define RANGE "POST /api/v1/query_range "
#define EXPORT "POST /api/v1/export "
#define ADDRESSES "POST /api/v1/label/ip/values "

#define RIGHT_FLAGS "-dedup.minScrapeInterval=\"1ms\"\n-retentionPeriod=\"2d\"\n"

#define DATA(series) "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" series "]}}"
#define METRIC(labels) "{\"metric\":{" labels "},"
#define BASH "\"ip\":\"10.0.0.1\",\"process\":\"bash\""
#define VALUE(labels, time, value) METRIC(labels) "\"value\":[" time ",\"" value "\"]}"
#define EXPORTED(labels, values, times) METRIC("\"__name__\":\"mem_usage_percent_value\"," labels) "\"values\":[" values "],\"timestamps\":[" times "]}\n"
#define LIST(addresses) "{\"status\":\"success\",\"data\":[" addresses "]}"

/* ---- the stage ---- */

/* Times are after the base, so that the end of a window is no midnight. */
#define BASE 1795357200000
#define SECOND_1 "1795357201"
#define SECOND_2 "1795357202"

static int set_stage(void **state)
{
	struct stage *stage = stage_open(&store_victoriametrics, "");
	answer_with(stage, WRITE, 204, "");
	answer_with(stage, PING, 200, "{\"status\":\"success\"}");
	answer_with(stage, FLAGS, 200, RIGHT_FLAGS);
	stage->f.base = BASE;
	http_server_start(stage->server);
	*state = stage;
	return 0;
}

#define STAGED(name) cmocka_unit_test_setup_teardown(name, set_stage, stage_close)

static void open_wire(struct stage *stage)
{
	char insert[128];
	snprintf(insert, sizeof(insert), "victoriametrics.insert_url=%s", http_server_url(stage->server));
	stage_open_store(stage, "victoriametrics.select_url", "victoriametrics.token_file", (const char *const[]){ insert, NULL });
}

/* ---- set-up ---- */

static void test_victoriametrics_open_is_asked_to_write_to_read_and_for_its_flags(void **state)
{
	struct stage *stage = *state;
	open_wire(stage);
	assert_int_equal(health(stage), 0);
	assert_int_equal(http_server_count(stage->server, WRITE "precision=ms "), 1);
	assert_string_equal(http_server_last(stage->server, WRITE)->body, "");
	assert_int_equal(http_server_count(stage->server, PING), 1);
	assert_int_equal(http_server_count(stage->server, FLAGS), 1);
	for (size_t i = 0; i < 3; i++)
		assert_non_null(strstr(http_server_asked(stage->server, i)->head, "\r\nAuthorization: Bearer " STAGE_TOKEN "\r\n"));
	assert_int_equal(stage->f.ops->retention(stage->f.store), 2 * DAY);
	assert_int_equal(captured_stderr_count("store victoriametrics"), 0);
}

/* Those of a cluster are not to be seen. */
static void test_victoriametrics_open_flags_that_are_not_told_are_no_failure(void **state)
{
	static const int statuses[] = { 400, 401, 404, 503, 200 };
	struct stage *stage = *state;
	for (size_t i = 0; i < COUNT_OF(statuses); i++) {
		answer_with(stage, FLAGS, statuses[i], statuses[i] == 200 ? "" : "no");
		open_wire(stage);
		assert_int_equal(health(stage), 0);
		stage_close_store(stage);
	}
	assert_int_equal(captured_stderr_count("store victoriametrics"), 0);
	/* Those that are, are read. */
	answer_with(stage, FLAGS, 200, "-retentionPeriod=\"1d\"\n-dedup.minScrapeInterval=\"1ms\"\n");
	open_wire(stage);
	assert_int_equal(captured_stderr_count("warning: store victoriametrics: it keeps samples for 1 days, not 2"), 1);
	assert_int_equal(health(stage), 0);
}

/* Where one half does not work nothing is written. */
static void test_victoriametrics_open_each_half_is_to_work(void **state)
{
	static const struct {
		const char *start;
		int status, wanted;
	} cases[] = { { WRITE, 401, -EACCES }, { WRITE, 404, -ENOENT }, { PING, 403, -EACCES }, { PING, 503, -EAGAIN } };
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE], line[64];
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		answer_with(stage, WRITE, 204, "");
		answer_with(stage, cases[i].start, cases[i].status, "why");
		open_wire(stage);
		assert_int_equal(health(stage), cases[i].wanted);
		snprintf(line, sizeof(line), "error: store victoriametrics: set up: %d why", cases[i].status);
		assert_int_equal(captured_stderr_count(line), 1);
		assert_int_equal(append_one(stage, words), cases[i].wanted);
		assert_string_equal(http_server_last(stage->server, WRITE)->body, "");
		stage_close_store(stage);
	}
}

/* ---- reading ---- */

static void test_victoriametrics_mean_asks_for_what_is_wanted(void **state)
{
	static const struct {
		bool without_maximum, unwanted;
		size_t queries;
	} cases[] = { { false, false, 4 }, { true, false, 2 }, { false, true, 2 }, { true, true, 1 } };
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	answer_with(stage, INSTANT, 200, DATA(""));
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		http_server_forget(stage->server);
		assert_string_equal(means(f, QUERY(f, 0, 5000, .without_maximum = cases[i].without_maximum,
		                                   .unwanted = { [MEM] = cases[i].unwanted })), "");
		assert_int_equal(http_server_count(stage->server, INSTANT), cases[i].queries);
	}
	assert_non_null(strstr(http_server_last(stage->server, INSTANT)->body, "cpu_usage_percent"));
}

/* Others may have written to it, too, and not every answer is one of a rollup. */
static void test_victoriametrics_reads_what_is_no_series_of_ours_is_left_out(void **state)
{
	static const char *const others[] = {
		"{\"metric\":5,\"value\":[" SECOND_1 ",\"7\"]}",
		"{\"value\":[" SECOND_1 ",\"7\"]}",
		VALUE("\"ip\":\"10.0.0.1\"", SECOND_1, "7"),
		VALUE("\"ip\":\"10.0.0.1\",\"process\":\"\"", SECOND_1, "7"),
		VALUE("\"ip\":\"10.0.0.1\",\"process\":7", SECOND_1, "7"),
		METRIC(BASH) "\"value\":[]}",
		METRIC(BASH) "\"value\":[\"" SECOND_1 "\",\"7\"]}",
		METRIC(BASH) "\"value\":[null,\"7\"]}",
		METRIC(BASH) "\"value\":[" SECOND_1 ",7]}",
		METRIC(BASH) "\"value\":7}",
		METRIC(BASH) "\"values\":[]}",
		METRIC(BASH) "\"values\":[5,[1],[null,\"7\"]]}",
		METRIC(BASH) "\"other\":1}",
		VALUE(BASH, "1795357206", "7"), /* later than asked for */
	};
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		char body[1024];
		snprintf(body, sizeof(body),
		         DATA("%s," VALUE("\"process\":\"sh\",\"rollup\":\"sum_over_time\"", SECOND_1, "6") ","
		              VALUE("\"process\":\"sh\",\"rollup\":\"count_over_time\"", SECOND_1, "2")), others[i]);
		answer_with(stage, INSTANT, 200, body);
		assert_string_equal(history(f, QUERY(f, 0, 5000, .half = MEM, .step_ms = 60000)), "sh 0=3");
	}
	assert_int_equal(health(stage), 0);
	assert_int_equal(captured_stderr_count("store victoriametrics"), 0);
}

static void test_victoriametrics_history_export_is_points(void **state)
{
	static const char *const others[] = {
		METRIC("\"__name__\":\"x\"," BASH) "\"values\":[7],\"timestamps\":[1795357201000]}\n",
		METRIC("\"__name__\":\"mem_usage_percent_value\",\"ip\":\"10.0.0.1\"") "\"values\":[7],\"timestamps\":[1795357201000]}\n",
		METRIC("\"__name__\":\"mem_usage_percent_value\"," BASH) "\"values\":[7]}\n",
		METRIC("\"__name__\":\"mem_usage_percent_value\"," BASH) "\"timestamps\":[1795357201000]}\n",
		METRIC("\"__name__\":\"mem_usage_percent_value\"," BASH) "\"values\":7,\"timestamps\":8}\n",
		"{\"metric\":null,\"values\":[7],\"timestamps\":[1795357201000]}\n",
		EXPORTED(BASH, "", "1795357201000"),
		EXPORTED(BASH, "7", ""),
		EXPORTED(BASH, "null,\"7\",7", "1795357201000,1795357202000,\"1795357203000\""),
		EXPORTED(BASH, "7", "1795357205001"), /* later than asked for */
	};
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	open_wire(stage);
	/* The first has no name that tells its half: it is the one that was asked for. */
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		char body[1024];
		snprintf(body, sizeof(body), "%s" EXPORTED("\"process\":\"sh\"", "1,2.5,3", "1795357201000,1795357205000,1795357206000"), others[i]);
		answer_with(stage, EXPORT, 200, body);
		assert_string_equal(history(f, QUERY(f, 0, 5000, .half = MEM)), i ? "sh 1000=1 5000=2.5" : "bash 1000=7; sh 1000=1 5000=2.5");
	}
	assert_int_equal(captured_stderr_count("store victoriametrics"), 0);
	/* What is no number is told as such, and its neighbours are points. */
	answer_with(stage, EXPORT, 200, EXPORTED(BASH, "+Inf,1,-Inf,NaN,2", "1795357201000,1795357202000,1795357203000,1795357204000,1795357205000"));
	assert_string_equal(history(f, QUERY(f, 0, 5000, .half = MEM)), "bash 2000=1 5000=2");
	assert_int_equal(captured_stderr_count("cannot be right"), 1);
	assert_int_equal(health(stage), 0);
}

static void test_victoriametrics_reads_window_before_1970_is_not_asked_for(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	f->base = 0;
	open_wire(stage);
	http_server_forget(stage->server);
	assert_string_equal(latest(f, QUERY(f, -20000, -10000)), "");
	assert_string_equal(history(f, QUERY(f, -20000, -10000)), "");
	assert_string_equal(means(f, QUERY(f, 5000, 5000)), "");
	assert_string_equal(history(f, QUERY(f, 5000, 5000)), "");
	assert_int_equal(http_server_count(stage->server, ""), 0);
}

/* All four that are read. */
static void answer_reads(struct stage *stage, int status, const char *body)
{
	answer_with(stage, INSTANT, status, body);
	answer_with(stage, RANGE, status, body);
	answer_with(stage, EXPORT, status, body);
	answer_with(stage, ADDRESSES, status, body);
}

#define TOO_MANY "{\"status\":\"error\",\"errorType\":\"422\",\"error\":\"the number of matching timeseries exceeds 300000\"}"
#define REFUSED "{\"status\":\"error\",\"errorType\":\"422\",\"error\":\"unknown func\"}"

static void test_victoriametrics_reads_failure_is_told(void **state)
{
	static const struct {
		int status;
		const char *body;
		int wanted, health;
		const char *line; /* NULL: nothing */
	} cases[] = {
		{ 422, TOO_MANY, -E2BIG, 0, NULL },
		{ 422, REFUSED, -EINVAL, 0, NULL },
		{ 503, "busy", -EAGAIN, -EAGAIN, "error: store victoriametrics: read: 503 busy" },
		{ 401, "who?", -EACCES, -EACCES, "error: store victoriametrics: read: 401 who?" },
		{ 200, "<html></html>", -EIO, -EIO, "error: store victoriametrics: read: the answer is not understood" },
		{ 200, "{\"status\":\"success\",\"data\":{\"result\":[", -EIO, -EIO, "error: store victoriametrics: read: the answer is not understood" },
	};
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char words[STORE_REFUSAL_SIZE] = "";
		struct store_rows rows;
		size_t before = cases[i].line ? captured_stderr_count(cases[i].line) : 0, lines = captured_stderr_count("store victoriametrics");
		answer_reads(stage, cases[i].status, cases[i].body);
		open_wire(stage);
		assert_int_equal(f->ops->mean(f->store, QUERY(f, 0, 5000, .ret_refusal = words), &rows), cases[i].wanted);
		assert_string_equal(words, cases[i].wanted == -EINVAL ? "422 unknown func" : "");
		assert_reads_fail(stage, 5000, cases[i].wanted);
		assert_int_equal(health(stage), cases[i].health);
		assert_int_equal(captured_stderr_count("store victoriametrics"), lines + (cases[i].line != NULL));
		if (cases[i].line)
			assert_int_equal(captured_stderr_count(cases[i].line), before + 1);
		stage_close_store(stage);
	}
}

/* ---- hosts ---- */

#define NEWEST(ip, process, seconds) VALUE("\"ip\":\"" ip "\",\"process\":\"" process "\"", SECOND_2, seconds)

static const char *hosts_of(struct stage *stage, int64_t window_ms)
{
	stage->f.now = BASE + window_ms - STORE_AHEAD_MS;
	http_server_forget(stage->server);
	return hosts(&stage->f, 0);
}

static void test_victoriametrics_hosts_of_a_short_window_are_asked_for_once(void **state)
{
	struct stage *stage = *state;
	answer_with(stage, INSTANT, 200, DATA(NEWEST("10.0.0.1", "bash", SECOND_1)));
	open_wire(stage);
	assert_string_equal(hosts_of(stage, 300000), "10.0.0.1 1000 1");
	assert_int_equal(http_server_count(stage->server, ""), 2);
	answer_with(stage, ADDRESSES, 200, LIST("\"10.0.0.1\""));
	assert_string_equal(hosts_of(stage, 300001), "10.0.0.1 1000 1");
	assert_int_equal(http_server_count(stage->server, ""), 3);
}

/* Of those without recent samples, and of these alone, older ones are read. */
static void test_victoriametrics_hosts_that_were_not_seen_lately_are_asked_for_by_name(void **state)
{
	static const char *const newest[] = { DATA(NEWEST("10.0.0.1", "bash", SECOND_1)), DATA(NEWEST("10.0.0.9", "sh", SECOND_1)),
		                                  DATA(NEWEST("10.0.0.2", "bash", SECOND_2) "," NEWEST("10.0.0.2", "sh", SECOND_2)), DATA("") };
	const char *answers[COUNT_OF(newest)];
	struct text made[COUNT_OF(newest)] = { TEXT_EMPTY };
	struct stage *stage = *state;
	for (size_t i = 0; i < COUNT_OF(newest); i++) {
		http_server_format(200, NULL, newest[i], &made[i]);
		answers[i] = made[i].data;
	}
	http_server_answer_in_order(stage->server, INSTANT, answers, COUNT_OF(answers));
	answer_with(stage, ADDRESSES, 200, LIST("\"10.0.0.2\",5,null,\"\",\"10.0.0.1\",[\"10.0.0.3\"]"));
	open_wire(stage);
	assert_string_equal(hosts_of(stage, 600000), "10.0.0.1 1000 1; 10.0.0.2 2000 2; 10.0.0.9 1000 1");
	assert_int_equal(http_server_count(stage->server, INSTANT), 4);
	const char *asked = http_server_last(stage->server, INSTANT)->body;
	assert_non_null(strstr(asked, "ip%3D~%2210%5C%5C.0%5C%5C.0%5C%5C.2%22"));
	assert_non_null(strstr(asked, "%5B600000ms%5D"));
	for (size_t i = 0; i < COUNT_OF(newest); i++)
		text_free(&made[i]);
}

/* A list that is none would be taken for a short one. */
static void test_victoriametrics_hosts_addresses_that_are_no_list_are_told(void **state)
{
	static const char *const bodies[] = { "", "hello", "[", "{}", "[]", "{\"data\":\"10.0.0.1\"}", "{\"data\":{}}" };
	struct stage *stage = *state;
	struct store_hosts found;
	answer_with(stage, INSTANT, 200, DATA(NEWEST("10.0.0.1", "bash", SECOND_1)));
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		answer_with(stage, ADDRESSES, 200, bodies[i]);
		open_wire(stage);
		assert_int_equal(stage->f.ops->hosts(stage->f.store, BASE, BASE + 600000, &found), -EIO);
		assert_int_equal(health(stage), -EIO);
		assert_int_equal(captured_stderr_count("error: store victoriametrics: read: the answer is not understood"), i + 1);
		stage_close_store(stage);
	}
	answer_with(stage, ADDRESSES, 503, "busy");
	open_wire(stage);
	assert_int_equal(stage->f.ops->hosts(stage->f.store, BASE, BASE + 600000, &found), -EAGAIN);
}

static void test_victoriametrics_hosts_what_is_no_series_of_ours_is_none(void **state)
{
	static const char *const others[] = {
		VALUE("\"process\":\"bash\"", SECOND_2, SECOND_1),
		VALUE("\"ip\":\"10.0.0.2\"", SECOND_2, SECOND_1),
		METRIC("\"ip\":\"10.0.0.2\",\"process\":\"bash\"") "\"value\":[" SECOND_2 "]}",
	};
	struct stage *stage = *state;
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		char body[512];
		snprintf(body, sizeof(body), DATA("%s," NEWEST("10.0.0.1", "bash", SECOND_1)), others[i]);
		answer_with(stage, INSTANT, 200, body);
		assert_string_equal(hosts_of(stage, 300000), "10.0.0.1 1000 1");
	}
}

static const char *asked_for_mean(struct stage *stage, int64_t end_ms)
{
	const struct query query = { .metric = METRIC_USAGE, .half = MEM, .from_ms = end_ms - 600000, .to_ms = end_ms, .without_maximum = true };
	struct store_rows rows;
	assert_int_equal(stage->f.ops->mean(stage->f.store, &query, &rows), 0);
	store_rows_free(&rows);
	return http_server_last(stage->server, "POST /api/v1/query")->body;
}

/* 1.79.5 (Debian 12) leaves out what begins with the midnight that a query ends with, so that it is asked beyond that; and it
 * replaces the last 30 seconds of a range whose step is under a minute (findings/victoriametrics-newest-step.sh), which at
 * 00:00:05 would be all of that. */
static void test_victoriametrics_mean_until_midnight_is_a_range_beyond_it_of_one_point(void **state)
{
	const int64_t midnight_ms = INT64_C(1795392000000);
	struct stage *stage = *state;
	answer_with(stage, RANGE, 200, DATA(""));
	answer_with(stage, INSTANT, 200, DATA(""));
	open_wire(stage);
	const char *body = asked_for_mean(stage, midnight_ms);
	assert_non_null(strstr(body, "&start=1795392000&end=1795392000.001&step=60"));
	assert_null(strstr(body, "&time="));

	body = asked_for_mean(stage, midnight_ms + 1000);
	assert_non_null(strstr(body, "&time=1795392001"));
	assert_null(strstr(body, "&step="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(test_victoriametrics_open_is_asked_to_write_to_read_and_for_its_flags),
		STAGED(test_victoriametrics_open_flags_that_are_not_told_are_no_failure),
		STAGED(test_victoriametrics_open_each_half_is_to_work),
		STAGED(test_victoriametrics_mean_asks_for_what_is_wanted),
		STAGED(test_victoriametrics_reads_what_is_no_series_of_ours_is_left_out),
		STAGED(test_victoriametrics_history_export_is_points),
		STAGED(test_victoriametrics_reads_window_before_1970_is_not_asked_for),
		STAGED(test_victoriametrics_reads_failure_is_told),
		STAGED(test_victoriametrics_hosts_of_a_short_window_are_asked_for_once),
		STAGED(test_victoriametrics_hosts_that_were_not_seen_lately_are_asked_for_by_name),
		STAGED(test_victoriametrics_hosts_addresses_that_are_no_list_are_told),
		STAGED(test_victoriametrics_hosts_what_is_no_series_of_ours_is_none),
		STAGED(test_victoriametrics_mean_until_midnight_is_a_range_beyond_it_of_one_point),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
