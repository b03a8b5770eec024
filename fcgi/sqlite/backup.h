/*
 * A whole copy of a database in one file, also while another process uses it: its log is as much a part of it as the
 * file is, so that no copying of files gives one.
 */
#ifndef VIGIE_FCGI_SQLITE_BACKUP_H
#define VIGIE_FCGI_SQLITE_BACKUP_H

#include "common/text.h"

/*
 * Copies the database at `path` to a file that must not be there yet, by way of "<target>.new": it is there whole, and
 * synced, or not at all, with the database's mode. It has all that was acknowledged before the call. 0, or a negative
 * errno with a sentence in `ret_error`.
 */
int backup_write(const char *path, const char *target, struct text *ret_error) __attribute__((warn_unused_result));

#endif
