/*
 * Which InfluxDB it is: a version 3 takes the writes of versions 1 and 2, and gives back less, or nothing.
 */
#ifndef VIGIE_FCGI_REMOTE_INFLUXDB_VERSION_H
#define VIGIE_FCGI_REMOTE_INFLUXDB_VERSION_H

#include "fcgi/remote/remote.h"

enum { INFLUXDB_VERSION_SIZE = 32 };

/* Whether the engine at `url` says to GET /ping that it is InfluxDB 3 or newer, and which. (Seen on 3.6.0: the answer is
 * {"version": "3.6.0", …}; that of versions 1 and 2 has no body.) */
bool influxdb_is_3(struct remote *remote, const char *url, char ret_version[static INFLUXDB_VERSION_SIZE]);

#endif
