/*
 * The silences (common/silence.h) that administrators have set, each with an end.
 *
 * They are held here, and kept in the store (fcgi/keeper.h), which keeps numbers: one's end in seconds since 1970 by a name
 * that has its texts, percent-encoded and with a blank between them,
 *
 *   8f3a12bc4d5e6f70 java 10.0.0.* mem anna deploy%20of%20java
 *
 * so that all of them together have a place in the 255 bytes of a name, or are refused. What has been ended before its time
 * has the end 0. What has ended is not written again, and the store forgets it with the retention.
 *
 * Any thread may call. One lock, within which no other is taken.
 */
#ifndef VIGIE_FCGI_SILENCES_H
#define VIGIE_FCGI_SILENCES_H

#include "common/silence.h"
#include "fcgi/keeper.h"

enum { SILENCES_MAX = 1000 }; /* that have not ended */

struct silences;

/* NULL: out of memory. */
struct silences *silences_open(void);

/* No other call may be under way. Accepts NULL. */
void silences_close(struct silences *silences);

/* The silences as a table that is kept. */
struct keeper_table silences_table(struct silences *silences);

/* Gives a silence its id, which is of its texts: the same ones again are the same silence, with another end. Pure. */
void silences_identify(struct silence *silence);

/* A silence as it is kept: 0; or how many bytes too long its texts are, encoded. Pure. */
size_t silences_keep(const struct silence *silence, struct kept *ret_kept);

/* The silence that is kept; false: it is none. Pure. */
bool silences_read(const struct kept *kept, struct silence *ret_silence);

/* Those that have not ended at `now_ms`, ret_silences[ret_count], the next to end first, to be freed with free(). 0 or
 * -ENOMEM. */
int silences_list(struct silences *silences, int64_t now_ms, struct silence **ret_silences, size_t *ret_count)
	__attribute__((warn_unused_result));

/* How many have not ended. */
size_t silences_count(struct silences *silences, int64_t now_ms);

/* The one that has this id and has not ended, as it is kept; false: there is none. */
bool silences_find(struct silences *silences, const char *id, int64_t now_ms, struct kept *ret_kept);

#endif
