#include "common/config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a line may have, its end and a NUL included. */
enum { LINE_SIZE = 8192 };

#define BLANKS " \t\n\v\f\r"
#define UNWRITABLE "a value begins or ends with no blank, has no line end, no ';' after a blank, and fits in a line"

enum type { STRING, PATH, INTEGER, BYTES, DURATION, NUMBER, BOOLEAN, CHOICE, LIST };

struct option {
	const char *section, *key;
	enum type type;
	size_t offset; /* of the field in struct config */
	const char *fallback;
	double minimum, maximum; /* both 0: no bounds */
	const char *const *choices; /* CHOICE: the words, NULL at the end; the value is the index */
	const char *help;
};

static const char *const log_levels[] = { "error", "warning", "info", "debug", NULL };
static const char *const cpu_scales[] = { "core", "machine", NULL };
static const char *const mem_scales[] = { "machine", "limit", NULL };
static const char *const names[] = { "comm", "unit", "exe", NULL };
static const char *const gzips[] = { "auto", "yes", "no", NULL };

/* An option's type and where its field is: it compiles for a field that set_option() may write as that type. */
#define FIELD(type, name) type, _Generic(((struct config *)0)->name, TYPE_##type: offsetof(struct config, name))
typedef char *TYPE_STRING, *TYPE_PATH;
typedef int64_t TYPE_INTEGER, TYPE_BYTES, TYPE_DURATION, TYPE_CHOICE;
typedef double TYPE_NUMBER;
typedef bool TYPE_BOOLEAN;
typedef struct config_list TYPE_LIST;

#define MINUTE 60e3
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MIB 1048576.0

static const struct option options[] = {
	{ "log", "level", FIELD(CHOICE, log.level), "info", 0, 0, log_levels,
	  "error, warning, info or debug" },

	{ "server", "store", FIELD(STRING, server.store), "sqlite", 0, 0, NULL,
	  "where the samples are kept: sqlite, influxdb3, influxdb2, influxql (InfluxDB 1) or victoriametrics; each has a section below" },
	{ "server", "threads", FIELD(INTEGER, server.threads), "0", 0, 1024, NULL,
	  "threads that answer requests; 0: 40" },
	{ "server", "max_body", FIELD(BYTES, server.max_body), "4MiB", 1024, 256 * MIB, NULL,
	  "the largest body of a PUT; nginx has the same limit of its own" },
	{ "server", "hosts", FIELD(LIST, server.hosts), NULL, 0, 0, NULL,
	  "names that clients call this server by, a glob each, may be repeated; addresses, localhost and the machine's own names need not be said; requests for another name are answered 421" },
	{ "server", "connections_per_address", FIELD(INTEGER, server.connections_per_address), "200", 0, 1e5, NULL,
	  "requests under way that an address may have, and so all hosts behind one NAT together; loopback any number; 0: no limit; nginx has it of deploy/run" },
	{ "server", "memory", FIELD(BYTES, server.memory), "384MiB", 16 * MIB, 1024 * 1024 * MIB, NULL,
	  "what requests may hold in all, a quarter of it for bodies and the rest for answers; further ones are answered 503; at least 16 times max_body" },
	{ "server", "interval", FIELD(DURATION, server.interval_ms), "10s", 1e3, HOUR, NULL,
	  "the interval of collectors that do not say theirs: what is older than three of them is not the latest" },
	{ "server", "retention", FIELD(DURATION, server.retention_ms), "2d", MINUTE, 3660 * DAY, NULL,
	  "how long samples are kept" },
	{ "server", "max_series_per_host", FIELD(INTEGER, server.max_series_per_host), "10000", 1, 1e6, NULL,
	  "process names a host may have within the retention; a further one takes the place of one that is gone, or counts as \"other\"" },
	{ "server", "max_series", FIELD(INTEGER, server.max_series), "1000000", 1, 1e8, NULL,
	  "process names of all hosts together; further ones count as \"other\"" },
	{ "server", "max_points", FIELD(INTEGER, server.max_points), "5000000", 1, 1e9, NULL,
	  "points one answer may hold" },
	{ "server", "cache", FIELD(DURATION, server.cache_ms), "1s", 0, 1e3, NULL,
	  "how old an answer may be that is given to several who ask the same, at most a tenth of interval; 0: each has its own, but for those who ask at the same moment" },
	{ "server", "store_timeout", FIELD(DURATION, server.store_timeout_ms), "10s", 100, 10 * MINUTE, NULL,
	  "how long one request to an engine may take" },
	{ "server", "store_queue", FIELD(BYTES, server.store_queue), "96MiB", 1024, 1024 * 1024 * MIB, NULL,
	  "samples that wait for the store, beyond the first batch; further ones are answered 503" },
	{ "server", "store_ca_file", FIELD(PATH, server.store_ca_file), "", 0, 0, NULL,
	  "certificates to trust for an engine's https URL, PEM; empty: the system's" },
	{ "server", "store_proxy", FIELD(STRING, server.store_proxy), "environment", 0, 0, NULL,
	  "how an engine is reached that is not on loopback: environment (http_proxy, https_proxy, all_proxy, no_proxy), none, or the URL of a proxy" },
	{ "server", "manage_retention", FIELD(BOOLEAN, server.manage_retention), "no", 0, 0, NULL,
	  "whether the retention of a bucket or database that is there already is changed to ours" },
	{ "server", "write_tokens", FIELD(PATH, server.write_tokens), "", 0, 0, NULL,
	  "a file of bearer tokens, one a line and for its owner's eyes only, of which a PUT needs one; empty: everybody may" },
	{ "server", "read_tokens", FIELD(PATH, server.read_tokens), "", 0, 0, NULL,
	  "the same for every GET but health" },
	{ "server", "admin_tokens", FIELD(PATH, server.admin_tokens), "", 0, 0, NULL,
	  "a file of tokens that give every right; they close nothing by themselves" },

	{ "sqlite", "path", FIELD(PATH, sqlite.path), "vigie.db", 0, 0, NULL,
	  "the database file" },
	{ "sqlite", "detail", FIELD(DURATION, sqlite.detail_ms), "0", 0, 3660 * DAY, NULL,
	  "how long samples are kept as they came, at most the retention; of what is older their count, mean and highest value of each 5 minutes are; 0: as long as the retention" },

	{ "influxdb3", "url", FIELD(STRING, influxdb3.url), "http://localhost:8181", 0, 0, NULL,
	  "the InfluxDB 3 server" },
	{ "influxdb3", "database", FIELD(STRING, influxdb3.database), "monitoring", 0, 0, NULL,
	  "its database; made where it is missing" },
	{ "influxdb3", "token_file", FIELD(PATH, influxdb3.token_file), "", 0, 0, NULL,
	  "a file that holds an admin token; empty: the server asks for none" },

	{ "influxdb2", "url", FIELD(STRING, influxdb2.url), "http://localhost:8086", 0, 0, NULL,
	  "the InfluxDB 2 server" },
	{ "influxdb2", "org", FIELD(STRING, influxdb2.org), "myorg", 0, 0, NULL,
	  "its organisation, which is there already" },
	{ "influxdb2", "bucket", FIELD(STRING, influxdb2.bucket), "monitoring", 0, 0, NULL,
	  "its bucket; made where it is missing" },
	{ "influxdb2", "token_file", FIELD(PATH, influxdb2.token_file), "", 0, 0, NULL,
	  "a file that holds a token for reading and writing the bucket" },

	{ "influxql", "url", FIELD(STRING, influxql.url), "http://localhost:8086", 0, 0, NULL,
	  "the InfluxDB 1 server" },
	{ "influxql", "database", FIELD(STRING, influxql.database), "monitoring", 0, 0, NULL,
	  "its database; made where it is missing" },
	{ "influxql", "user", FIELD(STRING, influxql.user), "", 0, 0, NULL,
	  "who we are to it; empty: nobody" },
	{ "influxql", "password_file", FIELD(PATH, influxql.password_file), "", 0, 0, NULL,
	  "a file that holds the user's password" },

	{ "victoriametrics", "insert_url", FIELD(STRING, victoriametrics.insert_url), "http://localhost:8428", 0, 0, NULL,
	  "where samples go; of a cluster http://VMINSERT:8480/insert/0/influx" },
	{ "victoriametrics", "select_url", FIELD(STRING, victoriametrics.select_url), "http://localhost:8428", 0, 0, NULL,
	  "where they are read; of a cluster http://VMSELECT:8481/select/0/prometheus" },
	{ "victoriametrics", "user", FIELD(STRING, victoriametrics.user), "", 0, 0, NULL,
	  "who we are to it, or to the vmauth before it; empty: nobody" },
	{ "victoriametrics", "password_file", FIELD(PATH, victoriametrics.password_file), "", 0, 0, NULL,
	  "a file that holds the user's password" },
	{ "victoriametrics", "token_file", FIELD(PATH, victoriametrics.token_file), "", 0, 0, NULL,
	  "a file that holds a bearer token, in the place of user and password" },

	{ "collector", "url", FIELD(STRING, collector.url), "http://127.0.0.1:8000/ressources-usage/", 0, 0, NULL,
	  "the server" },
	{ "collector", "ip", FIELD(STRING, collector.ip), "", 0, 0, NULL,
	  "the address this host is known by; empty: the one its connection to the server uses" },
	{ "collector", "interval", FIELD(DURATION, collector.interval_ms), "10s", 1e3, HOUR, NULL,
	  "time between two samples of every process" },
	{ "collector", "timeout", FIELD(DURATION, collector.timeout_ms), "5s", 100, MINUTE, NULL,
	  "how long one request to the server may take" },
	{ "collector", "name", FIELD(CHOICE, collector.name), "comm", 0, 0, names,
	  "what a process is called by: comm: the kernel's name, of 15 bytes; unit: its systemd unit or container, and comm where it has none; exe: its program's file" },
	{ "collector", "cpu_scale", FIELD(CHOICE, collector.cpu_scale), "core", 0, 0, cpu_scales,
	  "core: 100 is one core kept busy; machine: 100 is all of them" },
	{ "collector", "mem_scale", FIELD(CHOICE, collector.mem_scale), "machine", 0, 0, mem_scales,
	  "machine: 100 is the machine's memory; limit: it is the limit of the process's control group where that is less" },
	{ "collector", "kernel_threads", FIELD(BOOLEAN, collector.kernel_threads), "no", 0, 0, NULL,
	  "whether kernel threads are sent" },
	{ "collector", "io", FIELD(BOOLEAN, collector.io), "no", 0, 0, NULL,
	  "whether the bytes that processes read from storage and write to it are measured, where /proc/PID/io may be read" },
	{ "collector", "include", FIELD(LIST, collector.include), NULL, 0, 0, NULL,
	  "glob of names to send, may be repeated; none: all" },
	{ "collector", "exclude", FIELD(LIST, collector.exclude), NULL, 0, 0, NULL,
	  "glob of names not to send, may be repeated" },
	{ "collector", "top", FIELD(INTEGER, collector.top), "0", 0, 1e6, NULL,
	  "send only this many names, the highest in CPU and the highest in memory; 0: all" },
	{ "collector", "min_cpu", FIELD(NUMBER, collector.min_cpu), "0", 0, 1e6, NULL,
	  "leave out names under this percentage of CPU and under min_mem" },
	{ "collector", "min_mem", FIELD(NUMBER, collector.min_mem), "0", 0, 100, NULL,
	  "leave out names under this percentage of memory and under min_cpu" },
	{ "collector", "max_processes", FIELD(INTEGER, collector.max_processes), "2000", 1, 1e6, NULL,
	  "names sent; the smallest of further ones are summed under \"other\"" },
	{ "collector", "spool", FIELD(PATH, collector.spool), "spool", 0, 0, NULL,
	  "a folder for what the server does not take now, made where it is missing; each collector has its own; empty: memory alone" },
	{ "collector", "spool_bytes", FIELD(BYTES, collector.spool_bytes), "64MiB", 64 * 1024, 1024 * 1024 * MIB, NULL,
	  "what it may take on the disk; the oldest is dropped" },
	{ "collector", "spool_age", FIELD(DURATION, collector.spool_age_ms), "1d", 1e3, 3660 * DAY, NULL,
	  "how old it may become there; the oldest is dropped" },
	{ "collector", "buffer", FIELD(INTEGER, collector.buffer_ticks), "60", 1, 1e5, NULL,
	  "intervals kept in memory where the spool cannot take them; the oldest is dropped" },
	{ "collector", "gzip", FIELD(CHOICE, collector.gzip), "auto", 0, 0, gzips,
	  "whether bodies are sent compressed; auto: when the server is on another machine" },
	{ "collector", "ca_file", FIELD(PATH, collector.ca_file), "", 0, 0, NULL,
	  "certificates to trust for an https URL, PEM; empty: the system's" },
	{ "collector", "proxy", FIELD(STRING, collector.proxy), "environment", 0, 0, NULL,
	  "how a server is reached that is not on loopback: environment (http_proxy, https_proxy, all_proxy, no_proxy), none, or the URL of a proxy" },
	{ "collector", "token_file", FIELD(PATH, collector.token_file), "", 0, 0, NULL,
	  "a file that holds a token of the server's write_tokens; empty: none" },

	{ "alert", "url", FIELD(STRING, alert.url), "http://127.0.0.1:8000/ressources-usage/", 0, 0, NULL,
	  "the server" },
	{ "alert", "interval", FIELD(DURATION, alert.interval_ms), "10s", 1e3, HOUR, NULL,
	  "time between two evaluations; the collectors' interval" },
	{ "alert", "phase", FIELD(DURATION, alert.phase_ms), "4s", 0, HOUR, NULL,
	  "when to evaluate at the earliest, counted from the boundary that the collectors stamp with" },
	{ "alert", "deadline", FIELD(DURATION, alert.deadline_ms), "8s", 0, HOUR, NULL,
	  "when to evaluate at the latest, counted likewise: until then hosts are waited for whose samples are not there yet; at most four fifths of interval" },
	{ "alert", "timeout", FIELD(DURATION, alert.timeout_ms), "4s", 100, MINUTE, NULL,
	  "how long one request to the server may take" },
	{ "alert", "ca_file", FIELD(PATH, alert.ca_file), "", 0, 0, NULL,
	  "certificates to trust for an https URL, PEM; empty: the system's" },
	{ "alert", "proxy", FIELD(STRING, alert.proxy), "environment", 0, 0, NULL,
	  "how a server is reached that is not on loopback: environment (http_proxy, https_proxy, all_proxy, no_proxy), none, or the URL of a proxy" },
	{ "alert", "token_file", FIELD(PATH, alert.token_file), "", 0, 0, NULL,
	  "a file that holds a token that the server takes for reading and for writing; empty: none is sent" },
	{ "alert", "threshold", FIELD(NUMBER, alert.threshold), "80", 0, 1e6, NULL,
	  "RED: the latest value is over this percentage" },
	{ "alert", "clear", FIELD(NUMBER, alert.clear), "75", 0, 1e6, NULL,
	  "an alarm ends when the value is under this percentage" },
	{ "alert", "raise_after", FIELD(INTEGER, alert.raise_after), "1", 1, 1e4, NULL,
	  "intervals over the threshold before the alarm is raised; 6 suits servers, where a core busy for a tick is no news" },
	{ "alert", "clear_after", FIELD(INTEGER, alert.clear_after), "3", 1, 1e4, NULL,
	  "intervals under clear before the alarm ends" },
	{ "alert", "amber_probability", FIELD(NUMBER, alert.amber_probability), "0.35", 0, 1, NULL,
	  "AMBER: the forecast's probability of going over the threshold within the horizon is over this, twice in a row" },
	{ "alert", "amber_clear", FIELD(NUMBER, alert.amber_clear), "0.12", 0, 1, NULL,
	  "an AMBER ends when the probability is under this, clear_after times in a row" },
	{ "alert", "horizon", FIELD(DURATION, alert.horizon_ms), "30m", 1e3, DAY, NULL,
	  "how far ahead AMBER looks, at most 48 times [forecast] step" },
	{ "alert", "rule", FIELD(LIST, alert.rule), NULL, 0, 0, NULL,
	  "other limits for some, may be repeated, the first that fits counts: process=GLOB ip=GLOB resource=cpu|mem mute=yes|no must_run=yes|no, and threshold= to horizon= as above" },
	{ "alert", "reminder", FIELD(DURATION, alert.reminder_ms), "0", 0, 30 * DAY, NULL,
	  "how often an alarm that stands is said again; 0: never" },
	{ "alert", "log", FIELD(PATH, alert.log), "alert.log", 0, 0, NULL,
	  "one line a transition" },
	{ "alert", "alertmanager", FIELD(LIST, alert.alertmanager), NULL, 0, 0, NULL,
	  "the URL of an Alertmanager that is told what stands and what has ended, as in http://127.0.0.1:9093, may be repeated; timeout, ca_file and proxy are as above" },
	{ "alert", "hook", FIELD(PATH, alert.hook), "", 0, 0, NULL,
	  "a program that is run with the fields of each line as its arguments, one at a time; empty: none" },
	{ "alert", "hook_timeout", FIELD(DURATION, alert.hook_timeout_ms), "10s", 100, HOUR, NULL,
	  "how long it may take before it is killed" },
	{ "alert", "hook_wait", FIELD(DURATION, alert.hook_wait_ms), "0", 0, 10 * MINUTE, NULL,
	  "how long further lines are waited for, of which it then gets all at once, as JSON on its standard input; 0: it is run for each line" },
	{ "alert", "state", FIELD(PATH, alert.state), "alert.state", 0, 0, NULL,
	  "what survives a restart" },

	{ "forecast", "refresh", FIELD(DURATION, forecast.refresh_ms), "1m", 1e3, HOUR, NULL,
	  "time between two forecasts of every series" },
	{ "forecast", "url", FIELD(STRING, forecast.url), "http://127.0.0.1:8000/ressources-usage/", 0, 0, NULL,
	  "the server" },
	{ "forecast", "step", FIELD(DURATION, forecast.step_ms), "5m", 1e3, DAY, NULL,
	  "what the model counts time in, a multiple of refresh" },
	{ "forecast", "phase", FIELD(DURATION, forecast.phase_ms), "7s", 0, HOUR, NULL,
	  "when to look, counted from the boundary: its samples have then arrived" },
	{ "forecast", "timeout", FIELD(DURATION, forecast.timeout_ms), "10s", 100, 10 * MINUTE, NULL,
	  "how long one request to the server may take" },
	{ "forecast", "ca_file", FIELD(PATH, forecast.ca_file), "", 0, 0, NULL,
	  "certificates to trust for an https URL, PEM; empty: the system's" },
	{ "forecast", "proxy", FIELD(STRING, forecast.proxy), "environment", 0, 0, NULL,
	  "how a server is reached that is not on loopback: environment (http_proxy, https_proxy, all_proxy, no_proxy), none, or the URL of a proxy" },
	{ "forecast", "token_file", FIELD(PATH, forecast.token_file), "", 0, 0, NULL,
	  "a file that holds a token that the server takes for reading and for writing; empty: none is sent" },
	{ "forecast", "above", FIELD(NUMBER, forecast.above), "25", 0, 100, NULL,
	  "series that never exceeded this percentage of their limit within the history are not looked at" },
	{ "forecast", "history", FIELD(DURATION, forecast.history_ms), "2d", 10e3, 3660 * DAY, NULL,
	  "how far back is looked, at most the server's retention; a series that is not seen for so long is forgotten" },
	{ "forecast", "long_horizon", FIELD(DURATION, forecast.long_horizon_ms), "3d", 0, 14 * DAY, NULL,
	  "how far ahead it is said when what grows steadily will be at its limit: full_at, and AMBER with horizon=; vigie-alert goes by it, too; 0: not at all" },
	{ "forecast", "model", FIELD(PATH, forecast.model), "", 0, 0, NULL,
	  "a file that vigie-forecast train wrote, which every series' model starts from; empty: the one built in" },
	{ "forecast", "state", FIELD(PATH, forecast.state), "forecast.state", 0, 0, NULL,
	  "what the models have learnt, which survives a restart" },
};

enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

struct unit {
	const char *word;
	double factor;
};

static const struct unit duration_units[] = {
	{ "ms", 1 }, { "s", 1e3 }, { "m", MINUTE }, { "h", HOUR }, { "d", DAY }, { NULL, 0 },
};
static const struct unit byte_units[] = {
	{ "GiB", 1024 * MIB }, { "MiB", MIB }, { "KiB", 1024 }, { "B", 1 }, { NULL, 0 },
};

/* Where the parser stands, for messages and for the failure that ends it. */
struct parser {
	struct config *config;
	const char *path; /* NULL on the command line */
	FILE *file; /* NULL outside the file */
	char *long_value; /* what inih has a stand-in for; NULL: nothing */
	int line;
	int lines[OPTION_COUNT]; /* where the file has what is in force of an option; 0: nowhere */
	int result; /* 0, or the negative errno of the first failure */
	struct text *error;
};

static void fail(struct parser *parser, int result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void fail(struct parser *parser, int result, const char *format, ...)
{
	if (parser->result)
		return;
	parser->result = result;

	char sentence[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	if (parser->path && parser->line)
		text_printf(parser->error, "%s:%d: %s", parser->path, parser->line, sentence);
	else
		text_printf(parser->error, "%s: %s", parser->path ? parser->path : "command line", sentence);
}

static const struct option *find_option(const char *section, const char *key, bool *ret_section_known)
{
	*ret_section_known = false;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (strcmp(options[i].section, section) != 0)
			continue;
		*ret_section_known = true;
		if (strcmp(options[i].key, key) == 0)
			return &options[i];
	}
	return NULL;
}

/* A finite number and, where `units` are given, its unit; NAN when it is neither. */
static double parse_quantity(const char *value, const struct unit *units)
{
	if (!isdigit((unsigned char)value[0]))
		return NAN;
	char *end;
	double number = strtod(value, &end);
	if (!isfinite(number))
		return NAN;
	if (*end == '\0')
		return units && number != 0 ? NAN : number;
	for (; units && units->word; units++) {
		if (strcmp(end, units->word) != 0)
			continue;
		/* 1.001s is 1001 ms, though 1.001 * 1000 is a little less. */
		double product = number * units->factor, whole = round(product);
		return fabs(product - whole) <= whole * 1e-15 ? whole : product;
	}
	return NAN;
}

bool config_parse_duration(const char *value, double *ret_ms)
{
	double quantity = parse_quantity(value, duration_units);
	if (isnan(quantity))
		return false;
	*ret_ms = quantity;
	return true;
}

static bool list_add(struct config_list *list, const char *value, int line)
{
	char **values = realloc(list->values, (list->count + 1) * sizeof(*values));
	if (values)
		list->values = values;
	int *lines = realloc(list->lines, (list->count + 1) * sizeof(*lines));
	if (lines)
		list->lines = lines;
	char *copy = strdup(value);
	if (!values || !lines || !copy) {
		free(copy);
		return false;
	}
	list->values[list->count] = copy;
	list->lines[list->count++] = line;
	return true;
}

/* Whether a line of a file can say it, so that what is printed can be read. */
static bool is_writable(const char *key, const char *value)
{
	size_t length = strlen(value);
	if (strlen(key) + strlen(" = ") + length > LINE_SIZE - 2 || strpbrk(value, "\r\n"))
		return false;
	if (length > 0 && (isspace((unsigned char)value[0]) || isspace((unsigned char)value[length - 1])))
		return false;
	for (const char *at = strchr(value, ';'); at; at = strchr(at + 1, ';')) {
		if (at > value && isspace((unsigned char)at[-1]))
			return false;
	}
	return true;
}

static void set_option(struct parser *parser, const struct option *option, const char *value)
{
	void *field = (char *)parser->config + option->offset;
	parser->lines[option - options] = parser->file ? parser->line : 0;

	bool string = option->type == STRING || option->type == PATH;
	if ((string || option->type == LIST) && !parser->path && !is_writable(option->key, value)) {
		fail(parser, -EINVAL, "%s: " UNWRITABLE, option->key);
		return;
	}
	if (string) {
		char *copy = strdup(value);
		if (!copy) {
			fail(parser, -ENOMEM, "out of memory");
			return;
		}
		free(*(char **)field);
		*(char **)field = copy; /* analyzer: the configuration has it */
		return;
	}
	if (option->type == LIST) {
		if (!value[0])
			fail(parser, -EINVAL, "%s: it has no value", option->key);
		else if (!list_add(field, value, parser->line))
			fail(parser, -ENOMEM, "out of memory");
		return;
	}
	if (option->type == BOOLEAN) {
		if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
			fail(parser, -EINVAL, "%s: '%s' is neither yes nor no", option->key, value);
		else
			*(bool *)field = value[0] == 'y';
		return;
	}
	if (option->type == CHOICE) {
		for (int64_t i = 0; option->choices[i]; i++) {
			if (strcmp(value, option->choices[i]) == 0) {
				*(int64_t *)field = i;
				return;
			}
		}
		fail(parser, -EINVAL, "%s: '%s' is none of its words (%s)", option->key, value, option->help);
		return;
	}

	const struct unit *units = option->type == DURATION ? duration_units : option->type == BYTES ? byte_units : NULL;
	double number = parse_quantity(value, units);
	bool whole = option->type == NUMBER || number == floor(number);
	if (isnan(number) || !whole) {
		fail(parser, -EINVAL, "%s: '%s' is not %s", option->key, value,
		     option->type == DURATION ? "a duration like 500ms, 10s, 5m, 12h or 2d"
		     : option->type == BYTES  ? "a size like 512KiB or 4MiB"
		     : option->type == NUMBER ? "a number"
		                              : "a whole number");
		return;
	}
	if (number < option->minimum || number > option->maximum) {
		fail(parser, -EINVAL, "%s: '%s' is out of range", option->key, value);
		return;
	}
	if (option->type == NUMBER)
		*(double *)field = number;
	else
		*(int64_t *)field = (int64_t)number;
}

/* What inih calls for each key; 0 would only tell it to remember an error. */
static int on_key(void *user, const char *section, const char *key, const char *value)
{
	struct parser *parser = user;
	if (parser->result)
		return 1;
	if (parser->long_value)
		value = parser->long_value;

	bool section_known;
	const struct option *option = find_option(section, key, &section_known);
	if (option)
		set_option(parser, option, value);
	else if (section_known)
		fail(parser, -EINVAL, "unknown key '%s' in section [%s]", key, section);
	else if (section[0])
		fail(parser, -EINVAL, "unknown section [%s]", section);
	else
		fail(parser, -EINVAL, "key '%s' stands before any section", key);
	free(parser->long_value);
	parser->long_value = NULL;
	return 1;
}

/* The value behind a key, as inih has it: without the blanks around it and the comment behind it. */
static char *trim_value(char *value)
{
	for (char *at = value; *at; at++) {
		if (*at == ';' && at > value && isspace((unsigned char)at[-1]))
			*at-- = '\0';
	}
	value += strspn(value, BLANKS);
	size_t length = strlen(value);
	while (length > 0 && isspace((unsigned char)value[length - 1]))
		length--;
	value[length] = '\0';
	return value;
}

/* A line that is longer than inih takes: it gets the key with a stand-in for the value. */
static char *shorten(struct parser *parser, char *text, char *line, int size)
{
	size_t key_length = strcspn(text, "=:");
	if (strchr("#;", text[0])) {
		line[0] = '\0';
	} else if (key_length + sizeof("=?\n") > (size_t)size || !text[key_length]) {
		fail(parser, -EINVAL, "is neither a [section], a key = value nor a comment");
		return NULL;
	} else {
		snprintf(line, (size_t)size, "%.*s=?\n", (int)key_length, text);
		free(parser->long_value);
		parser->long_value = strdup(trim_value(text + key_length + 1));
		if (!parser->long_value)
			fail(parser, -ENOMEM, "out of memory");
	}
	return parser->result ? NULL : line;
}

/* Counts the lines for the messages: Debian's inih does not tell them. It takes 198 bytes a line, in a buffer of its
 * own; paths and rules may be longer. */
static char *read_line(char *line, int size, void *user)
{
	struct parser *parser = user;
	char text[LINE_SIZE];
	if (parser->result || !fgets(text, sizeof(text), parser->file))
		return NULL;
	parser->line++;
	size_t length = strlen(text);
	if (length + 1 == sizeof(text) && text[length - 1] != '\n') {
		fail(parser, -EINVAL, "the line is longer than %d bytes", LINE_SIZE - 2);
		return NULL;
	}
	/* To inih an indented line is one more value of the key before it. */
	size_t indent = strspn(text, " \t");
	length -= indent;
	if (length + 1 >= (size_t)size)
		return shorten(parser, text + indent, line, size);
	memcpy(line, text + indent, length + 1);
	return line;
}

static void parse_file(struct parser *parser, const char *path)
{
	parser->path = path;
	parser->file = fopen(path, "re");
	if (!parser->file) {
		int error = errno;
		fail(parser, -error, "cannot be opened: %s", strerror(error));
		return;
	}
	int bad_line = ini_parse_stream(read_line, parser, on_key, parser);
	if (bad_line > 0) {
		/* inih reads on after such a line: a failure that was met is a later one. */
		text_reset(parser->error);
		parser->result = 0;
		parser->line = bad_line;
		fail(parser, -EINVAL, "is neither a [section], a key = value nor a comment");
	}
	if (!parser->result && ferror(parser->file)) {
		parser->line = 0;
		fail(parser, -EIO, "cannot be read");
	}
	fclose(parser->file);
	parser->file = NULL;
	free(parser->long_value); /* of a line that inih has refused */
	parser->long_value = NULL;
}

/* Whether a path depends on a folder. What begins as SQLite's own words do is left for the program that refuses them. */
static bool is_relative(const char *path)
{
	return path[0] && path[0] != '/' && path[0] != ':' && strncmp(path, "file:", 5) != 0;
}

/* The absolute path of `name` in the folder of `file`, "" being one in the working directory. NULL with errno. */
static char *path_beside(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	char *folder = slash ? strndup(file, (size_t)(slash - file) + 1) : strdup(".");
	char *absolute = folder ? realpath(folder, NULL) : NULL, *path = NULL;
	if (absolute && asprintf(&path, "%s/%s", strcmp(absolute, "/") == 0 ? "" : absolute, name) < 0)
		path = NULL;
	free(absolute);
	free(folder);
	return path;
}

int config_add_warning(struct config *config, int line, const char *sentence)
{
	return list_add(&config->warnings, sentence, line) ? 0 : -ENOMEM;
}

static void warn(struct parser *parser, const struct option *option, const char *missing, const char *found)
{
	struct text sentence = TEXT_EMPTY;
	text_printf(&sentence, "%s:%d: %s: there is no %s: taking %s, of the working directory", parser->path, parser->line,
	            option->key, missing, found);
	if (text_failed(&sentence) || config_add_warning(parser->config, parser->line, sentence.data) != 0)
		fail(parser, -ENOMEM, "out of memory");
	text_free(&sentence);
}

/* Makes a path of the file absolute: beside the file, unless the working directory alone has what it names. */
static void resolve_path(struct parser *parser, const struct option *option)
{
	char **field = (char **)((char *)parser->config + option->offset);
	char *path = path_beside(parser->path, *field);
	if (path && access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR) && access(*field, F_OK) == 0) {
		char *missing = path;
		path = path_beside("", *field);
		if (path)
			warn(parser, option, missing, path);
		free(missing);
	}
	if (!path) {
		fail(parser, -errno, "%s: its folder is not to be found: %s", option->key, strerror(errno));
		return;
	}
	if (!is_writable(option->key, path)) {
		fail(parser, -EINVAL, "%s: its folder's name: " UNWRITABLE, option->key);
		free(path);
		return;
	}
	free(*field);
	*field = path;
}

/* At the end, when it is known which of them the command line goes over. */
static void resolve_paths(struct parser *parser, const char *file)
{
	for (size_t i = 0; i < OPTION_COUNT && !parser->result; i++) {
		const void *field = (const char *)parser->config + options[i].offset;
		parser->path = file;
		parser->line = parser->lines[i];
		if (options[i].type == PATH && parser->line && is_relative(*(char *const *)field))
			resolve_path(parser, &options[i]);
	}
}

static void parse_override(struct parser *parser, const char *override)
{
	char section[32] = "", key[64] = "";
	int value_at = 0;
	parser->path = NULL;
	parser->line = 0;
	if (sscanf(override, "%31[a-z0-9_].%63[a-z0-9_]=%n", section, key, &value_at) != 2 || value_at == 0)
		fail(parser, -EINVAL, "'%s' is not section.key=value", override);
	else
		on_key(parser, section, key, override + value_at);
}

/* Which engines there are only one of the programs knows. */
static void note_store_place(struct parser *parser, const char *file)
{
	bool known;
	int line = parser->lines[find_option("server", "store", &known) - options];
	char *place = line ? NULL : strdup("command line");
	if (line && asprintf(&place, "%s:%d", file, line) < 0)
		place = NULL;
	if (!place)
		fail(parser, -ENOMEM, "out of memory");
	parser->config->server.store_place = place;
}

int config_load(const char *path, char *const overrides[], size_t override_count, struct config **ret_config,
                struct text *ret_error)
{
	struct config *config = calloc(1, sizeof(*config));
	struct parser parser = { .config = config, .path = "defaults", .error = ret_error };
	if (!config)
		fail(&parser, -ENOMEM, "out of memory");

	for (size_t i = 0; i < OPTION_COUNT && !parser.result; i++) {
		if (options[i].fallback)
			set_option(&parser, &options[i], options[i].fallback);
	}
	if (path && !parser.result)
		parse_file(&parser, path);
	for (size_t i = 0; i < override_count && !parser.result; i++)
		parse_override(&parser, overrides[i]);
	if (path && !parser.result)
		resolve_paths(&parser, path);
	if (!parser.result)
		note_store_place(&parser, path);

	if (parser.result) {
		config_free(config);
		return parser.result;
	}
	*ret_config = config;
	return 0;
}

static void list_free(struct config_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->values[i]);
	free(list->values);
	free(list->lines);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		void *field = (char *)config + options[i].offset;
		if (options[i].type == STRING || options[i].type == PATH)
			free(*(char **)field);
		else if (options[i].type == LIST)
			list_free(field);
	}
	list_free(&config->warnings);
	free(config->server.store_place);
	free(config);
}

/* Prints `number` in the largest unit that divides it; units from small to large or large to small. */
static void print_quantity(struct text *text, int64_t number, const struct unit *units)
{
	const struct unit *best = NULL;
	for (; units->word; units++) {
		if (number % (int64_t)units->factor == 0 && (!best || units->factor > best->factor))
			best = units;
	}
	assert(best); /* the smallest is 1 */
	text_printf(text, "%lld%s", (long long)(number / (int64_t)best->factor), best->word);
}

void config_print_duration(struct text *text, int64_t ms)
{
	print_quantity(text, ms, duration_units);
}

/* As short as can be read back. */
static void print_number(struct text *text, double number)
{
	char digits[32];
	snprintf(digits, sizeof(digits), "%.15g", number);
	if (strtod(digits, NULL) != number)
		snprintf(digits, sizeof(digits), "%.17g", number);
	text_append_string(text, digits);
}

/* A ';' behind a blank would begin a comment. */
static void print_string(struct text *text, const char *key, const char *value)
{
	text_printf(text, "%s =%s%s\n", key, value[0] == ';' ? "" : " ", value);
}

static void print_option(const struct config *config, const struct option *option, struct text *text)
{
	const void *field = (const char *)config + option->offset;
	if (option->type == LIST) {
		const struct config_list *list = field;
		if (list->count == 0)
			text_printf(text, "# %s =\n", option->key);
		for (size_t i = 0; i < list->count; i++)
			print_string(text, option->key, list->values[i]);
		return;
	}
	if (option->type == STRING || option->type == PATH) {
		print_string(text, option->key, *(char *const *)field);
		return;
	}

	text_printf(text, "%s = ", option->key);
	switch (option->type) {
	case BOOLEAN:
		text_append_string(text, *(const bool *)field ? "yes" : "no");
		break;
	case CHOICE:
		text_append_string(text, option->choices[*(const int64_t *)field]);
		break;
	case NUMBER:
		print_number(text, *(const double *)field);
		break;
	case DURATION:
		print_quantity(text, *(const int64_t *)field, duration_units);
		break;
	case BYTES:
		print_quantity(text, *(const int64_t *)field, byte_units);
		break;
	default:
		text_printf(text, "%lld", (long long)*(const int64_t *)field);
		break;
	}
	text_append_char(text, '\n');
}

void config_print(const struct config *config, struct text *text)
{
	text_append_string(text, "# paths are absolute, or relative to the folder of this file\n\n");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (i == 0 || strcmp(options[i].section, options[i - 1].section) != 0)
			text_printf(text, "%s[%s]\n", i ? "\n" : "", options[i].section);
		text_printf(text, "# %s\n", options[i].help);
		print_option(config, &options[i], text);
	}
}

bool config_describe(size_t index, struct config_option *ret_option, struct text *values)
{
	static const char *const kinds[LIST + 1] = {
		[INTEGER] = "a whole number", [BYTES] = "a size",      [DURATION] = "a duration", [PATH] = "a path",
		[NUMBER] = "a number",        [BOOLEAN] = "yes or no", [CHOICE] = "one of",
	};
	if (index >= OPTION_COUNT)
		return false;
	const struct option *option = &options[index];
	*ret_option = (struct config_option){ option->section, option->key, option->help, option->fallback };
	text_append_string(values, kinds[option->type] ? kinds[option->type] : "");
	for (size_t i = 0; option->choices && option->choices[i]; i++)
		text_printf(values, "%s %s", i ? "," : "", option->choices[i]);
	const double bounds[] = { option->minimum, option->maximum };
	for (int i = 0; option->maximum > 0 && i < 2; i++) {
		text_append_string(values, i ? " to " : " from ");
		if (option->type == DURATION && bounds[i] > 0)
			print_quantity(values, (int64_t)bounds[i], duration_units);
		else if (option->type == BYTES && bounds[i] > 0)
			print_quantity(values, (int64_t)bounds[i], byte_units);
		else
			text_printf(values, "%.15g", bounds[i]);
	}
	return true;
}
