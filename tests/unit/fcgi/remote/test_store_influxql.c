/*
 * fcgi/remote/store_influxql.c over a server that answers what an InfluxDB 1.6.7 does, and what it does not. (What a running
 * one does with the queries is the contract of test_store.c; what becomes of a version 3 is in test_store_influxdb3.c, too.)
 */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/remote/stage.h"

#define QUERY_ "POST /query?"

#define RESULT(what) "{\"results\":[{\"statement_id\":0" what "}]}\n"
#define DONE RESULT("")
#define FAILED(words) RESULT(",\"error\":\"" words "\"")
#define POLICIES(rows) \
	RESULT(",\"series\":[{\"columns\":[\"name\",\"duration\",\"shardGroupDuration\",\"replicaN\",\"default\"],\"values\":[" rows "]}]")
#define AUTOGEN(duration) POLICIES("[\"autogen\",\"" duration "\",\"24h0m0s\",1,true]")
#define SERIES(name, tags, rows) "{\"name\":\"" name "\",\"tags\":{" tags "},\"columns\":[\"time\"],\"values\":[" rows "]}"
#define MEMORY(tags, rows) SERIES("mem_usage_percent", tags, rows)
#define READ(series) RESULT(",\"series\":[" series "]")

/* One answer; the connection is closed where its status is 0. */
struct reply {
	int status;
	const char *body;
};

/* What the engine answers. */
struct script {
	struct reply policies, create, alter, measurements, read, read_usable, write, ping;
};

static bool answer(void *user, const struct http_server_request *request, struct text *text)
{
	const struct script *script = user;
	const char *body = request->body;
	const struct reply *reply = strncmp(request->head, "GET /ping ", 10) == 0   ? &script->ping :
	                            strncmp(request->head, "POST /write?", 12) == 0 ? &script->write :
	                            strstr(body, "q=SHOW%20RETENTION")              ? &script->policies :
	                            strstr(body, "q=CREATE%20")                     ? &script->create :
	                            strstr(body, "q=ALTER%20")                      ? &script->alter :
	                            strstr(body, "q=SHOW")                          ? &script->measurements :
	                            strstr(body, "value%20%3E%3D%200")              ? &script->read_usable :
	                                                                              &script->read;
	if (reply->status)
		http_server_format(reply->status, NULL, reply->body, text);
	return reply->status != 0;
}

static const struct script usual = {
	.policies = { 200, AUTOGEN("48h0m0s") }, .create = { 200, DONE }, .alter = { 200, DONE }, .measurements = { 200, DONE },
	.read = { 200, DONE }, .read_usable = { 200, DONE }, .write = { 204, "" }, .ping = { 204, "" },
};

static void act(struct stage *stage, const struct script *script)
{
	http_server_answer_by(stage->server, answer, (void *)(uintptr_t)script);
}

static int set_stage(void **state)
{
	struct stage *stage = stage_open(&store_influxql, "");
	act(stage, &usual);
	http_server_start(stage->server);
	*state = stage;
	return 0;
}

#define STAGED(name) cmocka_unit_test_setup_teardown(name, set_stage, stage_close)

static void open_with(struct stage *stage, const char *option, const char *other_option)
{
	stage_open_store(stage, "influxql.url", NULL, (const char *const[]){ option, other_option, NULL });
}

static void open_usual(struct stage *stage)
{
	open_with(stage, NULL, NULL);
}

/* The statement of the last request, as it is escaped; how many began so. */
static const char *last_statement(struct stage *stage)
{
	const char *body = http_server_last(stage->server, QUERY_)->body;
	assert_memory_equal(body, "chunked=true&epoch=ms&q=", 24);
	return body + 24;
}

static size_t count_statements(struct stage *stage, const char *words)
{
	size_t count = 0;
	for (size_t i = 0; i < http_server_count(stage->server, ""); i++)
		count += strstr(http_server_asked(stage->server, i)->body, words) != NULL;
	return count;
}

/* ---- set-up ---- */

static void test_influxql_open_database_is_there_nothing_is_changed(void **state)
{
	struct stage *stage = *state;
	open_with(stage, "influxql.database=a \"b\\", NULL);
	assert_string_equal(last_statement(stage), "SHOW%20RETENTION%20POLICIES%20ON%20%22a%20%5C%22b%5C%5C%22");
	assert_int_equal(http_server_count(stage->server, ""), 1);
	assert_int_equal(health(stage), 0);
	assert_int_equal(stage->f.ops->retention(stage->f.store), 2 * DAY);
	assert_int_equal(captured_stderr_count("store influxql"), 0);
}

static void test_influxql_open_database_is_absent_it_is_made_with_its_retention(void **state)
{
	struct stage *stage = *state;
	struct script script = usual;
	script.policies.body = FAILED("database not found: monitoring");
	act(stage, &script);
	open_with(stage, "server.retention=1d", NULL);
	assert_string_equal(last_statement(stage), "CREATE%20DATABASE%20%22monitoring%22%20WITH%20DURATION%2086400s");
	assert_int_equal(health(stage), 0);
	assert_int_equal(captured_stderr_count("store influxql: database \"monitoring\" was created"), 1);
	assert_int_equal(captured_stderr_count("store influxql"), 1);
}

static void test_influxql_open_database_cannot_be_made_is_told(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	struct script script = usual;
	script.policies.body = FAILED("database not found: monitoring");
	script.create.body = FAILED("no room");
	act(stage, &script);
	open_usual(stage);
	assert_int_equal(health(stage), -EREMOTEIO);
	assert_int_equal(captured_stderr_count("error: store influxql: set up: no room"), 1);
	assert_int_equal(captured_stderr_count("was created"), 0);
	assert_int_not_equal(append_one(stage, words), 0);
	assert_int_equal(http_server_count(stage->server, "POST /write?"), 0);
}

/* Of no database it says so in other words: what is not understood, or refused, makes none. */
static void test_influxql_open_answer_that_is_wrong_is_told(void **state)
{
	static const struct {
		struct reply policies;
		int wanted;
		const char *line;
	} cases[] = {
		{ { 200, FAILED("not authorized") }, -EREMOTEIO, "set up: not authorized" },
		{ { 200, "{\"error\":\"shutting down\"}\n" }, -EREMOTEIO, "set up: shutting down" },
		{ { 200, "<html></html>" }, -EBADMSG, "set up: the answer is not understood" },
		{ { 200, "{\"results\":[" }, -EBADMSG, "set up: the answer is not understood" },
		{ { 401, "{\"error\":\"unable to parse authentication credentials\"}" }, -EACCES,
		  "set up: 401 unable to parse authentication credentials" },
		{ { 503, "{\"error\":\"busy\"}" }, -EAGAIN, "set up: 503 busy" },
	};
	struct stage *stage = *state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct script script = usual;
		script.policies = cases[i].policies;
		size_t before = captured_stderr_count(cases[i].line);
		act(stage, &script);
		open_usual(stage);
		assert_int_equal(health(stage), cases[i].wanted);
		assert_int_equal(captured_stderr_count(cases[i].line), before + 1);
		stage_close_store(stage);
	}
	assert_int_equal(count_statements(stage, "q=CREATE"), 0);
}

static void test_influxql_open_durations_are_read(void **state)
{
	static const struct {
		const char *policies, *told; /* NULL: nothing */
		int64_t retention_ms;
	} cases[] = {
		{ AUTOGEN("48h0m0s"), NULL, 2 * DAY },
		{ AUTOGEN("24h0m0s"), "keeps samples for 86400 s ", DAY },
		{ AUTOGEN("1h30m5s"), "keeps samples for 5405 s ", 5405000 },
		{ AUTOGEN("0s"), "keeps samples for 0 s ", 2 * DAY },
		/* The longest that Go knows is as good as for ever; the rest InfluxDB does not have. */
		{ AUTOGEN("2562047h47m16.854775807s"), "keeps samples for 0 s ", 2 * DAY },
		{ AUTOGEN("-3h0m0s"), "keeps samples for 0 s ", 2 * DAY },
		{ AUTOGEN("30m0s"), "keeps samples for 0 s ", 2 * DAY },
		{ AUTOGEN("INF"), "keeps samples for 0 s ", 2 * DAY },
		{ AUTOGEN("a while"), "keeps samples for 0 s ", 2 * DAY },
		/* The default counts, which is the last column. */
		{ POLICIES("[\"a\",\"1h0m0s\",\"1h0m0s\",1,false],[\"b\",\"24h0m0s\",\"1h0m0s\",1,true],[\"c\",\"2h0m0s\",\"1h0m0s\",1,false]"),
		  "keeps samples for 86400 s ", DAY },
		{ POLICIES("[\"a\",\"24h0m0s\",true]"), "keeps samples for 86400 s ", DAY },
		/* There is none. */
		{ POLICIES(""), NULL, 2 * DAY },
		{ POLICIES("[\"a\",\"1h0m0s\",\"1h0m0s\",1,false]"), NULL, 2 * DAY },
		{ POLICIES("[],5,[null,\"1h0m0s\",true],[\"a\",3600,true],[\"a\"],[\"a\",\"1h0m0s\",\"true\"]"), NULL, 2 * DAY },
		{ DONE, NULL, 2 * DAY },
	};
	struct stage *stage = *state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct script script = usual;
		script.policies.body = cases[i].policies;
		size_t warnings = captured_stderr_count("warning"), told_before = cases[i].told ? captured_stderr_count(cases[i].told) : 0;
		act(stage, &script);
		open_usual(stage);
		assert_int_equal(health(stage), 0);
		assert_int_equal(stage->f.ops->retention(stage->f.store), cases[i].retention_ms);
		assert_int_equal(captured_stderr_count("warning"), warnings + (cases[i].told != NULL));
		if (cases[i].told)
			assert_int_equal(captured_stderr_count(cases[i].told), told_before + 1);
		stage_close_store(stage);
	}
	assert_int_equal(count_statements(stage, "q=ALTER"), 0);
}

static void test_influxql_open_managed_retention_of_the_default_is_changed(void **state)
{
	struct stage *stage = *state;
	struct script script = usual;
	script.policies.body = POLICIES("[\"a\",\"48h0m0s\",\"1h0m0s\",1,false],[\"p \\\"q\\\"\",\"24h0m0s\",\"1h0m0s\",1,true]");
	act(stage, &script);
	open_with(stage, "server.manage_retention=yes", NULL);
	assert_string_equal(last_statement(stage),
	                    "ALTER%20RETENTION%20POLICY%20%22p%20%5C%22q%5C%22%22%20ON%20%22monitoring%22%20DURATION%20172800s");
	assert_int_equal(captured_stderr_count("the retention of \"monitoring\" is now 172800 s"), 1);
	assert_int_equal(captured_stderr_count("warning"), 0);
	assert_int_equal(stage->f.ops->retention(stage->f.store), 2 * DAY);
	assert_int_equal(health(stage), 0);
}

static void test_influxql_open_managed_retention_is_refused_the_engines_counts(void **state)
{
	struct stage *stage = *state;
	struct script script = usual;
	script.policies.body = AUTOGEN("24h0m0s");
	script.alter.body = FAILED("retention policy not found: autogen");
	act(stage, &script);
	open_with(stage, "server.manage_retention=yes", NULL);
	assert_int_equal(health(stage), -EREMOTEIO);
	assert_int_equal(captured_stderr_count("error: store influxql: set up: retention policy not found: autogen"), 1);
	assert_int_equal(captured_stderr_count("is now"), 0);
	assert_int_equal(stage->f.ops->retention(stage->f.store), DAY);
}

/* ---- another version ---- */

/* Version 3 closes the connection instead of an answer: what does so and does not say it is 3 is none. */
static void test_influxql_open_closed_connection_is_version_3_where_it_says_so(void **state)
{
	static const struct {
		struct reply ping;
		bool is_3;
	} cases[] = {
		{ { 200, "{\"version\":\"3.6.0\"}" }, true },
		{ { 200, "{\"version\":\"10.0\"}" }, true },
		{ { 200, "{\"version\":\"2.7.1\"}" }, false },
		{ { 200, "{\"version\":3}" }, false },
		{ { 200, "{}" }, false },
		{ { 200, "3.6.0" }, false },
		{ { 204, "" }, false },
		{ { 401, "{\"version\":\"3.6.0\"}" }, false },
		{ { 0, NULL }, false },
	};
	struct stage *stage = *state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct script script = usual;
		size_t before = captured_stderr_count("warning: store influxql: this is InfluxDB");
		script.policies.status = 0;
		script.ping = cases[i].ping;
		act(stage, &script);
		open_usual(stage);
		assert_int_equal(health(stage), cases[i].is_3 ? 0 : -EIO);
		assert_int_equal(captured_stderr_count("warning: store influxql: this is InfluxDB") - before, cases[i].is_3);
		assert_int_equal(count_statements(stage, "q=SHOW%20MEASUREMENTS"), cases[i].is_3);
		stage_close_store(stage);
		http_server_forget(stage->server);
	}
}

static void test_influxql_over_influxdb3_says_so_once(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	struct script script = usual, closing = usual;
	script.policies.status = closing.policies.status = closing.write.status = 0;
	script.ping = closing.ping = (struct reply){ 200, "{\"version\":\"3.6.0\"}" };
	act(stage, &closing);
	open_usual(stage);
	assert_int_equal(append_one(stage, words), -EIO);
	act(stage, &script);
	WAIT_FOR(append_one(stage, words) == 0, 5000);
	assert_true(count_statements(stage, "q=SHOW%20MEASUREMENTS") >= 2);
	assert_int_equal(captured_stderr_count("this is InfluxDB 3.6.0"), 1);
}

static void test_influxql_over_influxdb3_database_that_refuses_us_is_told(void **state)
{
	struct stage *stage = *state;
	struct script script = usual;
	script.policies.status = 0;
	script.ping = (struct reply){ 200, "{\"version\":\"3.6.0\"}" };
	script.measurements = (struct reply){ 403, "{\"error\":\"not yours\"}" };
	act(stage, &script);
	open_usual(stage);
	assert_int_equal(health(stage), -EACCES);
	assert_int_equal(captured_stderr_count("error: store influxql: set up: 403 not yours"), 1);
	assert_int_equal(captured_stderr_count("this is InfluxDB"), 0);
}

/* ---- reading ---- */

#define BASH "\"ip\":\"10.0.0.1\",\"process\":\"bash\""

/* Others may have written to the database, too. */
static void test_influxql_reads_what_is_no_series_of_ours_is_left_out(void **state)
{
	static const char *const others[] = {
		"{\"tags\":{" BASH "},\"values\":[[1000,1]]}",
		SERIES("disk", BASH, "[1000,1]"),
		MEMORY("", "[1000,1]"),
		"{\"name\":\"mem_usage_percent\",\"values\":[[1000,1]]}",
		MEMORY("\"ip\":\"10.0.0.1\",\"process\":\"\"", "[1000,1]"),
		MEMORY("\"ip\":\"10.0.0.1\",\"process\":7", "[1000,1]"),
		"{\"name\":\"mem_usage_percent\",\"tags\":{" BASH "}}",
		"{\"name\":\"mem_usage_percent\",\"tags\":{" BASH "},\"values\":5}",
		MEMORY(BASH, ""),
		MEMORY(BASH, "[],[null,1],[\"1970-01-01T00:00:01Z\",1],[1000],[1000,null],[1000,\"1\"]"),
	};
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	open_usual(stage);
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		char body[1024];
		struct script script = usual;
		snprintf(body, sizeof(body), READ("%s," MEMORY("\"process\":\"sh\"", "[1000,2,4,8]")), others[i]);
		script.read.body = body;
		act(stage, &script);
		assert_string_equal(means(f, QUERY(f, 0, 5000)), "sh mem=2^4 cpu=-");
		act(stage, &usual);
	}
	assert_int_equal(health(stage), 0);
	assert_int_equal(captured_stderr_count("store influxql"), 0);
}

/* "messages" stand beside the series, and a warning is none. */
static void test_influxql_reads_message_is_no_series(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	struct script script = usual;
	script.read.body = RESULT(",\"messages\":[{\"level\":\"warning\",\"text\":\"deprecated\"}],\"series\":[" MEMORY(BASH, "[1000,2,2]") "]");
	open_usual(stage);
	act(stage, &script);
	assert_string_equal(means(f, QUERY(f, 0, 5000)), "bash mem=2^2 cpu=-");
}

/* Where a mean is no number the answer ends in words: the second time it is asked for without what makes it so. */
static void test_influxql_reads_answer_that_ends_in_words_is_asked_for_again(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	struct script script = usual;
	script.read.body = "{\"results\":[{\"statement_id\":0,\"series\":[" MEMORY(BASH, "[1000,1,1]") ",json: unsupported value: +Inf";
	script.read_usable.body = READ(MEMORY(BASH, "[1000,2,2]"));
	open_usual(stage);
	act(stage, &script);
	assert_string_equal(means(f, QUERY(f, 0, 5000)), "bash mem=2^2 cpu=-");
	assert_int_equal(health(stage), 0);
	assert_int_equal(captured_stderr_count("cannot be right"), 1);
	assert_int_equal(captured_stderr_count("error"), 0);
	/* It does so again: nothing of it is taken. */
	script.read_usable = script.read;
	assert_reads_fail(stage, 5000, -EIO);
	assert_int_equal(health(stage), -EIO);
	assert_int_equal(captured_stderr_count("error: store influxql: read: the answer is not understood"), 1);
}

/* An error that comes with status 200: the reader's where the engine answers another query. */
static void test_influxql_reads_error_of_a_statement_is_judged_by_the_probe(void **state)
{
	static const char *const bodies[] = { FAILED("max-select-point limit exceeded"), "{\"error\":\"max-select-point limit exceeded\"}\n",
		                                  "{\"error\":\"max-select-point limit exceeded\",\"results\":[{\"error\":\"later\"}]}\n" };
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		char words[STORE_REFUSAL_SIZE] = "";
		struct store_rows rows;
		struct script script = usual, none = usual;
		script.read.body = none.read.body = bodies[i];
		none.measurements.body = bodies[i];
		open_usual(stage);
		act(stage, &script);
		assert_int_equal(f->ops->mean(f->store, QUERY(f, 0, 5000, .ret_refusal = words), &rows), -EINVAL);
		assert_string_equal(words, "max-select-point limit exceeded");
		assert_reads_fail(stage, 5000, -EINVAL);
		assert_int_equal(health(stage), 0);
		assert_int_equal(captured_stderr_count("error: store influxql: read: max-select-point limit exceeded"), i);
		act(stage, &none);
		assert_reads_fail(stage, 5000, -EIO);
		assert_int_equal(health(stage), -EIO);
		assert_int_equal(captured_stderr_count("error: store influxql: read: max-select-point limit exceeded"), i + 1);
		act(stage, &usual);
		stage_close_store(stage);
	}
}

static void test_influxql_hosts_of_an_empty_window_are_not_asked_for(void **state)
{
	struct stage *stage = *state;
	struct store_hosts found;
	open_usual(stage);
	http_server_forget(stage->server);
	for (int64_t to = 4000; to <= 5000; to += 1000) {
		assert_int_equal(stage->f.ops->hosts(stage->f.store, 5000, to, &found), 0);
		assert_int_equal(found.count, 0);
		store_hosts_free(&found);
	}
	assert_int_equal(http_server_count(stage->server, ""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(test_influxql_open_database_is_there_nothing_is_changed),
		STAGED(test_influxql_open_database_is_absent_it_is_made_with_its_retention),
		STAGED(test_influxql_open_database_cannot_be_made_is_told),
		STAGED(test_influxql_open_answer_that_is_wrong_is_told),
		STAGED(test_influxql_open_durations_are_read),
		STAGED(test_influxql_open_managed_retention_of_the_default_is_changed),
		STAGED(test_influxql_open_managed_retention_is_refused_the_engines_counts),
		STAGED(test_influxql_open_closed_connection_is_version_3_where_it_says_so),
		STAGED(test_influxql_over_influxdb3_says_so_once),
		STAGED(test_influxql_over_influxdb3_database_that_refuses_us_is_told),
		STAGED(test_influxql_reads_what_is_no_series_of_ours_is_left_out),
		STAGED(test_influxql_reads_message_is_no_series),
		STAGED(test_influxql_reads_answer_that_ends_in_words_is_asked_for_again),
		STAGED(test_influxql_reads_error_of_a_statement_is_judged_by_the_probe),
		STAGED(test_influxql_hosts_of_an_empty_window_are_not_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
