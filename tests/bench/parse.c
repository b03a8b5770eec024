/*
 * How fast bodies of save-all are parsed and freed, on one core: by cJSON alone, what vigie's own rate is compared
 * with, or by the server, in either of their forms.
 *
 *   parse SECONDS [cjson | data | processes]
 *
 * The bodies are those of save_all.lua: 300 points each. Prints points per second.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "fcgi/body.h"

enum { BODIES = 64, PROCESSES = 150, POINTS = 2 * PROCESSES };

#define TIME_S 1795356870
#define POINT "%s{\"timestamp\": %d.0, \"value\": %.*f, \"process_name\": \"process-%03d\", \"type_data\": \"%s\"}"

static void make_body(struct text *body, int number, bool by_process)
{
	int time_s = TIME_S + 10 * number;
	text_printf(body, "{\"ipaddress\": \"10.0.0.%d\", ", number);
	if (by_process)
		text_printf(body, "\"timestamp\": %d.0, \"processes\": {", time_s);
	else
		text_append_string(body, "\"data\": [");
	for (int i = 0; i < PROCESSES; i++) {
		const char *comma = i ? ", " : "";
		double cpu = rand() % 10 < 8 ? 0 : (double)(rand() % 999) / 10;
		double mem = (double)(rand() % 3000) / 1000;
		if (by_process) {
			text_printf(body, "%s\"process-%03d\": [%.3f, %.1f]", comma, i, mem, cpu);
		} else {
			text_printf(body, POINT, comma, time_s, 3, mem, i, "mem");
			text_printf(body, POINT, ", ", time_s, 1, cpu, i, "cpu");
		}
	}
	text_append_string(body, by_process ? "}}" : "]}");
}

/* False: the body is not right. */
static bool parse_by_cjson(const struct text *json)
{
	cJSON *tree = cJSON_ParseWithLength(json->data, json->length + 1);
	cJSON_Delete(tree);
	return tree != NULL;
}

static bool parse_by_server(const struct text *json)
{
	static const struct body_times times = { .newest_ms = INT64_MAX };
	struct body body;
	struct body_error error;
	if (body_parse_samples(json->data, json->length, &times, &body, &error))
		return false;
	bool whole = body.batch.count == POINTS;
	body_free(&body);
	return whole;
}

int main(int argc, char *argv[])
{
	double seconds = argc > 1 ? atof(argv[1]) : 2;
	const char *form = argc > 2 ? argv[2] : "cjson";
	bool by_cjson = strcmp(form, "cjson") == 0;
	static struct text bodies[BODIES];
	for (int i = 0; i < BODIES; i++) {
		make_body(&bodies[i], i, strcmp(form, "processes") == 0);
		if (text_failed(&bodies[i]))
			return EXIT_FAILURE;
	}
	if (!by_cjson)
		body_init();

	int64_t start_ns = clock_monotonic_ns(), now_ns = start_ns;
	long parsed = 0;
	while ((double)(now_ns - start_ns) < seconds * 1e9) {
		for (int i = 0; i < BODIES; i++, parsed++) {
			if (!(by_cjson ? parse_by_cjson(&bodies[i]) : parse_by_server(&bodies[i])))
				return EXIT_FAILURE;
		}
		now_ns = clock_monotonic_ns();
	}
	printf("%.0f\n", (double)parsed * POINTS / ((double)(now_ns - start_ns) / 1e9));
	for (int i = 0; i < BODIES; i++)
		text_free(&bodies[i]);
	return EXIT_SUCCESS;
}
