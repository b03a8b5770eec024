#include "alert/hostnames.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/table.h"

struct hostname {
	char ip[WIRE_IP_SIZE];
	char name[WIRE_NAME_SIZE];
	UT_hash_handle hh;
};

static int add(struct hostnames *names, const char *ip, const char *name)
{
	struct hostname *item = calloc(1, sizeof(*item)), *known = NULL;
	if (!item)
		return -ENOMEM;
	if (wire_ip_parse(ip, item->ip))
		HASH_FIND_STR(names->table, item->ip, known);
	else
		known = item;
	if (known) {
		free(item);
		return 0;
	}
	wire_clean_name(name, strlen(name), item->name);
	HASH_ADD_STR(names->table, ip, item);
	if (!item->hh.tbl) {
		free(item);
		return -ENOMEM;
	}
	return 0;
}

int hostnames_parse(const char *body, size_t length, struct hostnames *ret_names, struct text *ret_error)
{
	struct hostnames names = { 0 };
	cJSON *document = cJSON_ParseWithLength(body, length);
	int result = cJSON_IsObject(document) ? 0 : -EBADMSG;
	if (result)
		text_append_string(ret_error, "the answer is no JSON object");
	for (const cJSON *host = result ? NULL : document->child; host && !result; host = host->next) {
		const cJSON *name = cJSON_GetObjectItemCaseSensitive(host, "hostname");
		if (cJSON_IsString(name) && name->valuestring[0])
			result = add(&names, host->string, name->valuestring);
	}
	cJSON_Delete(document);
	if (result)
		hostnames_free(&names);
	else
		*ret_names = names;
	return result;
}

const char *hostnames_find(const struct hostnames *names, const char *ip)
{
	struct hostname *item;
	HASH_FIND_STR(names->table, ip, item);
	return item ? item->name : "";
}

void hostnames_free(struct hostnames *names)
{
	struct hostname *item, *next;
	HASH_ITER(hh, names->table, item, next) {
		HASH_DEL(names->table, item);
		free(item);
	}
}
