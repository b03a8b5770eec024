/* collector/oom_records.h and collector/oom_kills.h, but for what the kernel says now */
#include "tests/unit/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/oom_kills.h"
#include "collector/oom_records.h"

#define SIZES " total-vm:30304kB, anon-rss:20248kB, file-rss:6640kB, shmem-rss:0kB"
#define NOW_SIZES SIZES ", UID:0 pgtables:100kB oom_score_adj:0"

/* As a read gives it: nothing behind its last byte. */
static bool parse(const char *record, struct oom_record *ret_record)
{
	size_t length = strlen(record);
	char *copy = malloc(length + 1);
	assert_non_null(copy);
	memcpy(copy, record, length + 1);
	bool result = oom_record_parse(copy, length, ret_record);
	free(copy);
	return result;
}

static void test_oom_record_parse_kills_of_kernels_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *record;
		int pid;
		const char *name;
	} cases[] = {
		/* 3.10 of CentOS 7 */
		{ "3,1182,5410862511,-;Killed process 5134 (mysqld) total-vm:1871480kB, anon-rss:486056kB, file-rss:0kB\n", 5134, "mysqld" },
		{ "3,1182,5410862511,-;Killed process 5134 (mysqld), UID 27, total-vm:1871480kB, anon-rss:486056kB, file-rss:0kB\n",
		  5134, "mysqld" },
		/* 4.9 of Debian 9 */
		{ "3,901,220112,-;Killed process 27438 (R) total-vm:38349780kB, anon-rss:1041924kB, file-rss:4kB, shmem-rss:0kB\n",
		  27438, "R" },
		/* 4.20 */
		{ "3,1611,337533314412,-;Memory cgroup out of memory: Killed process 23793 (leaker) total-vm:2623712kB, "
		  "anon-rss:506500kB, file-rss:1268kB, shmem-rss:0kB\n", 23793, "leaker" },
		/* 5.10 and later */
		{ "3,612,1630902466,-;Out of memory: Killed process 156 (mm_test)" NOW_SIZES "\n", 156, "mm_test" },
		{ "3,612,1630902466,-,caller=T156;Out of memory (oom_kill_allocating_task): Killed process 156 (sh)" NOW_SIZES "\n", 156,
		  "sh" },
		/* 6.18 */
		{ "3,446,73443258409,-;Memory cgroup out of memory: Killed process 11619 (python3)" NOW_SIZES "\n", 11619, "python3" },
		{ "3,526,73912207010,-;Memory cgroup out of memory: Killed process 7868 (a) total-vm:1\\x0a)" NOW_SIZES "\n", 7868,
		  "a) total-vm:1\n" },
		{ "3,527,7,-;Out of memory: Killed process 1 (x), UID 1, y)" NOW_SIZES "\n", 1, "x), UID 1, y" },
		{ "3,528,7,-;Out of memory: Killed process 2 (caf\\xc3\\xa9\\x5cx41)" NOW_SIZES "\n SUBSYSTEM=x\n DEVICE=y\n", 2,
		  "caf\xc3\xa9\\x41" },
		{ "3,529,7,-;Out of memory: Killed process 3 ()" NOW_SIZES "\n", 3, "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct oom_record record;
		if (!parse(cases[i].record, &record))
			fail_msg("not taken: %s", cases[i].record);
		assert_int_equal(record.pid, cases[i].pid);
		assert_int_equal(record.name_length, strlen(cases[i].name));
		assert_memory_equal(record.name, cases[i].name, record.name_length);
	}
}

static void test_oom_record_parse_what_is_no_kill_of_the_kernel_is_not(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"", ";", "3", "3,1,1,-;", "3,1,1,-", ";Killed process 1 (a)" SIZES,
		/* anybody's, by their facility: user, auth, local7 */
		"11,700,5,-;Out of memory: Killed process 1 (init)" NOW_SIZES "\n",
		"35,700,5,-;Out of memory: Killed process 1 (init)" NOW_SIZES "\n",
		"187,700,5,-;Killed process 1 (init)" SIZES "\n",
		"-3,700,5,-;Killed process 1 (init)" SIZES "\n", " 3,700,5,-;Killed process 1 (init)" SIZES "\n",
		/* who was chosen, and who was taken apart */
		"3,900,220110,-;Out of memory: Kill process 27438 (R) score 31 or sacrifice child\n",
		"6,902,220200,-;oom_reaper: reaped process 27438 (R), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB\n",
		"6,445,73443258366,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task=python3,pid=11619,uid=0\n",
		"6,444,73443258359,-;[  11619]     0 11619     7576     6722     5062     1660  0   102400        0             0 python3\n",
		/* a record that begins with a name of somebody's */
		"6,31,5,-;Killed process [77]: segfault at 0 ip 0 sp 0 error 4\n",
		"6,31,5,-;evil: Killed process 1 (init)" SIZES "\n",
		/* cut, or not of its form */
		"3,1,1,-;Killed process (a)" SIZES, "3,1,1,-;Killed process 0 (a)" SIZES, "3,1,1,-;Killed process 99999999999 (a)" SIZES,
		"3,1,1,-;Killed process 12", "3,1,1,-;Killed process 12 (a", "3,1,1,-;Killed process 12 (a) total",
		"3,1,1,-;Killed process 12 a) total-vm:", "3,1,1,-;Out of memory", "3,1,1,-;Out of memory: ",
		"3,1,1,-;Killed process 12 (0123456789012345678901234567890123456789012345678901234567890123456789)" SIZES,
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct oom_record record;
		if (parse(cases[i], &record))
			fail_msg("taken: %s", cases[i]);
	}
}

static void test_oom_list_add_sums_names_and_bounds_them(void **state)
{
	(void)state;
	struct oom_list list = { .count = 0 };
	char name[16];
	oom_list_add(&list, "java", 1);
	oom_list_add(&list, "java", 2);
	oom_list_add(&list, OOM_KILLS_UNNAMED, 0);
	oom_list_add(&list, OOM_KILLS_UNNAMED, -1);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].count, 3);
	for (int i = 0; i < 2 * OOM_KILLS_NAMES; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		oom_list_add(&list, name, 1);
	}
	assert_int_equal(list.count, OOM_KILLS_NAMES + 1);
	assert_string_equal(list.items[OOM_KILLS_NAMES].name, OOM_KILLS_UNNAMED);
	assert_int_equal(list.items[OOM_KILLS_NAMES].count, OOM_KILLS_NAMES + 1);
	oom_list_add(&list, "java", INT64_MAX);
	assert_int_equal(list.items[0].count, INT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oom_record_parse_kills_of_kernels_are_read),
		cmocka_unit_test(test_oom_record_parse_what_is_no_kill_of_the_kernel_is_not),
		cmocka_unit_test(test_oom_list_add_sums_names_and_bounds_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
