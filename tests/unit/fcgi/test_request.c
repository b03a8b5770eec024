/* fcgi/request.h: answers, and connections of which one thread has both ends; others are tested through the pool */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/fastcgi_client.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/gzip.h"
#include "fcgi/outbox.h"
#include "fcgi/request.h"

static void test_response_error_status_tells_what_is_beside_the_sentence(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *field;
		bool authenticate;
		int retry_after_s;
		const char *body;
	} cases[] = {
		{ 400, NULL, false, 0, "{\"Response\": \"NOk\", \"error\": \"7 \\\"words\\\"\"}\n" },
		{ 400, "", false, 0, "{\"Response\": \"NOk\", \"error\": \"7 \\\"words\\\"\"}\n" },
		{ 400, "data[3].\"x\"", false, 0,
		  "{\"Response\": \"NOk\", \"error\": \"7 \\\"words\\\"\", \"field\": \"data[3].\\\"x\\\"\"}\n" },
		{ 401, NULL, true, 0, "{\"Response\": \"NOk\", \"error\": \"7 \\\"words\\\"\"}\n" },
		{ 503, NULL, false, 5, "{\"Response\": \"NOk\", \"error\": \"7 \\\"words\\\"\"}\n" },
	};
	struct response response = { 0 };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		response_error(&response, cases[i].status, cases[i].field, "%d \"%s\"", 7, "words");
		assert_int_equal(response.status, cases[i].status);
		assert_int_equal(response.authenticate, cases[i].authenticate);
		assert_int_equal(response.retry_after_s, cases[i].retry_after_s);
		assert_string_equal(response.body.data, cases[i].body);
	}
	text_free(&response.body);
}

static void test_response_error_conflict_tells_the_time(void **state)
{
	(void)state;
	static const char *const fields[] = { NULL, "data[0].timestamp" };
	static const char *const starts[] = {
		"{\"Response\": \"NOk\", \"error\": \"late\", \"server_time\": ",
		"{\"Response\": \"NOk\", \"error\": \"late\", \"field\": \"data[0].timestamp\", \"server_time\": ",
	};
	struct response response = { 0 };
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		char *end;
		int64_t before_ms = clock_wall_ms();
		response_error(&response, 409, fields[i], "late");
		assert_int_equal(response.status, 409);
		assert_memory_equal(response.body.data, starts[i], strlen(starts[i]));
		double time_ms = strtod(response.body.data + strlen(starts[i]), &end) * 1000;
		assert_true(time_ms > (double)before_ms - 1 && time_ms < (double)clock_wall_ms() + 1);
		assert_string_equal(end, "}\n");
	}
	text_free(&response.body);
}

/* ---- connections ---- */

/* A connection whose other end is *ret_client. */
static struct connection *connect_both(int *ret_client)
{
	struct connection *connection = NULL;
	*ret_client = client_open();
	assert_int_equal(connection_accept(&connection), 0);
	return connection;
}

static struct request read_head(struct connection *connection)
{
	struct request request;
	assert_int_equal(connection_read_head(connection, &request), 0);
	return request;
}

static struct response response_of(const char *body)
{
	struct response response = RESPONSE_NEW;
	text_append_string(&response.body, body);
	return response;
}

/* No descriptor may be opened any more, or they may again. */
static void forbid_descriptors(bool forbid)
{
	static struct rlimit usual;
	if (forbid)
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = usual.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, forbid ? &none : &usual), 0);
}

static void test_request_init_without_a_socket_says_so(void **state)
{
	(void)state;
	int status = -1;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, 0);
		exit(request_init() == -ENOTSOCK ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(request_init(), 0);
}

static void test_connection_accept_what_fails_leaves_the_connection_waiting(void **state)
{
	(void)state;
	struct connection *connection = NULL;
	struct text answer = TEXT_EMPTY;
	int client = client_open();
	long unfreed = failing_unfreed();
	forbid_descriptors(true);
	assert_int_equal(connection_accept(&connection), -EMFILE);
	forbid_descriptors(false);
	if (FAILING_MALLOC) {
		failing_start(1);
		assert_int_equal(connection_accept(&connection), -ENOMEM);
		assert_true(failing_stop());
	}
	assert_null(connection);
	assert_int_equal(failing_unfreed(), unfreed);
	assert_int_equal(connection_accept(&connection), 0);
	client_send(client, "GET", "/a", "", 0, 0, false);
	(void)read_head(connection);
	struct response response = response_of("here");
	assert_false(connection_answer(connection, true, &response));
	assert_true(client_receive(client, &answer) && has(&answer, "\r\n\r\nhere"));
	connection_close(connection);
	connection_close(NULL);
	close(client);
	response_free(&response);
	text_free(&answer);
}

static void test_connection_read_head_times_that_cannot_be_are_not_known(void **state)
{
	(void)state;
	static const char *const sent[] = { "", "-1", "x", "1e300", "nan", "inf", "0" };
	int client;
	struct connection *connection = connect_both(&client);
	for (size_t i = 0; i < COUNT_OF(sent); i++) {
		struct text parameters = TEXT_EMPTY;
		struct response response = response_of("");
		struct text answer = TEXT_EMPTY;
		add_parameter(&parameters, "REQUEST_METHOD", "GET");
		add_parameter(&parameters, "VIGIE_SENT", sent[i]);
		client_put(client, &parameters, "", 0, true);
		struct request request = read_head(connection);
		assert_int_equal(request.waited_ms, 0);
		assert_string_equal(request.method, "GET");
		assert_string_equal(request.path, ""); /* which was not sent */
		assert_true(connection_answer(connection, true, &response));
		assert_true(client_receive(client, &answer));
		response_free(&response);
		text_free(&parameters);
		text_free(&answer);
	}
	close(client);
	struct request request;
	assert_int_equal(connection_read_head(connection, &request), -ECONNRESET);
	connection_close(connection);
}

/* The whole of an answer, sent as usual or after it was set aside. */
static void test_connection_answer_head_has_what_is_said(void **state)
{
	(void)state;
	static const struct text lent = { .data = (char *)(uintptr_t)"lent", .length = 4 };
	static const struct {
		struct response response;
		const char *body; /* its own */
		const char *head;
	} cases[] = {
		{ { .status = 200 }, "", "Status: 200 OK\r\nContent-Type: text/x\r\nContent-Length: 0\r\nCache-Control: no-store\r\n" },
		{ { .status = 299 }, "{}\n", "Status: 299 Unknown\r\nContent-Type: text/x\r\nContent-Length: 3\r\nCache-Control: no-store\r\n" },
		{ { .status = 200, .lent = &lent }, "", "Status: 200 OK\r\nContent-Type: text/x\r\nContent-Length: 4\r\nCache-Control: no-store\r\n" },
		{ { .status = 405, .allow = "GET, HEAD", .authenticate = true, .retry_after_s = 7 }, "{}\n",
		  "Status: 405 Method Not Allowed\r\nContent-Type: text/x\r\nContent-Length: 3\r\nCache-Control: no-store\r\n"
		  "Allow: GET, HEAD\r\nWWW-Authenticate: Bearer\r\nRetry-After: 7\r\n" },
		{ { .status = 403, .refusal = 421 }, "{\"error\": 1}\n",
		  "Status: 403 Forbidden\r\nContent-Type: text/x\r\nContent-Length: 13\r\nCache-Control: no-store\r\n"
		  "Vigie-Status: 421\r\nVigie-Answer: {\"error\": 1}\r\n" },
		{ { .status = 403, .refusal = 421 }, "",
		  "Status: 403 Forbidden\r\nContent-Type: text/x\r\nContent-Length: 0\r\nCache-Control: no-store\r\n" },
		{ { .status = 200, .state = "stop", .accept = "processes", .varies = true, .hint = "victoria-metric" }, "{}\n",
		  "Status: 200 OK\r\nContent-Type: text/x\r\nContent-Length: 3\r\nCache-Control: no-store\r\nX-Vigie-State: stop\r\n"
		  "Vigie-Accept: processes\r\nVigie-Resources: 4\r\nVary: Accept\r\n"
		  "Vigie-Hint: the kernel keeps 15 bytes of a name: victoria-metric\r\n" },
	};
	for (size_t i = 0; i < 4 * COUNT_OF(cases); i++) {
		bool aside = i % 2, with_body = i / 2 % 2;
		size_t n = i / 4;
		struct response response = cases[n].response;
		struct text answer = TEXT_EMPTY, wanted = TEXT_EMPTY;
		int client;
		struct connection *connection = connect_both(&client);
		response.content_type = "text/x";
		if (cases[n].body[0])
			text_append_string(&response.body, cases[n].body);
		text_printf(&wanted, "%s\r\n%s", cases[n].head, !with_body ? "" : response.lent ? "lent" : cases[n].body);
		client_send(client, "GET", "/a", "", 0, 0, true);
		(void)read_head(connection);
		if (aside)
			connection_set_aside(connection);
		assert_true(connection_answer(connection, with_body, &response));
		assert_true(client_receive(client, &answer));
		assert_string_equal(answer.data, wanted.data);
		/* The connection goes on. */
		client_send(client, "PUT", "/b", "", 0, 0, true);
		assert_string_equal(read_head(connection).path, "/b");
		connection_close(connection);
		close(client);
		response.lent = NULL;
		response_free(&response);
		text_free(&answer);
		text_free(&wanted);
	}
}

/* More than a record has; and one that is not kept. */
static void test_connection_answer_aside_of_any_length_arrives(void **state)
{
	(void)state;
	static const size_t lengths[] = { 1000, 65000, 65500, 65528, 140000 };
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		struct response response = RESPONSE_NEW;
		struct text answer = TEXT_EMPTY;
		int client;
		struct connection *connection = connect_both(&client);
		bool keep = i % 2;
		for (size_t j = 0; j < lengths[i]; j++)
			text_append_char(&response.body, (char)('a' + j % 23));
		client_send(client, "GET", "/a", "", 0, 0, keep);
		(void)read_head(connection);
		connection_set_aside(connection);
		assert_int_equal(connection_answer(connection, true, &response), keep);
		assert_true(client_receive(client, &answer));
		const char *body = strstr(answer.data, "\r\n\r\n") + 4;
		assert_int_equal(answer.length - (size_t)(body - answer.data), lengths[i]);
		assert_memory_equal(body, response.body.data, lengths[i]);
		connection_close(connection);
		close(client);
		response_free(&response);
		text_free(&answer);
	}
}

static void test_connection_answer_nginx_that_has_gone_is_no_connection(void **state)
{
	(void)state;
	for (int aside = 0; aside < 2; aside++) {
		struct response response = RESPONSE_NEW;
		int client;
		struct connection *connection = connect_both(&client);
		for (int i = 0; i < 100000; i++)
			text_append_string(&response.body, "0123456789");
		client_send(client, "GET", "/a", "", 0, 0, true);
		(void)read_head(connection);
		close(client);
		if (aside)
			connection_set_aside(connection);
		assert_false(connection_answer(connection, true, &response));
		connection_close(connection);
		response_free(&response);
	}
}

/* An answer without memory for its head is none: its body is nobody's head. */
static void test_connection_answer_any_allocation_fails_is_whole_or_none(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	for (int aside = 0; aside < 2; aside++) {
		bool failed = true;
		for (long n = 1; failed; n++) {
			struct text answer = TEXT_EMPTY;
			struct response response = response_of("X-Mine: 1\n\nthe body\n");
			int client;
			struct connection *connection = connect_both(&client);
			long unfreed = failing_unfreed();
			client_send(client, "GET", "/a", "", 0, 0, true);
			(void)read_head(connection);
			if (aside)
				connection_set_aside(connection);
			failing_start(n);
			bool open = connection_answer(connection, true, &response);
			failed = failing_stop();
			assert_int_equal(open, !failed || !aside);
			if (open) {
				assert_true(client_receive(client, &answer));
				if (failed)
					assert_int_equal(answer.length, 0);
				else
					assert_true(has(&answer, "\r\n\r\nX-Mine: 1\n\nthe body\n"));
				assert_int_equal(failing_unfreed(), unfreed + (answer.capacity > 0));
			}
			connection_close(connection);
			close(client);
			response_free(&response);
			text_free(&answer);
		}
	}
}

static void test_connection_read_body_any_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	static char body[100000];
	struct text compressed = TEXT_EMPTY;
	memset(body, 'x', sizeof(body));
	assert_int_equal(gzip_append(&compressed, body, sizeof(body)), 0);
	static const char *const encodings[] = { "", "gzip", "gzip" };
	for (size_t i = 0; i < COUNT_OF(encodings); i++) {
		bool failed = true, empty = i == 2;
		const char *bytes = i ? compressed.data : body;
		size_t length = empty ? 0 : i ? compressed.length : sizeof(body), becomes = empty ? 0 : sizeof(body);
		encoding = encodings[i];
		for (long n = 1; failed; n++) {
			struct body_room room = { .share = { .part = BUDGET_BODIES } };
			struct response response = response_of("{}");
			struct text answer = TEXT_EMPTY;
			int client;
			struct connection *connection = connect_both(&client);
			client_send(client, "PUT", "/a", bytes, length, length, true);
			struct request request = read_head(connection);
			failing_start(n);
			int result = connection_read_body(connection, &room, sizeof(body), &request);
			failed = failing_stop();
			assert_int_equal(result, failed ? -ENOMEM : 0);
			if (!failed) {
				assert_int_equal(request.body_state, empty ? REQUEST_BODY_BROKEN : REQUEST_BODY_WHOLE);
				assert_int_equal(request.body_length, becomes);
				assert_memory_equal(request.body, body, becomes);
				assert_int_equal(request.body[becomes], '\0');
			}
			body_room_give_back(&room);
			assert_int_equal(budget_held(BUDGET_BODIES), 0);
			/* It can be answered, and the next request on the connection is read. */
			assert_true(connection_answer(connection, true, &response));
			assert_true(client_receive(client, &answer) && has(&answer, "Status: 200"));
			client_send(client, "PUT", "/b", bytes, length, length, true);
			request = read_head(connection);
			assert_int_equal(connection_read_body(connection, &room, sizeof(body), &request), 0);
			assert_int_equal(request.body_length, becomes);
			body_room_free(&room);
			connection_close(connection);
			close(client);
			response_free(&response);
			text_free(&answer);
		}
	}
	encoding = "";
	text_free(&compressed);
}

/* What cannot be sent from the outbox gives its place there back, and its body. */
static void test_connection_answer_large_that_cannot_be_sent_leaves_its_place(void **state)
{
	(void)state;
	enum { GONE, WITHOUT_DESCRIPTORS, WITHOUT_MEMORY, SENT, HOWS };
	budget_set_limit(4 << 20); /* there is room for one */
	struct outbox *outbox;
	assert_int_equal(outbox_open(&outbox), 0);
	for (int how = GONE; how < HOWS; how++) {
		struct response response = RESPONSE_NEW;
		struct outbox_item *item;
		struct text answer = TEXT_EMPTY;
		int client;
		struct connection *connection = connect_both(&client);
		if (how == WITHOUT_MEMORY && !FAILING_MALLOC) {
			connection_close(connection);
			close(client);
			continue;
		}
		for (int i = 0; i < 100000; i++)
			text_append_string(&response.body, "0123456789");
		client_send(client, "GET", "/a", "", 0, 0, true);
		(void)read_head(connection);
		assert_int_equal(outbox_reserve(outbox, &response, &item), 0);
		if (how == GONE)
			close(client);
		if (how == WITHOUT_DESCRIPTORS)
			forbid_descriptors(true);
		if (how == WITHOUT_MEMORY)
			failing_start(1);
		connection_answer_large(connection, outbox, item, &response);
		if (how == WITHOUT_MEMORY)
			assert_true(failing_stop());
		if (how == WITHOUT_DESCRIPTORS)
			forbid_descriptors(false);
		connection_close(connection);
		if (how == SENT) {
			assert_true(client_receive(client, &answer));
			assert_int_equal(strlen(strstr(answer.data, "\r\n\r\n") + 4), 1000000);
		} else if (how != GONE) {
			assert_false(client_receive(client, &answer));
			assert_null(strstr(answer.data ? answer.data : "", "0123456789"));
		}
		if (how != GONE)
			close(client);
		response_free(&response);
		text_free(&answer);
	}
	outbox_close(outbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_response_error_status_tells_what_is_beside_the_sentence),
		cmocka_unit_test(test_response_error_conflict_tells_the_time),
		cmocka_unit_test(test_request_init_without_a_socket_says_so),
		cmocka_unit_test(test_connection_accept_what_fails_leaves_the_connection_waiting),
		cmocka_unit_test(test_connection_read_head_times_that_cannot_be_are_not_known),
		cmocka_unit_test(test_connection_answer_head_has_what_is_said),
		cmocka_unit_test(test_connection_answer_aside_of_any_length_arrives),
		cmocka_unit_test(test_connection_answer_nginx_that_has_gone_is_no_connection),
		cmocka_unit_test(test_connection_answer_any_allocation_fails_is_whole_or_none),
		cmocka_unit_test(test_connection_read_body_any_allocation_fails_is_out_of_memory),
		cmocka_unit_test(test_connection_answer_large_that_cannot_be_sent_leaves_its_place),
	};
	char folder[TEMPORARY_FOLDER_SIZE];
	alarm(120); /* libfcgi takes SIGTERM: nothing else would end one that waits in vain */
	temporary_folder_make(folder);
	listen_on_0(folder);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	temporary_folder_remove(folder);
	return failed;
}
