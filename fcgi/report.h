/*
 * What a collector says of itself: the object `collector` of a body. Pure.
 */
#ifndef VIGIE_FCGI_REPORT_H
#define VIGIE_FCGI_REPORT_H

#include <stdbool.h>

struct cJSON;

/* Counted since its start: samples, by what became of them, and intervals. */
enum report_counter {
	REPORT_SENT,
	REPORT_SPOOLED,
	REPORT_REPLAYED,
	REPORT_DROPPED,
	REPORT_REJECTED,
	REPORT_MISSED_TICKS,
	REPORT_COUNTERS
};

struct report {
	/* "" where it does not say. */
	char hostname[256];
	char version[64];
	char state[16];
	double clock_offset_s;
	bool clock_offset_known;
	int partial; /* 1, 0, or -1: not said */
	double counters[REPORT_COUNTERS]; /* -1: not said */
};

/* Of a collector that has said nothing. */
struct report report_empty(void);

/* Members that it does not have, or of another type, are not said; other members are
 * nobody's business. */
struct report report_read(const struct cJSON *object);

/* A counter's name on the wire. */
const char *report_counter_name(enum report_counter counter);

#endif
