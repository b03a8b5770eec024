/* fcgi/routes.h and the service behind it, with a real store in a folder of its own */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/service_fixture.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "fcgi/body.h"

/* Most cases write and read the same again. */
static int set_up(void **state)
{
	return set_up_with(state, "server.cache=0");
}

static int set_up_cached(void **state)
{
	return set_up_with(state, NULL);
}

static int set_up_few_points(void **state)
{
	return set_up_with(state, "server.max_points=3");
}

static int set_up_few_series(void **state)
{
	return set_up_with(state, "server.max_series=1");
}

/* The status of the answer to one that is to be granted, and only asks. */
static int status_asked(struct fixture *f, const char *method, const char *path)
{
	char full[64];
	snprintf(full, sizeof(full), WIRE_PREFIX "%s", path);
	struct request request = { .method = method, .path = full, .query = "", .authorization = f->authorization,
		                       .host = f->host, .only_asks = true };
	return answer(f, &request);
}

static void get(struct fixture *f, const char *path, const char *query, const char *wanted)
{
	if (ask(f, "GET", path, query, NULL) != 200)
		fail_msg("GET %s?%s: %d %s", path, query, f->response.status, f->response.body.data);
	char line[2048];
	snprintf(line, sizeof(line), "%s\n", wanted);
	assert_string_equal(f->response.body.data, line);
}

/* Stores samples of one host, each "process resource seconds_ago value". */
static void save(struct fixture *f, const char *ip, const char *samples)
{
	struct text body = TEXT_EMPTY;
	char process[64], resource[32];
	double ago_s, value;
	int length;
	text_printf(&body, "{\"ipaddress\": \"%s\", \"data\": [", ip);
	for (const char *at = samples; sscanf(at, " %63s %31s %lf %lf%n", process, resource, &ago_s, &value, &length) == 4;
	     at += length)
		text_printf(&body, "%s{\"timestamp\": %.3f, \"value\": %.10g, \"process_name\": \"%s\", \"type_data\": \"%s\"}",
		            at == samples ? "" : ", ", (double)f->now_ms / 1000 - ago_s, value, process, resource);
	text_append_string(&body, "], \"collector\": {\"hostname\": \"h1\", \"partial\": false, \"clock_offset_s\": 0.5}}");
	if (ask(f, "PUT", "save-all", "", body.data) != 200)
		fail_msg("%s", f->response.body.data);
	assert_string_equal(f->response.body.data, "{\"Response\": \"Ok\"}\n");
	text_free(&body);
}

/* What metrics says of `name`. */
static double metric_of(struct fixture *f, const char *name)
{
	char start[64];
	snprintf(start, sizeof(start), "\n%s ", name);
	assert_int_equal(ask(f, "GET", "metrics", "", NULL), 200);
	const char *line = strstr(f->response.body.data, start);
	assert_non_null(line);
	return strtod(line + strlen(start), NULL);
}

static void save_three(struct fixture *f)
{
	save(f, "10.0.0.5", "bash mem 20 1 bash mem 10 3 bash cpu 10 50 java mem 10 80");
	save(f, "2001:db8::1", "bash mem 10 11 zsh cpu 10 7.5");
}

static void test_routes_get_all_means_over_the_window(void **state)
{
	struct fixture *f = *state;
	get(f, "get-all", "", "{}");
	save_three(f);
	get(f, "get-all", "", "{\"bash\": [5, 50], \"java\": [80, null], \"zsh\": [null, 7.5]}");
	get(f, "get-all/", "", "{\"bash\": [5, 50], \"java\": [80, null], \"zsh\": [null, 7.5]}");
	get(f, "get-all", "resource=mem", "{\"bash\": [5, null], \"java\": [80, null]}");
	get(f, "get-all", "by=host", "{\"10.0.0.5\": {\"bash\": [2, 50], \"java\": [80, null]}, "
	                             "\"2001:db8::1\": {\"bash\": [11, null], \"zsh\": [null, 7.5]}}");
	get(f, "get-all", "by=host&process=none", "{}");
	get(f, "get-all", "above=49.9", "{\"bash\": [5, 50], \"java\": [80, null]}");
	get(f, "get-all", "above=50", "{\"java\": [80, null]}");
	get(f, "get-all", "above=10&resource=mem", "{\"bash\": [5, null], \"java\": [80, null]}");
	get(f, "get-all", "limit=2", "{\"bash\": [5, 50], \"java\": [80, null]}");
	get(f, "get-all", "limit=1", "{\"java\": [80, null]}");
	get(f, "get-all", "process=bash&ip=10-0-0-5", "{\"bash\": [2, 50]}");
	get(f, "get-all/10.0.0.5", "", "{\"bash\": [2, 50], \"java\": [80, null]}");
	get(f, "get-all/10-0-0-5/", "process=java", "{\"java\": [80, null]}");
	get(f, "get-all/2001-db8--1", "", "{\"bash\": [11, null], \"zsh\": [null, 7.5]}");
	get(f, "get-all/2001:DB8:0::1/", "", "{\"bash\": [11, null], \"zsh\": [null, 7.5]}");
	get(f, "get-all/10.0.0.6", "", "{}");
}

static void test_routes_get_all_detailed_values_oldest_first(void **state)
{
	struct fixture *f = *state;
	char wanted[256];
	save_three(f);
	get(f, "get-all-detailed", "ip=10.0.0.5", "{\"bash\": [1, 3], \"java\": [80]}");
	get(f, "get-all-detailed/", "resource=cpu", "{\"bash\": [50], \"zsh\": [7.5]}");
	get(f, "get-all-detailed", "process=bash&by=host", "{\"10.0.0.5\": {\"bash\": [1, 3]}, \"2001:db8::1\": {\"bash\": [11]}}");
	get(f, "get-all-detailed", "process=bash&step=2d&fn=max", "{\"bash\": [11]}");
	get(f, "get-all-detailed", "process=bash&step=2d", "{\"bash\": [5]}");
	get(f, "get-all-detailed", "above=11", "{\"java\": [80]}");
	get(f, "get-all-detailed", "above=80", "{}");
	get(f, "get-all-detailed", "limit=1&by=host", "{\"10.0.0.5\": {\"java\": [80]}}");
	snprintf(wanted, sizeof(wanted), "{\"bash\": [[%lld, 1], [%lld, 3]]}", (long long)(f->now_ms / 1000 - 20),
	         (long long)(f->now_ms / 1000 - 10));
	get(f, "get-all-detailed", "ip=10.0.0.5&process=bash&timestamps=1", wanted);
}

/* From and to, in all that takes a window, as the window that is the same span. */
static void test_routes_spans_are_from_one_time_to_another(void **state)
{
	struct fixture *f = *state;
	char query[256], wanted[256];
	long long now_s = f->now_ms / 1000;
	save(f, "10.0.0.5", "bash mem 20 1 bash mem 10 3 java mem 3600 80 java mem 3599 70 java cpu 1800 50");
	save(f, "2001:db8::1", "java mem 3598.5 60");
	snprintf(query, sizeof(query), "from=%lld&to=%lld", now_s - 3600, now_s - 3599);
	get(f, "get-all", query, "{\"java\": [70, null]}");
	snprintf(query, sizeof(query), "from=%lld.999&to=%lld", now_s - 3601, now_s - 3599);
	get(f, "get-all", query, "{\"java\": [75, null]}");
	snprintf(query, sizeof(query), "from=%lld000&to=%lld500", now_s - 3600, now_s - 3599);
	get(f, "get-all", query, "{\"java\": [65, null]}");
	get(f, "get-all/2001-db8--1", query, "{\"java\": [60, null]}");
	snprintf(query, sizeof(query), "from=%lld&by=host&process=java&process=none", now_s - 3600);
	get(f, "get-all", query, "{\"10.0.0.5\": {\"java\": [70, 50]}, \"2001:db8::1\": {\"java\": [60, null]}}");
	snprintf(query, sizeof(query), "from=%lld&to=%lld&by=host&limit=1&resource=mem", now_s - 3600, now_s - 1800);
	get(f, "get-all", query, "{\"10.0.0.5\": {\"java\": [70, null]}}");
	snprintf(query, sizeof(query), "to=%lld&above=79", now_s - 3600);
	get(f, "get-all", query, "{\"java\": [80, null]}");
	snprintf(query, sizeof(query), "from=%lld&to=%lld&process=java&process=bash&timestamps=1&resource=mem", now_s - 3600, now_s + 3600);
	snprintf(wanted, sizeof(wanted), "{\"bash\": [[%lld, 1], [%lld, 3]], \"java\": [[%lld, 70], [%lld.5, 60]]}", now_s - 20, now_s - 10,
	         now_s - 3599, now_s - 3599);
	get(f, "get-all-detailed", query, wanted);
	snprintf(query, sizeof(query), "to=%lld&process=java&process=bash&limit=1&by=host", now_s - 3590);
	get(f, "get-all-detailed", query, "{\"10.0.0.5\": {\"java\": [80, 70]}}");
	snprintf(query, sizeof(query), "from=%lld&fn=max&step=2d&process=a&process=java&above=1", now_s - 3600);
	get(f, "get-all-detailed", query, "{\"java\": [70]}");

	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(f->now_ms - 3600000, time);
	time[strlen(time) - 1] = '\0';
	snprintf(query, sizeof(query), "from=%s+00:00&resource=cpu", time);
	get(f, "get-all", query, "{\"java\": [null, 50]}");
	static const char *const wrong[] = { "window=1h&from=1", "from=0", "to=0", "from=soon", "from=9999999999", "from=2&to=1" };
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		assert_int_equal(ask(f, "GET", "get-all", wrong[i], NULL), 400);
		assert_int_equal(ask(f, "GET", "get-all-detailed", wrong[i], NULL), 400);
		assert_int_equal(ask(f, "GET", "get-all/10.0.0.5", wrong[i], NULL), 400);
		assert_int_equal(ask(f, "GET", "alarms", wrong[i], NULL), 400);
	}
	assert_int_equal(ask(f, "GET", "latest", "from=1", NULL), 400);
	assert_non_null(strstr(f->response.body.data, "unknown query parameter"));
}

static void test_routes_several_processes_are_all_asked_for(void **state)
{
	struct fixture *f = *state;
	save(f, "10.0.0.5", "a mem 10 1 b mem 10 2 c cpu 10 3");
	save(f, "10.0.0.6", "a mem 10 5");
	get(f, "get-all", "process=a&process=c&process=zz", "{\"a\": [3, null], \"c\": [null, 3]}");
	get(f, "get-all", "process=a&process=a&by=host", "{\"10.0.0.5\": {\"a\": [1, null]}, \"10.0.0.6\": {\"a\": [5, null]}}");
	get(f, "get-all", "process=x&process=y%0a", "{}");
	assert_int_equal(ask(f, "GET", "latest", "process=b&process=c&resource=mem", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "{\"10.0.0.5\": {\"b\": {\"mem\": ["));
	assert_null(strstr(f->response.body.data, "\"a\""));
}

static void test_routes_latest_newest_of_three_intervals(void **state)
{
	struct fixture *f = *state;
	char wanted[512];
	long long now_s = f->now_ms / 1000;
	save(f, "10.0.0.5", "bash mem 12.5 1 bash mem 10 3 bash cpu 12.5 50 old mem 60 9");
	save(f, "10.0.0.6", "zsh cpu 0 0");
	snprintf(wanted, sizeof(wanted),
	         "{\"10.0.0.5\": {\"bash\": {\"mem\": [%lld, 3], \"cpu\": [%lld.5, 50]}}, \"10.0.0.6\": {\"zsh\": {\"cpu\": [%lld, 0]}}}",
	         now_s - 10, now_s - 13, now_s);
	get(f, "latest", "", wanted);
	snprintf(wanted, sizeof(wanted), "{\"10.0.0.5\": {\"bash\": {\"mem\": [%lld, 3]}}}", now_s - 10);
	get(f, "latest", "resource=mem", wanted);
	get(f, "latest/", "process=bash&resource=mem&ip=10-0-0-5", wanted);
	get(f, "latest", "process=old", "{}");
}

static void test_routes_hosts_with_what_their_collectors_said(void **state)
{
	struct fixture *f = *state;
	char wanted[512];
	get(f, "hosts", "", "{}");
	save(f, "10.0.0.5", "bash mem 20 1 java mem 20 1");
	assert_int_equal(ask(f, "PUT", "save-all", "", "{\"ipaddress\": \"10.0.0.7\", \"data\": [], \"collector\": {}}"), 200);
	snprintf(wanted, sizeof(wanted),
	         "{\"10.0.0.5\": {\"last_seen\": %lld, \"processes\": 2, \"hostname\": \"h1\", \"shared_by\": null, \"version\": null, \"state\": null, "
	         "\"ended_cpu\": null, \"interval_s\": null, \"at_series_limit\": false, "
	         "\"clock_offset_s\": 0.5, \"partial\": false, \"counters\": null}}",
	         (long long)(f->now_ms / 1000 - 20));
	get(f, "hosts", "", wanted);
	get(f, "hosts/", "ip=10-0-0-5", wanted);
	get(f, "hosts", "ip=10.0.0.6", "{}");

	/* What it says later counts. */
	assert_int_equal(ask(f, "PUT", "save-all", "", "{\"ipaddress\": \"10.0.0.5\", \"data\": [], \"collector\": {\"hostname\": \"h\\\"2\", "
	                     "\"partial\": true, \"clock_offset_s\": -1.25, \"counters\": {\"sent\": 12345678, \"missed_ticks\": 0}}}"), 200);
	snprintf(wanted, sizeof(wanted),
	         "{\"10.0.0.5\": {\"last_seen\": %lld, \"processes\": 2, \"hostname\": \"h\\\"2\", \"shared_by\": null, \"version\": null, \"state\": null, "
	         "\"ended_cpu\": null, \"interval_s\": null, \"at_series_limit\": false, "
	         "\"clock_offset_s\": -1.25, \"partial\": true, \"counters\": {\"sent\": 12345678, \"missed_ticks\": 0}}}",
	         (long long)(f->now_ms / 1000 - 20));
	get(f, "hosts", "", wanted);
	assert_int_equal(ask(f, "GET", "metrics", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "\nvigie_collectors 2\n"));
	assert_non_null(strstr(f->response.body.data,
	                       "\nvigie_collector_samples_total{ip=\"10.0.0.5\",hostname=\"h\\\"2\",what=\"sent\"} 12345678\n"));
}

/* Reads that work say nothing of writes that fail. */
static void test_routes_health_stays_failing_until_a_write_works(void **state)
{
	struct fixture *f = *state;
	char away[4096 + 8];
	save(f, "10.0.0.5", "a mem 10 1");
	snprintf(away, sizeof(away), "%s.away", f->config->sqlite.path);
	assert_int_equal(rename(f->config->sqlite.path, away), 0);
	char body[256];
	snprintf(body, sizeof(body),
	         "{\"ipaddress\": \"10.0.0.5\", \"data\": [{\"timestamp\": %lld, \"value\": 1, \"process_name\": \"a\", "
	         "\"type_data\": \"mem\"}]}",
	         (long long)(f->now_ms / 1000));
	assert_int_equal(ask(f, "PUT", "save-all", "", body), 503);
	assert_int_equal(f->response.retry_after_s, 5);
	assert_int_equal(rename(away, f->config->sqlite.path), 0);
	assert_int_equal(ask(f, "GET", "get-all", "", NULL), 200);
	assert_int_equal(ask(f, "GET", "health", "", NULL), 503);
	assert_int_equal(ask(f, "PUT", "save-all", "", body), 200);
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
}

static void test_routes_health_and_metrics_are_answered(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "\"status\": \"ok\""));
	assert_non_null(strstr(f->response.body.data, ", \"interval_s\": 10, \"refresh_s\": 60, \"retention_s\": 172800, "));
	const char *time = strstr(f->response.body.data, ", \"time\": ");
	assert_non_null(time);
	assert_true(fabs(strtod(time + strlen(", \"time\": "), NULL) - (double)clock_wall_ms() / 1000) < 30);
	assert_non_null(strstr(f->response.body.data, "\"alert\": {\"status\": \"unknown\", \"last_report\": null}"));
	assert_int_equal(ask(f, "PUT", "save-alarms", "", "{\"data\": []}"), 200);
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "\"alert\": {\"status\": \"ok\", \"last_report\": 1"));
	assert_non_null(strstr(f->response.body.data, "\"forecast\": {\"status\": \"unknown\", \"last_report\": null}, \"shared_addresses\": []}\n"));

	assert_int_equal(ask(f, "GET", "metrics", "", NULL), 200);
	assert_string_equal(f->response.content_type, "text/plain; version=0.0.4; charset=utf-8");
	assert_non_null(strstr(f->response.body.data, "vigie_requests_total{route=\"save-alarms\",status=\"200\"} 1\n"));
	assert_non_null(strstr(f->response.body.data, "\nvigie_store_calls 0\n"));
	assert_non_null(strstr(f->response.body.data, "\nvigie_reads_waiting 0\n"));
	assert_non_null(strstr(f->response.body.data, "\nvigie_queue_batches 0\n"));
	for (char *line = strtok(f->response.body.data, "\n"); line; line = strtok(NULL, "\n")) {
		char *blank = strrchr(line, ' '), *end;
		if (line[0] == '#')
			continue;
		assert_true(isalpha((unsigned char)line[0]) && blank);
		assert_true(isfinite(strtod(blank + 1, &end)) && end != blank + 1 && *end == '\0');
	}
}

static void test_routes_wrong_requests_get_their_status(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *method, *path, *query;
		int status;
		const char *words; /* of the answer or its Allow header */
	} cases[] = {
		{ "GET", "/", "", 404, "no such" },
		{ "GET", "/get-all", "", 404, "" },
		{ "GET", "/ressources-usage", "", 404, "" },
		{ "GET", "", "", 404, "" },
		{ "GET", "get-al", "", 404, "" },
		{ "GET", "get-all2", "", 404, "" },
		{ "GET", "Get-All", "", 404, "" },
		{ "GET", "latest/10.0.0.5", "", 404, "" },
		{ "GET", "save-all/x", "", 404, "" },
		{ "PUT", "nothing", "", 404, "" },
		{ "GET", "save-all", "", 405, "PUT" },
		{ "HEAD", "save-alarms", "", 405, "PUT" },
		{ "POST", "save-all/", "", 405, "PUT" },
		{ "GET", "save-forecasts", "", 405, "PUT" },
		{ "PUT", "forecasts", "", 405, "GET, HEAD" },
		{ "GET", "forecast", "", 404, "" },
		{ "PUT", "get-all", "", 405, "GET, HEAD" },
		{ "POST", "get-all/10.0.0.5", "", 405, "GET, HEAD" },
		{ "DELETE", "latest", "bad=1", 405, "GET, HEAD" },
		{ "get", "hosts", "", 405, "GET, HEAD" },
		{ "", "metrics", "", 405, "GET, HEAD" },
		{ "GET", "get-all", "windows=5m", 400, "\"field\": \"windows\"" },
		{ "GET", "get-all", "window=1s", 400, "\"field\": \"window\"" },
		{ "GET", "get-all", "window=3d", 400, "\"field\": \"window\"" },
		{ "GET", "get-all", "step=10s", 400, "unknown" },
		{ "GET", "get-all", "timestamps=1", 400, "unknown" },
		{ "GET", "get-all/10.0.0.5", "ip=10.0.0.5", 400, "unknown" },
		{ "GET", "get-all/10.0.0.5", "by=host", 400, "unknown" },
		{ "GET", "get-all-detailed", "fn=max", 400, "needs step" },
		{ "GET", "latest", "window=5m", 400, "unknown" },
		{ "GET", "query-alarm", "window=5m", 400, "unknown" },
		{ "GET", "forecasts", "window=5m", 400, "unknown" },
		{ "GET", "forecasts", "resource=disk", 400, "\"field\": \"resource\"" },
		{ "GET", "hosts", "process=a", 400, "unknown" },
		{ "GET", "health", "x=1", 400, "unknown" },
		{ "GET", "metrics", "ip=::1", 400, "unknown" },
		{ "PUT", "save-all", "ip=::1", 400, "unknown" },
		{ "GET", "get-all/10.0.0", "", 400, "\"field\": \"ip\"" },
		{ "GET", "get-all/10.0.0.5/x", "", 400, "" },
		{ "GET", "get-all/bash", "", 400, "" },
		{ "GET", "get-all/0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", "", 400, "" },
		{ "PUT", "save-all", "", 400, "not JSON" },
		{ "PUT", "save-alarms", "", 400, "not JSON" },
		{ "PUT", "save-forecasts", "", 400, "not JSON" },
		{ "PUT", "save-forecasts", "ip=::1", 400, "unknown" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int status = ask(f, cases[i].method, cases[i].path, cases[i].query, "");
		if (status != cases[i].status)
			fail_msg("%s %s?%s: %d", cases[i].method, cases[i].path, cases[i].query, status);
		if (status == 405)
			assert_string_equal(f->response.allow, cases[i].words);
		else
			assert_non_null(strstr(f->response.body.data, cases[i].words));
	}
}

static void test_routes_head_works_where_get_does(void **state)
{
	struct fixture *f = *state;
	static const char *const paths[] = { "get-all", "get-all/::1", "get-all-detailed", "latest", "query-alarm", "alarms",
		                             "oom-kills", "forecasts", "hosts", "health", "metrics", "metrics/processes" };
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		assert_int_equal(ask(f, "HEAD", paths[i], "", NULL), 200);
}

static void test_routes_save_all_tick_is_stored_and_offered(void **state)
{
	struct fixture *f = *state;
	char body[512];
	for (int bad = 1; bad >= 0; bad--) {
		snprintf(body, sizeof(body),
		         "{\"ipaddress\": \"10.0.0.5\", \"timestamp\": %.3f, \"processes\": {\"bash\": [0.5, 0], \"java\": [31.5, %s]}, "
		         "\"collector\": {\"hostname\": \"x\"}}", (double)f->now_ms / 1000, bad ? "-1" : "null");
		assert_int_equal(ask(f, "PUT", "save-all", "", body), bad ? 400 : 200);
		assert_string_equal(f->response.accept, "processes");
		if (bad)
			assert_non_null(strstr(f->response.body.data, "\"field\": \"processes.java[1]\""));
		get(f, "get-all", "", bad ? "{}" : "{\"bash\": [0.5, 0], \"java\": [31.5, null]}");
		assert_null(f->response.accept);
	}
	assert_int_equal(ask(f, "GET", "hosts", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "\"hostname\": \"x\""));
	assert_int_equal(ask(f, "PUT", "save-alarms", "", "{\"data\": []}"), 200);
	assert_null(f->response.accept);
}

static void test_routes_save_all_bad_batches_leave_nothing(void **state)
{
	struct fixture *f = *state;
	char body[512];
	for (int i = 0; i < 3; i++) {
		snprintf(body, sizeof(body),
		         "{\"ipaddress\": \"10.0.0.5\", \"data\": [{\"timestamp\": %lld, \"value\": 1, \"process_name\": \"a\", "
		         "\"type_data\": \"cpu\"}, {\"timestamp\": %lld, \"value\": %d, \"process_name\": \"a\", \"type_data\": \"cpu\"}],"
		         "\"collector\": {\"hostname\": \"x\"}}",
		         (long long)f->now_ms / 1000, (long long)f->now_ms / 1000 + (i == 1 ? 90 : i == 2 ? -172900 : 0), i ? 1 : -1);
		int64_t before_ms = clock_wall_ms();
		assert_int_equal(ask(f, "PUT", "save-all", "", body), i ? 409 : 400);
		assert_non_null(strstr(f->response.body.data, i ? "\"field\": \"data[1].timestamp\"" : "\"field\": \"data[1].value\""));
		const char *time = strstr(f->response.body.data, "\"server_time\": ");
		assert_true((time != NULL) == (i > 0));
		if (time)
			assert_true(strtod(time + strlen("\"server_time\": "), NULL) * 1000 >= (double)before_ms - 1);
		get(f, "get-all", "", "{}");
	}
	struct request request = { .method = "PUT", .path = WIRE_PREFIX "save-all", .query = "", .authorization = "", .host = "",
		                       .body = body };
	static const struct {
		enum request_body state;
		int status;
		const char *words;
	} bodies[] = {
		{ REQUEST_BODY_TOO_LARGE, 413, "larger" },
		{ REQUEST_BODY_CUT, 400, "Content-Length" },
		{ REQUEST_BODY_BROKEN, 400, "gzip" },
		{ REQUEST_BODY_ENCODED, 415, "Content-Encoding" },
	};
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		double rejected = metric_of(f, "vigie_rejected_total");
		request.body_state = bodies[i].state;
		assert_int_equal(answer(f, &request), bodies[i].status);
		assert_non_null(strstr(f->response.body.data, bodies[i].words));
		assert_true(metric_of(f, "vigie_rejected_total") == rejected + 1);
	}
	get(f, "hosts", "", "{}");
}

static void test_routes_get_all_detailed_too_many_points_says_how_to_narrow(void **state)
{
	struct fixture *f = *state;
	save(f, "10.0.0.5", "a mem 50 1 a mem 40 1 a mem 30 1 a mem 20 1");
	assert_int_equal(ask(f, "GET", "get-all-detailed", "", NULL), 400);
	assert_non_null(strstr(f->response.body.data, "over 3 points"));
	get(f, "get-all-detailed", "step=2d", "{\"a\": [1]}");
}

static void test_routes_save_all_no_room_for_a_host_is_to_be_sent_again(void **state)
{
	struct fixture *f = *state;
	char body[256];
	save(f, "10.0.0.5", "a mem 10 1");
	snprintf(body, sizeof(body), "{\"ipaddress\": \"10.0.0.6\", \"data\": [{\"timestamp\": %lld, \"value\": 1, "
	                             "\"process_name\": \"a\", \"type_data\": \"cpu\"}]}", (long long)f->now_ms / 1000);
	assert_int_equal(ask(f, "PUT", "save-all", "", body), 503);
	assert_true(f->response.retry_after_s > 0);
	assert_non_null(strstr(f->response.body.data, "max_series"));
	/* That is no failure of the store. */
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	get(f, "get-all", "", "{\"a\": [1, null]}");
}

/* ---- alarms ---- */

static void save_alarm(struct fixture *f, const char *ip, const char *process, const char *resource, const char *color,
                       double ago_s, double since_ago_s, const char *more)
{
	char body[512];
	snprintf(body, sizeof(body),
	         "{\"data\": [{\"ipaddress\": \"%s\", \"process_name\": \"%s\", \"type_data\": \"%s\", \"color\": \"%s\", "
	         "\"timestamp\": %.3f, \"since\": %.3f, \"threshold\": 80%s}]}",
	         ip, process, resource, color, (double)f->now_ms / 1000 - ago_s, (double)f->now_ms / 1000 - since_ago_s, more);
	if (ask(f, "PUT", "save-alarms", "", body) != 200)
		fail_msg("%s", f->response.body.data);
}

static void assert_color(struct fixture *f, const char *query, const char *color, int alarms)
{
	assert_int_equal(ask(f, "GET", "query-alarm", query, NULL), 200);
	cJSON *tree = cJSON_Parse(f->response.body.data);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(tree, "color")), color);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(tree, "alarms")), alarms);
	cJSON_Delete(tree);
}

static void test_routes_query_alarm_worst_color_counts(void **state)
{
	struct fixture *f = *state;
	get(f, "query-alarm", "", "{\"color\": \"unknown\", \"alarms\": []}");
	assert_int_equal(ask(f, "PUT", "save-alarms", "", "{\"data\": []}"), 200);
	get(f, "query-alarm", "", "{\"color\": \"green\", \"alarms\": []}");
	save_alarm(f, "10.0.0.5", "calm", "mem", "green", 10, 30, "");
	assert_color(f, "", "green", 0);
	save_alarm(f, "10.0.0.5", "*", "cpu", "unknown", 10, 30, "");
	assert_color(f, "", "unknown", 1);
	save_alarm(f, "10.0.0.6", "java", "mem", "orange", 10, 30, ", \"forecast\": 91.5");
	assert_color(f, "", "orange", 2);
	save_alarm(f, "10.0.0.5", "bash", "cpu", "red", 10, 30, "");
	assert_color(f, "", "red", 3);
	assert_color(f, "ip=10.0.0.6", "orange", 1);
	assert_color(f, "process=bash", "red", 1);
	assert_color(f, "resource=mem", "orange", 1);
	assert_color(f, "ip=10.0.0.9", "green", 0);
	/* A later colour replaces it. */
	save_alarm(f, "10.0.0.5", "bash", "cpu", "green", 5, 5, "");
	assert_color(f, "", "orange", 2);
	/* What is older than three intervals does not stand. */
	save_alarm(f, "10.0.0.7", "gone", "cpu", "red", 60, 90, "");
	assert_color(f, "", "orange", 2);
}

static void test_routes_query_alarm_tells_all_of_an_alarm(void **state)
{
	struct fixture *f = *state;
	char wanted[1024], more[128];
	long long now_s = f->now_ms / 1000;
	save(f, "10.0.0.5", "java mem 10 61 bash cpu 10 99");
	snprintf(more, sizeof(more), ", \"value\": 61, \"forecast\": 91.5, \"expected_at\": %lld", now_s + 600);
	save_alarm(f, "10.0.0.5", "java", "mem", "orange", 10, 20, more);
	save_alarm(f, "10.0.0.5", "bash", "cpu", "red", 10, 40, "");
	snprintf(wanted, sizeof(wanted),
	         "{\"color\": \"red\", \"alarms\": ["
	         "{\"process\": \"bash\", \"ip\": \"10.0.0.5\", \"resource\": \"cpu\", \"color\": \"red\", \"value\": 99, "
	         "\"forecast\": null, \"expected_at\": null, \"threshold\": 80, \"since\": %lld}, "
	         "{\"process\": \"java\", \"ip\": \"10.0.0.5\", \"resource\": \"mem\", \"color\": \"orange\", \"value\": 61, "
	         "\"forecast\": 91.5, \"expected_at\": %lld, \"threshold\": 80, \"since\": %lld}]}",
	         now_s - 40, now_s + 600, now_s - 20);
	get(f, "query-alarm", "", wanted);
	get(f, "query-alarm/", "ip=10-0-0-5", wanted);
}

static void test_routes_alarms_colors_that_changed(void **state)
{
	struct fixture *f = *state;
	char wanted[1024];
	long long now_s = f->now_ms / 1000;
	get(f, "alarms", "", "[]");
	/* It began before the window: standing, not new. */
	for (int ago = 320; ago >= 250; ago -= 10)
		save_alarm(f, "10.0.0.5", "old", "mem", "red", ago, 900, "");
	save_alarm(f, "10.0.0.5", "old", "mem", "green", 240, 240, "");
	/* It begins within it, is told again, becomes worse and ends. */
	save_alarm(f, "10.0.0.6", "new", "cpu", "orange", 100, 100, "");
	save_alarm(f, "10.0.0.6", "new", "cpu", "orange", 90, 100, "");
	save_alarm(f, "10.0.0.6", "new", "cpu", "red", 80, 80, "");
	save_alarm(f, "10.0.0.6", "new", "cpu", "red", 70, 80, "");
	save_alarm(f, "10.0.0.6", "new", "cpu", "green", 60, 60, "");
	snprintf(wanted, sizeof(wanted),
	         "[{\"time\": %lld, \"ip\": \"10.0.0.5\", \"process\": \"old\", \"resource\": \"mem\", \"color\": \"green\"}, "
	         "{\"time\": %lld, \"ip\": \"10.0.0.6\", \"process\": \"new\", \"resource\": \"cpu\", \"color\": \"orange\"}, "
	         "{\"time\": %lld, \"ip\": \"10.0.0.6\", \"process\": \"new\", \"resource\": \"cpu\", \"color\": \"red\"}, "
	         "{\"time\": %lld, \"ip\": \"10.0.0.6\", \"process\": \"new\", \"resource\": \"cpu\", \"color\": \"green\"}]",
	         now_s - 240, now_s - 100, now_s - 80, now_s - 60);
	get(f, "alarms", "", wanted);
	get(f, "alarms/", "window=10s", "[]");
	get(f, "alarms", "resource=mem&ip=10.0.0.6", "[]");
	snprintf(wanted, sizeof(wanted), "[{\"time\": %lld, \"ip\": \"10.0.0.5\", \"process\": \"old\", \"resource\": \"mem\", \"color\": \"green\"}]",
	         now_s - 240);
	get(f, "alarms", "process=old", wanted);
	/* A past span has what was raised and cleared in it, and on demand what stood at its start. */
	char query[128];
	static const char span[] = "from=%lld&to=%lld%s";
	static const char one[] = "[{\"time\": %lld, \"ip\": \"10.0.0.6\", \"process\": \"new\", \"resource\": \"cpu\", \"color\": \"%s\"}]";
	snprintf(query, sizeof(query), span, now_s - 100, now_s - 80, "");
	snprintf(wanted, sizeof(wanted), one, now_s - 80, "red");
	get(f, "alarms", query, wanted);
	snprintf(query, sizeof(query), span, now_s - 95, now_s - 85, "");
	get(f, "alarms", query, "[]");
	snprintf(query, sizeof(query), span, now_s - 95, now_s - 85, "&standing=1");
	snprintf(wanted, sizeof(wanted), one, now_s - 95, "orange");
	get(f, "alarms", query, wanted);
	get(f, "alarms", "window=10s&standing=1", "[]");
}

static void test_routes_alarms_and_oom_kills_tell_whom_the_kernel_has_killed(void **state)
{
	struct fixture *f = *state;
	char body[512], wanted[1024], both[2048];
	long long now_s = f->now_ms / 1000;
	get(f, "oom-kills", "", "[]");
	save_alarm(f, "10.0.0.5", "java", "mem", "red", 50, 50, "");
	snprintf(body, sizeof(body), "{\"ipaddress\": \"10.0.0.5\", \"oom_kills\": {\"timestamp\": %lld, \"processes\": "
	         "{\"java\": 1, \"*\": 2}}, \"timestamp\": %lld, \"processes\": {\"bash\": [1, 2]}}", now_s - 40, now_s - 20);
	for (int i = 0; i < 2; i++) /* told again, it is the same */
		assert_int_equal(ask(f, "PUT", "save-all", "", body), 200);
	snprintf(wanted, sizeof(wanted),
	         "{\"time\": %lld, \"ip\": \"10.0.0.5\", \"process\": \"*\", \"resource\": \"mem\", \"color\": null, \"oom_kills\": 2}, "
	         "{\"time\": %lld, \"ip\": \"10.0.0.5\", \"process\": \"java\", \"resource\": \"mem\", \"color\": null, \"oom_kills\": 1}]",
	         now_s - 40, now_s - 40);
	snprintf(both, sizeof(both), "[%s", wanted);
	get(f, "oom-kills", "", both);
	get(f, "oom-kills", "window=10s", "[]");
	get(f, "oom-kills", "ip=10.0.0.6", "[]");
	get(f, "alarms", "resource=cpu", "[]");
	snprintf(both, sizeof(both), "[{\"time\": %lld, \"ip\": \"10.0.0.5\", \"process\": \"java\", \"resource\": \"mem\", "
	         "\"color\": \"red\"}, %s", now_s - 50, wanted);
	get(f, "alarms", "", both);
	snprintf(both, sizeof(both), "[%s", strstr(wanted + 1, "{"));
	get(f, "alarms", "limit=1&process=java", both);
	assert_int_equal(ask(f, "GET", "oom-kills", "resource=mem", NULL), 400);
	snprintf(both, sizeof(both), "from=%lld&to=%lld", now_s - 41, now_s - 39);
	char in_span[1040];
	snprintf(in_span, sizeof(in_span), "[%s", wanted);
	get(f, "oom-kills", both, in_span);
	snprintf(both, sizeof(both), "from=%lld&to=%lld", now_s - 39, now_s);
	get(f, "oom-kills", both, "[]");
}

/* ---- forecasts ---- */

/* Saves one forecast; `more` are further members. */
static void save_forecast(struct fixture *f, const char *ip, const char *process, const char *resource, double ago_s,
                          double probability, double forecast, const char *more)
{
	char body[1024];
	snprintf(body, sizeof(body),
	         "{\"data\": [{\"ipaddress\": \"%s\", \"process_name\": \"%s\", \"type_data\": \"%s\", \"timestamp\": %.3f, "
	         "\"probability\": %.17g, \"forecast\": %.17g%s}]}",
	         ip, process, resource, (double)f->now_ms / 1000 - ago_s, probability, forecast, more);
	if (ask(f, "PUT", "save-forecasts", "", body) != 200)
		fail_msg("%s", f->response.body.data);
	assert_string_equal(f->response.body.data, "{\"Response\": \"Ok\"}\n");
}

static void test_routes_forecasts_newest_of_three_refreshes(void **state)
{
	struct fixture *f = *state;
	char wanted[1024], more[64];
	long long now_s = f->now_ms / 1000;
	get(f, "forecasts", "", "{}");
	snprintf(more, sizeof(more), ", \"expected_at\": %lld.125", now_s + 600);
	save_forecast(f, "10.0.0.5", "bash", "mem", 60, 0.1, 50, "");
	save_forecast(f, "10.0.0.5", "bash", "mem", 10, 1.0 / 3, 91.5, more);
	save_forecast(f, "10.0.0.5", "bash", "cpu", 10, 0, 0, ", \"expected_at\": null");
	save_forecast(f, "10.0.0.5", "java", "cpu", 150, 1, 800, "");
	save_forecast(f, "10.0.0.5", "old", "mem", 190, 0.5, 80, more);
	save_forecast(f, "2001:db8::1", "zsh", "mem", 0, 0.25, 10, "");
	static const char both[] = "{\"10.0.0.5\": {\"bash\": {\"mem\": {\"probability\": 0.3333333333333333, \"forecast\": 91.5, "
	                           "\"expected_at\": %lld.125}, \"cpu\": {\"probability\": 0, \"forecast\": 0, \"expected_at\": null}}, "
	                           "\"java\": {\"cpu\": {\"probability\": 1, \"forecast\": 800, \"expected_at\": null}}}, "
	                           "\"2001:db8::1\": {\"zsh\": {\"mem\": {\"probability\": 0.25, \"forecast\": 10, \"expected_at\": null}}}}";
	snprintf(wanted, sizeof(wanted), both, now_s + 600);
	get(f, "forecasts", "", wanted);
	get(f, "forecasts/", "", wanted);
	get(f, "forecasts", "ip=2001:db8:0::1",
	    "{\"2001:db8::1\": {\"zsh\": {\"mem\": {\"probability\": 0.25, \"forecast\": 10, \"expected_at\": null}}}}");
	get(f, "forecasts", "process=java&resource=cpu",
	    "{\"10.0.0.5\": {\"java\": {\"cpu\": {\"probability\": 1, \"forecast\": 800, \"expected_at\": null}}}}");
	get(f, "forecasts", "process=java&resource=mem", "{}");
	get(f, "forecasts", "process=old", "{}");
	/* Who refreshes less often is waited for. */
	f->config->forecast.refresh_ms = 120000;
	service_reload(f->service, f->config);
	snprintf(wanted, sizeof(wanted),
	         "{\"10.0.0.5\": {\"old\": {\"mem\": {\"probability\": 0.5, \"forecast\": 80, \"expected_at\": %lld.125}}}}", now_s + 600);
	get(f, "forecasts", "process=old", wanted);
	/* They are no samples, and no collector's host. */
	get(f, "get-all", "", "{}");
	get(f, "hosts", "", "{}");
}

/* An older time to come is not that of a newer forecast, which may have none. */
static void test_routes_forecasts_expected_at_is_of_the_same_forecast(void **state)
{
	struct fixture *f = *state;
	char wanted[512], more[64];
	long long now_s = f->now_ms / 1000;
	snprintf(more, sizeof(more), ", \"expected_at\": %lld", now_s + 600);
	save_forecast(f, "10.0.0.5", "a", "mem", 20, 0.75, 90, more);
	save_forecast(f, "10.0.0.5", "a", "mem", 10, 0.5, 70, "");
	get(f, "forecasts", "", "{\"10.0.0.5\": {\"a\": {\"mem\": {\"probability\": 0.5, \"forecast\": 70, \"expected_at\": null}}}}");
	save_alarm(f, "10.0.0.5", "a", "mem", "orange", 10, 10, "");
	snprintf(wanted, sizeof(wanted),
	         "{\"color\": \"orange\", \"alarms\": [{\"process\": \"a\", \"ip\": \"10.0.0.5\", \"resource\": \"mem\", \"color\": \"orange\", "
	         "\"value\": null, \"forecast\": 70, \"expected_at\": null, \"threshold\": 80, \"since\": %lld}]}", now_s - 10);
	get(f, "query-alarm", "", wanted);
	/* And a newer one counts again; one that is past is now. */
	save_forecast(f, "10.0.0.5", "a", "mem", 5, 0.75, 85, more);
	snprintf(wanted, sizeof(wanted),
	         "{\"10.0.0.5\": {\"a\": {\"mem\": {\"probability\": 0.75, \"forecast\": 85, \"expected_at\": %lld}}}}", now_s + 600);
	get(f, "forecasts", "", wanted);
	save_forecast(f, "10.0.0.5", "a", "mem", 4, 1, 85, ", \"expected_at\": 1000000000");
	snprintf(wanted, sizeof(wanted),
	         "{\"10.0.0.5\": {\"a\": {\"mem\": {\"probability\": 1, \"forecast\": 85, \"expected_at\": %lld}}}}", now_s - 4);
	get(f, "forecasts", "", wanted);
}

/* What an alarm says of itself comes before the forecast service's word, while it does;
 * and what it says is no forecast. */
static void test_routes_query_alarm_orange_tells_its_forecast(void **state)
{
	struct fixture *f = *state;
	char wanted[512], more[128];
	long long now_s = f->now_ms / 1000;
	static const char orange[] = "{\"color\": \"orange\", \"alarms\": [{\"process\": \"java\", \"ip\": \"10.0.0.5\", \"resource\": \"mem\", "
	                             "\"color\": \"%s\", \"value\": 61, \"forecast\": %s, \"expected_at\": %s, \"threshold\": 80, \"since\": %lld}]}";
	char expected_at[32], other_at[32];
	snprintf(expected_at, sizeof(expected_at), "%lld", now_s + 600);
	snprintf(other_at, sizeof(other_at), "%lld", now_s + 900);

	save(f, "10.0.0.5", "java mem 10 61");
	save_alarm(f, "10.0.0.5", "java", "mem", "orange", 15, 20, "");
	snprintf(wanted, sizeof(wanted), orange, "orange", "null", "null", now_s - 20);
	get(f, "query-alarm", "", wanted);

	/* The forecast service's: up to three of its refreshes old. */
	snprintf(more, sizeof(more), ", \"expected_at\": %s", expected_at);
	save_forecast(f, "10.0.0.5", "java", "mem", 100, 0.9, 91.25, more);
	snprintf(wanted, sizeof(wanted), orange, "orange", "91.25", expected_at, now_s - 20);
	get(f, "query-alarm", "", wanted);
	get(f, "query-alarm", "process=java&resource=mem", wanted);

	/* The alarm's own, though older than the service's next one. */
	snprintf(more, sizeof(more), ", \"forecast\": 88, \"expected_at\": %s", other_at);
	save_alarm(f, "10.0.0.5", "java", "mem", "orange", 10, 20, more);
	save_forecast(f, "10.0.0.5", "java", "mem", 8, 0.5, 77, "");
	snprintf(wanted, sizeof(wanted), orange, "orange", "88", other_at, now_s - 20);
	get(f, "query-alarm", "", wanted);
	get(f, "forecasts", "", "{\"10.0.0.5\": {\"java\": {\"mem\": {\"probability\": 0.5, \"forecast\": 77, \"expected_at\": null}}}}");

	/* It stands, and says it no longer. */
	save_alarm(f, "10.0.0.5", "java", "mem", "orange", 5, 20, "");
	snprintf(wanted, sizeof(wanted), orange, "orange", "77", "null", now_s - 20);
	get(f, "query-alarm", "", wanted);
	/* An alarm's alone is no forecast. */
	save_alarm(f, "10.0.0.6", "b", "mem", "orange", 5, 20, ", \"forecast\": 99");
	get(f, "forecasts", "ip=10.0.0.6", "{}");
}

static void test_routes_query_alarm_explains_on_demand(void **state)
{
	struct fixture *f = *state;
	char wanted[1024], more[128];
	long long now_s = f->now_ms / 1000;
	save(f, "10.0.0.5", "java mem 10 61");
	snprintf(more, sizeof(more), ", \"expected_at\": %lld, \"full_at\": %lld", now_s + 600, now_s + 86400);
	save_forecast(f, "10.0.0.5", "java", "mem", 10, 0.75, 91.5, more);
	save_forecast(f, "10.0.0.6", "bash", "cpu", 10, 0.5, 91.5, more);
	save_alarm(f, "10.0.0.5", "java", "mem", "orange", 10, 20, "");
	save_alarm(f, "10.0.0.6", "bash", "cpu", "red", 10, 40, "");
	snprintf(wanted, sizeof(wanted),
	         "{\"color\": \"red\", \"alarms\": ["
	         "{\"process\": \"java\", \"ip\": \"10.0.0.5\", \"resource\": \"mem\", \"color\": \"orange\", \"value\": 61, "
	         "\"forecast\": 91.5, \"expected_at\": %lld, \"threshold\": 80, \"since\": %lld, "
	         "\"hostname\": \"h1\", \"probability\": 0.75, \"full_at\": %lld}, "
	         "{\"process\": \"bash\", \"ip\": \"10.0.0.6\", \"resource\": \"cpu\", \"color\": \"red\", \"value\": null, "
	         "\"forecast\": 91.5, \"expected_at\": null, \"threshold\": 80, \"since\": %lld, "
	         "\"hostname\": null, \"probability\": null, \"full_at\": null}]}",
	         now_s + 600, now_s - 20, now_s + 86400, now_s - 40);
	get(f, "query-alarm", "explain=1", wanted);
	assert_int_equal(ask(f, "GET", "query-alarm", "explain=0", NULL), 200);
	assert_null(strstr(f->response.body.data, "hostname"));
}

static void test_routes_query_alarm_red_expects_nothing(void **state)
{
	struct fixture *f = *state;
	char wanted[512], more[64];
	long long now_s = f->now_ms / 1000;
	snprintf(more, sizeof(more), ", \"expected_at\": %lld", now_s + 600);
	save_forecast(f, "10.0.0.5", "a", "cpu", 10, 1, 95, more);
	save_alarm(f, "10.0.0.5", "a", "cpu", "red", 10, 10, "");
	snprintf(wanted, sizeof(wanted),
	         "{\"color\": \"red\", \"alarms\": [{\"process\": \"a\", \"ip\": \"10.0.0.5\", \"resource\": \"cpu\", \"color\": \"red\", "
	         "\"value\": null, \"forecast\": 95, \"expected_at\": null, \"threshold\": 80, \"since\": %lld}]}", now_s - 10);
	get(f, "query-alarm", "", wanted);
}

/* A later one of the same series that says nothing of it is none. */
static void test_routes_query_alarm_tells_what_is_missing(void **state)
{
	struct fixture *f = *state;
	char wanted[512];
	save_alarm(f, "10.0.0.5", "a", "cpu", "red", 20, 30, ", \"missing\": true");
	snprintf(wanted, sizeof(wanted),
	         "{\"color\": \"red\", \"alarms\": [{\"process\": \"a\", \"ip\": \"10.0.0.5\", \"resource\": \"cpu\", \"color\": \"red\", "
	         "\"value\": null, \"forecast\": null, \"expected_at\": null, \"threshold\": 80, \"since\": %lld, \"missing\": true}]}",
	         (long long)f->now_ms / 1000 - 30);
	assert_int_equal(ask(f, "PUT", "save-alarms", "", "{\"data\": []}"), 200);
	get(f, "query-alarm", "", wanted);
	save_alarm(f, "10.0.0.5", "a", "cpu", "red", 10, 30, "");
	assert_int_equal(ask(f, "GET", "query-alarm", "", NULL), 200);
	assert_null(strstr(f->response.body.data, "missing"));
	assert_int_equal(ask(f, "PUT", "save-alarms", "", "{\"data\": [{\"ipaddress\": \"::1\", \"process_name\": \"a\", "
	                 "\"type_data\": \"cpu\", \"color\": \"red\", \"missing\": 1}]}"), 400);
	assert_non_null(strstr(f->response.body.data, "\"field\": \"data[0].missing\""));
}

static void test_routes_forecasts_full_at_is_of_the_newest_forecast(void **state)
{
	struct fixture *f = *state;
	char more[64], wanted[256];
	snprintf(more, sizeof(more), ", \"full_at\": %lld.5", (long long)(f->now_ms / 1000 + 100000));
	save_forecast(f, "10.0.0.5", "a", "mem", 20, 0.25, 40, more);
	snprintf(wanted, sizeof(wanted),
	         "{\"10.0.0.5\": {\"a\": {\"mem\": {\"probability\": 0.25, \"forecast\": 40, \"expected_at\": null%s}}}}", more);
	get(f, "forecasts", "", wanted);
	save_forecast(f, "10.0.0.5", "a", "mem", 10, 0.25, 40, ", \"full_at\": null");
	get(f, "forecasts", "",
	    "{\"10.0.0.5\": {\"a\": {\"mem\": {\"probability\": 0.25, \"forecast\": 40, \"expected_at\": null}}}}");
}

static void test_routes_forecasts_explains_on_demand(void **state)
{
	struct fixture *f = *state;
	static const char why[] = ", \"limit\": 80, \"horizon_s\": 1800, \"why\": {\"climb\": null, \"parts\": [{\"name\": \"now\", \"log_odds\": 1.5, "
	                          "\"value\": 0.75, \"meaning\": \"maximum\"}]}";
	static const char told[] = "{\"10.0.0.5\": {\"a\": {\"mem\": {\"probability\": 0.25, \"forecast\": 40, \"expected_at\": null%s}}}}";
	char wanted[512];
	save_forecast(f, "10.0.0.5", "a", "mem", 20, 0.25, 40, "");
	snprintf(wanted, sizeof(wanted), told, ", \"limit\": null, \"horizon_s\": null, \"why\": null");
	get(f, "forecasts", "explain=1", wanted);
	save_forecast(f, "10.0.0.5", "a", "mem", 10, 0.25, 40, why);
	snprintf(wanted, sizeof(wanted), told, why);
	get(f, "forecasts", "explain=1&ip=10.0.0.5&process=a&process=b", wanted);
	snprintf(wanted, sizeof(wanted), told, "");
	get(f, "forecasts", "", wanted);
	get(f, "forecasts", "explain=0", wanted);
	/* A body that is refused has said nothing. */
	assert_int_equal(ask(f, "PUT", "save-forecasts", "", "{\"data\": [{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"a\", "
	                     "\"type_data\": \"mem\", \"probability\": 0.5, \"forecast\": 50, \"limit\": 1}, {}]}"), 400);
	snprintf(wanted, sizeof(wanted), told, why);
	get(f, "forecasts", "explain=1", wanted);
}

static void test_routes_save_forecasts_bad_item_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	static const char good[] = "\"ipaddress\": \"10.0.0.5\", \"process_name\": \"a\", \"type_data\": \"mem\", \"forecast\": 50";
	char body[512];
	snprintf(body, sizeof(body), "{\"data\": [{%s, \"probability\": 1}, {%s, \"probability\": 1.5}]}", good, good);
	double rejected = metric_of(f, "vigie_rejected_total");
	assert_int_equal(ask(f, "PUT", "save-forecasts", "", body), 400);
	assert_non_null(strstr(f->response.body.data, "\"field\": \"data[1].probability\""));
	assert_true(metric_of(f, "vigie_rejected_total") == rejected + 1);
	get(f, "forecasts", "", "{}");
	/* That is no sign of life. */
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "\"forecast\": {\"status\": \"unknown\", \"last_report\": null}"));
	/* Without a time it is the server's. */
	int64_t before_ms = clock_wall_ms();
	snprintf(body, sizeof(body), "{\"data\": [{%s, \"probability\": 1, \"expected_at\": 5}]}", good);
	assert_int_equal(ask(f, "PUT", "save-forecasts/", "", body), 200);
	assert_int_equal(ask(f, "GET", "forecasts", "", NULL), 200);
	const char *at = strstr(f->response.body.data, "\"expected_at\": ");
	assert_non_null(at);
	double expected_ms = strtod(at + strlen("\"expected_at\": "), NULL) * 1000;
	assert_true(expected_ms >= (double)before_ms - 0.5 && expected_ms <= (double)clock_wall_ms() + 0.5);
}

static void test_routes_health_tells_the_forecast_service_and_is_well_without(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "PUT", "save-forecasts", "", "{\"data\": []}"), 200);
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "\"alert\": {\"status\": \"unknown\", \"last_report\": null}"));
	assert_non_null(strstr(f->response.body.data, "\"forecast\": {\"status\": \"ok\", \"last_report\": 1"));
	/* Three of its refreshes, not of the collectors' intervals; then it is away. */
	f->config->server.interval_ms = 1;
	service_reload(f->service, f->config);
	usleep(10000);
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "\"forecast\": {\"status\": \"ok\""));
	f->config->forecast.refresh_ms = 1;
	service_reload(f->service, f->config);
	usleep(10000);
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "{\"status\": \"ok\", \"version\""));
	assert_non_null(strstr(f->response.body.data, "\"forecast\": {\"status\": \"unknown\", \"last_report\": 1"));
}

/* The engine of a case in which forecasts are saved while others are read. */
static struct {
	struct fixture *fixture;
	unsigned reads;
} interrupted;

static int interrupted_latest(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	if (query->metric == METRIC_FORECAST_LEAD && interrupted.reads++ == 0) {
		struct fixture saver = { .service = interrupted.fixture->service, .now_ms = interrupted.fixture->now_ms,
		                         .authorization = "", .host = "" };
		save_forecast(&saver, "10.0.0.5", "a", "mem", 0, 0.75, 90, ", \"expected_at\": 5");
		text_free(&saver.response.body);
	}
	return store_sqlite.latest(store, query, ret_rows);
}

static void test_routes_forecasts_saved_meanwhile_are_not_mixed(void **state)
{
	struct fixture *f = *state;
	static const struct store_ops *engine;
	static struct store_ops ops;
	char wanted[256];
	engine = f->service->ops;
	ops = *engine;
	ops.latest = interrupted_latest;
	f->service->ops = &ops;
	interrupted.fixture = f;
	interrupted.reads = 0;
	save_forecast(f, "10.0.0.5", "a", "mem", 20, 0.25, 40, ", \"expected_at\": 5");
	snprintf(wanted, sizeof(wanted),
	         "{\"10.0.0.5\": {\"a\": {\"mem\": {\"probability\": 0.75, \"forecast\": 90, \"expected_at\": %lld}}}}",
	         (long long)(f->now_ms / 1000));
	get(f, "forecasts", "", wanted);
	assert_int_equal(interrupted.reads, 2);
	f->service->ops = engine;
}

/* What the names of processes do to JSON. */
static void test_routes_hostile_names_come_back(void **state)
{
	struct fixture *f = *state;
	save(f, "10.0.0.5", "a\\\"b mem 10 1 \\\\ mem 10 2 \\u0001 mem 10 3 \\u20ac mem 10 4 \\u0000 cpu 10 5");
	get(f, "get-all", "", "{\"?\": [3, 5], \"\\\\\": [2, null], \"a\\\"b\": [1, null], \"\xe2\x82\xac\": [4, null]}");
	get(f, "get-all", "process=%E2%82%AC", "{\"\xe2\x82\xac\": [4, null]}");
	get(f, "get-all", "process=a%22b", "{\"a\\\"b\": [1, null]}");
}

/* ---- reads that share an answer ---- */

static void test_routes_same_read_within_a_second_gets_the_same_answer(void **state)
{
	struct fixture *f = *state;
	static const char before[] = "{\"a\": [1, null]}", after[] = "{\"a\": [2, null]}";
	save(f, "10.0.0.5", "a mem 20 1");
	int64_t start_ns = clock_monotonic_ns();
	get(f, "get-all", "", before);
	double shared = metric_of(f, "vigie_shared_reads_total"), calls = metric_of(f, "vigie_store_read_seconds_count");
	save(f, "10.0.0.5", "a mem 10 3");
	assert_int_equal(ask(f, "HEAD", "get-all", "", NULL), 200);
	assert_int_equal(ask(f, "GET", "get-all", "", NULL), 200);
	if (clock_monotonic_ns() - start_ns < 1000000000) {
		assert_memory_equal(f->response.body.data, before, strlen(before));
		assert_true(metric_of(f, "vigie_shared_reads_total") == shared + 2);
		assert_true(metric_of(f, "vigie_store_read_seconds_count") == calls);
	}
	/* Other words are another read. */
	get(f, "get-all", "process=a", after);
	get(f, "get-all/", "", after);

	/* For so long; an interval of a second makes it a tenth of that. */
	f->config->server.interval_ms = 1000;
	service_reload(f->service, f->config);
	usleep(100000);
	get(f, "get-all", "", after);
	save(f, "10.0.0.5", "a mem 5 5");
	usleep(100000);
	get(f, "get-all", "", "{\"a\": [3, null]}");
	f->config->server.interval_ms = 10000;
	f->config->server.cache_ms = 0;
	service_reload(f->service, f->config);
	save(f, "10.0.0.5", "a mem 2 7");
	get(f, "get-all", "", "{\"a\": [4, null]}");
}

/* ---- tokens ---- */

static void test_routes_admit_each_token_opens_its_doors(void **state)
{
	struct fixture *f = *state;
	static const char *const reads[] = { "get-all", "get-all/10.0.0.5", "get-all-detailed", "latest", "query-alarm", "alarms",
		                             "oom-kills", "forecasts", "hosts", "metrics" };
	static const char *const writes[] = { "save-all", "save-alarms", "save-forecasts" };
	static const struct {
		const char *authorization;
		int read, write; /* statuses */
	} cases[] = {
		{ "", 401, 401 },
		{ "Bearer nobody", 401, 401 },
		{ "Basic reader", 401, 401 },
		{ "Bearer reader", 200, 403 },
		{ "Bearer writer", 403, 400 }, /* 400: the empty body is looked at */
		{ "Bearer both", 200, 400 },
		{ "Bearer admin", 200, 400 },
	};
	close_doors(f);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		f->authorization = cases[i].authorization;
		for (size_t j = 0; j < COUNT_OF(reads); j++) {
			assert_int_equal(ask(f, "GET", reads[j], "", NULL), cases[i].read);
			assert_true(f->response.authenticate == (cases[i].read == 401));
			assert_int_equal(ask(f, "HEAD", reads[j], "", NULL), cases[i].read);
		}
		for (size_t j = 0; j < COUNT_OF(writes); j++) {
			assert_int_equal(ask(f, "PUT", writes[j], "", NULL), cases[i].write);
			assert_true(f->response.authenticate == (cases[i].write == 401));
		}
		assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
		assert_int_equal(ask(f, "GET", "nothing", "", NULL), 404);
		assert_int_equal(ask(f, "PUT", "latest", "", NULL), 405);
	}
	f->authorization = "Bearer admin";
	assert_int_equal(ask(f, "GET", "metrics", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "vigie_requests_total{route=\"save-alarms\",status=\"401\"} 3\n"));
	assert_non_null(strstr(f->response.body.data, "vigie_requests_total{route=\"save-alarms\",status=\"403\"} 1\n"));
}

/* Neither what is kept nor what is being made is for those without a token. */
static void test_routes_admit_shared_answer_is_not_for_strangers(void **state)
{
	struct fixture *f = *state;
	shared_reads_set_max_age(f->service->reads, 60000);
	save(f, "10.0.0.5", "a mem 20 1");
	get(f, "get-all", "", "{\"a\": [1, null]}");
	close_doors(f);
	shared_reads_set_max_age(f->service->reads, 60000);
	f->authorization = "Bearer reader";
	get(f, "get-all", "", "{\"a\": [1, null]}");
	get(f, "get-all", "", "{\"a\": [1, null]}");
	f->authorization = "";
	assert_int_equal(ask(f, "GET", "get-all", "", NULL), 401);
	assert_null(strstr(f->response.body.data, "null"));
	f->authorization = "Bearer writer";
	assert_int_equal(ask(f, "GET", "get-all", "", NULL), 403);
	/* And the refusal is not what the next one gets. */
	f->authorization = "Bearer admin";
	get(f, "get-all", "", "{\"a\": [1, null]}");
}

static void test_routes_admit_reload_bad_file_keeps_the_tokens(void **state)
{
	struct fixture *f = *state;
	close_doors(f);
	write_tokens(f, "read", "", &f->config->server.read_tokens);
	service_reload(f->service, f->config);
	f->authorization = "Bearer reader";
	assert_int_equal(ask(f, "GET", "latest", "", NULL), 200);
	free(f->config->server.read_tokens);
	f->config->server.read_tokens = strdup("");
	service_reload(f->service, f->config);
	f->authorization = "";
	assert_int_equal(ask(f, "GET", "latest", "", NULL), 200);
	assert_int_equal(ask(f, "PUT", "save-all", "", NULL), 401);
}

/* In a store that has room for one series, too. */
static void test_routes_command_wish_outlives_a_restart_whatever_the_limits(void **state)
{
	struct fixture *f = *state;
	save(f, "10.0.0.5", "a mem 20 1");
	assert_int_equal(ask(f, "POST", "services/collector/stop", "", NULL), 403);
	assert_non_null(strstr(f->response.body.data, "admin_tokens"));
	close_doors(f);
	f->authorization = "Bearer writer";
	assert_int_equal(ask(f, "POST", "services/collector/stop", "", NULL), 403);
	assert_non_null(strstr(f->response.body.data, "this needs an admin token"));
	f->authorization = "Bearer admin";
	wait_for_wishes(f);
	assert_int_equal(ask(f, "POST", "services/collector/stop/", "ip=10.0.0.5", NULL), 200);
	assert_int_equal(ask(f, "POST", "services/alert/stop", "", NULL), 200);
	assert_int_equal(ask(f, "POST", "services/collector/stop", "ip=10.0.0.6", NULL), 404);
	assert_int_equal(ask(f, "POST", "services/collectors/stop", "", NULL), 404);
	assert_int_equal(ask(f, "POST", "services/collector/stopped", "", NULL), 404);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(f, "GET", "services", "ip=10-0-0-5", NULL), 200);
		assert_non_null(strstr(f->response.body.data, "{\"collector\": {\"wish\": \"run\", \"hosts\": {\"10.0.0.5\": {"));
		assert_non_null(strstr(f->response.body.data, "\"wish\": \"stop\", \"state\": \"unsupported\""));
		assert_non_null(strstr(f->response.body.data, "\"alert\": {\"wish\": \"stop\", \"state\": \"unknown\", \"last_report\": null}"));
		assert_non_null(strstr(f->response.body.data, "\"forecast\": {\"wish\": \"run\", "));
		service_close(f->service);
		assert_int_equal(service_open(f->config, 8, &f->service), 0);
		wait_for_wishes(f);
	}
}

/* Asks for a silence of an hour; `scope` is the members that say of what. */
static void set_silence(struct fixture *f, const char *scope, int64_t until_ms, char ret_id[static SILENCE_ID_SIZE])
{
	char body[512];
	const char *id = "\"id\": \"";
	snprintf(body, sizeof(body), "{%s, \"until\": %.3f, \"by\": \"Anna\", \"comment\": \"a deploy\"}", scope, (double)until_ms / 1000);
	assert_int_equal(ask(f, "PUT", "silences", "", body), 200);
	id = strstr(f->response.body.data, id) + strlen(id);
	snprintf(ret_id, SILENCE_ID_SIZE, "%s", id);
	assert_int_equal(strspn(ret_id, "0123456789abcdef"), SILENCE_ID_SIZE - 1);
}

static void test_routes_silences_are_kept_shown_and_ended(void **state)
{
	struct fixture *f = *state;
	char id[SILENCE_ID_SIZE], other[SILENCE_ID_SIZE], path[64], wanted[512];
	int64_t until_ms = clock_wall_ms() + 3600000;
	assert_int_equal(ask(f, "PUT", "silences", "", "{\"process\": \"*\", \"until\": 1e10}"), 403);
	close_doors(f);
	f->authorization = "Bearer reader";
	assert_int_equal(ask(f, "PUT", "silences", "", "{\"process\": \"*\", \"until\": 1e10}"), 403);
	assert_int_equal(ask(f, "DELETE", "silences/0123456789abcdef", "", NULL), 403);
	f->authorization = "Bearer admin";
	wait_for_wishes(f);
	assert_int_equal(ask(f, "POST", "silences", "", NULL), 405);
	assert_string_equal(f->response.allow, "GET, HEAD, PUT");
	assert_int_equal(ask(f, "GET", "silences/0123456789abcdef", "", NULL), 405);
	assert_string_equal(f->response.allow, "DELETE");
	assert_int_equal(ask(f, "PUT", "silences", "", "{\"proces\": \"*\", \"ip\": \"::1\", \"until\": 1e10}"), 400);
	assert_non_null(strstr(f->response.body.data, "\"field\": \"proces\""));
	snprintf(wanted, sizeof(wanted), "{\"process\": \"%0233d\", \"until\": %.3f}", 0, (double)until_ms / 1000);
	assert_int_equal(ask(f, "PUT", "silences", "", wanted), 400);
	assert_non_null(strstr(f->response.body.data, "its texts are 1 bytes too long: all of them, percent-encoded, have 234"));
	set_silence(f, "\"process\": \"jav?\", \"ip\": \"10.0.0.*\"", until_ms, id);
	set_silence(f, "\"ip\": \"10-0-0-6\", \"resource\": \"cpu\"", until_ms + 1, other);
	/* The same again, with another end. */
	snprintf(path, sizeof(path), "%s", id);
	set_silence(f, "\"process\": \"jav?\", \"ip\": \"10.0.0.*\"", until_ms - 1, id);
	assert_string_equal(id, path);
	for (int i = 0; i < 2; i++) {
		f->authorization = "Bearer reader";
		assert_int_equal(ask(f, "GET", "silences/", "", NULL), 200);
		cJSON *answer = cJSON_Parse(f->response.body.data);
		assert_int_equal(cJSON_GetArraySize(answer), 2);
		cJSON_Delete(answer);
		snprintf(wanted, sizeof(wanted), "[{\"id\": \"%s\", \"process\": \"jav?\", \"ip\": \"10.0.0.*\", \"resource\": \"*\", "
		         "\"until\": ", id);
		assert_memory_equal(f->response.body.data, wanted, strlen(wanted));
		assert_non_null(strstr(f->response.body.data, "\"by\": \"Anna\", \"comment\": \"a deploy\"}"));
		snprintf(wanted, sizeof(wanted), "{\"id\": \"%s\", \"process\": \"*\", \"ip\": \"10.0.0.6\", \"resource\": \"cpu\"", other);
		assert_non_null(strstr(f->response.body.data, wanted));
		service_close(f->service);
		assert_int_equal(service_open(f->config, 8, &f->service), 0);
		wait_for_wishes(f);
	}
	/* Of one name there is one line, whatever the methods. */
	assert_int_equal(ask(f, "GET", "metrics", "", NULL), 200);
	const char *line = strstr(f->response.body.data, "vigie_requests_total{route=\"silences\",status=\"200\"}");
	assert_non_null(line);
	assert_null(strstr(line + 1, "vigie_requests_total{route=\"silences\",status=\"200\"}"));
	f->authorization = "Bearer admin";
	snprintf(path, sizeof(path), "silences/%s0", id);
	assert_int_equal(ask(f, "DELETE", path, "", NULL), 404);
	snprintf(path, sizeof(path), "silences/%s/more", id);
	assert_int_equal(ask(f, "DELETE", path, "", NULL), 404);
	snprintf(path, sizeof(path), "silences/%s/", id);
	assert_int_equal(ask(f, "DELETE", path, "", NULL), 200);
	assert_int_equal(ask(f, "DELETE", path, "", NULL), 404);
	f->authorization = "Bearer reader";
	assert_int_equal(ask(f, "GET", "silences", "", NULL), 200);
	assert_null(strstr(f->response.body.data, id));
	assert_non_null(strstr(f->response.body.data, other));
	assert_int_equal(ask(f, "GET", "silences", "format=csv", NULL), 200);
	snprintf(wanted, sizeof(wanted), "Z,%s,*,10.0.0.6,cpu,Anna,a deploy\r\n", other);
	assert_non_null(strstr(f->response.body.data, "until,id,process,ip,resource,by,comment\r\n"));
	assert_non_null(strstr(f->response.body.data, wanted));
}

static void test_routes_query_alarm_tells_what_is_silenced(void **state)
{
	struct fixture *f = *state;
	char id[SILENCE_ID_SIZE];
	int64_t until_ms = clock_wall_ms() / 1000 * 1000 + 3600000;
	write_tokens(f, "admin", "admin\n", &f->config->server.admin_tokens);
	service_reload(f->service, f->config);
	f->authorization = "Bearer admin";
	wait_for_wishes(f);
	set_silence(f, "\"process\": \"java\"", until_ms, id);
	set_silence(f, "\"ip\": \"10.0.0.7\"", until_ms, id);
	static const struct {
		const char *ip, *process, *resource, *color;
		bool silenced;
	} cases[] = {
		{ "10.0.0.5", "bash", "cpu", "orange", false }, { "10.0.0.5", "java", "cpu", "red", true },
		{ "10.0.0.6", "*", "mem", "unknown", false }, { "10.0.0.7", "*", "mem", "unknown", true },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		save_alarm(f, cases[i].ip, cases[i].process, cases[i].resource, cases[i].color, 10, 30, "");
	assert_int_equal(ask(f, "GET", "query-alarm", "", NULL), 200);
	cJSON *answer = cJSON_Parse(f->response.body.data);
	const cJSON *alarm = cJSON_GetObjectItem(answer, "alarms")->child;
	for (size_t i = 0; i < COUNT_OF(cases); i++, alarm = alarm->next) {
		const cJSON *until = cJSON_GetObjectItem(alarm, "silenced_until");
		assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(alarm, "color")), cases[i].color);
		if (!until != !cases[i].silenced || (until && until->valuedouble * 1000 != (double)until_ms))
			fail_msg("%s", f->response.body.data);
	}
	assert_null(alarm);
	cJSON_Delete(answer);
}

static void test_routes_services_state_is_what_a_collector_said_while_it_is_not_silent(void **state)
{
	struct fixture *f = *state;
	static const struct {
		bool obeys, stopped;
		int ago_s;
		double interval_s;
		const char *said;
	} cases[] = {
		{ true, false, 1, 0, "run" },      { true, true, 1, 0, "stop" },     { false, false, 1, 0, "unsupported" },
		{ true, false, 31, 0, "unknown" }, { true, true, 31, 60, "stop" },   { false, false, 31, 0, "unknown" },
	};
	wait_for_wishes(f);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct collector_report report = collector_report_empty();
		char said[32];
		report.obeys = cases[i].obeys;
		report.stopped = cases[i].stopped;
		report.interval_s = cases[i].interval_s;
		collectors_keep(f->service->collectors, "10.0.0.7", &report, clock_wall_ms() - cases[i].ago_s * 1000, 0);
		assert_int_equal(ask(f, "GET", "services", "", NULL), 200);
		snprintf(said, sizeof(said), "\"state\": \"%s\"", cases[i].said);
		if (!strstr(f->response.body.data, said))
			fail_msg("case %zu: %s", i, f->response.body.data);
		/* Only who is stopped and not silent is in latest, with nothing. */
		get(f, "latest", "", strcmp(cases[i].said, "stop") == 0 ? "{\"10.0.0.7\": {}}" : "{}");
	}
}

/* Who is stopped stands where its address belongs, once. */
static void test_routes_latest_stopped_hosts_are_among_the_others(void **state)
{
	struct fixture *f = *state;
	struct collector_report report = collector_report_empty();
	static const char *const stopped[] = { "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.9" };
	static const char a[] = "{\"a\": {\"mem\": [";
	save(f, "10.0.0.5", "a mem 1 1");
	save(f, "10.0.0.8", "a mem 1 1");
	report.obeys = report.stopped = true;
	for (size_t i = 0; i < COUNT_OF(stopped); i++)
		collectors_keep(f->service->collectors, stopped[i], &report, clock_wall_ms(), 0);
	assert_int_equal(ask(f, "GET", "latest", "", NULL), 200);
	const char *at = f->response.body.data;
	static const char *const parts[] = { "{\"10.0.0.4\": {}, \"10.0.0.5\": ", a, "1]}}, \"10.0.0.6\": {}, \"10.0.0.7\": {}, \"10.0.0.8\": ", a,
		                             "1]}}, \"10.0.0.9\": {}}\n" };
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		const char *found = strstr(at, parts[i]);
		if (!found)
			fail_msg("%s: %s", parts[i], f->response.body.data);
		at = found + strlen(parts[i]);
	}
	get(f, "latest", "ip=10.0.0.7", "{\"10.0.0.7\": {}}");
}

/* One that only asks is told what it would be refused with, and is never handled. */
static void test_routes_admit_one_that_only_asks_is_told(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *method, *path, *authorization, *host;
		int refusal; /* 0: granted */
	} cases[] = {
		{ "PUT", "save-all", "Bearer writer", "localhost", 0 },
		{ "GET", "latest", "Bearer reader", "", 0 },
		{ "GET", "health", "", "10.0.0.1:8000", 0 },
		{ "PUT", "save-all", "", "localhost", 401 },
		{ "PUT", "save-all", "Bearer reader", "localhost", 403 },
		{ "PUT", "nothing", "Bearer writer", "localhost", 404 },
		{ "PUT", "latest", "Bearer writer", "localhost", 405 },
		{ "PUT", "save-all", "Bearer writer", "evil.example", 421 },
		{ "GET", "health", "", "evil.example", 421 },
	};
	close_doors(f);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char sentence[1024];
		f->authorization = cases[i].authorization;
		f->host = cases[i].host;
		int status = ask(f, cases[i].method, cases[i].path, "", NULL);
		snprintf(sentence, sizeof(sentence), "%.*s", (int)sizeof(sentence) - 1, f->response.body.data);
		f->only_asks = true;
		if (cases[i].refusal) {
			assert_int_equal(ask(f, cases[i].method, cases[i].path, "", NULL), 403);
			assert_int_equal(status, cases[i].refusal);
			assert_string_equal(f->response.body.data, sentence);
		} else {
			assert_int_equal(status_asked(f, cases[i].method, cases[i].path), 204);
			assert_int_equal(f->response.body.length, 0);
		}
		assert_int_equal(f->response.refusal, cases[i].refusal);
		f->only_asks = false;
	}
}

/* What is stored after its sender has given up is sent again: it is refused at once. Who reads, and asks for health, is answered. */
static void test_routes_admit_put_that_has_waited_too_long_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const puts[] = { "save-all", "save-alarms", "save-forecasts" };
	f->waited_ms = 2000;
	for (size_t i = 0; i < COUNT_OF(puts); i++) {
		assert_int_equal(ask(f, "PUT", puts[i], "", NULL), 503);
		assert_int_equal(f->response.retry_after_s, 5);
	}
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_int_equal(ask(f, "GET", "latest", "", NULL), 200);
	f->waited_ms = 1999;
	assert_int_equal(ask(f, "PUT", "save-all", "", NULL), 400);
	assert_int_equal(ask(f, "GET", "metrics", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "vigie_busy_total 3\n"));
}

static void test_routes_admit_another_host_is_said_once(void **state)
{
	struct fixture *f = *state;
	log_set_level(LOG_LEVEL_WARNING);
	captured_stderr_begin();
	for (int i = 0; i < 3; i++) {
		f->host = i == 0 ? "evil.example:8000" : "worse.example";
		assert_int_equal(ask(f, "GET", "get-all", "", NULL), 421);
		assert_non_null(strstr(f->response.body.data, "[server] hosts"));
	}
	captured_stderr_end();
	log_set_level(LOG_LEVEL_ERROR);
	assert_non_null(strstr(captured_stderr_text(), "'evil.example:8000'"));
	assert_non_null(strstr(captured_stderr_text(), "[server] hosts"));
	assert_null(strstr(captured_stderr_text(), "worse.example"));
	f->host = "";
	assert_int_equal(ask(f, "GET", "metrics", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "vigie_requests_total{route=\"get-all\",status=\"421\"} 3\n"));
}

static void test_service_hint_long_name_without_samples_is_told_what_the_kernel_keeps(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *path, *query;
		const char *hint; /* "": none */
	} cases[] = {
		{ "get-all", "process=victoria-metrics-prod", "victoria-metric" },
		{ "get-all/10.0.0.5", "process=victoria-metrics-prod", "victoria-metric" },
		{ "get-all-detailed", "process=victoria-metrics-prod", "victoria-metric" },
		{ "latest", "process=victoria-metrics-prod", "victoria-metric" },
		{ "query-alarm", "process=victoria-metrics-prod", "victoria-metric" },
		{ "alarms", "process=victoria-metrics-prod", "victoria-metric" },
		{ "forecasts", "process=victoria-metrics-prod", "victoria-metric" },
		{ "latest", "process=victoria-metrics-prod&format=csv", "victoria-metric" },
		{ "latest", "process=a-name-of-another-client&format=csv", "" },
		{ "get-all", "process=a%0d%0aX-Other:%20header%20of%20mine", "a??X-Other: hea" },
		{ "get-all", "process=victoria-metric", "" },
		{ "get-all", "process=a-name-of-another-client", "" },
		{ "get-all", "process=a-name-of-another-client&ip=10.0.0.6", "a-name-of-anoth" },
		{ "get-all", "", "" },
		{ "hosts", "", "" },
	};
	save(f, "10.0.0.5", "a-name-of-another-client mem 1 5 victoria-metric mem 1 5");
	log_set_level(LOG_LEVEL_WARNING);
	captured_stderr_begin();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(ask(f, "GET", cases[i].path, cases[i].query, NULL), 200);
		assert_string_equal(f->response.hint, cases[i].hint);
	}
	captured_stderr_end();
	const char *said = strstr(captured_stderr_text(), "process=victoria-metrics-prod: the kernel keeps 15 bytes of a name: "
	                                                  "victoria-metric\n");
	assert_non_null(said);
	assert_null(strstr(strchr(said, '\n'), "victoria-metrics-prod"));
	assert_null(strchr(captured_stderr_text(), '\r'));

	/* The log is nobody's to fill. */
	captured_stderr_begin();
	for (int i = 0; i < 100; i++) {
		char query[64];
		snprintf(query, sizeof(query), "process=another-long-name-%d", i);
		assert_int_equal(ask(f, "GET", "get-all", query, NULL), 200);
		assert_string_equal(f->response.hint, "another-long-na");
	}
	captured_stderr_end();
	log_set_level(LOG_LEVEL_ERROR);
	size_t lines = 0;
	for (const char *at = captured_stderr_text(); at = strchr(at, '\n'), at; at++)
		lines++;
	assert_in_range(lines, 1, SERVICE_LONG_NAMES);

	/* Collectors that send longer names are told of in the configuration. */
	f->config->collector.name = NAME_UNIT;
	service_reload(f->service, f->config);
	assert_int_equal(ask(f, "GET", "get-all", cases[0].query, NULL), 200);
	assert_string_equal(f->response.hint, "");
}

/* An engine whose means take as long as a case wants, or fail. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool held;
	int result;
	unsigned calls;
} slow = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int slow_mean(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	pthread_mutex_lock(&slow.lock);
	slow.calls++;
	while (slow.held)
		pthread_cond_wait(&slow.changed, &slow.lock);
	int result = slow.result;
	pthread_mutex_unlock(&slow.lock);
	return result ? result : store_sqlite.mean(store, query, ret_rows);
}

static int broken_health(struct store *store)
{
	(void)store;
	return -EIO;
}

static size_t two_damaged(struct store *store, int64_t now_ms, struct store_damaged ret_damaged[static STORE_DAMAGED_MAX])
{
	(void)store;
	assert_true(now_ms > 0);
	ret_damaged[0] = (struct store_damaged){ .ip = "10.0.0.1", .hour_ms = 3600000 };
	ret_damaged[1] = (struct store_damaged){ .ip = "fe80::a", .hour_ms = 7200000 };
	return 2;
}

static void set_slow(bool held, int result)
{
	pthread_mutex_lock(&slow.lock);
	slow.held = held;
	slow.result = result;
	slow.calls = 0;
	pthread_cond_broadcast(&slow.changed);
	pthread_mutex_unlock(&slow.lock);
}

struct reader {
	struct service *service;
	pthread_t thread;
	struct response response;
};

static void *read_all(void *user)
{
	struct reader *reader = user;
	struct request request = { .method = "GET", .path = WIRE_PREFIX "get-all", .query = "", .authorization = "", .host = "", .accept = "" };
	reader->response.status = 200;
	if (routes_admit(reader->service, &request, &reader->response))
		routes_handle(reader->service, &request, &reader->response);
	copy_lent_body(&reader->response);
	return NULL;
}

/* What the gate has with the eight threads of set_up(), for readers and for all. */
enum { READ_PLACES = 4, PLACES = 6 };

static void start_readers(struct service *service, struct reader readers[static READ_PLACES])
{
	for (int i = 0; i < READ_PLACES; i++) {
		readers[i] = (struct reader){ .service = service };
		pthread_create(&readers[i].thread, NULL, read_all, &readers[i]);
	}
	int64_t until_ns = clock_monotonic_ns() + 20 * 1000000000LL;
	while (shared_reads_waiting(service->reads) < READ_PLACES - 1) {
		if (clock_monotonic_ns() > until_ns)
			fail_msg("%u readers wait", shared_reads_waiting(service->reads));
		usleep(1000);
	}
}

/* ---- for others ---- */

/* Appends the time of so many seconds ago. */
static void append_time(struct text *text, const struct fixture *f, double ago_s)
{
	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(f->now_ms - llround(ago_s * 1000), time);
	text_append_string(text, time);
}

/* What a read answers in rows: `wanted` has for each "@SECONDS_AGO" the time, and for each line end that of CSV. */
static void get_rows(struct fixture *f, const char *path, const char *query, const char *wanted)
{
	struct text expected = TEXT_EMPTY;
	for (const char *at = wanted; *at; at++) {
		double ago_s;
		int length;
		if (sscanf(at, "@%lf%n", &ago_s, &length) == 1) {
			append_time(&expected, f, ago_s);
			at += length - 1;
		} else {
			text_append_string(&expected, *at == '\n' ? "\r\n" : (char[]){ *at, '\0' });
		}
	}
	if (ask(f, "GET", path, query, NULL) != 200)
		fail_msg("GET %s?%s: %d %s", path, query, f->response.status, f->response.body.data);
	assert_string_equal(f->response.content_type, "text/csv; header=present; charset=utf-8");
	assert_string_equal(f->response.body.data, expected.data);
	text_free(&expected);
}

static void test_routes_reads_are_rows_where_they_are_asked_for(void **state)
{
	struct fixture *f = *state;
	save_three(f);
	save(f, "10.0.0.5", "-x,y cpu 10 1");
	save_alarm(f, "10.0.0.5", "bash", "cpu", "orange", 10, 30.5, ", \"forecast\": 91.5, \"expected_at\": 4102444800");
	save_alarm(f, "10.0.0.5", "java", "mem", "green", 10, 30, "");
	save_forecast(f, "10.0.0.5", "bash", "mem", 5, 0.25, 90, ", \"full_at\": 4102444800.5");
	get_rows(f, "latest", "format=csv", "time,ip,process,resource,value\n@10,10.0.0.5,\"'-x,y\",cpu,1\n"
	         "@10,10.0.0.5,bash,mem,3\n@10,10.0.0.5,bash,cpu,50\n@10,10.0.0.5,java,mem,80\n"
	         "@10,2001:db8::1,bash,mem,11\n@10,2001:db8::1,zsh,cpu,7.5\n");
	get_rows(f, "get-all-detailed", "format=csv&process=bash&ip=10.0.0.5",
	         "time,ip,process,resource,value\n@20,10.0.0.5,bash,mem,1\n@10,10.0.0.5,bash,mem,3\n");
	get_rows(f, "get-all-detailed", "format=csv&resource=cpu&process=bash",
	         "time,ip,process,resource,value\n@10,,bash,cpu,50\n");
	get_rows(f, "query-alarm", "format=csv", "time,ip,process,resource,value,color,forecast,expected_at,threshold,since,missing,silenced_until\n"
	         "@10,10.0.0.5,bash,cpu,50,orange,91.5,2100-01-01T00:00:00.000Z,80,@30.5,,\n");
	get_rows(f, "alarms", "format=csv", "time,ip,process,resource,color,oom_kills\n@10,10.0.0.5,bash,cpu,orange,\n@10,10.0.0.5,java,mem,green,\n");
	char kills[160];
	snprintf(kills, sizeof(kills), "{\"ipaddress\": \"10.0.0.5\", \"oom_kills\": {\"timestamp\": %lld, \"processes\": "
	         "{\"java\": 1}}, \"processes\": {}}", (long long)f->now_ms / 1000 - 40);
	assert_int_equal(ask(f, "PUT", "save-all", "", kills), 200);
	get_rows(f, "oom-kills", "format=csv", "time,ip,process,resource,color,oom_kills\n@40,10.0.0.5,java,mem,,1\n");
	get_rows(f, "forecasts", "format=csv", "time,ip,process,resource,probability,forecast,expected_at,full_at\n"
	         "@5,10.0.0.5,bash,mem,0.25,90,,2100-01-01T00:00:00.500Z\n");
	get_rows(f, "hosts", "format=csv&ip=10.0.0.5", "time,ip,processes,hostname,shared_by,version,state,ended_cpu,interval_s,"
	         "at_series_limit,clock_offset_s,partial,sent,spooled,replayed,dropped,rejected,missed_ticks,lost_exits\n"
	         "@10,10.0.0.5,3,h1,,,,,,false,0.5,false,,,,,,,\n");

	/* The mean is of the moment of the answer. */
	assert_int_equal(ask(f, "GET", "get-all", "format=csv&ip=10.0.0.5&process=bash", NULL), 200);
	const char *body = f->response.body.data;
	assert_non_null(strstr(body, "Z,10.0.0.5,bash,mem,2\r\n"));
	assert_non_null(strstr(body, "Z,10.0.0.5,bash,cpu,50\r\n"));
	assert_int_equal(ask(f, "GET", "get-all", "format=csv&process=bash&resource=mem", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "Z,,bash,mem,5\r\n"));
	wait_for_wishes(f);
	assert_int_equal(ask(f, "GET", "services", "format=csv", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "time,ip,service,hostname,wish,state\r\n,,collector,,run,\r\n"));
	assert_non_null(strstr(f->response.body.data, "Z,10.0.0.5,collector,h1,run,unsupported\r\n"));
	assert_non_null(strstr(f->response.body.data, "Z,,forecast,,run,unsupported\r\n"));
}

static void test_routes_header_accept_asks_for_rows(void **state)
{
	struct fixture *f = *state;
	save(f, "10.0.0.5", "bash mem 10 3");
	for (int i = 0; i < 2; i++) { /* the second time it is another's answer */
		f->accept = "text/csv";
		get_rows(f, "latest", "", "time,ip,process,resource,value\n@10,10.0.0.5,bash,mem,3\n");
		assert_true(f->response.varies);
		assert_int_equal(ask(f, "GET", "latest", "format=json", NULL), 200);
		assert_string_equal(f->response.content_type, "application/json");
		f->accept = "*/*";
		assert_int_equal(ask(f, "GET", "latest", "", NULL), 200);
		assert_string_equal(f->response.content_type, "application/json");
		assert_true(f->response.varies);
	}
	/* What has no rows, and what is an error, stays what it is. */
	f->accept = "text/csv";
	assert_int_equal(ask(f, "GET", "latest", "windows=1", NULL), 400);
	assert_string_equal(f->response.content_type, "application/json");
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_string_equal(f->response.content_type, "application/json");
	assert_false(f->response.varies);
	assert_int_equal(ask(f, "GET", "health", "format=csv", NULL), 400);
	assert_int_equal(ask(f, "GET", "latest", "format=xml", NULL), 400);
	assert_non_null(strstr(f->response.body.data, "format is not json or csv"));
}

/* They are given to those who ask for one of them. */
static void test_routes_further_resources_are_given_when_asked_for(void **state)
{
	struct fixture *f = *state;
	char wanted[256];
	long long then_s = f->now_ms / 1000 - 10;
	save(f, "10.0.0.5", "bash mem 10 3 bash cpu 10 50 bash read_bytes_per_second 10 4096 bash write_bytes_per_second 10 20000000 "
	                    "cat read_bytes_per_second 10 7 cat mem 10 1");
	save(f, "2001:db8::1", "bash mem 10 5 bash write_bytes_per_second 10 10000000");
	get(f, "get-all", "", "{\"bash\": [4, 50], \"cat\": [1, null]}");
	get(f, "get-all", "resource=read_bytes_per_second", "{\"bash\": [null, null, 4096], \"cat\": [null, null, 7]}");
	get(f, "get-all", "resource=write_bytes_per_second", "{\"bash\": [null, null, null, 15000000]}");
	get(f, "get-all", "resource=read_bytes_per_second&above=4000", "{\"bash\": [null, null, 4096]}");
	get(f, "get-all", "resource=read_bytes_per_second&limit=1&by=host", "{\"10.0.0.5\": {\"bash\": [null, null, 4096]}}");
	get(f, "get-all-detailed", "resource=write_bytes_per_second&by=host",
	    "{\"10.0.0.5\": {\"bash\": [20000000]}, \"2001:db8::1\": {\"bash\": [10000000]}}");
	get(f, "get-all-detailed", "resource=read_bytes_per_second&limit=1", "{\"bash\": [4096]}");
	snprintf(wanted, sizeof(wanted), "{\"10.0.0.5\": {\"bash\": {\"mem\": [%lld, 3], \"cpu\": [%lld, 50]}, \"cat\": {\"mem\": [%lld, 1]}}}",
	         then_s, then_s, then_s);
	get(f, "latest", "ip=10.0.0.5", wanted);
	snprintf(wanted, sizeof(wanted), "{\"10.0.0.5\": {\"bash\": {\"read_bytes_per_second\": [%lld, 4096]}, "
	         "\"cat\": {\"read_bytes_per_second\": [%lld, 7]}}}", then_s, then_s);
	get(f, "latest", "resource=read_bytes_per_second", wanted);
	get_rows(f, "latest", "resource=write_bytes_per_second&format=csv",
	         "time,ip,process,resource,value\n@10,10.0.0.5,bash,write_bytes_per_second,20000000\n"
	         "@10,2001:db8::1,bash,write_bytes_per_second,10000000\n");
	/* They have no limits. */
	static const char *const limited[] = { "query-alarm", "alarms", "forecasts" };
	for (size_t i = 0; i < COUNT_OF(limited); i++) {
		assert_int_equal(ask(f, "GET", limited[i], "resource=read_bytes_per_second", NULL), 400);
		assert_non_null(strstr(f->response.body.data, "resource is not mem or cpu\", \"field\": \"resource\""));
	}
	assert_int_equal(ask(f, "GET", "latest", "resource=disk", NULL), 400);
	assert_non_null(strstr(f->response.body.data,
	                       "resource is not mem or cpu or read_bytes_per_second or write_bytes_per_second"));
	assert_int_equal(ask(f, "GET", "metrics/processes", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data,
	                       "# TYPE vigie_process_read_bytes_per_second gauge\n"
	                       "vigie_process_read_bytes_per_second{ip=\"10.0.0.5\",hostname=\"h1\",process=\"bash\"} 4096\n"
	                       "vigie_process_read_bytes_per_second{ip=\"10.0.0.5\",hostname=\"h1\",process=\"cat\"} 7\n"
	                       "# HELP vigie_process_write_bytes_per_second "));
	assert_int_equal(ask(f, "GET", "metrics/processes", "resource=write_bytes_per_second&ip=10.0.0.5", NULL), 200);
	assert_null(strstr(f->response.body.data, "percent{"));
	assert_null(strstr(f->response.body.data, "read_bytes_per_second{"));
	assert_non_null(strstr(f->response.body.data,
	                       "\nvigie_process_write_bytes_per_second{ip=\"10.0.0.5\",hostname=\"h1\",process=\"bash\"} 20000000\n"));
}

static void test_routes_processes_newest_of_all(void **state)
{
	struct fixture *f = *state;
	save(f, "10.0.0.5", "bash mem 0 3 bash cpu 0 50 a\\\\\\\"b cpu 0 1 old mem 60 9");
	save_alarm(f, "10.0.0.5", "bash", "cpu", "red", 0, 30, "");
	save_alarm(f, "10.0.0.6", "*", "cpu", "unknown", 0, 30, "");
	save_alarm(f, "10.0.0.5", "calm", "mem", "green", 0, 30, "");
	save_forecast(f, "10.0.0.5", "bash", "mem", 5, 0.25, 90, "");
	save_forecast(f, "10.0.0.5", "a ended", "mem", 5, 0.25, 90, "");
	save_forecast(f, "10.0.0.5", "old", "mem", 5, 0.25, 90, "");
	save_forecast(f, "10.0.0.9", "zsh", "cpu", 5, 0.25, 90, "");
	static const char usage[] =
		"# HELP vigie_process_cpu_percent CPU that each process of a host uses, in percent of one core; all PIDs of a name together.\n"
		"# TYPE vigie_process_cpu_percent gauge\n"
		"vigie_process_cpu_percent{ip=\"10.0.0.5\",hostname=\"h1\",process=\"a\\\\\\\"b\"} 1\n"
		"vigie_process_cpu_percent{ip=\"10.0.0.5\",hostname=\"h1\",process=\"bash\"} 50\n"
		"# HELP vigie_process_memory_percent Memory that each process of a host uses, in percent of the machine's.\n"
		"# TYPE vigie_process_memory_percent gauge\n"
		"vigie_process_memory_percent{ip=\"10.0.0.5\",hostname=\"h1\",process=\"bash\"} 3\n"
		"# HELP vigie_process_forecast_probability Probability that a process goes over its limit within the forecast's horizon.\n"
		"# TYPE vigie_process_forecast_probability gauge\n"
		"vigie_process_forecast_probability{ip=\"10.0.0.5\",hostname=\"h1\",process=\"bash\",resource=\"mem\"} 0.25\n"
		"# HELP vigie_alarm 1 for each alarm that stands, with its color: orange, red or unknown.\n"
		"# TYPE vigie_alarm gauge\n"
		"vigie_alarm{ip=\"10.0.0.5\",hostname=\"h1\",process=\"bash\",resource=\"cpu\",color=\"red\"} 1\n";
	assert_int_equal(ask(f, "GET", "metrics/processes", "", NULL), 200);
	assert_string_equal(f->response.content_type, "text/plain; version=0.0.4; charset=utf-8");
	assert_false(f->response.varies);
	assert_string_equal(f->response.body.data, usage);

	/* A host that has not reported has no name: not yet, just after the start. */
	f->service->started_ns -= 30000000000;
	assert_int_equal(ask(f, "GET", "metrics/processes", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data,
	                       "\nvigie_alarm{ip=\"10.0.0.6\",hostname=\"\",process=\"*\",resource=\"cpu\",color=\"unknown\"} 1\n"));
	assert_int_equal(ask(f, "GET", "metrics/processes", "resource=mem&ip=10.0.0.5", NULL), 200);
	assert_null(strstr(f->response.body.data, "vigie_alarm{"));
	assert_null(strstr(f->response.body.data, "cpu_percent{"));
	assert_non_null(strstr(f->response.body.data, "memory_percent{"));
	assert_int_equal(ask(f, "GET", "metrics/process", "", NULL), 404);
	assert_int_equal(ask(f, "GET", "metrics/processes", "format=csv", NULL), 400);

	service_close(f->service);
	assert_int_equal(service_open(f->config, 8, &f->service), 0);
	assert_int_equal(ask(f, "GET", "metrics/processes", "", NULL), 200);
	assert_null(strstr(f->response.body.data, "{"));
	save(f, "10.0.0.5", "bash mem 0 3");
	assert_int_equal(ask(f, "GET", "metrics/processes", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, usage));
}

static void test_routes_same_reads_in_flight_run_once_and_health_is_answered(void **state)
{
	struct fixture *f = *state;
	static const struct store_ops *engine;
	static struct store_ops ops;
	struct reader readers[READ_PLACES];
	engine = f->service->ops;
	ops = *engine;
	ops.mean = slow_mean;
	f->service->ops = &ops;
	save(f, "10.0.0.5", "a mem 20 1");
	shared_reads_set_max_age(f->service->reads, 60000);
	get(f, "get-all", "process=a", "{\"a\": [1, null]}");
	set_slow(true, 0);
	start_readers(f->service, readers);

	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_true(metric_of(f, "vigie_store_calls") == READ_PLACES);
	assert_true(metric_of(f, "vigie_reads_waiting") == READ_PLACES - 1);
	/* They hold all places of readers: who reads is told so, and nobody else is held up. */
	pthread_mutex_lock(&f->service->gate.lock);
	f->service->gate.places[GATE_READ].patience_ms = f->service->gate.places[GATE_WRITE].patience_ms = 20;
	pthread_mutex_unlock(&f->service->gate.lock);
	assert_int_equal(ask(f, "GET", "hosts", "", NULL), 503);
	assert_int_equal(f->response.retry_after_s, 5);
	assert_int_equal(ask(f, "GET", "get-all", "", NULL), 503);
	assert_int_equal(ask(f, "GET", "get-all", "process=a", NULL), 200); /* it is kept */
	assert_int_equal(ask(f, "PUT", "save-alarms", "", "{\"data\": []}"), 200);
	save(f, "10.0.0.6", "a mem 20 1");
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	/* With as many writers that get no answer, all are held. */
	for (int i = READ_PLACES; i < PLACES; i++)
		assert_int_equal(gate_enter(&f->service->gate, GATE_WRITE), 0);
	assert_int_equal(ask(f, "PUT", "save-alarms", "", "{\"data\": []}"), 503);
	assert_int_equal(ask(f, "GET", "health", "", NULL), 503);
	for (int i = READ_PLACES; i < PLACES; i++)
		gate_leave(&f->service->gate, GATE_WRITE);
	assert_int_equal(ask(f, "GET", "get-all", "limit=0", NULL), 400);
	assert_int_equal(ask(f, "GET", "nothing", "", NULL), 404);

	pthread_mutex_lock(&slow.lock);
	assert_int_equal(slow.calls, 1);
	pthread_mutex_unlock(&slow.lock);
	set_slow(false, 0);
	for (int i = 0; i < READ_PLACES; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_int_equal(readers[i].response.status, 200);
		assert_string_equal(readers[i].response.body.data, "{\"a\": [1, null]}\n");
		text_free(&readers[i].response.body);
	}
	assert_int_equal(slow.calls, 0); /* since then */
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_true(metric_of(f, "vigie_store_calls") == 0);
	f->service->ops = engine;
}

static void test_routes_put_with_samples_is_answered_once_they_are_stored(void **state)
{
	struct fixture *f = *state;
	struct deferred deferred;
	char body[256];
	snprintf(body, sizeof(body), "{\"ipaddress\": \"10.0.0.5\", \"timestamp\": %lld, \"processes\": {\"a\": [1, 2]}}",
	         (long long)f->now_ms / 1000);
	assert_true(put_later(f, "save-all", body, &deferred));
	assert_int_equal(deferred.status, 200);
	assert_string_equal(deferred.body, "{\"Response\": \"Ok\"}\n");
	assert_int_equal(deferred.waits, 0);
	get(f, "get-all", "", "{\"a\": [1, 2]}");
	assert_int_equal(gate_inside(&f->service->gate), 0);

	/* What is refused, or has nothing to store, is answered at once. */
	assert_false(put_later(f, "save-all", "{}", &deferred));
	assert_int_equal(f->response.status, 400);
	assert_false(put_later(f, "save-alarms", "{\"data\": []}", &deferred));
	assert_int_equal(f->response.status, 200);

	/* Who finds no place says that it waits, before it does. */
	for (int i = 0; i < PLACES; i++)
		assert_int_equal(gate_enter(&f->service->gate, GATE_WRITE), 0);
	f->service->gate.places[GATE_WRITE].patience_ms = 20;
	assert_false(put_later(f, "save-all", body, &deferred));
	assert_int_equal(f->response.status, 503);
	assert_int_equal(deferred.waits, 1);
	for (int i = 0; i < PLACES; i++)
		gate_leave(&f->service->gate, GATE_WRITE);
}

/* Of many threads only so many read at a time; the others are there for writers. */
static void test_service_open_reads_are_bounded_however_many_threads_there_are(void **state)
{
	struct fixture *f = *state;
	static const struct {
		unsigned threads, reads;
	} cases[] = { { 4, 1 }, { 8, 4 }, { 32, 22 }, { 96, 32 }, { 1024, 32 } };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		service_close(f->service);
		f->service = NULL;
		assert_int_equal(service_open(f->config, cases[i].threads, &f->service), 0);
		for (unsigned j = 0; j < cases[i].reads; j++)
			assert_true(gate_try(&f->service->gate, GATE_READ));
		assert_false(gate_try(&f->service->gate, GATE_READ));
		assert_true(gate_try(&f->service->gate, GATE_WRITE));
	}
}

static void test_routes_failed_read_is_for_those_who_wait_and_not_kept(void **state)
{
	struct fixture *f = *state;
	static const struct store_ops *engine;
	static struct store_ops ops;
	struct reader readers[READ_PLACES];
	engine = f->service->ops;
	ops = *engine;
	ops.mean = slow_mean;
	f->service->ops = &ops;
	save(f, "10.0.0.5", "a mem 20 1");
	set_slow(true, -EIO);
	start_readers(f->service, readers);
	set_slow(false, -EIO);
	for (int i = 0; i < READ_PLACES; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_int_equal(readers[i].response.status, 503);
		assert_true(readers[i].response.retry_after_s > 0);
		assert_non_null(strstr(readers[i].response.body.data, "the store failed"));
		text_free(&readers[i].response.body);
	}
	set_slow(false, 0);
	get(f, "get-all", "", "{\"a\": [1, null]}");

	/* Health has the store's own word. */
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "\"status\": \"ok\", \"damaged_hours\": []}"));
	ops.damaged = two_damaged;
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_non_null(strstr(f->response.body.data, "\"damaged_hours\": [{\"ip\": \"10.0.0.1\", \"hour\": 3600}, "
	                                              "{\"ip\": \"fe80::a\", \"hour\": 7200}]}"));
	ops.damaged = NULL;
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	ops.health = broken_health;
	assert_int_equal(ask(f, "GET", "health", "", NULL), 503);
	f->service->ops = engine;
}

static void test_routes_read_that_the_store_fails_says_why(void **state)
{
	struct fixture *f = *state;
	static const struct {
		int result, status;
		const char *words;
	} cases[] = {
		{ -EIO, 503, "\"the store failed\"" },
		{ -ENOSPC, 503, "\"the store is full\"" },
		{ -ENOBUFS, 503, "\"the requests under way hold as much memory as they may\"" },
		{ -EINVAL, 400, "\"the store refuses to answer this\"" },
		{ -E2BIG, 400, "\"the answer would have over " },
	};
	const struct store_ops *engine = f->service->ops;
	struct store_ops ops = *engine;
	ops.mean = slow_mean;
	f->service->ops = &ops;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		set_slow(false, cases[i].result);
		assert_int_equal(ask(f, "GET", "get-all", "", NULL), cases[i].status);
		assert_non_null(strstr(f->response.body.data, cases[i].words));
		assert_true((f->response.retry_after_s > 0) == (cases[i].status == 503));
	}
	set_slow(false, 0);
	f->service->ops = engine;
}

/* ---- no memory ---- */

/* What every read has something to answer from, none of which grows old while allocations fail. */
static void save_all_kinds(struct fixture *f)
{
	char body[512];
	long long now_s = f->now_ms / 1000;
	static const char why[] = ", \"limit\": 80, \"horizon_s\": 1800, \"why\": {\"climb\": null, \"parts\": [{\"name\": \"now\", "
	                          "\"log_odds\": 1.5, \"value\": 0.75, \"meaning\": \"maximum\"}]}";
	atomic_store(&f->service->interval_ms, 1800000);
	atomic_store(&f->service->refresh_ms, 1800000);
	f->service->started_ns -= 30000000000; /* alarms of hosts that have not reported are told, too */
	save_three(f);
	snprintf(body, sizeof(body), "{\"ipaddress\": \"10.0.0.6\", \"timestamp\": %lld, \"processes\": {\"java\": [1, 2]}, "
	         "\"oom_kills\": {\"timestamp\": %lld, \"processes\": {\"java\": 1}}, "
	         "\"collector\": {\"hostname\": \"slow\", \"interval_s\": 3600}}", now_s - 20, now_s - 40);
	assert_int_equal(ask(f, "PUT", "save-all", "", body), 200);
	static const char *const sharers[] = { "other", "slow" };
	for (size_t i = 0; i < COUNT_OF(sharers); i++) {
		snprintf(body, sizeof(body), "{\"ipaddress\": \"10.0.0.6\", \"data\": [], \"collector\": {\"hostname\": \"%s\", "
		         "\"interval_s\": 3600}}", sharers[i]);
		assert_int_equal(ask(f, "PUT", "save-all", "", body), 200);
	}
	save_alarm(f, "10.0.0.5", "java", "mem", "orange", 20, 20, "");
	save_alarm(f, "10.0.0.5", "java", "mem", "red", 10, 10, "");
	save_alarm(f, "10.0.0.6", "*", "cpu", "unknown", 10, 30, "");
	save_forecast(f, "10.0.0.5", "java", "mem", 10, 0.75, 91.5, why);
	close_doors(f);
	f->authorization = "Bearer admin";
	wait_for_wishes(f);
	snprintf(body, sizeof(body), "{\"process\": \"java\", \"ip\": \"10.0.0.5\", \"until\": %lld}", now_s + 86400);
	assert_int_equal(ask(f, "PUT", "silences", "", body), 200);
	assert_int_equal(ask(f, "POST", "services/collector/stop", "ip=10.0.0.6", NULL), 200);
	f->authorization = "Bearer both";
}

/* One request whose `number`th allocation fails. Whether one has; *ret_status is 503 where the pool makes it so, and 0 where
 * there is no answer. */
static bool ask_failing(struct fixture *f, long number, const char *method, const char *path, const char *query,
                        const char *body, int *ret_status)
{
	char full[64], copy[512];
	snprintf(full, sizeof(full), WIRE_PREFIX "%s", path);
	snprintf(copy, sizeof(copy), "%s", body);
	struct request request = { .method = method, .path = full, .query = query, .authorization = f->authorization,
		                       .host = f->host, .accept = "", .body = copy, .body_length = strlen(copy) };
	captured_stderr_begin();
	failing_start(number);
	int status = answer(f, &request);
	bool failed = failing_stop();
	captured_stderr_end();
	*ret_status = text_failed(&f->response.body) ? 503 : status;
	if (*ret_status != 200 && !(failed && *ret_status == 503))
		fail_msg("%s %s?%s, allocation %ld: %d %s", method, path, query, number, status, f->response.body.data);
	if (status == 503)
		assert_true(f->response.retry_after_s > 0);
	return failed;
}

static void test_routes_reads_any_allocation_fails_is_whole_or_503(void **state)
{
	struct fixture *f = *state;
	static const char *const reads[][2] = {
		{ "get-all", "" }, { "get-all", "by=host&limit=1" }, { "get-all", "process=bash&process=zsh&format=csv&to=" },
		{ "get-all-detailed", "by=host&timestamps=1" }, { "get-all-detailed", "limit=1&resource=mem" },
		{ "get-all-detailed", "format=csv" }, { "latest", "" }, { "latest", "format=csv" }, { "query-alarm", "" },
		{ "query-alarm", "explain=1" }, { "query-alarm", "format=csv" }, { "alarms", "" }, { "alarms", "standing=1&format=csv" },
		{ "oom-kills", "" }, { "forecasts", "" }, { "forecasts", "explain=1" }, { "forecasts", "format=csv" }, { "hosts", "" },
		{ "hosts", "format=csv" }, { "services", "" }, { "services", "format=csv" }, { "silences", "" }, { "silences", "format=csv" },
		{ "metrics/processes", "" },
	};
	if (!FAILING_MALLOC)
		skip();
	save_all_kinds(f);
	for (size_t i = 0; i < COUNT_OF(reads); i++) {
		const char *path = reads[i][0];
		char query[128];
		/* The end of the span, which stands in the rows, stays where it is. */
		bool is_open = reads[i][1][0] && reads[i][1][strlen(reads[i][1]) - 1] == '=';
		snprintf(query, sizeof(query), is_open ? "%s%lld" : "%s", reads[i][1], (long long)f->now_ms / 1000);
		if (ask(f, "GET", path, query, NULL) != 200)
			fail_msg("%s?%s: %d %s", path, query, f->response.status, f->response.body.data);
		char *wanted = strdup(f->response.body.data);
		assert_true(strlen(wanted) > strlen("{}\n")); /* there is something to answer */
		bool failed = true;
		for (long n = 1; failed; n++) {
			int status;
			text_free(&f->response.body); /* so that it grows */
			atomic_store(&f->service->intervals_known, false);
			failed = ask_failing(f, n, "GET", path, query, "", &status);
			if (status == 200)
				assert_string_equal(f->response.body.data, wanted);
			/* What failed leaves nothing behind. */
			assert_int_equal(ask(f, "GET", path, query, NULL), 200);
			assert_string_equal(f->response.body.data, wanted);
		}
		free(wanted);
	}
}

static void test_routes_save_all_any_allocation_fails_is_stored_or_503(void **state)
{
	struct fixture *f = *state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long n = 1; failed; n++) {
		char body[512], host[32];
		int status;
		snprintf(host, sizeof(host), "ip=10.0.%ld.%ld", n / 250, n % 250);
		snprintf(body, sizeof(body), "{\"ipaddress\": \"%s\", \"timestamp\": %lld, \"processes\": {\"java\": [1, 2]}, "
		         "\"collector\": {\"hostname\": \"h\", \"interval_s\": 60}}", host + strlen("ip="), (long long)f->now_ms / 1000 - 20);
		failed = ask_failing(f, n, "PUT", "save-all", "", body, &status);
		assert_int_equal(ask(f, "GET", "get-all", host, NULL), 200);
		assert_string_equal(f->response.body.data, status == 200 ? "{\"java\": [1, 2]}\n" : "{}\n");
		assert_int_equal(ask(f, "PUT", "save-all", "", body), 200);
		get(f, "get-all", host, "{\"java\": [1, 2]}");
	}
}

static void test_routes_settings_any_allocation_fails_are_kept_or_503(void **state)
{
	struct fixture *f = *state;
	char body[256], path[64];
	int status;
	if (!FAILING_MALLOC)
		skip();
	close_doors(f);
	f->authorization = "Bearer admin";
	wait_for_wishes(f);
	bool failed = true;
	for (long n = 1; failed; n++) {
		snprintf(body, sizeof(body), "{\"process\": \"a b%ld\", \"until\": %lld, \"comment\": \"a deploy\"}", n,
		         (long long)f->now_ms / 1000 + 86400);
		failed = ask_failing(f, n, "PUT", "silences", "", body, &status);
		size_t set = silences_count(f->service->silences, f->now_ms);
		if (status == 200)
			assert_int_equal(set, 1);
		assert_int_equal(ask(f, "PUT", "silences", "", body), 200);
		assert_int_equal(silences_count(f->service->silences, f->now_ms), 1);
		snprintf(path, sizeof(path), "silences/%.16s", strstr(f->response.body.data, "\"id\": \"") + strlen("\"id\": \""));
		bool ending_failed = ask_failing(f, n, "DELETE", path, "", "", &status);
		assert_true(status == 503 || silences_count(f->service->silences, f->now_ms) == 0);
		failed = failed || ending_failed;
		int again = ask(f, "DELETE", path, "", NULL);
		assert_true(again == 200 || again == 404);
		assert_int_equal(silences_count(f->service->silences, f->now_ms), 0);
	}
	f->authorization = "Bearer both";
	save(f, "10.0.0.5", "bash mem 20 1");
	f->authorization = "Bearer admin";
	failed = true;
	for (long n = 1; failed; n++) {
		failed = ask_failing(f, n, "POST", "services/collector/stop", "ip=10.0.0.5", "", &status);
		assert_true(status == 503 || wishes_stop(f->service->wishes, WIRE_COLLECTOR, "10.0.0.5"));
		/* One for all ends it. */
		assert_int_equal(ask(f, "POST", "services/collector/run", "", NULL), 404);
		assert_int_equal(ask(f, "POST", "services/collector/start", "", NULL), 200);
		assert_false(wishes_stop(f->service->wishes, WIRE_COLLECTOR, "10.0.0.5"));
	}
}

static void test_service_open_any_allocation_fails_is_out_of_memory(void **state)
{
	struct fixture *f = *state;
	if (!FAILING_MALLOC)
		skip();
	close_doors(f);
	f->authorization = "Bearer both";
	save(f, "10.0.0.5", "bash mem 20 1");
	bool failed = true;
	/* The thousands of the store have their own test (test_store_sqlite.c): some of them are enough. */
	for (long n = 1; failed; n += n < 50 ? 1 : 61) {
		struct service *service = NULL;
		service_close(f->service);
		f->service = NULL;
		captured_stderr_begin();
		failing_start(n);
		int result = service_open(f->config, 8, &service);
		failed = failing_stop();
		captured_stderr_end();
		if (result != 0 && !(failed && result == -ENOMEM))
			fail_msg("allocation %ld: %d: %s", n, result, captured_stderr_text());
		if (result) {
			assert_null(service);
			assert_int_equal(service_open(f->config, 8, &service), 0);
		}
		f->service = service;
		get(f, "get-all", "", "{\"bash\": [1, null]}");
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_routes_get_all_means_over_the_window),
		CASE(test_routes_get_all_detailed_values_oldest_first),
		CASE(test_routes_spans_are_from_one_time_to_another),
		CASE(test_routes_several_processes_are_all_asked_for),
		CASE(test_routes_latest_newest_of_three_intervals),
		CASE(test_routes_hosts_with_what_their_collectors_said),
		CASE(test_routes_health_and_metrics_are_answered),
		CASE(test_routes_health_stays_failing_until_a_write_works),
		CASE(test_routes_wrong_requests_get_their_status),
		CASE(test_routes_head_works_where_get_does),
		CASE(test_routes_save_all_tick_is_stored_and_offered),
		CASE(test_routes_save_all_bad_batches_leave_nothing),
		cmocka_unit_test_setup_teardown(test_routes_get_all_detailed_too_many_points_says_how_to_narrow, set_up_few_points, tear_down),
		cmocka_unit_test_setup_teardown(test_routes_save_all_no_room_for_a_host_is_to_be_sent_again, set_up_few_series, tear_down),
		CASE(test_routes_query_alarm_worst_color_counts),
		CASE(test_routes_query_alarm_tells_all_of_an_alarm),
		CASE(test_routes_alarms_colors_that_changed),
		CASE(test_routes_alarms_and_oom_kills_tell_whom_the_kernel_has_killed),
		CASE(test_routes_forecasts_newest_of_three_refreshes),
		CASE(test_routes_forecasts_expected_at_is_of_the_same_forecast),
		CASE(test_routes_forecasts_saved_meanwhile_are_not_mixed),
		CASE(test_routes_query_alarm_orange_tells_its_forecast),
		CASE(test_routes_query_alarm_explains_on_demand),
		CASE(test_routes_query_alarm_red_expects_nothing),
		CASE(test_routes_forecasts_full_at_is_of_the_newest_forecast),
		CASE(test_routes_forecasts_explains_on_demand),
		CASE(test_routes_save_forecasts_bad_item_leaves_nothing),
		CASE(test_routes_health_tells_the_forecast_service_and_is_well_without),
		CASE(test_routes_hostile_names_come_back),
		cmocka_unit_test_setup_teardown(test_routes_same_read_within_a_second_gets_the_same_answer, set_up_cached, tear_down),
		CASE(test_routes_admit_each_token_opens_its_doors),
		CASE(test_routes_admit_shared_answer_is_not_for_strangers),
		CASE(test_routes_admit_reload_bad_file_keeps_the_tokens),
		CASE(test_routes_admit_one_that_only_asks_is_told),
		CASE(test_routes_admit_put_that_has_waited_too_long_is_refused),
		CASE(test_routes_services_state_is_what_a_collector_said_while_it_is_not_silent),
		CASE(test_routes_latest_stopped_hosts_are_among_the_others),
		cmocka_unit_test_setup_teardown(test_routes_command_wish_outlives_a_restart_whatever_the_limits, set_up_few_series, tear_down),
		cmocka_unit_test_setup_teardown(test_routes_silences_are_kept_shown_and_ended, set_up_few_series, tear_down),
		CASE(test_routes_query_alarm_tells_what_is_silenced),
		CASE(test_routes_query_alarm_tells_what_is_missing),
		CASE(test_routes_admit_another_host_is_said_once),
		CASE(test_routes_reads_are_rows_where_they_are_asked_for),
		cmocka_unit_test_setup_teardown(test_routes_header_accept_asks_for_rows, set_up_cached, tear_down),
		CASE(test_routes_further_resources_are_given_when_asked_for),
		CASE(test_routes_processes_newest_of_all),
		CASE(test_service_hint_long_name_without_samples_is_told_what_the_kernel_keeps),
		CASE(test_routes_same_reads_in_flight_run_once_and_health_is_answered),
		cmocka_unit_test_setup_teardown(test_routes_failed_read_is_for_those_who_wait_and_not_kept, set_up_cached, tear_down),
		cmocka_unit_test_setup_teardown(test_routes_put_with_samples_is_answered_once_they_are_stored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_service_open_reads_are_bounded_however_many_threads_there_are, set_up, tear_down),
		CASE(test_routes_read_that_the_store_fails_says_why),
		CASE(test_routes_reads_any_allocation_fails_is_whole_or_503),
		CASE(test_routes_save_all_any_allocation_fails_is_stored_or_503),
		CASE(test_routes_settings_any_allocation_fails_are_kept_or_503),
		CASE(test_service_open_any_allocation_fails_is_out_of_memory),
	};
	log_set_level(LOG_LEVEL_ERROR);
	body_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
