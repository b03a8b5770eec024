/* fcgi/silences.h and fcgi/silence_body.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/crowd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "fcgi/silence_body.h"
#include "fcgi/silences.h"

#define NOW 1795356000000 /* 2026-11-22T14:00:00Z */

static struct silence silence_of(const char *id, const char *process, const char *comment, int64_t until_ms)
{
	struct silence silence = { .ip = "10.0.0.*", .resource = "*", .by = "Anna Müller", .until_ms = until_ms };
	strcpy(silence.id, id);
	strcpy(silence.process, process);
	strcpy(silence.comment, comment);
	return silence;
}

static void test_silences_keep_comes_back_and_is_a_clean_name(void **state)
{
	(void)state;
	static const char *const comments[] = { "", "a deploy, 100 % of \"it\"\\", "Umbau im Süden", "%20", "a=b&c" };
	for (size_t i = 0; i < sizeof(comments) / sizeof(comments[0]); i++) {
		struct kept kept;
		struct silence read, silence = silence_of("0123456789abcdef", "Web Content[0-9]", comments[i], NOW + 1);
		char clean[WIRE_NAME_SIZE];
		assert_int_equal(silences_keep(&silence, &kept), 0);
		wire_clean_name(kept.name, strlen(kept.name), clean);
		assert_string_equal(kept.name, clean);
		assert_null(strpbrk(kept.name, ",=\"\\"));
		assert_true(silences_read(&kept, &read));
		assert_string_equal(read.id, silence.id);
		assert_string_equal(read.process, silence.process);
		assert_string_equal(read.ip, silence.ip);
		assert_string_equal(read.resource, silence.resource);
		assert_string_equal(read.by, silence.by);
		assert_string_equal(read.comment, silence.comment);
		assert_int_equal(read.until_ms, silence.until_ms);
	}
}

static void test_silences_identify_is_of_the_texts_alone(void **state)
{
	(void)state;
	struct silence one = silence_of("", "java", "", NOW), same = silence_of("x", "java", "", NOW + 1),
	               others[] = { silence_of("", "jav", "a", NOW), silence_of("", "java", " ", NOW), silence_of("", "*", "", NOW) };
	silences_identify(&one);
	silences_identify(&same);
	assert_int_equal(strlen(one.id), SILENCE_ID_SIZE - 1);
	assert_string_equal(one.id, same.id);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		silences_identify(&others[i]);
		assert_string_not_equal(one.id, others[i].id);
	}
}

static void test_silences_keep_too_much_text_tells_how_much(void **state)
{
	(void)state;
	struct kept kept = { .name = "as it was" };
	struct silence silence = silence_of("0123456789abcdef", "java", "", NOW);
	strcpy(silence.by, "");
	memset(silence.comment, 'x', 255 - strlen("0123456789abcdef java 10.0.0.* *  "));
	assert_int_equal(silences_keep(&silence, &kept), 0);
	assert_int_equal(strlen(kept.name), 255);
	silence.comment[0] = ' ';
	strcpy(kept.name, "as it was");
	assert_int_equal(silences_keep(&silence, &kept), 2);
	assert_string_equal(kept.name, "as it was");
}

static void test_silences_read_what_is_none_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "id", "id java * *", "id java * * by", "id java * * by comment more", "id  * * by c",
		                           "id java * * by %2", "id java * * by %", "id java * * by %zz", "id java * * by %00", "id java * * by %0a", "id java * * by %ff",
		                           "0123456789abcdef0 java * * by c" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct kept kept = { .value = 1 };
		struct silence silence;
		strcpy(kept.name, bad[i]);
		if (silences_read(&kept, &silence))
			fail_msg("%s", bad[i]);
	}
}

static int take(struct silences *silences, const struct silence *silence, double value, int64_t time_ms)
{
	struct keeper_table table = silences_table(silences);
	struct kept kept;
	assert_int_equal(silences_keep(silence, &kept), 0);
	kept.value = value;
	return table.take(table.user, &kept, time_ms);
}

static size_t count_of(struct silences *silences, int64_t now_ms)
{
	struct silence *list;
	size_t count;
	assert_int_equal(silences_list(silences, now_ms, &list, &count), 0);
	free(list);
	return count;
}

static void test_silences_take_the_newest_counts_until_its_end(void **state)
{
	(void)state;
	struct silences *silences = silences_open();
	struct keeper_table table = silences_table(silences);
	int64_t now_ms = clock_wall_ms();
	const struct silence late = silence_of("0000000000000001", "java", "", now_ms + 7200000),
	                     early = silence_of("0000000000000002", "java", "", now_ms + 3600000);
	struct silence *list;
	struct kept *again, found;
	size_t count;
	assert_int_equal(take(silences, &late, (double)late.until_ms / 1000, now_ms), 0);
	assert_int_equal(take(silences, &early, (double)early.until_ms / 1000, now_ms), 0);
	assert_int_equal(silences_list(silences, now_ms, &list, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(list[0].id, early.id);
	assert_int_equal(list[1].until_ms, late.until_ms);
	free(list);
	assert_int_equal(count_of(silences, early.until_ms - 1), 2);
	assert_int_equal(count_of(silences, early.until_ms), 1);
	assert_false(silences_find(silences, early.id, early.until_ms, &found));
	assert_true(silences_find(silences, early.id, now_ms, &found));
	assert_false(silences_find(silences, "000000000000000", now_ms, &found));

	/* It is ended; what an engine shows late does not bring it back, and it is not written again. */
	assert_int_equal(take(silences, &early, 0, now_ms + 2), 0);
	assert_int_equal(take(silences, &early, (double)early.until_ms / 1000, now_ms + 1), 0);
	assert_int_equal(count_of(silences, now_ms), 1);
	assert_int_equal(table.list(table.user, &again, &count), 0);
	assert_int_equal(count, 1);
	assert_memory_equal(again[0].name, late.id, strlen(late.id));
	free(again);
	silences_close(silences);
}

/* An engine that forgets nothing tells of all that there ever were. */
static void test_silences_take_what_has_ended_takes_no_place(void **state)
{
	(void)state;
	struct silences *silences = silences_open();
	int64_t now_ms = clock_wall_ms();
	char id[SILENCE_ID_SIZE];
	int taken = 0;
	for (int i = 0; i < 3 * SILENCES_MAX; i++) {
		snprintf(id, sizeof(id), "%016x", i);
		const struct silence silence = silence_of(id, "java", "", now_ms - 1);
		assert_int_equal(take(silences, &silence, i % 2 ? 0 : (double)silence.until_ms / 1000, now_ms), 0);
	}
	for (int i = 0; i < 3 * SILENCES_MAX; i++) {
		snprintf(id, sizeof(id), "%016x", i);
		const struct silence silence = silence_of(id, "java", "", now_ms + 3600000);
		int result = take(silences, &silence, (double)silence.until_ms / 1000, now_ms + 1);
		assert_true(result == 0 || result == -EDQUOT);
		taken += result == 0;
		/* One that is ended makes room. */
		if (i == 0)
			assert_int_equal(take(silences, &silence, 0, now_ms + 2), 0);
	}
	assert_int_equal(taken, 2 * SILENCES_MAX + 1);

	/* A place is found for the same again, and for no further one. */
	const struct keeper_table table = silences_table(silences);
	struct kept kept;
	snprintf(id, sizeof(id), "%016x", 1);
	const struct silence known = silence_of(id, "java", "", now_ms + 3600000), further = silence_of("f", "java", "", now_ms + 3600000);
	assert_int_equal(silences_keep(&known, &kept), 0);
	assert_int_equal(table.reserve(table.user, &kept), 0);
	assert_int_equal(silences_keep(&further, &kept), 0);
	assert_int_equal(table.reserve(table.user, &kept), -EDQUOT);
	silences_close(silences);
}

static void test_silence_body_parse_table(void **state)
{
	(void)state;
	static const struct {
		const char *body, *field; /* NULL: it is right */
		const char *said; /* "process ip resource until by comment" or the sentence */
	} cases[] = {
		{ "{\"process\": \"java\", \"until\": 1795359600}", NULL, "java|*|*|3600000||" },
		{ "{\"ip\": \"FE80::A\", \"until\": 1795359600123}", NULL, "*|fe80::a|*|3600123||" },
		{ "{\"resource\": \"[mc]*\", \"until\": \"2026-11-22T16:00:00+01:00\", \"by\": \"Anna\", \"comment\": \"a\\nb\\u0000\"}", NULL,
		  "*|*|[mc]*|3600000|Anna|a?b?" },
		{ "{\"process\": \"*\", \"until\": \"1795359600\"}", NULL, "*|*|*|3600000||" },
		{ "{\"until\": 1795359600}", "process", "one of process, ip and resource is needed: \"*\" is for all" },
		{ "{\"process\": \"java\"}", "until", "until is missing" },
		{ "{\"process\": \"java\", \"until\": 1795356000}", "until", "until is past" },
		{ "{\"process\": \"java\", \"until\": 1826978401}", "until", "until is more than 366 days ahead" },
		{ "{\"process\": \"java\", \"until\": \"in an hour\"}", "until", "until is not a time" },
		{ "{\"process\": \"java\", \"until\": 1e300}", "until", "until is not a time" },
		{ "{\"process\": \"java\", \"until\": null}", "until", "until is not a time" },
		{ "{\"process\": \"\", \"until\": 1795359600}", "process", "process is not a string of 1 to 255 bytes" },
		{ "{\"process\": 1, \"until\": 1795359600}", "process", "process is not a string of 1 to 255 bytes" },
		{ "{\"proces\": \"java\", \"ip\": \"10.0.0.5\", \"until\": 1795359600}", "proces", "this is none of process, ip, " },
		{ "{\"ip\": \"db1\", \"until\": 1795359600}", "ip", "ip is neither an address nor a glob of addresses" },
		{ "{\"resource\": \"disk\", \"until\": 1795359600}", "resource", "resource fits neither" },
		{ "{\"process\": \"java\", \"process\": \"*\", \"until\": 1795359600}", "process", "this key is there twice" },
		{ "[]", "", "the body is not a JSON object" },
		{ "{\"process\"", "", "the body is not JSON at byte" },
		{ "{\"process\": \"java\", \"until\": 1795359600} {}", "", "the body is not JSON at byte" },
		{ "\xff", "", "the body is not UTF-8 at byte 0" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char body[256], said[256];
		struct silence silence;
		struct body_error error = { 0 };
		strcpy(body, cases[i].body);
		int result = silence_body_parse(body, strlen(body), NOW, &silence, &error);
		if (result != (cases[i].field ? -EINVAL : 0))
			fail_msg("case %zu: %d: %s", i, result, error.sentence);
		if (cases[i].field) {
			assert_string_equal(error.field, cases[i].field);
			if (strncmp(error.sentence, cases[i].said, strlen(cases[i].said)) != 0)
				fail_msg("case %zu: %s", i, error.sentence);
			continue;
		}
		snprintf(said, sizeof(said), "%.40s|%.40s|%.40s|%lld|%.20s|%.20s", silence.process, silence.ip, silence.resource,
		         (long long)(silence.until_ms - NOW), silence.by, silence.comment);
		assert_string_equal(said, cases[i].said);
	}
}

enum { CROWD_ROUNDS = 200, HOUR = 3600000 };

static struct silences *crowded;
static int64_t begun_ms; /* what has ended by the clock takes no place */

/* One silence of its own, which is prolonged again and again, while all are listed and looked for. */
static void prolong(unsigned number)
{
	char process[2] = { (char)('a' + number), '\0' };
	struct silence silence = silence_of("", process, "", begun_ms), *listed;
	struct keeper_table table = silences_table(crowded);
	struct kept kept;
	size_t count;
	silences_identify(&silence);
	for (int i = 1; i <= CROWD_ROUNDS; i++) {
		silence.until_ms = begun_ms + HOUR + i * 1000;
		if (silences_keep(&silence, &kept) == 0)
			(void)table.take(table.user, &kept, begun_ms + i);
		if (silences_list(crowded, begun_ms, &listed, &count) == 0)
			free(listed);
		silences_find(crowded, silence.id, begun_ms, &kept);
	}
}

static void test_silences_any_thread_may_set_and_read(void **state)
{
	(void)state;
	crowded = silences_open();
	assert_non_null(crowded);
	begun_ms = clock_wall_ms() / 1000 * 1000;
	crowd_run(prolong);
	struct silence *listed;
	size_t count;
	assert_int_equal(silences_list(crowded, begun_ms, &listed, &count), 0);
	assert_int_equal(count, CROWD_THREADS);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(listed[i].until_ms, begun_ms + HOUR + CROWD_ROUNDS * 1000);
	free(listed);
	silences_close(crowded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silences_keep_comes_back_and_is_a_clean_name),
		cmocka_unit_test(test_silences_identify_is_of_the_texts_alone),
		cmocka_unit_test(test_silences_keep_too_much_text_tells_how_much),
		cmocka_unit_test(test_silences_read_what_is_none_is_refused),
		cmocka_unit_test(test_silences_take_the_newest_counts_until_its_end),
		cmocka_unit_test(test_silences_take_what_has_ended_takes_no_place),
		cmocka_unit_test(test_silence_body_parse_table),
		cmocka_unit_test(test_silences_any_thread_may_set_and_read),
	};
	body_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
