#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <zlib.h>

#include "collector/uplink.h"
#include "common/http.h"
#include "tests/unit/collector/fake_server.h"
#include "tests/unit/collector/further_values.h"

#define HOUR_MS 3600000

static struct config *config;
static struct server_clock server_clock;
static struct uplink *uplink;
static struct batch *batch;
static const struct counters none;
static const struct uplink_report report = { .counters = &none };

static void open_uplink_with(const char *option, const char *more)
{
	static const struct rate values[] = { { .name = "bash", .thousandths = { 1250, 12500 } } };
	const struct stamp stamp = { .time_ms = 1795356010000 };
	char url[96];
	struct text error = TEXT_EMPTY;
	snprintf(url, sizeof(url), "collector.url=%s/x", http_server_url(server.http));
	char *overrides[] = { url, (char *)(uintptr_t)option, (char *)(uintptr_t)more };
	assert_int_equal(config_load(NULL, overrides, more ? 3 : option ? 2 : 1, &config, &error), 0);
	server_clock = (struct server_clock){ 0 };
	assert_int_equal(uplink_open(config, &server_clock, &uplink), 0);
	batch = batch_pack(&stamp, values, 1, NULL);
	assert_non_null(batch);
}

static void open_uplink(const char *option)
{
	open_uplink_with(option, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	uplink_close(uplink);
	config_free(config);
	free(batch);
	uplink = NULL;
	config = NULL;
	batch = NULL;
	expect(200, NULL);
	return 0;
}

static long put(void)
{
	return uplink_put(uplink, batch, batch->count, &report, 5000);
}

static bool was_compressed(size_t request)
{
	return strstr(asked(request)->head, "Content-Encoding: gzip") != NULL;
}

static void test_uplink_check_url_and_ip_are_looked_at(void **state)
{
	(void)state;
	static const struct {
		const char *url, *ip;
		bool right;
	} cases[] = {
		{ "http://127.0.0.1:8000/ressources-usage/", "", true },
		{ "https://example.org", "10.0.0.5", true },
		{ "http://[::1]:8000/x", "::1", true },
		{ "http://localhost/", "10-0-0-5", true },
		{ "", "", false },
		{ "127.0.0.1:8000", "", false },
		{ "ftp://127.0.0.1/", "", false },
		{ "http://", "", false },
		{ "http:///x", "", false },
		{ "http://:80/", "", false },
		{ "http://a b/", "", false },
		{ "http://a/?x=1", "", false },
		{ "http://localhost/", "10.0.0", false },
		{ "http://localhost/", "host", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text error = TEXT_EMPTY;
		struct config wanted = { 0 };
		wanted.collector.url = (char *)(uintptr_t)cases[i].url;
		wanted.collector.ip = (char *)(uintptr_t)cases[i].ip;
		wanted.collector.proxy = (char[]){ "none" };
		if ((uplink_check(&wanted, &error) == 0) != cases[i].right)
			fail_msg("url '%s', ip '%s'", cases[i].url, cases[i].ip);
		assert_true((error.length == 0) == cases[i].right);
		text_free(&error);
	}
}

/* Nothing listens on port 1. */
static void test_uplink_greet_no_server_is_told(void **state)
{
	(void)state;
	open_uplink("collector.url=http://127.0.0.1:1/x");
	assert_string_equal(uplink_server(uplink), "http://127.0.0.1:1/x/");
	assert_false(uplink_greet(uplink, 1000));
	assert_non_null(strstr(uplink_describe(uplink), "GET http://127.0.0.1:1/x/health: Failed to connect"));
}

static void test_uplink_greet_is_asked_once(void **state)
{
	(void)state;
	expect(200, NULL);
	server.dated = true;
	open_uplink(NULL);
	for (int i = 0; i < 3; i++) {
		assert_true(uplink_greet(uplink, 1000));
		assert_int_equal(put(), 200);
	}
	assert_int_equal(requests(), 4);
	assert_true(server_clock.known);
	/* Unless a clock was set since: then the server is asked before anything is stamped for it. */
	server_clock.measured.wall_ms -= HOUR_MS;
	assert_true(uplink_greet(uplink, 1000));
	assert_int_equal(requests(), 5);
	assert_true(server_clock_is_sure(&server_clock, clock_moment()));
}

static void test_uplink_put_answers_tell_the_servers_clock(void **state)
{
	(void)state;
	static const int64_t ahead_ms[] = { 0, HOUR_MS, -HOUR_MS };
	for (size_t i = 0; i < 3; i++) {
		int64_t offset_ms;
		expect(200, NULL);
		server.dated = true;
		server.ahead_ms = ahead_ms[i];
		open_uplink(NULL);
		assert_false(server_clock_offset_ms(&server_clock, clock_moment(), &offset_ms));
		assert_int_equal(put(), 200);
		assert_true(server_clock_offset_ms(&server_clock, clock_moment(), &offset_ms));
		assert_true(llabs(offset_ms + ahead_ms[i]) <= 1000);
		/* And it is told what we found. */
		assert_int_equal(put(), 200);
		assert_null(strstr(asked(0)->body, "clock_offset_s"));
		cJSON *body = cJSON_Parse(asked(1)->body);
		const cJSON *said = cJSON_GetObjectItem(cJSON_GetObjectItem(body, "collector"), "clock_offset_s");
		assert_true(cJSON_IsNumber(said));
		assert_true(fabs(said->valuedouble + (double)ahead_ms[i] / 1000) <= 1);
		assert_true(ahead_ms[i] != 0 || said->valuedouble == 0);
		cJSON_Delete(body);
		assert_int_equal(tear_down(state), 0);
	}
}

static void test_uplink_put_refused_time_tells_the_servers_clock(void **state)
{
	(void)state;
	int64_t offset_ms;
	expect(409, NULL);
	server.ahead_ms = -HOUR_MS;
	open_uplink(NULL);
	assert_int_equal(put(), 409);
	assert_true(server_clock_offset_ms(&server_clock, clock_moment(), &offset_ms));
	assert_true(llabs(offset_ms - HOUR_MS) <= 100); /* to the millisecond, but for the way */
}

/* No clock is set by what is no time. */
static void test_uplink_put_refused_time_without_the_servers_tells_nothing(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		"{}", "{", "{\"server_time\": \"1795356010\"}", "{\"server_time\": 0}", "{\"server_time\": -1795356010}", "{\"server_time\": 1e11}",
	};
	open_uplink(NULL);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		expect(409, NULL);
		server.body = bodies[i];
		assert_int_equal(put(), 409);
		if (server_clock.known)
			fail_msg("%s", bodies[i]);
	}
}

/* A portal that wants a sign-in, a proxy: what they say is not what vigie says. */
static void test_uplink_put_answer_that_is_not_vigies_is_none(void **state)
{
	(void)state;
	static const struct {
		int status;
		long expected;
	} cases[] = { { 200, 0 }, { 400, 0 }, { 409, 0 }, { 302, 302 }, { 413, 413 }, { 502, 502 } };
	enum { CASES = sizeof(cases) / sizeof(cases[0]) };
	for (size_t j = 0; j < 2 * CASES; j++) {
		size_t i = j % CASES;
		expect(cases[i].status, "Location: http://elsewhere/\r\n");
		server.body = j < CASES ? "<html>sign in</html>" : "";
		server.dated = true;
		server.ahead_ms = HOUR_MS;
		open_uplink(NULL);
		assert_false(uplink_greet(uplink, 1000));
		assert_int_equal(put(), cases[i].expected);
		assert_false(server_clock.known);
		if (cases[i].expected == 0)
			assert_non_null(strstr(uplink_describe(uplink), ", and not from vigie"));
		assert_int_equal(tear_down(state), 0);
	}
}

static void test_uplink_put_redirect_is_told_with_the_url_to_use(void **state)
{
	(void)state;
	expect(301, "Location: https://vigie.example/x/save-all\r\n");
	server.body = "<html>moved</html>";
	open_uplink(NULL);
	assert_int_equal(put(), 301);
	assert_non_null(strstr(uplink_describe(uplink), "/x/save-all: HTTP 301, to https://vigie.example/x/save-all, "
	                                                "which is not followed: the URL would be https://vigie.example/x/"));
}

/* Before anything is known of the connection, too. */
static void test_uplink_put_body_has_the_address_of_its_connection(void **state)
{
	(void)state;
	expect(200, NULL);
	open_uplink(NULL);
	assert_int_equal(put(), 200);
	assert_int_equal(requests(), 1);
	assert_memory_equal(asked(0)->body, "{\"ipaddress\":\"127.0.0.1\",", 25);
	assert_int_equal(tear_down(state), 0);
	/* What is configured goes over any. */
	expect(200, NULL);
	open_uplink("collector.ip=10.9.0.2");
	assert_int_equal(put(), 200);
	assert_int_equal(put(), 200);
	assert_int_equal(requests(), 2);
	assert_memory_equal(asked(1)->body, "{\"ipaddress\":\"10.9.0.2\",", 24);
}

static void test_uplink_put_gzip_is_sent_where_it_is_wanted(void **state)
{
	(void)state;
	static const struct {
		const char *option;
		bool local, expected;
	} cases[] = {
		{ "collector.gzip=yes", true, true },
		{ "collector.gzip=no", true, false },
		{ "collector.gzip=auto", true, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		expect(200, NULL);
		open_uplink(cases[i].option);
		assert_true(uplink_greet(uplink, 1000));
		assert_int_equal(uplink_is_local(uplink), cases[i].local);
		assert_int_equal(put(), 200);
		assert_false(was_compressed(0));
		assert_int_equal(was_compressed(1), cases[i].expected);
		assert_int_equal(tear_down(state), 0);
	}

	expect(200, NULL);
	open_uplink("collector.gzip=yes");
	assert_int_equal(put(), 200);
	char body[4096];
	z_stream stream = { .next_in = (unsigned char *)asked(0)->body,
		            .avail_in = (unsigned)asked(0)->body_length,
		            .next_out = (unsigned char *)body,
		            .avail_out = sizeof(body) - 1 };
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	body[stream.total_out] = '\0';
	inflateEnd(&stream);
	cJSON *json = cJSON_Parse(body);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "data")), 2);
	cJSON_Delete(json);
}

static void test_uplink_put_server_without_gzip_is_sent_plain_from_then_on(void **state)
{
	(void)state;
	static const int refusals[] = { 400, 415 };
	for (size_t i = 0; i < 2; i++) {
		expect(200, NULL);
		server.gzip_status = refusals[i];
		open_uplink("collector.gzip=yes");
		assert_int_equal(put(), 200);
		assert_int_equal(put(), 200);
		assert_int_equal(requests(), 3);
		assert_true(was_compressed(0));
		assert_false(was_compressed(1));
		assert_false(was_compressed(2));
		assert_int_equal(tear_down(state), 0);
	}
	/* The body was at fault, not how it was sent. */
	expect(400, NULL);
	open_uplink("collector.gzip=yes");
	assert_int_equal(put(), 400);
	assert_int_equal(put(), 400);
	assert_int_equal(requests(), 4);
	assert_true(was_compressed(2));
	/* No other refusal is worth a second request. */
	expect(503, NULL);
	assert_int_equal(put(), 503);
	assert_int_equal(requests(), 1);
}

#define OFFER "Vigie-Accept: processes\r\n"

/* Whether a request had the batch by process, or as items of `data`. */
static bool was_by_process(size_t request)
{
	cJSON *body = cJSON_Parse(asked(request)->body);
	char *data = cJSON_PrintUnformatted(cJSON_GetObjectItem(body, "data"));
	char *processes = cJSON_PrintUnformatted(cJSON_GetObjectItem(body, "processes"));
	assert_true(!data != !processes);
	assert_non_null(cJSON_GetObjectItem(body, "ipaddress"));
	assert_non_null(cJSON_GetObjectItem(body, "collector"));
	if (processes) {
		assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(body, "timestamp")) == 1795356010);
		assert_string_equal(processes, "{\"bash\":[1.25,12.5],\"a \\\"b\":[null,0.001],\"caf\xc3\xa9\":[100,null]}");
	} else {
		assert_null(cJSON_GetObjectItem(body, "timestamp"));
	}
	bool by_process = processes != NULL;
	free(data);
	free(processes);
	cJSON_Delete(body);
	return by_process;
}

static void open_uplink_for_forms(void)
{
	static const struct rate values[] = {
		{ .name = "bash", .thousandths = { 1250, 12500 } },
		{ .name = "a \"b", .thousandths = { RATE_MISSING, 1 } },
		{ .name = "caf\xc3\xa9", .thousandths = { 100000, RATE_MISSING } },
		{ .name = "nothing", .thousandths = { RATE_MISSING, RATE_MISSING } },
	};
	const struct stamp stamp = { .time_ms = 1795356010000 };
	open_uplink("collector.ip=10.0.0.5");
	free(batch);
	batch = batch_pack(&stamp, values, sizeof(values) / sizeof(values[0]), NULL);
	assert_non_null(batch);
}

static void test_uplink_put_form_is_the_one_that_is_offered(void **state)
{
	(void)state;
	expect(200, NULL);
	open_uplink_for_forms();
	for (int i = 0; i < 2; i++)
		assert_int_equal(put(), 200);
	expect(200, OFFER);
	for (int i = 0; i < 2; i++)
		assert_int_equal(put(), 200);
	assert_false(was_by_process(0)); /* the answer is not known before it comes */
	assert_true(was_by_process(1));
	/* What nginx answers in its place says nothing. */
	static const int of_nginx[] = { 401, 413, 502, 503 };
	for (size_t i = 0; i < sizeof(of_nginx) / sizeof(of_nginx[0]); i++) {
		expect(of_nginx[i], NULL);
		assert_int_equal(put(), of_nginx[i]);
		assert_int_equal(requests(), 1);
		assert_true(was_by_process(0));
	}
	/* Nor does a stranger. */
	expect(400, NULL);
	server.body = "<html>";
	assert_int_equal(put(), 0);
	/* A server that takes the form refuses what is in it. */
	expect(400, OFFER);
	assert_int_equal(put(), 400);
	assert_int_equal(requests(), 1);
	assert_true(was_by_process(0));
	/* One that answers without the offer may not take the next. */
	expect(200, NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(put(), 200);
	assert_true(was_by_process(0));
	assert_false(was_by_process(1));
	/* Other words offer something else. */
	expect(200, "Vigie-Accept: process\r\n");
	for (int i = 0; i < 2; i++)
		assert_int_equal(put(), 200);
	assert_false(was_by_process(1));
}

static void test_uplink_put_older_server_is_sent_the_same_batch_as_data(void **state)
{
	(void)state;
	expect(200, OFFER);
	open_uplink_for_forms();
	assert_int_equal(put(), 200);
	expect(200, NULL);
	server.bad = "\"processes\":";
	server.bad_status = 400;
	for (int i = 0; i < 2; i++)
		assert_int_equal(put(), 200);
	assert_int_equal(requests(), 3);
	assert_true(was_by_process(0));
	assert_false(was_by_process(1));
	assert_false(was_by_process(2));
	/* What is wrong with the batch itself is told. */
	expect(200, OFFER);
	assert_int_equal(put(), 200);
	expect(400, NULL);
	assert_int_equal(put(), 400);
	assert_int_equal(requests(), 2);
}

#define OFFER_FURTHER OFFER "Vigie-Resources: 4\r\n"

static size_t count_words(size_t request, const char *word)
{
	size_t count = 0;
	for (const char *at = strstr(asked(request)->body, word); at; at = strstr(at + 1, word))
		count++;
	return count;
}

static void open_uplink_for_further(void)
{
	struct rate values[] = {
		{ "a", { 1250, 12500 }, true, { 4096, 20000000 } },
		{ "b", { 1, RATE_MISSING }, true, { 0, RATE_MISSING } },
		{ "c", { RATE_MISSING, RATE_MISSING }, true, { RATE_MISSING, 7 } },
	};
	const struct stamp stamp = { .time_ms = 1795356010000 };
	leave_out_others(values, 3);
	open_uplink("collector.ip=10.0.0.5");
	free(batch);
	batch = batch_pack(&stamp, values, 3, NULL);
	assert_non_null(batch);
	assert_int_equal(batch_samples(batch, 0, 3), 7);
}

static void test_uplink_put_further_resources_go_to_who_takes_them(void **state)
{
	(void)state;
	expect(200, OFFER_FURTHER);
	open_uplink_for_further();
	/* The first answer says that it takes them: the same batch goes once more, with them. */
	assert_int_equal(put(), 200);
	assert_int_equal(requests(), 2);
	assert_int_equal(count_words(0, "4096") + count_words(0, "_bytes_"), 0);
	assert_int_equal(count_words(1, "{\"a\":[1.25,12.5,4096,20000000],\"b\":[0.001,null,0],\"c\":[null,null,null,7]}"), 1);
	assert_int_equal(uplink_samples(uplink), 7);
	expect(200, OFFER_FURTHER);
	assert_int_equal(put(), 200);
	assert_int_equal(requests(), 1);
	captured_stderr_begin();
	/* What a later version has left in the spool has more than either knows. */
	size_t known = batch->further;
	batch->further = RESOURCE_FURTHER + 1;
	batch->count = 0;
	expect(200, OFFER_FURTHER);
	assert_int_equal(put(), 200);
	assert_int_equal(requests(), 1);
	batch->further = known;
	batch->count = 3;
	assert_int_equal(captured_stderr_count("older version"), 0);
	/* A version that knows fewer, which is said once. */
	expect(200, OFFER "Vigie-Resources: 3\r\n");
	server.bad = "20000000";
	server.bad_status = 400;
	assert_int_equal(put(), 200);
	assert_int_equal(requests(), 2);
	assert_int_equal(count_words(1, "{\"a\":[1.25,12.5,4096],\"b\":[0.001,null,0]}"), 1);
	/* One that knows none. */
	expect(200, NULL);
	server.bad = "\"processes\":";
	server.bad_status = 400;
	for (int i = 0; i < 2; i++)
		assert_int_equal(put(), 200);
	captured_stderr_end();
	assert_int_equal(requests(), 3);
	assert_int_equal(count_words(2, "type_data"), 3);
	assert_int_equal(uplink_samples(uplink), 3);
	assert_int_equal(captured_stderr_count("is an older version, which takes no write_bytes_per_second"), 1);
}

static void test_uplink_put_further_resources_as_data(void **state)
{
	(void)state;
	expect(200, "Vigie-Resources: 4\r\n");
	open_uplink_for_further();
	assert_int_equal(put(), 200);
	assert_int_equal(requests(), 2);
	assert_int_equal(count_words(0, "type_data"), 3);
	assert_int_equal(count_words(1, "\"type_data\":\"write_bytes_per_second\""), 2);
	assert_int_equal(count_words(1, "\"type_data\":\"read_bytes_per_second\""), 2);
}

static void test_uplink_put_token_is_shown_and_read_again_when_it_is_refused(void **state)
{
	(void)state;
	char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16], option[TEMPORARY_FOLDER_SIZE + 64];
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/token", folder);
	snprintf(option, sizeof(option), "collector.token_file=%s", path);
	temporary_file_write(path, "first\n");
	expect(200, NULL);
	server.token = "first";
	open_uplink(option);
	assert_true(uplink_greet(uplink, 1000));
	assert_int_equal(put(), 200);
	assert_int_equal(requests(), 2);

	server.token = "the second";
	assert_int_equal(put(), 401); /* the file has not changed */
	assert_int_equal(requests(), 3);
	temporary_file_write(path, "the second\n");
	assert_int_equal(put(), 200);
	assert_int_equal(requests(), 5);
	assert_int_equal(put(), 200);
	assert_int_equal(requests(), 6);
	temporary_file_write(path, "a third");
	server.token = "a fourth";
	assert_int_equal(put(), 401); /* tried again, once */
	assert_int_equal(requests(), 8);
	temporary_folder_remove(folder);
}

static void test_uplink_put_compressed_body_is_so_with_another_token_too(void **state)
{
	(void)state;
	char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16], option[TEMPORARY_FOLDER_SIZE + 64];
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/token", folder);
	snprintf(option, sizeof(option), "collector.token_file=%s", path);
	/* Where it is taken compressed, and where it was refused so. */
	for (int i = 0; i < 2; i++) {
		temporary_file_write(path, "first\n");
		expect(200, NULL);
		server.token = "first";
		server.gzip_status = i == 0 ? 0 : 415;
		open_uplink_with(option, "collector.gzip=yes");
		assert_int_equal(put(), 200);
		temporary_file_write(path, "the second\n");
		expect(200, NULL);
		server.token = "the second";
		assert_int_equal(put(), 200);
		assert_int_equal(requests(), 2);
		assert_int_equal(was_compressed(0), i == 0);
		assert_int_equal(was_compressed(1), i == 0);
		assert_int_equal(tear_down(state), 0);
	}
	temporary_folder_remove(folder);
}

/* How many of the allocations of a connection it cannot do without, which is libcurl's matter. */
static long count_refused_connections(void)
{
	long refused = 0;
	bool failed = true;
	for (long number = 1; failed; number++) {
		failing_start(number);
		struct http *http = http_open(1000);
		failed = failing_stop();
		refused += http == NULL;
		http_close(http);
	}
	return refused;
}

static void test_uplink_open_any_allocation_fails_is_told_and_nothing_stays(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	open_uplink("collector.token_file=/nowhere/token");
	long refused = 0;
	bool failed = true;
	captured_stderr_begin(); /* of the token */
	for (long number = 1; failed; number++) {
		struct uplink *other = NULL;
		long live = failing_unfreed();
		failing_start(number);
		int result = uplink_open(config, &server_clock, &other);
		failed = failing_stop();
		assert_true(result == 0 || (failed && result == -ENOMEM));
		assert_int_equal(result == 0, other != NULL);
		uplink_close(other);
		refused += result != 0;
		if (result)
			assert_int_equal(failing_unfreed(), live);
	}
	captured_stderr_end();
	/* Itself, the connection, the URL, the certificates, the proxy, the token's path. */
	assert_int_equal(refused, 1 + count_refused_connections() + 4);
}

/* Nothing is taken for sent that was not, and the next is. */
static void test_uplink_put_any_allocation_fails_is_told(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	size_t unsent = 0;
	bool failed = true;
	expect(200, NULL);
	open_uplink("collector.ip=10.0.0.5");
	for (long number = 1; failed; number += 1 + number / 8) {
		http_server_forget(server.http);
		failing_start(number);
		long status = put();
		const char *described = uplink_describe(uplink);
		failed = failing_stop();
		assert_true(status == 200 || (failed && status == 0));
		assert_true(status == 0 || requests() > 0);
		assert_true(strlen(described) > 0);
		unsent += status == 0 && strstr(described, "out of memory") != NULL;
		http_server_forget(server.http);
		assert_int_equal(put(), 200);
		assert_non_null(strstr(asked(0)->body, "\"process_name\":\"bash\""));
	}
	assert_true(unsent > 0);
	/* What it says of the last one, too. */
	assert_int_equal(tear_down(state), 0);
	open_uplink("collector.url=http://127.0.0.1:1/x");
	assert_int_equal(put(), 0);
	failing_start(1);
	assert_string_equal(uplink_describe(uplink), "out of memory");
	assert_true(failing_stop());
	assert_non_null(strstr(uplink_describe(uplink), "Failed to connect"));
}

static void test_uplink_is_local_before_the_first_answer_as_the_url_says(void **state)
{
	(void)state;
	static const struct {
		const char *option;
		bool local;
	} cases[] = {
		{ "collector.url=http://127.0.0.1:8000/x", true }, { "collector.url=http://localhost/x", true },
		{ "collector.url=https://[::1]:443/", true },      { "collector.url=http://10.0.0.1/x", false },
		{ "collector.url=https://vigie.example/127.", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_uplink(cases[i].option);
		assert_int_equal(uplink_is_local(uplink), cases[i].local);
		assert_int_equal(tear_down(state), 0);
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_uplink_check_url_and_ip_are_looked_at),
		TEST(test_uplink_greet_no_server_is_told),
		TEST(test_uplink_greet_is_asked_once),
		TEST(test_uplink_put_answers_tell_the_servers_clock),
		TEST(test_uplink_put_refused_time_tells_the_servers_clock),
		TEST(test_uplink_put_refused_time_without_the_servers_tells_nothing),
		TEST(test_uplink_put_answer_that_is_not_vigies_is_none),
		TEST(test_uplink_put_redirect_is_told_with_the_url_to_use),
		TEST(test_uplink_put_body_has_the_address_of_its_connection),
		TEST(test_uplink_put_gzip_is_sent_where_it_is_wanted),
		TEST(test_uplink_put_server_without_gzip_is_sent_plain_from_then_on),
		TEST(test_uplink_put_form_is_the_one_that_is_offered),
		TEST(test_uplink_put_older_server_is_sent_the_same_batch_as_data),
		TEST(test_uplink_put_further_resources_go_to_who_takes_them),
		TEST(test_uplink_put_further_resources_as_data),
		TEST(test_uplink_put_token_is_shown_and_read_again_when_it_is_refused),
		TEST(test_uplink_put_compressed_body_is_so_with_another_token_too),
		TEST(test_uplink_open_any_allocation_fails_is_told_and_nothing_stays),
		TEST(test_uplink_put_any_allocation_fails_is_told),
		TEST(test_uplink_is_local_before_the_first_answer_as_the_url_says),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
