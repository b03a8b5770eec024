#include "alert/partial.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_partial(const cJSON *host)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(host, "partial"));
}

int partial_parse(const char *body, size_t length, struct partial *ret_partial, struct text *ret_error)
{
	cJSON *document = cJSON_ParseWithLength(body, length);
	if (!cJSON_IsObject(document)) {
		text_append_string(ret_error, "the answer is no JSON object");
		cJSON_Delete(document);
		return -EBADMSG;
	}
	size_t count = 0;
	for (const cJSON *host = document->child; host; host = host->next)
		count += is_partial(host);
	struct partial partial = { .ips = calloc(count + 1, sizeof(*partial.ips)) };
	for (const cJSON *host = document->child; host && partial.ips; host = host->next)
		partial.count += is_partial(host) && wire_ip_parse(host->string, partial.ips[partial.count]);
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
