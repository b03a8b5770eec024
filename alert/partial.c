#include "alert/partial.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_partial(const cJSON *host, const struct partial *before, char ret_ip[static WIRE_IP_SIZE])
{
	const cJSON *said = cJSON_GetObjectItemCaseSensitive(host, "partial");
	return wire_ip_parse(host->string, ret_ip) && (cJSON_IsBool(said) ? cJSON_IsTrue(said) : partial_has(before, ret_ip));
}

int partial_parse(const char *body, size_t length, const struct partial *before, struct partial *ret_partial,
                  struct text *ret_error)
{
	cJSON *document = cJSON_ParseWithLength(body, length);
	if (!cJSON_IsObject(document)) {
		text_append_string(ret_error, "the answer is no JSON object");
		cJSON_Delete(document);
		return -EBADMSG;
	}
	struct partial partial = { .ips = calloc((size_t)cJSON_GetArraySize(document) + 1, sizeof(*partial.ips)) };
	for (const cJSON *host = document->child; host && partial.ips; host = host->next)
		partial.count += is_partial(host, before, partial.ips[partial.count]);
	cJSON_Delete(document);
	if (!partial.ips)
		return -ENOMEM;
	*ret_partial = partial;
	return 0;
}

bool partial_has(const struct partial *partial, const char *ip)
{
	for (size_t i = 0; i < partial->count; i++) {
		if (strcmp(partial->ips[i], ip) == 0)
			return true;
	}
	return false;
}

void partial_free(struct partial *partial)
{
	free(partial->ips);
	*partial = (struct partial){ 0 };
}
