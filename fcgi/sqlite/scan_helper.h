/*
 * A second thread for a scan of very many rows: one thread gets them, and what is sealed, from SQLite, and what takes
 * longer, to read what is packed in them, is done by two.
 *
 * The scan adds copies, and goes on; the helper reads them batch by batch, into a state of its own. When it is far behind,
 * and at the end, the scan reads batches itself. So nobody waits, but for a batch that the helper has begun with.
 *
 * All functions are of the thread that scans.
 */
#ifndef VIGIE_FCGI_SQLITE_SCAN_HELPER_H
#define VIGIE_FCGI_SQLITE_SCAN_HELPER_H

#include <stddef.h>
#include <stdint.h>

struct scan;
struct scan_helper;

/* `scan` is borrowed until scan_helper_close(), as is the sink's second state, which is the helper's. NULL: there is no
 * core for one, or no room. */
struct scan_helper *scan_helper_open(struct scan *scan);

/* A row, and the summaries of a sealed hour that is whole in the window and has nothing over it. */
enum scan_item { SCAN_ROW, SCAN_HOUR };

/* Adds a copy of one. 0, or as scan_read_row() and scan_read_hour(), also of what came before. */
int scan_helper_add(struct scan_helper *helper, enum scan_item item, int64_t key, const void *data, size_t length)
	__attribute__((warn_unused_result));

/* Reads what was added, and ends the helper. Accepts NULL. As scan_helper_add(). */
int scan_helper_close(struct scan_helper *helper) __attribute__((warn_unused_result));

#endif
