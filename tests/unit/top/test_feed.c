/* top/feed.h, against a server in a thread */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/support/no_threads.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "top/feed.h"

enum { PATIENCE_MS = 30000, TIMEOUT_MS = 60000 };

static const struct {
	const char *request, *body;
} answers[] = {
	{ "GET /latest ", "{\"10.0.0.5\": {\"java\": {\"mem\": [1, 83.1]}}}" },
	{ "GET /forecasts ", "{\"10.0.0.5\": {\"java\": {\"mem\": {\"probability\": 0.91}}}}" },
	{ "GET /query-alarm ",
	  "{\"alarms\": [{\"process\": \"java\", \"ip\": \"10.0.0.5\", \"resource\": \"mem\", \"color\": \"red\"}]}" },
	{ "GET /hosts ", "{\"10.0.0.5\": {\"hostname\": \"db1\"}}" },
};

enum { ANSWERS = sizeof(answers) / sizeof(answers[0]) };

static struct http_server *server;
static struct client *client;

static void give(const char *request, int status, const char *body)
{
	struct text answer = TEXT_EMPTY;
	http_server_format(status, NULL, body, &answer);
	http_server_answer(server, request, answer.data);
	text_free(&answer);
}

static int set_up(void **state)
{
	(void)state;
	server = http_server_open();
	for (size_t i = 0; i < ANSWERS; i++)
		give(answers[i].request, 200, answers[i].body);
	http_server_start(server);
	client = client_open(WIRE_NOBODY, http_server_url(server), "", "", TIMEOUT_MS);
	return client ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	client_close(client);
	http_server_close(server);
	return 0;
}

/* All four answers are in it. */
static void assert_whole(struct fleet *fleet)
{
	const struct fleet_choice choice = { FLEET_BY_CPU, "", "" };
	const struct fleet_row *const *rows;
	size_t count;
	assert_non_null(fleet);
	assert_int_equal(fleet_list(fleet, &choice, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(rows[0]->host, "db1");
	assert_true(rows[0]->present[RESOURCE_MEM] && rows[0]->value[RESOURCE_MEM] == 83.1);
	assert_true(rows[0]->foreseen && rows[0]->probability == 0.91);
	assert_int_equal(rows[0]->color, COLOR_RED);
}

static void test_feed_ask_any_answer_that_is_wrong_is_named(void **state)
{
	(void)state;
	static const struct {
		int status, result;
		const char *body, *words;
	} cases[] = {
		{ 503, -EREMOTEIO, "", "the answer's status is 503" },
		{ 200, -EBADMSG, "<html>", "the answer " },
	};
	for (size_t i = 0; i < ANSWERS; i++) {
		for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
			struct text error = TEXT_EMPTY;
			struct fleet *fleet = NULL;
			char path[64] = "";
			give(answers[i].request, cases[j].status, cases[j].body);
			assert_int_equal(feed_ask(client, &fleet, &error), cases[j].result);
			assert_null(fleet);
			strncat(path, answers[i].request + strlen("GET "), strlen(answers[i].request) - strlen("GET  "));
			assert_non_null(strstr(error.data, path));
			assert_non_null(strstr(error.data, cases[j].words));
			text_free(&error);
		}
		give(answers[i].request, 200, answers[i].body);
	}
}

/* Most of the allocations are those of requests. */
static void test_feed_ask_each_failing_allocation_gives_all_or_nothing(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long number = 1; failed; number += 1 + number / 32) {
		struct text error = TEXT_EMPTY;
		struct fleet *fleet = NULL;
		failing_start(number);
		int result = feed_ask(client, &fleet, &error);
		failed = failing_stop();
		assert_true(failed || result == 0);
		if (result == 0)
			assert_whole(fleet);
		else
			assert_null(fleet);
		fleet_close(fleet);
		text_free(&error);
	}
}

static struct fleet *take(struct feed *feed, struct text *ret_error)
{
	struct pollfd fd = { .fd = feed_fd(feed), .events = POLLIN };
	assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
	return feed_take(feed, ret_error);
}

static void test_feed_take_each_round_is_the_fleet_or_why_there_is_none(void **state)
{
	(void)state;
	struct feed *feed;
	struct text error = TEXT_EMPTY;
	give("GET /hosts ", 503, "");
	assert_int_equal(feed_open(client, 1, &feed), 0);
	assert_null(take(feed, &error));
	assert_non_null(strstr(error.data, "/hosts: the answer's status is 503"));
	give("GET /hosts ", 200, answers[ANSWERS - 1].body);
	struct fleet *fleet = NULL;
	for (int i = 0; i < PATIENCE_MS && !fleet; i++)
		fleet = take(feed, &error);
	assert_whole(fleet);
	assert_string_equal(error.data, "");
	fleet_close(fleet);
	feed_close(feed);
	text_free(&error);
}

static void test_feed_take_when_nothing_came_is_neither(void **state)
{
	(void)state;
	struct feed *feed;
	struct text error = TEXT_EMPTY;
	http_server_answer(server, "GET /latest ", NULL);
	assert_int_equal(feed_open(client, 3600000, &feed), 0);
	assert_null(feed_take(feed, &error));
	assert_string_equal(error.data, "");
	feed_close(feed); /* which ends the request that hangs */
	text_free(&error);
}

/* The lowest that is free. */
static int lowest_fd(void)
{
	int fd = dup(STDIN_FILENO);
	close(fd);
	return fd;
}

static void test_feed_open_what_the_machine_does_not_give_is_told(void **state)
{
	(void)state;
	struct feed *feed = NULL;
	struct rlimit before, none;
	feed_close(NULL);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int result = feed_open(client, 1, &feed);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(result, -EMFILE);
	assert_null(feed);
	if (!FAILING_MALLOC)
		skip(); /* the sanitizers give threads stacks of their own */
	long live = failing_unfreed();
	int fd = lowest_fd();
	failing_start(1);
	assert_int_equal(feed_open(client, 1, &feed), -ENOMEM);
	assert_true(failing_stop());
	no_threads(true);
	result = feed_open(client, 1, &feed);
	no_threads(false);
	assert_true(result == -EAGAIN || result == -ENOMEM);
	assert_null(feed);
	assert_int_equal(lowest_fd(), fd);
	assert_int_equal(failing_unfreed(), live);
	assert_int_equal(feed_open(client, 1, &feed), 0);
	feed_close(feed);
}

#define FEED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FEED_TEST(test_feed_ask_any_answer_that_is_wrong_is_named),
		FEED_TEST(test_feed_ask_each_failing_allocation_gives_all_or_nothing),
		FEED_TEST(test_feed_take_each_round_is_the_fleet_or_why_there_is_none),
		FEED_TEST(test_feed_take_when_nothing_came_is_neither),
		FEED_TEST(test_feed_open_what_the_machine_does_not_give_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
