/*
 * How fast cJSON alone parses and frees bodies of save-all, on one core: what
 * vigie's own rate is compared with.
 *
 *   parse SECONDS
 *
 * The bodies are those of save_all.lua: 300 points each. Prints points per second.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/text.h"

enum { BODIES = 64, PROCESSES = 150, POINTS = 2 * PROCESSES };

#define POINT "%s{\"timestamp\": %d.0, \"value\": %.*f, \"process_name\": \"process-%03d\", \"type_data\": \"%s\"}"

static void make_body(struct text *body, int number)
{
	text_printf(body, "{\"ipaddress\": \"10.0.0.%d\", \"data\": [", number);
	for (int i = 0; i < PROCESSES; i++) {
		double cpu = rand() % 10 < 8 ? 0 : (double)(rand() % 999) / 10;
		text_printf(body, POINT, i ? ", " : "", 1795356870 + 10 * number, 3, (double)(rand() % 3000) / 1000, i, "mem");
		text_printf(body, POINT, ", ", 1795356870 + 10 * number, 1, cpu, i, "cpu");
	}
	text_append_string(body, "]}");
}

int main(int argc, char *argv[])
{
	double seconds = argc > 1 ? atof(argv[1]) : 2;
	static struct text bodies[BODIES];
	for (int i = 0; i < BODIES; i++) {
		make_body(&bodies[i], i);
		if (text_failed(&bodies[i]))
			return EXIT_FAILURE;
	}

	int64_t start_ns = clock_monotonic_ns(), now_ns = start_ns;
	long parsed = 0;
	while ((double)(now_ns - start_ns) < seconds * 1e9) {
		for (int i = 0; i < BODIES; i++, parsed++) {
			cJSON *tree = cJSON_ParseWithLength(bodies[i].data, bodies[i].length + 1);
			if (!tree)
				return EXIT_FAILURE;
			cJSON_Delete(tree);
		}
		now_ns = clock_monotonic_ns();
	}
	printf("%.0f\n", (double)parsed * POINTS / ((double)(now_ns - start_ns) / 1e9));
	for (int i = 0; i < BODIES; i++)
		text_free(&bodies[i]);
	return EXIT_SUCCESS;
}
