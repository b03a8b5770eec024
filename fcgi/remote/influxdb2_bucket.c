#include "fcgi/remote/influxdb2_bucket.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"

int influxdb2_bucket_init(struct influxdb2_bucket *bucket, const struct config *config)
{
	bucket->url = strdup(config->influxdb2.url);
	bucket->org = strdup(config->influxdb2.org);
	bucket->name = strdup(config->influxdb2.bucket);
	retention_init(&bucket->retention, config);
	return bucket->url && bucket->org && bucket->name ? 0 : -ENOMEM;
}

void influxdb2_bucket_free(struct influxdb2_bucket *bucket)
{
	free(bucket->url);
	free(bucket->org);
	free(bucket->name);
}

/* A request of the API; the answer is to be deleted. */
static int call(const struct influxdb2_bucket *bucket, struct remote *remote, const char *method, const char *path,
                const char *const parameters[], const struct text *body, cJSON **ret_answer)
{
	char words[REMOTE_WORDS_SIZE];
	struct text answer = TEXT_EMPTY;
	char *url = remote_url(bucket->url, path, parameters);
	const struct http_message message = {
		.method = method, .url = url, .body = body ? body->data : NULL, .body_length = body ? body->length : 0,
	};
	int result = url && !(body && text_failed(body)) ? 0 : -ENOMEM;
	if (result == 0)
		result = remote_send(remote, REMOTE_SET_UP, &message, &answer, words);
	if (result == 0)
		result = json_parse(answer.data, answer.length, ret_answer);
	text_free(&answer);
	free(url);
	return result;
}

/* The first object of a list in an answer; NULL: it is empty. */
static const cJSON *first_of(const cJSON *answer, const char *list)
{
	return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(answer, list), 0);
}

static const char *string_of(const cJSON *object, const char *name)
{
	const char *string = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
	return string ? string : "";
}

static void append_rules(struct text *body, const struct influxdb2_bucket *bucket)
{
	text_printf(body, "\"retentionRules\": [{\"type\": \"expire\", \"everySeconds\": %lld}]}",
	            (long long)bucket->retention.wanted_s);
}

static int create(const struct influxdb2_bucket *bucket, struct remote *remote)
{
	struct text body = TEXT_EMPTY;
	cJSON *orgs = NULL, *created = NULL;
	int result =
		call(bucket, remote, "GET", "/api/v2/orgs", (const char *const[]){ "org", bucket->org, NULL }, NULL, &orgs);
	if (result == 0 && !first_of(orgs, "orgs"))
		result = -ENOENT;
	if (result == 0) {
		text_append_string(&body, "{\"orgID\": ");
		json_append_string(&body, string_of(first_of(orgs, "orgs"), "id"));
		text_append_string(&body, ", \"name\": ");
		json_append_string(&body, bucket->name);
		text_append_string(&body, ", ");
		append_rules(&body, bucket);
		result = call(bucket, remote, "POST", "/api/v2/buckets", (const char *const[]){ NULL }, &body, &created);
	}
	if (result == 0)
		log_info("store influxdb2: bucket %s was created", bucket->name);
	cJSON_Delete(orgs);
	cJSON_Delete(created);
	text_free(&body);
	return result;
}

/* How long the bucket of an answer keeps samples, seconds; 0: for ever. */
static int64_t retention_s_of(const cJSON *found)
{
	const cJSON *rule = first_of(found, "retentionRules");
	const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(rule, "everySeconds");
	/* What no bucket keeps is for ever. */
	bool usable = cJSON_IsNumber(seconds) && seconds->valuedouble >= 0 && seconds->valuedouble <= (double)STORE_LATEST_MS / 1000;
	return usable ? (int64_t)seconds->valuedouble : 0;
}

static int change_retention(const struct influxdb2_bucket *bucket, struct remote *remote, const cJSON *found)
{
	char path[128];
	struct text body = TEXT_EMPTY;
	cJSON *changed = NULL;
	snprintf(path, sizeof(path), "/api/v2/buckets/%s", string_of(found, "id"));
	text_append_char(&body, '{');
	append_rules(&body, bucket);
	int result = call(bucket, remote, "PATCH", path, (const char *const[]){ NULL }, &body, &changed);
	if (result == 0)
		log_info("store influxdb2: the retention of bucket %s is now %lld s", bucket->name,
		         (long long)bucket->retention.wanted_s);
	cJSON_Delete(changed);
	text_free(&body);
	return result;
}

static int check_retention(struct influxdb2_bucket *bucket, struct remote *remote, const cJSON *found)
{
	char holder[256];
	int64_t engine_s = retention_s_of(found);
	int result = 0;
	snprintf(holder, sizeof(holder), "influxdb2: bucket %s", bucket->name);
	if (retention_is_to_change(&bucket->retention, holder, engine_s)) {
		result = change_retention(bucket, remote, found);
		engine_s = result ? engine_s : bucket->retention.wanted_s;
	}
	retention_set(&bucket->retention, engine_s);
	return result;
}

int influxdb2_bucket_set_up(struct influxdb2_bucket *bucket, struct remote *remote)
{
	cJSON *answer = NULL;
	int result = call(bucket, remote, "GET", "/api/v2/buckets",
	                  (const char *const[]){ "org", bucket->org, "name", bucket->name, NULL }, NULL, &answer);
	const cJSON *found = result == 0 ? first_of(answer, "buckets") : NULL;
	if (found)
		result = check_retention(bucket, remote, found);
	else if (result == 0 || result == -ENOENT)
		result = create(bucket, remote);
	cJSON_Delete(answer);
	return result;
}
