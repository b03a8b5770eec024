/*
 * The words that vigie's programs say to each other: process names, addresses,
 * resources, alarm colours, and the sentence of an answer that is an error.
 *
 * Pure and thread-safe.
 */
#ifndef VIGIE_COMMON_WIRE_H
#define VIGIE_COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/resource.h"

#define WIRE_PREFIX "/ressources-usage/"

/* As stored: the value of the measurement {mem,cpu}_alarm. */
enum color { COLOR_GREEN, COLOR_ORANGE, COLOR_RED, COLOR_UNKNOWN, COLOR_COUNT };

enum {
	WIRE_NAME_MAX = 255, /* bytes of a process name */
	WIRE_NAME_SIZE = WIRE_NAME_MAX + 1,
	WIRE_IP_SIZE = 46, /* bytes of an address as text with its NUL (INET6_ADDRSTRLEN) */
};

/* The highest number that the server takes, of values and of all that is said about them: sums and means stay
 * finite. The lowest is 0. */
#define WIRE_VALUE_MAX 1e12

/* The header of an answer to save-all that offers its other form: a body with `processes` in the place of `data`. */
#define WIRE_ACCEPT "Vigie-Accept"
#define WIRE_ACCEPT_PROCESSES "processes"

/* Beside it: how many of the resources (common/resource.h), in their order, a body may have. Who does not say it takes those
 * with limits. */
#define WIRE_RESOURCES "Vigie-Resources"

/* The services that the server tells to run or to stop, as each names itself in the header WIRE_SERVICE of its requests. In
 * WIRE_STATE a request has the state that the service is in, and the answer the one that it is to be in: WIRE_RUN or
 * WIRE_STOP; without it, WIRE_RUN. */
#define WIRE_SERVICE "X-Vigie-Service"
#define WIRE_STATE "X-Vigie-State"
#define WIRE_RUN "run"
#define WIRE_STOP "stop"
enum wire_service { WIRE_NOBODY, WIRE_COLLECTOR, WIRE_ALERT, WIRE_FORECAST, WIRE_SERVICES };

/* The process name that stands for all processes of a host, in alarms about the host. */
#define WIRE_HOST_ITSELF "*"

/* "mem", "cpu", …: `type_data` in bodies, `resource` in queries and answers. */
const char *wire_resource_name(enum resource resource);

/* False when `name` is no resource; the output is then untouched. */
bool wire_resource_parse(const char *name, enum resource *ret_resource);

/* The same of those with limits alone: what alarms, forecasts and rules may be about. */
bool wire_limited_parse(const char *name, enum resource *ret_resource);

/* "green", "orange", "red", "unknown". */
const char *wire_color_name(enum color color);

/* The worse, the higher: green, unknown, orange, red. */
int wire_color_severity(enum color color);
bool wire_color_parse(const char *name, enum color *ret_color);

/* "collector", "alert", "forecast". Not of WIRE_NOBODY. */
const char *wire_service_name(enum wire_service service);

/* WIRE_NOBODY when `name` is none of them. */
enum wire_service wire_service_parse(const char *name);

/* The offset of the first byte that is not part of valid UTF-8 (RFC 3629:
 * shortest form, no surrogates), or `length` when all of it is valid. */
size_t wire_utf8_check(const char *bytes, size_t length);

/*
 * Makes a process name of any bytes: each byte that is not part of valid UTF-8
 * and each control character becomes '?', an empty name "?", and what goes over
 * WIRE_NAME_MAX is cut between characters. Names that are clean stay as they are.
 */
void wire_clean_name(const char *bytes, size_t length, char ret_name[static WIRE_NAME_SIZE]);

/*
 * Reads an IPv4 or IPv6 address, and its form for paths in which hyphens stand
 * for dots or colons ("10-0-0-5", "2001-db8--1", "--ffff-10-0-0-5"), and writes its one canonical
 * form (inet_ntop), so that a host has one name however it was written. An IPv4 address that is
 * mapped to IPv6 ("::ffff:10.0.0.5") is that IPv4 address.
 * False when `text` is no address; the output is then untouched.
 */
bool wire_ip_parse(const char *text, char ret_ip[static WIRE_IP_SIZE]);

/* How earlier versions began the name of a host with such an address, which was then another host. */
#define WIRE_IP_MAPPED "::ffff:"

/* The server's sentence on why, of an answer that is an error: as clean as a name, for the log;
 * "" where the body holds none. `body` may be NULL where it has no bytes. */
void wire_read_error(const char *body, size_t length, char ret_sentence[static WIRE_NAME_SIZE]);

#endif
