#include "fcgi/sqlite/dictionary.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
	FIRST_NUMBER = 1, /* 0 asks for a free number */
	DEAD_INTERVALS = 3,
};

struct dictionary_series *dictionary_find_next(const struct dictionary *dictionary,
                                               const struct dictionary_series *before, const char *process)
{
	struct dictionary_series *series = dictionary_series_at(dictionary, before->number + 1);
	if (!series || series->key.host != before->key.host)
		return NULL;
	return strcmp(dictionary_name_of(dictionary, series)->text, process) == 0 ? series : NULL;
}

static void free_table(struct dictionary_table *table)
{
	for (uint32_t i = FIRST_NUMBER; i < table->end; i++)
		free(table->items[i]);
	free(table->items);
}

void dictionary_free(struct dictionary *dictionary)
{
	for (uint32_t i = FIRST_NUMBER; i < dictionary->hosts.end; i++) {
		struct dictionary_host *host = dictionary_host_at(dictionary, i);
		if (host)
			series_index_free(&host->by_name);
	}
	HASH_CLEAR(hh, dictionary->host_by_ip);
	HASH_CLEAR(hh, dictionary->name_by_text);
	free_table(&dictionary->hosts);
	free_table(&dictionary->series);
	free_table(&dictionary->names);
	*dictionary = (struct dictionary){ 0 };
}

struct dictionary_host *dictionary_find_host(const struct dictionary *dictionary, const char *ip)
{
	struct dictionary_host *host;
	HASH_FIND_STR(dictionary->host_by_ip, ip, host);
	return host;
}

struct dictionary_name *dictionary_find_name(const struct dictionary *dictionary, const char *process)
{
	struct dictionary_name *name;
	HASH_FIND_STR(dictionary->name_by_text, process, name);
	return name;
}

struct dictionary_series *dictionary_find_series(const struct dictionary *dictionary,
                                                 const struct dictionary_host *host, const char *process)
{
	const struct dictionary_name *name = dictionary_find_name(dictionary, process);
	uint32_t number = name ? series_index_find(&host->by_name, name->number) : 0;
	return number ? dictionary_series_at(dictionary, number) : NULL;
}

/* Chooses a free number when *number is 0, and makes room for it. False: out of
 * memory, or the number is taken. */
static bool claim_number(struct dictionary_table *table, uint32_t *number)
{
	uint32_t wanted = *number;
	if (wanted == 0) {
		wanted = table->end ? table->end : FIRST_NUMBER;
		bool has_gap = table->end > FIRST_NUMBER + table->used;
		for (uint32_t i = table->lowest > FIRST_NUMBER ? table->lowest : FIRST_NUMBER; has_gap && i < table->end; i++) {
			if (!table->items[i]) {
				wanted = table->lowest = i;
				break;
			}
		}
	}
	if (wanted < table->end && table->items[wanted])
		return false;
	if (wanted >= table->capacity) {
		uint32_t capacity = table->capacity ? table->capacity : 64;
		while (capacity <= wanted) {
			if (capacity > UINT32_MAX / 2)
				return false;
			capacity *= 2;
		}
		void **items = realloc(table->items, capacity * sizeof(*items));
		if (!items)
			return false;
		memset(items + table->capacity, 0, (capacity - table->capacity) * sizeof(*items));
		table->items = items;
		table->capacity = capacity;
	}
	*number = wanted;
	return true;
}

static void take_number(struct dictionary_table *table, uint32_t number, void *item)
{
	table->items[number] = item;
	table->used++;
	if (number >= table->end)
		table->end = number + 1;
	if (number == table->lowest)
		table->lowest = number + 1;
}

static void free_number(struct dictionary_table *table, uint32_t number)
{
	table->items[number] = NULL;
	table->used--;
	if (number < table->lowest)
		table->lowest = number;
}

struct dictionary_host *dictionary_add_host(struct dictionary *dictionary, const char *ip, uint32_t number)
{
	struct dictionary_host *host = calloc(1, sizeof(*host));
	if (!host || !claim_number(&dictionary->hosts, &number)) {
		free(host);
		return NULL;
	}
	host->number = number;
	strncpy(host->ip, ip, sizeof(host->ip) - 1);
	HASH_ADD_STR(dictionary->host_by_ip, ip, host);
	if (!host->hh.tbl) {
		free(host);
		return NULL;
	}
	take_number(&dictionary->hosts, number, host);
	return host;
}

bool dictionary_rename_host(struct dictionary *dictionary, struct dictionary_host *host, const char *ip)
{
	struct dictionary_host *renamed = malloc(sizeof(*renamed));
	if (!renamed)
		return false;
	*renamed = *host;
	snprintf(renamed->ip, sizeof(renamed->ip), "%s", ip);
	HASH_ADD_STR(dictionary->host_by_ip, ip, renamed);
	if (!renamed->hh.tbl) {
		free(renamed);
		return false;
	}
	HASH_DEL(dictionary->host_by_ip, host);
	dictionary->hosts.items[host->number] = renamed;
	free(host);
	return true;
}

static struct dictionary_name *add_name(struct dictionary *dictionary, const char *process)
{
	size_t length = strlen(process);
	struct dictionary_name *name = calloc(1, sizeof(*name) + length + 1);
	uint32_t number = 0;
	if (!name || !claim_number(&dictionary->names, &number)) {
		free(name);
		return NULL;
	}
	name->number = number;
	memcpy(name->text, process, length);
	HASH_ADD_KEYPTR(hh, dictionary->name_by_text, name->text, length, name);
	if (!name->hh.tbl) {
		free(name);
		return NULL;
	}
	take_number(&dictionary->names, number, name);
	return name;
}

static void release_name(struct dictionary *dictionary, struct dictionary_name *name)
{
	if (name->series_count > 0)
		return;
	HASH_DEL(dictionary->name_by_text, name);
	free_number(&dictionary->names, name->number);
	free(name);
}

/* The name of a process, added where it is not there; released again by release_name() where nothing comes of it. NULL:
 * out of memory. */
static struct dictionary_name *find_or_add_name(struct dictionary *dictionary, const char *process)
{
	struct dictionary_name *name = dictionary_find_name(dictionary, process);
	return name ? name : add_name(dictionary, process);
}

/* A series of a host and a name under a number that is still to be taken. NULL: out of memory. */
static struct dictionary_series *make_series(struct dictionary_host *host, struct dictionary_name *name, uint32_t number)
{
	struct dictionary_series *series = calloc(1, sizeof(*series));
	if (!series || !series_index_add(&host->by_name, name->number, number)) {
		free(series);
		return NULL;
	}
	series->key.host = host->number;
	series->key.name = name->number;
	series->number = number;
	DL_APPEND(host->series, series);
	host->series_count++;
	name->series_count++;
	return series;
}

struct dictionary_series *dictionary_add_series(struct dictionary *dictionary, struct dictionary_host *host,
                                                const char *process, uint32_t number)
{
	struct dictionary_name *name = find_or_add_name(dictionary, process);
	if (!name)
		return NULL;
	struct dictionary_series *series =
		claim_number(&dictionary->series, &number) ? make_series(host, name, number) : NULL;
	if (series)
		take_number(&dictionary->series, number, series);
	else
		release_name(dictionary, name);
	return series;
}

struct dictionary_series *dictionary_find_dead(struct dictionary_host *host, int64_t before_ms)
{
	int64_t alive_ms = host->last_ms - (DEAD_INTERVALS - 1) * host->gap_ms;
	if (host->gap_ms == 0 || host->searched_ms == host->last_ms)
		return NULL;
	/* What was looked at goes to the end: the next search goes on behind it. */
	for (uint32_t i = 0; i < host->series_count; i++) {
		struct dictionary_series *series = host->series;
		DL_DELETE(host->series, series);
		DL_APPEND(host->series, series);
		if (series->last_ms < alive_ms && series->last_ms < before_ms)
			return series;
	}
	host->searched_ms = host->last_ms;
	return NULL;
}

struct dictionary_series *dictionary_replace_series(struct dictionary *dictionary, struct dictionary_host *host,
                                                    struct dictionary_series *old, const char *process)
{
	struct dictionary_name *name = find_or_add_name(dictionary, process);
	if (!name)
		return NULL;
	struct dictionary_series *series = make_series(host, name, old->number);
	if (!series) {
		release_name(dictionary, name);
		return NULL;
	}
	series->born_ms = old->last_ms + 1;
	dictionary_remove_series(dictionary, old);
	take_number(&dictionary->series, series->number, series);
	return series;
}

void dictionary_remove_host(struct dictionary *dictionary, struct dictionary_host *host)
{
	assert(host->series_count == 0);
	HASH_DEL(dictionary->host_by_ip, host);
	free_number(&dictionary->hosts, host->number);
	series_index_free(&host->by_name);
	free(host);
}

void dictionary_remove_series(struct dictionary *dictionary, struct dictionary_series *series)
{
	struct dictionary_name *name = dictionary_name_of(dictionary, series);
	struct dictionary_host *host = dictionary_host_of(dictionary, series);
	DL_DELETE(host->series, series);
	host->series_count--;
	name->series_count--;
	release_name(dictionary, name);
	series_index_remove(&host->by_name, series->key.name, series->number);
	free_number(&dictionary->series, series->number);
	free(series);
}
