/*
 * What the tests of fcgi/ share beyond tests/unit/support/.
 */
#ifndef VIGIE_TESTS_FCGI_HELPERS_H
#define VIGIE_TESTS_FCGI_HELPERS_H

#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/seed.h"
#include "tests/unit/support/temporary_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/log.h"
#include "common/text.h"
#include "fcgi/counters.h"
#include "fcgi/request.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The defaults with the database in `folder`, and one more "section.key=value" (NULL: none). */
static inline struct config *config_in(const char *folder, const char *option)
{
	char path[TEMPORARY_FOLDER_SIZE + 32];
	struct text error = TEXT_EMPTY;
	struct config *config = NULL;
	snprintf(path, sizeof(path), "sqlite.path=%s/vigie.db", folder);
	char *overrides[] = { path, (char *)(uintptr_t)option };
	if (config_load(NULL, overrides, option ? 2 : 1, &config, &error))
		fail_msg("%s", error.data);
	return config;
}

/* Another seed each time. */
static inline unsigned seed_take(void)
{
	return (unsigned)seed_choose((uint64_t)time(NULL));
}

/* Of GET metrics: the value of the line that starts with `name` and a blank; -1: there is none. */
static inline double metric_value(const char *name, const char *const route_names[], unsigned route_count)
{
	struct text text = TEXT_EMPTY;
	double value = -1;
	counters_append(&text, route_names, route_count);
	size_t length = strlen(name);
	for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			value = strtod(line + length, NULL);
	}
	text_free(&text);
	return value;
}

/* Waits until `condition`, at most `ms`. */
#define WAIT_FOR(condition, ms)                                                          \
	do {                                                                                 \
		int64_t until_ns_ = clock_monotonic_ns() + (ms) * INT64_C(1000000);              \
		while (!(condition) && clock_monotonic_ns() < until_ns_)                         \
			usleep(5000);                                                                \
		assert_true(condition);                                                          \
	} while (0)

/* Puts a copy of what is lent to a response in the place of its own body. */
static inline void copy_lent_body(struct response *response)
{
	if (!response->lent)
		return;
	text_reset(&response->body);
	text_append(&response->body, response->lent->data, response->lent->length);
	response_give_back(response);
}

#endif
