/*
 * What the models have learnt, on disk and before the series are there that it is of.
 *
 * Text: "vigie-forecast 2 STEP_MS", "clock BOOT WALL_MS BOOT_MS" where the clock was read, then a line a
 * series, `AGE IP RESOURCE "PROCESS" LEARNT`, the process as a JSON string and the rest as forecaster_save() has
 * it, then "end COUNT": a file that is cut short is seen. Version 1, which had neither clock nor ages, is
 * read too. It is replaced as a whole (common/whole_file.h). One program uses a file.
 */
#ifndef VIGIE_FORECAST_STATE_FILE_H
#define VIGIE_FORECAST_STATE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/sure_clock.h"
#include "common/text.h"
#include "common/wire.h"

struct learnt; /* lines by series; NULL: none. One thread uses it. */

/* Keeps a copy of `line`, in the place of what is there of the same series. 0 or -ENOMEM. */
int learnt_put(struct learnt **learnt, const char *ip, const char *process, enum resource resource,
               const char *line) __attribute__((warn_unused_result));

/* Takes the line of a series, to be freed with free(); NULL: there is none. */
char *learnt_take(struct learnt **learnt, const char *ip, const char *process, enum resource resource);

void learnt_free(struct learnt **learnt);

/* All lines are one refresh older, in which nobody asked for them; those older than `longest` are dropped.
 * Returns how many those were. */
size_t learnt_age(struct learnt **learnt, int64_t longest);

/*
 * The content of a file: begin, add the clock's mark if there is one, add each series and all that is kept, end
 * with the count.
 * Pure; a failure is the text's.
 */
void state_file_begin(struct text *content, int64_t step_ms);
void state_file_add_mark(struct text *content, const struct sure_clock_mark *mark);
void state_file_add(struct text *content, const char *ip, const char *process, enum resource resource,
                    const char *line);
size_t state_file_add_learnt(struct text *content, const struct learnt *learnt);
void state_file_end(struct text *content, size_t count);

/*
 * Puts a file's content into *learnt, which is empty. 0; -EBADMSG with a sentence in
 * `ret_error` for what is no state of ours; -ESTALE with one when its steps have another length;
 * -ENOMEM. On failure nothing is put there.
 */
int state_file_parse(const struct text *content, int64_t step_ms, struct learnt **learnt, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Reads the file, and the mark of the clock in it, which stays as it is where there is none (`mark` may be
 * NULL). Errors of state_file_parse() and of whole_file_read(), but a file that is not there is none. */
int state_file_read(const char *path, int64_t step_ms, struct learnt **learnt, struct sure_clock_mark *mark,
                    struct text *ret_error)
	__attribute__((warn_unused_result));

#endif
