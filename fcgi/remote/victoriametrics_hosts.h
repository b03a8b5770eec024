/*
 * Which hosts VictoriaMetrics has samples of. Nearly all hosts are alive: days of samples
 * are only read for those that are not. Any thread may ask.
 */
#ifndef VIGIE_FCGI_REMOTE_VICTORIAMETRICS_HOSTS_H
#define VIGIE_FCGI_REMOTE_VICTORIAMETRICS_HOSTS_H

#include "fcgi/remote/victoriametrics_api.h"

/* store_ops.hosts(). */
int victoriametrics_hosts_read(const struct victoriametrics_api *api, int64_t from_ms, int64_t to_ms,
                               struct store_hosts *ret_hosts) __attribute__((warn_unused_result));

#endif
