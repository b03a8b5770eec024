#include "fcgi/sqlite/expire.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "fcgi/counters.h"
#include "fcgi/sqlite/placement.h"

enum {
	FORECASTS_KEPT_MS = 4 * 3600 * 1000, /* at most: over three of their refreshes, of an hour at most */
	ROWS_AN_HOUR = 32, /* for so many rows a sealed hour is deleted, at most: one has up to 360, and many pages */
};

struct expirer {
	struct database *database;
	int64_t retention_ms;
	sqlite3_stmt *rows, *hours;
	int metric; /* the one besides usage whose rows were last deleted */
};

int expire_open(struct database *database, int64_t retention_ms, struct expirer **ret_expirer)
{
	struct expirer *expirer = calloc(1, sizeof(*expirer));
	if (!expirer)
		return -ENOMEM;
	expirer->database = database;
	expirer->retention_ms = retention_ms;
	const struct database_statement statements[] = {
		{ &expirer->rows, "DELETE FROM sample WHERE key IN "
		                  "(SELECT key FROM sample WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3)" },
		{ &expirer->hours, "DELETE FROM hour WHERE key IN "
		                   "(SELECT key FROM hour WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3)" },
	};
	int result = database_prepare(database, database->appending, statements, sizeof(statements) / sizeof(statements[0]));
	if (result)
		expire_close(expirer);
	else
		*ret_expirer = expirer;
	return result;
}

void expire_close(struct expirer *expirer)
{
	free(expirer);
}

/* Forecasts of all series each minute would take as much as the samples: they are kept
 * for as long as they can be asked for. */
static int64_t oldest_ms(const struct expirer *expirer, enum metric metric, int64_t reached_ms)
{
	bool shorter = sample_is_forecast(metric) && FORECASTS_KEPT_MS < expirer->retention_ms;
	int64_t time_ms = reached_ms - (shorter ? FORECASTS_KEPT_MS : expirer->retention_ms);
	return time_ms > 0 ? time_ms : 0;
}

static int delete(struct expirer *expirer, sqlite3_stmt *statement, int64_t first_key, int64_t end_key, size_t most)
{
	sqlite3_bind_int64(statement, 1, first_key);
	sqlite3_bind_int64(statement, 2, end_key);
	sqlite3_bind_int64(statement, 3, (int64_t)most);
	return database_result(expirer->database, database_run(statement), expirer->database->appending,
	                       "delete what is too old");
}

int expire_some(struct expirer *expirer, int64_t reached_ms, size_t most)
{
	/* Usage each time; of the other metrics, which have few rows, one in turn. */
	expirer->metric = expirer->metric % (METRIC_NAMED_COUNT - 1) + 1;
	int result = 0;
	for (int i = 0; i < METRIC_COUNT && result == 0; i++) {
		enum metric metric = (enum metric)i;
		if (!sample_is_usage(metric) && i != expirer->metric)
			continue;
		int64_t end_key = placement_key(metric, oldest_ms(expirer, metric, reached_ms), 0);
		result = delete(expirer, expirer->rows, placement_key(metric, 0, 0), end_key, most);
		if (result == 0)
			counters_add(COUNTER_EXPIRED_ROWS, (uint64_t)sqlite3_changes(expirer->database->appending));
	}
	/* An hour goes when all of it is too old. */
	int64_t first_key = placement_hour_key(METRIC_USAGE, 0, 0);
	int64_t end_key = placement_hour_key(METRIC_USAGE, oldest_ms(expirer, METRIC_USAGE, reached_ms), 0);
	size_t most_hours = most / ROWS_AN_HOUR + 1;
	if (result == 0)
		result = delete(expirer, expirer->hours, first_key, end_key, most_hours);
	return result;
}
