/* fcgi/service.h where the store says no, or nothing: it is one that answers what a case says */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/service_fixture.h"

#include <errno.h>
#include <stdatomic.h>

#include "common/clock.h"
#include "fcgi/body.h"

/* ---- the store ---- */

static struct {
	atomic_int health, append, append_interval, hosts; /* what these give; the third: for a host's interval */
	char refusal[STORE_REFUSAL_SIZE];                   /* with -EINVAL */
	atomic_uint writes;                                 /* batches that were written */
	struct sample written;                              /* the first of the last write */
	char process[WIRE_NAME_SIZE];                       /* of it */
	atomic_long fails;    /* the allocation that fails in the writer's thread, once it has written */
	bool at_series_limit; /* the host */
	size_t means;         /* rows of mean() */
} engine;

static int engine_append(struct store *store, const struct batch *const batches[], size_t count, struct moment now,
                         char ret_refusal[static STORE_REFUSAL_SIZE])
{
	(void)store, (void)now;
	const struct sample *sample = &batches[0]->samples[0];
	int result = atomic_load(sample->metric == METRIC_INTERVAL ? &engine.append_interval : &engine.append);
	engine.written = *sample;
	snprintf(engine.process, sizeof(engine.process), "%s", sample->process);
	if (result == -EINVAL)
		snprintf(ret_refusal, STORE_REFUSAL_SIZE, "%s", engine.refusal);
	atomic_fetch_add(&engine.writes, (unsigned)count);
	failing_start(atomic_load(&engine.fails));
	return result;
}

static int engine_mean(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	(void)store, (void)query;
	*ret_rows = (struct store_rows){ .items = calloc(engine.means + 1, sizeof(*ret_rows->items)), .count = engine.means };
	for (size_t i = 0; i < engine.means; i++)
		ret_rows->items[i] = (struct store_row){ .key = { .process = "a process" }, .present = { true, true } };
	return 0;
}

static int engine_history(struct store *store, const struct query *query, struct store_history *ret_history)
{
	(void)store, (void)query;
	*ret_history = (struct store_history){ 0 };
	return 0;
}

static int engine_latest(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	(void)store, (void)query;
	*ret_rows = (struct store_rows){ 0 };
	return 0;
}

static int engine_hosts(struct store *store, int64_t from_ms, int64_t to_ms, struct store_hosts *ret_hosts)
{
	(void)store, (void)from_ms, (void)to_ms;
	int result = atomic_load(&engine.hosts);
	if (result)
		return result;
	*ret_hosts = (struct store_hosts){ .items = malloc(sizeof(*ret_hosts->items)), .count = 1 };
	ret_hosts->items[0] = (struct store_host){ .ip = "10.0.0.5", .last_seen_ms = 1000, .processes = 3,
		                                       .at_series_limit = engine.at_series_limit };
	return 0;
}

static int64_t engine_retention(struct store *store)
{
	(void)store;
	return 172800000;
}

static int engine_health(struct store *store)
{
	(void)store;
	return atomic_load(&engine.health);
}

static void engine_close(struct store *store)
{
	(void)store;
}

static const struct store_ops quick_ops = {
	.name = "engine", .appends = 1, .close = engine_close, .append = engine_append, .mean = engine_mean,
	.history = engine_history, .latest = engine_latest, .hosts = engine_hosts, .retention = engine_retention,
	.health = engine_health,
};

/* ---- the service over it ---- */

static void open_keeper(struct service *service)
{
	const struct keeper_table tables[] = { wishes_table(service->wishes), silences_table(service->silences) };
	assert_int_equal(keeper_open(service->ops, service->store, service->writer, tables, COUNT_OF(tables), &service->keeper), 0);
}

/* Puts the store of this test in the place of the service's. */
static void take_store(struct service *service, const struct store_ops *ops)
{
	keeper_close(service->keeper);
	writer_close(service->writer);
	service->ops->close(service->store);
	service->ops = ops;
	service->store = NULL;
	assert_int_equal(writer_open(ops, NULL, 1 << 20, &service->writer), 0);
	open_keeper(service);
}

static int set_up_engine(void **state, int health)
{
	memset(&engine, 0, sizeof(engine));
	atomic_store(&engine.health, health);
	set_up_with(state, "server.cache=0");
	struct fixture *f = *state;
	close_doors(f);
	f->authorization = "Bearer both";
	take_store(f->service, &quick_ops);
	return 0;
}

static int set_up(void **state)
{
	set_up_engine(state, 0);
	wait_for_wishes(*state);
	return 0;
}

static int set_up_ill(void **state)
{
	return set_up_engine(state, -ETIMEDOUT);
}

/* A body with one sample of 10.0.0.5, and `more` members. */
static const char *samples(const struct fixture *f, const char *more)
{
	static char body[512];
	snprintf(body, sizeof(body), "{\"ipaddress\": \"10.0.0.5\", \"timestamp\": %lld, \"processes\": {\"a\": [1, null]}%s}",
	         (long long)f->now_ms / 1000, more);
	return body;
}

static const char *silence(const struct fixture *f, int number)
{
	static char body[256];
	snprintf(body, sizeof(body), "{\"process\": \"java%d\", \"until\": %lld}", number, (long long)f->now_ms / 1000 + 3600);
	return body;
}

static void assert_says(const struct fixture *f, const char *words)
{
	if (!strstr(f->response.body.data, words))
		fail_msg("'%s' is not in: %s", words, f->response.body.data);
}

static double counter(const char *name)
{
	return metric_value(name, NULL, 0);
}

/* ---- what is saved ---- */

/* Whether its answer is waited for or comes later. */
static void test_service_save_what_the_store_says_is_told(void **state)
{
	struct fixture *f = *state;
	static const struct {
		int result, status;
		const char *words;
		int rejected, busy; /* what is counted */
	} cases[] = {
		{ 0, 200, "{\"Response\": \"Ok\"}\n", 0, 0 },
		{ -EINVAL, 400, "\"error\": \"the store refuses it: value out of range\"", 1, 0 },
		{ -EBUSY, 503, "\"error\": \"too many samples wait for the store\"", 0, 1 },
		{ -ENOTCONN, 503, "\"error\": \"the store does not answer\"", 0, 1 },
		{ -EDQUOT, 503, "\"error\": \"the server has as many series as server.max_series allows\"", 0, 0 },
		{ -ENOSPC, 503, "\"error\": \"the store is full\"", 0, 0 },
		{ -EIO, 503, "\"error\": \"the store failed\"", 0, 0 },
	};
	strcpy(engine.refusal, "value out of range");
	for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
		size_t n = i / 2;
		struct deferred deferred;
		double rejected = counter("vigie_rejected_total"), busy = counter("vigie_busy_total");
		atomic_store(&engine.append, cases[n].result);
		if (i % 2) {
			assert_int_equal(ask(f, "PUT", "save-all", "", samples(f, "")), cases[n].status);
			assert_says(f, cases[n].words);
			assert_int_equal(f->response.retry_after_s, cases[n].status == 503 ? 5 : 0);
		} else {
			assert_true(put_later(f, "save-all", samples(f, ""), &deferred));
			assert_int_equal(deferred.status, cases[n].status);
			assert_non_null(strstr(deferred.body, cases[n].words));
			assert_int_equal(deferred.asides, 0); /* the store is quick */
		}
		assert_true(counter("vigie_rejected_total") == rejected + cases[n].rejected);
		assert_true(counter("vigie_busy_total") == busy + cases[n].busy);
	}
	assert_int_equal(gate_inside(&f->service->gate), 0);
}

static void test_service_save_slow_store_has_what_waits_set_aside(void **state)
{
	struct fixture *f = *state;
	struct store_ops slow_ops = quick_ops;
	struct deferred deferred;
	slow_ops.slow = true;
	take_store(f->service, &slow_ops);
	assert_true(put_later(f, "save-all", samples(f, ""), &deferred));
	assert_int_equal(deferred.asides, 1);
	assert_int_equal(deferred.status, 200);
	assert_string_equal(engine.process, "a");
	assert_true(engine.written.value == 1);
	/* Who waits for its answer is not. */
	assert_int_equal(ask(f, "PUT", "save-all", "", samples(f, "")), 200);
	take_store(f->service, &quick_ops);
}

/* The one whose answer comes without memory, from the writer's thread. */
struct short_of_memory {
	struct later later; /* first */
	sem_t answered;
	bool failed;
	int status;
};

static void stop_failing(struct later *later, const struct response *response)
{
	struct short_of_memory *own = (struct short_of_memory *)later;
	own->failed = failing_stop();
	own->status = text_failed(&response->body) ? 0 : response->status;
	sem_post(&own->answered);
}

/* What is stored and cannot be told is not taken for stored: it is sent again, and replaces itself. */
static void test_service_save_answer_without_memory_is_503(void **state)
{
	struct fixture *f = *state;
	if (!FAILING_MALLOC)
		skip();
	bool refused = false, failed = true;
	for (long n = 1; failed; n++) {
		struct short_of_memory own = { .later = { .answer = stop_failing } };
		char body[512];
		sem_init(&own.answered, 0, 0);
		atomic_store(&engine.fails, n);
		snprintf(body, sizeof(body), "%s", samples(f, ""));
		struct request request = { .method = "PUT", .path = WIRE_PREFIX "save-all", .query = "", .host = "",
			                       .authorization = "Bearer both", .later = &own.later, .body = body, .body_length = strlen(body) };
		answer(f, &request);
		assert_true(f->response.is_later);
		while (sem_wait(&own.answered) != 0)
			;
		sem_destroy(&own.answered);
		failed = own.failed;
		refused = refused || own.status == 503;
		assert_true(own.status == 200 || (failed && own.status == 503));
	}
	assert_true(refused);
	atomic_store(&engine.fails, 0);
}

static void test_service_save_body_that_is_not_there_says_why(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum request_body body_state;
		int status;
		const char *words;
	} cases[] = {
		{ REQUEST_BODY_TOO_LARGE, 413, "the body is larger than the server takes" },
		{ REQUEST_BODY_CUT, 400, "the body ends before its Content-Length" },
		{ REQUEST_BODY_BROKEN, 400, "the body is not whole gzip, as its Content-Encoding says" },
		{ REQUEST_BODY_ENCODED, 415, "the Content-Encoding is neither gzip nor identity" },
	};
	static const char *const paths[] = { "save-all", "save-alarms", "save-forecasts", "silences" };
	for (size_t i = 0; i < COUNT_OF(cases) * COUNT_OF(paths); i++) {
		size_t n = i / COUNT_OF(paths);
		const char *path = paths[i % COUNT_OF(paths)];
		double rejected = counter("vigie_rejected_total");
		f->authorization = strcmp(path, "silences") == 0 ? "Bearer admin" : "Bearer both";
		f->body_state = cases[n].body_state;
		assert_int_equal(ask(f, "PUT", path, "", samples(f, "")), cases[n].status);
		assert_says(f, cases[n].words);
		assert_true(counter("vigie_rejected_total") == rejected + 1);
	}
	assert_int_equal(atomic_load(&engine.writes), 0);
}

static void test_service_save_interval_that_is_not_kept_is_in_the_log_alone(void **state)
{
	struct fixture *f = *state;
	static const struct {
		int result;
		const char *words;
	} cases[] = {
		{ -EINVAL, "the interval of 10.0.0.5 is not kept: it is odd\n" },
		{ -EIO, "the interval of 10.0.0.5 is not kept: Input/output error\n" },
	};
	strcpy(engine.refusal, "it is odd");
	log_set_level(LOG_LEVEL_DEBUG);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char report[128];
		unsigned writes = atomic_load(&engine.writes);
		atomic_store(&engine.append_interval, cases[i].result);
		/* Another than the store was told. */
		snprintf(report, sizeof(report), ", \"collector\": {\"hostname\": \"h\", \"interval_s\": %zu}", 60 + i);
		captured_stderr_begin();
		assert_int_equal(ask(f, "PUT", "save-all", "", samples(f, report)), 200);
		WAIT_FOR(captured_stderr_count(cases[i].words) == 1, 10000);
		captured_stderr_end();
		assert_int_equal(atomic_load(&engine.writes), writes + 2);
		assert_string_equal(engine.process, WIRE_HOST_ITSELF);
		assert_true(engine.written.value == 60 + (double)i);
	}
	log_set_level(LOG_LEVEL_ERROR);
}

/* ---- of services and hosts ---- */

static void test_service_save_state_that_is_said_is_told(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum wire_service from;
		bool stopped;
		const char *path, *member, *health, *state;
	} cases[] = {
		{ WIRE_ALERT, true, "save-alarms", "alert", "stopped", "stop" },
		{ WIRE_ALERT, false, "save-alarms", "alert", "ok", "run" },
		{ WIRE_NOBODY, false, "save-alarms", "alert", "ok", "unsupported" },
		{ WIRE_FORECAST, true, "save-forecasts", "forecast", "stopped", "stop" },
		{ WIRE_FORECAST, false, "save-forecasts", "forecast", "ok", "run" },
		{ WIRE_ALERT, true, "save-forecasts", "forecast", "ok", "unsupported" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char words[96];
		f->from = cases[i].from;
		f->stopped = cases[i].stopped;
		assert_int_equal(ask(f, "PUT", cases[i].path, "", "{\"data\": []}"), 200);
		assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
		snprintf(words, sizeof(words), "\"%s\": {\"status\": \"%s\"", cases[i].member, cases[i].health);
		assert_says(f, words);
		assert_int_equal(ask(f, "GET", "services", "", NULL), 200);
		snprintf(words, sizeof(words), "\"%s\": {\"wish\": \"run\", \"state\": \"%s\"", cases[i].member, cases[i].state);
		assert_says(f, words);
	}
}

/* Whoever asks says who it is, and is told what it is to do; who does not say is told nothing. */
static void test_service_wish_is_told_to_whom_it_is_about(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum wire_service from;
		bool stopped;
		const char *path, *told; /* NULL: nothing */
	} cases[] = {
		{ WIRE_NOBODY, false, "save-all", NULL },
		{ WIRE_COLLECTOR, false, "save-all", "stop" }, /* from 10.0.0.5 */
		{ WIRE_ALERT, false, "save-alarms", "run" },
		{ WIRE_FORECAST, true, "save-forecasts", "stop" },
	};
	f->authorization = "Bearer admin";
	assert_int_equal(ask(f, "POST", "services/collector/stop", "ip=10.0.0.5", NULL), 200);
	assert_int_equal(ask(f, "POST", "services/forecast/stop", "", NULL), 200);
	f->authorization = "Bearer both";
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		f->from = cases[i].from;
		f->stopped = cases[i].stopped;
		bool all = strcmp(cases[i].path, "save-all") == 0;
		assert_int_equal(ask(f, "PUT", cases[i].path, "", all ? samples(f, "") : "{\"data\": []}"), 200);
		if (cases[i].told)
			assert_string_equal(f->response.state, cases[i].told);
		else
			assert_null(f->response.state);
	}
	/* A collector that only asks has no address that it is known by: it looks whether it is its own that is to stop. */
	f->from = WIRE_COLLECTOR;
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_string_equal(f->response.state, "stop");
	f->from = WIRE_ALERT;
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_string_equal(f->response.state, "run");
}

/* Until the store has told what is wished, all stay as they are. */
static void test_service_wish_not_known_yet_changes_nothing(void **state)
{
	struct fixture *f = *state;
	for (int stopped = 0; stopped < 2; stopped++) {
		f->stopped = stopped;
		f->from = WIRE_ALERT;
		assert_int_equal(ask(f, "PUT", "save-alarms", "", "{\"data\": []}"), 200);
		assert_string_equal(f->response.state, stopped ? "stop" : "run");
	}
}

static void test_service_settings_not_known_yet_are_neither_told_nor_taken(void **state)
{
	struct fixture *f = *state;
	static const char *const cases[][2] = {
		{ "PUT", "silences" }, { "DELETE", "silences/0123456789abcdef" }, { "GET", "silences" },
		{ "POST", "services/collector/stop" }, { "GET", "services" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		f->authorization = strcmp(cases[i][0], "GET") == 0 ? "Bearer both" : "Bearer admin";
		assert_int_equal(ask(f, cases[i][0], cases[i][1], "", silence(f, 0)), 503);
		assert_says(f, "\"error\": \"the store does not answer\"");
		assert_int_equal(f->response.retry_after_s, 5);
	}
	assert_int_equal(atomic_load(&engine.writes), 0);
}

static void test_service_hosts_of_one_address_are_said_once_and_shown(void **state)
{
	struct fixture *f = *state;
	static const char *const hostnames[] = { "a", "b", "a", "b" };
	log_set_level(LOG_LEVEL_WARNING);
	captured_stderr_begin();
	for (size_t i = 0; i < COUNT_OF(hostnames); i++) {
		char report[64];
		snprintf(report, sizeof(report), ", \"collector\": {\"hostname\": \"%s\"}", hostnames[i]);
		assert_int_equal(ask(f, "PUT", "save-all", "", samples(f, report)), 200);
	}
	captured_stderr_end();
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(captured_stderr_count("several hosts are heard from the address 10.0.0.5, lately a: "), 1);
	assert_int_equal(captured_stderr_count("several hosts"), 1);
	assert_int_equal(ask(f, "GET", "hosts", "", NULL), 200);
	assert_says(f, "\"hostname\": \"b\", \"shared_by\": [\"a\", \"b\"], ");
	assert_int_equal(ask(f, "GET", "hosts", "format=csv", NULL), 200);
	assert_says(f, ",10.0.0.5,3,b,a b,");
	collectors_keep(f->service->collectors, "10.0.0.6", &(struct collector_report){ .hostname = "x" }, clock_wall_ms(), 0);
	collectors_keep(f->service->collectors, "10.0.0.6", &(struct collector_report){ .hostname = "y" }, clock_wall_ms(), 0);
	collectors_keep(f->service->collectors, "10.0.0.6", &(struct collector_report){ .hostname = "x" }, clock_wall_ms(), 0);
	assert_int_equal(ask(f, "GET", "health", "", NULL), 200);
	assert_says(f, "\"shared_addresses\": [\"10.0.0.5\", \"10.0.0.6\"]}\n");
}

static void test_service_hosts_what_is_said_of_one_is_in_both_forms(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *report; /* of its collector; NULL: none */
		bool at_limit;
		const char *json, *csv;
	} cases[] = {
		{ NULL, true, "\"interval_s\": null, \"at_series_limit\": true, \"clock_offset_s\": null, \"partial\": null, "
		  "\"counters\": null}}\n", "Z,10.0.0.5,3,,,,,,,true,,,,,,,,,\r\n" },
		{ "\"hostname\": \"h\", \"interval_s\": 60, \"clock_offset_s\": 0.5, \"partial\": true, "
		  "\"counters\": {\"sent\": 7, \"dropped\": 0}", false,
		  "\"interval_s\": 60, \"at_series_limit\": false, \"clock_offset_s\": 0.5, \"partial\": true, "
		  "\"counters\": {\"sent\": 7, \"dropped\": 0}}}\n", "Z,10.0.0.5,3,h,,,,,60,false,0.5,true,7,,,0,,,\r\n" },
		{ "\"hostname\": \"h\", \"partial\": false", false, "\"partial\": false, \"counters\": null}}\n",
		  "Z,10.0.0.5,3,h,,,,,,false,,false,,,,,,,\r\n" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char report[256];
		engine.at_series_limit = cases[i].at_limit;
		snprintf(report, sizeof(report), ", \"collector\": {%s}", cases[i].report ? cases[i].report : "");
		if (cases[i].report)
			assert_int_equal(ask(f, "PUT", "save-all", "", samples(f, report)), 200);
		assert_int_equal(ask(f, "GET", "hosts", "", NULL), 200);
		assert_says(f, cases[i].json);
		assert_int_equal(ask(f, "GET", "hosts", "format=csv", NULL), 200);
		assert_says(f, cases[i].csv);
		assert_int_equal(ask(f, "GET", "hosts", "ip=10.0.0.6", NULL), 200);
		assert_string_equal(f->response.body.data, "{}\n");
	}
}

/* ---- what administrators set ---- */

static void test_service_settings_what_the_store_says_is_told(void **state)
{
	struct fixture *f = *state;
	static const struct {
		int result;
		const char *words;
	} cases[] = {
		{ -EINVAL, "\"error\": \"the store refuses it: it is odd\"" },
		{ -ENOSPC, "\"error\": \"the store is full\"" },
		{ -ENOBUFS, "\"error\": \"the requests under way hold as much memory as they may\"" },
		{ -EIO, "\"error\": \"the store failed\"" },
	};
	char path[64];
	strcpy(engine.refusal, "it is odd");
	f->authorization = "Bearer admin";
	assert_int_equal(ask(f, "PUT", "silences", "", silence(f, 0)), 200);
	snprintf(path, sizeof(path), "silences/%.16s", strstr(f->response.body.data, "\"id\": \"") + strlen("\"id\": \""));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		atomic_store(&engine.append, cases[i].result);
		assert_int_equal(ask(f, "PUT", "silences", "", silence(f, 1)), 503);
		assert_says(f, cases[i].words);
		assert_int_equal(ask(f, "DELETE", path, "", NULL), 503);
		assert_says(f, cases[i].words);
		assert_int_equal(ask(f, "POST", "services/collector/stop", "ip=10.0.0.5", NULL), 503);
		assert_says(f, cases[i].words);
		/* What is not stored does not count. */
		assert_int_equal(silences_count(f->service->silences, f->now_ms), 1);
		assert_false(wishes_stop_any(f->service->wishes, WIRE_COLLECTOR));
	}
	atomic_store(&engine.append, 0);
	assert_int_equal(ask(f, "DELETE", path, "", NULL), 200);
	assert_int_equal(silences_count(f->service->silences, f->now_ms), 0);
	assert_int_equal(gate_inside(&f->service->gate), 0);
}

static void test_service_settings_of_more_than_there_may_be_are_refused(void **state)
{
	struct fixture *f = *state;
	f->authorization = "Bearer admin";
	for (int i = 0; i < SILENCES_MAX; i++)
		assert_int_equal(ask(f, "PUT", "silences", "", silence(f, i)), 200);
	assert_int_equal(ask(f, "PUT", "silences", "", silence(f, SILENCES_MAX)), 503);
	assert_says(f, "\"error\": \"there are 1000 silences: end some, or let some end\"");
	assert_int_equal(ask(f, "PUT", "silences", "", silence(f, 0)), 200); /* one that is there is set anew */
	assert_int_equal(silences_count(f->service->silences, f->now_ms), SILENCES_MAX);

	for (int i = 0; i < WISHES_MAX; i++) {
		struct wish wish = { .service = WIRE_COLLECTOR, .stop = true, .time_ms = f->now_ms };
		snprintf(wish.ip, sizeof(wish.ip), "10.%d.%d.%d", 1 + i / 65536, i / 256 % 256, i % 256);
		assert_int_equal(wishes_take(f->service->wishes, &wish), 0);
	}
	assert_int_equal(ask(f, "POST", "services/collector/stop", "ip=10.0.0.5", NULL), 503);
	assert_says(f, "\"error\": \"too many hosts have a wish of their own\"");
}

static void test_service_command_is_of_services_and_hosts_that_there_are(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *path, *query;
		int hosts; /* the store's answer */
		int status;
		const char *words;
	} cases[] = {
		{ "services/alert/stop", "ip=10.0.0.5", 0, 400, "only collectors have a host of their own\", \"field\": \"ip\"" },
		{ "services/collector/halt", "", 0, 404, "no such" },
		{ "services/alerts/stop", "", 0, 404, "no such" },
		{ "services/collector/stop", "ip=10.0.0.6", 0, 404, "no host with this address is known\", \"field\": \"ip\"" },
		{ "services/collector/stop", "ip=10.0.0.5", -EIO, 503, "the store failed" },
		{ "services/collector/stop", "ip=10.0.0.5", 0, 200, "Ok" },
		{ "services/collector/start", "ip=10.0.0.5", -EIO, 200, "Ok" }, /* it has a wish: the store is not asked */
		{ "services/collector/stop", "ip=10.0.0.7", -EIO, 200, "Ok" }, /* its collector is heard of */
	};
	f->authorization = "Bearer admin";
	collectors_keep(f->service->collectors, "10.0.0.7", &(struct collector_report){ .hostname = "x" }, clock_wall_ms(), 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		atomic_store(&engine.hosts, cases[i].hosts);
		unsigned writes = atomic_load(&engine.writes);
		if (ask(f, "POST", cases[i].path, cases[i].query, NULL) != cases[i].status)
			fail_msg("%s?%s: %d", cases[i].path, cases[i].query, f->response.status);
		assert_says(f, cases[i].words);
		assert_int_equal(atomic_load(&engine.writes) - writes, cases[i].status == 200);
	}
	assert_true(wishes_stop(f->service->wishes, WIRE_COLLECTOR, "10.0.0.7"));
	assert_false(wishes_stop(f->service->wishes, WIRE_COLLECTOR, "10.0.0.5"));
	assert_int_equal(gate_inside(&f->service->gate), 0);
}

/* Of a host that only a wish tells of, its collector, or its samples. */
static void test_service_services_shows_each_host_once(void **state)
{
	struct fixture *f = *state;
	const struct wish wish = { .service = WIRE_COLLECTOR, .ip = "10.0.0.4", .stop = true, .time_ms = f->now_ms };
	assert_int_equal(wishes_take(f->service->wishes, &wish), 0);
	collectors_keep(f->service->collectors, "10.0.0.5", &(struct collector_report){ .hostname = "five" }, f->now_ms, 0);
	collectors_keep(f->service->collectors, "10.0.0.6", &(struct collector_report){ .hostname = "six" }, f->now_ms, 0);
	assert_int_equal(ask(f, "GET", "services", "", NULL), 200);
	cJSON *answer = cJSON_Parse(f->response.body.data);
	const cJSON *hosts = cJSON_GetObjectItem(cJSON_GetObjectItem(answer, "collector"), "hosts");
	static const char *const ips[] = { "10.0.0.4", "10.0.0.5", "10.0.0.6" }, *const hostnames[] = { NULL, "five", "six" };
	assert_int_equal(cJSON_GetArraySize(hosts), 3);
	for (int i = 0; i < 3; i++) {
		const cJSON *host = cJSON_GetArrayItem(hosts, i);
		const char *hostname = cJSON_GetStringValue(cJSON_GetObjectItem(host, "hostname"));
		assert_string_equal(host->string, ips[i]);
		assert_true(hostnames[i] ? hostname && strcmp(hostname, hostnames[i]) == 0 : !hostname);
		assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(host, "wish")), i == 0 ? "stop" : "run");
		assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(host, "state")), i == 0 ? "unknown" : "unsupported");
		const cJSON *last = cJSON_GetObjectItem(host, "last_report");
		assert_true(i == 0 ? cJSON_IsNull(last) : last->valuedouble * 1000 == (double)f->now_ms);
	}
	cJSON_Delete(answer);
	assert_int_equal(ask(f, "GET", "services", "ip=10.0.0.6&format=csv", NULL), 200);
	assert_null(strstr(f->response.body.data, ",10.0.0.5,"));
	assert_says(f, "Z,10.0.0.6,collector,six,run,unsupported\r\n");
}

/* ---- places ---- */

static void fill_gate(struct fixture *f, enum gate_kind kind)
{
	while (gate_try(&f->service->gate, kind))
		;
}

static void empty_gate(struct fixture *f, enum gate_kind kind)
{
	while (f->service->gate.places[kind].inside > 0)
		gate_leave(&f->service->gate, kind);
}

static void test_service_no_place_is_told_after_a_moment(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *method, *path, *token, *words;
	} cases[] = {
		{ "PUT", "save-all", "Bearer both", "the store does not answer" },
		{ "PUT", "silences", "Bearer admin", "the store does not answer" },
		{ "POST", "services/collector/stop", "Bearer admin", "the store does not answer" },
		{ "GET", "latest", "Bearer both", "the store does not answer" },
	};
	f->service->gate.places[GATE_WRITE].patience_ms = 20;
	f->service->gate.places[GATE_READ].patience_ms = 20;
	fill_gate(f, GATE_WRITE);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		double busy = counter("vigie_busy_total");
		bool save = strcmp(cases[i].path, "save-all") == 0;
		f->authorization = cases[i].token;
		assert_int_equal(ask(f, cases[i].method, cases[i].path, "", save ? samples(f, "") : silence(f, 0)), 503);
		assert_says(f, cases[i].words);
		assert_true(counter("vigie_busy_total") == busy + 1);
	}
	/* Who waits says so before it does. */
	struct deferred deferred;
	f->authorization = "Bearer admin";
	assert_false(put_later(f, "silences", silence(f, 0), &deferred));
	assert_int_equal(deferred.waits, 1);
	assert_int_equal(f->response.status, 503);
	assert_int_equal(atomic_load(&engine.writes), 0);
	empty_gate(f, GATE_WRITE);
	assert_false(put_later(f, "silences", silence(f, 0), &deferred));
	assert_int_equal(deferred.waits, 1);
	assert_int_equal(f->response.status, 200);

	/* While the store answers writers it is the readers who are too many. */
	fill_gate(f, GATE_READ);
	f->service->gate.places[GATE_WRITE].patience_ms = 60000;
	f->authorization = "Bearer both";
	assert_int_equal(ask(f, "PUT", "save-all", "", samples(f, "")), 200);
	assert_int_equal(ask(f, "GET", "latest", "", NULL), 503);
	assert_says(f, "too many reads are under way");
	empty_gate(f, GATE_READ);
}

/* An answer that waits for room to be sent holds its place until it is, made or shared. */
static void test_service_read_large_answer_holds_its_place_until_it_is_sent(void **state)
{
	struct fixture *f = *state;
	struct deferred deferred = { .later = { .wait = count_wait } };
	engine.means = 60000; /* some 30 bytes each */
	shared_reads_set_max_age(f->service->reads, 60000);
	for (int i = 0; i < 3; i++) {
		struct request request = { .method = "GET", .path = WIRE_PREFIX "get-all", .query = "", .authorization = "Bearer both",
			                       .host = "", .accept = "", .later = &deferred.later };
		struct response response = RESPONSE_NEW;
		double shared = counter("vigie_shared_reads_total");
		assert_true(routes_admit(f->service, &request, &response));
		routes_handle(f->service, &request, &response);
		assert_int_equal(response.status, 200);
		assert_true(response_body(&response)->length > 1 << 20);
		assert_true(request.has_place);
		assert_int_equal(gate_inside(&f->service->gate), 1);
		assert_int_equal(deferred.waits, i + 1);
		assert_true(counter("vigie_shared_reads_total") == shared + (i > 0));
		routes_sent(f->service, &request);
		assert_int_equal(gate_inside(&f->service->gate), 0);
		response_free(&response);
	}
	engine.means = 1;
	shared_reads_set_max_age(f->service->reads, 0);
	assert_int_equal(ask(f, "GET", "get-all", "", NULL), 200);
	assert_int_equal(gate_inside(&f->service->gate), 0);
}

/* ---- what it is opened with ---- */

static void set_text(char **option, const char *value)
{
	free(*option);
	*option = strdup(value);
}

static void test_service_check_names_what_cannot_be(void **state)
{
	(void)state;
	struct config *config = config_in("/tmp", NULL);
	struct text error = TEXT_EMPTY;
	assert_int_equal(service_check(config, &error), 0);
	assert_null(error.data);

	set_text(&config->server.store, "paper");
	set_text(&config->server.store_place, "vigie.conf:3");
	assert_int_equal(service_check(config, &error), -EINVAL);
	assert_string_equal(error.data, "vigie.conf:3: server.store: 'paper' is no engine: there are sqlite, influxdb3, influxdb2, "
	                                "influxql, victoriametrics");
	set_text(&config->server.store, "sqlite");

	static const struct {
		const char *proxy;
		int64_t threads, memory_bodies;
		int result;
		const char *words;
	} cases[] = {
		{ "ftp://proxy", 0, 16, -EINVAL, "server.store_proxy" },
		{ "none", 3, 16, -EINVAL, "server.threads: at least 4 are needed" },
		{ "none", 4, 15, -EINVAL, "server.memory: at least 16 times server.max_body is needed" },
		{ "none", 4, 16, 0, NULL },
		{ "none", 0, 16, 0, NULL },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		text_free(&error);
		set_text(&config->server.store_proxy, cases[i].proxy);
		config->server.threads = cases[i].threads;
		config->server.memory = cases[i].memory_bodies * config->server.max_body;
		assert_int_equal(service_check(config, &error), cases[i].result);
		if (!cases[i].words ? error.data != NULL : !strstr(error.data, cases[i].words))
			fail_msg("case %zu: %s", i, error.data);
	}
	text_free(&error);
	set_text(&config->server.read_tokens, "/nowhere/tokens");
	assert_int_equal(service_check(config, &error), -ENOENT);
	assert_non_null(strstr(error.data, "/nowhere/tokens"));
	text_free(&error);
	config_free(config);
}

static void test_service_close_accepts_null(void **state)
{
	(void)state;
	service_close(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CASE_ILL(name) cmocka_unit_test_setup_teardown(name, set_up_ill, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_service_save_what_the_store_says_is_told),
		CASE(test_service_save_slow_store_has_what_waits_set_aside),
		CASE(test_service_save_answer_without_memory_is_503),
		CASE(test_service_save_body_that_is_not_there_says_why),
		CASE(test_service_save_interval_that_is_not_kept_is_in_the_log_alone),
		CASE(test_service_save_state_that_is_said_is_told),
		CASE(test_service_wish_is_told_to_whom_it_is_about),
		CASE_ILL(test_service_wish_not_known_yet_changes_nothing),
		CASE_ILL(test_service_settings_not_known_yet_are_neither_told_nor_taken),
		CASE(test_service_hosts_of_one_address_are_said_once_and_shown),
		CASE(test_service_hosts_what_is_said_of_one_is_in_both_forms),
		CASE(test_service_settings_what_the_store_says_is_told),
		CASE(test_service_settings_of_more_than_there_may_be_are_refused),
		CASE(test_service_command_is_of_services_and_hosts_that_there_are),
		CASE(test_service_services_shows_each_host_once),
		CASE(test_service_no_place_is_told_after_a_moment),
		CASE(test_service_read_large_answer_holds_its_place_until_it_is_sent),
		cmocka_unit_test(test_service_check_names_what_cannot_be),
		cmocka_unit_test(test_service_close_accepts_null),
	};
	log_set_level(LOG_LEVEL_ERROR);
	body_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
