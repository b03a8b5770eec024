/*
 * The tables of the SQLite store: made where there are none, in one transaction, so that a file has all of them or
 * none, whenever its making ends.
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
	bool foreign;       /* another program's, or another version's: nothing was changed */
	bool made;          /* it had none of our samples' tables */
	bool in_use;        /* whoever used it last has not closed it */
	int64_t closed_key; /* the key of its newest row when it was closed, 0: it had none; negative: nobody knows */
};

/* Makes the tables that are missing, and notes that the file is in use. The result is SQLite's. */
int schema_open(struct sqlite3 *connection, struct schema_found *ret_found) __attribute__((warn_unused_result));

/* Within a transaction: notes that nobody uses the file any more, and its newest row. The result is SQLite's. */
int schema_close(struct sqlite3 *connection) __attribute__((warn_unused_result));

/* The same of a copy, of which nobody knows what its tables lag behind. */
int schema_close_copy(struct sqlite3 *connection) __attribute__((warn_unused_result));

#endif
