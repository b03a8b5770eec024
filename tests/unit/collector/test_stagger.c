#include "tests/unit/support/cmocka.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "collector/stagger.h"
#include "tests/unit/support/temporary_folder.h"

enum { HOSTS = 10000, PARTS = 10 };

static const char *machine_id; /* is read in the place of /etc/machine-id; NULL: that is */

/* In the place of the C library's. */
FILE *fopen(const char *path, const char *mode)
{
	int fd = open(machine_id && strcmp(path, "/etc/machine-id") == 0 ? machine_id : path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fdopen(fd, mode) : NULL;
}

static void test_stagger_ms_hosts_are_spread_evenly(void **state)
{
	(void)state;
	/* Names that differ at their end alone; machine-ids alike, as those of cloned disks; and hostnames alike. */
	for (int kind = 0; kind < 2; kind++) {
		int counts[PARTS] = { 0 };
		for (int i = 0; i < HOSTS; i++) {
			char name[64];
			snprintf(name, sizeof(name), "web-%05d", i);
			int64_t ms = kind ? stagger_ms(name, "localhost", 3000) : stagger_ms("b08dfa6083e7567a", name, 3000);
			assert_in_range(ms, 0, 3000);
			counts[ms * PARTS / 3001]++;
		}
		for (int i = 0; i < PARTS; i++) {
			if (counts[i] < HOSTS / PARTS * 8 / 10 || counts[i] > HOSTS / PARTS * 12 / 10)
				fail_msg("part %d has %d of %d", i, counts[i], HOSTS);
		}
	}
}

static void test_stagger_ms_is_the_same_for_ever(void **state)
{
	(void)state;
	assert_int_equal(stagger_ms("b08dfa6083e7567a", "web-1", 3000), stagger_ms("b08dfa6083e7567a", "web-1", 3000));
	assert_int_equal(stagger_own_ms(3000), stagger_own_ms(3000));
	assert_in_range(stagger_own_ms(3000), 0, 3000);
	assert_int_equal(stagger_own_ms(0), 0);
	/* Not what an update of ours may change: the fleet's spread would. */
	assert_int_equal(stagger_ms("b08dfa6083e7567a1921a643000001fb\n", "web-1", 3000), 1531);
}

static void test_stagger_own_ms_is_of_the_machine_id_where_there_is_one(void **state)
{
	(void)state;
	char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16], hostname[256] = "";
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/machine-id", folder);
	machine_id = path;
	assert_int_equal(gethostname(hostname, sizeof(hostname) - 1), 0);
	assert_int_equal(stagger_own_ms(1000000), stagger_ms("", hostname, 1000000));
	temporary_file_write(path, ""); /* of an image, before its first start */
	assert_int_equal(stagger_own_ms(1000000), stagger_ms("", hostname, 1000000));
	temporary_file_write(path, "b08dfa6083e7567a1921a643000001fb\n");
	assert_int_equal(stagger_own_ms(1000000), stagger_ms("b08dfa6083e7567a1921a643000001fb\n", hostname, 1000000));
	machine_id = NULL;
	temporary_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stagger_ms_hosts_are_spread_evenly),
		cmocka_unit_test(test_stagger_ms_is_the_same_for_ever),
		cmocka_unit_test(test_stagger_own_ms_is_of_the_machine_id_where_there_is_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
