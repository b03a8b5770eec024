/*
 * What the main functions of all programs share: the command line, the
 * configuration and the signals.
 *
 * SIGTERM and SIGINT ask the program to end, SIGHUP to reload, and SIGUSR1, where
 * the program wants that, to log how it fares. They are blocked
 * in every thread and read from one descriptor, so no handler ever runs. SIGUSR1
 * elsewhere, SIGUSR2 and SIGPIPE are ignored: whoever signals all of vigie's programs
 * alike shall end none.
 *
 * The service manager (common/notify.h) is told by the waiting: a program that waits for
 * the first time, or again after a reload, is ready.
 */
#ifndef VIGIE_COMMON_PROGRAM_H
#define VIGIE_COMMON_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"

/* An option of one program alone: `--name VALUE`, or `--name` where value_name is NULL. */
struct program_option {
	const char *name;  /* NULL: the end of the list */
	const char *value_name, *help; /* for --help */
	const char **value; /* what the command line has, "" where it takes none; otherwise left as it is */
};

struct program {
	const char *name;
	const char *summary; /* one line for --help */
	/* Checks what the option table cannot (NULL: nothing): 0 or a negative errno
	 * with a sentence in `ret_error`. */
	int (*check)(const struct config *config, struct text *ret_error);
	bool dumps; /* SIGUSR1 asks it to log how it fares; otherwise that signal is ignored */
	bool ends;  /* by itself, as a command does: only SIGUSR1 and SIGUSR2 are ignored, and program_wait() is not for it */
	const struct program_option *options; /* beyond those that all programs have; NULL: none */

	struct config *config; /* the one in force */
	const char *config_path;
	char **overrides;
	size_t override_count;
	bool debug;
	bool checks; /* --check-config: what a run goes on without may be wrong */
	int signal_fd;
	bool ready; /* the service manager knows */
};

/*
 * Reads the command line and the configuration, sets the log's level and blocks
 * the signals. Answers --help, --version, --check-config and --print-config
 * itself. Returns true when the program is to run; otherwise it is to end with
 * *ret_exit_status (an error has been logged).
 */
bool program_start(struct program *program, int argc, char *argv[], int *ret_exit_status);

/* Reads the configuration anew. A broken file is logged and the old configuration
 * stays: the return value is then false. */
bool program_reload(struct program *program);

enum program_event { PROGRAM_TIMER, PROGRAM_TIMEOUT, PROGRAM_RELOAD, PROGRAM_DUMP, PROGRAM_STOP };

/* Waits for a signal or until `timer_fd` (-1: none) is readable. Signals first. */
enum program_event program_wait(struct program *program, int timer_fd);

/* The same for at most `wait_ms` (negative: for ever), then PROGRAM_TIMEOUT. */
enum program_event program_wait_for(struct program *program, int timer_fd, int64_t wait_ms);

/* Prints a text. EXIT_SUCCESS; EXIT_FAILURE, and it is logged, when there was no memory for all of it. That what is printed
 * arrives is for program_flush(). */
int program_print(const struct text *text) __attribute__((warn_unused_result));

/* Of what a program has printed. `exit_status`; or EXIT_FAILURE, and it is logged, when it cannot be written. */
int program_flush(int exit_status) __attribute__((warn_unused_result));

/* Frees the configuration and closes the descriptor; then program_flush(). */
int program_end(struct program *program, int exit_status) __attribute__((warn_unused_result));

#endif
