#include "common/table.h"
#include "top/fleet.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/series_json.h"

enum { KEY_SIZE = WIRE_IP_SIZE + WIRE_NAME_SIZE };

struct entry {
	struct fleet_row row; /* first */
	UT_hash_handle hh;
	char key[KEY_SIZE]; /* the address, a space, the process */
};

struct fleet {
	struct entry *entries; /* hash table */
	const struct fleet_row **listed;
	size_t hosts;
};

struct fleet *fleet_open(void)
{
	return calloc(1, sizeof(struct fleet));
}

void fleet_close(struct fleet *fleet)
{
	if (!fleet)
		return;
	struct entry *entry, *next;
	HASH_ITER(hh, fleet->entries, entry, next) {
		HASH_DEL(fleet->entries, entry);
		free(entry);
	}
	free(fleet->listed);
	free(fleet);
}

/* The row of a process, made where it is missing. NULL: out of memory. */
static struct fleet_row *row_of(struct fleet *fleet, const char *ip, const char *process)
{
	char key[KEY_SIZE];
	struct entry *entry;
	snprintf(key, sizeof(key), "%s %s", ip, process);
	HASH_FIND_STR(fleet->entries, key, entry);
	if (entry)
		return &entry->row;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	memcpy(entry->key, key, sizeof(key));
	snprintf(entry->row.ip, sizeof(entry->row.ip), "%s", ip);
	snprintf(entry->row.host, sizeof(entry->row.host), "%s", ip);
	snprintf(entry->row.process, sizeof(entry->row.process), "%s", process);
	/* analyzer: it goes into the table, or is freed */
	HASH_ADD_STR(fleet->entries, key, entry);
	if (entry->hh.tbl)
		return &entry->row;
	free(entry);
	return NULL;
}

/* Takes [t, v]. */
static int take_sample(void *user, const char *ip, const char *process, enum resource resource, const cJSON *pair)
{
	const cJSON *value = cJSON_IsArray(pair) && pair->child ? pair->child->next : NULL;
	if (!cJSON_IsNumber(value) || !isfinite(value->valuedouble))
		return -EBADMSG;
	struct fleet_row *row = row_of(user, ip, process);
	if (!row)
		return -ENOMEM;
	row->present[resource] = true;
	row->value[resource] = value->valuedouble;
	return 0;
}

static int take_forecast(void *user, const char *ip, const char *process, enum resource resource, const cJSON *item)
{
	const cJSON *probability = cJSON_GetObjectItemCaseSensitive(item, "probability");
	(void)resource;
	if (!cJSON_IsNumber(probability) || !(probability->valuedouble >= 0 && probability->valuedouble <= 1))
		return -EBADMSG;
	struct fleet_row *row = row_of(user, ip, process);
	if (!row)
		return -ENOMEM;
	if (!row->foreseen || probability->valuedouble > row->probability)
		row->probability = probability->valuedouble;
	row->foreseen = true;
	return 0;
}

static int take_series(struct fleet *fleet, const struct text *body, series_json_taker *take, struct text *ret_error)
{
	cJSON *document;
	size_t skipped;
	int result = series_json_parse(body->data, body->length, take, fleet, &document, &skipped, ret_error);
	if (result == 0)
		series_json_free(document);
	return result;
}

int fleet_take_latest(struct fleet *fleet, const struct text *body, struct text *ret_error)
{
	return take_series(fleet, body, take_sample, ret_error);
}

int fleet_take_forecasts(struct fleet *fleet, const struct text *body, struct text *ret_error)
{
	return take_series(fleet, body, take_forecast, ret_error);
}

static const char *string_of(const cJSON *object, const char *key)
{
	const char *string = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
	return string ? string : "";
}

static int take_alarm(struct fleet *fleet, const cJSON *item)
{
	char ip[WIRE_IP_SIZE];
	enum color color;
	enum resource resource;
	const char *process = string_of(item, "process");
	if (!wire_ip_parse(string_of(item, "ip"), ip) || process[0] == '\0' || strlen(process) > WIRE_NAME_MAX ||
	    !wire_color_parse(string_of(item, "color"), &color) || !wire_limited_parse(string_of(item, "resource"), &resource))
		return 0;
	struct fleet_row *row = row_of(fleet, ip, process);
	if (!row)
		return -ENOMEM;
	bool silenced = cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(item, "silenced_until"));
	int worse = wire_color_severity(color) - wire_color_severity(row->color);
	if (worse > 0 || (worse == 0 && row->silenced && !silenced)) {
		row->color = color;
		row->resource = resource;
		row->missing = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "missing"));
		row->silenced = silenced;
	}
	return 0;
}

int fleet_take_alarms(struct fleet *fleet, const struct text *body, struct text *ret_error)
{
	cJSON *document = cJSON_ParseWithLength(body->data, body->length);
	const cJSON *alarms = cJSON_GetObjectItemCaseSensitive(document, "alarms");
	int result = cJSON_IsArray(alarms) ? 0 : -EBADMSG;
	if (result)
		text_append_string(ret_error, "the answer has no array \"alarms\"");
	for (const cJSON *item = result ? NULL : alarms->child; item && !result; item = item->next)
		result = take_alarm(fleet, item);
	cJSON_Delete(document);
	return result;
}

/* The member of a host. Those of latest come in the order of these, so that it is the one found last, or the next. */
static const cJSON *find_host(const cJSON *document, const cJSON *last, const char *ip)
{
	if (last && strcmp(last->string, ip) == 0)
		return last;
	if (last && last->next && strcmp(last->next->string, ip) == 0)
		return last->next;
	return cJSON_GetObjectItemCaseSensitive(document, ip);
}

int fleet_take_hosts(struct fleet *fleet, const struct text *body, struct text *ret_error)
{
	cJSON *document = cJSON_ParseWithLength(body->data, body->length);
	if (!cJSON_IsObject(document)) {
		text_append_string(ret_error, "the answer is no JSON object");
		cJSON_Delete(document);
		return -EBADMSG;
	}
	const cJSON *host = NULL;
	for (struct entry *entry = fleet->entries; entry; entry = entry->hh.next) {
		host = find_host(document, host, entry->row.ip);
		const char *name = string_of(host, "hostname");
		if (name[0])
			wire_clean_name(name, strlen(name), entry->row.host);
	}
	fleet->hosts = (size_t)cJSON_GetArraySize(document);
	cJSON_Delete(document);
	return 0;
}

struct fleet_counts fleet_count(const struct fleet *fleet)
{
	struct fleet_counts counts = { .hosts = fleet->hosts };
	for (const struct entry *entry = fleet->entries; entry; entry = entry->hh.next) {
		counts.processes += entry->row.present[RESOURCE_MEM] || entry->row.present[RESOURCE_CPU];
		counts.colors[entry->row.color]++;
		counts.silenced += entry->row.silenced;
	}
	return counts;
}

/* What is not known is under what is. */
static double key_of(const struct fleet_row *row, enum fleet_order order)
{
	if (order == FLEET_BY_ALARM)
		return wire_color_severity(row->color) + (row->color != COLOR_GREEN && !row->silenced ? COLOR_COUNT : 0);
	if (order == FLEET_BY_PROBABILITY)
		return row->foreseen ? row->probability : -1;
	enum resource resource = order == FLEET_BY_CPU ? RESOURCE_CPU : RESOURCE_MEM;
	return row->present[resource] ? row->value[resource] : -1;
}

static int compare(const void *left, const void *right, void *user)
{
	const struct fleet_row *a = *(const struct fleet_row *const *)left, *b = *(const struct fleet_row *const *)right;
	const enum fleet_order *order = user;
	double key_a = key_of(a, *order), key_b = key_of(b, *order);
	if (key_a != key_b)
		return key_a < key_b ? 1 : -1;
	int by_name = strcmp(a->process, b->process);
	return by_name ? by_name : strcmp(a->ip, b->ip);
}

static bool is_chosen(const struct fleet_row *row, const struct fleet_choice *choice)
{
	return strcasestr(row->process, choice->process) &&
	       (strcasestr(row->host, choice->host) || strcasestr(row->ip, choice->host));
}

int fleet_list(struct fleet *fleet, const struct fleet_choice *choice, const struct fleet_row *const **ret_rows,
               size_t *ret_count)
{
	size_t count = 0;
	enum fleet_order order = choice->order;
	const struct fleet_row **rows = realloc(fleet->listed, (HASH_COUNT(fleet->entries) + 1) * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	fleet->listed = rows;
	for (const struct entry *entry = fleet->entries; entry; entry = entry->hh.next) {
		if (is_chosen(&entry->row, choice))
			rows[count++] = &entry->row;
	}
	qsort_r(rows, count, sizeof(*rows), compare, &order);
	*ret_rows = rows;
	*ret_count = count;
	return 0;
}
