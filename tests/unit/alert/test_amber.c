/* alert/states.h: the forecasts, muting and reminders, under simulated time */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "tests/unit/alert/world.h"

#define WEEK 60480 /* ticks */

/* Raises an AMBER at the second tick. */
static void raise_amber(struct world *world)
{
	assert_string_equal(amber_tick(world, 61, 0.83), "");
	char expected[64];
	snprintf(expected, sizeof(expected), "AMBER 10.0.0.5 java 61 %g", (double)(world->now_ms - START) / 1000 - 10);
	assert_string_equal(amber_tick(world, 61, 0.83), expected);
}

static void test_amber_table_of_values_and_probabilities_gives_transitions(void **state)
{
	(void)state;
	/* A value and a probability a tick, negative: none; under each: '.' nothing, the first letter
	 * of each transition otherwise. threshold 80, clear 75, clear_after 3; cuts 0.5 and 0.3. */
	static const struct {
		int raise_after;
		struct {
			double value, probability;
		} ticks[12];
		const char *expected;
	} cases[] = {
		{ 1, { { 61, 0.83 }, { 61, 0.83 }, { 61, 0.83 }, { 61, 0.83 } }, ".A.." },
		{ 1, { { 61, 0.5 }, { 61, 0.5 }, { 61, 0.5 } }, "..." },
		{ 1, { { 61, 0.51 }, { 61, 0.5 }, { 61, 0.51 }, { 61, 0.51 } }, "...A" },
		/* RED beats it, takes its place without a CLEAR, and is no AMBER. */
		{ 1, { { 61, 0.9 }, { 61, 0.9 }, { 81, 0.9 }, { 82, 0.9 }, { 82, 0.9 } }, ".AR.." },
		{ 1, { { 81, 0.9 }, { 81, 0.9 }, { 81, 0.9 } }, "R.." },
		/* A RED that ends may become AMBER by its own rule. */
		{ 1, { { 81, 0.9 }, { 70, 0.9 }, { 70, 0.9 }, { 70, 0.9 }, { 70, 0.9 }, { 70, 0.9 } }, "R..CA." },
		{ 1, { { 81, 0.9 }, { 70, 0.1 }, { 70, 0.1 }, { 70, 0.1 }, { 70, 0.9 }, { 70, 0.9 } }, "R..C.A" },
		/* Over the threshold and not yet RED it may be AMBER. */
		{ 4, { { 81, 0.9 }, { 82, 0.9 }, { 83, 0.9 }, { 84, 0.9 }, { 84, 0.9 } }, ".A.R." },
		/* Between the cuts nothing happens; under the lower one clear_after times ends it. */
		{ 1, { { 61, 0.9 }, { 61, 0.9 }, { 61, 0.4 }, { 61, 0.3 }, { 61, 0.3 }, { 61, 0.3 } }, ".A...." },
		{ 1, { { 61, 0.9 }, { 61, 0.9 }, { 61, 0.2 }, { 61, 0.2 }, { 61, 0.2 }, { 61, 0.2 } }, ".A..C." },
		{ 1, { { 61, 0.9 }, { 61, 0.9 }, { 61, 0.2 }, { 61, 0.2 }, { 61, 0.4 }, { 61, 0.2 }, { 61, 0.2 }, { 61, 0.2 } },
		  ".A.....C" },
		{ 1, { { 61, 0.9 }, { 61, 0.9 }, { 61, 0.2 }, { 61, 0.2 }, { 61, 0.2 }, { 61, 0.9 }, { 61, 0.9 } }, ".A..C.A" },
		/* Without forecasts nothing is raised, nothing is cleared. */
		{ 1, { { 61, 0.9 }, { 61, -1 }, { 61, -1 }, { 61, 0.9 }, { 61, 0.9 } }, "...A." },
		{ 1, { { 61, 0.9 }, { 61, 0.9 }, { 61, 0.2 }, { 61, 0.2 }, { 61, -1 }, { 61, -1 }, { 61, -1 }, { 61, 0.2 } },
		  ".A.....C" },
		/* Exactly 80.0 is not RED. */
		{ 1, { { 80, 0.9 }, { 80, 0.9 }, { 80, 0.9 }, { 80.01, 0.9 } }, ".A.R" },
		{ 1, { { 61, 1 }, { 61, 1 }, { 61, 0 }, { 61, 0 }, { 61, 0 } }, ".A..C" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		world_open(&world);
		world_set_rules(&world, 80, 75, cases[i].raise_after, 3);
		char got[16] = "";
		for (size_t at = 0; cases[i].expected[at]; at++) {
			if (cases[i].ticks[at].probability >= 0)
				expect(&world, "10.0.0.5", "java", cases[i].ticks[at].probability);
			const char *said = tick(&world, cases[i].ticks[at].value);
			got[at] = strchr(said, ';') ? '?' : said[0] ? said[0] : '.';
		}
		if (strcmp(got, cases[i].expected) != 0)
			fail_msg("case %zu: %s, not %s", i, got, cases[i].expected);
		world_close(&world);
	}
}

static void test_amber_alarm_tells_the_newest_forecast(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	raise_amber(&world);
	struct forecast forecast = { "10.0.0.5", "java", RESOURCE_MEM, 0.7, 85.5, START + HOUR, 0 };
	assert_int_equal(forecasts_add(&world.forecasts, &forecast), 0);
	world.forecasting = true;
	assert_string_equal(tick(&world, 64), "");
	const struct series_state *series = states_next_series(world.states, NULL);
	assert_int_equal(series->alarm.color, COLOR_ORANGE);
	assert_true(series->alarm.value == 64);
	assert_true(series->alarm.threshold == 80);
	assert_true(series->alarm.probability == 0.7);
	assert_true(series->alarm.forecast == 85.5);
	assert_int_equal(series->alarm.expected_ms, START + HOUR);
	assert_int_equal(series->alarm.since_ms, START);
	world_close(&world);
}

/* To be in the next answer to GET forecasts, with a word of days ahead, or without. */
static void expect_full(struct world *world, double probability, bool full)
{
	struct forecast forecast = { "10.0.0.5", "java", RESOURCE_MEM, probability, 50, 0, full ? START + 40 * HOUR : 0 };
	assert_int_equal(forecasts_add(&world->forecasts, &forecast), 0);
	world->forecasting = true;
}

/* Of days ahead: a tick at which it is said so, or not. */
static const char *full_tick(struct world *world, double value, double probability, bool full)
{
	expect_full(world, probability, full);
	return tick(world, value);
}

static void test_amber_of_days_ahead_table(void **state)
{
	(void)state;
	/* As above; capital: it is full in days. It ends after a 72nd of the long horizon, 4 ticks here, and clear_after. */
	static const struct {
		const char *ticks; /* 'F': full_at, '-': none, 'P': full_at and probable, 'p': probable, 'R': over the threshold */
		int64_t long_horizon_ms;
		const char *rule, *expected;
	} cases[] = {
		{ "FFFF", 72 * 40000, NULL, ".A.." },
		{ "F-FF", 72 * 40000, NULL, "...A" },
		{ "FF---F----", 72 * 40000, NULL, ".A.......C" },
		{ "FF---", 10000, NULL, ".A..C" },
		/* Its end is no part of the next row. */
		{ "FF----FF", 72 * 40000, NULL, ".A...C.A" },
		/* What comes within the horizon is another line, and ends first. */
		{ "FFPP---FF", 72 * 40000, NULL, ".A.A..C.A" },
		{ "PP", 72 * 40000, NULL, ".A" },
		{ "pFFFF", 72 * 40000, NULL, "..A.." },
		{ "FFRR", 72 * 40000, NULL, ".AR." },
		{ "FRFFFFF", 72 * 40000, NULL, ".R..CA." },
		/* Not where nobody wants it. */
		{ "FFFF", 0, NULL, "...." },
		{ "FFFF", 72 * 40000, "process=java amber_probability=1", "...." },
		{ "FFFF", 72 * 40000, "process=java mute=yes", "...." },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		world_open(&world);
		world_set_rule(&world, 80, 75, 1, 3, cases[i].rule);
		states_set_long_horizon(world.states, cases[i].long_horizon_ms);
		char got[16] = "";
		for (size_t at = 0; cases[i].ticks[at]; at++) {
			char what = cases[i].ticks[at];
			const char *said = full_tick(&world, what == 'R' ? 81 : 61, strchr("Pp", what) ? 0.9 : 0.1, strchr("FPR", what));
			got[at] = strchr(said, ';') ? '?' : said[0] ? said[0] : '.';
		}
		if (strcmp(got, cases[i].expected) != 0)
			fail_msg("case %zu: %s, not %s", i, got, cases[i].expected);
		world_close(&world);
	}
}

static void test_amber_of_days_ahead_says_so_and_survives_a_restart(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	states_set_long_horizon(world.states, 72 * HOUR);
	full_tick(&world, 61, 0.1, true);
	assert_string_equal(full_tick(&world, 62, 0.1, true), "AMBER 10.0.0.5 java 62 0");
	for (int round = 0; round < 2; round++) {
		const struct alarm *alarm = &states_next_series(world.states, NULL)->alarm;
		assert_int_equal(alarm->color, COLOR_ORANGE);
		assert_int_equal(alarm->horizon_ms, 72 * HOUR);
		assert_int_equal(alarm->expected_ms, START + 40 * HOUR);
		assert_true(alarm->forecast == 80 && alarm->probability == 0.1);
		assert_int_equal(alarm->since_ms, START);
		restart(&world);
		states_set_long_horizon(world.states, 72 * HOUR);
	}
	assert_string_equal(full_tick(&world, 63, 0.1, true), "");
	/* That nothing is said for less than an hour ends nothing. */
	for (int i = 0; i < 359; i++)
		assert_string_equal(full_tick(&world, 63, 0.1, false), "");
	restart(&world);
	assert_string_equal(full_tick(&world, 63, 0.1, false), "CLEAR 10.0.0.5 java 63 0");
	assert_int_equal(world.transitions.items[0].alarm.horizon_ms, 72 * HOUR);
	world_close(&world);
}

static void test_amber_of_days_ahead_red_after_it_has_no_horizon(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	states_set_long_horizon(world.states, 72 * HOUR);
	full_tick(&world, 61, 0.1, true);
	assert_string_equal(full_tick(&world, 61, 0.1, true), "AMBER 10.0.0.5 java 61 0");
	assert_string_equal(full_tick(&world, 81, 0.1, true), "RED 10.0.0.5 java 81 20");
	assert_int_equal(states_next_series(world.states, NULL)->alarm.horizon_ms, 0);
	world_close(&world);
}

static void test_amber_of_days_ahead_changes_only_when_a_restart_needs_it(void **state)
{
	(void)state;
	static const struct {
		bool full, expected;
	} ticks[] = { { false, true }, { false, false }, { true, true }, { false, true }, { false, false }, { true, true },
		      { true, true }, { true, false }, { false, true }, { true, true }, { true, false } };
	struct world world;
	world_open(&world);
	states_set_long_horizon(world.states, 72 * HOUR);
	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		full_tick(&world, 61, 0.1, ticks[i].full);
		if (states_changed(world.states) != ticks[i].expected)
			fail_msg("tick %zu", i);
		states_saved(world.states);
		states_reported(world.states);
	}
	world_close(&world);
}

/* What has been counted, of each kind, is to be saved once it is none any more; what had ended before is known. */
static void test_amber_changed_by_counts_that_end_without_a_line(void **state)
{
	(void)state;
	enum counted { SAMPLES, FORECASTS, FULLS, ENDED };
	static const struct {
		enum counted counted;
		bool gone; /* the process is; or else its forecast alone, which samples do not care for */
		bool expected;
	} cases[] = {
		{ SAMPLES, true, true }, { FORECASTS, true, true }, { FULLS, true, true }, { ENDED, true, false },
		{ SAMPLES, false, false }, { FORECASTS, false, true }, { FULLS, false, true }, { ENDED, false, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum counted counted = cases[i].counted;
		struct world world;
		world_open(&world);
		world_set_rules(&world, 80, 75, counted == SAMPLES ? 2 : 1, 1);
		states_set_long_horizon(world.states, 72 * HOUR);
		give(&world, "10.0.0.5", "bash", 1);
		tick(&world, counted == ENDED ? 90 : 61);
		give(&world, "10.0.0.5", "bash", 1);
		int64_t sample_ms = world.data_ms;
		double value = counted == SAMPLES ? 90 : 61;
		if (counted == FORECASTS || counted == FULLS)
			expect_full(&world, counted == FORECASTS ? 0.9 : 0.1, counted == FULLS);
		assert_string_equal(tick(&world, value), counted == ENDED ? "CLEAR 10.0.0.5 java 61 0" : "");
		assert_int_equal(count_series(&world), 1);
		states_saved(world.states);

		give(&world, "10.0.0.5", "bash", 1);
		if (!cases[i].gone)
			give_at(&world, "10.0.0.5", "java", value, sample_ms);
		world.forecasting = !cases[i].gone;
		assert_string_equal(evaluate(&world), "");
		if (states_changed(world.states) != cases[i].expected)
			fail_msg("case %zu", i);
		world_close(&world);
	}
}

static void test_amber_forecasts_do_not_outlive_a_forgotten_host(void **state)
{
	(void)state;
	for (int full = 0; full < 2; full++) {
		double probability = full ? 0.1 : 0.9;
		struct world world;
		world_open(&world);
		states_set_long_horizon(world.states, 72 * HOUR);
		full_tick(&world, 61, probability, full);
		while (strcmp(evaluate(&world), "GONE 10.0.0.5 * 0 0") != 0)
			assert_true(world.now_ms < START + 3 * 24 * HOUR);
		assert_string_equal(full_tick(&world, 61, probability, full), "");
		assert_memory_equal(full_tick(&world, 61, probability, full), "AMBER", 5);
		world_close(&world);
	}
}

static void test_amber_series_with_nothing_to_count_is_not_kept(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	amber_tick(&world, 61, 0.9);
	assert_int_equal(count_series(&world), 1);
	amber_tick(&world, 61, 0.1);
	assert_int_equal(count_series(&world), 0);
	world_close(&world);
}

static void test_amber_evaluate_replaces_the_transitions(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	give(&world, "10.0.0.5", "java", 90);
	assert_int_equal(states_evaluate(world.states, world.rules, &world.latest, world.now_ms, &world.transitions), 0);
	assert_int_equal(world.transitions.count, 1);
	assert_int_equal(states_evaluate_forecasts(world.states, world.rules, &world.latest, &world.forecasts,
	                                           &world.transitions), 0);
	assert_int_equal(world.transitions.count, 0);
	world_close(&world);
}

/* As full_tick(), but the first allocation for the forecasts fails: that changes no alarm, and once more says the word. */
static const char *full_tick_failing(struct world *world, double probability, bool full)
{
	expect_full(world, probability, full);
	give(world, "10.0.0.5", "java", 61);
	assert_int_equal(states_evaluate(world->states, world->rules, &world->latest, world->now_ms, &world->transitions), 0);
	const struct series_state *series = states_next_series(world->states, NULL);
	const struct alarm before = series ? series->alarm : (struct alarm){ 0 };
	transitions_free(&world->transitions);
	failing_start(1);
	int result = states_evaluate_forecasts(world->states, world->rules, &world->latest, &world->forecasts,
	                                       &world->transitions);
	bool failed = failing_stop();
	assert_int_equal(result, failed ? -ENOMEM : 0);
	if (failed) {
		assert_int_equal(world->transitions.count, 0);
		if (series) {
			assert_int_equal(series->alarm.color, before.color);
			assert_int_equal(series->alarm.since_ms, before.since_ms);
			assert_int_equal(series->alarm.horizon_ms, before.horizon_ms);
		}
		result = states_evaluate_forecasts(world->states, world->rules, &world->latest, &world->forecasts,
		                                   &world->transitions);
		assert_int_equal(result, 0);
	}
	world->said[0] = '\0';
	note_transitions(world);
	world->latest.count = world->forecasts.count = 0;
	world->forecasting = false;
	advance(world, INTERVAL);
	return world->said;
}

static void test_amber_failed_allocation_delays_each_word(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct world world;
	world_open(&world);
	states_set_long_horizon(world.states, 72 * 20000);
	assert_string_equal(full_tick_failing(&world, 0.1, true), "");
	assert_string_equal(full_tick_failing(&world, 0.1, true), "AMBER 10.0.0.5 java 61 0");
	/* It gives way to one of the horizon. */
	assert_string_equal(full_tick_failing(&world, 0.9, true), "");
	assert_string_equal(full_tick_failing(&world, 0.9, true), "AMBER 10.0.0.5 java 61 20");
	assert_string_equal(full_tick_failing(&world, 0.1, false), "");
	assert_string_equal(full_tick_failing(&world, 0.1, false), "");
	assert_string_equal(full_tick_failing(&world, 0.1, false), "CLEAR 10.0.0.5 java 61 20");
	assert_string_equal(full_tick_failing(&world, 0.1, true), "");
	assert_string_equal(full_tick_failing(&world, 0.1, true), "AMBER 10.0.0.5 java 61 70");
	assert_string_equal(full_tick_failing(&world, 0.1, false), "");
	assert_string_equal(full_tick_failing(&world, 0.1, false), "");
	assert_string_equal(full_tick_failing(&world, 0.1, false), "CLEAR 10.0.0.5 java 61 70");
	world_close(&world);
}

/* A RED that takes its place, and cannot be said yet, leaves it as it was. */
static void test_amber_stays_as_it_is_while_a_red_fails(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct world world;
	world_open(&world);
	raise_amber(&world);
	give(&world, "10.0.0.5", "java", 90);
	transitions_free(&world.transitions);
	failing_start(1);
	int result = states_evaluate(world.states, world.rules, &world.latest, world.now_ms, &world.transitions);
	assert_true(failing_stop());
	assert_int_equal(result, -ENOMEM);
	assert_int_equal(states_next_series(world.states, NULL)->alarm.color, COLOR_ORANGE);
	assert_int_equal(states_next_series(world.states, NULL)->alarm.since_ms, START);
	assert_string_equal(evaluate(&world), "RED 10.0.0.5 java 90 20");
	world_close(&world);
}

static void test_amber_red_after_it_has_its_own_since(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rules(&world, 80, 75, 2, 1);
	raise_amber(&world);
	assert_string_equal(amber_tick(&world, 85, 0.9), "");
	assert_int_equal(states_next_series(world.states, NULL)->alarm.since_ms, START);
	assert_string_equal(amber_tick(&world, 86, 0.9), "RED 10.0.0.5 java 86 20");
	assert_string_equal(amber_tick(&world, 10, 0.9), "CLEAR 10.0.0.5 java 10 20");
	assert_string_equal(amber_tick(&world, 10, 0.9), "AMBER 10.0.0.5 java 10 40");
	world_close(&world);
}

static void test_amber_series_not_in_latest_is_never_raised(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	for (int i = 0; i < 10; i++) {
		give(&world, "10.0.0.5", "bash", 1);
		expect(&world, "10.0.0.5", "java", 0.9);
		expect(&world, "10.0.0.6", "java", 0.9);
		assert_string_equal(evaluate(&world), "");
	}
	assert_int_equal(count_series(&world), 0);

	/* Nor by forecasts that were so high before it went. */
	amber_tick(&world, 61, 0.9);
	give(&world, "10.0.0.5", "bash", 1);
	expect(&world, "10.0.0.5", "java", 0.9);
	assert_string_equal(evaluate(&world), "");
	assert_int_equal(count_series(&world), 0);
	assert_string_equal(amber_tick(&world, 61, 0.9), "");
	world_close(&world);
}

static void test_amber_sample_is_that_of_its_own_host_and_resource(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	for (int i = 0; i < 2; i++) {
		give(&world, "10.0.0.4", "java", 11);
		give(&world, "10.0.0.4", "bash", 12);
		struct latest_sample cpu = { "10.0.0.5", "java", RESOURCE_CPU, world.data_ms, 13 };
		assert_int_equal(latest_add(&world.latest, &cpu), 0);
		give(&world, "10.0.0.5", "bash", 14);
		give(&world, "10.0.0.5", "java", 15);
		give(&world, "10.0.0.6", "java", 16);
		give(&world, "10.0.0.6", "perl", 17);
		expect(&world, "10.0.0.5", "java", 0.9);
		expect(&world, "10.0.0.5", "perl", 0.9);
		evaluate(&world);
		assert_int_equal(count_series(&world), 1);
		assert_true(states_next_series(world.states, NULL)->alarm.value == 15);
	}
	assert_string_equal(world.said, "AMBER 10.0.0.5 java 15 0");
	world_close(&world);
}

static void test_amber_flickering_forecast_gives_one_amber_and_at_most_one_clear(void **state)
{
	(void)state;
	/* A forecast holds for six ticks, as it is made once a minute; or is another at each tick. */
	static const struct {
		int hold;
		double high, low;
		int ambers, clears;
	} cases[] = {
		{ 6, 0.51, 0.49, 1, 0 },
		{ 6, 0.51, 0.31, 1, 0 },
		{ 1, 0.51, 0.49, 0, 0 },
		{ 2, 0.51, 0.29, 1, 0 },
		{ 1, 0.9, 0.1, 0, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		world_open(&world);
		int ambers = 0, clears = 0;
		for (int at = 0; at < WEEK / 7; at++) {
			const char *said = amber_tick(&world, at % 2 ? 79.9 : 61,
			                              at / cases[i].hold % 2 ? cases[i].low : cases[i].high);
			ambers += strstr(said, "AMBER") != NULL;
			clears += strstr(said, "CLEAR") != NULL;
			assert_null(strstr(said, "RED"));
		}
		if (ambers != cases[i].ambers || clears != cases[i].clears)
			fail_msg("case %zu: %d AMBER, %d CLEAR", i, ambers, clears);
		world_close(&world);
	}
}

static void test_amber_flapping_hour_under_a_high_forecast_raises_each_once(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	for (int i = 0; i < 360; i++)
		assert_string_equal(amber_tick(&world, i % 2 ? 79.9 : i < 4 ? 80.0 : 80.1, 0.95),
		                    i == 1 ? "AMBER 10.0.0.5 java 79.9 0" : i == 4 ? "RED 10.0.0.5 java 80.1 40" : "");
	world_close(&world);
}

static void test_amber_gaps_never_resolve(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	raise_amber(&world);
	/* The forecasts are away for a week. */
	for (int i = 0; i < WEEK; i++)
		assert_string_equal(tick(&world, 61), "");
	/* So is the server, and then the host, for an hour. */
	for (int i = 0; i < 360; i++) {
		states_interrupted(world.states);
		advance(&world, INTERVAL);
	}
	int silent = 0;
	for (int i = 0; i < 360; i++) {
		expect(&world, "10.0.0.5", "java", 0.1);
		expect(&world, "10.0.0.6", "java", 0.1);
		const char *said = evaluate(&world);
		silent += said[0] != '\0';
		assert_true(said[0] == '\0' || strncmp(said, "UNKNOWN", 7) == 0);
	}
	assert_int_equal(silent, 1);
	assert_int_equal(states_next_series(world.states, NULL)->alarm.color, COLOR_ORANGE);
	assert_memory_equal(amber_tick(&world, 61, 0.9), "CLEAR 10.0.0.5 * ", 17); /* the host's */
	/* Only now, by forecasts. */
	assert_string_equal(amber_tick(&world, 61, 0.1), "");
	assert_string_equal(amber_tick(&world, 61, 0.1), "");
	assert_string_equal(amber_tick(&world, 61, 0.1), "CLEAR 10.0.0.5 java 61 0");
	world_close(&world);
}

static void test_amber_series_that_is_forecast_no_more_ends_after_the_horizon(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	raise_amber(&world);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < HORIZON / INTERVAL - 1; i++) {
			expect(&world, "10.0.0.5", "bash", 0.1);
			give(&world, "10.0.0.5", "bash", 1);
			assert_string_equal(tick(&world, 61), "");
		}
		if (round == 0) /* once more: it begins anew */
			assert_string_equal(amber_tick(&world, 61, 0.4), "");
	}
	world.forecasting = true; /* an empty answer of a forecaster that lives counts, too */
	assert_string_equal(tick(&world, 61), "CLEAR 10.0.0.5 java 61 0");
	world_close(&world);
}

static void test_amber_green_series_without_a_forecast_starts_to_count_anew(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	amber_tick(&world, 61, 0.9);
	world.forecasting = true;
	assert_string_equal(tick(&world, 61), "");
	assert_int_equal(count_series(&world), 0);
	assert_string_equal(amber_tick(&world, 61, 0.9), "");
	assert_string_equal(amber_tick(&world, 61, 0.9), "AMBER 10.0.0.5 java 61 20");
	world_close(&world);
}

static void test_amber_counts_do_not_outlive_the_alarm(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	raise_amber(&world);
	amber_tick(&world, 61, 0.1);
	amber_tick(&world, 61, 0.1);
	do {
		world.forecasting = true;
	} while (tick(&world, 61)[0] == '\0');
	assert_string_equal(world.said, "CLEAR 10.0.0.5 java 61 0");
	assert_string_equal(amber_tick(&world, 61, 0.9), "");
	assert_memory_equal(amber_tick(&world, 61, 0.9), "AMBER", 5);
	/* Raised again before its end was reported: it stands. */
	assert_false(states_next_series(world.states, NULL)->ended);
	states_reported(world.states);
	assert_int_equal(count_series(&world), 1);
	world_close(&world);
}

static void test_amber_part_of_a_host_after_outage_ends_nothing(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rules(&world, 80, 75, 1, 1);
	raise_amber(&world);
	states_interrupted(world.states);
	advance(&world, INTERVAL);
	give(&world, "10.0.0.5", "bash", 1);
	expect(&world, "10.0.0.5", "java", 0.1);
	assert_string_equal(evaluate(&world), "");
	assert_string_equal(amber_tick(&world, 61, 0.9), "");
	world_close(&world);
}

static void test_amber_same_sample_twice_has_its_threshold(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	for (int i = 0; i < 2; i++) {
		give_at(&world, "10.0.0.5", "java", 61, START);
		expect(&world, "10.0.0.5", "java", 0.9);
		assert_string_equal(evaluate(&world), i ? "AMBER 10.0.0.5 java 61 0" : "");
	}
	assert_true(states_next_series(world.states, NULL)->alarm.threshold == 80);
	world_close(&world);
}

static void test_amber_changes_only_when_a_restart_needs_it(void **state)
{
	(void)state;
	static const struct {
		double probability;
		bool expected;
	} ticks[] = { { 0.1, true }, { 0.1, false }, { 0.9, true }, { 0.1, true }, { 0.9, true }, { 0.9, true }, { 0.8, false },
		      { 0.1, true }, { 0.4, true }, { 0.4, false }, { 0.1, true }, { 0.1, true }, { 0.1, true }, { 0.1, false } };
	struct world world;
	world_open(&world);
	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		amber_tick(&world, 61, ticks[i].probability);
		if (states_changed(world.states) != ticks[i].expected)
			fail_msg("tick %zu", i);
		states_saved(world.states);
		states_reported(world.states);
	}
	world_close(&world);
}

static void test_amber_process_gone_ends_it(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	raise_amber(&world);
	give(&world, "10.0.0.5", "bash", 1);
	expect(&world, "10.0.0.5", "java", 0.9);
	assert_string_equal(evaluate(&world), "GONE 10.0.0.5 java 61 0");
	assert_quiet(&world, 5, give(&world, "10.0.0.5", "bash", 1));
	states_reported(world.states);
	assert_int_equal(count_series(&world), 0);
	world_close(&world);
}

static void test_amber_silent_host_keeps_it_until_forgotten(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	raise_amber(&world);
	int quiet = 0;
	assert_quiet(&world, STATES_ABSENT - 1, (void)0);
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 10");
	while (evaluate(&world)[0] == '\0')
		quiet++;
	assert_int_equal(quiet, STATES_FORGET_MS / INTERVAL);
	assert_string_equal(world.said, "GONE 10.0.0.5 java 61 0; GONE 10.0.0.5 * 0 10");
	world_close(&world);
}

/* A day of all that may happen, with a restart or a reload, or none, between two ticks. */
static char *live(unsigned turn, int disturb_at)
{
	struct world world;
	struct text said = TEXT_EMPTY;
	world_open(&world);
	world_set_rules(&world, 80, 75, 2, 3);
	world.reminder_ms = 60000;
	for (int at = 0; at < 60; at++) {
		/* Green; about to be AMBER; AMBER; clearing; green; AMBER; about to be RED; RED; clearing; green; gone;
		 * and a second host that is silent from 30 to 45. */
		double probability = at >= 5 && at < 15 ? 0.9 : at >= 15 && at < 19 ? 0.1 : at >= 19 && at < 25 ? 0.6 : 0.2;
		double value = at >= 22 && at < 30 ? 85 : 61;
		if (at < 50) {
			expect(&world, "10.0.0.5", "java", probability);
			give(&world, "10.0.0.5", "java", value);
		}
		give(&world, "10.0.0.5", "bash", 1);
		expect(&world, "10.0.0.5", "perl", at >= 40 ? 0.9 : 0);
		give(&world, "10.0.0.5", "perl", 70);
		if (at < 30 || at >= 45)
			give(&world, "10.0.0.6", "bash", at < 48 ? 90 : 20);
		evaluate(&world);
		if (world.said[0])
			text_printf(&said, "%d: %s\n", at, world.said);
		if (at == disturb_at && turn == 1)
			restart(&world);
		else if (at == disturb_at && turn == 2)
			world_set_rules(&world, 80, 75, 2, 3);
	}
	world_close(&world);
	return said.data;
}

static void test_amber_restart_and_reload_in_every_state_change_no_line(void **state)
{
	(void)state;
	char *expected = live(0, -1);
	print_message("%s", expected);
	assert_non_null(strstr(expected, "AMBER 10.0.0.5 java"));
	assert_non_null(strstr(expected, "REMINDER 10.0.0.5 java 61"));
	assert_non_null(strstr(expected, "REMINDER 10.0.0.5 java 85"));
	assert_non_null(strstr(expected, "REMINDER 10.0.0.6 * "));
	assert_non_null(strstr(expected, "CLEAR 10.0.0.5 java"));
	for (unsigned turn = 1; turn <= 2; turn++) {
		for (int at = 0; at < 60; at++) {
			/* After a restart a host is believed gone, and a process, a little later: not here. */
			if (turn == 1 && (at == 29 || at == 30 || at == 49))
				continue;
			char *said = live(turn, at);
			if (strcmp(said, expected) != 0)
				fail_msg("%s after tick %d:\n%s", turn == 1 ? "restart" : "reload", at, said);
			free(said);
		}
	}
	free(expected);
}

static void test_amber_reload_with_other_cuts_is_judged_by_them(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	raise_amber(&world);
	world_set_rule(&world, 80, 75, 1, 3, "process=java amber_probability=1 amber_clear=0.95");
	assert_string_equal(amber_tick(&world, 61, 0.9), "");
	assert_string_equal(amber_tick(&world, 61, 0.9), "");
	assert_string_equal(amber_tick(&world, 61, 0.9), "CLEAR 10.0.0.5 java 61 0");
	for (int i = 0; i < 10; i++)
		assert_string_equal(amber_tick(&world, 61, 1), ""); /* never over 1 */
	world_set_rule(&world, 80, 75, 1, 3, "process=java amber_probability=0.1 amber_clear=0.05");
	amber_tick(&world, 61, 0.11);
	assert_memory_equal(amber_tick(&world, 61, 0.11), "AMBER", 5);
	world_close(&world);
}

static void test_mute_nothing_is_raised(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rule(&world, 80, 75, 1, 3, "process=java mute=yes");
	world.reminder_ms = 10000;
	for (int i = 0; i < 20; i++)
		assert_string_equal(amber_tick(&world, i % 3 ? 95 : 61, 0.9), "");
	assert_int_equal(count_series(&world), 0);
	give(&world, "10.0.0.5", "perl", 95);
	assert_string_equal(amber_tick(&world, 95, 0.9), "RED 10.0.0.5 perl 95 200");
	world_close(&world);
}

static void test_mute_what_stands_ends_with_clear(void **state)
{
	(void)state;
	static const char *const rules[] = { "process=java mute=yes", "ip=10.0.0.5 mute=yes", "resource=mem mute=yes" };
	for (size_t i = 0; i < 3; i++) {
		for (int red = 0; red < 2; red++) {
			struct world world;
			world_open(&world);
			if (red)
				tick(&world, 95);
			else
				raise_amber(&world);
			world_set_rule(&world, 80, 75, 1, 3, rules[i]);
			assert_string_equal(amber_tick(&world, 95, 0.9),
			                    red ? "CLEAR 10.0.0.5 java 95 0" : "CLEAR 10.0.0.5 java 61 0");
			assert_true(states_next_series(world.states, NULL)->ended);
			for (int j = 0; j < 10; j++)
				assert_string_equal(amber_tick(&world, 95, 0.9), "");
			/* Unmuted: it is over, so it is RED. */
			world_set_rules(&world, 80, 75, 1, 3);
			assert_memory_equal(amber_tick(&world, 95, 0.9), "RED", 3);
			world_close(&world);
		}
	}
}

static void test_mute_a_count_that_had_begun_is_forgotten(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rules(&world, 80, 75, 3, 3);
	amber_tick(&world, 90, 0.9);
	world_set_rule(&world, 80, 75, 3, 3, "process=java mute=yes");
	amber_tick(&world, 90, 0.9);
	assert_int_equal(count_series(&world), 0);
	world_set_rules(&world, 80, 75, 3, 3);
	assert_string_equal(amber_tick(&world, 90, 0.9), "");
	assert_string_equal(amber_tick(&world, 90, 0.9), "AMBER 10.0.0.5 java 90 20");
	assert_string_equal(amber_tick(&world, 90, 0.9), "RED 10.0.0.5 java 90 20");
	world_close(&world);
}

static void test_mute_silent_host(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world_set_rule(&world, 80, 75, 1, 3, "ip=10.0.0.6 mute=yes");
	give(&world, "10.0.0.6", "bash", 1);
	tick(&world, 1);
	assert_quiet(&world, 100, give(&world, "10.0.0.5", "java", 1));
	/* Unmuted while it is silent: that is news. */
	world_set_rules(&world, 80, 75, 1, 3);
	assert_string_equal(tick(&world, 1), "UNKNOWN 10.0.0.6 * 0 0");
	world_set_rule(&world, 80, 75, 1, 3, "ip=10.0.0.6 mute=yes");
	assert_string_equal(tick(&world, 1), "CLEAR 10.0.0.6 * 0 0");
	states_reported(world.states);
	/* In the end it is forgotten as others are, without a word. */
	assert_quiet(&world, STATES_FORGET_MS / INTERVAL, give(&world, "10.0.0.5", "java", 1));
	states_reported(world.states);
	assert_int_equal(count_hosts(&world), 1);
	world_close(&world);
}

static void test_mute_alarms_of_a_silent_host_end_at_once(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	raise_amber(&world);
	assert_quiet(&world, STATES_ABSENT - 1, (void)0);
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 10");
	world_set_rule(&world, 80, 75, 1, 3, "process=java mute=yes");
	assert_string_equal(evaluate(&world), "CLEAR 10.0.0.5 java 61 0");
	assert_quiet(&world, 10, (void)0);
	world_close(&world);
}

static void test_remind_each_alarm_since_its_line_or_last_reminder(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world.reminder_ms = 60000;
	raise_amber(&world); /* said at 10 s */
	for (int i = 2; i < 40; i++) {
		if (i == 20)
			restart(&world);
		world.now_ms += i * 7 % 5 - 2; /* evaluations are not exactly in time */
		const char *said = amber_tick(&world, i < 26 ? 61 : 85, 0.9);
		world.now_ms -= i * 7 % 5 - 2;
		const char *expected = i == 26 ? "RED 10.0.0.5 java 85 260" :
		                       i == 32 || i == 38 ? "REMINDER 10.0.0.5 java 85 260" :
		                       i % 6 == 1 && i < 26 ? "REMINDER 10.0.0.5 java 61 0" : "";
		if (strcmp(said, expected) != 0)
			fail_msg("tick %d: %s, not %s", i, said, expected);
	}
	world_close(&world);
}

static void test_remind_alarm_of_an_older_state_file_begins_to_count_now(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 90);
	struct text content = TEXT_EMPTY, error = TEXT_EMPTY;
	text_append_string(&content, "{\"format\": \"vigie-alert\", \"version\": 1, \"hosts\": [{\"ip\": \"10.0.0.5\", "
		"\"color\": \"green\", \"last_seen\": 1, \"since\": 0, \"unknown\": 0}], \"series\": [{\"ip\": \"10.0.0.5\", "
		"\"process\": \"java\", \"resource\": \"mem\", \"color\": \"red\", \"value\": 90, \"threshold\": 80, "
		"\"since\": 1795356000, \"sample\": 1795356000, \"samples\": 0}]}");
	states_close(world.states);
	world.states = states_open(INTERVAL);
	assert_int_equal(state_file_parse(content.data, content.length, world.states, &error), 0);
	text_free(&content);
	world.reminder_ms = 60000;
	for (int i = 0; i < 6; i++)
		assert_string_equal(tick(&world, 90), "");
	assert_string_equal(tick(&world, 90), "REMINDER 10.0.0.5 java 90 0");
	world_close(&world);
}

static void test_remind_silent_host_of_its_unknown(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world.reminder_ms = 3600000;
	tick(&world, 1);
	int reminders = 0, unknowns = 0;
	for (int i = 0; i < 360 * 5 + 2; i++) {
		const char *said = evaluate(&world);
		reminders += strcmp(said, "REMINDER 10.0.0.5 * 0 0") == 0;
		unknowns += strcmp(said, "UNKNOWN 10.0.0.5 * 0 0") == 0;
	}
	assert_int_equal(unknowns, 1);
	assert_int_equal(reminders, 5);
	world_close(&world);
}

static void test_remind_zero_is_never_and_a_clock_set_back_is_no_flood(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	tick(&world, 90);
	for (int i = 0; i < 1000; i++)
		assert_string_equal(tick(&world, 90), "");
	/* Turned on by a reload: an hour has passed, and it is said at once, then hourly. */
	world.reminder_ms = 3600000;
	assert_string_equal(tick(&world, 90), "REMINDER 10.0.0.5 java 90 0");
	world.now_ms -= 24 * HOUR;
	int reminders = 0;
	for (int i = 0; i < 720 + 1; i++)
		reminders += tick(&world, 90)[0] != '\0';
	assert_int_equal(reminders, 2);
	world_close(&world);
}

static void test_amber_many_forecasts_are_cheap(void **state)
{
	(void)state;
	enum { HOSTS = 100, PROCESSES = 200 };
	static char ips[HOSTS][WIRE_IP_SIZE], processes[PROCESSES][32];
	struct world world;
	world_open(&world);
	for (int i = 0; i < HOSTS; i++)
		snprintf(ips[i], sizeof(ips[i]), "10.0.1.%d", i);
	for (int i = 0; i < PROCESSES; i++)
		snprintf(processes[i], sizeof(processes[i]), "process-%d", i);
	int64_t best_ns = INT64_MAX;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < HOSTS * PROCESSES; i++) {
			give(&world, ips[i / PROCESSES], processes[i % PROCESSES], 10);
			expect(&world, ips[i / PROCESSES], processes[i % PROCESSES], i % 20 == 0 ? 0.9 : 0.1);
		}
		int64_t start_ns = clock_monotonic_ns();
		evaluate(&world);
		int64_t taken_ns = clock_monotonic_ns() - start_ns;
		best_ns = taken_ns < best_ns ? taken_ns : best_ns;
	}
	assert_int_equal(count_series(&world), HOSTS * PROCESSES / 20);
	print_message("%d forecasts: %.2f ms\n", HOSTS * PROCESSES, (double)best_ns / 1e6);
	assert_true(best_ns < 100000000);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amber_table_of_values_and_probabilities_gives_transitions),
		cmocka_unit_test(test_amber_alarm_tells_the_newest_forecast),
		cmocka_unit_test(test_amber_of_days_ahead_table),
		cmocka_unit_test(test_amber_of_days_ahead_says_so_and_survives_a_restart),
		cmocka_unit_test(test_amber_of_days_ahead_red_after_it_has_no_horizon),
		cmocka_unit_test(test_amber_of_days_ahead_changes_only_when_a_restart_needs_it),
		cmocka_unit_test(test_amber_changed_by_counts_that_end_without_a_line),
		cmocka_unit_test(test_amber_forecasts_do_not_outlive_a_forgotten_host),
		cmocka_unit_test(test_amber_series_with_nothing_to_count_is_not_kept),
		cmocka_unit_test(test_amber_evaluate_replaces_the_transitions),
		cmocka_unit_test(test_amber_failed_allocation_delays_each_word),
		cmocka_unit_test(test_amber_stays_as_it_is_while_a_red_fails),
		cmocka_unit_test(test_amber_red_after_it_has_its_own_since),
		cmocka_unit_test(test_amber_series_not_in_latest_is_never_raised),
		cmocka_unit_test(test_amber_sample_is_that_of_its_own_host_and_resource),
		cmocka_unit_test(test_amber_flickering_forecast_gives_one_amber_and_at_most_one_clear),
		cmocka_unit_test(test_amber_flapping_hour_under_a_high_forecast_raises_each_once),
		cmocka_unit_test(test_amber_gaps_never_resolve),
		cmocka_unit_test(test_amber_series_that_is_forecast_no_more_ends_after_the_horizon),
		cmocka_unit_test(test_amber_green_series_without_a_forecast_starts_to_count_anew),
		cmocka_unit_test(test_amber_counts_do_not_outlive_the_alarm),
		cmocka_unit_test(test_amber_part_of_a_host_after_outage_ends_nothing),
		cmocka_unit_test(test_amber_same_sample_twice_has_its_threshold),
		cmocka_unit_test(test_amber_changes_only_when_a_restart_needs_it),
		cmocka_unit_test(test_amber_process_gone_ends_it),
		cmocka_unit_test(test_amber_silent_host_keeps_it_until_forgotten),
		cmocka_unit_test(test_amber_restart_and_reload_in_every_state_change_no_line),
		cmocka_unit_test(test_amber_reload_with_other_cuts_is_judged_by_them),
		cmocka_unit_test(test_mute_nothing_is_raised),
		cmocka_unit_test(test_mute_what_stands_ends_with_clear),
		cmocka_unit_test(test_mute_a_count_that_had_begun_is_forgotten),
		cmocka_unit_test(test_mute_silent_host),
		cmocka_unit_test(test_mute_alarms_of_a_silent_host_end_at_once),
		cmocka_unit_test(test_remind_each_alarm_since_its_line_or_last_reminder),
		cmocka_unit_test(test_remind_alarm_of_an_older_state_file_begins_to_count_now),
		cmocka_unit_test(test_remind_silent_host_of_its_unknown),
		cmocka_unit_test(test_remind_zero_is_never_and_a_clock_set_back_is_no_flood),
		cmocka_unit_test(test_amber_many_forecasts_are_cheap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
