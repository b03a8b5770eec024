#include "alert/forecasts.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/series_json.h"

int forecasts_add(struct forecasts *forecasts, const struct forecast *forecast)
{
	if (forecasts->count == forecasts->capacity) {
		size_t capacity = forecasts->capacity ? 2 * forecasts->capacity : 1024;
		struct forecast *items = realloc(forecasts->items, capacity * sizeof(*items));
		if (!items)
			return -ENOMEM;
		forecasts->items = items;
		forecasts->capacity = capacity;
	}
	forecasts->items[forecasts->count++] = *forecast;
	return 0;
}

static bool read_number(const cJSON *object, const char *key, double *ret_number)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
		return false;
	*ret_number = item->valuedouble;
	return true;
}

/* What is missing or null stays as it is. */
static bool read_time(const cJSON *object, const char *key, int64_t *ret_time_ms)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	return !item || cJSON_IsNull(item) || series_json_read_time(item, ret_time_ms);
}

static int take(void *user, const char *ip, const char *process, enum resource resource, const cJSON *item)
{
	struct forecast forecast = { .ip = ip, .process = process, .resource = resource };
	if (!read_number(item, "probability", &forecast.probability) || forecast.probability < 0 ||
	    forecast.probability > 1 || !read_number(item, "forecast", &forecast.value) ||
	    forecast.value < 0)
		return -EBADMSG;
	if (!read_time(item, "expected_at", &forecast.expected_ms) || !read_time(item, "full_at", &forecast.full_ms))
		return -EBADMSG;
	return forecasts_add(user, &forecast);
}

int forecasts_parse(const char *body, size_t length, struct forecasts *ret_forecasts, struct text *ret_error)
{
	struct forecasts forecasts = { 0 };
	int result = series_json_parse(body, length, take, &forecasts, &forecasts.document, &forecasts.skipped, ret_error);
	if (result)
		forecasts_free(&forecasts);
	else
		*ret_forecasts = forecasts;
	return result;
}

void forecasts_free(struct forecasts *forecasts)
{
	free(forecasts->items);
	series_json_free(forecasts->document);
	*forecasts = (struct forecasts){ 0 };
}
