#include "fcgi/sqlite/timekeeper.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/sure_clock.h"
#include "fcgi/store.h"

enum { MARK_MS = 60 * 1000 }; /* how often the mark is kept */

struct timekeeper {
	struct database *database;
	struct sure_clock clock;
	sqlite3_stmt *put;
	bool marked;
	int64_t marked_ms; /* when it was last kept, on the clock that is never set */
};

/* What was kept. Without it nothing is known of the time: none has certainly come until the clock has gone on for a while. */
static int find_mark(sqlite3_stmt *find, struct sure_clock_mark *ret_mark)
{
	int code = sqlite3_step(find);
	if (code == SQLITE_ROW)
		*ret_mark = (struct sure_clock_mark){
			.boot = (uint64_t)sqlite3_column_int64(find, 0),
			.moment = { .boot_ms = sqlite3_column_int64(find, 1), .wall_ms = sqlite3_column_int64(find, 2) },
		};
	return code;
}

int timekeeper_open(struct database *database, struct moment now, struct timekeeper **ret_timekeeper)
{
	struct timekeeper *timekeeper = calloc(1, sizeof(*timekeeper));
	if (!timekeeper)
		return -ENOMEM;
	timekeeper->database = database;
	sqlite3_stmt *find = NULL;
	const struct database_statement statements[] = {
		{ &find, "SELECT coalesce((SELECT value FROM state WHERE name = 'clock_boot'), 0),"
		         " coalesce((SELECT value FROM state WHERE name = 'clock_boot_ms'), 0),"
		         " coalesce((SELECT value FROM state WHERE name = 'clock_wall_ms'), 0)" },
		{ &timekeeper->put, "INSERT OR REPLACE INTO state (name, value) "
		                    "VALUES ('clock_boot', ?1), ('clock_boot_ms', ?2), ('clock_wall_ms', ?3)" },
	};
	struct sure_clock_mark mark = { 0 };
	int result = database_prepare(database, database->appending, statements, sizeof(statements) / sizeof(statements[0]));
	if (result == 0)
		result = database_result(database, find_mark(find, &mark), database->appending, "open");
	sqlite3_finalize(find);
	if (result) {
		timekeeper_close(timekeeper);
		return result;
	}
	sure_clock_open(&timekeeper->clock, &mark, clock_boot(), now);
	*ret_timekeeper = timekeeper;
	return 0;
}

void timekeeper_close(struct timekeeper *timekeeper)
{
	free(timekeeper);
}

static void tell(const struct timekeeper *timekeeper, enum sure_clock_news news, int64_t ahead_ms)
{
	const char *path = timekeeper->database->path;
	long long seconds = ahead_ms / 1000;
	switch (news) {
	case SURE_CLOCK_SAME:
		break;
	case SURE_CLOCK_JUMPED:
		log_warning("store %s: the clock has jumped by %+lld s; nothing is deleted by it until it has gone on from there "
		            "for %d minutes", path, seconds, SURE_CLOCK_WAIT_MS / 60000);
		break;
	case SURE_CLOCK_BACK:
		log_info("store %s: the clock has jumped back: it agrees with what it was", path);
		break;
	case SURE_CLOCK_ADOPTED:
		log_warning("store %s: the clock has jumped by %+lld s, and is believed from now on", path, seconds);
		break;
	}
}

struct certain_time timekeeper_read(struct timekeeper *timekeeper, struct moment now)
{
	enum sure_clock_news news;
	int64_t before_ms = now.boot_ms + timekeeper->clock.ahead_ms;
	int64_t believed_ms = sure_clock_read(&timekeeper->clock, now, &news);
	tell(timekeeper, news, now.wall_ms - before_ms);
	return (struct certain_time){
		.reached_ms = sure_clock_reached(&timekeeper->clock, now),
		.latest_ms = believed_ms + STORE_AHEAD_MS,
	};
}

int timekeeper_write(struct timekeeper *timekeeper, struct moment now)
{
	if (timekeeper->marked && now.boot_ms - timekeeper->marked_ms < MARK_MS)
		return 0;
	struct sure_clock_mark mark = sure_clock_mark(&timekeeper->clock, now);
	timekeeper->marked = true;
	timekeeper->marked_ms = now.boot_ms;
	sqlite3_bind_int64(timekeeper->put, 1, (int64_t)mark.boot);
	sqlite3_bind_int64(timekeeper->put, 2, mark.moment.boot_ms);
	sqlite3_bind_int64(timekeeper->put, 3, mark.moment.wall_ms);
	return database_result(timekeeper->database, database_run(timekeeper->put), timekeeper->database->appending,
	                       "keep the time");
}

void timekeeper_rolled_back(struct timekeeper *timekeeper)
{
	timekeeper->marked = false;
}
