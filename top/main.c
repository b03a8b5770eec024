/*
 * vigie: what is done by hand; its commands are named by the first argument.
 *
 *   vigie top   the processes of all hosts on a terminal, and for scripts
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/client.h"
#include "common/config.h"
#include "common/log.h"
#include "common/program.h"
#include "common/proxy.h"
#include "common/secret.h"
#include "common/url.h"
#include "top/interactive.h"
#include "top/view.h"

static const char *url, *token_file, *ca_file, *once, *sort = "cpu", *process = "", *host = "", *interval = "5s";

static const struct program_option options[] = {
	{ "url", "URL", "the server's REST interface; without it, [alert] url", &url },
	{ "token-file", "FILE", "has a token that may read; likewise", &token_file },
	{ "ca-file", "FILE", "certificates to trust; likewise", &ca_file },
	{ "once", NULL, "print all of it once, as where there is no terminal", &once },
	{ "sort", "cpu|mem|probability|alarm", "the order at the start (cpu)", &sort },
	{ "process", "PART", "only processes with this in their name", &process },
	{ "host", "PART", "only hosts with this in their name or address", &host },
	{ "interval", "DURATION", "between two questions to the server (5s)", &interval },
	{ NULL, NULL, NULL, NULL },
};

static struct program program = {
	.name = "vigie top",
	.summary = "the processes of all hosts by what they use",
	.ends = true,
	.options = options,
};

/* False: it has been logged. */
static bool read_choice(struct session *session, int64_t *ret_interval_ms)
{
	static const char *const orders[] = {
		[FLEET_BY_CPU] = "cpu", [FLEET_BY_MEM] = "mem", [FLEET_BY_PROBABILITY] = "probability",
		[FLEET_BY_ALARM] = "alarm",
	};
	size_t order = 0;
	double interval_ms;
	while (order < sizeof(orders) / sizeof(orders[0]) && strcmp(orders[order], sort) != 0)
		order++;
	if (order == sizeof(orders) / sizeof(orders[0])) {
		log_error("--sort: '%s' is none of cpu, mem, probability and alarm", sort);
		return false;
	}
	if (!config_parse_duration(interval, &interval_ms) || !(interval_ms >= 1000 && interval_ms <= 3600000)) {
		log_error("--interval: '%s' is no duration from 1s to 1h", interval);
		return false;
	}
	session->order = (enum fleet_order)order;
	snprintf(session->process, sizeof(session->process), "%s", process);
	snprintf(session->host, sizeof(session->host), "%s", host);
	*ret_interval_ms = (int64_t)interval_ms;
	return true;
}

/* NULL: it has been logged. */
static struct client *open_client(void)
{
	const struct config *config = program.config;
	struct text token = TEXT_EMPTY, error = TEXT_EMPTY;
	struct client *client = NULL;
	const char *path = token_file ? token_file : config->alert.token_file;
	int result = url_check(url ? "--url" : "[alert] url", url ? url : config->alert.url, &error);
	if (result == 0)
		result = proxy_check("[alert] proxy", config->alert.proxy, &error);
	if (result == 0 && path[0]) {
		result = secret_read(path, &token);
		if (result)
			text_printf(&error, "%s: %s", path, result == -EINVAL ? "it holds no token" : strerror(-result));
	}
	if (result == 0) {
		client = client_open(WIRE_NOBODY, url ? url : config->alert.url, text_or(&token, ""), config->alert.proxy,
		                     config->alert.timeout_ms);
		if (!client || !client_trust(client, ca_file ? ca_file : config->alert.ca_file)) {
			client_close(client);
			client = NULL;
			text_append_string(&error, "out of memory");
		}
	}
	if (!client)
		log_error("%s", text_or(&error, "out of memory"));
	text_free(&token);
	text_free(&error);
	return client;
}

static int print(struct fleet *fleet, const struct session *session)
{
	struct fleet_choice choice = session_choice(session);
	const struct fleet_row *const *rows;
	size_t count;
	struct text text = TEXT_EMPTY;
	int result = fleet_list(fleet, &choice, &rows, &count);
	if (result == 0) {
		view_append_all(rows, count, &text);
		result = text_failed(&text) ? -ENOMEM : 0;
	}
	if (result == 0)
		fputs(text.data, stdout);
	text_free(&text);
	return result;
}

/* False: it has been logged. */
static bool print_once(struct client *client, const struct session *session)
{
	struct fleet *fleet = NULL;
	struct text error = TEXT_EMPTY;
	int result = feed_ask(client, &fleet, &error);
	if (result) {
		log_error("%s", text_or(&error, strerror(-result)));
	} else {
		result = print(fleet, session);
		if (result)
			log_error("%s", strerror(-result));
	}
	fleet_close(fleet);
	text_free(&error);
	return result == 0;
}

static bool show(struct client *client, struct session *session, int64_t interval_ms)
{
	struct feed *feed;
	int result = feed_open(client, interval_ms, &feed);
	if (result) {
		log_error("%s", strerror(-result));
		return false;
	}
	bool shown = interactive_run(feed, url ? url : program.config->alert.url, session);
	feed_close(feed);
	if (!shown)
		log_error("the terminal cannot be drawn on: is TERM right? --once does without");
	return shown;
}

static bool run(void)
{
	struct session session = { .ended = false };
	int64_t interval_ms;
	if (!read_choice(&session, &interval_ms))
		return false;
	struct client *client = open_client();
	if (!client)
		return false;
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	bool done = once || !terminal ? print_once(client, &session) : show(client, &session, interval_ms);
	client_close(client);
	return done;
}

static int top_main(int argc, char *argv[])
{
	int exit_status;
	setlocale(LC_CTYPE, "");
	if (program_start(&program, argc, argv, &exit_status))
		exit_status = run() ? EXIT_SUCCESS : EXIT_FAILURE;
	return program_end(&program, exit_status);
}

int main(int argc, char *argv[])
{
	if (argc > 1 && strcmp(argv[1], "top") == 0)
		return top_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("vigie " VIGIE_VERSION);
		return program_flush(EXIT_SUCCESS);
	}
	bool asked = argc > 1 && strcmp(argv[1], "--help") == 0;
	fputs("vigie top: the processes of all hosts by what they use; vigie top --help says more\n", asked ? stdout : stderr);
	return program_flush(asked ? EXIT_SUCCESS : EXIT_FAILURE);
}
