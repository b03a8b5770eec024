/*
 * The processes of all hosts as the server's answers have them at one moment: a row each, with what is used, what is
 * expected and in what alarm it is.
 *
 * The caller takes the answers one by one, that of latest first, and owns the fleet. Pure; one thread uses a fleet.
 */
#ifndef VIGIE_TOP_FLEET_H
#define VIGIE_TOP_FLEET_H

#include <stdbool.h>
#include <stddef.h>

#include "common/text.h"
#include "common/wire.h"

struct fleet_row {
	char ip[WIRE_IP_SIZE];
	char host[WIRE_NAME_SIZE];    /* its hostname; its address where that is not known */
	char process[WIRE_NAME_SIZE]; /* WIRE_HOST_ITSELF: the host as a whole */
	bool present[RESOURCE_LIMITED];
	double value[RESOURCE_LIMITED]; /* percent, of its newest sample */
	bool foreseen;
	double probability;     /* 0 to 1, of going over its limit; the higher of its resources' */
	enum color color;       /* the worst of its alarms, of two as bad the one that is not silenced */
	enum resource resource; /* of that alarm; meaningless where it is green, or of none */
	bool missing;           /* it is that a process that must run does not */
	bool silenced;          /* it calls nobody for the time being */
};

struct fleet;

/* NULL: out of memory. */
struct fleet *fleet_open(void);
void fleet_close(struct fleet *fleet);

/* Each takes the answer to one GET. 0; -EBADMSG with a sentence; -ENOMEM. What is not of its shape is left out. */
int fleet_take_latest(struct fleet *fleet, const struct text *body, struct text *ret_error)
	__attribute__((warn_unused_result));
int fleet_take_forecasts(struct fleet *fleet, const struct text *body, struct text *ret_error)
	__attribute__((warn_unused_result));
int fleet_take_alarms(struct fleet *fleet, const struct text *body, struct text *ret_error)
	__attribute__((warn_unused_result));
int fleet_take_hosts(struct fleet *fleet, const struct text *body, struct text *ret_error)
	__attribute__((warn_unused_result));

struct fleet_counts {
	size_t hosts, processes;
	size_t colors[COLOR_COUNT]; /* of rows */
	size_t silenced;            /* of those in an alarm */
};
struct fleet_counts fleet_count(const struct fleet *fleet);

enum fleet_order { FLEET_BY_CPU, FLEET_BY_MEM, FLEET_BY_PROBABILITY, FLEET_BY_ALARM };

/* What is shown, and how. */
struct fleet_choice {
	/* The highest first, what is not known last; by alarm the worst that are not silenced, then those that are. Equals by
	 * process and host. */
	enum fleet_order order;
	const char *process; /* a part of the process's name, and … */
	const char *host;    /* … of the host's or of its address, whatever the case of ASCII letters; "": all */
};

/* Gives rows[count], chosen and ordered, borrowed until the fleet is closed or asked again. 0 or -ENOMEM. */
int fleet_list(struct fleet *fleet, const struct fleet_choice *choice, const struct fleet_row *const **ret_rows,
               size_t *ret_count) __attribute__((warn_unused_result));

#endif
