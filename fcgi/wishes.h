/*
 * Whether the services that ask are to run or to stop, as an administrator wishes: of the collectors, of all of them or of
 * one host's, and of the alert and the forecast service. The newest wish that is about a service counts; without one it is
 * to run.
 *
 * They are held here, so that whoever asks costs the store nothing, and kept in the store (fcgi/keeper.h): as 1, to run, or
 * 0, by the name of the service, and the host's address where it is one's: "collector 10.0.0.5". Of two of one time, which
 * are those that were written again, that of the host counts.
 *
 * Any thread may call. One lock, within which no other is taken.
 */
#ifndef VIGIE_FCGI_WISHES_H
#define VIGIE_FCGI_WISHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"
#include "fcgi/keeper.h"

enum { WISHES_MAX = 100000 }; /* hosts with a wish of their own */

struct wishes;

struct wish {
	char ip[WIRE_IP_SIZE]; /* of a collector's host; "": for all, and for the other services */
	enum wire_service service;
	bool stop;
	int64_t time_ms;
};

/* NULL: out of memory. */
struct wishes *wishes_open(void);

/* No other call may be under way. Accepts NULL. */
void wishes_close(struct wishes *wishes);

/* A wish as it is kept. */
struct kept wishes_kept(const struct wish *wish);

/* Reads what a wish is about from its name in the store; false where it is none. */
bool wishes_read_name(const char *name, struct wish *ret_wish);

/* The wishes as a table that is kept. */
struct keeper_table wishes_table(struct wishes *wishes);

/* Takes a wish, unless a newer one is there. 0, -ENOMEM or, of one host too many, -EDQUOT. */
int wishes_take(struct wishes *wishes, const struct wish *wish) __attribute__((warn_unused_result));

/* Whether a service is to stop; `ip` is a collector's host (others: any). */
bool wishes_stop(struct wishes *wishes, enum wire_service service, const char *ip);

/* The same, of a collector whose host is not known: whether any host's is to. */
bool wishes_stop_any(struct wishes *wishes, enum wire_service service);

/* Whether there is a wish for a host's collector alone. */
bool wishes_have(struct wishes *wishes, const char *ip);

/* All that count, in no order, ret_wishes[ret_count], to be freed with free(). 0 or -ENOMEM. */
int wishes_list(struct wishes *wishes, struct wish **ret_wishes, size_t *ret_count) __attribute__((warn_unused_result));

#endif
