/* fcgi/shared_reads.h, with leaders that take as long as a case wants */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/unit/support/failing_malloc.h"
#include "fcgi/shared_reads.h"

enum { FOLLOWERS = 8, KEPT_MAX = 1000, MIB = 1 << 20 };
#define AGES_MS INT64_C(1000000000000) /* longer than any machine has been up */

static int set_up(void **state)
{
	struct shared_reads *reads = shared_reads_open();
	assert_non_null(reads);
	shared_reads_set_max_age(reads, AGES_MS);
	*state = reads;
	return 0;
}

static int tear_down(void **state)
{
	shared_reads_close(*state);
	return 0;
}

static struct request request_of(const char *path, const char *query)
{
	return (struct request){ .method = "GET", .path = path, .query = query };
}

static void fill(struct response *response, int status, const char *body)
{
	response->status = status;
	response->content_type = "application/json";
	text_reset(&response->body);
	text_append_string(&response->body, body);
}

/* Becomes the leader of a query; the caller ends it. */
static struct shared_read *lead(struct shared_reads *reads, const char *query)
{
	struct request request = request_of("/r/get-all", query);
	struct response response = { .body = TEXT_EMPTY };
	struct shared_read *read = NULL;
	assert_false(shared_reads_begin(reads, &request, &response, &read));
	assert_non_null(read);
	assert_null(response.body.data);
	return read;
}

static void end(struct shared_reads *reads, struct shared_read *read, int status, const char *body)
{
	struct response response = { .body = TEXT_EMPTY };
	fill(&response, status, body);
	shared_reads_end(reads, read, &response);
	response_free(&response);
}

/* Whether a query's answer is kept; then it is `body`. */
static bool is_kept(struct shared_reads *reads, const char *query, const char *body)
{
	struct request request = request_of("/r/get-all", query);
	struct response response = { .body = TEXT_EMPTY };
	bool found = shared_reads_find(reads, &request, &response);
	copy_lent_body(&response);
	if (found) {
		assert_int_equal(response.status, 200);
		assert_string_equal(response.content_type, "application/json");
		assert_string_equal(response.body.data, body);
	}
	text_free(&response.body);
	return found;
}

/* One that asks in a thread of its own. */
struct follower {
	struct shared_reads *reads;
	const char *query;
	pthread_t thread;
	bool answered;
	struct shared_read *read; /* what it was to lead */
	struct response response;
};

static void *follow(void *user)
{
	struct follower *follower = user;
	struct request request = request_of("/r/get-all", follower->query);
	follower->answered = shared_reads_begin(follower->reads, &request, &follower->response, &follower->read);
	copy_lent_body(&follower->response);
	return NULL;
}

/* Starts followers of one that is being made, and comes back once all of them wait. */
static void start_followers(struct shared_reads *reads, const char *query, struct follower followers[], unsigned count)
{
	unsigned before = shared_reads_waiting(reads);
	for (unsigned i = 0; i < count; i++) {
		followers[i] = (struct follower){ .reads = reads, .query = query };
		pthread_create(&followers[i].thread, NULL, follow, &followers[i]);
	}
	int64_t until_ns = clock_monotonic_ns() + 20 * 1000000000LL;
	while (shared_reads_waiting(reads) < before + count) {
		if (clock_monotonic_ns() > until_ns)
			fail_msg("%u of %u followers wait", shared_reads_waiting(reads) - before, count);
		usleep(1000);
	}
}

/* Waits for the followers: each got an answer with this status and body (NULL: none, it is to make its own). */
static void join_followers(struct follower followers[], unsigned count, int status, const char *body)
{
	for (unsigned i = 0; i < count; i++) {
		pthread_join(followers[i].thread, NULL);
		assert_null(followers[i].read);
		assert_int_equal(followers[i].answered, body != NULL);
		if (body) {
			assert_int_equal(followers[i].response.status, status);
			assert_string_equal(followers[i].response.body.data, body);
		}
		text_free(&followers[i].response.body);
	}
}

static void test_shared_reads_find_finished_answer_is_given_whole(void **state)
{
	struct shared_reads *reads = *state;
	struct request request = request_of("/r/get-all", "limit=1");
	struct response response = { .body = TEXT_EMPTY };
	struct shared_read *read;
	assert_false(shared_reads_find(reads, &request, &response));
	assert_false(shared_reads_begin(reads, &request, &response, &read));
	assert_false(shared_reads_find(reads, &request, &response));
	fill(&response, 200, "{\"a\": 1}\n");
	shared_reads_end(reads, read, &response);
	/* It is lent to the leader itself, and freed with the last who has it. */
	const struct text *lent = response.lent;
	assert_ptr_equal(response_body(&response), lent);
	assert_string_equal(lent->data, "{\"a\": 1}\n");
	response_give_back(&response);
	assert_ptr_equal(response_body(&response), &response.body);

	request.method = "HEAD";
	for (int i = 0; i < 4; i++) {
		fill(&response, 404, "what was there before and is longer than what comes");
		response.content_type = NULL;
		response.allow = "PUT";
		response.retry_after_s = 7;
		assert_true(i < 2 ? shared_reads_find(reads, &request, &response)
		                  : shared_reads_begin(reads, &request, &response, &read));
		assert_ptr_equal(response.lent, lent);
		copy_lent_body(&response);
		assert_int_equal(response.status, 200);
		assert_string_equal(response.content_type, "application/json");
		assert_null(response.allow);
		assert_int_equal(response.retry_after_s, 0);
		assert_string_equal(response.body.data, "{\"a\": 1}\n");
		assert_int_equal(response.body.length, strlen("{\"a\": 1}\n"));
	}
	text_free(&response.body);
}

static void test_shared_reads_begin_while_one_is_made_all_get_its_answer(void **state)
{
	struct shared_reads *reads = *state;
	struct follower followers[FOLLOWERS];
	for (int64_t max_age_ms = 0; max_age_ms <= AGES_MS; max_age_ms += AGES_MS) {
		shared_reads_set_max_age(reads, max_age_ms);
		struct shared_read *read = lead(reads, "");
		start_followers(reads, "", followers, FOLLOWERS);
		end(reads, read, 200, "{}\n");
		join_followers(followers, FOLLOWERS, 200, "{}\n");
		assert_int_equal(shared_reads_waiting(reads), 0);
		assert_int_equal(is_kept(reads, "", "{}\n"), max_age_ms > 0);
	}
}

static void test_shared_reads_begin_other_queries_and_paths_are_apart(void **state)
{
	struct shared_reads *reads = *state;
	static const char *const others[][2] = {
		{ "/r/get-all", "" }, { "/r/get-all", "limit=2" }, { "/r/get-all", "limit=1&" }, { "/r/get-all", "limit=" },
		{ "/r/get-all/", "limit=1" }, { "/r/get-alllimit=1", "" }, { "/r/get-al", "llimit=1" }, { "/r/get-all?limit=1", "" },
		{ "/r/get-all?", "limit=1" }, { "/r/Get-all", "limit=1" }, { "", "" },
	};
	struct shared_read *first = lead(reads, "limit=1"), *read[COUNT_OF(others)];
	struct response response = { .body = TEXT_EMPTY };
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		struct request request = request_of(others[i][0], others[i][1]);
		assert_false(shared_reads_begin(reads, &request, &response, &read[i]));
		assert_non_null(read[i]);
	}
	end(reads, first, 200, "first");
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		struct request request = request_of(others[i][0], others[i][1]);
		assert_false(shared_reads_find(reads, &request, &response));
		char body[2] = { (char)('a' + i), '\0' };
		end(reads, read[i], 200, body);
	}
	assert_true(is_kept(reads, "limit=1", "first"));
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		struct request request = request_of(others[i][0], others[i][1]);
		assert_true(shared_reads_find(reads, &request, &response));
		copy_lent_body(&response);
		assert_int_equal(response.body.data[0], 'a' + i);
	}
	text_free(&response.body);
}

static void test_shared_reads_end_error_is_for_those_who_wait_alone(void **state)
{
	struct shared_reads *reads = *state;
	struct follower followers[FOLLOWERS];
	struct response response = { .body = TEXT_EMPTY };
	struct shared_read *read = lead(reads, "");
	start_followers(reads, "", followers, FOLLOWERS);
	response_error(&response, 503, NULL, "the store failed");
	shared_reads_end(reads, read, &response);
	copy_lent_body(&response);
	for (int i = 0; i < FOLLOWERS; i++) {
		pthread_join(followers[i].thread, NULL);
		assert_true(followers[i].answered);
		assert_int_equal(followers[i].response.status, 503);
		assert_int_equal(followers[i].response.retry_after_s, response.retry_after_s);
		assert_string_equal(followers[i].response.body.data, response.body.data);
		text_free(&followers[i].response.body);
	}
	text_free(&response.body);
	assert_false(is_kept(reads, "", NULL));
	/* Nor does one that nobody waited for hinder the next. */
	end(reads, lead(reads, ""), 400, "no");
	assert_false(is_kept(reads, "", NULL));
	end(reads, lead(reads, ""), 200, "yes");
	assert_true(is_kept(reads, "", "yes"));
}

static void test_shared_reads_begin_answer_too_old_is_made_anew(void **state)
{
	struct shared_reads *reads = *state;
	end(reads, lead(reads, ""), 200, "old");
	assert_true(is_kept(reads, "", "old"));
	shared_reads_set_max_age(reads, 20);
	usleep(25000);
	assert_false(is_kept(reads, "", NULL));
	struct shared_read *read = lead(reads, "");
	shared_reads_set_max_age(reads, AGES_MS);
	/* The old one does not come back, whatever becomes of the new one. */
	assert_false(is_kept(reads, "", NULL));
	end(reads, read, 503, "failed");
	assert_false(is_kept(reads, "", NULL));
	end(reads, lead(reads, ""), 200, "new");
	assert_true(is_kept(reads, "", "new"));
}

static void test_shared_reads_find_age_counts_from_the_end(void **state)
{
	struct shared_reads *reads = *state;
	enum { MAX_AGE_MS = 40 };
	bool found = false;
	shared_reads_set_max_age(reads, MAX_AGE_MS);
	/* Again where this thread did not run for as long. */
	for (int i = 0; i < 50 && !found; i++) {
		struct shared_read *read = lead(reads, "");
		usleep((MAX_AGE_MS + 5) * 1000);
		int64_t made_ns = clock_monotonic_ns();
		end(reads, read, 200, "{}");
		found = is_kept(reads, "", "{}");
		if (clock_monotonic_ns() - made_ns < MAX_AGE_MS * 1000000)
			assert_true(found);
		usleep(MAX_AGE_MS * 1000);
		assert_false(is_kept(reads, "", NULL));
	}
	assert_true(found);
}

static void test_shared_reads_set_max_age_zero_nothing_is_kept(void **state)
{
	struct shared_reads *reads = *state;
	end(reads, lead(reads, "before"), 200, "{}");
	struct shared_read *read = lead(reads, "meanwhile");
	struct follower followers[FOLLOWERS];
	start_followers(reads, "meanwhile", followers, FOLLOWERS);
	shared_reads_set_max_age(reads, 0);
	assert_false(is_kept(reads, "before", NULL));
	end(reads, read, 200, "{}");
	join_followers(followers, FOLLOWERS, 200, "{}");
	end(reads, lead(reads, "after"), 200, "{}");
	shared_reads_set_max_age(reads, AGES_MS);
	assert_false(is_kept(reads, "before", NULL));
	assert_false(is_kept(reads, "meanwhile", NULL));
	assert_false(is_kept(reads, "after", NULL));
}

/* The name of the `number`th query. */
static const char *name_of(unsigned number, char ret_name[static 16])
{
	snprintf(ret_name, 16, "n=%u", number);
	return ret_name;
}

static void test_shared_reads_end_too_many_the_oldest_go(void **state)
{
	struct shared_reads *reads = *state;
	char name[16];
	struct shared_read *early = lead(reads, "n=0");
	for (unsigned i = 1; i < KEPT_MAX + 100; i++) {
		struct shared_read *read = lead(reads, name_of(i, name));
		end(reads, read, 200, name);
	}
	/* The first to begin, the last to end. */
	end(reads, early, 200, "n=0");
	assert_true(is_kept(reads, "n=0", "n=0"));
	for (unsigned i = 1; i < KEPT_MAX + 100; i++)
		assert_int_equal(is_kept(reads, name_of(i, name), name), i > 100);
}

static char *large_body(size_t length, char byte)
{
	char *body = malloc(length + 1);
	assert_non_null(body);
	memset(body, byte, length);
	body[length] = '\0';
	return body;
}

static void test_shared_reads_end_too_many_bytes_the_oldest_go(void **state)
{
	struct shared_reads *reads = *state;
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
	/* 4 + 8 + 8 + 8 + 4 MiB are the 32; with 9 bytes more the first goes, and then there is room for 4 MiB less 9. */
	static const size_t lengths[] = { 4 * MIB, 8 * MIB, 8 * MIB, 8 * MIB, 4 * MIB, 9 };
	char *bodies[COUNT_OF(names)];
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		bodies[i] = large_body(lengths[i], names[i][0]);
		end(reads, lead(reads, names[i]), 200, bodies[i]);
		for (size_t j = 0; j <= i; j++)
			assert_int_equal(is_kept(reads, names[j], bodies[j]), i < 5 || j > 0);
	}
	bodies[4][4 * MIB - 9] = '\0';
	end(reads, lead(reads, "g"), 200, bodies[4]);
	assert_true(is_kept(reads, "b", bodies[1]));
	end(reads, lead(reads, "h"), 200, "1");
	assert_false(is_kept(reads, "b", NULL));
	assert_true(is_kept(reads, "c", bodies[2]));
	for (size_t i = 0; i < COUNT_OF(names); i++)
		free(bodies[i]);
}

static void test_shared_reads_end_large_answer_is_for_those_who_wait_alone(void **state)
{
	struct shared_reads *reads = *state;
	struct follower followers[FOLLOWERS];
	char *body = large_body(8 * MIB + 1, 'x');
	struct shared_read *read = lead(reads, "");
	start_followers(reads, "", followers, FOLLOWERS);
	end(reads, read, 200, body);
	join_followers(followers, FOLLOWERS, 200, body);
	assert_false(is_kept(reads, "", NULL));
	end(reads, lead(reads, ""), 200, body);
	assert_false(is_kept(reads, "", NULL));
	free(body);
}

static void test_shared_reads_end_those_too_old_are_dropped(void **state)
{
	struct shared_reads *reads = *state;
	end(reads, lead(reads, "a"), 200, "a");
	end(reads, lead(reads, "b"), 200, "b");
	assert_true(is_kept(reads, "a", "a"));
	shared_reads_set_max_age(reads, 10);
	usleep(15000);
	end(reads, lead(reads, "c"), 200, "c");
	shared_reads_set_max_age(reads, AGES_MS);
	assert_false(is_kept(reads, "a", NULL));
	assert_false(is_kept(reads, "b", NULL));
	end(reads, lead(reads, "d"), 200, "d");
	usleep(15000);
	assert_true(is_kept(reads, "d", "d"));
	shared_reads_set_max_age(reads, 10);
	shared_reads_set_max_age(reads, AGES_MS);
	assert_false(is_kept(reads, "d", NULL));
}

static void test_shared_reads_begin_long_address_is_not_shared(void **state)
{
	struct shared_reads *reads = *state;
	char query[1024];
	struct response response = { .body = TEXT_EMPTY };
	memset(query, 'q', sizeof(query));
	for (size_t length = 985; length < 995; length++) {
		query[length] = '\0';
		struct request request = request_of("/r/get-all", query);
		struct shared_read *read;
		assert_false(shared_reads_begin(reads, &request, &response, &read));
		bool shared = length + strlen("/r/get-all") <= 1000;
		assert_int_equal(read != NULL, shared);
		fill(&response, 200, "{}");
		shared_reads_end(reads, read, &response);
		response_give_back(&response);
		assert_int_equal(shared_reads_find(reads, &request, &response), shared);
		copy_lent_body(&response);
		query[length] = 'q';
	}
	text_free(&response.body);
}

/* ---- without memory ---- */

/* Asks for so many that the table grows. */
static void ask_many(void)
{
	struct shared_reads *reads = shared_reads_open();
	if (!reads)
		return;
	shared_reads_set_max_age(reads, AGES_MS);
	struct response response = { .body = TEXT_EMPTY };
	for (unsigned i = 0; i < 400; i++) {
		char name[16];
		struct request request = request_of("", name_of(i, name));
		struct shared_read *read;
		if (shared_reads_begin(reads, &request, &response, &read))
			abort();
		fill(&response, 200, name);
		shared_reads_end(reads, read, &response);
		copy_lent_body(&response);
		bool found = shared_reads_find(reads, &request, &response);
		copy_lent_body(&response);
		if (found && !text_failed(&response.body) && strcmp(response.body.data, name) != 0)
			abort();
		if (!found && read && !failing_done)
			abort();
	}
	text_free(&response.body);
	/* It has got over it. */
	failing_stop();
	end(reads, lead(reads, "after"), 200, "after");
	assert_true(is_kept(reads, "after", "after"));
	shared_reads_close(reads);
}

static void test_shared_reads_begin_every_allocation_may_fail(void **state)
{
	(void)state;
	long number = 0, live = failing_unfreed();
	do {
		failing_start(++number);
		ask_many();
		failing_stop();
		assert_int_equal(failing_unfreed(), live);
	} while (failing_done);
	assert_true(!FAILING_MALLOC || number > 2 * 400);
}

/* However many have it, the answer and its share of the budget are there once, as long as one of them has it. */
static void test_shared_reads_end_one_answer_for_all_is_counted_once(void **state)
{
	struct shared_reads *reads = *state;
	struct follower followers[FOLLOWERS];
	shared_reads_set_max_age(reads, 0);
	struct shared_read *read = lead(reads, "");
	start_followers(reads, "", followers, FOLLOWERS);
	struct response response = { .body = TEXT_EMPTY };
	char *body = large_body(MIB, 'x');
	fill(&response, 200, body);
	assert_int_equal(budget_hold(&response.share, MIB), 0);
	shared_reads_end(reads, read, &response);
	assert_int_equal(response.share.counted, 0);
	join_followers(followers, FOLLOWERS, 200, body);
	assert_int_equal(budget_held(BUDGET_ANSWERS), MIB);
	assert_string_equal(response_body(&response)->data, body);
	response_free(&response);
	assert_int_equal(budget_held(BUDGET_ANSWERS), 0);

	/* One that nobody else wants stays the leader's own. */
	read = lead(reads, "");
	fill(&response, 200, body);
	shared_reads_end(reads, read, &response);
	assert_null(response.lent);
	assert_string_equal(response.body.data, body);
	response_free(&response);
	free(body);
}

/* ---- a crowd ---- */

struct crowd {
	struct shared_reads *reads;
	atomic_uint made, answered, wrong;
	atomic_int inside[5]; /* leaders of each query */
};

static void *mill_about(void *user)
{
	struct crowd *crowd = user;
	unsigned seed = (unsigned)(uintptr_t)pthread_self();
	struct response response = { .body = TEXT_EMPTY };
	for (int i = 0; i < 3000; i++) {
		unsigned number = (unsigned)rand_r(&seed) % COUNT_OF(crowd->inside);
		char name[16];
		struct request request = request_of("/r/get-all", name_of(number, name));
		struct shared_read *read;
		if (i % 100 == 0)
			shared_reads_set_max_age(crowd->reads, i % 200 / 100);
		if (shared_reads_find(crowd->reads, &request, &response) ||
		    shared_reads_begin(crowd->reads, &request, &response, &read)) {
			atomic_fetch_add(&crowd->answered, 1);
			if (strcmp(response_body(&response)->data, name) != 0)
				atomic_fetch_add(&crowd->wrong, 1);
			response_give_back(&response);
			continue;
		}
		if (atomic_fetch_add(&crowd->inside[number], 1) != 0)
			atomic_fetch_add(&crowd->wrong, 1);
		fill(&response, i % 7 ? 200 : 503, name);
		atomic_fetch_add(&crowd->made, 1);
		if (i % 3 == 0)
			usleep(50);
		atomic_fetch_sub(&crowd->inside[number], 1);
		shared_reads_end(crowd->reads, read, &response);
		if (strcmp(response_body(&response)->data, name) != 0)
			atomic_fetch_add(&crowd->wrong, 1);
		response_give_back(&response);
	}
	text_free(&response.body);
	return NULL;
}

static void test_shared_reads_begin_a_crowd_one_leads_and_answers_are_right(void **state)
{
	struct crowd crowd = { .reads = *state };
	pthread_t threads[FOLLOWERS];
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_create(&threads[i], NULL, mill_about, &crowd);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd.wrong, 0);
	assert_int_equal(crowd.made + crowd.answered, COUNT_OF(threads) * 3000);
	assert_true(crowd.answered > 0);
	assert_int_equal(shared_reads_waiting(crowd.reads), 0);
}

static void test_shared_reads_close_null_is_harmless(void **state)
{
	(void)state;
	shared_reads_close(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_shared_reads_find_finished_answer_is_given_whole),
		CASE(test_shared_reads_begin_while_one_is_made_all_get_its_answer),
		CASE(test_shared_reads_begin_other_queries_and_paths_are_apart),
		CASE(test_shared_reads_end_error_is_for_those_who_wait_alone),
		CASE(test_shared_reads_begin_answer_too_old_is_made_anew),
		CASE(test_shared_reads_find_age_counts_from_the_end),
		CASE(test_shared_reads_set_max_age_zero_nothing_is_kept),
		CASE(test_shared_reads_end_too_many_the_oldest_go),
		CASE(test_shared_reads_end_too_many_bytes_the_oldest_go),
		CASE(test_shared_reads_end_large_answer_is_for_those_who_wait_alone),
		CASE(test_shared_reads_end_those_too_old_are_dropped),
		CASE(test_shared_reads_begin_long_address_is_not_shared),
		cmocka_unit_test(test_shared_reads_begin_every_allocation_may_fail),
		CASE(test_shared_reads_end_one_answer_for_all_is_counted_once),
		CASE(test_shared_reads_begin_a_crowd_one_leads_and_answers_are_right),
		cmocka_unit_test(test_shared_reads_close_null_is_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
