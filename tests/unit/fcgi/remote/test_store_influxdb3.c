/*
 * fcgi/remote/store_influxdb3.c over what a real InfluxDB 3.6 has answered, and what the stores for versions 1 and 2 make
 * of one. (What becomes of the queries is the contract of test_store.c.)
 */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/remote/stage.h"

#define FIND "POST /api/v3/query_sql "
#define CREATE "POST /api/v3/configure/database "
#define CHANGE "PUT /api/v3/configure/database "
#define WRITE "POST /api/v3/write_lp?"
#define QUERY_ "POST /query?"

#define PROBE_WORDS "\r\nContent-Length: 19\r\n" /* of q=SHOW+MEASUREMENTS */
#define NAME "a b,c=d\"\xc3\xa9"

/* The window of the recorded queries, and when its first samples were taken. */
#define FROM 1795906220000
#define TO 1795906520000
#define FIRST 1795906410000

#define DATABASE(name_, period_) "[{\"database_name\": \"" name_ "\"" period_ ", \"deleted\": false}]"
#define TWO_DAYS ", \"retention_period_ns\": 172800000000000"

/* ---- the stage ---- */

static int set_stage(void **state)
{
	struct stage *stage = stage_open(&store_influxdb3, INFLUXDB3_WIRE);
	play(stage, FIND, "system-databases-after-delete");
	play(stage, WRITE, "write-v3-accept-partial-false-good");
	http_server_start(stage->server);
	*state = stage;
	return 0;
}

#define STAGED(name) cmocka_unit_test_setup_teardown(name, set_stage, stage_close)

static void open_with(struct stage *stage, const char *database, const char *option, const char *other_option)
{
	char database_option[128];
	snprintf(database_option, sizeof(database_option), "influxdb3.database=%s", database);
	stage_open_store(stage, "influxdb3.url", "influxdb3.token_file",
	                 (const char *const[]){ database_option, option, other_option, NULL });
}

static void open_wire(struct stage *stage)
{
	open_with(stage, "wire", NULL, NULL);
}

/* Of a database that answers queries as recorded, and the probe. */
static void play_query(struct stage *stage, const char *name)
{
	struct text probe = stage_recorded(stage, "v1-show-measurements", "response"), answer = TEXT_EMPTY;
	play(stage, QUERY_, name);
	http_server_format(200, NULL, recorded_body(&probe), &answer);
	http_server_answer_to(stage->server, QUERY_, PROBE_WORDS, answer.data);
	text_free(&answer);
	text_free(&probe);
}

/* What was asked last is what was recorded. */
static void assert_asked(struct stage *stage, const char *name)
{
	const struct http_server_request *asked = http_server_last(stage->server, QUERY_);
	const char *line = recorded_line(stage, name);
	struct text request = stage_recorded(stage, name, "request");
	assert_memory_equal(asked->head, line, strlen(line));
	recorded_replace(&request, "process\n", "process"); /* the recording ends its form with a line */
	recorded_replace(&request, "ip\n", "ip");
	recorded_replace(&request, "%29\n", "%29");
	assert_string_equal(asked->body, recorded_body(&request));
	text_free(&request);
}

/* ---- set-up ---- */

static void test_influxdb3_open_database_is_there_nothing_is_changed(void **state)
{
	struct stage *stage = *state;
	open_wire(stage);
	const struct http_server_request *asked = http_server_last(stage->server, FIND);
	struct text request = stage_recorded(stage, "system-databases-after-delete", "request");
	assert_same_json(asked->body, recorded_body(&request));
	text_free(&request);
	assert_non_null(strstr(asked->head, "\r\nAuthorization: Bearer " STAGE_TOKEN "\r\n"));
	assert_non_null(strstr(asked->head, "\r\nContent-Type: application/json\r\n"));
	assert_int_equal(http_server_count(stage->server, ""), 1);
	assert_int_equal(health(stage), 0);
	assert_int_equal(stage->f.ops->retention(stage->f.store), 2 * DAY);
	assert_int_equal(captured_stderr_count("store influxdb3"), 0);
}

/* One that was deleted is told under another name, and is none. */
static void test_influxdb3_open_database_is_absent_it_is_made_with_its_retention(void **state)
{
	struct stage *stage = *state;
	play(stage, CREATE, "database-create-seconds");
	open_with(stage, "wiresec", NULL, NULL);
	const struct http_server_request *asked = http_server_last(stage->server, recorded_line(stage, "database-create-seconds"));
	struct text request = stage_recorded(stage, "database-create-seconds", "request");
	assert_same_json(asked->body, recorded_body(&request));
	text_free(&request);
	/* The engine takes no other kind. */
	assert_non_null(strstr(asked->head, "\r\nContent-Type: application/json\r\n"));
	assert_int_equal(health(stage), 0);
	assert_int_equal(captured_stderr_count("database wiresec was created"), 1);
}

/* Another vigie makes it between our two requests. */
static void test_influxdb3_open_database_is_made_meanwhile_it_is_found_later(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	play(stage, CREATE, "database-create-conflict");
	open_with(stage, "monitoring", NULL, NULL);
	assert_int_equal(health(stage), -EAGAIN);
	assert_int_equal(append_one(stage, words), -EAGAIN);
	assert_string_equal(words, "409 attempted to create a resource that already exists");
	assert_int_equal(http_server_count(stage->server, WRITE), 0);
	answer_with(stage, FIND, 200, DATABASE("monitoring", TWO_DAYS));
	WAIT_FOR(health(stage) == 0, 5000);
	assert_int_equal(append_one(stage, words), 0);
}

static void test_influxdb3_open_other_retention_is_warned_of(void **state)
{
	static const struct {
		const char *database, *option, *warning;
		int64_t wanted_ms;
	} cases[] = {
		{ "wire", "server.retention=1d", "keeps samples for 172800 s (0: for ever), not for 86400 s", DAY },
		{ "wire", "server.retention=7d", "keeps samples for 172800 s (0: for ever), not for 604800 s", 2 * DAY },
		{ "absent3", "server.retention=2d", "keeps samples for 0 s (0: for ever), not for 172800 s", 2 * DAY },
	};
	struct stage *stage = *state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		open_with(stage, cases[i].database, cases[i].option, NULL);
		assert_int_equal(captured_stderr_count(cases[i].warning), 1);
		assert_int_equal(captured_stderr_count("warning"), i + 1);
		assert_int_equal(stage->f.ops->retention(stage->f.store), cases[i].wanted_ms);
		assert_int_equal(health(stage), 0);
		stage_close_store(stage);
	}
	assert_int_equal(http_server_count(stage->server, CHANGE), 0);
	assert_int_equal(http_server_count(stage->server, CREATE), 0);
}

/* What is no period is none, and what is no database is not ours. */
static void test_influxdb3_open_database_without_a_usable_period_is_for_ever(void **state)
{
	static const char *const bodies[] = {
		DATABASE("wire", ""),
		DATABASE("wire", ", \"retention_period_ns\": null"),
		DATABASE("wire", ", \"retention_period_ns\": \"86400000000000\""),
		DATABASE("wire", ", \"retention_period_ns\": -86400000000000"),
		DATABASE("wire", ", \"retention_period_ns\": 1e300"),
		"[5, {}, {\"database_name\": 7}, {\"database_name\": \"other\" " TWO_DAYS "}, {\"database_name\": \"wire\"}]",
	};
	struct stage *stage = *state;
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		answer_with(stage, FIND, 200, bodies[i]);
		open_wire(stage);
		assert_int_equal(health(stage), 0);
		assert_int_equal(captured_stderr_count("keeps samples for 0 s (0: for ever), not for 172800 s"), i + 1);
		assert_int_equal(stage->f.ops->retention(stage->f.store), 2 * DAY);
		stage_close_store(stage);
	}
	assert_int_equal(http_server_count(stage->server, CREATE), 0);
	assert_int_equal(http_server_count(stage->server, CHANGE), 0);
}

static void test_influxdb3_open_managed_retention_is_changed(void **state)
{
	static const char *const databases[] = { "wire", "absent3" };
	struct stage *stage = *state;
	play(stage, CHANGE, "retention-set-put");
	for (size_t i = 0; i < COUNT_OF(databases); i++) {
		char wanted[128];
		open_with(stage, databases[i], "server.retention=1d", "server.manage_retention=yes");
		snprintf(wanted, sizeof(wanted), "{\"db\": \"%s\", \"retention_period\": \"86400s\"}", databases[i]);
		assert_same_json(http_server_last(stage->server, recorded_line(stage, "retention-set-put"))->body, wanted);
		assert_int_equal(captured_stderr_count("is now 86400 s"), i + 1);
		assert_int_equal(stage->f.ops->retention(stage->f.store), DAY);
		assert_int_equal(health(stage), 0);
		stage_close_store(stage);
	}
	assert_int_equal(captured_stderr_count("warning"), 0);
	/* It is deleted between our two requests. */
	play(stage, CHANGE, "retention-set-put-absent");
	open_with(stage, "wire", "server.retention=7d", "server.manage_retention=yes");
	assert_int_equal(health(stage), -ENOENT);
	assert_int_equal(stage->f.ops->retention(stage->f.store), 2 * DAY);
}

static void test_influxdb3_open_answer_that_is_none_is_told(void **state)
{
	static const char *const bodies[] = { "", "hello", "{}", "[" };
	struct stage *stage = *state;
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		answer_with(stage, FIND, 200, bodies[i]);
		open_wire(stage);
		assert_int_equal(health(stage), -EIO);
		assert_int_equal(captured_stderr_count("store influxdb3: set up: the answer is not understood"), i + 1);
		stage_close_store(stage);
	}
	assert_int_equal(http_server_count(stage->server, CREATE), 0);
}

/* ---- writing ---- */

static void test_influxdb3_append_samples_are_the_recorded_lines(void **state)
{
	enum { LATER = 10000 };
	struct stage *stage = *state;
	struct sample samples[] = {
		SAMPLE("10.0.0.1", "bash", MEM, FIRST + LATER, 1.5), SAMPLE("10.0.0.1", "bash", CPU, FIRST + LATER, 12.25),
		SAMPLE("10.0.0.1", "bash", MEM, FIRST, 2.5),         SAMPLE("10.0.0.1", "bash", CPU, FIRST, 0),
		SAMPLE("10.0.0.2", NAME, MEM, FIRST + LATER, 3.25),  SAMPLE("10.0.0.2", NAME, CPU, FIRST + LATER, 100),
		SAMPLE("fe80::1", "x", MEM, FIRST + LATER, 4),
	};
	char words[STORE_REFUSAL_SIZE];
	open_wire(stage);
	assert_int_equal(append_samples(stage, samples, COUNT_OF(samples), words), 0);
	const struct http_server_request *asked = http_server_last(stage->server, WRITE);
	const char *line = recorded_line(stage, "write-v3-accept-partial-false-good");
	assert_memory_equal(asked->head, line, strlen(line));
	assert_non_null(strstr(asked->head, "\r\nAuthorization: Bearer " STAGE_TOKEN "\r\n"));
	struct text request = stage_recorded(stage, "write-v3-ok", "request");
	assert_string_equal(asked->body, recorded_body(&request));
	text_free(&request);
	/* Nothing is not sent: it would be refused. */
	assert_int_equal(append_samples(stage, NULL, 0, words), 0);
	assert_int_equal(http_server_count(stage->server, WRITE), 1);
}

/* Also of names that are as long as they may be, and longer as they are stored: 10 MiB are taken. */
static void test_influxdb3_append_no_request_is_larger_than_is_taken(void **state)
{
	enum { SAMPLES = 30000, TAKEN = 10485760 }; /* write-v3-too-large */
	struct stage *stage = *state;
	char name[WIRE_NAME_SIZE], words[STORE_REFUSAL_SIZE];
	struct sample *samples = calloc(SAMPLES, sizeof(*samples));
	assert_non_null(samples);
	memset(name, '%', WIRE_NAME_MAX);
	name[WIRE_NAME_MAX] = '\0';
	for (int i = 0; i < SAMPLES; i++)
		samples[i] = SAMPLE("10.0.0.1", name, MEM, FIRST + i, 1);
	open_wire(stage);
	assert_int_equal(append_samples(stage, samples, SAMPLES, words), 0);
	size_t all = 0;
	for (size_t i = 0; i < http_server_count(stage->server, ""); i++) {
		const struct http_server_request *asked = http_server_asked(stage->server, i);
		assert_in_range(asked->body_length, 1, TAKEN);
		all += asked->body_length;
	}
	assert_true(all > 2 * TAKEN);
	free(samples);
}

static void test_influxdb3_append_refused_batch_is_its_senders(void **state)
{
	static const struct {
		const char *name, *words;
	} cases[] = {
		{ "write-v3-malformed-accept-partial-false", "400 parsing failed for write_lp endpoint: No fields were provided" },
		{ "write-v3-field-conflict-accept-partial-false",
		  "400 parsing failed for write_lp endpoint: invalid column type for column 'value', expected "
		  "iox::column_type::field::float, got iox::column_type::field::string" },
	};
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		play(stage, WRITE, cases[i].name);
		assert_int_equal(append_one(stage, words), -EINVAL);
		assert_string_equal(words, cases[i].words);
		assert_int_equal(health(stage), 0);
	}
	/* What is older than the retention is acknowledged, and not shown. */
	play(stage, WRITE, "write-v3-beyond-retention");
	assert_int_equal(append_one(stage, words), 0);
	assert_int_equal(captured_stderr_count("store influxdb3"), 0);
}

static void test_influxdb3_append_failure_of_the_engine_is_not_its_senders(void **state)
{
	static const struct {
		const char *name;
		int wanted;
	} cases[] = {
		{ "write-v3-absent-database-bad-line", -EAGAIN }, /* no room for a database: ours is gone */
		{ "write-v3-too-large", -EIO },
		{ "auth-write-v3-no-token", -EACCES },
	};
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		play(stage, WRITE, cases[i].name);
		open_wire(stage);
		assert_int_equal(append_one(stage, words), cases[i].wanted);
		assert_int_equal(health(stage), cases[i].wanted);
		assert_true(words[0]);
		stage_close_store(stage);
	}
}

/* A write makes a database that is not there, which keeps for ever: after the engine was away there is a set-up first. */
static void test_influxdb3_append_after_the_engine_was_away_waits_for_a_set_up(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	play(stage, CREATE, "database-create");
	open_wire(stage);
	play(stage, FIND, "auth-database-create-no-token");
	play(stage, WRITE, "sql-runtime-error");
	http_server_hang_up(stage->server, true);
	assert_int_equal(append_one(stage, words), -EIO);
	play(stage, WRITE, "write-v3-accept-partial-false-good");
	http_server_forget(stage->server);
	for (int i = 0; i < 20; i++) {
		assert_int_not_equal(append_one(stage, words), 0);
		usleep(5000);
	}
	assert_int_equal(http_server_count(stage->server, WRITE), 0);
	assert_int_not_equal(health(stage), 0);
	/* It was begun anew, with nothing in it. */
	answer_with(stage, FIND, 200, "[{\"database_name\": \"_internal\", \"deleted\": false}]");
	WAIT_FOR(health(stage) == 0, 5000);
	assert_int_equal(http_server_count(stage->server, CREATE), 1);
	assert_int_equal(append_one(stage, words), 0);
}

static void test_influxdb3_set_up_database_that_a_write_has_made_gets_its_retention(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	play(stage, CHANGE, "retention-set-put");
	open_wire(stage);
	answer_with(stage, FIND, 200, DATABASE("wire", ""));
	play(stage, WRITE, "write-v3-too-large");
	assert_int_equal(append_one(stage, words), -EIO);
	WAIT_FOR(http_server_count(stage->server, CHANGE) == 1, 5000);
	assert_same_json(http_server_last(stage->server, CHANGE)->body, "{\"db\": \"wire\", \"retention_period\": \"172800s\"}");
	WAIT_FOR(health(stage) == 0, 5000);
}

/* One that still has its own is left as it is: another, which we do not manage, too. */
static void test_influxdb3_set_up_again_changes_nothing(void **state)
{
	static const char *const databases[] = { DATABASE("wire", TWO_DAYS), DATABASE("wire", ", \"retention_period_ns\": 86400000000000") };
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(databases); i++) {
		answer_with(stage, FIND, 200, databases[i]);
		play(stage, WRITE, "write-v3-too-large");
		assert_int_equal(append_one(stage, words), -EIO);
		play(stage, WRITE, "write-v3-accept-partial-false-good");
		WAIT_FOR(append_one(stage, words) == 0, 5000);
		assert_int_equal(stage->f.ops->retention(stage->f.store), i == 0 ? 2 * DAY : DAY);
	}
	assert_true(http_server_count(stage->server, FIND) >= 3);
	assert_int_equal(http_server_count(stage->server, CHANGE), 0);
}

/* Also where it cannot be given at first. */
static void test_influxdb3_set_up_retention_that_fails_is_given_later(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	answer_with(stage, CHANGE, 500, "not now");
	open_wire(stage);
	answer_with(stage, FIND, 200, DATABASE("wire", ""));
	play(stage, WRITE, "write-v3-too-large");
	assert_int_equal(append_one(stage, words), -EIO);
	WAIT_FOR(http_server_count(stage->server, CHANGE) == 1, 5000);
	play(stage, CHANGE, "retention-set-put");
	WAIT_FOR(http_server_count(stage->server, CHANGE) == 2, 5000);
	WAIT_FOR(health(stage) == 0, 5000);
	assert_int_equal(captured_stderr_count("the retention of database wire is now 172800 s"), 1);
}

static void test_influxdb3_bad_token_nothing_is_written(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	play(stage, FIND, "auth-database-create-no-token");
	open_wire(stage);
	assert_int_equal(append_one(stage, words), -EACCES);
	assert_int_equal(health(stage), -EACCES);
	assert_int_equal(http_server_count(stage->server, WRITE), 0);
	assert_int_equal(captured_stderr_count("store influxdb3: set up: 401"), 1);
	assert_int_equal(captured_stderr_count(STAGE_TOKEN), 0);
}

/* ---- reading ---- */

static void test_influxdb3_mean_recorded_answer_is_rows(void **state)
{
	struct stage *stage = *state;
	open_wire(stage);
	play_query(stage, "v1-mean-chunked");
	assert_string_equal(means(&stage->f, QUERY(&stage->f, FROM, TO)),
	                    NAME " mem=3.25^3.25 cpu=100^100; bash mem=2.4^4 cpu=24.9^100; x mem=4^4 cpu=-");
	assert_asked(stage, "v1-mean-chunked");
	assert_non_null(strstr(http_server_last(stage->server, QUERY_)->head, "\r\nAccept: application/json\r\n"));
	play_query(stage, "v1-mean-by-host-chunked");
	assert_string_equal(means(&stage->f, QUERY(&stage->f, FROM, TO, .by_host = true)),
	                    "10.0.0.1/bash mem=2^2.5 cpu=6.125^12.25; 10.0.0.2/" NAME " mem=3.25^3.25 cpu=100^100; "
	                    "10.0.0.2/bash mem=4^4 cpu=100^100; fe80::1/x mem=4^4 cpu=-");
	assert_asked(stage, "v1-mean-by-host-chunked");
}

static void test_influxdb3_latest_recorded_answer_is_rows_and_hosts(void **state)
{
	struct stage *stage = *state;
	open_wire(stage);
	play_query(stage, "v1-latest");
	assert_string_equal(latest(&stage->f, QUERY(&stage->f, FROM, TO)),
	                    "10.0.0.1/bash mem=1.5@1795906520000 cpu=12.25@1795906520000; "
	                    "10.0.0.2/" NAME " mem=3.25@1795906520000 cpu=100@1795906420000; "
	                    "10.0.0.2/bash mem=4@1795906520000 cpu=100@1795906520000; fe80::1/x mem=4@1795906420000 cpu=-");
	assert_asked(stage, "v1-latest");
	stage->f.now = TO - STORE_AHEAD_MS;
	assert_string_equal(hosts(&stage->f, FROM), "10.0.0.1 1795906520000 1; 10.0.0.2 1795906520000 2; fe80::1 1795906420000 1");
	assert_asked(stage, "v1-latest");
}

/* Hosts are looked for over all that is kept: piece by piece, since a query may read so many files alone. */
static void test_influxdb3_hosts_are_looked_for_day_by_day(void **state)
{
	struct stage *stage = *state;
	open_wire(stage);
	play_query(stage, "v1-latest");
	stage->f.now = FROM + 4 * DAY - STORE_AHEAD_MS;
	size_t before = http_server_count(stage->server, QUERY_);
	assert_string_equal(hosts(&stage->f, FROM), "10.0.0.1 1795906520000 1; 10.0.0.2 1795906520000 2; fe80::1 1795906420000 1");
	assert_int_equal(http_server_count(stage->server, QUERY_) - before, 4);
	stage->f.now = STORE_LATEST_MS - STORE_AHEAD_MS;
	hosts(&stage->f, FROM);
	assert_in_range(http_server_count(stage->server, QUERY_) - before, 4 + 1, 4 + 32);
	/* A day may have too many of them: 1d, 12h, 6h, …, down to 11 minutes, and then it is refused. */
	play_query(stage, "v1-file-limit");
	stage->f.now = FROM + 4 * DAY - STORE_AHEAD_MS;
	before = http_server_count(stage->server, QUERY_);
	struct store_hosts none;
	assert_int_equal(stage->f.ops->hosts(stage->f.store, FROM, FROM + 4 * DAY, &none), -EINVAL);
	assert_int_equal(http_server_count(stage->server, QUERY_) - before, 2 * 9); /* each with a probe */
}

static void test_influxdb3_history_recorded_answer_is_points(void **state)
{
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	open_wire(stage);
	f->base = FROM;
	play_query(stage, "v1-history-step-hosts");
	assert_string_equal(history(f, QUERY(f, 0, TO - FROM, .half = MEM, .step_ms = 10000, .by_host = true)),
	                    "10.0.0.1/bash 190000=2.5 200000=1.5 280000=2.5 300000=1.5; 10.0.0.2/" NAME " 200000=3.25 300000=3.25; "
	                    "10.0.0.2/bash 300000=4; fe80::1/x 200000=4");
	assert_asked(stage, "v1-history-step-hosts");
	/* Samples of one time are as many as there are hosts. */
	play_query(stage, "v1-history");
	assert_string_equal(history(f, QUERY(f, 0, TO - FROM, .half = MEM)),
	                    NAME " 200000=3.25 300000=3.25; bash 190000=2.5 200000=1.5 289993=2.5 300000=1.5 300000=4; x 200000=4");
}

/* The same series and time again: there is one value, the later. */
static void test_influxdb3_history_recorded_duplicates_are_one(void **state)
{
	struct stage *stage = *state;
	struct text answer = stage_recorded(stage, "v1-dup", "response");
	open_wire(stage);
	recorded_replace(&answer, "\"dup\"", "\"mem_usage_percent\"");
	answer_with(stage, QUERY_, 200, recorded_body(&answer));
	text_free(&answer);
	stage->f.base = FROM;
	assert_string_equal(history(&stage->f, QUERY(&stage->f, 0, TO - FROM, .half = MEM)), "a 200000=2; b 200000=4; c 200000=1");
}

/* A tag that is absent is an empty one: no series of ours. */
static void test_influxdb3_history_recorded_names_come_back(void **state)
{
	struct stage *stage = *state;
	struct text answer = stage_recorded(stage, "v1-names", "response");
	open_wire(stage);
	recorded_replace(&answer, "\"names\"", "\"mem_usage_percent\"");
	answer_with(stage, QUERY_, 200, recorded_body(&answer));
	text_free(&answer);
	stage->f.base = FROM;
	struct store_history names;
	assert_int_equal(stage->f.ops->history(stage->f.store, QUERY(&stage->f, 0, TO - FROM, .half = MEM), &names), 0);
	static const char *const wanted[] = { "\" or true", "$process", "\\%", "a b", "a\"b", "a'b", "a,b", "a=b", "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80" };
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		size_t at = 0;
		while (at < names.count && strcmp(names.items[at].key.process, wanted[i]) != 0)
			at++;
		if (at == names.count)
			fail_msg("%s is not there", wanted[i]);
	}
	for (size_t i = 0; i < names.count; i++)
		assert_true(names.items[i].key.process[0]);
	store_history_free(&names);
}

/* In a string of InfluxQL a quote has a backslash before it. (Names have no backslash where they are stored.) */
static void test_influxdb3_reads_names_are_quoted_as_recorded(void **state)
{
	static const char escaped[] = "%27a%5C%27b%27";
	struct stage *stage = *state;
	struct text request = stage_recorded(stage, "v1-squote", "request");
	assert_non_null(strstr(recorded_body(&request), escaped));
	text_free(&request);
	open_wire(stage);
	play_query(stage, "v1-empty");
	assert_string_equal(means(&stage->f, QUERY(&stage->f, FROM, TO, .process = "a'b")), "");
	assert_non_null(strstr(http_server_last(stage->server, QUERY_)->body, escaped));
}

static void test_influxdb3_reads_of_what_is_not_there_are_empty(void **state)
{
	static const char *const recordings[] = { "v1-empty", "v1-unknown-table" };
	struct stage *stage = *state;
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(recordings); i++) {
		play_query(stage, recordings[i]);
		assert_string_equal(means(&stage->f, QUERY(&stage->f, FROM, TO)), "");
		assert_string_equal(latest(&stage->f, QUERY(&stage->f, FROM, TO)), "");
		assert_string_equal(history(&stage->f, QUERY(&stage->f, FROM, TO)), "");
	}
	/* One of two tables is not there. */
	struct text answer = stage_recorded(stage, "v1-one-table-absent", "response");
	answer_with(stage, QUERY_, 200, recorded_body(&answer));
	text_free(&answer);
	assert_string_equal(means(&stage->f, QUERY(&stage->f, FROM, TO)), NAME " mem=3.25^3.25 cpu=-; bash mem=2.4^4 cpu=-; x mem=4^4 cpu=-");
	assert_int_equal(health(stage), 0);
}

/* Status 500, or a connection that is closed: the reader's where the engine answers another query. */
static void test_influxdb3_reads_failure_is_judged_by_the_probe(void **state)
{
	static const struct {
		const char *name, *words;
	} cases[] = {
		{ "v1-syntax-error", "500 error in InfluxQL statement: parsing error: invalid InfluxQL statement at pos 0." },
		{ "v1-two-statements", "500 must provide only one InfluxQl statement per query" },
		{ "query-v1-newline-in-string", "500 error in InfluxQL statement: parsing error: unterminated string" },
		{ "sql-runtime-error", "" },
		{ "v1-file-limit", "the window has more Parquet files than InfluxDB reads for a query: ask for a shorter one, or raise "
		                   "--query-file-limit or --wal-snapshot-size of the server" },
	};
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	open_wire(stage);
	http_server_hang_up(stage->server, true);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char words[STORE_REFUSAL_SIZE] = "";
		struct store_rows rows;
		play_query(stage, cases[i].name);
		for (int again = 0; again < 2; again++)
			assert_int_equal(f->ops->mean(f->store, QUERY(f, FROM, TO, .ret_refusal = words), &rows), -EINVAL);
		assert_memory_equal(words, cases[i].words, strlen(cases[i].words));
		assert_true(words[0]);
		assert_reads_fail(stage, TO, -EINVAL);
		assert_int_equal(health(stage), 0);
	}
	assert_int_equal(captured_stderr_count("error"), 0);
	assert_int_equal(captured_stderr_count("a query is refused: " ), 1);
	/* None is answered, nor the probe. */
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		play(stage, QUERY_, cases[i].name);
		http_server_answer_to(stage->server, QUERY_, PROBE_WORDS, "");
		assert_reads_fail(stage, TO, -EIO);
		assert_int_equal(health(stage), -EIO);
	}
}

/* The connection ends after the headers, and in the middle of what was a good answer. */
static void test_influxdb3_reads_answer_that_is_cut_is_no_answer(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n95\r\n{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"mem_usage_percent\","
		"\"tags\":{\"process\":\"x\"},\"columns\":[\"time\",\"mean\"],\"values\":[[1795906220000,4.0]]}]}]}\r\n",
	};
	struct stage *stage = *state;
	open_wire(stage);
	http_server_hang_up(stage->server, true);
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		play_query(stage, "v1-empty");
		http_server_answer(stage->server, QUERY_, answers[i]);
		http_server_answer_to(stage->server, QUERY_, PROBE_WORDS, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
		assert_reads_fail(stage, TO, -EINVAL);
		assert_int_equal(health(stage), 0);
	}
}

static void test_influxdb3_reads_recorded_failure_is_told(void **state)
{
	static const struct {
		const char *name;
		int wanted;
	} cases[] = { { "v1-query-no-database", -ENOENT }, { "auth-query-v1-no-token", -EACCES } };
	struct stage *stage = *state;
	open_wire(stage);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		play_query(stage, cases[i].name);
		assert_reads_fail(stage, TO, cases[i].wanted);
		assert_int_equal(health(stage), cases[i].wanted);
	}
}

/* A list costs the engine the square of its length. */
static void test_influxdb3_history_listed_series_are_asked_for_in_parts(void **state)
{
	enum { MOST = 501 };
	static const struct {
		size_t count, queries;
	} cases[] = { { 0, 0 }, { 1, 1 }, { 250, 1 }, { 251, 2 }, { 500, 2 }, { 501, 1 } };
	struct stage *stage = *state;
	struct fixture *f = &stage->f;
	static char names[MOST][16];
	static struct series_key keys[MOST];
	for (size_t i = 0; i < MOST; i++) {
		snprintf(names[i], sizeof(names[i]), "p%zu", i);
		keys[i] = (struct series_key){ NULL, names[i] };
	}
	open_wire(stage);
	play_query(stage, "v1-empty");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		size_t before = http_server_count(stage->server, QUERY_);
		assert_string_equal(history(f, QUERY(f, FROM, TO, .only = keys, .only_count = cases[i].count)), "");
		assert_int_equal(http_server_count(stage->server, QUERY_) - before, cases[i].queries);
	}
}

/* ---- the stores of other versions ---- */

/* It takes writes of version 2, and would never show what it was given. */
static void test_influxdb2_over_influxdb3_takes_no_write_and_says_why(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	stage->f.ops = &store_influxdb2;
	play(stage, "GET /api/v2/", "v2-buckets");
	play(stage, "GET /ping ", "ping");
	answer_with(stage, "POST /api/v2/write?", 204, "");
	stage_open_store(stage, "influxdb2.url", "influxdb2.token_file", (const char *const[]){ NULL });
	assert_int_equal(captured_stderr_count("store influxdb2: set up: this is InfluxDB 3.6.0, which takes the writes of version 2 and "
	                                       "answers none of its reads: store = influxdb3 is for it"), 1);
	assert_int_not_equal(health(stage), 0);
	assert_int_not_equal(append_one(stage, words), 0);
	assert_int_not_equal(append_one(stage, words), -EINVAL);
	assert_int_equal(http_server_count(stage->server, "POST /api/v2/write?"), 0);
}

/* One that is there in the place of a version 2 that was stopped. */
static void test_influxdb2_engine_is_upgraded_takes_no_write(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	stage->f.ops = &store_influxdb2;
	answer_with(stage, "GET /api/v2/buckets?", 200, "{\"buckets\": [{\"id\": \"0\", \"name\": \"monitoring\", \"orgID\": \"1\", "
	            "\"retentionRules\": [{\"type\": \"expire\", \"everySeconds\": 172800}]}]}");
	answer_with(stage, "POST /api/v2/write?", 204, "");
	stage_open_store(stage, "influxdb2.url", "influxdb2.token_file", (const char *const[]){ NULL });
	assert_int_equal(append_one(stage, words), 0);
	play(stage, "POST /api/v2/write?", "sql-runtime-error"); /* not a byte */
	play(stage, "GET /api/v2/buckets?", "v2-buckets");
	play(stage, "GET /api/v2/orgs?", "v2-buckets"); /* as to all of it */
	play(stage, "GET /ping ", "ping");
	http_server_hang_up(stage->server, true);
	assert_int_equal(append_one(stage, words), -EIO);
	answer_with(stage, "POST /api/v2/write?", 204, "");
	size_t before = http_server_count(stage->server, "POST /api/v2/write?");
	WAIT_FOR(captured_stderr_count("this is InfluxDB 3.6.0") == 1, 5000);
	assert_int_not_equal(append_one(stage, words), 0);
	assert_int_equal(http_server_count(stage->server, "POST /api/v2/write?"), before);
}

/* Without its token it does not tell which version it is. */
static void test_influxdb2_over_influxdb3_wrong_token_takes_no_write(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	stage->f.ops = &store_influxdb2;
	play(stage, "GET /", "auth-ping-no-token");
	answer_with(stage, "POST /api/v2/write?", 204, "");
	stage_open_store(stage, "influxdb2.url", "influxdb2.token_file", (const char *const[]){ NULL });
	assert_int_equal(captured_stderr_count("store influxdb2: set up: 401 and no word: the token or password is not accepted"), 1);
	assert_int_not_equal(append_one(stage, words), 0);
	assert_int_equal(http_server_count(stage->server, "POST /api/v2/write?"), 0);
}

/* As version 3 does with what version 1 knows. */
static bool answer_as_3(void *user, const struct http_server_request *request, struct text *answer)
{
	struct stage *stage = user;
	const char *name = strncmp(request->head, "GET /ping ", 10) == 0 ? "ping" :
	                   strstr(request->head, "db=nodb")              ? "v1-show-retention-no-database" :
	                   strstr(request->body, "RETENTION")            ? "v1-show-retention-policies" :
	                   strstr(request->body, "MEASUREMENTS")         ? "v1-show-measurements" :
	                                                                   "v1-empty";
	struct text recording = stage_recorded(stage, name, "response");
	bool goes_on = recording.length > 0;
	if (goes_on && strcmp(name, "v1-show-retention-no-database") == 0)
		http_server_format(404, NULL, recorded_body(&recording), answer);
	else if (goes_on)
		http_server_format(strncmp(request->head, "POST /write?", 12) == 0 ? 204 : 200, NULL, recorded_body(&recording), answer);
	text_free(&recording);
	return goes_on;
}

static void test_influxql_over_influxdb3_goes_on_with_a_database_that_is_there(void **state)
{
	struct stage *stage = *state;
	char words[STORE_REFUSAL_SIZE];
	stage->f.ops = &store_influxql;
	http_server_answer_by(stage->server, answer_as_3, stage);
	stage_open_store(stage, "influxql.url", NULL, (const char *const[]){ "influxql.database=wire", NULL });
	assert_int_equal(health(stage), 0);
	assert_int_equal(captured_stderr_count("warning: store influxql: this is InfluxDB 3.6.0: store = influxdb3 is for it"), 1);
	assert_string_equal(means(&stage->f, QUERY(&stage->f, FROM, TO)), "");
	stage_close_store(stage);
	/* And makes none, which it could not. */
	stage_open_store(stage, "influxql.url", NULL, (const char *const[]){ "influxql.database=nodb", NULL });
	assert_int_not_equal(health(stage), 0);
	assert_int_equal(captured_stderr_count("store influxql: set up: this is InfluxDB 3.6.0 without the database \"nodb\", which "
	                                       "store = influxdb3 makes"), 1);
	assert_int_not_equal(append_one(stage, words), 0);
	assert_int_equal(http_server_count(stage->server, "POST /write?"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(test_influxdb3_open_database_is_there_nothing_is_changed),
		STAGED(test_influxdb3_open_database_is_absent_it_is_made_with_its_retention),
		STAGED(test_influxdb3_open_database_is_made_meanwhile_it_is_found_later),
		STAGED(test_influxdb3_open_other_retention_is_warned_of),
		STAGED(test_influxdb3_open_database_without_a_usable_period_is_for_ever),
		STAGED(test_influxdb3_open_managed_retention_is_changed),
		STAGED(test_influxdb3_open_answer_that_is_none_is_told),
		STAGED(test_influxdb3_append_samples_are_the_recorded_lines),
		STAGED(test_influxdb3_append_no_request_is_larger_than_is_taken),
		STAGED(test_influxdb3_append_refused_batch_is_its_senders),
		STAGED(test_influxdb3_append_failure_of_the_engine_is_not_its_senders),
		STAGED(test_influxdb3_append_after_the_engine_was_away_waits_for_a_set_up),
		STAGED(test_influxdb3_set_up_database_that_a_write_has_made_gets_its_retention),
		STAGED(test_influxdb3_set_up_again_changes_nothing),
		STAGED(test_influxdb3_set_up_retention_that_fails_is_given_later),
		STAGED(test_influxdb3_bad_token_nothing_is_written),
		STAGED(test_influxdb3_mean_recorded_answer_is_rows),
		STAGED(test_influxdb3_latest_recorded_answer_is_rows_and_hosts),
		STAGED(test_influxdb3_hosts_are_looked_for_day_by_day),
		STAGED(test_influxdb3_history_recorded_answer_is_points),
		STAGED(test_influxdb3_history_recorded_duplicates_are_one),
		STAGED(test_influxdb3_history_recorded_names_come_back),
		STAGED(test_influxdb3_reads_names_are_quoted_as_recorded),
		STAGED(test_influxdb3_reads_of_what_is_not_there_are_empty),
		STAGED(test_influxdb3_reads_failure_is_judged_by_the_probe),
		STAGED(test_influxdb3_reads_answer_that_is_cut_is_no_answer),
		STAGED(test_influxdb3_reads_recorded_failure_is_told),
		STAGED(test_influxdb3_history_listed_series_are_asked_for_in_parts),
		STAGED(test_influxdb2_over_influxdb3_takes_no_write_and_says_why),
		STAGED(test_influxdb2_engine_is_upgraded_takes_no_write),
		STAGED(test_influxdb2_over_influxdb3_wrong_token_takes_no_write),
		STAGED(test_influxql_over_influxdb3_goes_on_with_a_database_that_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
