/* What several of the answers are made of. */
#include "fcgi/service_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

bool service_begin_answer(const struct parameters *parameters, char opening, const char *columns, struct csv *ret_csv,
                          struct response *response)
{
	bool in_rows = parameters->media == MEDIA_CSV;
	if (in_rows)
		csv_begin(ret_csv, &response->body, columns);
	else
		text_append_char(&response->body, opening);
	return in_rows;
}

void service_begin_row(struct csv *csv, int64_t time_ms, const struct parameters *parameters, const struct series_key *key,
                       enum resource resource)
{
	const char *asked = parameters->given & PARAMETER_IP ? parameters->ip : "";
	csv_append_time(csv, true, time_ms);
	csv_append_words(csv, key->ip ? key->ip : asked);
	csv_append_name(csv, key->process);
	csv_append_words(csv, wire_resource_name(resource));
}

void service_append_rows(struct csv *csv, const struct parameters *parameters, const struct store_row *row)
{
	for (int i = 0; i < HALF_COUNT; i++) {
		enum resource resource = sample_resource(service_usage(parameters), (enum half)i);
		if (!row->present[i] || !service_wants(parameters, resource))
			continue;
		service_begin_row(csv, row->time_ms[i], parameters, &row->key, resource);
		csv_append_number(csv, true, row->value[i]);
		csv_end_row(csv);
	}
}

void service_append_seconds_cell(struct csv *csv, bool known, double seconds)
{
	csv_append_time(csv, known, known ? llround(seconds * 1000) : 0);
}

struct service_sample service_find(const struct store_rows *rows, const struct series_key *key, enum resource resource)
{
	const struct store_row *row =
		rows->count ? bsearch(key, rows->items, rows->count, sizeof(*rows->items), store_compare_keys) : NULL;
	enum half half = sample_half(resource);
	if (!row || !row->present[half])
		return (struct service_sample){ 0 };
	return (struct service_sample){ .known = true, .value = row->value[half], .time_ms = row->time_ms[half] };
}

void service_append_member(struct text *body, const char *name, bool known, double value)
{
	text_printf(body, ", \"%s\": ", name);
	if (known)
		json_append_number(body, value);
	else
		text_append_string(body, "null");
}

void service_append_text(struct text *body, const char *name, const char *value)
{
	text_printf(body, ", \"%s\": ", name);
	if (value[0])
		json_append_string(body, value);
	else
		text_append_string(body, "null");
}

bool service_find_time(const struct service_sample *forecast, const struct service_sample *lead, int64_t *ret_time_ms)
{
	if (!forecast->known || !lead->known || lead->time_ms != forecast->time_ms)
		return false;
	*ret_time_ms = lead->time_ms + llround(lead->value * 1000);
	return true;
}

void service_append_time(struct text *body, const char *name, const struct service_sample *forecast,
                         const struct service_sample *lead)
{
	int64_t time_ms;
	if (service_find_time(forecast, lead, &time_ms)) {
		text_printf(body, ", \"%s\": ", name);
		json_append_seconds(body, time_ms);
	} else {
		service_append_member(body, name, false, 0);
	}
}

void service_begin_host(struct text *body, const char *ip, const struct series_key *before)
{
	text_append_string(body, before ? "}, " : "");
	json_append_string(body, ip);
	text_append_string(body, ": {");
}

void service_begin_series(struct text *body, const struct series_key *key, const struct series_key *before)
{
	bool new_host = key->ip && (!before || strcmp(before->ip, key->ip) != 0);
	if (new_host) {
		service_begin_host(body, key->ip, before);
	} else if (before) {
		text_append_string(body, ", ");
	}
	json_append_string(body, key->process);
	text_append_string(body, ": ");
}

void service_end_series(struct text *body, const struct series_key *last)
{
	text_append_string(body, last && last->ip ? "}}\n" : "}\n");
}
