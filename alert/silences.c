#include "alert/silences.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/series_json.h"

/* A text of 1 to size - 1 bytes. */
static bool read_text(const cJSON *object, const char *key, char *ret_text, size_t size)
{
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
	if (!value || !value[0] || strlen(value) >= size)
		return false;
	strcpy(ret_text, value);
	return true;
}

static bool read_silence(const cJSON *object, struct silence *silence)
{
	return read_text(object, "id", silence->id, sizeof(silence->id)) &&
	       read_text(object, "process", silence->process, sizeof(silence->process)) &&
	       read_text(object, "ip", silence->ip, sizeof(silence->ip)) &&
	       read_text(object, "resource", silence->resource, sizeof(silence->resource)) &&
	       series_json_read_time(cJSON_GetObjectItemCaseSensitive(object, "until"), &silence->until_ms);
}

int silences_parse(const char *body, size_t length, struct silences *ret_silences, struct text *ret_error)
{
	cJSON *document = cJSON_ParseWithLength(body, length);
	if (!cJSON_IsArray(document)) {
		text_append_string(ret_error, "the answer is no JSON array");
		cJSON_Delete(document);
		return -EBADMSG;
	}
	struct silences silences = { .items = calloc((size_t)cJSON_GetArraySize(document) + 1, sizeof(*silences.items)) };
	for (const cJSON *item = document->child; item && silences.items; item = item->next) {
		if (read_silence(item, &silences.items[silences.count]))
			silences.count++;
		else
			silences.skipped++;
	}
	cJSON_Delete(document);
	if (!silences.items)
		return -ENOMEM;
	*ret_silences = silences;
	return 0;
}

void silences_drop_ended(struct silences *silences, int64_t now_ms)
{
	size_t left = 0;
	for (size_t i = 0; i < silences->count; i++) {
		if (silences->items[i].until_ms > now_ms)
			silences->items[left++] = silences->items[i];
	}
	silences->count = left;
}

const struct silence *silences_find(const struct silences *silences, const char *id)
{
	for (size_t i = 0; i < silences->count; i++) {
		if (strcmp(silences->items[i].id, id) == 0)
			return &silences->items[i];
	}
	return NULL;
}

void silences_free(struct silences *silences)
{
	free(silences->items);
	*silences = (struct silences){ 0 };
}
