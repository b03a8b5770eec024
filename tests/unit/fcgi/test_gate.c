/* fcgi/gate.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>
#include <unistd.h>

#include "common/clock.h"
#include "fcgi/gate.h"

static int64_t now_ms(void)
{
	return clock_monotonic_ns() / 1000000;
}

static void test_gate_enter_full_gives_up_after_its_patience(void **state)
{
	(void)state;
	struct gate gate;
	gate_init(&gate, 2, 2, 100, 100);
	int64_t start_ms = now_ms();
	assert_int_equal(gate_enter(&gate, GATE_WRITE), 0);
	assert_false(gate_is_stuck(&gate));
	assert_int_equal(gate_enter(&gate, GATE_WRITE), 0);
	assert_false(gate_is_stuck(&gate));
	assert_int_equal(gate_enter(&gate, GATE_WRITE), -EBUSY);
	int64_t waited_ms = now_ms() - start_ms;
	assert_in_range(waited_ms, 100, 5000);
	assert_true(gate_is_stuck(&gate));
	/* And the next one at once; again where the machine had no core for it. */
	waited_ms = INT64_MAX;
	for (int i = 0; i < 10 && waited_ms > 90; i++) {
		start_ms = now_ms();
		assert_int_equal(gate_enter(&gate, GATE_WRITE), -EBUSY);
		waited_ms = now_ms() - start_ms;
	}
	assert_in_range(waited_ms, 0, 90);

	gate_leave(&gate, GATE_WRITE);
	assert_false(gate_is_stuck(&gate));
	assert_int_equal(gate_enter(&gate, GATE_WRITE), 0);
	gate_leave(&gate, GATE_WRITE);
	gate_leave(&gate, GATE_WRITE);
	for (int i = 0; i < 2; i++)
		assert_int_equal(gate_enter(&gate, GATE_WRITE), 0);
	assert_int_equal(gate_enter(&gate, GATE_WRITE), -EBUSY);
	gate_leave(&gate, GATE_WRITE);
	gate_leave(&gate, GATE_WRITE);
	gate_destroy(&gate);
}

struct visitor {
	struct gate *gate;
	enum gate_kind kind;
	int result;
};

static void *visit(void *user)
{
	struct visitor *visitor = user;
	visitor->result = gate_enter(visitor->gate, visitor->kind);
	if (visitor->result == 0)
		gate_leave(visitor->gate, visitor->kind);
	return NULL;
}

static void test_gate_leave_one_that_waits_goes_in(void **state)
{
	(void)state;
	struct gate gate;
	pthread_t threads[8];
	struct visitor visitors[8];
	gate_init(&gate, 1, 1, 60000, 60000);
	assert_int_equal(gate_enter(&gate, GATE_WRITE), 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++) {
		visitors[i] = (struct visitor){ &gate, i % 2 ? GATE_READ : GATE_WRITE, -1 };
		pthread_create(&threads[i], NULL, visit, &visitors[i]);
	}
	usleep(20000); /* most of them wait by now: without a signal they would for a minute */
	int64_t start_ms = now_ms();
	gate_leave(&gate, GATE_WRITE);
	for (size_t i = 0; i < COUNT_OF(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(visitors[i].result, 0);
	}
	assert_in_range(now_ms() - start_ms, 0, 5000);
	assert_int_equal(gate_inside(&gate), 0);
	gate_destroy(&gate);
}

/* A call that has waited in vain takes those along that wait with it. */
static void test_gate_enter_one_gives_up_all_that_wait_give_up(void **state)
{
	(void)state;
	struct gate gate;
	pthread_t threads[4];
	struct visitor visitors[4];
	gate_init(&gate, 1, 1, 60000, 60000);
	assert_int_equal(gate_enter(&gate, GATE_WRITE), 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++) {
		visitors[i] = (struct visitor){ &gate, GATE_WRITE, -1 };
		pthread_create(&threads[i], NULL, visit, &visitors[i]);
	}
	usleep(20000); /* most of them wait by now, for a minute; one that does not yet gives up by itself */
	pthread_mutex_lock(&gate.lock);
	gate.places[GATE_WRITE].patience_ms = 1;
	pthread_mutex_unlock(&gate.lock);
	int64_t start_ms = now_ms();
	assert_int_equal(gate_enter(&gate, GATE_WRITE), -EBUSY);
	for (size_t i = 0; i < COUNT_OF(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(visitors[i].result, -EBUSY);
	}
	assert_in_range(now_ms() - start_ms, 0, 5000);
	gate_leave(&gate, GATE_WRITE);
	gate_destroy(&gate);
}

/* Those who wait in vain are not told that the store answers. */
static void test_gate_has_place_who_passes_changes_nothing(void **state)
{
	(void)state;
	struct gate gate;
	gate_init(&gate, 2, 1, 60000, 20);
	assert_true(gate_has_place(&gate, GATE_WRITE));
	assert_int_equal(gate_enter(&gate, GATE_READ), 0);
	assert_false(gate_has_place(&gate, GATE_READ));
	assert_int_equal(gate_enter(&gate, GATE_READ), -EBUSY);
	assert_true(gate.places[GATE_READ].given_up);
	int64_t changed_ns = gate.changed_ns;
	assert_true(gate_has_place(&gate, GATE_WRITE));
	assert_true(gate.places[GATE_READ].given_up && gate.changed_ns == changed_ns);
	assert_int_equal(gate_inside(&gate), 1);
	gate_leave(&gate, GATE_READ);
	assert_true(gate_has_place(&gate, GATE_READ));
	gate_destroy(&gate);
}

static void test_gate_try_without_a_place_does_not_wait(void **state)
{
	(void)state;
	struct gate gate;
	gate_init(&gate, 2, 1, 60000, 60000);
	assert_true(gate_try(&gate, GATE_READ));
	assert_false(gate_try(&gate, GATE_READ));
	assert_true(gate_try(&gate, GATE_WRITE));
	assert_false(gate_try(&gate, GATE_WRITE));
	assert_int_equal(gate_inside(&gate), 2);
	/* It has not waited in vain: others do. */
	gate_leave(&gate, GATE_WRITE);
	assert_int_equal(gate_enter(&gate, GATE_WRITE), 0);
	gate_leave(&gate, GATE_WRITE);
	gate_leave(&gate, GATE_READ);
	gate_destroy(&gate);
}

static void test_gate_enter_readers_leave_places_to_writers(void **state)
{
	(void)state;
	struct gate gate;
	gate_init(&gate, 8, 6, 60000, 50);
	for (int i = 0; i < 6; i++)
		assert_int_equal(gate_enter(&gate, GATE_READ), 0);
	int64_t start_ms = now_ms();
	assert_int_equal(gate_enter(&gate, GATE_READ), -EBUSY);
	assert_in_range(now_ms() - start_ms, 50, 5000);
	assert_int_equal(gate_enter(&gate, GATE_READ), -EBUSY); /* at once, as all until one leaves */
	assert_int_equal(gate_enter(&gate, GATE_WRITE), 0);
	assert_int_equal(gate_enter(&gate, GATE_WRITE), 0);
	assert_int_equal(gate_inside(&gate), 8);
	/* Many reads are no store that hangs. */
	assert_false(gate_is_stuck(&gate));
	gate_leave(&gate, GATE_READ);
	assert_int_equal(gate_enter(&gate, GATE_READ), 0);
	for (int i = 0; i < 6; i++)
		gate_leave(&gate, GATE_READ);
	/* Writers may have all that readers do not. */
	for (int i = 0; i < 6; i++)
		assert_int_equal(gate_enter(&gate, GATE_WRITE), 0);
	assert_int_equal(gate_enter(&gate, GATE_READ), -EBUSY);
	for (int i = 0; i < 8; i++)
		gate_leave(&gate, GATE_WRITE);
	assert_int_equal(gate_inside(&gate), 0);
	gate_destroy(&gate);
}

/* Reads that take their time hold every place, and samples are stored meanwhile. */
static void test_gate_is_stuck_not_while_the_store_stores(void **state)
{
	(void)state;
	struct gate gate;
	gate_init(&gate, 2, 1, 60000, 20);
	assert_int_equal(gate_enter(&gate, GATE_READ), 0);
	assert_int_equal(gate_enter(&gate, GATE_READ), -EBUSY);
	gate.changed_ns -= 60000 * INT64_C(1000000);
	assert_true(gate_is_stuck(&gate));
	gate_note_answer(&gate);
	assert_false(gate_is_stuck(&gate));
	/* And the next reader does not wait for it. */
	assert_true(gate.places[GATE_READ].given_up);
	gate_leave(&gate, GATE_READ);
	gate_destroy(&gate);
}

static void test_gate_is_stuck_readers_alone_once_none_moves(void **state)
{
	(void)state;
	struct gate gate;
	gate_init(&gate, 3, 2, 100, 1);
	assert_int_equal(gate_enter(&gate, GATE_READ), 0);
	assert_int_equal(gate_enter(&gate, GATE_READ), 0);
	assert_int_equal(gate_enter(&gate, GATE_READ), -EBUSY);
	while (!gate_is_stuck(&gate))
		usleep(1000);
	/* There is a place for a writer all the same, which shows that something moves. */
	assert_int_equal(gate_enter(&gate, GATE_WRITE), 0);
	gate_leave(&gate, GATE_WRITE);
	assert_false(gate_is_stuck(&gate));
	gate_leave(&gate, GATE_READ);
	gate_leave(&gate, GATE_READ);
	gate_destroy(&gate);
}

struct crowd {
	struct gate gate;
	pthread_mutex_t lock;
	unsigned inside, most;
};

static void *push(void *user)
{
	struct crowd *crowd = user;
	for (int i = 0; i < 300; i++) {
		enum gate_kind kind = i % 2 ? GATE_READ : GATE_WRITE;
		if (gate_enter(&crowd->gate, kind) != 0)
			abort();
		pthread_mutex_lock(&crowd->lock);
		crowd->inside++;
		crowd->most = crowd->inside > crowd->most ? crowd->inside : crowd->most;
		pthread_mutex_unlock(&crowd->lock);
		pthread_mutex_lock(&crowd->lock);
		crowd->inside--;
		pthread_mutex_unlock(&crowd->lock);
		gate_leave(&crowd->gate, kind);
	}
	return NULL;
}

static void test_gate_enter_a_crowd_never_more_than_the_limit_inside(void **state)
{
	(void)state;
	struct crowd crowd = { .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t threads[10];
	gate_init(&crowd.gate, 3, 3, 60000, 60000);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_create(&threads[i], NULL, push, &crowd);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	assert_in_range(crowd.most, 1, 3);
	assert_int_equal(gate_inside(&crowd.gate), 0);
	gate_destroy(&crowd.gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gate_enter_full_gives_up_after_its_patience),
		cmocka_unit_test(test_gate_leave_one_that_waits_goes_in),
		cmocka_unit_test(test_gate_enter_one_gives_up_all_that_wait_give_up),
		cmocka_unit_test(test_gate_try_without_a_place_does_not_wait),
		cmocka_unit_test(test_gate_has_place_who_passes_changes_nothing),
		cmocka_unit_test(test_gate_enter_readers_leave_places_to_writers),
		cmocka_unit_test(test_gate_is_stuck_not_while_the_store_stores),
		cmocka_unit_test(test_gate_is_stuck_readers_alone_once_none_moves),
		cmocka_unit_test(test_gate_enter_a_crowd_never_more_than_the_limit_inside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
