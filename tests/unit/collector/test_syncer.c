/* collector/syncer.h, and that a spool uses it; with a disk that syncs when the test lets it */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/no_threads.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "collector/spool.h"
#include "collector/syncer.h"
#include "tests/unit/collector/spool_fixture.h"

static struct {
	bool hanging; /* each sync waits for `go` */
	sem_t begun, go;
	atomic_int error; /* 0: syncs work */
	atomic_int folder_error; /* likewise, those of folders alone */
	atomic_int files, folders; /* that were synced */
} disk;

/* In the place of the C library's. */
int fsync(int fd)
{
	struct stat status;
	if (disk.hanging) {
		sem_post(&disk.begun);
		sem_wait(&disk.go);
	}
	if (fstat(fd, &status) != 0)
		abort();
	errno = disk.error ? disk.error : S_ISDIR(status.st_mode) ? disk.folder_error : 0;
	if (errno)
		return -1;
	atomic_fetch_add(S_ISDIR(status.st_mode) ? &disk.folders : &disk.files, 1);
	return 0;
}

static int make_disk(void **state)
{
	disk.hanging = false;
	disk.error = disk.folder_error = disk.files = disk.folders = 0;
	sem_init(&disk.begun, 0, 0);
	sem_init(&disk.go, 0, 0);
	return make_folder(state);
}

/* An open folder, to be closed by the caller. */
static int open_folder(void)
{
	int fd = mkdir(folder, 0700) == 0 ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	assert_true(fd >= 0);
	return fd;
}

/* Writes a file and has it synced. */
static struct batch_file write_file(int folder_fd, uint64_t number)
{
	struct batch *batch = make_batch(1000, NAMES);
	struct batch_file file = batch_file_of(batch, number);
	assert_int_equal(batch_file_write(folder_fd, &file, batch), 0);
	free(batch);
	return file;
}

static void test_spool_put_is_synced_and_waits_for_no_disk(void **state)
{
	(void)state;
	enum { PUTS = 5 };
	struct spool *spool;
	size_t dropped;
	assert_int_equal(spool_open(folder, 1 << 20, &spool), 0);
	assert_int_equal(disk.folders, 1); /* what the new folder is in */
	disk.hanging = true;
	for (int i = 0; i < PUTS; i++) {
		struct batch *batch = make_batch(1000 + i, NAMES);
		assert_int_equal(spool_put(spool, batch, &dropped), 0);
		free(batch);
	}
	assert_int_equal(disk.files, 0);
	for (int i = 0; i < 2 * PUTS; i++)
		sem_post(&disk.go);
	spool_close(spool);
	assert_int_equal(disk.files, PUTS);
	assert_int_equal(disk.folders, 1 + PUTS);
	/* Whoever wrote them may have been killed before. */
	disk.hanging = false;
	assert_int_equal(spool_open(folder, 1 << 20, &spool), 0);
	spool_close(spool);
	assert_int_equal(disk.files, 2 * PUTS);
}

static void test_syncer_add_many_while_the_disk_hangs_leaves_out_the_oldest(void **state)
{
	(void)state;
	enum { LEFT_OUT = 3 };
	struct syncer *syncer;
	int folder_fd = open_folder();
	assert_int_equal(syncer_open(folder_fd, &syncer), 0);
	disk.hanging = true;
	struct batch_file file = write_file(folder_fd, 1);
	syncer_add(syncer, &file);
	sem_wait(&disk.begun);
	for (uint64_t number = 2; number < 2 + LEFT_OUT + SYNCER_WAITING_MAX; number++) {
		file = write_file(folder_fd, number);
		syncer_add(syncer, &file);
	}
	for (int i = 0; i < 2 * (1 + SYNCER_WAITING_MAX); i++)
		sem_post(&disk.go);
	syncer_close(syncer);
	assert_int_equal(disk.files, 1 + SYNCER_WAITING_MAX);
	close(folder_fd);
}

static void test_syncer_add_what_is_taken_out_is_no_failure(void **state)
{
	(void)state;
	struct syncer *syncer;
	int folder_fd = open_folder();
	captured_stderr_begin();
	assert_int_equal(syncer_open(folder_fd, &syncer), 0);
	struct batch_file file = write_file(folder_fd, 1);
	assert_int_equal(batch_file_unlink(folder_fd, &file), 0);
	syncer_add(syncer, &file);
	syncer_close(syncer);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("syncing the spool"), 0);
	assert_int_equal(disk.files, 0);
	close(folder_fd);
}

static void test_syncer_failing_disk_is_told_once(void **state)
{
	(void)state;
	struct syncer *syncer;
	int folder_fd = open_folder();
	captured_stderr_begin();
	assert_int_equal(syncer_open(folder_fd, &syncer), 0);
	disk.hanging = true;
	disk.error = EIO;
	for (uint64_t number = 1; number <= 3; number++) {
		struct batch_file file = write_file(folder_fd, number);
		syncer_add(syncer, &file);
		sem_wait(&disk.begun);
		if (number == 3)
			disk.error = 0;
		sem_post(&disk.go);
	}
	sem_post(&disk.go);
	syncer_close(syncer);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("syncing the spool fails: Input/output error"), 1);
	assert_int_equal(captured_stderr_count("syncing the spool works again"), 1);
	close(folder_fd);
}

/* The file is on the disk then, and its name may not be. */
static void test_syncer_failing_folder_is_told(void **state)
{
	(void)state;
	struct syncer *syncer;
	int folder_fd = open_folder();
	captured_stderr_begin();
	assert_int_equal(syncer_open(folder_fd, &syncer), 0);
	disk.folder_error = ENOSPC;
	struct batch_file file = write_file(folder_fd, 1);
	syncer_add(syncer, &file);
	syncer_close(syncer);
	captured_stderr_end();
	assert_int_equal(disk.files, 1);
	assert_int_equal(captured_stderr_count("syncing the spool fails: No space left on device"), 1);
	close(folder_fd);
}

static void test_syncer_add_without_a_thread_is_told_and_made_up_for(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip(); /* the sanitizers give threads stacks of their own */
	struct syncer *syncer;
	int folder_fd = open_folder();
	captured_stderr_begin();
	assert_int_equal(syncer_open(folder_fd, &syncer), 0);
	no_threads(true);
	for (uint64_t number = 1; number <= 3; number++) {
		if (number == 3)
			no_threads(false);
		struct batch_file file = write_file(folder_fd, number);
		syncer_add(syncer, &file);
	}
	syncer_close(syncer);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("syncing the spool fails: "), 1);
	assert_int_equal(captured_stderr_count("syncing the spool works again"), 1);
	assert_int_equal(disk.files, 3);
	close(folder_fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_disk, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_spool_put_is_synced_and_waits_for_no_disk),
		TEST(test_syncer_add_many_while_the_disk_hangs_leaves_out_the_oldest),
		TEST(test_syncer_add_what_is_taken_out_is_no_failure),
		TEST(test_syncer_failing_disk_is_told_once),
		TEST(test_syncer_failing_folder_is_told),
		TEST(test_syncer_add_without_a_thread_is_told_and_made_up_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
