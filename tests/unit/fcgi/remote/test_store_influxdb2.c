/*
 * fcgi/remote/store_influxdb2.c over what a real InfluxDB 2.7 has answered: a server that plays
 * the recordings, and keeps what it was asked. (What a running one does with the queries
 * is the contract of test_store.c.)
 */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/remote/stage.h"

#define FIND "GET /api/v2/buckets?"
#define FIND_ORG "GET /api/v2/orgs?"
#define CREATE "POST /api/v2/buckets "
#define CHANGE "PATCH /api/v2/buckets/"
#define WRITE "POST /api/v2/write?"
#define QUERY_ "POST /api/v2/query?"

#define TOKEN STAGE_TOKEN
#define NAME "a b,c=d\"\xc3\xa9"

/* When the samples of the recordings were taken. */
#define EARLIER 1795357313000
#define LATER 1795357323000

/* ---- the stage ---- */

static int set_stage(void **state)
{
	struct stage *stage = stage_open(&store_influxdb2, INFLUXDB2_WIRE);
	play(stage, FIND, "bucket-find");
	play(stage, WRITE, "write-ok");
	http_server_start(stage->server);
	*state = stage;
	return 0;
}

#define STAGED(name) cmocka_unit_test_setup_teardown(name, set_stage, stage_close)

/* Opens the store, with options as in "server.retention=1d" (NULL: none). */
static void open_with(struct stage *stage, const char *bucket, const char *option, const char *other_option)
{
	char bucket_option[128];
	snprintf(bucket_option, sizeof(bucket_option), "influxdb2.bucket=%s", bucket);
	stage_open_store(stage, "influxdb2.url", "influxdb2.token_file",
	                 (const char *const[]){ bucket_option, option, other_option, NULL });
}

static void open_wire(struct stage *stage)
{
	open_with(stage, "wire", NULL, NULL);
}

/* ---- set-up ---- */

static void test_influxdb2_open_bucket_is_there_nothing_is_changed(void **state)
{
	struct stage *stage = *state;
	open_wire(stage);
	const char *asked = http_server_last(stage->server, recorded_line(stage, "bucket-find"))->head;
	assert_non_null(strstr(asked, "\r\nAuthorization: Token " TOKEN "\r\n"));
	assert_int_equal(http_server_count(stage->server, ""), 1);
	assert_int_equal(health(stage), 0);
	assert_int_equal(stage->f.ops->retention(stage->f.store), 2 * DAY);
	assert_int_equal(captured_stderr_count("store influxdb2"), 0);
}

static void test_influxdb2_open_bucket_is_absent_it_is_made(void **state)
{
	struct stage *stage = *state;
	play(stage, FIND, "bucket-find-absent");
	play(stage, FIND_ORG, "org-find");
	play(stage, CREATE, "bucket-create");
	open_with(stage, "created", NULL, NULL);
	assert_true(http_server_count(stage->server, recorded_line(stage, "org-find")) > 0);
	assert_true(http_server_count(stage->server, recorded_line(stage, "bucket-create")) > 0);
	struct text request = recorded(INFLUXDB2_WIRE "bucket-create.request");
	assert_same_json(http_server_last(stage->server, CREATE)->body, recorded_body(&request));
	text_free(&request);
	assert_int_equal(health(stage), 0);
	assert_int_equal(stage->f.ops->retention(stage->f.store), 2 * DAY);
	assert_int_equal(captured_stderr_count("bucket created was created"), 1);
}

/* An older one lists what it finds: nothing. */
static void test_influxdb2_open_empty_list_of_buckets_is_none(void **state)
{
	struct stage *stage = *state;
	answer_with(stage, FIND, 200, "{\"buckets\": []}");
	play(stage, FIND_ORG, "org-find");
	play(stage, CREATE, "bucket-create");
	open_with(stage, "a \"b\" & \xc3\xa9", "server.retention=7d", NULL);
	assert_true(http_server_count(stage->server, FIND "org=myorg&name=a%20%22b%22%20%26%20%C3%A9 ") > 0);
	assert_same_json(http_server_last(stage->server, CREATE)->body,
	                 "{\"orgID\": \"1482e269aea43131\", \"name\": \"a \\\"b\\\" & \xc3\xa9\", "
	                 "\"retentionRules\": [{\"type\": \"expire\", \"everySeconds\": 604800}]}");
	assert_int_equal(health(stage), 0);
}

/* InfluxDB keeps nothing for less than an hour: a bucket for less cannot be made. */
static void test_influxdb2_open_retention_below_an_hour_makes_a_bucket_of_an_hour(void **state)
{
	struct stage *stage = *state;
	play(stage, FIND, "bucket-find-absent");
	play(stage, FIND_ORG, "org-find");
	play(stage, CREATE, "bucket-create");
	open_with(stage, "created", "server.retention=10m", NULL);
	assert_same_json(http_server_last(stage->server, CREATE)->body,
	                 "{\"orgID\": \"1482e269aea43131\", \"name\": \"created\", "
	                 "\"retentionRules\": [{\"type\": \"expire\", \"everySeconds\": 3600}]}");
	assert_int_equal(stage->f.ops->retention(stage->f.store), HOUR / 6);
	/* What was made is right the next time. */
	play_with(stage, FIND, "bucket-find", "\"everySeconds\": 172800", "\"everySeconds\": 3600");
	reopen(&stage->f);
	assert_int_equal(captured_stderr_count("keeps samples"), 0);
}

static void test_influxdb2_open_no_organization_is_told(void **state)
{
	struct stage *stage = *state;
	play(stage, FIND, "bucket-find-absent");
	play(stage, FIND_ORG, "write-no-org");
	open_wire(stage);
	assert_int_equal(health(stage), -ENOENT);
	assert_int_equal(captured_stderr_count("store influxdb2: set up: 404 organization name \"absent\" not found"), 1);
	assert_int_equal(http_server_count(stage->server, CREATE), 0);
	/* An empty list says it as well. */
	answer_with(stage, FIND_ORG, 200, "{\"orgs\": []}");
	reopen(&stage->f);
	assert_int_equal(health(stage), -ENOENT);
	assert_int_equal(captured_stderr_count("store influxdb2: set up: No such file or directory"), 1);
	assert_int_equal(http_server_count(stage->server, CREATE), 0);
}

/* What has no words of its own is told as well. */
static void test_influxdb2_open_answer_that_is_none_is_told(void **state)
{
	static const char *const bodies[] = { "", "hello", "{", "<html>{}</html>" };
	struct stage *stage = *state;
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		answer_with(stage, FIND, 200, bodies[i]);
		open_wire(stage);
		assert_int_equal(health(stage), -EBADMSG);
		const char *line = strstr(captured_stderr_text(), "store influxdb2: set up: ");
		assert_non_null(line);
		assert_true(strcspn(line, "\n") > strlen("store influxdb2: set up: "));
		stage_close_store(stage);
	}
}

/* Another vigie makes it between our two requests. */
static void test_influxdb2_open_bucket_is_made_meanwhile_it_is_found_later(void **state)
{
	struct stage *stage = *state;
	play(stage, FIND, "bucket-find-absent");
	play(stage, FIND_ORG, "org-find");
	play(stage, CREATE, "bucket-create-conflict");
	open_with(stage, "created", NULL, NULL);
	assert_int_equal(health(stage), -EINVAL);
	assert_int_equal(captured_stderr_count("set up: 422 bucket with name created already exists"), 1);
	play(stage, FIND, "bucket-find");
	reopen(&stage->f);
	assert_int_equal(health(stage), 0);
}

static void test_influxdb2_open_other_retention_is_warned_of(void **state)
{
	static const struct {
		const char *option, *engine, *warning;
		int64_t wanted_ms;
	} cases[] = {
		{ "server.retention=1d", "172800", "keeps samples for 172800 s (0: for ever), not for 86400 s", DAY },
		{ "server.retention=7d", "172800", "keeps samples for 172800 s (0: for ever), not for 604800 s", 2 * DAY },
		{ "server.retention=2d", "0", "keeps samples for 0 s (0: for ever), not for 172800 s", 2 * DAY },
		{ "server.retention=2d", "86400", "keeps samples for 86400 s (0: for ever), not for 172800 s", DAY },
	};
	struct stage *stage = *state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char seconds[64];
		snprintf(seconds, sizeof(seconds), "\"everySeconds\": %s", cases[i].engine);
		play_with(stage, FIND, "bucket-find", "\"everySeconds\": 172800", seconds);
		open_with(stage, "wire", cases[i].option, NULL);
		assert_int_equal(captured_stderr_count(cases[i].warning), 1);
		assert_int_equal(captured_stderr_count("warning"), i + 1);
		assert_int_equal(stage->f.ops->retention(stage->f.store), cases[i].wanted_ms);
		assert_int_equal(health(stage), 0);
		stage_close_store(stage);
	}
	assert_int_equal(http_server_count(stage->server, CHANGE), 0);
	assert_int_equal(http_server_count(stage->server, CREATE), 0);
}

/* A bucket without a rule keeps samples for ever. */
static void test_influxdb2_open_bucket_without_a_usable_rule_is_for_ever(void **state)
{
	static const char *const rules[] = { "", "5", "{}", "{\"everySeconds\": \"86400\"}", "{\"everySeconds\": -86400}",
		                                 "{\"everySeconds\": 1e300}", "{\"everySeconds\": 7258118401}" };
	struct stage *stage = *state;
	for (size_t i = 0; i < COUNT_OF(rules); i++) {
		char body[128];
		snprintf(body, sizeof(body), "{\"buckets\": [{\"id\": \"69\", \"retentionRules\": [%s]}]}", rules[i]);
		answer_with(stage, FIND, 200, body);
		open_wire(stage);
		assert_int_equal(captured_stderr_count("keeps samples for 0 s"), i + 1);
		assert_int_equal(stage->f.ops->retention(stage->f.store), 2 * DAY);
		stage_close_store(stage);
	}
}

static void test_influxdb2_open_managed_retention_is_changed(void **state)
{
	struct stage *stage = *state;
	play(stage, CHANGE, "bucket-set-retention");
	open_with(stage, "wire", "server.retention=1d", "server.manage_retention=yes");
	assert_int_equal(http_server_count(stage->server, CHANGE), 1);
	assert_true(http_server_count(stage->server, recorded_line(stage, "bucket-set-retention")) > 0);
	assert_same_json(http_server_last(stage->server, CHANGE)->body,
	                 "{\"retentionRules\": [{\"type\": \"expire\", \"everySeconds\": 86400}]}");
	assert_int_equal(captured_stderr_count("the retention of bucket wire is now 86400 s"), 1);
	assert_int_equal(captured_stderr_count("warning"), 0);
	assert_int_equal(stage->f.ops->retention(stage->f.store), DAY);
	assert_int_equal(health(stage), 0);
}

static void test_influxdb2_open_managed_retention_that_is_right_stays(void **state)
{
	struct stage *stage = *state;
	open_with(stage, "wire", "server.manage_retention=yes", NULL);
	assert_int_equal(http_server_count(stage->server, ""), 1);
	assert_int_equal(health(stage), 0);
}

static void test_influxdb2_open_managed_retention_is_refused_the_engines_counts(void **state)
{
	struct stage *stage = *state;
	play(stage, CHANGE, "write-bad-token");
	open_with(stage, "wire", "server.retention=7d", "server.manage_retention=yes");
	assert_int_equal(health(stage), -EACCES);
	assert_int_equal(stage->f.ops->retention(stage->f.store), 2 * DAY);
}

/* ---- writing ---- */

static void test_influxdb2_append_samples_are_the_recorded_lines(void **state)
{
	struct stage *stage = *state;
	struct sample samples[] = {
		SAMPLE("10.0.0.1", "bash", MEM, LATER, 1.5),    SAMPLE("10.0.0.1", "bash", CPU, LATER, 12.25),
		SAMPLE("10.0.0.1", "bash", MEM, EARLIER, 2.5),  SAMPLE("10.0.0.1", "bash", CPU, EARLIER, 0),
		SAMPLE("10.0.0.2", NAME, MEM, LATER, 3.25),     SAMPLE("10.0.0.2", NAME, CPU, LATER, 100),
		SAMPLE("fe80::1", "x", MEM, LATER, 4),
	};
	char words[STORE_REFUSAL_SIZE];
	open_wire(stage);
	assert_int_equal(append_samples(stage, samples, COUNT_OF(samples), words), 0);
	const struct http_server_request *asked = http_server_last(stage->server, WRITE);
	const char *line = recorded_line(stage, "write-ok");
	assert_memory_equal(asked->head, line, strlen(line));
	assert_non_null(strstr(asked->head, "\r\nAuthorization: Token " TOKEN "\r\n"));
	assert_non_null(strstr(asked->head, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
	struct text request = recorded(INFLUXDB2_WIRE "write-ok.request");
	assert_string_equal(asked->body, recorded_body(&request));
	text_free(&request);
	assert_int_equal(health(stage), 0);

	/* Nothing is not sent. */
	assert_int_equal(append_samples(stage, NULL, 0, words), 0);
	assert_int_equal(http_server_count(stage->server, WRITE), 1);
}

static void test_influxdb2_append_refused_sample_is_its_senders(void **state)
{
	static const struct {
		const char *name, *words;
	} cases[] = {
		{ "write-malformed", "400 unable to parse 'this is not line protocol': invalid field format" },
		{ "write-field-conflict",
		  "422 failure writing points to database: partial write: field type conflict: input field \"value\" on measurement "
		  "\"mem_usage_percent\" is type integer, already exists as type float dropped=1" },
		{ "write-beyond-retention",
		  "422 failure writing points to database: partial write: dropped 1 points outside retention policy of duration "
		  "48h0m0s - oldest point mem_usage_percent,ip=10.0.0.1,process=bash at 1970-01-01T00:00:01Z dropped because it "
		  "violates a Retention Policy Lower Bou" },
	};
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		play(stage, WRITE, cases[i].name);
		assert_int_equal(append_one(stage, words), -EINVAL);
		assert_string_equal(words, cases[i].words);
		/* The engine works. */
		assert_int_equal(health(stage), 0);
	}
	assert_int_equal(captured_stderr_count("store influxdb2"), 0);
	play(stage, WRITE, "write-ok");
	assert_int_equal(append_one(stage, words), 0);
	assert_string_equal(words, "");
}

static void test_influxdb2_append_absent_bucket_is_made_again(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	open_wire(stage);
	play(stage, WRITE, "write-no-bucket");
	play(stage, FIND, "bucket-find-absent");
	play(stage, FIND_ORG, "org-find");
	play(stage, CREATE, "bucket-create");
	assert_int_equal(append_one(stage, words), -ENOENT);
	assert_string_equal(words, "404 bucket \"absent\" not found");
	WAIT_FOR(http_server_count(stage->server, CREATE) > 0, 5000);
	WAIT_FOR(health(stage) == 0, 1000);
	assert_int_equal(captured_stderr_count("error: store influxdb2: write: 404 bucket \"absent\" not found"), 1);
}

static void test_influxdb2_append_no_organization_is_told(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	play(stage, FIND, "bucket-find-absent");
	play(stage, FIND_ORG, "write-no-org");
	play(stage, WRITE, "write-no-org");
	open_wire(stage);
	assert_int_equal(append_one(stage, words), -ENOENT);
	assert_string_equal(words, "404 organization name \"absent\" not found");
	assert_int_equal(health(stage), -ENOENT);
}

static void test_influxdb2_append_engine_that_is_busy_is_no_refusal(void **state)
{
	static const int statuses[] = { 429, 500, 503, 302 };
	struct stage *stage = *state;
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(statuses); i++) {
		char words[STORE_REFUSAL_SIZE], wanted[64];
		answer_with(stage, WRITE, statuses[i], "busy\nfor a day");
		snprintf(wanted, sizeof(wanted), "%d busy", statuses[i]);
		assert_int_equal(append_one(stage, words), -EAGAIN);
		assert_string_equal(words, wanted);
		assert_int_equal(health(stage), -EAGAIN);
	}
	/* One failure, one line; and one when it is over. */
	assert_int_equal(captured_stderr_count("error: store influxdb2: write: 429 busy"), 1);
	assert_int_equal(captured_stderr_count("error"), 1);
	play(stage, WRITE, "write-ok");
	char words[STORE_REFUSAL_SIZE];
	assert_int_equal(append_one(stage, words), 0);
	assert_int_equal(append_one(stage, words), 0);
	assert_int_equal(health(stage), 0);
	assert_int_equal(captured_stderr_count("works again"), 1);
}

/* Writes and reads every few milliseconds. */
static void ask_often(struct stage *stage)
{
	for (int i = 0; i < 20; i++) {
		char words[STORE_REFUSAL_SIZE];
		struct store_rows rows;
		assert_int_equal(append_one(stage, words), -EACCES);
		assert_string_equal(words, "401 unauthorized access");
		assert_int_equal(stage->f.ops->mean(stage->f.store, QUERY(&stage->f, 0, 1000), &rows), -EACCES);
		assert_int_equal(health(stage), -EACCES);
		usleep(5000);
	}
}

static void test_influxdb2_bad_token_is_logged_once(void **state)
{
	struct stage *stage = *state;
	play(stage, FIND, "write-bad-token");
	play(stage, WRITE, "write-bad-token");
	play(stage, QUERY_, "query-bad-token");
	open_wire(stage);
	ask_often(stage);
	assert_int_equal(captured_stderr_count("store influxdb2: set up: 401 unauthorized access"), 1);
	assert_int_equal(captured_stderr_count("store influxdb2"), 1);
	/* The token itself is in no line. */
	assert_int_equal(captured_stderr_count(TOKEN), 0);
	/* It is allowed now: the set-up that succeeds says so, before anybody asks. */
	play(stage, FIND, "bucket-find");
	WAIT_FOR(health(stage) == 0, 5000);
	assert_int_equal(captured_stderr_count("works again"), 1);
}

/* One that may look at buckets, and no more: that set-ups succeed is no sign that writes
 * will. Nor is what a set-up warns of news when it is done again. */
static void test_influxdb2_token_without_the_right_to_write_is_logged_once(void **state)
{
	struct stage *stage = *state;
	play(stage, WRITE, "write-bad-token");
	play(stage, QUERY_, "query-bad-token");
	open_with(stage, "wire", "server.retention=1d", NULL);
	ask_often(stage);
	size_t set_ups = http_server_count(stage->server, FIND);
	WAIT_FOR(http_server_count(stage->server, FIND) > set_ups, 5000);
	ask_often(stage);
	assert_int_equal(captured_stderr_count("error: store influxdb2: write: 401 unauthorized access"), 1);
	assert_int_equal(captured_stderr_count("error"), 1);
	assert_int_equal(captured_stderr_count("works again"), 0);
	assert_int_equal(captured_stderr_count("keeps samples"), 1);
}

/* ---- reading ---- */

static void test_influxdb2_mean_recorded_answer_is_rows(void **state)
{
	struct stage *stage = *state;
	play_with(stage, QUERY_, "query-mean", "_result", "value");
	open_wire(stage);
	assert_string_equal(means(&stage->f, QUERY(&stage->f, 0, LATER)),
	                    NAME " mem=3.25^0 cpu=100^0; bash mem=2^0 cpu=6.125^0; x mem=4^0 cpu=-");
	/* The maxima are a result of their own behind it. */
	struct text answer = recorded(INFLUXDB2_WIRE "query-mean.response"), maxima = TEXT_EMPTY;
	text_append_string(&maxima, recorded_body(&answer));
	recorded_replace(&maxima, "_result", "maximum");
	recorded_replace(&maxima, ",2\r\n", ",2.5\r\n");
	recorded_replace(&answer, "_result", "value");
	text_append_string(&answer, maxima.data);
	recorded_serve(stage->server, QUERY_, answer.data);
	assert_string_equal(means(&stage->f, QUERY(&stage->f, 0, LATER)),
	                    NAME " mem=3.25^3.25 cpu=100^100; bash mem=2^2.5 cpu=6.125^6.125; x mem=4^4 cpu=-");
	text_free(&answer);
	text_free(&maxima);
	/* Results of other names are not ours. */
	play(stage, QUERY_, "query-mean");
	assert_string_equal(means(&stage->f, QUERY(&stage->f, 0, LATER)), "");
}

static void test_influxdb2_latest_recorded_answer_is_rows_and_hosts(void **state)
{
	struct stage *stage = *state;
	play_with(stage, QUERY_, "query-annotated", "#default,_result", "#default,value");
	open_wire(stage);
	assert_string_equal(latest(&stage->f, QUERY(&stage->f, 0, LATER)),
	                    "10.0.0.1/bash mem=1.5@1795357323000 cpu=12.25@1795357323000; "
	                    "10.0.0.2/" NAME " mem=3.25@1795357323000 cpu=100@1795357323000; "
	                    "fe80::1/x mem=4@1795357323000 cpu=-");
	assert_string_equal(hosts(&stage->f, 0), "10.0.0.1 1795357323000 1; 10.0.0.2 1795357323000 1; fe80::1 1795357323000 1");
}

/* Times have as many decimals as they need; samples have milliseconds. */
static void test_influxdb2_latest_times_are_read_to_the_millisecond(void **state)
{
	static const struct {
		const char *time;
		int64_t wanted_ms;
	} cases[] = {
		{ "2026-11-22T14:22:03.7Z", 700 },      { "2026-11-22T14:22:03.07Z", 70 }, { "2026-11-22T14:22:03.007Z", 7 },
		{ "2026-11-22T14:22:03.702Z", 702 },    { "2026-11-22T14:22:03.702646366Z", 702 },
		{ "2026-11-22T14:22:03.999999999Z", 999 }, { "2026-11-22T14:22:03.000Z", 0 },
		{ "2026-11-22T14:22:04Z", 1000 },       { "2026-11-23T00:00:00Z", 34677000 }, { "1970-01-01T00:00:00.001Z", 1 - LATER },
	};
	struct stage *stage = *state;
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char answer[512], wanted[64];
		snprintf(answer, sizeof(answer), ",result,table,_measurement,ip,process,_time,_value\r\n"
		         ",value,0,mem_usage_percent,10.0.0.1,a,%s,1\r\n\r\n", cases[i].time);
		answer_with(stage, QUERY_, 200, answer);
		snprintf(wanted, sizeof(wanted), "10.0.0.1/a mem=1@%lld cpu=-", (long long)(LATER + cases[i].wanted_ms));
		assert_string_equal(latest(&stage->f, QUERY(&stage->f, 0, LATER)), wanted);
	}
}

/* The recording without the lines of another measurement, for which we would not have asked. */
static void play_history_of(struct stage *stage, const char *measurement)
{
	struct text answer = recorded(INFLUXDB2_WIRE "query-history.response"), kept = TEXT_EMPTY;
	recorded_replace(&answer, "_result", "value");
	for (const char *at = answer.data; *at;) {
		size_t length = strcspn(at, "\n") + 1;
		char *line = strndup(at, length);
		assert_non_null(line);
		if (!strstr(line, "usage_percent") || strstr(line, measurement))
			text_append_string(&kept, line);
		free(line);
		at += length;
	}
	recorded_serve(stage->server, QUERY_, kept.data);
	text_free(&answer);
	text_free(&kept);
}

/* As the recording is, but for its hosts and values. */
static void test_influxdb2_history_of_several_hosts_is_by_time_and_address(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	open_wire(stage);
	f->base = EARLIER;
	answer_with(stage, QUERY_, 200,
	            ",result,table,_time,_value,ip,process\r\n"
	            ",value,0,2026-11-22T14:21:53Z,3,fe80::1,bash\r\n,value,0,2026-11-22T14:22:03Z,6,fe80::1,bash\r\n"
	            ",value,1,2026-11-22T14:21:53Z,2,10.0.0.2,bash\r\n"
	            ",value,2,2026-11-22T14:21:53Z,1,10.0.0.1,bash\r\n,value,2,2026-11-22T14:22:03Z,5,10.0.0.1,bash\r\n\r\n");
	assert_string_equal(history(f, QUERY(f, -1, 20000, .half = CPU)), "bash 0=1 0=2 0=3 10000=5 10000=6");
	const char *asked = http_server_last(stage->server, QUERY_)->body;
	assert_null(strstr(asked, "group(columns"));
	assert_non_null(strstr(asked, "keep(columns: [\\\"process\\\", \\\"ip\\\", \\\"_time\\\", \\\"_value\\\"])"));
}

static void test_influxdb2_history_recorded_answer_is_points(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	open_wire(stage);
	f->base = EARLIER;
	play_history_of(stage, "cpu_usage_percent");
	assert_string_equal(history(f, QUERY(f, -1, 20000, .half = CPU, .by_host = true)),
	                    "10.0.0.1/bash 0=0 10000=12.25; 10.0.0.2/" NAME " 10000=100");
	play_history_of(stage, "mem_usage_percent");
	assert_string_equal(history(f, QUERY(f, -1, 20000, .half = MEM)), NAME " 10000=3.25; bash 0=2.5 10000=1.5; x 10000=4");
	/* Too many points are the asker's, and the next answer is whole. */
	struct store_history answer;
	struct query *query = QUERY(f, -1, 20000, .half = MEM);
	query->max_points = 3;
	assert_int_equal(f->ops->history(f->store, query, &answer), -E2BIG);
	query->max_points = 0;
	assert_int_equal(f->ops->history(f->store, query, &answer), -E2BIG);
	assert_int_equal(health(stage), 0);
	query->max_points = 4;
	assert_string_equal(history(f, query), NAME " 10000=3.25; bash 0=2.5 10000=1.5; x 10000=4");
	assert_int_equal(captured_stderr_count("error"), 0);
}

static void test_influxdb2_reads_empty_answer_is_empty(void **state)
{
	struct stage *stage = *state;
	play(stage, QUERY_, "query-empty");
	open_wire(stage);
	assert_string_equal(means(&stage->f, QUERY(&stage->f, 0, LATER)), "");
	assert_string_equal(latest(&stage->f, QUERY(&stage->f, 0, LATER)), "");
	assert_string_equal(history(&stage->f, QUERY(&stage->f, 0, LATER)), "");
	assert_string_equal(hosts(&stage->f, 0), "");
	assert_int_equal(http_server_count(stage->server, QUERY_), 4);
	assert_int_equal(health(stage), 0);
}

static void test_influxdb2_reads_recorded_failure_is_told(void **state)
{
	static const struct {
		const char *name;
		int wanted;
		const char *words;
	} cases[] = {
		{ "query-runtime-error", -EAGAIN, "read: 400 runtime error @1:46-1:88: map: failed to evaluate map function" },
		{ "query-bad-token", -EACCES, "read: 401 unauthorized access" },
		{ "query-no-bucket", -ENOENT, "read: 404 failed to initialize execute state: could not find bucket \"absent\"" },
	};
	struct stage *stage = *state;
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		play(stage, QUERY_, cases[i].name);
		assert_reads_fail(stage, LATER, cases[i].wanted);
		assert_true(captured_stderr_count(cases[i].words) >= 1);
		play(stage, QUERY_, "query-empty");
		assert_string_equal(means(&stage->f, QUERY(&stage->f, 0, LATER)), "");
		assert_int_equal(health(stage), 0);
	}
}

/* One that the engine refuses is its asker's where the engine answers another one. */
static void test_influxdb2_reads_refused_query_is_its_askers(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	char words[STORE_REFUSAL_SIZE] = "";
	struct store_rows rows;
	struct text probe = TEXT_EMPTY;
	open_wire(stage);
	play(stage, QUERY_, "query-runtime-error");
	http_server_format(200, NULL, "", &probe);
	http_server_answer_to(stage->server, QUERY_, "\r\nContent-Length: 53\r\n", probe.data); /* of "buckets() |> limit(n: 1)" */
	text_free(&probe);
	assert_int_equal(f->ops->mean(f->store, QUERY(f, 0, LATER, .ret_refusal = words), &rows), -EINVAL);
	assert_string_equal(words, "400 runtime error @1:46-1:88: map: failed to evaluate map function: cannot convert string \"10.0.0.1\" to "
	                           "int due to invalid syntax");
	assert_reads_fail(stage, LATER, -EINVAL);
	assert_int_equal(health(stage), 0);
	assert_int_equal(captured_stderr_count("store influxdb2"), 0);
}

#define CSV "HTTP/1.1 200 OK\r\nContent-Type: text/csv; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"

/* Others may write to the bucket, too; two values of 1.7e308 have the mean +Inf. */
static void test_influxdb2_reads_what_cannot_be_right_is_left_out(void **state)
{
	static const char answer[] =
		CSV "#datatype,string,long,string,string,double,dateTime:RFC3339\r\n#group,false,false,true,true,false,false\r\n"
		    "#default,_result,,,,,\r\n,result,table,_measurement,process,_value,_time\r\n"
		    ",value,0,cpu_usage_percent,twice,+Inf,1970-01-01T00:00:05Z\r\n,value,1,cpu_usage_percent,good,5,1970-01-01T00:00:05Z\r\n"
		    ",value,2,cpu_usage_percent,none,NaN,1970-01-01T00:00:05Z\r\n,value,3,cpu_usage_percent,negative,-1,1970-01-01T00:00:05Z\r\n\r\n";
	struct stage *stage = *state;
	open_wire(stage);
	recorded_serve(stage->server, QUERY_, answer);
	assert_string_equal(means(&stage->f, QUERY(&stage->f, 0, LATER)), "good mem=- cpu=5^0");
	assert_string_equal(history(&stage->f, QUERY(&stage->f, 0, LATER, .half = CPU)), "good 5000=5");
	assert_int_equal(captured_stderr_count("cannot be right"), 1);
	assert_int_equal(health(stage), 0);
}

static void test_influxdb2_reads_rows_without_a_process_or_a_value_are_none(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	open_wire(stage);
	recorded_serve(stage->server, QUERY_,
	               CSV ",result,table,_measurement,process,_value,_time\r\n,value,0,cpu_usage_percent,,7,1970-01-01T00:00:05Z\r\n"
	                   ",value,1,cpu_usage_percent,empty,,1970-01-01T00:00:05Z\r\n,value,2,cpu_usage_percent,good,5,1970-01-01T00:00:05Z\r\n\r\n");
	assert_string_equal(means(f, QUERY(f, 0, LATER)), "good mem=- cpu=5^0");
	assert_string_equal(history(f, QUERY(f, 0, LATER, .half = CPU)), "good 5000=5");
	assert_int_equal(captured_stderr_count("store influxdb2"), 0);
}

/* What is wrong in an answer of status 200: nothing of it is taken for the whole. */
static void test_influxdb2_reads_answer_that_is_wrong_is_told_once(void **state)
{
	static const struct {
		const char *answer, *words;
	} cases[] = {
		{ CSV "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,Failed to parse query,897\r\n",
		  "error: store influxdb2: read: Failed to parse query" },
		{ CSV ",result,table,_measurement,process,_value\r\n,value,0,cpu_usage_percent,bash,1\r\n\r\nerror,reference\r\n"
		      "panic: x,\r\n",
		  "error: store influxdb2: read: panic: x" },
		{ CSV "<html>Please log in</html>\n", "error: store influxdb2: read: the answer is not understood" },
	};
	struct stage *stage = *state;
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		size_t before = captured_stderr_count(cases[i].words);
		recorded_serve(stage->server, QUERY_, cases[i].answer);
		assert_reads_fail(stage, LATER, -EIO);
		size_t set_ups = http_server_count(stage->server, FIND);
		if (i == 0) {
			WAIT_FOR(http_server_count(stage->server, FIND) > set_ups, 5000);
			usleep(20000); /* it has read the answer */
		}
		assert_reads_fail(stage, LATER, -EIO);
		assert_int_equal(health(stage), -EIO);
		assert_int_equal(captured_stderr_count(cases[i].words), before + 1);
		play(stage, QUERY_, "query-empty");
		assert_string_equal(means(&stage->f, QUERY(&stage->f, 0, LATER)), "");
		assert_int_equal(health(stage), 0);
	}
}

/* One that ends in a row, and one of which the connection ends before it. */
static void test_influxdb2_reads_answer_that_is_cut_is_told(void **state)
{
	static const char *const answers[] = {
		CSV ",result,table,_measurement,process,_value\r\n,value,0,cpu_usage_percent,bash,1\r\n,value,1,cpu_usage_percent,ba",
		"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
		",result,table,_measurement,process,_value\r\n,value,0,cpu_usage_percent,bash,1\r\n",
	};
	struct stage *stage = *state;
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		play(stage, QUERY_, "query-empty");
		assert_string_equal(means(&stage->f, QUERY(&stage->f, 0, LATER)), "");
		http_server_hang_up(stage->server, i == 1);
		recorded_serve(stage->server, QUERY_, answers[i]);
		assert_reads_fail(stage, LATER, -EIO);
		/* Each of them is one failure that goes on. */
		assert_int_equal(captured_stderr_count("error: store influxdb2: read: "), i + 1);
		assert_int_equal(captured_stderr_count("works again"), i);
	}
}

/* ---- what is asked ---- */

/* The Flux of the last query. */
static const char *flux(struct stage *stage)
{
	static char text[65536];
	const struct http_server_request *asked = http_server_last(stage->server, QUERY_);
	assert_memory_equal(asked->head, "POST /api/v2/query?org=myorg HTTP/1.1\r\n", 39);
	assert_non_null(strstr(asked->head, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(asked->head, "\r\nAccept: application/csv\r\n"));
	cJSON *body = cJSON_Parse(asked->body);
	const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "type"));
	assert_non_null(type);
	assert_string_equal(type, "flux");
	/* Without these the rows have no types, and errors no shape. */
	const cJSON *annotations =
		cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(body, "dialect"), "annotations");
	assert_int_equal(cJSON_GetArraySize(annotations), 3);
	snprintf(text, sizeof(text), "%s", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "query")));
	cJSON_Delete(body);
	return text;
}

#define BOTH "(r._measurement == \"mem_usage_percent\" or r._measurement == \"cpu_usage_percent\")"
#define CPU_ALONE "(r._measurement == \"cpu_usage_percent\")"

/* Checks what the last query reads; then its rest, by words that are in it and words that are not. */
static void assert_asks(struct stage *stage, const char *filter, const char *const wanted[], const char *unwanted)
{
	char data[1024];
	const char *asked = flux(stage);
	snprintf(data, sizeof(data),
	         "data = from(bucket: \"wire\") |> range(start: 1970-01-01T00:00:10.001Z, stop: 1970-01-01T00:00:20.001Z) |> "
	         "filter(fn: (r) => %s)", filter);
	if (strncmp(asked, data, strlen(data)) != 0)
		fail_msg("%s\ndoes not begin with\n%s", asked, data);
	for (size_t i = 0; wanted[i]; i++) {
		if (!strstr(asked, wanted[i]))
			fail_msg("%s\nhas no %s", asked, wanted[i]);
	}
	if (unwanted && strstr(asked, unwanted))
		fail_msg("%s\nhas %s", asked, unwanted);
}

#define ASKS(filter, unwanted, ...) assert_asks(stage, filter, (const char *const[]){ __VA_ARGS__, NULL }, unwanted)

static void test_influxdb2_reads_queries_ask_for_what_is_wanted(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	play(stage, QUERY_, "query-empty");
	open_wire(stage);
	means(f, QUERY(f, 10000, 20000));
	ASKS(BOTH " and r._field == \"value\"", "\"ip\"", " |> group(columns: [\"_measurement\", \"process\"])\n", "mean()",
	     "yield(name: \"value\")", "max()", "yield(name: \"maximum\")");
	means(f, QUERY(f, 10000, 20000, .by_host = true, .without_maximum = true, .unwanted = { [MEM] = true }, .ip = "fe80::1"));
	ASKS(CPU_ALONE " and r._field == \"value\" and r.ip == \"fe80::1\"", "maximum", "mean()", "\"ip\"");
	latest(f, QUERY(f, 10000, 20000, .process = "bash", .ip = "10.0.0.1"));
	ASKS(BOTH " and r._field == \"value\" and r.ip == \"10.0.0.1\" and r.process == \"bash\"", "mean", "last()", "\"ip\"",
	     "\"_time\"", "yield(name: \"value\")");
	static const struct series_key two[] = { { NULL, "a" }, { NULL, "b" } };
	means(f, QUERY(f, 10000, 20000, .only = two, .only_count = 2));
	ASKS(BOTH " and r._field == \"value\") |> filter(fn: (r) => (r.process == \"a\") or (r.process == \"b\")", NULL, "mean()", "max()");
	latest(f, QUERY(f, 10000, 20000, .only = two, .only_count = 2));
	ASKS(BOTH " and r._field == \"value\") |> filter(fn: (r) => (r.process == \"a\") or (r.process == \"b\")", NULL, "last()");
	history(f, QUERY(f, 10000, 20000, .half = CPU));
	ASKS(CPU_ALONE " and r._field == \"value\"", "aggregateWindow", "\"_time\"", "yield(name: \"value\")");
	history(f, QUERY(f, 10000, 20000, .half = CPU, .step_ms = 5000));
	ASKS(CPU_ALONE " and r._field == \"value\"", "fn: max", "aggregateWindow(every: 5000ms, ", "createEmpty: false",
	     "timeSrc: \"_start\"");
	assert_null(strstr(flux(stage), "\"ip\""));
	history(f, QUERY(f, 10000, 20000, .half = CPU, .step_ms = 5000, .aggregate = AGGREGATE_MAX, .by_host = true));
	ASKS(CPU_ALONE " and r._field == \"value\"", "fn: mean", "aggregateWindow(every: 5000ms, fn: max, ", "\"ip\"");
	/* From before 1970: there is nothing. */
	means(f, QUERY(f, -5000, 20000));
	assert_non_null(strstr(flux(stage), "range(start: 1970-01-01T00:00:00.000Z, stop: 1970-01-01T00:00:20.001Z)"));
	hosts(f, 10000);
	assert_non_null(strstr(flux(stage), "range(start: 1970-01-01T00:00:10.001Z, stop: 2200-01-01T00:00:00.001Z)"));
}

static void test_influxdb2_reads_of_nothing_are_not_asked_for(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	open_wire(stage);
	assert_string_equal(means(f, QUERY(f, 20000, 20000)), "");
	assert_string_equal(latest(f, QUERY(f, 20000, 10000)), "");
	assert_string_equal(history(f, QUERY(f, -20000, -10000)), "");
	/* No process has such a name. */
	assert_string_equal(means(f, QUERY(f, 10000, 20000, .process = "a\nb")), "");
	assert_int_equal(http_server_count(stage->server, QUERY_), 0);
}

/* No name gets out of its string. */
static void test_influxdb2_reads_hostile_names_are_escaped(void **state)
{
	static const struct {
		const char *process, *wanted;
	} cases[] = {
		{ "bash", "r.process == \"bash\"" },
		{ "\" or true or \"", "r.process == \"\\\" or true or \\\"\"" },
		{ "${1+1}", "r.process == \"\\x24{1+1}\"" },
		{ "$", "r.process == \"\\x24\"" },
		/* As they are stored. */
		{ "\\", "r.process == \"%5C\"" },
		{ "\\\"", "r.process == \"%5C\\\"\"" },
		{ "100%", "r.process == \"100%25\"" },
		{ "a b,c=d", "r.process == \"a b,c=d\"" },
		{ "\xc3\xa9", "r.process == \"\xc3\xa9\"" },
	};
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	struct series_key keys[COUNT_OF(cases)];
	play(stage, QUERY_, "query-empty");
	open_with(stage, "a \"b\" ${c} \\d", NULL, NULL);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char wanted[128];
		keys[i] = (struct series_key){ "10.0.0.5", cases[i].process };
		means(f, QUERY(f, 10000, 20000, .process = cases[i].process));
		snprintf(wanted, sizeof(wanted), " and %s)", cases[i].wanted);
		assert_non_null(strstr(flux(stage), wanted));
		assert_memory_equal(flux(stage), "data = from(bucket: \"a \\\"b\\\" \\x24{c} \\\\d\") |> ", 45);
	}
	history(f, QUERY(f, 10000, 20000, .only = keys, .only_count = COUNT_OF(keys), .by_host = true));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char wanted[128];
		snprintf(wanted, sizeof(wanted), "%s(%s and r.ip == \"10.0.0.5\")", i ? " or " : "fn: (r) => ", cases[i].wanted);
		assert_non_null(strstr(flux(stage), wanted));
	}
}

/* A filter may name so many, see ONLY_A_QUERY; beyond ONLY_MAX it names none. */
static void test_influxdb2_history_listed_series_are_asked_for_in_parts(void **state)
{
	static const struct {
		size_t count, queries, names;
	} cases[] = { { 0, 0, 0 }, { 1, 1, 1 }, { 50, 1, 50 }, { 51, 2, 51 }, { 120, 3, 120 }, { 500, 10, 500 }, { 501, 1, 0 } };
	enum { MOST = 501 };
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	static char names[MOST][16];
	static struct series_key keys[MOST];
	for (size_t i = 0; i < MOST; i++) {
		snprintf(names[i], sizeof(names[i]), "p%zu", i);
		keys[i] = (struct series_key){ NULL, names[i] };
	}
	play(stage, QUERY_, "query-empty");
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		size_t before = http_server_count(stage->server, ""), named = 0;
		assert_string_equal(history(f, QUERY(f, 10000, 20000, .only = keys, .only_count = cases[i].count)), "");
		assert_int_equal(http_server_count(stage->server, "") - before, cases[i].queries);
		for (size_t j = before; j < http_server_count(stage->server, ""); j++) {
			size_t here = 0;
			const char *body = http_server_asked(stage->server, j)->body;
			for (const char *at = strstr(body, "r.process =="); at; at = strstr(at + 1, "r.process =="))
				here++;
			assert_in_range(here, 0, 50);
			named += here;
		}
		assert_int_equal(named, cases[i].names);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(test_influxdb2_open_bucket_is_there_nothing_is_changed),
		STAGED(test_influxdb2_open_bucket_is_absent_it_is_made),
		STAGED(test_influxdb2_open_empty_list_of_buckets_is_none),
		STAGED(test_influxdb2_open_retention_below_an_hour_makes_a_bucket_of_an_hour),
		STAGED(test_influxdb2_open_no_organization_is_told),
		STAGED(test_influxdb2_open_answer_that_is_none_is_told),
		STAGED(test_influxdb2_open_bucket_is_made_meanwhile_it_is_found_later),
		STAGED(test_influxdb2_open_other_retention_is_warned_of),
		STAGED(test_influxdb2_open_bucket_without_a_usable_rule_is_for_ever),
		STAGED(test_influxdb2_open_managed_retention_is_changed),
		STAGED(test_influxdb2_open_managed_retention_that_is_right_stays),
		STAGED(test_influxdb2_open_managed_retention_is_refused_the_engines_counts),
		STAGED(test_influxdb2_append_samples_are_the_recorded_lines),
		STAGED(test_influxdb2_append_refused_sample_is_its_senders),
		STAGED(test_influxdb2_append_absent_bucket_is_made_again),
		STAGED(test_influxdb2_append_no_organization_is_told),
		STAGED(test_influxdb2_append_engine_that_is_busy_is_no_refusal),
		STAGED(test_influxdb2_bad_token_is_logged_once),
		STAGED(test_influxdb2_token_without_the_right_to_write_is_logged_once),
		STAGED(test_influxdb2_mean_recorded_answer_is_rows),
		STAGED(test_influxdb2_latest_recorded_answer_is_rows_and_hosts),
		STAGED(test_influxdb2_latest_times_are_read_to_the_millisecond),
		STAGED(test_influxdb2_history_recorded_answer_is_points),
		STAGED(test_influxdb2_history_of_several_hosts_is_by_time_and_address),
		STAGED(test_influxdb2_reads_empty_answer_is_empty),
		STAGED(test_influxdb2_reads_recorded_failure_is_told),
		STAGED(test_influxdb2_reads_refused_query_is_its_askers),
		STAGED(test_influxdb2_reads_rows_without_a_process_or_a_value_are_none),
		STAGED(test_influxdb2_reads_what_cannot_be_right_is_left_out),
		STAGED(test_influxdb2_reads_answer_that_is_wrong_is_told_once),
		STAGED(test_influxdb2_reads_answer_that_is_cut_is_told),
		STAGED(test_influxdb2_reads_queries_ask_for_what_is_wanted),
		STAGED(test_influxdb2_reads_of_nothing_are_not_asked_for),
		STAGED(test_influxdb2_reads_hostile_names_are_escaped),
		STAGED(test_influxdb2_history_listed_series_are_asked_for_in_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
