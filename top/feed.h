/*
 * Brings the fleet from the server, again and again, in a thread of its own, so that keys are answered while a server is not.
 *
 * The caller's thread uses a feed; the server's answers are read in the other, and handed over whole.
 */
#ifndef VIGIE_TOP_FEED_H
#define VIGIE_TOP_FEED_H

#include <stdint.h>

#include "common/client.h"
#include "common/text.h"
#include "top/fleet.h"

/* Asks once. 0 with a fleet to be closed by the caller; or an error of client_get(), -EBADMSG or -ENOMEM, with a sentence. */
int feed_ask(struct client *client, struct fleet **ret_fleet, struct text *ret_error) __attribute__((warn_unused_result));

struct feed;

/* Asks at once, and then `interval_ms` after each answer. `client` is the feed's until that is closed. 0 or a negative
 * errno. */
int feed_open(struct client *client, int64_t interval_ms, struct feed **ret_feed) __attribute__((warn_unused_result));

/* Ends within a second or so, whatever the server does. Accepts NULL. */
void feed_close(struct feed *feed);

/* Readable when there is something to be taken. */
int feed_fd(const struct feed *feed);

/* Takes what the last round has brought: a fleet, the caller's then; or NULL where it failed, with a sentence in
 * `ret_error`, which is emptied before. */
struct fleet *feed_take(struct feed *feed, struct text *ret_error);

#endif
