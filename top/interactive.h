/*
 * The table on a terminal, until its user ends it.
 */
#ifndef VIGIE_TOP_INTERACTIVE_H
#define VIGIE_TOP_INTERACTIVE_H

#include "top/feed.h"
#include "top/session.h"

/* Shows what the feed brings from `server`, a URL, as the session has it. False: the terminal cannot be drawn on. */
bool interactive_run(struct feed *feed, const char *server, struct session *session) __attribute__((warn_unused_result));

#endif
