/* What the targets of alert/ share: the rules, and the lines of transitions. */
#ifndef VIGIE_TESTS_FUZZ_ALERT_EVALUATED_H
#define VIGIE_TESTS_FUZZ_ALERT_EVALUATED_H

#include "tests/fuzz/fuzz.h"

#include "alert/alert_log.h"
#include "alert/state_file.h"
#include "alert/states.h"

enum { INTERVAL_MS = 10000 };

#define NOW_MS 1795356880000

static inline const struct rules *evaluated_rules(void)
{
	static struct rules *rules;
	if (!rules) {
		char *overrides[] = { (char[]){ "alert.rule=process=calm mute=yes" }, (char[]){ "alert.rule=process=bash must_run=yes" },
			                  (char[]){ "alert.rule=resource=cpu threshold=50 clear=40 raise_after=2 clear_after=1" } };
		struct text error = TEXT_EMPTY;
		struct config *config;
		if (config_load(NULL, overrides, 3, &config, &error) != 0 || rules_open(config, NULL, &rules, &error) != 0)
			abort();
		config_free(config);
	}
	return rules;
}

/* Each is one line of the log, without control characters. */
static inline void evaluated_check(const struct transitions *transitions)
{
	for (size_t i = 0; i < transitions->count; i++) {
		struct text line = TEXT_EMPTY;
		alert_log_format(&transitions->items[i], NOW_MS, &line);
		assert(!text_failed(&line) && line.data[line.length - 1] == '\n');
		assert(wire_utf8_check(line.data, line.length) == line.length);
		for (size_t at = 0; at + 1 < line.length; at++)
			assert((unsigned char)line.data[at] >= 0x20 && line.data[at] != 0x7f);
		text_free(&line);
	}
}

/* One evaluation; without forecasts where they are NULL. */
static inline void evaluated_tick(struct states *states, const struct latest *latest, const struct forecasts *forecasts,
                                  int64_t now_ms)
{
	struct transitions transitions = { 0 };
	int result = states_evaluate(states, evaluated_rules(), latest, now_ms, &transitions);
	assert(result == 0);
	evaluated_check(&transitions);
	const struct partial none = { .count = 0 };
	result = states_evaluate_missing(states, evaluated_rules(), latest, &none, &transitions);
	assert(result == 0);
	evaluated_check(&transitions);
	result = states_unsilence(states, &transitions);
	assert(result == 0);
	evaluated_check(&transitions);
	if (forecasts) {
		result = states_evaluate_forecasts(states, evaluated_rules(), latest, forecasts, &transitions);
		assert(result == 0);
		evaluated_check(&transitions);
	}
	result = states_remind(states, INTERVAL_MS, &transitions);
	assert(result == 0);
	evaluated_check(&transitions);
	states_reported(states);
	transitions_free(&transitions);
}

/* What is saved is read again, and is then the same. */
static inline void evaluated_check_saved(const struct states *states)
{
	struct text saved = TEXT_EMPTY, again = TEXT_EMPTY, error = TEXT_EMPTY;
	struct states *restored = states_open(INTERVAL_MS);
	state_file_format(states, &saved);
	if (state_file_parse(saved.data, saved.length, restored, &error) != 0)
		fuzz_fail("what is saved is not read: %s: %s", error.data, saved.data);
	state_file_format(restored, &again);
	fuzz_assert_same(&saved, &again);
	states_close(restored);
	text_free(&saved);
	text_free(&again);
}

#endif
