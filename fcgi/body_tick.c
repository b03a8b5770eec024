#include "common/table.h"
#include "fcgi/body_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "processes."

/* A name that a tick has had; in the arena of the body's strings. */
struct tick_name {
	const char *key; /* as it was sent */
	UT_hash_handle hh;
};

/* Names that ascend strictly are there once. From the first one on that does not, or that was not clean as it was sent,
 * all of them are in the table. */
struct tick_names {
	bool tabled;
	struct tick_name *table;
};

/* Tells what is wrong with a process ("") or with one of its values. A long name is cut, so that its place is whole. */
static int refuse_process(struct body_error *error, const char *key, const char *place, const char *sentence)
{
	enum { ROOM = sizeof(error->field) - sizeof(PREFIX "[0]") };
	char field[sizeof(error->field)];
	assert(key);
	size_t length = wire_utf8_check(key, strnlen(key, ROOM));
	snprintf(field, sizeof(field), PREFIX "%.*s%s", (int)length, key, place);
	return body_refuse(error, 400, field, "%s", sentence);
}

/* 0, -EEXIST or -ENOMEM. `key` lives as long as the body. */
static int table_name(struct tick_names *names, struct body *body, const char *key)
{
	struct tick_name *name;
	assert(key);
	HASH_FIND_STR(names->table, key, name);
	if (name)
		return -EEXIST;
	name = arena_allocate(&body->strings, sizeof(*name));
	if (!name)
		return -ENOMEM;
	name->key = key;
	HASH_ADD_KEYPTR(hh, names->table, key, strlen(key), name);
	return name->hh.tbl ? 0 : -ENOMEM;
}

/* Puts the names of all samples into the table: so far they were clean as they were sent. */
static int table_names(struct tick_names *names, struct body *body)
{
	const struct batch *batch = &body->batch;
	int result = 0;
	names->tabled = true;
	for (size_t i = 0; i < batch->count && result == 0; i++) {
		if (i == 0 || batch->samples[i].process != batch->samples[i - 1].process)
			result = table_name(names, body, batch->samples[i].process);
	}
	return result;
}

/* Notes the next key, which is `process` where it was clean as it was sent. 0, -EEXIST or -ENOMEM. */
static int note_name(struct tick_names *names, struct body *body, const char *key, const char *process)
{
	const struct batch *batch = &body->batch;
	const char *before = batch->count ? batch->samples[batch->count - 1].process : "";
	assert(before && key);
	if (!names->tabled && key == process && strcmp(before, key) < 0)
		return 0;
	int result = names->tabled ? 0 : table_names(names, body);
	return result ? result : table_name(names, body, key);
}

/* Gives the name of a process as it was sent, and as it is stored: the same string where that was clean. Both live as
 * long as the body. 0 or a negative errno. */
static int read_name(struct parsing *parsing, const char **ret_key, const char **ret_process)
{
	char *sent;
	int result = json_reader_key(&parsing->reader, &sent);
	if (result)
		return body_fail_reading(parsing, result);
	const char *key = body_keep_string(parsing->body, NULL, sent);
	if (!key)
		return -ENOMEM;
	const char *process = body_clean_process(sent);
	if (!process)
		return refuse_process(parsing->error, key, "", "the name of a process is not one of at most 255 bytes");
	process = body_keep_string(parsing->body, key, process);
	if (!process)
		return -ENOMEM;
	*ret_key = key;
	*ret_process = process;
	return 0;
}

#define NOT_A_PAIR "the values of a process are not [mem, cpu]"

/* Reads the value of a process and a resource: a number, or null where there is none. 0 or a negative errno. */
static int read_value(struct parsing *parsing, const char *key, int resource, bool *ret_missing, double *ret_number)
{
	const cJSON *value = NULL;
	double number = 0;
	if (!json_reader_plain_number(&parsing->reader, &number)) {
		int result = json_reader_value(&parsing->reader, &value);
		if (result)
			return body_fail_reading(parsing, result);
	}
	bool missing = value && cJSON_IsNull(value);
	if (!missing && !(value ? body_read_number(value, &number) : number <= WIRE_VALUE_MAX)) {
		_Static_assert(RESOURCE_COUNT <= 10, "a place has one digit, and so has room behind a long name");
		const char place[] = { '[', (char)('0' + resource), ']', '\0' };
		return refuse_process(parsing->error, key, place, "it is neither a number of 0 or more nor null");
	}
	*ret_missing = missing;
	*ret_number = number;
	return 0;
}

/* Reads [mem, cpu, …], of which the further ones may be left out, and appends the samples of the process. */
static int add_values(struct parsing *parsing, const char *key, const char *process)
{
	struct json_reader *reader = &parsing->reader;
	struct sample sample = { .ip = parsing->body->ip, .process = process };
	size_t before = parsing->body->batch.count;
	const cJSON *value;
	if (!json_reader_enter(reader, '[')) {
		int result = json_reader_value(reader, &value);
		return result ? body_fail_reading(parsing, result) : refuse_process(parsing->error, key, "", NOT_A_PAIR);
	}
	for (int resource = 0; resource <= RESOURCE_COUNT; resource++) {
		bool missing = true;
		int more = json_reader_next(reader, ']');
		if (more < 0)
			return body_fail_reading(parsing, more);
		if (more ? resource == RESOURCE_COUNT : resource < RESOURCE_LIMITED)
			return refuse_process(parsing->error, key, "", NOT_A_PAIR);
		if (!more)
			break;
		sample.metric = sample_usage((enum resource)resource);
		sample.half = sample_half((enum resource)resource);
		int result = read_value(parsing, key, resource, &missing, &sample.value);
		if (result == 0 && !missing)
			result = body_append_sample(parsing, &sample);
		if (result)
			return result;
	}
	if (parsing->body->batch.count == before)
		return refuse_process(parsing->error, key, "", "a process has neither mem nor cpu");
	return 0;
}

/* Reads one process, up to the next. */
static int parse_process(struct parsing *parsing, struct tick_names *names)
{
	const char *key = NULL, *process = NULL;
	int result = read_name(parsing, &key, &process);
	if (result == 0) {
		result = note_name(names, parsing->body, key, process);
		if (result == -EEXIST)
			result = refuse_process(parsing->error, key, "", BODY_KEY_TWICE);
	}
	if (result == 0)
		result = add_values(parsing, key, process);
	return result ? result : body_count_samples(parsing);
}

/* What is wrong with the time of the tick, as far as it has been told. 0 or -EINVAL. */
static int judge_time(const struct parsing *parsing)
{
	if (parsing->tick_time == TICK_TIME_UNTOLD)
		return 0;
	if (parsing->tick_time == TICK_TIME_BAD)
		return body_refuse(parsing->error, 400, "timestamp", BODY_TIME_BAD);
	const char *fault = body_time_fault(parsing->times, parsing->tick_ms);
	return fault ? body_refuse(parsing->error, 409, "timestamp", "%s", fault) : 0;
}

int body_parse_processes(struct parsing *parsing)
{
	struct json_reader *reader = &parsing->reader;
	struct tick_names names = { 0 };
	const cJSON *value;
	if (!json_reader_enter(reader, '{')) {
		int result = json_reader_value(reader, &value);
		return result ? body_fail_reading(parsing, result)
		              : body_refuse(parsing->error, 400, "processes", "processes is not an object");
	}
	int result = 0, more = json_reader_next(reader, '}');
	if (more == 1)
		result = judge_time(parsing);
	while (more == 1 && result == 0) {
		result = parse_process(parsing, &names);
		if (result == 0)
			more = json_reader_next(reader, '}');
	}
	HASH_CLEAR(hh, names.table);
	return result ? result : more ? body_fail_reading(parsing, more) : 0;
}

int body_read_tick_time(struct parsing *parsing, const cJSON *value)
{
	parsing->tick_time = body_read_time(value, &parsing->tick_ms) ? TICK_TIME_GIVEN : TICK_TIME_BAD;
	return parsing->is_tick && parsing->body->batch.count ? judge_time(parsing) : 0;
}

int body_date_tick(struct parsing *parsing)
{
	struct batch *batch = &parsing->body->batch;
	if (parsing->tick_time == TICK_TIME_BAD)
		return judge_time(parsing); /* of one that has no processes */
	if (batch->count && parsing->tick_time == TICK_TIME_UNTOLD)
		return body_refuse(parsing->error, 400, "timestamp", BODY_TIME_MISSING);
	for (size_t i = 0; i < batch->count; i++)
		batch->samples[i].time_ms = parsing->tick_ms;
	return 0;
}
