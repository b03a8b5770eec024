/* What the tests of alert/states.h share: a server, hosts and a vigie-alert under simulated time. */
#ifndef VIGIE_TESTS_ALERT_WORLD_H
#define VIGIE_TESTS_ALERT_WORLD_H

#include "tests/unit/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert/state_file.h"
#include "alert/states.h"

#define START 1795356000000 /* 2026-11-22T14:00:00Z */
#define HOUR 3600000

enum { INTERVAL = 10000, PHASE = 5000, HORIZON = 1800000 };

/* One server and one vigie-alert on a clock of their own. */
struct world {
	struct states *states;
	struct rules *rules;
	struct transitions transitions;
	struct latest latest; /* of the next evaluation */
	struct forecasts forecasts; /* likewise */
	bool forecasting;     /* whether there are forecasts to be had */
	int64_t reminder_ms;
	const char *partial; /* the host whose collector sees a part alone; NULL: none */
	bool blind;          /* whether nobody says which one does */
	struct silence silence_items[1];
	struct silences silences; /* as the server tells them */
	int64_t now_ms;       /* a boundary, the alert's clock */
	int64_t data_ms;      /* a boundary, the hosts' clock */
	char said[512];       /* what the last evaluation brought */
};

/* What a reload does; `line` is one rule, NULL: none. */
static inline void world_set_rule(struct world *world, double threshold, double clear, int64_t raise_after,
                                  int64_t clear_after, const char *line)
{
	char *lines[] = { (char *)(uintptr_t)line };
	int numbers[] = { 1 };
	struct config config = { .alert = { .threshold = threshold, .clear = clear, .raise_after = raise_after,
	                                    .clear_after = clear_after, .amber_probability = 0.5,
	                                    .amber_clear = 0.3, .horizon_ms = HORIZON,
	                                    .rule = { .values = lines, .lines = numbers, .count = line ? 1 : 0 } } };
	struct text error = TEXT_EMPTY;
	rules_free(world->rules);
	assert_int_equal(rules_open(&config, NULL, &world->rules, &error), 0);
}

static inline void world_set_rules(struct world *world, double threshold, double clear, int64_t raise_after,
                            int64_t clear_after)
{
	world_set_rule(world, threshold, clear, raise_after, clear_after, NULL);
}

static inline void world_open(struct world *world)
{
	*world = (struct world){ .now_ms = START, .data_ms = START, .states = states_open(INTERVAL) };
	world_set_rules(world, 80, 75, 1, 3);
}

static inline void world_close(struct world *world)
{
	states_close(world->states);
	rules_free(world->rules);
	transitions_free(&world->transitions);
	latest_free(&world->latest);
	forecasts_free(&world->forecasts);
}

static inline void give_at(struct world *world, const char *ip, const char *process, double value, int64_t time_ms)
{
	struct latest_sample sample = { .ip = ip, .process = process, .resource = RESOURCE_MEM,
	                                .time_ms = time_ms, .value = value };
	assert_int_equal(latest_add(&world->latest, &sample), 0);
}

/* To be in the next answer, with the present tick's time. */
static inline void give(struct world *world, const char *ip, const char *process, double value)
{
	give_at(world, ip, process, value, world->data_ms);
}

static inline void advance(struct world *world, int64_t ms)
{
	world->now_ms += ms;
	world->data_ms += ms;
}

/* To be in the next answer to GET forecasts. */
static inline void expect(struct world *world, const char *ip, const char *process, double probability)
{
	struct forecast forecast = { .ip = ip, .process = process, .resource = RESOURCE_MEM, .probability = probability,
		                     .value = 91.2 };
	assert_int_equal(forecasts_add(&world->forecasts, &forecast), 0);
	world->forecasting = true;
}

static inline void note_transitions(struct world *world)
{
	static const char *const words[] = { "RED", "AMBER", "CLEAR", "GONE", "UNKNOWN", "REMINDER", "OOM", "KILLED", "MISSING" };
	for (size_t i = 0; i < world->transitions.count; i++) {
		const struct transition *transition = &world->transitions.items[i];
		size_t used = strlen(world->said);
		snprintf(world->said + used, sizeof(world->said) - used, "%s%s %s %s %g %g%s", used ? "; " : "",
		         words[transition->word], transition->alarm.ip, transition->alarm.process,
		         transition->alarm.value, (double)(transition->alarm.since_ms - START) / 1000,
		         transition->alarm.silenced_ms ? " silenced" : "");
	}
}

/* As the service does, which asks for the hosts where one lacks something. */
static inline void evaluate_missing(struct world *world)
{
	char ips[1][WIRE_IP_SIZE] = { "" };
	const struct partial partial = { .ips = ips, .count = world->partial != NULL };
	strcpy(ips[0], world->partial ? world->partial : "");
	bool asked = states_lack(world->states, world->rules, &world->latest);
	assert_int_equal(states_evaluate_missing(world->states, world->rules, &world->latest,
	                                         asked && !world->blind ? &partial : NULL, &world->transitions), 0);
	note_transitions(world);
}

/* Evaluates what was given, then goes on to the next tick. The transitions as
 * "WORD ip process value since", since in seconds after START. */
static inline const char *evaluate(struct world *world)
{
	world->said[0] = '\0';
	assert_int_equal(states_evaluate(world->states, world->rules, &world->latest, world->now_ms + PHASE,
	                                 &world->transitions), 0);
	note_transitions(world);
	evaluate_missing(world);
	assert_int_equal(states_unsilence(world->states, &world->transitions), 0);
	note_transitions(world);
	if (world->forecasting) {
		assert_int_equal(states_evaluate_forecasts(world->states, world->rules, &world->latest,
		                                           &world->forecasts, &world->transitions), 0);
		note_transitions(world);
	}
	assert_int_equal(states_remind(world->states, world->reminder_ms, &world->transitions), 0);
	note_transitions(world);
	world->latest.count = 0;
	world->forecasts.count = 0;
	world->forecasting = false;
	advance(world, INTERVAL);
	return world->said;
}

static inline const char *tick(struct world *world, double value)
{
	give(world, "10.0.0.5", "java", value);
	return evaluate(world);
}

/* A tick of a series with a forecast. */
static inline const char *amber_tick(struct world *world, double value, double probability)
{
	expect(world, "10.0.0.5", "java", probability);
	return tick(world, value);
}

/* Says nothing for so many evaluations of what `given` gives. */
#define assert_quiet(world, times, given)                       \
	for (int times_ = 0; times_ < (times); times_++) { \
		given;                                          \
		assert_string_equal(evaluate(world), "");       \
	}

static inline size_t count_series(const struct world *world)
{
	size_t count = 0;
	for (const struct series_state *series = states_next_series(world->states, NULL); series;
	     series = states_next_series(world->states, series))
		count++;
	return count;
}

static inline size_t count_hosts(const struct world *world)
{
	size_t count = 0;
	for (const struct host_state *host = states_next_host(world->states, NULL); host;
	     host = states_next_host(world->states, host))
		count++;
	return count;
}

/* From now on the server tells this silence alone; NULL: none. */
static inline void silence(struct world *world, const char *process, const char *resource)
{
	struct silence *item = world->silence_items;
	*item = (struct silence){ .id = "1", .ip = "10.0.0.*", .until_ms = START + HOUR };
	strcpy(item->process, process ? process : "");
	strcpy(item->resource, resource);
	world->silences = (struct silences){ .items = world->silence_items, .count = process ? 1 : 0 };
	states_set_silences(world->states, &world->silences);
}

/* What a restart does, through the state file's content. */
static inline void restart(struct world *world)
{
	struct text content = TEXT_EMPTY, error = TEXT_EMPTY;
	state_file_format(world->states, &content);
	states_close(world->states);
	world->states = states_open(INTERVAL);
	if (state_file_parse(content.data, content.length, world->states, &error) != 0)
		fail_msg("%s: %s", error.data, content.data);
	text_free(&content);
}

#endif
