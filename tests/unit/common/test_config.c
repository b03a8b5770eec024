#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config.h"
#include "common/log.h"

static char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16];

static int setup(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/vigie.conf", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	temporary_folder_remove(folder);
	return 0;
}

static void write_file(const char *content, size_t length)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static struct config *load_file(const char *content)
{
	struct text error = TEXT_EMPTY;
	struct config *config = NULL;
	write_file(content, strlen(content));
	if (config_load(path, NULL, 0, &config, &error) != 0)
		fail_msg("%s", error.data);
	assert_null(error.data);
	return config;
}

/* One override, as a list of them. */
static int load_override(const char *override, struct config **ret_config, struct text *ret_error)
{
	char *copy = strdup(override);
	int result = config_load(NULL, &copy, 1, ret_config, ret_error);
	free(copy);
	return result;
}

static void test_config_load_nothing_gives_the_defaults(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	struct config *config = NULL;
	assert_int_equal(config_load(NULL, NULL, 0, &config, &error), 0);
	assert_int_equal(config->log.level, LOG_LEVEL_INFO);
	assert_string_equal(config->server.store, "sqlite");
	assert_int_equal(config->server.threads, 0);
	assert_int_equal(config->server.max_body, 4 << 20);
	assert_int_equal(config->server.interval_ms, 10000);
	assert_int_equal(config->server.retention_ms, 2 * 24 * 3600 * 1000);
	assert_int_equal(config->server.max_points, 5000000);
	assert_int_equal(config->server.cache_ms, 1000);
	assert_string_equal(config->server.write_tokens, "");
	assert_string_equal(config->server.read_tokens, "");
	assert_string_equal(config->server.admin_tokens, "");
	assert_string_equal(config->alert.token_file, "");
	assert_string_equal(config->collector.url, "http://127.0.0.1:8000/ressources-usage/");
	assert_string_equal(config->collector.ip, "");
	assert_int_equal(config->collector.interval_ms, 10000);
	assert_int_equal(config->collector.timeout_ms, 5000);
	assert_int_equal(config->collector.name, NAME_COMM);
	assert_int_equal(config->collector.cpu_scale, CPU_SCALE_CORE);
	assert_int_equal(config->collector.mem_scale, MEM_SCALE_MACHINE);
	assert_false(config->collector.kernel_threads);
	assert_false(config->collector.io);
	assert_int_equal(config->collector.include.count, 0);
	assert_int_equal(config->collector.max_processes, 2000);
	assert_true(config->collector.min_cpu == 0);
	assert_string_equal(config->collector.spool, "spool");
	assert_int_equal(config->collector.spool_bytes, 64 << 20);
	assert_int_equal(config->collector.spool_age_ms, 24 * 3600 * 1000);
	assert_int_equal(config->collector.buffer_ticks, 60);
	assert_int_equal(config->collector.gzip, GZIP_AUTO);
	assert_string_equal(config->collector.ca_file, "");
	assert_string_equal(config->collector.proxy, "environment");
	assert_string_equal(config->collector.token_file, "");
	assert_true(config->alert.threshold == 80);
	assert_true(config->alert.clear == 75);
	assert_int_equal(config->alert.raise_after, 1);
	assert_true(config->alert.amber_probability == 0.35);
	assert_true(config->alert.amber_clear == 0.12);
	assert_int_equal(config->alert.rule.count, 0);
	assert_int_equal(config->alert.reminder_ms, 0);
	assert_string_equal(config->alert.hook, "");
	assert_int_equal(config->alert.hook_timeout_ms, 10000);
	assert_int_equal(config->alert.hook_wait_ms, 0);
	assert_int_equal(config->alert.alertmanager.count, 0);
	assert_int_equal(config->forecast.refresh_ms, 60000);
	assert_string_equal(config->forecast.url, "http://127.0.0.1:8000/ressources-usage/");
	assert_int_equal(config->forecast.step_ms, 300000);
	assert_int_equal(config->forecast.phase_ms, 7000);
	assert_int_equal(config->forecast.timeout_ms, 10000);
	assert_string_equal(config->forecast.token_file, "");
	assert_true(config->forecast.above == 25);
	assert_int_equal(config->forecast.history_ms, 2 * 24 * 3600 * 1000);
	assert_string_equal(config->forecast.model, "");
	assert_string_equal(config->forecast.state, "forecast.state");
	config_free(config);
}

static void test_config_load_every_type_is_read(void **state)
{
	(void)state;
	struct config *config = load_file("\xef\xbb\xbf# a byte order mark is skipped\n"
	                                  "; a comment too\n"
	                                  "\n"
	                                  "[log]\n"
	                                  "level = debug\r\n"
	                                  "[server]\n"
	                                  "store=other ; why\n"
	                                  "threads: 7\n"
	                                  "max_body = 512KiB\n"
	                                  "[collector]\n"
	                                  "url = http://h:1/a?b=c;d#e\n"
	                                  "ip =\n"
	                                  "kernel_threads = yes\n"
	                                  "cpu_scale = machine\n"
	                                  "min_cpu = 0.25\n"
	                                  "timeout = 500ms\n"
	                                  "timeout = 600ms");
	assert_int_equal(config->log.level, LOG_LEVEL_DEBUG);
	assert_string_equal(config->server.store, "other");
	assert_int_equal(config->server.threads, 7);
	assert_int_equal(config->server.max_body, 512 << 10);
	assert_string_equal(config->collector.url, "http://h:1/a?b=c;d#e");
	assert_string_equal(config->collector.ip, "");
	assert_true(config->collector.kernel_threads);
	assert_int_equal(config->collector.cpu_scale, CPU_SCALE_MACHINE);
	assert_true(config->collector.min_cpu == 0.25);
	/* Twice: the last counts. */
	assert_int_equal(config->collector.timeout_ms, 600);
	config_free(config);
}

static void test_config_load_units_are_converted(void **state)
{
	(void)state;
	static const struct {
		const char *override;
		size_t offset;
		int64_t expected;
	} cases[] = {
		{ "alert.timeout=100ms", offsetof(struct config, alert.timeout_ms), 100 },
		{ "alert.timeout=60s", offsetof(struct config, alert.timeout_ms), 60000 },
		{ "alert.timeout=1.5s", offsetof(struct config, alert.timeout_ms), 1500 },
		{ "alert.timeout=1.001s", offsetof(struct config, alert.timeout_ms), 1001 },
		{ "alert.timeout=0.1m", offsetof(struct config, alert.timeout_ms), 6000 },
		{ "alert.phase=0", offsetof(struct config, alert.phase_ms), 0 },
		{ "alert.phase=0s", offsetof(struct config, alert.phase_ms), 0 },
		{ "alert.interval=5m", offsetof(struct config, alert.interval_ms), 300000 },
		{ "alert.interval=4.1m", offsetof(struct config, alert.interval_ms), 246000 },
		{ "alert.interval=1h", offsetof(struct config, alert.interval_ms), 3600000 },
		{ "forecast.refresh=1s", offsetof(struct config, forecast.refresh_ms), 1000 },
		{ "forecast.refresh=1h", offsetof(struct config, forecast.refresh_ms), 3600000 },
		{ "server.retention=1m", offsetof(struct config, server.retention_ms), 60000 },
		{ "server.retention=12h", offsetof(struct config, server.retention_ms), 43200000 },
		{ "server.retention=3660d", offsetof(struct config, server.retention_ms), 3660 * 86400000LL },
		{ "server.cache=0", offsetof(struct config, server.cache_ms), 0 },
		{ "server.cache=1s", offsetof(struct config, server.cache_ms), 1000 },
		{ "server.max_body=1024B", offsetof(struct config, server.max_body), 1024 },
		{ "server.max_body=1KiB", offsetof(struct config, server.max_body), 1024 },
		{ "server.max_body=1.5MiB", offsetof(struct config, server.max_body), 1572864 },
		{ "server.max_body=0.25GiB", offsetof(struct config, server.max_body), 256 << 20 },
		{ "server.threads=0", offsetof(struct config, server.threads), 0 },
		{ "server.threads=1024", offsetof(struct config, server.threads), 1024 },
		{ "server.max_series=1e6", offsetof(struct config, server.max_series), 1000000 },
		{ "log.level=error", offsetof(struct config, log.level), LOG_LEVEL_ERROR },
		{ "log.level=warning", offsetof(struct config, log.level), LOG_LEVEL_WARNING },
		{ "log.level=info", offsetof(struct config, log.level), LOG_LEVEL_INFO },
		{ "log.level=debug", offsetof(struct config, log.level), LOG_LEVEL_DEBUG },
		{ "collector.cpu_scale=core", offsetof(struct config, collector.cpu_scale), CPU_SCALE_CORE },
		{ "collector.cpu_scale=machine", offsetof(struct config, collector.cpu_scale), CPU_SCALE_MACHINE },
		{ "collector.mem_scale=machine", offsetof(struct config, collector.mem_scale), MEM_SCALE_MACHINE },
		{ "collector.mem_scale=limit", offsetof(struct config, collector.mem_scale), MEM_SCALE_LIMIT },
		{ "collector.name=comm", offsetof(struct config, collector.name), NAME_COMM },
		{ "collector.name=unit", offsetof(struct config, collector.name), NAME_UNIT },
		{ "collector.name=exe", offsetof(struct config, collector.name), NAME_EXE },
		{ "collector.gzip=auto", offsetof(struct config, collector.gzip), GZIP_AUTO },
		{ "collector.gzip=yes", offsetof(struct config, collector.gzip), GZIP_YES },
		{ "collector.gzip=no", offsetof(struct config, collector.gzip), GZIP_NO },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text error = TEXT_EMPTY;
		struct config *config = NULL;
		if (load_override(cases[i].override, &config, &error) != 0)
			fail_msg("%s", error.data);
		int64_t got;
		memcpy(&got, (const char *)config + cases[i].offset, sizeof(got));
		if (got != cases[i].expected)
			fail_msg("%s became %lld", cases[i].override, (long long)got);
		config_free(config);
	}
}

/* A duration in seconds with three decimals is a whole number of milliseconds. */
static void test_config_load_every_millisecond_is_whole(void **state)
{
	(void)state;
	for (int ms = 100; ms <= 60000; ms += 7) {
		char override[64];
		snprintf(override, sizeof(override), "alert.timeout=%d.%03ds", ms / 1000, ms % 1000);
		struct text error = TEXT_EMPTY;
		struct config *config = NULL;
		if (load_override(override, &config, &error) != 0)
			fail_msg("%s", error.data);
		assert_int_equal(config->alert.timeout_ms, ms);
		config_free(config);
	}
}

static void test_config_load_wrong_values_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *override, *error;
	} cases[] = {
		{ "server.threads=", "threads: '' is not a whole number" },
		{ "server.threads=x", "threads: 'x' is not a whole number" },
		{ "server.threads=1.5", "threads: '1.5' is not a whole number" },
		{ "server.threads=7x", "threads: '7x' is not a whole number" },
		{ "server.threads=7 ", "threads: '7 ' is not a whole number" },
		{ "server.threads= 7", "threads: ' 7' is not a whole number" },
		{ "server.threads=-1", "threads: '-1' is not a whole number" },
		{ "server.threads=+1", "threads: '+1' is not a whole number" },
		{ "server.threads=nan", "threads: 'nan' is not a whole number" },
		{ "server.threads=inf", "threads: 'inf' is not a whole number" },
		{ "server.threads=1e999", "threads: '1e999' is not a whole number" },
		{ "server.threads=7s", "threads: '7s' is not a whole number" },
		{ "server.threads=1025", "threads: '1025' is out of range" },
		{ "server.max_series=0", "max_series: '0' is out of range" },
		{ "alert.threshold=", "threshold: '' is not a number" },
		{ "alert.threshold=80%", "threshold: '80%' is not a number" },
		{ "alert.threshold=80,5", "threshold: '80,5' is not a number" },
		{ "alert.threshold=.5", "threshold: '.5' is not a number" },
		{ "alert.threshold=1000001", "threshold: '1000001' is out of range" },
		{ "alert.amber_probability=1.01", "amber_probability: '1.01' is out of range" },
		{ "alert.amber_clear=50%", "amber_clear: '50%' is not a number" },
		{ "alert.reminder=31d", "reminder: '31d' is out of range" },
		{ "alert.hook_timeout=99ms", "hook_timeout: '99ms' is out of range" },
		{ "collector.min_mem=100.1", "min_mem: '100.1' is out of range" },
		{ "alert.timeout=5", "timeout: '5' is not a duration like 500ms, 10s, 5m, 12h or 2d" },
		{ "alert.timeout=5 s", "timeout: '5 s' is not a duration like 500ms, 10s, 5m, 12h or 2d" },
		{ "alert.timeout=5S", "timeout: '5S' is not a duration like 500ms, 10s, 5m, 12h or 2d" },
		{ "alert.timeout=5sec", "timeout: '5sec' is not a duration like 500ms, 10s, 5m, 12h or 2d" },
		{ "alert.timeout=s", "timeout: 's' is not a duration like 500ms, 10s, 5m, 12h or 2d" },
		{ "alert.timeout=-5s", "timeout: '-5s' is not a duration like 500ms, 10s, 5m, 12h or 2d" },
		{ "alert.timeout=100.5ms", "timeout: '100.5ms' is not a duration like 500ms, 10s, 5m, 12h or 2d" },
		{ "alert.timeout=1KiB", "timeout: '1KiB' is not a duration like 500ms, 10s, 5m, 12h or 2d" },
		{ "alert.timeout=99ms", "timeout: '99ms' is out of range" },
		{ "alert.timeout=61s", "timeout: '61s' is out of range" },
		{ "forecast.refresh=999ms", "refresh: '999ms' is out of range" },
		{ "forecast.refresh=61m", "refresh: '61m' is out of range" },
		{ "server.retention=3661d", "retention: '3661d' is out of range" },
		{ "server.cache=1001ms", "cache: '1001ms' is out of range" },
		{ "server.cache=1", "cache: '1' is not a duration like 500ms, 10s, 5m, 12h or 2d" },
		{ "server.max_body=4096", "max_body: '4096' is not a size like 512KiB or 4MiB" },
		{ "server.max_body=4MB", "max_body: '4MB' is not a size like 512KiB or 4MiB" },
		{ "server.max_body=4mib", "max_body: '4mib' is not a size like 512KiB or 4MiB" },
		{ "server.max_body=4s", "max_body: '4s' is not a size like 512KiB or 4MiB" },
		{ "server.max_body=1023B", "max_body: '1023B' is out of range" },
		{ "server.max_body=257MiB", "max_body: '257MiB' is out of range" },
		{ "collector.kernel_threads=true", "kernel_threads: 'true' is neither yes nor no" },
		{ "collector.kernel_threads=", "kernel_threads: '' is neither yes nor no" },
		{ "collector.kernel_threads=yess", "kernel_threads: 'yess' is neither yes nor no" },
		{ "collector.kernel_threads=No", "kernel_threads: 'No' is neither yes nor no" },
		{ "log.level=loud", "level: 'loud' is none of its words (error, warning, info or debug)" },
		{ "log.level=", "level: '' is none of its words (error, warning, info or debug)" },
		{ "log.level=Info", "level: 'Info' is none of its words (error, warning, info or debug)" },
		{ "log.nothing=1", "unknown key 'nothing' in section [log]" },
		{ "alert.threads=1", "unknown key 'threads' in section [alert]" },
		{ "nowhere.level=1", "unknown section [nowhere]" },
		{ "", "'' is not section.key=value" },
		{ "level=info", "'level=info' is not section.key=value" },
		{ "log.level", "'log.level' is not section.key=value" },
		{ "log.=info", "'log.=info' is not section.key=value" },
		{ ".level=info", "'.level=info' is not section.key=value" },
		{ "log.level =info", "'log.level =info' is not section.key=value" },
		{ "log level=info", "'log level=info' is not section.key=value" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text error = TEXT_EMPTY;
		struct config *untouched = (struct config *)&error, *config = untouched;
		char expected[512];
		snprintf(expected, sizeof(expected), "command line: %s", cases[i].error);
		int result = load_override(cases[i].override, &config, &error);
		if (result != -EINVAL)
			fail_msg("%s: %d", cases[i].override, result);
		assert_string_equal(error.data, expected);
		assert_ptr_equal(config, untouched);
		text_free(&error);
	}
}

static void test_config_load_wrong_file_is_told_with_its_line(void **state)
{
	(void)state;
	static const struct {
		const char *content;
		int line;
		const char *error;
	} cases[] = {
		{ "[log]\nlevle = info\n", 2, "unknown key 'levle' in section [log]" },
		{ "[lgo]\nlevel = info\n", 2, "unknown section [lgo]" },
		{ "# first\n\nlevel = info\n[log]\n", 3, "key 'level' stands before any section" },
		{ "[server]\n\n\nthreads = many\n", 4, "threads: 'many' is not a whole number" },
		{ "[server]\nthreads = 2000", 2, "threads: '2000' is out of range" },
		{ "[server]\nthreads = 1 # not a comment\n", 2, "threads: '1 # not a comment' is not a whole number" },
		{ "[alert]\r\ninterval = 10\r\n", 2, "interval: '10' is not a duration like 500ms, 10s, 5m, 12h or 2d" },
		{ "[log]\nlevel\n", 2, "is neither a [section], a key = value nor a comment" },
		{ "[log]\n\n[server\nthreads = 1\n", 3, "is neither a [section], a key = value nor a comment" },
		{ "[log]\nlevel = info\n\x01\n[sqlite]\n", 3, "is neither a [section], a key = value nor a comment" },
		/* The first failure is the one that is told. */
		{ "[log]\nlevel = loud\nlevle = x\n[x]\ny = z\n", 2,
		  "level: 'loud' is none of its words (error, warning, info or debug)" },
		{ "[log]\nword\nlevel = loud\n", 2, "is neither a [section], a key = value nor a comment" },
		/* An indented key is a key, not a second value of the one before. */
		{ "[collector]\nurl = http://a/\n  toop = 5\n", 3, "unknown key 'toop' in section [collector]" },
		{ "[collector]\ninclude = a\n\tb\n", 3, "is neither a [section], a key = value nor a comment" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text error = TEXT_EMPTY;
		struct config *config = NULL;
		char expected[512];
		snprintf(expected, sizeof(expected), "%s:%d: %s", path, cases[i].line, cases[i].error);
		write_file(cases[i].content, strlen(cases[i].content));
		if (config_load(path, NULL, 0, &config, &error) != -EINVAL)
			fail_msg("case %zu is not right", i);
		assert_string_equal(error.data, expected);
		assert_null(config);
		text_free(&error);
	}
}

static void test_config_load_indented_lines_are_lines(void **state)
{
	(void)state;
	struct config *config = load_file("  [collector]\n"
	                                  "url = http://a/\n"
	                                  "  interval = 5s\n"
	                                  "\t# a comment\n"
	                                  "\t ; another\n"
	                                  "  \t\n"
	                                  "\ttop = 7\n"
	                                  "  [alert]\n"
	                                  "    threshold = 90\n");
	assert_string_equal(config->collector.url, "http://a/");
	assert_int_equal(config->collector.interval_ms, 5000);
	assert_int_equal(config->collector.top, 7);
	assert_true(config->alert.threshold == 90);
	config_free(config);
}

static void test_config_load_lines_of_any_length_up_to_the_longest(void **state)
{
	(void)state;
	enum { LONGEST = 8190 }; /* bytes without the newline */
	static const char start[] = "[sqlite]\npath = ";
	const size_t key = strlen("path = ");
	for (size_t length = 190; length <= 9000; length += length < 450 || (length > LONGEST - 5 && length < LONGEST + 5) ? 1 : 61) {
		for (int newline = 0; newline <= 1; newline++) {
			char content[9100];
			size_t end = strlen(start) + length - key;
			memset(content, 'p', sizeof(content));
			memcpy(content, start, strlen(start));
			if (newline)
				content[end++] = '\n';
			write_file(content, end);

			struct text error = TEXT_EMPTY;
			struct config *config = NULL;
			int result = config_load(path, NULL, 0, &config, &error);
			char expected[512];
			if (length > LONGEST) {
				snprintf(expected, sizeof(expected), "%s:2: the line is longer than %d bytes", path, LONGEST);
				assert_int_equal(result, -EINVAL);
				assert_string_equal(error.data, expected);
			} else if (length + strlen(folder) + 1 > LONGEST) {
				assert_int_equal(result, -EINVAL); /* the path would not fit where it is printed */
			} else {
				if (result != 0)
					fail_msg("%zu bytes: %s", length, error.data);
				assert_int_equal(strlen(config->sqlite.path), strlen(folder) + 1 + length - key);
				config_free(config);
			}
			text_free(&error);
		}
	}
}

/* As inih has the short ones. */
static void test_config_load_long_lines_are_read_as_short_ones(void **state)
{
	(void)state;
	char glob[256], content[4096];
	memset(glob, 'g', sizeof(glob) - 1);
	glob[sizeof(glob) - 1] = '\0';
	snprintf(content, sizeof(content),
	         "# %s\n; %s\n[collector]\n\t include \t=  %s a;b=c:d \t; %s\ninclude:%s ;\ninclude =%s\ntop = 7 ; %s\nexclude = x\n",
	         glob, glob, glob, glob, glob, glob, glob);
	struct config *config = load_file(content);
	char expected[300];
	snprintf(expected, sizeof(expected), "%s a;b=c:d", glob);
	assert_int_equal(config->collector.include.count, 3);
	assert_string_equal(config->collector.include.values[0], expected);
	assert_string_equal(config->collector.include.values[1], glob);
	assert_string_equal(config->collector.include.values[2], glob);
	assert_int_equal(config->collector.include.lines[2], 6);
	assert_int_equal(config->collector.top, 7);
	assert_string_equal(config->collector.exclude.values[0], "x");
	config_free(config);

	static const struct {
		const char *before, *behind;
	} broken[] = { { "[collector]\n", "" }, { "[", "]" }, { "[collector]\n", " = 1" }, { "[collector]\n= ", "" } };
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct text error = TEXT_EMPTY;
		snprintf(content, sizeof(content), "%s%s%s\n", broken[i].before, glob, broken[i].behind);
		write_file(content, strlen(content));
		assert_int_equal(config_load(path, NULL, 0, &config, &error), -EINVAL);
		text_free(&error);
	}
}

/* What --print-config prints is read back the same, or was refused. */
static void test_config_print_every_value_is_read_back(void **state)
{
	(void)state;
	static const struct {
		const char *override;
		bool refused;
	} cases[] = {
		{ "alert.log=;x", false },     { "alert.log=a ;b", true },  { "alert.log=a\t;b", true }, { "alert.log= a", true },
		{ "alert.log=a ", true },      { "alert.log=a\nb", true },  { "alert.log=a\rb", true },  { "alert.log=a;b", false },
		{ "alert.log=", false },       { "alert.log=#x", false },   { "alert.log=[x]", false },  { "alert.log=a = b : c", false },
		{ "alert.log=\"a b\"", false }, { "alert.log=\xc3\xa9", false }, { "alert.threshold=0.1234567890123456", false },
		{ "alert.threshold=33.333333333333336", false }, { "alert.threshold=1e6", false }, { "alert.horizon=1h", false },
		{ "alert.rule=process=a;b threshold=9", false }, { "server.max_body=1048577B", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *overrides[] = { (char *)(uintptr_t)cases[i].override };
		struct text error = TEXT_EMPTY, printed = TEXT_EMPTY, again = TEXT_EMPTY;
		struct config *config = NULL, *read = NULL;
		int result = config_load(NULL, overrides, 1, &config, &error);
		if (result != (cases[i].refused ? -EINVAL : 0))
			fail_msg("%s: %d", cases[i].override, result);
		text_free(&error);
		if (result)
			continue;
		/* Beside the file, relative paths become absolute: those are printed as they are read. */
		config_print(config, &printed);
		write_file(printed.data, printed.length);
		if (config_load(path, NULL, 0, &read, &error) != 0)
			fail_msg("%s: %s", cases[i].override, error.data);
		assert_true(read->alert.threshold == config->alert.threshold);
		assert_int_equal(read->alert.horizon_ms, config->alert.horizon_ms);
		assert_int_equal(read->server.max_body, config->server.max_body);
		assert_int_equal(read->alert.rule.count, config->alert.rule.count);
		if (config->alert.rule.count)
			assert_string_equal(read->alert.rule.values[0], config->alert.rule.values[0]);
		size_t beside = config->alert.log[0] ? strlen(folder) + 1 : 0;
		assert_string_equal(read->alert.log + beside, config->alert.log);
		text_reset(&printed);
		config_print(read, &printed);
		config_free(read);
		write_file(printed.data, printed.length);
		assert_int_equal(config_load(path, NULL, 0, &read, &error), 0);
		config_print(read, &again);
		assert_string_equal(again.data, printed.data);
		config_free(read);
		config_free(config);
		text_free(&printed);
		text_free(&again);
	}
}

static void test_config_load_no_file_is_told(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		int expected;
		const char *error;
	} cases[] = {
		{ "/nonexistent/vigie.conf", -ENOENT, "/nonexistent/vigie.conf: cannot be opened: No such file or directory" },
		{ "/dev/null/vigie.conf", -ENOTDIR, "/dev/null/vigie.conf: cannot be opened: Not a directory" },
		{ "/tmp", -EIO, "/tmp: cannot be read" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text error = TEXT_EMPTY;
		struct config *config = NULL;
		assert_int_equal(config_load(cases[i].path, NULL, 0, &config, &error), cases[i].expected);
		assert_string_equal(error.data, cases[i].error);
		assert_null(config);
		text_free(&error);
	}
}

static void test_config_load_unreadable_file_is_told(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	struct config *config = NULL;
	char expected[512];
	write_file("", 0);
	assert_int_equal(chmod(path, 0), 0);
	/* Nothing is unreadable to root. */
	bool root = geteuid() == 0;
	if (root) {
		assert_int_equal(chmod(folder, 0755), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	int result = config_load(path, NULL, 0, &config, &error);
	if (root)
		assert_int_equal(seteuid(0), 0);
	snprintf(expected, sizeof(expected), "%s: cannot be opened: Permission denied", path);
	assert_int_equal(result, -EACCES);
	assert_string_equal(error.data, expected);
	text_free(&error);
	assert_int_equal(chmod(path, 0600), 0);
}

static void test_config_load_empty_file_gives_the_defaults(void **state)
{
	(void)state;
	static const char *const contents[] = { "", "\n", "# nothing", "[log]", "[log]\n[server]\n" };
	struct text error = TEXT_EMPTY, expected = TEXT_EMPTY;
	struct config *config;
	assert_int_equal(config_load(NULL, NULL, 0, &config, &error), 0);
	config_print(config, &expected);
	config_free(config);
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		struct text text = TEXT_EMPTY;
		config = load_file(contents[i]);
		config_print(config, &text);
		assert_string_equal(text.data, expected.data);
		config_free(config);
		text_free(&text);
	}
	text_free(&expected);
}

static void test_config_load_overrides_go_over_the_file(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	struct config *config = NULL;
	static const char content[] = "[server]\nthreads = 5\nstore = a\n\n[sqlite]\npath = p\n";
	char *overrides[] = { strdup("server.threads=6"), strdup("server.store="), strdup("sqlite.path=a=b.c d"),
		              strdup("server.threads=7"), strdup("alert.threshold=50") };
	enum { COUNT = sizeof(overrides) / sizeof(overrides[0]) };
	write_file(content, strlen(content));
	assert_int_equal(config_load(path, overrides, COUNT, &config, &error), 0);
	assert_int_equal(config->server.threads, 7);
	assert_string_equal(config->server.store, "");
	assert_string_equal(config->sqlite.path, "a=b.c d");
	assert_true(config->alert.threshold == 50);
	config_free(config);

	/* Only as many as were told. */
	assert_int_equal(config_load(path, overrides, 1, &config, &error), 0);
	assert_int_equal(config->server.threads, 6);
	assert_string_equal(config->server.store, "a");
	config_free(config);
	for (size_t i = 0; i < COUNT; i++)
		free(overrides[i]);
}

static void test_config_load_broken_file_comes_before_a_broken_override(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	struct config *config = NULL;
	char override[] = "x.y=z", *overrides[] = { override };
	char expected[512];
	write_file("[x]\ny = z\n", 10);
	snprintf(expected, sizeof(expected), "%s:2: unknown section [x]", path);
	assert_int_equal(config_load(path, overrides, 1, &config, &error), -EINVAL);
	assert_string_equal(error.data, expected);
	text_free(&error);

	/* An override has no line, whatever the file had. */
	write_file("[log]\nlevel = info\n", 19);
	assert_int_equal(config_load(path, overrides, 1, &config, &error), -EINVAL);
	assert_string_equal(error.data, "command line: unknown section [x]");
	text_free(&error);
}

static void test_config_load_lists_keep_order_and_lines(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	struct config *config = NULL;
	static const char content[] = "[collector]\n"
	                              "include = a*\n"
	                              "exclude = x\n"
	                              "\n"
	                              "include = b c\n"
	                              "[alert]\n"
	                              "rule = process=java threshold=90\n"
	                              "[collector]\n"
	                              "include = a*\n";
	char override[] = "collector.include=last", *overrides[] = { override };
	write_file(content, strlen(content));
	assert_int_equal(config_load(path, overrides, 1, &config, &error), 0);
	static const char *const values[] = { "a*", "b c", "a*", "last" };
	static const int lines[] = { 2, 5, 9, 0 };
	assert_int_equal(config->collector.include.count, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(config->collector.include.values[i], values[i]);
		assert_int_equal(config->collector.include.lines[i], lines[i]);
	}
	assert_int_equal(config->collector.exclude.count, 1);
	assert_string_equal(config->collector.exclude.values[0], "x");
	assert_int_equal(config->collector.exclude.lines[0], 3);
	assert_int_equal(config->alert.rule.count, 1);
	assert_string_equal(config->alert.rule.values[0], "process=java threshold=90");
	assert_int_equal(config->alert.rule.lines[0], 7);
	config_free(config);
}

static const struct {
	const char *section, *key;
	size_t offset;
} paths[] = {
	{ "server", "store_ca_file", offsetof(struct config, server.store_ca_file) },
	{ "server", "write_tokens", offsetof(struct config, server.write_tokens) },
	{ "server", "read_tokens", offsetof(struct config, server.read_tokens) },
	{ "server", "admin_tokens", offsetof(struct config, server.admin_tokens) },
	{ "sqlite", "path", offsetof(struct config, sqlite.path) },
	{ "influxdb3", "token_file", offsetof(struct config, influxdb3.token_file) },
	{ "influxdb2", "token_file", offsetof(struct config, influxdb2.token_file) },
	{ "influxql", "password_file", offsetof(struct config, influxql.password_file) },
	{ "victoriametrics", "password_file", offsetof(struct config, victoriametrics.password_file) },
	{ "victoriametrics", "token_file", offsetof(struct config, victoriametrics.token_file) },
	{ "collector", "spool", offsetof(struct config, collector.spool) },
	{ "collector", "ca_file", offsetof(struct config, collector.ca_file) },
	{ "collector", "token_file", offsetof(struct config, collector.token_file) },
	{ "alert", "ca_file", offsetof(struct config, alert.ca_file) },
	{ "alert", "token_file", offsetof(struct config, alert.token_file) },
	{ "alert", "log", offsetof(struct config, alert.log) },
	{ "alert", "hook", offsetof(struct config, alert.hook) },
	{ "alert", "state", offsetof(struct config, alert.state) },
	{ "forecast", "ca_file", offsetof(struct config, forecast.ca_file) },
	{ "forecast", "token_file", offsetof(struct config, forecast.token_file) },
	{ "forecast", "model", offsetof(struct config, forecast.model) },
	{ "forecast", "state", offsetof(struct config, forecast.state) },
};
enum { PATHS = sizeof(paths) / sizeof(paths[0]) };

static const char *path_at(const struct config *config, size_t i)
{
	return *(char *const *)((const char *)config + paths[i].offset);
}

/* With every path set to `value`. */
static struct config *load_paths(const char *value)
{
	struct text content = TEXT_EMPTY;
	for (size_t i = 0; i < PATHS; i++)
		text_printf(&content, "[%s]\n%s = %s\n", paths[i].section, paths[i].key, value);
	struct config *config = load_file(content.data);
	text_free(&content);
	return config;
}

static void test_config_load_paths_of_the_file_are_beside_it(void **state)
{
	(void)state;
	static const struct {
		const char *value, *expected; /* NULL: as it stands in the file */
	} cases[] = {
		{ "vigie-none", "vigie-none" }, { "a b/c", "a b/c" },         { "../x", "../x" },     { "./x", "./x" },
		{ "tmp", "tmp" },               { "", NULL },                 { "/", NULL },          { "/a/b", NULL },
		{ ":memory:", NULL },           { "file:x?mode=memory", NULL }, { "file", "file" },
	};
	assert_int_equal(chdir("/proc/self"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[1024];
		snprintf(expected, sizeof(expected), "%s%s%s", cases[i].expected ? folder : "", cases[i].expected ? "/" : "",
		         cases[i].expected ? cases[i].expected : cases[i].value);
		struct config *config = load_paths(cases[i].value);
		for (size_t j = 0; j < PATHS; j++)
			assert_string_equal(path_at(config, j), expected);
		assert_int_equal(config->warnings.count, 0);
		config_free(config);
	}
	assert_int_equal(chdir("/"), 0);
}

/* However the file is named. */
static void test_config_load_folder_of_the_file_is_made_absolute(void **state)
{
	(void)state;
	char above[1024], link[1024];
	const char *const names[] = { path, "vigie.conf", "./vigie.conf", ".//vigie.conf", above, link };
	snprintf(above, sizeof(above), "..%s/vigie.conf", strrchr(folder, '/'));
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(symlink(".", link), 0);
	snprintf(link, sizeof(link), "%s/link/vigie.conf", folder);
	char expected[1024];
	snprintf(expected, sizeof(expected), "%s/a.log", folder);
	write_file("[alert]\nlog = a.log\n", 20);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct text error = TEXT_EMPTY;
		struct config *config = NULL;
		assert_int_equal(config_load(names[i], NULL, 0, &config, &error), 0);
		assert_string_equal(config->alert.log, expected);
		config_free(config);
	}
	assert_int_equal(unlink("link"), 0);
	assert_int_equal(chdir("/"), 0);
}

static void make(const char *name)
{
	FILE *file = fopen(name, "we");
	assert_non_null(file);
	fclose(file);
}

static void test_config_load_paths_of_the_working_directory_are_taken_with_a_warning(void **state)
{
	(void)state;
	static const struct {
		bool beside, here, there;
	} cases[] = { { false, false, false }, { true, false, false }, { false, true, true }, { true, true, false } };
	char here[TEMPORARY_FOLDER_SIZE], beside[TEMPORARY_FOLDER_SIZE + 8], expected[1024];
	temporary_folder_make(here);
	assert_int_equal(chdir(here), 0);
	snprintf(beside, sizeof(beside), "%s/a.log", folder);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].beside)
			make(beside);
		if (cases[i].here)
			make("a.log");
		struct config *config = load_file("[alert]\nstate = a.state\nlog = a.log\n");
		snprintf(expected, sizeof(expected), "%s/a.log", cases[i].there ? here : folder);
		assert_string_equal(config->alert.log, expected);
		snprintf(expected, sizeof(expected), "%s/a.state", folder);
		assert_string_equal(config->alert.state, expected);
		assert_int_equal(config->warnings.count, cases[i].there);
		if (cases[i].there) {
			snprintf(expected, sizeof(expected),
			         "%s:3: log: there is no %s: taking %s/a.log, of the working directory", path, beside, here);
			assert_string_equal(config->warnings.values[0], expected);
		}
		config_free(config);
		unlink(beside);
		unlink("a.log");
	}
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(here), 0);
}

/* Nor is anything said of what it goes over. */
static void test_config_load_paths_of_the_command_line_stay_as_they_are(void **state)
{
	(void)state;
	char here[TEMPORARY_FOLDER_SIZE];
	char override[] = "alert.log=b.log", *overrides[] = { override };
	struct text error = TEXT_EMPTY;
	struct config *config = NULL;
	temporary_folder_make(here);
	assert_int_equal(chdir(here), 0);
	make("a.log");
	write_file("[alert]\nlog = a.log\n", 20);
	assert_int_equal(config_load(path, overrides, 1, &config, &error), 0);
	assert_string_equal(config->alert.log, "b.log");
	assert_string_equal(config->alert.state, "alert.state");
	assert_int_equal(config->warnings.count, 0);
	config_free(config);
	unlink("a.log");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(here), 0);
}

/* Takes each "folder/" out of a text. */
static void take_out(char *text, const char *name)
{
	size_t length = strlen(name) + 1;
	for (char *at = strstr(text, name); at; at = strstr(at, name))
		memmove(at, at + length, strlen(at + length) + 1);
}

/* Prints, reads that, and prints again: the same text, but that relative paths are then those of the file. */
static void check_print_reads_back(const struct config *config)
{
	struct text first = TEXT_EMPTY, second = TEXT_EMPTY;
	config_print(config, &first);
	assert_false(text_failed(&first));
	struct config *again = load_file(first.data);
	config_print(again, &second);
	take_out(second.data, folder);
	assert_string_equal(first.data, second.data);
	config_free(again);
	text_free(&first);
	text_free(&second);
}

static void test_config_print_defaults_read_back(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	struct config *config;
	assert_int_equal(config_load(NULL, NULL, 0, &config, &error), 0);
	check_print_reads_back(config);
	config_free(config);
}

/* Each value differs from its default. */
static const char every_option[] = "[log]\nlevel = debug\n"
                                   "[server]\nstore = x\nthreads = 12\nmax_body = 3KiB\nhosts = x.example\nhosts = y\nconnections_per_address = 18\nmemory = 17MiB\ninterval = 90s\n"
                                   "retention = 90000ms\nmax_series_per_host = 11\nmax_series = 12\nmax_points = 13\ncache = 250ms\n"
                                   "store_timeout = 3s\nstore_queue = 2MiB\nstore_ca_file = /ca\nstore_proxy = none\nmanage_retention = yes\n"
                                   "write_tokens = /w\nread_tokens = /r\nadmin_tokens = /a\n"
                                   "[sqlite]\npath = /a b/c\ndetail = 3d\n"
                                   "[influxdb3]\nurl = http://i3\ndatabase = d3\ntoken_file = /t3\n"
                                   "[influxdb2]\nurl = http://i2\norg = o\nbucket = b\ntoken_file = /t2\n"
                                   "[influxql]\nurl = http://i1\ndatabase = d\nuser = u\npassword_file = /p1\n"
                                   "[victoriametrics]\ninsert_url = http://vi\nselect_url = http://vs\nuser = v\n"
                                   "password_file = /pv\ntoken_file = /tv\n"
                                   "[collector]\nurl = http://x/\nip = 10.0.0.5\ninterval = 1500ms\ntimeout = 1m\n"
                                   "name = unit\ncpu_scale = machine\nmem_scale = limit\nkernel_threads = yes\nio = yes\ninclude = a*\ninclude = b\n"
                                   "exclude = c\ntop = 5\nmin_cpu = 0.1\nmin_mem = 12.345\nmax_processes = 14\n"
                                   "spool = /s p\nspool_bytes = 3MiB\nspool_age = 90m\nbuffer = 15\ngzip = no\n"
                                   "ca_file = /cc\nproxy = http://pc:3128\ntoken_file = /tc\n"
                                   "[alert]\nurl = https://y/\ninterval = 2m\nphase = 0\ndeadline = 3m\ntimeout = 150ms\nca_file = /ca2\nproxy = none\ntoken_file = /ta\n"
                                   "threshold = 123456.789\nclear = 0.001\nraise_after = 16\nclear_after = 17\n"
                                   "amber_probability = 0.625\namber_clear = 0.25\nhorizon = 45s\n"
                                   "rule = process=java threshold=90\nrule = ip=10.*\nreminder = 6h\nlog = /l\n"
                                   "alertmanager = http://am1\nalertmanager = http://am2\nhook = /h\n"
                                   "hook_timeout = 2s\nhook_wait = 15s\nstate = /s\n"
                                                                      "[forecast]\nrefresh = 30s\nurl = http://z/\nstep = 10m\nphase = 8s\ntimeout = 9s\n"
                                   "ca_file = /cf\nproxy = socks5h://pf\ntoken_file = /tf\nabove = 12.5\nhistory = 1d\nlong_horizon = 2d\nmodel = /m\nstate = /sf\n";

static void test_config_print_other_values_read_back(void **state)
{
	(void)state;
	struct config *config = load_file(every_option);
	check_print_reads_back(config);
	config_free(config);
}

/* Each key of every_option stands in the print, with its value in the largest unit. */
static void test_config_print_has_every_option(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"[log]", "level = debug", "[server]", "store = x", "threads = 12", "max_body = 3KiB", "hosts = x.example", "hosts = y",
		"connections_per_address = 18", "memory = 17MiB", "interval = 90s",
		"retention = 90s", "max_series_per_host = 11", "max_series = 12", "max_points = 13", "cache = 250ms",
		"store_timeout = 3s", "store_queue = 2MiB", "store_ca_file = /ca", "store_proxy = none", "manage_retention = yes",
		"write_tokens = /w", "read_tokens = /r", "admin_tokens = /a",
		"[sqlite]", "path = /a b/c", "detail = 3d",
		"[influxdb3]", "url = http://i3", "database = d3", "token_file = /t3",
		"[influxdb2]", "url = http://i2", "org = o", "bucket = b", "token_file = /t2",
		"[influxql]", "url = http://i1", "database = d", "user = u", "password_file = /p1",
		"[victoriametrics]", "insert_url = http://vi", "select_url = http://vs", "user = v", "password_file = /pv",
		"token_file = /tv", "[collector]", "url = http://x/", "ip = 10.0.0.5", "interval = 1500ms", "timeout = 1m",
		"name = unit", "cpu_scale = machine", "mem_scale = limit", "kernel_threads = yes", "io = yes", "include = a*", "include = b", "exclude = c", "top = 5",
		"min_cpu = 0.1", "min_mem = 12.345", "max_processes = 14", "spool = /s p",
		"spool_bytes = 3MiB", "spool_age = 90m", "buffer = 15", "gzip = no", "ca_file = /cc", "proxy = http://pc:3128", "token_file = /tc", "[alert]", "url = https://y/",
		"interval = 2m", "phase = 0d", "deadline = 3m", "timeout = 150ms", "ca_file = /ca2", "proxy = none", "token_file = /ta", "threshold = 123456.789", "clear = 0.001",
		"raise_after = 16", "clear_after = 17", "amber_probability = 0.625", "amber_clear = 0.25", "horizon = 45s",
		"rule = process=java threshold=90", "rule = ip=10.*", "reminder = 6h", "log = /l",
		"alertmanager = http://am1", "alertmanager = http://am2", "hook = /h", "hook_timeout = 2s", "hook_wait = 15s", "state = /s",
		"[forecast]", "refresh = 30s", "url = http://z/", "step = 10m", "phase = 8s", "timeout = 9s", "ca_file = /cf", "proxy = socks5h://pf", "token_file = /tf",
		"above = 12.5", "history = 1d", "long_horizon = 2d", "model = /m", "state = /sf",
	};
	struct text text = TEXT_EMPTY;
	struct config *config = load_file(every_option);
	config_print(config, &text);
	size_t next = 0;
	bool described = false;
	for (char *rest = text.data, *line; line = strsep(&rest, "\n"), line;) {
		if (line[0] == '\0')
			continue;
		if (line[0] == '#') {
			described = true;
			continue;
		}
		if (next == sizeof(lines) / sizeof(lines[0]))
			fail_msg("'%s' is not expected: add it to every_option", line);
		assert_string_equal(line, lines[next++]);
		/* A description stands over each key; the second of a list has the first's. */
		if (line[0] != '[' && strcmp(line, "include = b") != 0 && strcmp(line, "rule = ip=10.*") != 0 &&
		    strcmp(line, "hosts = y") != 0 && strcmp(line, "alertmanager = http://am2") != 0)
			assert_true(described);
		described = false;
	}
	assert_int_equal(next, sizeof(lines) / sizeof(lines[0]));
	text_free(&text);
	config_free(config);
}

static void test_config_print_sections_stand_once(void **state)
{
	(void)state;
	static const char *const sections[] = { "[log]\n", "[server]\n", "[sqlite]\n", "[influxdb3]\n", "[influxdb2]\n", "[influxql]\n",
	                                       "[victoriametrics]\n", "[collector]\n", "[alert]\n", "[forecast]\n" };
	struct text error = TEXT_EMPTY, text = TEXT_EMPTY;
	struct config *config;
	assert_int_equal(config_load(NULL, NULL, 0, &config, &error), 0);
	config_print(config, &text);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		const char *at = strstr(text.data, sections[i]);
		assert_non_null(at);
		assert_null(strstr(at + 1, sections[i]));
		assert_true(at[-1] == '\n' && at[-2] == '\n');
	}
	assert_non_null(strstr(text.data, "# include =\n"));
	text_free(&text);
	config_free(config);
}

static void test_config_load_any_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	char file[4096], *overrides[] = { (char[]){ "server.max_points=7" }, (char[]){ "alert.rule=* mem 80" } };
	/* A line that is longer than inih takes, and a path that is made absolute. */
	snprintf(file, sizeof(file), "[sqlite]\npath = vigie.db\n[alert]\nrule = %0300d mem 50\nrule = b cpu 60\n[log]\nlevel = info\n", 0);
	write_file(file, strlen(file));
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct text error = TEXT_EMPTY;
		struct config *config = NULL;
		long before = failing_unfreed();
		failing_start(n);
		int result = config_load(path, overrides, 2, &config, &error);
		failed = failing_stop();
		/* One that fails without need is done without. */
		if (result != 0 && !(failed && result == -ENOMEM))
			fail_msg("allocation %ld: %d: %s", n, result, error.data);
		if (result) {
			assert_null(config);
		} else {
			assert_int_equal(config->alert.rule.count, 3);
			assert_string_equal(config->alert.rule.values[2], "* mem 80");
			assert_int_equal(config->server.max_points, 7);
			assert_memory_equal(config->sqlite.path, folder, strlen(folder));
			assert_null(error.data);
		}
		config_free(config);
		text_free(&error);
		assert_int_equal(failing_unfreed(), before);
	}
}

static void test_config_describe_says_what_each_option_takes(void **state)
{
	(void)state;
	static const struct {
		const char *section, *key, *fallback, *values;
	} cases[] = {
		{ "log", "level", "info", "one of error, warning, info, debug" },
		{ "server", "store", "sqlite", "" },
		{ "server", "threads", "0", "a whole number from 0 to 1024" },
		{ "server", "max_body", "4MiB", "a size from 1KiB to 256MiB" },
		{ "server", "hosts", NULL, "" },
		{ "server", "retention", "2d", "a duration from 1m to 3660d" },
		{ "server", "manage_retention", "no", "yes or no" },
		{ "sqlite", "path", "vigie.db", "a path" },
		{ "collector", "min_mem", "0", "a number from 0 to 100" },
		{ "alert", "phase", "4s", "a duration from 0 to 1h" },
		{ "alert", "amber_clear", "0.12", "a number from 0 to 1" },
	};
	struct config *config = NULL;
	struct text printed = TEXT_EMPTY, values = TEXT_EMPTY, error = TEXT_EMPTY;
	struct config_option option;
	size_t found = 0;
	assert_int_equal(config_load(NULL, NULL, 0, &config, &error), 0);
	config_print(config, &printed);
	const char *at = printed.data;
	for (size_t i = 0; config_describe(i, &option, &values); i++, text_reset(&values)) {
		at = strstr(at, option.help); /* in the same order */
		assert_non_null(at);
		if (found == sizeof(cases) / sizeof(cases[0]) || strcmp(option.section, cases[found].section) != 0 ||
		    strcmp(option.key, cases[found].key) != 0)
			continue;
		assert_string_equal(values.data, cases[found].values);
		assert_int_equal(option.fallback != NULL, cases[found].fallback != NULL);
		if (option.fallback)
			assert_string_equal(option.fallback, cases[found].fallback);
		found++;
	}
	assert_int_equal(found, sizeof(cases) / sizeof(cases[0]));
	assert_null(strstr(at, "\n# "));
	config_free(config);
	text_free(&printed);
	text_free(&values);
}

static void test_config_free_null_is_harmless(void **state)
{
	(void)state;
	config_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_load_nothing_gives_the_defaults),
		cmocka_unit_test(test_config_load_every_type_is_read),
		cmocka_unit_test(test_config_load_units_are_converted),
		cmocka_unit_test(test_config_load_every_millisecond_is_whole),
		cmocka_unit_test(test_config_load_wrong_values_are_refused),
		cmocka_unit_test(test_config_load_wrong_file_is_told_with_its_line),
		cmocka_unit_test(test_config_load_indented_lines_are_lines),
		cmocka_unit_test(test_config_load_lines_of_any_length_up_to_the_longest),
		cmocka_unit_test(test_config_load_long_lines_are_read_as_short_ones),
		cmocka_unit_test(test_config_print_every_value_is_read_back),
		cmocka_unit_test(test_config_load_no_file_is_told),
		cmocka_unit_test(test_config_load_unreadable_file_is_told),
		cmocka_unit_test(test_config_load_empty_file_gives_the_defaults),
		cmocka_unit_test(test_config_load_overrides_go_over_the_file),
		cmocka_unit_test(test_config_load_broken_file_comes_before_a_broken_override),
		cmocka_unit_test(test_config_load_lists_keep_order_and_lines),
		cmocka_unit_test(test_config_load_paths_of_the_file_are_beside_it),
		cmocka_unit_test(test_config_load_folder_of_the_file_is_made_absolute),
		cmocka_unit_test(test_config_load_paths_of_the_working_directory_are_taken_with_a_warning),
		cmocka_unit_test(test_config_load_paths_of_the_command_line_stay_as_they_are),
		cmocka_unit_test(test_config_print_defaults_read_back),
		cmocka_unit_test(test_config_print_other_values_read_back),
		cmocka_unit_test(test_config_print_has_every_option),
		cmocka_unit_test(test_config_print_sections_stand_once),
		cmocka_unit_test(test_config_load_any_allocation_fails_is_out_of_memory),
		cmocka_unit_test(test_config_describe_says_what_each_option_takes),
		cmocka_unit_test(test_config_free_null_is_harmless),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
