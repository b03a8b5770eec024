/*
 * InfluxDB's line protocol, as all our HTTP engines read it:
 *
 *   cpu_usage_percent,ip=10.0.0.5,process=a\ b value=12.5 1795356878100
 *
 * docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol: in a tag's value
 * commas, equal signs and spaces have a backslash before them. On the backslash
 * itself InfluxDB and VictoriaMetrics disagree, so names are stored with '%' and '\'
 * percent-encoded (RFC 3986), and decoded when they are read. Pure.
 */
#ifndef VIGIE_FCGI_REMOTE_LINE_PROTOCOL_H
#define VIGIE_FCGI_REMOTE_LINE_PROTOCOL_H

#include "common/text.h"
#include "fcgi/sample.h"

enum { LINE_PROTOCOL_NAME_SIZE = 3 * WIRE_NAME_MAX + 1 }; /* of an encoded name */

/* Appends one line for each sample; times in milliseconds, values as floats. */
void line_protocol_append(struct text *text, const struct batch *batch);

/* A name as it is stored, and back. A stored name that is none of ours is kept as it is. */
void line_protocol_encode(const char *name, char ret_stored[static LINE_PROTOCOL_NAME_SIZE]);
void line_protocol_append_decoded(struct text *text, const char *stored);

#endif
