/*
 * The log of a program: one line an event, on standard error.
 *
 * Under systemd (standard error is its JOURNAL_STREAM) a line starts with the journal's priority
 * prefix, see sd-daemon(3); elsewhere with the time, the program and the level.
 * Libraries return their errors; main functions and loops log them. Thread-safe.
 */
#ifndef VIGIE_COMMON_LOG_H
#define VIGIE_COMMON_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `program` is borrowed for ever. The level is LOG_LEVEL_INFO until it is set. */
void log_init(const char *program);
void log_set_level(enum log_level level);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
