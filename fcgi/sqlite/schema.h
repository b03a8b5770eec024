/*
 * The tables of the SQLite store: made where there are none, in one transaction, so that a file has all of them or
 * none, whenever its making ends. A file of version 1, which had no sealed hours, is given what it lacks in the same way,
 * and what it has stays as it is.
 *
 * Of the thread that opens the database.
 */
#ifndef VIGIE_FCGI_SQLITE_SCHEMA_H
#define VIGIE_FCGI_SQLITE_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

struct sqlite3;

/* What a file was when it was opened. */
struct schema_found {
	bool foreign;       /* another program's, or of a newer version: nothing was changed */
	bool newer;         /* of those: the latter */
	bool older;         /* an older version's, and now of this one */
	bool made;          /* it had none of our samples' tables */
	bool in_use;        /* whoever used it last has not closed it */
	int64_t closed_key; /* the key of its newest row when it was closed, 0: it had none; negative: nobody knows */
};

/* Makes the tables that are missing, and notes that the file is in use. The result is SQLite's. */
int schema_open(struct sqlite3 *connection, struct schema_found *ret_found) __attribute__((warn_unused_result));

/* Within a transaction: notes that nobody uses the file any more, and its newest row. The result is SQLite's. */
int schema_close(struct sqlite3 *connection) __attribute__((warn_unused_result));

/* The same of a copy, of which nobody knows what its tables lag behind. It stays of the version that it is. */
int schema_close_copy(struct sqlite3 *connection) __attribute__((warn_unused_result));

#endif
