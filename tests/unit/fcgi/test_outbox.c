/* fcgi/outbox.h: nginx is the other end of a pair of sockets */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>
#include <fastcgi.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "fcgi/outbox.h"

enum { MIB = 1 << 20, ROOM = 10 * MIB };

static struct outbox *outbox;
static atomic_uint given_back;

static int set_up(void **state)
{
	(void)state;
	budget_set_limit(4 * ROOM); /* a third of three quarters is ROOM */
	given_back = 0;
	return outbox_open(&outbox);
}

static int tear_down(void **state)
{
	(void)state;
	outbox_close(outbox);
	return 0;
}

static struct response response_of(size_t length)
{
	struct response response = { .status = 200, .body = TEXT_EMPTY };
	for (size_t i = 0; i < length; i++)
		text_append_char(&response.body, (char)('a' + i % 23));
	assert_false(text_failed(&response.body));
	return response;
}

static void give_back(void *lender)
{
	(void)lender;
	given_back++;
}

static struct response lent(const struct text *body)
{
	return (struct response){ .body = TEXT_EMPTY, .lent = body, .give_back = give_back };
}

/* Puts an answer of its own in; our end of its connection. */
static int put(struct response *response)
{
	int ends[2];
	struct outbox_item *item;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(outbox_reserve(outbox, response, &item), 0);
	outbox_send(outbox, item, ends[1], 259, response);
	assert_null(response->body.data);
	return ends[0];
}

static void read_all(int fd, void *bytes, size_t length)
{
	for (char *at = bytes; length;) {
		ssize_t got = read(fd, at, length);
		assert_true(got > 0);
		at += got;
		length -= (size_t)got;
	}
}

/* Reads the records of a whole answer, and compares its body. */
static void take(int fd, const struct text *body)
{
	FCGI_Header header;
	static char content[65536];
	size_t at = 0;
	for (bool ended = false; !ended;) {
		read_all(fd, &header, sizeof(header));
		size_t length = (size_t)header.contentLengthB1 << 8 | header.contentLengthB0;
		assert_int_equal(header.version, FCGI_VERSION_1);
		assert_int_equal(header.requestIdB1 << 8 | header.requestIdB0, 259);
		assert_int_equal(header.paddingLength, 0);
		assert_int_equal(header.type, FCGI_STDOUT);
		assert_true(at + length <= body->length);
		read_all(fd, content, length);
		assert_memory_equal(content, body->data + at, length);
		at += length;
		ended = length == 0;
	}
	assert_int_equal(at, body->length);
	FCGI_EndRequestBody end;
	read_all(fd, &header, sizeof(header));
	assert_int_equal(header.type, FCGI_END_REQUEST);
	read_all(fd, &end, sizeof(end));
	assert_int_equal(end.protocolStatus, FCGI_REQUEST_COMPLETE);
	assert_int_equal(read(fd, content, 1), 0);
	close(fd);
}

static void test_outbox_send_bodies_of_every_length_arrive(void **state)
{
	(void)state;
	static const size_t lengths[] = { 1, 65527, 65528, 65529, 2 * 65528, 300000, 5 * MIB + 3 };
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		struct response response = response_of(lengths[i]), copy = response_of(lengths[i]);
		take(put(&response), &copy.body);
		response_free(&copy);
	}
}

/* Several at once, of whom the first reads last. */
static void test_outbox_send_one_that_does_not_read_keeps_nobody_waiting(void **state)
{
	(void)state;
	struct response copy = response_of(MIB);
	int fds[5];
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		struct response response = response_of(MIB);
		fds[i] = put(&response);
	}
	for (size_t i = COUNT_OF(fds); i > 0; i--)
		take(fds[i - 1], &copy.body);
	response_free(&copy);
}

static void test_outbox_send_nginx_that_goes_gives_the_room_back(void **state)
{
	(void)state;
	struct response copy = response_of(6 * MIB);
	for (int i = 0; i < 3; i++) {
		struct response response = lent(&copy.body);
		close(put(&response));
		WAIT_FOR(given_back == (unsigned)i + 1, 5000);
	}
	struct response other = response_of(6 * MIB);
	take(put(&other), &copy.body);
	response_free(&copy);
}

static void test_outbox_reserve_room_is_bounded(void **state)
{
	(void)state;
	struct response first = response_of(6 * MIB), second = response_of(5 * MIB), small = response_of(4 * MIB);
	struct outbox_item *item, *another, *refused = NULL;
	assert_int_equal(outbox_reserve(outbox, &first, &item), 0);
	int64_t begun_ns = clock_monotonic_ns();
	assert_int_equal(outbox_reserve(outbox, &second, &refused), -ENOBUFS);
	assert_true(clock_monotonic_ns() - begun_ns >= 500000000);
	assert_null(refused);
	assert_int_equal(outbox_reserve(outbox, &small, &another), 0);
	outbox_cancel(outbox, item);
	assert_int_equal(outbox_reserve(outbox, &second, &item), 0);
	outbox_cancel(outbox, item);
	outbox_cancel(outbox, another);

	/* One that is larger than all the room has it for itself. */
	struct response huge = response_of(ROOM + MIB);
	assert_int_equal(outbox_reserve(outbox, &huge, &item), 0);
	assert_int_equal(outbox_reserve(outbox, &small, &refused), -ENOBUFS);
	outbox_cancel(outbox, item);
	response_free(&first);
	response_free(&second);
	response_free(&small);
	response_free(&huge);
}

static void test_outbox_reserve_what_is_lent_counts_once(void **state)
{
	(void)state;
	struct response body = response_of(6 * MIB), other = response_of(5 * MIB), lents[20];
	struct outbox_item *items[COUNT_OF(lents)], *item;
	for (size_t i = 0; i < COUNT_OF(lents); i++) {
		lents[i] = lent(&body.body);
		assert_int_equal(outbox_reserve(outbox, &lents[i], &items[i]), 0);
	}
	for (size_t i = 0; i < COUNT_OF(lents); i++) {
		/* Until the last has left. */
		if (i == 0 || i == COUNT_OF(lents) - 1)
			assert_int_equal(outbox_reserve(outbox, &other, &item), -ENOBUFS);
		outbox_cancel(outbox, items[i]);
	}
	assert_int_equal(outbox_reserve(outbox, &other, &item), 0);
	outbox_cancel(outbox, item);
	assert_int_equal(given_back, 0); /* they were never sent */
	response_free(&body);
	response_free(&other);
}

static void test_outbox_close_cuts_off_who_does_not_read(void **state)
{
	(void)state;
	struct response copy = response_of(MIB), slow = lent(&copy.body);
	int fd = put(&slow);
	int64_t begun_ns = clock_monotonic_ns();
	outbox_close(outbox);
	assert_true(clock_monotonic_ns() - begun_ns >= 1900000000);
	assert_int_equal(given_back, 1);
	close(fd);
	assert_int_equal(outbox_open(&outbox), 0);
	response_free(&copy);
	outbox_close(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_outbox_send_bodies_of_every_length_arrive),
		CASE(test_outbox_send_one_that_does_not_read_keeps_nobody_waiting),
		CASE(test_outbox_send_nginx_that_goes_gives_the_room_back),
		CASE(test_outbox_reserve_room_is_bounded),
		CASE(test_outbox_reserve_what_is_lent_counts_once),
		CASE(test_outbox_close_cuts_off_who_does_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
