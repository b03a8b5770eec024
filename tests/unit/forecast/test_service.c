/* forecast/service.h, with the model's place taken and against a server in a thread, at a
 * simulated time */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config.h"
#include "common/log.h"
#include "common/whole_file.h"
#include "forecast/service_internal.h"
#include "tests/unit/forecast/fake_forecaster.h"
#include "tests/unit/forecast/fake_server.h"

#define MINUTE INT64_C(60000)
#define STEP (5 * MINUTE)
#define START (INT64_C(5984520) * STEP) /* a boundary of a step */
#define PHASE 7000
#define TOO_FAR "[alert] horizon: 14401 s, its own or that of a rule, is over 48 times [forecast] step, which is 14400 s"

static char folder[TEMPORARY_FOLDER_SIZE];
static char state_path[TEMPORARY_FOLDER_SIZE + 16], broken_path[sizeof(state_path) + 8], model_path[sizeof(state_path)];
static char lock_paths[2][sizeof(state_path) + 8];
static struct config *config;
static struct service *service;

static struct config *make_config(const char *more)
{
	char url[96], path[sizeof(state_path) + 16];
	char *overrides[] = { url, path, "forecast.history=2h", "alert.threshold=80", (char *)more };
	struct text error = TEXT_EMPTY;
	struct config *made;
	snprintf(url, sizeof(url), "forecast.url=%s", server.url);
	snprintf(path, sizeof(path), "forecast.state=%s", state_path);
	if (config_load(NULL, overrides, more ? 5 : 4, &made, &error) != 0)
		fail_msg("%s", error.data);
	return made;
}

static void open_service(const char *more, int64_t now_ms)
{
	struct text error = TEXT_EMPTY;
	config_free(config);
	config = make_config(more);
	assert_int_equal(service_open(config, NULL, now_ms, &service, &error), 0);
	server.now_ms = now_ms;
}

static int set_up(void **state)
{
	unlink(state_path);
	unlink(broken_path);
	rmdir(broken_path);
	unlink(model_path);
	return empty_server(state);
}

static int tear_down(void **state)
{
	(void)state;
	captured_stderr_abandon();
	service_close(service);
	service = NULL;
	config_free(config);
	config = NULL;
	fake_full_steps = NAN;
	fake_climb = 0;
	return forecasters_open || priors_open ? -1 : 0;
}

static void read_all(int64_t now_ms)
{
	server.now_ms = now_ms;
	while (service_reads(service))
		service_read_next(service, now_ms);
}

/* A refresh at a boundary, and what is read between it and the next one. */
static void refresh(int64_t boundary_ms)
{
	server.now_ms = boundary_ms + PHASE;
	text_reset(&server.put);
	text_reset(&server.asked);
	service_refresh(service, boundary_ms, server.now_ms);
	read_all(server.now_ms + 1000);
}

static double wave(int64_t time_ms)
{
	return 30 + (double)(time_ms / 10000 * 7919 % 40);
}

static void add_wave(size_t name, int64_t from_ms, int64_t to_ms)
{
	for (int64_t time_ms = from_ms; time_ms < to_ms; time_ms += 10000)
		add_sample(name, time_ms, wave(time_ms));
}

static struct series *find(const char *process)
{
	return series_table_find(&service->table, "10.0.0.5", process, RESOURCE_CPU);
}

/* Steps first to last of the series are the wave's but for those from gap to gap_end - 1. */
static void assert_wave(const char *process, int64_t first, int64_t last, int64_t gap, int64_t gap_end)
{
	struct series *series = find(process);
	assert_non_null(series);
	assert_int_equal(series->forecaster->newest, last);
	assert_in_range(series->forecaster->first, 1, first);
	for (int64_t index = first; index <= last; index++) {
		struct step step = series->forecaster->steps[index - series->forecaster->first];
		double sum = 0, highest = 0;
		for (int64_t time_ms = index * STEP; time_ms < (index + 1) * STEP; time_ms += 10000) {
			sum += wave(time_ms);
			highest = fmax(highest, wave(time_ms));
		}
		bool known = index < gap || index >= gap_end;
		if (known ? fabs((double)step.mean - sum / 30) > 1e-4 || (double)step.max != highest : !isnan(step.max))
			fail_msg("step %lld: %g/%g, not %g/%g", (long long)(index - first), (double)step.mean, (double)step.max,
			         known ? sum / 30 : NAN, known ? highest : NAN);
	}
}

#define START_STEP (START / STEP)

static void test_service_read_next_gives_each_series_its_history(void **state)
{
	(void)state;
	size_t busy = add_series("10.0.0.5", "busy", RESOURCE_CPU), quiet = add_series("10.0.0.5", "quiet", RESOURCE_CPU);
	size_t other = add_series("10.0.0.6", "other", RESOURCE_MEM);
	add_wave(busy, START - 3 * 12 * STEP, START + 8000);
	add_wave(other, START - 12 * STEP, START + 8000);
	for (int64_t time_ms = START - 12 * STEP; time_ms < START; time_ms += 10000)
		add_sample(quiet, time_ms, 20);
	open_service(NULL, START + 8000);
	assert_true(service_reads(service));
	read_all(START + 8000);
	assert_int_equal(series_table_count(&service->table), 2);
	/* The first step of the window is cut. */
	assert_wave("busy", START_STEP - 23, START_STEP - 1, 0, 0);
	assert_int_equal(find("busy")->forecaster->first, START_STEP - 23);
	assert_false(find("busy")->behind);
	assert_non_null(series_table_find(&service->table, "10.0.0.6", "other", RESOURCE_MEM));
	/* hosts, and of two hosts two resources in two requests */
	assert_int_equal(server.gets, 1 + 2 * 2 * 2);
	assert_non_null(strstr(server.asked.data, "fn=mean&window=6917s&above=20&ip=10.0.0.6\n"));
}

static void test_service_refresh_makes_steps_of_buckets(void **state)
{
	(void)state;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 10 * STEP);
	/* Begun in the middle of a step, whose beginning is asked for. */
	open_service(NULL, START + 3 * MINUTE + 30000);
	read_all(START + 3 * MINUTE + 30000);
	for (int64_t boundary_ms = START + 4 * MINUTE; boundary_ms <= START + 6 * STEP; boundary_ms += MINUTE) {
		refresh(boundary_ms);
		assert_int_equal(find("busy")->forecaster->newest, boundary_ms / STEP - 1);
	}
	assert_wave("busy", START_STEP - 4, START_STEP + 5, 0, 0);
	/* Never more than three buckets are asked for. */
	assert_non_null(strstr(server.asked.data, "step=60s&fn=max&window=136s\n"));
}

static void test_service_refresh_late_samples_count(void **state)
{
	(void)state;
	size_t busy = add_series("10.0.0.5", "busy", RESOURCE_CPU);
	add_wave(busy, START - 4 * STEP, START + STEP - MINUTE);
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	for (int64_t boundary_ms = START + MINUTE; boundary_ms < START + STEP; boundary_ms += MINUTE)
		refresh(boundary_ms);
	/* What should have been there at the last refresh comes after it. */
	server.sample_count -= 6;
	refresh(START + STEP - MINUTE);
	add_wave(busy, START + STEP - 2 * MINUTE, START + STEP);
	refresh(START + STEP);
	assert_wave("busy", START_STEP, START_STEP, 0, 0);
}

static void test_service_refresh_gaps_are_gaps_and_what_is_gone_has_no_forecast(void **state)
{
	(void)state;
	size_t busy = add_series("10.0.0.5", "busy", RESOURCE_CPU);
	add_wave(busy, START - 4 * STEP, START + STEP);
	add_wave(busy, START + 4 * STEP, START + 6 * STEP);
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	for (int64_t boundary_ms = START + MINUTE; boundary_ms <= START + 6 * STEP; boundary_ms += MINUTE) {
		refresh(boundary_ms);
		/* Its last bucket has ended at START + STEP. */
		bool gone = boundary_ms >= START + 2 * STEP && boundary_ms < START + 4 * STEP;
		assert_int_equal(server.puts, (boundary_ms - START) / MINUTE);
		assert_int_equal(strstr(server.put.data, "\"busy\"") != NULL, !gone);
	}
	assert_wave("busy", START_STEP, START_STEP + 5, START_STEP + 1, START_STEP + 4);
}

static void test_service_refresh_present_and_phase_are_those_of_now(void **state)
{
	(void)state;
	size_t busy = add_series("10.0.0.5", "busy", RESOURCE_CPU);
	for (int64_t time_ms = START - 4 * STEP; time_ms <= START + 14 * MINUTE; time_ms += 10000)
		add_sample(busy, time_ms, time_ms == START - 3 * MINUTE ? 90 : time_ms == START + 2 * MINUTE ? 70
		                          : time_ms == START + 8 * MINUTE ? 65 : 30);
	open_service("alert.rule=threshold=60 clear=50", START + 8000);
	read_all(START + 8000);
	static const struct {
		int64_t minutes;
		const char *probability, *forecast, *expected;
	} cases[] = {
		{ 1, "0.2", "90", "1795356367" },
		{ 2, "0.4", "90", "1795356427" }, /* the step's length up to now begins with the 90 */
		{ 3, "0.6", "70", "1795356487" },
		{ 4, "0.8", "70", "1795356547" },
		{ 5, "0", "70", "1795356607" }, /* the step is complete */
		{ 6, "0.2", "70", "1795356667" },
		{ 7, "0.4", "70", "1795356727" },
		{ 8, "0.6", "65", "1795356787" }, /* the newest sample counts, too */
		{ 14, "0.8", "30", "null" },
	};
	int64_t minutes = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[512];
		while (minutes < cases[i].minutes)
			refresh(START + ++minutes * MINUTE);
		snprintf(expected, sizeof(expected), "\"probability\": %s, \"forecast\": %s, \"expected_at\": %s, \"limit\": 60, \"horizon_s\": 1800",
		         cases[i].probability, cases[i].forecast, cases[i].expected);
		/* What is probable enough is told with what moved it. */
		size_t length = strlen(expected);
		if (strcmp(cases[i].probability, "0") == 0)
			snprintf(expected + length, sizeof(expected) - length, "}]}");
		else
			snprintf(expected + length, sizeof(expected) - length, ", \"why\": {\"climb\": null, \"parts\": [{\"name\": \"present\", \"log_odds\": %s, "
			         "\"value\": %s, \"meaning\": \"fake\"}]}}]}", cases[i].probability, cases[i].forecast);
		if (!strstr(server.put.data, expected))
			fail_msg("minute %lld: '%s' has no '%s'", (long long)cases[i].minutes, server.put.data, expected);
	}
}

static void test_service_refresh_new_series_are_adopted_once_over(void **state)
{
	(void)state;
	size_t rising = add_series("10.0.0.5", "rising", RESOURCE_CPU), quiet = add_series("10.0.0.5", "shy", RESOURCE_CPU);
	for (int64_t time_ms = START - 4 * STEP; time_ms < START + STEP; time_ms += 10000) {
		add_sample(rising, time_ms, time_ms < START + 3 * MINUTE ? 15 : 25);
		add_sample(quiet, time_ms, 20);
	}
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	refresh(START + MINUTE);
	refresh(START + 2 * MINUTE);
	assert_int_equal(series_table_count(&service->table), 0);
	assert_string_equal(server.put.data, "{\"data\": []}");
	refresh(START + 3 * MINUTE);
	assert_int_equal(series_table_count(&service->table), 1);
	/* Forecast from the next refresh on: its history is read after this one. */
	assert_string_equal(server.put.data, "{\"data\": []}");
	assert_non_null(strstr(server.asked.data, "resource=cpu&by=host&timestamps=1&step=300s&fn=max&window=7097s&ip=10.0.0.5&process=rising\n"));
	assert_int_equal(find("rising")->forecaster->first, START_STEP - 4);
	assert_int_equal(find("rising")->forecaster->newest, START_STEP - 1);
	refresh(START + 4 * MINUTE);
	assert_non_null(strstr(server.put.data, "\"rising\""));
	assert_null(strstr(server.asked.data, "process="));
	/* Of the step that went on, the first minute is as its history was so far: without it
	 * the mean would be 20. */
	refresh(START + STEP);
	struct step step = find("rising")->forecaster->steps[find("rising")->forecaster->newest - find("rising")->forecaster->first];
	assert_true((double)step.max == 25 && fabs((double)step.mean - 19) < 0.2);
}

static void test_service_refresh_adoptions_are_bounded(void **state)
{
	(void)state;
	static char names[NAMES_MAX][16];
	for (int i = 0; i < 60; i++) {
		snprintf(names[i], sizeof(names[i]), "p%02d", i);
		add_series("10.0.0.5", names[i], RESOURCE_CPU);
	}
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	for (size_t i = 0; i < 60; i++) {
		for (int64_t time_ms = START + 10000; time_ms < START + STEP; time_ms += 10000)
			add_sample(i, time_ms, 50);
	}
	size_t before = server.gets;
	refresh(START + MINUTE);
	assert_int_equal(series_table_count(&service->table), 60);
	assert_int_equal(server.gets - before, 4 + 2 * SERVICE_READS_MAX);
	before = server.gets;
	refresh(START + 2 * MINUTE);
	assert_int_equal(server.gets - before, 4 + 2 * 10);
	before = server.gets;
	refresh(START + 3 * MINUTE);
	assert_int_equal(server.gets - before, 4);
}

static void test_service_refresh_muted_series_are_not_forecast(void **state)
{
	(void)state;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + STEP);
	add_wave(add_series("10.0.0.5", "muted", RESOURCE_CPU), START - 4 * STEP, START + STEP);
	open_service("alert.rule=process=muted mute=yes", START + 8000);
	read_all(START + 8000);
	refresh(START + MINUTE);
	assert_non_null(find("busy"));
	assert_null(find("muted"));
}

static void test_service_refresh_forgets_what_is_quiet_for_the_history(void **state)
{
	(void)state;
	size_t busy = add_series("10.0.0.5", "busy", RESOURCE_CPU), once = add_series("10.0.0.5", "once", RESOURCE_CPU);
	add_wave(busy, START - STEP, START + 25 * STEP);
	for (int64_t time_ms = START - STEP; time_ms < START + 25 * STEP; time_ms += 10000)
		add_sample(once, time_ms, time_ms < START ? 50 : 5);
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	assert_int_equal(series_table_count(&service->table), 2);
	for (int64_t boundary_ms = START + MINUTE; boundary_ms < START + 25 * STEP; boundary_ms += MINUTE) {
		refresh(boundary_ms);
		assert_int_equal(find("once") != NULL, boundary_ms < START + 24 * STEP);
		assert_non_null(find("busy"));
	}
	assert_int_equal(forecasters_open, 1);
}

#define DAY (24 * 60 * MINUTE)

/* What main does at a boundary, with a clock that is `wrong_ms` ahead; the server's is right. */
static bool tick(int64_t boundary_ms, int64_t wrong_ms)
{
	struct moment now = { .wall_ms = boundary_ms + PHASE + wrong_ms, .boot_ms = boundary_ms + PHASE - START + DAY };
	server.now_ms = boundary_ms + PHASE;
	if (!service_trusts_clock(service, now)) {
		assert_false(service_reads(service));
		return false;
	}
	service_refresh(service, boundary_ms + wrong_ms, now.wall_ms);
	while (service_reads(service))
		service_read_next(service, now.wall_ms);
	return true;
}

/* As after a restart: what is kept was believed for long. */
static void believe_clock(void)
{
	service->mark = (struct sure_clock_mark){ .boot = clock_boot(), .moment = { .wall_ms = START, .boot_ms = DAY } };
}

static void save_into(struct text *content)
{
	service->dirty = true;
	service_save(service);
	text_reset(content);
	assert_int_equal(whole_file_read(state_path, content), 0);
}

/* What is learnt, in a state's content: time goes on. */
static const char *behind_clock(const struct text *content)
{
	return strchr(strstr(content->data, "\nclock ") + 1, '\n');
}

static void test_service_trusts_clock_a_jump_and_back_changes_nothing(void **state)
{
	(void)state;
	struct text before = TEXT_EMPTY, after = TEXT_EMPTY;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 6 * STEP);
	static const int64_t jumps[] = { 30 * DAY, -30 * DAY, 2 * 60 * MINUTE };
	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		open_service(NULL, START + 8000);
		believe_clock();
		read_all(START + 8000);
		for (int64_t minute = 1; minute <= 3; minute++)
			assert_true(tick(START + minute * MINUTE, 0));
		save_into(&before);
		captured_stderr_begin();
		for (int64_t minute = 4; minute <= 7; minute++)
			assert_false(tick(START + minute * MINUTE, jumps[i]));
		save_into(&after);
		assert_string_equal(behind_clock(&after), behind_clock(&before));
		for (int64_t minute = 8; minute <= 12; minute++)
			assert_true(tick(START + minute * MINUTE, 0));
		assert_int_equal(captured_stderr_end(), 2);
		assert_int_equal(captured_stderr_count("the clock has jumped to "), 1);
		assert_int_equal(captured_stderr_count("the clock is right again: "), 1);
		assert_wave("busy", START_STEP - 3, START_STEP + 1, 0, 0);
		service_close(service);
		service = NULL;
	}
	text_free(&before);
	text_free(&after);
}

/* A service that is started while the clock is wrong. */
/* A reload while it is doubted began at the wrong time. */
static void test_service_trusts_clock_reloaded_meanwhile_begins_anew_when_it_is_right(void **state)
{
	(void)state;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 6 * STEP);
	open_service(NULL, START + 8000);
	believe_clock();
	read_all(START + 8000);
	assert_true(tick(START + MINUTE, 0));
	captured_stderr_begin();
	assert_false(tick(START + 2 * MINUTE, 30 * DAY));
	struct text error = TEXT_EMPTY;
	assert_int_equal(service_reload(service, config, NULL, START + 2 * MINUTE + PHASE + 30 * DAY, &error), 0);
	for (int64_t minute = 3; minute <= 12; minute++)
		assert_true(tick(START + minute * MINUTE, 0));
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("info: the clock is right again: "), 1);
	assert_wave("busy", START_STEP - 4, START_STEP + 1, 0, 0);
}

static void test_service_trusts_clock_goes_on_from_the_state_s(void **state)
{
	(void)state;
	struct text before = TEXT_EMPTY, after = TEXT_EMPTY;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 6 * STEP);
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	assert_true(tick(START + MINUTE, 0));
	save_into(&before);
	service_close(service);
	open_service(NULL, START + 30 * DAY);
	assert_true(service_read_state(service));
	assert_false(tick(START + 2 * MINUTE, 30 * DAY));
	save_into(&after);
	const char *known = strstr(before.data, " 10.0.0.5 cpu \"busy\" ");
	assert_non_null(known);
	assert_non_null(strstr(after.data, known));
	assert_true(tick(START + 3 * MINUTE, 0));
	text_free(&before);
	text_free(&after);
}

static void test_service_trusts_clock_borne_out_reads_anew_and_forgets_nothing(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 12 * STEP);
	open_service(NULL, START + 8000);
	believe_clock();
	read_all(START + 8000);
	for (int64_t minute = 1; minute <= 35; minute++) {
		/* For as long as it is believed our clock is wrong and the server's right: there is nothing to be read. */
		bool wrong = minute > 2 && minute <= 20;
		bool trusted = minute <= 2 || (minute >= 13 && minute <= 20) || minute >= 31;
		assert_int_equal(tick(START + minute * MINUTE, wrong ? 30 * DAY : 0), trusted);
		save_into(&content);
		assert_non_null(strstr(content.data, " 10.0.0.5 cpu \"busy\" "));
	}
	assert_wave("busy", START_STEP - 3, START_STEP + 6, 0, 0);
	text_free(&content);
}

static void test_service_refresh_short_absence_of_the_server_loses_nothing(void **state)
{
	(void)state;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 3 * STEP);
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	captured_stderr_begin();
	for (int64_t boundary_ms = START + MINUTE; boundary_ms <= START + 2 * STEP; boundary_ms += MINUTE) {
		bool away = boundary_ms > START + 3 * MINUTE && boundary_ms < START + 8 * MINUTE;
		server.get_status = away ? 503 : 0;
		size_t puts = server.puts;
		refresh(boundary_ms);
		/* No forecast is better than one of old values. */
		assert_int_equal(server.puts - puts, !away);
	}
	assert_int_equal(captured_stderr_end(), 2);
	assert_non_null(strstr(captured_stderr_text(), "error: asking for the newest values fails: GET http://127.0.0.1:"));
	assert_non_null(strstr(captured_stderr_text(), "info: asking for the newest values works again\n"));
	assert_wave("busy", START_STEP - 3, START_STEP + 1, 0, 0);
	assert_null(strstr(server.asked.data, "step=300s"));
}

static void test_service_refresh_long_absence_is_filled_from_the_history(void **state)
{
	(void)state;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 5 * STEP);
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	for (int64_t boundary_ms = START + MINUTE; boundary_ms <= START + 5 * STEP; boundary_ms += MINUTE) {
		bool away = boundary_ms > START + 3 * MINUTE && boundary_ms < START + 2 * STEP + 2 * MINUTE;
		/* The histories can be read later than the newest values. */
		server.fail = away ? NULL : "step=300s";
		server.get_status = boundary_ms > START + 3 * MINUTE && boundary_ms < START + 3 * STEP + 2 * MINUTE ? 503 : 0;
		refresh(boundary_ms);
		if (boundary_ms == START + 2 * STEP + 2 * MINUTE) {
			/* Not before its history has been read. */
			assert_string_equal(server.put.data, "{\"data\": []}");
			assert_non_null(strstr(server.asked.data, "hosts\n"));
		}
	}
	assert_wave("busy", START_STEP - 3, START_STEP + 4, 0, 0);
	assert_non_null(strstr(server.put.data, "\"busy\""));
}

static void test_service_read_next_refused_window_is_made_shorter(void **state)
{
	(void)state;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 24 * STEP, START + 8000);
	server.retention_ms = 40 * MINUTE;
	open_service(NULL, START + 8000);
	captured_stderr_begin();
	read_all(START + 8000);
	assert_int_equal(captured_stderr_end(), 3);
	assert_non_null(strstr(captured_stderr_text(), "the server refuses a history of 7200 s (GET http"));
	assert_non_null(strstr(captured_stderr_text(), "(window is too long)): asking for 3600 s\n"));
	assert_non_null(strstr(captured_stderr_text(), "): asking for 1800 s\n"));
	assert_wave("busy", START_STEP - 5, START_STEP - 1, 0, 0);

}

static void test_service_read_next_series_that_is_refused_does_without_history(void **state)
{
	(void)state;
	size_t busy = add_series("10.0.0.5", "busy", RESOURCE_CPU), more = add_series("10.0.0.5", "more", RESOURCE_CPU);
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	add_wave(busy, START, START + 4 * STEP);
	add_wave(more, START, START + 4 * STEP);
	server.get_status = 400;
	server.fail = "&process=";
	captured_stderr_begin();
	for (int64_t boundary_ms = START + MINUTE; boundary_ms <= START + 3 * STEP; boundary_ms += MINUTE)
		refresh(boundary_ms);
	captured_stderr_end();
	assert_non_null(strstr(captured_stderr_text(), "error: reading the histories fails: GET "));
	assert_null(strstr(server.asked.data, "process="));
	assert_wave("busy", START_STEP + 1, START_STEP + 2, 0, 0);
	assert_wave("more", START_STEP + 1, START_STEP + 2, 0, 0);
}

static void test_service_read_next_failure_waits_for_the_next_refresh(void **state)
{
	(void)state;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + STEP);
	add_wave(add_series("10.0.0.6", "more", RESOURCE_CPU), START - 4 * STEP, START + STEP);
	open_service(NULL, START + 8000);
	server.get_status = 503;
	server.fail = "step=300s";
	captured_stderr_begin();
	read_all(START + 8000);
	assert_int_equal(server.gets, 2);
	refresh(START + MINUTE);
	refresh(START + 2 * MINUTE);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "error: reading the histories fails: "));
	assert_string_equal(server.put.data, "{\"data\": []}");
	server.get_status = 0;
	refresh(START + 3 * MINUTE);
	assert_wave("busy", START_STEP - 4, START_STEP - 1, 0, 0);
	assert_int_equal(series_table_count(&service->table), 2);
	refresh(START + 4 * MINUTE);
	assert_non_null(strstr(server.put.data, "\"busy\""));
}

static void test_service_save_what_was_learnt_survives_a_restart(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY;
	add_wave(add_series("10.0.0.5", "a \"b\"", RESOURCE_CPU), START - 4 * STEP, START + 5 * STEP);
	add_wave(add_series("10.0.0.5", "gone", RESOURCE_CPU), START - 4 * STEP, START + 5 * STEP);
	open_service(NULL, START + 8000);
	assert_true(service_read_state(service));
	read_all(START + 8000);
	service_save(service);
	/* Nothing new is not written. */
	assert_int_equal(rename(state_path, broken_path), 0);
	service_save(service);
	assert_int_equal(access(state_path, F_OK), -1);
	assert_int_equal(rename(broken_path, state_path), 0);
	service_close(service);
	service = NULL;

	server.name_count = 1;
	open_service(NULL, START + 2 * STEP + 8000);
	assert_true(service_read_state(service));
	/* What is not asked for yet is not lost. */
	service->dirty = true;
	service_save(service);
	assert_int_equal(whole_file_read(state_path, &content), 0);
	assert_non_null(strstr(content.data, "\n0 10.0.0.5 cpu \"gone\" fake "));
	text_free(&content);
	read_all(START + 2 * STEP + 8000);
	char expected[64];
	snprintf(expected, sizeof(expected), "fake %lld after start", (long long)START_STEP - 1);
	assert_string_equal(find("a \"b\"")->forecaster->learnt, expected);
	assert_int_equal(find("a \"b\"")->forecaster->newest, START_STEP + 1);
	/* But of what is gone nothing is kept for longer than the history, in refreshes. */
	for (int64_t minute = 1; minute <= 121; minute++) {
		assert_non_null(service->learnt);
		refresh(START + 2 * STEP + minute * MINUTE);
	}
	assert_null(service->learnt);
}

static void test_service_read_state_each_failing_allocation_keeps_the_file(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	static const char content[] = "vigie-forecast 1 300000\n10.0.0.5 cpu \"busy\" fake 1 after start\nend 1\n";
	temporary_file_write(state_path, content);
	config = make_config(NULL);
	captured_stderr_begin();
	bool failed = true;
	for (long number = 1; failed; number++) {
		struct text error = TEXT_EMPTY, kept = TEXT_EMPTY;
		failing_start(number);
		bool opened = service_open(config, NULL, START, &service, &error) == 0;
		bool read = opened && service_read_state(service);
		failed = failing_stop();
		if ((!read && !failed) || (read && !service->learnt))
			fail_msg("allocation %ld: %d %d", number, opened, read);
		service_close(service);
		service = NULL;
		assert_int_equal(whole_file_read(state_path, &kept), 0);
		assert_string_equal(kept.data, content);
		assert_int_equal(access(broken_path, F_OK), -1);
		text_free(&error);
		text_free(&kept);
	}
	captured_stderr_end();
}

/* Whatever a refresh lacks, those after it forecast from all that was sampled. Most of the allocations are those of requests. */
static void test_service_refresh_each_failing_allocation_loses_no_step(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	enum { MINUTES = 1000 };
	int64_t boundary_ms = START;
	bool failed = true;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + MINUTES * MINUTE);
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	captured_stderr_begin();
	for (long number = 1; failed; number += 1 + number / 32) {
		assert_in_range(boundary_ms, START, START + (MINUTES - 4) * MINUTE);
		failing_start(number);
		refresh(boundary_ms += MINUTE);
		failed = failing_stop();
		refresh(boundary_ms += MINUTE);
		refresh(boundary_ms += MINUTE);
		if (!strstr(server.put.data, "\"busy\""))
			fail_msg("allocation %ld: %s", number, server.put.data);
	}
	captured_stderr_end();
	int64_t last = (boundary_ms - MINUTE) / STEP - 1;
	assert_wave("busy", last - 10, find("busy")->forecaster->newest, 0, 0);
}

static void test_service_refresh_stopped_by_the_server_rests_until_it_is_started(void **state)
{
	(void)state;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 3 * STEP);
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	captured_stderr_begin();
	server.headers = WIRE_STATE ": " WIRE_STOP "\r\n";
	for (int minute = 1; minute <= 3; minute++) {
		size_t gets = server.gets;
		refresh(START + minute * MINUTE);
		assert_string_equal(server.put.data, "{\"data\": []}"); /* a sign of life, */
		assert_int_equal(server.gets - gets, minute == 1 ? 4 : 0); /* and nothing else */
		assert_false(service_reads(service));
	}
	server.headers = WIRE_STATE ": " WIRE_RUN "\r\n";
	refresh(START + 4 * MINUTE);
	assert_string_equal(server.put.data, "{\"data\": []}");
	refresh(START + 5 * MINUTE);
	assert_non_null(strstr(server.put.data, "\"busy\""));
	assert_int_equal(captured_stderr_end(), 2);
	assert_int_equal(captured_stderr_count("info: stopped by the server: nothing is forecast until it says otherwise\n"), 1);
	assert_int_equal(captured_stderr_count("info: started by the server\n"), 1);
	refresh(START + 2 * STEP);
	assert_wave("busy", START_STEP - 3, START_STEP + 1, 0, 0);
}

/* What could not be read is read after the next refresh: of a host at the start, and of a series that comes later. */
static void test_service_read_next_each_failing_allocation_reads_it_later(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	size_t busy = add_series("10.0.0.5", "busy", RESOURCE_CPU), late = add_series("10.0.0.5", "late", RESOURCE_CPU);
	add_wave(busy, START - 4 * STEP, START + STEP);
	for (int64_t time_ms = START - 4 * STEP; time_ms < START + STEP; time_ms += 10000)
		add_sample(late, time_ms, time_ms < START + 10000 ? 15 : 25);
	captured_stderr_begin();
	bool failed = true;
	for (long number = 1; failed; number++) {
		open_service(NULL, START + 8000);
		failing_start(number);
		read_all(START + 8000);
		refresh(START + MINUTE);
		failed = failing_stop();
		for (int minute = 2; minute <= 4; minute++)
			refresh(START + minute * MINUTE);
		if (!strstr(server.put.data, "\"busy\"") || !strstr(server.put.data, "\"late\""))
			fail_msg("allocation %ld: %s", number, server.put.data);
		assert_wave("busy", START_STEP - 4, START_STEP - 1, 0, 0);
		assert_int_equal(find("late")->forecaster->first, START_STEP - 4);
		service_close(service);
		service = NULL;
	}
	captured_stderr_end();
}

/* What another model has learnt is of no use to the one there is. */
static void test_service_read_next_what_another_model_has_learnt_is_left(void **state)
{
	(void)state;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + STEP);
	add_wave(add_series("10.0.0.5", "more", RESOURCE_CPU), START - 4 * STEP, START + STEP);
	temporary_file_write(model_path, "model");
	temporary_file_write(state_path, "vigie-forecast 1 300000\n10.0.0.5 cpu \"busy\" another 1\n10.0.0.5 cpu \"more\" fake 1 after start\nend 2\n");
	open_service(NULL, START + 8000);
	service_read_model(service, model_path);
	assert_true(service_read_state(service));
	read_all(START + 8000);
	assert_string_equal(find("busy")->forecaster->learnt, "");
	assert_string_equal(find("more")->forecaster->learnt, "fake 1 after start");
	assert_wave("busy", START_STEP - 4, START_STEP - 1, 0, 0);
	assert_ptr_equal(find("busy")->forecaster->prior, service->prior);
}

/* A state that cannot be written whole stays as it was, and is written the next time. */
static void test_service_save_each_failing_allocation_keeps_the_file(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct text before = TEXT_EMPTY, after = TEXT_EMPTY;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + STEP);
	open_service(NULL, START + 8000);
	assert_true(service_read_state(service));
	save_into(&before); /* of none */
	read_all(START + 8000);
	captured_stderr_begin();
	bool failed = true;
	for (long number = 1; failed; number++) {
		struct text found = TEXT_EMPTY;
		assert_int_equal(whole_file_replace(state_path, &before), 0);
		service->dirty = true;
		failing_start(number);
		service_save(service);
		failed = failing_stop();
		assert_int_equal(service->dirty, failed);
		assert_int_equal(whole_file_read(state_path, &found), 0);
		save_into(&after);
		assert_non_null(strstr(after.data, " cpu \"busy\" fake "));
		if (strcmp(found.data, after.data) != 0 && (!failed || strcmp(found.data, before.data) != 0))
			fail_msg("allocation %ld: %s", number, found.data);
		text_free(&found);
	}
	captured_stderr_end();
	text_free(&before);
	text_free(&after);
}

static void test_service_refresh_writes_the_state_every_ten_minutes(void **state)
{
	(void)state;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 9 * STEP);
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	size_t writes = 0;
	for (int64_t boundary_ms = START + MINUTE; boundary_ms <= START + 8 * STEP; boundary_ms += MINUTE) {
		refresh(boundary_ms);
		writes += access(state_path, F_OK) == 0;
		unlink(state_path);
	}
	assert_in_range(writes, 3, 4);
}

static void test_service_read_state_broken_file_is_moved_aside(void **state)
{
	(void)state;
	temporary_file_write(state_path, "vigie-forecast 1 300000\nnonsense\nend 1\n");
	open_service(NULL, START);
	captured_stderr_begin();
	assert_true(service_read_state(service));
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "forecast.state is not a state of vigie-forecast: line 2 is not right; moved to "));
	assert_int_equal(access(state_path, F_OK), -1);
	assert_int_equal(access(broken_path, F_OK), 0);

	/* One of another step is none of ours to break. */
	temporary_file_write(state_path, "vigie-forecast 1 60000\nend 0\n");
	captured_stderr_begin();
	assert_true(service_read_state(service));
	assert_int_equal(captured_stderr_end(), 1);
	assert_int_equal(access(state_path, F_OK), 0);
}

/* Where it cannot be moved it must not be lost either. */
static void test_service_read_state_broken_file_that_cannot_be_moved_is_left(void **state)
{
	(void)state;
	temporary_file_write(state_path, "nonsense\n");
	assert_int_equal(mkdir(broken_path, 0700), 0);
	open_service(NULL, START);
	captured_stderr_begin();
	assert_false(service_read_state(service));
	assert_int_equal(captured_stderr_end(), 1);
	assert_int_equal(captured_stderr_count("error: cannot read the state in "), 1);
	assert_int_equal(captured_stderr_count("forecast.state: Is a directory\n"), 1);
	assert_int_equal(access(state_path, F_OK), 0);
}

static void test_service_read_state_in_use_says_by_whom(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	struct service *second;
	char expected[64];
	open_service(NULL, START);
	assert_true(service_read_state(service));
	assert_int_equal(service_open(config, NULL, START, &second, &error), 0);
	captured_stderr_begin();
	assert_false(service_read_state(second));
	captured_stderr_end();
	snprintf(expected, sizeof(expected), "forecast.state is in use by process %d", (int)getpid());
	assert_int_equal(captured_stderr_count(expected), 1);
	/* The first one gives it up with its end, */
	service_close(service);
	assert_true(service_read_state(second));
	service = second;
	/* and with another place. */
	char other[sizeof(state_path) + 32];
	snprintf(other, sizeof(other), "forecast.state=%s", model_path);
	struct config *elsewhere = make_config(other);
	assert_int_equal(service_reload(service, elsewhere, NULL, START, &error), 0);
	config_free(elsewhere);
	assert_int_equal(service_open(config, NULL, START, &second, &error), 0);
	assert_true(service_read_state(second));
	service_close(second);
	text_free(&error);
}

static void reload(const char *more, int64_t now_ms, int expected)
{
	struct text error = TEXT_EMPTY;
	config_free(config);
	config = make_config(more);
	assert_int_equal(service_reload(service, config, NULL, now_ms, &error), expected);
	text_free(&error);
}

static void test_service_reload_takes_limits_and_keeps_what_was_learnt(void **state)
{
	(void)state;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + STEP);
	open_service("alert.rule=process=busy threshold=90 horizon=21m", START + 8000);
	read_all(START + 8000);
	assert_true(find("busy")->forecaster->limit == 90);
	assert_int_equal(find("busy")->forecaster->horizon, 5);
	reload("forecast.refresh=1500ms", START + 9000, -EINVAL);
	assert_true(find("busy")->forecaster->limit == 90);
	reload("alert.horizon=1d", START + 9000, 0);
	assert_null(find("busy"));
	read_all(START + 9000);
	assert_true(find("busy")->forecaster->limit == 80);
	assert_int_equal(find("busy")->forecaster->horizon, FORECASTER_HORIZON_MAX);
	assert_memory_equal(find("busy")->forecaster->learnt, "fake ", 5);
	reload("alert.horizon=1s", START + 9000, 0);
	read_all(START + 9000);
	assert_int_equal(find("busy")->forecaster->horizon, 1);
	/* Steps of another length are another model's. */
	reload("forecast.step=10m", START + 9000, 0);
	read_all(START + 9000);
	assert_string_equal(find("busy")->forecaster->learnt, "");
}

/* All is as it was, or it takes the new one; what is lost of what was learnt is said. */
static void test_service_reload_each_failing_allocation_keeps_it_at_work(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	char other[sizeof(model_path) + 32];
	snprintf(other, sizeof(other), "forecast.state=%s", model_path);
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + STEP);
	captured_stderr_begin();
	bool failed = true;
	size_t lost = 0;
	for (long number = 1; failed; number++) {
		struct text error = TEXT_EMPTY;
		open_service(NULL, START + 8000);
		assert_true(service_read_state(service));
		/* One whose history is yet to be read has learnt nothing. */
		assert_non_null(service_add_series(service, "10.0.0.5", "behind", RESOURCE_CPU));
		service->table.series->behind = true;
		read_all(START + 8000);
		struct config *elsewhere = make_config(other);
		failing_start(number);
		int result = service_reload(service, elsewhere, NULL, START + 9000, &error);
		failed = failing_stop();
		/* Of a URL libcurl says that it is none, for want of memory. */
		assert_true(result == 0 || (failed && (result == -ENOMEM || result == -EINVAL)));
		assert_int_equal(find("busy") != NULL, result != 0);
		assert_string_equal(service->setup.state, result ? state_path : model_path);
		size_t said = captured_stderr_count("what was learnt of busy on 10.0.0.5 is lost: Cannot allocate memory");
		read_all(START + 9000);
		const char *learnt = find("busy")->forecaster->learnt;
		assert_int_equal(learnt[0] != '\0', result == 0 && said == lost);
		lost = said;
		config_free(elsewhere);
		text_free(&error);
		service_close(service);
		service = NULL;
	}
	captured_stderr_end();
	assert_int_not_equal(lost, 0);
}

static void test_service_reload_broken_model_keeps_the_present_one(void **state)
{
	(void)state;
	char model[sizeof(model_path) + 16];
	snprintf(model, sizeof(model), "forecast.model=%s", model_path);
	temporary_file_write(model_path, "model");
	open_service(model, START + 8000);
	service_read_model(service, model_path);
	assert_int_equal(priors_open, 1);
	const struct prior *present = service->prior;
	temporary_file_write(model_path, "nonsense");
	captured_stderr_begin();
	reload(model, START + 9000, 0);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "error: cannot use the model in "));
	assert_non_null(strstr(captured_stderr_text(), ": it is no model; the present one stays\n"));
	assert_ptr_equal(service->prior, present);
	reload(NULL, START + 9000, 0);
	assert_null(service->prior);
	captured_stderr_begin();
	service_read_model(service, "/nonexistent");
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "No such file or directory; the one built in stays\n"));
}

static void test_service_check_table(void **state)
{
	(void)state;
	static const struct {
		const char *more, *sentence; /* NULL: it is right */
	} cases[] = {
		{ "forecast.above=0", NULL },
		{ "forecast.step=7m", NULL },
		{ "forecast.refresh=1500ms", "[forecast] refresh: it is no whole number of seconds" },
		{ "forecast.refresh=2m", "[forecast] step: it is not 1 to 300 times refresh" },
		{ "forecast.step=301m", "[forecast] step: it is not 1 to 300 times refresh" },
		{ "forecast.refresh=1s", NULL },
		{ "forecast.history=9m", "[forecast] history: it is less than two steps" },
		{ "forecast.url=nowhere", "[forecast] url: 'nowhere' is no http:// or https:// URL: it begins with neither" },
		{ "forecast.token_file=/nonexistent", "[forecast] token_file: /nonexistent: No such file or directory" },
		{ "alert.clear=90", "[alert] clear = 90 is over threshold = 80" },
		{ "alert.horizon=4h", NULL },
		{ "alert.horizon=14401s", TOO_FAR },
		{ "alert.rule=process=java horizon=14401s", TOO_FAR },
		{ "alert.rule=process=java horizon=1d mute=yes", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text error = TEXT_EMPTY;
		struct config *checked = make_config(cases[i].more);
		assert_int_equal(service_check(checked, NULL, true, &error) != 0, cases[i].sentence != NULL);
		if (cases[i].sentence)
			assert_string_equal(error.data, cases[i].sentence);
		config_free(checked);
		text_free(&error);
	}
}

static void test_service_check_too_far_a_horizon_is_cut_at_run_with_a_warning(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	captured_stderr_begin();
	open_service("alert.horizon=14401s", START);
	assert_int_equal(service_reload(service, config, NULL, START, &error), 0);
	assert_int_equal(captured_stderr_end(), 2);
	assert_non_null(strstr(captured_stderr_text(), " warning: " TOO_FAR "; that is as far as is looked ahead\n"));
	assert_int_equal(service_check(config, NULL, false, &error), 0);
	assert_int_equal(setup_horizon(&service->setup, rules_find(service->setup.rules, "10.0.0.5", "java", RESOURCE_CPU)),
	                 FORECASTER_HORIZON_MAX);
	assert_null(error.data);
}

static void test_service_explain_one_series_and_writes_nothing(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY, error = TEXT_EMPTY;
	size_t quiet = add_series("10.0.0.5", "quiet", RESOURCE_CPU);
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 3 * MINUTE);
	for (int64_t time_ms = START - 4 * STEP; time_ms <= START + 3 * MINUTE; time_ms += 10000)
		add_sample(quiet, time_ms, 7);
	temporary_file_write(state_path, "vigie-forecast 1 300000\n10.0.0.5 cpu \"quiet\" fake 1 after start\nend 1\n");
	open_service("alert.rule=process=quiet threshold=6 clear=5 horizon=21m", START + 3 * MINUTE + 8000);
	assert_int_equal(service_explain(service, "10.0.0.5", "quiet", RESOURCE_CPU, START + 3 * MINUTE + 8000, &text, &error), 0);
	assert_string_equal(text.data, "limit 6, horizon 5 steps of 300 s\nprobability 0.6000\nforecast 7.00\n"
	                               "expected at 2026-11-22T14:08:08.000Z, in 300 s\npresent 7 phase 0.6\n");
	assert_string_equal(find("quiet")->forecaster->learnt, "fake 1 after start");
	assert_null(find("busy"));
	assert_int_equal(server.puts, 0);
	text_free(&text);

	server.get_status = 503;
	service_close(service);
	open_service(NULL, START + 3 * MINUTE + 8000);
	assert_int_equal(service_explain(service, "10.0.0.5", "quiet", RESOURCE_CPU, START + 3 * MINUTE + 8000, &text, &error),
	                 -EREMOTEIO);
	assert_non_null(strstr(error.data, ": the answer's status is 503"));
	assert_null(text.data);
	text_free(&error);
}

static void test_service_explain_broken_state_is_left_and_done_without(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY, error = TEXT_EMPTY, kept = TEXT_EMPTY;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 3 * MINUTE);
	temporary_file_write(state_path, "nonsense\n");
	open_service(NULL, START + 3 * MINUTE + 8000);
	captured_stderr_begin();
	assert_int_equal(service_explain(service, "10.0.0.5", "busy", RESOURCE_CPU, START + 3 * MINUTE + 8000, &text, &error), 0);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), " warning: without what is learnt: "));
	assert_non_null(strstr(text.data, "probability 0.6000\n"));
	assert_string_equal(find("busy")->forecaster->learnt, "");
	assert_int_equal(whole_file_read(state_path, &kept), 0);
	assert_string_equal(kept.data, "nonsense\n");
	text_free(&text);
	text_free(&kept);
}

static void test_service_explain_says_what_else_is_expected(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY, error = TEXT_EMPTY;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 3 * MINUTE);
	fake_full_steps = 24;
	fake_climb = 0.25;
	open_service(NULL, START + 3 * MINUTE + 8000);
	assert_int_equal(service_explain(service, "10.0.0.5", "busy", RESOURCE_CPU, START + 3 * MINUTE + 8000, &text, &error), 0);
	assert_non_null(strstr(text.data, "it is not expected to pass its limit\nby a line over days: full at 2026-11-22T16:03:08.000Z, in 2.0 h\n"
	                                  "by its steady climb alone: probability 0.2500\npresent "));
	text_free(&text);
}

static void test_service_explain_state_that_cannot_be_read_is_done_without(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY, error = TEXT_EMPTY;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 3 * MINUTE);
	assert_int_equal(mkdir(state_path, 0700), 0);
	open_service(NULL, START + 3 * MINUTE + 8000);
	captured_stderr_begin();
	assert_int_equal(service_explain(service, "10.0.0.5", "busy", RESOURCE_CPU, START + 3 * MINUTE + 8000, &text, &error), 0);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("/forecast.state: Is a directory\n"), 1);
	assert_non_null(strstr(text.data, "probability 0.6000\n"));
	assert_int_equal(rmdir(state_path), 0);
	text_free(&text);
}

static void test_service_explain_each_failing_allocation_says_all_or_why_not(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct text whole = TEXT_EMPTY;
	const int64_t now_ms = START + 3 * MINUTE + 8000;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + 3 * MINUTE);
	temporary_file_write(state_path, "vigie-forecast 1 300000\n10.0.0.5 cpu \"busy\" fake 1 after start\nend 1\n");
	captured_stderr_begin();
	for (long number = 0, failed = 1; failed; number++) {
		struct text text = TEXT_EMPTY, error = TEXT_EMPTY;
		open_service(NULL, now_ms);
		failing_start(number); /* of none, at first */
		int result = service_explain(service, "10.0.0.5", "busy", RESOURCE_CPU, now_ms, &text, &error);
		failed = failing_stop() || number == 0;
		if (number == 0)
			text_append_string(&whole, text.data);
		assert_true(result == 0 || failed);
		if (result == 0 && !text_failed(&text))
			assert_string_equal(text.data, whole.data);
		if (result == 0)
			assert_string_equal(find("busy")->forecaster->learnt, "fake 1 after start");
		if (result)
			assert_true(text.length == 0 && (error.length > 0 || text_failed(&error)));
		text_free(&text);
		text_free(&error);
		service_close(service);
		service = NULL;
	}
	captured_stderr_end();
	text_free(&whole);
}

static void test_service_explain_what_nobody_has_seen_is_said(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY, error = TEXT_EMPTY;
	open_service(NULL, START + 8000);
	assert_int_equal(service_explain(service, "10.0.0.5", "nobody", RESOURCE_CPU, START + 8000, &text, &error), 0);
	assert_string_equal(text.data, "limit 80, horizon 6 steps of 300 s\ntoo little is known of it: no forecast\n");
	text_free(&text);
}

static void test_service_describe_counts(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	add_wave(add_series("10.0.0.5", "busy", RESOURCE_CPU), START - 4 * STEP, START + STEP);
	open_service(NULL, START + 8000);
	read_all(START + 8000);
	refresh(START + MINUTE);
	refresh(START + 2 * MINUTE);
	service_describe(service, &text);
	assert_memory_equal(text.data, "1 series, 1 of them with a forecast at the last refresh, ", 57);
	assert_non_null(strstr(text.data, " us of CPU a series; 2 refreshes, 2 forecasts"));
	text_free(&text);
}

static int set_up_all(void **state)
{
	log_init("vigie-test");
	temporary_folder_make(folder);
	snprintf(state_path, sizeof(state_path), "%s/forecast.state", folder);
	snprintf(broken_path, sizeof(broken_path), "%s.broken", state_path);
	snprintf(model_path, sizeof(model_path), "%s/model", folder);
	snprintf(lock_paths[0], sizeof(lock_paths[0]), "%s.lock", state_path);
	snprintf(lock_paths[1], sizeof(lock_paths[1]), "%s.lock", model_path);
	return start_server(state);
}

static int tear_down_all(void **state)
{
	unlink(state_path);
	unlink(broken_path);
	unlink(model_path);
	unlink(lock_paths[0]);
	unlink(lock_paths[1]);
	stop_server(state);
	return rmdir(folder);
}

#define SERVICE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVICE_TEST(test_service_read_next_gives_each_series_its_history),
		SERVICE_TEST(test_service_refresh_makes_steps_of_buckets),
		SERVICE_TEST(test_service_refresh_late_samples_count),
		SERVICE_TEST(test_service_refresh_gaps_are_gaps_and_what_is_gone_has_no_forecast),
		SERVICE_TEST(test_service_refresh_present_and_phase_are_those_of_now),
		SERVICE_TEST(test_service_refresh_new_series_are_adopted_once_over),
		SERVICE_TEST(test_service_refresh_adoptions_are_bounded),
		SERVICE_TEST(test_service_refresh_muted_series_are_not_forecast),
		SERVICE_TEST(test_service_trusts_clock_a_jump_and_back_changes_nothing),
		SERVICE_TEST(test_service_trusts_clock_reloaded_meanwhile_begins_anew_when_it_is_right),
		SERVICE_TEST(test_service_trusts_clock_goes_on_from_the_state_s),
		SERVICE_TEST(test_service_trusts_clock_borne_out_reads_anew_and_forgets_nothing),
		SERVICE_TEST(test_service_refresh_forgets_what_is_quiet_for_the_history),
		SERVICE_TEST(test_service_refresh_short_absence_of_the_server_loses_nothing),
		SERVICE_TEST(test_service_refresh_long_absence_is_filled_from_the_history),
		SERVICE_TEST(test_service_read_next_refused_window_is_made_shorter),
		SERVICE_TEST(test_service_read_next_series_that_is_refused_does_without_history),
		SERVICE_TEST(test_service_read_next_failure_waits_for_the_next_refresh),
		SERVICE_TEST(test_service_save_what_was_learnt_survives_a_restart),
		SERVICE_TEST(test_service_read_state_each_failing_allocation_keeps_the_file),
		SERVICE_TEST(test_service_refresh_each_failing_allocation_loses_no_step),
		SERVICE_TEST(test_service_refresh_stopped_by_the_server_rests_until_it_is_started),
		SERVICE_TEST(test_service_read_next_each_failing_allocation_reads_it_later),
		SERVICE_TEST(test_service_read_next_what_another_model_has_learnt_is_left),
		SERVICE_TEST(test_service_save_each_failing_allocation_keeps_the_file),
		SERVICE_TEST(test_service_refresh_writes_the_state_every_ten_minutes),
		SERVICE_TEST(test_service_read_state_broken_file_is_moved_aside),
		SERVICE_TEST(test_service_read_state_broken_file_that_cannot_be_moved_is_left),
		SERVICE_TEST(test_service_read_state_in_use_says_by_whom),
		SERVICE_TEST(test_service_reload_takes_limits_and_keeps_what_was_learnt),
		SERVICE_TEST(test_service_reload_each_failing_allocation_keeps_it_at_work),
		SERVICE_TEST(test_service_reload_broken_model_keeps_the_present_one),
		SERVICE_TEST(test_service_check_table),
		SERVICE_TEST(test_service_check_too_far_a_horizon_is_cut_at_run_with_a_warning),
		SERVICE_TEST(test_service_explain_one_series_and_writes_nothing),
		SERVICE_TEST(test_service_explain_broken_state_is_left_and_done_without),
		SERVICE_TEST(test_service_explain_says_what_else_is_expected),
		SERVICE_TEST(test_service_explain_state_that_cannot_be_read_is_done_without),
		SERVICE_TEST(test_service_explain_each_failing_allocation_says_all_or_why_not),
		SERVICE_TEST(test_service_explain_what_nobody_has_seen_is_said),
		SERVICE_TEST(test_service_describe_counts),
	};
	return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
