/* fcgi/collectors.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/crowd.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/helpers.h"

#include "common/wire.h"
#include "fcgi/collectors.h"

#define NOW 1795356000250
#define RETENTION 172800000

static struct collectors *collectors;

static int set_up(void **state)
{
	(void)state;
	collectors = collectors_open();
	return collectors ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	collectors_close(collectors);
	return 0;
}

static void keep(const char *ip, const char *hostname, int64_t now_ms)
{
	struct collector_report report = collector_report_empty();
	snprintf(report.hostname, sizeof(report.hostname), "%s", hostname);
	collectors_keep(collectors, ip, &report, now_ms, now_ms - RETENTION);
}

static struct text metrics_at(int64_t now_ms)
{
	struct text text = TEXT_EMPTY;
	collectors_append_metrics(collectors, now_ms - RETENTION, &text);
	assert_false(text_failed(&text));
	return text;
}

/* How many lines of the metrics start with `start`. */
static size_t count_lines(const struct text *text, const char *start)
{
	size_t count = 0;
	for (const char *at = text->data; *at; at += strcspn(at, "\n") + 1)
		count += strncmp(at, start, strlen(start)) == 0;
	return count;
}

static void test_reports_find_last_report_of_a_host(void **state)
{
	(void)state;
	struct collector_report report = collector_report_empty(), found;
	strcpy(report.hostname, "h1");
	strcpy(report.version, "1.2");
	strcpy(report.state, "run");
	report.clock_offset_known = true;
	report.clock_offset_s = -1.5;
	report.partial = 1;
	report.counters[COLLECTOR_DROPPED] = 7;
	collectors_keep(collectors, "10.0.0.5", &report, NOW, NOW - RETENTION);
	keep("10.0.0.6", "h2", NOW);
	found = collectors_find(collectors, "10.0.0.5", NOW - RETENTION);
	assert_string_equal(found.hostname, "h1");
	assert_string_equal(found.version, "1.2");
	assert_string_equal(found.state, "run");
	assert_true(found.clock_offset_known && found.clock_offset_s == -1.5 && found.partial == 1);
	assert_true(found.counters[COLLECTOR_DROPPED] == 7 && found.counters[COLLECTOR_SENT] == -1);
	keep("10.0.0.5", "h3", NOW + 1);
	found = collectors_find(collectors, "10.0.0.5", NOW - RETENTION);
	assert_string_equal(found.hostname, "h3");
	assert_true(found.partial == -1 && !found.clock_offset_known && found.counters[COLLECTOR_DROPPED] == -1);
	found = collectors_find(collectors, "10.0.0.7", NOW - RETENTION);
	assert_true(!found.hostname[0] && !found.version[0] && !found.state[0] && found.partial == -1);
	assert_true(!found.clock_offset_known && found.counters[COLLECTOR_MISSED_TICKS] == -1);
}

static void test_reports_find_older_than_the_retention_says_nothing(void **state)
{
	(void)state;
	keep("10.0.0.5", "old", NOW);
	assert_string_equal(collectors_find(collectors, "10.0.0.5", NOW).hostname, "old");
	assert_string_equal(collectors_find(collectors, "10.0.0.5", NOW + 1).hostname, "");
	struct text text = metrics_at(NOW + RETENTION);
	assert_int_equal(count_lines(&text, "vigie_collectors 1"), 1);
	text_free(&text);
	text = metrics_at(NOW + RETENTION + 1);
	assert_int_equal(count_lines(&text, "vigie_collectors 0"), 1);
	assert_int_equal(count_lines(&text, "vigie_collector_last_report_seconds{"), 0);
	text_free(&text);
}

/* A report with an interval at a time in minutes; whether it makes the address one that is shared. */
static bool report_at(const char *hostname, double interval_s, int minutes)
{
	struct collector_report report = collector_report_empty();
	snprintf(report.hostname, sizeof(report.hostname), "%s", hostname);
	report.interval_s = interval_s;
	return collectors_keep(collectors, "10.0.0.5", &report, NOW + minutes * 60000, NOW - RETENTION);
}

static size_t sharers_at(int minutes)
{
	char hostnames[COLLECTORS_SHARERS][COLLECTORS_HOSTNAME_SIZE];
	return collectors_find_sharers(collectors, "10.0.0.5", NOW + minutes * 60000, hostnames);
}

static void test_reports_in_turns_share_an_address_for_a_while(void **state)
{
	(void)state;
	assert_false(report_at("a", 10, 0));
	assert_false(report_at("b", 10, 1)); /* renamed */
	assert_int_equal(sharers_at(1), 0);
	assert_true(report_at("a", 10, 2));
	assert_false(report_at("b", 10, 3)); /* said already */
	assert_int_equal(sharers_at(3), 2);
	char ips[1][WIRE_IP_SIZE];
	assert_int_equal(collectors_list_shared(collectors, NOW + 180000, ips, 1), 1);
	assert_string_equal(ips[0], "10.0.0.5");
	assert_int_equal(sharers_at(14), 0);
	assert_int_equal(collectors_list_shared(collectors, NOW + 14 * 60000, ips, 1), 0);
	assert_false(report_at("b", 10, 15));
	assert_false(report_at("a", 10, 30)); /* not in turns: once in a quarter of an hour */
	assert_false(report_at("b", 10, 31));
	assert_true(report_at("a", 10, 32));
}

static void test_reports_in_turns_of_slow_hosts(void **state)
{
	(void)state;
	assert_false(report_at("a", 3600, 0));
	assert_false(report_at("b", 3600, 30));
	assert_true(report_at("a", 3600, 60));
	assert_false(report_at("b", 3600, 90));
	assert_int_equal(sharers_at(200), 2);
}

static void test_intervals_are_told_when_they_are_unusual_and_now_and_then(void **state)
{
	(void)state;
	report_at("a", 10, 0);
	assert_false(collectors_tell_interval(collectors, "10.0.0.5", 10000, NOW));
	report_at("a", 60, 1);
	assert_true(collectors_tell_interval(collectors, "10.0.0.5", 10000, NOW));
	assert_false(collectors_tell_interval(collectors, "10.0.0.5", 10000, NOW + COLLECTORS_TELL_MS - 1));
	assert_true(collectors_tell_interval(collectors, "10.0.0.5", 10000, NOW + COLLECTORS_TELL_MS));
	report_at("a", 10, 2);
	assert_true(collectors_tell_interval(collectors, "10.0.0.5", 10000, NOW + COLLECTORS_TELL_MS));
	assert_false(collectors_tell_interval(collectors, "10.0.0.5", 10000, NOW + 3 * COLLECTORS_TELL_MS));

	/* What the store knew counts until the host has reported, and no longer. */
	collectors_learn_interval(collectors, "10.0.0.6", 60000, NOW);
	collectors_learn_interval(collectors, "10.0.0.5", 60000, NOW);
	assert_int_equal(collectors_find_interval(collectors, "10.0.0.6"), 60000);
	assert_int_equal(collectors_find_interval(collectors, "10.0.0.5"), 10000);
	assert_int_equal(collectors_find_interval(collectors, "10.0.0.7"), 0);
	char ips[1][WIRE_IP_SIZE];
	int64_t longest_ms;
	assert_int_equal(collectors_list_slower(collectors, 10000, ips, 1, &longest_ms), 1);
	assert_string_equal(ips[0], "10.0.0.6");
	assert_int_equal(longest_ms, 60000);
}

static void test_reports_append_metrics_says_what_collectors_said(void **state)
{
	(void)state;
	struct collector_report report = collector_report_empty();
	strcpy(report.hostname, "a\\b\"c\nd\xe2\x82\xac");
	report.clock_offset_known = true;
	report.clock_offset_s = -0.25;
	report.partial = 0;
	for (int i = 0; i < COLLECTOR_COUNTERS; i++)
		report.counters[i] = i * 1e6;
	collectors_keep(collectors, "2001:db8::1", &report, NOW, NOW - RETENTION);
	keep("10.0.0.6", "", NOW + 2000);
	struct text text = metrics_at(NOW);
	assert_string_equal(text.data,
		"# HELP vigie_collectors Hosts whose collectors have reported within the retention; what follows is of at most "
		"10000, those known longest.\n# TYPE vigie_collectors gauge\nvigie_collectors 2\n"
		"# HELP vigie_collector_samples_total Samples by what became of them, as each host's collector says.\n"
		"# TYPE vigie_collector_samples_total counter\n"
#define HOST "ip=\"2001:db8::1\",hostname=\"a\\\\b\\\"c\\nd\xe2\x82\xac\""
		"vigie_collector_samples_total{" HOST ",what=\"sent\"} 0\n"
		"vigie_collector_samples_total{" HOST ",what=\"spooled\"} 1000000\n"
		"vigie_collector_samples_total{" HOST ",what=\"replayed\"} 2000000\n"
		"vigie_collector_samples_total{" HOST ",what=\"dropped\"} 3000000\n"
		"vigie_collector_samples_total{" HOST ",what=\"rejected\"} 4000000\n"
		"# HELP vigie_collector_missed_ticks_total Intervals that each host's collector has missed.\n"
		"# TYPE vigie_collector_missed_ticks_total counter\n"
		"vigie_collector_missed_ticks_total{" HOST "} 5000000\n"
		"# HELP vigie_collector_lost_exits_total Threads whose end each host's collector was not told of.\n"
		"# TYPE vigie_collector_lost_exits_total counter\n"
		"vigie_collector_lost_exits_total{" HOST "} 6000000\n"
		"# HELP vigie_collector_clock_offset_seconds How far each host's clock is from the server's, as its collector says.\n"
		"# TYPE vigie_collector_clock_offset_seconds gauge\n"
		"vigie_collector_clock_offset_seconds{" HOST "} -0.25\n"
		"# HELP vigie_collector_partial Whether some processes are hidden from each host's collector.\n"
		"# TYPE vigie_collector_partial gauge\n"
		"vigie_collector_partial{" HOST "} 0\n"
		"# HELP vigie_collector_last_report_seconds When each host's collector last reported, in seconds since 1970.\n"
		"# TYPE vigie_collector_last_report_seconds gauge\n"
		"vigie_collector_last_report_seconds{" HOST "} 1795356000.25\n"
		"vigie_collector_last_report_seconds{ip=\"10.0.0.6\",hostname=\"\"} 1795356002.25\n");
	text_free(&text);
}

static void make_ip(size_t number, char ret_ip[static WIRE_IP_SIZE])
{
	snprintf(ret_ip, WIRE_IP_SIZE, "10.%zu.%zu.%zu", number >> 16, number >> 8 & 255, number & 255);
}

static void test_reports_keep_no_more_hosts_than_there_is_room(void **state)
{
	(void)state;
	char ip[WIRE_IP_SIZE], line[128];
	for (size_t i = 0; i < COLLECTORS_MAX + 10; i++) {
		make_ip(i, ip);
		keep(ip, "x", NOW);
	}
	struct text text = metrics_at(NOW);
	snprintf(line, sizeof(line), "vigie_collectors %d\n", COLLECTORS_MAX);
	assert_int_equal(count_lines(&text, line), 1);
	/* The first are shown, and stay the ones that are. */
	assert_int_equal(count_lines(&text, "vigie_collector_last_report_seconds{"), COLLECTORS_SHOWN_MAX);
	assert_int_equal(count_lines(&text, "vigie_collector_last_report_seconds{ip=\"10.0.0.0\""), 1);
	make_ip(COLLECTORS_SHOWN_MAX, ip);
	snprintf(line, sizeof(line), "vigie_collector_last_report_seconds{ip=\"%s\"", ip);
	assert_int_equal(count_lines(&text, line), 0);
	text_free(&text);
	keep("10.0.0.0", "x", NOW + 1);
	text = metrics_at(NOW);
	assert_int_equal(count_lines(&text, "vigie_collector_last_report_seconds{ip=\"10.0.0.0\""), 1);
	text_free(&text);
	make_ip(COLLECTORS_MAX, ip);
	assert_string_equal(collectors_find(collectors, ip, 0).hostname, "");
	make_ip(COLLECTORS_MAX - 1, ip);
	assert_string_equal(collectors_find(collectors, ip, 0).hostname, "x");

	/* Room is made for the living: those that are too old go. */
	make_ip(5, ip);
	keep(ip, "alive", NOW + RETENTION);
	keep("::1", "no room", NOW + RETENTION);
	assert_string_equal(collectors_find(collectors, "::1", 0).hostname, "");
	keep("::1", "room", NOW + RETENTION + 60001);
	assert_string_equal(collectors_find(collectors, "::1", 0).hostname, "room");
	assert_string_equal(collectors_find(collectors, ip, 0).hostname, "alive");
	make_ip(6, ip);
	assert_string_equal(collectors_find(collectors, ip, 0).hostname, "");
}

static void test_reports_keep_clock_set_back_old_ones_go_all_the_same(void **state)
{
	(void)state;
	keep("10.0.0.5", "of a wrong clock", NOW + 100LL * RETENTION);
	keep("10.0.0.6", "old", NOW);
	keep("10.0.0.7", "new", NOW + RETENTION + 60000);
	assert_string_equal(collectors_find(collectors, "10.0.0.6", 0).hostname, "");
	assert_string_equal(collectors_find(collectors, "10.0.0.7", 0).hostname, "new");
}

static void test_reports_any_allocation_fails_nothing_breaks(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long n = 1; failed; n++) {
		failing_start(n);
		struct collectors *own = collectors_open();
		struct collector_report report = collector_report_empty();
		struct text text = TEXT_EMPTY;
		strcpy(report.hostname, "h");
		if (own) {
			collectors_keep(own, "10.0.0.5", &report, NOW, 0);
			collectors_append_metrics(own, 0, &text);
		}
		failed = failing_stop();
		if (!failed)
			assert_string_equal(collectors_find(own, "10.0.0.5", 0).hostname, "h");
		collectors_close(own);
		text_free(&text);
	}
	collectors_close(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

enum { CROWD_ROUNDS = 200 };

/* Each is heard from a host of its own and, in turns with the others, from one that all share. */
static void report_in_turns(unsigned number)
{
	char name[2] = { (char)('a' + number), '\0' }, ip[WIRE_IP_SIZE], hostnames[COLLECTORS_SHARERS][COLLECTORS_HOSTNAME_SIZE];
	snprintf(ip, sizeof(ip), "10.0.1.%u", number);
	for (int i = 0; i < CROWD_ROUNDS; i++) {
		struct collectors_sight *sights;
		struct text text = TEXT_EMPTY;
		size_t count;
		keep(ip, name, NOW + i);
		keep("10.0.0.1", name, NOW + i);
		collectors_find(collectors, "10.0.0.1", 0);
		collectors_find_sharers(collectors, "10.0.0.1", NOW + i, hostnames);
		if (collectors_list(collectors, 0, false, &sights, &count) == 0)
			free(sights);
		collectors_tell_interval(collectors, ip, 10000, NOW + i);
		collectors_append_metrics(collectors, 0, &text);
		text_free(&text);
	}
}

static void test_collectors_any_thread_may_report_and_ask(void **state)
{
	(void)state;
	crowd_run(report_in_turns);
	struct collectors_sight *sights;
	size_t count;
	assert_int_equal(collectors_list(collectors, 0, false, &sights, &count), 0);
	assert_int_equal(count, CROWD_THREADS + 1);
	assert_string_equal(sights[0].ip, "10.0.0.1");
	for (unsigned i = 0; i < CROWD_THREADS; i++) {
		char name[2] = { (char)('a' + i), '\0' };
		assert_string_equal(sights[1 + i].hostname, name);
		assert_int_equal(sights[1 + i].received_ms, NOW + CROWD_ROUNDS - 1);
	}
	free(sights);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_reports_find_last_report_of_a_host),
		CASE(test_reports_find_older_than_the_retention_says_nothing),
		CASE(test_reports_in_turns_share_an_address_for_a_while),
		CASE(test_reports_in_turns_of_slow_hosts),
		CASE(test_intervals_are_told_when_they_are_unusual_and_now_and_then),
		CASE(test_reports_append_metrics_says_what_collectors_said),
		CASE(test_reports_keep_no_more_hosts_than_there_is_room),
		CASE(test_reports_keep_clock_set_back_old_ones_go_all_the_same),
		CASE(test_reports_any_allocation_fails_nothing_breaks),
		CASE(test_collectors_any_thread_may_report_and_ask),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
