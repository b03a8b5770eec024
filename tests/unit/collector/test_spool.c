#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "collector/spool.h"
#include "tests/unit/collector/further_values.h"
#include "tests/unit/collector/spool_fixture.h"

#define MIB (1 << 20)

static struct spool *spool;
static int close_error; /* what the next close(2) says; 0: nothing */

/* In the place of the C library's. */
int close(int fd)
{
	int result = (int)syscall(SYS_close, fd);
	if (!close_error)
		return result;
	errno = close_error;
	close_error = 0;
	return -1;
}

static void open_spool(int64_t bytes_max)
{
	assert_int_equal(spool_open(folder, bytes_max, &spool), 0);
}

static void reopen_spool(int64_t bytes_max)
{
	spool_close(spool);
	open_spool(bytes_max);
}

/* The samples that were dropped for it. */
static size_t put(int64_t time_ms, size_t names)
{
	size_t dropped = 42;
	struct batch *batch = make_batch(time_ms, names);
	assert_int_equal(spool_put(spool, batch, &dropped), 0);
	free(batch);
	return dropped;
}

/* The time of the batch at or behind `number`; -1: none. */
static int64_t time_at(uint64_t number)
{
	struct batch_file file;
	struct batch *batch;
	if (!spool_find(spool, number, &file))
		return -1;
	assert_int_equal(spool_read(spool, &file, &batch), 0);
	int64_t time_ms = batch->stamp.time_ms;
	free(batch);
	return time_ms;
}

/* Takes the oldest out and gives its time. */
static int64_t take(void)
{
	struct batch_file file;
	int64_t time_ms = time_at(0);
	if (spool_find(spool, 0, &file))
		spool_remove(spool, &file);
	return time_ms;
}

static void test_spool_put_batches_come_back_as_they_were_and_in_order(void **state)
{
	(void)state;
	open_spool(MIB);
	assert_int_equal(spool_count(spool), 0);
	assert_int_equal(time_at(0), -1);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(put(i, NAMES), 0);
	for (int run = 0; run < 2; run++) {
		assert_int_equal(spool_count(spool), 5);
		assert_int_equal(spool_bytes(spool), 5 * BATCH_FILE_BLOCK);
		uint64_t number = 0;
		for (int i = 1; i <= 5; i++) {
			struct batch_file file;
			struct batch *batch, *expected = make_batch(i, NAMES);
			assert_true(spool_find(spool, number, &file));
			assert_int_equal(file.samples, SAMPLES);
			assert_int_equal(spool_read(spool, &file, &batch), 0);
			assert_int_equal(batch->stamp.time_ms, i);
			assert_int_equal(batch->stamp.boot_ms, i / 2);
			assert_int_equal(batch->stamp.boot_id, 77);
			assert_int_equal(batch->stamp.settled, i % 2);
			assert_int_equal(batch->count, NAMES);
			assert_int_equal(batch->done, 0);
			assert_int_equal(batch->size, expected->size);
			assert_memory_equal(batch->packed, expected->packed, expected->size);
			number = file.number + 1;
			free(batch);
			free(expected);
		}
		assert_int_equal(time_at(number), -1);
		reopen_spool(MIB);
	}
	/* From the middle, then from the front. */
	struct batch_file second;
	assert_true(spool_find(spool, 0, &second));
	assert_true(spool_find(spool, second.number + 1, &second));
	spool_remove(spool, &second);
	static const int64_t expected[] = { 1, 3, 4, 5, -1 };
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(take(), expected[i]);
	assert_int_equal(spool_bytes(spool), 0);
	assert_int_equal(count_files(folder, ".batch", NULL), 0);
	spool_close(spool);
}

static void test_spool_put_empty_batch_is_a_batch(void **state)
{
	(void)state;
	open_spool(MIB);
	put(7, 0);
	reopen_spool(MIB);
	assert_int_equal(take(), 7);
	spool_close(spool);
}

static void test_spool_put_full_spool_drops_the_oldest_and_tells_how_many(void **state)
{
	(void)state;
	enum { FILES = 16 };
	open_spool(FILES * BATCH_FILE_BLOCK + 100);
	for (int i = 1; i <= 100; i++)
		assert_int_equal(put(i, NAMES), i <= FILES ? 0 : SAMPLES);
	assert_int_equal(spool_count(spool), FILES);
	assert_int_equal(spool_bytes(spool), FILES * BATCH_FILE_BLOCK);
	assert_int_equal(count_files(folder, ".batch", NULL), FILES);
	assert_int_equal(time_at(0), 100 - FILES + 1);
	/* A large one takes the place of several. */
	struct batch *large = make_batch(101, 800);
	struct batch_file file = batch_file_of(large, 1);
	assert_int_equal(file.blocks, 3);
	free(large);
	assert_int_equal(put(101, 800), 3 * SAMPLES);
	assert_int_equal(spool_bytes(spool), FILES * BATCH_FILE_BLOCK);

	/* One that is larger than all of the spool drops none. */
	size_t dropped;
	struct batch *giant = make_batch(102, 10000);
	assert_int_equal(spool_put(spool, giant, &dropped), -EFBIG);
	assert_int_equal(dropped, 0);
	assert_int_equal(spool_count(spool), FILES - 2);
	free(giant);
	/* Made smaller it shrinks with the next. */
	spool_set_bytes_max(spool, 4 * BATCH_FILE_BLOCK);
	assert_int_equal(put(103, NAMES), (FILES - 3) * SAMPLES);
	assert_int_equal(spool_bytes(spool), 4 * BATCH_FILE_BLOCK);
	spool_close(spool);
}

static void test_spool_open_second_collector_is_refused(void **state)
{
	(void)state;
	struct spool *second;
	open_spool(MIB);
	put(1, NAMES);
	assert_int_equal(spool_open(folder, MIB, &second), -EBUSY);
	assert_int_equal(spool_count(spool), 1);
	reopen_spool(MIB); /* the lock went with the first */
	assert_int_equal(take(), 1);
	spool_close(spool);
}

static void write_file(const char *path, const char *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

static void test_spool_open_what_is_none_of_its_files_is_left_alone(void **state)
{
	(void)state;
	static const char *const names[] = { "0000000000000001-5.batch.old", "1-5.batch", "00000000000000001-5.batch",
		                             "0000000000000001-05.batch", "+000000000000001-5.batch",
		                             "0000000000000001-5.tmp", "notes", "0000000000000001-4294967296.batch",
		                             "-000000000000001-5.batch", "18446744073709551616-5.batch" };
	enum { COUNT = sizeof(names) / sizeof(names[0]) };
	open_spool(MIB);
	for (size_t i = 0; i < COUNT; i++)
		write_file(path_of(names[i]), "x", 1);
	assert_int_equal(mkdir(path_of("0000000000000002-5.batch"), 0700), 0);
	assert_int_equal(symlink("notes", path_of("0000000000000003-5.batch")), 0);
	write_file(path_of("0000000000000004-5.batch"), "x", 1);
	size_t ours = 1;
	if (chown(path_of("0000000000000004-5.batch"), geteuid() + 1, (gid_t)-1) == 0)
		ours = 0; /* we are root, and it is another user's */
	write_file(path_of("new.tmp"), "half of", 7);
	reopen_spool(MIB);
	assert_int_equal(spool_count(spool), ours);
	assert_int_equal(access(path_of("new.tmp"), F_OK), -1);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(access(path_of(names[i]), F_OK), 0);
	assert_int_equal(access(path_of("0000000000000002-5.batch"), F_OK), 0);
	assert_int_equal(access(path_of("0000000000000004-5.batch"), F_OK), 0);
	spool_close(spool);
}

/* Each byte changed, each length cut: told as damage, never taken for a batch. */
static void test_spool_read_damaged_file_is_told(void **state)
{
	(void)state;
	char name[64], bytes[512];
	open_spool(MIB);
	put(1, NAMES);
	assert_int_equal(count_files(folder, ".batch", name), 1);
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
	ssize_t length = read(fd, bytes, sizeof(bytes));
	close(fd);
	assert_in_range(length, 50, sizeof(bytes) - 2);

	struct batch_file file;
	struct batch *batch;
	assert_true(spool_find(spool, 0, &file));
	for (ssize_t i = 0; i < length; i++) {
		for (int bit = 0; bit < 8; bit++) {
			bytes[i] ^= (char)(1 << bit);
			write_file(path_of(name), bytes, (size_t)length);
			assert_int_equal(spool_read(spool, &file, &batch), -EBADMSG);
			bytes[i] ^= (char)(1 << bit);
		}
	}
	for (ssize_t i = 0; i < length; i++) {
		write_file(path_of(name), bytes, (size_t)i);
		assert_int_equal(spool_read(spool, &file, &batch), -EBADMSG);
	}
	bytes[length] = 0;
	write_file(path_of(name), bytes, (size_t)length + 1);
	assert_int_equal(spool_read(spool, &file, &batch), -EBADMSG);
	write_file(path_of(name), bytes, (size_t)length);
	assert_int_equal(spool_read(spool, &file, &batch), 0);
	free(batch);
	/* Its checksum is right, and it is none all the same. */
	struct batch *wrong = make_batch(1, NAMES);
	wrong->count--;
	int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(batch_file_write(folder_fd, &file, wrong), 0);
	close(folder_fd);
	free(wrong);
	assert_int_equal(spool_read(spool, &file, &batch), -EBADMSG);
	unlink(path_of(name));
	assert_int_equal(spool_read(spool, &file, &batch), -ENOENT);
	spool_remove(spool, &file);
	assert_int_equal(spool_count(spool), 0);
	spool_close(spool);
}

/* What its checksum vouches for may still be of another program. */
static void test_batch_is_sound_wrong_counts_are_not(void **state)
{
	(void)state;
	struct batch *batch = make_batch(1, NAMES);
	assert_true(batch_is_sound(batch));
	batch->count++;
	assert_false(batch_is_sound(batch));
	batch->count -= 2;
	assert_false(batch_is_sound(batch));
	batch->count++;
	for (size_t size = batch->size; size > 0; size--) {
		batch->size = size - 1;
		assert_false(batch_is_sound(batch));
	}
	batch->count = 0;
	assert_true(batch_is_sound(batch));
	batch->count = SIZE_MAX;
	assert_false(batch_is_sound(batch));
	free(batch);
}

static void test_spool_read_kills_come_back_with_their_tick(void **state)
{
	(void)state;
	static const struct rate values[] = { { .name = "bash", .thousandths = { 1250, 12500 } }, { .name = "java", .thousandths = { RATE_MISSING, 1 } } };
	const struct stamp stamp = { .time_ms = 1795356010000, .settled = true };
	struct oom_list killed = { .count = 0 };
	oom_list_add(&killed, "a \"b", 2);
	oom_list_add(&killed, OOM_KILLS_UNNAMED, 1);
	struct batch *batch = batch_pack(&stamp, values, 2, &killed);
	struct batch_file file;
	size_t dropped;
	open_spool(MIB);
	assert_non_null(batch);
	batch->done = 1;
	batch_forget_done(batch);
	assert_true(batch_is_sound(batch));
	assert_int_equal(spool_put(spool, batch, &dropped), 0);
	free(batch);
	assert_true(spool_find(spool, 0, &file));
	assert_int_equal(spool_read(spool, &file, &batch), 0);
	struct text text = TEXT_EMPTY;
	batch_append_json(batch, 0, batch->count, (struct batch_form){ .by_process = true }, &text);
	batch_append_kills(batch, &text);
	assert_string_equal(text.data, "\"timestamp\":1795356010,\"processes\":{\"java\":[null,0.001]},"
	                               "\"oom_kills\":{\"timestamp\":1795356010,\"processes\":{\"a \\\"b\":2,\"*\":1}}");
	text_free(&text);
	free(batch);
	spool_close(spool);
}

/* A batch without further resources is the file that an earlier version wrote, to the byte, and is read as one. */
static void test_spool_read_file_of_an_earlier_version_is_the_same(void **state)
{
	(void)state;
	static const char file_of_before[] =
		"vigie 1\n\241\370\232\311\001\000\000\000\020\246\216\003\242\001\000\000\210\023\000\000\000\000\000\000"
		"\115\000\000\000\000\000\000\000\002\000\000\000\000\000\000\000\047\000\000\000\000\000\000\000"
		"\342\004\000\000\324\060\000\000bash\000\377\377\377\377\001\000\000\000java\000\000\000\000\200\002\000\000\000java";
	static const struct rate values[] = { { .name = "bash", .thousandths = { 1250, 12500 } }, { .name = "java", .thousandths = { RATE_MISSING, 1 } } };
	const struct stamp stamp = { .time_ms = 1795356010000, .boot_ms = 5000, .boot_id = 77, .settled = true };
	struct oom_list killed = { .count = 0 };
	struct batch_file file;
	struct batch *batch;
	char bytes[256];
	size_t dropped;
	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		skip();
	open_spool(MIB);
	write_file(path_of("0000000000000001-3.batch"), file_of_before, sizeof(file_of_before));
	reopen_spool(MIB);
	assert_true(spool_find(spool, 0, &file));
	assert_int_equal(spool_read(spool, &file, &batch), 0);
	assert_int_equal(batch->further, 0);
	assert_true(batch->stamp.settled && batch->stamp.boot_id == 77);
	struct text text = TEXT_EMPTY;
	assert_int_equal(batch_append_json(batch, 0, batch->count, (struct batch_form){ true, RESOURCE_FURTHER }, &text), 3);
	batch_append_kills(batch, &text);
	assert_string_equal(text.data, "\"timestamp\":1795356010,\"processes\":{\"bash\":[1.25,12.5],\"java\":[null,0.001]},"
	                               "\"oom_kills\":{\"timestamp\":1795356010,\"processes\":{\"java\":2}}");
	text_free(&text);
	free(batch);
	spool_remove(spool, &file);

	oom_list_add(&killed, "java", 2);
	batch = batch_pack(&stamp, values, 2, &killed);
	assert_non_null(batch);
	assert_int_equal(spool_put(spool, batch, &dropped), 0);
	free(batch);
	int fd = open(path_of("0000000000000002-3.batch"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), sizeof(file_of_before));
	close(fd);
	assert_memory_equal(bytes, file_of_before, sizeof(file_of_before));
	spool_close(spool);
}

/* Their values, and of a batch of a version that knew more of them those that are known. */
static void test_spool_read_further_resources_come_back(void **state)
{
	(void)state;
	struct rate values[] = {
		{ "bash", { 1250, 12500 }, true, { 3e9f, 0 } },
		{ "java", { RATE_MISSING, 1 }, true, { RATE_MISSING, 1e12f } },
	};
	static const char json[] = "\"timestamp\":1795356010,\"processes\":{\"bash\":[1.25,12.5,3000000000,0],\"java\":[null,0.001,null,999999995904]}";
	const struct stamp stamp = { .time_ms = 1795356010000 };
	struct batch_file file;
	size_t dropped;
	leave_out_others(values, 2);
	struct batch *batch = batch_pack(&stamp, values, 2, NULL);
	assert_non_null(batch);
	assert_int_equal(batch_samples(batch, 0, 2), 6);
	open_spool(MIB);
	assert_int_equal(spool_put(spool, batch, &dropped), 0);
	free(batch);
	assert_true(spool_find(spool, 0, &file));
	assert_int_equal(file.samples, 6);
	assert_int_equal(spool_read(spool, &file, &batch), 0);
	struct text text = TEXT_EMPTY;
	assert_int_equal(batch_append_json(batch, 0, 2, (struct batch_form){ true, RESOURCE_FURTHER }, &text), 6);
	assert_string_equal(text.data, json);
	text_free(&text);
	batch->done = 1;
	batch_forget_done(batch);
	assert_int_equal(batch_samples(batch, 0, 1), 2);
	free(batch);
	spool_close(spool);

	float later[RESOURCE_FURTHER + 1];
	for (int i = 0; i <= RESOURCE_FURTHER; i++)
		later[i] = (float)(i + 2);
	static const int32_t thousandths[RESOURCE_LIMITED] = { 1250, 12500 };
	batch = calloc(1, sizeof(*batch) + sizeof(thousandths) + sizeof(later) + sizeof("bash"));
	assert_non_null(batch);
	batch->count = 1;
	batch->further = RESOURCE_FURTHER + 1;
	batch->size = sizeof(thousandths) + sizeof(later) + sizeof("bash");
	memcpy(batch->packed, thousandths, sizeof(thousandths));
	memcpy(batch->packed + sizeof(thousandths), later, sizeof(later));
	memcpy(batch->packed + sizeof(thousandths) + sizeof(later), "bash", sizeof("bash"));
	assert_true(batch_is_sound(batch));
	assert_int_equal(batch_append_json(batch, 0, 1, (struct batch_form){ true, 99 }, &text), RESOURCE_COUNT);
	assert_non_null(strstr(text.data, "\"processes\":{\"bash\":[1.25,12.5,2,3"));
	text_free(&text);
	free(batch);
}

static void test_batch_forget_done_leaves_the_rest(void **state)
{
	(void)state;
	struct batch *batch = make_batch(1, NAMES), *whole = make_batch(1, NAMES);
	batch_forget_done(batch);
	assert_int_equal(batch->size, whole->size);
	batch->done = 2;
	batch_forget_done(batch);
	assert_int_equal(batch->count, 1);
	assert_int_equal(batch->done, 0);
	assert_true(batch_is_sound(batch));
	assert_int_equal(batch_samples(batch, 0, 1), 1);
	struct text rest = TEXT_EMPTY, expected = TEXT_EMPTY;
	batch_append_json(batch, 0, 1, (struct batch_form){ .by_process = false }, &rest);
	batch_append_json(whole, 2, 1, (struct batch_form){ .by_process = false }, &expected);
	assert_string_equal(rest.data, expected.data);
	text_free(&rest);
	text_free(&expected);
	batch->done = 1;
	batch_forget_done(batch);
	assert_int_equal(batch->size, 0);
	free(batch);
	free(whole);
}

static void test_spool_set_aside_keeps_the_newest_and_no_more(void **state)
{
	(void)state;
	char aside[PATH_SIZE], name[64];
	open_spool(MIB);
	for (int i = 1; i <= SPOOL_REJECTED_MAX + 20; i++)
		put(i, NAMES);
	struct batch_file file, first;
	assert_true(spool_find(spool, 0, &first));
	for (int i = 1; i <= SPOOL_REJECTED_MAX + 10; i++) {
		assert_true(spool_find(spool, 0, &file));
		spool_set_aside(spool, &file);
	}
	assert_int_equal(spool_count(spool), 10);
	assert_int_equal(spool_bytes(spool), 10 * BATCH_FILE_BLOCK);
	strcpy(aside, path_of("rejected"));
	assert_int_equal(count_files(aside, ".batch", name), SPOOL_REJECTED_MAX);
	assert_int_equal(strtoull(name, NULL, 10), first.number + 10);
	/* One that never was in the spool. */
	struct batch *batch = make_batch(999, NAMES);
	assert_int_equal(spool_put_aside(spool, batch), 0);
	free(batch);
	assert_int_equal(count_files(aside, ".batch", name), SPOOL_REJECTED_MAX);
	assert_int_equal(strtoull(name, NULL, 10), first.number + 11);
	assert_int_equal(count_files(aside, ".tmp", NULL), 0);
	/* They are not replayed. */
	reopen_spool(MIB);
	assert_int_equal(spool_count(spool), 10);
	/* Nor does a later run write over them. */
	put(1000, NAMES);
	while (spool_find(spool, 0, &file))
		spool_set_aside(spool, &file);
	reopen_spool(MIB);
	put(1001, NAMES);
	assert_true(spool_find(spool, 0, &first));
	assert_true(first.number > file.number);
	spool_close(spool);
}

/* A process that writes as fast as it can, killed at any moment, again and again: all that is there is whole, in
 * order and without a hole. */
static void test_spool_put_killed_at_any_moment_leaves_whole_batches(void **state)
{
	(void)state;
	enum { KILLS = 60 };
	unsigned seed = 9;
	size_t seen = 0, halves = 0;
	print_message("seed %u\n", seed);
	for (int i = 0; i < KILLS; i++) {
		int begun[2];
		bool has_begun = i % 2 == 0; /* else it may be killed before it has written anything */
		assert_int_equal(pipe2(begun, O_CLOEXEC), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			size_t dropped;
			struct batch *batch = make_batch(1, 2000);
			if (spool_open(folder, 64 * MIB, &spool) != 0)
				_exit(1);
			for (batch->stamp.time_ms = 1; spool_put(spool, batch, &dropped) == 0; batch->stamp.time_ms++) {
				if (batch->stamp.time_ms == 1 && write(begun[1], "", 1) != 1)
					break;
			}
			_exit(2);
		}
		close(begun[1]);
		if (has_begun)
			assert_int_equal(read(begun[0], &(char){ 0 }, 1), 1);
		usleep((useconds_t)(rand_r(&seed) % 5000));
		kill(pid, SIGKILL);
		int status;
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		close(begun[0]);
		halves += access(path_of("new.tmp"), F_OK) == 0;
		open_spool(64 * MIB);
		assert_int_equal(access(path_of("new.tmp"), F_OK), -1);
		int64_t time_ms, expected = 1;
		while (time_ms = take(), time_ms != -1)
			assert_int_equal(time_ms, expected++);
		assert_true(expected > 1 || !has_begun);
		seen += (size_t)expected - 1;
		spool_close(spool);
	}
	print_message("%zu batches, %zu killed within a write\n", seen, halves);
}

static void test_spool_put_full_disk_is_told_and_leaves_nothing_behind(void **state)
{
	(void)state;
	if (!mount_small_disk("size=64k")) {
		print_message("no mount here\n");
		skip();
	}
	size_t dropped, put_count = 0;
	open_spool(MIB);
	struct batch *batch = make_batch(1, 600);
	int result = 0;
	while (result == 0 && put_count < 100) {
		result = spool_put(spool, batch, &dropped);
		put_count += result == 0;
	}
	assert_int_equal(result, -ENOSPC);
	assert_in_range(put_count, 3, 15);
	assert_int_equal(spool_count(spool), put_count);
	assert_int_equal(access(path_of("new.tmp"), F_OK), -1);
	assert_int_equal(count_files(folder, ".batch", NULL), put_count);
	/* What is there can be read and taken out, and then there is room. */
	assert_int_equal(take(), 1);
	assert_int_equal(spool_put(spool, batch, &dropped), 0);
	while (take() != -1)
		;
	free(batch);
	spool_close(spool);
	unmount_small_disk();
}

static void test_spool_open_folder_that_cannot_be_used_is_told(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	snprintf(path, sizeof(path), "%s/missing/spool", parent);
	assert_int_equal(spool_open(path, MIB, &spool), -ENOENT);
	snprintf(path, sizeof(path), "%s/file", parent);
	write_file(path, "x", 1);
	assert_int_equal(spool_open(path, MIB, &spool), -ENOTDIR);
	assert_int_equal(symlink("/nowhere", folder), 0);
	assert_int_equal(spool_open(folder, MIB, &spool), -ENOENT);
	unlink(folder);
	if (mount_small_disk("size=64k,ro")) {
		assert_int_equal(spool_open(folder, MIB, &spool), -EROFS);
		unmount_small_disk();
	}
}

/* The limit that there was. */
static rlim_t limit(int resource, rlim_t most)
{
	struct rlimit limits;
	assert_int_equal(getrlimit((__rlimit_resource_t)resource, &limits), 0);
	rlim_t before = limits.rlim_cur;
	limits.rlim_cur = most;
	assert_int_equal(setrlimit((__rlimit_resource_t)resource, &limits), 0);
	return before;
}

/* A spool of one file, and of one with a higher number that was set aside; closed. */
static void leave_spool(void)
{
	struct batch_file file;
	open_spool(MIB);
	put(1, NAMES);
	put(2, NAMES);
	assert_true(spool_find(spool, 2, &file));
	spool_set_aside(spool, &file);
	spool_close(spool);
}

/* It is as it was left, and what comes next has a number behind all that is there. */
static void check_spool(void)
{
	struct batch_file file;
	assert_int_equal(spool_count(spool), 1);
	assert_int_equal(time_at(0), 1);
	put(3, NAMES);
	assert_true(spool_find(spool, 2, &file));
	assert_int_equal(file.number, 3);
	spool_remove(spool, &file);
}

static int count_descriptors(void)
{
	int count = 0;
	for (int fd = 0; fd < 64; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	return count;
}

static void test_spool_open_any_allocation_fails_is_told_and_nothing_stays(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	leave_spool();
	int descriptors = count_descriptors();
	long number = 0, refused = 0;
	for (bool failed = true; failed; number++) {
		long live = failing_unfreed();
		failing_start(number + 1);
		int result = spool_open(folder, MIB, &spool);
		failed = failing_stop();
		refused += result != 0;
		if (result == 0) {
			check_spool();
			spool_close(spool);
		} else {
			assert_true(failed);
			assert_int_equal(result, -ENOMEM);
			assert_int_equal(failing_unfreed(), live);
		}
		assert_int_equal(count_descriptors(), descriptors);
	}
	assert_int_equal(refused, 6); /* the spool, its syncer, two streams and their lists; who holds the lock need not be in it */
}

static void test_spool_open_too_few_descriptors_is_told_and_none_stays(void **state)
{
	(void)state;
	leave_spool();
	int descriptors = count_descriptors(), free_fd = dup(STDIN_FILENO), result = -1;
	close(free_fd);
	for (int most = 0; result != 0; most++) {
		assert_in_range(most, 0, 10);
		rlim_t before = limit(RLIMIT_NOFILE, (rlim_t)(free_fd + most));
		result = spool_open(folder, MIB, &spool);
		limit(RLIMIT_NOFILE, before);
		if (result == 0)
			break;
		assert_int_equal(result, -EMFILE);
		assert_int_equal(count_descriptors(), descriptors);
	}
	check_spool();
	spool_close(spool);
}

static void test_spool_any_allocation_fails_leaves_what_there_was(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct batch *batch = make_batch(2, NAMES), *read = NULL;
	struct batch_file file;
	size_t dropped = 42;
	open_spool(2 * BATCH_FILE_BLOCK);
	failing_start(1);
	assert_int_equal(spool_put(spool, batch, &dropped), -ENOMEM);
	assert_true(failing_stop());
	assert_int_equal(dropped, 0);
	assert_int_equal(spool_count(spool), 0);
	put(1, NAMES);
	assert_true(spool_find(spool, 0, &file));
	failing_start(1);
	assert_int_equal(spool_read(spool, &file, &read), -ENOMEM);
	assert_true(failing_stop());
	assert_null(read);
	assert_int_equal(take(), 1);
	/* What is set aside is there, though the others cannot be looked at; as many as may be, once they can. */
	for (int i = 0; i < SPOOL_REJECTED_MAX; i++)
		assert_int_equal(spool_put_aside(spool, batch), 0);
	long live = failing_unfreed();
	failing_start(3); /* of the stream, the list, and the list as it grows */
	assert_int_equal(spool_put_aside(spool, batch), 0);
	assert_true(failing_stop());
	assert_int_equal(failing_unfreed(), live);
	char aside[PATH_SIZE];
	strcpy(aside, path_of("rejected"));
	assert_int_equal(count_files(aside, ".batch", NULL), SPOOL_REJECTED_MAX + 1);
	assert_int_equal(spool_put_aside(spool, batch), 0);
	assert_int_equal(count_files(aside, ".batch", NULL), SPOOL_REJECTED_MAX);
	free(batch);
	spool_close(spool);
}

/* A file system that says so as late as when it is closed (EDQUOT), one that takes a part, and a name that is taken. */
static void test_spool_put_failing_write_is_told_and_leaves_nothing_behind(void **state)
{
	(void)state;
	struct batch *batch = make_batch(1, NAMES);
	size_t dropped;
	open_spool(MIB);
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	for (int i = 0; i < 4; i++) {
		static const int expected[] = { -EDQUOT, -EFBIG, -ENOSPC, -EISDIR };
		rlim_t before = i == 1 ? limit(RLIMIT_FSIZE, 0) : i == 2 ? limit(RLIMIT_FSIZE, 20) : 0;
		if (i == 0)
			close_error = EDQUOT;
		if (i == 3)
			assert_int_equal(mkdir(path_of("0000000000000001-5.batch"), 0700), 0);
		int result = spool_put(spool, batch, &dropped), aside = 0;
		if (i == 1)
			aside = spool_put_aside(spool, batch);
		if (before)
			limit(RLIMIT_FSIZE, before);
		assert_int_equal(result, expected[i]);
		assert_int_equal(aside, i == 1 ? -EFBIG : 0);
		assert_int_equal(access(path_of(BATCH_FILE_NEW), F_OK), -1);
		assert_int_equal(access(path_of("rejected/" BATCH_FILE_NEW), F_OK), -1);
		assert_int_equal(spool_count(spool), 0);
		assert_int_equal(spool_bytes(spool), 0);
	}
	assert_int_equal(rmdir(path_of("0000000000000001-5.batch")), 0);
	assert_true(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
	assert_int_equal(spool_put(spool, batch, &dropped), 0);
	assert_int_equal(take(), 1);
	free(batch);
	spool_close(spool);
}

/* It is lost, and does not stand in the way. */
static void test_spool_set_aside_where_there_is_no_place_takes_it_out(void **state)
{
	(void)state;
	struct batch *batch = make_batch(1, NAMES);
	struct batch_file file;
	open_spool(MIB);
	put(1, NAMES);
	write_file(path_of("rejected"), "notes", 5);
	assert_true(spool_find(spool, 0, &file));
	spool_set_aside(spool, &file);
	assert_int_equal(spool_count(spool), 0);
	assert_int_equal(spool_put_aside(spool, batch), -ENOTDIR);
	reopen_spool(MIB);
	assert_int_equal(spool_count(spool), 0);
	assert_int_equal(access(path_of("rejected"), F_OK), 0);
	assert_int_equal(unlink(path_of("rejected")), 0);
	/* Somebody has removed the file already, then the folder. */
	put(2, NAMES);
	assert_true(spool_find(spool, 0, &file));
	assert_int_equal(unlink(path_of("0000000000000001-5.batch")), 0);
	spool_set_aside(spool, &file);
	assert_int_equal(spool_count(spool), 0);
	temporary_folder_remove(folder);
	assert_int_equal(spool_put_aside(spool, batch), -ENOENT);
	free(batch);
	spool_close(spool);
}

static void test_spool_remove_what_is_not_there_is_harmless(void **state)
{
	(void)state;
	struct batch_file first, second, last;
	open_spool(MIB);
	for (int i = 1; i <= 3; i++)
		put(i, NAMES);
	assert_true(spool_find(spool, 1, &first) && spool_find(spool, 2, &second) && spool_find(spool, 3, &last));
	for (int i = 0; i < 2; i++) {
		spool_remove(spool, &second);
		assert_int_equal(spool_count(spool), 2);
		assert_int_equal(spool_bytes(spool), 2 * BATCH_FILE_BLOCK);
	}
	for (int i = 0; i < 2; i++)
		spool_remove(spool, &last);
	assert_int_equal(spool_count(spool), 1);
	assert_int_equal(take(), 1);
	spool_close(spool);
}

/* No descriptor, a symbolic link in its place, a folder. */
static void test_batch_file_what_cannot_be_opened_is_told(void **state)
{
	(void)state;
	struct batch_file file;
	struct batch *batch = make_batch(2, NAMES);
	size_t dropped;
	open_spool(MIB);
	put(1, NAMES);
	assert_true(spool_find(spool, 0, &file));
	int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder_fd >= 0);
	assert_int_equal(batch_file_sync(folder_fd, &file), 0);
	rlim_t before = limit(RLIMIT_NOFILE, 0);
	int result = spool_put(spool, batch, &dropped);
	limit(RLIMIT_NOFILE, before);
	assert_int_equal(result, -EMFILE);
	free(batch);
	assert_int_equal(unlink(path_of("0000000000000001-5.batch")), 0);
	assert_int_equal(batch_file_sync(folder_fd, &file), 0);
	assert_int_equal(batch_file_move(folder_fd, folder_fd, &file), -ENOENT);
	assert_int_equal(symlink("notes", path_of("0000000000000001-5.batch")), 0);
	assert_int_equal(batch_file_sync(folder_fd, &file), -ELOOP);
	assert_int_equal(spool_read(spool, &file, &batch), -ELOOP);
	assert_int_equal(unlink(path_of("0000000000000001-5.batch")), 0);
	assert_int_equal(mkdir(path_of("0000000000000001-5.batch"), 0700), 0);
	assert_int_equal(spool_read(spool, &file, &batch), -EISDIR);
	close(folder_fd);
	spool_close(spool);
}

static void test_spool_close_null_is_harmless(void **state)
{
	(void)state;
	spool_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_spool_put_batches_come_back_as_they_were_and_in_order),
		TEST(test_spool_put_empty_batch_is_a_batch),
		TEST(test_spool_put_full_spool_drops_the_oldest_and_tells_how_many),
		TEST(test_spool_open_second_collector_is_refused),
		TEST(test_spool_open_what_is_none_of_its_files_is_left_alone),
		TEST(test_spool_read_damaged_file_is_told),
		TEST(test_batch_is_sound_wrong_counts_are_not),
		TEST(test_spool_read_kills_come_back_with_their_tick),
		TEST(test_spool_read_file_of_an_earlier_version_is_the_same),
		TEST(test_spool_read_further_resources_come_back),
		TEST(test_batch_forget_done_leaves_the_rest),
		TEST(test_spool_set_aside_keeps_the_newest_and_no_more),
		TEST(test_spool_put_killed_at_any_moment_leaves_whole_batches),
		TEST(test_spool_put_full_disk_is_told_and_leaves_nothing_behind),
		TEST(test_spool_open_folder_that_cannot_be_used_is_told),
		TEST(test_spool_open_any_allocation_fails_is_told_and_nothing_stays),
		TEST(test_spool_open_too_few_descriptors_is_told_and_none_stays),
		TEST(test_spool_any_allocation_fails_leaves_what_there_was),
		TEST(test_spool_put_failing_write_is_told_and_leaves_nothing_behind),
		TEST(test_spool_set_aside_where_there_is_no_place_takes_it_out),
		TEST(test_spool_remove_what_is_not_there_is_harmless),
		TEST(test_batch_file_what_cannot_be_opened_is_told),
		TEST(test_spool_close_null_is_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
