/* alert/alert_log.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "alert/alert_log.h"
#include "alert/fields.h"
#include "common/whole_file.h"

#define NOW 1795356015000 /* 2026-11-22T14:00:15Z */

static char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16], moved[TEMPORARY_FOLDER_SIZE + 16];

static int make_folder(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/alert.log", folder);
	snprintf(moved, sizeof(moved), "%s/alert.log.1", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int remove_files(void **state)
{
	(void)state;
	unlink(path);
	rmdir(path);
	unlink(moved);
	return 0;
}

/* In the place of the C library's: fails with this errno, 0: does not; and how large what was synced was. */
static int sync_error;
static off_t synced;

int fdatasync(int fd)
{
	struct stat file;
	errno = sync_error;
	if (sync_error)
		return -1;
	assert_int_equal(fstat(fd, &file), 0);
	synced = file.st_size;
	return 0;
}

/* Likewise. */
static int read_error;

ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
	errno = read_error;
	return read_error ? -1 : pread64(fd, bytes, size, offset);
}

static struct transition red(const char *process)
{
	struct transition transition = { .word = TRANSITION_RED,
		.alarm = { .ip = "10.0.0.5", .resource = RESOURCE_MEM, .color = COLOR_RED, .value = 83.1,
		           .threshold = 80, .since_ms = NOW - 5000 } };
	snprintf(transition.alarm.process, WIRE_NAME_SIZE, "%s", process);
	return transition;
}

static void add(struct alert_log *log, const char *process)
{
	struct transition transition = red(process);
	alert_log_add(log, &transition, NOW);
}

/* The process names in a file's lines, one letter each; "?" for a line that is not whole. */
static const char *names(const char *file_path)
{
	static char found[64];
	char line[512];
	size_t count = 0;
	FILE *file = fopen(file_path, "r");
	if (!file)
		return "none";
	while (fgets(line, sizeof(line), file)) {
		const char *name = strstr(line, "process=\"");
		bool whole = strncmp(line, "2026-11-22T14:00:15.000Z RED ", 29) == 0 && line[strlen(line) - 1] == '\n' &&
		             strstr(line, " since=2026-11-22T14:00:10Z\n");
		found[count++] = name && whole ? name[9] : '?';
	}
	fclose(file);
	found[count] = '\0';
	return found;
}

static void test_alert_log_format_table_gives_line(void **state)
{
	(void)state;
	static const struct {
		struct transition transition;
		const char *expected;
	} cases[] = {
		{ { TRANSITION_RED, COLOR_GREEN, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_RED, 83.1, 80, NOW - 5000, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z RED ip=10.0.0.5 process=\"java\" resource=mem value=83.10 threshold=80 since=2026-11-22T14:00:10Z\n" },
		{ { TRANSITION_CLEAR, COLOR_RED, { "2001:db8::1", "Web Content", RESOURCE_CPU, COLOR_GREEN, 74.999, 80.5, NOW - 4900, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z CLEAR ip=2001:db8::1 process=\"Web Content\" resource=cpu value=75.00 threshold=80.5 since=2026-11-22T14:00:10.100Z\n" },
		{ { TRANSITION_GONE, COLOR_RED, { "10.0.0.5", "a\"b\\", RESOURCE_CPU, COLOR_GREEN, 1600, 400, NOW - 5000, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z GONE ip=10.0.0.5 process=\"a\\\"b\\\\\" resource=cpu value=1600.00 threshold=400 since=2026-11-22T14:00:10Z\n" },
		{ { TRANSITION_GONE, COLOR_RED, { "10.0.0.5", "x\n2026 RED\t\x7f\xc2\x85\xff", RESOURCE_MEM, COLOR_GREEN, 0, 0, NOW, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z GONE ip=10.0.0.5 process=\"x?2026 RED????\" resource=mem value=0.00 threshold=0 since=2026-11-22T14:00:15Z\n" },
		{ { TRANSITION_RED, COLOR_GREEN, { "10.0.0.5", "caf\xc3\xa9 \xf0\x9f\x9a\xa2", RESOURCE_MEM, COLOR_RED, 81, 80, NOW, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z RED ip=10.0.0.5 process=\"caf\xc3\xa9 \xf0\x9f\x9a\xa2\" resource=mem value=81.00 threshold=80 since=2026-11-22T14:00:15Z\n" },
		{ { TRANSITION_UNKNOWN, COLOR_GREEN, { "10.0.0.5", "*", RESOURCE_COUNT, COLOR_UNKNOWN, 0, 0, NOW - 35000, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z UNKNOWN ip=10.0.0.5 process=\"*\" since=2026-11-22T13:59:40Z\n" },
		{ { TRANSITION_CLEAR, COLOR_RED, { "10.0.0.5", "*", RESOURCE_COUNT, COLOR_GREEN, 0, 0, NOW - 35000, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z CLEAR ip=10.0.0.5 process=\"*\" since=2026-11-22T13:59:40Z\n" },
		{ { TRANSITION_AMBER, COLOR_GREEN, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_ORANGE, 61, 80, NOW - 15000, 0, 91.2, 0.834, NOW + 863000, 0, 0 } },
		  "2026-11-22T14:00:15.000Z AMBER ip=10.0.0.5 process=\"java\" resource=mem value=61.00 forecast=91.20 probability=0.83 threshold=80 expected_at=2026-11-22T14:14:38Z since=2026-11-22T14:00:00Z\n" },
		{ { TRANSITION_AMBER, COLOR_GREEN, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_ORANGE, 61, 80, NOW - 15000, 0, 91.2, 1, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z AMBER ip=10.0.0.5 process=\"java\" resource=mem value=61.00 forecast=91.20 probability=1.00 threshold=80 since=2026-11-22T14:00:00Z\n" },
		{ { TRANSITION_AMBER, COLOR_GREEN, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_ORANGE, 61, 80, NOW - 15000, 0, 80, 0.51, NOW, 0, 0 } },
		  "2026-11-22T14:00:15.000Z AMBER ip=10.0.0.5 process=\"java\" resource=mem value=61.00 forecast=80.00 probability=0.51 threshold=80 expected_at=2026-11-22T14:00:15Z since=2026-11-22T14:00:00Z\n" },
		{ { TRANSITION_AMBER, COLOR_GREEN, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_ORANGE, 61, 80.001, NOW - 15000, 0, 80.003, 0.4, NOW, 0, 0 } },
		  "2026-11-22T14:00:15.000Z AMBER ip=10.0.0.5 process=\"java\" resource=mem value=61.00 forecast=80.00 probability=0.40 threshold=80.001 since=2026-11-22T14:00:00Z\n" },
		{ { TRANSITION_REMINDER, COLOR_ORANGE, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_ORANGE, 61, 80, NOW - 15000, 0, 72, 0.3, NOW, 0, 0 } },
		  "2026-11-22T14:00:15.000Z REMINDER ip=10.0.0.5 process=\"java\" resource=mem value=61.00 forecast=72.00 probability=0.30 threshold=80 since=2026-11-22T14:00:00Z\n" },
		{ { TRANSITION_AMBER, COLOR_GREEN, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_ORANGE, 61, 80, NOW - 15000, 0, 80, 0.1, NOW + 86400000, 259200000, 0 } },
		  "2026-11-22T14:00:15.000Z AMBER ip=10.0.0.5 process=\"java\" resource=mem value=61.00 threshold=80 horizon=3d expected_at=2026-11-23T14:00:15Z since=2026-11-22T14:00:00Z\n" },
		{ { TRANSITION_CLEAR, COLOR_ORANGE, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_GREEN, 61, 80, NOW - 15000, 0, 80, 0.1, NOW, 90000000, 0 } },
		  "2026-11-22T14:00:15.000Z CLEAR ip=10.0.0.5 process=\"java\" resource=mem value=61.00 threshold=80 horizon=25h since=2026-11-22T14:00:00Z\n" },
		{ { TRANSITION_REMINDER, COLOR_ORANGE, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_ORANGE, 61, 80, NOW - 15000, 0, 80, 0.1, NOW + 1, 259200000, 0 } },
		  "2026-11-22T14:00:15.000Z REMINDER ip=10.0.0.5 process=\"java\" resource=mem value=61.00 threshold=80 horizon=3d expected_at=2026-11-22T14:00:15.001Z since=2026-11-22T14:00:00Z\n" },
		{ { TRANSITION_RED, COLOR_ORANGE, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_RED, 81, 80, NOW, 0, 91.2, 1, NOW, 0, 0 } },
		  "2026-11-22T14:00:15.000Z RED ip=10.0.0.5 process=\"java\" resource=mem value=81.00 threshold=80 since=2026-11-22T14:00:15Z\n" },
		{ { TRANSITION_CLEAR, COLOR_ORANGE, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_GREEN, 40, 80, NOW - 15000, 0, 45, 0.1, NOW, 0, 0 } },
		  "2026-11-22T14:00:15.000Z CLEAR ip=10.0.0.5 process=\"java\" resource=mem value=40.00 forecast=45.00 probability=0.10 threshold=80 since=2026-11-22T14:00:00Z\n" },
		{ { TRANSITION_GONE, COLOR_ORANGE, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_GREEN, 40, 80, NOW - 15000, 0, 85, 0.7, NOW, 0, 0 } },
		  "2026-11-22T14:00:15.000Z GONE ip=10.0.0.5 process=\"java\" resource=mem value=40.00 forecast=85.00 probability=0.70 threshold=80 since=2026-11-22T14:00:00Z\n" },
		{ { TRANSITION_REMINDER, COLOR_ORANGE, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_ORANGE, 61, 80, NOW - 15000, 0, 91.2, 0.6, NOW + 500, 0, 0 } },
		  "2026-11-22T14:00:15.000Z REMINDER ip=10.0.0.5 process=\"java\" resource=mem value=61.00 forecast=91.20 probability=0.60 threshold=80 expected_at=2026-11-22T14:00:15.500Z since=2026-11-22T14:00:00Z\n" },
		{ { TRANSITION_REMINDER, COLOR_RED, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_RED, 81, 80, NOW, 0, 91.2, 1, NOW, 0, 0 } },
		  "2026-11-22T14:00:15.000Z REMINDER ip=10.0.0.5 process=\"java\" resource=mem value=81.00 threshold=80 since=2026-11-22T14:00:15Z\n" },
		{ { TRANSITION_KILLED, COLOR_RED, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_GREEN, 95, 80, NOW - 60000, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z GONE ip=10.0.0.5 process=\"java\" resource=mem value=95.00 threshold=80 reason=oom since=2026-11-22T13:59:15Z\n" },
		{ { TRANSITION_OOM, COLOR_GREEN, { "10.0.0.5", "a \"b", RESOURCE_COUNT, COLOR_GREEN, 2, 0, NOW - 5000, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z OOM ip=10.0.0.5 process=\"a \\\"b\" kills=2 since=2026-11-22T14:00:10Z\n" },
		{ { TRANSITION_OOM, COLOR_GREEN, { "10.0.0.5", "java", RESOURCE_COUNT, COLOR_GREEN, 1, 0, NOW, 0, 0, 0, 0, 0, NOW + 1000 } },
		  "2026-11-22T14:00:15.000Z OOM ip=10.0.0.5 process=\"java\" kills=1 since=2026-11-22T14:00:15Z silenced=2026-11-22T14:00:16Z\n" },
		{ { TRANSITION_REMINDER, COLOR_UNKNOWN, { "10.0.0.5", "*", RESOURCE_COUNT, COLOR_UNKNOWN, 0, 0, NOW, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z REMINDER ip=10.0.0.5 process=\"*\" since=2026-11-22T14:00:15Z\n" },
		{ { TRANSITION_RED, COLOR_GREEN, { "10.0.0.5", "java", RESOURCE_MEM, COLOR_RED, 83.1, 80, NOW - 5000, 0, 0, 0, 0, 0, NOW + 500 } },
		  "2026-11-22T14:00:15.000Z RED ip=10.0.0.5 process=\"java\" resource=mem value=83.10 threshold=80 since=2026-11-22T14:00:10Z silenced=2026-11-22T14:00:15.500Z\n" },
		{ { TRANSITION_MISSING, COLOR_GREEN, { "10.0.0.5", "nginx", RESOURCE_COUNT, COLOR_RED, 0, 0, NOW, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z MISSING ip=10.0.0.5 process=\"nginx\" since=2026-11-22T14:00:15Z\n" },
		{ { TRANSITION_CLEAR, COLOR_RED, { "10.0.0.5", "nginx", RESOURCE_COUNT, COLOR_GREEN, 0, 0, NOW, 0, 0, 0, 0, 0, 0 } },
		  "2026-11-22T14:00:15.000Z CLEAR ip=10.0.0.5 process=\"nginx\" since=2026-11-22T14:00:15Z\n" },
		{ { TRANSITION_CLEAR, COLOR_UNKNOWN, { "10.0.0.5", "*", RESOURCE_COUNT, COLOR_GREEN, 0, 0, NOW, 0, 0, 0, 0, 0, NOW } },
		  "2026-11-22T14:00:15.000Z CLEAR ip=10.0.0.5 process=\"*\" since=2026-11-22T14:00:15Z silenced=2026-11-22T14:00:15Z\n" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text text = TEXT_EMPTY;
		alert_log_format(&cases[i].transition, NOW, &text);
		assert_string_equal(text.data, cases[i].expected);
		/* What is read of it is written the same. */
		struct transition read;
		struct text again = TEXT_EMPTY;
		int64_t time_ms;
		assert_true(alert_log_parse(text.data, text.length - 1, &read, &time_ms));
		assert_int_equal(time_ms, NOW);
		assert_int_equal(read.word, cases[i].transition.word);
		assert_int_equal(read.alarm.color, cases[i].transition.alarm.color);
		alert_log_format(&read, time_ms, &again);
		assert_string_equal(again.data, cases[i].expected);
		text_free(&again);
		/* No part of it is a line, but for what ends where the one that only some have would begin. */
		const char *silenced = strstr(text.data, " silenced=");
		for (size_t length = 0; length < text.length - 1; length++) {
			bool before = silenced && (text.data + length == silenced || text.data + length == silenced + 1);
			if (alert_log_parse(text.data, length, &read, &time_ms) && text.data[length] != '.' && !before)
				fail_msg("%.*s", (int)length, text.data);
		}
		/* As a hook has it, it is JSON. */
		text_reset(&text);
		text_append_char(&text, '{');
		fields_append(&cases[i].transition, FIELDS_JSON, &text);
		text_append_char(&text, '}');
		cJSON *object = cJSON_Parse(text.data);
		if (!object)
			fail_msg("%s", text.data);
		cJSON_Delete(object);
		text_free(&text);
	}
}

static void test_alert_log_flush_appends_to_what_is_there(void **state)
{
	(void)state;
	for (int run = 0; run < 2; run++) {
		struct alert_log log;
		assert_int_equal(alert_log_open(&log, path), 0);
		assert_string_equal(names(path), run ? "ab" : "");
		add(&log, "a");
		add(&log, "b");
		assert_int_equal(alert_log_flush(&log), 0);
		assert_int_equal(alert_log_flush(&log), 0);
		alert_log_close(&log);
	}
	assert_string_equal(names(path), "abab");
}

/* Whoever is told that a line was said may rely on it, whatever happens to the machine. */
static void test_alert_log_flush_syncs_what_it_writes(void **state)
{
	(void)state;
	struct alert_log log;
	assert_int_equal(alert_log_open(&log, path), 0);
	for (off_t lines = 1; lines <= 3; lines++) {
		add(&log, "a");
		assert_int_equal(alert_log_flush(&log), 0);
		assert_int_equal(synced, lines * (off_t)strlen("2026-11-22T14:00:15.000Z RED ip=10.0.0.5 process=\"a\" "
		                                              "resource=mem value=83.10 threshold=80 since=2026-11-22T14:00:10Z\n"));
	}
	/* There may be lines of a run that was killed before it could. */
	off_t size = synced;
	alert_log_close(&log);
	assert_int_equal(alert_log_open(&log, path), 0);
	synced = 0;
	assert_int_equal(alert_log_flush(&log), 0);
	assert_int_equal(synced, size);
	synced = 0;
	assert_int_equal(alert_log_flush(&log), 0);
	assert_int_equal(synced, 0);
	alert_log_close(&log);
}

static void test_alert_log_flush_failed_sync_is_told_and_tried_again(void **state)
{
	(void)state;
	struct alert_log log;
	assert_int_equal(alert_log_open(&log, path), 0);
	add(&log, "a");
	sync_error = EIO;
	assert_int_equal(alert_log_flush(&log), -EIO);
	assert_int_equal(alert_log_flush(&log), -EIO);
	sync_error = EINVAL; /* of a pipe */
	assert_int_equal(alert_log_flush(&log), 0);
	add(&log, "b");
	sync_error = EROFS; /* of some special files */
	assert_int_equal(alert_log_flush(&log), 0);
	sync_error = 0;
	assert_string_equal(names(path), "ab");
	alert_log_close(&log);
}

static void test_alert_log_flush_file_moved_goes_on_in_a_new_one(void **state)
{
	(void)state;
	struct alert_log log;
	assert_int_equal(alert_log_open(&log, path), 0);
	add(&log, "a");
	assert_int_equal(alert_log_flush(&log), 0);
	assert_int_equal(rename(path, moved), 0);
	add(&log, "b");
	assert_int_equal(alert_log_flush(&log), 0);
	assert_string_equal(names(moved), "a");
	assert_string_equal(names(path), "b");
	assert_int_equal(unlink(path), 0);
	add(&log, "c");
	assert_int_equal(alert_log_flush(&log), 0);
	assert_string_equal(names(path), "c");
	assert_int_equal(rename(moved, path), 0);
	add(&log, "d");
	assert_int_equal(alert_log_flush(&log), 0);
	assert_string_equal(names(path), "ad");
	alert_log_close(&log);
}

static void test_alert_log_reopen_takes_new_path(void **state)
{
	(void)state;
	struct alert_log log;
	assert_int_equal(alert_log_open(&log, path), 0);
	assert_int_equal(alert_log_reopen(&log, moved), 0);
	add(&log, "a");
	assert_int_equal(alert_log_flush(&log), 0);
	assert_string_equal(names(path), "");
	assert_string_equal(names(moved), "a");
	alert_log_close(&log);
}

static void test_alert_log_open_unwritable_place_says_why(void **state)
{
	(void)state;
	struct alert_log log;
	assert_int_equal(alert_log_open(&log, "/nonexistent/alert.log"), -ENOENT);
	alert_log_close(&log);
	assert_int_equal(alert_log_open(&log, folder), -EISDIR);
	alert_log_close(&log);
}

static void test_alert_log_flush_place_lost_for_a_while_loses_no_line(void **state)
{
	(void)state;
	struct alert_log log;
	assert_int_equal(alert_log_open(&log, path), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0); /* also stops root */
	add(&log, "a");
	assert_int_equal(alert_log_flush(&log), -EISDIR);
	add(&log, "b");
	assert_int_equal(alert_log_flush(&log), -EISDIR);
	assert_int_equal(alert_log_reopen(&log, path), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(alert_log_flush(&log), 0);
	assert_string_equal(names(path), "ab");
	alert_log_close(&log);
}

static void test_alert_log_flush_full_disk_loses_no_line(void **state)
{
	(void)state;
	struct alert_log log;
	assert_int_equal(alert_log_open(&log, "/dev/full"), 0);
	add(&log, "a");
	assert_int_equal(alert_log_flush(&log), -ENOSPC);
	assert_int_equal(alert_log_reopen(&log, path), 0);
	assert_int_equal(alert_log_flush(&log), 0);
	assert_string_equal(names(path), "a");
	alert_log_close(&log);
}

/* Leaves a log with "a" and a part of "b" written, "c" waiting. */
static void tear(struct alert_log *log)
{
	struct rlimit before, small;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 150; /* a line has 119 bytes */
	signal(SIGXFSZ, SIG_IGN);

	assert_int_equal(alert_log_open(log, path), 0);
	add(log, "a");
	add(log, "b");
	add(log, "c");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int result = alert_log_flush(log);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(result, -EFBIG);
	assert_string_equal(names(path), "a?");
}

/* A file that was cut has no room for the end of that line. */
static void test_alert_log_flush_full_disk_within_a_line_loses_no_line(void **state)
{
	(void)state;
	struct alert_log log;
	struct rlimit before, small;
	temporary_file_write(path, "2026-11-22T14:00:10.000Z RED ip=10.0.0.5 proc");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = strlen("2026-11-22T14:00:10.000Z RED ip=10.0.0.5 proc");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(alert_log_open(&log, path), 0);
	add(&log, "a");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int result = alert_log_flush(&log);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(result, -EFBIG);
	assert_int_equal(alert_log_flush(&log), 0);
	assert_string_equal(names(path), "?a");
	alert_log_close(&log);
}

static int pipe_fd;
static char piped[65536];

static void empty_pipe(int number)
{
	(void)number;
	while (read(pipe_fd, piped, sizeof(piped)) > 0)
		continue;
}

/* Whoever reads it is slow, and a signal comes meanwhile. */
static void test_alert_log_flush_interrupted_goes_on(void **state)
{
	(void)state;
	const struct sigaction action = { .sa_handler = empty_pipe }; /* what it interrupts is not gone on with */
	const struct itimerval soon = { { 0, 0 }, { 0, 50000 } };
	struct alert_log log;
	char line[512] = "";
	assert_int_equal(mkfifo(path, 0600), 0);
	pipe_fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_true(pipe_fd >= 0);
	assert_int_equal(alert_log_open(&log, path), 0);
	while (write(pipe_fd, piped, sizeof(piped)) > 0)
		continue; /* until it is full */
	add(&log, "a");
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	int result = alert_log_flush(&log);
	assert_int_equal(result, 0);
	assert_true(read(pipe_fd, line, sizeof(line) - 1) > 0);
	assert_memory_equal(line, "2026-11-22T14:00:15.000Z RED ", 29);
	close(pipe_fd);
	alert_log_close(&log);
}

static void test_alert_log_flush_torn_line_is_completed(void **state)
{
	(void)state;
	struct alert_log log;
	tear(&log);
	assert_int_equal(alert_log_flush(&log), 0);
	assert_string_equal(names(path), "abc");
	alert_log_close(&log);
}

static void test_alert_log_flush_torn_line_is_whole_in_a_new_file(void **state)
{
	(void)state;
	struct alert_log log;
	tear(&log);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(alert_log_flush(&log), 0);
	assert_string_equal(names(moved), "a?");
	assert_string_equal(names(path), "bc");
	alert_log_close(&log);
}

static void test_alert_log_parse_what_is_no_line_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"", " ", "RED", "2026-11-22T14:00:15.000Z", "2026-11-22T14:00:15.000Z ", "2026-11-22T14:00:15.000Z RED",
		"2026-11-22T14:00:15.000Z RED ",
		"2026-11-22T14:00:15 UNKNOWN ip=10.0.0.5 process=\"*\" since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z PINK ip=10.0.0.5 process=\"*\" since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z RED ip=10.0.0.5 process=\"*\" since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z UNKNOWN ip=10.0.0.x process=\"*\" since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z UNKNOWN ip=10.0.0.5 process=\"*\" since=yesterday",
		"2026-11-22T14:00:15.000Z UNKNOWN ip=10.0.0.5 process=\"\" since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z UNKNOWN ip=10.0.0.5 ip=10.0.0.5 process=\"*\" since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z UNKNOWN ip=10.0.0.5 process=\"*\" since=2026-11-22T14:00:15Z more=1",
		"2026-11-22T14:00:15.000Z UNKNOWN ip=10.0.0.5 process=\"*\"x since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z RED ip=::1 process=\"a\" resource=disk value=1 threshold=1 since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z RED ip=::1 process=\"a\" resource=mem value=inf threshold=1 since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z AMBER ip=::1 process=\"a\" resource=mem value=1 threshold=1 since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z OOM ip=::1 process=\"a\" since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z OOM ip=::1 process=\"a\" kills=0 since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z OOM ip=::1 process=\"a\" resource=mem value=1 threshold=1 kills=1 since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z UNKNOWN ip=::1 process=\"*\" kills=1 since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z CLEAR ip=::1 process=\"a\" resource=mem value=1 threshold=1 reason=oom since=2026-11-22T14:00:15Z",
		"2026-11-22T14:00:15.000Z GONE ip=::1 process=\"a\" resource=mem value=1 threshold=1 reason=tea since=2026-11-22T14:00:15Z",
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct transition transition;
		int64_t time_ms;
		if (alert_log_parse(cases[i], strlen(cases[i]), &transition, &time_ms))
			fail_msg("%s", cases[i]);
	}
}

/* A file that was cut. */
static void test_alert_log_flush_begins_a_line_of_its_own(void **state)
{
	(void)state;
	for (int reopened = 0; reopened < 2; reopened++) {
		struct alert_log log;
		struct text content = TEXT_EMPTY;
		temporary_file_write(path, reopened ? "" : "2026-11-22T14:00:10.000Z RED ip=10.0.0.5 proc");
		assert_int_equal(alert_log_open(&log, path), 0);
		if (reopened) {
			temporary_file_write(path, "2026-11-22T14:00:10.000Z RED ip=10.0.0.5 proc");
			assert_int_equal(alert_log_reopen(&log, path), 0);
		}
		add(&log, "a");
		add(&log, "b");
		assert_int_equal(alert_log_flush(&log), 0);
		add(&log, "c");
		assert_int_equal(alert_log_flush(&log), 0);
		assert_string_equal(names(path), "?abc");
		alert_log_close(&log);
		text_free(&content);
		unlink(path);
	}
}

static void test_alert_log_restore_what_stands_there_is_not_written_again(void **state)
{
	(void)state;
	static const struct {
		const char *written, *waiting, *expected;
	} cases[] = {
		{ "", "ab", "ab" }, { "ab", "ab", "ab" }, { "abc", "bcd", "abcd" }, { "a", "bc", "abc" }, { "ab", "", "ab" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct alert_log log;
		struct text lines = TEXT_EMPTY, tail = TEXT_EMPTY;
		assert_int_equal(alert_log_open(&log, path), 0);
		for (const char *at = cases[i].written; *at; at++)
			add(&log, (char[]){ *at, '\0' });
		assert_int_equal(alert_log_flush(&log), 0);
		for (const char *at = cases[i].waiting; *at; at++) {
			struct transition transition = red((char[]){ *at, '\0' });
			alert_log_format(&transition, NOW, &lines);
		}
		assert_int_equal(alert_log_read_tail(&log, &tail), 0);
		alert_log_restore(&log, &lines, i, &tail);
		assert_int_equal(log.dropped, i);
		assert_int_equal(alert_log_flush(&log), 0);
		assert_string_equal(names(path), cases[i].expected);
		alert_log_close(&log);
		text_free(&lines);
		text_free(&tail);
		unlink(path);
	}
}

static void test_alert_log_read_tail_gives_whole_lines(void **state)
{
	(void)state;
	struct alert_log log;
	struct text content = TEXT_EMPTY, tail = TEXT_EMPTY;
	text_append_string(&content, "first\n");
	while (content.length < ALERT_LOG_TAIL_MAX)
		text_append_string(&content, "0123456789\n");
	text_append_string(&content, "last\npart");
	temporary_file_write(path, content.data);
	assert_int_equal(alert_log_open(&log, path), 0);
	assert_int_equal(alert_log_read_tail(&log, &tail), 0);
	assert_true(tail.length > ALERT_LOG_TAIL_MAX - 32 && tail.length <= ALERT_LOG_TAIL_MAX);
	assert_int_equal(strncmp(tail.data, "0123456789\n", 11), 0);
	assert_string_equal(tail.data + tail.length - 6, "\nlast\n");
	alert_log_close(&log);

	text_reset(&tail);
	temporary_file_write(path, "part");
	assert_int_equal(alert_log_open(&log, path), 0);
	assert_int_equal(alert_log_read_tail(&log, &tail), 0);
	alert_log_close(&log);
	assert_int_equal(alert_log_open(&log, "/dev/null"), 0);
	assert_int_equal(alert_log_read_tail(&log, &tail), 0);
	assert_int_equal(tail.length, 0);
	alert_log_close(&log);
	text_free(&content);
	text_free(&tail);
}

static void test_alert_log_read_tail_what_cannot_be_read_says_why(void **state)
{
	(void)state;
	struct alert_log log;
	struct text tail = TEXT_EMPTY;
	temporary_file_write(path, "a line\n");
	assert_int_equal(alert_log_open(&log, path), 0);
	read_error = EIO;
	int result = alert_log_read_tail(&log, &tail);
	read_error = 0;
	assert_int_equal(result, -EIO);
	assert_int_equal(tail.length, 0);
	bool failed = FAILING_MALLOC;
	for (long number = 1; failed; number++) {
		failing_start(number);
		result = alert_log_read_tail(&log, &tail);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		if (failed)
			text_free(&tail);
	}
	if (FAILING_MALLOC)
		assert_string_equal(tail.data, "a line\n");
	text_free(&tail);
	alert_log_close(&log);
}

/* The line that there is no memory for is lost, and counted; those before and after it are whole. */
static void test_alert_log_add_without_memory_is_counted(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct alert_log log;
	assert_int_equal(alert_log_open(&log, path), 0);
	failing_start(1);
	int result = alert_log_reopen(&log, moved);
	assert_true(failing_stop());
	assert_int_equal(result, -ENOMEM);
	failing_start(1);
	add(&log, "a");
	assert_true(failing_stop());
	assert_int_equal(log.dropped, 1);
	add(&log, "b");
	while (log.dropped == 1) {
		failing_start(1);
		add(&log, "c");
		(void)failing_stop();
	}
	add(&log, "d");
	assert_int_equal(log.dropped, 2);
	assert_int_equal(alert_log_flush(&log), 0);
	const char *found = names(path);
	assert_int_equal(found[0], 'b');
	assert_int_equal(found[1 + strspn(found + 1, "c")], 'd');
	alert_log_close(&log);
}

static void test_alert_log_add_too_many_waiting_are_counted(void **state)
{
	(void)state;
	struct alert_log log;
	assert_int_equal(alert_log_open(&log, "/dev/full"), 0);
	while (log.dropped < 3)
		add(&log, "a");
	assert_true(log.waiting.length < ALERT_LOG_WAITING_MAX + 512);
	assert_int_equal(log.waiting.data[log.waiting.length - 1], '\n');
	alert_log_close(&log);
}

static void test_alert_log_add_as_many_as_there_are_where_they_can_be_written(void **state)
{
	(void)state;
	struct alert_log log;
	struct text text = TEXT_EMPTY;
	enum { COUNT = 20000 }; /* of 119 bytes each, twice what may wait */
	assert_int_equal(alert_log_open(&log, path), 0);
	for (int i = 0; i < COUNT; i++)
		add(&log, "a");
	assert_int_equal(alert_log_flush(&log), 0);
	assert_int_equal(log.dropped, 0);
	alert_log_close(&log);
	assert_int_equal(whole_file_read(path, &text), 0);
	size_t lines = 0;
	for (size_t i = 0; i < text.length; i++)
		lines += text.data[i] == '\n';
	assert_int_equal(lines, COUNT);
	text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alert_log_format_table_gives_line),
		cmocka_unit_test_teardown(test_alert_log_flush_appends_to_what_is_there, remove_files),
		cmocka_unit_test_teardown(test_alert_log_flush_syncs_what_it_writes, remove_files),
		cmocka_unit_test_teardown(test_alert_log_flush_failed_sync_is_told_and_tried_again, remove_files),
		cmocka_unit_test_teardown(test_alert_log_flush_file_moved_goes_on_in_a_new_one, remove_files),
		cmocka_unit_test_teardown(test_alert_log_reopen_takes_new_path, remove_files),
		cmocka_unit_test(test_alert_log_open_unwritable_place_says_why),
		cmocka_unit_test_teardown(test_alert_log_flush_place_lost_for_a_while_loses_no_line, remove_files),
		cmocka_unit_test_teardown(test_alert_log_flush_full_disk_loses_no_line, remove_files),
		cmocka_unit_test_teardown(test_alert_log_flush_full_disk_within_a_line_loses_no_line, remove_files),
		cmocka_unit_test_teardown(test_alert_log_flush_interrupted_goes_on, remove_files),
		cmocka_unit_test_teardown(test_alert_log_flush_torn_line_is_completed, remove_files),
		cmocka_unit_test_teardown(test_alert_log_flush_torn_line_is_whole_in_a_new_file, remove_files),
		cmocka_unit_test(test_alert_log_parse_what_is_no_line_is_refused),
		cmocka_unit_test_teardown(test_alert_log_flush_begins_a_line_of_its_own, remove_files),
		cmocka_unit_test_teardown(test_alert_log_add_as_many_as_there_are_where_they_can_be_written, remove_files),
		cmocka_unit_test_teardown(test_alert_log_restore_what_stands_there_is_not_written_again, remove_files),
		cmocka_unit_test_teardown(test_alert_log_read_tail_gives_whole_lines, remove_files),
		cmocka_unit_test_teardown(test_alert_log_read_tail_what_cannot_be_read_says_why, remove_files),
		cmocka_unit_test_teardown(test_alert_log_add_without_memory_is_counted, remove_files),
		cmocka_unit_test(test_alert_log_add_too_many_waiting_are_counted),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
