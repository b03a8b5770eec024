#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/program.h"
#include "common/tick.h"

enum { RAN = 42, PATIENCE_S = 10, ARGUMENT_MAX = 12 };

static char folder[TEMPORARY_FOLDER_SIZE];
static char config_path[TEMPORARY_FOLDER_SIZE + 16], fifo_path[TEMPORARY_FOLDER_SIZE + 16];

static int setup(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	unsetenv("NOTIFY_SOCKET");
	temporary_folder_make(folder);
	snprintf(config_path, sizeof(config_path), "%s/vigie.conf", folder);
	snprintf(fifo_path, sizeof(fifo_path), "%s/fifo", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	temporary_folder_remove(folder);
	return 0;
}

static void write_config(const char *content)
{
	temporary_file_write(config_path, content);
}

/* What a program's own check would say: store "bad" is none. */
static int check(const struct config *config, struct text *ret_error)
{
	if (strcmp(config->server.store, "bad") != 0)
		return 0;
	text_append_string(ret_error, "server.store: 'bad' is no engine");
	return -EINVAL;
}

/* A program in a process of its own: its input tells it nothing, its output and its log
 * are read here. */
struct child {
	pid_t pid;
	int output, log;
};

typedef int (*run_function)(struct program *program);

static bool dumps; /* what the next child asks for */
static const struct program_option *own_options; /* that it has; it then ends by itself */

static void child_start(struct child *child, const char *const *arguments, run_function run)
{
	int output[2], log[2];
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	assert_int_equal(pipe2(log, O_CLOEXEC), 0);
	fflush(NULL);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		dup2(output[1], STDOUT_FILENO);
		dup2(log[1], STDERR_FILENO);
		close(output[0]); /* the parent holds the only reading ends */
		close(log[0]);
		alarm(PATIENCE_S);
		char *argv[ARGUMENT_MAX + 2] = { strdup("vigie-test") };
		int argc = 1;
		for (; arguments && arguments[argc - 1]; argc++)
			argv[argc] = strdup(arguments[argc - 1]);
		struct program program = { .name = "vigie-test", .summary = "a test", .check = check, .dumps = dumps,
		                           .ends = own_options != NULL, .options = own_options };
		int status;
		if (program_start(&program, argc, argv, &status))
			status = run ? run(&program) : RAN;
		status = program_end(&program, status);
		status = program_end(&program, status); /* twice is harmless */
		for (int i = 0; i < argc; i++)
			free(argv[i]);
		exit(status); /* not _exit(): LeakSanitizer looks then */
	}
	close(output[1]);
	close(log[1]);
	child->output = output[0];
	child->log = log[0];
}

static void read_all(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t length;
	while (length = read(fd, text + used, size - 1 - used), length > 0)
		used += (size_t)length;
	text[used] = '\0';
	close(fd);
}

/* Reads up to the end of a line: the child has come so far. */
static void await_line(const struct child *child, const char *expected)
{
	char line[64] = "";
	for (size_t used = 0; used < sizeof(line) - 1 && !strchr(line, '\n'); used++) {
		if (read(child->output, line + used, 1) != 1)
			break;
	}
	assert_string_equal(line, expected);
}

static char output[16384], logged[16384];

/* The exit status; `output` and `logged` have what was written. */
static int child_end(struct child *child)
{
	int status;
	read_all(child->output, output, sizeof(output));
	read_all(child->log, logged, sizeof(logged));
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	if (!WIFEXITED(status))
		fail_msg("ended by signal %d; its log: %s", WTERMSIG(status), logged);
	return WEXITSTATUS(status);
}

static int run_with(const char *const *arguments)
{
	struct child child;
	child_start(&child, arguments, NULL);
	return child_end(&child);
}

#define RUN(...) run_with((const char *const[]){ __VA_ARGS__, NULL })

static void test_program_start_help_prints_every_option(void **state)
{
	(void)state;
	static const char *const words[] = { "--config", "--set", "--check-config", "--print-config",
		                             "--debug",  "--version", "--help", "SIGHUP" };
	assert_int_equal(RUN("--help"), 0);
	assert_memory_equal(output, "vigie-test: a test\n", 19);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_non_null(strstr(output, words[i]));
	assert_string_equal(logged, "");
}

static void test_program_start_version_prints_it(void **state)
{
	(void)state;
	assert_int_equal(RUN("--version"), 0);
	assert_string_equal(output, "vigie-test " VIGIE_VERSION "\n");
	assert_string_equal(logged, "");
	/* Whatever the configuration is. */
	assert_int_equal(RUN("--config", "/nonexistent", "--version"), 0);
}

static void test_program_start_unknown_options_exit_1(void **state)
{
	(void)state;
	static const struct {
		const char *arguments[3];
		const char *logged;
	} cases[] = {
		{ { "--nonsense" }, "nonsense" },
		{ { "--nonsense" }, "'--nonsense' is no option; see --help\n" },
		{ { "-x" }, "'x'" },
		{ { "-x" }, "; see --help\n" },
		{ { "--debug", "-xs" }, "'x'; see --help\n" },
		{ { "--set" }, "option '--set' requires an argument; see --help\n" },
		{ { "--version=1" }, "option '--version=1' doesn't allow an argument; see --help\n" },
		{ { "word" }, "'word' is no option; see --help" },
		{ { "--debug", "word" }, "'word' is no option" },
		{ { "--config" }, "requires an argument" },
		{ { "-s" }, "requires an argument" },
		{ { "--help=x" }, "doesn't allow an argument" },
		{ { "--config", "/nonexistent" }, "/nonexistent: cannot be opened: No such file or directory" },
		{ { "--set", "nonsense" }, "command line: 'nonsense' is not section.key=value" },
		{ { "--set", "log.level=loud" }, "command line: level: 'loud' is none of its words" },
		{ { "--set", "server.store=bad" }, "server.store: 'bad' is no engine" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = run_with(cases[i].arguments);
		if (status != 1 || !strstr(logged, cases[i].logged))
			fail_msg("case %zu: status %d, %s", i, status, logged);
		assert_string_equal(output, "");
		/* One failure, one line. */
		assert_int_equal(strchr(logged, '\n')[1], '\0');
	}
}

static void test_program_start_without_arguments_runs(void **state)
{
	(void)state;
	assert_int_equal(run_with(NULL), RAN);
	assert_string_equal(output, "");
	assert_string_equal(logged, "");
}

static void test_program_start_check_config_tells_right_from_broken(void **state)
{
	(void)state;
	char expected[512];
	write_config("[server]\nthreads = 8\n");
	assert_int_equal(RUN("--check-config", "--config", config_path), 0);
	assert_string_equal(output, "vigie-test: the configuration is right\n");
	assert_string_equal(logged, "");

	write_config("[server]\nthreads = 8\n\nthraeds = 8\n");
	assert_int_equal(RUN("-c", config_path, "--check-config"), 1);
	assert_string_equal(output, "");
	snprintf(expected, sizeof(expected), " vigie-test error: %s:4: unknown key 'thraeds' in section [server]\n",
	         config_path);
	assert_non_null(strstr(logged, expected));

	/* What only the program knows is checked too. */
	write_config("[server]\nstore = bad\n");
	assert_int_equal(RUN("-c", config_path, "--check-config"), 1);
	assert_non_null(strstr(logged, "'bad' is no engine\n"));
	assert_int_equal(RUN("-c", config_path, "--check-config", "-sserver.store=good"), 0);
}

static void test_program_start_print_config_prints_what_is_in_force(void **state)
{
	(void)state;
	write_config("[server]\nthreads = 8\nmax_body = 1MiB\n");
	assert_int_equal(RUN("--print-config", "--config", config_path, "--set", "server.threads=9", "-s",
	                     "alert.rule=process=java threshold=90"),
	                 0);
	assert_string_equal(logged, "");
	assert_non_null(strstr(output, "\n[log]\n"));
	assert_non_null(strstr(output, "\nthreads = 9\n"));
	assert_non_null(strstr(output, "\nmax_body = 1MiB\n"));
	assert_non_null(strstr(output, "\nrule = process=java threshold=90\n"));
	assert_null(strstr(output, "the configuration is right"));

	/* It is a configuration. */
	write_config(output);
	assert_int_equal(RUN("--check-config", "--config", config_path), 0);
	write_config("[server]\nthreads = x\n");
	assert_int_equal(RUN("--print-config", "--config", config_path), 1);
	assert_string_equal(output, "");
}

static int log_levels(struct program *program)
{
	log_error("an error");
	log_info("an information");
	log_debug("a detail");
	return program->debug ? RAN + 1 : RAN;
}

static void test_program_start_sets_the_level_of_the_log(void **state)
{
	(void)state;
	static const struct {
		const char *arguments[3];
		bool info, debug;
	} cases[] = {
		{ { NULL }, true, false },
		{ { "-slog.level=error" }, false, false },
		{ { "-slog.level=debug" }, true, true },
		{ { "--debug" }, true, true },
		{ { "-slog.level=error", "--debug" }, true, true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child child;
		child_start(&child, cases[i].arguments, log_levels);
		assert_in_range(child_end(&child), RAN, RAN + 1);
		assert_non_null(strstr(logged, " vigie-test error: an error\n"));
		assert_int_equal(strstr(logged, "an information") != NULL, cases[i].info);
		assert_int_equal(strstr(logged, "a detail") != NULL, cases[i].debug);
	}
}

static void test_program_start_logs_what_the_configuration_warns_of(void **state)
{
	(void)state;
	char expected[1024];
	assert_int_equal(chdir("/"), 0);
	write_config("[alert]\nlog = tmp\n"); /* which is in / alone */
	assert_int_equal(RUN("--config", config_path), RAN);
	snprintf(expected, sizeof(expected), " vigie-test warning: %s:2: log: there is no %s/tmp: taking /tmp, of the working directory\n",
	         config_path, folder);
	assert_non_null(strstr(logged, expected));
	assert_int_equal(strchr(logged, '\n')[1], '\0');
	assert_int_equal(RUN("--config", config_path, "-slog.level=error"), RAN);
	assert_string_equal(logged, "");
}

/* Prints each event until it is to end. */
static int print_events(struct program *program)
{
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		switch (program_wait(program, -1)) {
		case PROGRAM_STOP:
			printf("stop\n");
			return 0;
		case PROGRAM_RELOAD:
			printf("reload %d ", program_reload(program));
			printf("threads %d\n", (int)program->config->server.threads);
			break;
		case PROGRAM_TIMER:
			printf("timer\n");
			break;
		case PROGRAM_DUMP:
			printf("dump\n");
			break;
		case PROGRAM_TIMEOUT:
			printf("timeout\n");
			break;
		}
		fflush(stdout);
	}
}

static void test_program_wait_signals_become_events(void **state)
{
	(void)state;
	static const int stops[] = { SIGTERM, SIGINT };
	for (size_t i = 0; i < 2; i++) {
		struct child child;
		child_start(&child, NULL, print_events);
		await_line(&child, "ready\n");
		kill(child.pid, SIGHUP);
		await_line(&child, "reload 1 threads 0\n");
		kill(child.pid, SIGHUP);
		await_line(&child, "reload 1 threads 0\n");
		/* A reader that has gone ends no program. */
		kill(child.pid, SIGPIPE);
		kill(child.pid, stops[i]);
		assert_int_equal(child_end(&child), 0);
		assert_string_equal(output, "stop\n");
	}
}

/* What the manager has heard so far, its lines but for the first of each datagram left out. */
static const char *heard_by(int manager)
{
	static char all[256];
	char datagram[128];
	size_t used = 0;
	ssize_t length;
	while (length = recv(manager, datagram, sizeof(datagram) - 1, MSG_DONTWAIT), length >= 0) {
		datagram[length] = '\0';
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s ", strtok(datagram, "\n"));
	}
	all[used] = '\0';
	return all;
}

static void test_program_wait_tells_the_service_manager(void **state)
{
	(void)state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/vigie-test-%ld", (long)getpid());
	int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);

	struct child child;
	child_start(&child, NULL, print_events);
	await_line(&child, "ready\n");
	kill(child.pid, SIGHUP);
	await_line(&child, "reload 1 threads 0\n");
	kill(child.pid, SIGTERM);
	assert_int_equal(child_end(&child), 0);
	assert_string_equal(heard_by(manager), "READY=1 RELOADING=1 READY=1 STOPPING=1 ");

	/* A manager that cannot be told ends no program. */
	close(manager);
	unlink(address.sun_path);
	child_start(&child, NULL, print_events);
	await_line(&child, "ready\n");
	kill(child.pid, SIGTERM);
	assert_int_equal(child_end(&child), 0);
	assert_non_null(strstr(logged, "the service manager cannot be told: No such file"));
	unsetenv("NOTIFY_SOCKET");
}

static int raise_both(struct program *program)
{
	(void)program;
	return raise(SIGUSR1) || raise(SIGUSR2);
}

static void test_program_wait_usr1_is_an_event_where_it_is_wanted(void **state)
{
	(void)state;
	struct child child;
	dumps = true;
	child_start(&child, NULL, print_events);
	await_line(&child, "ready\n");
	kill(child.pid, SIGUSR1);
	await_line(&child, "dump\n");
	kill(child.pid, SIGTERM);
	assert_int_equal(child_end(&child), 0);

	child_start(&child, (const char *const[]){ "--help", NULL }, NULL);
	assert_int_equal(child_end(&child), 0);
	assert_non_null(strstr(output, "SIGUSR1 logs the counters"));
	dumps = false;
	child_start(&child, (const char *const[]){ "--help", NULL }, NULL);
	assert_int_equal(child_end(&child), 0);
	assert_null(strstr(output, "SIGUSR1"));

	/* Elsewhere it does nothing, and neither does the other one anywhere. */
	for (int ends = 0; ends < 2; ends++) {
		own_options = ends ? (const struct program_option[]){ { 0 } } : NULL;
		child_start(&child, NULL, ends ? raise_both : print_events);
		if (!ends) {
			await_line(&child, "ready\n");
			kill(child.pid, SIGUSR1);
			kill(child.pid, SIGUSR2);
			kill(child.pid, SIGTERM);
		}
		assert_int_equal(child_end(&child), 0);
		assert_string_equal(output, ends ? "" : "stop\n");
	}
	own_options = NULL;
}

static int wait_for_times(struct program *program)
{
	struct tick tick;
	int64_t begun_ns = clock_monotonic_ns();
	if (program_wait_for(program, -1, 60) != PROGRAM_TIMEOUT || clock_monotonic_ns() - begun_ns < 60000000)
		return 1;
	if (program_wait_for(program, -1, 0) != PROGRAM_TIMEOUT)
		return 2;
	/* What is there already comes before the end of the wait. */
	if (tick_open(&tick, 1000, 0, 0, (struct moment){ 1000, 1000 }) != 0)
		return 3;
	if (program_wait_for(program, tick.timer_fd, 60000) != PROGRAM_TIMER)
		return 4;
	if (program_wait_for(program, tick.timer_fd, 0) != PROGRAM_TIMER)
		return 5;
	raise(SIGHUP);
	if (program_wait_for(program, tick.timer_fd, 0) != PROGRAM_RELOAD)
		return 6;
	tick_close(&tick);
	return RAN;
}

static const char *own_ip = "none", *own_file;

static int print_own(struct program *program)
{
	sigset_t blocked;
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	printf("%s %s %s %d\n", own_ip, own_file ? own_file : "null", program->config->server.store,
	       sigismember(&blocked, SIGINT));
	return RAN;
}

static void test_program_start_options_of_one_program_alone(void **state)
{
	(void)state;
	static const struct program_option options[] = {
		{ "ip", "ADDRESS", "whose", &own_ip },
		{ "a-name-that-is-long-indeed", "FILE", "where", &own_file },
		{ "flag", NULL, "whether", &own_file },
		{ NULL, NULL, NULL, NULL },
	};
	static const struct {
		const char *const arguments[ARGUMENT_MAX];
		int status;
		const char *output;
	} cases[] = {
		{ { NULL }, RAN, "none null sqlite 0\n" },
		{ { "--ip", "::1", "-sserver.store=x", "--a-name-that-is-long-indeed=y" }, RAN, "::1 y x 0\n" },
		{ { "--a-name-that-is-long-indeed", "" }, RAN, "none  sqlite 0\n" },
		{ { "--flag", "--ip=::1" }, RAN, "::1  sqlite 0\n" },
		{ { "--flag=x" }, EXIT_FAILURE, "allow an argument" },
		{ { "--ip" }, EXIT_FAILURE, "requires an argument" },
		{ { "word" }, EXIT_FAILURE, "'word' is no option" },
		{ { "--help" }, EXIT_SUCCESS, "      --ip ADDRESS            whose\n" },
		{ { "--help" }, EXIT_SUCCESS, "      --a-name-that-is-long-indeed FILE where\n      --flag " },
		{ { "--help" }, EXIT_SUCCESS, " whether\n  -c, --config FILE " },
	};
	own_options = options;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child child;
		child_start(&child, cases[i].arguments, print_own);
		assert_int_equal(child_end(&child), cases[i].status);
		if (!strstr(output, cases[i].output) && !strstr(logged, cases[i].output))
			fail_msg("case %zu: '%s', '%s'", i, output, logged);
	}
	assert_null(strstr(output, "SIGHUP"));
	own_options = NULL;
}

static void test_program_wait_for_ends_with_its_time(void **state)
{
	(void)state;
	struct child child;
	child_start(&child, NULL, wait_for_times);
	assert_int_equal(child_end(&child), RAN);
}

static void test_program_reload_broken_file_keeps_the_old_configuration(void **state)
{
	(void)state;
	struct child child;
	write_config("[server]\nthreads = 8\n");
	child_start(&child, (const char *const[]){ "-c", config_path, "-salert.clear=70", NULL }, print_events);
	await_line(&child, "ready\n");
	write_config("[server]\nthreads = 9\n");
	kill(child.pid, SIGHUP);
	await_line(&child, "reload 1 threads 9\n");
	write_config("[server]\nthreads = nine\n");
	kill(child.pid, SIGHUP);
	await_line(&child, "reload 0 threads 9\n");
	write_config("[server]\nstore = bad\nthreads = 10\n");
	kill(child.pid, SIGHUP);
	await_line(&child, "reload 0 threads 9\n");
	unlink(config_path);
	kill(child.pid, SIGHUP);
	await_line(&child, "reload 0 threads 9\n");
	write_config("[server]\nthreads = 11\n");
	kill(child.pid, SIGHUP);
	await_line(&child, "reload 1 threads 11\n");
	kill(child.pid, SIGTERM);
	assert_int_equal(child_end(&child), 0);
	assert_non_null(strstr(logged, ":2: threads: 'nine' is not a whole number\n"));
	assert_non_null(strstr(logged, "warning: the configuration stays as it was\n"));
	assert_non_null(strstr(logged, "info: configuration reloaded\n"));
}

static int reload_levels(struct program *program)
{
	printf("ready\n");
	fflush(stdout);
	while (program_wait(program, -1) != PROGRAM_STOP) {
		(void)program_reload(program);
		log_debug("after a reload, overridden %s", program->config->sqlite.path);
		printf("ready\n");
		fflush(stdout);
	}
	return 0;
}

static void test_program_reload_takes_the_level_and_keeps_the_command_line(void **state)
{
	(void)state;
	struct child child;
	write_config("[sqlite]\npath = file\n");
	child_start(&child, (const char *const[]){ "-c", config_path, "-ssqlite.path=line", NULL }, reload_levels);
	await_line(&child, "ready\n");
	write_config("[log]\nlevel = debug\n[sqlite]\npath = file\n");
	kill(child.pid, SIGHUP);
	await_line(&child, "ready\n");
	kill(child.pid, SIGTERM);
	assert_int_equal(child_end(&child), 0);
	assert_non_null(strstr(logged, "debug: after a reload, overridden line\n"));
}

/* systemd may reload what it has only just started: the signal waits for its turn. */
static void test_program_start_signals_while_it_reads_the_configuration_wait(void **state)
{
	(void)state;
	struct child child;
	assert_int_equal(mkfifo(fifo_path, 0600), 0);
	child_start(&child, (const char *const[]){ "-c", fifo_path, NULL }, print_events);
	int fifo = open(fifo_path, O_WRONLY | O_CLOEXEC); /* the child has it open now, too */
	assert_true(fifo >= 0);
	assert_int_equal(kill(child.pid, SIGHUP), 0);
	assert_int_equal(write(fifo, "[server]\nthreads = 8\n", 21), 21);
	close(fifo);
	await_line(&child, "ready\n");
	fifo = open(fifo_path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fifo, "[server]\nthreads = 9\n", 21), 21);
	close(fifo);
	await_line(&child, "reload 1 threads 9\n");
	kill(child.pid, SIGTERM);
	assert_int_equal(child_end(&child), 0);
	unlink(fifo_path);
}

/* A timer and signals that are there at once: the signals come first. */
static int timer_and_signals(struct program *program)
{
	struct tick tick;
	int64_t boundary;
	if (tick_open(&tick, 1000, 0, 20, (struct moment){ 980, 980 }) != 0)
		return 1;
	if (program_wait(program, tick.timer_fd) != PROGRAM_TIMER)
		return 2;
	/* It stays readable until it is taken. */
	if (program_wait(program, tick.timer_fd) != PROGRAM_TIMER)
		return 3;
	raise(SIGHUP);
	if (program_wait(program, tick.timer_fd) != PROGRAM_RELOAD)
		return 4;
	if (program_wait(program, tick.timer_fd) != PROGRAM_TIMER)
		return 5;
	if (!tick_take(&tick, (struct moment){ 1000, 1000 }, &boundary) || boundary != 1000)
		return 6;
	struct pollfd fd = { .fd = tick.timer_fd, .events = POLLIN };
	if (poll(&fd, 1, 0) != 0)
		return 7;
	raise(SIGTERM);
	if (program_wait(program, tick.timer_fd) != PROGRAM_STOP)
		return 8;
	/* SIGPIPE is ignored: raise() comes back. */
	raise(SIGPIPE);
	tick_close(&tick);
	return RAN;
}

static void test_program_wait_signals_come_before_the_timer(void **state)
{
	(void)state;
	struct child child;
	child_start(&child, NULL, timer_and_signals);
	assert_int_equal(child_end(&child), RAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program_start_help_prints_every_option),
		cmocka_unit_test(test_program_start_version_prints_it),
		cmocka_unit_test(test_program_start_unknown_options_exit_1),
		cmocka_unit_test(test_program_start_without_arguments_runs),
		cmocka_unit_test(test_program_start_check_config_tells_right_from_broken),
		cmocka_unit_test(test_program_start_print_config_prints_what_is_in_force),
		cmocka_unit_test(test_program_start_sets_the_level_of_the_log),
		cmocka_unit_test(test_program_start_logs_what_the_configuration_warns_of),
		cmocka_unit_test(test_program_wait_signals_become_events),
		cmocka_unit_test(test_program_wait_tells_the_service_manager),
		cmocka_unit_test(test_program_wait_usr1_is_an_event_where_it_is_wanted),
		cmocka_unit_test(test_program_start_options_of_one_program_alone),
		cmocka_unit_test(test_program_wait_for_ends_with_its_time),
		cmocka_unit_test(test_program_reload_broken_file_keeps_the_old_configuration),
		cmocka_unit_test(test_program_reload_takes_the_level_and_keeps_the_command_line),
		cmocka_unit_test(test_program_start_signals_while_it_reads_the_configuration_wait),
		cmocka_unit_test(test_program_wait_signals_come_before_the_timer),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
