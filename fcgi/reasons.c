#include "fcgi/reasons.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/table.h"

/* The resource, the address and the process. */
enum { KEY_SIZE = 1 + WIRE_IP_SIZE + WIRE_NAME_SIZE };

struct item {
	int64_t time_ms;     /* of the forecast */
	int64_t received_ms; /* by the server's clock */
	double limit, horizon_s;
	char *why;           /* an object; NULL: not told */
	size_t why_size;
	UT_hash_handle hh;
	char key[];
};

struct reasons {
	pthread_mutex_t lock;
	struct item *items;
	size_t words, words_max; /* bytes of all `why` */
};

struct reasons *reasons_open(size_t words_max)
{
	struct reasons *reasons = calloc(1, sizeof(*reasons));
	if (!reasons)
		return NULL;
	pthread_mutex_init(&reasons->lock, NULL);
	reasons->words_max = words_max;
	return reasons;
}

/* The lock is held, as in all that follow. */
static void set_why(struct reasons *reasons, struct item *item, const char *why)
{
	free(item->why);
	reasons->words -= item->why_size;
	item->why_size = why ? strlen(why) + 1 : 0;
	item->why = why && reasons->words + item->why_size <= reasons->words_max ? strdup(why) : NULL;
	if (!item->why) /* analyzer: what was there is freed above */
		item->why_size = 0;
	reasons->words += item->why_size;
}

static void drop_before(struct reasons *reasons, int64_t oldest_ms)
{
	struct item *item, *next;
	HASH_ITER(hh, reasons->items, item, next) {
		if (item->received_ms >= oldest_ms)
			continue;
		set_why(reasons, item, NULL);
		HASH_DEL(reasons->items, item);
		free(item);
	}
}

void reasons_close(struct reasons *reasons)
{
	if (!reasons)
		return;
	drop_before(reasons, INT64_MAX);
	pthread_mutex_destroy(&reasons->lock);
	free(reasons);
}

static size_t make_key(const char *ip, const char *process, enum resource resource, char ret_key[static KEY_SIZE])
{
	size_t ip_size = strlen(ip) + 1, length = strlen(process);
	ret_key[0] = (char)resource;
	memcpy(ret_key + 1, ip, ip_size);
	memcpy(ret_key + 1 + ip_size, process, length);
	return 1 + ip_size + length;
}

static struct item *find(struct reasons *reasons, const char *key, size_t length)
{
	struct item *item;
	HASH_FIND(hh, reasons->items, key, length, item);
	return item;
}

/* NULL: there is no room. */
static struct item *add(struct reasons *reasons, const char *key, size_t length)
{
	struct item *item = HASH_COUNT(reasons->items) < REASONS_MAX ? calloc(1, sizeof(*item) + length) : NULL;
	if (!item)
		return NULL;
	item->time_ms = INT64_MIN;
	memcpy(item->key, key, length);
	HASH_ADD_KEYPTR(hh, reasons->items, item->key, length, item);
	if (item->hh.tbl)
		return item;
	free(item);
	return NULL;
}

void reasons_keep(struct reasons *reasons, const struct body *body, int64_t now_ms, int64_t oldest_ms)
{
	pthread_mutex_lock(&reasons->lock);
	drop_before(reasons, oldest_ms);
	for (size_t i = 0; i < body->reason_count; i++) {
		const struct body_reason *reason = &body->reasons[i];
		const struct sample *sample = &body->batch.samples[reason->sample];
		char key[KEY_SIZE];
		size_t length = make_key(sample->ip, sample->process, sample_resource(sample->metric, sample->half), key);
		struct item *item = find(reasons, key, length);
		if (!item)
			item = add(reasons, key, length);
		if (!item || sample->time_ms < item->time_ms)
			continue;
		item->time_ms = sample->time_ms;
		item->received_ms = now_ms;
		item->limit = reason->limit;
		item->horizon_s = reason->horizon_s;
		set_why(reasons, item, reason->why ? body->words.data + reason->why : NULL);
	}
	pthread_mutex_unlock(&reasons->lock);
}

static void append_positive(struct text *text, const char *name, double value)
{
	text_printf(text, ", \"%s\": ", name);
	if (value > 0)
		json_append_number(text, value);
	else
		text_append_string(text, "null");
}

void reasons_append(struct reasons *reasons, const struct series_key *key, enum resource resource, struct text *text)
{
	char of_series[KEY_SIZE];
	size_t length = make_key(key->ip, key->process, resource, of_series);
	pthread_mutex_lock(&reasons->lock);
	const struct item *item = find(reasons, of_series, length);
	append_positive(text, "limit", item ? item->limit : 0);
	append_positive(text, "horizon_s", item ? item->horizon_s : 0);
	text_printf(text, ", \"why\": %s", item && item->why ? item->why : "null");
	pthread_mutex_unlock(&reasons->lock);
}
