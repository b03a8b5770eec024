/*
 * Identical reads share one answer: who asks for what is being made waits for it, and
 * for a moment a finished answer is given again.
 *
 * Identical is what has the same path and the same query exactly as sent, and wants the same
 * form; GET and HEAD share. Those who wait get the answer whatever its status; later ones get it only if
 * its status is 200 and it is at most 8 MiB. At most 1,000 answers and 32 MiB of bodies
 * are kept, the oldest go first. There is one body for all: it is lent, and freed when the
 * last has given it back.
 *
 * Any thread may call. One lock, within which no other is taken; it is not held while
 * an answer is made. Who leads keeps others waiting: what it needs itself (a
 * place of the gate) it has before it begins.
 */
#ifndef VIGIE_FCGI_SHARED_READS_H
#define VIGIE_FCGI_SHARED_READS_H

#include <stdbool.h>
#include <stdint.h>

#include "fcgi/request.h"

struct shared_reads;
struct shared_read; /* one that is being made or kept */

/* Keeps nothing until shared_reads_set_max_age(). NULL: out of memory. */
struct shared_reads *shared_reads_open(void);

/* No other call may be under way, and nothing be lent. Accepts NULL. */
void shared_reads_close(struct shared_reads *reads);

/* How old an answer may be that is given again, counted from when it was finished;
 * 0: none is. Those that are kept and older are dropped. */
void shared_reads_set_max_age(struct shared_reads *reads, int64_t max_age_ms);

/* Whether the response was filled with a kept answer, whose body is lent until
 * response_give_back(). Waits for nobody. */
bool shared_reads_find(struct shared_reads *reads, const struct request *request, struct response *response)
	__attribute__((warn_unused_result));

/*
 * True: the response was filled with a kept answer or, after a wait, with that of
 * another thread. False: the caller leads. It makes the answer and gives *ret_read to
 * shared_reads_end(). *ret_read is NULL for a read that is not shared, because there is
 * no memory for it or its path and query have over 1,000 bytes.
 */
bool shared_reads_begin(struct shared_reads *reads, const struct request *request, struct response *response,
                        struct shared_read **ret_read) __attribute__((warn_unused_result));

/* Hands the answer to those who wait, and keeps it: where somebody has it beside the
 * leader, its body and share are taken, and lent back. Takes `read`; accepts NULL. */
void shared_reads_end(struct shared_reads *reads, struct shared_read *read, struct response *response);

/* How many wait for another's answer. */
unsigned shared_reads_waiting(struct shared_reads *reads);

#endif
