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
 * Pure but for memory; thread-safe.
 */
#ifndef VIGIE_COMMON_URL_H
#define VIGIE_COMMON_URL_H

#include "common/text.h"

/* 0, or -EINVAL with a sentence that begins with `name`, the option's as the program's other sentences have it:
 * "[alert] url", or in vigie-fcgi "influxdb2.url". */
int url_check(const char *name, const char *url, struct text *ret_error) __attribute__((warn_unused_result));

#endif
