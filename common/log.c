#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

static const struct {
	const char *word;
	int priority; /* of syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARNING] = { "warning", 4 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static const char *log_program = "vigie";
static bool log_to_journal;
static atomic_int log_level = LOG_LEVEL_INFO;

void log_init(const char *program)
{
	log_program = program;
	/* The variable is inherited; it means standard error only while that is the same
	 * stream: systemd.exec(5). */
	unsigned long long device, inode;
	struct stat stream;
	const char *journal = getenv("JOURNAL_STREAM");
	log_to_journal = journal && sscanf(journal, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &stream) == 0 &&
	                 stream.st_dev == device && stream.st_ino == inode;
}

void log_set_level(enum log_level level)
{
	atomic_store(&log_level, (int)level);
}

static void log_line(enum log_level level, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void log_line(enum log_level level, const char *format, va_list arguments)
{
	if ((int)level > atomic_load(&log_level))
		return;

	/* One write a line, so that lines of several threads and programs stay whole. */
	char line[1024];
	int used;
	if (log_to_journal) {
		used = snprintf(line, sizeof(line), "<%d>", levels[level].priority);
	} else {
		char time[CLOCK_RFC3339_SIZE];
		clock_format_rfc3339(clock_wall_ms(), time);
		used = snprintf(line, sizeof(line), "%s %s %s: ", time, log_program, levels[level].word);
	}
	vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, arguments);
	/* What came from outside must not start a line of its own. */
	for (char *at = line + used; *at; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	}
	fprintf(stderr, "%s\n", line);
}

#define DEFINE_LOG_FUNCTION(name, level)          \
	void name(const char *format, ...)        \
	{                                         \
		va_list arguments;                \
		va_start(arguments, format);      \
		log_line(level, format, arguments); \
		va_end(arguments);                \
	}

DEFINE_LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
DEFINE_LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
DEFINE_LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
