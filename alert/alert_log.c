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

void alert_log_format(const struct transition *transition, int64_t now_ms, struct text *text)
{
	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(now_ms, time);
	text_printf(text, "%s ", time);
	fields_append(transition, FIELDS_LINE, text);
	text_append_char(text, '\n');
}

static int open_file(struct alert_log *log)
{
	int fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (log->fd >= 0)
		close(log->fd);
	log->fd = fd;
	log->torn = 0; /* the rest of a line makes no sense in another file */
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
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
	return open_file(log);
}

/* Whether the path leads to another file than the open one, or to none. */
static bool has_moved(const struct alert_log *log)
{
	struct stat open_one, named;
	return log->fd < 0 || stat(log->path, &named) != 0 || fstat(log->fd, &open_one) != 0 ||
	       open_one.st_dev != named.st_dev || open_one.st_ino != named.st_ino;
}

void alert_log_add(struct alert_log *log, const struct transition *transition, int64_t now_ms)
{
	size_t length = log->waiting.length;
	if (length < ALERT_LOG_WAITING_MAX)
		alert_log_format(transition, now_ms, &log->waiting);
	if (length >= ALERT_LOG_WAITING_MAX || text_failed(&log->waiting)) {
		log->dropped++;
		log->waiting.length = length;
		log->waiting.failed = false;
	}
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
		ssize_t written = write(log->fd, line + log->torn, length - log->torn);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			result = written < 0 ? -errno : -EIO;
			break;
		}
		log->torn += (size_t)written;
		if (log->torn == length) {
			done += length;
			log->torn = 0;
		}
	}
	log->waiting.length -= done;
	if (done)
		memmove(log->waiting.data, log->waiting.data + done, log->waiting.length);
	return result;
}

void alert_log_close(struct alert_log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
	free(log->path);
	log->path = NULL;
	text_free(&log->waiting);
}
