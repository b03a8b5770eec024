/*
 * What this server is called. A page of another site can have its own name mean our address (DNS
 * rebinding), and a browser then lets it read and write here as if it were ours: so a request
 * whose Host is no name of this server is not answered.
 *
 * An address is no name that could be made to mean something else: any is known. So are
 * localhost, the machine's hostname, short and full, and the globs of [server] hosts.
 *
 * Read-only once opened: any thread may ask.
 */
#ifndef VIGIE_FCGI_HOSTS_H
#define VIGIE_FCGI_HOSTS_H

#include <stdbool.h>

#include "common/config.h"

struct hosts;

/* Asks the resolver for the machine's full name. `globs` is copied. NULL: out of memory. */
struct hosts *hosts_open(const struct config_list *globs) __attribute__((warn_unused_result));
void hosts_close(struct hosts *hosts);

/* Whether the value of a Host header names this server, with or without a port; "" does: a
 * browser sends one always, and without it nothing is claimed. */
bool hosts_know(const struct hosts *hosts, const char *header) __attribute__((warn_unused_result));

#endif
