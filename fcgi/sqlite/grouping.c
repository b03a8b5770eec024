#include "fcgi/sqlite/grouping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Marks what query->only lists: series, or, where hosts do not matter, names. */
static void mark_only(const struct dictionary *dictionary, const struct query *query, bool series_wanted[],
                      bool names_wanted[])
{
	for (size_t i = 0; i < query->only_count; i++) {
		const struct series_key *key = &query->only[i];
		if (!query->by_host || !key->ip) {
			const struct dictionary_name *name = dictionary_find_name(dictionary, key->process);
			if (name)
				names_wanted[name->number] = true;
			continue;
		}
		const struct dictionary_host *host = dictionary_find_host(dictionary, key->ip);
		const struct dictionary_series *series =
			host ? dictionary_find_series(dictionary, host, key->process) : NULL;
		if (series)
			series_wanted[series->number] = true;
	}
}

/* Gives each group its key, the strings copied: the dictionary may change after this. */
static int make_keys(const struct dictionary *dictionary, const struct query *query, const uint32_t first[],
                     struct grouping *grouping)
{
	size_t bytes = 0;
	for (int pass = 0; pass < 2; pass++) {
		char *at = grouping->strings;
		/* analyzer: the grouping has both, from its first pass */
		for (size_t i = 0; i < grouping->count; i++) {
			const struct dictionary_series *series = dictionary_series_at(dictionary, first[i]);
			const char *ip = dictionary_host_of(dictionary, series)->ip;
			const char *process = dictionary_name_of(dictionary, series)->text;
			size_t ip_size = query->by_host ? strlen(ip) + 1 : 0;
			size_t process_size = strlen(process) + 1;
			if (pass == 0) {
				bytes += ip_size + process_size;
				continue;
			}
			grouping->keys[i].ip = ip_size ? memcpy(at, ip, ip_size) : NULL;
			grouping->keys[i].process = memcpy(at + ip_size, process, process_size);
			at += ip_size + process_size;
		}
		if (pass == 0) {
			grouping->strings = malloc(bytes + 1);
			/* analyzer: the grouping has both, from its first pass */
			grouping->keys = calloc(grouping->count + 1, sizeof(*grouping->keys));
			if (!grouping->strings || !grouping->keys)
				return -ENOMEM;
		}
	}
	return 0;
}

static bool note_birth(struct grouping *grouping, uint32_t series, int64_t born_ms)
{
	if (born_ms && !grouping->born_of)
		grouping->born_of = calloc(grouping->series_end, sizeof(*grouping->born_of));
	if (born_ms && grouping->born_of)
		grouping->born_of[series] = born_ms;
	return !born_ms || grouping->born_of;
}

int grouping_build(const struct dictionary *dictionary, const struct query *query, struct grouping *ret_grouping)
{
	uint32_t series_end = dictionary->series.end, name_end = dictionary->names.end;
	struct grouping grouping = {
		.group_of = malloc((series_end + 1) * sizeof(int32_t)),
		.series_end = series_end,
	};
	int32_t *group_of_name = malloc((name_end + 1) * sizeof(*group_of_name));
	uint32_t *first = malloc((series_end + 1) * sizeof(*first)); /* a series of each group */
	bool *wanted = calloc((size_t)series_end + name_end + 1, sizeof(*wanted)), *names_wanted = wanted + series_end;
	int result = -ENOMEM;
	if (!grouping.group_of || !group_of_name || !first || !wanted)
		goto out;

	const struct dictionary_host *host = query->ip ? dictionary_find_host(dictionary, query->ip) : NULL;
	const struct dictionary_name *name = query->process ? dictionary_find_name(dictionary, query->process) : NULL;
	bool nothing = (query->ip && !host) || (query->process && !name);
	grouping.host = host ? host->number : 0;
	for (uint32_t i = 0; i < name_end; i++)
		group_of_name[i] = GROUPING_NONE;
	if (query->only)
		mark_only(dictionary, query, wanted, names_wanted);

	for (uint32_t i = 0; i < series_end; i++) {
		const struct dictionary_series *series = dictionary_series_at(dictionary, i);
		grouping.group_of[i] = GROUPING_NONE;
		if (nothing || !series || (host && series->key.host != host->number) ||
		    (name && series->key.name != name->number))
			continue;
		if (query->only && !wanted[i] && !names_wanted[series->key.name])
			continue;
		int32_t *group = query->by_host ? &grouping.group_of[i] : &group_of_name[series->key.name];
		if (*group == GROUPING_NONE) {
			*group = (int32_t)grouping.count;
			first[grouping.count++] = i;
		}
		grouping.group_of[i] = *group;
		if (!note_birth(&grouping, i, series->born_ms))
			goto out;
	}
	result = make_keys(dictionary, query, first, &grouping);
out:
	free(wanted);
	free(first);
	free(group_of_name);
	if (result)
		grouping_free(&grouping);
	else
		*ret_grouping = grouping;
	return result;
}

static int compare_hosts(const void *left, const void *right)
{
	const struct dictionary_host *const *a = left, *const *b = right;
	return strcmp((*a)->ip, (*b)->ip);
}

int grouping_order(const struct dictionary *dictionary, const struct query *query, struct grouping *grouping)
{
	if (query->by_host || query->ip)
		return 0;
	size_t count = 0;
	uint32_t host_end = dictionary->hosts.end;
	const struct dictionary_host **hosts = malloc((host_end + 1) * sizeof(const struct dictionary_host *));
	uint32_t *place_of = calloc(host_end + 1, sizeof(*place_of));
	uint32_t *order_of = calloc(grouping->series_end + 1, sizeof(*order_of));
	int result = hosts && place_of && order_of ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < host_end && result == 0; i++) {
		hosts[count] = dictionary_host_at(dictionary, i);
		count += hosts[count] != NULL;
	}
	if (result == 0)
		qsort(hosts, count, sizeof(*hosts), compare_hosts);
	for (uint32_t i = 0; i < count && result == 0; i++)
		place_of[hosts[i]->number] = i;
	for (uint32_t i = 0; i < grouping->series_end && result == 0; i++) {
		const struct dictionary_series *series = dictionary_series_at(dictionary, i);
		order_of[i] = series ? place_of[series->key.host] : 0;
	}
	if (result == 0)
		grouping->order_of = order_of;
	else
		free(order_of);
	free(place_of);
	free(hosts);
	return result;
}

char *grouping_take_strings(struct grouping *grouping)
{
	char *strings = grouping->strings;
	grouping->strings = NULL;
	return strings;
}

void grouping_free(struct grouping *grouping)
{
	free(grouping->born_of);
	free(grouping->order_of);
	free(grouping->group_of);
	free(grouping->keys);
	free(grouping->strings);
	*grouping = (struct grouping){ 0 };
}
