/*
 * The SQLite store's dictionary in memory: which numbers its rows use for hosts
 * and series.
 *
 * Process names are kept once, however many hosts run them, so that an answer
 * over all hosts groups by an index. The dictionary does no I/O: names.c writes
 * to the tables what is not `stored` yet, within the transaction that first uses
 * it, and unsets `stored` when that is rolled back, so that the next transaction
 * writes it again.
 *
 * Not thread-safe: names.c has its lock, for reading to look, for writing to add
 * or remove.
 */
#ifndef VIGIE_FCGI_SQLITE_DICTIONARY_H
#define VIGIE_FCGI_SQLITE_DICTIONARY_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/table.h"
#include "common/wire.h"
#include "fcgi/sqlite/series_index.h"

struct dictionary_name {
	uint32_t number;       /* from 1 */
	uint32_t series_count;
	UT_hash_handle hh;
	char text[]; /* with its NUL */
};

struct dictionary_host {
	uint32_t number; /* from 1 */
	uint32_t series_count;
	int64_t last_ms;   /* newest usage sample */
	int64_t gap_ms;    /* between the two newest, 0: not known */
	int64_t seen_ms;   /* what the table says: at most the lag of names.c behind last_ms */
	struct dictionary_series *series; /* in no order */
	struct series_index by_name; /* of them */
	int64_t searched_ms; /* last_ms when none of them was found dead */
	bool at_limit;     /* it has as many series as it may: dead ones make room for new ones */
	bool stored;
	UT_hash_handle hh;
	char ip[WIRE_IP_SIZE];
};

struct dictionary_series {
	struct {
		uint32_t host;
		uint32_t name;
	} key;
	uint32_t number; /* from 1 */
	bool stored;
	int64_t last_ms; /* no sample of it is newer */
	int64_t born_ms; /* what is older, of the same number, is of a series that was there before; 0: nothing is */
	int64_t seen_ms; /* what the table says: at most the lag of names.c behind its newest sample */
	struct dictionary_series *prev, *next; /* of its host */
};

/* What is numbered, by its number. */
struct dictionary_table {
	void **items;      /* NULL where a number is free */
	uint32_t end;      /* one over the highest number used */
	uint32_t capacity;
	uint32_t used;     /* numbers that are taken */
	uint32_t lowest;   /* none below this is free */
};

struct dictionary {
	struct dictionary_table hosts, series, names;
	struct dictionary_host *host_by_ip;
	struct dictionary_name *name_by_text;
	uint32_t limited; /* the number of the host that was found at its limit last; 0: none was */
};

void dictionary_free(struct dictionary *dictionary);

/* NULL when it is not there. */
struct dictionary_host *dictionary_find_host(const struct dictionary *dictionary, const char *ip);
struct dictionary_name *dictionary_find_name(const struct dictionary *dictionary, const char *process);
struct dictionary_series *dictionary_find_series(const struct dictionary *dictionary,
                                                 const struct dictionary_host *host, const char *process);

/* The series numbered after `before`, if it is this process of the same host: a
 * client names its processes in the same order again and again, so that most
 * look-ups need no hash. */
struct dictionary_series *dictionary_find_next(const struct dictionary *dictionary,
                                               const struct dictionary_series *before, const char *process);

/* Adds what is not there, under `number`, or a free number when it is 0.
 * NULL: out of memory, or the number is taken (the tables are damaged). */
struct dictionary_host *dictionary_add_host(struct dictionary *dictionary, const char *ip, uint32_t number);
struct dictionary_series *dictionary_add_series(struct dictionary *dictionary, struct dictionary_host *host,
                                                const char *process, uint32_t number);

/* A series of the host that has no samples in its three newest intervals, nor one from `before_ms` on; NULL: none is
 * found. */
struct dictionary_series *dictionary_find_dead(struct dictionary_host *host, int64_t before_ms);

/* Puts a new series in the place of one of the same host, which is freed: it takes its number, and what the old one had
 * is read no more. NULL: out of memory; nothing has changed. */
struct dictionary_series *dictionary_replace_series(struct dictionary *dictionary, struct dictionary_host *host,
                                                    struct dictionary_series *old, const char *process);

/* Calls a host by another address, which no host has yet. False: out of memory, and it is called as before. */
bool dictionary_rename_host(struct dictionary *dictionary, struct dictionary_host *host, const char *ip)
	__attribute__((warn_unused_result));

/* NULL where no such number is taken. */
static inline struct dictionary_host *dictionary_host_at(const struct dictionary *dictionary, uint32_t number)
{
	return number < dictionary->hosts.end ? dictionary->hosts.items[number] : NULL;
}

static inline struct dictionary_series *dictionary_series_at(const struct dictionary *dictionary, uint32_t number)
{
	return number < dictionary->series.end ? dictionary->series.items[number] : NULL;
}

static inline struct dictionary_name *dictionary_name_at(const struct dictionary *dictionary, uint32_t number)
{
	return number < dictionary->names.end ? dictionary->names.items[number] : NULL;
}

/* Of a series that is there: so are its host and its name. */
static inline struct dictionary_host *dictionary_host_of(const struct dictionary *dictionary, const struct dictionary_series *series)
{
	assert(series->key.host < dictionary->hosts.end);
	struct dictionary_host *host = dictionary->hosts.items[series->key.host];
	assert(host);
	return host;
}

static inline struct dictionary_name *dictionary_name_of(const struct dictionary *dictionary, const struct dictionary_series *series)
{
	assert(series->key.name < dictionary->names.end);
	struct dictionary_name *name = dictionary->names.items[series->key.name];
	assert(name);
	return name;
}

/* Removes and frees; a host must have no series left. */
void dictionary_remove_host(struct dictionary *dictionary, struct dictionary_host *host);
void dictionary_remove_series(struct dictionary *dictionary, struct dictionary_series *series);

#endif
