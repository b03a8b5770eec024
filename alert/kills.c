#include "alert/kills.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/series_json.h"

static bool read_kill(const cJSON *item, struct kill *ret_kill)
{
	const cJSON *ip = cJSON_GetObjectItemCaseSensitive(item, "ip");
	const cJSON *process = cJSON_GetObjectItemCaseSensitive(item, "process");
	const cJSON *count = cJSON_GetObjectItemCaseSensitive(item, "oom_kills");
	struct kill kill = { .process = cJSON_GetStringValue(process) };
	size_t length = kill.process ? strlen(kill.process) : 0;
	if (!cJSON_IsString(ip) || !wire_ip_parse(ip->valuestring, kill.ip) || length == 0 || length > WIRE_NAME_MAX ||
	    wire_utf8_check(kill.process, length) != length || !cJSON_IsNumber(count) ||
	    !(count->valuedouble > 0 && count->valuedouble <= WIRE_VALUE_MAX) ||
	    !series_json_read_time(cJSON_GetObjectItemCaseSensitive(item, "time"), &kill.time_ms))
		return false;
	kill.count = count->valuedouble;
	*ret_kill = kill;
	return true;
}

int kills_parse(const char *body, size_t length, struct kills *ret_kills, struct text *ret_error)
{
	struct kills kills = { .document = cJSON_ParseWithLength(body, length) };
	if (!cJSON_IsArray(kills.document)) {
		text_append_string(ret_error, "the answer is no JSON array");
		kills_free(&kills);
		return -EBADMSG;
	}
	kills.items = calloc((size_t)cJSON_GetArraySize(kills.document) + 1, sizeof(*kills.items));
	if (!kills.items) {
		kills_free(&kills);
		return -ENOMEM;
	}
	for (const cJSON *item = kills.document->child; item; item = item->next) {
		if (read_kill(item, &kills.items[kills.count]))
			kills.count++;
		else
			kills.skipped++;
	}
	*ret_kills = kills;
	return 0;
}

void kills_free(struct kills *kills)
{
	free(kills->items);
	cJSON_Delete(kills->document);
	*kills = (struct kills){ 0 };
}
