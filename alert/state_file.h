/*
 * The states on disk, so that a restart repeats no alarm and forgets no host.
 *
 * JSON, one object: {"format": "vigie-alert", "version": 3, "evaluated": …, "hosts": [...],
 * "series": [...], "missing": [...], "killed": [...], "lost": …, "unwritten": ["a line of the log", ...]}, times in seconds;
 * what is missing as series without a resource; the last four where there are any. Versions 1, which knew no AMBER, and 2,
 * which knew no lines, are read too. The file is replaced as a whole: written beside its place (".new"), synced, renamed,
 * and its folder synced. One program uses a file.
 */
#ifndef VIGIE_ALERT_STATE_FILE_H
#define VIGIE_ALERT_STATE_FILE_H

#include "alert/states.h"
#include "common/text.h"

/* The file's content. Pure; a failure is the text's. */
void state_file_format(const struct states *states, struct text *text);

/* Puts a file's content into `states`, which are empty. 0; -EBADMSG with a
 * sentence in `ret_error` for what is no state of ours, and -ENOMEM: some of it
 * may then have been put there. */
int state_file_parse(const char *content, size_t length, struct states *states, struct text *ret_error)
	__attribute__((warn_unused_result));

/*
 * Reads the file into new states. Returns 0, also when there is no file; -EBADMSG
 * when it is broken or another program's, with a sentence in `ret_error`: it has
 * then been moved aside to "<path>.broken" and the states are empty. Other
 * negative errnos: it could not be read or moved, there are no states.
 */
int state_file_read(const char *path, int64_t interval_ms, struct states **ret_states, struct text *ret_error)
	__attribute__((warn_unused_result));

/* 0 or a negative errno: the file is then as it was, or new but not synced. */
int state_file_write(const char *path, const struct states *states) __attribute__((warn_unused_result));

#endif
