#include "alert/hook_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

extern char **environ;

static int set_actions(posix_spawn_file_actions_t *actions, int input_fd)
{
	int error = input_fd < 0 ? posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) :
	                           posix_spawn_file_actions_adddup2(actions, input_fd, STDIN_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	return error;
}

/* None of these can fail: they fill our own memory with what is right. */
static void set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(attributes);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(attributes, 0);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
}

/* 0 with a child, or a negative errno. */
static int spawn(const char *path, char *const argv[], int input_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_init(&actions); /* cannot fail either */
	set_attributes(&attributes);
	int error = set_actions(&actions, input_fd);
	if (!error)
		error = posix_spawn(ret_pid, path, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

/* NULL: out of memory. The strings are borrowed. */
static char **make_argv(const char *path, const struct text *arguments)
{
	size_t count = 3; /* the program, what ends without a NUL, the end */
	for (size_t i = 0; i < arguments->length; i++)
		count += arguments->data[i] == '\0';
	char **argv = calloc(count, sizeof(*argv));
	if (!argv)
		return NULL;
	size_t next = 0;
	argv[next++] = (char *)(uintptr_t)path;
	for (size_t at = 0; at < arguments->length; at += strlen(arguments->data + at) + 1)
		argv[next++] = arguments->data + at;
	return argv;
}

/* A file in memory, which no reader can make us wait as a pipe could: *ret_fd is -1 without an input. 0 or a negative errno. */
static int open_input(const struct text *input, int *ret_fd)
{
	*ret_fd = -1;
	if (!input)
		return 0;
	int fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Not by write(): what runs reads from its beginning. */
	for (size_t done = 0; done < input->length;) {
		ssize_t written = pwrite(fd, input->data + done, input->length - done, (off_t)done);
		if (written < 0) {
			int result = -errno;
			close(fd);
			return result;
		}
		done += (size_t)written;
	}
	*ret_fd = fd;
	return 0;
}

static int start(const char *path, const struct text *arguments, const struct text *input, pid_t *ret_pid)
{
	int input_fd;
	int result = open_input(input, &input_fd);
	if (result)
		return result;
	char **argv = make_argv(path, arguments);
	result = argv ? spawn(path, argv, input_fd, ret_pid) : -ENOMEM;
	free(argv);
	if (input_fd >= 0)
		close(input_fd);
	return result;
}

/* Waits until the process ends: true, or false at the deadline. */
static bool wait_for(int process_fd, int wake_fd, hook_deadline *deadline, void *user)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = process_fd, .events = POLLIN },
			{ .fd = wake_fd, .events = POLLIN },
		};
		int64_t end_ns = deadline(user);
		int ready = poll(fds, 2, clock_poll_ms(end_ns));
		if (ready > 0 && fds[0].revents)
			return true;
		uint64_t woken;
		if (ready > 0)
			(void)!read(wake_fd, &woken, sizeof(woken)); /* or somebody else has emptied it */
		else if (clock_monotonic_ns() >= end_ns)
			return false;
	}
}

/* The leader is not reaped yet, so the numbers are still its own. */
static void kill_group(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
}

static int fail(enum hook_failure kind, int result, enum hook_failure *ret_failure)
{
	*ret_failure = kind;
	return result;
}

int hook_run(const char *path, const struct text *arguments, const struct text *input, int wake_fd, hook_deadline *deadline,
             void *user, enum hook_failure *ret_failure, struct text *ret_error)
{
	pid_t pid = -1;
	int result = start(path, arguments, input, &pid);
	if (result) {
		text_printf(ret_error, "it cannot be run: %s", strerror(-result));
		return fail(HOOK_CANNOT_RUN, result, ret_failure);
	}

	int process_fd = pidfd_open(pid, 0); /* closed on exec, always */
	int watching = process_fd < 0 ? -errno : 0;
	bool ended = !watching && wait_for(process_fd, wake_fd, deadline, user);
	if (!ended)
		kill_group(pid);
	if (process_fd >= 0)
		close(process_fd);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;

	if (watching) {
		text_printf(ret_error, "it cannot be waited for: %s", strerror(-watching));
		return fail(HOOK_CANNOT_RUN, watching, ret_failure);
	}
	if (!ended) {
		text_append_string(ret_error, "it took too long and was killed");
		return fail(HOOK_TIME_LIMIT, -ETIMEDOUT, ret_failure);
	}
	if (WIFSIGNALED(status)) {
		text_printf(ret_error, "it was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
		return fail(HOOK_SIGNAL, -EINTR, ret_failure);
	}
	if (WEXITSTATUS(status) != 0) {
		text_printf(ret_error, "its exit status is %d", WEXITSTATUS(status));
		return fail(HOOK_STATUS, -EIO, ret_failure);
	}
	return 0;
}
