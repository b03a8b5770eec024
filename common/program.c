#include "common/program.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/comm.h"
#include "common/log.h"
#include "common/notify.h"

#ifndef VIGIE_VERSION
#define VIGIE_VERSION "development"
#endif

enum { OWN_MAX = 16 }; /* options of one program alone */

static size_t count_options(const struct program *program)
{
	size_t count = 0;
	while (program->options && program->options[count].name)
		count++;
	return count;
}

static void print_help(const struct program *program)
{
	printf("%s: %s\n\n", program->name, program->summary);
	for (size_t i = 0; i < count_options(program); i++) {
		const struct program_option *option = &program->options[i];
		int width = 20 - (int)strlen(option->name);
		printf("      --%s %-*s %s\n", option->name, width > 0 ? width : 0, option->value_name ? option->value_name : "",
		       option->help);
	}
	printf("  -c, --config FILE           read FILE (vigie.conf); without it the defaults hold\n"
	       "  -s, --set SECTION.KEY=VALUE set one option over the file's, may be repeated\n"
	       "      --check-config          check the configuration, then end\n"
	       "      --print-config          print the configuration in force, then end\n"
	       "      --debug                 log everything\n"
	       "      --version               print the version\n"
	       "      --help                  print this\n");
	if (!program->ends)
		printf("\nSIGHUP reloads the configuration, %sSIGTERM ends the program.\n",
		       program->dumps ? "SIGUSR1 logs the counters, " : "");
}

static int load(const struct program *program, struct config **ret_config)
{
	struct text error = TEXT_EMPTY;
	struct config *config = NULL;
	int result = config_load(program->config_path, program->overrides, program->override_count, &config, &error);
	if (result == 0) {
		result = program->check ? program->check(config, &error) : 0;
		if (result == 0)
			result = comm_warn(config, program->config_path);
		if (result)
			config_free(config);
	}
	if (result)
		log_error("%s", text_or(&error, strerror(-result)));
	else
		*ret_config = config;
	text_free(&error);
	return result;
}

static void use_config(struct program *program, struct config *config)
{
	config_free(program->config);
	program->config = config;
	log_set_level(program->debug ? LOG_LEVEL_DEBUG : (enum log_level)config->log.level);
	for (size_t i = 0; i < config->warnings.count; i++)
		log_warning("%s", config->warnings.values[i]);
}

static int open_signals(bool dumps)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (dumps)
		sigaddset(&signals, SIGUSR1);
	if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void refuse_option(const char *argument)
{
	log_error("'%s' is no option; see --help", argument);
}

/* True when the program is to go on; otherwise it ends with *ret_exit_status. */
static bool read_command_line(struct program *program, int argc, char *argv[], bool *ret_print, int *ret_exit_status)
{
	enum { CHECK_CONFIG = 256, PRINT_CONFIG, DEBUG, VERSION, HELP, OWN };
	static const struct option shared[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "set", required_argument, NULL, 's' },
		{ "check-config", no_argument, NULL, CHECK_CONFIG },
		{ "print-config", no_argument, NULL, PRINT_CONFIG },
		{ "debug", no_argument, NULL, DEBUG },
		{ "version", no_argument, NULL, VERSION },
		{ "help", no_argument, NULL, HELP },
	};
	enum { SHARED = sizeof(shared) / sizeof(shared[0]) };
	size_t own_count = count_options(program);
	struct option long_options[SHARED + OWN_MAX + 1] = { 0 };
	assert(own_count <= OWN_MAX);
	memcpy(long_options, shared, sizeof(shared));
	for (size_t i = 0; i < own_count; i++) {
		int takes = program->options[i].value_name ? required_argument : no_argument;
		long_options[SHARED + i] = (struct option){ program->options[i].name, takes, NULL, OWN + (int)i };
	}

	opterr = 0; /* its own words do not say where the options are told */
	for (;;) {
		int option = getopt_long(argc, argv, ":c:s:", long_options, NULL);
		if (option == -1)
			break;
		switch (option) {
		case 'c':
			program->config_path = optarg;
			break;
		case 's':
			program->overrides[program->override_count++] = optarg;
			break;
		case CHECK_CONFIG:
			program->checks = true;
			break;
		case PRINT_CONFIG:
			*ret_print = true;
			break;
		case DEBUG:
			program->debug = true;
			break;
		case VERSION:
			printf("%s %s\n", program->name, VIGIE_VERSION);
			*ret_exit_status = EXIT_SUCCESS;
			return false;
		case HELP:
			print_help(program);
			*ret_exit_status = EXIT_SUCCESS;
			return false;
		case ':':
			log_error("option '%s' requires an argument; see --help", argv[optind - 1]);
			return false;
		case '?':
			if (optopt == 0)
				refuse_option(argv[optind - 1]);
			else if (optopt >= CHECK_CONFIG)
				log_error("option '%s' doesn't allow an argument; see --help", argv[optind - 1]);
			else
				log_error("invalid option -- '%c'; see --help", optopt);
			return false;
		default:
			*program->options[option - OWN].value = optarg ? optarg : "";
			break;
		}
	}
	if (optind < argc) {
		refuse_option(argv[optind]);
		return false;
	}
	return true;
}

bool program_start(struct program *program, int argc, char *argv[], int *ret_exit_status)
{
	bool print = false;
	*ret_exit_status = EXIT_FAILURE;
	program->signal_fd = -1;
	log_init(program->name);

	program->overrides = calloc((size_t)argc, sizeof(*program->overrides));
	if (!program->overrides) {
		log_error("out of memory");
		return false;
	}
	if (!read_command_line(program, argc, argv, &print, ret_exit_status))
		return false;

	/* Before anything that takes time: a SIGHUP must not end a program that starts. */
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	if (!program->ends)
		program->signal_fd = open_signals(program->dumps);
	if (!program->ends && program->signal_fd < 0) {
		log_error("cannot wait for signals: %s", strerror(errno));
		return false;
	}

	struct config *config;
	if (load(program, &config) != 0)
		return false;
	use_config(program, config);
	if (program->checks || print) {
		struct text text = TEXT_EMPTY;
		if (print)
			config_print(config, &text);
		else
			text_printf(&text, "%s: the configuration is right\n", program->name);
		*ret_exit_status = program_print(&text);
		text_free(&text);
		return false;
	}
	return true;
}

bool program_reload(struct program *program)
{
	struct config *config;
	if (load(program, &config) != 0) {
		log_warning("the configuration stays as it was");
		return false;
	}
	use_config(program, config);
	log_info("configuration reloaded");
	return true;
}

/* A manager that is not told waits in vain, and says so itself. */
static void tell_manager(enum notify_state state)
{
	int result = notify_send(state);
	if (result)
		log_warning("the service manager cannot be told: %s", strerror(-result));
}

static enum program_event take_signal(struct program *program, uint32_t signal)
{
	switch (signal) {
	case SIGHUP:
		tell_manager(NOTIFY_RELOADING);
		program->ready = false; /* until it waits again */
		return PROGRAM_RELOAD;
	case SIGUSR1:
		return PROGRAM_DUMP;
	default:
		tell_manager(NOTIFY_STOPPING);
		return PROGRAM_STOP;
	}
}

enum program_event program_wait_for(struct program *program, int timer_fd, int64_t wait_ms)
{
	if (!program->ready) {
		tell_manager(NOTIFY_READY);
		program->ready = true;
	}
	int64_t end_ns = clock_monotonic_ns() + wait_ms * 1000000;
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = program->signal_fd, .events = POLLIN },
			{ .fd = timer_fd, .events = POLLIN },
		};
		int ready = poll(fds, 2, wait_ms < 0 ? -1 : clock_poll_ms(end_ns));
		if (ready < 0)
			continue; /* EINTR: a debugger's stop */

		struct signalfd_siginfo signal;
		if (fds[0].revents && read(program->signal_fd, &signal, sizeof(signal)) == (ssize_t)sizeof(signal))
			return take_signal(program, signal.ssi_signo);
		if (fds[1].revents)
			return PROGRAM_TIMER;
		if (ready == 0)
			return PROGRAM_TIMEOUT;
	}
}

enum program_event program_wait(struct program *program, int timer_fd)
{
	return program_wait_for(program, timer_fd, -1);
}

int program_print(const struct text *text)
{
	if (text_failed(text)) {
		log_error("out of memory");
		return EXIT_FAILURE;
	}
	fputs(text_or(text, ""), stdout);
	return EXIT_SUCCESS;
}

int program_flush(int exit_status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return exit_status;
	log_error("not all of it could be printed");
	return EXIT_FAILURE;
}

int program_end(struct program *program, int exit_status)
{
	config_free(program->config);
	program->config = NULL;
	free(program->overrides);
	program->overrides = NULL;
	if (program->signal_fd >= 0)
		close(program->signal_fd);
	program->signal_fd = -1;
	return program_flush(exit_status);
}
