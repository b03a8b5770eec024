/*
 * Which URLs the options may have: of the server, and of the engines behind it. libcurl makes
 * requests to them, with paths appended.
 *
 * - http or https, in any case, with both slashes: libcurl takes "http:/x" and "http:///x" for
 *   the host x.
 * - Printable ASCII alone: whether libcurl finds "é.org" depends on the locale, which is not the
 *   same in all programs. "xn--9ca.org" is that host in every one.
 * - No query and no fragment: what is appended would become a part of it.
 * - A host that libcurl takes, IPv6 in brackets; a port from 1 to 65535. ":" without a port
 *   is the scheme's own (RFC 3986, 3.2.3).
 * - "user@" and "user:password@" are taken, and stand in the log with the URL: a token or a
 *   password has a file elsewhere. A user that is empty is not: libcurl would send it.
 *
 * And which of them are on this machine. Pure but for memory; thread-safe.
 */
#ifndef VIGIE_COMMON_URL_H
#define VIGIE_COMMON_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/text.h"

/* 0, or -EINVAL with a sentence that begins with `name`, the option's as the program's other sentences have it:
 * "[alert] url", or in vigie-fcgi "influxdb2.url". */
int url_check(const char *name, const char *url, struct text *ret_error) __attribute__((warn_unused_result));

/* What is wrong with a URL behind its scheme of so many characters, as in "it has no host"; a constant. NULL: nothing. */
const char *url_fault(const char *url, size_t scheme);

/* Whether the URL's host is this machine by its word: url_host_is_loopback(). */
bool url_is_loopback(const char *url);

/* Whether a host is 127.0.0.0/8 or ::1, also as ::ffff:127.0.0.1, which addresses without a host (0.0.0.0 and ::) are
 * to the kernel; or localhost or a name below it, whatever they resolve to (RFC 6761, 6.3). IPv6 may stand in brackets. */
bool url_host_is_loopback(const char *host);

#endif
