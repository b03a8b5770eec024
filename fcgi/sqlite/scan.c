#include "fcgi/sqlite/scan.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "fcgi/sqlite/placement.h"
#include "fcgi/sqlite/scan_helper.h"

void scan_note_damage(const struct snapshot *snapshot, int64_t key)
{
	struct readers *readers = snapshot->readers;
	char ip[WIRE_IP_SIZE], begin[CLOCK_RFC3339_SIZE];
	if (!damage_note(&readers->database->damage, key))
		return;
	if (!names_find_ip(readers->names, placement_host(key), ip))
		ip[0] = '\0';
	clock_format_rfc3339(placement_hour_ms(key), begin);
	log_error("store %s: the hour from %s of host %s (key %lld) is damaged: answers are made without it",
	          readers->database->path, begin, ip[0] ? ip : "?", (long long)key);
}

static int result_of(const struct scan *scan, int code)
{
	return database_result(scan->snapshot->readers->database, code, scan->snapshot->reader->connection, "read");
}

static int64_t earlier(int64_t one_ms, int64_t other_ms)
{
	return one_ms < other_ms ? one_ms : other_ms;
}

/* The key that a statement stands on. */
static int64_t key_of(int code, sqlite3_stmt *statement)
{
	return code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : INT64_MAX;
}

/* Goes over the rows that one host has in the hour, see scan_visit_row(). Where nobody has rows, they are not looked for. */
static int visit_rows_of(struct scan *scan, uint32_t host, int64_t hour_ms, struct late *late)
{
	enum metric metric = scan->snapshot->query->metric;
	sqlite3_stmt *next_row = scan->snapshot->reader->next_row;
	int64_t last_ms = earlier(scan->last_ms, hour_ms + BLOCK_MS - 1);
	int64_t time_ms = scan->first_ms > hour_ms ? store_step_start(scan->first_ms, PLACEMENT_ROW_MS) : hour_ms;
	int result = 0;
	while (time_ms <= last_ms && result == 0) {
		int64_t key = placement_key(metric, time_ms, host), found = scan->next_key;
		if (key >= scan->next_key) {
			sqlite3_bind_int64(next_row, 1, key);
			sqlite3_bind_int64(next_row, 2, placement_key(metric, scan->last_ms, PLACEMENT_HOST_MAX));
			int code = sqlite3_step(next_row);
			result = result_of(scan, code);
			found = key_of(code, next_row);
			if (found == key)
				result = scan_visit_row(scan, key, sqlite3_column_blob(next_row, 1),
				                        (size_t)sqlite3_column_bytes(next_row, 1), late);
			sqlite3_reset(next_row);
			scan->next_key = found == key ? 0 : found;
		}
		if (found == INT64_MAX)
			break;
		bool passed = found == key || placement_host(found) > host;
		time_ms = placement_start_ms(found) + (passed ? PLACEMENT_ROW_MS : 0);
	}
	return result;
}

static int check_hour(const struct scan *scan, int64_t key, int result)
{
	if (result != -EBADMSG)
		return result;
	scan_note_damage(scan->snapshot, key);
	return 0;
}

int scan_read_hour(struct scan *scan, int64_t key, const void *summaries, size_t length)
{
	late_reset(&scan->late);
	return check_hour(scan, key, scan_hour(scan, key, summaries, length));
}

int scan_visit_others(struct scan *scan, int64_t key)
{
	sqlite3_stmt *next_summary = scan->snapshot->reader->next_summary;
	sqlite3_bind_int64(next_summary, 1, key);
	sqlite3_bind_int64(next_summary, 2, key);
	int code = sqlite3_step(next_summary), result = result_of(scan, code);
	scan->columns = SCAN_OTHERS;
	if (code == SQLITE_ROW)
		result = scan_read_hour(scan, key, sqlite3_column_blob(next_summary, 2), (size_t)sqlite3_column_bytes(next_summary, 2));
	scan->columns = SCAN_ALL;
	sqlite3_reset(next_summary);
	return result;
}

/* Goes over a sealed hour, whose row `statement` stands on, and what came late for it. */
static int visit_hour(struct scan *scan, sqlite3_stmt *statement)
{
	int64_t key = sqlite3_column_int64(statement, 0), hour_ms = placement_hour_ms(key);
	const void *summaries = sqlite3_column_blob(statement, 2);
	size_t length = (size_t)sqlite3_column_bytes(statement, 2);
	if (sqlite3_column_int64(statement, 1) == 0) {
		bool whole = scan->sink->summed_ms == BLOCK_MS && hour_ms >= scan->first_ms && hour_ms + BLOCK_MS - 1 <= scan->last_ms;
		return whole && scan->helper ? scan_helper_add(scan->helper, SCAN_HOUR, key, summaries, length)
		                             : scan_read_hour(scan, key, summaries, length);
	}
	late_reset(&scan->late);
	scan->next_key = 0;
	int result = visit_rows_of(scan, placement_host(key), hour_ms, &scan->late);
	late_sort(&scan->late);
	if (result == 0)
		result = check_hour(scan, key, scan_hour(scan, key, summaries, length));
	return result;
}

static int64_t hour_of(int64_t hour_key)
{
	return hour_key == INT64_MAX ? INT64_MAX : placement_hour_ms(hour_key);
}

/* The hour of a row. */
static int64_t hour_of_row(int64_t key)
{
	return key == INT64_MAX ? INT64_MAX : store_step_start(placement_start_ms(key), BLOCK_MS);
}

static int scan_host(struct scan *scan, uint32_t host)
{
	enum metric metric = scan->snapshot->query->metric;
	sqlite3_stmt *next_summary = scan->snapshot->reader->next_summary;
	int64_t hour_ms = store_step_start(scan->first_ms, BLOCK_MS);
	int result = 0;
	sqlite3_bind_int64(next_summary, 2, placement_hour_key(metric, scan->last_ms, PLACEMENT_HOST_MAX));
	while (hour_ms <= scan->last_ms && result == 0) {
		int64_t key = placement_hour_key(metric, hour_ms, host);
		sqlite3_bind_int64(next_summary, 1, key);
		int code = sqlite3_step(next_summary);
		int64_t found = key_of(code, next_summary);
		result = result_of(scan, code);
		if (found == key)
			result = visit_hour(scan, next_summary);
		sqlite3_reset(next_summary);
		if (found != key && result == 0)
			result = visit_rows_of(scan, host, hour_ms, NULL);
		/* Where nobody has anything for a long time. */
		int64_t next_ms = found == key ? 0 : earlier(hour_of(found), hour_of_row(scan->next_key));
		hour_ms = next_ms > hour_ms ? next_ms : hour_ms + BLOCK_MS;
	}
	return result;
}

/* The hosts whose rows of an hour lie over a block, and are read with it. */
struct hosts_over {
	uint32_t *numbers; /* numbers[count], rising */
	size_t count, capacity;
};

static int note_host(struct hosts_over *hosts, uint32_t number)
{
	if (hosts->count == hosts->capacity) {
		size_t capacity = hosts->capacity ? hosts->capacity * 2 : 64;
		uint32_t *numbers = realloc(hosts->numbers, capacity * sizeof(*numbers));
		if (!numbers)
			return -ENOMEM;
		hosts->numbers = numbers;
		hosts->capacity = capacity;
	}
	hosts->numbers[hosts->count++] = number;
	return 0;
}

static int compare_numbers(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

static bool is_noted(const struct hosts_over *hosts, uint32_t number)
{
	return hosts->count && bsearch(&number, hosts->numbers, hosts->count, sizeof(number), compare_numbers);
}

/* The sealed hours of all hosts that begin at hour_ms, from the one that `summaries` stands on. */
static int visit_hours(struct scan *scan, sqlite3_stmt *summaries, int64_t hour_ms, struct hosts_over *hosts, int *code)
{
	int result = 0;
	hosts->count = 0;
	for (; *code == SQLITE_ROW && result == 0; *code = sqlite3_step(summaries)) {
		int64_t key = sqlite3_column_int64(summaries, 0);
		if (placement_hour_ms(key) != hour_ms)
			break;
		if (sqlite3_column_int64(summaries, 1) > 0)
			result = note_host(hosts, placement_host(key));
		if (result == 0)
			result = visit_hour(scan, summaries);
	}
	return result;
}

/* The same of rows, but for those of `hosts`. */
static int visit_rows(struct scan *scan, sqlite3_stmt *rows, int64_t hour_ms, const struct hosts_over *hosts, int *code)
{
	int result = 0;
	for (; *code == SQLITE_ROW && result == 0; *code = sqlite3_step(rows)) {
		int64_t key = sqlite3_column_int64(rows, 0);
		if (placement_start_ms(key) >= hour_ms + BLOCK_MS)
			break;
		if (!is_noted(hosts, placement_host(key)))
			result = scan_visit_row_of_all(scan, key, sqlite3_column_blob(rows, 1), (size_t)sqlite3_column_bytes(rows, 1));
	}
	return result;
}

/* Goes over all hosts, hour by hour, from that hour or time on. */
static int scan_part(struct scan *scan, int64_t first_ms, int64_t last_ms)
{
	enum metric metric = scan->snapshot->query->metric;
	sqlite3_stmt *rows = scan->snapshot->reader->rows, *summaries = scan->snapshot->reader->summaries;
	struct hosts_over hosts = { 0 };
	int result = 0;
	sqlite3_bind_int64(rows, 1, placement_key(metric, first_ms, 0));
	sqlite3_bind_int64(rows, 2, placement_key(metric, last_ms, PLACEMENT_HOST_MAX));
	sqlite3_bind_int64(summaries, 1, placement_hour_key(metric, first_ms, 0));
	sqlite3_bind_int64(summaries, 2, placement_hour_key(metric, last_ms, PLACEMENT_HOST_MAX));
	int row = sqlite3_step(rows), summary = sqlite3_step(summaries);
	while ((row == SQLITE_ROW || summary == SQLITE_ROW) && result == 0) {
		int64_t hour_ms = earlier(hour_of_row(key_of(row, rows)), hour_of(key_of(summary, summaries)));
		result = visit_hours(scan, summaries, hour_ms, &hosts, &summary);
		if (result == 0)
			result = visit_rows(scan, rows, hour_ms, &hosts, &row);
	}
	sqlite3_reset(rows);
	sqlite3_reset(summaries);
	free(hosts.numbers);
	if (result == 0)
		result = result_of(scan, row);
	return result ? result : result_of(scan, summary);
}

int scan_find_newest_sealed(const struct snapshot *snapshot, int64_t *ret_hour_ms)
{
	sqlite3_stmt *newest_hour = snapshot->reader->newest_hour;
	int code = sqlite3_step(newest_hour);
	int64_t key = code == SQLITE_ROW ? sqlite3_column_int64(newest_hour, 0) : -1;
	sqlite3_reset(newest_hour);
	*ret_hour_ms = key < 0 ? -1 : placement_hour_ms(key);
	return database_result(snapshot->readers->database, code, snapshot->reader->connection, "read");
}

/* Goes over all hosts; with two threads first over what is not sealed, of which very much makes the second begin. */
static int scan_all(struct scan *scan)
{
	int64_t sealed_ms = -1;
	int result = scan->sink->hold_second ? scan_find_newest_sealed(scan->snapshot, &sealed_ms) : 0;
	int64_t open_ms = sealed_ms + BLOCK_MS;
	bool cut = sealed_ms >= 0 && open_ms > scan->first_ms && open_ms <= scan->last_ms;
	if (cut && result == 0)
		result = scan_part(scan, open_ms, scan->last_ms);
	if (result == 0)
		result = scan_part(scan, scan->first_ms, cut ? open_ms - 1 : scan->last_ms);
	int helped = scan_helper_close(scan->helper);
	return result ? result : helped;
}

static uint32_t find_last_series(const struct grouping *grouping)
{
	uint32_t series = grouping->series_end;
	while (series > 0 && grouping->group_of[series - 1] == GROUPING_NONE)
		series--;
	return series ? series - 1 : 0;
}

/* The first moment of a query's window. */
static int64_t find_first_ms(const struct query *query)
{
	return query->from_ms + 1 > 0 ? query->from_ms + 1 : 0;
}

int scan_find_any(const struct snapshot *snapshot, bool *ret_any)
{
	const struct query *query = snapshot->query;
	sqlite3_stmt *row = snapshot->reader->next_row, *summary = snapshot->reader->next_summary;
	int64_t first_ms = find_first_ms(query);
	sqlite3_bind_int64(row, 1, placement_key(query->metric, first_ms, 0));
	sqlite3_bind_int64(row, 2, placement_key(query->metric, query->to_ms, PLACEMENT_HOST_MAX));
	sqlite3_bind_int64(summary, 1, placement_hour_key(query->metric, first_ms, 0));
	sqlite3_bind_int64(summary, 2, placement_hour_key(query->metric, query->to_ms, PLACEMENT_HOST_MAX));
	int code = sqlite3_step(row);
	if (code == SQLITE_DONE)
		code = sqlite3_step(summary);
	sqlite3_reset(row);
	sqlite3_reset(summary);
	*ret_any = code == SQLITE_ROW;
	return database_result(snapshot->readers->database, code, snapshot->reader->connection, "read");
}

int scan_run(const struct snapshot *snapshot, const struct scan_sink *sink)
{
	const struct query *query = snapshot->query;
	const struct grouping *grouping = &snapshot->grouping;
	struct scan scan = {
		.snapshot = snapshot,
		.sink = sink,
		.first_ms = find_first_ms(query),
		.last_ms = query->to_ms,
	};
	if (grouping->count == 0 || scan.first_ms > scan.last_ms)
		return 0;
	scan.last_series = find_last_series(grouping);
	int result = grouping->host ? scan_host(&scan, grouping->host) : scan_all(&scan);
	late_free(&scan.late);
	return result;
}
