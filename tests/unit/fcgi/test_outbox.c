/* fcgi/outbox.h: nginx is the other end of a pair of sockets */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/no_threads.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>
#include <fastcgi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "fcgi/outbox.h"

enum { MIB = 1 << 20, ROOM = 10 * MIB };

static struct outbox *outbox;
static atomic_uint given_back;
static atomic_llong ahead_ns; /* of the clock that goes on */

/* In the place of libc's own: so that nobody waits for ten seconds. */
int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	if (syscall(SYS_clock_gettime, clock, ret_time) != 0)
		return -1;
	if (clock == CLOCK_MONOTONIC)
		*ret_time = clock_timespec(ret_time->tv_sec * INT64_C(1000000000) + ret_time->tv_nsec + atomic_load(&ahead_ns));
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	budget_set_limit(4 * ROOM); /* a third of three quarters is ROOM */
	given_back = 0;
	atomic_store(&ahead_ns, 0);
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

static void test_outbox_reserve_answers_are_bounded_in_number(void **state)
{
	(void)state;
	struct response small = response_of(1);
	struct outbox_item *items[OUTBOX_ANSWERS], *refused = NULL;
	double over = metric_value("vigie_memory_refused_total", NULL, 0);
	for (size_t i = 0; i < COUNT_OF(items); i++)
		assert_int_equal(outbox_reserve(outbox, &small, &items[i]), 0);
	assert_int_equal(outbox_reserve(outbox, &small, &refused), -ENOBUFS);
	assert_null(refused);
	assert_true(metric_value("vigie_memory_refused_total", NULL, 0) == over + 1);
	outbox_cancel(outbox, items[7]);
	assert_int_equal(outbox_reserve(outbox, &small, &items[7]), 0);
	for (size_t i = 0; i < COUNT_OF(items); i++)
		outbox_cancel(outbox, items[i]);
	response_free(&small);
}

static atomic_bool has_reserved;

static void *reserve(void *user)
{
	struct outbox_item *item;
	assert_int_equal(outbox_reserve(outbox, user, &item), 0);
	has_reserved = true;
	outbox_cancel(outbox, item);
	return NULL;
}

/* As soon as there is some, and not when its own time is over, which is an hour away. */
static void test_outbox_reserve_who_waits_for_room_is_told_of_it(void **state)
{
	(void)state;
	struct response first = response_of(6 * MIB), second = response_of(6 * MIB);
	struct outbox_item *item;
	pthread_t thread;
	has_reserved = false;
	atomic_store(&ahead_ns, 3600 * INT64_C(1000000000));
	assert_int_equal(outbox_reserve(outbox, &first, &item), 0);
	assert_int_equal(pthread_create(&thread, NULL, reserve, &second), 0);
	usleep(100000); /* it waits by now, as a rule */
	assert_false(has_reserved);
	outbox_cancel(outbox, item);
	WAIT_FOR(has_reserved, 20000);
	pthread_join(thread, NULL);
	response_free(&first);
	response_free(&second);
}

static char bytes[2 * MIB];

/* How many bytes there are until the other side closes the connection. */
static size_t count_rest(int fd)
{
	size_t length = 0;
	ssize_t got;
	while (got = read(fd, bytes, sizeof(bytes)), got > 0)
		length += (size_t)got;
	assert_int_equal(got, 0);
	close(fd);
	return length;
}

/* Of those that had their time, as many as are in the way, and nobody who is quicker. */
static void test_outbox_reserve_the_slowest_are_cut_off_after_their_time(void **state)
{
	(void)state;
	struct response responses[3], more = response_of(3 * MIB), most = response_of(4 * MIB);
	static const size_t read_bytes[] = { MIB, 0, 2 * MIB };
	struct outbox_item *item, *last;
	int fds[3];
	for (int i = 0; i < 3; i++) {
		responses[i] = response_of(3 * MIB);
		fds[i] = put(&responses[i]);
		read_all(fds[i], bytes, read_bytes[i]);
	}
	assert_int_equal(outbox_reserve(outbox, &more, &item), -ENOBUFS);
	atomic_store(&ahead_ns, (OUTBOX_TIME_MS + 1000) * INT64_C(1000000));
	assert_int_equal(outbox_reserve(outbox, &more, &item), 0);
	assert_true(count_rest(fds[1]) < MIB);
	/* What has only its place is not slow. */
	assert_int_equal(outbox_reserve(outbox, &most, &last), 0);
	assert_true(count_rest(fds[0]) < MIB);
	outbox_cancel(outbox, item);
	outbox_cancel(outbox, last);
	/* The quickest goes on to its end. */
	assert_true(count_rest(fds[2]) > MIB);
	response_free(&more);
	response_free(&most);
}

static void test_outbox_open_without_memory_descriptors_or_threads_says_so(void **state)
{
	(void)state;
	struct response response = response_of(1);
	struct outbox_item *item;
	struct rlimit usual;
	int before = dup(0);
	close(before);
	long unfreed = failing_unfreed();
	struct outbox *none = NULL;
	if (FAILING_MALLOC) {
		failing_start(1);
		assert_int_equal(outbox_open(&none), -ENOMEM);
		assert_true(failing_stop());
		failing_start(1);
		assert_int_equal(outbox_reserve(outbox, &response, &item), -ENOMEM);
		assert_true(failing_stop());
		no_threads(true);
		int result = outbox_open(&none);
		no_threads(false);
		assert_int_equal(result, -EAGAIN);
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, usual.rlim_max }), 0);
	int result = outbox_open(&none);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	assert_int_equal(result, -EMFILE);
	assert_null(none);
	int after = dup(0);
	close(after);
	assert_int_equal(after, before);
	assert_int_equal(failing_unfreed(), unfreed);
	response_free(&response);
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
		CASE(test_outbox_reserve_answers_are_bounded_in_number),
		CASE(test_outbox_reserve_who_waits_for_room_is_told_of_it),
		CASE(test_outbox_reserve_the_slowest_are_cut_off_after_their_time),
		CASE(test_outbox_open_without_memory_descriptors_or_threads_says_so),
		CASE(test_outbox_close_cuts_off_who_does_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
