/*
 * The embedded store: SQLite in WAL mode, each commit synced.
 *
 * The file is database.h's, which says what is in it; write.h appends and read.h reads, and
 * both ask names.h which host and series a number is; seal.h seals the hours that are past. What is in memory is the
 * truth: one process alone may use a database.
 *
 * One thread at a time appends, any read (of which each may have a helper, scan_helper.h), and one seals. Three locks: that
 * of the hours, which the two that write hold for as long as they do, and may take that of the names with it; and, neither
 * of which is held during SQL or while another is taken, that of the names and that of the list of readers' connections.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "fcgi/sqlite/backup.h"
#include "fcgi/sqlite/database.h"
#include "fcgi/sqlite/names.h"
#include "fcgi/sqlite/read.h"
#include "fcgi/sqlite/seal.h"
#include "fcgi/sqlite/timekeeper.h"
#include "fcgi/sqlite/write.h"
#include "fcgi/store.h"

struct store {
	int64_t retention_ms;
	struct database *database;
	struct timekeeper *timekeeper;
	struct names *names;
	struct hours hours;
	struct appender *appender;
	struct sealer *sealer;
	struct readers *readers;
};

static int sqlite_check_config(const struct config *config, struct text *ret_error)
{
	/* SQLite's own words for databases that are no files. */
	const char *path = config->sqlite.path;
	if (path[0] && path[0] != ':' && strncmp(path, "file:", 5) != 0)
		return 0;
	text_printf(ret_error, "sqlite.path: '%s' is no path of a file", path);
	return -EINVAL;
}

static void sqlite_close(struct store *store)
{
	if (!store)
		return;
	seal_close(store->sealer);
	readers_close(store->readers);
	if (store->appender)
		names_keep(store->names);
	write_close(store->appender);
	names_close(store->names);
	timekeeper_close(store->timekeeper);
	database_close(store->database);
	hours_destroy(&store->hours);
	free(store);
}

static int sqlite_open(const struct config *config, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->retention_ms = config->server.retention_ms;
	hours_init(&store->hours);
	const struct seal_settings settings = { .retention_ms = store->retention_ms, .detail_ms = config->sqlite.detail_ms };
	int result = database_open(config->sqlite.path, &store->database);
	struct moment now = clock_moment();
	if (result == 0)
		result = timekeeper_open(store->database, now, &store->timekeeper);
	if (result == 0)
		result = names_open(store->database, config, timekeeper_read(store->timekeeper, now).latest_ms, &store->names);
	if (result == 0)
		result = write_open(store->database, store->names, store->timekeeper, &store->hours, store->retention_ms,
		                    &store->appender);
	if (result == 0)
		result = seal_open(store->database, store->names, store->timekeeper, &store->hours, &settings, &store->sealer);
	if (result == 0) {
		store->readers = readers_open(store->database, store->names);
		result = store->readers ? 0 : -ENOMEM;
	}
	if (result == 0)
		result = seal_start(store->sealer);
	if (result)
		sqlite_close(store);
	else
		*ret_store = store;
	return result;
}

static int sqlite_backup(const struct config *config, const char *target, struct text *ret_error)
{
	return backup_write(config->sqlite.path, target, ret_error);
}

static int sqlite_append(struct store *store, const struct batch *const batches[], size_t count, struct moment now,
                         char ret_refusal[static STORE_REFUSAL_SIZE])
{
	(void)ret_refusal;
	return write_append(store->appender, batches, count, now);
}

static int sqlite_mean(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	return read_mean(store->readers, query, ret_rows);
}

static int sqlite_latest(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	return read_latest(store->readers, query, ret_rows);
}

static int sqlite_history(struct store *store, const struct query *query, struct store_history *ret_history)
{
	return read_history(store->readers, query, ret_history);
}

static int sqlite_hosts(struct store *store, int64_t from_ms, int64_t to_ms, struct store_hosts *ret_hosts)
{
	(void)to_ms; /* no host's newest sample is ahead */
	return read_hosts(store->readers, from_ms, ret_hosts);
}

static int64_t sqlite_retention(struct store *store)
{
	return store->retention_ms;
}

static int sqlite_health(struct store *store)
{
	return database_health(store->database);
}

static size_t sqlite_damaged(struct store *store, int64_t now_ms, struct store_damaged ret_damaged[static STORE_DAMAGED_MAX])
{
	return read_damaged(store->readers, now_ms - store->retention_ms, ret_damaged);
}

const struct store_ops store_sqlite = {
	.name = "sqlite",
	.appends = 1,
	.check_config = sqlite_check_config,
	.open = sqlite_open,
	.backup = sqlite_backup,
	.close = sqlite_close,
	.append = sqlite_append,
	.mean = sqlite_mean,
	.history = sqlite_history,
	.latest = sqlite_latest,
	.hosts = sqlite_hosts,
	.retention = sqlite_retention,
	.health = sqlite_health,
	.damaged = sqlite_damaged,
};
