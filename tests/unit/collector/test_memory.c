#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "collector/memory.h"
#include "tests/unit/support/temporary_folder.h"

enum { PROCESS_MAX = 4, FILE_MAX = 8, PAGE_KIB = 4 };

static void test_memory_parse_machine_of_many_gives_what_is_in_use(void **state)
{
	(void)state;
	static const struct {
		const char *what, *meminfo;
		int result;
		uint64_t total_kib, huge_kib;
	} cases[] = {
		{ "no huge pages", "MemTotal:       24684092 kB\nMemFree: 1 kB\nHugePages_Total:       0\n"
		  "HugePages_Free:        0\nHugepagesize:       2048 kB\nHugetlb:               0 kB\n", 0, 24684092, 0 },
		{ "all of them free", "MemTotal: 1000000 kB\nHugePages_Total: 160\nHugePages_Free: 160\n"
		  "Hugepagesize: 2048 kB\nHugetlb: 327680 kB\n", 0, 1000000, 0 },
		{ "some in use", "MemTotal: 1000000 kB\nHugePages_Total: 160\nHugePages_Free: 150\n"
		  "Hugepagesize: 2048 kB\nHugetlb: 327680 kB\n", 0, 1000000, 20480 },
		{ "some in use, before Linux 4.19", "MemTotal: 1000000 kB\nHugePages_Total: 160\nHugePages_Free: 150\n"
		  "Hugepagesize: 2048 kB\n", 0, 1000000, 20480 },
		{ "another size than the default", "MemTotal: 4000000 kB\nHugePages_Total: 0\nHugePages_Free: 0\n"
		  "Hugepagesize: 2048 kB\nHugetlb: 1048576 kB\n", 0, 4000000, 1048576 },
		{ "more free than there are", "MemTotal: 1000000 kB\nHugePages_Total: 1\nHugePages_Free: 2\n"
		  "Hugepagesize: 2048 kB\nHugetlb: 2048 kB\n", 0, 1000000, 0 },
		{ "not at its beginning, no end of the line", "Mem: 5 kB\nMemTotalX: 6 kB\nMemTotal: 7 kB", 0, 7, 0 },
		{ "of a container, the least", "MemTotal: 131072 kB\n", 0, 131072, 0 },
		{ "nothing", "", -EINVAL, 0, 0 },
		{ "no number", "MemTotal: many\n", -EINVAL, 0, 0 },
		{ "within a line alone", "Free of MemTotal: 7 kB\n", -EINVAL, 0, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine_memory machine = { 0 };
		int result = memory_parse_machine(cases[i].meminfo, &machine);
		if (result != cases[i].result || machine.total_kib != cases[i].total_kib ||
		    machine.huge_kib != cases[i].huge_kib)
			fail_msg("%s: %d, %lu, %lu", cases[i].what, result, (unsigned long)machine.total_kib,
			         (unsigned long)machine.huge_kib);
	}
}

static char proc[TEMPORARY_FOLDER_SIZE];

/* Writes a file of the fake /proc, and the folders on its way. */
static void put(const char *name, const char *content)
{
	char path[TEMPORARY_FOLDER_SIZE + 64];
	snprintf(path, sizeof(path), "%s/%s", proc, name);
	for (char *slash = path + strlen(proc) + 1; slash = strchr(slash, '/'), slash; *slash++ = '/') {
		*slash = '\0';
		mkdir(path, 0700);
	}
	temporary_file_write(path, content);
}

static void test_memory_read_machine_without_a_total_changes_nothing(void **state)
{
	(void)state;
	temporary_folder_make(proc);
	struct memory memory = { proc, PAGE_KIB };
	struct machine_memory machine = { 1, 2 };
	assert_int_equal(memory_read_machine(&memory, &machine), -ENOENT);
	put("meminfo", "");
	assert_int_equal(memory_read_machine(&memory, &machine), -EINVAL);
	assert_int_equal(machine.total_kib, 1);
	put("meminfo", "MemTotal: 131072 kB\n");
	assert_int_equal(memory_read_machine(&memory, &machine), 0);
	assert_int_equal(machine.total_kib, 131072);
	assert_int_equal(machine.huge_kib, 0);
	temporary_folder_remove(proc);
}

/* Memory as stat tells it: "a" has 100 KiB of a virtual 1,000. */
#define OF_STAT .virtual_kib = 1000, .resident_kib = 100
#define HUGE "Name:\ta\nHugetlbPages:\t    2048 kB\nThreads:\t1\n"

static const struct {
	const char *what;
	struct process processes[PROCESS_MAX]; /* a PID of 0 ends them */
	struct { const char *name, *content; } files[FILE_MAX];
	bool huge;
	uint64_t expected[PROCESS_MAX][2]; /* resident, shared */
} cases[] = {
	{ "a name of one PID: as stat says, whatever files there are",
	  { { .pid = 7, .name = "a", .state = 'S', .threads = 1, OF_STAT }, { .pid = 8, .name = "b", OF_STAT } },
	  { { "7/statm", "500 400 300 0 0 0 0" }, { "7/status", HUGE } }, false, { { 100, 0 }, { 100, 0 } } },
	{ "a name of two PIDs: as statm says, the one that has ended has none",
	  { { .pid = 7, .name = "a", OF_STAT }, { .pid = 8, .name = "a", OF_STAT } },
	  { { "7/statm", "500 40 30 0 0 0 0" } }, false, { { 160, 120 }, { 0, 0 } } },
	{ "the first thread has ended: as the first that lives says",
	  { { .pid = 7, .name = "a", .state = 'Z', .threads = 3 } },
	  { { "7/statm", "0 0 0 0 0 0 0" }, { "7/task/7/statm", "0 0 0 0 0 0 0" }, { "7/task/8/statm", "0 0 0 0 0 0 0" },
	    { "7/task/9/statm", "500 40 30 0 0 0 0" } }, false, { { 160, 0 } } },
	{ "the first thread has ended, in a name of two PIDs, with huge pages",
	  { { .pid = 7, .name = "a", .state = 'Z', .threads = 2 }, { .pid = 8, .name = "a", OF_STAT } },
	  { { "7/task/7/statm", "0 0 0 0 0 0 0" }, { "7/task/9/statm", "500 40 30 0 0 0 0" },
	    { "7/task/9/status", HUGE }, { "8/statm", "500 10 5 0 0 0 0" }, { "8/status", "Name:\ta\n" } },
	  true, { { 160 + 2048, 120 + 2048 }, { 40, 20 } } },
	{ "waits to be waited for",
	  { { .pid = 7, .name = "a", .state = 'Z', .threads = 1 } }, { { "7/task/7/statm", "1 1 1" } }, true, { { 0, 0 } } },
	{ "the first thread has ended, and then all have",
	  { { .pid = 7, .name = "a", .state = 'Z', .threads = 2 } }, { { NULL, NULL } }, true, { { 0, 0 } } },
	{ "huge pages of a name of one PID",
	  { { .pid = 7, .name = "a", OF_STAT }, { .pid = 8, .name = "b", OF_STAT }, { .pid = 9, .name = "k" } },
	  { { "7/status", HUGE }, { "9/status", HUGE } }, true, { { 100 + 2048, 0 }, { 100, 0 }, { 0, 0 } } },
	{ "huge pages are the shared part of several",
	  { { .pid = 7, .name = "a", OF_STAT }, { .pid = 8, .name = "a", OF_STAT } },
	  { { "7/statm", "500 40 30 0 0 0 0" }, { "7/status", HUGE }, { "8/statm", "500 40 30 0 0 0 0" }, { "8/status", HUGE } },
	  true, { { 160 + 2048, 120 + 2048 }, { 160 + 2048, 120 + 2048 } } },
	{ "a child by vfork that waits, whose child does as well",
	  { { .pid = 7, .name = "a", .state = 'D', .threads = 1, OF_STAT },
	    { .pid = 8, .name = "a", .parent = 7, .state = 'D', .threads = 1, .forked = true, OF_STAT },
	    { .pid = 9, .name = "a", .parent = 8, .state = 'S', .threads = 1, .forked = true, OF_STAT } },
	  { { "7/statm", "500 40 30 0 0 0 0" }, { "8/statm", "500 40 30 0 0 0 0" }, { "9/statm", "500 40 30 0 0 0 0" } },
	  true, { { 160, 120 }, { 0, 0 }, { 0, 0 } } },
	{ "a child by vfork of a thread",
	  { { .pid = 7, .name = "a", .state = 'S', .threads = 2, OF_STAT },
	    { .pid = 6, .name = "a", .parent = 7, .state = 'S', .threads = 1, .forked = true, OF_STAT } },
	  { { "6/statm", "500 40 30 0 0 0 0" }, { "7/statm", "500 40 30 0 0 0 0" }, { "7/task/7/stat", "7 (a) D) S 1" },
	    { "7/task/8/stat", "8 (a) S) D 1" } }, false, { { 0, 0 }, { 160, 120 } } },
	{ "a child by fork of threads of which none waits",
	  { { .pid = 7, .name = "a", .state = 'S', .threads = 2, OF_STAT },
	    { .pid = 8, .name = "a", .parent = 7, .state = 'S', .threads = 1, .forked = true, OF_STAT } },
	  { { "7/statm", "500 40 30 0 0 0 0" }, { "8/statm", "500 40 30 0 0 0 0" }, { "7/task/7/stat", "7 (a) S 1" },
	    { "7/task/8/stat", "8 (a) D) R 1" } }, false, { { 160, 120 }, { 160, 120 } } },
	{ "a child by fork of one that waits for a disk: it has fewer pages",
	  { { .pid = 7, .name = "a", .state = 'D', .threads = 1, OF_STAT },
	    { .pid = 8, .name = "a", .parent = 7, .state = 'S', .threads = 1, .forked = true, OF_STAT } },
	  { { "7/statm", "500 40 30 0 0 0 0" }, { "8/statm", "500 39 29 0 0 0 0" } }, false, { { 160, 120 }, { 156, 116 } } },
	{ "a child that has executed the same program, in step with its parent",
	  { { .pid = 7, .name = "a", .state = 'D', .threads = 1, OF_STAT },
	    { .pid = 8, .name = "a", .parent = 7, .state = 'S', .threads = 1, OF_STAT } },
	  { { "7/statm", "500 40 30 0 0 0 0" }, { "8/statm", "500 40 30 0 0 0 0" } }, false, { { 160, 120 }, { 160, 120 } } },
	{ "one of two by fork of a parent of another name",
	  { { .pid = 6, .name = "p", .state = 'D', .threads = 1, OF_STAT },
	    { .pid = 7, .name = "a", .parent = 6, .state = 'D', .threads = 1, .forked = true, OF_STAT },
	    { .pid = 8, .name = "a", .parent = 6, .state = 'S', .threads = 1, .forked = true, OF_STAT } },
	  { { "7/statm", "500 40 30 0 0 0 0" }, { "8/statm", "500 40 30 0 0 0 0" } },
	  false, { { 160, 120 }, { 160, 120 }, { 100, 0 } } },
};

/* By name, then PID, as they are in the reading; so is what is expected. */
static void test_memory_complete_of_all_kinds_gives_their_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reading reading = { 0 };
		temporary_folder_make(proc);
		for (const struct process *process = cases[i].processes; process->pid; process++)
			*reading_add(&reading) = *process;
		for (size_t j = 0; j < FILE_MAX && cases[i].files[j].name; j++)
			put(cases[i].files[j].name, cases[i].files[j].content);
		reading_sort(&reading);
		memory_complete(&(struct memory){ proc, PAGE_KIB }, cases[i].huge, &reading);
		for (size_t j = 0; j < reading.count; j++) {
			const struct process *process = &reading.processes[j];
			if (process->resident_kib != cases[i].expected[j][0] || process->shared_kib != cases[i].expected[j][1])
				fail_msg("%s: PID %d: %lu, %lu", cases[i].what, process->pid,
				         (unsigned long)process->resident_kib, (unsigned long)process->shared_kib);
		}
		reading_free(&reading);
		temporary_folder_remove(proc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_parse_machine_of_many_gives_what_is_in_use),
		cmocka_unit_test(test_memory_read_machine_without_a_total_changes_nothing),
		cmocka_unit_test(test_memory_complete_of_all_kinds_gives_their_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
