#include "forecast/series_table.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE = 1 + WIRE_IP_SIZE + WIRE_NAME_SIZE };

/* The resource, the address, a NUL, the name. Returns its length. */
static size_t make_key(const char *ip, const char *process, enum resource resource, char key[static KEY_SIZE])
{
	size_t ip_length = strlen(ip), process_length = strlen(process);
	key[0] = (char)resource;
	memcpy(key + 1, ip, ip_length + 1);
	memcpy(key + 1 + ip_length + 1, process, process_length);
	return 1 + ip_length + 1 + process_length;
}

struct series *series_table_find(const struct series_table *table, const char *ip, const char *process,
                                 enum resource resource)
{
	char key[KEY_SIZE];
	size_t length = make_key(ip, process, resource, key);
	struct series *series;
	HASH_FIND(hh, table->series, key, length, series);
	return series;
}

struct series *series_table_add(struct series_table *table, const char *ip, const char *process,
                                enum resource resource)
{
	char key[KEY_SIZE];
	size_t length = make_key(ip, process, resource, key);
	size_t recent_at = (sizeof(struct series) + length + 1 + 7) / 8 * 8;
	struct series *series = calloc(1, recent_at + recent_size(table->per_step));
	if (!series)
		return NULL;
	series->resource = resource;
	series->behind = true;
	series->quiet = INT64_MAX;
	series->recent = (struct recent *)(void *)((char *)series + recent_at);
	recent_init(series->recent, table->per_step);
	memcpy(series->key, key, length);
	series->process = series->key + 1 + strlen(ip) + 1;
	HASH_ADD_KEYPTR(hh, table->series, series->key, length, series);
	if (!series->hh.tbl) {
		free(series);
		return NULL;
	}
	return series;
}

void series_table_drop(struct series_table *table, struct series *series)
{
	HASH_DEL(table->series, series);
	forecaster_close(series->forecaster);
	free(series);
}

void series_table_clear(struct series_table *table)
{
	struct series *series, *next;
	HASH_ITER(hh, table->series, series, next)
		series_table_drop(table, series);
}

size_t series_table_count(const struct series_table *table)
{
	return HASH_COUNT(table->series);
}

struct series *series_table_next(const struct series_table *table, const struct series *series)
{
	return series ? series->hh.next : table->series;
}
