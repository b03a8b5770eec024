#include "tests/unit/support/cmocka.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/identity.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

enum { MIB_KIB = 1024, SECOND_TICKS = 100 };

/* A /proc and two hierarchies of groups, in a folder. */
static char folder[TEMPORARY_FOLDER_SIZE];
static struct reading reading;

static int make_folder(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	temporary_folder_remove(folder);
	reading_free(&reading);
	return 0;
}

/* Makes the file with its folders; `path` is below the folder. */
static void put(const char *path, const char *content)
{
	char whole[1024];
	int length = snprintf(whole, sizeof(whole), "%s/%s", folder, path);
	for (char *slash = whole + strlen(folder) + 1; slash = strchr(slash, '/'), slash && slash < whole + length; slash++) {
		*slash = '\0';
		(void)mkdir(whole, 0700);
		*slash = '/';
	}
	temporary_file_write(whole, content);
}

static void put_process(int pid, const char *cgroup)
{
	char path[64];
	snprintf(path, sizeof(path), "%d/cgroup", pid);
	put(path, cgroup);
}

static void put_program(int pid, const char *program)
{
	char path[512];
	put_process(pid, "");
	snprintf(path, sizeof(path), "%s/%d/exe", folder, pid);
	(void)unlink(path);
	assert_int_equal(symlink(program, path), 0);
}

/* A process that began long ago, in a reading of 1,000 s after boot. */
static struct process *add(int pid, const char *comm)
{
	struct process *process = reading_add(&reading);
	assert_non_null(process);
	*process = (struct process){ .pid = pid, .start_ticks = 1 };
	snprintf(process->name, sizeof(process->name), "%s", comm);
	return process;
}

static void begin(void)
{
	reading.count = 0;
	reading.ticks_per_s = SECOND_TICKS;
	reading.boot_ticks = 1000 * SECOND_TICKS;
}

static const char *name_of(struct identity *identity, int pid, const char *comm)
{
	begin();
	add(pid, comm);
	assert_int_equal(identity_apply(identity, &reading), 0);
	return reading.processes[0].name;
}

static struct identity *open_identity(enum config_name name, enum config_mem_scale scale)
{
	struct identity *identity;
	assert_int_equal(identity_open(folder, name, scale, &identity), 0);
	return identity;
}

static void test_identity_apply_unit_is_the_group_s_or_else_the_comm(void **state)
{
	(void)state;
	put_process(1, "0::/init.scope\n");
	put_process(2, "0::/system.slice/tomcat@shop.service\n");
	struct identity *identity = open_identity(NAME_UNIT, MEM_SCALE_MACHINE);
	assert_string_equal(name_of(identity, 1, "systemd"), "systemd");
	assert_string_equal(name_of(identity, 2, "java"), "tomcat@shop.service");
	assert_string_equal(name_of(identity, 3, "ended"), "ended");
	assert_int_equal(reading.processes[0].limit_kib, 0);
	identity_close(identity);
}

static void test_identity_apply_looks_once_but_anew_after_exec_and_for_another_process(void **state)
{
	(void)state;
	struct identity *identity = open_identity(NAME_UNIT, MEM_SCALE_MACHINE);
	put_process(1, "0::/a.service\n");
	assert_string_equal(name_of(identity, 1, "sh"), "a.service");
	put_process(1, "0::/b.service\n");
	assert_string_equal(name_of(identity, 1, "sh"), "a.service");
	assert_string_equal(name_of(identity, 1, "java"), "b.service");

	put_process(1, "0::/c.service\n");
	begin();
	add(1, "java")->start_ticks = 500;
	assert_int_equal(identity_apply(identity, &reading), 0);
	assert_string_equal(reading.processes[0].name, "c.service");

	/* Gone for a reading: it is not known any more. */
	put_process(1, "0::/d.service\n");
	begin();
	assert_int_equal(identity_apply(identity, &reading), 0);
	begin();
	add(1, "java")->start_ticks = 500;
	assert_int_equal(identity_apply(identity, &reading), 0);
	assert_string_equal(reading.processes[0].name, "d.service");
	identity_close(identity);
}

static void test_identity_apply_looks_again_at_one_that_had_just_begun(void **state)
{
	(void)state;
	static const char *const expected[] = { "a.service", "b.service", "b.service" };
	static const char *const groups[] = { "0::/a.service\n", "0::/b.service\n", "0::/c.service\n" };
	struct identity *identity = open_identity(NAME_UNIT, MEM_SCALE_MACHINE);
	for (uint64_t i = 0; i < 3; i++) {
		put_process(1, groups[i]);
		begin();
		reading.boot_ticks += i * 10 * SECOND_TICKS;
		add(1, "firefox")->start_ticks = 1000 * SECOND_TICKS - 50;
		assert_int_equal(identity_apply(identity, &reading), 0);
		assert_string_equal(reading.processes[0].name, expected[i]);
	}
	identity_close(identity);
}

static void test_identity_apply_exe_is_the_program_s_file(void **state)
{
	(void)state;
	put_program(1, "/usr/lib/jvm/bin/java");
	put_program(2, "/usr/bin/a program (deleted)");
	put_program(3, "/tmp/tab\there");
	put_process(4, "0::/a.service\n");
	struct identity *identity = open_identity(NAME_EXE, MEM_SCALE_MACHINE);
	assert_string_equal(name_of(identity, 1, "java-worker"), "java");
	assert_string_equal(name_of(identity, 2, "x"), "a program");
	assert_string_equal(name_of(identity, 3, "x"), "tab?here");
	assert_string_equal(name_of(identity, 4, "kthreadd"), "kthreadd");
	identity_close(identity);
}

static void test_identity_program_of_each_link_is_as_documented(void **state)
{
	(void)state;
	static const struct {
		const char *link, *expected;
	} cases[] = {
		{ "/usr/bin/java", "java" },
		{ "/usr/bin/java (deleted)", "java" },
		{ "/java", "java" },
		{ "/memfd:runc_cloned:/proc/self/exe (deleted)", "memfd:runc_cloned:/proc/self/exe" },
		{ " (deleted)", " (deleted)" },
		{ "(unreachable)/bin/x", "x" },
		{ "/", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char link[64];
		snprintf(link, sizeof(link), "%s", cases[i].link);
		assert_string_equal(identity_program(link), cases[i].expected);
	}
}

static void test_identity_apply_long_names_are_cut_and_stay_apart(void **state)
{
	(void)state;
	char content[512], first[READING_NAME_SIZE], text[241];
	for (size_t i = 0; i < 240; i += 2)
		memcpy(text + i, "\xc3\xa9", 2); /* so that a cut falls into a character */
	text[240] = '\0';
	struct identity *identity = open_identity(NAME_UNIT, MEM_SCALE_MACHINE);
	snprintf(content, sizeof(content), "0::/a%s1.service\n", text);
	put_process(1, content);
	snprintf(first, sizeof(first), "%s", name_of(identity, 1, "x"));
	assert_in_range(strlen(first), READING_NAME_SIZE - 2, READING_NAME_SIZE - 1);
	assert_int_equal(strncmp(content + 4, first, strlen(first) - 9), 0);
	assert_int_equal(first[strlen(first) - 9], '~');
	assert_null(strchr(first, '?'));

	snprintf(content, sizeof(content), "0::/a%s2.service\n", text);
	put_process(2, content);
	const char *second = name_of(identity, 2, "x");
	assert_int_equal(strncmp(first, second, strlen(first) - 8), 0);
	assert_string_not_equal(first, second);

	/* One that just fits is whole. */
	snprintf(content, sizeof(content), "0::/%.*s.service\n", READING_NAME_SIZE - 1 - 8,
	         "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
	         "0123456789012345678901234567890123456789012345678901234567890");
	put_process(3, content);
	const char *whole = name_of(identity, 3, "x");
	assert_int_equal(strlen(whole), READING_NAME_SIZE - 1);
	assert_int_equal(strncmp(content + 4, whole, strlen(whole)), 0);
	identity_close(identity);
}

static uint64_t limit_of(struct identity *identity, int pid)
{
	(void)name_of(identity, pid, "x");
	return reading.processes[0].limit_kib;
}

static void put_mounts(const char *format)
{
	char mounts[1024];
	int length = 0;
	for (const char *at = format; *at; at++)
		length += *at == '@' ? snprintf(mounts + length, sizeof(mounts) - (size_t)length, "%s", folder)
		                    : snprintf(mounts + length, sizeof(mounts) - (size_t)length, "%c", *at);
	put("self/mountinfo", mounts);
}

static void test_identity_apply_limit_v2_is_the_least_of_the_groups_above(void **state)
{
	(void)state;
	put_mounts("1 0 0:1 / / rw - ext4 x rw\n30 1 0:26 / @/v2 rw - cgroup2 cgroup2 rw\n");
	put("v2/a.slice/memory.max", "536870912\n");
	put("v2/a.slice/b.service/memory.max", "max\n");
	put("v2/a.slice/c.service/memory.max", "268435456\n");
	put("v2/a.slice/d.service/memory.max", "1073741824\n");
	put("v2/e.service/memory.max", "max\n");
	put("v2/f.service/memory.max", "0\n");
	put("v2/g.service/memory.max", "nonsense\n");
	static const struct {
		const char *cgroup;
		uint64_t mib;
	} cases[] = {
		{ "0::/\n", 0 },
		{ "0::/a.slice\n", 512 },
		{ "0::/a.slice/b.service\n", 512 },
		{ "0::/a.slice/c.service\n", 256 },
		{ "0::/a.slice/c.service/deep/down\n", 256 },
		{ "0::/a.slice/d.service (deleted)\n", 512 },
		{ "0::/e.service\n", 0 },
		{ "0::/g.service\n", 0 },
		{ "0::/none\n", 0 },
		{ "0::/../../v2/a.slice\n", 0 },
		{ "4:memory:/a.slice\n0::/a.slice\n", 0 },
		{ "", 0 },
	};
	struct identity *identity = open_identity(NAME_COMM, MEM_SCALE_LIMIT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_process((int)i + 2, cases[i].cgroup);
		if (limit_of(identity, (int)i + 2) != cases[i].mib * MIB_KIB)
			fail_msg("%s: %llu", cases[i].cgroup, (unsigned long long)reading.processes[0].limit_kib);
		assert_string_equal(reading.processes[0].name, "x");
	}
	put_process(1, "0::/f.service\n");
	assert_int_equal(limit_of(identity, 1), 1); /* a share of nothing is all of it */

	/* What is set anew holds from the next reading on. */
	assert_int_equal(limit_of(identity, 4), 512 * MIB_KIB);
	put("v2/a.slice/memory.max", "134217728\n");
	assert_int_equal(limit_of(identity, 4), 128 * MIB_KIB);
	identity_close(identity);
}

static void test_identity_apply_limit_v1_is_found_beside_v2(void **state)
{
	(void)state;
	put_mounts("30 1 0:26 / @/v2 rw - cgroup2 cgroup2 rw\n31 1 0:27 / @/v1/memory rw - cgroup cgroup rw,memory\n");
	put("v1/memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("v1/memory/docker/memory.limit_in_bytes", "268435456\n");
	put("v1/memory/docker/x/memory.limit_in_bytes", "9223372036854771712\n");
	put("v2/docker/x/memory.max", "1048576\n");
	struct identity *identity = open_identity(NAME_UNIT, MEM_SCALE_LIMIT);
	put_process(1, "9:name=systemd:/a.service\n4:memory:/docker/x\n0::/docker/x\n");
	assert_int_equal(limit_of(identity, 1), 256 * MIB_KIB);
	assert_string_equal(reading.processes[0].name, "a.service");
	put_process(2, "4:memory:/\n");
	assert_in_range(limit_of(identity, 2), UINT64_C(1) << 50, UINT64_MAX);
	identity_close(identity);
}

static void test_identity_apply_limit_follows_what_the_mounts_show(void **state)
{
	(void)state;
	/* From within a namespace: its own groups, and those of the host, which are above. */
	put_mounts("30 1 0:26 / @/own rw - cgroup2 cgroup2 rw\n31 1 0:26 /.. @/host\\040groups rw - cgroup2 cgroup2 rw\n");
	put("own/memory.max", "268435456\n");
	put("own/a.service/memory.max", "max\n");
	put("host groups/b.service/memory.max", "134217728\n");
	struct identity *identity = open_identity(NAME_COMM, MEM_SCALE_LIMIT);
	put_process(1, "0::/\n");
	put_process(2, "0::/a.service\n");
	put_process(3, "0::/../b.service\n");
	put_process(4, "0::/../../c.service\n");
	assert_int_equal(limit_of(identity, 1), 256 * MIB_KIB);
	assert_int_equal(limit_of(identity, 2), 256 * MIB_KIB);
	assert_int_equal(limit_of(identity, 3), 128 * MIB_KIB);
	assert_int_equal(limit_of(identity, 4), 0);
	identity_close(identity);
}

static void test_identity_apply_without_memory_fails_and_leaks_nothing(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	put_mounts("30 1 0:26 / @/v2 rw - cgroup2 cgroup2 rw\n");
	put("v2/a/b/c.service/memory.max", "1048576\n");
	put_process(1, "0::/a/b/c.service\n");
	put_process(2, "0::/a/d.service\n");
	begin();
	add(1, "x");
	add(2, "x");
	for (long number = 1, failed = 1; failed; number++) {
		long before = failing_unfreed();
		struct identity *identity = NULL;
		failing_start(number);
		int result = identity_open(folder, NAME_UNIT, MEM_SCALE_LIMIT, &identity);
		if (result == 0)
			result = identity_apply(identity, &reading);
		failed = failing_stop();
		assert_true(result == 0 || failed);
		if (identity) {
			begin();
			add(1, "x");
			add(2, "x");
			assert_int_equal(identity_apply(identity, &reading), 0);
			assert_string_equal(reading.processes[0].name, "c.service");
		}
		identity_close(identity);
		assert_int_equal(failing_unfreed(), before);
	}
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_identity_apply_unit_is_the_group_s_or_else_the_comm),
		IN_FOLDER(test_identity_apply_looks_once_but_anew_after_exec_and_for_another_process),
		IN_FOLDER(test_identity_apply_looks_again_at_one_that_had_just_begun),
		IN_FOLDER(test_identity_apply_exe_is_the_program_s_file),
		cmocka_unit_test(test_identity_program_of_each_link_is_as_documented),
		IN_FOLDER(test_identity_apply_long_names_are_cut_and_stay_apart),
		IN_FOLDER(test_identity_apply_limit_v2_is_the_least_of_the_groups_above),
		IN_FOLDER(test_identity_apply_limit_v1_is_found_beside_v2),
		IN_FOLDER(test_identity_apply_limit_follows_what_the_mounts_show),
		IN_FOLDER(test_identity_apply_without_memory_fails_and_leaks_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
