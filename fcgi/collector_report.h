/*
 * What a collector says of itself: the object `collector` of a body. Pure.
 */
#ifndef VIGIE_FCGI_COLLECTOR_REPORT_H
#define VIGIE_FCGI_COLLECTOR_REPORT_H

#include <stdbool.h>

struct cJSON;

/* Counted since its start: samples, by what became of them, intervals, and threads that ended. */
enum collector_report_counter {
	COLLECTOR_SENT,
	COLLECTOR_SPOOLED,
	COLLECTOR_REPLAYED,
	COLLECTOR_DROPPED,
	COLLECTOR_REJECTED,
	COLLECTOR_MISSED_TICKS,
	COLLECTOR_LOST_EXITS,
	COLLECTOR_COUNTERS
};

struct collector_report {
	/* "" where it does not say. */
	char hostname[256];
	char version[64];
	char state[16];
	char ended_cpu[16]; /* where the CPU of ended processes comes from */
	bool obeys;   /* it asks whether it is to run (WIRE_SERVICE), and … */
	bool stopped; /* … says that it is stopped */
	double clock_offset_s;
	bool clock_offset_known;
	double interval_s; /* between its samples; 0: not said */
	int partial; /* 1, 0, or -1: not said */
	double counters[COLLECTOR_COUNTERS]; /* -1: not said */
};

/* Of a collector that has said nothing. */
struct collector_report collector_report_empty(void);

/* Members that it does not have, or of another type, are not said; other members are
 * nobody's business. */
struct collector_report collector_report_read(const struct cJSON *object);

/* A counter's name on the wire. */
const char *collector_report_counter_name(enum collector_report_counter counter);

#endif
