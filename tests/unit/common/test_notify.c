#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/notify.h"

static char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16];
static int manager = -1; /* its socket */

static int setup(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/notify", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	temporary_folder_remove(folder);
	return 0;
}

/* Listens at `name`, whose length is that of unix(7), and has programs find it as `said`. */
static void listen_at(const char *name, size_t length, const char *said)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	assert_true(length <= sizeof(address.sun_path));
	memcpy(address.sun_path, name, length);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	assert_int_equal(bind(manager, (struct sockaddr *)&address, size), 0);
	setenv("NOTIFY_SOCKET", said, 1);
}

static int stop_listening(void **state)
{
	(void)state;
	if (manager >= 0)
		close(manager);
	manager = -1;
	unlink(path);
	unsetenv("NOTIFY_SOCKET");
	return 0;
}

static const char *heard(void)
{
	static char text[256];
	ssize_t length = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);
	text[length < 0 ? 0 : length] = '\0';
	return text;
}

static void test_notify_send_each_state_is_a_datagram(void **state)
{
	(void)state;
	listen_at(path, strlen(path) + 1, path);
	int64_t before_us = clock_monotonic_ns() / 1000, told_us;
	assert_int_equal(notify_send(NOTIFY_READY), 0);
	assert_string_equal(heard(), "READY=1");
	assert_int_equal(notify_send(NOTIFY_RELOADING), 0);
	assert_int_equal(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%" SCNd64, &told_us), 1);
	assert_in_range(told_us, before_us, clock_monotonic_ns() / 1000);
	assert_int_equal(notify_send(NOTIFY_STOPPING), 0);
	assert_string_equal(heard(), "STOPPING=1");
	assert_string_equal(heard(), "");
}

static void test_notify_send_abstract_name_is_reached(void **state)
{
	(void)state;
	char said[64], name[64];
	snprintf(said, sizeof(said), "@vigie-test-%ld", (long)getpid());
	memcpy(name, said, sizeof(said));
	name[0] = '\0';
	listen_at(name, strlen(said), said);
	assert_int_equal(notify_send(NOTIFY_READY), 0);
	assert_string_equal(heard(), "READY=1");
}

static void test_notify_send_nobody_asks_is_fine(void **state)
{
	(void)state;
	assert_int_equal(notify_send(NOTIFY_READY), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_send(NOTIFY_READY), 0);
}

static void test_notify_send_wrong_addresses_are_errors(void **state)
{
	(void)state;
	char endless[300];
	memset(endless, 'x', sizeof(endless) - 1);
	endless[0] = '/';
	endless[sizeof(endless) - 1] = '\0';
	const struct {
		const char *said;
		int result;
	} cases[] = {
		{ path, -ENOENT },
		{ "relative", -EINVAL },
		{ "vsock:2:9999", -EINVAL },
		{ "@", -EINVAL },
		{ endless, -EINVAL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv("NOTIFY_SOCKET", cases[i].said, 1);
		assert_int_equal(notify_send(NOTIFY_READY), cases[i].result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_notify_send_each_state_is_a_datagram, stop_listening),
		cmocka_unit_test_teardown(test_notify_send_abstract_name_is_reached, stop_listening),
		cmocka_unit_test_teardown(test_notify_send_nobody_asks_is_fine, stop_listening),
		cmocka_unit_test_teardown(test_notify_send_wrong_addresses_are_errors, stop_listening),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
