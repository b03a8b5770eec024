/* fcgi/reasons.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/crowd.h"
#include "tests/unit/fcgi/helpers.h"

#include "fcgi/reasons.h"

static const struct body_times times = { .now_ms = 1795356000000, .oldest_ms = 0, .newest_ms = 1795356060000 };

/* Keeps what one forecast says, `more` of it after its numbers, at a time of both clocks. */
static void keep(struct reasons *reasons, const char *process, int64_t ago_s, const char *more, int64_t now_ms, int64_t oldest_ms)
{
	struct body body;
	struct body_error error;
	struct text json = TEXT_EMPTY;
	text_printf(&json,
	            "{\"data\": [{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"%s\", \"type_data\": \"mem\", \"probability\": 0.5, "
	            "\"forecast\": 90, \"timestamp\": %lld%s}]}", process, (long long)(times.now_ms / 1000 - ago_s), more);
	if (body_parse_forecasts(json.data, json.length, &times, &body, &error))
		fail_msg("%s", error.sentence);
	reasons_keep(reasons, &body, now_ms, oldest_ms);
	body_free(&body);
	text_free(&json);
}

static void assert_told(struct reasons *reasons, const char *process, enum resource resource, const char *wanted)
{
	struct text text = TEXT_EMPTY;
	reasons_append(reasons, &(struct series_key){ "10.0.0.5", process }, resource, &text);
	assert_string_equal(text.data, wanted);
	text_free(&text);
}

#define NOTHING ", \"limit\": null, \"horizon_s\": null, \"why\": null"

static void test_reasons_keep_the_newest_of_each_series(void **state)
{
	(void)state;
	struct reasons *reasons = reasons_open(1000);
	assert_non_null(reasons);
	assert_told(reasons, "a", RESOURCE_MEM, NOTHING);
	keep(reasons, "a", 10, ", \"limit\": 80, \"horizon_s\": 1800, \"why\": {\"climb\": 0.5, \"parts\": []}", 1000, 0);
	keep(reasons, "b", 10, ", \"limit\": 70.5", 1000, 0);
	assert_told(reasons, "a", RESOURCE_MEM, ", \"limit\": 80, \"horizon_s\": 1800, \"why\": {\"climb\": 0.5, \"parts\": []}");
	assert_told(reasons, "b", RESOURCE_MEM, ", \"limit\": 70.5, \"horizon_s\": null, \"why\": null");
	assert_told(reasons, "a", RESOURCE_CPU, NOTHING);
	/* An older one that comes later changes nothing; one that says nothing leaves what was said, as an older service's. */
	keep(reasons, "a", 20, ", \"limit\": 60, \"why\": {\"parts\": []}", 1000, 0);
	keep(reasons, "a", 5, "", 1000, 0);
	assert_told(reasons, "a", RESOURCE_MEM, ", \"limit\": 80, \"horizon_s\": 1800, \"why\": {\"climb\": 0.5, \"parts\": []}");
	/* A newer one without a reason has none. */
	keep(reasons, "a", 5, ", \"limit\": 60, \"horizon_s\": 900, \"why\": null", 2000, 0);
	assert_told(reasons, "a", RESOURCE_MEM, ", \"limit\": 60, \"horizon_s\": 900, \"why\": null");
	/* What nothing has come for since a time goes. */
	keep(reasons, "c", 5, ", \"limit\": 50", 3000, 2000);
	assert_told(reasons, "a", RESOURCE_MEM, ", \"limit\": 60, \"horizon_s\": 900, \"why\": null");
	assert_told(reasons, "b", RESOURCE_MEM, NOTHING);
	keep(reasons, "c", 4, "", 4000, 3001);
	assert_told(reasons, "a", RESOURCE_MEM, NOTHING);
	assert_told(reasons, "c", RESOURCE_MEM, NOTHING);
	reasons_close(reasons);
	reasons_close(NULL);
}

static void test_reasons_keep_words_are_bounded(void **state)
{
	(void)state;
	static const char why[] = ", \"limit\": 80, \"why\": {\"climb\": null, \"parts\": []}";
	static const char without[] = ", \"limit\": 80, \"horizon_s\": null, \"why\": null";
	static const char with[] = ", \"limit\": 80, \"horizon_s\": null, \"why\": {\"climb\": null, \"parts\": []}";
	struct reasons *reasons = reasons_open(2 * sizeof("{\"climb\": null, \"parts\": []}"));
	keep(reasons, "a", 1, why, 1000, 0);
	keep(reasons, "b", 1, why, 2000, 0);
	keep(reasons, "c", 1, why, 2000, 0);
	keep(reasons, "a", 1, why, 1000, 0); /* in the place of its own */
	assert_told(reasons, "a", RESOURCE_MEM, with);
	assert_told(reasons, "b", RESOURCE_MEM, with);
	assert_told(reasons, "c", RESOURCE_MEM, without);
	/* There is room again once others are gone. */
	keep(reasons, "c", 1, why, 3000, 2000);
	assert_told(reasons, "a", RESOURCE_MEM, NOTHING);
	assert_told(reasons, "c", RESOURCE_MEM, with);
	reasons_close(reasons);
}

enum { CROWD_ROUNDS = 100 };

static struct reasons *crowded;

/* A series of its own, of which each forecast is newer than the last; all read that of the first. */
static void tell(unsigned number)
{
	char process[2] = { (char)('a' + number), '\0' };
	for (int i = 1; i <= CROWD_ROUNDS; i++) {
		struct text text = TEXT_EMPTY;
		char more[32];
		snprintf(more, sizeof(more), ", \"limit\": %d", i);
		keep(crowded, process, CROWD_ROUNDS - i, more, 1000 + i, 0);
		reasons_append(crowded, &(struct series_key){ "10.0.0.5", "a" }, RESOURCE_MEM, &text);
		text_free(&text);
	}
}

static void test_reasons_any_thread_may_keep_and_read(void **state)
{
	(void)state;
	crowded = reasons_open(1000);
	assert_non_null(crowded);
	crowd_run(tell);
	for (unsigned i = 0; i < CROWD_THREADS; i++) {
		char process[2] = { (char)('a' + i), '\0' };
		assert_told(crowded, process, RESOURCE_MEM, ", \"limit\": 100, \"horizon_s\": null, \"why\": null");
	}
	reasons_close(crowded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons_keep_the_newest_of_each_series),
		cmocka_unit_test(test_reasons_keep_words_are_bounded),
		cmocka_unit_test(test_reasons_any_thread_may_keep_and_read),
	};
	body_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
