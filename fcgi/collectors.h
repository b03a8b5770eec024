/*
 * What the collectors last said of themselves, a host each. It is not in the store, since
 * every PUT says it again; a host that says nothing for the whole retention is dropped.
 *
 * Any thread may call. One lock, within which no other is taken.
 */
#ifndef VIGIE_FCGI_COLLECTORS_H
#define VIGIE_FCGI_COLLECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"
#include "fcgi/collector_report.h"

enum {
	COLLECTORS_MAX = 100000,      /* hosts; what further ones say is not kept */
	COLLECTORS_SHOWN_MAX = 10000, /* hosts in metrics: those that are known longest, so that they stay the same */
	COLLECTORS_SHARERS = 4,       /* hostnames of one address that are kept */
	COLLECTORS_HOSTNAME_SIZE = 65, /* HOST_NAME_MAX and a NUL */
	COLLECTORS_SHARED_MS = 600000, /* how long hosts count as sharing an address after they were heard in turns; at
	                                * least three of their intervals */
	COLLECTORS_TELL_MS = 3600000,
};

struct collectors;

/* What a host's collector last said of whether it runs. */
struct collectors_sight {
	char ip[WIRE_IP_SIZE];
	char hostname[COLLECTORS_HOSTNAME_SIZE];
	int64_t received_ms;
	int64_t interval_ms; /* 0: not known */
	bool obeys, stopped; /* as in struct collector_report */
};

/* NULL: out of memory. */
struct collectors *collectors_open(void);

/* No other call may be under way. Accepts NULL. */
void collectors_close(struct collectors *collectors);

/*
 * Keeps a host's report in the place of its last one. Without memory for it, it is not
 * kept. Now and then those from before `oldest_ms` are dropped. True: hosts are found now to share this address, which
 * they did not before.
 *
 * A host that is renamed has another hostname from then on. Two hosts whose connections show one address (NAT, a
 * tunnel, equal networks of containers) are heard in turns: a hostname comes back after another one.
 */
bool collectors_keep(struct collectors *collectors, const char *ip, const struct collector_report *report, int64_t now_ms,
                     int64_t oldest_ms);

/* Whether a host has been heard of, and not been dropped. */
bool collectors_know(struct collectors *collectors, const char *ip);

/* The same, without those of which the store alone has told: whether it has reported since the start. */
bool collectors_have_heard(struct collectors *collectors, const char *ip);

/* Those that have reported since `oldest_ms`, all or only those that are stopped, by address, ret_sights[ret_count], to be
 * freed with free(). 0 or -ENOMEM. */
int collectors_list(struct collectors *collectors, int64_t oldest_ms, bool stopped, struct collectors_sight **ret_sights,
                    size_t *ret_count) __attribute__((warn_unused_result));

/* The hostnames that share an address, of the last COLLECTORS_SHARED_MS. How many there are: 0 where it is one host's,
 * and at most COLLECTORS_SHARERS. */
size_t collectors_find_sharers(struct collectors *collectors, const char *ip, int64_t now_ms,
                               char ret_hostnames[static COLLECTORS_SHARERS][COLLECTORS_HOSTNAME_SIZE]);

/* The first ret_ips[max] addresses that are shared. How many there are of all. */
size_t collectors_list_shared(struct collectors *collectors, int64_t now_ms, char ret_ips[][WIRE_IP_SIZE], size_t max);

/* Notes the interval that a host which has not reported since the start had at `heard_ms`. */
void collectors_learn_interval(struct collectors *collectors, const char *ip, int64_t interval_ms, int64_t heard_ms);

/* The interval of a host's samples, 0: not known. */
int64_t collectors_find_interval(struct collectors *collectors, const char *ip);

/* The hosts whose interval is longer than `interval_ms`: the first ret_ips[max], how many there are of all, and the
 * longest interval of all. */
size_t collectors_list_slower(struct collectors *collectors, int64_t interval_ms, char ret_ips[][WIRE_IP_SIZE], size_t max,
                              int64_t *ret_longest_ms);

/* Whether the store is to be told a host's interval again, for the next start: it differs from the usual one or from
 * what the store was told, and that was COLLECTORS_TELL_MS ago. It counts as told then. */
bool collectors_tell_interval(struct collectors *collectors, const char *ip, int64_t usual_ms, int64_t now_ms);

/* A host's report since `oldest_ms`; where there is none, one that says nothing. */
struct collector_report collectors_find(struct collectors *collectors, const char *ip, int64_t oldest_ms);

/* Appends those since `oldest_ms` as Prometheus text (fcgi/exposition.h). */
void collectors_append_metrics(struct collectors *collectors, int64_t oldest_ms, struct text *text);

#endif
