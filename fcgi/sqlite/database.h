/*
 * The file of the SQLite store: one process's alone, its schema, the connections to it,
 * and what the log says when it fails.
 *
 * The samples of one host in ten seconds are one row of the table `sample`, packed (see
 * packing.h), whose key is (metric, ten seconds, host) as one integer (see placement.h):
 *   - what comes in is appended at the end of the tree, in full pages;
 *   - a window over all hosts is one range of keys, a window of one host a key
 *     every ten seconds, and what is too old is the beginning of the tree;
 *   - samples that meet in one row (two PUTs for one tick, a repeated PUT) are
 *     merged there, the later one counts.
 * An hour of a host that is past is a block in `hour` in the place of these rows (see seal.h).
 * Hosts and series have numbers; the tables `host` and `series` say which (see names.h).
 * What else is kept over a restart is a number each in the table `state`: the clock (see
 * timekeeper.h), and `closed` while nobody uses the file.
 *
 * All that is acknowledged may be in the log alone, FILE-wal: whoever copies FILE without it, or removes it, has
 * lost that. A file that is in use and comes without its log is told by its lack of `closed`.
 *
 * A connection is used by one thread at a time, with the functions of SQLite itself, whose
 * results come here. The one for appending is opened with the database; readers open theirs.
 */
#ifndef VIGIE_FCGI_SQLITE_DATABASE_H
#define VIGIE_FCGI_SQLITE_DATABASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fcgi/sqlite/damage.h"

struct sqlite3;
struct sqlite3_stmt;

enum database_use { DATABASE_APPENDING, DATABASE_READING, DATABASE_USES };

struct database {
	char *path;
	struct sqlite3 *appending; /* of the one thread that appends */
	int64_t closed_key; /* schema_found.closed_key */
	struct damage damage; /* of sealed hours */
	/* of database.c: */
	struct sqlite3_stmt *size; /* of the file, with what the transaction adds */
	int lock_fd;
	struct stat file, log; /* those that are open, for when others take their places; st_ino is 0 before */
	atomic_bool failing[DATABASE_USES];    /* the last append or read failed */
	atomic_bool said[DATABASE_USES];       /* … and so it is said in the log, until none has failed for a while */
	atomic_llong failed_ns[DATABASE_USES]; /* when the last one did that failed, on the monotonic clock */
};

/* Finds one row of `sample`, for database_find_newest(). */
#define DATABASE_FIND "SELECT key, data FROM sample WHERE key = ?1"

/*
 * Makes the database where there is none. A process that uses it is waited for, some
 * seconds: a new version takes over. 0; -EBUSY (in use); -EINVAL (another's, or its file
 * system cannot have a write-ahead log); -ENAMETOOLONG; what database_result() gives; or
 * why its lock file cannot be made. But for -ENOMEM the log says it.
 */
int database_open(const char *path, struct database **ret_database) __attribute__((warn_unused_result));

/* Closes the appending connection, its statements with it. Accepts NULL. */
void database_close(struct database *database);

/* A connection for a reader; ended with database_disconnect(), which finalizes its
 * statements and accepts NULL. */
int database_connect(struct database *database, struct sqlite3 **ret_connection) __attribute__((warn_unused_result));
void database_disconnect(struct sqlite3 *connection);

struct database_statement {
	struct sqlite3_stmt **place;
	const char *sql;
};

/* Prepares statements[count], to be kept as long as the connection. */
int database_prepare(struct database *database, struct sqlite3 *connection,
                     const struct database_statement statements[], size_t count) __attribute__((warn_unused_result));

/* Runs a statement that gives no rows; the result is SQLite's. */
int database_run(struct sqlite3_stmt *statement);

/*
 * Within a transaction: takes the space now that the file will need when the log is brought to it, so that this does
 * not fail later: a log that cannot be emptied on a full disk could neither take what deletes something.
 */
int database_reserve(struct database *database) __attribute__((warn_unused_result));

/* Brings what the log has to the file, as far as readers allow it: the log may then begin again. */
void database_checkpoint(struct database *database);

/* The same, and makes the log an empty file. False where that is for later: somebody reads from the log, or writes. */
bool database_cut_log(struct sqlite3 *connection) __attribute__((warn_unused_result));

/* The newest time in the row of a key, from the row's start, and how many entries have it. `find`: a DATABASE_FIND.
 * 1; 0: there is no such row; or what database_result() gives. */
int database_find_newest(struct database *database, struct sqlite3_stmt *find, int64_t key, uint32_t *ret_offset_ms,
                         size_t *ret_entries) __attribute__((warn_unused_result));

/* What SQLite says of a connection's last failure, and the system beside it where a file is why: "unable to open database
 * file: Too many open files". */
enum { DATABASE_REASON_SIZE = 512 };
void database_reason(struct sqlite3 *connection, char ret_words[static DATABASE_REASON_SIZE]);

/* The errno of a SQLite result: 0, -ENOMEM, -ENOSPC or -EIO. The log says what failed. */
int database_result(struct database *database, int code, struct sqlite3 *connection, const char *operation)
	__attribute__((warn_unused_result));

/* The same for what we find damaged where SQLite is content: says which part. -EIO. */
int database_damaged(struct database *database, enum database_use use, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Says in the log what is wrong, unless that was said of its kind and has not been over for ten seconds since: on a full disk
 * every other append may find room. */
void database_fail(struct database *database, enum database_use use, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A whole append or read has ended; returns its result. */
int database_finish(struct database *database, enum database_use use, int result);

/* Whether the file and the log that are open are still those of that name: what is written to a file that was
 * removed is gone with it. Otherwise the log says so. */
bool database_is_in_place(struct database *database, enum database_use use);

/* Whether appends and reads work: 0 or -EIO. */
int database_health(const struct database *database);

#endif
