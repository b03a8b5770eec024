/* top/session.h */
#include "tests/unit/support/cmocka.h"

#include <string.h>

#include "top/session.h"

enum { ROWS = 100, PAGE = 10 };

static void press_all(struct session *session, const char *keys)
{
	for (; *keys; keys++)
		session_press(session, (unsigned char)*keys, ROWS, PAGE);
}

static void test_session_press_orders_and_moves(void **state)
{
	(void)state;
	static const struct {
		int key;
		size_t first;
	} cases[] = {
		{ SESSION_UP, 0 }, { SESSION_PAGE_UP, 0 }, { 'j', 1 }, { SESSION_DOWN, 2 }, { 'k', 1 }, { SESSION_PAGE_DOWN, 11 }, { ' ', 21 },
		{ SESSION_PAGE_UP, 11 }, { SESSION_END, 90 }, { SESSION_DOWN, 90 }, { SESSION_HOME, 0 }, { 'G', 90 }, { 'g', 0 },
		{ SESSION_PAGE_DOWN, 10 }, { 'x', 10 }, { 'm', 0 },
	};
	struct session session = { .ended = false };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		session_press(&session, cases[i].key, ROWS, PAGE);
		if (session.first != cases[i].first)
			fail_msg("case %zu: %zu", i, session.first);
	}
	assert_int_equal(session.order, FLEET_BY_MEM);
	press_all(&session, "p");
	assert_int_equal(session.order, FLEET_BY_PROBABILITY);
	press_all(&session, "a");
	assert_int_equal(session.order, FLEET_BY_ALARM);
	press_all(&session, "c");
	assert_int_equal(session.order, FLEET_BY_CPU);
	session.first = 50;
	session_bound(&session, 3, PAGE);
	assert_int_equal(session.first, 0);
	assert_false(session.ended);
	press_all(&session, "?q");
	assert_false(session.ended); /* it ended the help */
	press_all(&session, "q");
	assert_true(session.ended);
}

static void test_session_press_what_is_typed_counts_at_once(void **state)
{
	(void)state;
	struct session session = { .first = 7 };
	press_all(&session, "/q");
	assert_int_equal(session.mode, SESSION_TYPES_PROCESS);
	assert_int_equal(session.first, 0);
	assert_string_equal(session_choice(&session).process, "q");
	press_all(&session, "m caf\xc3\xa9");
	session_press(&session, SESSION_BACKSPACE, ROWS, PAGE);
	assert_string_equal(session.process, "qm caf");
	session_press(&session, SESSION_ENTER, ROWS, PAGE);
	assert_int_equal(session.mode, SESSION_LISTS);
	press_all(&session, "hdb1");
	session_press(&session, SESSION_UP, ROWS, PAGE); /* is no character */
	session_press(&session, SESSION_ENTER, ROWS, PAGE);
	assert_string_equal(session_choice(&session).host, "db1");
	assert_string_equal(session.process, "qm caf");
	press_all(&session, "h");
	assert_string_equal(session.host, "");
	press_all(&session, "x");
	session_press(&session, SESSION_ESCAPE, ROWS, PAGE);
	assert_string_equal(session.host, "");
	assert_string_equal(session.process, "qm caf");
	session_press(&session, SESSION_ESCAPE, ROWS, PAGE);
	assert_string_equal(session.process, "");
	for (int i = 0; i < 3; i++)
		session_press(&session, SESSION_BACKSPACE, ROWS, PAGE);
	press_all(&session, "/");
	for (int i = 0; i < 2 * SESSION_TYPED_SIZE; i++)
		press_all(&session, "a");
	assert_int_equal(strlen(session.process), SESSION_TYPED_SIZE - 1);
}

static void test_session_help_fits_a_terminal(void **state)
{
	(void)state;
	size_t lines = 0;
	for (; session_help[lines]; lines++)
		assert_in_range(strlen(session_help[lines]), 0, 79);
	assert_in_range(lines, 1, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session_press_orders_and_moves),
		cmocka_unit_test(test_session_press_what_is_typed_counts_at_once),
		cmocka_unit_test(test_session_help_fits_a_terminal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
