#include "common/series_report.h"

#include "common/json.h"

/* Of one PUT: well under the server's limit, however many series there are. A byte of an item's name
 * takes six at most, and why a forecast is what it is takes as much. */
enum { BODY_MAX = 512 * 1024, ITEM_MAX = 16 * WIRE_NAME_SIZE };

void series_report_begin(struct series_report *report)
{
	text_reset(&report->body);
	text_append_string(&report->body, "{\"data\": [");
}

int series_report_add(struct series_report *report, const char *ip, const char *process, enum resource resource,
                      struct text *ret_error)
{
	struct text *body = &report->body;
	if (body->length > BODY_MAX - ITEM_MAX) {
		int result = series_report_end(report, ret_error);
		if (result)
			return result;
		series_report_begin(report);
	}
	if (body->length && body->data[body->length - 1] == '}')
		text_append_string(body, ",\n");
	text_printf(body, "{\"ipaddress\": \"%s\", \"process_name\": ", ip);
	json_append_string(body, process);
	text_printf(body, ", \"type_data\": \"%s\"", wire_resource_name(resource));
	return 0;
}

void series_report_append(struct series_report *report, const char *key, double number)
{
	/* The negation is for a NaN, too. */
	if (!(number >= 0 && number <= WIRE_VALUE_MAX))
		return;
	text_printf(&report->body, ", \"%s\": ", key);
	json_append_number(&report->body, number);
}

int series_report_end(struct series_report *report, struct text *ret_error)
{
	text_append_string(&report->body, "]}");
	return client_put(report->client, report->path, &report->body, ret_error);
}
