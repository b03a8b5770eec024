/* alert/silences.h, and what alert/states.h makes of them */
#include "tests/unit/alert/world.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>

static void test_silences_parse_what_is_not_of_its_shape_is_left_out(void **state)
{
	(void)state;
	static const char body[] =
		"[{\"id\": \"1\", \"process\": \"java\", \"ip\": \"*\", \"resource\": \"*\", \"until\": 1795356000.5, \"by\": \"Anna\"},"
		" {\"id\": \"2\", \"process\": \"java\", \"ip\": \"*\", \"until\": 1795356000},"
		" {\"id\": \"3\", \"process\": \"\", \"ip\": \"*\", \"resource\": \"*\", \"until\": 1795356000},"
		" {\"id\": \"4\", \"process\": \"*\", \"ip\": \"*\", \"resource\": \"*\", \"until\": null}, 5,"
		" {\"process\": \"java\", \"ip\": \"*\", \"resource\": \"*\", \"until\": 1795356000},"
		" {\"id\": \"12345678901234567\", \"process\": \"*\", \"ip\": \"*\", \"resource\": \"*\", \"until\": 1795356000},"
		" {\"id\": \"6\", \"process\": \"*\", \"ip\": \"10.0.0.5\", \"resource\": \"cpu\", \"until\": 1795357000}]";
	static const char *const bad[] = { "", "{}", "[", "null" };
	struct silences silences;
	struct text error = TEXT_EMPTY;
	assert_int_equal(silences_parse(body, strlen(body), &silences, &error), 0);
	assert_int_equal(silences.count, 2);
	assert_int_equal(silences.skipped, 6);
	assert_string_equal(silences.items[0].process, "java");
	assert_int_equal(silences.items[0].until_ms, 1795356000500);
	assert_string_equal(silences_find(&silences, "6")->ip, "10.0.0.5");
	assert_null(silences_find(&silences, "2"));
	silences_drop_ended(&silences, 1795356000500);
	assert_int_equal(silences.count, 1);
	assert_string_equal(silences.items[0].id, "6");
	silences_free(&silences);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(silences_parse(bad[i], strlen(bad[i]), &silences, &error), -EBADMSG);
	assert_int_equal(silences_parse("[]", 2, &silences, &error), 0);
	assert_int_equal(silences.count, 0);
	silences_free(&silences);
	text_free(&error);
}

/* Of want of memory within cJSON nobody can tell that it is that. */
static void test_silences_parse_each_failing_allocation_is_refused_whole(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	static const char body[] = "[{\"id\": \"1\", \"process\": \"java\", \"ip\": \"*\", \"resource\": \"*\", \"until\": 1795356000}]";
	bool failed = true, told = false;
	for (long number = 1; failed; number++) {
		struct silences silences = { 0 };
		struct text error = TEXT_EMPTY;
		long before = failing_unfreed();
		failing_start(number);
		int result = silences_parse(body, strlen(body), &silences, &error);
		failed = failing_stop();
		assert_true(failed ? result == -ENOMEM || result == -EBADMSG : result == 0);
		told = told || result == -ENOMEM;
		assert_int_equal(silences.count, !failed);
		silences_free(&silences);
		text_free(&error);
		assert_int_equal(failing_unfreed(), before);
	}
	assert_true(told);
}

static void test_states_silenced_alarm_is_said_again_when_its_silence_ends(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	silence(&world, "java", "*");
	assert_string_equal(tick(&world, 81), "RED 10.0.0.5 java 81 0 silenced");
	assert_string_equal(tick(&world, 82), "");
	silence(&world, NULL, "*");
	assert_string_equal(tick(&world, 83), "RED 10.0.0.5 java 83 0");
	assert_string_equal(tick(&world, 84), "");
	/* One that stands already is not said when it begins; its end is silenced as well, and nothing follows. */
	silence(&world, "java", "*");
	assert_string_equal(tick(&world, 85), "");
	assert_quiet(&world, 2, give(&world, "10.0.0.5", "java", 50));
	assert_string_equal(tick(&world, 50), "CLEAR 10.0.0.5 java 50 0 silenced");
	silence(&world, NULL, "*");
	assert_quiet(&world, 2, give(&world, "10.0.0.5", "java", 50));
	/* What is of another resource, process or host is said. */
	silence(&world, "java", "cpu");
	assert_string_equal(tick(&world, 81), "RED 10.0.0.5 java 81 100");
	silence(&world, "bash", "*");
	assert_string_equal(tick(&world, 81), "");
	world_close(&world);
}

static void test_states_silenced_amber_host_and_reminder(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	world.reminder_ms = 3 * INTERVAL;
	silence(&world, "*", "*");
	assert_string_equal(amber_tick(&world, 60, 0.9), "");
	assert_string_equal(amber_tick(&world, 60, 0.9), "AMBER 10.0.0.5 java 60 0 silenced");
	assert_string_equal(evaluate(&world), "");
	assert_string_equal(evaluate(&world), "UNKNOWN 10.0.0.5 * 0 10 silenced");
	assert_string_equal(evaluate(&world), "REMINDER 10.0.0.5 java 60 0 silenced");
	silence(&world, NULL, "*");
	assert_string_equal(evaluate(&world), "AMBER 10.0.0.5 java 60 0; UNKNOWN 10.0.0.5 * 0 10");
	assert_quiet(&world, 2, (void)0);
	assert_string_equal(evaluate(&world), "REMINDER 10.0.0.5 java 60 0; REMINDER 10.0.0.5 * 0 10");
	world_close(&world);
}

/* The server tells nothing yet after a start: what was silenced stays so until its end, and nothing else is. */
static void test_states_silence_goes_on_over_a_restart(void **state)
{
	(void)state;
	struct world world;
	world_open(&world);
	give(&world, "10.0.0.6", "bash", 50);
	assert_string_equal(evaluate(&world), "");
	silence(&world, "*", "*");
	assert_string_equal(tick(&world, 81), "RED 10.0.0.5 java 81 10 silenced");
	assert_string_equal(tick(&world, 81), "UNKNOWN 10.0.0.6 * 0 0 silenced");
	restart(&world);
	give(&world, "10.0.0.5", "bash", 90);
	assert_string_equal(tick(&world, 82), "RED 10.0.0.5 bash 90 30");
	silence(&world, "*", "*");
	assert_quiet(&world, 1, (give(&world, "10.0.0.5", "java", 82), give(&world, "10.0.0.5", "bash", 90)));
	restart(&world);
	world.now_ms = world.data_ms = START + HOUR;
	give(&world, "10.0.0.5", "bash", 90);
	assert_string_equal(tick(&world, 82), "UNKNOWN 10.0.0.6 * 0 0; RED 10.0.0.5 java 82 10; RED 10.0.0.5 bash 90 30");
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silences_parse_what_is_not_of_its_shape_is_left_out),
		cmocka_unit_test(test_silences_parse_each_failing_allocation_is_refused_whole),
		cmocka_unit_test(test_states_silenced_alarm_is_said_again_when_its_silence_ends),
		cmocka_unit_test(test_states_silenced_amber_host_and_reminder),
		cmocka_unit_test(test_states_silence_goes_on_over_a_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
