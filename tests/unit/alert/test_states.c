/* alert/states.h under simulated time */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "alert/fields.h"
#include "tests/unit/alert/world.h"

static void test_states_evaluate_table_of_values_gives_transitions(void **state)
{
	(void)state;
	/* One value a tick; under each: '.' nothing, 'R' RED, 'C' CLEAR. Negative: the
	 * sample before once more. */
	static const struct {
		double threshold, clear;
		int raise_after, clear_after;
		double values[12];
		const char *expected;
	} cases[] = {
		{ 80, 75, 1, 3, { 80.0, 80.0, 79, 0 }, "...." },
		{ 80, 75, 1, 3, { 80.01, 80.01, 99, 80 }, "R..." },
		{ 80, 75, 1, 3, { 81, 74, 74, 74, 74 }, "R..C." },
		{ 80, 75, 1, 3, { 81, 75, 75, 75, 75 }, "R...." },
		{ 80, 75, 1, 3, { 81, 74, 74, 75, 74, 74, 74 }, "R.....C" },
		{ 80, 75, 1, 3, { 81, 74, 74, 90, 74, 74, 74 }, "R.....C" },
		{ 80, 75, 1, 3, { 81, 74, 74, 74, 81, 74, 74, 74 }, "R..CR..C" },
		{ 80, 75, 3, 1, { 81, 81, 81, 81, 74, 81, 81, 81 }, "..R.C..R" },
		{ 80, 75, 3, 1, { 81, 81, 80, 81, 81, 81 }, ".....R" },
		{ 80, 75, 3, 1, { 81, -1, -1, -1, 81, -1, 81 }, "......R" },
		{ 80, 75, 1, 3, { 81, 74, -1, -1, -1, 74, -1, 74 }, "R......C" },
		{ 80, 80, 1, 1, { 81, 80, 79.9, 80.1 }, "R.CR" },
		{ 0, 0, 1, 1, { 0, 0.1, 0, 0 }, ".R.." },
		{ 400, 350, 1, 1, { 399, 401, 350, 349 }, ".R.C" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		world_open(&world);
		world_set_rules(&world, cases[i].threshold, cases[i].clear, cases[i].raise_after, cases[i].clear_after);
		double value = 0;
		int64_t time_ms = 0;
		char got[16] = "";
		for (size_t at = 0; cases[i].expected[at]; at++) {
			if (cases[i].values[at] >= 0) {
				value = cases[i].values[at];
				time_ms = world.data_ms;
			}
			give_at(&world, "10.0.0.5", "java", value, time_ms);
			const char *said = evaluate(&world);
			got[at] = said[0] ? said[0] : '.';
		}
		if (strcmp(got, cases[i].expected) != 0)
			fail_msg("case %zu: %s, not %s", i, got, cases[i].expected);
		world_close(&world);
	}
}

static void test_states_evaluate_raise_after_since_is_first_sample_over(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rules(&world, 80, 75, 3, 2);
	assert_string_equal(tick(&world, 50), "");
	assert_string_equal(tick(&world, 85), "");
	assert_string_equal(tick(&world, 86), "");
	assert_string_equal(tick(&world, 87), "RED 10.0.0.5 java 87 10");
	assert_string_equal(tick(&world, 10), "");
	assert_string_equal(tick(&world, 11), "CLEAR 10.0.0.5 java 11 10");
	world_close(&world);
}

static void test_states_evaluate_flapping_hour_raises_once(void **state)
{
	(void)state;
	for (double clear = 75; clear <= 80; clear += 5) {
		struct world world;
		world_open(&world);
		world_set_rules(&world, 80, clear, 1, 3);
		int raised = 0, cleared = 0;
		for (int i = 0; i < 360; i++) {
			tick(&world, i % 2 ? 80.1 : 79.9);
			raised += strncmp(world.said, "RED", 3) == 0;
			cleared += world.said[0] && strncmp(world.said, "RED", 3) != 0;
		}
		assert_int_equal(raised, 1);
		assert_int_equal(cleared, 0);
		world_close(&world);
	}
}

static void test_states_evaluate_process_not_in_latest_is_gone(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	assert_string_equal(tick(&world, 90), "RED 10.0.0.5 java 90 0");
	give(&world, "10.0.0.5", "bash", 1);
	assert_string_equal(evaluate(&world), "GONE 10.0.0.5 java 90 0");
	assert_quiet(&world, 5, give(&world, "10.0.0.5", "bash", 1));
	give(&world, "10.0.0.5", "java", 91);
	assert_string_equal(evaluate(&world), "RED 10.0.0.5 java 91 70");
	world_close(&world);
}

static void test_states_evaluate_process_gone_before_raised_says_nothing(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rules(&world, 80, 75, 3, 3);
	tick(&world, 90);
	tick(&world, 90);
	give(&world, "10.0.0.5", "bash", 1);
	assert_string_equal(evaluate(&world), "");
	assert_int_equal(count_series(&world), 0);
	assert_string_equal(tick(&world, 90), "");
	world_close(&world);
}

static void test_states_evaluate_silent_host_is_unknown_and_stays_red(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	give(&world, "10.0.0.6", "bash", 1);
	tick(&world, 90);
	assert_quiet(&world, STATES_ABSENT - 1, give(&world, "10.0.0.6", "bash", 1));
	give(&world, "10.0.0.6", "bash", 1);
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 0");
	assert_quiet(&world, 100, give(&world, "10.0.0.6", "bash", 1));
	assert_int_equal(states_next_series(world.states, NULL)->alarm.color, COLOR_RED);

	/* Back: still red, so no second line; then normal evaluation. */
	int64_t back_s = (world.now_ms - START) / 1000;
	assert_true(back_s > 1000);
	give(&world, "10.0.0.6", "bash", 1);
	assert_string_equal(tick(&world, 85), "CLEAR 10.0.0.5 * 0 0");
	give(&world, "10.0.0.6", "bash", 1);
	assert_string_equal(tick(&world, 70), "");
	give(&world, "10.0.0.6", "bash", 1);
	assert_string_equal(tick(&world, 70), "");
	give(&world, "10.0.0.6", "bash", 1);
	assert_string_equal(tick(&world, 70), "CLEAR 10.0.0.5 java 70 0");
	world_close(&world);
}

/* In the place of a host that is silent: one whose collector is stopped. */
static void stop_host(struct world *world)
{
	static const char *const stopped[] = { "10.0.0.5", "10.0.0.9" };
	world->latest.stopped = calloc(2, sizeof(*stopped));
	assert_non_null(world->latest.stopped);
	memcpy(world->latest.stopped, stopped, sizeof(stopped));
	world->latest.stopped_count = 2;
}

static void test_states_evaluate_stopped_host_is_not_unknown_and_its_alarms_are_gone(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 1);
	tick(&world, 90);
	stop_host(&world);
	assert_string_equal(evaluate(&world), "GONE 10.0.0.5 java 90 10");
	assert_quiet(&world, 20, (void)0);
	/* Of one that nobody knew nothing is kept, and what falls silent now is silent. */
	const struct host_state *host = states_next_host(world.states, NULL);
	assert_string_equal(host->alarm.ip, "10.0.0.5");
	assert_null(states_next_host(world.states, host));
	world.latest.stopped_count = 0;
	assert_quiet(&world, STATES_ABSENT - 1, (void)0);
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 10");
	world.latest.stopped_count = 1;
	assert_string_equal(evaluate(&world), "CLEAR 10.0.0.5 * 0 10");
	world_close(&world);
}

static void test_states_evaluate_host_back_without_process_is_gone_in_second_evaluation(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 90);
	assert_quiet(&world, STATES_ABSENT - 1, (void)0);
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 0");
	give(&world, "10.0.0.5", "bash", 1);
	assert_string_equal(evaluate(&world), "CLEAR 10.0.0.5 * 0 0");
	give(&world, "10.0.0.5", "bash", 1);
	assert_string_equal(evaluate(&world), "GONE 10.0.0.5 java 90 0");
	world_close(&world);
}

static void test_states_evaluate_part_of_a_host_after_outage_ends_nothing(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	give(&world, "10.0.0.5", "bash", 1);
	tick(&world, 90);
	give(&world, "10.0.0.5", "bash", 1);
	tick(&world, 90);
	states_interrupted(world.states);
	advance(&world, INTERVAL);
	assert_quiet(&world, 1, give(&world, "10.0.0.5", "bash", 1));
	give(&world, "10.0.0.5", "bash", 1);
	assert_string_equal(tick(&world, 90), "");
	world_close(&world);
}

static void test_states_evaluate_mem_and_cpu_are_apart(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	for (int i = 0; i < 3; i++) {
		struct latest_sample cpu = { "10.0.0.5", "java", RESOURCE_CPU, world.data_ms, i == 1 ? 95 : 50 };
		assert_int_equal(latest_add(&world.latest, &cpu), 0);
		tick(&world, i == 0 ? 90 : 85);
		assert_string_equal(world.said, i == 0 ? "RED 10.0.0.5 java 90 0" :
		                                i == 1 ? "RED 10.0.0.5 java 95 10" : "");
	}
	assert_int_equal(count_series(&world), 2);
	world_close(&world);
}

static void test_states_evaluate_absent_once_says_nothing(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 1);
	for (int i = 0; i < 20; i++) {
		assert_quiet(&world, STATES_ABSENT - 1, (void)0);
		assert_string_equal(tick(&world, 1), "");
	}
	world_close(&world);
}

static void test_states_evaluate_server_outage_makes_no_host_unknown(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 90);
	for (int i = 0; i < 360; i++) {
		states_interrupted(world.states);
		advance(&world, INTERVAL);
	}
	/* The server is back, the host's collector waits for its next try. */
	assert_quiet(&world, STATES_RECOVERY_MS / INTERVAL, (void)0);
	assert_string_equal(tick(&world, 90), "");
	assert_quiet(&world, STATES_ABSENT - 1, (void)0);
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 3670");
	world_close(&world);
}

static void test_states_evaluate_host_silent_since_outage_is_unknown_in_the_end(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 90);
	states_interrupted(world.states);
	advance(&world, INTERVAL);
	assert_quiet(&world, STATES_RECOVERY_MS / INTERVAL + STATES_ABSENT - 1, (void)0);
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 0");
	world_close(&world);
}

static void test_states_evaluate_server_failing_now_and_then_hides_no_silent_host(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 1);
	int evaluations = 0;
	while (evaluate(&world)[0] == '\0') {
		assert_true(++evaluations < 20);
		states_interrupted(world.states);
		advance(&world, INTERVAL);
	}
	assert_string_equal(world.said, "UNKNOWN 10.0.0.5 * 0 0");
	world_close(&world);
}

static void test_states_evaluate_clock_steps_make_no_host_unknown(void **state)
{
	(void)state;
	for (int step = -1; step <= 1; step += 2) {
		struct world world;
		world_open(&world);
		tick(&world, 90);
		assert_string_equal(tick(&world, 90), "");

		/* Ours: the server's answers go on. */
		world.now_ms += step * HOUR;
		for (int i = 0; i < 10; i++)
			assert_string_equal(tick(&world, 90), "");

		/* All of one machine's: nothing is young enough until the next tick. */
		world.now_ms += step * HOUR;
		world.data_ms += step * HOUR;
		assert_quiet(&world, 2, (void)0);
		for (int i = 0; i < 10; i++)
			assert_string_equal(tick(&world, 90), "");

		/* Only the server's: one answer without the host. */
		assert_quiet(&world, 1, (void)0);
		assert_string_equal(tick(&world, 90), "");

		/* Only the host's: its timestamps jump, and count. */
		world.data_ms -= step * HOUR;
		assert_string_equal(tick(&world, 10), "");
		assert_string_equal(tick(&world, 10), "");
		assert_string_equal(tick(&world, 10), "CLEAR 10.0.0.5 java 10 0");
		world_close(&world);
	}
}

static void test_states_evaluate_sleep_makes_no_host_unknown(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 90);
	advance(&world, 8 * HOUR);
	assert_quiet(&world, 3, (void)0);
	assert_string_equal(tick(&world, 90), "");
	world_close(&world);
}

static void test_states_evaluate_two_days_silent_is_forgotten(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 90);
	assert_quiet(&world, STATES_ABSENT - 1, (void)0);
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 0");
	int quiet = 0;
	while (evaluate(&world)[0] == '\0')
		quiet++;
	assert_int_equal(quiet, STATES_FORGET_MS / INTERVAL);
	assert_string_equal(world.said, "GONE 10.0.0.5 java 90 0; GONE 10.0.0.5 * 0 0");
	/* Kept until its end is reported. */
	assert_int_equal(count_hosts(&world), 1);
	assert_quiet(&world, 3, (void)0);
	states_reported(world.states);
	assert_int_equal(count_hosts(&world), 0);
	assert_quiet(&world, 3, (void)0);
	assert_int_equal(count_hosts(&world), 0);
	world_close(&world);
}

static void test_states_evaluate_forgotten_host_comes_back_as_a_new_one(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 90);
	for (int i = 0; i < STATES_ABSENT; i++)
		evaluate(&world);
	assert_quiet(&world, STATES_FORGET_MS / INTERVAL, (void)0);
	assert_string_equal(evaluate(&world), "GONE 10.0.0.5 java 90 0; GONE 10.0.0.5 * 0 0");
	int64_t back_s = (world.data_ms - START) / 1000;
	char expected[64];
	snprintf(expected, sizeof(expected), "RED 10.0.0.5 java 90 %g", (double)back_s);
	assert_string_equal(tick(&world, 90), expected);
	states_reported(world.states);
	assert_int_equal(count_hosts(&world), 1);
	assert_int_equal(count_series(&world), 1);
	world_close(&world);
}

/* The clock of the alert service alone: the server goes on. */
static void test_states_evaluate_a_clock_that_jumped_ends_nothing(void **state)
{
	(void)state;
	static const int64_t days[] = { 30, -30, 3650, 3 };
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		struct world world;
		world_open(&world);
		/* One host is silent, with a RED; the other is there, with another. */
		give(&world, "10.0.0.6", "bash", 95);
		tick(&world, 90);
		for (int j = 0; j < 2; j++) {
			give(&world, "10.0.0.6", "bash", 95);
			evaluate(&world);
		}
		assert_string_equal(world.said, "UNKNOWN 10.0.0.5 * 0 0");
		for (int turn = 0; turn < 2; turn++) {
			world.now_ms += (turn ? -1 : 1) * days[i] * 24 * HOUR;
			assert_quiet(&world, 4, give(&world, "10.0.0.6", "bash", 95));
			if (i % 2)
				restart(&world);
		}
		/* Time goes on by evaluations, over a restart. */
		assert_quiet(&world, STATES_FORGET_MS / INTERVAL - 8, give(&world, "10.0.0.6", "bash", 95));
		give(&world, "10.0.0.6", "bash", 95);
		assert_string_equal(evaluate(&world), "GONE 10.0.0.5 java 90 0; GONE 10.0.0.5 * 0 0");
		world_close(&world);
	}
}

/* What was said when the state could not be saved any more. */
static void test_states_replay_goes_on_from_the_lines(void **state)
{
	(void)state;
	static const struct {
		const char *lines[4];
		const char *next; /* what is said of a tick with java at 90, and one with it at 10 three times */
	} cases[] = {
		{ { NULL }, "RED 10.0.0.5 java 90 30" },
		{ { "RED ip=10.0.0.5 process=\"java\" resource=mem value=90.00 threshold=80 since=2026-11-22T14:00:20Z" }, "" },
		{ { "RED ip=10.0.0.5 process=\"java\" resource=mem value=90.00 threshold=80 since=2026-11-22T14:00:20Z",
		    "GONE ip=10.0.0.5 process=\"java\" resource=mem value=90.00 threshold=80 since=2026-11-22T14:00:20Z" },
		  "RED 10.0.0.5 java 90 30" },
		{ { "RED ip=10.0.0.5 process=\"java\" resource=mem value=90.00 threshold=80 since=2026-11-22T14:00:20Z",
		    "UNKNOWN ip=10.0.0.5 process=\"*\" since=2026-11-22T14:00:20Z" },
		  "CLEAR 10.0.0.5 * 0 20" },
		{ { "UNKNOWN ip=10.0.0.5 process=\"*\" since=2026-11-22T14:00:20Z",
		    "CLEAR ip=10.0.0.5 process=\"*\" since=2026-11-22T14:00:20Z" },
		  "RED 10.0.0.5 java 90 30" },
		{ { "UNKNOWN ip=10.0.0.9 process=\"*\" since=2026-11-22T14:00:20Z",
		    "GONE ip=10.0.0.9 process=\"*\" since=2026-11-22T14:00:20Z" },
		  "RED 10.0.0.5 java 90 30" },
		{ { "AMBER ip=10.0.0.5 process=\"java\" resource=mem value=61.00 forecast=91.20 probability=0.83 threshold=80 "
		    "since=2026-11-22T14:00:20Z",
		    "REMINDER ip=10.0.0.5 process=\"java\" resource=mem value=61.00 forecast=91.20 probability=0.83 threshold=80 "
		    "since=2026-11-22T14:00:20Z" },
		  "RED 10.0.0.5 java 90 30" },
		/* Another series, another host: they are none of this one's. */
		{ { "RED ip=10.0.0.5 process=\"java\" resource=cpu value=90.00 threshold=80 since=2026-11-22T14:00:20Z" },
		  "RED 10.0.0.5 java 90 30" },
		/* Ends of what is not known. */
		{ { "CLEAR ip=10.0.0.5 process=\"java\" resource=mem value=10.00 threshold=80 since=2026-11-22T14:00:20Z" },
		  "RED 10.0.0.5 java 90 30" },
		{ { "CLEAR ip=10.0.0.9 process=\"*\" since=2026-11-22T14:00:20Z" }, "RED 10.0.0.5 java 90 30" },
		/* A process that is called as the host itself. */
		{ { "RED ip=10.0.0.5 process=\"*\" resource=mem value=90.00 threshold=80 since=2026-11-22T14:00:20Z" },
		  "RED 10.0.0.5 java 90 30" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int repeated = 1; repeated <= 2; repeated++) {
			struct world world;
			world_open(&world);
			tick(&world, 50);
			restart(&world);
			for (int j = 0; j < 4 * repeated; j++) {
				const char *line = cases[i].lines[j % 4];
				struct transition transition;
				if (line && !fields_parse(line, strlen(line), &transition))
					fail_msg("%s", line);
				if (line)
					assert_int_equal(states_replay(world.states, &transition, START + 25000), 0);
				/* One of before is known already. */
				assert_true(!line || states_replay(world.states, &transition, START) == 0);
			}
			for (const struct host_state *host = NULL; (host = states_next_host(world.states, host)) != NULL;)
				assert_true(host->alarm.color == COLOR_GREEN || host->alarm.color == COLOR_UNKNOWN);
			assert_int_equal(count_hosts(&world), 1);
			advance(&world, 20000);
			if (strcmp(tick(&world, 90), cases[i].next) != 0)
				fail_msg("case %zu: %s", i, world.said);
			world_close(&world);
		}
	}
}

static struct transition transition_of(const char *line)
{
	struct transition transition;
	if (!fields_parse(line, strlen(line), &transition))
		fail_msg("%s", line);
	return transition;
}

/* Without a saved evaluation nothing tells which lines are of later ones. */
static void test_states_replay_without_a_saved_time_takes_no_line(void **state)
{
	(void)state;
	struct transition red = transition_of("RED ip=10.0.0.5 process=\"java\" resource=mem value=90.00 threshold=80 since=2026-11-22T14:00:20Z");
	struct world world;
	world_open(&world);
	assert_int_equal(states_replay(world.states, &red, START + 25000), 0);
	assert_int_equal(count_hosts(&world), 0);
	world_close(&world);
}

/* The line of an end that the state knows already: what has been counted since it stays. */
static void test_states_replay_an_end_leaves_a_count_that_has_begun(void **state)
{
	(void)state;
	struct transition clear = transition_of("CLEAR ip=10.0.0.5 process=\"java\" resource=mem value=10.00 threshold=80 since=2026-11-22T13:00:00Z");
	struct world world;
	world_open(&world);
	world_set_rules(&world, 80, 75, 2, 3);
	assert_string_equal(tick(&world, 90), "");
	restart(&world);
	assert_int_equal(states_replay(world.states, &clear, START + PHASE), 0);
	assert_string_equal(tick(&world, 91), "RED 10.0.0.5 java 91 0");
	world_close(&world);
}

static void test_states_replay_an_alarm_that_has_begun_anew_is_since_then(void **state)
{
	(void)state;
	struct transition red = transition_of("RED ip=10.0.0.5 process=\"java\" resource=mem value=95.00 threshold=80 since=2026-11-22T14:00:20Z");
	struct world world;
	world_open(&world);
	assert_string_equal(tick(&world, 90), "RED 10.0.0.5 java 90 0");
	restart(&world);
	assert_int_equal(states_replay(world.states, &red, START + 25000), 0);
	advance(&world, 2 * INTERVAL);
	assert_quiet(&world, 2, give(&world, "10.0.0.5", "java", 10));
	assert_string_equal(tick(&world, 10), "CLEAR 10.0.0.5 java 10 20");
	world_close(&world);
}

static void test_states_replay_each_failing_allocation_is_told_and_the_line_taken_again(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	static const char *const lines[] = {
		"RED ip=10.0.0.5 process=\"java\" resource=mem value=90.00 threshold=80 since=2026-11-22T14:00:20Z",
		"RED ip=10.0.0.6 process=\"java\" resource=mem value=90.00 threshold=80 since=2026-11-22T14:00:20Z",
		"UNKNOWN ip=10.0.0.6 process=\"*\" since=2026-11-22T14:00:20Z",
		"OOM ip=10.0.0.5 process=\"java\" kills=1 since=2026-11-22T14:00:20Z",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct transition transition = transition_of(lines[i]);
		bool failed = true;
		for (long number = 1; failed; number++) {
			struct world world;
			struct text once = TEXT_EMPTY, twice = TEXT_EMPTY;
			world_open(&world);
			tick(&world, 50);
			restart(&world);
			failing_start(number);
			int result = states_replay(world.states, &transition, START + 25000);
			failed = failing_stop();
			assert_int_equal(result, failed ? -ENOMEM : 0);
			assert_int_equal(states_replay(world.states, &transition, START + 25000), 0);
			state_file_format(world.states, &once);
			assert_non_null(strstr(once.data, "1795356020")); /* the line's time */
			assert_int_equal(states_replay(world.states, &transition, START + 25000), 0);
			state_file_format(world.states, &twice);
			assert_string_equal(twice.data, once.data);
			text_free(&once);
			text_free(&twice);
			world_close(&world);
		}
	}
}

static void test_states_evaluate_restart_repeats_nothing(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rules(&world, 80, 75, 2, 3);
	give(&world, "10.0.0.6", "perl", 90);
	give(&world, "10.0.0.7", "bash", 1);
	tick(&world, 90);
	restart(&world); /* while counting to raise_after */
	give(&world, "10.0.0.6", "perl", 90);
	give(&world, "10.0.0.7", "bash", 1);
	assert_string_equal(tick(&world, 90), "RED 10.0.0.6 perl 90 0; RED 10.0.0.5 java 90 0");
	restart(&world); /* while red */
	give(&world, "10.0.0.6", "perl", 90);
	give(&world, "10.0.0.7", "bash", 1);
	assert_string_equal(tick(&world, 90), "");
	give(&world, "10.0.0.7", "bash", 1);
	assert_string_equal(tick(&world, 70), "");
	give(&world, "10.0.0.7", "bash", 1);
	assert_string_equal(tick(&world, 70), "UNKNOWN 10.0.0.6 * 0 20");
	restart(&world); /* while UNKNOWN and counting to clear_after */
	give(&world, "10.0.0.7", "bash", 1);
	assert_string_equal(tick(&world, 70), "CLEAR 10.0.0.5 java 70 0");
	assert_quiet(&world, 20, {
		give(&world, "10.0.0.7", "bash", 1);
		give(&world, "10.0.0.5", "java", 70);
	});
	/* A host that fell silent while we were away is missed all the same. */
	restart(&world);
	assert_quiet(&world, STATES_RECOVERY_MS / INTERVAL + STATES_ABSENT - 1, give(&world, "10.0.0.5", "java", 70));
	give(&world, "10.0.0.5", "java", 70);
	evaluate(&world);
	assert_memory_equal(world.said, "UNKNOWN 10.0.0.7 *", strlen("UNKNOWN 10.0.0.7 *"));
	give(&world, "10.0.0.5", "java", 70);
	give(&world, "10.0.0.6", "perl", 90);
	assert_string_equal(evaluate(&world), "CLEAR 10.0.0.6 * 0 20");
	world_close(&world);
}

static void test_states_evaluate_process_named_like_the_host_is_a_series(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	give(&world, "10.0.0.5", WIRE_HOST_ITSELF, 90);
	assert_string_equal(evaluate(&world), "RED 10.0.0.5 * 90 0");
	assert_quiet(&world, STATES_ABSENT - 1, (void)0);
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 0");
	world_close(&world);
}

static void test_states_changed_only_when_a_restart_needs_it(void **state)
{
	(void)state;
	static const struct {
		double value;
		bool expected;
	} ticks[] = { { 1, true }, { 1, false }, { 80, false }, { 90, true }, { 91, false }, { 92, false }, { 70, true },
		      { 71, true }, { 72, true }, { 73, false }, { 74, false } };
	struct world world;
	world_open(&world);
	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		tick(&world, ticks[i].value);
		if (states_changed(world.states) != ticks[i].expected)
			fail_msg("tick %zu", i);
		states_saved(world.states);
		states_reported(world.states);
	}
	world_close(&world);
}

/* What a restart must know that no line tells: what was counted is no more, a host is away for another hour, or forgotten. */
static void test_states_changed_by_what_ends_without_a_line(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rules(&world, 80, 75, 3, 3);
	for (int i = 0; i < 2; i++) {
		give(&world, "10.0.0.5", "bash", 1);
		assert_string_equal(tick(&world, 90), "");
		assert_true(states_changed(world.states));
		states_saved(world.states);
	}
	for (int i = 0; i < 2; i++) {
		give(&world, "10.0.0.5", "bash", 1);
		assert_string_equal(evaluate(&world), "");
		assert_true(states_changed(world.states) == (i == 0));
		states_saved(world.states);
	}
	assert_int_equal(count_series(&world), 0);

	while (evaluate(&world)[0] == '\0')
		;
	assert_string_equal(world.said, "UNKNOWN 10.0.0.5 * 0 30");
	states_saved(world.states);
	for (int i = 1; i <= 2 * 361; i++) {
		assert_string_equal(evaluate(&world), "");
		if (states_changed(world.states) != (i % 361 == 0))
			fail_msg("after %d evaluations", i);
		states_saved(world.states);
	}
	while (evaluate(&world)[0] == '\0')
		states_saved(world.states);
	assert_string_equal(world.said, "GONE 10.0.0.5 * 0 30");
	assert_true(states_changed(world.states));
	world_close(&world);
}

/* After an outage hosts have a minute to come back, in whole intervals. */
static void test_states_evaluate_recovery_is_rounded_up_to_intervals(void **state)
{
	(void)state;
	static const struct {
		int64_t interval_ms;
		int evaluations;
	} cases[] = { { 10000, 6 }, { 7000, 9 }, { 59999, 2 }, { 60000, 1 }, { 60001, 1 } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		world_open(&world);
		states_set_interval(world.states, cases[i].interval_ms);
		assert_string_equal(tick(&world, 1), "");
		states_interrupted(world.states);
		assert_quiet(&world, STATES_ABSENT - 1 + cases[i].evaluations, (void)0);
		assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 0");
		world_close(&world);
	}
}

/* Once more than an hour has passed since, and not before. */
static void test_states_changed_by_each_hour_of_absence(void **state)
{
	(void)state;
	static const struct {
		int64_t interval_ms;
		int evaluations;
	} cases[] = { { 10000, 361 }, { 10002, 360 } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		world_open(&world);
		states_set_interval(world.states, cases[i].interval_ms);
		assert_string_equal(tick(&world, 1), "");
		assert_quiet(&world, STATES_ABSENT - 1, (void)0);
		assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 0");
		states_saved(world.states);
		for (int j = 1; j <= 2 * cases[i].evaluations; j++) {
			assert_string_equal(evaluate(&world), "");
			if (states_changed(world.states) != (j % cases[i].evaluations == 0))
				fail_msg("case %zu: after %d evaluations", i, j);
			states_saved(world.states);
		}
		world_close(&world);
	}
}

/* One that is muted is forgotten without a line: it is to be saved all the same. */
static void test_states_changed_by_a_muted_host_that_is_forgotten(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rule(&world, 80, 75, 1, 3, "ip=10.0.0.5 mute=yes");
	tick(&world, 1);
	assert_quiet(&world, STATES_FORGET_MS / INTERVAL, (void)0);
	states_saved(world.states);
	assert_string_equal(evaluate(&world), "");
	assert_true(states_changed(world.states));
	states_reported(world.states);
	assert_int_equal(count_hosts(&world), 0);
	world_close(&world);
}

/* It is known again, and was left out of what is saved. */
static void test_states_changed_by_a_forgotten_host_that_is_back(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 1);
	while (strcmp(evaluate(&world), "GONE 10.0.0.5 * 0 0") != 0)
		assert_true(world.now_ms < START + 3 * 24 * HOUR);
	states_saved(world.states);
	assert_string_equal(tick(&world, 1), "");
	assert_true(states_changed(world.states));
	world_close(&world);
}

/* What was counted of a series before its host was forgotten, two days ago, is no part of a row. */
static void test_states_evaluate_samples_do_not_outlive_a_forgotten_host(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rules(&world, 80, 75, 2, 3);
	tick(&world, 90);
	while (strcmp(evaluate(&world), "GONE 10.0.0.5 * 0 0") != 0)
		assert_true(world.now_ms < START + 3 * 24 * HOUR);
	assert_string_equal(tick(&world, 90), "");
	assert_memory_equal(tick(&world, 90), "RED 10.0.0.5 java", 17);
	world_close(&world);
}

/* It is one that has just come back for one evaluation, and its first answer may lack what is there. */
static void test_states_evaluate_host_twice_in_an_answer_is_seen_once(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 90);
	states_interrupted(world.states);
	give(&world, "10.0.0.5", "bash", 1);
	stop_host(&world);
	assert_string_equal(evaluate(&world), "");
	assert_string_equal(evaluate(&world), "GONE 10.0.0.5 java 90 0");
	world_close(&world);
}

/* An evaluation after so long is the next one, or not: then the hosts have the time that collectors wait after an outage. */
static void test_states_evaluate_late_by_an_interval_is_no_outage(void **state)
{
	(void)state;
	static const struct {
		int64_t gap_ms;
		bool outage;
	} cases[] = { { INTERVAL, false }, { 0, false }, { -1, true }, { 2 * INTERVAL, false }, { 2 * INTERVAL + 1, true } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		world_open(&world);
		assert_string_equal(tick(&world, 1), "");
		world.now_ms += cases[i].gap_ms - INTERVAL;
		int quiet = 0;
		while (evaluate(&world)[0] == '\0')
			assert_true(++quiet < 100);
		assert_string_equal(world.said, "UNKNOWN 10.0.0.5 * 0 0");
		if (quiet != STATES_ABSENT - 1 + (cases[i].outage ? STATES_RECOVERY_MS / INTERVAL : 0))
			fail_msg("case %zu: %d", i, quiet);
		world_close(&world);
	}
}

/* A host's pace is the shorter one of its last two: one that was longer had a sample lost in it. */
static void test_states_await_the_shorter_pace_counts(void **state)
{
	(void)state;
	static const struct {
		int64_t first, second, age; /* in intervals */
		bool expected;
	} cases[] = {
		{ 1, 3, 1, true }, { 3, 1, 1, true }, { 3, 1, 0, false }, { 3, 3, 2, false }, { 3, 3, 3, true }, { 2, 3, 2, true },
		{ 3, 2, 2, true }, { 3, 2, 1, false }, { 2, 3, 1, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		int64_t time_ms = START;
		world_open(&world);
		give_at(&world, "10.0.0.5", "java", 1, time_ms);
		evaluate(&world);
		give_at(&world, "10.0.0.5", "java", 1, time_ms += cases[i].first * INTERVAL);
		evaluate(&world);
		give_at(&world, "10.0.0.5", "java", 1, time_ms += cases[i].second * INTERVAL);
		evaluate(&world);
		give_at(&world, "10.0.0.5", "java", 1, time_ms);
		if (states_await(world.states, &world.latest, time_ms + cases[i].age * INTERVAL) != cases[i].expected)
			fail_msg("case %zu", i);
		world_close(&world);
	}
}

/* Of two hosts that are stopped at once, while a third goes on, nothing stands any more: not what is missing either. */
static void test_states_evaluate_all_stopped_hosts_are_met(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rule(&world, 80, 75, 1, 3, "process=nginx ip=10.0.0.9 must_run=yes");
	for (int i = 0; i < 3; i++) {
		give(&world, "10.0.0.5", "java", 90);
		give(&world, "10.0.0.9", "bash", 1);
		if (i < 2)
			give(&world, "10.0.0.9", "nginx", 1);
		give(&world, "::1", "bash", 1);
		evaluate(&world);
	}
	assert_string_equal(world.said, "MISSING 10.0.0.9 nginx 0 20");
	stop_host(&world);
	give(&world, "::1", "bash", 1);
	assert_string_equal(evaluate(&world), "GONE 10.0.0.5 java 90 0; GONE 10.0.0.9 nginx 0 20");
	assert_quiet(&world, 10, give(&world, "::1", "bash", 1));
	world_close(&world);
}

/* Without memory an evaluation says so, and the next one says what it would have. */
static void test_states_evaluate_any_allocation_fails_nothing_is_lost(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long number = 1; failed; number++) {
		struct world world;
		world_open(&world);
		give(&world, "10.0.0.5", "java", 90);
		give(&world, "::1", "java", 1);
		long before = failing_unfreed();
		failing_start(number);
		int result = states_evaluate(world.states, world.rules, &world.latest, world.now_ms + PHASE, &world.transitions);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		assert_true(failed || failing_unfreed() > before);
		size_t said = world.transitions.count;
		result = states_evaluate(world.states, world.rules, &world.latest, world.now_ms + PHASE, &world.transitions);
		assert_int_equal(result, 0);
		assert_int_equal(said + world.transitions.count, 1);
		const struct series_state *series = states_next_series(world.states, NULL);
		assert_int_equal(series->alarm.color, COLOR_RED);
		assert_int_equal(series->alarm.since_ms, START);
		assert_true(series->alarm.threshold == 80);
		assert_int_equal(count_hosts(&world), 2);
		world_close(&world);
	}
}

/* An evaluation whose first allocation fails, and then the next; or the one where nothing was to be allocated. */
static const char *evaluate_failing(struct world *world)
{
	transitions_free(&world->transitions);
	failing_start(1);
	int result = states_evaluate(world->states, world->rules, &world->latest, world->now_ms + PHASE, &world->transitions);
	bool failed = failing_stop();
	assert_int_equal(result, failed ? -ENOMEM : 0);
	if (failed)
		return evaluate(world);
	world->said[0] = '\0';
	note_transitions(world);
	world->latest.count = 0;
	advance(world, INTERVAL);
	return world->said;
}

static const char *tick_failing(struct world *world, const char *process, double value)
{
	give(world, "10.0.0.5", process, value);
	return evaluate_failing(world);
}

static void test_states_evaluate_failed_allocation_delays_each_word(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct world world;
	world_open(&world);
	assert_string_equal(tick_failing(&world, "java", 90), "RED 10.0.0.5 java 90 0");
	assert_string_equal(evaluate_failing(&world), "");
	assert_string_equal(evaluate_failing(&world), "UNKNOWN 10.0.0.5 * 0 0");
	assert_string_equal(tick_failing(&world, "java", 1), "CLEAR 10.0.0.5 * 0 0");
	assert_string_equal(tick_failing(&world, "java", 2), "");
	assert_string_equal(tick_failing(&world, "java", 3), "CLEAR 10.0.0.5 java 3 0");
	assert_string_equal(tick_failing(&world, "java", 91), "RED 10.0.0.5 java 91 60");
	assert_string_equal(tick_failing(&world, "bash", 1), "GONE 10.0.0.5 java 91 60");
	assert_string_equal(tick_failing(&world, "java", 92), "RED 10.0.0.5 java 92 80");
	assert_string_equal(evaluate_failing(&world), "");
	assert_string_equal(evaluate_failing(&world), "UNKNOWN 10.0.0.5 * 0 80");
	while (evaluate_failing(&world)[0] == '\0')
		;
	assert_string_equal(world.said, "GONE 10.0.0.5 java 92 80; GONE 10.0.0.5 * 0 80");
	world_close(&world);
}

/* The words that no series of the host is told before. */
static void test_states_evaluate_failed_allocation_delays_what_is_said_of_a_host_alone(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct world world;
	world_open(&world);
	assert_string_equal(tick(&world, 90), "RED 10.0.0.5 java 90 0");
	assert_string_equal(evaluate_failing(&world), "");
	assert_string_equal(evaluate_failing(&world), "UNKNOWN 10.0.0.5 * 0 0");
	world_set_rule(&world, 80, 75, 1, 3, "process=java mute=yes");
	assert_string_equal(evaluate_failing(&world), "CLEAR 10.0.0.5 java 90 0");
	while (evaluate_failing(&world)[0] == '\0')
		;
	assert_string_equal(world.said, "GONE 10.0.0.5 * 0 0");
	world_close(&world);
}

/* A host's end is kept until it is reported, too; and a series that was over once only is not kept at all. */
static void test_states_reported_end_of_a_host_is_kept_until_then(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rules(&world, 80, 75, 2, 1);
	tick(&world, 90);
	assert_int_equal(count_series(&world), 1);
	tick(&world, 1);
	assert_int_equal(count_series(&world), 0);
	assert_quiet(&world, STATES_ABSENT - 1, (void)0);
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 10");
	assert_false(states_next_host(world.states, NULL)->ended);
	assert_string_equal(tick(&world, 1), "CLEAR 10.0.0.5 * 0 10");
	assert_true(states_next_host(world.states, NULL)->ended);
	/* Silent again before it was. */
	assert_quiet(&world, STATES_ABSENT - 1, (void)0);
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 40");
	assert_false(states_next_host(world.states, NULL)->ended);
	assert_string_equal(tick(&world, 1), "CLEAR 10.0.0.5 * 0 40");
	states_reported(world.states);
	assert_false(states_next_host(world.states, NULL)->ended);
	world_close(&world);
}

static void test_states_reported_ends_are_kept_until_then(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rules(&world, 80, 75, 1, 1);
	tick(&world, 90);
	states_reported(world.states);
	assert_int_equal(count_series(&world), 1);
	tick(&world, 10);
	tick(&world, 11);
	assert_int_equal(count_series(&world), 1);
	assert_true(states_next_series(world.states, NULL)->ended);
	states_reported(world.states);
	assert_int_equal(count_series(&world), 0);

	/* Raised again before its end was reported: it stands. */
	tick(&world, 90);
	tick(&world, 10);
	tick(&world, 90);
	assert_false(states_next_series(world.states, NULL)->ended);
	states_reported(world.states);
	assert_int_equal(count_series(&world), 1);
	world_close(&world);
}

/* Each tick a host has given the sample of so many ticks ago, of those that it takes: each `pace` ticks, and none at `lost`. */
static void test_states_await_hosts_whose_sample_of_the_tick_is_not_there(void **state)
{
	(void)state;
	static const struct {
		int64_t pace, behind, lost;
		const char *wanted; /* of each tick: whether it is waited for */
	} cases[] = {
		{ 1, 0, -1, "000000000000" }, /* all is there */
		{ 1, 1, -1, "011111111111" }, /* it is always shown a tick later */
		{ 1, 0, 5, "000001000000" },  /* one was lost, and is no reason to expect less later */
		{ 6, 0, -1, "0111110111110000000000000" }, /* it takes a sample a minute, which two paces tell */
		{ 6, 1, -1, "0111111111111100001000001" }, /* of which each is late */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		world_open(&world);
		for (int64_t at = 0; cases[i].wanted[at]; at++) {
			int64_t taken = (at - cases[i].behind) / cases[i].pace * cases[i].pace;
			taken -= taken == cases[i].lost;
			if (at >= cases[i].behind)
				give_at(&world, "10.0.0.5", "java", 5, START + taken * INTERVAL);
			give(&world, "10.0.0.6", "java", 5);
			if (states_await(world.states, &world.latest, world.now_ms) != (cases[i].wanted[at] == '1'))
				fail_msg("case %zu, tick %lld", i, (long long)at);
			evaluate(&world);
		}
		world_close(&world);
	}
}

/* Half of its processes that are there are enough, since others may have ended; fewer are not: a new process is shown first. */
static void test_states_await_nobody_who_is_silent_or_partly_there(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	for (int i = 0; i < 4; i++)
		tick(&world, 5);
	give(&world, "10.0.0.5", "java", 5);
	give_at(&world, "10.0.0.5", "ended", 5, world.now_ms - INTERVAL);
	assert_false(states_await(world.states, &world.latest, world.now_ms));
	give_at(&world, "10.0.0.5", "late", 5, world.now_ms - INTERVAL);
	assert_true(states_await(world.states, &world.latest, world.now_ms));
	give(&world, "10.0.0.5", "new", 5);
	give_at(&world, "10.0.0.5", "ended long ago", 5, world.now_ms - 2 * INTERVAL);
	assert_false(states_await(world.states, &world.latest, world.now_ms));
	world.latest.count = 0;
	assert_false(states_await(world.states, &world.latest, world.now_ms));
	give_at(&world, "10.0.0.5", "java", 5, world.now_ms - INTERVAL);
	assert_true(states_await(world.states, &world.latest, world.now_ms));
	world_close(&world);
}

static void test_states_evaluate_many_green_series_are_cheap(void **state)
{
	(void)state;
	enum { HOSTS = 100, PROCESSES = 150 };
	static char ips[HOSTS][WIRE_IP_SIZE], processes[PROCESSES][32];
	struct world world;
	world_open(&world);
	for (int i = 0; i < HOSTS; i++)
		snprintf(ips[i], sizeof(ips[i]), "10.0.1.%d", i);
	for (int i = 0; i < PROCESSES; i++)
		snprintf(processes[i], sizeof(processes[i]), "process-%d", i);
	int64_t best_ns = INT64_MAX;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < HOSTS * PROCESSES; i++)
			give(&world, ips[i / PROCESSES], processes[i % PROCESSES], i % PROCESSES == 0 ? 90 : 10);
		int64_t start_ns = clock_monotonic_ns();
		evaluate(&world);
		int64_t taken_ns = clock_monotonic_ns() - start_ns;
		best_ns = taken_ns < best_ns ? taken_ns : best_ns;
	}
	assert_int_equal(count_series(&world), HOSTS);
	print_message("%d series: %.2f ms\n", HOSTS * PROCESSES, (double)best_ns / 1e6);
	assert_true(best_ns < 100000000);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states_evaluate_table_of_values_gives_transitions),
		cmocka_unit_test(test_states_evaluate_raise_after_since_is_first_sample_over),
		cmocka_unit_test(test_states_evaluate_flapping_hour_raises_once),
		cmocka_unit_test(test_states_evaluate_process_not_in_latest_is_gone),
		cmocka_unit_test(test_states_evaluate_process_gone_before_raised_says_nothing),
		cmocka_unit_test(test_states_evaluate_silent_host_is_unknown_and_stays_red),
		cmocka_unit_test(test_states_evaluate_stopped_host_is_not_unknown_and_its_alarms_are_gone),
		cmocka_unit_test(test_states_evaluate_host_back_without_process_is_gone_in_second_evaluation),
		cmocka_unit_test(test_states_evaluate_part_of_a_host_after_outage_ends_nothing),
		cmocka_unit_test(test_states_evaluate_mem_and_cpu_are_apart),
		cmocka_unit_test(test_states_evaluate_absent_once_says_nothing),
		cmocka_unit_test(test_states_evaluate_server_outage_makes_no_host_unknown),
		cmocka_unit_test(test_states_evaluate_host_silent_since_outage_is_unknown_in_the_end),
		cmocka_unit_test(test_states_evaluate_server_failing_now_and_then_hides_no_silent_host),
		cmocka_unit_test(test_states_evaluate_clock_steps_make_no_host_unknown),
		cmocka_unit_test(test_states_evaluate_sleep_makes_no_host_unknown),
		cmocka_unit_test(test_states_evaluate_two_days_silent_is_forgotten),
		cmocka_unit_test(test_states_evaluate_forgotten_host_comes_back_as_a_new_one),
		cmocka_unit_test(test_states_evaluate_a_clock_that_jumped_ends_nothing),
		cmocka_unit_test(test_states_replay_goes_on_from_the_lines),
		cmocka_unit_test(test_states_replay_without_a_saved_time_takes_no_line),
		cmocka_unit_test(test_states_replay_an_end_leaves_a_count_that_has_begun),
		cmocka_unit_test(test_states_replay_an_alarm_that_has_begun_anew_is_since_then),
		cmocka_unit_test(test_states_replay_each_failing_allocation_is_told_and_the_line_taken_again),
		cmocka_unit_test(test_states_evaluate_restart_repeats_nothing),
		cmocka_unit_test(test_states_evaluate_process_named_like_the_host_is_a_series),
		cmocka_unit_test(test_states_changed_only_when_a_restart_needs_it),
		cmocka_unit_test(test_states_changed_by_what_ends_without_a_line),
		cmocka_unit_test(test_states_evaluate_recovery_is_rounded_up_to_intervals),
		cmocka_unit_test(test_states_changed_by_each_hour_of_absence),
		cmocka_unit_test(test_states_changed_by_a_muted_host_that_is_forgotten),
		cmocka_unit_test(test_states_changed_by_a_forgotten_host_that_is_back),
		cmocka_unit_test(test_states_evaluate_samples_do_not_outlive_a_forgotten_host),
		cmocka_unit_test(test_states_evaluate_host_twice_in_an_answer_is_seen_once),
		cmocka_unit_test(test_states_evaluate_late_by_an_interval_is_no_outage),
		cmocka_unit_test(test_states_await_the_shorter_pace_counts),
		cmocka_unit_test(test_states_evaluate_all_stopped_hosts_are_met),
		cmocka_unit_test(test_states_evaluate_any_allocation_fails_nothing_is_lost),
		cmocka_unit_test(test_states_evaluate_failed_allocation_delays_each_word),
		cmocka_unit_test(test_states_evaluate_failed_allocation_delays_what_is_said_of_a_host_alone),
		cmocka_unit_test(test_states_reported_end_of_a_host_is_kept_until_then),
		cmocka_unit_test(test_states_reported_ends_are_kept_until_then),
		cmocka_unit_test(test_states_await_hosts_whose_sample_of_the_tick_is_not_there),
		cmocka_unit_test(test_states_await_nobody_who_is_silent_or_partly_there),
		cmocka_unit_test(test_states_evaluate_many_green_series_are_cheap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
