/*
 * Where in a time a host has its turn: the same for ever, and spread evenly over the
 * hosts of a fleet.
 */
#ifndef VIGIE_COLLECTOR_STAGGER_H
#define VIGIE_COLLECTOR_STAGGER_H

#include <stdint.h>

/* From 0 to `range_ms`, both included. Both names together tell a host: images of one disk
 * share a machine-id, and containers a hostname. Pure. */
int64_t stagger_ms(const char *machine_id, const char *hostname, int64_t range_ms);

/* The same for this host. */
int64_t stagger_own_ms(int64_t range_ms);

#endif
