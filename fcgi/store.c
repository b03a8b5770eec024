#include "fcgi/store.h"

#include <stdlib.h>
#include <string.h>

static const struct store_ops *const engines[] = { &store_sqlite, &store_influxdb2, &store_influxql, &store_victoriametrics };

const struct store_ops *store_find(const char *name)
{
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		if (strcmp(engines[i]->name, name) == 0)
			return engines[i];
	}
	return NULL;
}

void store_rows_free(struct store_rows *rows)
{
	free(rows->items);
	free(rows->strings);
	budget_give_back(&rows->share);
	*rows = (struct store_rows){ 0 };
}

void store_history_free(struct store_history *history)
{
	free(history->items);
	free(history->points);
	free(history->strings);
	budget_give_back(&history->share);
	*history = (struct store_history){ 0 };
}

void store_hosts_free(struct store_hosts *hosts)
{
	free(hosts->items);
	free(hosts->strings);
	*hosts = (struct store_hosts){ 0 };
}
