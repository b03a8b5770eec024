/*
 * How the dictionary of the SQLite store is read from its tables when it is opened, and when each host was last seen,
 * which the tables know to within a lag unless the store was closed well.
 */
#ifndef VIGIE_FCGI_SQLITE_LOADING_H
#define VIGIE_FCGI_SQLITE_LOADING_H

#include "fcgi/sqlite/database.h"
#include "fcgi/sqlite/dictionary.h"

/*
 * Fills an empty dictionary. `host_lag_ms`: by how much the table may be behind a host's newest sample; samples that
 * are later than `latest_ms` do not count. 0 or what database_result() gives: the dictionary is then to be freed.
 */
int loading_run(struct database *database, struct dictionary *dictionary, int64_t host_lag_ms, int64_t latest_ms)
	__attribute__((warn_unused_result));

#endif
