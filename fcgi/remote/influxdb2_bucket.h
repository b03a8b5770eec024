/*
 * The bucket of InfluxDB 2 that samples are kept in: made where there is none, and its
 * retention checked, over /api/v2/buckets with JSON on both sides.
 *
 * docs.influxdata.com/influxdb/v2/api. One thread sets it up; any may ask for its name and
 * retention.
 */
#ifndef VIGIE_FCGI_REMOTE_INFLUXDB2_BUCKET_H
#define VIGIE_FCGI_REMOTE_INFLUXDB2_BUCKET_H

#include "common/config.h"
#include "fcgi/remote/remote.h"
#include "fcgi/remote/retention.h"

struct influxdb2_bucket {
	char *url; /* of the engine */
	char *org, *name;
	struct retention retention;
};

/* 0 or -ENOMEM; freed with influxdb2_bucket_free() in any case. */
int influxdb2_bucket_init(struct influxdb2_bucket *bucket, const struct config *config)
	__attribute__((warn_unused_result));
void influxdb2_bucket_free(struct influxdb2_bucket *bucket);

/* See remote_set_up. */
int influxdb2_bucket_set_up(struct influxdb2_bucket *bucket, struct remote *remote) __attribute__((warn_unused_result));

#endif
