/*
 * Through which proxy a URL is asked, as the options `proxy` of the clients say.
 *
 * - A server on loopback (url_is_loopback()) is asked through none, whatever is said.
 * - "environment", or NULL: what the environment has, as libcurl and curl(1) take it:
 *   http_proxy, https_proxy or HTTPS_PROXY, then all_proxy or ALL_PROXY, unless no_proxy or NO_PROXY names the host.
 *   libcurl does not tell before 8.7 whether it has used one, and the log is to say it.
 * - "none".
 * - The URL of a proxy, whatever no_proxy says.
 *
 * Pure but for memory and the environment; thread-safe while that does not change.
 */
#ifndef VIGIE_COMMON_PROXY_H
#define VIGIE_COMMON_PROXY_H

#include "common/text.h"

/* 0, or -EINVAL with a sentence that begins with `name`, the option's, and does not quote the value, which may
 * hold a password. */
int proxy_check(const char *name, const char *setting, struct text *ret_error) __attribute__((warn_unused_result));

/* The proxy for a URL that url_check() takes: the setting itself or a variable's value, borrowed; "": none. */
const char *proxy_choose(const char *setting, const char *url);

/* Appends a proxy as it may stand in the log: without user and password. */
void proxy_append_masked(struct text *text, const char *proxy);

#endif
