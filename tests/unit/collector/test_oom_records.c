/* collector/oom_records.h and collector/oom_kills.h; what the kernel says is files of a root of the test's own */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static struct {
	int first, then; /* what the next reads of the records say, one after the other; 0: what is there */
} read_errors;
static int records_fd = -1; /* of whoever reads them */

/* In the place of the C library's. */
ssize_t read(int fd, void *bytes, size_t size)
{
	if (fd != records_fd || !read_errors.first)
		return syscall(SYS_read, fd, bytes, size);
	errno = read_errors.first;
	read_errors.first = read_errors.then;
	read_errors.then = 0;
	return -1;
}

static char root[TEMPORARY_FOLDER_SIZE];
static int true_root = -1; /* open while the other one is entered */

/* Makes a root in which there is nothing but what the records are read from, and enters it; false where that is not
 * allowed. */
static bool enter_root(void)
{
	static const char *const folders[] = { "proc", "proc/self", "proc/self/ns", "dev" };
	temporary_folder_make(root);
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	if (chdir(root) != 0 || chroot(root) != 0) {
		close(fd);
		return false;
	}
	true_root = fd;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		assert_int_equal(mkdir(folders[i], 0700), 0);
	assert_int_equal(symlink("pid:[4026531836]", "proc/self/ns/pid"), 0);
	temporary_file_write("dev/kmsg", "");
	temporary_file_write("proc/vmstat", "nr_free_pages 5\noom_kill 40\nzswpin 0\n");
	return true;
}

static int leave_root(void **state)
{
	(void)state;
	captured_stderr_abandon();
	if (true_root >= 0 && (fchdir(true_root) != 0 || chroot(".") != 0))
		abort();
	if (true_root >= 0)
		close(true_root);
	true_root = records_fd = -1;
	read_errors.first = read_errors.then = 0;
	temporary_folder_remove(root);
	return 0;
}

/* A record of the kernel's, and how many kills there are since the start. */
static void say(const char *record, int kills)
{
	char vmstat[64];
	int fd = open("/dev/kmsg", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, record, strlen(record)), strlen(record));
	close(fd);
	snprintf(vmstat, sizeof(vmstat), "oom_kill %d\n", kills);
	temporary_file_write("/proc/vmstat", vmstat);
}

#define KILL(pid, name) "3,612,1630902466,-;Out of memory: Killed process " #pid " (" name ")" NOW_SIZES "\n"

static void test_oom_records_next_is_what_was_killed_since_it_was_opened(void **state)
{
	(void)state;
	struct oom_records *records;
	struct oom_record record;
	uint64_t kills;
	if (!enter_root())
		skip();
	say(KILL(1, "before"), 41);
	records_fd = dup(STDIN_FILENO);
	close(records_fd);
	assert_int_equal(oom_records_open(&records), 0);
	assert_false(oom_records_next(records, &record));
	say("6,902,220200,-;oom_reaper: reaped process 1 (before)\n", 41);
	assert_false(oom_records_next(records, &record));
	say(KILL(7868, "java"), 42);
	read_errors.first = EINTR;
	assert_true(oom_records_next(records, &record));
	assert_int_equal(record.pid, 7868);
	assert_false(oom_records_lost(records));
	/* One is gone, which is said once; the next is there. */
	say(KILL(7869, "later"), 43);
	read_errors.first = EPIPE;
	read_errors.then = EINTR;
	assert_true(oom_records_next(records, &record));
	assert_int_equal(record.pid, 7869);
	assert_true(oom_records_lost(records));
	assert_false(oom_records_lost(records));
	say(KILL(7870, "latest"), 44);
	read_errors.first = EAGAIN; /* what the kernel says where there is none yet */
	assert_false(oom_records_next(records, &record));
	assert_false(oom_records_lost(records));
	assert_true(oom_records_next(records, &record));
	assert_int_equal(record.pid, 7870);
	assert_int_equal(oom_records_count(&kills), 0);
	assert_int_equal(kills, 44);
	oom_records_close(records);
	oom_records_close(NULL);
}

static void test_oom_records_open_why_there_are_none_is_told(void **state)
{
	(void)state;
	struct oom_records *records = NULL;
	uint64_t kills = 77;
	if (!enter_root())
		skip();
	failing_start(1);
	int result = oom_records_open(&records);
	if (failing_stop())
		assert_int_equal(result, -ENOMEM);
	else
		oom_records_close(records);
	assert_int_equal(unlink("/dev/kmsg"), 0);
	assert_int_equal(oom_records_open(&records), -ENOENT);
	assert_int_equal(mkfifo("/dev/kmsg", 0600), 0); /* has no end to begin at */
	assert_int_equal(oom_records_open(&records), -ESPIPE);
	/* Another PID namespace, by a number as long, or longer. */
	static const char *const spaces[] = { "pid:[4026532290]", "pid:[40265318360]", "pid:[402653183]" };
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		assert_int_equal(unlink("/proc/self/ns/pid"), 0);
		assert_int_equal(symlink(spaces[i], "/proc/self/ns/pid"), 0);
		assert_int_equal(oom_records_open(&records), -EINVAL);
	}
	assert_int_equal(unlink("/proc/self/ns/pid"), 0);
	assert_int_equal(oom_records_open(&records), -ENOENT);
	/* A kernel that does not count them. */
	temporary_file_write("/proc/vmstat", "nr_free_pages 5\nzswpin 0\n");
	assert_int_equal(oom_records_count(&kills), -ENOENT);
	assert_int_equal(unlink("/proc/vmstat"), 0);
	assert_int_equal(oom_records_count(&kills), -ENOENT);
	assert_int_equal(kills, 77);
}

/* The list as "name count;", emptied. */
static const char *take_kills(struct oom_kills *kills)
{
	static char text[256];
	static struct process processes[] = { { .pid = 10, .name = "shop.service" }, { .pid = 7868, .name = "tomcat.service" } };
	static const struct reading reading = { .processes = processes, .count = 2 };
	struct config config = { 0 };
	size_t used = 0;
	config.collector.exclude = (struct config_list){ .values = (char *[]){ (char[]){ "secret*" } }, .count = 1 };
	oom_kills_take(kills, &reading, &config);
	text[0] = '\0';
	for (size_t i = 0; i < kills->list.count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %d;", kills->list.items[i].name, kills->list.items[i].count);
	kills->list.count = 0;
	return text;
}

static void test_oom_kills_take_killed_have_the_names_of_their_values(void **state)
{
	(void)state;
	struct oom_kills kills = { .records = NULL };
	if (!enter_root())
		skip();
	captured_stderr_begin();
	records_fd = dup(STDIN_FILENO);
	close(records_fd);
	oom_kills_open(&kills);
	assert_int_equal(captured_stderr_end(), 0);
	assert_string_equal(take_kills(&kills), "");
	say(KILL(7868, "java"), 41);
	assert_string_equal(take_kills(&kills), "tomcat.service 1;");
	say(KILL(9, "gone\\x0a"), 42); /* began and ended between two readings */
	assert_string_equal(take_kills(&kills), "gone? 1;");
	say(KILL(8, "secret-1"), 43);
	assert_string_equal(take_kills(&kills), "");
	/* Who shared its memory died with it, without a record. */
	say(KILL(7868, "java"), 46);
	assert_string_equal(take_kills(&kills), "tomcat.service 1;");
	/* Of two one was overwritten: it has no name; that of one that is not to be sent is not told so, either. */
	say(KILL(7868, "java"), 48);
	read_errors.first = EPIPE;
	assert_string_equal(take_kills(&kills), "tomcat.service 1;* 1;");
	say(KILL(8, "secret-1"), 49);
	read_errors.first = EPIPE;
	assert_string_equal(take_kills(&kills), "");
	/* Nor is anything counted that a kernel does not count, or has begun to since. */
	assert_int_equal(unlink("/proc/vmstat"), 0);
	read_errors.first = EPIPE;
	assert_string_equal(take_kills(&kills), "");
	say("6,1,1,-;x\n", 99);
	read_errors.first = EPIPE;
	assert_string_equal(take_kills(&kills), "");
	say("6,1,1,-;x\n", 101);
	read_errors.first = EPIPE;
	assert_string_equal(take_kills(&kills), "* 2;");
	oom_kills_close(&kills);
}

static void test_oom_kills_take_without_records_are_told_by_number(void **state)
{
	(void)state;
	struct oom_kills kills = { .records = NULL };
	if (!enter_root())
		skip();
	assert_int_equal(unlink("/dev/kmsg"), 0);
	captured_stderr_begin();
	oom_kills_open(&kills);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(),
	                       "whom the kernel kills for want of memory is known by number alone: its records: No such file or directory\n"));
	assert_string_equal(take_kills(&kills), "");
	temporary_file_write("/proc/vmstat", "oom_kill 43\n");
	assert_string_equal(take_kills(&kills), "* 3;");
	assert_string_equal(take_kills(&kills), "");
	oom_kills_close(&kills);

	struct oom_kills neither = { .records = NULL };
	assert_int_equal(unlink("/proc/vmstat"), 0);
	captured_stderr_begin();
	oom_kills_open(&neither);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "whom the kernel kills for want of memory is not known: its records: "));
	assert_string_equal(take_kills(&neither), "");
	oom_kills_close(&neither);
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
		{ "3,530,7,-;Out of memory: Killed process 4 (a\\n23)" NOW_SIZES "\n", 4, "a\\n23" },
		{ "3,531,7,-;Killed process 5 (a) total-vm:1), UID 27, total-vm:1871480kB\n", 5, "a) total-vm:1" },
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
		"", ";", "3", "3;Killed process 1 (a)" SIZES, "x,1,1,-;Killed process 1 (a)" SIZES, "3,1,1,-;", "3,1,1,-", ";Killed process 1 (a)" SIZES,
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
		cmocka_unit_test_teardown(test_oom_records_next_is_what_was_killed_since_it_was_opened, leave_root),
		cmocka_unit_test_teardown(test_oom_records_open_why_there_are_none_is_told, leave_root),
		cmocka_unit_test_teardown(test_oom_kills_take_killed_have_the_names_of_their_values, leave_root),
		cmocka_unit_test_teardown(test_oom_kills_take_without_records_are_told_by_number, leave_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
