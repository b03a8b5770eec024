#include "common/series_json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/clock.h"

bool series_json_read_time(const struct cJSON *item, int64_t *ret_time_ms)
{
	/* The negation also refuses a NaN. */
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= CLOCK_RFC3339_MAX_S))
		return false;
	*ret_time_ms = llrint(item->valuedouble * 1000);
	return true;
}

static int read_process(const char *ip, const cJSON *process, series_json_taker *take, void *user, size_t *skipped)
{
	size_t length = strlen(process->string);
	if (!cJSON_IsObject(process) || length == 0 || length > WIRE_NAME_MAX ||
	    wire_utf8_check(process->string, length) != length) {
		++*skipped;
		return 0;
	}
	for (const cJSON *item = process->child; item; item = item->next) {
		enum resource resource;
		int result = wire_limited_parse(item->string, &resource) ?
		                     take(user, ip, process->string, resource, item) : -EBADMSG;
		if (result == -EBADMSG)
			++*skipped;
		else if (result)
			return result;
	}
	return 0;
}

/* Names a host by the one form of its address. 0; -EBADMSG: it is none; -ENOMEM. */
static int name_host(cJSON *host)
{
	char ip[WIRE_IP_SIZE];
	if (!cJSON_IsObject(host) || !wire_ip_parse(host->string, ip))
		return -EBADMSG;
	if (strcmp(host->string, ip) == 0)
		return 0;
	char *copy = cJSON_malloc(sizeof(ip));
	if (!copy)
		return -ENOMEM;
	cJSON_free(host->string);
	host->string = strcpy(copy, ip);
	return 0;
}

int series_json_parse(const char *body, size_t length, series_json_taker *take, void *user, struct cJSON **ret_document,
                 size_t *ret_skipped, struct text *ret_error)
{
	cJSON *document = cJSON_ParseWithLength(body, length);
	if (!cJSON_IsObject(document)) {
		text_append_string(ret_error, "the answer is no JSON object");
		cJSON_Delete(document);
		return -EBADMSG;
	}
	size_t skipped = 0;
	for (cJSON *host = document->child; host; host = host->next) {
		int result = name_host(host);
		skipped += result == -EBADMSG;
		if (result == -EBADMSG)
			continue;
		for (const cJSON *process = host->child; process && !result; process = process->next)
			result = read_process(host->string, process, take, user, &skipped);
		if (result) {
			cJSON_Delete(document);
			return result;
		}
	}
	*ret_document = document;
	*ret_skipped = skipped;
	return 0;
}

void series_json_free(struct cJSON *document)
{
	cJSON_Delete(document);
}
