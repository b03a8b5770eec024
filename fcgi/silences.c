#include "fcgi/silences.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

/* With those that have ended and may still be read as they were, of an engine that shows late what it was given. */
enum { ITEMS_MAX = 2 * SILENCES_MAX };

struct item {
	struct kept kept;
	int64_t time_ms;
};

struct silences {
	pthread_mutex_t lock;
	struct item *items;
	size_t count, capacity;
};

struct silences *silences_open(void)
{
	struct silences *silences = calloc(1, sizeof(*silences));
	if (silences)
		pthread_mutex_init(&silences->lock, NULL);
	return silences;
}

void silences_close(struct silences *silences)
{
	if (!silences)
		return;
	free(silences->items);
	pthread_mutex_destroy(&silences->lock);
	free(silences);
}

/* ---- names ---- */

/* Appends to what `name` holds; gives its length then. There is room for three bytes each and a NUL. */
static size_t append_encoded(char *name, size_t length, const char *string)
{
	static const char digits[] = "0123456789ABCDEF";
	for (const unsigned char *at = (const unsigned char *)string; *at; at++) {
		if (*at >= 0x80 || isalnum(*at) || strchr("-._~*?[]!^:/@+", *at)) {
			name[length++] = (char)*at;
		} else {
			name[length++] = '%';
			name[length++] = digits[*at >> 4];
			name[length++] = digits[*at & 0xf];
		}
	}
	name[length] = '\0';
	return length;
}

/* FNV-1a, as it is in the store. */
void silences_identify(struct silence *silence)
{
	const char *const texts[] = { silence->process, silence->ip, silence->resource, silence->by, silence->comment };
	uint64_t hash = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const unsigned char *at = (const unsigned char *)texts[i];
		do
			hash = (hash ^ *at) * UINT64_C(1099511628211);
		while (*at++);
	}
	snprintf(silence->id, sizeof(silence->id), "%016llx", (unsigned long long)hash);
}

size_t silences_keep(const struct silence *silence, struct kept *ret_kept)
{
	const char *const texts[] = { silence->id, silence->process, silence->ip, silence->resource, silence->by,
		                      silence->comment };
	char name[3 * sizeof(*silence)]; /* and so no memory is needed that may not be there */
	size_t length = 0;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (i)
			name[length++] = ' ';
		length = append_encoded(name, length, texts[i]);
	}
	if (length > WIRE_NAME_MAX)
		return length - WIRE_NAME_MAX;
	memcpy(ret_kept->name, name, length + 1);
	ret_kept->value = (double)silence->until_ms / 1000;
	return 0;
}

/* Reads one text up to its blank, or the last up to the end, and goes on behind it. */
static bool read_text(const char **at, bool last, char *ret_text, size_t size)
{
	size_t length = 0;
	for (; **at && **at != ' '; ++*at) {
		char byte = **at;
		if (byte == '%') {
			char hex[3] = { (*at)[1], (*at)[1] ? (*at)[2] : '\0', '\0' };
			if (!isxdigit((unsigned char)hex[0]) || !isxdigit((unsigned char)hex[1]))
				return false;
			byte = (char)strtoul(hex, NULL, 16);
			*at += 2;
		}
		if (byte == '\0' || length + 1 == size)
			return false;
		ret_text[length++] = byte;
	}
	ret_text[length] = '\0';
	char clean[WIRE_NAME_SIZE];
	wire_clean_name(ret_text, length, clean);
	if (length > 0 && strcmp(clean, ret_text) != 0)
		return false;
	if (last)
		return **at == '\0';
	return *(*at)++ == ' ';
}

bool silences_read(const struct kept *kept, struct silence *ret_silence)
{
	struct silence silence = { .until_ms = 0 };
	const char *at = kept->name;
	if (!(kept->value >= 0 && kept->value <= CLOCK_RFC3339_MAX_S))
		return false;
	silence.until_ms = llround(kept->value * 1000);
	if (!read_text(&at, false, silence.id, sizeof(silence.id)) ||
	    !read_text(&at, false, silence.process, sizeof(silence.process)) ||
	    !read_text(&at, false, silence.ip, sizeof(silence.ip)) ||
	    !read_text(&at, false, silence.resource, sizeof(silence.resource)) ||
	    !read_text(&at, false, silence.by, sizeof(silence.by)) ||
	    !read_text(&at, true, silence.comment, sizeof(silence.comment)))
		return false;
	if (!silence.id[0] || !silence.process[0] || !silence.ip[0] || !silence.resource[0])
		return false;
	*ret_silence = silence;
	return true;
}

/* ---- the table ---- */

static bool has_ended(const struct item *item, int64_t now_ms)
{
	return item->kept.value * 1000 <= (double)now_ms;
}

/* Makes room for one more. The lock is held. 0, -ENOMEM or -EDQUOT. */
static int make_room(struct silences *silences, int64_t now_ms)
{
	if (silences->count == ITEMS_MAX) {
		size_t left = 0;
		for (size_t i = 0; i < silences->count; i++) {
			if (!has_ended(&silences->items[i], now_ms))
				silences->items[left++] = silences->items[i];
		}
		silences->count = left;
	}
	if (silences->count == ITEMS_MAX)
		return -EDQUOT;
	if (silences->count < silences->capacity)
		return 0;
	size_t capacity = silences->capacity ? 2 * silences->capacity : 16;
	struct item *items = realloc(silences->items, capacity * sizeof(*items));
	if (!items)
		return -ENOMEM;
	silences->items = items;
	silences->capacity = capacity;
	return 0;
}

/* The one of a name; NULL: there is none. The lock is held. */
static struct item *find_item(struct silences *silences, const char *name)
{
	for (size_t i = 0; i < silences->count; i++) {
		if (strcmp(silences->items[i].kept.name, name) == 0)
			return &silences->items[i];
	}
	return NULL;
}

/* The lock is held. */
static int take_item(struct silences *silences, const struct item *taken, int64_t now_ms)
{
	struct item *item = find_item(silences, taken->kept.name);
	if (item) {
		if (taken->time_ms >= item->time_ms)
			*item = *taken;
		return 0;
	}
	if (has_ended(taken, now_ms))
		return 0; /* as there may be many, in an engine that forgets nothing */
	int result = make_room(silences, now_ms);
	if (result == 0)
		silences->items[silences->count++] = *taken;
	return result;
}

static int take_kept(void *user, const struct kept *kept, int64_t time_ms)
{
	struct silences *silences = user;
	struct silence silence;
	const struct item item = { *kept, time_ms };
	if (!silences_read(kept, &silence))
		return 0;
	pthread_mutex_lock(&silences->lock);
	int result = take_item(silences, &item, clock_wall_ms());
	pthread_mutex_unlock(&silences->lock);
	return result;
}

static int reserve_kept(void *user, const struct kept *kept)
{
	struct silences *silences = user;
	pthread_mutex_lock(&silences->lock);
	int result = find_item(silences, kept->name) ? 0 : make_room(silences, clock_wall_ms());
	pthread_mutex_unlock(&silences->lock);
	return result;
}

static int list_kept(void *user, struct kept **ret_kept, size_t *ret_count)
{
	struct silences *silences = user;
	int64_t now_ms = clock_wall_ms();
	size_t count = 0;
	pthread_mutex_lock(&silences->lock);
	struct kept *kept = malloc((silences->count + 1) * sizeof(*kept));
	for (size_t i = 0; i < silences->count && kept; i++) {
		if (!has_ended(&silences->items[i], now_ms))
			kept[count++] = silences->items[i].kept;
	}
	pthread_mutex_unlock(&silences->lock);
	if (!kept)
		return -ENOMEM;
	*ret_kept = kept;
	*ret_count = count;
	return 0;
}

struct keeper_table silences_table(struct silences *silences)
{
	return (struct keeper_table){ .metric = METRIC_SILENCE, .user = silences, .take = take_kept, .reserve = reserve_kept,
	                              .list = list_kept };
}

static int compare_ends(const void *left, const void *right)
{
	const struct silence *a = left, *b = right;
	return a->until_ms != b->until_ms ? (a->until_ms < b->until_ms ? -1 : 1) : strcmp(a->id, b->id);
}

int silences_list(struct silences *silences, int64_t now_ms, struct silence **ret_silences, size_t *ret_count)
{
	size_t count = 0;
	pthread_mutex_lock(&silences->lock);
	struct silence *list = malloc((silences->count + 1) * sizeof(*list));
	for (size_t i = 0; i < silences->count && list; i++) {
		if (!has_ended(&silences->items[i], now_ms))
			count += silences_read(&silences->items[i].kept, &list[count]);
	}
	pthread_mutex_unlock(&silences->lock);
	if (!list)
		return -ENOMEM;
	qsort(list, count, sizeof(*list), compare_ends);
	*ret_silences = list;
	*ret_count = count;
	return 0;
}

size_t silences_count(struct silences *silences, int64_t now_ms)
{
	size_t count = 0;
	pthread_mutex_lock(&silences->lock);
	for (size_t i = 0; i < silences->count; i++)
		count += !has_ended(&silences->items[i], now_ms);
	pthread_mutex_unlock(&silences->lock);
	return count;
}

bool silences_find(struct silences *silences, const char *id, int64_t now_ms, struct kept *ret_kept)
{
	size_t length = strlen(id);
	bool found = false;
	pthread_mutex_lock(&silences->lock);
	for (size_t i = 0; i < silences->count && !found; i++) {
		const struct item *item = &silences->items[i];
		found = strncmp(item->kept.name, id, length) == 0 && item->kept.name[length] == ' ' && !has_ended(item, now_ms);
		if (found)
			*ret_kept = item->kept;
	}
	pthread_mutex_unlock(&silences->lock);
	return found;
}
