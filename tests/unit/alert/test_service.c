/* alert/service.h, against a server in a thread, at simulated times */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/service.h"
#include "common/config.h"
#include "common/log.h"
#include "common/whole_file.h"
#include "common/wire.h"

#define START INT64_C(1795356010000)
#define INTERVAL 10000

static char folder[TEMPORARY_FOLDER_SIZE];
static char paths[6][TEMPORARY_FOLDER_SIZE + 16];
enum { LOG, OTHER_LOG, STATE, OTHER_STATE, BROKEN_STATE, HOOK_OUTPUT };

/* Set between requests: the client waits for each answer. */
static struct {
	struct http_server *http;
	char latest[256];      /* the body of the answer to GET latest; "": it is 503 */
	const char *forecasts; /* likewise */
	const char *silences;  /* likewise; "404": it knows none */
	const char *kills;     /* likewise */
	const char *hosts;     /* likewise */
	const char *headers;   /* of all answers; NULL: no more of them */
	struct text reported;  /* the body of the last PUT */
	struct text said;      /* what alert.log held when the forecasts were asked for */
} server;

/* 0 without a file. */
static size_t count_in(const char *path, const char *words)
{
	struct text content = TEXT_EMPTY;
	size_t count = 0;
	int result = whole_file_read(path, &content);
	assert_true(result == 0 || result == -ENOENT);
	for (const char *at = content.data ? strstr(content.data, words) : NULL; at; at = strstr(at + 1, words))
		count++;
	text_free(&content);
	return count;
}

static bool answer(void *user, const struct http_server_request *request, struct text *ret_answer)
{
	(void)user;
	const char *body = "{}";
	if (strncmp(request->head, "GET /latest ", 12) == 0) {
		body = server.latest;
	} else if (strncmp(request->head, "GET /forecasts ", 15) == 0) {
		body = server.forecasts;
		text_reset(&server.said);
		(void)!whole_file_read(paths[LOG], &server.said);
	} else if (strncmp(request->head, "GET /silences ", 14) == 0) {
		body = server.silences;
	} else if (strncmp(request->head, "GET /oom-kills?", 15) == 0) {
		body = server.kills;
	} else if (strncmp(request->head, "GET /hosts ", 11) == 0) {
		body = server.hosts;
	} else if (strncmp(request->head, "PUT ", 4) == 0) {
		text_reset(&server.reported);
		text_append_string(&server.reported, request->body);
	}
	http_server_format(strcmp(body, "404") == 0 ? 404 : body[0] ? 200 : 503, server.headers, body, ret_answer);
	return true;
}

static void wait_for_request(const char *start)
{
	for (int i = 0; i < 60000 && http_server_count(server.http, start) == 0; i++)
		usleep(1000);
	assert_int_not_equal(http_server_count(server.http, start), 0);
}

static struct config *make_config(const char *more, const char *still_more)
{
	char overrides[3][TEMPORARY_FOLDER_SIZE + 32];
	char *all[] = { overrides[0], overrides[1], overrides[2], (char *)(uintptr_t)more, (char *)(uintptr_t)still_more };
	struct text error = TEXT_EMPTY;
	struct config *config;
	snprintf(overrides[0], sizeof(overrides[0]), "alert.url=%s/", http_server_url(server.http));
	snprintf(overrides[1], sizeof(overrides[1]), "alert.log=%s", paths[LOG]);
	snprintf(overrides[2], sizeof(overrides[2]), "alert.state=%s", paths[STATE]);
	if (config_load(NULL, all, still_more ? 5 : more ? 4 : 3, &config, &error) != 0)
		fail_msg("%s", error.data);
	return config;
}

static int empty_folder(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		unlink(paths[i]);
	server.forecasts = "{}";
	server.silences = "[]";
	server.kills = "[]";
	server.hosts = "{}";
	server.headers = NULL;
	http_server_forget(server.http);
	return 0;
}

/* The configuration is gone when it returns: nothing of it is borrowed. */
static struct service *open_service(const char *more)
{
	struct text error = TEXT_EMPTY;
	struct service *service;
	struct config *config = make_config(more, NULL);
	if (service_open(config, NULL, &service, &error) != 0)
		fail_msg("%s", error.data);
	config_free(config);
	return service;
}

static void reload(struct service *service, const char *more, const char *still_more)
{
	struct config *config = make_config(more, still_more);
	service_reload(service, config, NULL);
	config_free(config);
}

/* A round in which java has this value. */
static void evaluate(struct service *service, int64_t tick, double value)
{
	int64_t time_ms = START + tick * INTERVAL;
	snprintf(server.latest, sizeof(server.latest), "{\"10.0.0.5\": {\"java\": {\"cpu\": [%lld, %g]}}}",
	         (long long)time_ms / 1000, value);
	assert_true(service_evaluate(service, time_ms, time_ms + 5000, false));
}

static void test_service_evaluate_a_red_is_said_before_the_forecasts_are_asked_for(void **state)
{
	(void)state;
	char hook[TEMPORARY_FOLDER_SIZE + 32];
	snprintf(hook, sizeof(hook), "alert.hook=%s/hook", folder);
	struct service *service = open_service(hook);
	evaluate(service, 0, 83.1);
	const char *line = "2026-11-22T14:00:15.000Z RED ip=10.0.0.5 process=\"java\" resource=cpu value=83.10 threshold=80 "
	                   "since=2026-11-22T14:00:10Z\n";
	assert_string_equal(server.said.data, line);
	assert_non_null(strstr(server.reported.data, "\"process_name\": \"java\", \"type_data\": \"cpu\", \"color\": \"red\""));
	assert_int_equal(count_in(paths[STATE], "\"color\": \"red\""), 1);
	/* The hook is run meanwhile, some time or other. */
	for (int i = 0; i < 60000 && count_in(paths[HOOK_OUTPUT], "\n") == 0; i++)
		usleep(1000);
	evaluate(service, 1, 83.2);
	service_close(service);
	assert_int_equal(count_in(paths[LOG], "\n"), 1);
	assert_int_equal(count_in(paths[HOOK_OUTPUT], "RED ip=10.0.0.5 process=java "), 1);
}

static void test_service_open_goes_on_from_the_state(void **state)
{
	(void)state;
	struct service *service = open_service(NULL);
	evaluate(service, 0, 83.1);
	service_close(service);
	service = open_service(NULL);
	for (int64_t tick = 1; tick <= 3; tick++)
		evaluate(service, tick, 50);
	service_close(service);
	assert_int_equal(count_in(paths[LOG], " RED "), 1);
	assert_int_equal(count_in(paths[LOG], " CLEAR "), 1);
}

/* The disk of alert.log is full when a RED comes, and has room again after the restart. */
static void test_service_open_writes_the_lines_that_could_not_be_written(void **state)
{
	(void)state;
	struct service *service = open_service("alert.log=/dev/full");
	evaluate(service, 0, 83.1);
	evaluate(service, 1, 83.1);
	assert_int_equal(count_in(paths[STATE], "RED ip=10.0.0.5"), 1);
	service_save(service);
	service_close(service);

	/* Killed as soon as it has written them; what the next one finds there it does not write again. */
	struct text saved = TEXT_EMPTY;
	assert_int_equal(whole_file_read(paths[STATE], &saved), 0);
	service_close(open_service(NULL));
	assert_int_equal(count_in(paths[LOG], "2026-11-22T14:00:15.000Z RED "), 1);
	assert_int_equal(count_in(paths[STATE], "RED ip=10.0.0.5"), 0);
	assert_int_equal(whole_file_replace(paths[STATE], &saved), 0);
	text_free(&saved);
	service = open_service(NULL);
	for (int64_t tick = 2; tick <= 4; tick++)
		evaluate(service, tick, 50);
	service_close(service);
	assert_int_equal(count_in(paths[LOG], " RED "), 1);
	assert_int_equal(count_in(paths[LOG], " CLEAR "), 1);
	assert_int_equal(count_in(paths[LOG], "\n"), 2);
}

/* Those that there was no place for are counted, and that is said once they can be: after the restart, too. */
static void test_service_open_says_how_many_lines_are_lost(void **state)
{
	(void)state;
	service_close(open_service(NULL));
	struct text content = TEXT_EMPTY, changed = TEXT_EMPTY;
	assert_int_equal(whole_file_read(paths[STATE], &content), 0);
	const char *end = strrchr(content.data, '}');
	text_printf(&changed, "%.*s, \"lost\": 17, \"unwritten\": [\"a line\"]}\n", (int)(end - content.data), content.data);
	assert_int_equal(whole_file_replace(paths[STATE], &changed), 0);
	for (int run = 0; run < 3; run++) {
		captured_stderr_begin();
		struct service *service = open_service(run == 0 ? "alert.log=/dev/full" : NULL);
		evaluate(service, run, 50);
		service_save(service);
		service_close(service);
		captured_stderr_end();
		assert_int_equal(captured_stderr_count("17 lines of "), run == 1);
	}
	text_free(&content);
	text_free(&changed);
}

/* The disk of the state is full from the start of an alarm on, and the service is killed. */
static void test_service_open_goes_on_from_the_log_where_the_state_is_older(void **state)
{
	(void)state;
	char in_the_way[sizeof(paths[STATE]) + 8];
	snprintf(in_the_way, sizeof(in_the_way), "%s.new", paths[STATE]);
	struct service *service = open_service(NULL);
	evaluate(service, 0, 50);
	service_save(service);
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	evaluate(service, 1, 83.1);
	assert_int_equal(count_in(paths[LOG], " RED "), 1);
	assert_int_equal(count_in(paths[STATE], "\"color\": \"red\""), 0);
	service_close(service);

	assert_int_equal(rmdir(in_the_way), 0);
	service = open_service(NULL);
	assert_int_equal(count_in(paths[STATE], "\"color\": \"red\""), 1);
	evaluate(service, 2, 83.1);
	assert_non_null(strstr(server.reported.data, "\"color\": \"red\", \"value\": 83.1, \"threshold\": 80, \"since\": 1795356020}"));
	for (int64_t tick = 3; tick <= 5; tick++)
		evaluate(service, tick, 50);
	service_close(service);
	assert_int_equal(count_in(paths[LOG], " RED "), 1);
	assert_int_equal(count_in(paths[LOG], " CLEAR "), 1);
	assert_int_equal(count_in(paths[LOG], " since=2026-11-22T14:00:20Z\n"), 2);
}

/* It is killed with its first lines written, before it has saved an evaluation. The line is later than any clock of a test. */
static void test_service_open_goes_on_from_the_log_of_a_first_run(void **state)
{
	(void)state;
	struct text line = TEXT_EMPTY;
	service_close(open_service(NULL));
	text_append_string(&line, "2099-11-22T14:00:15.000Z RED ip=10.0.0.5 process=\"java\" resource=cpu value=83.10 threshold=80 "
	                   "since=2026-11-22T14:00:10Z\n");
	assert_int_equal(whole_file_replace(paths[LOG], &line), 0);
	text_free(&line);
	struct service *service = open_service(NULL);
	evaluate(service, 0, 83.1);
	service_close(service);
	assert_int_equal(count_in(paths[LOG], " RED "), 1);
}

static void test_service_open_broken_state_is_moved_aside(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY;
	text_append_string(&content, "nonsense");
	assert_int_equal(whole_file_replace(paths[STATE], &content), 0);
	text_free(&content);
	service_close(open_service(NULL));
	assert_int_equal(count_in(paths[BROKEN_STATE], "nonsense"), 1);
	assert_int_equal(count_in(paths[STATE], "\"vigie-alert\""), 1);
}

/* Once more after each: what stood stands, and nothing is said twice. */
static void test_service_open_each_failing_allocation_keeps_the_state(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	char hook[TEMPORARY_FOLDER_SIZE + 32];
	snprintf(hook, sizeof(hook), "alert.hook=%s/hook", folder);
	struct config *config = make_config(hook, "alert.alertmanager=http://127.0.0.1:1/");
	struct service *service = open_service(NULL);
	evaluate(service, 0, 83.1);
	service_close(service);
	captured_stderr_begin(); /* what it can do without is logged */
	bool failed = true;
	for (long number = 1; failed; number++) {
		struct text error = TEXT_EMPTY;
		failing_start(number);
		int result = service_open(config, NULL, &service, &error);
		failed = failing_stop();
		if (result == 0)
			service_close(service);
		if (result && !failed)
			fail_msg("allocation %ld: %d %s", number, result, error.data);
		if (count_in(paths[STATE], "\"color\": \"red\"") != 1 || access(paths[BROKEN_STATE], F_OK) == 0)
			fail_msg("allocation %ld: the state is lost", number);
		text_free(&error);
	}
	captured_stderr_end();
	config_free(config);
	assert_int_equal(count_in(paths[LOG], "\n"), 1);
}

/* The log has a line more than the state knows of: it is taken, or the service does not start and it is taken the next time. */
static void test_service_open_each_failing_allocation_goes_on_from_the_log(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct text older = TEXT_EMPTY, lines = TEXT_EMPTY;
	struct service *service = open_service(NULL);
	evaluate(service, 0, 50);
	service_close(service);
	assert_int_equal(whole_file_read(paths[STATE], &older), 0);
	text_append_string(&lines, "2026-11-22T14:00:16.000Z RED ip=10.0.0.5 process=\"java\" resource=cpu value=83.10 threshold=80 since=2026-11-22T14:00:10Z\n"
	                           "2026-11-22T14:00:16.000Z RED ip=10.0.0.6 process=\"java\" resource=cpu value=83.10 threshold=80 since=2026-11-22T14:00:10Z\n");
	struct config *config = make_config(NULL, NULL);
	captured_stderr_begin();
	bool failed = true, told = false;
	size_t said = 0;
	for (long number = 1; failed; number++) {
		struct text error = TEXT_EMPTY;
		assert_int_equal(whole_file_replace(paths[STATE], &older), 0);
		assert_int_equal(whole_file_replace(paths[LOG], &lines), 0);
		failing_start(number);
		int result = service_open(config, NULL, &service, &error);
		failed = failing_stop();
		assert_true(failed ? result <= 0 : result == 0);
		told = told || result == -ENOMEM;
		service_close(result == 0 ? service : open_service(NULL));
		/* That the log cannot be read keeps it from nothing else, and is said. */
		bool unread = captured_stderr_count("; a line may come twice") > said;
		said += unread;
		if (unread)
			service_close(open_service(NULL));
		if (count_in(paths[STATE], "\"color\": \"red\"") != 2 || count_in(paths[LOG], "\n") != 2)
			fail_msg("allocation %ld: a line is lost, or there twice", number);
		text_free(&error);
	}
	captured_stderr_end();
	assert_true(told);
	config_free(config);
	text_free(&older);
	text_free(&lines);
}

/* It has what it had or what is new, part by part; and all of it after another reload. */
static void test_service_reload_each_failing_allocation_keeps_it_at_work(void **state)
{
	if (!FAILING_MALLOC)
		skip();
	char more[TEMPORARY_FOLDER_SIZE + 32];
	snprintf(more, sizeof(more), "alert.state=%s", paths[OTHER_STATE]);
	struct config *config = make_config(more, "alert.threshold=40");
	config->alert.clear = 30;
	captured_stderr_begin();
	bool failed = true;
	for (long number = 1; failed; number += 1 + number / 32) {
		struct service *service = open_service(NULL);
		evaluate(service, 0, 83.1);
		failing_start(number);
		service_reload(service, config, NULL);
		failed = failing_stop();
		for (int64_t tick = 1; tick <= 3; tick++)
			evaluate(service, tick, 35);
		size_t cleared = count_in(paths[LOG], " CLEAR "); /* by the rules that there were */
		assert_int_equal(count_in(paths[LOG], "\n"), 1 + cleared);
		service_reload(service, config, NULL);
		evaluate(service, 4, 50);
		if (count_in(paths[LOG], " RED ") != 1 + cleared || count_in(paths[OTHER_STATE], "\"color\": \"red\"") != 1)
			fail_msg("allocation %ld: %zu, %zu", number, cleared, count_in(paths[LOG], " RED "));
		service_close(service);
		empty_folder(state);
	}
	captured_stderr_end();
	config_free(config);
}

/* A RED that comes when memory is short is said once, then or in the next round. Most of the allocations are those of requests. */
static void test_service_evaluate_each_failing_allocation_a_red_is_said_once(void **state)
{
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	captured_stderr_begin();
	for (long number = 1; failed; number += 1 + number / 32) {
		struct service *service = open_service(NULL);
		failing_start(number);
		evaluate(service, 0, 83.1);
		failed = failing_stop();
		evaluate(service, 1, 83.1);
		if (count_in(paths[LOG], " RED ") != 1 || count_in(paths[STATE], "\"color\": \"red\"") != 1 ||
		    !strstr(server.reported.data, "\"color\": \"red\""))
			fail_msg("allocation %ld: %zu, %s", number, count_in(paths[LOG], " RED "), server.reported.data);
		service_close(service);
		empty_folder(state);
	}
	captured_stderr_end();
}

static void test_service_open_what_it_cannot_do_without(void **state)
{
	(void)state;
	static const struct {
		const char *more, *sentence;
	} cases[] = {
		{ "alert.log=/nonexistent/alert.log", "cannot open the alert log /nonexistent/alert.log: No such file or directory" },
		{ "alert.state=/nonexistent/state", "cannot write the state to /nonexistent/state: No such file or directory" },
		{ "alert.state=/", "cannot read the state in /: Is a directory" },
		{ "alert.token_file=/nonexistent", "[alert] token_file: /nonexistent: No such file or directory" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text error = TEXT_EMPTY;
		struct service *service;
		struct config *config = make_config(cases[i].more, NULL);
		assert_int_not_equal(service_open(config, NULL, &service, &error), 0);
		assert_string_equal(error.data, cases[i].sentence);
		config_free(config);
		text_free(&error);
	}
	/* A hook that is not there is none of it. */
	service_close(open_service("alert.hook=/nonexistent"));
}

static void test_service_open_state_in_use_says_by_whom(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	struct service *first = open_service(NULL), *second = NULL;
	struct config *config = make_config(NULL, NULL);
	char expected[64], more[TEMPORARY_FOLDER_SIZE + 32];
	assert_int_equal(service_open(config, NULL, &second, &error), -EBUSY);
	snprintf(expected, sizeof(expected), "/state is in use by process %d", (int)getpid());
	assert_non_null(strstr(error.data, expected));
	assert_null(second);
	/* The first one gives it up with another place, and has that for itself. */
	snprintf(more, sizeof(more), "alert.state=%s", paths[OTHER_STATE]);
	reload(first, more, NULL);
	second = open_service(NULL);
	reload(second, more, NULL);
	evaluate(second, 0, 83.1);
	assert_int_equal(count_in(paths[STATE], "\"color\": \"red\""), 1);
	assert_int_equal(count_in(paths[OTHER_STATE], "\"color\": \"red\""), 0);
	service_close(first);
	service_close(second);
	config_free(config);
	text_free(&error);
}

static void test_service_reload_takes_all_that_it_can(void **state)
{
	(void)state;
	char more[TEMPORARY_FOLDER_SIZE + 32];
	struct service *service = open_service(NULL);
	evaluate(service, 0, 50);
	reload(service, "alert.threshold=40", "alert.clear=30");
	evaluate(service, 1, 50);
	assert_int_equal(count_in(paths[LOG], " RED "), 1);
	assert_int_equal(count_in(paths[LOG], " threshold=40 "), 1);

	/* Without the token the rules and the connection stay; the log and the state are others. */
	snprintf(more, sizeof(more), "alert.log=%s", paths[OTHER_LOG]);
	reload(service, more, "alert.token_file=/nonexistent");
	for (int64_t tick = 2; tick <= 4; tick++)
		evaluate(service, tick, 25);
	assert_int_equal(count_in(paths[LOG], "\n"), 1);
	assert_int_equal(count_in(paths[OTHER_LOG], " CLEAR "), 1);
	assert_int_equal(count_in(paths[OTHER_LOG], "\n"), 1);

	snprintf(more, sizeof(more), "alert.state=%s", paths[OTHER_STATE]);
	reload(service, more, "alert.reminder=10s");
	assert_int_equal(count_in(paths[OTHER_STATE], "\"vigie-alert\""), 1);
	evaluate(service, 5, 83.1);
	evaluate(service, 6, 83.1);
	assert_int_equal(count_in(paths[LOG], " REMINDER "), 1);
	service_close(service);
}

/* The values of the tick before are not judged while those of this one may come. */
static void test_service_evaluate_patient_round_waits_for_the_tick(void **state)
{
	(void)state;
	struct service *service = open_service(NULL);
	for (int64_t tick = 0; tick < 4; tick++)
		evaluate(service, tick, 50);
	int64_t boundary_ms = START + 4 * INTERVAL;
	text_reset(&server.reported);
	assert_false(service_evaluate(service, boundary_ms, boundary_ms + 4000, true));
	assert_int_equal(server.reported.length, 0);
	evaluate(service, 4, 83.1);
	assert_int_equal(count_in(paths[LOG], " RED "), 1);
	/* It waits no longer than it is told to. */
	boundary_ms += INTERVAL;
	text_reset(&server.reported);
	assert_false(service_evaluate(service, boundary_ms, boundary_ms + 4000, true));
	assert_true(service_evaluate(service, boundary_ms, boundary_ms + 8000, false));
	assert_true(server.reported.length > 0);
	service_close(service);
}

static void test_service_evaluate_without_a_server_goes_on_when_it_is_back(void **state)
{
	(void)state;
	struct service *service = open_service(NULL);
	evaluate(service, 0, 83.1);
	text_reset(&server.reported);
	strcpy(server.latest, "");
	assert_false(service_evaluate(service, START + INTERVAL, START + INTERVAL, true)); /* it is asked again, */
	assert_true(service_evaluate(service, START + INTERVAL, START + INTERVAL, false)); /* and then no more */
	assert_int_equal(server.reported.length, 0);
	server.forecasts = "";
	for (int64_t tick = 2; tick <= 4; tick++)
		evaluate(service, tick, 50);
	assert_int_equal(count_in(paths[LOG], " CLEAR "), 1);
	service_close(service);
}

/* That it is not run for what is silenced is seen where it has run for what came later. */
static void test_service_evaluate_silenced_is_told_by_the_hook_when_the_silence_ends(void **state)
{
	(void)state;
	static const char silence[] = "[{\"id\": \"1\", \"process\": \"jav*\", \"ip\": \"*\", \"resource\": \"*\", \"until\": 1795356035}]";
	char hook[TEMPORARY_FOLDER_SIZE + 32];
	snprintf(hook, sizeof(hook), "alert.hook=%s/hook", folder);
	captured_stderr_begin();
	server.silences = silence;
	struct service *service = open_service(hook);
	evaluate(service, 0, 83.1);
	assert_int_equal(count_in(paths[LOG], "silenced=2026-11-22T14:00:35Z\n"), 1);
	assert_int_equal(count_in(paths[STATE], "\"silenced\": 1795356035"), 1);
	server.silences = ""; /* it is known nevertheless */
	evaluate(service, 1, 83.2);
	assert_int_equal(count_in(paths[LOG], "\n"), 1);
	evaluate(service, 2, 83.3); /* at 14:00:35 */
	assert_int_equal(count_in(paths[LOG], "\n"), 2);
	assert_int_equal(count_in(paths[LOG], "RED ip=10.0.0.5 process=\"java\" resource=cpu value=83.30 threshold=80 "
	                          "since=2026-11-22T14:00:10Z\n"), 1);
	for (int i = 0; i < 60000 && count_in(paths[HOOK_OUTPUT], "\n") == 0; i++)
		usleep(1000);
	/* A server that knows no silences has none. */
	server.silences = silence;
	evaluate(service, 3, 83.4);
	server.silences = "404";
	evaluate(service, 4, 83.5);
	assert_int_equal(count_in(paths[LOG], "\n"), 3);
	for (int i = 0; i < 60000 && count_in(paths[HOOK_OUTPUT], "\n") == 1; i++)
		usleep(1000);
	service_close(service);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("the silence 1 of process \"jav*\", ip \"*\", resource \"*\" until 2026-11-22T14:00:35.000Z holds"), 2);
	assert_int_equal(captured_stderr_count("T14:00:35.000Z has ended"), 2);
	assert_int_equal(captured_stderr_count("asking for the silences fails"), 1);
	assert_int_equal(count_in(paths[HOOK_OUTPUT], "\n"), 2);
	assert_int_equal(count_in(paths[HOOK_OUTPUT], "silenced="), 0);
}

static void test_service_evaluate_a_server_that_knows_no_kills_is_said_quietly_once(void **state)
{
	(void)state;
	static const char said[] = "info: the server, of an earlier version, does not tell whom the kernels have killed";
	captured_stderr_begin();
	struct service *service = open_service(NULL);
	server.kills = "404";
	for (int tick = 0; tick < 3; tick++)
		evaluate(service, tick, 1);
	assert_int_equal(captured_stderr_count(said), 1);
	assert_int_equal(captured_stderr_count("oom-kills"), 0);
	server.kills = ""; /* 503 */
	evaluate(service, 3, 1);
	assert_int_equal(captured_stderr_count("error: asking for the OOM kills fails: GET "), 1);
	server.kills = "[]"; /* a newer server, and the older one again */
	evaluate(service, 4, 1);
	assert_int_equal(captured_stderr_count("asking for the OOM kills works again"), 1);
	server.kills = "404";
	evaluate(service, 5, 1);
	assert_int_equal(captured_stderr_count(said), 2);
	service_close(service);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("error:"), 1);
}

static void test_service_evaluate_stopped_by_the_server_rests_until_it_is_started(void **state)
{
	(void)state;
	captured_stderr_begin();
	struct service *service = open_service(NULL);
	evaluate(service, 0, 83.1);
	server.headers = WIRE_STATE ": " WIRE_STOP "\r\n";
	evaluate(service, 1, 50);
	assert_string_equal(server.reported.data, "{\"data\": []}");
	http_server_forget(server.http);
	for (int64_t tick = 2; tick < 5; tick++)
		evaluate(service, tick, 50);
	assert_int_equal(http_server_count(server.http, "PUT /save-alarms "), 3); /* signs of life, */
	assert_int_equal(http_server_count(server.http, "GET "), 0);              /* and nothing else */
	assert_int_equal(count_in(paths[LOG], "\n"), 1);
	assert_int_equal(captured_stderr_count("info: stopped by the server: nothing is evaluated until it says otherwise"), 1);
	assert_int_equal(captured_stderr_count("started by the server"), 0);
	server.headers = WIRE_STATE ": " WIRE_RUN "\r\n";
	evaluate(service, 5, 50);
	assert_int_equal(http_server_count(server.http, "GET "), 0);
	for (int64_t tick = 6; tick < 9; tick++)
		evaluate(service, tick, 50);
	service_close(service);
	assert_int_equal(captured_stderr_end(), 3); /* and that it waits for the forecasts */
	assert_int_equal(captured_stderr_count("info: started by the server"), 1);
	assert_int_equal(count_in(paths[LOG], " CLEAR "), 1);
}

static void test_service_evaluate_silences_that_begin_and_end_are_logged(void **state)
{
	(void)state;
#define SILENCE(id) "{\"id\": \"" id "\", \"process\": \"java\", \"ip\": \"*\", \"resource\": \"*\", \"until\": 1795359600}"
	static const struct {
		const char *answer;
		size_t begun, ended; /* since the start */
	} rounds[] = {
		{ "[" SILENCE("1") "]", 1, 0 },
		{ "[" SILENCE("1") ", " SILENCE("2") "]", 2, 0 },
		{ "[" SILENCE("2") "]", 2, 1 },
		{ "[" SILENCE("2") "]", 2, 1 },
		{ "[]", 2, 2 },
	};
	captured_stderr_begin();
	struct service *service = open_service(NULL);
	for (size_t i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
		server.silences = rounds[i].answer;
		evaluate(service, (int64_t)i, 50);
		assert_int_equal(captured_stderr_count(" holds"), rounds[i].begun);
		assert_int_equal(captured_stderr_count(" has ended"), rounds[i].ended);
	}
	service_close(service);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("the silence 1 of process \"java\""), 2);
	assert_int_equal(captured_stderr_count("the silence 2 of process \"java\""), 2);
#undef SILENCE
}

/* Of a host whose collector sees a part alone nothing is missing, as long as nobody says otherwise. */
static void test_service_evaluate_what_must_run_is_missing_where_all_is_seen(void **state)
{
	(void)state;
	captured_stderr_begin();
	struct service *service = open_service("alert.rule=process=nginx must_run=yes");
	evaluate(service, 0, 50); /* its first round says nothing of what it has */
	server.hosts = "";
	evaluate(service, 1, 50);
	assert_int_equal(captured_stderr_count("error: asking for the hosts fails: GET "), 1);
	server.hosts = "{\"10.0.0.5\": {\"partial\": true}}";
	evaluate(service, 2, 50);
	assert_int_equal(captured_stderr_count("asking for the hosts works again"), 1);
	server.hosts = "";
	evaluate(service, 3, 50);
	assert_int_equal(count_in(paths[LOG], "\n"), 0);
	server.hosts = "{\"10.0.0.5\": {\"partial\": false}}";
	evaluate(service, 4, 50);
	assert_int_equal(count_in(paths[LOG], " MISSING ip=10.0.0.5 process=\"nginx\" since="), 1);
	http_server_forget(server.http);
	evaluate(service, 5, 50);
	assert_int_equal(http_server_count(server.http, "GET /hosts "), 0); /* it is known */
	assert_int_equal(count_in(paths[LOG], "\n"), 1);
	service_close(service);
	captured_stderr_end();
}

#define FORECAST "\"10.0.0.5\": {\"java\": {\"cpu\": {\"probability\": 0, \"forecast\": 50, \"expected_at\": null}}}"

static void test_service_evaluate_what_is_left_out_of_answers_is_said_once(void **state)
{
	(void)state;
	captured_stderr_begin();
	struct service *service = open_service(NULL);
	server.silences = "[1]";
	server.kills = "[1, 2]";
	server.forecasts = "{\"10.0.0.6\": 3, " FORECAST "}";
	for (int64_t tick = 0; tick < 3; tick++)
		evaluate(service, tick, 50);
	assert_int_equal(captured_stderr_count("error: reading all of the answers fails: 4 of their items are not of their shape"), 1);
	server.silences = server.kills = "[]";
	server.forecasts = "{}";
	evaluate(service, 3, 50);
	assert_int_equal(captured_stderr_count("reading all of the answers works again"), 1);
	service_close(service);
	captured_stderr_end();
}

static void test_service_evaluate_forecasts_that_fail_and_are_back_are_said_once(void **state)
{
	(void)state;
	static const char forecasts[] = "{" FORECAST "}";
	captured_stderr_begin();
	struct service *service = open_service(NULL);
	evaluate(service, 0, 50); /* at the start vigie-forecast may be still to come */
	assert_int_equal(captured_stderr_count("info: no forecasts: vigie-forecast does not report; AMBER waits"), 1);
	server.forecasts = forecasts;
	evaluate(service, 1, 50);
	evaluate(service, 2, 50);
	assert_int_equal(captured_stderr_count("info: the forecasts are back"), 1);
	server.forecasts = "{}";
	evaluate(service, 3, 50);
	evaluate(service, 4, 50);
	assert_int_equal(captured_stderr_count("warning: no forecasts: vigie-forecast does not report; AMBER waits"), 1);
	server.forecasts = forecasts;
	evaluate(service, 5, 50);
	service_close(service);
	assert_int_equal(captured_stderr_end(), 4);
}

/* What stands after a restart, too, with the names of the hosts, which are asked for where they are not known. */
static void test_service_evaluate_an_alertmanager_is_told_what_stands(void **state)
{
	(void)state;
	char more[96];
	snprintf(more, sizeof(more), "alert.alertmanager=%s/am", http_server_url(server.http));
	http_server_answer(server.http, "POST ", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	server.hosts = "{\"10.0.0.5\": {\"hostname\": \"db1\"}}";
	struct service *service = open_service(more);
	wait_for_request("POST /am/api/v2/alerts ");
	evaluate(service, 0, 50);
	assert_int_equal(http_server_count(server.http, "GET /hosts "), 0);
	http_server_forget(server.http);
	evaluate(service, 1, 83.1);
	wait_for_request("POST ");
	assert_non_null(strstr(http_server_last(server.http, "POST ")->body, "\"process\": \"java\""));
	assert_non_null(strstr(http_server_last(server.http, "POST ")->body, "db1"));
	evaluate(service, 2, 83.1);
	assert_int_equal(http_server_count(server.http, "GET /hosts "), 1);

	/* A reload that cannot read its file says so, tells no more, and all else goes on. */
	char known[sizeof(paths[STATE]) + 16];
	snprintf(known, sizeof(known), "%s.alertmanager", paths[STATE]);
	assert_int_equal(count_in(known, "RED ip=10.0.0.5"), 1);
	assert_int_equal(unlink(known), 0);
	assert_int_equal(mkdir(known, 0700), 0);
	captured_stderr_begin();
	http_server_forget(server.http);
	reload(service, more, NULL);
	for (int64_t tick = 3; tick <= 5; tick++)
		evaluate(service, tick, 50);
	service_close(service);
	assert_int_equal(http_server_count(server.http, "POST "), 0);
	assert_int_equal(count_in(paths[LOG], " CLEAR "), 1);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("no Alertmanager is told anything from now on: Is a directory"), 1);

	struct text error = TEXT_EMPTY;
	struct config *config = make_config(more, NULL);
	assert_int_equal(service_open(config, NULL, &service, &error), -EISDIR);
	assert_string_equal(error.data, "cannot tell an Alertmanager anything: Is a directory");
	config_free(config);
	text_free(&error);
	assert_int_equal(rmdir(known), 0);
}

static void test_service_log_counts_what_stands(void **state)
{
	(void)state;
	captured_stderr_begin();
	struct service *service = open_service("alert.log=/dev/full");
	service_log_counts(service);
	assert_int_equal(captured_stderr_count("info: 0 hosts; 0 alarms RED, 0 AMBER, 0 UNKNOWN; 0 bytes of lines wait for the alert log"), 1);
	strcpy(server.latest, "{\"10.0.0.6\": {\"java\": {\"cpu\": [1795356010, 5]}}, "
	                      "\"10.0.0.5\": {\"java\": {\"cpu\": [1795356010, 90], \"mem\": [1795356010, 90]}}}");
	assert_true(service_evaluate(service, START, START + 5000, false));
	service_log_counts(service);
	assert_int_equal(captured_stderr_count("info: 2 hosts; 2 alarms RED, 0 AMBER, 0 UNKNOWN; 242 bytes of lines wait for the alert log"), 1);
	service_close(service);
	captured_stderr_end();
}

/* Where the state is to be written there is a device that is full. */
static void test_service_open_without_room_for_the_state_watches_all_the_same(void **state)
{
	(void)state;
	char new_path[sizeof(paths[STATE]) + 8];
	snprintf(new_path, sizeof(new_path), "%s.new", paths[STATE]);
	assert_int_equal(symlink("/dev/full", new_path), 0);
	captured_stderr_begin();
	struct service *service = open_service(NULL);
	assert_int_equal(access(paths[STATE], F_OK), -1);
	evaluate(service, 0, 83.1);
	service_close(service);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("/state: No space left on device"), 1);
	assert_int_equal(count_in(paths[STATE], "\"color\": \"red\""), 1);
	assert_int_equal(count_in(paths[LOG], "\n"), 1);
}

static void test_service_save_writes_the_state(void **state)
{
	(void)state;
	struct service *service = open_service(NULL);
	evaluate(service, 0, 83.1);
	assert_int_equal(unlink(paths[STATE]), 0);
	service_save(service);
	assert_int_equal(count_in(paths[STATE], "\"color\": \"red\""), 1);
	service_close(service);
}

static void test_service_check_table(void **state)
{
	(void)state;
	static const struct {
		const char *more, *sentence; /* NULL: it is right */
	} cases[] = {
		{ NULL, NULL },
		{ "alert.log=/nonexistent/alert.log", NULL },
		{ "alert.url=nowhere", "[alert] url: 'nowhere' is no http:// or https:// URL: it begins with neither" },
		{ "alert.token_file=/nonexistent", "[alert] token_file: /nonexistent: No such file or directory" },
		{ "alert.alertmanager=http://am:9093/", NULL },
		{ "alert.alertmanager=am:9093", "[alert] alertmanager: 'am:9093' is no http:// or https:// URL: it begins with neither" },
		{ "alert.clear=90", "[alert] clear = 90 is over threshold = 80" },
		{ "alert.horizon=5h", "[alert] horizon: 18000 s, its own or that of a rule, is over 48 times [forecast] step, which is 14400 s" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text error = TEXT_EMPTY;
		struct config *config = make_config(cases[i].more, NULL);
		assert_int_equal(service_check(config, NULL, true, &error) != 0, cases[i].sentence != NULL);
		if (cases[i].sentence)
			assert_string_equal(error.data, cases[i].sentence);
		config_free(config);
		text_free(&error);
	}
}

static int set_up(void **state)
{
	(void)state;
	static const char *const names[] = { "alert.log", "other.log", "state", "other", "state.broken", "said" };
	char hook[TEMPORARY_FOLDER_SIZE + 16], script[TEMPORARY_FOLDER_SIZE + 64];
	log_init("vigie-test");
	temporary_folder_make(folder);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder, names[i]);
	snprintf(hook, sizeof(hook), "%s/hook", folder);
	FILE *file = fopen(hook, "we");
	snprintf(script, sizeof(script), "#!/bin/sh\necho \"$*\" >> %s\n", paths[HOOK_OUTPUT]);
	if (!file || fputs(script, file) < 0 || fclose(file) != 0 || chmod(hook, 0700) != 0)
		return -1;
	server.http = http_server_open();
	http_server_answer_by(server.http, answer, NULL);
	http_server_start(server.http);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	http_server_close(server.http);
	text_free(&server.reported);
	text_free(&server.said);
	temporary_folder_remove(folder);
	return 0;
}

static int end_capture(void **state)
{
	(void)state;
	captured_stderr_abandon();
	return 0;
}

#define SERVICE_TEST(name) cmocka_unit_test_setup_teardown(name, empty_folder, end_capture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVICE_TEST(test_service_evaluate_a_red_is_said_before_the_forecasts_are_asked_for),
		SERVICE_TEST(test_service_open_goes_on_from_the_state),
		SERVICE_TEST(test_service_open_writes_the_lines_that_could_not_be_written),
		SERVICE_TEST(test_service_open_says_how_many_lines_are_lost),
		SERVICE_TEST(test_service_open_goes_on_from_the_log_where_the_state_is_older),
		SERVICE_TEST(test_service_open_goes_on_from_the_log_of_a_first_run),
		SERVICE_TEST(test_service_open_broken_state_is_moved_aside),
		SERVICE_TEST(test_service_open_each_failing_allocation_keeps_the_state),
		SERVICE_TEST(test_service_open_each_failing_allocation_goes_on_from_the_log),
		SERVICE_TEST(test_service_reload_each_failing_allocation_keeps_it_at_work),
		SERVICE_TEST(test_service_evaluate_each_failing_allocation_a_red_is_said_once),
		SERVICE_TEST(test_service_open_what_it_cannot_do_without),
		SERVICE_TEST(test_service_open_state_in_use_says_by_whom),
		SERVICE_TEST(test_service_reload_takes_all_that_it_can),
		SERVICE_TEST(test_service_evaluate_patient_round_waits_for_the_tick),
		SERVICE_TEST(test_service_evaluate_without_a_server_goes_on_when_it_is_back),
		SERVICE_TEST(test_service_evaluate_silenced_is_told_by_the_hook_when_the_silence_ends),
		SERVICE_TEST(test_service_evaluate_a_server_that_knows_no_kills_is_said_quietly_once),
		SERVICE_TEST(test_service_evaluate_stopped_by_the_server_rests_until_it_is_started),
		SERVICE_TEST(test_service_evaluate_silences_that_begin_and_end_are_logged),
		SERVICE_TEST(test_service_evaluate_what_must_run_is_missing_where_all_is_seen),
		SERVICE_TEST(test_service_evaluate_what_is_left_out_of_answers_is_said_once),
		SERVICE_TEST(test_service_evaluate_forecasts_that_fail_and_are_back_are_said_once),
		SERVICE_TEST(test_service_evaluate_an_alertmanager_is_told_what_stands),
		SERVICE_TEST(test_service_log_counts_what_stands),
		SERVICE_TEST(test_service_open_without_room_for_the_state_watches_all_the_same),
		SERVICE_TEST(test_service_save_writes_the_state),
		SERVICE_TEST(test_service_check_table),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
