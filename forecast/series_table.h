/*
 * The series that are looked at, found by host, process and resource.
 *
 * One thread uses a table, which owns its series and their forecasters.
 */
#ifndef VIGIE_FORECAST_SERIES_TABLE_H
#define VIGIE_FORECAST_SERIES_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/table.h"
#include "common/wire.h"
#include "forecast/forecaster.h"
#include "forecast/recent.h"

struct series {
	UT_hash_handle hh;
	struct forecaster *forecaster; /* NULL: it is behind and never was not */
	int64_t seen_ms;  /* the end of the newest bucket that has a value */
	double above;     /* percent; over it the series is one that is looked at */
	int64_t quiet;    /* refreshes since the newest bucket that is over it; INT64_MAX: none was seen */
	enum resource resource;
	bool behind;      /* its history is to be read before it takes part */
	const char *process; /* within the key, as is the host's address from key + 1 on */
	struct recent *recent;
	char key[];
};

static inline const char *series_ip(const struct series *series)
{
	return series->key + 1;
}

struct series_table {
	struct series *series;
	unsigned per_step; /* buckets */
};

struct series *series_table_find(const struct series_table *table, const char *ip, const char *process,
                                 enum resource resource);

/* A new series, behind; there is none of the same name. NULL: out of memory. */
struct series *series_table_add(struct series_table *table, const char *ip, const char *process,
                                enum resource resource);

void series_table_drop(struct series_table *table, struct series *series);
void series_table_clear(struct series_table *table);
size_t series_table_count(const struct series_table *table);

/* The series after `series`, the first after NULL; NULL: it was the last. A series may be
 * dropped once the one after it is known. */
struct series *series_table_next(const struct series_table *table, const struct series *series);

#endif
