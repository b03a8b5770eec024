#include "fcgi/sqlite/read.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "fcgi/sqlite/accumulate.h"
#include "fcgi/sqlite/grouping.h"
#include "fcgi/sqlite/packing.h"
#include "fcgi/sqlite/placement.h"

/* One connection, in the list of those not in use. */
struct reader {
	sqlite3 *connection;
	sqlite3_stmt *begin, *end, *range, *find;
	struct reader *next;
};

struct readers {
	struct database *database;
	struct names *names;
	pthread_mutex_t lock;
	struct reader *idle;
};

struct readers *read_open(struct database *database, struct names *names)
{
	struct readers *readers = calloc(1, sizeof(*readers));
	if (!readers)
		return NULL;
	readers->database = database;
	readers->names = names;
	pthread_mutex_init(&readers->lock, NULL);
	return readers;
}

static void reader_close(struct reader *reader)
{
	database_disconnect(reader->connection);
	free(reader);
}

void read_close(struct readers *readers)
{
	if (!readers)
		return;
	for (struct reader *reader = readers->idle, *next; reader; reader = next) {
		next = reader->next;
		reader_close(reader);
	}
	pthread_mutex_destroy(&readers->lock);
	free(readers);
}

static int reader_open(struct database *database, struct reader **ret_reader)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	const struct database_statement statements[] = {
		{ &reader->begin, "BEGIN" },
		{ &reader->end, "COMMIT" },
		{ &reader->range, "SELECT key, data FROM sample WHERE key BETWEEN ?1 AND ?2" },
		{ &reader->find, DATABASE_FIND },
	};
	int result = database_connect(database, &reader->connection);
	/* There may be as many as threads, and a window is read once from end to end. */
	if (result == 0)
		result = database_result(database, sqlite3_exec(reader->connection, "PRAGMA cache_size = -1024", NULL, NULL, NULL),
		                         reader->connection, "open");
	if (result == 0)
		result = database_prepare(database, reader->connection, statements, sizeof(statements) / sizeof(statements[0]));
	if (result)
		reader_close(reader);
	else
		*ret_reader = reader;
	return result;
}

static int reader_take(struct readers *readers, struct reader **ret_reader)
{
	pthread_mutex_lock(&readers->lock);
	struct reader *reader = readers->idle;
	if (reader)
		readers->idle = reader->next;
	pthread_mutex_unlock(&readers->lock);
	if (!reader)
		return reader_open(readers->database, ret_reader);
	*ret_reader = reader;
	return 0;
}

static void reader_give_back(struct readers *readers, struct reader *reader)
{
	pthread_mutex_lock(&readers->lock);
	reader->next = readers->idle;
	readers->idle = reader;
	pthread_mutex_unlock(&readers->lock);
}

/* One read: a reader that sees the store as it is now, and the grouping for it. */
struct snapshot {
	struct readers *readers;
	const struct query *query;
	struct reader *reader;
	struct grouping grouping;
};

static void snapshot_close(struct snapshot *snapshot)
{
	grouping_free(&snapshot->grouping);
	database_run(snapshot->reader->end);
	reader_give_back(snapshot->readers, snapshot->reader);
}

/*
 * In this order: the dictionary then has every name of the snapshot, so that a batch is
 * seen whole, and a number that is used anew after this is not in the snapshot's windows.
 */
static int snapshot_open(struct readers *readers, const struct query *query, bool ordered, struct snapshot *ret_snapshot)
{
	struct snapshot snapshot = { .readers = readers, .query = query };
	int result = reader_take(readers, &snapshot.reader);
	if (result)
		return result;
	struct reader *reader = snapshot.reader;
	int code = database_run(reader->begin);
	if (code == SQLITE_OK) {
		/* The first read begins the snapshot. */
		sqlite3_bind_int64(reader->find, 1, 0);
		code = sqlite3_step(reader->find);
		sqlite3_reset(reader->find);
	}
	result = database_result(readers->database, code, reader->connection, "read");
	if (result == 0)
		result = names_group(readers->names, query, ordered, &snapshot.grouping);
	if (result)
		snapshot_close(&snapshot);
	else
		*ret_snapshot = snapshot;
	return result;
}

/* Takes one entry of a wanted series; another result than 0 ends the read with it. */
typedef int visitor(void *state, int32_t group, int64_t time_ms, const struct packing_entry *entry);

/* Takes from an entry what nobody can have stored: a bit of the file may have flipped. Tells how many values. */
static unsigned drop_unusable(struct packing_entry *entry)
{
	unsigned dropped = 0;
	for (int i = 0; i < RESOURCE_COUNT; i++) {
		if (entry->present[i] && (!sample_is_usable(entry->value[i]) || entry->offset_ms >= PACKING_SPAN_MS)) {
			entry->present[i] = false;
			dropped++;
		}
	}
	return dropped;
}

/* Gives the row that `statement` stands on to the visitor, entry by entry. */
static int visit_row(const struct snapshot *snapshot, sqlite3_stmt *statement, visitor *visit, void *state)
{
	const struct query *query = snapshot->query;
	int64_t key = sqlite3_column_int64(statement, 0);
	int64_t start_ms = placement_start_ms(key);
	const void *data = sqlite3_column_blob(statement, 1);
	struct packing_reader reader = packing_read(data, (size_t)sqlite3_column_bytes(statement, 1));
	int more, result = 0;
	uint64_t unusable = 0;
	for (more = packing_next(&reader); more == 1 && result == 0; more = packing_next(&reader)) {
		int64_t time_ms = start_ms + reader.entry.offset_ms;
		int32_t group = grouping_find(&snapshot->grouping, reader.entry.series, time_ms);
		if (group == GROUPING_NONE || time_ms <= query->from_ms || time_ms > query->to_ms)
			continue;
		unusable += drop_unusable(&reader.entry);
		result = visit(state, group, time_ms, &reader.entry);
	}
	store_leave_out("sqlite", unusable);
	if (result || more == 0)
		return result;
	return database_damaged(snapshot->readers->database, DATABASE_READING, "row %lld of its samples is damaged", (long long)key);
}

/* All rows of one statement's run. */
static int visit_rows(const struct snapshot *snapshot, sqlite3_stmt *statement, visitor *visit, void *state)
{
	int code = sqlite3_step(statement), result = 0;
	for (; code == SQLITE_ROW && result == 0; code = sqlite3_step(statement))
		result = visit_row(snapshot, statement, visit, state);
	sqlite3_reset(statement);
	return result ? result : database_result(snapshot->readers->database, code, snapshot->reader->connection, "read");
}

/* Goes over the samples of the query's window, by rising time to within a row. */
static int scan(const struct snapshot *snapshot, visitor *visit, void *state)
{
	const struct query *query = snapshot->query;
	const struct reader *reader = snapshot->reader;
	uint32_t host = snapshot->grouping.host;
	if (snapshot->grouping.count == 0)
		return 0;
	int64_t first_ms = query->from_ms + 1 > 0 ? query->from_ms + 1 : 0;
	if (host == 0) {
		sqlite3_bind_int64(reader->range, 1, placement_key(query->metric, first_ms, 0));
		sqlite3_bind_int64(reader->range, 2, placement_key(query->metric, query->to_ms, PLACEMENT_HOST_MAX));
		return visit_rows(snapshot, reader->range, visit, state);
	}
	int result = 0;
	for (int64_t time_ms = first_ms / PLACEMENT_ROW_MS * PLACEMENT_ROW_MS; result == 0 && time_ms <= query->to_ms;
	     time_ms += PLACEMENT_ROW_MS) {
		sqlite3_bind_int64(reader->find, 1, placement_key(query->metric, time_ms, host));
		result = visit_rows(snapshot, reader->find, visit, state);
	}
	return result;
}

static int visit_mean(void *state, int32_t group, int64_t time_ms, const struct packing_entry *entry)
{
	(void)time_ms;
	accumulate_mean((struct accumulate_cell *)state + group, entry);
	return 0;
}

static int visit_latest(void *state, int32_t group, int64_t time_ms, const struct packing_entry *entry)
{
	accumulate_latest((struct accumulate_cell *)state + group, time_ms, entry);
	return 0;
}

static int read_rows(struct readers *readers, const struct query *query, visitor *visit, struct store_rows *ret_rows)
{
	struct snapshot snapshot;
	int result = snapshot_open(readers, query, false, &snapshot);
	if (result)
		return result;
	struct budget_share share = { 0 };
	struct accumulate_cell *cells = NULL;
	result = budget_hold(&share, snapshot.grouping.count * sizeof(*cells));
	if (result == 0) {
		cells = calloc(snapshot.grouping.count + 1, sizeof(*cells));
		result = cells ? scan(&snapshot, visit, cells) : -ENOMEM;
	}
	if (result == 0)
		result = accumulate_rows(cells, &snapshot.grouping, ret_rows);
	free(cells);
	budget_give_back(&share);
	snapshot_close(&snapshot);
	return database_finish(readers->database, DATABASE_READING, result);
}

int read_mean(struct readers *readers, const struct query *query, struct store_rows *ret_rows)
{
	return read_rows(readers, query, visit_mean, ret_rows);
}

int read_latest(struct readers *readers, const struct query *query, struct store_rows *ret_rows)
{
	struct query by_host = *query;
	by_host.by_host = true;
	return read_rows(readers, &by_host, visit_latest, ret_rows);
}

struct history {
	struct accumulate_history points;
	const struct grouping *grouping;
};

static int visit_history(void *state, int32_t group, int64_t time_ms, const struct packing_entry *entry)
{
	struct history *history = state;
	enum resource resource = history->points.query->resource;
	if (!entry->present[resource])
		return 0;
	return accumulate_history_add(&history->points, group, time_ms, entry->value[resource],
	                              grouping_find_order(history->grouping, entry->series));
}

int read_history(struct readers *readers, const struct query *query, struct store_history *ret_history)
{
	struct snapshot snapshot;
	int result = snapshot_open(readers, query, !query->step_ms, &snapshot);
	if (result)
		return result;
	struct history history = { .grouping = &snapshot.grouping };
	result = accumulate_history_open(&history.points, query, snapshot.grouping.count);
	if (result == 0) {
		result = scan(&snapshot, visit_history, &history);
		if (result == 0)
			result = accumulate_history_finish(&history.points, &snapshot.grouping, ret_history);
		accumulate_history_close(&history.points);
	}
	snapshot_close(&snapshot);
	return database_finish(readers->database, DATABASE_READING, result);
}

/* The process counts of hosts that have the numbers[hosts->count]: the names in each one's newest sample. */
static int count_processes(struct readers *readers, const uint32_t numbers[], struct store_hosts *hosts)
{
	struct reader *reader;
	int result = reader_take(readers, &reader);
	if (result)
		return result;
	for (size_t i = 0; i < hosts->count && result == 0; i++) {
		struct store_host *host = &hosts->items[i];
		uint32_t offset_ms;
		int found = database_find_newest(readers->database, reader->find,
		                                 placement_key(METRIC_USAGE, host->last_seen_ms, numbers[i]), &offset_ms,
		                                 &host->processes);
		result = found < 0 ? found : 0;
	}
	reader_give_back(readers, reader);
	return result;
}

int read_hosts(struct readers *readers, int64_t from_ms, struct store_hosts *ret_hosts)
{
	struct store_hosts hosts;
	uint32_t *numbers;
	int result = names_hosts(readers->names, from_ms, &hosts, &numbers);
	if (result)
		return result;
	result = count_processes(readers, numbers, &hosts);
	free(numbers);
	if (result)
		store_hosts_free(&hosts);
	else
		*ret_hosts = hosts;
	return database_finish(readers->database, DATABASE_READING, result);
}
