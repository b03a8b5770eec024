#include "fcgi/remote/influxdb_version.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

bool influxdb_is_3(struct remote *remote, const char *url, char ret_version[static INFLUXDB_VERSION_SIZE])
{
	struct text body = TEXT_EMPTY;
	char *ping_url = remote_url(url, "/ping", (const char *const[]){ NULL });
	const struct http_message ping = { .method = "GET", .url = ping_url, .accept = "application/json" };
	bool answers = ping_url && remote_look(remote, &ping, &body) == 0 && body.length;
	cJSON *tree = answers ? cJSON_Parse(body.data) : NULL;
	const char *version = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tree, "version"));
	bool is_3 = version && strtol(version, NULL, 10) >= 3;
	if (is_3)
		snprintf(ret_version, INFLUXDB_VERSION_SIZE, "%s", version);
	cJSON_Delete(tree);
	text_free(&body);
	free(ping_url);
	return is_3;
}
