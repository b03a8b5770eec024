#include "collector/oom_records.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/capability.h"

enum { RECORD_SIZE = 8192 }; /* CONSOLE_EXT_LOG_MAX: no record is longer */

#define FIRST_PID_NAMESPACE "pid:[4026531836]" /* PROC_PID_INIT_INO of include/linux/proc_ns.h */

struct oom_records {
	int fd;
	bool lost;
};

/* What a text starts with; 0: not with that. */
static size_t starts_with(const char *text, size_t length, const char *start)
{
	size_t start_length = strlen(start);
	return length >= start_length && memcmp(text, start, start_length) == 0 ? start_length : 0;
}

/* Where the last `words` of a text begin; NULL: nowhere. */
static const char *find_last(const char *text, size_t length, const char *words)
{
	const char *last = NULL;
	for (const char *at = memmem(text, length, words, strlen(words)); at;
	     at = memmem(at + 1, length - (size_t)(at + 1 - text), words, strlen(words)))
		last = at;
	return last;
}

/* Writes the bytes that a text stands for. False: there are too many. */
static bool unescape(const char *text, size_t length, struct oom_record *record)
{
	size_t count = 0;
	for (size_t i = 0; i < length; i++) {
		unsigned byte = (unsigned char)text[i];
		char digits[3] = { 0 };
		if (length - i >= 4 && text[i] == '\\' && text[i + 1] == 'x') {
			memcpy(digits, text + i + 2, 2);
			byte = (unsigned)strtoul(digits, NULL, 16);
			i += 3;
		}
		if (count == sizeof(record->name))
			return false;
		record->name[count++] = (char)byte;
	}
	record->name_length = count;
	return true;
}

/* Reads "PID (COMM) total-vm:…". */
static bool parse_victim(const char *text, size_t length, struct oom_record *ret_record)
{
	struct oom_record record = { 0 };
	size_t at = 0;
	long long pid = 0;
	for (; at < length && text[at] >= '0' && text[at] <= '9' && pid <= INT32_MAX; at++)
		pid = pid * 10 + (text[at] - '0');
	if (at == 0 || pid < 1 || pid > INT32_MAX || length - at < 2 || memcmp(text + at, " (", 2) != 0)
		return false;
	const char *name = text + at + 2;
	size_t rest = length - at - 2;
	const char *end = find_last(name, rest, ") total-vm:"), *with_user = find_last(name, rest, "), UID ");
	if (!end || (with_user && with_user > end))
		end = with_user;
	if (!end || !unescape(name, (size_t)(end - name), &record))
		return false;
	record.pid = (int)pid;
	*ret_record = record;
	return true;
}

bool oom_record_parse(const char *record, size_t length, struct oom_record *ret_record)
{
	static const char killed[] = "Killed process ";
	char *end;
	const char *text = memchr(record, ';', length);
	if (!text || record[0] < '0' || record[0] > '9' || strtoul(record, &end, 10) > 7 || *end != ',')
		return false;
	text++;
	size_t text_length = length - (size_t)(text - record);
	const char *newline = memchr(text, '\n', text_length);
	if (newline)
		text_length = (size_t)(newline - text);
	if (starts_with(text, text_length, "Out of memory") || starts_with(text, text_length, "Memory cgroup out of memory")) {
		const char *colon = memmem(text, text_length, ": ", 2);
		size_t skipped = colon ? (size_t)(colon + 2 - text) : text_length;
		text += skipped;
		text_length -= skipped;
	}
	size_t start = starts_with(text, text_length, killed);
	return start && parse_victim(text + start, text_length - start, ret_record);
}

static int open_fd(void)
{
	char space[sizeof(FIRST_PID_NAMESPACE)];
	ssize_t length = readlink("/proc/self/ns/pid", space, sizeof(space));
	if (length < 0)
		return -errno;
	if ((size_t)length != sizeof(space) - 1 || memcmp(space, FIRST_PID_NAMESPACE, sizeof(space) - 1) != 0)
		return -EINVAL;
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && lseek(fd, 0, SEEK_END) >= 0)
		return fd;
	int result = -errno;
	if (fd >= 0)
		close(fd);
	return result;
}

int oom_records_open(struct oom_records **ret_records)
{
	struct oom_records *records = calloc(1, sizeof(*records));
	int fd = records ? open_fd() : -ENOMEM;
	capability_drop(CAP_SYSLOG);
	if (fd < 0) {
		free(records);
		return fd;
	}
	records->fd = fd;
	*ret_records = records;
	return 0;
}

void oom_records_close(struct oom_records *records)
{
	if (!records)
		return;
	close(records->fd);
	free(records);
}

bool oom_records_next(struct oom_records *records, struct oom_record *ret_record)
{
	char record[RECORD_SIZE + 1];
	for (;;) {
		ssize_t length = read(records->fd, record, RECORD_SIZE);
		bool overwritten = length < 0 && errno == EPIPE;
		if (length <= 0 && !overwritten && !(length < 0 && errno == EINTR))
			return false;
		records->lost = records->lost || overwritten;
		if (length <= 0)
			continue;
		record[length] = '\0';
		if (oom_record_parse(record, (size_t)length, ret_record))
			return true;
	}
}

bool oom_records_lost(struct oom_records *records)
{
	bool lost = records->lost;
	records->lost = false;
	return lost;
}

int oom_records_count(uint64_t *ret_kills)
{
	char line[128];
	unsigned long long kills;
	FILE *vmstat = fopen("/proc/vmstat", "re"); /* a read of it gives a page, and it has more */
	if (!vmstat)
		return -errno;
	bool found = false;
	while (!found && fgets(line, sizeof(line), vmstat))
		found = sscanf(line, "oom_kill %llu", &kills) == 1;
	fclose(vmstat);
	if (!found)
		return -ENOENT;
	*ret_kills = kills;
	return 0;
}
