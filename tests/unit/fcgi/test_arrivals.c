/* fcgi/arrivals.h: one thread has both ends of the connections */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/fastcgi_client.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "fcgi/arrivals.h"

static struct arrivals *arrivals;

static int set_up(void **state)
{
	(void)state;
	return arrivals_open(&arrivals);
}

static int tear_down(void **state)
{
	(void)state;
	arrivals_close(arrivals);
	return 0;
}

/* How many descriptors are open. */
static int count_descriptors(void)
{
	int count = 0;
	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* From now on there are no more than `count` descriptors beside those that are open. */
static struct rlimit limit_descriptors(int count)
{
	struct rlimit usual;
	int next = dup(0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)(next + count), usual.rlim_max }), 0);
	return usual;
}

/* Has another file stand at a descriptor. A copy of what was there. */
static int put_null_at(int fd)
{
	int copy = dup(fd), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(copy > 0 && null > 0);
	assert_int_equal(dup2(null, fd), fd);
	close(null);
	return copy;
}

/* A connection that has been accepted. */
static int arrive(void)
{
	int client = client_open();
	assert_null(arrivals_next(arrivals));
	return client;
}

static bool is_closed(int client)
{
	char byte;
	ssize_t got = recv(client, &byte, 1, MSG_DONTWAIT);
	return got == 0 || (got < 0 && errno == ECONNRESET); /* of what had not all been read */
}

static void assert_answered(int client, struct guest *guest)
{
	struct response response = RESPONSE_NEW;
	struct text answer = TEXT_EMPTY;
	text_printf(&response.body, "to %s", guest->request.path);
	assert_true(connection_answer(guest->connection, true, &response));
	assert_true(client_receive(client, &answer) && has(&answer, response.body.data));
	response_free(&response);
	text_free(&answer);
}

static void test_arrivals_next_gives_each_request_of_a_connection(void **state)
{
	(void)state;
	int idle = arrive(), busy = arrive();
	for (int i = 0; i < 3; i++) {
		char path[16];
		snprintf(path, sizeof(path), "/%d", i);
		client_send(busy, "GET", path, "", 0, 0, true);
		struct guest *guest = arrivals_next(arrivals);
		assert_non_null(guest);
		assert_string_equal(guest->request.path, path);
		assert_answered(busy, guest);
		arrivals_return(guest);
	}
	/* One that goes, or talks nonsense, is closed. */
	put_all(idle, "GET / HTTP/1.1\r\n\r\n", 18);
	assert_null(arrivals_next(arrivals));
	assert_true(is_closed(idle));
	close(idle);
	close(busy);
	assert_null(arrivals_next(arrivals));
}

static void test_arrivals_close_closes_those_who_wait(void **state)
{
	(void)state;
	int open = count_descriptors();
	long unfreed = failing_unfreed();
	assert_int_equal(arrivals_open(&arrivals), 0);
	int clients[] = { arrive(), arrive(), arrive() };
	client_send(clients[2], "GET", "/a", "", 0, 0, true);
	arrivals_drop(arrivals_next(arrivals));
	arrivals_close(arrivals);
	for (size_t i = 0; i < COUNT_OF(clients); i++) {
		assert_true(is_closed(clients[i]));
		close(clients[i]);
	}
	assert_int_equal(count_descriptors(), open);
	assert_int_equal(failing_unfreed(), unfreed);
	arrivals_close(NULL);
}

static void test_arrivals_open_what_fails_leaves_nothing(void **state)
{
	(void)state;
	struct arrivals *none = NULL;
	int open = count_descriptors();
	long unfreed = failing_unfreed();
	for (int descriptors = 0; descriptors < 2; descriptors++) {
		const struct rlimit usual = limit_descriptors(descriptors);
		assert_int_equal(arrivals_open(&none), -EMFILE);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	}
	int listening = put_null_at(0); /* nobody can wait for that */
	assert_int_equal(arrivals_open(&none), -EPERM);
	dup2(listening, 0);
	close(listening);
	if (FAILING_MALLOC) {
		failing_start(1);
		assert_int_equal(arrivals_open(&none), -ENOMEM);
		assert_true(failing_stop());
	}
	assert_null(none);
	assert_int_equal(count_descriptors(), open);
	assert_int_equal(failing_unfreed(), unfreed);
}

/* What cannot be accepted now is accepted later. */
static void test_arrivals_next_connection_that_cannot_be_accepted_waits(void **state)
{
	(void)state;
	int client = client_open();
	int64_t begun_ns = clock_monotonic_ns();
	for (int i = 0; i < 3; i++) {
		const struct rlimit usual = limit_descriptors(0);
		assert_null(arrivals_next(arrivals));
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	}
	assert_true(clock_monotonic_ns() - begun_ns >= 3 * 10000000); /* and nobody spins meanwhile */
	for (long n = 1; FAILING_MALLOC && n <= 2; n++) {
		long unfreed = failing_unfreed();
		failing_start(n);
		assert_null(arrivals_next(arrivals));
		assert_true(failing_stop());
		assert_int_equal(failing_unfreed(), unfreed);
	}
	assert_null(arrivals_next(arrivals)); /* that was it */
	client_send(client, "GET", "/a", "", 0, 0, true);
	struct guest *guest = arrivals_next(arrivals);
	assert_non_null(guest);
	assert_answered(client, guest);
	arrivals_return(guest);
	close(client);
}

static void test_arrivals_return_one_that_cannot_wait_is_closed(void **state)
{
	(void)state;
	int open = count_descriptors(), client = client_open();
	long unfreed = failing_unfreed();
	assert_null(arrivals_next(arrivals));
	client_send(client, "GET", "/a", "", 0, 0, true);
	struct guest *guest = arrivals_next(arrivals);
	assert_non_null(guest);
	assert_answered(client, guest);
	int connection = put_null_at(connection_fd(guest->connection));
	arrivals_return(guest);
	close(connection);
	assert_true(is_closed(client));
	close(client);
	assert_int_equal(count_descriptors(), open);
	assert_int_equal(failing_unfreed(), unfreed);
}

/* Where the listening socket is gone people are told: those who are connected are answered, and nobody else is. */
static void test_arrivals_next_without_the_socket_says_so(void **state)
{
	(void)state;
	int connected = arrive(), client = client_open();
	int listening = put_null_at(0);
	captured_stderr_begin();
	assert_null(arrivals_next(arrivals));
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "no connection is accepted any more: Operation not permitted\n"));
	client_send(connected, "GET", "/a", "", 0, 0, true);
	struct guest *guest = arrivals_next(arrivals);
	assert_non_null(guest);
	assert_answered(connected, guest);
	arrivals_return(guest);
	dup2(listening, 0);
	close(listening);
	close(connected);
	/* For the next case. */
	close(client);
	close(accept(0, NULL, NULL));
}

/* The last, since libfcgi is shut down. */
static void test_arrivals_end_nobody_waits_any_more(void **state)
{
	(void)state;
	int client = arrive();
	arrivals_end(arrivals);
	for (int i = 0; i < 3; i++)
		assert_null(arrivals_next(arrivals));
	assert_false(is_closed(client));
	close(client);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_arrivals_next_gives_each_request_of_a_connection),
		cmocka_unit_test(test_arrivals_close_closes_those_who_wait),
		cmocka_unit_test(test_arrivals_open_what_fails_leaves_nothing),
		CASE(test_arrivals_next_connection_that_cannot_be_accepted_waits),
		CASE(test_arrivals_return_one_that_cannot_wait_is_closed),
		CASE(test_arrivals_next_without_the_socket_says_so),
		CASE(test_arrivals_end_nobody_waits_any_more),
	};
	char folder[TEMPORARY_FOLDER_SIZE];
	alarm(120); /* libfcgi takes SIGTERM: nothing else would end one that waits in vain */
	temporary_folder_make(folder);
	listen_on_0(folder);
	if (request_init() != 0)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	temporary_folder_remove(folder);
	return failed;
}
