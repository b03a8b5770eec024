#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"

#include <fcntl.h>

#include "collector/backlog.h"
#include "collector/spool.h"
#include "common/clock.h"
#include "tests/unit/collector/spool_fixture.h"

static struct config *config;
static struct counters counters;
static struct backlog *backlog;

/* With the folder of the test unless `folder_option` says otherwise. */
static void open_with(const char *folder_option, const char *option)
{
	char spool_option[PATH_SIZE];
	struct text error = TEXT_EMPTY;
	snprintf(spool_option, sizeof(spool_option), "collector.spool=%s", folder);
	char *overrides[] = { folder_option ? (char *)(uintptr_t)folder_option : spool_option, (char *)(uintptr_t)option };
	assert_int_equal(config_load(NULL, overrides, option ? 2 : 1, &config, &error), 0);
	counters = (struct counters){ 0 };
	assert_int_equal(backlog_open(config, &counters, &backlog), 0);
}

static void close_all(void)
{
	backlog_close(backlog);
	config_free(config);
}

/* As after a restart. */
static void reopen(void)
{
	backlog_close(backlog);
	counters = (struct counters){ 0 };
	assert_int_equal(backlog_open(config, &counters, &backlog), 0);
}

static void add(int64_t time_ms)
{
	backlog_add(backlog, make_batch(time_ms, NAMES));
}

/* The time of the next one, which meets that fate; -1: the round is over. */
static int64_t next(enum backlog_fate fate)
{
	struct batch *batch = backlog_next(backlog);
	if (!batch)
		return -1;
	int64_t time_ms = batch->stamp.time_ms;
	assert_int_equal(batch->count, NAMES);
	assert_int_equal(batch->done, 0);
	batch->done = 1; /* as when a piece of it was taken */
	backlog_conclude(backlog, fate);
	return time_ms;
}

static void test_backlog_conclude_each_fate_is_met_on_disk_and_in_memory(void **state)
{
	(void)state;
	for (int memory = 0; memory < 2; memory++) {
		open_with(memory ? "collector.spool=" : NULL, NULL);
		assert_int_equal(next(BACKLOG_SENT), -1);
		for (int i = 1; i <= 6; i++)
			add(i);
		assert_int_equal(backlog_count(backlog), 6);
		assert_int_equal(backlog_count_in_memory(backlog), memory ? 6 : 0);
		assert_int_equal(backlog_has_spool(backlog), !memory);
		assert_int_equal(counters.spooled, 6 * SAMPLES);

		assert_int_equal(next(BACKLOG_AGAIN), 1);
		assert_int_equal(next(BACKLOG_SENT), 1);
		assert_int_equal(next(BACKLOG_LATER), 2);
		assert_int_equal(next(BACKLOG_REJECTED), 3);
		assert_int_equal(next(BACKLOG_LATER), 4);
		add(7); /* behind all others, also in the middle of a round */
		assert_int_equal(next(BACKLOG_SENT), 5);
		assert_int_equal(next(BACKLOG_AGAIN), 6);
		assert_int_equal(next(BACKLOG_SENT), 6);
		assert_int_equal(next(BACKLOG_LATER), 7);
		assert_int_equal(next(BACKLOG_SENT), -1);
		/* The next round is that of those that were left. */
		static const int64_t left[] = { 2, 4, 7, -1, -1 };
		assert_int_equal(backlog_count(backlog), 3);
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(next(BACKLOG_SENT), left[i]);
		assert_int_equal(counters.dropped, 0);
		assert_int_equal(count_files(path_of("rejected"), ".batch", NULL), 1);
		close_all();
	}
}

static void test_backlog_add_done_names_are_left_out(void **state)
{
	(void)state;
	open_with(NULL, NULL);
	struct batch *batch = make_batch(1, NAMES);
	batch->done = 2;
	backlog_add(backlog, batch);
	assert_int_equal(counters.spooled, 1);
	const struct batch *rest = backlog_next(backlog);
	assert_int_equal(rest->count, 1);
	backlog_conclude(backlog, BACKLOG_SENT);
	close_all();
}

static void test_backlog_open_what_an_earlier_run_left_is_there(void **state)
{
	(void)state;
	open_with(NULL, NULL);
	for (int i = 1; i <= 3; i++)
		add(i);
	captured_stderr_begin();
	reopen();
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "3 intervals wait in the spool "));
	for (int i = 1; i <= 3; i++)
		assert_int_equal(next(BACKLOG_SENT), i);
	assert_int_equal(next(BACKLOG_SENT), -1);
	assert_int_equal(counters.spooled, 0);
	close_all();
}

static void test_backlog_add_small_spool_drops_the_oldest_counts_and_says_so_once(void **state)
{
	(void)state;
	open_with(NULL, "collector.spool_bytes=64KiB");
	captured_stderr_begin();
	for (int i = 1; i <= 100; i++)
		add(i);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "the spool is full: the oldest samples are dropped from now on, 5 so far"));
	assert_int_equal(backlog_count(backlog), 16);
	assert_int_equal(counters.dropped, 84 * SAMPLES);
	assert_int_equal(counters.spooled, 100 * SAMPLES);
	for (int i = 85; i <= 100; i++)
		assert_int_equal(next(BACKLOG_SENT), i);
	assert_int_equal(counters.dropped, 84 * SAMPLES);
	/* A further outage is said again. */
	captured_stderr_begin();
	for (int i = 1; i <= 17; i++)
		add(i);
	assert_int_equal(captured_stderr_end(), 1);
	/* A reload makes more room. */
	config->collector.spool_bytes = 128 * 1024;
	assert_int_equal(backlog_configure(backlog, config), 0);
	for (int i = 18; i <= 50; i++)
		add(i);
	assert_int_equal(backlog_count(backlog), 32);
	close_all();
}

static void test_backlog_add_full_buffer_drops_the_oldest_counts_and_says_so_once(void **state)
{
	(void)state;
	open_with("collector.spool=", "collector.buffer=5");
	captured_stderr_begin();
	for (int i = 1; i <= 20; i++)
		add(i);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "the buffer is full: the oldest samples are dropped from now on, 5 so far"));
	assert_int_equal(backlog_count(backlog), 5);
	assert_int_equal(counters.dropped, 15 * SAMPLES);
	/* Made smaller by a reload. */
	config->collector.buffer_ticks = 3;
	assert_int_equal(backlog_configure(backlog, config), 0);
	assert_int_equal(counters.dropped, 17 * SAMPLES);
	for (int i = 18; i <= 20; i++)
		assert_int_equal(next(BACKLOG_SENT), i);
	close_all();
}

static void test_backlog_add_full_disk_goes_to_memory_and_back(void **state)
{
	(void)state;
	if (!mount_small_disk("size=64k")) {
		print_message("no mount here\n");
		skip();
	}
	open_with(NULL, "collector.buffer=5");
	int on_disk = 0;
	captured_stderr_begin();
	while (backlog_count_in_memory(backlog) == 0)
		add(++on_disk);
	on_disk--;
	for (int i = 2; i <= 8; i++)
		add(on_disk + i);
	assert_int_equal(captured_stderr_end(), 2);
	assert_non_null(strstr(captured_stderr_text(), ": No space left on device; at most 5 intervals wait in memory\n"));
	assert_non_null(strstr(captured_stderr_text(), "the buffer is full: the oldest samples are dropped from now on, 5 so far"));
	assert_false(backlog_has_spool(backlog));
	assert_int_equal(backlog_count_in_memory(backlog), 5);
	assert_int_equal(counters.dropped, 3 * SAMPLES);
	assert_int_equal(count_files(folder, ".tmp", NULL), 0);

	/* Room again: what waits in memory comes first, oldest first. */
	for (int i = 1; i <= 8; i++)
		assert_int_equal(next(BACKLOG_SENT), i);
	captured_stderr_begin();
	add(on_disk + 9);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), " works again\n"));
	assert_int_equal(backlog_count_in_memory(backlog), 0);
	assert_true(backlog_has_spool(backlog));
	reopen();
	for (int i = 9; i <= on_disk + 9; i++)
		if (i <= on_disk || i > on_disk + 3)
			assert_int_equal(next(BACKLOG_SENT), i);
	assert_int_equal(next(BACKLOG_SENT), -1);
	close_all();
	unmount_small_disk();
}

/* What is on the disk is older than what waits in memory: that is the order. */
static void test_backlog_next_memory_comes_behind_the_disk(void **state)
{
	(void)state;
	if (!mount_small_disk("size=64k")) {
		print_message("no mount here\n");
		skip();
	}
	open_with(NULL, NULL);
	int count = 0;
	while (backlog_count_in_memory(backlog) < 3)
		add(++count);
	for (int i = 1; i <= count; i++)
		assert_int_equal(next(i % 2 ? BACKLOG_LATER : BACKLOG_SENT), i);
	assert_int_equal(next(BACKLOG_SENT), -1);
	for (int i = 1; i <= count; i += 2)
		assert_int_equal(next(BACKLOG_SENT), i);
	assert_int_equal(backlog_count(backlog), 0);
	close_all();
	unmount_small_disk();
}

/* Neither the order nor what is rejected depends on where it waits. */
static void test_backlog_add_small_batch_does_not_overtake_on_a_full_disk(void **state)
{
	(void)state;
	if (!mount_small_disk("size=32k")) {
		print_message("no mount here\n");
		skip();
	}
	open_with(NULL, NULL);
	captured_stderr_begin();
	for (int i = 1; i <= 3; i++)
		backlog_add(backlog, make_batch(i, 800)); /* of three blocks each: there are eight */
	backlog_add(backlog, make_batch(4, NAMES));
	assert_int_equal(captured_stderr_end(), 1);
	assert_int_equal(backlog_count_in_memory(backlog), 2);
	for (int i = 1; i <= 4; i++) {
		assert_int_equal(backlog_next(backlog)->stamp.time_ms, i);
		backlog_conclude(backlog, i == 3 ? BACKLOG_REJECTED : BACKLOG_SENT);
	}
	assert_int_equal(backlog_count(backlog), 0);
	assert_int_equal(count_files(path_of("rejected"), ".batch", NULL), 1);
	close_all();
	unmount_small_disk();
}

static void test_backlog_open_read_only_folder_is_said_once(void **state)
{
	(void)state;
	if (!mount_small_disk("size=64k,ro")) {
		print_message("no mount here\n");
		skip();
	}
	captured_stderr_begin();
	open_with(NULL, NULL);
	for (int i = 1; i <= 10; i++)
		add(i);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "/spool: Read-only file system; at most 60 intervals wait in memory\n"));
	assert_int_equal(backlog_count_in_memory(backlog), 10);
	assert_int_equal(next(BACKLOG_REJECTED), 1);
	for (int i = 2; i <= 10; i++)
		assert_int_equal(next(BACKLOG_SENT), i);
	assert_int_equal(counters.dropped, 0);
	close_all();
	unmount_small_disk();
}

static void test_backlog_add_folder_that_comes_and_goes(void **state)
{
	(void)state;
	char inner[PATH_SIZE], option[PATH_SIZE + 16];
	snprintf(inner, sizeof(inner), "%s/inner", folder);
	snprintf(option, sizeof(option), "collector.spool=%s", inner);
	captured_stderr_begin();
	open_with(option, NULL);
	add(1);
	add(2);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "/inner: No such file or directory; at most 60 intervals wait in memory\n"));
	assert_int_equal(mkdir(folder, 0700), 0);
	captured_stderr_begin();
	add(3);
	assert_int_equal(captured_stderr_end(), 1);
	assert_int_equal(backlog_count_in_memory(backlog), 0);
	for (int i = 1; i <= 3; i++)
		assert_int_equal(next(BACKLOG_LATER), i);

	/* It is removed under our feet: what was in it is lost, what follows is not. */
	temporary_folder_remove(folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	captured_stderr_begin();
	add(4);
	assert_int_equal(backlog_count_in_memory(backlog), 1);
	add(5);
	captured_stderr_end();
	assert_int_equal(backlog_count_in_memory(backlog), 0);
	assert_int_equal(next(BACKLOG_SENT), -1); /* the old round */
	assert_int_equal(next(BACKLOG_SENT), 4);
	assert_int_equal(next(BACKLOG_SENT), 5);
	close_all();
}

static void test_backlog_open_spool_of_another_collector_is_not_touched(void **state)
{
	(void)state;
	struct spool *other;
	assert_int_equal(spool_open(folder, 1 << 20, &other), 0);
	captured_stderr_begin();
	open_with(NULL, NULL);
	add(1);
	add(2);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "another collector uses it; at most 60 intervals wait in memory\n"));
	assert_int_equal(count_files(folder, ".batch", NULL), 0);
	/* It ends: as at a restart, where the old one still has its last seconds. */
	spool_close(other);
	add(3);
	assert_int_equal(backlog_count_in_memory(backlog), 0);
	for (int i = 1; i <= 3; i++)
		assert_int_equal(next(BACKLOG_SENT), i);
	close_all();
}

static void test_backlog_next_damaged_files_are_counted_said_once_and_block_nothing(void **state)
{
	(void)state;
	char name[64];
	open_with(NULL, NULL);
	for (int i = 1; i <= 5; i++)
		add(i);
	assert_int_equal(count_files(folder, ".batch", name), 5);
	assert_int_equal(truncate(path_of(name), 30), 0); /* the first */
	name[15]++;
	assert_int_equal(truncate(path_of(name), 0), 0);
	name[15]++;
	int fd = open(path_of(name), O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "\xff\xff", 2, 70), 2);
	close(fd);
	captured_stderr_begin();
	assert_int_equal(next(BACKLOG_SENT), 4);
	assert_int_equal(next(BACKLOG_SENT), 5);
	assert_int_equal(next(BACKLOG_SENT), -1);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "is set aside, and so are further ones: it is damaged; 5 samples are lost"));
	assert_int_equal(counters.dropped, 3 * SAMPLES);
	assert_int_equal(backlog_count(backlog), 0);
	assert_int_equal(count_files(folder, ".batch", NULL), 0);
	assert_int_equal(count_files(path_of("rejected"), ".batch", NULL), 3);
	close_all();
}

/* make_batch() stamps with a clock that is at half the time, of another start of the machine. */
static void test_backlog_expire_what_is_too_old_goes_where_a_clock_can_tell(void **state)
{
	(void)state;
	struct server_clock clock = { 0 };
	const struct moment now = { .wall_ms = 1000000, .boot_ms = 1000000 };
	open_with(NULL, "collector.spool_age=100s");
	for (int64_t time_ms = 850000; time_ms < 1000000; time_ms += 10000)
		add(time_ms); /* fifteen */
	/* A wall clock alone may say what it likes. */
	backlog_expire(backlog, &clock, now);
	assert_int_equal(backlog_count(backlog), 15);
	/* The server's is believed, here 20 s ahead. */
	clock = (struct server_clock){ .known = true, .ahead_ms = 20000 };
	captured_stderr_begin();
	backlog_expire(backlog, &clock, now);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "older than spool_age: the oldest samples are dropped from now on, 5 so far"));
	assert_int_equal(backlog_count(backlog), 8);
	assert_int_equal(counters.dropped, 7 * SAMPLES);
	assert_int_equal(next(BACKLOG_AGAIN), 920000);
	close_all();
}

static void test_backlog_expire_same_start_of_the_machine_needs_no_other_clock(void **state)
{
	(void)state;
	struct server_clock clock = { 0 };
	open_with(NULL, "collector.spool_age=100s");
	for (int i = 0; i < 5; i++) {
		struct batch *batch = make_batch(1795356010000, NAMES);
		batch->stamp.boot_id = clock_boot();
		batch->stamp.boot_ms = 500000 + 40000 * i;
		backlog_add(backlog, batch);
	}
	backlog_expire(backlog, &clock, (struct moment){ .wall_ms = 5, .boot_ms = 600000 });
	assert_int_equal(backlog_count(backlog), 5);
	backlog_expire(backlog, &clock, (struct moment){ .wall_ms = 5, .boot_ms = 600001 });
	assert_int_equal(backlog_count(backlog), 4);
	backlog_expire(backlog, &clock, (struct moment){ .wall_ms = 5, .boot_ms = 720001 });
	assert_int_equal(backlog_count(backlog), 1);
	assert_int_equal(counters.dropped, 4 * SAMPLES);
	close_all();
}

static void test_backlog_configure_another_folder_is_used_from_then_on(void **state)
{
	(void)state;
	open_with(NULL, NULL);
	add(1);
	free(config->collector.spool);
	assert_true(asprintf(&config->collector.spool, "%s/other", parent) > 0);
	assert_int_equal(backlog_configure(backlog, config), 0);
	assert_int_equal(backlog_count(backlog), 0);
	add(2);
	assert_int_equal(next(BACKLOG_SENT), 2);
	add(3);
	/* None at all: what is in memory stays there. */
	config->collector.spool[0] = '\0';
	assert_int_equal(backlog_configure(backlog, config), 0);
	add(4);
	assert_int_equal(backlog_count_in_memory(backlog), 1);
	free(config->collector.spool);
	config->collector.spool = strdup(folder);
	assert_int_equal(backlog_configure(backlog, config), 0);
	assert_int_equal(backlog_count(backlog), 2);
	assert_int_equal(next(BACKLOG_SENT), 1);
	assert_int_equal(next(BACKLOG_SENT), 4);
	close_all();
}

static void test_backlog_close_null_is_harmless(void **state)
{
	(void)state;
	backlog_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_backlog_conclude_each_fate_is_met_on_disk_and_in_memory),
		TEST(test_backlog_add_done_names_are_left_out),
		TEST(test_backlog_open_what_an_earlier_run_left_is_there),
		TEST(test_backlog_add_small_spool_drops_the_oldest_counts_and_says_so_once),
		TEST(test_backlog_add_full_buffer_drops_the_oldest_counts_and_says_so_once),
		TEST(test_backlog_add_full_disk_goes_to_memory_and_back),
		TEST(test_backlog_next_memory_comes_behind_the_disk),
		TEST(test_backlog_add_small_batch_does_not_overtake_on_a_full_disk),
		TEST(test_backlog_open_read_only_folder_is_said_once),
		TEST(test_backlog_add_folder_that_comes_and_goes),
		TEST(test_backlog_open_spool_of_another_collector_is_not_touched),
		TEST(test_backlog_next_damaged_files_are_counted_said_once_and_block_nothing),
		TEST(test_backlog_expire_what_is_too_old_goes_where_a_clock_can_tell),
		TEST(test_backlog_expire_same_start_of_the_machine_needs_no_other_clock),
		TEST(test_backlog_configure_another_folder_is_used_from_then_on),
		TEST(test_backlog_close_null_is_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
