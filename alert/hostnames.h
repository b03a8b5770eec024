/*
 * What hosts are called, by their addresses, of the answer to GET hosts:
 *
 *   {"10.0.0.5": {"hostname": "db1", …}, "10.0.0.6": {"hostname": null, …}}
 *
 * Pure. The caller owns the struct and frees it with hostnames_free(); { 0 } knows none.
 */
#ifndef VIGIE_ALERT_HOSTNAMES_H
#define VIGIE_ALERT_HOSTNAMES_H

#include <stddef.h>

#include "common/text.h"
#include "common/wire.h"

struct hostnames {
	struct hostname *table;
};

/* Reads an answer; a host that has no name, or one of another shape, is left out. Returns 0; -EBADMSG with a sentence
 * when it is no JSON object; -ENOMEM. */
int hostnames_parse(const char *body, size_t length, struct hostnames *ret_names, struct text *ret_error)
	__attribute__((warn_unused_result));

/* The name of a host, without control characters; "": it is not known. Borrowed until hostnames_free(). */
const char *hostnames_find(const struct hostnames *names, const char *ip);

void hostnames_free(struct hostnames *names);

#endif
