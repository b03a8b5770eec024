/*
 * A second thread for a scan of very many rows: one thread gets them from SQLite, and what takes longer, to read what is
 * packed in them, is done by two.
 *
 * The scan adds copies of rows, and goes on; the helper reads them batch by batch, into a state of its own. When it is
 * far behind, and at the end, the scan reads batches itself. So nobody waits, but for a batch that the helper has begun
 * with.
 *
 * All functions are of the thread that scans.
 */
#ifndef VIGIE_FCGI_SQLITE_SCAN_HELPER_H
#define VIGIE_FCGI_SQLITE_SCAN_HELPER_H

#include <stddef.h>
#include <stdint.h>

struct scan;
struct scan_helper;

/* `scan` is borrowed until scan_helper_close(), as is sink->second, which is the helper's. NULL: there is no core for one,
 * or no memory. */
struct scan_helper *scan_helper_open(struct scan *scan);

/* Adds a copy of a row. 0, or as scan_read_row(), also of rows that came before. */
int scan_helper_add(struct scan_helper *helper, int64_t key, const void *data, size_t length)
	__attribute__((warn_unused_result));

/* Reads what was added, and ends the helper. Accepts NULL. As scan_helper_add(). */
int scan_helper_close(struct scan_helper *helper) __attribute__((warn_unused_result));

#endif
