#include "alert/alert_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/fields.h"
#include "common/clock.h"
#include "common/whole_file.h"

void alert_log_format(const struct transition *transition, int64_t now_ms, struct text *text)
{
	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(now_ms, time);
	text_printf(text, "%s ", time);
	fields_append(transition, FIELDS_LINE, text);
	text_append_char(text, '\n');
}

bool alert_log_parse(const char *line, size_t length, struct transition *ret_transition, int64_t *ret_time_ms)
{
	const char *space = memchr(line, ' ', length);
	if (!space || !fields_parse_time(line, (size_t)(space - line), ret_time_ms))
		return false;
	return fields_parse(space + 1, length - (size_t)(space + 1 - line), ret_transition);
}

/* Whether a file has bytes behind its last line. */
static bool ends_within_line(int fd)
{
	struct stat file;
	char last;
	return fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_size > 0 &&
	       pread(fd, &last, 1, file.st_size - 1) == 1 && last != '\n';
}

/* A pipe or a terminal has nothing to sync. */
static int sync_file(struct alert_log *log)
{
	if (log->unsynced && fdatasync(log->fd) != 0 && errno != EINVAL && errno != EROFS)
		return -errno;
	log->unsynced = false;
	return 0;
}

/* Where the folder cannot be read, the file's name is on the disk when the kernel has it so. */
static int open_or_make(const char *path)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		(void)!whole_file_sync_folder(path);
	return fd;
}

/* Leaves the file that is open. */
static void close_file(struct alert_log *log)
{
	if (log->fd < 0)
		return;
	(void)!sync_file(log);
	close(log->fd);
	log->fd = -1;
	log->unsynced = false;
}

static int open_file(struct alert_log *log)
{
	int fd = open_or_make(log->path);
	if (fd < 0)
		return -errno;
	close_file(log);
	log->fd = fd;
	log->torn = 0; /* the rest of a line makes no sense in another file */
	log->unended = ends_within_line(fd);
	log->unsynced = true; /* a run that was killed may have left lines so, which are gone on from */
	return 0;
}

int alert_log_open(struct alert_log *log, const char *path)
{
	*log = (struct alert_log){ .fd = -1 };
	return alert_log_reopen(log, path);
}

int alert_log_reopen(struct alert_log *log, const char *path)
{
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(log->path);
	log->path = copy;
	close_file(log);
	return open_file(log);
}

/* Whether the path leads to another file than the open one, or to none. */
static bool has_moved(const struct alert_log *log)
{
	struct stat open_one, named;
	return log->fd < 0 || stat(log->path, &named) != 0 || fstat(log->fd, &open_one) != 0 ||
	       open_one.st_dev != named.st_dev || open_one.st_ino != named.st_ino;
}

int alert_log_read_tail(const struct alert_log *log, struct text *tail)
{
	struct stat file;
	if (fstat(log->fd, &file) != 0)
		return -errno;
	if (!S_ISREG(file.st_mode))
		return 0;
	char piece[65536];
	struct text content = TEXT_EMPTY;
	off_t first = file.st_size > ALERT_LOG_TAIL_MAX ? file.st_size - ALERT_LOG_TAIL_MAX : 0;
	ssize_t got = 1;
	for (off_t at = first; at < file.st_size && got > 0; at += got) {
		got = pread(log->fd, piece, sizeof(piece), at);
		if (got > 0)
			text_append(&content, piece, (size_t)got);
	}
	int result = got < 0 ? -errno : text_failed(&content) ? -ENOMEM : 0;
	if (!result && content.length) {
		/* The first line may be a part of one, and so may the last. */
		const char *start = first ? memchr(content.data, '\n', content.length) : content.data;
		const char *end = memrchr(content.data, '\n', content.length);
		start = start && first ? start + 1 : start;
		if (start && end && end >= start)
			text_append(tail, start, (size_t)(end + 1 - start));
	}
	text_free(&content);
	return result ? result : text_failed(tail) ? -ENOMEM : 0;
}

void alert_log_restore(struct alert_log *log, const struct text *lines, uint64_t dropped, const struct text *tail)
{
	const char *at = tail->data, *end = tail->data + tail->length;
	size_t done = 0;
	while (done < lines->length) {
		const char *line = lines->data + done;
		size_t length = (size_t)((const char *)memchr(line, '\n', lines->length - done) + 1 - line);
		/* They were written in this order: what comes behind one that is not there is not there either. */
		const char *found = at ? memmem(at, (size_t)(end - at), line, length) : NULL;
		if (!found)
			break;
		at = found + length;
		done += length;
	}
	text_append(&log->waiting, lines->data ? lines->data + done : "", lines->length - done);
	log->dropped += dropped;
	log->changed |= done > 0;
	if (text_failed(&log->waiting)) {
		log->waiting.length = 0;
		log->waiting.failed = false;
		log->dropped++;
	}
}

void alert_log_add(struct alert_log *log, const struct transition *transition, int64_t now_ms)
{
	log->changed = true;
	/* They need not wait where they can be written. */
	if (log->waiting.length >= ALERT_LOG_WAITING_MAX)
		(void)!alert_log_flush(log);
	size_t length = log->waiting.length;
	if (length < ALERT_LOG_WAITING_MAX)
		alert_log_format(transition, now_ms, &log->waiting);
	if (length >= ALERT_LOG_WAITING_MAX || text_failed(&log->waiting)) {
		log->dropped++;
		log->waiting.length = length;
		log->waiting.failed = false;
	}
}

/* Ends the line that the file ends within. */
static ssize_t write_end(struct alert_log *log)
{
	ssize_t written = write(log->fd, "\n", 1);
	if (written == 1)
		log->unended = false;
	return written;
}

int alert_log_flush(struct alert_log *log)
{
	size_t done = 0;
	int result = 0;
	while (done < log->waiting.length) {
		if (has_moved(log))
			result = open_file(log);
		if (result)
			break;
		const char *line = log->waiting.data + done;
		size_t length = (size_t)((const char *)memchr(line, '\n', log->waiting.length - done) + 1 - line);
		bool ending = log->unended;
		ssize_t written = ending ? write_end(log) : write(log->fd, line + log->torn, length - log->torn);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			result = written < 0 ? -errno : -EIO;
			break;
		}
		log->unsynced = true;
		if (ending)
			continue;
		log->torn += (size_t)written;
		if (log->torn == length) {
			done += length;
			log->torn = 0;
		}
	}
	log->waiting.length -= done;
	log->changed |= done > 0;
	if (done)
		memmove(log->waiting.data, log->waiting.data + done, log->waiting.length);
	int synced = sync_file(log);
	return result ? result : synced;
}

void alert_log_close(struct alert_log *log)
{
	close_file(log);
	free(log->path);
	log->path = NULL;
	text_free(&log->waiting);
}
