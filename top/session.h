/*
 * What a user has chosen to see, and what each key makes of it.
 *
 *   c m p a the order: CPU, memory, probability, alarm  / h     type a part of a process's name, of a host's
 *   arrows, j k, Page Up and Down, Home, End, g G       Esc     everything again; ? the keys; q the end
 *
 * While something is typed it counts already; Enter leaves it, Esc takes it back. Pure; no memory.
 */
#ifndef VIGIE_TOP_SESSION_H
#define VIGIE_TOP_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "top/fleet.h"
#include "top/keys.h"

enum { SESSION_TYPED_SIZE = 128 };

struct session {
	enum fleet_order order;
	char process[SESSION_TYPED_SIZE], host[SESSION_TYPED_SIZE]; /* parts of names, UTF-8; "": all */
	enum session_mode { SESSION_LISTS, SESSION_TYPES_PROCESS, SESSION_TYPES_HOST, SESSION_HELPS } mode;
	size_t first; /* the row at the top */
	bool ended;
};

/* Takes a key: one of top/keys.h, or a byte of UTF-8. `rows` is how many there are, `page` how many are seen at once. */
void session_press(struct session *session, int key, size_t rows, size_t page);

/* Keeps `first` where there are rows. */
void session_bound(struct session *session, size_t rows, size_t page);

/* What is to be listed; borrowed from the session. */
struct fleet_choice session_choice(const struct session *session);

/* The lines of help, ended by NULL. */
extern const char *const session_help[];

#endif
