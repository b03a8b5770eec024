/* alert/kills.h, and what states.h makes of it */
#include "tests/unit/alert/world.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>

#include "alert/fields.h"
#include "alert/kills.h"

static void test_kills_parse_what_is_not_of_its_shape_is_left_out_and_counted(void **state)
{
	(void)state;
	static const char body[] =
		"[{\"time\": 1795356020, \"ip\": \"10.0.0.5\", \"process\": \"java\", \"resource\": \"mem\", \"color\": null, \"oom_kills\": 2},"
		" {\"time\": 1795356010, \"ip\": \"::ffff:10.0.0.6\", \"process\": \"*\", \"oom_kills\": 1},"
		" 7, {}, {\"time\": \"x\", \"ip\": \"10.0.0.5\", \"process\": \"a\", \"oom_kills\": 1},"
		" {\"time\": 1, \"ip\": \"10.0.0\", \"process\": \"a\", \"oom_kills\": 1}, {\"time\": 1, \"ip\": \"10.0.0.5\", \"process\": \"\", \"oom_kills\": 1},"
		" {\"time\": 1, \"ip\": \"10.0.0.5\", \"process\": \"\xff\", \"oom_kills\": 1}, {\"time\": 1, \"ip\": \"10.0.0.5\", \"process\": \"a\", \"oom_kills\": 0},"
		" {\"time\": 1, \"ip\": \"10.0.0.5\", \"process\": \"a\", \"color\": \"red\"}]";
	struct kills kills;
	struct text error = TEXT_EMPTY;
	assert_int_equal(kills_parse(body, strlen(body), &kills, &error), 0);
	assert_int_equal(kills.count, 2);
	assert_int_equal(kills.skipped, 8);
	assert_string_equal(kills.items[0].process, "java");
	assert_true(kills.items[0].count == 2 && kills.items[0].time_ms == 1795356020000);
	assert_string_equal(kills.items[1].ip, "10.0.0.6");
	kills_free(&kills);
	assert_int_equal(kills_parse("{}", 2, &kills, &error), -EBADMSG);
	assert_int_equal(kills_parse("[{", 2, &kills, &error), -EBADMSG);
	assert_true(error.length > 0);
	text_free(&error);
}

/* The answer of a server in which one process was killed at each of these seconds after START; 0 ends them, the newest
 * is first. */
static const char *answer(struct world *world, const char *process, const int seconds[])
{
	struct kill items[8];
	struct kills kills = { .items = items };
	for (; seconds[kills.count]; kills.count++)
		items[kills.count] = (struct kill){ "10.0.0.5", process, START + seconds[kills.count] * 1000, 1 };
	world->said[0] = '\0';
	assert_int_equal(states_evaluate_kills(world->states, world->rules, &kills, world->now_ms + PHASE, &world->transitions), 0);
	note_transitions(world);
	return world->said;
}

static void test_states_evaluate_kills_each_is_said_once(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	assert_string_equal(answer(&world, "java", (const int[]){ 20, 10, 0 }), "OOM 10.0.0.5 java 1 10; OOM 10.0.0.5 java 1 20");
	assert_string_equal(answer(&world, "java", (const int[]){ 20, 10, 0 }), "");
	assert_true(states_changed(world.states));
	restart(&world);
	assert_string_equal(answer(&world, "java", (const int[]){ 30, 20, 10, 0 }), "OOM 10.0.0.5 java 1 30");
	assert_string_equal(answer(&world, "*", (const int[]){ 30, 0 }), "OOM 10.0.0.5 * 1 30");
	/* What is muted is said no later either. */
	world_set_rule(&world, 80, 75, 1, 3, "process=java mute=yes");
	assert_string_equal(answer(&world, "java", (const int[]){ 40, 30, 0 }), "");
	world_set_rules(&world, 80, 75, 1, 3);
	assert_string_equal(answer(&world, "java", (const int[]){ 40, 30, 0 }), "");
	/* It is forgotten once no answer has it any more, and what is as old is not said. */
	advance(&world, 2 * STATES_KILLS_MS + 50000);
	assert_string_equal(answer(&world, "java", (const int[]){ 40, 0 }), "");
	assert_null(states_next_killed(world.states, NULL));
	world_close(&world);
}

static void test_states_replay_kill_of_a_line_is_not_said_again(void **state)
{
	(void)state;
	static const char line[] = "OOM ip=10.0.0.5 process=\"java\" kills=1 since=2026-11-22T14:00:10Z";
	struct world world;
	struct transition transition;
	world_open(&world);
	tick(&world, 50);
	restart(&world);
	assert_true(fields_parse(line, strlen(line), &transition));
	for (int i = 0; i < 2; i++)
		assert_int_equal(states_replay(world.states, &transition, START + 25000), 0);
	assert_string_equal(answer(&world, "java", (const int[]){ 20, 10, 0 }), "OOM 10.0.0.5 java 1 20");
	world_close(&world);
}

static void test_states_evaluate_kills_a_silence_of_memory_covers_them(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	silence(&world, "ja*", "mem");
	assert_string_equal(answer(&world, "java", (const int[]){ 10, 0 }), "OOM 10.0.0.5 java 1 10 silenced");
	silence(&world, "ja*", "cpu");
	assert_string_equal(answer(&world, "java", (const int[]){ 20, 10, 0 }), "OOM 10.0.0.5 java 1 20");
	world_close(&world);
}

static void test_states_evaluate_what_was_killed_is_gone_by_that(void **state)
{
	(void)state;
	static const struct {
		const char *process;
		int killed; /* seconds after START; the newest sample is of 20 */
		const char *said;
	} cases[] = {
		{ "java", 30, "KILLED 10.0.0.5 java 90 0" },
		{ "java", 20, "KILLED 10.0.0.5 java 90 0" }, /* its end had CPU in the interval that it was killed in */
		{ "java", 10, "KILLED 10.0.0.5 java 90 0" },
		{ "java", 9, "GONE 10.0.0.5 java 90 0" }, /* another PID of that name */
		{ "*", 30, "GONE 10.0.0.5 java 90 0" },
		{ "perl", 30, "GONE 10.0.0.5 java 90 0" },
		{ "java of another host", 30, "GONE 10.0.0.5 java 90 0" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		world_open(&world);
		for (int j = 0; j < 3; j++) {
			give(&world, "10.0.0.5", "bash", 1);
			tick(&world, 90);
		}
		if (strcmp(cases[i].process, "java of another host") == 0)
			assert_int_equal(states_restore_killed(world.states, "10.0.0.6", "java", START + cases[i].killed * 1000), 0);
		else
			answer(&world, cases[i].process, (const int[]){ cases[i].killed, 0 });
		give(&world, "10.0.0.5", "bash", 1);
		if (strcmp(evaluate(&world), cases[i].said) != 0)
			fail_msg("%s %d: %s", cases[i].process, cases[i].killed, world.said);
		world_close(&world);
	}
}

/* What there was no memory to say, or to remember, is said in the next round; what was said before it in the same answer is not
 * said again, nor lost where the other is muted. */
static void test_states_evaluate_kills_each_failing_allocation_delays_what_is_said(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	for (int muted = 0; muted < 2; muted++) {
		bool failed = true;
		for (long number = 1; failed; number++) {
			struct world world;
			struct kill items[] = { { "10.0.0.5", "java", START + 20000, 1 }, { "10.0.0.5", "perl", START + 10000, 1 } };
			const struct kills kills = { .items = items, .count = 2 };
			world_open(&world);
			world_set_rule(&world, 80, 75, 1, 3, muted ? "process=java mute=yes" : NULL);
			failing_start(number);
			int result = states_evaluate_kills(world.states, world.rules, &kills, world.now_ms + PHASE, &world.transitions);
			failed = failing_stop();
			assert_int_equal(result, failed ? -ENOMEM : 0);
			note_transitions(&world);
			assert_int_equal(states_evaluate_kills(world.states, world.rules, &kills, world.now_ms + PHASE, &world.transitions), 0);
			note_transitions(&world);
			assert_string_equal(world.said, muted ? "OOM 10.0.0.5 perl 1 10" : "OOM 10.0.0.5 perl 1 10; OOM 10.0.0.5 java 1 20");
			world_close(&world);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kills_parse_what_is_not_of_its_shape_is_left_out_and_counted),
		cmocka_unit_test(test_states_evaluate_kills_each_is_said_once),
		cmocka_unit_test(test_states_replay_kill_of_a_line_is_not_said_again),
		cmocka_unit_test(test_states_evaluate_kills_a_silence_of_memory_covers_them),
		cmocka_unit_test(test_states_evaluate_what_was_killed_is_gone_by_that),
		cmocka_unit_test(test_states_evaluate_kills_each_failing_allocation_delays_what_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
