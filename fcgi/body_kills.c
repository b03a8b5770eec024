#include "fcgi/body_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "oom_kills.processes."

/* Where each is told apart from the names of a tick, which are known by the samples before. */
struct body_kill {
	struct body_kill *before;
	const char *process;
	double count;
};

static int read_kill(struct parsing *parsing, const cJSON *item)
{
	char field[sizeof(parsing->error->field)];
	double count;
	snprintf(field, sizeof(field), PREFIX "%.*s", (int)wire_utf8_check(item->string, strnlen(item->string, 32)), item->string);
	if (!body_read_number(item, &count) || count < 1)
		return body_refuse(parsing->error, 400, field, "it is not a number of 1 or more");
	const char *process = body_clean_process(item->string);
	if (!process)
		return body_refuse(parsing->error, 400, field, "the name of a process is not one of at most 255 bytes");
	struct body_kill *kill = arena_allocate(&parsing->body->strings, sizeof(*kill));
	process = body_keep_string(parsing->body, NULL, process);
	if (!kill || !process)
		return -ENOMEM;
	*kill = (struct body_kill){ .before = parsing->kills, .process = process, .count = count };
	parsing->kills = kill;
	return 0;
}

int body_read_kills(struct parsing *parsing, const cJSON *value)
{
	const cJSON *processes = cJSON_GetObjectItemCaseSensitive(value, "processes");
	if (!cJSON_IsObject(value) || !cJSON_IsObject(processes))
		return body_refuse(parsing->error, 400, "oom_kills", "oom_kills is not an object with the object processes");
	if (!body_read_time(cJSON_GetObjectItemCaseSensitive(value, "timestamp"), &parsing->kills_ms))
		return body_refuse(parsing->error, 400, "oom_kills.timestamp", BODY_TIME_BAD);
	int result = body_check_keys(value, "oom_kills.", parsing->error);
	if (result == 0)
		result = body_check_keys(processes, PREFIX, parsing->error);
	const char *fault = body_time_fault(parsing->times, parsing->kills_ms);
	if (result == 0 && fault)
		result = body_refuse(parsing->error, 409, "oom_kills.timestamp", "%s", fault);
	for (const cJSON *item = processes->child; item && result == 0; item = item->next)
		result = read_kill(parsing, item);
	return result;
}

int body_append_kills(struct parsing *parsing)
{
	int result = 0;
	for (const struct body_kill *kill = parsing->kills; kill && result == 0; kill = kill->before) {
		const struct sample sample = {
			.time_ms = parsing->kills_ms, .value = kill->count, .ip = parsing->body->ip, .process = kill->process,
			.metric = METRIC_OOM_KILLS, .half = HALF_FIRST,
		};
		result = body_append_sample(parsing, &sample);
	}
	return result ? result : body_count_samples(parsing);
}
