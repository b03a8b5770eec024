/* alert/partial.h, and what alert/states.h makes of what must run */
#include "tests/unit/alert/world.h"

#include <errno.h>

#define MUST_RUN "process=nginx ip=10.0.0.* must_run=yes"

static void open_world(struct world *world, const char *rule)
{
	world_open(world);
	world_set_rule(world, 80, 75, 1, 3, rule);
}

static void stop(struct world *world, const char *ip)
{
	static const char *stopped[1];
	stopped[0] = ip;
	world->latest.stopped = ip ? stopped : NULL;
	world->latest.stopped_count = ip != NULL;
}

/* A tick of a host that has bash, and nginx or not. */
static const char *host_tick(struct world *world, bool has_nginx)
{
	give(world, "10.0.0.5", "bash", 1);
	if (has_nginx)
		give(world, "10.0.0.5", "nginx", 1);
	return evaluate(world);
}

static void test_partial_parse_who_says_so(void **state)
{
	(void)state;
	static const char body[] = "{\"10.0.0.5\": {\"partial\": true}, \"10.0.0.6\": {\"partial\": false}, \"10.0.0.7\": {\"partial\": null},"
	                           " \"10.0.0.8\": {}, \"10.0.0.9\": 1, \"::1\": {\"partial\": true}, \"here\": {\"partial\": true}}";
	struct partial partial, before = { 0 };
	struct text error = TEXT_EMPTY;
	assert_int_equal(partial_parse(body, strlen(body), &before, &partial, &error), 0);
	assert_int_equal(partial.count, 2);
	assert_true(partial_has(&partial, "10.0.0.5"));
	assert_true(partial_has(&partial, "::1"));
	assert_false(partial_has(&partial, "10.0.0.6"));
	/* A server that has been started knows nothing yet of any; and one sees all now. */
	static const char later[] = "{\"10.0.0.5\": {\"partial\": null}, \"10.0.0.6\": {\"partial\": null}, \"::1\": {\"partial\": false}}";
	before = partial;
	assert_int_equal(partial_parse(later, strlen(later), &before, &partial, &error), 0);
	assert_int_equal(partial.count, 1);
	assert_true(partial_has(&partial, "10.0.0.5"));
	partial_free(&before);
	assert_int_equal(partial_parse("[]", 2, &partial, &before, &error), -EBADMSG);
	partial_free(&partial);
	text_free(&error);
}

static void test_states_missing_is_said_once_and_cleared_when_it_is_back(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, MUST_RUN " raise_after=2");
	world.reminder_ms = 3 * INTERVAL;
	assert_string_equal(host_tick(&world, true), "");
	assert_string_equal(host_tick(&world, true), "");
	assert_string_equal(host_tick(&world, false), "");
	assert_string_equal(host_tick(&world, true), "");
	assert_string_equal(host_tick(&world, false), "");
	assert_string_equal(host_tick(&world, false), "MISSING 10.0.0.5 nginx 0 40");
	assert_int_equal(states_next_series(world.states, NULL)->alarm.color, COLOR_RED);
	assert_string_equal(host_tick(&world, false), "");
	restart(&world);
	assert_string_equal(host_tick(&world, false), "");
	assert_string_equal(host_tick(&world, false), "REMINDER 10.0.0.5 nginx 0 40");
	assert_string_equal(host_tick(&world, true), "CLEAR 10.0.0.5 nginx 0 40");
	assert_true(states_next_series(world.states, NULL)->ended);
	states_reported(world.states);
	assert_int_equal(count_series(&world), 0);
	world_close(&world);
}

/* One that was never there as well; and its own alarms are those of any process. */
static void test_states_missing_beside_the_process_own_alarm(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, MUST_RUN);
	assert_string_equal(host_tick(&world, false), "");
	assert_string_equal(host_tick(&world, false), "MISSING 10.0.0.5 nginx 0 10");
	give(&world, "10.0.0.5", "nginx", 90);
	assert_string_equal(evaluate(&world), "RED 10.0.0.5 nginx 90 20; CLEAR 10.0.0.5 nginx 0 10");
	assert_string_equal(host_tick(&world, false), "GONE 10.0.0.5 nginx 90 20; MISSING 10.0.0.5 nginx 0 30");
	world_close(&world);
}

static void test_states_missing_only_where_it_must_run(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, MUST_RUN);
	assert_quiet(&world, 3, give(&world, "10.0.1.5", "bash", 1));
	world_close(&world);
	open_world(&world, MUST_RUN " mute=yes");
	assert_string_equal(host_tick(&world, false), "");
	assert_string_equal(host_tick(&world, false), "");
	/* A reload that has it, and one that has it no more. */
	world_set_rule(&world, 80, 75, 1, 3, MUST_RUN);
	assert_string_equal(host_tick(&world, false), "MISSING 10.0.0.5 nginx 0 20");
	world_set_rule(&world, 80, 75, 1, 3, NULL);
	assert_string_equal(host_tick(&world, false), "CLEAR 10.0.0.5 nginx 0 20");
	world_close(&world);
}

static void test_states_missing_not_of_a_host_that_tells_nothing(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, MUST_RUN);
	assert_string_equal(host_tick(&world, true), "");
	assert_string_equal(host_tick(&world, true), "");
	/* It is silent: what it last had is there, and then nothing. */
	assert_quiet(&world, 3, give_at(&world, "10.0.0.5", "bash", 1, START + INTERVAL));
	assert_string_equal(evaluate(&world), "");
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 10");
	/* It is back, and the first answer has not all of it. */
	assert_string_equal(host_tick(&world, false), "CLEAR 10.0.0.5 * 0 10");
	assert_string_equal(host_tick(&world, true), "");

	/* Its collector sees a part; and nobody says whether it does. */
	world.partial = "10.0.0.5";
	assert_string_equal(host_tick(&world, false), "");
	world.partial = "10.0.0.6";
	world.blind = true;
	assert_string_equal(host_tick(&world, false), "");
	world.blind = false;
	assert_string_equal(host_tick(&world, false), "MISSING 10.0.0.5 nginx 0 110");

	/* Its collector is stopped: nobody knows any more. */
	stop(&world, "10.0.0.5");
	assert_string_equal(evaluate(&world), "GONE 10.0.0.5 nginx 0 110");
	assert_string_equal(evaluate(&world), "");
	/* It runs again, and the first answer has not all of it. */
	stop(&world, NULL);
	assert_string_equal(host_tick(&world, false), "");
	assert_string_equal(host_tick(&world, true), "");
	assert_string_equal(host_tick(&world, false), "MISSING 10.0.0.5 nginx 0 160");
	world_close(&world);
}

/* Beside one that goes on sending, and lacks it. */
static void test_states_missing_not_of_a_host_that_falls_silent(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, MUST_RUN);
	for (int i = 0; i < 2; i++) {
		give(&world, "10.0.0.6", "nginx", 1);
		assert_string_equal(host_tick(&world, true), "");
	}
	give_at(&world, "10.0.0.5", "bash", 1, START + INTERVAL);
	give(&world, "10.0.0.6", "bash", 1);
	assert_string_equal(evaluate(&world), "MISSING 10.0.0.6 nginx 0 20");
	world_close(&world);
}

static void test_states_missing_stands_while_its_host_is_unknown(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, MUST_RUN);
	assert_string_equal(host_tick(&world, false), "");
	assert_string_equal(host_tick(&world, false), "MISSING 10.0.0.5 nginx 0 10");
	assert_string_equal(evaluate(&world), "");
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 10");
	restart(&world);
	assert_string_equal(host_tick(&world, true), "CLEAR 10.0.0.5 * 0 10");
	assert_string_equal(host_tick(&world, true), "CLEAR 10.0.0.5 nginx 0 10");
	world_close(&world);
}

static void test_states_missing_silenced_and_replayed_from_the_log(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, MUST_RUN);
	silence(&world, "nginx", "*");
	assert_string_equal(host_tick(&world, false), "");
	states_restore_time(world.states, START);
	const struct transition said = { .word = TRANSITION_MISSING, .alarm = { .ip = "10.0.0.5", .process = "nginx",
	                                 .resource = RESOURCE_COUNT, .color = COLOR_RED, .since_ms = START, .silenced_ms = START + HOUR } };
	assert_int_equal(states_replay(world.states, &said, START + 1), 0);
	assert_string_equal(host_tick(&world, false), "");
	silence(&world, NULL, "*");
	assert_string_equal(host_tick(&world, false), "MISSING 10.0.0.5 nginx 0 0");
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_partial_parse_who_says_so),
		cmocka_unit_test(test_states_missing_is_said_once_and_cleared_when_it_is_back),
		cmocka_unit_test(test_states_missing_beside_the_process_own_alarm),
		cmocka_unit_test(test_states_missing_only_where_it_must_run),
		cmocka_unit_test(test_states_missing_not_of_a_host_that_tells_nothing),
		cmocka_unit_test(test_states_missing_not_of_a_host_that_falls_silent),
		cmocka_unit_test(test_states_missing_stands_while_its_host_is_unknown),
		cmocka_unit_test(test_states_missing_silenced_and_replayed_from_the_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
