/* fcgi/sqlite/dictionary.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/helpers.h"

#include "fcgi/sqlite/dictionary.h"

static struct dictionary_host *host_at(const struct dictionary *dictionary, uint32_t number)
{
	return dictionary_host_at(dictionary, number);
}

static struct dictionary_series *series_at(const struct dictionary *dictionary, uint32_t number)
{
	return dictionary_series_at(dictionary, number);
}

static struct dictionary_name *name_at(const struct dictionary *dictionary, uint32_t number)
{
	return dictionary_name_at(dictionary, number);
}

static struct dictionary_series *add(struct dictionary *dictionary, const char *ip, const char *process)
{
	struct dictionary_host *host = dictionary_find_host(dictionary, ip);
	if (!host)
		host = dictionary_add_host(dictionary, ip, 0);
	assert_non_null(host);
	struct dictionary_series *series = dictionary_add_series(dictionary, host, process, 0);
	assert_non_null(series);
	return series;
}

static void test_dictionary_find_series_what_was_added_is_found(void **state)
{
	(void)state;
	struct dictionary dictionary = { 0 };
	struct dictionary_series *bash = add(&dictionary, "10.0.0.1", "bash");
	struct dictionary_series *java = add(&dictionary, "10.0.0.1", "java");
	struct dictionary_series *other = add(&dictionary, "::1", "bash");
	struct dictionary_host *host = dictionary_find_host(&dictionary, "10.0.0.1");

	assert_ptr_equal(dictionary_find_series(&dictionary, host, "bash"), bash);
	assert_ptr_equal(dictionary_find_series(&dictionary, host, "java"), java);
	assert_null(dictionary_find_series(&dictionary, host, "bas"));
	assert_null(dictionary_find_host(&dictionary, "10.0.0.2"));
	assert_int_equal(host->series_count, 2);
	/* One name, however many hosts run it. */
	assert_int_equal(bash->key.name, other->key.name);
	assert_int_equal(dictionary_find_name(&dictionary, "bash")->series_count, 2);
	assert_int_equal(dictionary.names.used, 2);
	assert_ptr_equal(series_at(&dictionary, java->number), java);
	assert_ptr_equal(host_at(&dictionary, host->number), host);
	assert_null(series_at(&dictionary, 0));
	assert_null(series_at(&dictionary, 4));
	assert_null(host_at(&dictionary, 3));
	assert_null(name_at(&dictionary, 3));
	dictionary_free(&dictionary);
	assert_null(dictionary_find_host(&dictionary, "10.0.0.1"));
}

static void test_dictionary_find_next_only_the_same_hosts_neighbour_is_given(void **state)
{
	(void)state;
	struct dictionary dictionary = { 0 };
	struct dictionary_series *a = add(&dictionary, "10.0.0.1", "a");
	struct dictionary_series *b = add(&dictionary, "10.0.0.1", "b");
	struct dictionary_series *c = add(&dictionary, "10.0.0.2", "c");
	assert_ptr_equal(dictionary_find_next(&dictionary, a, "b"), b);
	assert_null(dictionary_find_next(&dictionary, a, "a"));
	assert_null(dictionary_find_next(&dictionary, b, "c"));
	assert_null(dictionary_find_next(&dictionary, c, "c"));
	dictionary_free(&dictionary);
}

static void test_dictionary_add_series_freed_numbers_are_used_again(void **state)
{
	(void)state;
	struct dictionary dictionary = { 0 };
	struct dictionary_series *series[200];
	char name[16];
	for (unsigned i = 0; i < COUNT_OF(series); i++) {
		snprintf(name, sizeof(name), "p%u", i);
		series[i] = add(&dictionary, "10.0.0.1", name);
		assert_int_equal(series[i]->number, i + 1);
	}
	uint32_t freed = series[70]->number;
	dictionary_remove_series(&dictionary, series[70]);
	assert_null(series_at(&dictionary, freed));
	assert_null(dictionary_find_name(&dictionary, "p70"));
	assert_int_equal(dictionary.series.used, COUNT_OF(series) - 1);
	assert_int_equal(dictionary_find_host(&dictionary, "10.0.0.1")->series_count, COUNT_OF(series) - 1);
	assert_int_equal(add(&dictionary, "10.0.0.1", "new")->number, freed);
	assert_int_equal(add(&dictionary, "10.0.0.1", "newer")->number, COUNT_OF(series) + 1);
	dictionary_free(&dictionary);
}

static void test_dictionary_add_host_given_numbers_are_kept_and_taken_ones_refused(void **state)
{
	(void)state;
	struct dictionary dictionary = { 0 };
	struct dictionary_host *host = dictionary_add_host(&dictionary, "10.0.0.1", 1000);
	assert_int_equal(host->number, 1000);
	assert_null(dictionary_add_host(&dictionary, "10.0.0.2", 1000));
	assert_null(dictionary_find_host(&dictionary, "10.0.0.2"));
	assert_int_equal(dictionary_add_series(&dictionary, host, "a", 7)->number, 7);
	assert_null(dictionary_add_series(&dictionary, host, "b", 7));
	assert_null(dictionary_find_name(&dictionary, "b"));
	/* Nor is there memory for a table that ends so high. */
	assert_null(dictionary_add_host(&dictionary, "10.0.0.2", UINT32_MAX - 1));
	assert_null(dictionary_add_series(&dictionary, host, "b", UINT32_MAX - 1));
	assert_null(dictionary_find_name(&dictionary, "b"));
	/* The gaps below are free. */
	assert_int_equal(dictionary_add_host(&dictionary, "10.0.0.3", 0)->number, 1);
	assert_int_equal(dictionary_add_series(&dictionary, host, "c", 0)->number, 1);
	dictionary_free(&dictionary);
}

static void test_dictionary_remove_host_name_of_another_host_stays(void **state)
{
	(void)state;
	struct dictionary dictionary = { 0 };
	struct dictionary_series *gone = add(&dictionary, "10.0.0.1", "bash");
	struct dictionary_series *kept = add(&dictionary, "10.0.0.2", "bash");
	dictionary_remove_series(&dictionary, gone);
	dictionary_remove_host(&dictionary, dictionary_find_host(&dictionary, "10.0.0.1"));
	assert_null(dictionary_find_host(&dictionary, "10.0.0.1"));
	assert_int_equal(dictionary.hosts.used, 1);
	assert_string_equal(name_at(&dictionary, kept->key.name)->text, "bash");
	assert_ptr_equal(dictionary_find_series(&dictionary, dictionary_find_host(&dictionary, "10.0.0.2"), "bash"), kept);
	dictionary_free(&dictionary);
}

/* Enough names for the hash tables to grow. What cannot be added is not there. */
static void test_dictionary_add_series_any_allocation_fails_nothing_is_half_added(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct dictionary dictionary = { 0 };
		uint32_t added = 0;
		failing_start(n);
		struct dictionary_host *host = dictionary_add_host(&dictionary, "10.0.0.1", 0);
		for (int i = 0; host && i < 500; i++) {
			char name[16];
			snprintf(name, sizeof(name), "p%d", i);
			added += dictionary_add_series(&dictionary, host, name, 0) != NULL;
		}
		failed = failing_stop();
		assert_int_equal(dictionary.series.used, added);
		assert_int_equal(dictionary.names.used, added);
		if (host)
			assert_true(host->series_count == added && added >= 499);
		for (int i = 0; host && i < 500; i++) {
			char name[16];
			snprintf(name, sizeof(name), "p%d", i);
			if (!dictionary_find_series(&dictionary, host, name))
				assert_non_null(dictionary_add_series(&dictionary, host, name, 0));
		}
		dictionary_free(&dictionary);
	}
}

/* What is dead has been silent for the three newest intervals, and since before the time that is asked for. */
static void test_dictionary_find_dead_each_is_found_once_and_the_living_never(void **state)
{
	(void)state;
	struct dictionary dictionary = { 0 };
	static const int64_t last_ms[] = { 100000, 79999, 80000, 60000, 100000 };
	struct dictionary_series *series[COUNT_OF(last_ms)];
	for (size_t i = 0; i < COUNT_OF(last_ms); i++) {
		char name[16];
		snprintf(name, sizeof(name), "p%zu", i);
		series[i] = add(&dictionary, "10.0.0.1", name);
		series[i]->last_ms = last_ms[i];
	}
	struct dictionary_host *host = dictionary_find_host(&dictionary, "10.0.0.1");
	host->last_ms = 100000;
	assert_null(dictionary_find_dead(host, INT64_MAX)); /* its interval is not known */
	host->gap_ms = 10000;
	assert_ptr_equal(dictionary_find_dead(host, INT64_MAX), series[1]);
	series[1]->last_ms = 100000;
	assert_ptr_equal(dictionary_find_dead(host, 60001), series[3]);
	assert_null(dictionary_find_dead(host, 60000));
	/* Nor is it looked for again before the host has sent more. */
	assert_null(dictionary_find_dead(host, INT64_MAX));
	host->last_ms = 100001;
	series[3]->last_ms = 80001; /* two intervals ago */
	assert_ptr_equal(dictionary_find_dead(host, INT64_MAX), series[2]);
	series[2]->last_ms = 100001;
	assert_null(dictionary_find_dead(host, INT64_MAX));
	dictionary_free(&dictionary);
}

static void test_dictionary_replace_series_any_allocation_fails_nothing_has_changed(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct dictionary dictionary = { 0 };
		long before = failing_unfreed();
		add(&dictionary, "10.0.0.1", "a");
		struct dictionary_series *old = add(&dictionary, "10.0.0.1", "old");
		struct dictionary_host *host = dictionary_find_host(&dictionary, "10.0.0.1");
		uint32_t number = old->number;
		old->last_ms = 7000;
		failing_start(n);
		struct dictionary_series *new = dictionary_replace_series(&dictionary, host, old, "new");
		failed = failing_stop();
		assert_int_equal(new == NULL, failed);
		assert_int_equal(host->series_count, 2);
		assert_int_equal(dictionary.names.used, 2);
		assert_ptr_equal(dictionary_find_series(&dictionary, host, "new"), new);
		if (failed) {
			assert_ptr_equal(dictionary_find_series(&dictionary, host, "old"), old);
			assert_ptr_equal(series_at(&dictionary, number), old);
		} else {
			assert_null(dictionary_find_series(&dictionary, host, "old"));
			assert_ptr_equal(series_at(&dictionary, number), new);
			assert_int_equal(new->born_ms, 7001);
		}
		dictionary_free(&dictionary);
		assert_int_equal(failing_unfreed(), before);
	}
}

static void test_dictionary_rename_host_any_allocation_fails_it_is_called_as_before(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct dictionary dictionary = { 0 };
		long before = failing_unfreed();
		struct dictionary_series *series = add(&dictionary, "::ffff:10.0.0.1", "a");
		struct dictionary_host *host = dictionary_host_of(&dictionary, series);
		failing_start(n);
		bool renamed = dictionary_rename_host(&dictionary, host, "10.0.0.1");
		failed = failing_stop();
		assert_int_equal(renamed, !failed);
		assert_int_equal(dictionary_find_host(&dictionary, "10.0.0.1") != NULL, renamed);
		assert_int_equal(dictionary_find_host(&dictionary, "::ffff:10.0.0.1") != NULL, !renamed);
		assert_ptr_equal(dictionary_find_series(&dictionary, dictionary_host_of(&dictionary, series), "a"), series);
		dictionary_free(&dictionary);
		assert_int_equal(failing_unfreed(), before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dictionary_find_series_what_was_added_is_found),
		cmocka_unit_test(test_dictionary_find_next_only_the_same_hosts_neighbour_is_given),
		cmocka_unit_test(test_dictionary_add_series_freed_numbers_are_used_again),
		cmocka_unit_test(test_dictionary_add_host_given_numbers_are_kept_and_taken_ones_refused),
		cmocka_unit_test(test_dictionary_remove_host_name_of_another_host_stays),
		cmocka_unit_test(test_dictionary_find_dead_each_is_found_once_and_the_living_never),
		cmocka_unit_test(test_dictionary_add_series_any_allocation_fails_nothing_is_half_added),
		cmocka_unit_test(test_dictionary_replace_series_any_allocation_fails_nothing_has_changed),
		cmocka_unit_test(test_dictionary_rename_host_any_allocation_fails_it_is_called_as_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
