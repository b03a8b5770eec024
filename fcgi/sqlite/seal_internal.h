/*
 * What the files of the sealer share: seal.c goes from step to step, seal_work.c finds what the next is, and seal_piece.c
 * seals a piece.
 */
#ifndef VIGIE_FCGI_SQLITE_SEAL_INTERNAL_H
#define VIGIE_FCGI_SQLITE_SEAL_INTERNAL_H

#include "fcgi/sqlite/block.h"
#include "fcgi/sqlite/seal.h"

enum {
	PIECE_HOSTS_MAX = 64,
	UNSEALABLE_KEPT = 32,
};

/* A host of the piece that is being sealed. */
struct sealed_host {
	uint32_t number;
	bool merged; /* its hour was sealed before */
	struct text samples, summaries;
};

struct sealer {
	struct database *database;
	struct names *names;
	struct timekeeper *timekeeper;
	struct hours *hours;
	struct seal_settings settings;

	struct sqlite3 *reading; /* the sealer's own; NULL until its first step */
	struct sqlite3_stmt *read_begin, *read_end, *first, *row, *sealed, *strippable, *free_pages, *data_version;
	struct sqlite3_stmt *begin, *commit, *rollback, *put_hour, *delete_rows, *strip, *give_back; /* appending */

	/* where it is: */
	enum seal_stage { STAGE_SEAL, STAGE_STRIP, STAGE_GIVE_BACK } stage;
	int64_t hour_ms, strip_key;
	int64_t strip_first_key; /* all hours before it have lost their samples: they need not be looked at again */
	uint32_t host;      /* the next of the hour to be looked at */
	uint32_t width;     /* hosts of a piece */
	unsigned given_back; /* steps of the stage */
	bool changed;        /* something was to be done since it began with the first hour */
	bool log_grown;      /* and since the log was cut */

	/* the piece: */
	struct block_builder *builder;
	struct sealed_host hosts[PIECE_HOSTS_MAX];
	size_t host_count;
	bool left[PIECE_HOSTS_MAX]; /* which of the piece's hosts stay as they are, from its first on */
	int64_t unsealable[UNSEALABLE_KEPT]; /* keys of hours that cannot be sealed: said, and not tried again */
	unsigned unsealable_count;

	struct seal_thread *thread; /* NULL: none was started */
};

/* When hours are judged. */
struct seal_time {
	int64_t past_ms;    /* hours that end here or before are past */
	int64_t oldest_ms;  /* what is older is deleted */
	int64_t detail_ms;  /* hours that end here or before keep their summaries alone */
	int64_t boot_ms;
};

/* The next of each stage's steps: 1: it is done; 0: there is none; or what database_result() gives. */
int seal_next(struct sealer *sealer, const struct seal_time *time) __attribute__((warn_unused_result));
int seal_strip_next(struct sealer *sealer, const struct seal_time *time) __attribute__((warn_unused_result));
/* Free pages, of which those at the end of the file cost little. */
int seal_give_back(struct sealer *sealer) __attribute__((warn_unused_result));

/* Makes the log an empty file, unless somebody uses it: what sealing makes of it is larger than what it needs from then on. */
void seal_cut_log(struct sealer *sealer);

/* Seals the piece. Hosts that have fewer than `least` rows stay as they are. It adapts sealer->width. 0; -EAGAIN: it was
 * written to meanwhile, and nothing has changed; or what database_result() gives. */
int seal_piece(struct sealer *sealer, const struct hours_piece *piece, int64_t least) __attribute__((warn_unused_result));

/* The lock, and a transaction with the appending connection. 0, with the lock, or what database_result() gives, without. */
int seal_begin(struct sealer *sealer) __attribute__((warn_unused_result));

/* Ends the transaction, which `result` is of so far, without a checkpoint. Returns the result; the lock is still held. */
int seal_commit(struct sealer *sealer, int result) __attribute__((warn_unused_result));

/* Gives the lock back, and makes the checkpoint. */
void seal_end(struct sealer *sealer);

#endif
