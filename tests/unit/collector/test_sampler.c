#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/rates.h"
#include "collector/sampler.h"
#include "common/wire.h"

enum { MIB = 1 << 20, SHARERS = 8, SHARED_MIB = 64, PRIVATE_MIB = 8 };

static struct sampler *sampler;
static struct reading reading;

static int open_sampler(void **state)
{
	(void)state;
	return sampler_open(false, &sampler);
}

static int close_sampler(void **state)
{
	(void)state;
	sampler_close(sampler);
	reading_free(&reading);
	return 0;
}

/* Starts a process that takes `name`, does `work` and then waits to be killed. */
static pid_t start(const char *name, void (*work)(void))
{
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		if (work)
			work();
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static const struct process *find(pid_t pid)
{
	for (size_t i = 0; i < reading.count; i++) {
		if (reading.processes[i].pid == pid)
			return &reading.processes[i];
	}
	return NULL;
}

static void test_sampler_read_hostile_names_come_out_clean(void **state)
{
	(void)state;
	static const struct {
		const char *name, *expected;
	} cases[] = {
		{ "a) R 1 (", "a) R 1 (" },
		{ "with some space", "with some space" },
		{ " ", " " },
		{ "new\nline", "new?line" },
		{ "tab\tdel\x7f", "tab?del?" },
		{ "\"quoted\"'s", "\"quoted\"'s" },
		{ "back\\slash", "back\\slash" },
		{ "back\\n", "back\\n" },
		{ "trailing\\", "trailing\\" },
		{ "a,=b", "a,=b" },
		{ "${x}%5C", "${x}%5C" },
		{ "ff\xff\xfe", "ff??" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\xe2\x82\xac\xf0\x9f\x90\x98", "\xe2\x82\xac\xf0\x9f\x90\x98" },
		{ "twelve bytes\xe2\x82\xac", "twelve bytes\xe2\x82\xac" },
		{ "fourteen bytes\xc3\xa9", "fourteen bytes?" }, /* the kernel cuts at 15 */
		{ "thirteenbytes\xe2\x82\xac", "thirteenbytes??" },
		{ "over\xc0\xaflong", "over??long" },
		{ "", "?" },
	};
	enum { CASES = sizeof(cases) / sizeof(cases[0]) };
	pid_t pids[CASES];
	for (size_t i = 0; i < CASES; i++)
		pids[i] = start(cases[i].name, NULL);

	assert_int_equal(sampler_read(sampler, &reading), 0);
	for (size_t i = 0; i < CASES; i++) {
		const struct process *process = find(pids[i]);
		assert_non_null(process);
		assert_string_equal(process->name, cases[i].expected);
		assert_int_equal(wire_utf8_check(process->name, strlen(process->name)), strlen(process->name));
		end(pids[i]);
	}
}

/* What is left of the rest of the name depends on libproc2: esc_ctl() of its library/escape.c. */
static void test_sampler_read_name_behind_a_bad_byte_is_as_the_library_leaves_it(void **state)
{
	(void)state;
	pid_t pid = start("\xc3\xa9\xff\xc3\xa9\n", NULL);
	assert_int_equal(sampler_read(sampler, &reading), 0);
	const char *name = find(pid)->name;
	if (strcmp(name, "\xc3\xa9?\xc3\xa9?") != 0)           /* 4.0.4: that byte alone is bad */
		assert_string_equal(name, "\xc3\xa9???."); /* 4.0.2: all behind it is */
	end(pid);
}

static void touch_private(void)
{
	char *bytes = mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(bytes, 1, 32 * MIB);
}

static void test_sampler_read_memory_is_in_kib(void **state)
{
	(void)state;
	pid_t pid = start("vt-memory", touch_private);
	assert_int_equal(sampler_read(sampler, &reading), 0);
	const struct process *process = find(pid);
	assert_non_null(process);
	/* stat may lag behind by some pages a core: common to all of this machine's cores. */
	assert_in_range(process->resident_kib, 31 * 1024, 48 * 1024);
	assert_int_equal(process->shared_kib, 0);
	assert_in_range(reading.memory_kib, 64 * 1024, (uint64_t)1 << 40);
	assert_in_range(reading.cores, 1, 10000);
	end(pid);
}

static char *region;

static void touch_region(void)
{
	memset(region, 1, SHARED_MIB * (size_t)MIB);
	char *bytes = mmap(NULL, PRIVATE_MIB * (size_t)MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(bytes, 1, PRIVATE_MIB * (size_t)MIB);
}

static void test_sampler_read_shared_region_counts_once(void **state)
{
	(void)state;
	struct rates rates = { 0 };
	struct rate *values;
	size_t count;
	assert_int_equal(sampler_read(sampler, &reading), 0);
	assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);

	region = mmap(NULL, SHARED_MIB * (size_t)MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(region != MAP_FAILED);
	pid_t pids[SHARERS];
	for (int i = 0; i < SHARERS; i++)
		pids[i] = start("vt-sharers", touch_region);
	assert_int_equal(sampler_read(sampler, &reading), 0);
	for (int i = 0; i < SHARERS; i++) {
		assert_in_range(find(pids[i])->resident_kib, (SHARED_MIB + PRIVATE_MIB) * 1024, (SHARED_MIB + PRIVATE_MIB + 32) * 1024);
		assert_in_range(find(pids[i])->shared_kib, SHARED_MIB * 1024, (SHARED_MIB + 16) * 1024);
		end(pids[i]);
	}
	munmap(region, SHARED_MIB * (size_t)MIB);

	assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
	size_t i = 0;
	while (i < count && strcmp(values[i].name, "vt-sharers") != 0)
		i++;
	assert_true(i < count);
	double mib = values[i].thousandths[RESOURCE_MEM] / 1e5 * (double)reading.memory_kib / 1024;
	/* What a fork shares with its parent counts in each: some MiB. */
	assert_true(mib >= SHARED_MIB + SHARERS * PRIVATE_MIB);
	assert_true(mib <= SHARED_MIB + SHARERS * (PRIVATE_MIB + 16));
	rates_free(&rates);
}

static void burn(void)
{
	struct timespec time;
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	while (time.tv_nsec < 300000000);
}

static void test_sampler_read_newborn_has_its_own_ticks(void **state)
{
	(void)state;
	assert_int_equal(sampler_read(sampler, &reading), 0);
	uint64_t before_ticks = reading.boot_ticks;
	int64_t before_ns = reading.monotonic_ns;
	pid_t pid = start("vt-burner", burn);
	assert_int_equal(sampler_read(sampler, &reading), 0);
	const struct process *process = find(pid);
	assert_in_range(process->start_ticks, before_ticks, reading.boot_ticks);
	assert_in_range(process->cpu_ticks, 28, 34);
	assert_true(reading.monotonic_ns - before_ns >= 300000000);
	assert_true(reading.boot_ticks - before_ticks >= 29);
	end(pid);
}

static void test_sampler_read_zombie_has_no_memory(void **state)
{
	(void)state;
	pid_t pids[2] = { start("vt-zombie", touch_private), start("vt-zombie", NULL) };
	kill(pids[0], SIGKILL);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pids[0], &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(sampler_read(sampler, &reading), 0);
	assert_int_equal(find(pids[0])->resident_kib, 0);
	assert_true(find(pids[1])->resident_kib > 0);
	end(pids[0]);
	end(pids[1]);
}

static void test_sampler_read_is_sorted_and_whole(void **state)
{
	(void)state;
	assert_int_equal(sampler_read(sampler, &reading), 0);
	assert_non_null(find(getpid()));
	assert_non_null(find(1));
	assert_false(reading.partial);
	for (size_t i = 1; i < reading.count; i++) {
		int order = strcmp(reading.processes[i - 1].name, reading.processes[i].name);
		assert_true(order < 0 || (order == 0 && reading.processes[i - 1].pid < reading.processes[i].pid));
	}
}

/* kthreadd is PID 2 wherever kernel threads can be seen at all. */
static void test_sampler_read_kernel_threads_come_when_asked_for(void **state)
{
	(void)state;
	char line[64] = "";
	FILE *file = fopen("/proc/2/comm", "re");
	if (file) {
		(void)!fgets(line, sizeof(line), file);
		fclose(file);
	}
	if (strcmp(line, "kthreadd\n") != 0)
		skip();
	assert_int_equal(sampler_read(sampler, &reading), 0);
	assert_null(find(2));
	sampler_set_kernel_threads(sampler, true);
	assert_int_equal(sampler_read(sampler, &reading), 0);
	sampler_set_kernel_threads(sampler, false);
	assert_non_null(find(2));
	assert_string_equal(find(2)->name, "kthreadd");
}

/* Processes come and go all the time: readings go on, and no value is off. */
static void test_sampler_read_while_processes_end_stays_in_bounds(void **state)
{
	(void)state;
	pid_t forker = fork();
	if (forker == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "vt-brief");
		for (;;) {
			pid_t child = fork();
			if (child == 0)
				_exit(0);
			if (child > 0)
				waitpid(child, NULL, 0);
		}
	}
	struct rates rates = { 0 };
	struct rate *values;
	size_t count;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(sampler_read(sampler, &reading), 0);
		assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
		for (size_t j = 0; j < count; j++) {
			assert_in_range(values[j].thousandths[RESOURCE_CPU] + 1, 0, 100000 * reading.cores + 1);
			assert_in_range(values[j].thousandths[RESOURCE_MEM], 0, 100000);
		}
	}
	rates_free(&rates);
	end(forker);
}

static void test_sampler_open_without_proc_is_told(void **state)
{
	(void)state;
	char folder[TEMPORARY_FOLDER_SIZE];
	struct sampler *other = NULL;
	temporary_folder_make(folder);
	int root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root_fd >= 0);
	bool entered = chroot(folder) == 0;
	int result = entered ? sampler_open(false, &other) : -ENOENT;
	if (entered && (fchdir(root_fd) != 0 || chroot(".") != 0))
		abort();
	close(root_fd);
	temporary_folder_remove(folder);
	assert_int_equal(result, -ENOENT);
	assert_null(other);
	if (!entered)
		skip();
}

/* The reading is empty then, or whole, and the next one whole. */
static void test_sampler_read_any_allocation_fails_is_told(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	long refused = 0;
	for (long number = 1; failed; number++) {
		struct sampler *other;
		reading_free(&reading);
		assert_int_equal(sampler_open(false, &other), 0);
		assert_int_equal(sampler_identify(other, NAME_EXE, MEM_SCALE_LIMIT), 0);
		failing_start(number);
		int result = sampler_read(other, &reading);
		failed = failing_stop();
		assert_true(result == 0 || (failed && result == -ENOMEM));
		assert_int_equal(result == 0, reading.count > 0);
		refused += result != 0;
		sampler_close(other);
	}
	assert_true(refused > 3); /* of libproc2, of the reading, of the names */
	assert_non_null(find(getpid()));
}

static void test_sampler_identify_without_memory_leaves_the_names(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	pid_t pid = start("vt-comm", NULL);
	failing_start(1);
	assert_int_equal(sampler_identify(sampler, NAME_EXE, MEM_SCALE_MACHINE), -ENOMEM);
	assert_true(failing_stop());
	assert_int_equal(sampler_read(sampler, &reading), 0);
	assert_string_equal(find(pid)->name, "vt-comm");
	assert_int_equal(sampler_identify(sampler, NAME_EXE, MEM_SCALE_MACHINE), 0);
	assert_int_equal(sampler_read(sampler, &reading), 0);
	assert_string_equal(find(pid)->name, "test_sampler");
	assert_int_equal(sampler_identify(sampler, NAME_COMM, MEM_SCALE_MACHINE), 0);
	end(pid);
}

/* What is not to be read of others' processes is not taken for their end. */
static void test_sampler_read_others_io_is_unreadable_and_not_gone(void **state)
{
	(void)state;
	if (geteuid() != 0 || sampler_set_io(sampler, true) != 0)
		skip();
	pid_t pid = start("vt-others", NULL);
	assert_int_equal(sampler_read(sampler, &reading), 0);
	size_t unreadable = reading.unreadable; /* in a container root may not read all either */
	assert_true(find(pid)->further[0] >= 0);
	assert_int_equal(setresuid(65534, 65534, 0), 0);
	int result = sampler_read(sampler, &reading);
	bool gone = sampler_is_gone(pid);
	assert_int_equal(setresuid(0, 0, 0), 0);
	assert_int_equal(result, 0);
	assert_false(gone);
	assert_true(reading.unreadable > unreadable);
	assert_false(find(pid)->gone);
	assert_int_equal(find(pid)->further[0], READING_UNKNOWN);
	assert_int_equal(sampler_set_io(sampler, false), 0);
	assert_false(sampler_is_gone(pid));
	end(pid);
	assert_true(sampler_is_gone(pid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sampler_read_hostile_names_come_out_clean),
		cmocka_unit_test(test_sampler_read_name_behind_a_bad_byte_is_as_the_library_leaves_it),
		cmocka_unit_test(test_sampler_read_memory_is_in_kib),
		cmocka_unit_test(test_sampler_read_shared_region_counts_once),
		cmocka_unit_test(test_sampler_read_newborn_has_its_own_ticks),
		cmocka_unit_test(test_sampler_read_zombie_has_no_memory),
		cmocka_unit_test(test_sampler_read_is_sorted_and_whole),
		cmocka_unit_test(test_sampler_read_kernel_threads_come_when_asked_for),
		cmocka_unit_test(test_sampler_read_while_processes_end_stays_in_bounds),
		cmocka_unit_test(test_sampler_open_without_proc_is_told),
		cmocka_unit_test(test_sampler_read_any_allocation_fails_is_told),
		cmocka_unit_test(test_sampler_identify_without_memory_leaves_the_names),
		cmocka_unit_test(test_sampler_read_others_io_is_unreadable_and_not_gone),
	};
	return cmocka_run_group_tests(tests, open_sampler, close_sampler);
}
