/*
 * How long the writes of a store take, from those that have succeeded: how far apart the next ones are begun, and how long
 * what waits for them will.
 *
 * Pure. All of it in nanoseconds.
 */
#ifndef VIGIE_FCGI_WRITE_PACE_H
#define VIGIE_FCGI_WRITE_PACE_H

#include <stdint.h>

/* Zeroed: there was no write yet. */
struct write_pace {
	int64_t longest_ns; /* of the last ones; a sixteenth of what it is longer than the next one is forgotten with that */
	int64_t mean_ns;    /* where the next one counts for a quarter */
};

/* A write has succeeded. */
void write_pace_note(struct write_pace *pace, int64_t took_ns);

/* How far apart writes are begun, of which so many may be under way: spread over the time that one takes. */
int64_t write_pace_apart(const struct write_pace *pace, unsigned appends);

/* How long so many writes take. */
int64_t write_pace_of(const struct write_pace *pace, uint64_t writes, unsigned appends);

#endif
