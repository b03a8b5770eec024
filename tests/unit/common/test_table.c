/* common/table.h: what those choose who name processes costs them nothing more */
#include "tests/unit/support/cmocka.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/table.h"

/* What a child of ours says when it is ended so: the status of a signal would leave nothing of what it ran. */
enum { ABORTED = 77 };

static void end_aborted(int signal)
{
	(void)signal;
	exit(ABORTED);
}

/* In the place of glibc's: a kernel that gives no secret, where the environment says so. */
ssize_t getrandom(void *bytes, size_t length, unsigned flags)
{
	(void)flags;
	if (getenv("VIGIE_TEST_NO_SECRET")) {
		signal(SIGABRT, end_aborted);
		return -1;
	}
	return getentropy(bytes, length) == 0 ? (ssize_t)length : -1;
}

enum { NAMES = 20000, NAME_SIZE = 16, CHOSEN_BITS = 9, CHAIN_MAX = 40 };

struct item {
	UT_hash_handle hh;
	char name[NAME_SIZE];
};

/* Names whose unkeyed hash, uthash's own, ends in the same bits, so that they would all be in one bucket. */
static void choose_names(struct item items[])
{
	size_t found = 0;
	for (unsigned number = 0; found < NAMES; number++) {
		unsigned hash;
		int length = snprintf(items[found].name, NAME_SIZE, "p%u", number);
		HASH_JEN(items[found].name, (size_t)length, hash);
		found += (hash & ((1u << CHOSEN_BITS) - 1)) == 0;
	}
}

static void test_table_names_that_are_chosen_to_meet_do_not(void **state)
{
	(void)state;
	struct item *items = calloc(NAMES + 1, sizeof(*items)), *table = NULL, *found;
	assert_non_null(items);
	choose_names(items);
	for (size_t i = 0; i < NAMES; i++)
		HASH_ADD_STR(table, name, &items[i]);
	assert_int_equal(HASH_COUNT(table), NAMES);
	const UT_hash_table *made = table->hh.tbl;
	unsigned longest = 0;
	for (unsigned i = 0; i < made->num_buckets; i++)
		longest = made->buckets[i].count > longest ? made->buckets[i].count : longest;
	if (longest > CHAIN_MAX)
		fail_msg("%u of %d in one of %u buckets", longest, NAMES, made->num_buckets);
	for (size_t i = 0; i < NAMES; i++) {
		HASH_FIND_STR(table, items[i].name, found);
		assert_ptr_equal(found, &items[i]);
	}
	HASH_CLEAR(hh, table);
	free(items);
}

static void test_table_hash_each_byte_and_the_length_count(void **state)
{
	(void)state;
	char key[300] = "";
	unsigned same = 0;
	for (size_t i = 0; i < sizeof(key) - 1; i++) {
		unsigned before = table_hash(key, sizeof(key) - 1);
		assert_int_equal(before, table_hash(key, sizeof(key) - 1));
		same += before == table_hash(key, i);
		key[i] = 1;
		same += before == table_hash(key, sizeof(key) - 1);
	}
	assert_true(same <= 2); /* of 2^32 */
}

/* A table whose buckets anybody can foretell is none: the program does not begin. */
static void test_table_without_a_secret_nothing_begins(void **state)
{
	(void)state;
	for (int without = 0; without < 2; without++) {
		int status;
		pid_t child = fork();
		if (child == 0) {
			if (without)
				setenv("VIGIE_TEST_NO_SECRET", "1", 1);
			execl("/proc/self/exe", "test_table", "begin", (char *)NULL);
			_exit(1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), without ? ABORTED : 0);
	}
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_names_that_are_chosen_to_meet_do_not),
		cmocka_unit_test(test_table_hash_each_byte_and_the_length_count),
		cmocka_unit_test(test_table_without_a_secret_nothing_begins),
	};
	(void)argv;
	return argc > 1 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
